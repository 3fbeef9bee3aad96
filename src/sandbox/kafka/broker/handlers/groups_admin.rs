//! Groups as an administrator sees them: ListGroups, DescribeGroups, DeleteGroups, OffsetDelete.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;
use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::offset_delete_response::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic};
use kafka_protocol::messages::{
    DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse, GroupId,
    ListGroupsRequest, ListGroupsResponse, OffsetDeleteRequest, OffsetDeleteResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::super::auth::{Operation, Resource};
use super::super::group::classic::{Classic, State};
use super::super::group::{Catalogue, Group, Members};
use super::super::time::Now;
use super::super::{Broker, Caller};
use super::groups::{Room, check, check_any, code, text};

/// What says that nobody has asked for the operations.
pub(super) const NO_OPERATIONS: i32 = i32::MIN;

/// A group's state and its kind.
pub(crate) fn state_of(group: &Group) -> (&'static str, &'static str) {
    match &group.members {
        Members::Classic(classic) => (classic.state.name(), "classic"),
        Members::Consumer(consumer) => (consumer.state(), "consumer"),
    }
}

/// ListGroups: those that this broker looks after, of the states and kinds that are asked for.
pub(crate) fn list(
    broker: &mut Broker,
    caller: &Caller,
    request: ListGroupsRequest,
    version: i16,
    _now: Now,
) -> ListGroupsResponse {
    let wanted =
        |filter: &[StrBytes], is: &str| filter.is_empty() || filter.iter().any(|one| one.eq_ignore_ascii_case(is));
    let all = broker.allowed(caller, Operation::Describe, Resource::Cluster);
    let may = |id: &str| all || broker.allowed(caller, Operation::Describe, Resource::Group(id));
    let mut groups = Vec::new();
    for (id, group) in broker.groups.iter().filter(|(id, _)| broker.cluster.coordinates(caller.node, id) && may(id)) {
        let (state, kind) = state_of(group);
        if !wanted(&request.states_filter, state) || !wanted(&request.types_filter, kind) {
            continue;
        }
        let protocol = match &group.members {
            Members::Classic(classic) => classic.protocol_type.as_deref().unwrap_or_default(),
            Members::Consumer(_) => "consumer",
        };
        let mut listed = ListedGroup::default().with_group_id(GroupId(text(id))).with_protocol_type(text(protocol));
        if version >= 4 {
            listed = listed.with_group_state(text(state));
        }
        if version >= 5 {
            listed = listed.with_group_type(text(kind));
        }
        groups.push(listed);
    }
    ListGroupsResponse::default().with_groups(groups)
}

/// DescribeGroups: classic ones. What is none is dead, and from version 6 on not found.
pub(crate) fn describe(
    broker: &mut Broker,
    caller: &Caller,
    request: DescribeGroupsRequest,
    version: i16,
    _now: Now,
) -> DescribeGroupsResponse {
    let mut room = Room::new();
    let groups = request.groups.into_iter().map(|id| {
        let answer = DescribedGroup::default().with_authorized_operations(NO_OPERATIONS);
        if let Err(error) = check_any(broker, caller, Operation::Describe, &id) {
            return answer.with_group_id(id).with_error_code(error.code());
        }
        let operations = match request.include_authorized_operations {
            true => broker.authorized_operations(caller, Resource::Group(&id)),
            false => NO_OPERATIONS,
        };
        let found = broker.groups.get(&id).map(|group| &group.members);
        let answer = match found {
            Some(Members::Classic(classic)) if !room.take(classic.size()) => {
                answer.with_error_code(ResponseError::CoordinatorLoadInProgress.code())
            }
            Some(Members::Classic(classic)) => one(answer, classic).with_authorized_operations(operations),
            _ if version >= 6 => {
                let why = if found.is_some() { "is not a classic group." } else { "not found." };
                let sentence = StrBytes::from_string(format!("Group {} {why}", &*id));
                let error = ResponseError::GroupIdNotFound.code();
                answer.with_group_state(text("Dead")).with_error_code(error).with_error_message(Some(sentence))
            }
            _ => answer.with_group_state(text("Dead")).with_authorized_operations(operations),
        };
        answer.with_group_id(id)
    });
    DescribeGroupsResponse::default().with_groups(groups.collect())
}

fn one(answer: DescribedGroup, classic: &Classic) -> DescribedGroup {
    // What was said and assigned is only told of a group that has settled on it.
    let protocol = classic.protocol.as_deref().filter(|_| classic.state == State::Stable);
    let members = classic.members.iter().map(|(id, member)| {
        DescribedGroupMember::default()
            .with_member_id(text(id))
            .with_group_instance_id(member.instance.as_deref().map(text))
            .with_client_id(text(&member.client_id))
            .with_client_host(text(&member.host))
            .with_member_metadata(protocol.map(|protocol| member.metadata(protocol)).unwrap_or_default())
            .with_member_assignment(if protocol.is_some() { member.assignment.clone() } else { Bytes::new() })
    });
    answer
        .with_group_state(text(classic.state.name()))
        .with_protocol_type(text(classic.protocol_type.as_deref().unwrap_or_default()))
        .with_protocol_data(text(protocol.unwrap_or_default()))
        .with_members(members.collect())
}

/// DeleteGroups: those that nobody is in.
pub(crate) fn delete(
    broker: &mut Broker,
    caller: &Caller,
    request: DeleteGroupsRequest,
    _version: i16,
    _now: Now,
) -> DeleteGroupsResponse {
    let results = request.groups_names.into_iter().map(|id| {
        let checked = check_any(broker, caller, Operation::Delete, &id).and_then(|()| match broker.groups.get(&id) {
            None => Err(ResponseError::GroupIdNotFound),
            Some(group) if !group.is_empty() => Err(ResponseError::NonEmptyGroup),
            Some(_) => Ok(()),
        });
        if checked.is_ok() {
            broker.groups.remove(&id);
        }
        DeletableGroupResult::default().with_error_code(code(checked.err())).with_group_id(id)
    });
    DeleteGroupsResponse::default().with_results(results.collect())
}

/// OffsetDelete: of topics that nobody in the group subscribes.
pub(crate) fn delete_offsets(
    broker: &mut Broker,
    caller: &Caller,
    request: OffsetDeleteRequest,
    _version: i16,
    _now: Now,
) -> OffsetDeleteResponse {
    let id = request.group_id;
    let checked = check(broker, caller, Operation::Delete, &id).and_then(|()| match broker.groups.get(&id) {
        None => Err(ResponseError::GroupIdNotFound),
        Some(Group { members: Members::Classic(classic), .. })
            if classic.state != State::Empty && !classic.is_of_consumers() =>
        {
            Err(ResponseError::NonEmptyGroup)
        }
        Some(_) => Ok(()),
    });
    if let Err(error) = checked {
        return OffsetDeleteResponse::default().with_error_code(error.code());
    }
    let topics = request.topics.into_iter().map(|topic| {
        let there = broker.topics.find(&topic.name).map_or(0, |(_, count)| count);
        let may = broker.allowed(caller, Operation::Read, Resource::Topic(&topic.name));
        let subscribed = broker.groups.get(&id).is_some_and(|group| group.subscribes(&topic.name));
        let mut asked: Vec<i32> = topic.partitions.iter().map(|asked| asked.partition_index).collect();
        // What is not there comes first, as from Kafka.
        asked.sort_by_key(|partition| (0..there).contains(partition));
        let partitions = asked.into_iter().map(|partition| {
            let error = if !may {
                Some(ResponseError::TopicAuthorizationFailed)
            } else if !(0..there).contains(&partition) {
                Some(ResponseError::UnknownTopicOrPartition)
            } else if subscribed {
                Some(ResponseError::GroupSubscribedToTopic)
            } else {
                broker.groups.with_offsets(&id, |offsets| offsets.delete(&topic.name, partition));
                None
            };
            OffsetDeleteResponsePartition::default().with_partition_index(partition).with_error_code(code(error))
        });
        OffsetDeleteResponseTopic::default().with_partitions(partitions.collect()).with_name(topic.name)
    });
    OffsetDeleteResponse::default().with_topics(topics.collect())
}
