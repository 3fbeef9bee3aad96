//! DescribeCluster and DescribeTopicPartitions.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use kafka_protocol::messages::{
    BrokerId, DescribeClusterRequest, DescribeClusterResponse, DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::super::auth::{Operation, Resource};
use super::super::creation::{check_name, is_internal};
use super::super::time::Now;
use super::super::topic::{Partition, Topic};
use super::super::{Broker, Caller};

pub(crate) fn describe(
    broker: &mut Broker,
    caller: &Caller,
    request: DescribeClusterRequest,
    version: i16,
    _now: Now,
) -> DescribeClusterResponse {
    let answer = DescribeClusterResponse::default()
        .with_cluster_id(broker.cluster.id.clone())
        .with_controller_id(BrokerId(broker.cluster.controller()))
        .with_cluster_authorized_operations(i32::MIN);
    if request.endpoint_type != 1 {
        let (error, text) = if request.endpoint_type == 2 {
            let text =
                "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER";
            (ResponseError::MismatchedEndpointType, text.to_owned())
        } else {
            let text = format!("Unsupported endpoint type {}", request.endpoint_type);
            (ResponseError::UnsupportedEndpointType, text)
        };
        return DescribeClusterResponse::default()
            .with_error_code(error.code())
            .with_error_message(Some(StrBytes::from_string(text)));
    }
    let fenced = version >= 2 && request.include_fenced_brokers;
    let nodes = broker.cluster.nodes.iter().filter(|node| node.alive || fenced).map(|node| {
        DescribeClusterBroker::default()
            .with_broker_id(BrokerId(node.id))
            .with_host(node.host.clone())
            .with_port(node.port.into())
            .with_is_fenced(!node.alive)
    });
    let answer = answer.with_brokers(nodes.collect());
    if !request.include_cluster_authorized_operations {
        return answer;
    }
    let may = broker.allowed(caller, Operation::Describe, Resource::Cluster);
    answer.with_cluster_authorized_operations(if may {
        broker.authorized_operations(caller, Resource::Cluster)
    } else {
        0
    })
}

/// Most partitions of an answer, `max.request.partition.size.limit`.
const MOST: usize = 2000;

pub(crate) fn describe_partitions(
    broker: &mut Broker,
    caller: &Caller,
    request: DescribeTopicPartitionsRequest,
    _version: i16,
    _now: Now,
) -> DescribeTopicPartitionsResponse {
    let lists_all = request.topics.is_empty();
    let mut names: Vec<StrBytes> = if lists_all {
        broker.topics.iter().map(|topic| topic.name.clone()).collect()
    } else {
        request.topics.into_iter().map(|topic| topic.name.0).collect()
    };
    names.sort_unstable();
    names.dedup();
    let mut first = 0_usize;
    if request.cursor.as_ref().is_some_and(|cursor| cursor.partition_index < 0) {
        let refused = names.iter().map(|name| missing(name, ResponseError::InvalidRequest, i32::MIN));
        return DescribeTopicPartitionsResponse::default().with_topics(refused.collect());
    }
    if let Some(cursor) = &request.cursor {
        names.retain(|name| *name >= cursor.topic_name.0);
        if names.first() == Some(&cursor.topic_name.0) {
            first = usize::try_from(cursor.partition_index).unwrap_or_default();
        }
    }
    let mut room = usize::try_from(request.response_partition_limit).unwrap_or(1).clamp(1, MOST);
    let mut answer = DescribeTopicPartitionsResponse::default();
    for name in names {
        if room == 0 {
            return answer.with_next_cursor(Some(cursor(&name, 0)));
        }
        let may = broker.allowed(caller, Operation::Describe, Resource::Topic(&name));
        let topic = broker.topics.get(&name);
        let (Some(topic), true) = (topic, may) else {
            if !lists_all {
                let operations = broker.authorized_operations(caller, Resource::Topic(&name));
                answer.topics.push(match (may, check_name(&name).is_ok()) {
                    (true, true) => missing(&name, ResponseError::UnknownTopicOrPartition, operations),
                    (true, false) => missing(&name, ResponseError::InvalidTopicException, operations),
                    (false, _) => missing(&name, ResponseError::TopicAuthorizationFailed, i32::MIN),
                });
            }
            continue;
        };
        let (described, next) = described(broker, caller, topic, first, room);
        room = room.saturating_sub(described.partitions.len());
        answer.topics.push(described);
        if next < topic.partitions.len() {
            return answer.with_next_cursor(Some(cursor(&name, next)));
        }
        first = 0;
    }
    answer
}

fn cursor(name: &StrBytes, partition: usize) -> Cursor {
    let partition = i32::try_from(partition).unwrap_or(i32::MAX);
    Cursor::default().with_topic_name(TopicName(name.clone())).with_partition_index(partition)
}

fn missing(name: &StrBytes, error: ResponseError, operations: i32) -> DescribeTopicPartitionsResponseTopic {
    DescribeTopicPartitionsResponseTopic::default()
        .with_error_code(error.code())
        .with_name(Some(TopicName(name.clone())))
        .with_is_internal(is_internal(name))
        .with_topic_authorized_operations(operations)
}

/// So many partitions of a topic, and the first that is left.
fn described(
    broker: &Broker,
    caller: &Caller,
    topic: &Topic,
    first: usize,
    most: usize,
) -> (DescribeTopicPartitionsResponseTopic, usize) {
    let partitions = (0..).zip(&topic.partitions).skip(first).take(most);
    let partitions: Vec<_> =
        partitions.map(|(index, partition)| described_partition(broker, index, partition)).collect();
    let next = first.saturating_add(partitions.len());
    let described = DescribeTopicPartitionsResponseTopic::default()
        .with_name(Some(TopicName(topic.name.clone())))
        .with_topic_id(topic.id)
        .with_is_internal(is_internal(&topic.name))
        .with_topic_authorized_operations(broker.authorized_operations(caller, Resource::Topic(&topic.name)))
        .with_partitions(partitions);
    (described, next)
}

fn described_partition(broker: &Broker, index: i32, partition: &Partition) -> DescribeTopicPartitionsResponsePartition {
    let error = if partition.leader == -1 { ResponseError::LeaderNotAvailable.code() } else { 0 };
    let ids = |ids: &[i32]| ids.iter().copied().map(BrokerId).collect::<Vec<_>>();
    DescribeTopicPartitionsResponsePartition::default()
        .with_error_code(error)
        .with_partition_index(index)
        .with_leader_id(BrokerId(partition.leader))
        .with_leader_epoch(partition.leader_epoch)
        .with_replica_nodes(ids(&partition.replicas))
        .with_isr_nodes(ids(&partition.isr))
        .with_eligible_leader_replicas(Some(Vec::new()))
        .with_last_known_elr(Some(Vec::new()))
        .with_offline_replicas(ids(&partition.offline(&broker.cluster)))
}
