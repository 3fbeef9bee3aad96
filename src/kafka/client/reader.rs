//! Reading partitions: where to begin, when it is the end, and what of a group may be committed.

mod fault;
mod gaps;
mod group;
mod watch;

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode as Code;

use self::fault::{fault, unread};
use self::gaps::Gaps;
pub use self::group::Member;
pub use self::watch::Watch;
use super::Setup;
use super::events::Events;
use super::fault::topic_error;
use super::newest::{Newest, Scan, newest};
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

/// How long one consumer is waited for while another one is looked at, too.
const GLANCE: Duration = Duration::from_millis(10);

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

/// What a reader of any kind is made with.
pub struct Plan {
    /// For what one consumer cannot tell.
    pub with: Arc<Setup>,
    /// The isolation level, as librdkafka names it.
    pub isolation: &'static str,
    /// Stop at what is the end now.
    pub until_end: bool,
    /// Bounds each request.
    pub limit: Duration,
}

/// What makes a connection anew that was lost while it was found out where to begin.
pub type Recover<'r> = dyn FnMut(&Arc<BaseConsumer<Events>>) -> Result<()> + 'r;

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
    /// The group that it is a member of.
    group: Option<Member>,
    assigned: bool,
    watch: Watch,
    gaps: Option<Gaps>,
    /// When to look for gaps next.
    gaps_due: Instant,
    with: Arc<Setup>,
    isolation: &'static str,
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
    /// Reads named partitions from where `start` says.
    ///
    /// # Errors
    /// `Kind::Refused` for an offset that a partition does not have; librdkafka's; those of `recover`.
    pub fn of_partitions(
        plan: Plan,
        consumer: Arc<BaseConsumer<Events>>,
        of: Vec<Partition>,
        start: Start,
        shutdown: &Shutdown,
        recover: &mut Recover<'_>,
    ) -> Result<Reader> {
        let limit = plan.limit;
        let lows = begins(&consumer, &of, limit)?;
        let highs = ends(&consumer, &of, limit)?;
        let bounds: Vec<(i64, i64)> = lows.into_iter().zip(highs).collect();
        let feed = Feed::of_partitions(consumer.clone()).ok_or_else(no_memory)?;
        let mut reader = Reader::new(plan, feed, None, Watch::of_partitions(&of));
        let starts: Vec<i64> = match start {
            Start::Begin => bounds.iter().map(|b| b.0).collect(),
            Start::End => bounds.iter().map(|b| b.1).collect(),
            Start::Offset(offset) => reader.in_range(&of, &bounds, offset)?,
            Start::Time(millis) => at_time(&consumer, &of, millis, limit)?,
            Start::Last(count) => reader.newest(&of, &bounds, count, shutdown, recover)?,
        };
        for ((of, (_, end)), from) in of.into_iter().zip(bounds).zip(starts) {
            let part = Part::new(of, from, reader.until_end.then_some(end));
            if !reader.until_end || !part.is_done() {
                let Partition { topic, number } = &part.of;
                reader.feed.start(topic, *number, from).map_err(|code| topic_error(topic, code))?;
            }
            reader.parts.push(part);
        }
        Ok(reader)
    }

    fn new(plan: Plan, feed: Feed<Events>, group: Option<Member>, watch: Watch) -> Reader {
        let Plan { with, isolation, until_end, limit } = plan;
        Reader {
            feed,
            parts: Vec::new(),
            last: 0,
            until_end,
            assigned: group.is_none(),
            group,
            watch,
            gaps: None,
            gaps_due: Instant::now(),
            with,
            isolation,
            limit,
            commit_due: Instant::now() + COMMIT_EVERY,
            commits: 0,
            commit_error: None,
            batch: 1,
            next: None,
            early: Vec::new().into_iter(),
        }
    }

    /// That offset for each partition that has it. Behind an open transaction's first record there are offsets too, which
    /// `ends` does not know of.
    fn in_range(&self, of: &[Partition], bounds: &[(i64, i64)], offset: i64) -> Result<Vec<i64>> {
        let beyond = bounds.iter().any(|(_, high)| offset > *high);
        let whole = if beyond { self.whole_ends(of)? } else { Vec::new() };
        for (index, (partition, (low, high))) in of.iter().zip(bounds).enumerate() {
            let high = whole.get(index).unwrap_or(high);
            if offset < *low || offset > *high {
                let Partition { topic, number } = partition;
                return Err(Error::refused(format!(
                    "{topic}[{number}] has no offset {offset}: it has {low} to {high}"
                ))
                .hint("choose one of these, --from begin or --from end, or the partition with --partitions"));
            }
        }
        Ok(vec![offset; of.len()])
    }

    /// The high watermarks, whatever transactions are open. An isolation level is a consumer's as a whole, so this asks with
    /// another one.
    fn whole_ends(&self, of: &[Partition]) -> Result<Vec<i64>> {
        let consumer = self.with.consumer(&[("isolation.level", "read_uncommitted")])?;
        ends(&consumer, of, self.limit)
    }

    /// The offsets to begin at for the newest records; those that are known already are handed over first.
    fn newest(
        &mut self,
        of: &[Partition],
        bounds: &[(i64, i64)],
        count: usize,
        shutdown: &Shutdown,
        recover: &mut Recover<'_>,
    ) -> Result<Vec<i64>> {
        let events = self.feed.consumer().client().context().clone();
        let fault = |code, text, place, fatal| match place {
            Some(place) => unread(&events, code, text, place, false),
            None => fault(&events, code, text, None, fatal, false),
        };
        let mut scan = Scan { feed: &mut self.feed, of, shutdown, watch: &mut self.watch, fault, recover };
        match newest(&mut scan, bounds, count)? {
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

    /// True when it has its partitions, which of a group may be none.
    pub fn is_assigned(&self) -> bool {
        self.assigned
    }

    /// Waits up to `timeout` for what comes next, and hands at most `most` records to `take`.
    ///
    /// # Errors
    /// Those of `take`; librdkafka's, as far as it cannot recover from them; a topic that is not there any more.
    pub fn step(
        &mut self,
        timeout: Duration,
        most: u64,
        take: &mut dyn FnMut(&Message<'_>) -> Result<()>,
    ) -> Result<Step> {
        // The other consumer is waited for as well.
        let timeout = if self.gaps.is_some() { timeout.min(GLANCE) } else { timeout };
        let step = self.advance(timeout, most, take)?;
        if matches!(step, Step::Down) {
            self.watch.lost();
        }
        let lull = matches!(step, Step::Dry) && !timeout.is_zero();
        self.watch.look(self.feed.consumer(), lull)?;
        if lull && self.until_end && self.group.is_some() {
            self.look_for_gaps()?;
        }
        if lull && !self.assigned && self.has_joined_for_nothing() {
            self.assigned = true;
            return Ok(Step::Assigned(0));
        }
        Ok(step)
    }

    fn advance(
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
                    match unread(&events, code, text, place, self.group.is_some())? {
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
            What::Fault { code, text, place, fatal } => {
                return fault(events, code, text, place, fatal, self.group.is_some());
            }
            What::Rebalance(true, places) => {
                self.assign(&places)?;
                return Ok(Step::Assigned(places.len()));
            }
            What::Rebalance(false, places) => return Ok(Step::Revoke(places)),
            What::Committed(result) => self.told_of_commit(result)?,
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

fn no_memory() -> Error {
    Error::new(Kind::Io, "librdkafka has no queue to give")
}
