//! The groups of consumers, and of whoever else shares out work: who is in them, and which offsets they have committed.
//! No sockets, no clock: whoever has to wait gets a future, and what is due is done by [`Groups::tick`].

pub(crate) mod assign;
pub(crate) mod classic;
pub(crate) mod consumer;
pub(crate) mod offsets;
pub(crate) mod pattern;
pub(crate) mod subscription;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use uuid::Uuid;

use self::classic::{Classic, State};
use self::consumer::Consumer;
use self::offsets::{Committed, Offsets};
use super::time::Now;

/// What groups know of topics.
pub(crate) trait Catalogue {
    /// Another number after each change of topics.
    fn changes(&self) -> u64;
    /// A topic's id and number of partitions.
    fn find(&self, name: &str) -> Option<(Uuid, i32)>;
    /// All of them.
    fn each(&self, see: &mut dyn FnMut(&str, Uuid, i32));
}

/// Most groups.
const MOST_GROUPS: usize = 100_000;

/// Most bytes that all groups may take, about: members with what they say, and offsets with their metadata.
const MOST_BYTES: usize = 256 << 20;

/// Kafka's `offsets.retention.check.interval.ms`.
const CHECK: Duration = Duration::from_secs(600);

/// Kafka's `offsets.retention.minutes`, in milliseconds.
pub(crate) const RETENTION: i64 = 7 * 24 * 3600 * 1000;

/// A group's members.
#[derive(Debug)]
pub(crate) enum Members {
    /// They share out partitions among themselves, or there are none.
    Classic(Classic),
    /// The broker does it.
    Consumer(Consumer),
}

/// One group.
#[derive(Debug)]
pub(crate) struct Group {
    pub members: Members,
    pub offsets: Offsets,
    /// When it became empty, in milliseconds since 1970.
    pub empty_since: i64,
    /// When it is due.
    wake: Option<Instant>,
    /// The bytes it was last seen to take.
    size: usize,
}

impl Group {
    fn new(members: Members, now: Now) -> Group {
        Group { members, offsets: Offsets::default(), empty_since: now.wall, wake: None, size: 0 }
    }

    /// Whether there are no members.
    pub(crate) fn is_empty(&self) -> bool {
        match &self.members {
            Members::Classic(classic) => classic.state == State::Empty,
            Members::Consumer(consumer) => consumer.members.is_empty(),
        }
    }

    /// Whether somebody in it subscribes a topic.
    pub(crate) fn subscribes(&self, topic: &str) -> bool {
        match &self.members {
            Members::Classic(classic) => classic.subscribes(topic),
            Members::Consumer(consumer) => consumer.subscribes(topic),
        }
    }

    fn next_wake(&self) -> Option<Instant> {
        match &self.members {
            Members::Classic(classic) => classic.next_wake(),
            Members::Consumer(consumer) => consumer.next_wake(),
        }
    }

    fn measure(&self) -> usize {
        let members = match &self.members {
            Members::Classic(classic) => classic.size(),
            Members::Consumer(consumer) => consumer.size(),
        };
        512 + members + self.offsets.size()
    }
}

/// All groups, by id.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    by_id: BTreeMap<String, Group>,
    wakes: BTreeSet<(Instant, String)>,
    /// Groups with offsets that wait for the end of a producer's transaction.
    pending: BTreeMap<i64, BTreeSet<String>>,
    /// When old offsets are looked for.
    check: Option<Instant>,
    /// The state of all topics that the offsets are for.
    seen: u64,
    size: usize,
    /// Something is due earlier than was known.
    earlier: bool,
}

impl Groups {
    pub(crate) fn get(&self, id: &str) -> Option<&Group> {
        self.by_id.get(id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &Group)> {
        self.by_id.iter()
    }

    /// Whether there is no room for more.
    pub(crate) fn is_full(&self) -> bool {
        self.size >= MOST_BYTES
    }

    /// Does something with a group, which is made if there is none. None when there are too many.
    pub(crate) fn with_or_new<T>(
        &mut self,
        id: &str,
        now: Now,
        new: impl FnOnce() -> Members,
        work: impl FnOnce(&mut Group) -> T,
    ) -> Option<T> {
        if !self.by_id.contains_key(id) {
            if self.by_id.len() >= MOST_GROUPS {
                return None;
            }
            self.by_id.insert(id.to_owned(), Group::new(new(), now));
            let check = now.mono + CHECK;
            self.earlier |= self.check.is_none();
            self.check.get_or_insert(check);
        }
        self.with(id, now, work)
    }

    /// Does something with a group that is there, and sees when it is due thereafter.
    pub(crate) fn with<T>(&mut self, id: &str, now: Now, work: impl FnOnce(&mut Group) -> T) -> Option<T> {
        let group = self.by_id.get_mut(id)?;
        let was_empty = group.is_empty();
        let done = work(group);
        if let Members::Consumer(consumer) = &group.members
            && consumer.is_old()
        {
            group.members = Members::Classic(consumer.to_classic(now.mono));
        }
        if !was_empty && group.is_empty() {
            group.empty_since = now.wall;
        }
        let size = group.measure();
        self.size = self.size - group.size + size;
        group.size = size;
        self.schedule(id);
        Some(done)
    }

    /// As [`Groups::with`], for what only makes members due later: they are not looked through.
    pub(crate) fn with_quick<T>(&mut self, id: &str, work: impl FnOnce(&mut Group) -> T) -> Option<T> {
        self.by_id.get_mut(id).map(work)
    }

    /// As [`Groups::with`], for what only changes offsets.
    pub(crate) fn with_offsets<T>(&mut self, id: &str, work: impl FnOnce(&mut Offsets) -> T) -> Option<T> {
        let group = self.by_id.get_mut(id)?;
        let before = group.offsets.size();
        let done = work(&mut group.offsets);
        let after = group.offsets.size();
        group.size = group.size - before + after;
        self.size = self.size - before + after;
        Some(done)
    }

    fn schedule(&mut self, id: &str) {
        let Some(group) = self.by_id.get_mut(id) else { return };
        let next = group.next_wake();
        if next == group.wake {
            return;
        }
        if let Some(old) = group.wake {
            self.wakes.remove(&(old, id.to_owned()));
        }
        if let Some(next) = next {
            self.earlier |= self.wakes.first().is_none_or(|(first, _)| next < *first);
            self.wakes.insert((next, id.to_owned()));
        }
        group.wake = next;
    }

    /// Forgets a group.
    pub(crate) fn remove(&mut self, id: &str) {
        if let Some(group) = self.by_id.remove(id) {
            self.size -= group.size;
            if let Some(wake) = group.wake {
                self.wakes.remove(&(wake, id.to_owned()));
            }
        }
    }

    /// Stores a group's offset; in a transaction, until its end.
    pub(crate) fn commit(
        &mut self,
        group: &str,
        producer: Option<i64>,
        (topic, id, partition): (&str, Uuid, i32),
        committed: Committed,
    ) {
        if let Some(producer) = producer {
            self.pending.entry(producer).or_default().insert(group.to_owned());
        }
        self.with_offsets(group, |offsets| offsets.commit(producer, topic, id, partition, committed));
    }

    /// The end of a producer's transaction: the offsets that it has sent to groups count, or are dropped.
    pub(crate) fn complete_txn(&mut self, producer: i64, commit: bool) {
        for id in self.pending.remove(&producer).unwrap_or_default() {
            self.with_offsets(&id, |offsets| offsets.complete(producer, commit));
        }
    }

    /// Forgets the offsets of topics that are gone.
    pub(crate) fn notice(&mut self, all: &dyn Catalogue) {
        if self.seen == all.changes() {
            return;
        }
        self.seen = all.changes();
        for group in self.by_id.values_mut() {
            let before = group.offsets.size();
            group.offsets.keep_topics(|name, id| all.find(name).is_some_and(|(is, _)| is == id));
            let freed = before - group.offsets.size();
            group.size -= freed;
            self.size -= freed;
        }
    }

    /// Whether something has become due earlier since this was last asked.
    pub(crate) fn take_earlier(&mut self) -> bool {
        std::mem::take(&mut self.earlier)
    }

    /// When something is due.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        let first = self.wakes.first().map(|(first, _)| *first);
        [first, self.check].into_iter().flatten().min()
    }

    /// Does what is due.
    pub(crate) fn tick(&mut self, all: &dyn Catalogue, now: Now) {
        while let Some((at, id)) = self.wakes.first().cloned().filter(|(at, _)| *at <= now.mono) {
            self.with(&id, now, |group| match &mut group.members {
                Members::Classic(classic) => classic.tick(now.mono),
                Members::Consumer(consumer) => consumer.tick(all, now.mono),
            });
            // Whatever comes of it is due later, or it would never end.
            if self.by_id.get(&id).and_then(|group| group.wake).is_some_and(|next| next <= at) {
                break;
            }
        }
        if self.check.is_some_and(|at| at <= now.mono) {
            self.check = Some(now.mono + CHECK);
            self.expire(now);
        }
    }

    /// Drops offsets that are too old, and groups that have nothing left.
    fn expire(&mut self, now: Now) {
        let ids: Vec<String> = self.by_id.keys().cloned().collect();
        for id in ids {
            let over = self.with(&id, now, |group| {
                let (members, since) = (&group.members, if group.is_empty() { group.empty_since } else { 0 });
                group.offsets.expire(now.wall, RETENTION, since, |topic| match members {
                    Members::Classic(classic) => classic.subscribes(topic),
                    Members::Consumer(consumer) => consumer.subscribes(topic),
                });
                group.is_empty() && group.offsets.is_empty()
            });
            if over == Some(true) {
                self.remove(&id);
            }
        }
    }
}
