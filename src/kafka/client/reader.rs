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
use crate::kafka::ffi::{Feed, Fetched, Place, Record, What};
use crate::message::{Field, Headers, Message, Protocol, Time};
use crate::shutdown::Shutdown;

/// How often offsets are committed while reading; each commit covers what was written by then.
const COMMIT_EVERY: Duration = Duration::from_millis(500);

/// How many records are taken at once, and how many bytes they should have at most, going by those before them: what was
/// taken is no longer in the queue that is bounded.
const BATCH: u64 = 256;
const BATCH_BYTES: u64 = 1 << 20;

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
    /// Records were handed over: how many, and the bytes of their keys and values.
    Records(u64, u64),
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
    /// [`Record::topic_id`], once a record came.
    topic_id: usize,
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
    /// How many records the next batch may have.
    batch: u64,
    /// What came with records, and is told after them.
    next: Option<Step>,
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
            batch: 1,
            next: None,
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
        let fault = |code, text, place, fatal| fault(&events, code, text, place, fatal, false).map(drop);
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

    /// Waits up to `timeout` for what comes next, and hands at most `most` records to `take`.
    ///
    /// # Errors
    /// Those of `take`; librdkafka's, as far as it cannot recover from them.
    pub fn step(
        &mut self,
        timeout: Duration,
        most: u64,
        take: &mut dyn FnMut(&Message<'_>) -> Result<()>,
    ) -> Result<Step> {
        if let Some(next) = self.next.take() {
            return Ok(next);
        }
        if let Some(message) = self.early.next() {
            take(&message)?;
            return Ok(Step::Records(1, size(message.value.bytes())));
        }
        // Without a partition only the group has something to tell.
        let patience = if self.assigned { Duration::ZERO } else { timeout };
        if let Some(what) = self.feed.event(patience) {
            return self.told(what);
        }
        if self.assigned { self.fetch(timeout, most, take) } else { Ok(Step::Dry) }
    }

    fn fetch(
        &mut self,
        timeout: Duration,
        most: u64,
        take: &mut dyn FnMut(&Message<'_>) -> Result<()>,
    ) -> Result<Step> {
        let events = self.feed.consumer().client().context().clone();
        let batch = self.feed.fetch(usize::try_from(self.batch.min(most)).unwrap_or(1), timeout);
        let (mut records, mut bytes, mut came) = (0, 0, false);
        for fetched in batch.iter() {
            came = true;
            match fetched {
                Fetched::Record(record) => {
                    let Some(part) = find(&mut self.parts, &mut self.last, &record) else { continue };
                    // What was produced after the start is not part of what was asked for.
                    if part.end.is_some_and(|end| record.offset() >= end) {
                        part.at_end = true;
                        continue;
                    }
                    take(&message_of(&record, &part.of.topic))?;
                    part.next = record.offset() + 1;
                    records += 1;
                    bytes += size(record.value()) + size(record.key());
                }
                Fetched::End(place) => {
                    let is = |part: &&mut Part| part.of.number == place.partition && part.of.topic == place.topic;
                    if let Some(part) = self.parts.iter_mut().find(is) {
                        part.at_end = true;
                    }
                }
                Fetched::Fault(code, text, place) => {
                    match fault(&events, code, text, Some(place), false, self.group)? {
                        Step::Nothing => {}
                        step => self.next = Some(step),
                    }
                    continue;
                }
            }
            events.recovered();
        }
        if records == 0 {
            return Ok(if came { Step::Nothing } else { Step::Dry });
        }
        self.batch = (BATCH_BYTES * records / bytes.max(1)).clamp(1, BATCH);
        Ok(Step::Records(records, bytes))
    }

    /// What an event means.
    fn told(&mut self, what: What) -> Result<Step> {
        let events = self.feed.consumer().client().context();
        match what {
            What::Fault { code, text, place, fatal } => return fault(events, code, text, place, fatal, self.group),
            What::Rebalance(true, places) => {
                self.assign(&places)?;
                return Ok(Step::Assigned(places.len()));
            }
            What::Rebalance(false, places) => return Ok(Step::Revoke(places)),
            What::Committed(result) => self.answered(result),
            What::Log(line) => events.log_line(&line),
            What::Delivery(..) | What::Other => {}
        }
        Ok(Step::Nothing)
    }

    /// The consumer, for what the reader itself does not do.
    pub fn consumer(&self) -> &Arc<BaseConsumer<Events>> {
        self.feed.consumer()
    }
}

impl Part {
    fn new(of: Partition, from: i64, end: Option<i64>) -> Part {
        Part { of, topic_id: 0, next: from, written: from, committed: from, end, at_end: false }
    }
}

/// The part that a record is of: most often that of the record before it.
fn find<'p>(parts: &'p mut [Part], last: &mut usize, record: &Record<'_>) -> Option<&'p mut Part> {
    let (id, number) = (record.topic_id(), record.partition());
    if !parts.get(*last).is_some_and(|part| part.topic_id == id && part.of.number == number) {
        *last = parts.iter().position(|part| part.of.number == number && part.of.topic == record.topic())?;
    }
    let part = parts.get_mut(*last)?;
    part.topic_id = id;
    Some(part)
}

fn size(bytes: Option<&[u8]>) -> u64 {
    bytes.map_or(0, |bytes| bytes.len() as u64)
}

/// The message in a record of this topic; it borrows librdkafka's buffer.
pub fn message_of<'e>(record: &Record<'e>, topic: &'e str) -> Message<'e> {
    let headers = record.headers();
    Message {
        protocol: Some(Protocol::Kafka),
        topic: Some(topic.into()),
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
