//! Where replicas are and who leads: DescribeLogDirs, AlterReplicaLogDirs, ElectLeaders, AlterPartitionReassignments,
//! ListPartitionReassignments.

use std::collections::BTreeSet;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::alter_partition_reassignments_request::ReassignablePartition;
use kafka_protocol::messages::alter_partition_reassignments_response::{
    ReassignablePartitionResponse, ReassignableTopicResponse,
};
use kafka_protocol::messages::alter_replica_log_dirs_response::{
    AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult,
};
use kafka_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use kafka_protocol::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use kafka_protocol::messages::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse, AlterReplicaLogDirsRequest,
    AlterReplicaLogDirsResponse, DescribeLogDirsRequest, DescribeLogDirsResponse, ElectLeadersRequest,
    ElectLeadersResponse, ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::super::auth::{Operation, Resource};
use super::super::time::Now;
use super::super::{Broker, Caller};
use super::configs::{Refusal, refusal};

/// The one folder of each broker, by name: nothing is ever written there.
const LOG_DIR: &str = "/tmp/kafka-logs";

pub(crate) fn log_dirs(
    broker: &mut Broker,
    caller: &Caller,
    request: DescribeLogDirsRequest,
    version: i16,
    _now: Now,
) -> DescribeLogDirsResponse {
    let answer = DescribeLogDirsResponse::default();
    if !broker.allowed(caller, Operation::Describe, Resource::Cluster) {
        let code = ResponseError::ClusterAuthorizationFailed.code();
        return if version < 3 { answer } else { answer.with_error_code(code) };
    }
    let wanted = |name: &str, index: i32| match &request.topics {
        None => true,
        Some(topics) => topics.iter().any(|topic| topic.topic.as_str() == name && topic.partitions.contains(&index)),
    };
    let mut topics = Vec::new();
    for topic in broker.topics.iter() {
        let here = topic
            .partitions
            .iter()
            .zip(0..)
            .filter(|(partition, index)| partition.replicas.contains(&caller.node) && wanted(&topic.name, *index));
        let partitions: Vec<DescribeLogDirsPartition> = here
            .map(|(partition, index)| {
                let size = i64::try_from(partition.log.size()).unwrap_or(i64::MAX);
                DescribeLogDirsPartition::default().with_partition_index(index).with_partition_size(size)
            })
            .collect();
        if !partitions.is_empty() {
            let name = TopicName(topic.name.clone());
            topics.push(DescribeLogDirsTopic::default().with_name(name).with_partitions(partitions));
        }
    }
    let mut result =
        DescribeLogDirsResult::default().with_log_dir(StrBytes::from_static_str(LOG_DIR)).with_topics(topics);
    if version >= 4 {
        let total = i64::try_from(broker.options.memory).unwrap_or(i64::MAX);
        let logs = broker.topics.iter().flat_map(|topic| &topic.partitions);
        let used: usize = logs.map(|partition| partition.log.size()).sum();
        result.total_bytes = total;
        result.usable_bytes = total.saturating_sub(i64::try_from(used).unwrap_or(i64::MAX)).max(0);
    }
    answer.with_results(vec![result])
}

pub(crate) fn move_log_dirs(
    broker: &mut Broker,
    caller: &Caller,
    request: AlterReplicaLogDirsRequest,
    _version: i16,
    _now: Now,
) -> AlterReplicaLogDirsResponse {
    let allowed = broker.allowed(caller, Operation::Alter, Resource::Cluster);
    let code = |path: &str| match allowed {
        false => ResponseError::ClusterAuthorizationFailed.code(),
        true if path == LOG_DIR => 0,
        true => ResponseError::LogDirNotFound.code(),
    };
    let results = request.dirs.iter().flat_map(|dir| {
        let code = code(&dir.path);
        dir.topics.iter().map(move |topic| {
            let partitions = topic.partitions.iter().map(|index| {
                AlterReplicaLogDirPartitionResult::default().with_partition_index(*index).with_error_code(code)
            });
            let partitions = partitions.collect();
            AlterReplicaLogDirTopicResult::default().with_topic_name(topic.name.clone()).with_partitions(partitions)
        })
    });
    AlterReplicaLogDirsResponse::default().with_results(results.collect())
}

pub(crate) fn elect(
    broker: &mut Broker,
    caller: &Caller,
    request: ElectLeadersRequest,
    version: i16,
    _now: Now,
) -> ElectLeadersResponse {
    let answer = ElectLeadersResponse::default();
    let error = match request.election_type {
        _ if !broker.allowed(caller, Operation::Alter, Resource::Cluster) => {
            Some(ResponseError::ClusterAuthorizationFailed)
        }
        0 | 1 => None,
        _ => Some(ResponseError::InvalidRequest),
    };
    if let Some(error) = error {
        return if version == 0 { answer } else { answer.with_error_code(error.code()) };
    }
    let unclean = request.election_type == 1;
    let all = request.topic_partitions.is_none();
    let wanted: Vec<(TopicName, Vec<i32>)> = match request.topic_partitions {
        Some(topics) => topics.into_iter().map(|topic| (topic.topic, topic.partitions)).collect(),
        None => {
            let topics = broker.topics.iter();
            topics.map(|topic| (TopicName(topic.name.clone()), (0..).take(topic.partitions.len()).collect())).collect()
        }
    };
    let mut results = Vec::new();
    for (topic, partitions) in wanted {
        let mut done = Vec::new();
        for index in partitions {
            let result = PartitionResult::default().with_partition_id(index).with_error_message(None);
            match lead(broker, &topic, index, unclean) {
                Ok(()) => done.push(result),
                // Who asks for all is told of those only where there was something to do.
                Err((ResponseError::ElectionNotNeeded, _)) if all => {}
                Err((error, why)) => {
                    let why = why.map(StrBytes::from_string);
                    done.push(result.with_error_code(error.code()).with_error_message(why));
                }
            }
        }
        results.push(ReplicaElectionResult::default().with_topic(topic).with_partition_result(done));
    }
    answer.with_replica_election_results(results)
}

/// Lets the preferred replica lead.
fn lead(broker: &mut Broker, topic: &str, index: i32, unclean: bool) -> Result<(), Refusal> {
    if broker.topics.get(topic).is_none() {
        let why = format!("No such topic as {topic}");
        return refusal(ResponseError::UnknownTopicOrPartition, why);
    }
    let cluster = &broker.cluster;
    let Some(partition) = broker.topics.partition_mut(topic, index) else {
        let why = format!("No such partition as {topic}-{index}");
        return refusal(ResponseError::UnknownTopicOrPartition, why);
    };
    let preferred = partition.replicas.first().copied().unwrap_or(-1);
    if unclean {
        let error = if partition.leader == -1 {
            (ResponseError::EligibleLeadersNotAvailable, "Eligible topic partition leaders are not available.")
        } else {
            (ResponseError::ElectionNotNeeded, "Leader election not needed for topic partition.")
        };
        return refusal(error.0, error.1);
    }
    if partition.leader == preferred {
        return refusal(ResponseError::ElectionNotNeeded, "Leader election not needed for topic partition.");
    }
    if !cluster.is_alive(preferred) {
        let why = "The preferred leader was not available.";
        return refusal(ResponseError::PreferredLeaderNotAvailable, why);
    }
    partition.leader = preferred;
    partition.leader_epoch += 1;
    partition.log.begin_epoch(partition.leader_epoch);
    partition.wake();
    Ok(())
}

/// AlterPartitionReassignments: the new replicas are there at once, as all brokers share their memory.
pub(crate) fn reassign(
    broker: &mut Broker,
    caller: &Caller,
    request: AlterPartitionReassignmentsRequest,
    _version: i16,
    _now: Now,
) -> AlterPartitionReassignmentsResponse {
    let answer = AlterPartitionReassignmentsResponse::default().with_error_message(None);
    if !broker.allowed(caller, Operation::Alter, Resource::Cluster) {
        let why = Some(StrBytes::from_static_str("Cluster authorization failed."));
        return answer.with_error_code(ResponseError::ClusterAuthorizationFailed.code()).with_error_message(why);
    }
    let same_factor = !request.allow_replication_factor_change;
    let topics: Vec<ReassignableTopicResponse> = request
        .topics
        .iter()
        .map(|topic| {
            let partitions = topic.partitions.iter().map(|wanted| {
                let result = ReassignablePartitionResponse::default()
                    .with_partition_index(wanted.partition_index)
                    .with_error_message(None);
                match take(broker, &topic.name, wanted, same_factor) {
                    Ok(()) => result,
                    Err((error, why)) => {
                        result.with_error_code(error.code()).with_error_message(why.map(StrBytes::from_string))
                    }
                }
            });
            let partitions = partitions.collect();
            ReassignableTopicResponse::default().with_name(topic.name.clone()).with_partitions(partitions)
        })
        .collect();
    broker.topics.elect(&broker.cluster);
    answer.with_allow_replication_factor_change(request.allow_replication_factor_change).with_responses(topics)
}

fn take(broker: &mut Broker, topic: &str, wanted: &ReassignablePartition, same_factor: bool) -> Result<(), Refusal> {
    let unknown = |why: String| refusal(ResponseError::UnknownTopicOrPartition, why);
    if broker.topics.get(topic).is_none() {
        return unknown(format!("Unable to find a topic named {topic}."));
    }
    let cluster = &broker.cluster;
    let Some(partition) = broker.topics.partition_mut(topic, wanted.partition_index) else {
        return unknown(format!("Unable to find partition {topic}:{}.", wanted.partition_index));
    };
    // Nothing is ever in progress that could be cancelled.
    let replicas = wanted.replicas.as_ref().ok_or((ResponseError::NoReassignmentInProgress, None))?;
    let replicas: Vec<i32> = replicas.iter().map(|id| id.0).collect();
    let invalid = |why: String| refusal(ResponseError::InvalidReplicaAssignment, why);
    if replicas.is_empty() {
        return invalid("The manual partition assignment includes an empty replica list.".to_owned());
    }
    let mut seen = BTreeSet::new();
    for id in &replicas {
        if !seen.insert(*id) {
            return invalid(format!("The manual partition assignment includes the broker {id} more than once."));
        }
        if !cluster.nodes.iter().any(|node| node.id == *id) {
            return invalid(format!(
                "The manual partition assignment includes broker {id}, but no such broker is registered."
            ));
        }
    }
    if same_factor && replicas.len() != partition.replicas.len() {
        let why = format!("The replication factor is changed from {} to {}", partition.replicas.len(), replicas.len());
        return refusal(ResponseError::InvalidReplicationFactor, why);
    }
    partition.replicas = replicas;
    Ok(())
}

pub(crate) fn list_reassignments(
    broker: &mut Broker,
    caller: &Caller,
    _request: ListPartitionReassignmentsRequest,
    _version: i16,
    _now: Now,
) -> ListPartitionReassignmentsResponse {
    let answer = ListPartitionReassignmentsResponse::default().with_error_message(None);
    if broker.allowed(caller, Operation::Describe, Resource::Cluster) {
        return answer;
    }
    let why = Some(StrBytes::from_static_str("Cluster authorization failed."));
    answer.with_error_code(ResponseError::ClusterAuthorizationFailed.code()).with_error_message(why)
}
