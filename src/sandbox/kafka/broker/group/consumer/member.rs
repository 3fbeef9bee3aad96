//! A member of a consumer group of KIP-848, what it says, and what it is told.

use bytes::Bytes;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::super::assign::Assigned;
use kafka_protocol::error::ResponseError;

/// What only a member has that speaks the classic protocol.
#[derive(Debug, Clone)]
pub(crate) struct Old {
    pub session_timeout: Duration,
    /// As it joined with.
    pub protocols: Vec<(String, Bytes)>,
}

/// The epoch of a member that leaves.
pub(crate) const LEAVE: i32 = -1;
/// The epoch of a static member that leaves and will come back.
pub(crate) const LEAVE_STATIC: i32 = -2;

/// What a client says in ConsumerGroupHeartbeat. None is what it does not repeat.
#[derive(Debug, Clone, Default)]
pub(crate) struct Beat {
    pub member_id: String,
    pub instance: Option<String>,
    pub rack: Option<String>,
    /// Its epoch as it knows it; 0 to join.
    pub epoch: i32,
    pub rebalance_timeout: Option<Duration>,
    pub topics: Option<Vec<String>>,
    pub regex: Option<String>,
    pub assignor: Option<String>,
    pub owned: Option<Assigned>,
    pub client_id: String,
    pub host: String,
    /// The group's `consumer.session.timeout.ms` and `consumer.heartbeat.interval.ms`, where they are set.
    pub session_timeout: Option<Duration>,
    pub interval: Option<Duration>,
}

impl Beat {
    /// Whether it says everything, so that it is to be told everything.
    pub(super) fn is_full(&self) -> bool {
        let subscribes = self.topics.is_some() || self.regex.is_some();
        self.epoch == 0 || self.rebalance_timeout.is_some() && subscribes && self.owned.is_some()
    }
}

/// What it is told.
#[derive(Debug, PartialEq)]
pub(crate) struct Told {
    pub member_id: String,
    pub epoch: i32,
    /// When the next heartbeat is wanted.
    pub interval: Duration,
    /// Only where it has changed, or was asked for.
    pub assignment: Option<Assigned>,
}

/// Why not.
#[derive(Debug, PartialEq)]
pub(crate) struct Refusal {
    pub error: ResponseError,
    pub message: String,
}

impl Refusal {
    pub(crate) fn new(error: ResponseError, message: impl Into<String>) -> Refusal {
        Refusal { error, message: message.into() }
    }
}

/// How far a member is on its way to its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// It is there.
    Stable,
    /// It has partitions to give up first.
    Unrevoked,
    /// It waits for partitions that others have not given up yet.
    Unreleased,
}

/// One member.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub instance: Option<String>,
    pub rack: Option<String>,
    pub client_id: String,
    pub host: String,
    pub rebalance_timeout: Duration,
    pub topics: BTreeSet<String>,
    pub regex: Option<String>,
    pub assignor: Option<String>,
    pub epoch: i32,
    pub previous_epoch: i32,
    pub progress: Progress,
    pub assigned: Assigned,
    /// What it is to give up.
    pub revoking: Assigned,
    /// When it counts as gone.
    pub expires: Instant,
    /// When it should have given up what it is to give up, or have joined again.
    pub revoke_by: Option<Instant>,
    /// It speaks the classic protocol.
    pub old: Option<Old>,
}

impl Member {
    /// One that has not said anything yet.
    pub(super) fn new(now: Instant) -> Member {
        Member {
            instance: None,
            rack: None,
            client_id: String::new(),
            host: String::new(),
            rebalance_timeout: Duration::ZERO,
            topics: BTreeSet::new(),
            regex: None,
            assignor: None,
            epoch: 0,
            previous_epoch: -1,
            progress: Progress::Stable,
            assigned: Assigned::new(),
            revoking: Assigned::new(),
            expires: now,
            revoke_by: None,
            old: None,
        }
    }

    /// How many bytes it keeps, about.
    pub(crate) fn size(&self) -> usize {
        let topics: usize = self.topics.iter().map(|topic| 64 + topic.len()).sum();
        let partitions: usize = self.assigned.values().chain(self.revoking.values()).map(BTreeSet::len).sum();
        let old = self.old.iter().flat_map(|old| &old.protocols).map(|(name, said)| name.len() + said.len());
        let texts = [&self.instance, &self.rack, &self.regex, &self.assignor].into_iter().flatten().map(String::len);
        512 + self.client_id.len() + texts.chain(old).sum::<usize>() + topics + 16 * partitions
    }
}

/// Whether some of the partitions are among others.
pub(super) fn overlap(some: &Assigned, others: &Assigned) -> bool {
    some.iter().any(|(topic, some)| others.get(topic).is_some_and(|others| !some.is_disjoint(others)))
}

/// Whether all of the partitions are among others.
pub(super) fn within(some: &Assigned, others: &Assigned) -> bool {
    some.iter().all(|(topic, some)| some.is_empty() || others.get(topic).is_some_and(|others| some.is_subset(others)))
}
