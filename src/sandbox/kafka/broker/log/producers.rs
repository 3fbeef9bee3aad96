//! What a log knows of the producers that wrote to it: where each is in its sequence, and in which transaction. The rules are
//! those of Kafka's `ProducerStateManager` and `ProducerAppendInfo`.

use std::collections::{BTreeSet, HashMap, VecDeque};

use kafka_protocol::error::ResponseError;

use super::Refusal;
use super::batch::Header;

/// How many batches of a producer are known again.
const KNOWN: usize = 5;

/// Most producers of a partition; past it those go that have been silent for longest.
const MOST: usize = 20_000;

/// How long a producer is known after its last batch (`producer.id.expiration.ms`).
const EXPIRATION_MS: i64 = 24 * 3_600_000;

/// A batch that was written.
#[derive(Debug, Clone, Copy)]
struct Known {
    first_sequence: i32,
    last_sequence: i32,
    first_offset: i64,
    last_offset: i64,
    timestamp: i64,
}

/// One producer.
#[derive(Debug, Clone)]
pub(crate) struct Producer {
    pub epoch: i16,
    /// When it last wrote, in milliseconds since 1970.
    pub last_timestamp: i64,
    /// Of the transaction coordinator that wrote its last marker; -1 before.
    pub coordinator_epoch: i32,
    /// Where its transaction begins, if it has one.
    pub first_offset: Option<i64>,
    batches: VecDeque<Known>,
}

impl Producer {
    /// The last number in its sequence, -1 for none.
    pub(crate) fn last_sequence(&self) -> i32 {
        self.batches.back().map_or(-1, |batch| batch.last_sequence)
    }
}

/// A transaction that was aborted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Aborted {
    pub producer_id: i64,
    pub first_offset: i64,
    /// That of its marker.
    pub last_offset: i64,
}

/// Where a batch was written that comes again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Duplicate {
    pub first_offset: i64,
    pub last_offset: i64,
    pub timestamp: i64,
}

/// All producers of a log.
#[derive(Debug, Default)]
pub(super) struct Producers {
    by_id: HashMap<i64, Producer>,
    /// The first offsets of the transactions that go on.
    ongoing: BTreeSet<(i64, i64)>,
    /// In the order of their markers.
    aborted: Vec<Aborted>,
}

impl Producers {
    /// All that are known, by id.
    pub(super) fn iter(&self) -> impl Iterator<Item = (i64, &Producer)> {
        self.by_id.iter().map(|(id, producer)| (*id, producer))
    }

    pub(super) fn get(&self, id: i64) -> Option<&Producer> {
        self.by_id.get(&id)
    }

    /// True when the producer has a transaction that goes on.
    pub(super) fn is_in_transaction(&self, id: i64, epoch: i16) -> bool {
        self.get(id).is_some_and(|producer| producer.epoch == epoch && producer.first_offset.is_some())
    }

    /// Where the first transaction begins that goes on.
    pub(super) fn first_ongoing(&self) -> Option<i64> {
        self.ongoing.first().map(|(offset, _)| *offset)
    }

    /// Checks a batch of a client before it is written.
    ///
    /// # Errors
    /// As Kafka's: a batch that was written already is no error.
    pub(super) fn check(&self, batch: &Header) -> Result<Option<Duplicate>, Refusal> {
        let Some(producer) = self.by_id.get(&batch.producer_id) else { return Ok(None) };
        let last = batch.last_sequence();
        let same = |known: &&Known| known.first_sequence == batch.base_sequence && known.last_sequence == last;
        if producer.epoch == batch.producer_epoch
            && let Some(known) = producer.batches.iter().find(same)
        {
            return Ok(Some(Duplicate {
                first_offset: known.first_offset,
                last_offset: known.last_offset,
                timestamp: known.timestamp,
            }));
        }
        if batch.producer_epoch < producer.epoch {
            return Err(Refusal::bare(ResponseError::InvalidProducerEpoch));
        }
        check_sequence(producer, batch)?;
        if producer.first_offset.is_some() && !batch.is_transactional() {
            return Err(Refusal::bare(ResponseError::InvalidTxnState));
        }
        Ok(None)
    }

    /// A batch of a client has been written.
    pub(super) fn written(&mut self, batch: &Header, now: i64) {
        if batch.producer_id < 0 {
            return;
        }
        if self.by_id.len() >= MOST && !self.by_id.contains_key(&batch.producer_id) {
            self.forget_silent();
        }
        let producer = self.by_id.entry(batch.producer_id).or_insert_with(|| Producer::new(batch.producer_epoch));
        if producer.epoch != batch.producer_epoch {
            producer.epoch = batch.producer_epoch;
            producer.batches.clear();
        }
        producer.last_timestamp = now;
        if producer.batches.len() >= KNOWN {
            producer.batches.pop_front();
        }
        producer.batches.push_back(Known {
            first_sequence: batch.base_sequence,
            last_sequence: batch.last_sequence(),
            first_offset: batch.base_offset,
            last_offset: batch.last_offset(),
            timestamp: batch.max_timestamp,
        });
        if batch.is_transactional() && producer.first_offset.is_none() {
            producer.first_offset = Some(batch.base_offset);
            self.ongoing.insert((batch.base_offset, batch.producer_id));
        }
    }

    /// Checks a marker before it is written.
    ///
    /// # Errors
    /// A fenced producer or coordinator.
    pub(super) fn check_marker(&self, id: i64, epoch: i16, coordinator_epoch: i32) -> Result<(), Refusal> {
        let Some(producer) = self.by_id.get(&id) else { return Ok(()) };
        if epoch < producer.epoch {
            return Err(Refusal::bare(ResponseError::InvalidProducerEpoch));
        }
        if coordinator_epoch < producer.coordinator_epoch {
            return Err(Refusal::bare(ResponseError::TransactionCoordinatorFenced));
        }
        Ok(())
    }

    /// A marker has been written: the producer's transaction is over.
    pub(super) fn marked(&mut self, id: i64, epoch: i16, coordinator_epoch: i32, commit: bool, offset: i64, now: i64) {
        let producer = self.by_id.entry(id).or_insert_with(|| Producer::new(epoch));
        if producer.epoch != epoch {
            producer.epoch = epoch;
            producer.batches.clear();
        }
        producer.last_timestamp = now;
        producer.coordinator_epoch = coordinator_epoch;
        if let Some(first_offset) = producer.first_offset.take() {
            self.ongoing.remove(&(first_offset, id));
            if !commit {
                self.aborted.push(Aborted { producer_id: id, first_offset, last_offset: offset });
            }
        }
    }

    /// The aborted transactions that have something between two offsets, the second excluded.
    pub(super) fn aborted(&self, from: i64, to: i64) -> impl Iterator<Item = Aborted> {
        let first = self.aborted.partition_point(|aborted| aborted.last_offset < from);
        let rest = self.aborted.get(first..).unwrap_or_default();
        rest.iter().copied().filter(move |aborted| aborted.first_offset < to)
    }

    /// Forgets what is about records that are gone, and producers that are silent for a day.
    pub(super) fn forget(&mut self, log_start: i64, now: i64) {
        self.aborted.retain(|aborted| aborted.last_offset >= log_start);
        self.by_id.retain(|_, producer| {
            producer.first_offset.is_some() || now.saturating_sub(producer.last_timestamp) < EXPIRATION_MS
        });
    }

    /// The aborted transactions that ended before this are not asked for any more.
    pub(super) fn forget_aborted(&mut self, log_start: i64) {
        if self.aborted.first().is_some_and(|aborted| aborted.last_offset < log_start) {
            self.aborted.retain(|aborted| aborted.last_offset >= log_start);
        }
    }

    fn forget_silent(&mut self) {
        let mut silent: Vec<(i64, i64)> = self
            .by_id
            .iter()
            .filter(|(_, producer)| producer.first_offset.is_none())
            .map(|(id, producer)| (producer.last_timestamp, *id))
            .collect();
        silent.sort_unstable();
        for (_, id) in silent.iter().take(MOST / 10) {
            self.by_id.remove(id);
        }
    }
}

impl Producer {
    fn new(epoch: i16) -> Producer {
        Producer { epoch, last_timestamp: 0, coordinator_epoch: -1, first_offset: None, batches: VecDeque::new() }
    }
}

fn check_sequence(producer: &Producer, batch: &Header) -> Result<(), Refusal> {
    let first = batch.base_sequence;
    if batch.producer_epoch != producer.epoch {
        if first == 0 {
            return Ok(());
        }
        return Err(Refusal::bare(ResponseError::OutOfOrderSequenceNumber));
    }
    let last = producer.last_sequence();
    let in_order = i64::from(first) == i64::from(last) + 1 || (first == 0 && last == i32::MAX);
    if in_order {
        return Ok(());
    }
    Err(Refusal::bare(ResponseError::OutOfOrderSequenceNumber))
}
