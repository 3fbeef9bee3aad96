//! DescribeProducers, DescribeTransactions, ListTransactions: transactions, as tools ask for them (KIP-664).

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_producers_response::{PartitionResponse, ProducerState, TopicResponse};
use kafka_protocol::messages::describe_transactions_response::{TopicData, TransactionState};
use kafka_protocol::messages::list_transactions_response::TransactionState as Listed;
use kafka_protocol::messages::{
    DescribeProducersRequest, DescribeProducersResponse, DescribeTransactionsRequest, DescribeTransactionsResponse,
    ListTransactionsRequest, ListTransactionsResponse, ProducerId, TopicName, TransactionalId,
};
use kafka_protocol::protocol::StrBytes;

use super::super::auth::{Operation, Resource};
use super::super::creation::check_name;
use super::super::group::pattern::Pattern;
use super::super::time::Now;
use super::super::txn::Transaction;
use super::super::{Broker, Caller};

/// The states that Kafka's transactions can be in.
const STATES: [&str; 8] = [
    "Empty",
    "Ongoing",
    "PrepareCommit",
    "PrepareAbort",
    "CompleteCommit",
    "CompleteAbort",
    "Dead",
    "PrepareEpochFence",
];

pub(crate) fn producers(
    broker: &mut Broker,
    caller: &Caller,
    request: DescribeProducersRequest,
    _version: i16,
    _now: Now,
) -> DescribeProducersResponse {
    let topics = request.topics.iter().map(|topic| {
        let allowed = broker.allowed(caller, Operation::Read, Resource::Topic(&topic.name));
        let partitions = topic.partition_indexes.iter().map(|index| {
            let answer = PartitionResponse::default().with_partition_index(*index);
            let error = |error: ResponseError, text: String| {
                let answer = answer.clone().with_error_code(error.code());
                answer.with_error_message(Some(StrBytes::from_string(text)))
            };
            if let Err(text) = check_name(&topic.name) {
                return error(ResponseError::InvalidTopicException, text);
            }
            if !allowed {
                return answer.with_error_code(ResponseError::TopicAuthorizationFailed.code());
            }
            match broker.topics.partition(&topic.name, *index) {
                Some(partition) if partition.leader == caller.node => {
                    answer.with_active_producers(active(partition.log.producers()))
                }
                Some(_) => answer.with_error_code(ResponseError::NotLeaderOrFollower.code()),
                None if broker.topics.get(&topic.name).is_none() => error(
                    ResponseError::UnknownTopicOrPartition,
                    "This server does not host this topic-partition.".to_owned(),
                ),
                None => answer.with_error_code(ResponseError::UnknownTopicOrPartition.code()),
            }
        });
        let partitions = partitions.collect();
        TopicResponse::default().with_name(topic.name.clone()).with_partitions(partitions)
    });
    DescribeProducersResponse::default().with_topics(topics.collect())
}

fn active<'a>(
    producers: impl Iterator<Item = (i64, &'a super::super::log::producers::Producer)>,
) -> Vec<ProducerState> {
    let mut all: Vec<ProducerState> = producers
        .map(|(id, producer)| {
            ProducerState::default()
                .with_producer_id(ProducerId(id))
                .with_producer_epoch(producer.epoch.into())
                .with_last_sequence(producer.last_sequence())
                .with_last_timestamp(producer.last_timestamp)
                .with_coordinator_epoch(producer.coordinator_epoch)
                .with_current_txn_start_offset(producer.first_offset.unwrap_or(-1))
        })
        .collect();
    all.sort_by_key(|state| state.producer_id.0);
    all
}

pub(crate) fn describe(
    broker: &mut Broker,
    caller: &Caller,
    request: DescribeTransactionsRequest,
    _version: i16,
    _now: Now,
) -> DescribeTransactionsResponse {
    let states = request.transactional_ids.iter().map(|id| {
        let answer = TransactionState::default().with_transactional_id(id.clone()).with_producer_id(ProducerId(0));
        if !broker.allowed(caller, Operation::Describe, Resource::TransactionalId(id)) {
            return answer.with_error_code(ResponseError::TransactionalIdAuthorizationFailed.code());
        }
        if id.is_empty() {
            return answer.with_error_code(ResponseError::InvalidRequest.code());
        }
        if !broker.cluster.coordinates(caller.node, id) {
            return answer.with_error_code(ResponseError::NotCoordinator.code());
        }
        match broker.transactions.get(id) {
            Some(transaction) => answer
                .with_transaction_state(StrBytes::from_static_str(transaction.state.name()))
                .with_transaction_timeout_ms(transaction.timeout_ms)
                .with_transaction_start_time_ms(transaction.started)
                .with_producer_id(ProducerId(transaction.producer_id))
                .with_producer_epoch(transaction.epoch)
                .with_topics(parts(broker, caller, transaction)),
            None => answer.with_error_code(ResponseError::TransactionalIdNotFound.code()),
        }
    });
    DescribeTransactionsResponse::default().with_transaction_states(states.collect())
}

/// What belongs to a transaction. A group is told of as the partition that would have its offsets.
fn parts(broker: &Broker, caller: &Caller, transaction: &Transaction) -> Vec<TopicData> {
    let mut topics: Vec<TopicData> = Vec::new();
    let mut put = |name: &str, index: i32| match topics.last_mut() {
        Some(last) if last.topic.as_str() == name => {
            if !last.partitions.contains(&index) {
                last.partitions.push(index);
            }
        }
        _ => {
            let name = TopicName(StrBytes::from_string(name.to_owned()));
            topics.push(TopicData::default().with_topic(name).with_partitions(vec![index]));
        }
    };
    let may = |name: &str| broker.allowed(caller, Operation::Describe, Resource::Topic(name));
    for (name, index) in transaction.partitions.iter().filter(|(name, _)| may(name)) {
        put(name, *index);
    }
    const OFFSETS: &str = "__consumer_offsets";
    if may(OFFSETS) {
        let count = broker.configs.number(caller.node, "offsets.topic.num.partitions").unwrap_or(50);
        let count = i32::try_from(count).unwrap_or(50).max(1);
        for group in &transaction.groups {
            put(OFFSETS, (java_hash(group) & i32::MAX) % count);
        }
    }
    topics
}

/// Java's `String.hashCode`.
fn java_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(unit.into()))
}

pub(crate) fn list(
    broker: &mut Broker,
    caller: &Caller,
    request: ListTransactionsRequest,
    _version: i16,
    now: Now,
) -> ListTransactionsResponse {
    let answer = ListTransactionsResponse::default();
    let text = request.transactional_id_pattern.as_ref().filter(|text| !text.is_empty());
    let Ok(pattern) = text.map(|text| Pattern::read(text)).transpose() else {
        return answer.with_error_code(ResponseError::InvalidRegularExpression.code());
    };
    let (known, unknown): (Vec<_>, Vec<_>) =
        request.state_filters.iter().cloned().partition(|state| STATES.contains(&state.as_str()));
    let fits = |id: &str, transaction: &Transaction| {
        let state = transaction.state.name();
        let of_state = request.state_filters.is_empty() || known.iter().any(|known| known.as_str() == state);
        let ids = &request.producer_id_filters;
        let of_id = ids.is_empty() || ids.iter().any(|id| id.0 == transaction.producer_id);
        let long = request.duration_filter < 0
            || (transaction.started >= 0 && now.wall.saturating_sub(transaction.started) > request.duration_filter);
        let named = pattern.as_ref().is_none_or(|pattern| pattern.matches(id));
        of_state && of_id && long && named
    };
    let may = |id: &str| broker.allowed(caller, Operation::Describe, Resource::TransactionalId(id));
    let here = |id: &str| broker.cluster.coordinates(caller.node, id);
    let states = broker.transactions.iter().filter(|(id, transaction)| fits(id, transaction) && may(id) && here(id));
    let states = states.map(|(id, transaction)| {
        Listed::default()
            .with_transactional_id(TransactionalId(StrBytes::from_string(id.clone())))
            .with_producer_id(ProducerId(transaction.producer_id))
            .with_transaction_state(StrBytes::from_static_str(transaction.state.name()))
    });
    answer.with_transaction_states(states.collect()).with_unknown_state_filters(unknown)
}
