//! A group whose partitions the broker shares out: KIP-848, as Kafka's `ConsumerGroup` and `GroupMetadataManager` have it.

pub(crate) mod classic;
pub(crate) mod heartbeat;
pub(crate) mod member;
pub(crate) mod reconcile;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Instant;

use kafka_protocol::error::ResponseError;
use uuid::Uuid;

use self::member::{Member, Progress};
use super::Catalogue;
use super::assign::{Assigned, Assignor, Candidate, assign};
use super::classic::Credentials;
use super::pattern::Pattern;

/// Most expressions of topics in a group.
const MOST_PATTERNS: usize = 64;

/// The topics of a group, by name, with their ids and numbers of partitions.
type Topics = BTreeMap<String, (Uuid, i32)>;

/// One group.
#[derive(Debug)]
pub(crate) struct Consumer {
    /// Grows with each change of members, subscriptions and topics.
    pub epoch: i32,
    /// The epoch that the target is for.
    pub assignment_epoch: i32,
    pub assignor: Assignor,
    pub members: BTreeMap<String, Member>,
    /// Static members: member ids by instance.
    statics: BTreeMap<String, String>,
    /// What each is to have.
    pub target: BTreeMap<String, Assigned>,
    /// What there is of the topics that are subscribed, as of `seen`.
    topics: Topics,
    /// What the expressions match.
    patterns: BTreeMap<String, Pattern>,
    /// The state of all topics that `topics` is for.
    seen: u64,
}

impl Consumer {
    pub(crate) fn new() -> Consumer {
        Consumer {
            epoch: 0,
            assignment_epoch: 0,
            assignor: Assignor::Uniform,
            members: BTreeMap::new(),
            statics: BTreeMap::new(),
            target: BTreeMap::new(),
            topics: Topics::new(),
            patterns: BTreeMap::new(),
            seen: 0,
        }
    }

    /// As Kafka writes it.
    pub(crate) fn state(&self) -> &'static str {
        let settled = |member: &Member| member.progress == Progress::Stable && member.epoch == self.assignment_epoch;
        if self.members.is_empty() {
            "Empty"
        } else if self.epoch > self.assignment_epoch {
            "Assigning"
        } else if self.members.values().all(settled) {
            "Stable"
        } else {
            "Reconciling"
        }
    }

    /// The names of the topics that are subscribed.
    pub(crate) fn topics(&self) -> impl Iterator<Item = &str> {
        self.topics.keys().map(String::as_str)
    }

    /// A topic's name by its id, if the group subscribes it.
    pub(crate) fn topic_name(&self, id: Uuid) -> Option<&str> {
        self.topics.iter().find(|(_, (is, _))| *is == id).map(|(name, _)| name.as_str())
    }

    /// Whether there is room for an expression: each costs time for each topic.
    pub(super) fn takes_pattern(&self, text: &str) -> bool {
        self.patterns.len() < MOST_PATTERNS || self.patterns.contains_key(text)
    }

    /// Whether a member speaks the new protocol.
    pub(crate) fn speaks_new(&self, id: &str) -> bool {
        self.members.get(id).is_some_and(|member| member.old.is_none())
    }

    /// Whether somebody subscribes a topic.
    pub(crate) fn subscribes(&self, topic: &str) -> bool {
        self.members.values().any(|member| self.wants(member, topic))
    }

    fn wants(&self, member: &Member, topic: &str) -> bool {
        let by_pattern = || self.patterns.get(member.regex.as_deref()?).map(|pattern| pattern.matches(topic));
        member.topics.contains(topic) || by_pattern().unwrap_or(false)
    }

    /// Whether somebody may commit offsets, or ask for them as a member. `version` is OffsetCommit's.
    ///
    /// # Errors
    /// `UnknownMemberId`, and `StaleMemberEpoch` for another epoch than the member's.
    pub(crate) fn check_commit(&self, who: Credentials<'_>, transactional: bool) -> Result<(), ResponseError> {
        let nobody = who.member_id.is_empty() && who.instance.is_none();
        if who.generation < 0 && (self.members.is_empty() || transactional && nobody) {
            return Ok(());
        }
        let member = self.members.get(who.member_id).ok_or(ResponseError::UnknownMemberId)?;
        match (who.generation == member.epoch, &member.old) {
            (true, _) => Ok(()),
            (false, None) => Err(ResponseError::StaleMemberEpoch),
            (false, Some(_)) => Err(ResponseError::IllegalGeneration),
        }
    }

    /// The group is another one: its epoch says so.
    pub(super) fn bump(&mut self) {
        self.epoch = self.epoch.saturating_add(1);
    }

    /// Sees what has become of the topics, or of who subscribes them if `again`. Whether that has changed anything.
    pub(super) fn look(&mut self, all: &dyn Catalogue, again: bool) -> bool {
        if !again && self.seen == all.changes() {
            return false;
        }
        self.seen = all.changes();
        let mut topics = Topics::new();
        // Most members say the same as the one before them.
        let mut last = None;
        for member in self.members.values() {
            if last.replace(&member.topics) == Some(&member.topics) {
                continue;
            }
            for name in &member.topics {
                if !topics.contains_key(name)
                    && let Some(is) = all.find(name)
                {
                    topics.insert(name.clone(), is);
                }
            }
        }
        self.patterns.retain(|text, _| self.members.values().any(|member| member.regex.as_ref() == Some(text)));
        if !self.patterns.is_empty() {
            all.each(&mut |name, id, partitions| {
                if self.patterns.values().any(|pattern| pattern.matches(name)) {
                    topics.insert(name.to_owned(), (id, partitions));
                }
            });
        }
        let changed = topics != self.topics;
        self.topics = topics;
        changed
    }

    /// Makes the target of this epoch, if it is not made yet.
    pub(super) fn make_target(&mut self) {
        if self.assignment_epoch == self.epoch {
            return;
        }
        self.assignor = self.preferred();
        let matched = self.patterns.iter().map(|(text, pattern)| {
            let topics = self.topics.iter().filter(|(name, _)| pattern.matches(name));
            (text, topics.map(|(_, (id, _))| *id).collect::<Vec<Uuid>>())
        });
        let matched: BTreeMap<&String, Vec<Uuid>> = matched.collect();
        let mut of: Vec<Candidate<'_>> = Vec::new();
        let mut last: Option<&Member> = None;
        for (id, member) in &self.members {
            let same = last.is_some_and(|last| last.topics == member.topics && last.regex == member.regex);
            let topics = of.last().filter(|_| same).map(|last| last.topics.clone()).unwrap_or_else(|| {
                let named = member.topics.iter().filter_map(|name| self.topics.get(name)).map(|(id, _)| *id);
                let matched = member.regex.as_ref().and_then(|regex| matched.get(regex)).into_iter().flatten().copied();
                Rc::new(named.chain(matched).collect())
            });
            of.push(Candidate { id, instance: member.instance.as_deref(), topics, had: self.target.get(id) });
            last = Some(member);
        }
        let topics = self.topics.values().copied().collect();
        let target = assign(self.assignor, &of, &topics);
        self.target = target;
        self.assignment_epoch = self.epoch;
    }

    /// The assignor that most members want.
    fn preferred(&self) -> Assignor {
        let mut votes: BTreeMap<Assignor, usize> = BTreeMap::new();
        let named = self.members.values().filter_map(|member| Assignor::by_name(member.assignor.as_deref()?));
        named.for_each(|assignor| *votes.entry(assignor).or_default() += 1);
        let most = votes.into_iter().rev().max_by_key(|(_, votes)| *votes);
        most.map_or(Assignor::Uniform, |(assignor, _)| assignor)
    }

    /// Takes members out; the others are to have what they had. A group that becomes a classic one keeps its epoch, which is
    /// its members' generation.
    pub(crate) fn remove(&mut self, ids: &[String], all: &dyn Catalogue) {
        for id in ids {
            let Some(member) = self.members.remove(id) else { continue };
            self.target.remove(id);
            if let Some(instance) = member.instance
                && self.statics.get(&instance) == Some(id)
            {
                self.statics.remove(&instance);
            }
        }
        if !self.is_old() {
            self.bump();
        }
        self.look(all, true);
    }

    /// When time does something, at the earliest.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        let revoke = self.members.values().filter_map(|member| member.revoke_by);
        self.members.values().map(|member| member.expires).chain(revoke).min()
    }

    /// Does what is due: takes out who has not been heard of, or has not given up in its time what it is to give up.
    pub(crate) fn tick(&mut self, all: &dyn Catalogue, now: Instant) {
        let late = |member: &Member| member.expires <= now || member.revoke_by.is_some_and(|by| by <= now);
        let late: Vec<String> =
            self.members.iter().filter(|(_, member)| late(member)).map(|(id, _)| id.clone()).collect();
        if !late.is_empty() {
            self.remove(&late, all);
        }
    }

    /// How many bytes its members keep, about.
    pub(crate) fn size(&self) -> usize {
        self.members.values().map(Member::size).sum()
    }
}
