//! The log of a partition: record batches in their order, as they came, in segments.
//!
//! Every record is at once as safe as it gets, so the high watermark is the end of the log.

mod append;
pub(crate) mod batch;
mod clean;
mod codec;
mod lookup;
pub(crate) mod memory;
pub(crate) mod producers;
mod read;
pub(crate) mod records;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::rc::Rc;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;

use self::memory::Memory;
use self::producers::{Producer, Producers};
use super::time::Now;

pub(crate) use self::append::{Marker, NewBatch};
pub(crate) use self::lookup::Found;
pub(crate) use self::producers::Aborted;
pub(crate) use self::read::Slice;

/// Why something is not taken, as it is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub error: ResponseError,
    pub message: Option<String>,
    /// Which records of a batch are the reason, and why.
    pub records: Vec<(i32, String)>,
    /// The beginning of the log, where Kafka tells it.
    pub log_start: Option<i64>,
}

impl Refusal {
    pub(crate) fn new(error: ResponseError, message: impl Into<String>) -> Refusal {
        Refusal { error, message: Some(message.into()), records: Vec::new(), log_start: None }
    }

    /// Of a log that begins there. With some errors Kafka does not tell it.
    pub(crate) fn of_log(self, start: i64) -> Refusal {
        use ResponseError::{CorruptMessage, KafkaStorageError, MessageTooLarge};
        let tells = !matches!(self.error, CorruptMessage | KafkaStorageError | MessageTooLarge);
        Refusal { log_start: tells.then_some(start), ..self }
    }

    /// Without words.
    pub(crate) fn bare(error: ResponseError) -> Refusal {
        Refusal { error, message: None, records: Vec::new(), log_start: None }
    }
}

/// What is told of a batch besides itself.
#[derive(Debug)]
struct Stored {
    base_offset: i64,
    last_offset: i64,
    max_timestamp: i64,
    bytes: Bytes,
}

/// What a batch takes besides its bytes.
const STORED: usize = size_of::<Stored>() + 32;

/// A part of a log, which goes as a whole.
#[derive(Debug)]
struct Segment {
    base_offset: i64,
    batches: VecDeque<Stored>,
    /// Bytes of its batches.
    size: usize,
    /// Of its first batch; what `segment.ms` counts from.
    first_timestamp: Option<i64>,
    max_timestamp: i64,
    /// When it was begun, in milliseconds since 1970.
    created: i64,
    /// When it was first compacted and had tombstones left, which are kept for a while after that.
    cleaned: Option<i64>,
}

/// The log.
#[derive(Debug)]
pub(crate) struct Log {
    /// Never empty; the last is the active one.
    segments: VecDeque<Segment>,
    start: i64,
    end: i64,
    size: usize,
    /// Leader epochs and the offsets at which they began.
    epochs: Vec<(i32, i64)>,
    producers: Producers,
    memory: Rc<Memory>,
    /// What was taken of the memory.
    taken: usize,
    /// Where the part begins that has not been compacted yet.
    dirty: i64,
}

impl Log {
    /// An empty one. What it takes is counted in `memory`.
    pub(crate) fn new(memory: Rc<Memory>, now: Now) -> Log {
        let mut log = Log {
            segments: VecDeque::new(),
            start: 0,
            end: 0,
            size: 0,
            epochs: Vec::new(),
            producers: Producers::default(),
            memory,
            taken: 0,
            dirty: 0,
        };
        log.roll(now.wall);
        log.begin_epoch(0);
        log
    }

    /// The offset of the first record that may be read.
    pub(crate) fn start_offset(&self) -> i64 {
        self.start
    }

    /// Up to where consumers may read.
    pub(crate) fn high_watermark(&self) -> i64 {
        self.end
    }

    /// Up to where all transactions are decided.
    pub(crate) fn last_stable_offset(&self) -> i64 {
        self.producers.first_ongoing().map_or(self.end, |offset| offset.max(self.start))
    }

    /// Up to where who reads so may read.
    pub(crate) fn readable_to(&self, committed_only: bool) -> i64 {
        if committed_only { self.last_stable_offset() } else { self.high_watermark() }
    }

    /// Bytes of its batches.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// The producers that it knows, by id, in no order.
    pub(crate) fn producers(&self) -> impl Iterator<Item = (i64, &Producer)> {
        self.producers.iter()
    }

    /// True when a transaction of the producer goes on here.
    pub(crate) fn is_in_transaction(&self, producer_id: i64, epoch: i16) -> bool {
        self.producers.is_in_transaction(producer_id, epoch)
    }

    /// The aborted transactions that have something between two offsets, the second excluded.
    pub(crate) fn aborted(&self, from: i64, to: i64) -> impl Iterator<Item = Aborted> {
        self.producers.aborted(from, to)
    }

    /// A leader begins with its epoch.
    pub(crate) fn begin_epoch(&mut self, epoch: i32) {
        if self.epochs.last().is_none_or(|(last, _)| *last < epoch) {
            let end = self.end;
            // Who led and wrote nothing is not told of.
            self.epochs.retain(|(_, start)| *start < end);
            self.epochs.push((epoch, end));
        }
    }

    /// The newest epoch; none before the first record.
    pub(crate) fn latest_epoch(&self) -> Option<i32> {
        self.epochs.last().map(|(epoch, _)| *epoch)
    }

    /// The epoch in which an offset was written.
    pub(crate) fn epoch_at(&self, offset: i64) -> Option<i32> {
        let after = self.epochs.partition_point(|(_, start)| *start <= offset);
        self.epochs.get(after.checked_sub(1)?).map(|(epoch, _)| *epoch)
    }

    /// The largest epoch up to the one asked for, and where it ends (KIP-101, KIP-279). (-1, -1) when it is not known.
    pub(crate) fn end_of_epoch(&self, asked: i32) -> (i32, i64) {
        if asked < 0 {
            return (-1, -1);
        }
        if self.latest_epoch() == Some(asked) {
            return (asked, self.end);
        }
        let after = self.epochs.partition_point(|(epoch, _)| *epoch <= asked);
        let Some((_, end)) = self.epochs.get(after) else { return (-1, -1) };
        let before = after.checked_sub(1).and_then(|at| self.epochs.get(at));
        (before.map_or(asked, |(epoch, _)| *epoch), *end)
    }

    /// Begins another segment.
    fn roll(&mut self, now: i64) {
        self.segments.push_back(Segment {
            base_offset: self.end,
            batches: VecDeque::new(),
            size: 0,
            first_timestamp: None,
            max_timestamp: -1,
            created: now,
            cleaned: None,
        });
    }

    fn account(&mut self, more: usize, less: usize) {
        self.memory.take(more);
        self.memory.give_back(less);
        self.taken = self.taken.saturating_add(more).saturating_sub(less);
    }

    /// Moves the beginning of the log, as DeleteRecords does. It never goes back.
    ///
    /// # Errors
    /// OFFSET_OUT_OF_RANGE past the high watermark.
    pub(crate) fn delete_to(&mut self, offset: i64) -> Result<(), Refusal> {
        if offset > self.high_watermark() {
            return Err(Refusal::bare(ResponseError::OffsetOutOfRange));
        }
        self.start = self.start.max(offset);
        self.drop_unreadable();
        Ok(())
    }

    /// Batches that end before the log begins are gone.
    fn drop_unreadable(&mut self) {
        let (mut less, mut newest) = ((0, 0), i64::MIN);
        while let Some(segment) = self.segments.front_mut() {
            while let Some(batch) = segment.batches.front()
                && batch.last_offset < self.start
            {
                less = (less.0 + batch.bytes.len(), less.1 + 1);
                newest = newest.max(batch.max_timestamp);
                segment.size = segment.size.saturating_sub(batch.bytes.len());
                segment.batches.pop_front();
            }
            if !segment.batches.is_empty() || self.segments.len() == 1 {
                break;
            }
            self.segments.pop_front();
        }
        if let Some(first) = self.segments.front_mut().filter(|first| newest >= first.max_timestamp) {
            first.max_timestamp = first.batches.iter().map(|batch| batch.max_timestamp).max().unwrap_or(-1);
        }
        self.size = self.size.saturating_sub(less.0);
        self.account(0, less.0 + less.1 * STORED);
        let after = self.epochs.partition_point(|(_, start)| *start <= self.start);
        self.epochs.drain(..after.saturating_sub(1));
        if let Some(first) = self.epochs.first_mut() {
            first.1 = first.1.max(self.start);
        }
        self.dirty = self.dirty.max(self.start);
        self.producers.forget_aborted(self.start);
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.memory.give_back(self.taken);
    }
}
