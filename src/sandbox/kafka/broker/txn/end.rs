//! EndTxn: a transaction is committed or aborted, by its producer or because its producer is gone.

use std::time::Instant;

use kafka_protocol::error::ResponseError;

use super::super::time::Now;
use super::{Ended, State, Transaction, Transactions, Writer};

/// What the producer has after the end, and what markers that makes.
#[derive(Debug)]
pub(crate) struct After {
    pub producer_id: i64,
    pub epoch: i16,
    pub ended: Option<Ended>,
}

impl Transactions {
    /// Ends a transaction. `bumps` for EndTxn 5 and later: the producer goes on with the epoch that it gets.
    ///
    /// # Errors
    /// INVALID_PRODUCER_ID_MAPPING, PRODUCER_FENCED, and INVALID_TXN_STATE when there is nothing to be ended so.
    pub(crate) fn end(
        &mut self,
        writer: Writer<'_>,
        commit: bool,
        bumps: bool,
        now: Now,
    ) -> Result<After, ResponseError> {
        let id = writer.transactional_id;
        let transaction = self.by_id.get(id).ok_or(ResponseError::InvalidProducerIdMapping)?;
        let again = bumps && transaction.has_ended(writer);
        if !again && transaction.producer_id != writer.producer_id {
            return Err(ResponseError::InvalidProducerIdMapping);
        }
        if !again && transaction.epoch != writer.epoch {
            return Err(ResponseError::ProducerFenced);
        }
        let same = matches!((transaction.state, commit), (State::CompleteCommit, true) | (State::CompleteAbort, false));
        match transaction.state {
            State::Ongoing if again => return Err(ResponseError::ProducerFenced),
            State::Ongoing => {}
            // The answer has been lost; without new epochs that cannot be told from a second end.
            _ if same && (again || !bumps) => {
                let (producer_id, epoch) = (transaction.producer_id, transaction.epoch);
                return Ok(After { producer_id, epoch, ended: None });
            }
            // What has nothing in it can be aborted, as its producer may not know whether it has.
            _ if bumps && !commit && !again => {}
            _ => return Err(ResponseError::InvalidTxnState),
        }
        let fresh = self.next_producer_id;
        let (ended, due, used) = {
            let transaction = self.by_id.get_mut(id).ok_or(ResponseError::InvalidProducerIdMapping)?;
            let exhausted = bumps && transaction.is_exhausted();
            let due = transaction.due;
            let freed = transaction.measure();
            let ended = transaction.complete(commit, bumps, now);
            if exhausted {
                transaction.previous_id = transaction.producer_id;
                transaction.producer_id = fresh;
                transaction.epoch = 0;
            }
            self.size = self.size.saturating_sub(freed);
            (ended, due, exhausted)
        };
        self.next_producer_id += i64::from(used);
        self.not_due(id, due);
        let transaction = self.by_id.get(id).ok_or(ResponseError::InvalidProducerIdMapping)?;
        Ok(After { producer_id: transaction.producer_id, epoch: transaction.epoch, ended: Some(ended) })
    }

    /// Aborts a transaction that goes on, so that its producer can do nothing more.
    pub(super) fn fence(&mut self, id: &str, now: Now) -> Option<Ended> {
        let transaction = self.by_id.get_mut(id)?;
        let due = transaction.due.take();
        let mut ended = None;
        if transaction.state == State::Ongoing {
            self.size = self.size.saturating_sub(transaction.measure());
            ended = Some(transaction.complete(false, true, now));
        }
        self.not_due(id, due);
        ended
    }

    fn not_due(&mut self, id: &str, due: Option<Instant>) {
        if let Some(due) = due {
            self.due.remove(&(due, id.to_owned()));
        }
    }
}

impl Transaction {
    /// Whether the last end was that of this writer, who asks again with the epoch from before.
    fn has_ended(&self, writer: Writer<'_>) -> bool {
        let next = self.producer_id == writer.producer_id && writer.epoch.checked_add(1) == Some(self.epoch);
        let over = self.previous_id == writer.producer_id && writer.epoch == i16::MAX - 1 && self.epoch == 0;
        next || over
    }

    /// The markers have the epoch that goes on, so that nothing of the old one can come behind them.
    fn complete(&mut self, commit: bool, bumps: bool, now: Now) -> Ended {
        if bumps {
            self.last_epoch = self.epoch;
            self.epoch = self.epoch.saturating_add(1);
        }
        self.state = if commit { State::CompleteCommit } else { State::CompleteAbort };
        self.due = None;
        self.updated = now.wall;
        Ended {
            producer_id: self.producer_id,
            epoch: self.epoch,
            commit,
            partitions: std::mem::take(&mut self.partitions),
            groups: std::mem::take(&mut self.groups),
        }
    }
}
