//! Consumer groups of KIP-848: ConsumerGroupHeartbeat and ConsumerGroupDescribe.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as URL_SAFE_NO_PAD;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::consumer_group_describe_response as described;
use kafka_protocol::messages::consumer_group_heartbeat_response::{Assignment, TopicPartitions};
use kafka_protocol::messages::{
    ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::super::auth::{Operation, Resource};
use super::super::group::assign::Assigned;
use super::super::group::assign::Assignor;
use super::super::group::consumer::Consumer;
use super::super::group::consumer::member::{Beat, LEAVE, LEAVE_STATIC, Member, Refusal, Told};
use super::super::group::{Group, Members};
use super::super::time::Now;
use super::super::{Broker, Caller};
use super::groups::{Room, check, text};
use super::groups_admin::NO_OPERATIONS;

/// ConsumerGroupHeartbeat.
pub(crate) fn heartbeat(
    broker: &mut Broker,
    caller: &Caller,
    request: ConsumerGroupHeartbeatRequest,
    version: i16,
    now: Now,
) -> ConsumerGroupHeartbeatResponse {
    let told = beat(broker, caller, request, version, now);
    broker.hurry();
    let answer = ConsumerGroupHeartbeatResponse::default();
    match told {
        Ok(told) => answer
            .with_member_id(Some(StrBytes::from_string(told.member_id)))
            .with_member_epoch(told.epoch)
            .with_heartbeat_interval_ms(i32::try_from(told.interval.as_millis()).unwrap_or(i32::MAX))
            .with_assignment(told.assignment.map(|assigned| {
                let topics = assigned.into_iter().map(|(topic, partitions)| {
                    TopicPartitions::default().with_topic_id(topic).with_partitions(partitions.into_iter().collect())
                });
                Assignment::default().with_topic_partitions(topics.collect())
            })),
        Err(refusal) => answer
            .with_error_code(refusal.error.code())
            .with_error_message(Some(StrBytes::from_string(refusal.message)).filter(|message| !message.is_empty())),
    }
}

fn beat(
    broker: &mut Broker,
    caller: &Caller,
    request: ConsumerGroupHeartbeatRequest,
    version: i16,
    now: Now,
) -> Result<Told, Refusal> {
    let group = request.group_id.to_string();
    let mut beat = read(&request, caller, version)?;
    check(broker, caller, Operation::Read, &group).map_err(|error| Refusal::new(error, String::new()))?;
    let hidden = |name: &String| !broker.allowed(caller, Operation::Describe, Resource::Topic(name));
    if beat.topics.iter().flatten().any(hidden) {
        return Err(Refusal::new(ResponseError::TopicAuthorizationFailed, String::new()));
    }
    if beat.member_id.is_empty() {
        beat.member_id = URL_SAFE_NO_PAD.encode(Uuid::new_v4());
    }
    if beat.epoch == 0 && broker.groups.is_full() {
        return Err(Refusal::new(ResponseError::GroupMaxSizeReached, "There is no room for another member."));
    }
    broker.groups.notice(&broker.topics);
    let set =
        |name: &str| broker.configs.by_group.get(&group)?.get(name)?.trim().parse().ok().map(Duration::from_millis);
    beat.session_timeout = set("consumer.session.timeout.ms");
    beat.interval = set("consumer.heartbeat.interval.ms");
    let topics = &broker.topics;
    let kind = if beat.epoch < 0 { "Group" } else { "Consumer group" };
    let not_there = || Refusal::new(ResponseError::GroupIdNotFound, format!("{kind} {group} not found."));
    let work = |found: &mut Group| {
        if beat.epoch == 0 && found.is_empty() && matches!(found.members, Members::Classic(_)) {
            found.members = Members::Consumer(Consumer::new());
        }
        // One whose members are consumers moves to this protocol while it lives (`group.consumer.migration.policy`).
        let moved = match &mut found.members {
            Members::Classic(classic) if beat.epoch == 0 => Consumer::from_classic(classic, topics, now.mono),
            _ => None,
        };
        if let Some(moved) = moved {
            found.members = Members::Consumer(moved);
        }
        match &mut found.members {
            Members::Consumer(consumer) => consumer.heartbeat(&group, &beat, topics, now.mono),
            Members::Classic(_) => {
                let sentence = format!("Group {group} is not a consumer group.");
                Err(Refusal::new(ResponseError::GroupIdNotFound, sentence))
            }
        }
    };
    let quick = beat.epoch > 0 && beat.topics.is_none() && beat.regex.is_none() && settled(broker.groups.get(&group));
    let told = if quick {
        broker.groups.with_quick(&group, work)
    } else if beat.epoch == 0 {
        let full = || Refusal::new(ResponseError::GroupMaxSizeReached, "There are too many groups.");
        let new = || Members::Consumer(Consumer::new());
        return broker.groups.with_or_new(&group, now, new, work).unwrap_or_else(|| Err(full()));
    } else {
        broker.groups.with(&group, now, work)
    };
    told.unwrap_or_else(|| Err(not_there()))
}

/// Whether a heartbeat that says nothing new changes nothing in a group but when its member expires.
fn settled(group: Option<&Group>) -> bool {
    matches!(group.map(|group| &group.members), Some(Members::Consumer(consumer)) if consumer.state() == "Stable")
}

/// Checks what a request says by itself (`throwIfConsumerGroupHeartbeatRequestIsInvalid`).
fn read(request: &ConsumerGroupHeartbeatRequest, caller: &Caller, version: i16) -> Result<Beat, Refusal> {
    let invalid = |sentence: &str| Err(Refusal::new(ResponseError::InvalidRequest, sentence));
    let epoch = request.member_epoch;
    if request.member_id.is_empty() && (version >= 1 || epoch != 0) {
        return invalid("MemberId can't be empty.");
    }
    if request.group_id.is_empty() {
        return invalid("GroupId can't be empty.");
    }
    if request.instance_id.as_ref().is_some_and(|id| id.is_empty()) {
        return invalid("InstanceId can't be empty.");
    }
    if request.rack_id.as_ref().is_some_and(|id| id.is_empty()) {
        return invalid("RackId can't be empty.");
    }
    if epoch == 0 {
        if request.rebalance_timeout_ms == -1 {
            return invalid("RebalanceTimeoutMs must be provided in first request.");
        }
        if request.topic_partitions.as_ref().is_none_or(|has| !has.is_empty()) {
            return invalid("TopicPartitions must be empty when (re-)joining.");
        }
        if request.subscribed_topic_names.is_none() && request.subscribed_topic_regex.is_none() {
            return invalid("Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.");
        }
    }
    if epoch == LEAVE_STATIC && request.instance_id.is_none() {
        return invalid("InstanceId can't be null.");
    }
    if epoch < LEAVE_STATIC {
        return invalid("MemberEpoch is invalid.");
    }
    let assignor = request.server_assignor.as_ref().map(ToString::to_string).filter(|_| epoch > LEAVE);
    if let Some(name) = &assignor
        && Assignor::by_name(name).is_none()
    {
        let sentence = format!("ServerAssignor {name} is not supported. Supported assignors: uniform, range.");
        return Err(Refusal::new(ResponseError::UnsupportedAssignor, sentence));
    }
    let owned = request.topic_partitions.as_ref().map(|topics| {
        let topics = topics.iter().filter(|topic| !topic.partitions.is_empty());
        topics.map(|topic| (topic.topic_id, topic.partitions.iter().copied().collect())).collect::<Assigned>()
    });
    let timeout = u64::try_from(request.rebalance_timeout_ms).ok().map(Duration::from_millis);
    let topics = request.subscribed_topic_names.as_ref();
    Ok(Beat {
        member_id: request.member_id.to_string(),
        instance: request.instance_id.as_ref().map(ToString::to_string),
        rack: request.rack_id.as_ref().map(ToString::to_string),
        epoch,
        rebalance_timeout: timeout,
        topics: topics.map(|topics| topics.iter().map(|topic| topic.to_string()).collect()),
        regex: request.subscribed_topic_regex.as_ref().map(ToString::to_string),
        assignor,
        owned,
        client_id: caller.client_id.to_string(),
        host: caller.host.to_string(),
        session_timeout: None,
        interval: None,
    })
}

/// ConsumerGroupDescribe.
pub(crate) fn describe(
    broker: &mut Broker,
    caller: &Caller,
    request: ConsumerGroupDescribeRequest,
    version: i16,
    _now: Now,
) -> ConsumerGroupDescribeResponse {
    let mut room = Room::new();
    let groups = request.group_ids.into_iter().map(|id| {
        let answer = described::DescribedGroup::default().with_authorized_operations(NO_OPERATIONS);
        if let Err(error) = check(broker, caller, Operation::Describe, &id) {
            return answer.with_group_id(id).with_error_code(error.code());
        }
        let hidden = |name: &str| !broker.allowed(caller, Operation::Describe, Resource::Topic(name));
        match broker.groups.get(&id).map(|group| &group.members) {
            Some(Members::Consumer(consumer)) if !room.take(2 * consumer.size()) => {
                answer.with_group_id(id).with_error_code(ResponseError::CoordinatorLoadInProgress.code())
            }
            Some(Members::Consumer(consumer)) if consumer.topics().any(hidden) => {
                let sentence = "The group has described topic(s) that the client is not authorized to describe.";
                let error = ResponseError::TopicAuthorizationFailed.code();
                answer.with_group_id(id).with_error_code(error).with_error_message(Some(text(sentence)))
            }
            Some(Members::Consumer(consumer)) => {
                let operations = match request.include_authorized_operations {
                    true => broker.authorized_operations(caller, Resource::Group(&id)),
                    false => NO_OPERATIONS,
                };
                one(answer, consumer, version).with_group_id(id).with_authorized_operations(operations)
            }
            found => {
                let why = if found.is_some() { "is not a consumer group." } else { "not found." };
                let sentence = StrBytes::from_string(format!("Group {} {why}", &*id));
                let error = ResponseError::GroupIdNotFound.code();
                answer.with_group_id(id).with_error_code(error).with_error_message(Some(sentence))
            }
        }
    });
    ConsumerGroupDescribeResponse::default().with_groups(groups.collect())
}

fn one(answer: described::DescribedGroup, consumer: &Consumer, version: i16) -> described::DescribedGroup {
    let members = consumer.members.iter().map(|(id, member)| member_of(consumer, id, member, version));
    answer
        .with_group_state(text(consumer.state()))
        .with_group_epoch(consumer.epoch)
        .with_assignment_epoch(consumer.assignment_epoch)
        .with_assignor_name(text(consumer.assignor.name()))
        .with_members(members.collect())
}

fn member_of(consumer: &Consumer, id: &str, member: &Member, version: i16) -> described::Member {
    let partitions = |assigned: &Assigned| {
        let topics = assigned.iter().filter_map(|(topic, partitions)| {
            let name = TopicName(text(consumer.topic_name(*topic)?));
            let partitions = partitions.iter().copied().collect();
            let topic = described::TopicPartitions::default().with_topic_id(*topic).with_topic_name(name);
            Some(topic.with_partitions(partitions))
        });
        described::Assignment::default().with_topic_partitions(topics.collect())
    };
    let none = Assigned::new();
    described::Member::default()
        .with_member_id(text(id))
        .with_instance_id(member.instance.as_deref().map(text))
        .with_rack_id(member.rack.as_deref().map(text))
        .with_member_epoch(member.epoch)
        .with_client_id(text(&member.client_id))
        .with_client_host(text(&member.host))
        .with_subscribed_topic_names(member.topics.iter().map(|topic| TopicName(text(topic))).collect())
        .with_subscribed_topic_regex(Some(text(member.regex.as_deref().unwrap_or_default())))
        .with_assignment(partitions(&member.assigned))
        .with_target_assignment(partitions(consumer.target.get(id).unwrap_or(&none)))
        .with_member_type(if version >= 1 { i8::from(member.old.is_none()) } else { -1 })
}
