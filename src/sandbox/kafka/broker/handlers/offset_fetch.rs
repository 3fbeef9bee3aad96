//! OffsetFetch.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{GroupId, OffsetFetchRequest, OffsetFetchResponse, TopicName};
use kafka_protocol::protocol::StrBytes;

use super::super::auth::{Operation, Resource};
use super::super::group::classic::Credentials;
use super::super::group::{Group, Members};
use super::super::time::Now;
use super::super::{Broker, Caller};
use super::groups::{Room, check_any, code, text};

/// What a partition takes in an answer, about, beside its metadata.
const EACH: usize = 128;

/// What is asked of a topic, or all that there is.
type Asked = Option<Vec<(TopicName, Vec<i32>)>>;

/// OffsetFetch. A request for one group and one for several differ in version 8.
pub(crate) fn answer(
    broker: &mut Broker,
    caller: &Caller,
    request: OffsetFetchRequest,
    version: i16,
    _now: Now,
) -> OffsetFetchResponse {
    broker.groups.notice(&broker.topics);
    let stable = request.require_stable;
    let mut room = Room::new();
    if version >= 8 {
        let groups = request.groups.into_iter().map(|asked| of_group(broker, caller, asked, stable, &mut room));
        return OffsetFetchResponse::default().with_groups(groups.collect());
    }
    let asked =
        request.topics.map(|topics| topics.into_iter().map(|topic| (topic.name, topic.partition_indexes)).collect());
    let checked = check_any(broker, caller, Operation::Describe, &request.group_id).err();
    if version >= 2 && checked.is_some() {
        return OffsetFetchResponse::default().with_error_code(code(checked));
    }
    let may = |topic: &str| broker.allowed(caller, Operation::Describe, Resource::Topic(topic));
    let found = look_up(broker.groups.get(&request.group_id), asked, stable, &mut room, may);
    let topics = found.into_iter().map(|(name, partitions)| {
        let partitions = partitions.into_iter().map(|found| {
            OffsetFetchResponsePartition::default()
                .with_partition_index(found.partition_index)
                .with_committed_offset(if checked.is_some() { -1 } else { found.committed_offset })
                .with_committed_leader_epoch(if version >= 5 { found.committed_leader_epoch } else { -1 })
                .with_metadata(found.metadata)
                .with_error_code(if checked.is_some() { code(checked) } else { found.error_code })
        });
        OffsetFetchResponseTopic::default().with_name(name).with_partitions(partitions.collect())
    });
    OffsetFetchResponse::default().with_topics(topics.collect())
}

fn of_group(
    broker: &Broker,
    caller: &Caller,
    asked: OffsetFetchRequestGroup,
    stable: bool,
    room: &mut Room,
) -> OffsetFetchResponseGroup {
    let id: GroupId = asked.group_id;
    let group = broker.groups.get(&id);
    let who = Credentials {
        member_id: asked.member_id.as_deref().unwrap_or_default(),
        instance: None,
        generation: asked.member_epoch,
    };
    let checked =
        check_any(broker, caller, Operation::Describe, &id).and_then(|()| match group.map(|group| &group.members) {
            Some(Members::Consumer(consumer)) if asked.member_id.is_some() || asked.member_epoch >= 0 => {
                consumer.check_commit(who, false)
            }
            _ => Ok(()),
        });
    let answer = OffsetFetchResponseGroup::default();
    if let Err(error) = checked {
        return answer.with_group_id(id).with_error_code(error.code());
    }
    let wanted =
        asked.topics.map(|topics| topics.into_iter().map(|topic| (topic.name, topic.partition_indexes)).collect());
    let may = |topic: &str| broker.allowed(caller, Operation::Describe, Resource::Topic(topic));
    let topics = look_up(group, wanted, stable, room, may).into_iter();
    let topics =
        topics.map(|(name, found)| OffsetFetchResponseTopics::default().with_name(name).with_partitions(found));
    answer.with_topics(topics.collect()).with_group_id(id)
}

/// The offsets of a group. What it has none of, is -1. What there is no room for is left out.
fn look_up(
    group: Option<&Group>,
    asked: Asked,
    stable: bool,
    room: &mut Room,
    may: impl Fn(&str) -> bool,
) -> Vec<(TopicName, Vec<OffsetFetchResponsePartitions>)> {
    let all = asked.is_none();
    let asked = asked.unwrap_or_else(|| {
        let all = group.map(|group| group.offsets.all()).unwrap_or_default();
        all.into_iter().map(|(topic, partitions)| (TopicName(text(topic)), partitions)).collect()
    });
    let topics = asked.into_iter().filter(|(topic, _)| !all || may(topic)).map(|(topic, partitions)| {
        if !may(&topic) {
            let error = ResponseError::TopicAuthorizationFailed.code();
            let hidden = partitions.into_iter().map(|partition| none(partition).with_error_code(error));
            return (topic, hidden.take_while(|_| room.take(EACH)).collect());
        }
        let found = partitions.into_iter().filter_map(|partition| one(group, &topic, partition, stable, all));
        let size = |found: &OffsetFetchResponsePartitions| EACH + found.metadata.as_ref().map_or(0, |text| text.len());
        let found = found.take_while(|found| room.take(size(found))).collect();
        (topic, found)
    });
    topics.filter(|(_, found): &(_, Vec<_>)| !all || !found.is_empty()).collect()
}

/// What is said of a partition without an offset.
fn none(partition: i32) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions::default()
        .with_partition_index(partition)
        .with_committed_offset(-1)
        .with_committed_leader_epoch(-1)
        .with_metadata(Some(StrBytes::default()))
}

fn one(
    group: Option<&Group>,
    topic: &str,
    partition: i32,
    stable: bool,
    all: bool,
) -> Option<OffsetFetchResponsePartitions> {
    let answer = none(partition);
    if stable && group.is_some_and(|group| group.offsets.is_unstable(topic, partition)) {
        return Some(answer.with_error_code(ResponseError::UnstableOffsetCommit.code()));
    }
    match group.and_then(|group| group.offsets.get(topic, partition)) {
        Some(found) => Some(
            answer
                .with_committed_offset(found.offset)
                .with_committed_leader_epoch(found.leader_epoch)
                .with_metadata(Some(text(&found.metadata))),
        ),
        None if all => None,
        None => Some(answer),
    }
}
