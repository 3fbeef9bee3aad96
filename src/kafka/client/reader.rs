//! Reading partitions: where to begin, when it is the end, and what of a group may be committed.

mod group;

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::Offset;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode as Code;

use super::events::Events;
use super::fault::{error_of, kind_of, topic_error};
use super::newest::{Newest, newest};
use super::offsets::{Partition, at_time, begins, ends};
use crate::error::{Error, Kind, Result};
use crate::kafka::ffi::{Feed, Place, Record, What};
use crate::message::{Field, Headers, Message, Protocol, Time};
use crate::shutdown::Shutdown;

/// How often offsets are committed while reading; each commit covers what was written by then.
const COMMIT_EVERY: Duration = Duration::from_millis(500);

/// Where reading begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At the oldest record.
    Begin,
    /// Behind the newest record.
    End,
    /// At this offset of each partition.
    Offset(i64),
    /// At the newest so many records of all partitions together.
    Last(usize),
    /// At the first record that is not older than this, in ms since 1970.
    Time(i64),
}

/// What a [`Reader::step`] brought.
#[derive(Debug)]
pub enum Step {
    /// A record was handed over: this many bytes of key and value.
    Record(usize),
    /// Nothing came within the time.
    Dry,
    /// Something that changes nothing for the caller.
    Nothing,
    /// The group takes partitions away: flush, call [`Reader::written`], then [`Reader::revoke`].
    Revoke(Vec<Place>),
    /// The group took the partitions away because the output stood still for too long.
    Stalled(String),
    /// The group gave these partitions.
    Assigned(usize),
    /// No broker is reachable.
    Down,
}

/// One partition that is being read.
struct Part {
    of: Partition,
    /// Behind the last record handed over.
    next: i64,
    /// Up to here everything was written and flushed.
    written: i64,
    /// Up to here it was committed, or is being.
    committed: i64,
    /// The watermark at the start.
    end: Option<i64>,
    /// The end was reached, gaps and all.
    at_end: bool,
}

impl Part {
    fn is_done(&self) -> bool {
        self.end.is_none_or(|end| self.at_end || self.next >= end)
    }
}

/// A reader of partitions, by itself or as a member of a group.
pub struct Reader {
    feed: Feed<Events>,
    parts: Vec<Part>,
    /// Index of the part that the last record was of: the next one is most often of the same.
    last: usize,
    until_end: bool,
    group: bool,
    assigned: bool,
    /// What a partition without a committed offset begins at.
    fresh: Offset,
    limit: Duration,
    commit_due: Instant,
    commits: u32,
    commit_error: Option<Code>,
    early: std::vec::IntoIter<Message<'static>>,
}

impl Reader {
    /// Reads named partitions. `limit` bounds each request.
    ///
    /// # Errors
    /// `Kind::Refused` for an offset that a partition does not have; librdkafka's.
    pub fn of_partitions(
        consumer: Arc<BaseConsumer<Events>>,
        of: Vec<Partition>,
        start: Start,
        until_end: bool,
        limit: Duration,
        shutdown: &Shutdown,
    ) -> Result<Reader> {
        let lows = begins(&consumer, &of, limit)?;
        let highs = ends(&consumer, &of, limit)?;
        let bounds: Vec<(i64, i64)> = lows.into_iter().zip(highs).collect();
        let feed = Feed::of_partitions(consumer.clone()).ok_or_else(no_memory)?;
        let mut reader = Reader::new(feed, until_end, false, limit);
        let starts: Vec<i64> = match start {
            Start::Begin => bounds.iter().map(|b| b.0).collect(),
            Start::End => bounds.iter().map(|b| b.1).collect(),
            Start::Offset(offset) => in_range(&of, &bounds, offset)?,
            Start::Time(millis) => at_time(&consumer, &of, millis, limit)?,
            Start::Last(count) => reader.newest(&of, &bounds, count, shutdown)?,
        };
        for ((of, (_, end)), from) in of.into_iter().zip(bounds).zip(starts) {
            let part = Part::new(of, from, until_end.then_some(end));
            if !until_end || !part.is_done() {
                let Partition { topic, number } = &part.of;
                reader.feed.start(topic, *number, from).map_err(|code| topic_error(topic, code))?;
            }
            reader.parts.push(part);
        }
        Ok(reader)
    }

    /// Reads topics as a member of the consumer's group. `fresh` is where a partition without an offset begins.
    ///
    /// # Errors
    /// librdkafka's.
    pub fn of_group(
        consumer: Arc<BaseConsumer<Events>>,
        topics: &[&str],
        fresh: Offset,
        until_end: bool,
        limit: Duration,
    ) -> Result<Reader> {
        consumer.subscribe(topics).map_err(|e| error_of("cannot subscribe", &e))?;
        let feed = Feed::of_group(consumer).ok_or_else(no_memory)?;
        Ok(Reader { fresh, ..Reader::new(feed, until_end, true, limit) })
    }

    fn new(feed: Feed<Events>, until_end: bool, group: bool, limit: Duration) -> Reader {
        Reader {
            feed,
            parts: Vec::new(),
            last: 0,
            until_end,
            group,
            assigned: !group,
            fresh: Offset::Beginning,
            limit,
            commit_due: Instant::now() + COMMIT_EVERY,
            commits: 0,
            commit_error: None,
            early: Vec::new().into_iter(),
        }
    }

    /// The offsets to begin at for the newest records; those that are known already are handed over first.
    fn newest(
        &mut self,
        of: &[Partition],
        bounds: &[(i64, i64)],
        count: usize,
        shutdown: &Shutdown,
    ) -> Result<Vec<i64>> {
        let events = self.feed.consumer().client().context().clone();
        let fault = |what: What<'_>| match what {
            What::Fault { code, text, place, fatal } => fault(&events, code, text, place, fatal, false).map(drop),
            What::Log(line) => {
                events.log_line(&line);
                Ok(())
            }
            _ => Ok(()),
        };
        match newest(&mut self.feed, of, bounds, count, shutdown, fault)? {
            Newest::From(starts) => Ok(starts),
            Newest::Messages(messages) => {
                self.early = messages.into_iter();
                Ok(bounds.iter().map(|b| b.1).collect())
            }
        }
    }

    /// True when every partition was read up to its end at the start. Never without `until_end`.
    pub fn is_done(&self) -> bool {
        self.until_end && self.assigned && self.early.len() == 0 && self.parts.iter().all(Part::is_done)
    }

    /// Waits up to `timeout` for what comes next and hands a record to `take`.
    ///
    /// # Errors
    /// Those of `take`; librdkafka's, as far as it cannot recover from them.
    pub fn step(&mut self, timeout: Duration, take: &mut dyn FnMut(&Message<'_>) -> Result<()>) -> Result<Step> {
        if let Some(message) = self.early.next() {
            take(&message)?;
            return Ok(Step::Record(message.value.bytes().map_or(0, <[u8]>::len)));
        }
        let Some(event) = self.feed.poll(timeout) else { return Ok(Step::Dry) };
        let events = self.feed.consumer().client().context();
        match event.what() {
            What::Record(record) => {
                let (topic, number) = (record.topic(), record.partition());
                let Some(index) = find(&self.parts, self.last, topic, number) else { return Ok(Step::Nothing) };
                self.last = index;
                let Some(part) = self.parts.get_mut(index) else { return Ok(Step::Nothing) };
                // What was produced after the start is not part of what was asked for.
                if part.end.is_some_and(|end| record.offset() >= end) {
                    part.at_end = true;
                    return Ok(Step::Nothing);
                }
                events.recovered();
                take(&message_of(&record))?;
                part.next = record.offset() + 1;
                Ok(Step::Record(record.value().map_or(0, <[u8]>::len) + record.key().map_or(0, <[u8]>::len)))
            }
            What::End(place) => {
                events.recovered();
                if let Some(part) = find(&self.parts, self.last, &place.topic, place.partition)
                    .and_then(|index| self.parts.get_mut(index))
                {
                    part.at_end = true;
                }
                Ok(Step::Nothing)
            }
            What::Fault { code, text, place, fatal } => fault(events, code, text, place, fatal, self.group),
            What::Rebalance(true, places) => {
                drop(event);
                self.assign(&places)?;
                Ok(Step::Assigned(places.len()))
            }
            What::Rebalance(false, places) => Ok(Step::Revoke(places)),
            What::Committed(result) => {
                drop(event);
                self.answered(result);
                Ok(Step::Nothing)
            }
            What::Log(line) => {
                events.log_line(&line);
                Ok(Step::Nothing)
            }
            What::Other => Ok(Step::Nothing),
        }
    }

    /// The consumer, for what the reader itself does not do.
    pub fn consumer(&self) -> &Arc<BaseConsumer<Events>> {
        self.feed.consumer()
    }
}

impl Part {
    fn new(of: Partition, from: i64, end: Option<i64>) -> Part {
        Part { of, next: from, written: from, committed: from, end, at_end: false }
    }
}

fn find(parts: &[Part], last: usize, topic: &str, number: i32) -> Option<usize> {
    let is = |part: &Part| part.of.number == number && part.of.topic == topic;
    if parts.get(last).is_some_and(is) { Some(last) } else { parts.iter().position(is) }
}

/// The message in a record; it borrows librdkafka's buffer.
pub fn message_of<'e>(record: &Record<'e>) -> Message<'e> {
    let headers = record.headers();
    Message {
        protocol: Some(Protocol::Kafka),
        topic: Some(record.topic().into()),
        partition: Some(record.partition()),
        offset: Some(record.offset()),
        timestamp: record.timestamp().map(Time::Millis),
        key: Field::nullable(record.key()),
        headers: if headers.is_empty() { Headers::Absent } else { Headers::Kafka(headers) },
        value: Field::nullable(record.value()),
        ..Message::default()
    }
}

fn in_range(of: &[Partition], bounds: &[(i64, i64)], offset: i64) -> Result<Vec<i64>> {
    for (partition, (low, high)) in of.iter().zip(bounds) {
        if offset < *low || offset > *high {
            let Partition { topic, number } = partition;
            return Err(Error::refused(format!("{topic}[{number}] has no offset {offset}: it has {low} to {high}"))
                .hint("choose one of these, --from begin or --from end, or the partition with --partitions"));
        }
    }
    Ok(vec![offset; of.len()])
}

/// Decides what a fault means: an error, or something that librdkafka recovers from.
fn fault(events: &Events, code: Code, text: String, place: Option<Place>, fatal: bool, group: bool) -> Result<Step> {
    let at = place.as_ref().map(|p| format!("{}[{}]", p.topic, p.partition));
    let of = at.clone().unwrap_or_else(|| "the topic".to_owned());
    match code {
        Code::AutoOffsetReset | Code::OffsetOutOfRange => {
            let offset = place.map(|p| format!(" offset {}", p.offset)).unwrap_or_default();
            return Err(Error::refused(format!("{of}:{offset} is not there any more"))
                .because(text)
                .hint("begin elsewhere with --from, or let it jump with -X auto.offset.reset=earliest or latest"));
        }
        Code::PollExceeded => return Ok(Step::Stalled(text)),
        Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition => {
            return Err(Error::refused(format!("{of} is not there any more")).because(text));
        }
        // Without a group nobody needs the group's coordinator.
        Code::GroupAuthorizationFailed if !group => return Ok(Step::Nothing),
        _ => {}
    }
    if fatal || kind_of(code) == Kind::Auth && place.is_some() || code == Code::GroupAuthorizationFailed {
        return Err(Error::new(kind_of(code), of).because(text));
    }
    events.note(code, &text);
    Ok(if code == Code::AllBrokersDown { Step::Down } else { Step::Nothing })
}

fn no_memory() -> Error {
    Error::new(Kind::Io, "librdkafka has no queue to give")
}
