//! Groups as they are now: members, committed offsets, ends, lag.

use std::collections::{BTreeMap, BTreeSet};

use rdkafka::types::RDKafkaErrorCode as Code;

use super::cluster::{Cluster, Known, Names, is_gone};
use super::fault::{group_refused, partitions_refused};
use crate::error::{Error, Result};
use crate::kafka::client::{OffsetSpec, Partition};
use crate::kafka::ffi::{Committed, GroupDescription, Said};
use crate::message::Time;

/// Groups, and what could not be found out.
pub(super) struct Snapshot {
    /// Those that are there, in the order in which they were asked for.
    pub groups: Vec<GroupNow>,
    /// Why something is missing.
    pub failed: Vec<Error>,
    /// What explains a value that is missing, and is no error.
    pub notes: Vec<String>,
}

/// A group.
pub(super) struct GroupNow {
    /// Its name.
    pub name: String,
    /// State and members.
    pub about: GroupDescription,
    /// Every partition that is committed for or assigned, by topic and number.
    pub partitions: Vec<PartitionNow>,
}

/// A partition of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PartitionNow {
    /// Which.
    pub partition: Partition,
    /// The offset of the record that the group reads next.
    pub committed: Option<i64>,
    /// The offset that the next record will get.
    pub end: Option<i64>,
    /// The age of the first record that is not committed, in ms.
    pub lag_ms: Option<i64>,
    /// Which member has it.
    pub member: Option<usize>,
}

impl PartitionNow {
    /// How many offsets are not committed: negative when the topic was made anew.
    pub(super) fn lag(&self) -> Option<i64> {
        Some(self.end?.saturating_sub(self.committed?))
    }
}

impl GroupNow {
    /// The lag of all partitions together; none when that of no partition is known.
    pub(super) fn lag(&self) -> Option<i64> {
        let lags = self.partitions.iter().filter_map(PartitionNow::lag);
        lags.map(|lag| lag.max(0)).reduce(i64::saturating_add)
    }

    /// The lag in time of the partition that is furthest behind, in ms.
    pub(super) fn lag_ms(&self) -> Option<i64> {
        self.partitions.iter().filter_map(|partition| partition.lag_ms).max()
    }
}

/// Looks at groups; blocks. With `time` the first record of each partition that lags is read.
///
/// # Errors
/// What fails as a whole; the reason to stop.
pub(super) fn take(cluster: &mut Cluster, names: Names, time: bool) -> Result<Snapshot> {
    let Names { all, named, failed } = names;
    let mut snapshot = Snapshot { groups: Vec::new(), failed, notes: Vec::new() };
    let (mut there, mut gone) = (Vec::new(), Vec::new());
    let described = cluster.descriptions(&all)?;
    for (name, described) in all.into_iter().zip(described) {
        match described {
            // Gone since it was listed, and nobody asked for it by name.
            Ok(about) if is_gone(&about) => gone.extend(Some(name).filter(|name| named.contains(name))),
            Ok(about) => there.push((name, about)),
            Err(said) => snapshot.failed.push(group_refused("describe", &name, "Describe", &said)),
        }
    }
    snapshot.failed.extend(cluster.gone(&gone));
    let names: Vec<String> = there.iter().map(|(name, _)| name.clone()).collect();
    let committed = cluster.committed(&names)?;
    for ((name, about), committed) in there.into_iter().zip(committed) {
        match committed {
            Ok(committed) => {
                let partitions = rows(&about, committed, &mut snapshot.failed);
                if partitions.is_empty() {
                    let note = format!("group `{name}` has no offsets, or none of topics that you may see");
                    snapshot.notes.push(note);
                }
                snapshot.groups.push(GroupNow { name, about, partitions });
            }
            Err(said) => snapshot.failed.push(group_refused("read the offsets of", &name, "Describe", &said)),
        }
    }
    ends(cluster, &mut snapshot)?;
    if time {
        times(cluster, &mut snapshot.groups)?;
    }
    Ok(snapshot)
}

/// The partitions of a group.
fn rows(about: &GroupDescription, committed: Vec<Committed>, failed: &mut Vec<Error>) -> Vec<PartitionNow> {
    let mut rows: BTreeMap<Partition, PartitionNow> = BTreeMap::new();
    let row = |partition: Partition| PartitionNow { partition, committed: None, end: None, lag_ms: None, member: None };
    let mut refused = Vec::new();
    for Committed { place, fault, .. } in committed {
        let partition = Partition { topic: place.topic, number: place.partition };
        refused.extend(fault.map(|said| (partition.clone(), said)));
        let committed = Some(place.offset).filter(|offset| *offset >= 0);
        rows.insert(partition.clone(), PartitionNow { committed, ..row(partition) });
    }
    failed.extend(partitions_refused("read", "Describe", refused));
    for (at, member) in about.members.iter().enumerate() {
        for place in &member.assignment {
            let partition = Partition { topic: place.topic.clone(), number: place.partition };
            rows.entry(partition.clone()).or_insert_with(|| row(partition)).member = Some(at);
        }
    }
    rows.into_values().collect()
}

/// Finds the ends of all partitions, each once however many groups read it.
fn ends(cluster: &mut Cluster, snapshot: &mut Snapshot) -> Result<()> {
    let all = snapshot.groups.iter().flat_map(|group| &group.partitions).map(|now| now.partition.clone());
    let all: BTreeSet<Partition> = all.collect();
    let is_new = |cluster: &Cluster| {
        let known = cluster.partitions();
        all.iter().any(|p| known.get(&(p.topic.as_str(), p.number)) != Some(&Known::Led))
    };
    // Topics come, and leaders go.
    if is_new(cluster) {
        cluster.refresh()?;
    }
    let known = cluster.partitions();
    let (mut led, mut leaderless, mut nowhere) = (Vec::new(), 0, BTreeSet::new());
    for partition in &all {
        match known.get(&(partition.topic.as_str(), partition.number)) {
            Some(Known::Led) => led.push((partition, OffsetSpec::End)),
            Some(Known::Leaderless) => leaderless += 1,
            None => nowhere.extend([partition.topic.as_str()]),
        }
    }
    let (mut found, mut refused): (BTreeMap<&Partition, i64>, Vec<(Partition, Said)>) = Default::default();
    for ((partition, _), end) in led.iter().zip(cluster.offsets(&led)?) {
        match end {
            Ok(end) => found.extend([(*partition, end)]),
            Err(said) => refused.push(((*partition).clone(), said)),
        }
    }
    for now in snapshot.groups.iter_mut().flat_map(|group| &mut group.partitions) {
        now.end = found.get(&now.partition).copied();
    }
    if leaderless > 0 {
        snapshot.notes.push(format!("{leaderless} partitions have no leader: their lag is not known"));
    }
    for topic in nowhere {
        match cluster.fault_of(topic)? {
            Some(code @ Code::TopicAuthorizationFailed) => {
                refused.push((Partition { topic: topic.to_owned(), number: 0 }, Said::plain(code)));
            }
            Some(_) => snapshot.notes.push(format!("topic `{topic}` is not there any more: its lag is not known")),
            // One that has fewer partitions than are committed for, or that was made this moment.
            None => snapshot.notes.push(format!("topic `{topic}` has not all partitions that are committed for")),
        }
    }
    snapshot.failed.extend(partitions_refused("read", "Describe", refused));
    Ok(())
}

/// Finds the lag in time of what lags.
fn times(cluster: &Cluster, groups: &mut [GroupNow]) -> Result<()> {
    let lagging = |now: &PartitionNow| now.lag().is_some_and(|lag| lag > 0);
    let all: BTreeSet<(&Partition, i64)> = groups
        .iter()
        .flat_map(|group| &group.partitions)
        .filter(|now| lagging(now))
        .filter_map(|now| Some((&now.partition, now.committed?)))
        .collect();
    // What was committed may be gone, and the first that is left is the one that is read.
    let begins: Vec<(&Partition, OffsetSpec)> =
        all.iter().map(|(partition, _)| (*partition, OffsetSpec::Begin)).collect();
    let begins = cluster.offsets(&begins)?;
    let from: Vec<i64> =
        all.iter().zip(begins).map(|((_, committed), begin)| begin.map_or(*committed, |b| b.max(*committed))).collect();
    let mut found: BTreeMap<(Partition, i64), i64> = BTreeMap::new();
    // A consumer fetches a partition from one place at a time, and groups are at different ones.
    let mut rest: Vec<((&Partition, i64), i64)> = all.iter().copied().zip(from).collect();
    while !rest.is_empty() {
        let mut seen = BTreeSet::new();
        let (now, later): (Vec<_>, Vec<_>) = rest.into_iter().partition(|((partition, _), _)| seen.insert(*partition));
        let asked: Vec<(&Partition, i64)> = now.iter().map(|((partition, _), from)| (*partition, *from)).collect();
        for (((partition, committed), _), time) in now.iter().zip(cluster.times(&asked)?) {
            found.extend(time.map(|time| (((*partition).clone(), *committed), time)));
        }
        rest = later;
    }
    let clock = Time::ago(std::time::Duration::ZERO).millis().unwrap_or_default();
    for now in groups.iter_mut().flat_map(|group| &mut group.partitions).filter(|now| lagging(now)) {
        let time = now.committed.and_then(|committed| found.get(&(now.partition.clone(), committed)));
        now.lag_ms = time.map(|time| clock.saturating_sub(*time).max(0));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::ffi::{GroupKind, GroupMember, GroupState, TopicPartitionOffset};

    fn place(topic: &str, partition: i32, offset: i64) -> TopicPartitionOffset {
        TopicPartitionOffset { topic: topic.to_owned(), partition, offset }
    }

    fn about(assignments: &[Vec<TopicPartitionOffset>]) -> GroupDescription {
        let member = |assignment: &Vec<TopicPartitionOffset>| GroupMember {
            id: String::new(),
            instance: None,
            client: String::new(),
            host: String::new(),
            assignment: assignment.clone(),
            target: None,
        };
        GroupDescription {
            kind: GroupKind::Classic,
            state: GroupState::Stable,
            assignor: String::new(),
            coordinator: None,
            members: assignments.iter().map(member).collect(),
        }
    }

    #[test]
    fn partitions_are_those_committed_and_those_assigned() {
        let committed = |place| Committed { place, metadata: None, fault: None };
        let committed = vec![committed(place("b", 0, 5)), committed(place("a", 1, -1001)), committed(place("a", 0, 7))];
        let about = about(&[vec![place("a", 0, -1001), place("c", 0, -1001)], Vec::new(), vec![place("a", 1, -1001)]]);
        let mut failed = Vec::new();
        let rows = rows(&about, committed, &mut failed);
        let shown: Vec<(String, Option<i64>, Option<usize>)> = rows
            .iter()
            .map(|now| (format!("{}{}", now.partition.topic, now.partition.number), now.committed, now.member))
            .collect();
        let row = |name: &str, committed, member| (name.to_owned(), committed, member);
        assert_eq!(
            shown,
            [row("a0", Some(7), Some(0)), row("a1", None, Some(2)), row("b0", Some(5), None), row("c0", None, Some(0))]
        );
        assert!(failed.is_empty());
    }

    #[test]
    fn lag_is_what_is_known_of_it() {
        let now = |committed, end| PartitionNow {
            partition: Partition { topic: "t".to_owned(), number: 0 },
            committed,
            end,
            lag_ms: None,
            member: None,
        };
        let group = |partitions| GroupNow { name: String::new(), about: about(&[]), partitions };
        assert_eq!(now(Some(3), Some(10)).lag(), Some(7));
        assert_eq!(now(Some(10), Some(3)).lag(), Some(-7));
        assert_eq!(group(vec![now(None, Some(3)), now(Some(1), None)]).lag(), None);
        assert_eq!(group(vec![now(Some(1), Some(3)), now(Some(9), Some(3)), now(None, Some(8))]).lag(), Some(2));
    }
}
