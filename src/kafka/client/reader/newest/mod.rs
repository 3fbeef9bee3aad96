//! The newest N records over all partitions together.
//!
//! No broker knows them: each partition's last N are read, and of all those the newest are taken. Offsets have gaps
//! (compaction, the markers of transactions), so the window grows until it holds enough. What is kept of the windows is
//! bounded, whatever N is: the records themselves as long as they are few, else what [`pick()`] needs.

mod pick;

use std::collections::VecDeque;
use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::error::RDKafkaErrorCode as Code;

use self::pick::{Blocks, Pick, pick};
use super::record::message_of;
use super::watch::Watch;
use super::{Consequence, Recover};
use crate::error::Result;
use crate::kafka::client::events::ConnectionEvents;
use crate::kafka::client::offsets::Partition;
use crate::kafka::ffi::{Feed, Fetched, Record, TopicPartitionOffset, What};
use crate::message::Message;
use crate::shutdown::Shutdown;

/// Up to this many bytes the records themselves are kept, so that they are read once and come out in the order of time.
const KEEP: usize = 16 << 20;

/// What a record that is kept takes up beside key and value.
const EACH: usize = 200;

/// How many blocks are kept of the windows, 24 bytes each.
const BLOCKS: usize = 1 << 19;

/// How often parts of the windows are read again before what is still unclear is taken as it seems: once is the rule.
const AGAIN: usize = 32;

const POLL: Duration = Duration::from_millis(50);

/// How many records are taken at once.
const BATCH: usize = 256;

/// What was found.
pub(crate) enum Newest {
    /// The records, oldest first.
    Messages(Vec<Message<'static>>),
    /// There are too many to keep: the offset in each partition that they begin at.
    From(Vec<i64>),
}

/// A part of a partition: from an offset to another one.
type Range = (i64, i64);

/// Reads parts of partitions.
pub(crate) struct Scan<'s, F> {
    /// What they are fetched with.
    pub feed: &'s mut Feed<ConnectionEvents>,
    /// The partitions.
    pub of: &'s [Partition],
    /// What may end it early.
    pub shutdown: &'s Shutdown,
    /// Looks whether the topics are still there.
    pub watch: &'s mut Watch,
    /// Decides about faults.
    pub fault: F,
    /// What is done when no broker is reachable: nobody else looks while this reads.
    pub recover: &'s mut Recover<'s>,
}

/// The newest records of one partition, with their times.
type Kept = VecDeque<(i64, Message<'static>)>;

/// Finds the newest `count` records between `bounds`.
///
/// # Errors
/// librdkafka's; the shutdown token's; why lost brokers did not come back.
pub(crate) fn newest<F>(scan: &mut Scan<'_, F>, bounds: &[(i64, i64)], count: usize) -> Result<Newest>
where
    F: FnMut(Code, String, Option<TopicPartitionOffset>, bool) -> Result<Consequence>,
{
    let wanted = u64::try_from(count).unwrap_or(u64::MAX);
    let mut blocks = Blocks::new(bounds.len(), BLOCKS);
    let mut kept: Vec<Kept> = vec![Kept::new(); bounds.len()];
    let (mut step, mut size) = (i64::try_from(count).unwrap_or(i64::MAX), 0usize);
    // Everything from here on was looked at.
    let mut from: Vec<i64> = bounds.iter().map(|(_, end)| *end).collect();
    loop {
        let mut ranges = vec![None; bounds.len()];
        for (at, ((from, (low, _)), range)) in from.iter_mut().zip(bounds).zip(&mut ranges).enumerate() {
            if blocks.count(at) < wanted && *from > *low {
                let to = *from;
                *from = (*low).max(to.saturating_sub(step));
                *range = Some((*from, to));
            }
        }
        if ranges.iter().all(Option::is_none) {
            break;
        }
        let mut older = Blocks::new(bounds.len(), BLOCKS);
        let mut round: Vec<Kept> = vec![Kept::new(); bounds.len()];
        scan.read(&ranges, &mut |at, record| {
            let time = record.timestamp().unwrap_or(-1);
            older.push(at, record.offset(), time);
            if size > KEEP {
                return;
            }
            size += record.value().map_or(0, <[u8]>::len) + record.key().map_or(0, <[u8]>::len) + EACH;
            if size > KEEP {
                round.iter_mut().chain(&mut kept).for_each(|kept| *kept = Kept::new());
            } else if let Some(kept) = round.get_mut(at) {
                kept.push_back((time, message_of(record, record.topic(), record.headers()).into_owned()));
            }
        })?;
        blocks.prepend(older);
        for (kept, mut round) in kept.iter_mut().zip(round) {
            round.append(kept);
            *kept = round;
        }
        step = step.saturating_mul(4);
    }
    if size <= KEEP {
        return Ok(Newest::Messages(merge(kept, count)));
    }
    let from = begins(scan, blocks, bounds, wanted)?;
    Ok(Newest::From(from.into_iter().zip(bounds).map(|(from, (_, end))| from.unwrap_or(*end)).collect()))
}

/// Where the newest of each partition begin: what the blocks leave open is read again.
fn begins<F>(scan: &mut Scan<'_, F>, blocks: Blocks, bounds: &[(i64, i64)], wanted: u64) -> Result<Vec<Option<i64>>>
where
    F: FnMut(Code, String, Option<TopicPartitionOffset>, bool) -> Result<Consequence>,
{
    let mut of = blocks.of;
    let room = (BLOCKS / of.len().max(1)).max(1) as u64;
    let mut rounds = 0;
    loop {
        let unclear = match pick(&mut of, wanted, if rounds < AGAIN { room } else { 0 }) {
            Pick::From(from) => return Ok(from),
            Pick::Unclear(unclear) => unclear,
        };
        let ranges: Vec<Option<Range>> = unclear
            .iter()
            .zip(&of)
            .zip(bounds)
            .map(|((hull, blocks), (_, end))| {
                let (first, behind) = (*hull)?;
                Some((blocks.get(first)?.from, blocks.get(behind).map_or(*end, |block| block.from)))
            })
            .collect();
        let mut again = Blocks::new(of.len(), BLOCKS);
        scan.read(&ranges, &mut |at, record| again.push(at, record.offset(), record.timestamp().unwrap_or(-1)))?;
        for ((hull, blocks), again) in unclear.into_iter().zip(&mut of).zip(again.of) {
            if let Some((first, behind)) = hull {
                blocks.splice(first..behind, again);
            }
        }
        rounds += 1;
    }
}

impl<F> Scan<'_, F>
where
    F: FnMut(Code, String, Option<TopicPartitionOffset>, bool) -> Result<Consequence>,
{
    /// Reads a range of each partition, or nothing of it, and hands over the records, oldest first in each.
    fn read(&mut self, ranges: &[Option<Range>], each: &mut dyn FnMut(usize, &Record<'_>)) -> Result<()> {
        let mut open = ranges.to_vec();
        let mut reading = 0usize;
        for (partition, range) in self.of.iter().zip(&open) {
            if let Some((from, _)) = range {
                reading += 1;
                self.feed
                    .start(&partition.topic, partition.number, *from)
                    .map_err(|code| super::topic_error(&partition.topic, code))?;
            }
        }
        let (mut last, mut lull) = ((0, usize::MAX), false);
        while reading > 0 {
            self.shutdown.check()?;
            self.watch.look(&self.feed.consumer().clone(), lull)?;
            let mut down = self.events()?;
            let mut ended = Vec::new();
            lull = true;
            for fetched in self.feed.fetch(BATCH, POLL).iter() {
                lull = false;
                let (at, done) = match fetched {
                    Fetched::Record(record) => {
                        let (number, topic) = (record.partition(), record.topic_id());
                        // The next one is most often of the same partition.
                        if self.of.get(last.1).is_none_or(|of| of.number != number || last.0 != topic) {
                            let of = |p: &Partition| p.number == number && p.topic == record.topic();
                            let Some(at) = self.of.iter().position(of) else { continue };
                            last = (topic, at);
                        }
                        let Some(Some((_, to))) = open.get(last.1) else { continue };
                        if record.offset() < *to {
                            each(last.1, &record);
                        }
                        (last.1, record.offset() + 1 >= *to)
                    }
                    Fetched::End(place) => {
                        let of = |p: &Partition| p.number == place.partition && p.topic == place.topic;
                        let Some(at) = self.of.iter().position(of) else { continue };
                        (at, true)
                    }
                    Fetched::Fault(code, text, place) => {
                        down |= matches!((self.fault)(code, text, Some(place), false)?, Consequence::Down);
                        continue;
                    }
                };
                if done && open.get_mut(at).and_then(Option::take).is_some() {
                    reading -= 1;
                    ended.extend(self.of.get(at));
                }
            }
            for partition in ended {
                // The next round, and the reading itself, start it anew.
                let _ = self.feed.stop(&partition.topic, partition.number);
            }
            if down {
                (self.recover)(self.feed.consumer())?;
                self.watch.lost();
            }
        }
        Ok(())
    }

    /// True when one said that no broker is reachable.
    fn events(&mut self) -> Result<bool> {
        let mut down = false;
        while let Some(what) = self.feed.event(Duration::ZERO) {
            match what {
                What::Fault { code, text, place, fatal } => {
                    down |= matches!((self.fault)(code, text, place, fatal)?, Consequence::Down);
                }
                What::Log(line) => self.feed.consumer().client().context().log_line(&line),
                _ => {}
            }
        }
        Ok(down)
    }
}

/// Takes from the partitions' ends, always the newest, so that the order inside each partition stays.
fn merge(mut kept: Vec<Kept>, count: usize) -> Vec<Message<'static>> {
    let mut messages = Vec::new();
    for _ in 0..count {
        let last = kept.iter_mut().enumerate().filter(|(_, kept)| !kept.is_empty());
        let newest = last.max_by_key(|(at, kept)| (kept.back().map(|(time, _)| *time), std::cmp::Reverse(*at)));
        let Some((_, message)) = newest.and_then(|(_, kept)| kept.pop_back()) else { break };
        messages.push(message);
    }
    messages.reverse();
    messages
}
