//! OffsetCommit and TxnOffsetCommit.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use kafka_protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use kafka_protocol::messages::{
    OffsetCommitRequest, OffsetCommitResponse, TopicName, TxnOffsetCommitRequest, TxnOffsetCommitResponse,
};

use super::super::auth::{Operation, Resource};
use super::super::group::classic::{Classic, Credentials};
use super::super::group::offsets::Committed;
use super::super::group::{Catalogue, Group, Members};
use super::super::time::Now;
use super::super::{Broker, Caller};
use super::groups::{check_any, code};

/// Kafka's `offset.metadata.max.bytes`.
const MOST_METADATA: usize = 4096;

/// One offset of a request.
struct Asked {
    partition: i32,
    offset: i64,
    leader_epoch: i32,
    metadata: String,
}

/// Where offsets go.
struct Place<'a> {
    group: &'a str,
    /// Whose transaction they belong to.
    producer: Option<i64>,
    /// When they are dropped, where the client says so.
    until: Option<i64>,
}

/// A topic's partitions, each with what became of it.
type Done = Vec<(TopicName, Vec<(i32, Option<ResponseError>)>)>;

/// OffsetCommit.
pub(crate) fn commit(
    broker: &mut Broker,
    caller: &Caller,
    request: OffsetCommitRequest,
    version: i16,
    now: Now,
) -> OffsetCommitResponse {
    let who = Credentials {
        member_id: &request.member_id,
        instance: request.group_instance_id.as_deref(),
        generation: request.generation_id_or_member_epoch,
    };
    let allowed = may_commit(broker, caller, &request.group_id, who, version, now);
    let until = (request.retention_time_ms >= 0).then(|| now.wall.saturating_add(request.retention_time_ms));
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.into_iter().map(|asked| Asked {
            partition: asked.partition_index,
            offset: asked.committed_offset,
            leader_epoch: asked.committed_leader_epoch,
            metadata: asked.committed_metadata.map(|metadata| metadata.to_string()).unwrap_or_default(),
        });
        (topic.name, partitions.collect())
    });
    let to = Place { group: &request.group_id, producer: None, until };
    let done = store(broker, caller, &to, topics.collect(), allowed, now);
    let topics = done.into_iter().map(|(topic, partitions)| {
        let partitions = partitions.into_iter().map(|(partition, error)| {
            OffsetCommitResponsePartition::default().with_partition_index(partition).with_error_code(code(error))
        });
        OffsetCommitResponseTopic::default().with_name(topic).with_partitions(partitions.collect())
    });
    OffsetCommitResponse::default().with_topics(topics.collect())
}

/// Whether somebody may commit to a group. One that only stores offsets is made if need be.
fn may_commit(
    broker: &mut Broker,
    caller: &Caller,
    group: &str,
    who: Credentials<'_>,
    version: i16,
    now: Now,
) -> Result<(), ResponseError> {
    check_any(broker, caller, Operation::Read, group)?;
    broker.groups.notice(&broker.topics);
    if broker.groups.get(group).is_none() {
        return match (who.generation < 0, version >= 9) {
            (true, _) => make(broker, group, now),
            (false, true) => Err(ResponseError::GroupIdNotFound),
            (false, false) => Err(ResponseError::IllegalGeneration),
        };
    }
    let checked = broker.groups.with_quick(group, |group| match &mut group.members {
        Members::Classic(classic) => {
            classic.check_commit(who, false)?;
            classic.touch(who.member_id, now.mono);
            Ok(())
        }
        Members::Consumer(consumer) if version < 9 && consumer.speaks_new(who.member_id) => {
            Err(ResponseError::UnsupportedVersion)
        }
        Members::Consumer(consumer) => consumer.check_commit(who, false),
    });
    checked.unwrap_or(Err(ResponseError::UnknownMemberId))
}

fn make(broker: &mut Broker, group: &str, now: Now) -> Result<(), ResponseError> {
    let new = || Members::Classic(Classic::default());
    let made = broker.groups.with_or_new(group, now, new, |_: &mut Group| ());
    broker.hurry();
    made.ok_or(ResponseError::CoordinatorNotAvailable)
}

/// TxnOffsetCommit: offsets that count when the producer's transaction is committed.
pub(crate) fn commit_in_txn(
    broker: &mut Broker,
    caller: &Caller,
    request: TxnOffsetCommitRequest,
    version: i16,
    now: Now,
) -> TxnOffsetCommitResponse {
    let allowed = check_any(broker, caller, Operation::Read, &request.group_id)
        .and_then(|()| broker.offsets_in_transaction(caller, &request, version, now))
        .and_then(|()| may_commit_in_txn(broker, &request, now));
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.into_iter().map(|asked| Asked {
            partition: asked.partition_index,
            offset: asked.committed_offset,
            leader_epoch: asked.committed_leader_epoch,
            metadata: asked.committed_metadata.map(|metadata| metadata.to_string()).unwrap_or_default(),
        });
        (topic.name, partitions.collect())
    });
    let to = Place { group: &request.group_id, producer: Some(request.producer_id.0), until: None };
    let done = store(broker, caller, &to, topics.collect(), allowed, now);
    let topics = done.into_iter().map(|(topic, partitions)| {
        let partitions = partitions.into_iter().map(|(partition, error)| {
            TxnOffsetCommitResponsePartition::default().with_partition_index(partition).with_error_code(code(error))
        });
        TxnOffsetCommitResponseTopic::default().with_name(topic).with_partitions(partitions.collect())
    });
    TxnOffsetCommitResponse::default().with_topics(topics.collect())
}

fn may_commit_in_txn(broker: &mut Broker, request: &TxnOffsetCommitRequest, now: Now) -> Result<(), ResponseError> {
    let group = &request.group_id;
    broker.groups.notice(&broker.topics);
    let who = Credentials {
        member_id: &request.member_id,
        instance: request.group_instance_id.as_deref(),
        generation: request.generation_id,
    };
    match broker.groups.get(group).map(|group| &group.members) {
        None if who.generation < 0 => make(broker, group, now),
        None => Err(ResponseError::IllegalGeneration),
        Some(Members::Classic(classic)) => classic.check_commit(who, true),
        // A producer knows no epochs, only generations.
        Some(Members::Consumer(consumer)) => consumer.check_commit(who, true).map_err(|error| match error {
            ResponseError::StaleMemberEpoch => ResponseError::IllegalGeneration,
            other => other,
        }),
    }
}

/// Stores what may be stored.
fn store(
    broker: &mut Broker,
    caller: &Caller,
    to: &Place<'_>,
    asked: Vec<(TopicName, Vec<Asked>)>,
    allowed: Result<(), ResponseError>,
    now: Now,
) -> Done {
    let topics = &broker.topics;
    let mut done = Done::new();
    for (topic, partitions) in asked {
        let may = broker.allowed(caller, Operation::Read, Resource::Topic(&topic));
        let there = topics.find(&topic);
        let mut answers = Vec::new();
        for Asked { partition, offset, leader_epoch, metadata } in partitions {
            let found = there.filter(|(_, count)| (0..*count).contains(&partition));
            let error = match (found, allowed) {
                (_, Err(ResponseError::GroupAuthorizationFailed)) => Some(ResponseError::GroupAuthorizationFailed),
                _ if !may => Some(ResponseError::TopicAuthorizationFailed),
                (None, _) => Some(ResponseError::UnknownTopicOrPartition),
                (_, Err(error)) => Some(error),
                _ if metadata.len() > MOST_METADATA => Some(ResponseError::OffsetMetadataTooLarge),
                _ if broker.groups.is_full() => Some(ResponseError::InvalidCommitOffsetSize),
                (Some((id, _)), Ok(())) => {
                    let committed = Committed { offset, leader_epoch, metadata, at: now.wall, until: to.until };
                    broker.groups.commit(to.group, to.producer, (&topic, id, partition), committed);
                    None
                }
            };
            answers.push((partition, error));
        }
        done.push((topic, answers));
    }
    done
}
