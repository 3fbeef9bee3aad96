//! The classic group protocol: JoinGroup, SyncGroup, Heartbeat, LeaveGroup.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::{
    HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse,
    SyncGroupRequest, SyncGroupResponse,
};
use kafka_protocol::protocol::StrBytes;
use tokio::sync::oneshot;

use super::super::auth::{Operation, Resource};
use super::super::group::classic::member::{Join, Joined, Synced};
use super::super::group::classic::{Classic, Credentials};
use super::super::group::{Group, Members};
use super::super::time::Now;
use super::super::{Broker, Caller, Shared};

/// Kafka's `group.min.session.timeout.ms` and `group.max.session.timeout.ms`.
const SESSION_TIMEOUTS: std::ops::RangeInclusive<i32> = 6_000..=1_800_000;

/// What may still be said in an answer. Who asks for the same again and again in one request is not to fill the memory.
pub(super) struct Room(usize);

impl Room {
    pub(super) fn new() -> Room {
        Room(256 << 20)
    }

    /// Whether there is room for so many bytes more, which are taken.
    pub(super) fn take(&mut self, bytes: usize) -> bool {
        let left = self.0.checked_sub(bytes);
        self.0 = left.unwrap_or(0);
        left.is_some()
    }
}

/// A code of Kafka's: 0 for none.
pub(super) fn code(error: Option<ResponseError>) -> i16 {
    error.map_or(0, |error| error.code())
}

/// A text for an answer.
pub(super) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// Bytes that do not keep the whole request in memory.
pub(super) fn own(bytes: &Bytes) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

/// Checks that the caller may do this to a group, the group's id, and that the broker that was asked looks after it.
pub(super) fn check(broker: &Broker, caller: &Caller, operation: Operation, group: &str) -> Result<(), ResponseError> {
    match check_any(broker, caller, operation, group) {
        Ok(()) | Err(ResponseError::NotCoordinator) if group.is_empty() => Err(ResponseError::InvalidGroupId),
        other => other,
    }
}

/// As [`check`], where a group may have an empty id: it has offsets only.
pub(super) fn check_any(
    broker: &Broker,
    caller: &Caller,
    operation: Operation,
    group: &str,
) -> Result<(), ResponseError> {
    if let Some(error) = caller.fault(None, Some(group)) {
        return Err(error);
    }
    if !broker.allowed(caller, operation, Resource::Group(group)) {
        Err(ResponseError::GroupAuthorizationFailed)
    } else if broker.cluster.coordinates(caller.node, group) {
        Ok(())
    } else {
        Err(ResponseError::NotCoordinator)
    }
}

fn milliseconds(given: i32) -> Duration {
    Duration::from_millis(u64::try_from(given).unwrap_or(0))
}

/// JoinGroup.
pub(crate) async fn join(
    shared: &Shared,
    caller: &Caller,
    request: JoinGroupRequest,
    version: i16,
) -> JoinGroupResponse {
    let (reply, answer) = oneshot::channel();
    let member_id = request.member_id.to_string();
    begin_join(&mut shared.borrow_mut(), caller, request, version, reply);
    // Whoever drops the question has been asked it again.
    let joined = answer.await.unwrap_or_else(|_| Joined::refused(&member_id, ResponseError::UnknownMemberId));
    let members = joined.members.into_iter().map(|(id, instance, said)| {
        JoinGroupResponseMember::default()
            .with_member_id(StrBytes::from_string(id))
            .with_group_instance_id(instance.filter(|_| version >= 5).map(StrBytes::from_string))
            .with_metadata(said)
    });
    let protocol = joined.protocol.map(StrBytes::from_string);
    JoinGroupResponse::default()
        .with_error_code(code(joined.error))
        .with_generation_id(joined.generation)
        .with_protocol_type(joined.protocol_type.filter(|_| version >= 7).map(StrBytes::from_string))
        // Before version 7 it is never null.
        .with_protocol_name(if version >= 7 { protocol } else { Some(protocol.unwrap_or_default()) })
        .with_leader(StrBytes::from_string(joined.leader))
        .with_skip_assignment(joined.skip_assignment && version >= 9)
        .with_member_id(StrBytes::from_string(joined.member_id))
        .with_members(members.collect())
}

fn begin_join(
    broker: &mut Broker,
    caller: &Caller,
    request: JoinGroupRequest,
    version: i16,
    reply: oneshot::Sender<Joined>,
) {
    let now = Now::get();
    let group = &request.group_id;
    let checked = check(broker, caller, Operation::Read, group).and_then(|()| {
        if !SESSION_TIMEOUTS.contains(&request.session_timeout_ms) {
            Err(ResponseError::InvalidSessionTimeout)
        } else if broker.groups.is_full() {
            Err(ResponseError::GroupMaxSizeReached)
        } else if broker.groups.get(group).is_none() && !request.member_id.is_empty() {
            Err(ResponseError::UnknownMemberId)
        } else {
            Ok(())
        }
    });
    if let Err(error) = checked {
        let _ = reply.send(Joined::refused(&request.member_id, error));
        return;
    }
    let join = Join {
        member_id: request.member_id.to_string(),
        instance: request.group_instance_id.as_ref().map(ToString::to_string),
        client_id: caller.client_id.to_string(),
        host: caller.host.to_string(),
        session_timeout: milliseconds(request.session_timeout_ms),
        rebalance_timeout: milliseconds(if version >= 1 {
            request.rebalance_timeout_ms
        } else {
            request.session_timeout_ms
        }),
        protocol_type: request.protocol_type.to_string(),
        protocols: request.protocols.iter().map(|said| (said.name.to_string(), own(&said.metadata))).collect(),
        asks_twice: version >= 4,
        may_skip: version >= 9,
    };
    let new = || Members::Classic(Classic::default());
    let topics = &broker.topics;
    let group = group.to_string();
    broker.groups.with_or_new(&group, now, new, |group| {
        // A group of the other protocol becomes one of this when nobody is in it any more.
        if group.is_empty() && matches!(group.members, Members::Consumer(_)) {
            group.members = new();
        }
        match &mut group.members {
            Members::Classic(classic) => classic.join(&join, now.mono, reply),
            Members::Consumer(consumer) => drop(reply.send(consumer.join_old(&join, topics, now.mono))),
        }
    });
    broker.hurry();
}

/// SyncGroup.
pub(crate) async fn sync(
    shared: &Shared,
    caller: &Caller,
    request: SyncGroupRequest,
    version: i16,
) -> SyncGroupResponse {
    let (reply, answer) = oneshot::channel();
    begin_sync(&mut shared.borrow_mut(), caller, request, version, reply);
    let synced = answer.await.unwrap_or_else(|_| Synced::refused(ResponseError::RebalanceInProgress));
    SyncGroupResponse::default()
        .with_error_code(code(synced.error))
        .with_protocol_type(synced.protocol_type.filter(|_| version >= 5).map(StrBytes::from_string))
        .with_protocol_name(synced.protocol.filter(|_| version >= 5).map(StrBytes::from_string))
        .with_assignment(synced.assignment)
}

fn begin_sync(
    broker: &mut Broker,
    caller: &Caller,
    request: SyncGroupRequest,
    version: i16,
    reply: oneshot::Sender<Synced>,
) {
    let now = Now::get();
    let (kind, protocol) = (request.protocol_type.as_deref(), request.protocol_name.as_deref());
    let checked = check(broker, caller, Operation::Read, &request.group_id).and_then(|()| {
        if version >= 5 && (kind.is_none() || protocol.is_none()) {
            Err(ResponseError::InconsistentGroupProtocol)
        } else if broker.groups.is_full() {
            Err(ResponseError::GroupMaxSizeReached)
        } else if broker.groups.get(&request.group_id).is_some() {
            Ok(())
        } else {
            Err(ResponseError::UnknownMemberId)
        }
    });
    if let Err(error) = checked {
        let _ = reply.send(Synced::refused(error));
        return;
    }
    let who = Credentials {
        member_id: &request.member_id,
        instance: request.group_instance_id.as_deref(),
        generation: request.generation_id,
    };
    let given = request.assignments.iter().map(|given| (given.member_id.to_string(), own(&given.assignment)));
    let given: Vec<(String, Bytes)> = given.collect();
    broker.groups.with(&request.group_id, now, |group| match &mut group.members {
        Members::Classic(classic) => classic.sync(who, kind, protocol, given, now.mono, reply),
        Members::Consumer(consumer) => drop(reply.send(consumer.sync_old(who, protocol, now.mono))),
    });
    broker.hurry();
}

/// Heartbeat.
pub(crate) fn heartbeat(
    broker: &mut Broker,
    caller: &Caller,
    request: HeartbeatRequest,
    _version: i16,
    now: Now,
) -> HeartbeatResponse {
    let who = Credentials {
        member_id: &request.member_id,
        instance: request.group_instance_id.as_deref(),
        generation: request.generation_id,
    };
    let done = check(broker, caller, Operation::Read, &request.group_id).and_then(|()| {
        let beat = |group: &mut Group| match &mut group.members {
            Members::Classic(classic) => classic.heartbeat(who, now.mono),
            Members::Consumer(consumer) => consumer.heartbeat_old(who, now.mono),
        };
        let classic = matches!(broker.groups.get(&request.group_id), Some(Group { members: Members::Classic(_), .. }));
        let beaten = if classic {
            broker.groups.with_quick(&request.group_id, beat)
        } else {
            broker.groups.with(&request.group_id, now, beat)
        };
        broker.hurry();
        beaten.unwrap_or(Err(ResponseError::UnknownMemberId))
    });
    HeartbeatResponse::default().with_error_code(code(done.err()))
}

/// LeaveGroup.
pub(crate) fn leave(
    broker: &mut Broker,
    caller: &Caller,
    request: LeaveGroupRequest,
    version: i16,
    now: Now,
) -> LeaveGroupResponse {
    let who: Vec<(String, Option<String>)> = if version >= 3 {
        let named = request.members.iter();
        named.map(|who| (who.member_id.to_string(), who.group_instance_id.as_ref().map(ToString::to_string))).collect()
    } else {
        vec![(request.member_id.to_string(), None)]
    };
    if let Err(error) = check(broker, caller, Operation::Read, &request.group_id) {
        return LeaveGroupResponse::default().with_error_code(error.code());
    }
    let topics = &broker.topics;
    let left = broker.groups.with(&request.group_id, now, |group| match &mut group.members {
        Members::Classic(classic) => classic.leave(&who, now.mono),
        Members::Consumer(consumer) => {
            let found: Vec<_> = who.iter().map(|(id, instance)| consumer.leaves_old(id, instance.as_deref())).collect();
            let ids: Vec<String> = found.iter().flatten().cloned().collect();
            if !ids.is_empty() {
                consumer.remove(&ids, topics);
            }
            found.into_iter().map(|found| found.map(drop)).collect()
        }
    });
    broker.hurry();
    let left = left.unwrap_or_else(|| who.iter().map(|_| Err(ResponseError::UnknownMemberId)).collect());
    if version < 3 {
        let error = left.into_iter().find_map(Result::err);
        return LeaveGroupResponse::default().with_error_code(code(error));
    }
    let members = who.iter().zip(left).map(|((id, instance), left)| {
        MemberResponse::default()
            .with_member_id(text(id))
            .with_group_instance_id(instance.as_deref().map(text))
            .with_error_code(code(left.err()))
    });
    LeaveGroupResponse::default().with_members(members.collect())
}
