//! InitProducerId: a producer gets its id and its epoch, and whoever had them before is fenced.

use kafka_protocol::error::ResponseError;

use super::super::time::Now;
use super::{CHECK, EACH, Ended, MOST, PAUSE, State, Transaction, Transactions};

/// What has been given to a producer, and what had to end for it.
pub(crate) struct Given {
    pub producer_id: i64,
    pub epoch: i16,
    pub ended: Option<Ended>,
}

impl Transactions {
    /// A producer without transactions: each gets an id of its own.
    pub(crate) fn init_idempotent(&mut self) -> Given {
        Given { producer_id: self.new_producer_id(), epoch: 0, ended: None }
    }

    /// The producer of a transactional id. `expected` is what it has, if it only wants another epoch (KIP-360).
    ///
    /// # Errors
    /// PRODUCER_FENCED when `expected` is not what the coordinator knows; POLICY_VIOLATION when there are too many ids.
    pub(crate) fn init(
        &mut self,
        id: &str,
        expected: Option<(i64, i16)>,
        timeout_ms: i32,
        now: Now,
    ) -> Result<Given, ResponseError> {
        if !self.by_id.contains_key(id) {
            self.make(id, now)?;
        }
        let transaction = self.by_id.get(id).ok_or(ResponseError::UnknownServerError)?;
        if let Some((producer_id, epoch)) = expected {
            let was = transaction.previous_id == producer_id && epoch >= i16::MAX - 1;
            if transaction.epoch != -1 && transaction.producer_id != producer_id && !was {
                return Err(ResponseError::ProducerFenced);
            }
        }
        let ended = self.fence(id, now);
        let fresh = self.next_producer_id;
        let transaction = self.by_id.get_mut(id).ok_or(ResponseError::UnknownServerError)?;
        if transaction.is_exhausted() {
            transaction.previous_id = transaction.producer_id;
            transaction.last_epoch = if expected.is_some() { transaction.epoch } else { -1 };
            transaction.producer_id = fresh;
            transaction.epoch = 0;
            self.next_producer_id += 1;
        } else {
            transaction.bump(expected.map(|(_, epoch)| epoch))?;
        }
        transaction.timeout_ms = timeout_ms;
        transaction.state = State::Empty;
        transaction.started = -1;
        transaction.updated = now.wall;
        Ok(Given { producer_id: transaction.producer_id, epoch: transaction.epoch, ended })
    }

    fn make(&mut self, id: &str, now: Now) -> Result<(), ResponseError> {
        if self.size + id.len() + EACH > MOST {
            // What was used in the last minute may be in use. All ids are looked at, so not for each that is refused.
            if self.sought.is_none_or(|at| now.mono.saturating_duration_since(at) >= PAUSE) {
                self.sought = Some(now.mono);
                self.expire(now.wall - 60_000);
            }
            if self.size + id.len() + EACH > MOST {
                return Err(ResponseError::PolicyViolation);
            }
        }
        let transaction = Transaction {
            producer_id: self.new_producer_id(),
            previous_id: -1,
            epoch: -1,
            last_epoch: -1,
            timeout_ms: 0,
            state: State::Empty,
            partitions: Default::default(),
            groups: Default::default(),
            started: -1,
            due: None,
            updated: now.wall,
        };
        self.size += id.len() + EACH;
        self.by_id.insert(id.to_owned(), transaction);
        if self.check.is_none() {
            self.check = now.mono.checked_add(CHECK);
            self.earlier = true;
        }
        Ok(())
    }
}

impl Transaction {
    /// The next epoch. Who expects the one before the present gets that again: its answer has been lost.
    fn bump(&mut self, expected: Option<i16>) -> Result<(), ResponseError> {
        match expected {
            None => self.last_epoch = -1,
            Some(epoch) if self.epoch == -1 || epoch == self.epoch => self.last_epoch = self.epoch,
            Some(epoch) if epoch == self.last_epoch => return Ok(()),
            Some(_) => return Err(ResponseError::ProducerFenced),
        }
        self.epoch = self.epoch.saturating_add(1);
        Ok(())
    }
}
