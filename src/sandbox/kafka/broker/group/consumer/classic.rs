//! Members of a consumer group that still speak the classic protocol, while a group moves from one protocol to the other
//! (KIP-848, "Online migration"; Kafka's `group.consumer.migration.policy=bidirectional`). Each of them joins by itself:
//! its generation is its member epoch, and SyncGroup tells what the broker has assigned.

use std::collections::BTreeMap;
use std::time::Instant;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use uuid::Uuid;

use super::super::Catalogue;
use super::super::assign::Assigned;
use super::super::classic::member::{Join, Joined, Synced};
use super::super::classic::{Classic, Credentials};
use super::super::subscription::{self, Subscription};
use super::Consumer;
use super::member::{Member, Old, Progress};

impl Old {
    fn subscription(&self) -> Option<Subscription> {
        self.protocols.first().and_then(|(_, said)| subscription::read(said))
    }

    fn has(&self, protocol: &str) -> bool {
        self.protocols.iter().any(|(name, _)| name == protocol)
    }
}

/// Partitions by the ids of their topics, as far as they are there.
fn by_id(named: Vec<(String, Vec<i32>)>, all: &dyn Catalogue) -> Assigned {
    let found = named.into_iter().filter(|(_, partitions)| !partitions.is_empty());
    found.filter_map(|(name, partitions)| Some((all.find(&name)?.0, partitions.into_iter().collect()))).collect()
}

impl Consumer {
    /// A classic group whose members all are consumers, as a consumer group. None for another.
    pub(crate) fn from_classic(classic: &mut Classic, all: &dyn Catalogue, now: Instant) -> Option<Consumer> {
        if classic.protocol_type.as_deref() != Some("consumer") {
            return None;
        }
        let mut group = Consumer::new();
        (group.epoch, group.assignment_epoch) = (classic.generation, classic.generation);
        for (id, old) in &classic.members {
            let part = Old { session_timeout: old.session_timeout, protocols: old.protocols.clone() };
            let mut member = Member::new(now + old.session_timeout);
            member.topics = part.subscription()?.topics.into_iter().collect();
            member.instance.clone_from(&old.instance);
            member.client_id.clone_from(&old.client_id);
            member.host.clone_from(&old.host);
            member.rebalance_timeout = old.rebalance_timeout;
            member.epoch = classic.generation;
            member.assigned = by_id(subscription::read_assignment(&old.assignment).unwrap_or_default(), all);
            member.old = Some(part);
            group.target.insert(id.clone(), member.assigned.clone());
            if let Some(instance) = &member.instance {
                group.statics.insert(instance.clone(), id.clone());
            }
            group.members.insert(id.clone(), member);
        }
        classic.dismiss(ResponseError::RebalanceInProgress);
        group.look(all, true);
        Some(group)
    }

    /// Whether nobody in it speaks the new protocol any more, but somebody the old one.
    pub(crate) fn is_old(&self) -> bool {
        !self.members.is_empty() && self.members.values().all(|member| member.old.is_some())
    }

    /// The group as a classic one, whose members are to join anew.
    pub(crate) fn to_classic(&self, now: Instant) -> Classic {
        let members = self.members.iter().filter_map(|(id, member)| {
            let old = member.old.as_ref()?;
            let join = Join {
                member_id: id.clone(),
                instance: member.instance.clone(),
                client_id: member.client_id.clone(),
                host: member.host.clone(),
                session_timeout: old.session_timeout,
                rebalance_timeout: member.rebalance_timeout,
                protocol_type: "consumer".to_owned(),
                protocols: old.protocols.clone(),
                asks_twice: true,
                may_skip: true,
            };
            Some((join, self.assignment_of(member, old)))
        });
        Classic::of_members(self.epoch, members.collect(), now)
    }

    /// JoinGroup: what the member is to have is known at once.
    pub(crate) fn join_old(&mut self, join: &Join, all: &dyn Catalogue, now: Instant) -> Joined {
        let refused = |error| Joined::refused(&join.member_id, error);
        let old = Old { session_timeout: join.session_timeout, protocols: join.protocols.clone() };
        let mut others = self.members.iter().filter(|(id, _)| **id != join.member_id);
        let common =
            |(name, _): &(String, Bytes)| others.all(|(_, member)| member.old.as_ref().is_none_or(|old| old.has(name)));
        if join.protocol_type != "consumer" || !join.protocols.iter().any(common) {
            return refused(ResponseError::InconsistentGroupProtocol);
        }
        let Some(said) = old.subscription() else { return refused(ResponseError::InconsistentGroupProtocol) };
        let id = if join.member_id.is_empty() {
            let id = BASE64_URL_SAFE_NO_PAD.encode(Uuid::new_v4());
            if join.instance.is_none() && join.asks_twice {
                return Joined::refused(&id, ResponseError::MemberIdRequired);
            }
            id
        } else {
            join.member_id.clone()
        };
        if let Err(error) = self.find_old(&id, join, now) {
            return refused(error);
        }
        let Some(member) = self.members.get_mut(&id) else { return refused(ResponseError::UnknownMemberId) };
        let topics = said.topics.into_iter().collect();
        let changed = member.topics != topics;
        member.topics = topics;
        member.instance.clone_from(&join.instance);
        member.client_id.clone_from(&join.client_id);
        member.host.clone_from(&join.host);
        member.rebalance_timeout = join.rebalance_timeout;
        member.expires = now + join.session_timeout;
        member.revoke_by = None;
        member.old = Some(old);
        if self.look(all, changed) || changed || self.epoch == 0 {
            self.bump();
        }
        self.make_target();
        self.reconcile(&id, Some(&by_id(said.owned, all)), now);
        Joined {
            error: None,
            generation: self.members.get(&id).map_or(-1, |member| member.epoch),
            protocol_type: Some("consumer".to_owned()),
            protocol: join.protocols.first().map(|(name, _)| name.clone()),
            leader: String::new(),
            skip_assignment: false,
            member_id: id,
            members: Vec::new(),
        }
    }

    /// Finds the member that joins, or makes it; a static one takes the place of who was it.
    fn find_old(&mut self, id: &str, join: &Join, now: Instant) -> Result<(), ResponseError> {
        let Some(instance) = &join.instance else {
            self.members.entry(id.to_owned()).or_insert_with(|| Member::new(now));
            return Ok(());
        };
        match self.statics.get(instance).cloned() {
            Some(known) if known == id => {}
            Some(known) if join.member_id.is_empty() => self.replace(&known, id),
            Some(_) => return Err(ResponseError::FencedInstanceId),
            None if join.member_id.is_empty() => {
                self.members.insert(id.to_owned(), Member::new(now));
            }
            None => return Err(ResponseError::UnknownMemberId),
        }
        self.statics.insert(instance.clone(), id.to_owned());
        Ok(())
    }

    fn check_old(&self, who: Credentials<'_>) -> Result<&Member, ResponseError> {
        if let Some(instance) = who.instance {
            let known = self.statics.get(instance).ok_or(ResponseError::UnknownMemberId)?;
            if known != who.member_id {
                return Err(ResponseError::FencedInstanceId);
            }
        }
        let member = self.members.get(who.member_id).filter(|member| member.old.is_some());
        let member = member.ok_or(ResponseError::UnknownMemberId)?;
        if member.epoch == who.generation { Ok(member) } else { Err(ResponseError::IllegalGeneration) }
    }

    /// SyncGroup: what the member has.
    pub(crate) fn sync_old(&mut self, who: Credentials<'_>, protocol: Option<&str>, now: Instant) -> Synced {
        let checked = self.check_old(who).and_then(|member| {
            let old = member.old.as_ref().ok_or(ResponseError::UnknownMemberId)?;
            if protocol.is_some_and(|protocol| old.protocols.first().is_none_or(|(first, _)| first != protocol)) {
                return Err(ResponseError::InconsistentGroupProtocol);
            }
            // One that has partitions to give up has joined already, and joins again when it has given them up.
            if self.epoch > member.epoch && member.progress != Progress::Unrevoked {
                return Err(ResponseError::RebalanceInProgress);
            }
            Ok((self.assignment_of(member, old), old.protocols.first().map(|(name, _)| name.clone())))
        });
        match checked {
            Ok((assignment, protocol)) => {
                self.touch_old(who.member_id, now);
                Synced { error: None, protocol_type: Some("consumer".to_owned()), protocol, assignment }
            }
            Err(error) => Synced::refused(error),
        }
    }

    /// Heartbeat.
    ///
    /// # Errors
    /// As for a classic group; `RebalanceInProgress` when the member is to join again to get on.
    pub(crate) fn heartbeat_old(&mut self, who: Credentials<'_>, now: Instant) -> Result<(), ResponseError> {
        let member = self.check_old(who)?;
        let behind = member.epoch < self.epoch || member.progress == Progress::Unrevoked;
        let released = member.progress == Progress::Unreleased && !self.waits(who.member_id);
        self.touch_old(who.member_id, now);
        if !behind && !released {
            return Ok(());
        }
        if let Some(member) = self.members.get_mut(who.member_id) {
            member.revoke_by.get_or_insert(now + member.rebalance_timeout);
        }
        Err(ResponseError::RebalanceInProgress)
    }

    /// LeaveGroup. The member's id, if there is one that speaks the classic protocol, or an administrator names it by its
    /// instance alone.
    ///
    /// # Errors
    /// As for a classic group.
    pub(crate) fn leaves_old(&self, id: &str, instance: Option<&str>) -> Result<String, ResponseError> {
        let known = match instance {
            Some(instance) => {
                let known = self.statics.get(instance).ok_or(ResponseError::UnknownMemberId)?;
                if id.is_empty() {
                    return Ok(known.clone());
                }
                if known != id {
                    return Err(ResponseError::FencedInstanceId);
                }
                known.as_str()
            }
            None => id,
        };
        let speaks = self.members.get(known).is_some_and(|member| member.old.is_some());
        if speaks { Ok(known.to_owned()) } else { Err(ResponseError::UnknownMemberId) }
    }

    fn touch_old(&mut self, id: &str, now: Instant) {
        if let Some(member) = self.members.get_mut(id)
            && let Some(old) = &member.old
        {
            member.expires = now + old.session_timeout;
        }
    }

    /// What a member has, as its leader would have told it.
    fn assignment_of(&self, member: &Member, old: &Old) -> Bytes {
        let mut named: BTreeMap<String, Vec<i32>> = BTreeMap::new();
        for (topic, partitions) in &member.assigned {
            if let Some(name) = self.topic_name(*topic) {
                named.insert(name.to_owned(), partitions.iter().copied().collect());
            }
        }
        let named: Vec<(String, Vec<i32>)> = named.into_iter().collect();
        subscription::write_assignment(old.subscription().map_or(0, |said| said.version), &named)
    }
}
