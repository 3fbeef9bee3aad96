//! Partitions as a source: where reading begins, when it is the end, and what of a group may be committed.

mod clock;
mod fault;
mod gaps;
mod group;
mod guess;
mod newest;
mod record;
mod roster;
mod source;
mod until;
mod watch;

use std::collections::VecDeque;
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode as Code;
use tokio::sync::oneshot;
use tokio::time::Sleep;

use self::fault::{fault, no_memory, unread};
use self::gaps::Gaps;
pub(crate) use self::group::Member;
pub(crate) use self::guess::may_guess;
use self::newest::{Newest, Scan, newest};
use self::roster::Roster;
pub(crate) use self::roster::Wanted;
use self::until::Bounds;
pub(crate) use self::until::Until;
use self::watch::Finding;
use self::watch::Watch;
use super::events::ConnectionEvents;
use super::fault::topic_error;
use super::link::Link;
use super::offsets::{Partition, at_time, begins, ends};
use super::transaction::Handover;
use crate::error::{Error, Result};
use crate::flow::{Event, Lane};
use crate::kafka::ffi::{Bell, Feed, Record, TopicPartitionOffset};
use crate::message::Message;
use crate::shutdown::Shutdown;

/// How often offsets are committed while reading; each commit covers what was written by then.
const COMMIT_EVERY: Duration = Duration::from_millis(500);

/// How many records are taken at once, and how many bytes they should have at most, going by those before them: what was
/// taken is no longer in the queue that is bounded.
const BATCH: usize = 256;
const BATCH_BYTES: u64 = 1 << 20;

/// Where reading begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
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
pub(crate) struct ReaderOptions {
    /// How to reach the brokers again, and for what one consumer cannot tell.
    pub link: Arc<Link>,
    /// The isolation level, as librdkafka names it.
    pub isolation: &'static str,
    /// Where to stop.
    pub until: Until,
    /// What is read.
    pub wanted: Arc<Wanted>,
    /// What is to be read from the begin, and on, may be taken to begin at offset 0.
    pub guesses: bool,
    /// Bounds each request.
    pub limit: Duration,
    /// Where the group stands becomes part of the writer's transaction.
    pub handover: Option<Arc<Handover>>,
}

/// What makes a connection anew that was lost while it was found out where to begin.
pub(crate) type Recover<'r> = dyn FnMut(&Arc<BaseConsumer<ConnectionEvents>>) -> Result<()> + 'r;

/// What something that went wrong means for a reader.
#[derive(Debug)]
pub(crate) enum Consequence {
    /// Nothing.
    Nothing,
    /// The group took the partitions away because nobody took records for too long.
    Stalled(String),
    /// No broker is reachable.
    Down,
}

/// One partition that is being read.
struct Part {
    lane: Lane,
    of: Partition,
    /// Index of the topic's name in [`PartitionReader::topics`].
    topic: usize,
    /// [`Record::topic_id`], once a record came.
    topic_id: usize,
    /// Behind the last record that came.
    next: i64,
    /// Up to here everything was written.
    written: i64,
    /// Up to here it was committed, or is being.
    committed: i64,
    /// Where it ends, once that is known.
    end: Option<i64>,
    /// The end was reached, gaps and all.
    at_end: bool,
    /// The first record that was left out because it is of later: a group must not pass over it.
    left: Option<i64>,
}

impl Part {
    fn is_at(&self, place: &TopicPartitionOffset) -> bool {
        self.of.number == place.partition && self.of.topic == place.topic
    }

    fn is_done(&self) -> bool {
        self.end.is_some_and(|end| self.at_end || self.next >= end)
    }
}

/// Where a record of the batch is, and what it is.
#[derive(Debug, Clone, Copy)]
struct Slot {
    /// Its index in what was fetched.
    at: usize,
    lane: Lane,
    topic: usize,
    offset: i64,
}

/// A reader of partitions, by itself or as a member of a group.
pub(crate) struct PartitionReader {
    feed: Feed<ConnectionEvents>,
    /// Partitions were begun at offset 0, without a look at where their oldest record is.
    guessed: bool,
    events: Arc<ConnectionEvents>,
    bell: Bell,
    /// The names of topics, which the records borrow.
    topics: Vec<String>,
    /// In the order of their lanes.
    parts: Vec<Part>,
    /// How many lanes there were so far.
    lanes: Lane,
    /// Index of the part that the last record was of: the next one is most often of the same.
    last: usize,
    until: Until,
    bounding: Option<oneshot::Receiver<Bounds>>,
    bounds_due: Instant,
    /// Nobody asks for headers, and librdkafka reads them of each record only when it is asked.
    spares_headers: bool,
    /// The group that it is a member of.
    group: Option<Member>,
    assigned: bool,
    /// What the group takes away.
    revoking: Vec<TopicPartitionOffset>,
    link: Arc<Link>,
    /// The way back, while there is none, and what it has to tell.
    recovering: Option<Pin<Box<dyn Future<Output = Result<()>> + Send>>>,
    warnings: Arc<Mutex<Vec<String>>>,
    watch: Watch,
    looking: Option<oneshot::Receiver<Finding>>,
    roster: Roster,
    gaps: Option<Gaps>,
    /// When to look for gaps next.
    gaps_due: Instant,
    isolation: &'static str,
    limit: Duration,
    handover: Option<Arc<Handover>>,
    commit_due: Instant,
    commits: u32,
    commit_error: Option<Code>,
    /// How many records the next batch may have.
    batch: usize,
    /// The records of the batch.
    slots: Vec<Slot>,
    /// Records that were found before reading began, and those of them that are the batch.
    early: Vec<Message<'static>>,
    early_batch: Range<usize>,
    /// What is wrong behind the records of the batch.
    behind: Option<Error>,
    failed: Option<Error>,
    told: VecDeque<Event>,
    /// Since when nothing came; a group's clock starts when it has given partitions, or none.
    since: Option<Instant>,
    bytes: u64,
    timer: Option<Pin<Box<Sleep>>>,
    /// It is time to look at what is done by the clock, and whether records came since the last time.
    due: bool,
    came: bool,
}

impl PartitionReader {
    /// Reads named partitions from where `start` says.
    ///
    /// # Errors
    /// `Kind::Refused` for an offset that a partition does not have; librdkafka's; those of `recover`.
    pub(crate) fn of_partitions(
        options: ReaderOptions,
        consumer: Arc<BaseConsumer<ConnectionEvents>>,
        of: Vec<Partition>,
        start: Start,
        shutdown: &Shutdown,
        recover: &mut Recover<'_>,
    ) -> Result<PartitionReader> {
        let limit = options.limit;
        // Each is a round trip to the brokers: what nobody looks at is not asked for.
        let guessed = options.guesses && start == Start::Begin && options.until == Until::Never;
        let asks_low = !guessed && !matches!(start, Start::End | Start::Time(_));
        let asks_high =
            !matches!(start, Start::Begin | Start::Time(_)) || options.until == Until::End || guessed && of.len() > 1;
        let unknown = || vec![0; of.len()];
        let lows = if asks_low { begins(&consumer, &of, limit)? } else { unknown() };
        let highs = if asks_high { ends(&consumer, &of, limit)? } else { unknown() };
        let bounds: Vec<(i64, i64)> = lows.into_iter().zip(highs).collect();
        let bell = Bell::default();
        let feed = Feed::of_partitions(consumer.clone(), &bell).ok_or_else(no_memory)?;
        let is_named = |topic: &str| options.wanted.names().any(|name| name == topic);
        let watch = Watch::of_partitions(&of, is_named);
        let mut reader = PartitionReader::new(options, feed, bell, None, watch);
        reader.guessed = guessed;
        let starts: Vec<i64> = match start {
            Start::Begin => bounds.iter().map(|b| b.0).collect(),
            Start::End => bounds.iter().map(|b| b.1).collect(),
            Start::Offset(offset) => reader.in_range(&of, &bounds, offset)?,
            Start::Time(millis) => at_time(&consumer, &of, millis, limit)?,
            Start::Last(_) if of.is_empty() => Vec::new(),
            Start::Last(count) => reader.newest(&of, &bounds, count, shutdown, recover)?,
        };
        let highs: Vec<i64> = bounds.iter().map(|bounds| bounds.1).collect();
        let ends = reader.until.bounds(&consumer, &of, &highs, limit)?;
        let mut begun = Vec::with_capacity(of.len());
        for (((of, end), from), high) in of.into_iter().zip(ends).zip(starts).zip(highs) {
            let part = reader.add(of, from, end);
            if !part.is_done() {
                begun.push((part.of.clone(), from, asks_high && from >= high));
            }
        }
        // What has nothing is begun last: a request for it alone would be waited for before the others' turn comes.
        begun.sort_by_key(|(_, _, is_empty)| *is_empty);
        for (Partition { topic, number }, from, _) in begun {
            reader.feed.start(&topic, number, from).map_err(|code| topic_error(&topic, code))?;
        }
        reader.since = Some(Instant::now());
        Ok(reader)
    }

    fn new(
        options: ReaderOptions,
        feed: Feed<ConnectionEvents>,
        bell: Bell,
        group: Option<Member>,
        watch: Watch,
    ) -> PartitionReader {
        let ReaderOptions { link, isolation, until, wanted, limit, handover, .. } = options;
        let now = Instant::now();
        PartitionReader {
            events: feed.consumer().client().context().clone(),
            feed,
            guessed: false,
            bell,
            topics: Vec::new(),
            parts: Vec::new(),
            lanes: 0,
            last: 0,
            spares_headers: false,
            until,
            bounding: None,
            bounds_due: now,
            assigned: group.is_none(),
            group,
            revoking: Vec::new(),
            link,
            recovering: None,
            warnings: Arc::default(),
            watch,
            looking: None,
            roster: Roster::new(wanted),
            gaps: None,
            gaps_due: now,
            isolation,
            limit,
            handover,
            commit_due: now + COMMIT_EVERY,
            commits: 0,
            commit_error: None,
            batch: 1,
            slots: Vec::new(),
            early: Vec::new(),
            early_batch: 0..0,
            behind: None,
            failed: None,
            told: VecDeque::new(),
            since: None,
            bytes: 0,
            timer: None,
            due: false,
            came: false,
        }
    }

    /// Takes a partition up, in a lane of its own.
    fn add(&mut self, of: Partition, from: i64, end: Option<i64>) -> &mut Part {
        // Most often it is the topic of the one before.
        let topic = self.topics.iter().rposition(|topic| *topic == of.topic).unwrap_or_else(|| {
            self.topics.push(of.topic.clone());
            self.topics.len() - 1
        });
        let lane = self.lanes;
        self.lanes += 1;
        let (next, written, committed) = (from, from, from);
        self.parts.push(Part {
            lane,
            of,
            topic,
            topic_id: 0,
            next,
            written,
            committed,
            end,
            at_end: false,
            left: None,
        });
        let last = self.parts.len() - 1;
        &mut self.parts[last]
    }

    /// The part that a lane belongs to, as long as it is being read.
    fn part(&self, lane: Lane) -> Option<&Part> {
        let at = self.parts.binary_search_by_key(&lane, |part| part.lane).ok()?;
        self.parts.get(at)
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
        let consumer = self.link.setup.consumer(&[("isolation.level", "read_uncommitted")])?;
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
        let events = self.events.clone();
        let fault = |code, text, place, fatal| match place {
            Some(place) => unread(&events, code, text, place, false),
            None => fault(&events, code, text, None, fatal, false),
        };
        let mut scan = Scan { feed: &mut self.feed, of, shutdown, watch: &mut self.watch, fault, recover };
        match newest(&mut scan, bounds, count)? {
            Newest::From(starts) => Ok(starts),
            Newest::Messages(messages) => {
                self.early = messages;
                Ok(bounds.iter().map(|b| b.1).collect())
            }
        }
    }

    /// True when every partition was read up to its end. Never where there is none.
    fn is_done(&self) -> bool {
        let early = self.early_batch.end < self.early.len();
        self.until.is_known() && self.assigned && !early && self.parts.iter().all(Part::is_done)
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
