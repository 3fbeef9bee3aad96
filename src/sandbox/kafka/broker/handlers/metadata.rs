//! Metadata: the brokers and the topics.

use std::collections::HashSet;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{BrokerId, MetadataRequest, MetadataResponse, TopicName};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::super::auth::{Operation, Resource};
use super::super::creation::{MOST_AT_ONCE, check_name, is_internal};
use super::super::time::{Now, Turn};
use super::super::topic::{Partition, Topic};
use super::super::{Broker, Caller, Shared};

/// What a field of bits is that was not asked for.
const NOT_ASKED: i32 = i32::MIN;

/// Topics that are asked for are looked at by turns: one may ask for a million.
pub(crate) async fn answer(
    shared: &Shared,
    caller: &Caller,
    request: MetadataRequest,
    version: i16,
) -> MetadataResponse {
    if (10..12).contains(&version) && request.topics.iter().flatten().any(|topic| !topic.topic_id.is_nil()) {
        return without_ids(request);
    }
    let answer = about_cluster(&shared.borrow(), caller, &request, version);
    // Version 0 means all of them by none.
    let all = request.topics.as_ref().is_none_or(|topics| version == 0 && topics.is_empty());
    let with_operations = request.include_topic_authorized_operations;
    if all {
        let broker = shared.borrow();
        let may = |topic: &&Topic| broker.allowed(caller, Operation::Describe, Resource::Topic(&topic.name));
        let topics = broker.topics.iter().filter(may).map(|topic| described(&broker, caller, topic, with_operations));
        return answer.with_topics(topics.collect());
    }
    let creates = version < 4 || request.allow_auto_topic_creation;
    let mut made = 0_usize;
    let mut seen = HashSet::new();
    let mut topics = Vec::new();
    let mut turn = Turn::begin();
    for asked in request.topics.unwrap_or_default() {
        turn.pass().await;
        let topic = match asked.name {
            Some(TopicName(name)) if asked.topic_id.is_nil() => {
                // Kafka takes them as a set.
                if !seen.insert(name.clone()) {
                    continue;
                }
                let mut broker = shared.borrow_mut();
                let before = broker.topics.partitions();
                // Whoever asks for a million is not to get them all made.
                let topic = by_name(&mut broker, caller, &name, creates && made < MOST_AT_ONCE, with_operations);
                made += broker.topics.partitions().saturating_sub(before);
                topic
            }
            _ => by_id(&shared.borrow(), caller, asked.topic_id, with_operations),
        };
        topics.push(if version < 12 && topic.name.is_none() {
            topic.with_name(Some(TopicName::default()))
        } else {
            topic
        });
    }
    answer.with_topics(topics)
}

/// The answer without topics.
fn about_cluster(broker: &Broker, caller: &Caller, request: &MetadataRequest, version: i16) -> MetadataResponse {
    let brokers = broker.cluster.alive().map(|node| {
        MetadataResponseBroker::default()
            .with_node_id(BrokerId(node.id))
            .with_host(node.host.clone())
            .with_port(node.port.into())
    });
    let operations = if request.include_cluster_authorized_operations && (8..=10).contains(&version) {
        let may = broker.allowed(caller, Operation::Describe, Resource::Cluster);
        if may { broker.authorized_operations(caller, Resource::Cluster) } else { 0 }
    } else {
        NOT_ASKED
    };
    MetadataResponse::default()
        .with_brokers(brokers.collect())
        .with_cluster_id(Some(broker.cluster.id.clone()))
        .with_controller_id(BrokerId(broker.cluster.controller()))
        .with_cluster_authorized_operations(operations)
}

/// These versions have a field for the id of a topic, but it may not be used.
fn without_ids(request: MetadataRequest) -> MetadataResponse {
    let refused = request.topics.unwrap_or_default().into_iter().map(|topic| {
        MetadataResponseTopic::default()
            .with_error_code(ResponseError::InvalidRequest.code())
            .with_name(Some(topic.name.unwrap_or_default()))
            .with_topic_id(topic.topic_id)
            .with_topic_authorized_operations(NOT_ASKED)
    });
    MetadataResponse::default()
        .with_topics(refused.collect())
        .with_cluster_id(None)
        .with_controller_id(BrokerId(-1))
        .with_cluster_authorized_operations(NOT_ASKED)
}

fn by_name(
    broker: &mut Broker,
    caller: &Caller,
    name: &StrBytes,
    creates: bool,
    with_operations: bool,
) -> MetadataResponseTopic {
    let error = |error: ResponseError| {
        MetadataResponseTopic::default()
            .with_error_code(error.code())
            .with_name(Some(TopicName(name.clone())))
            .with_is_internal(is_internal(name))
            .with_topic_authorized_operations(NOT_ASKED)
    };
    if let Some(fault) = caller.fault(Some(name), None) {
        return error(fault);
    }
    if !broker.allowed(caller, Operation::Describe, Resource::Topic(name)) {
        return error(ResponseError::TopicAuthorizationFailed);
    }
    if broker.topics.get(name).is_none() {
        if check_name(name).is_err() {
            return error(ResponseError::InvalidTopicException);
        }
        if !creates || !broker.configs.flag(caller.node, "auto.create.topics.enable") {
            return error(ResponseError::UnknownTopicOrPartition);
        }
        let may = broker.allowed(caller, Operation::Create, Resource::Cluster)
            || broker.allowed(caller, Operation::Create, Resource::Topic(name));
        if !may {
            return error(ResponseError::TopicAuthorizationFailed);
        }
        // Kafka answers that there is none yet, and clients ask again some 100 ms later. It is there at once here.
        if let Err(why) = broker.auto_create(name, caller, Now::get()) {
            return error(why);
        }
    }
    match broker.topics.get(name) {
        Some(topic) => described(broker, caller, topic, with_operations),
        None => error(ResponseError::UnknownTopicOrPartition),
    }
}

fn by_id(broker: &Broker, caller: &Caller, id: Uuid, with_operations: bool) -> MetadataResponseTopic {
    let error = |error: ResponseError| {
        MetadataResponseTopic::default()
            .with_error_code(error.code())
            .with_name(None)
            .with_topic_id(id)
            .with_topic_authorized_operations(NOT_ASKED)
    };
    match broker.topics.by_id(id) {
        None => error(ResponseError::UnknownTopicId),
        Some(topic) if !broker.allowed(caller, Operation::Describe, Resource::Topic(&topic.name)) => {
            error(ResponseError::TopicAuthorizationFailed)
        }
        Some(topic) => described(broker, caller, topic, with_operations),
    }
}

fn described(broker: &Broker, caller: &Caller, topic: &Topic, with_operations: bool) -> MetadataResponseTopic {
    let operations = with_operations.then(|| broker.authorized_operations(caller, Resource::Topic(&topic.name)));
    let partitions =
        (0..).zip(&topic.partitions).map(|(index, partition)| described_partition(broker, index, partition));
    MetadataResponseTopic::default()
        .with_name(Some(TopicName(topic.name.clone())))
        .with_topic_id(topic.id)
        .with_is_internal(is_internal(&topic.name))
        .with_partitions(partitions.collect())
        .with_topic_authorized_operations(operations.unwrap_or(NOT_ASKED))
}

fn described_partition(broker: &Broker, index: i32, partition: &Partition) -> MetadataResponsePartition {
    let error = if partition.leader == -1 { ResponseError::LeaderNotAvailable.code() } else { 0 };
    let ids = |ids: &[i32]| ids.iter().copied().map(BrokerId).collect::<Vec<_>>();
    MetadataResponsePartition::default()
        .with_error_code(error)
        .with_partition_index(index)
        .with_leader_id(BrokerId(partition.leader))
        .with_leader_epoch(partition.leader_epoch)
        .with_replica_nodes(ids(&partition.replicas))
        .with_isr_nodes(ids(&partition.isr))
        .with_offline_replicas(ids(&partition.offline(&broker.cluster)))
}
