//! The offsets that a group has committed, and those that wait for the end of a transaction.

use std::collections::BTreeMap;

use uuid::Uuid;

/// One offset.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Committed {
    pub offset: i64,
    /// Of the record before it; -1 when unknown.
    pub leader_epoch: i32,
    pub metadata: String,
    /// Milliseconds since 1970.
    pub at: i64,
    /// When it is dropped, where the client has said so (OffsetCommit up to version 4).
    pub until: Option<i64>,
}

/// By partition, each with its place in the order of commits.
type Partitions = BTreeMap<i32, (u64, Committed)>;

/// Those of one topic.
#[derive(Debug, Default)]
struct Of {
    /// The topic that it was then: one of the same name that came later is another.
    id: Uuid,
    partitions: Partitions,
}

/// All offsets of a group.
#[derive(Debug, Default)]
pub(crate) struct Offsets {
    by_topic: BTreeMap<String, Of>,
    /// By producer id.
    pending: BTreeMap<i64, BTreeMap<String, Of>>,
    commits: u64,
    /// How many bytes they take, about.
    size: usize,
}

/// What an offset takes, about, beside its metadata.
const ENTRY: usize = 128;

fn size_of(committed: &Committed) -> usize {
    ENTRY + committed.metadata.len()
}

fn sizes(partitions: &Partitions) -> usize {
    partitions.values().map(|(_, committed)| size_of(committed)).sum()
}

impl Offsets {
    /// Stores an offset; in a transaction, until [`Offsets::complete`] for its producer.
    pub(crate) fn commit(
        &mut self,
        producer: Option<i64>,
        topic: &str,
        id: Uuid,
        partition: i32,
        committed: Committed,
    ) {
        self.commits += 1;
        self.size += size_of(&committed);
        let order = self.commits;
        let by_topic = match producer {
            Some(producer) => self.pending.entry(producer).or_default(),
            None => &mut self.by_topic,
        };
        let of = by_topic.entry(topic.to_owned()).or_default();
        if of.id != id {
            self.size -= sizes(&of.partitions);
            *of = Of { id, partitions: BTreeMap::new() };
        }
        if let Some((_, old)) = of.partitions.insert(partition, (order, committed)) {
            self.size -= size_of(&old);
        }
    }

    /// The end of a producer's transaction. What was committed without one since then stays.
    pub(crate) fn complete(&mut self, producer: i64, commit: bool) {
        for (topic, done) in self.pending.remove(&producer).unwrap_or_default() {
            if !commit {
                self.size -= sizes(&done.partitions);
                continue;
            }
            let of = self.by_topic.entry(topic).or_default();
            if of.id != done.id {
                self.size -= sizes(&of.partitions);
                *of = Of { id: done.id, partitions: BTreeMap::new() };
            }
            for (partition, (order, committed)) in done.partitions {
                let dropped = match of.partitions.get(&partition) {
                    Some((newer, _)) if *newer > order => Some(committed),
                    _ => of.partitions.insert(partition, (order, committed)).map(|(_, old)| old),
                };
                self.size -= dropped.as_ref().map_or(0, size_of);
            }
        }
    }

    /// The offset of a partition.
    pub(crate) fn get(&self, topic: &str, partition: i32) -> Option<&Committed> {
        self.by_topic.get(topic)?.partitions.get(&partition).map(|(_, committed)| committed)
    }

    /// Whether a transaction has one that may become its offset.
    pub(crate) fn is_unstable(&self, topic: &str, partition: i32) -> bool {
        let has = |of: &BTreeMap<String, Of>| of.get(topic).is_some_and(|of| of.partitions.contains_key(&partition));
        self.pending.values().any(has)
    }

    /// Topics and partitions that have offsets, or may have.
    pub(crate) fn all(&self) -> BTreeMap<&str, Vec<i32>> {
        let mut all: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
        for (topic, of) in self.by_topic.iter().chain(self.pending.values().flatten()) {
            all.entry(topic).or_default().extend(of.partitions.keys());
        }
        for partitions in all.values_mut() {
            partitions.sort_unstable();
            partitions.dedup();
        }
        all
    }

    /// Forgets an offset, and what a transaction has for it.
    pub(crate) fn delete(&mut self, topic: &str, partition: i32) {
        let mut freed = 0;
        for by_topic in std::iter::once(&mut self.by_topic).chain(self.pending.values_mut()) {
            if let Some(of) = by_topic.get_mut(topic) {
                freed += of.partitions.remove(&partition).map_or(0, |(_, old)| size_of(&old));
                if of.partitions.is_empty() {
                    by_topic.remove(topic);
                }
            }
        }
        self.size -= freed;
    }

    /// Forgets the offsets of topics that are not there any more: `is` tells by name and id.
    pub(crate) fn keep_topics(&mut self, is: impl Fn(&str, Uuid) -> bool) {
        let mut freed = 0;
        for by_topic in std::iter::once(&mut self.by_topic).chain(self.pending.values_mut()) {
            by_topic.retain(|topic, of| {
                let stays = is(topic, of.id);
                freed += if stays { 0 } else { sizes(&of.partitions) };
                stays
            });
        }
        self.size -= freed;
        self.pending.retain(|_, by_topic| !by_topic.is_empty());
    }

    /// Forgets what is older than `retention` milliseconds, counted from `since` where that is later. `used` tells of
    /// topics whose offsets stay.
    pub(crate) fn expire(&mut self, now: i64, retention: i64, since: i64, used: impl Fn(&str) -> bool) {
        let mut freed = 0;
        self.by_topic.retain(|topic, of| {
            if !used(topic) {
                of.partitions.retain(|_, (_, committed)| {
                    let until = committed.until.unwrap_or_else(|| committed.at.max(since).saturating_add(retention));
                    freed += if until > now { 0 } else { size_of(committed) };
                    until > now
                });
            }
            !of.partitions.is_empty()
        });
        self.size -= freed;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_topic.is_empty() && self.pending.is_empty()
    }

    /// How many bytes they take, about.
    pub(crate) fn size(&self) -> usize {
        self.size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: i64) -> Committed {
        Committed { offset, leader_epoch: -1, metadata: "m".into(), at: 1000, until: None }
    }

    #[test]
    fn a_transaction_s_offsets_count_from_its_end_on_unless_newer_ones_came() {
        let (mut offsets, id) = (Offsets::default(), Uuid::from_u128(1));
        offsets.commit(None, "a", id, 0, at(1));
        offsets.commit(Some(7), "a", id, 0, at(2));
        offsets.commit(Some(7), "a", id, 1, at(3));
        offsets.commit(Some(8), "a", id, 2, at(4));
        assert!(offsets.is_unstable("a", 0) && offsets.is_unstable("a", 1) && !offsets.is_unstable("a", 3));
        assert_eq!(offsets.get("a", 0).unwrap().offset, 1);
        assert_eq!(offsets.all()["a"], [0, 1, 2]);
        offsets.commit(None, "a", id, 1, at(9));
        offsets.complete(7, true);
        offsets.complete(8, false);
        assert_eq!(offsets.get("a", 0).unwrap().offset, 2);
        assert_eq!(offsets.get("a", 1).unwrap().offset, 9);
        assert_eq!(offsets.get("a", 2), None);
        assert_eq!(offsets.size(), 2 * (ENTRY + 1));
        offsets.delete("a", 0);
        offsets.keep_topics(|_, is| is != id);
        assert!(offsets.is_empty() && offsets.size() == 0);
    }

    #[test]
    fn offsets_expire_after_their_time_and_those_of_an_older_topic_go() {
        let mut offsets = Offsets::default();
        offsets.commit(None, "a", Uuid::from_u128(1), 0, at(1));
        offsets.commit(None, "b", Uuid::from_u128(2), 0, Committed { until: Some(1500), ..at(1) });
        offsets.expire(2000, 5000, 0, |_| false);
        assert_eq!(offsets.all().into_keys().collect::<Vec<_>>(), ["a"]);
        offsets.expire(9000, 5000, 8000, |_| false);
        offsets.expire(9000, 5000, 0, |topic| topic == "a");
        assert!(!offsets.is_empty());
        offsets.commit(None, "a", Uuid::from_u128(3), 1, at(1));
        assert_eq!(offsets.get("a", 0), None);
        offsets.expire(9000, 5000, 0, |_| false);
        assert!(offsets.is_empty() && offsets.size() == 0);
    }
}
