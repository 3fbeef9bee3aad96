//! The transaction coordinator: which transactional ids there are, which producer each has, and what belongs to its
//! transaction. The rules are those of Kafka 4.1 (`TransactionCoordinator`, `TransactionMetadata`; KIP-98, KIP-360,
//! KIP-890).
//!
//! The logs are in the same memory, so that markers are written at once: nobody ever sees a transaction that is
//! prepared and not completed, and nobody is told CONCURRENT_TRANSACTIONS.

mod end;
mod init;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use kafka_protocol::error::ResponseError;

use super::time::Now;

/// Most bytes that transactional ids and what is in their transactions may take; past it, ids go that are not in use.
const MOST: usize = 16 << 20;

/// What an id takes beside its text, roughly.
const EACH: usize = 256;

/// How often ids are looked through for those that nobody has used for long.
const CHECK: Duration = Duration::from_secs(3600);

/// How long is waited before room is looked for again.
const PAUSE: Duration = Duration::from_secs(1);

/// How long an id is known without use (`transactional.id.expiration.ms`).
const EXPIRATION_MS: i64 = 7 * 24 * 3_600_000;

/// Where a transaction stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Empty,
    Ongoing,
    CompleteCommit,
    CompleteAbort,
}

impl State {
    /// As Kafka calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            State::Empty => "Empty",
            State::Ongoing => "Ongoing",
            State::CompleteCommit => "CompleteCommit",
            State::CompleteAbort => "CompleteAbort",
        }
    }
}

/// What there is of one transactional id.
#[derive(Debug, Clone)]
pub(crate) struct Transaction {
    pub producer_id: i64,
    /// The one before, when its epochs were used up; -1 otherwise.
    previous_id: i64,
    /// -1 before the first InitProducerId has been answered.
    pub epoch: i16,
    /// The epoch before, for who asks again; -1 when that is nobody's.
    last_epoch: i16,
    pub timeout_ms: i32,
    pub state: State,
    pub partitions: BTreeSet<(String, i32)>,
    /// The groups whose offsets belong to it.
    pub groups: BTreeSet<String>,
    /// When it began, in milliseconds since 1970; -1 when there was none.
    pub started: i64,
    /// When it is aborted.
    due: Option<Instant>,
    /// When something last changed, in milliseconds since 1970.
    updated: i64,
}

/// The end of a transaction: what markers have to be written, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ended {
    pub producer_id: i64,
    pub epoch: i16,
    pub commit: bool,
    pub partitions: BTreeSet<(String, i32)>,
    pub groups: BTreeSet<String>,
}

/// Who writes in a transaction.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Writer<'a> {
    pub transactional_id: &'a str,
    pub producer_id: i64,
    pub epoch: i16,
}

/// What is written to in a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    Partition(String, i32),
    Group(String),
}

/// All transactional ids.
#[derive(Debug, Default)]
pub(crate) struct Transactions {
    by_id: BTreeMap<String, Transaction>,
    /// When which is aborted.
    due: BTreeSet<(Instant, String)>,
    next_producer_id: i64,
    /// What all of it takes, in bytes.
    size: usize,
    /// When ids are looked through next.
    check: Option<Instant>,
    /// When room was looked for last.
    sought: Option<Instant>,
    /// Something has become due earlier.
    earlier: bool,
}

impl Transaction {
    /// All epochs of its producer are used.
    fn is_exhausted(&self) -> bool {
        self.epoch >= i16::MAX - 1
    }

    fn measure(&self) -> usize {
        let partitions: usize = self.partitions.iter().map(|(name, _)| name.len() + 64).sum();
        let groups: usize = self.groups.iter().map(|name| name.len() + 64).sum();
        partitions + groups
    }

    fn has(&self, part: &Part) -> bool {
        match part {
            Part::Partition(name, index) => self.partitions.contains(&(name.clone(), *index)),
            Part::Group(name) => self.groups.contains(name),
        }
    }
}

impl Transactions {
    pub(crate) fn get(&self, id: &str) -> Option<&Transaction> {
        self.by_id.get(id)
    }

    /// All of them, by id.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &Transaction)> {
        self.by_id.iter()
    }

    /// An id that no producer has had.
    fn new_producer_id(&mut self) -> i64 {
        let id = self.next_producer_id;
        self.next_producer_id += 1;
        id
    }

    /// Adds to a transaction, which begins if it has not.
    ///
    /// # Errors
    /// INVALID_PRODUCER_ID_MAPPING for an id or a producer that is none, PRODUCER_FENCED for an epoch that is over,
    /// POLICY_VIOLATION when transactions have too much in them.
    pub(crate) fn add(
        &mut self,
        writer: Writer<'_>,
        parts: impl IntoIterator<Item = Part>,
        now: Now,
    ) -> Result<(), ResponseError> {
        self.check_writer(writer)?;
        if self.size > MOST {
            return Err(ResponseError::PolicyViolation);
        }
        let id = writer.transactional_id;
        let Some(transaction) = self.by_id.get_mut(id) else { return Err(ResponseError::InvalidProducerIdMapping) };
        let before = transaction.measure();
        if transaction.state != State::Ongoing {
            transaction.state = State::Ongoing;
            transaction.started = now.wall;
            let timeout = Duration::from_millis(u64::try_from(transaction.timeout_ms).unwrap_or_default());
            let due = now.mono.checked_add(timeout);
            transaction.due = due;
            if let Some(due) = due {
                self.earlier |= self.due.first().is_none_or(|(first, _)| due < *first);
                self.due.insert((due, id.to_owned()));
            }
        }
        for part in parts {
            match part {
                Part::Partition(name, index) => drop(transaction.partitions.insert((name, index))),
                Part::Group(name) => drop(transaction.groups.insert(name)),
            }
        }
        transaction.updated = now.wall;
        self.size = self.size + transaction.measure() - before;
        Ok(())
    }

    /// Whether what is written to belongs to the transaction of who writes.
    ///
    /// # Errors
    /// As [`Transactions::add`]; `absent` for what has not been added.
    pub(crate) fn verify(&self, writer: Writer<'_>, part: &Part, absent: ResponseError) -> Result<(), ResponseError> {
        self.check_writer(writer)?;
        let ongoing = self.get(writer.transactional_id).filter(|transaction| transaction.state == State::Ongoing);
        if ongoing.is_some_and(|transaction| transaction.has(part)) { Ok(()) } else { Err(absent) }
    }

    /// What a produce or a commit of offsets asks before it is written: with `adds` (Produce 12, TxnOffsetCommit 5) it
    /// adds to the transaction, without it must have been added.
    ///
    /// # Errors
    /// As [`Transactions::add`], and INVALID_TXN_STATE for what has not been added.
    pub(crate) fn verify_or_add(
        &mut self,
        writer: Writer<'_>,
        parts: Vec<Part>,
        adds: bool,
        now: Now,
    ) -> Result<(), ResponseError> {
        if adds {
            return self.add(writer, parts, now);
        }
        parts.iter().try_for_each(|part| self.verify(writer, part, ResponseError::InvalidTxnState))
    }

    fn check_writer(&self, writer: Writer<'_>) -> Result<(), ResponseError> {
        let transaction = self.get(writer.transactional_id).ok_or(ResponseError::InvalidProducerIdMapping)?;
        if transaction.producer_id != writer.producer_id {
            return Err(ResponseError::InvalidProducerIdMapping);
        }
        if transaction.epoch != writer.epoch { Err(ResponseError::ProducerFenced) } else { Ok(()) }
    }

    /// Whether something has become due earlier since this was last asked.
    pub(crate) fn take_earlier(&mut self) -> bool {
        std::mem::take(&mut self.earlier)
    }

    /// When something is due.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        let first = self.due.first().map(|(first, _)| *first);
        [first, self.check].into_iter().flatten().min()
    }

    /// Aborts what has taken too long, and forgets what nobody has used for long.
    pub(crate) fn tick(&mut self, now: Now) -> Vec<Ended> {
        let mut ended = Vec::new();
        while let Some((_, id)) = self.due.first().filter(|(at, _)| *at <= now.mono).cloned() {
            ended.extend(self.fence(&id, now));
        }
        if self.check.is_some_and(|at| at <= now.mono) {
            self.check = now.mono.checked_add(CHECK);
            self.expire(now.wall - EXPIRATION_MS);
        }
        ended
    }

    /// Forgets ids that have not been used since then, and have no transaction.
    fn expire(&mut self, since: i64) {
        let mut freed = 0;
        self.by_id.retain(|id, transaction| {
            let keep = transaction.state == State::Ongoing || transaction.updated > since;
            freed += if keep { 0 } else { id.len() + EACH };
            keep
        });
        self.size = self.size.saturating_sub(freed);
    }
}
