//! What the rest of the broker asks of the transaction coordinator.

use kafka_protocol::error::ResponseError;

use super::Broker;
use super::time::Now;

impl Broker {
    /// Whether a producer, with its id and epoch, may write to a partition in its transaction, which has nothing there yet. With
    /// `adds` the partition is added to the transaction, which begins if need be (KIP-890, Produce from version 12 on); else
    /// it has to be in it already.
    ///
    /// # Errors
    /// What Produce answers for the partition: INVALID_TXN_STATE, CONCURRENT_TRANSACTIONS, ...
    pub(crate) fn may_write_in_transaction(
        &mut self,
        _transactional_id: &str,
        _producer: (i64, i16),
        _place: (&str, i32),
        _adds: bool,
        _now: Now,
    ) -> Result<(), ResponseError> {
        Ok(())
    }
}
