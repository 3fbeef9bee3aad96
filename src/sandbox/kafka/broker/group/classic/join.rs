//! JoinGroup.

use std::time::Instant;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use tokio::sync::oneshot::Sender;
use uuid::Uuid;

use super::member::{Join, Joined, Member, Synced};
use super::rebalance::NEW_MEMBER;
use super::{Classic, State};

/// Most members of a group, and ids given out for it. Kafka's `group.max.size` knows no bound.
const MOST: usize = 5000;

/// Most protocols that a member may have: each is looked for in all members.
const MOST_PROTOCOLS: usize = 64;

impl Classic {
    /// Joins, or joins again; the answer comes when the generation stands.
    pub(crate) fn join(&mut self, join: &Join, now: Instant, reply: Sender<Joined>) {
        if let Err(error) = self.admit(join) {
            let _ = reply.send(Joined::refused(&join.member_id, error));
        } else if join.member_id.is_empty() {
            self.join_anew(join, now, reply);
        } else {
            self.join_again(join, now, reply);
        }
    }

    /// A group of members that have been in another one, and are to join anew.
    pub(crate) fn of_members(generation: i32, members: Vec<(Join, Bytes)>, now: Instant) -> Classic {
        let kind = Some("consumer".to_owned());
        let mut group = Classic { state: State::Stable, generation, protocol_type: kind, ..Classic::default() };
        for (join, assignment) in members {
            if let Some(instance) = &join.instance {
                group.statics.insert(instance.clone(), join.member_id.clone());
            }
            let expires = now + join.session_timeout;
            let member = Member { assignment, expires, new: false, ..Member::of(&join, now) };
            group.members.insert(join.member_id, member);
        }
        group.leader = group.members.keys().next().cloned();
        group.protocol = group.select_protocol();
        group.prepare(now);
        group
    }

    fn admit(&self, join: &Join) -> Result<(), ResponseError> {
        let known = self.members.contains_key(&join.member_id) || self.pending.contains_key(&join.member_id);
        if !known && self.members.len() + self.pending.len() >= MOST {
            return Err(ResponseError::GroupMaxSizeReached);
        }
        if join.protocols.len() > MOST_PROTOCOLS {
            return Err(ResponseError::InconsistentGroupProtocol);
        }
        let fits = if self.state == State::Empty {
            !join.protocol_type.is_empty() && !join.protocols.is_empty()
        } else {
            self.protocol_type.as_deref() == Some(join.protocol_type.as_str())
                && join.protocols.iter().any(|(name, _)| self.all_have(name))
        };
        if fits { Ok(()) } else { Err(ResponseError::InconsistentGroupProtocol) }
    }

    fn join_anew(&mut self, join: &Join, now: Instant, reply: Sender<Joined>) {
        let name = join.instance.as_ref().unwrap_or(&join.client_id);
        let id = format!("{name}-{}", Uuid::new_v4());
        let old = join.instance.as_ref().and_then(|instance| self.statics.get(instance).cloned());
        if let Some(old) = old {
            self.replace(&old, id, join, now, reply);
        } else if join.instance.is_none() && join.asks_twice {
            self.pending.insert(id.clone(), now + join.session_timeout);
            let _ = reply.send(Joined::refused(&id, ResponseError::MemberIdRequired));
        } else {
            self.add(id, join, now, reply);
        }
    }

    fn join_again(&mut self, join: &Join, now: Instant, reply: Sender<Joined>) {
        let id = &join.member_id;
        if join.instance.is_none() && self.pending.remove(id).is_some() {
            self.add(id.clone(), join, now, reply);
            return;
        }
        if let Err(error) = self.check_member(id, join.instance.as_deref()) {
            let _ = reply.send(Joined::refused(id, error));
            return;
        }
        let leads = self.leader.as_ref() == Some(id);
        let same = self.members.get(id).is_some_and(|member| member.protocols == join.protocols);
        match self.state {
            State::CompletingRebalance if same => drop(reply.send(self.joined(id))),
            // A follower that has not changed, and may not have heard of this generation.
            State::Stable if same && !leads => drop(reply.send(self.joined(id))),
            State::Empty => drop(reply.send(Joined::refused(id, ResponseError::UnknownMemberId))),
            State::PreparingRebalance | State::CompletingRebalance | State::Stable => self.update(join, now, reply),
        }
    }

    /// A member that was there joins with what it says now.
    fn update(&mut self, join: &Join, now: Instant, reply: Sender<Joined>) {
        if let Some(member) = self.members.get_mut(&join.member_id) {
            member.update(join);
            member.expires = now + if member.new { NEW_MEMBER } else { member.session_timeout };
            // Whoever asked before, and has gone, need not be told.
            member.joining = Some(reply);
        }
        self.settle(now);
    }

    /// A member that was not there.
    fn add(&mut self, id: String, join: &Join, now: Instant, reply: Sender<Joined>) {
        if let Some(initial) = &mut self.initial {
            initial.more = true;
        }
        if self.members.is_empty() {
            self.protocol_type = Some(join.protocol_type.clone());
        }
        if let Some(instance) = &join.instance {
            self.statics.insert(instance.clone(), id.clone());
        }
        let expires = now + NEW_MEMBER.max(join.session_timeout);
        let member = Member { joining: Some(reply), expires, ..Member::of(join, now) };
        if self.leader.is_none() {
            self.leader = Some(id.clone());
        }
        self.members.insert(id, member);
        self.settle(now);
    }

    /// A static member comes back under another id. Where it says what it has always said, nobody else need know.
    fn replace(&mut self, old: &str, id: String, join: &Join, now: Instant, reply: Sender<Joined>) {
        let Some(mut member) = self.members.remove(old) else { return };
        let led = self.leader.clone();
        if let Some(waits) = member.joining.take() {
            let _ = waits.send(Joined::refused(old, ResponseError::FencedInstanceId));
        }
        if let Some(waits) = member.syncing.take() {
            let _ = waits.send(Synced::refused(ResponseError::FencedInstanceId));
        }
        member.update(join);
        member.expires = now + member.session_timeout;
        if let Some(instance) = &join.instance {
            self.statics.insert(instance.clone(), id.clone());
        }
        if self.unsynced.remove(old) {
            self.unsynced.insert(id.clone());
        }
        let leads = led.as_deref() == Some(old);
        if leads {
            self.leader = Some(id.clone());
        }
        self.members.insert(id.clone(), member);
        if self.state == State::Stable && self.select_protocol() == self.protocol {
            let mut joined = self.joined(&id);
            if join.may_skip {
                joined.skip_assignment = leads;
            } else {
                // With its old id for a leader it does not take itself for one, and asks for its assignment.
                joined.leader = led.unwrap_or_default();
                joined.members.clear();
            }
            let _ = reply.send(joined);
            return;
        }
        if let Some(member) = self.members.get_mut(&id) {
            member.joining = Some(reply);
        }
        self.settle(now);
    }
}
