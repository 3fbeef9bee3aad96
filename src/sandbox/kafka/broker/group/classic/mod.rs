//! A group whose members share out the partitions among themselves: JoinGroup, SyncGroup, Heartbeat and LeaveGroup, as
//! Kafka's `ClassicGroup` and `GroupMetadataManager` have it.

pub(crate) mod join;
pub(crate) mod member;
pub(crate) mod rebalance;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use tokio::sync::oneshot::Sender;

use self::member::{Member, Synced};
use self::rebalance::Initial;
use super::subscription;

/// Where a group is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// It has no members; it may have offsets.
    Empty,
    /// Its members are to join the next generation.
    PreparingRebalance,
    /// They have, and wait for what the leader assigns.
    CompletingRebalance,
    Stable,
}

impl State {
    /// As Kafka writes it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            State::Empty => "Empty",
            State::PreparingRebalance => "PreparingRebalance",
            State::CompletingRebalance => "CompletingRebalance",
            State::Stable => "Stable",
        }
    }
}

/// Who asks something as a member, of which generation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Credentials<'a> {
    pub member_id: &'a str,
    pub instance: Option<&'a str>,
    /// Negative for none.
    pub generation: i32,
}

/// One group.
#[derive(Debug)]
pub(crate) struct Classic {
    pub state: State,
    pub generation: i32,
    pub protocol_type: Option<String>,
    /// The protocol of this generation.
    pub protocol: Option<String>,
    pub leader: Option<String>,
    pub members: BTreeMap<String, Member>,
    /// Static members: member ids by instance.
    statics: BTreeMap<String, String>,
    /// Ids that were given out and have not joined yet, until when.
    pending: BTreeMap<String, Instant>,
    /// The first generation, while it gathers.
    initial: Option<Initial>,
    /// When those that have not joined again are left out.
    join_by: Option<Instant>,
    /// Who has not asked for its assignment yet, and when that is too late.
    unsynced: BTreeSet<String>,
    sync_by: Option<Instant>,
}

impl Default for Classic {
    fn default() -> Classic {
        Classic {
            state: State::Empty,
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            members: BTreeMap::new(),
            statics: BTreeMap::new(),
            pending: BTreeMap::new(),
            initial: None,
            join_by: None,
            unsynced: BTreeSet::new(),
            sync_by: None,
        }
    }
}

impl Classic {
    /// A group of consumers, by its protocol type; so is one that has only stored offsets.
    pub(crate) fn is_of_consumers(&self) -> bool {
        self.protocol_type.as_deref().is_none_or(|kind| kind == "consumer")
    }

    /// Checks who somebody says to be (`ClassicGroup.validateMember`).
    ///
    /// # Errors
    /// `UnknownMemberId`, or `FencedInstanceId` when another one has taken over the instance.
    pub(crate) fn check_member(&self, member_id: &str, instance: Option<&str>) -> Result<(), ResponseError> {
        match instance {
            Some(instance) => match self.statics.get(instance) {
                None => Err(ResponseError::UnknownMemberId),
                Some(id) if id != member_id => Err(ResponseError::FencedInstanceId),
                Some(_) => Ok(()),
            },
            None if self.members.contains_key(member_id) => Ok(()),
            None => Err(ResponseError::UnknownMemberId),
        }
    }

    /// As [`Classic::check_member`], and the generation.
    ///
    /// # Errors
    /// As there, and `IllegalGeneration`.
    pub(crate) fn check(&self, who: Credentials<'_>) -> Result<(), ResponseError> {
        self.check_member(who.member_id, who.instance)?;
        if who.generation == self.generation { Ok(()) } else { Err(ResponseError::IllegalGeneration) }
    }

    /// Whether somebody may commit offsets. In a transaction, clients that know nothing of members may always.
    ///
    /// # Errors
    /// As [`Classic::check`], and `RebalanceInProgress` between two generations.
    pub(crate) fn check_commit(&self, who: Credentials<'_>, transactional: bool) -> Result<(), ResponseError> {
        if who.generation < 0 && self.state == State::Empty {
            return Ok(());
        }
        if who.generation >= 0 || !who.member_id.is_empty() || who.instance.is_some() {
            self.check(who)?;
        } else if !transactional {
            return Err(ResponseError::UnknownMemberId);
        }
        if !transactional && self.state == State::CompletingRebalance {
            return Err(ResponseError::RebalanceInProgress);
        }
        Ok(())
    }

    /// SyncGroup: gives the assignments, when they come from the leader, and gets one's own.
    pub(crate) fn sync(
        &mut self,
        who: Credentials<'_>,
        protocol_type: Option<&str>,
        protocol: Option<&str>,
        assignments: Vec<(String, Bytes)>,
        now: Instant,
        reply: Sender<Synced>,
    ) {
        let differs =
            |asked: Option<&str>, is: &Option<String>| asked.is_some_and(|asked| is.as_deref() != Some(asked));
        let checked = self.check(who).and_then(|()| {
            if differs(protocol_type, &self.protocol_type) || differs(protocol, &self.protocol) {
                return Err(ResponseError::InconsistentGroupProtocol);
            }
            match self.state {
                State::Empty => Err(ResponseError::UnknownMemberId),
                State::PreparingRebalance => Err(ResponseError::RebalanceInProgress),
                State::CompletingRebalance | State::Stable => Ok(()),
            }
        });
        let Some(member) = self.members.get_mut(who.member_id).filter(|_| checked.is_ok()) else {
            let error = checked.err().unwrap_or(ResponseError::UnknownMemberId);
            let _ = reply.send(Synced::refused(error));
            return;
        };
        self.unsynced.remove(who.member_id);
        if self.unsynced.is_empty() {
            self.sync_by = None;
        }
        member.expires = now + member.session_timeout;
        member.syncing = Some(reply);
        if self.state == State::Stable {
            self.hand_out(who.member_id);
        } else if self.leader.as_deref() == Some(who.member_id) {
            let mut assignments: BTreeMap<String, Bytes> = assignments.into_iter().collect();
            for (id, member) in &mut self.members {
                member.assignment = assignments.remove(id).unwrap_or_default();
                member.expires = now + member.session_timeout;
            }
            self.state = State::Stable;
            let ids: Vec<String> = self.members.keys().cloned().collect();
            ids.iter().for_each(|id| self.hand_out(id));
        }
    }

    /// Tells a member its assignment, if it waits for it.
    fn hand_out(&mut self, id: &str) {
        if let Some(member) = self.members.get_mut(id)
            && let Some(reply) = member.syncing.take()
        {
            let _ = reply.send(Synced {
                error: None,
                protocol_type: self.protocol_type.clone(),
                protocol: self.protocol.clone(),
                assignment: member.assignment.clone(),
            });
        }
    }

    /// Heartbeat: stays in the group.
    ///
    /// # Errors
    /// As [`Classic::check`], and `RebalanceInProgress` when the member is to join again.
    pub(crate) fn heartbeat(&mut self, who: Credentials<'_>, now: Instant) -> Result<(), ResponseError> {
        self.check(who)?;
        let Some(member) = self.members.get_mut(who.member_id) else { return Err(ResponseError::UnknownMemberId) };
        if self.state == State::Empty {
            return Err(ResponseError::UnknownMemberId);
        }
        member.expires = now + member.session_timeout;
        if self.state == State::PreparingRebalance { Err(ResponseError::RebalanceInProgress) } else { Ok(()) }
    }

    /// A member that commits is there as much as one that sends heartbeats.
    pub(crate) fn touch(&mut self, id: &str, now: Instant) {
        if let Some(member) = self.members.get_mut(id) {
            member.expires = member.expires.max(now + member.session_timeout);
        }
    }

    /// LeaveGroup: each by its id, or a static one by its instance alone. The answers are in the order of the questions.
    pub(crate) fn leave(&mut self, who: &[(String, Option<String>)], now: Instant) -> Vec<Result<(), ResponseError>> {
        let before = self.members.len();
        let answers = who.iter().map(|(id, instance)| self.leave_one(id, instance.as_deref())).collect();
        if self.members.len() < before {
            self.settle(now);
        }
        self.complete_if_ready(now);
        answers
    }

    fn leave_one(&mut self, id: &str, instance: Option<&str>) -> Result<(), ResponseError> {
        if let Some(instance) = instance {
            let known = self.statics.get(instance).cloned().ok_or(ResponseError::UnknownMemberId)?;
            if !id.is_empty() && id != known {
                return Err(ResponseError::FencedInstanceId);
            }
            self.remove(&known, ResponseError::UnknownMemberId);
            return Ok(());
        }
        if self.pending.remove(id).is_some() {
            return Ok(());
        }
        self.check_member(id, None)?;
        self.remove(id, ResponseError::UnknownMemberId);
        Ok(())
    }

    /// Topics that the members say to subscribe, where they are consumers.
    pub(crate) fn subscribes(&self, topic: &str) -> bool {
        let Some(protocol) = self.protocol.as_deref().filter(|_| self.is_of_consumers()) else { return false };
        self.members.values().any(|member| {
            subscription::read(&member.metadata(protocol)).is_some_and(|said| said.topics.iter().any(|is| is == topic))
        })
    }

    /// How many bytes its members keep, about.
    pub(crate) fn size(&self) -> usize {
        self.members.values().map(Member::size).sum::<usize>() + self.pending.len() * 128
    }

    /// How long the slowest member may take to join again.
    fn rebalance_timeout(&self) -> Duration {
        self.members.values().map(|member| member.rebalance_timeout).max().unwrap_or_default()
    }
}
