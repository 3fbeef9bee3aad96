//! A member of a classic group, what it asks for, and what it is told.

use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use tokio::sync::oneshot::Sender;

/// What a client asks for in JoinGroup.
#[derive(Debug, Clone)]
pub(crate) struct Join {
    /// Empty for one that is new.
    pub member_id: String,
    /// `group.instance.id` of a static member.
    pub instance: Option<String>,
    pub client_id: String,
    /// As Kafka writes it: `/127.0.0.1`.
    pub host: String,
    pub session_timeout: Duration,
    pub rebalance_timeout: Duration,
    pub protocol_type: String,
    /// Names with what the member says in each, the one it prefers first.
    pub protocols: Vec<(String, Bytes)>,
    /// The client can be given an id and then join with it (JoinGroup 4).
    pub asks_twice: bool,
    /// The client knows that a leader may have nothing to assign (JoinGroup 9).
    pub may_skip: bool,
}

/// The answer to JoinGroup.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Joined {
    pub error: Option<ResponseError>,
    pub generation: i32,
    pub protocol_type: Option<String>,
    pub protocol: Option<String>,
    /// The leader's member id.
    pub leader: String,
    pub skip_assignment: bool,
    pub member_id: String,
    /// For the leader: id, instance and what each said in the protocol that was chosen.
    pub members: Vec<(String, Option<String>, Bytes)>,
}

impl Joined {
    /// A refusal.
    pub(crate) fn refused(member_id: &str, error: ResponseError) -> Joined {
        Joined {
            error: Some(error),
            generation: -1,
            protocol_type: None,
            protocol: None,
            leader: String::new(),
            skip_assignment: false,
            member_id: member_id.to_owned(),
            members: Vec::new(),
        }
    }
}

/// The answer to SyncGroup.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Synced {
    pub error: Option<ResponseError>,
    pub protocol_type: Option<String>,
    pub protocol: Option<String>,
    pub assignment: Bytes,
}

impl Synced {
    /// A refusal.
    pub(crate) fn refused(error: ResponseError) -> Synced {
        Synced { error: Some(error), protocol_type: None, protocol: None, assignment: Bytes::new() }
    }
}

/// One that has joined.
#[derive(Debug)]
pub(crate) struct Member {
    pub instance: Option<String>,
    pub client_id: String,
    pub host: String,
    pub session_timeout: Duration,
    pub rebalance_timeout: Duration,
    pub protocols: Vec<(String, Bytes)>,
    pub assignment: Bytes,
    /// It waits for the next generation.
    pub joining: Option<Sender<Joined>>,
    /// It waits for its assignment.
    pub syncing: Option<Sender<Synced>>,
    /// When it counts as gone, unless it waits for one of those.
    pub expires: Instant,
    /// It has been in no generation yet: it may expire while it waits.
    pub new: bool,
}

impl Member {
    /// A new one, which says what its client says.
    pub(super) fn of(join: &Join, now: Instant) -> Member {
        Member {
            instance: join.instance.clone(),
            client_id: join.client_id.clone(),
            host: join.host.clone(),
            session_timeout: join.session_timeout,
            rebalance_timeout: join.rebalance_timeout,
            protocols: join.protocols.clone(),
            assignment: Bytes::new(),
            joining: None,
            syncing: None,
            expires: now,
            new: true,
        }
    }

    /// What it says in a protocol.
    pub(crate) fn metadata(&self, protocol: &str) -> Bytes {
        self.protocols.iter().find(|(name, _)| name == protocol).map(|(_, said)| said.clone()).unwrap_or_default()
    }

    /// Whether its client waits for an answer, so that there is no heartbeat to expect of it.
    pub(crate) fn waits(&self) -> bool {
        !self.new && (self.joining.is_some() || self.syncing.is_some())
    }

    /// Takes over what its client says of itself.
    pub(crate) fn update(&mut self, join: &Join) {
        self.client_id.clone_from(&join.client_id);
        self.host.clone_from(&join.host);
        self.session_timeout = join.session_timeout;
        self.rebalance_timeout = join.rebalance_timeout;
        self.protocols.clone_from(&join.protocols);
    }

    /// How many bytes it keeps, about.
    pub(crate) fn size(&self) -> usize {
        let protocols: usize = self.protocols.iter().map(|(name, said)| name.len() + said.len()).sum();
        256 + self.client_id.len() + protocols + self.assignment.len()
    }
}
