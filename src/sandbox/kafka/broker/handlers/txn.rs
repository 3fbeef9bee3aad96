//! InitProducerId, AddPartitionsToTxn, AddOffsetsToTxn, EndTxn, WriteTxnMarkers: transactions, as producers ask for
//! them.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::add_partitions_to_txn_request::{AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction};
use kafka_protocol::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResult, AddPartitionsToTxnTopicResult,
};
use kafka_protocol::messages::write_txn_markers_response::{
    WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, AddPartitionsToTxnRequest, AddPartitionsToTxnResponse,
    EndTxnRequest, EndTxnResponse, InitProducerIdRequest, InitProducerIdResponse, ProducerId, TxnOffsetCommitRequest,
    WriteTxnMarkersRequest, WriteTxnMarkersResponse,
};

use super::super::auth::{Operation, Resource};
use super::super::log::Marker;
use super::super::time::Now;
use super::super::txn::{Ended, Part, Writer};
use super::super::{Broker, Caller};

/// Kafka's `transaction.max.timeout.ms`, where it is not set.
const MAX_TIMEOUT_MS: i64 = 900_000;

/// Older producers know only that their epoch is over.
fn told(error: ResponseError, version: i16, knows: i16) -> i16 {
    match error {
        ResponseError::ProducerFenced if version < knows => ResponseError::InvalidProducerEpoch.code(),
        error => error.code(),
    }
}

pub(crate) fn init(
    broker: &mut Broker,
    caller: &Caller,
    request: InitProducerIdRequest,
    version: i16,
    now: Now,
) -> InitProducerIdResponse {
    let answer = InitProducerIdResponse::default().with_producer_id(ProducerId(-1)).with_producer_epoch(-1);
    match give(broker, caller, &request, now) {
        Ok((id, epoch)) => answer.with_producer_id(ProducerId(id)).with_producer_epoch(epoch),
        Err(error) => answer.with_error_code(told(error, version, 4)),
    }
}

fn give(
    broker: &mut Broker,
    caller: &Caller,
    request: &InitProducerIdRequest,
    now: Now,
) -> Result<(i64, i16), ResponseError> {
    let id = request.transactional_id.as_ref();
    if let Some(error) = caller.fault(None, None) {
        return Err(error);
    }
    match id {
        Some(id) if !broker.allowed(caller, Operation::Write, Resource::TransactionalId(id)) => {
            return Err(ResponseError::TransactionalIdAuthorizationFailed);
        }
        None if !broker.allowed_idempotent_write(caller) => return Err(ResponseError::ClusterAuthorizationFailed),
        _ => {}
    }
    let expected = match (request.producer_id.0, request.producer_epoch) {
        (-1, -1) => None,
        (-1, _) | (_, -1) => return Err(ResponseError::InvalidRequest),
        expected => Some(expected),
    };
    let Some(id) = id else {
        let given = broker.transactions.init_idempotent();
        return Ok((given.producer_id, given.epoch));
    };
    if id.is_empty() {
        return Err(ResponseError::InvalidRequest);
    }
    if !broker.cluster.coordinates(caller.node, id) {
        return Err(ResponseError::NotCoordinator);
    }
    let timeout = request.transaction_timeout_ms;
    let most = broker.configs.number(caller.node, "transaction.max.timeout.ms").unwrap_or(MAX_TIMEOUT_MS);
    if timeout <= 0 || i64::from(timeout) > most {
        return Err(ResponseError::InvalidTransactionTimeout);
    }
    let given = broker.transactions.init(id, expected, timeout, now)?;
    if let Some(ended) = given.ended {
        broker.finish(ended, now);
    }
    broker.transactions_due();
    Ok((given.producer_id, given.epoch))
}

pub(crate) fn add_partitions(
    broker: &mut Broker,
    caller: &Caller,
    request: AddPartitionsToTxnRequest,
    version: i16,
    now: Now,
) -> AddPartitionsToTxnResponse {
    let answer = AddPartitionsToTxnResponse::default();
    if version < 4 {
        let transaction = AddPartitionsToTxnTransaction::default()
            .with_transactional_id(request.v3_and_below_transactional_id)
            .with_producer_id(request.v3_and_below_producer_id)
            .with_producer_epoch(request.v3_and_below_producer_epoch)
            .with_topics(request.v3_and_below_topics);
        return answer.with_results_by_topic_v3_and_below(add(broker, caller, &transaction, version, now));
    }
    // In these versions brokers ask for their producers.
    if !broker.allowed(caller, Operation::ClusterAction, Resource::Cluster) {
        return answer.with_error_code(ResponseError::ClusterAuthorizationFailed.code());
    }
    let results = request.transactions.iter().map(|transaction| {
        AddPartitionsToTxnResult::default()
            .with_transactional_id(transaction.transactional_id.clone())
            .with_topic_results(add(broker, caller, transaction, version, now))
    });
    answer.with_results_by_transaction(results.collect())
}

/// Adds what one producer wants, all of it or nothing.
fn add(
    broker: &mut Broker,
    caller: &Caller,
    wanted: &AddPartitionsToTxnTransaction,
    version: i16,
    now: Now,
) -> Vec<AddPartitionsToTxnTopicResult> {
    let id = wanted.transactional_id.as_str();
    if !broker.allowed(caller, Operation::Write, Resource::TransactionalId(id)) {
        return results(&wanted.topics, |_, _| ResponseError::TransactionalIdAuthorizationFailed.code());
    }
    let problem = |broker: &Broker, topic: &str, index: i32| {
        if let Some(error) = caller.fault(Some(topic), None) {
            return error.code();
        }
        let of_client = version < 4;
        if of_client && !broker.allowed(caller, Operation::Write, Resource::Topic(topic)) {
            return ResponseError::TopicAuthorizationFailed.code();
        }
        let there = broker.topics.partition(topic, index).is_some();
        if there { 0 } else { ResponseError::UnknownTopicOrPartition.code() }
    };
    let all =
        || wanted.topics.iter().flat_map(|topic| topic.partitions.iter().map(|index| (topic.name.as_str(), *index)));
    if all().any(|(topic, index)| problem(broker, topic, index) != 0) {
        return results(&wanted.topics, |topic, index| match problem(broker, topic, index) {
            0 => ResponseError::OperationNotAttempted.code(),
            code => code,
        });
    }
    if id.is_empty() {
        return results(&wanted.topics, |_, _| ResponseError::InvalidRequest.code());
    }
    if !broker.cluster.coordinates(caller.node, id) {
        return results(&wanted.topics, |_, _| ResponseError::NotCoordinator.code());
    }
    let writer = Writer { transactional_id: id, producer_id: wanted.producer_id.0, epoch: wanted.producer_epoch };
    let part = |topic: &str, index: i32| Part::Partition(topic.to_owned(), index);
    if wanted.verify_only {
        return results(&wanted.topics, |topic, index| {
            let verified = broker.transactions.verify(writer, &part(topic, index), ResponseError::TransactionAbortable);
            verified.err().map_or(0, |error| error.code())
        });
    }
    let parts: Vec<Part> = all().map(|(topic, index)| part(topic, index)).collect();
    let added = broker.transactions.add(writer, parts, now);
    broker.transactions_due();
    let code = added.err().map_or(0, |error| told(error, version, 2));
    results(&wanted.topics, |_, _| code)
}

fn results(
    topics: &[AddPartitionsToTxnTopic],
    mut code: impl FnMut(&str, i32) -> i16,
) -> Vec<AddPartitionsToTxnTopicResult> {
    let of = |topic: &AddPartitionsToTxnTopic| {
        let partitions = topic.partitions.iter().map(|index| {
            AddPartitionsToTxnPartitionResult::default()
                .with_partition_index(*index)
                .with_partition_error_code(code(&topic.name, *index))
        });
        let partitions = partitions.collect();
        AddPartitionsToTxnTopicResult::default().with_name(topic.name.clone()).with_results_by_partition(partitions)
    };
    topics.iter().map(of).collect()
}

pub(crate) fn add_offsets(
    broker: &mut Broker,
    caller: &Caller,
    request: AddOffsetsToTxnRequest,
    version: i16,
    now: Now,
) -> AddOffsetsToTxnResponse {
    let id = request.transactional_id.as_str();
    let group = request.group_id.as_str();
    let writer = Writer { transactional_id: id, producer_id: request.producer_id.0, epoch: request.producer_epoch };
    let code = if let Some(error) = caller.fault(None, Some(group)) {
        error.code()
    } else if !broker.allowed(caller, Operation::Write, Resource::TransactionalId(id)) {
        ResponseError::TransactionalIdAuthorizationFailed.code()
    } else if !broker.allowed(caller, Operation::Read, Resource::Group(group)) {
        ResponseError::GroupAuthorizationFailed.code()
    } else if id.is_empty() {
        ResponseError::InvalidRequest.code()
    } else if !broker.cluster.coordinates(caller.node, id) {
        ResponseError::NotCoordinator.code()
    } else {
        let added = broker.transactions.add(writer, [Part::Group(group.to_owned())], now);
        broker.transactions_due();
        added.err().map_or(0, |error| told(error, version, 2))
    };
    AddOffsetsToTxnResponse::default().with_error_code(code)
}

pub(crate) fn end(
    broker: &mut Broker,
    caller: &Caller,
    request: EndTxnRequest,
    version: i16,
    now: Now,
) -> EndTxnResponse {
    let id = request.transactional_id.as_str();
    let answer = EndTxnResponse::default().with_producer_id(ProducerId(-1)).with_producer_epoch(-1);
    if let Some(error) = caller.fault(None, None) {
        return answer.with_error_code(error.code());
    }
    if !broker.allowed(caller, Operation::Write, Resource::TransactionalId(id)) {
        return answer.with_error_code(ResponseError::TransactionalIdAuthorizationFailed.code());
    }
    if id.is_empty() {
        return answer.with_error_code(ResponseError::InvalidRequest.code());
    }
    if !broker.cluster.coordinates(caller.node, id) {
        return answer.with_error_code(ResponseError::NotCoordinator.code());
    }
    let writer = Writer { transactional_id: id, producer_id: request.producer_id.0, epoch: request.producer_epoch };
    match broker.transactions.end(writer, request.committed, version >= 5, now) {
        Ok(after) => {
            if let Some(ended) = after.ended {
                broker.finish(ended, now);
            }
            if version < 5 {
                return answer;
            }
            answer.with_producer_id(ProducerId(after.producer_id)).with_producer_epoch(after.epoch)
        }
        Err(error) => answer.with_error_code(told(error, version, 2)),
    }
}

/// WriteTxnMarkers: ends what a coordinator has forgotten, by hand (`kafka-transactions.sh abort`).
pub(crate) fn write_markers(
    broker: &mut Broker,
    caller: &Caller,
    request: WriteTxnMarkersRequest,
    _version: i16,
    now: Now,
) -> WriteTxnMarkersResponse {
    let may = broker.allowed(caller, Operation::ClusterAction, Resource::Cluster)
        || broker.allowed(caller, Operation::Alter, Resource::Cluster);
    let mut markers = Vec::new();
    for wanted in &request.markers {
        let marker = Marker {
            producer_id: wanted.producer_id.0,
            producer_epoch: wanted.producer_epoch,
            commit: wanted.transaction_result,
            coordinator_epoch: wanted.coordinator_epoch,
        };
        let mut topics = Vec::new();
        for topic in &wanted.topics {
            let partitions = topic.partition_indexes.iter().map(|index| {
                let code = if may {
                    broker.mark(&topic.name, *index, marker, now)
                } else {
                    ResponseError::ClusterAuthorizationFailed.code()
                };
                WritableTxnMarkerPartitionResult::default().with_partition_index(*index).with_error_code(code)
            });
            let partitions = partitions.collect();
            let result = WritableTxnMarkerTopicResult::default().with_name(topic.name.clone());
            topics.push(result.with_partitions(partitions));
        }
        markers.push(WritableTxnMarkerResult::default().with_producer_id(wanted.producer_id).with_topics(topics));
    }
    WriteTxnMarkersResponse::default().with_markers(markers)
}

impl Broker {
    /// Writes the markers of a transaction, and lets its offsets count.
    pub(crate) fn finish(&mut self, ended: Ended, now: Now) {
        let Ended { producer_id, epoch: producer_epoch, commit, partitions, groups } = ended;
        let marker = Marker { producer_id, producer_epoch, commit, coordinator_epoch: 0 };
        for (topic, index) in partitions {
            // What has been deleted meanwhile needs none.
            self.mark(&topic, index, marker, now);
        }
        if !groups.is_empty() {
            self.complete_offsets(producer_id, commit);
        }
    }

    /// The code of what came of it.
    fn mark(&mut self, topic: &str, index: i32, marker: Marker, now: Now) -> i16 {
        let unknown = ResponseError::UnknownTopicOrPartition.code();
        let Some(topic) = self.topics.get_mut(topic) else { return unknown };
        let settings = topic.settings.clone();
        let partition = usize::try_from(index).ok().and_then(|index| topic.partitions.get_mut(index));
        let Some(partition) = partition else { return unknown };
        let epoch = partition.leader_epoch;
        let marked = partition.log.append_marker(marker, &settings, epoch, now);
        partition.wake();
        marked.err().map_or(0, |refusal| refusal.error.code())
    }

    /// Whether a partition may be written to in a transaction. When the produce `adds` (from version 12 on, KIP-890),
    /// the partition is added to the transaction, which begins if need be; else it has to be in it already.
    ///
    /// # Errors
    /// What Produce answers for the partition: INVALID_TXN_STATE, INVALID_PRODUCER_EPOCH, ...
    pub(crate) fn may_write_in_transaction(
        &mut self,
        transactional_id: &str,
        (producer_id, epoch): (i64, i16),
        (topic, partition): (&str, i32),
        adds: bool,
        now: Now,
    ) -> Result<(), ResponseError> {
        let parts = vec![Part::Partition(topic.to_owned(), partition)];
        let done = self.transactions.verify_or_add(Writer { transactional_id, producer_id, epoch }, parts, adds, now);
        self.transactions_due();
        done.map_err(|error| match error {
            ResponseError::ProducerFenced => ResponseError::InvalidProducerEpoch,
            error => error,
        })
    }

    /// Whether offsets may be committed in a transaction: TxnOffsetCommit 5 adds the group to it, before that
    /// AddOffsetsToTxn has.
    ///
    /// # Errors
    /// Those of [`super::super::txn::Transactions::verify_or_add`], as this request tells them.
    pub(crate) fn offsets_in_transaction(
        &mut self,
        caller: &Caller,
        request: &TxnOffsetCommitRequest,
        version: i16,
        now: Now,
    ) -> Result<(), ResponseError> {
        let id = request.transactional_id.as_str();
        if !self.allowed(caller, Operation::Write, Resource::TransactionalId(id)) {
            return Err(ResponseError::TransactionalIdAuthorizationFailed);
        }
        let writer = Writer { transactional_id: id, producer_id: request.producer_id.0, epoch: request.producer_epoch };
        let parts = vec![Part::Group(request.group_id.to_string())];
        let done = self.transactions.verify_or_add(writer, parts, version >= 5, now);
        self.transactions_due();
        done.map_err(|error| match error {
            ResponseError::ProducerFenced => ResponseError::InvalidProducerEpoch,
            ResponseError::InvalidTxnState if version >= 4 => ResponseError::TransactionAbortable,
            error => error,
        })
    }

    /// The offsets that a producer has sent in its transaction count, or are dropped.
    fn complete_offsets(&mut self, producer_id: i64, commit: bool) {
        self.groups.complete_txn(producer_id, commit);
        self.hurry();
    }

    /// Tells the clock when a transaction is to be aborted before it would have looked.
    pub(crate) fn transactions_due(&mut self) {
        if self.transactions.take_earlier() {
            self.earlier.notify_one();
        }
    }

    /// Aborts what has taken too long.
    pub(crate) fn end_overdue(&mut self, now: Now) {
        for ended in self.transactions.tick(now) {
            self.finish(ended, now);
        }
    }
}
