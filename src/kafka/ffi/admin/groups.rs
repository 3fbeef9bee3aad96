//! Consumer groups.

use std::ffi::{CString, c_char};

use rdkafka::bindings as rd;

use super::{Admin, AdminOutcome, Made, Said, each, name, said};
use crate::kafka::ffi::event::{TopicPartitionOffset, places};
use crate::kafka::ffi::text;

/// How many groups one request describes: librdkafka sends one for each of them.
const DESCRIBED: usize = 50;

/// The protocol of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GroupKind {
    /// The members share their work out among themselves.
    Classic,
    /// The broker does it (KIP-848).
    Consumer,
    /// librdkafka has no name for it.
    Unknown,
}

impl GroupKind {
    /// Kafka's name of it, lowercase.
    pub(crate) fn name(self) -> &'static str {
        match self {
            GroupKind::Classic => "classic",
            GroupKind::Consumer => "consumer",
            GroupKind::Unknown => "unknown",
        }
    }

    fn of(kind: rd::rd_kafka_consumer_group_type_t) -> GroupKind {
        match kind {
            rd::rd_kafka_consumer_group_type_t::RD_KAFKA_CONSUMER_GROUP_TYPE_CLASSIC => GroupKind::Classic,
            rd::rd_kafka_consumer_group_type_t::RD_KAFKA_CONSUMER_GROUP_TYPE_CONSUMER => GroupKind::Consumer,
            _ => GroupKind::Unknown,
        }
    }
}

/// What a group is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GroupState {
    /// Members come or go, and the others are waited for.
    PreparingRebalance,
    /// The assignment is waited for.
    CompletingRebalance,
    /// The members work.
    Stable,
    /// It is being removed, or was never there.
    Dead,
    /// It has offsets, and no members.
    Empty,
    /// librdkafka has no name for it: with the newer protocol partitions are on the move.
    Unknown,
}

impl GroupState {
    const ALL: [GroupState; 6] = [
        GroupState::Stable,
        GroupState::Empty,
        GroupState::PreparingRebalance,
        GroupState::CompletingRebalance,
        GroupState::Dead,
        GroupState::Unknown,
    ];

    /// Its name, lowercase with hyphens.
    pub(crate) fn name(self) -> &'static str {
        match self {
            GroupState::PreparingRebalance => "preparing-rebalance",
            GroupState::CompletingRebalance => "completing-rebalance",
            GroupState::Stable => "stable",
            GroupState::Dead => "dead",
            GroupState::Empty => "empty",
            GroupState::Unknown => "unknown",
        }
    }

    /// By Kafka's name, as `PreparingRebalance`.
    pub(crate) fn named(kafkas: &str) -> GroupState {
        let is_it = |state: &GroupState| state.name().replace('-', "").eq_ignore_ascii_case(kafkas);
        GroupState::ALL.into_iter().find(is_it).unwrap_or(GroupState::Unknown)
    }

    fn of(state: rd::rd_kafka_consumer_group_state_t) -> GroupState {
        use rd::rd_kafka_consumer_group_state_t as Rd;
        match state {
            Rd::RD_KAFKA_CONSUMER_GROUP_STATE_PREPARING_REBALANCE => GroupState::PreparingRebalance,
            Rd::RD_KAFKA_CONSUMER_GROUP_STATE_COMPLETING_REBALANCE => GroupState::CompletingRebalance,
            Rd::RD_KAFKA_CONSUMER_GROUP_STATE_STABLE => GroupState::Stable,
            Rd::RD_KAFKA_CONSUMER_GROUP_STATE_DEAD => GroupState::Dead,
            Rd::RD_KAFKA_CONSUMER_GROUP_STATE_EMPTY => GroupState::Empty,
            _ => GroupState::Unknown,
        }
    }
}

/// A group as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GroupListing {
    /// Its name.
    pub name: String,
    /// Its protocol.
    pub kind: GroupKind,
    /// What it is doing.
    pub state: GroupState,
}

/// The groups of all brokers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Those that were told.
    pub groups: Vec<GroupListing>,
    /// Why some may be missing: what single brokers said.
    pub faults: Vec<Said>,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GroupMember {
    /// The id that it got when it joined.
    pub id: String,
    /// The id that it has by itself, where it is a static one.
    pub instance: Option<String>,
    /// Its `client.id`.
    pub client: String,
    /// Where it connects from.
    pub host: String,
    /// The partitions that it has.
    pub assignment: Vec<TopicPartitionOffset>,
    /// The partitions that it is to have; the classic protocol knows no such thing.
    pub target: Option<Vec<TopicPartitionOffset>>,
}

/// The broker that looks after a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Coordinator {
    /// Its number.
    pub id: i32,
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// All that is told of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GroupDescription {
    /// Its protocol.
    pub kind: GroupKind,
    /// What it is doing; a group that is not there is dead.
    pub state: GroupState,
    /// How partitions are shared out, as `range`; empty without members.
    pub assignor: String,
    /// Who looks after it.
    pub coordinator: Option<Coordinator>,
    /// Its members.
    pub members: Vec<GroupMember>,
}

impl Admin<'_> {
    /// Lists the groups of consumers: neither those of other clients (`connect`) nor share groups.
    ///
    /// # Errors
    /// The request as a whole.
    pub(crate) fn list_groups(&self) -> Result<Listed, Said> {
        let answer =
            self.ask(rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPS, |client, options, queue| {
                // SAFETY: all three live until the call is over.
                unsafe { rd::rd_kafka_ListConsumerGroups(client, options, queue) }
            })?;
        // SAFETY: the answer is one to this request, and its lists live as long as it.
        Ok(unsafe {
            let result = rd::rd_kafka_event_ListConsumerGroups_result(answer.pointer());
            let groups = each(|count| rd::rd_kafka_ListConsumerGroups_result_valid(result, count), listing);
            let faults = each(|count| rd::rd_kafka_ListConsumerGroups_result_errors(result, count), |e| said(e));
            Listed { groups, faults: faults.into_iter().flatten().collect() }
        })
    }

    /// Describes groups; each has its own outcome, in their order. No name may stand there twice.
    ///
    /// # Errors
    /// The request as a whole.
    pub(crate) fn describe_groups(&self, groups: &[String]) -> Result<Vec<Result<GroupDescription, Said>>, Said> {
        let names: Vec<CString> = groups.iter().map(|group| name(group)).collect::<Result<_, _>>()?;
        let names: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect::<Vec<_>>();
        let mut parts: Vec<Vec<*const c_char>> = names.chunks(DESCRIBED).map(<[_]>::to_vec).collect();
        let request = rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS;
        let answers = self.ask_each(request, parts.len(), |at, client, options, queue| {
            if let Some(part) = parts.get_mut(at) {
                // SAFETY: everything lives until the call is over, and librdkafka copies the names.
                unsafe { rd::rd_kafka_DescribeConsumerGroups(client, part.as_mut_ptr(), part.len(), options, queue) }
            }
        })?;
        let mut described = Vec::with_capacity(groups.len());
        for answer in answers {
            let answer = answer?;
            // SAFETY: the answer is one to this request, and its list lives as long as it.
            described.extend(unsafe {
                let result = rd::rd_kafka_event_DescribeConsumerGroups_result(answer.pointer());
                each(
                    |count| rd::rd_kafka_DescribeConsumerGroups_result_groups(result, count),
                    |of| said(rd::rd_kafka_ConsumerGroupDescription_error(of)).map_or_else(|| Ok(description(of)), Err),
                )
            });
        }
        Ok(described)
    }

    /// Deletes groups with all their offsets; each has its own outcome.
    ///
    /// # Errors
    /// The request as a whole.
    pub(crate) fn delete_groups(&self, groups: &[String]) -> Result<Vec<AdminOutcome>, Said> {
        let mut made = Made::none(rd::rd_kafka_DeleteGroup_destroy);
        for group in groups {
            let group = name(group)?;
            // SAFETY: librdkafka copies the name; `made` gives the object back.
            made.push(unsafe { rd::rd_kafka_DeleteGroup_new(group.as_ptr()) }, super::Reason::no_memory)?;
        }
        let (array, count) = made.array();
        let answer = self.ask(rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DELETEGROUPS, |client, options, queue| {
            // SAFETY: everything lives until the call is over, and librdkafka copies the names.
            unsafe { rd::rd_kafka_DeleteGroups(client, array, count, options, queue) }
        })?;
        // SAFETY: the answer is one to this request, and its list lives as long as it.
        Ok(unsafe {
            let result = rd::rd_kafka_event_DeleteGroups_result(answer.pointer());
            each(
                |count| rd::rd_kafka_DeleteGroups_result_groups(result, count),
                |of| AdminOutcome {
                    name: text(rd::rd_kafka_group_result_name(of)),
                    result: said(rd::rd_kafka_group_result_error(of)).map_or(Ok(()), Err),
                },
            )
        })
    }
}

fn listing(of: *const rd::rd_kafka_ConsumerGroupListing_t) -> GroupListing {
    // SAFETY: called by `each` for what lives; the name ends in a zero byte.
    unsafe {
        GroupListing {
            name: text(rd::rd_kafka_ConsumerGroupListing_group_id(of)),
            kind: GroupKind::of(rd::rd_kafka_ConsumerGroupListing_type(of)),
            state: GroupState::of(rd::rd_kafka_ConsumerGroupListing_state(of)),
        }
    }
}

/// SAFETY: `of` lives.
unsafe fn description(of: *const rd::rd_kafka_ConsumerGroupDescription_t) -> GroupDescription {
    // SAFETY: what belongs to the description lives as long as it; all texts end in a zero byte or are null.
    unsafe {
        let node = rd::rd_kafka_ConsumerGroupDescription_coordinator(of);
        let members = 0..rd::rd_kafka_ConsumerGroupDescription_member_count(of);
        GroupDescription {
            kind: GroupKind::of(rd::rd_kafka_ConsumerGroupDescription_type(of)),
            state: GroupState::of(rd::rd_kafka_ConsumerGroupDescription_state(of)),
            assignor: text(rd::rd_kafka_ConsumerGroupDescription_partition_assignor(of)),
            coordinator: (!node.is_null()).then(|| Coordinator {
                id: rd::rd_kafka_Node_id(node),
                host: text(rd::rd_kafka_Node_host(node)),
                port: rd::rd_kafka_Node_port(node),
            }),
            members: members
                .map(|at| rd::rd_kafka_ConsumerGroupDescription_member(of, at))
                .filter(|member| !member.is_null())
                .map(|of| member(of))
                .collect(),
        }
    }
}

/// SAFETY: `of` lives.
unsafe fn member(of: *const rd::rd_kafka_MemberDescription_t) -> GroupMember {
    // SAFETY: as above; a member without an assignment has none to read.
    unsafe {
        let partitions = |assignment: *const rd::rd_kafka_MemberAssignment_t| {
            let list = (!assignment.is_null()).then(|| rd::rd_kafka_MemberAssignment_partitions(assignment));
            list.map(|list| places(list))
        };
        let instance = rd::rd_kafka_MemberDescription_group_instance_id(of);
        GroupMember {
            id: text(rd::rd_kafka_MemberDescription_consumer_id(of)),
            instance: (!instance.is_null()).then(|| text(instance)),
            client: text(rd::rd_kafka_MemberDescription_client_id(of)),
            host: text(rd::rd_kafka_MemberDescription_host(of)),
            assignment: partitions(rd::rd_kafka_MemberDescription_assignment(of)).unwrap_or_default(),
            target: partitions(rd::rd_kafka_MemberDescription_target_assignment(of)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_have_kafkas_names() {
        for (name, state) in [
            ("Stable", GroupState::Stable),
            ("PreparingRebalance", GroupState::PreparingRebalance),
            ("CompletingRebalance", GroupState::CompletingRebalance),
            ("Empty", GroupState::Empty),
            ("Dead", GroupState::Dead),
            ("Reconciling", GroupState::Unknown),
        ] {
            assert_eq!(GroupState::named(name), state, "{name}");
        }
    }
}
