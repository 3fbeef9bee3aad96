//! From one generation to the next, and what time does.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use kafka_protocol::error::ResponseError;
use tokio::sync::oneshot::Sender;

use super::member::{Joined, Member, Synced};
use super::{Classic, State};

/// How long the first generation waits for others after each that has come, instead of Kafka's
/// `group.initial.rebalance.delay.ms` (3 s, each time).
const GATHER: Duration = Duration::from_millis(40);

/// How long it waits in all.
const GATHER_MOST: Duration = Duration::from_millis(85);

/// How long a new member may wait for its first generation (Kafka's `classicGroupNewMemberJoinTimeoutMs`).
pub(super) const NEW_MEMBER: Duration = Duration::from_secs(300);

/// The first generation, while it gathers.
#[derive(Debug)]
pub(super) struct Initial {
    pub at: Instant,
    pub most: Instant,
    /// Somebody has come since it was last waited for.
    pub more: bool,
}

impl Classic {
    /// After the members or what they say has changed: another generation, or the one that is prepared, is completed.
    pub(super) fn settle(&mut self, now: Instant) {
        if self.state == State::PreparingRebalance {
            self.complete_if_ready(now);
        } else {
            self.prepare(now);
        }
    }

    /// Begins another generation.
    pub(super) fn prepare(&mut self, now: Instant) {
        if self.state == State::CompletingRebalance {
            for member in self.members.values_mut() {
                member.assignment.clear();
                if let Some(reply) = member.syncing.take() {
                    let _ = reply.send(Synced::refused(ResponseError::RebalanceInProgress));
                }
            }
        }
        self.unsynced.clear();
        self.sync_by = None;
        let first = self.state == State::Empty;
        self.state = State::PreparingRebalance;
        if first {
            self.initial = Some(Initial { at: now + GATHER, most: now + GATHER_MOST, more: false });
        } else {
            self.join_by = Some(now + self.rebalance_timeout());
            self.complete_if_ready(now);
        }
    }

    /// Completes the generation that is prepared when everybody has joined it. The first one waits for its time.
    pub(super) fn complete_if_ready(&mut self, now: Instant) {
        let all = self.pending.is_empty() && self.members.values().all(|member| member.joining.is_some());
        if self.state == State::PreparingRebalance && self.initial.is_none() && all {
            self.complete(now);
        }
    }

    /// The generation stands with those that have joined; static members stay even if they have not.
    fn complete(&mut self, now: Instant) {
        self.initial = None;
        self.join_by = None;
        // A new member whose client has gone while it waited has never been in the group.
        let gone = |member: &Member| member.new && member.joining.as_ref().is_some_and(Sender::is_closed);
        let late = |member: &Member| member.joining.is_none() && member.instance.is_none() || gone(member);
        let late: Vec<String> =
            self.members.iter().filter(|(_, member)| late(member)).map(|(id, _)| id.clone()).collect();
        for id in late {
            self.remove(&id, ResponseError::UnknownMemberId);
        }
        if self.members.is_empty() {
            self.generation = self.generation.wrapping_add(1).max(0);
            self.state = State::Empty;
            self.protocol = None;
            self.leader = None;
            return;
        }
        if !self.has_leader_that_joins() {
            self.join_by = Some(now + self.rebalance_timeout());
            return;
        }
        self.generation = self.generation.wrapping_add(1).max(0);
        self.protocol = self.select_protocol();
        self.state = State::CompletingRebalance;
        self.sync_by = Some(now + self.rebalance_timeout());
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for id in ids {
            let joined = self.joined(&id);
            if let Some(member) = self.members.get_mut(&id) {
                if let Some(reply) = member.joining.take() {
                    let _ = reply.send(joined);
                }
                member.new = false;
                member.expires = now + member.session_timeout;
            }
            self.unsynced.insert(id);
        }
    }

    /// Sees to it that the leader is one that has joined. False when nobody has.
    fn has_leader_that_joins(&mut self) -> bool {
        let joins = |id: &String| self.members.get(id).is_some_and(|member| member.joining.is_some());
        if !self.leader.as_ref().is_some_and(joins) {
            let other = self.members.keys().find(|id| joins(id)).cloned();
            if other.is_none() {
                return false;
            }
            self.leader = other;
        }
        true
    }

    /// What a member is told of the generation.
    pub(super) fn joined(&self, id: &str) -> Joined {
        let leads = self.leader.as_deref() == Some(id);
        Joined {
            error: None,
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: self.leader.clone().unwrap_or_default(),
            skip_assignment: false,
            member_id: id.to_owned(),
            members: if leads { self.roll() } else { Vec::new() },
        }
    }

    /// What the leader is told of all members.
    pub(super) fn roll(&self) -> Vec<(String, Option<String>, bytes::Bytes)> {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        let told =
            self.members.iter().map(|(id, member)| (id.clone(), member.instance.clone(), member.metadata(protocol)));
        told.collect()
    }

    /// The protocol that most members prefer among those that all of them have.
    pub(super) fn select_protocol(&self) -> Option<String> {
        let some = self.members.values().next().into_iter().flat_map(|member| &member.protocols);
        let common: BTreeSet<&str> = some.map(|(name, _)| name.as_str()).filter(|name| self.all_have(name)).collect();
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for member in self.members.values() {
            let choice = member.protocols.iter().find(|(name, _)| common.contains(name.as_str()));
            if let Some((name, _)) = choice {
                *votes.entry(name).or_default() += 1;
            }
        }
        votes.into_iter().max_by_key(|(_, votes)| *votes).map(|(name, _)| name.to_owned())
    }

    /// Whether all members have a protocol.
    pub(super) fn all_have(&self, protocol: &str) -> bool {
        self.members.values().all(|member| member.protocols.iter().any(|(name, _)| name == protocol))
    }

    /// Takes a member out; if it waits for something, it is told why it waits no longer.
    pub(super) fn remove(&mut self, id: &str, why: ResponseError) {
        let Some(mut member) = self.members.remove(id) else { return };
        if let Some(reply) = member.joining.take() {
            let _ = reply.send(Joined::refused(id, why));
        }
        if let Some(reply) = member.syncing.take() {
            let _ = reply.send(Synced::refused(why));
        }
        self.unsynced.remove(id);
        if let Some(instance) = &member.instance {
            self.statics.remove(instance);
        }
        if self.leader.as_deref() == Some(id) {
            self.leader = self.members.iter().find(|(_, member)| member.joining.is_some()).map(|(id, _)| id.clone());
        }
    }

    /// Nobody waits any longer: the group becomes another one.
    pub(crate) fn dismiss(&mut self, why: ResponseError) {
        let ids: Vec<String> = self.members.keys().cloned().collect();
        ids.iter().for_each(|id| self.remove(id, why));
    }

    /// When time does something, at the earliest.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        let members = self.members.values().map(|member| member.expires);
        let pending = self.pending.values().copied();
        let due = [self.initial.as_ref().map(|initial| initial.at), self.join_by, self.sync_by];
        members.chain(pending).chain(due.into_iter().flatten()).min()
    }

    /// Does what is due.
    pub(crate) fn tick(&mut self, now: Instant) {
        let gone: Vec<String> = self.expired(now);
        self.pending.retain(|_, until| *until > now);
        let some_gone = !gone.is_empty();
        for id in gone {
            self.remove(&id, ResponseError::UnknownMemberId);
        }
        if some_gone {
            self.settle(now);
        }
        self.complete_if_ready(now);
        if let Some(initial) = self.initial.as_mut().filter(|initial| initial.at <= now) {
            if initial.more && now < initial.most {
                initial.more = false;
                initial.at = (now + GATHER).min(initial.most);
            } else {
                self.complete(now);
            }
        }
        if self.join_by.is_some_and(|by| by <= now) {
            self.complete(now);
        }
        if self.sync_by.is_some_and(|by| by <= now) {
            self.sync_by = None;
            for id in std::mem::take(&mut self.unsynced) {
                self.remove(&id, ResponseError::UnknownMemberId);
            }
            self.settle(now);
        }
    }

    /// Who has not been heard of in its time. Who waits for an answer has no heartbeat to send.
    fn expired(&mut self, now: Instant) -> Vec<String> {
        let mut gone = Vec::new();
        for (id, member) in self.members.iter_mut().filter(|(_, member)| member.expires <= now) {
            if member.waits() {
                member.expires = now + member.session_timeout;
            } else {
                gone.push(id.clone());
            }
        }
        gone
    }
}
