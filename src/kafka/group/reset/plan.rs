//! What would be set: for each partition what is committed, and what will be.

use std::collections::{BTreeMap, BTreeSet};

use rdkafka::types::RDKafkaErrorCode as Code;

use super::file::Kept;
use super::goal::Place;
use crate::error::{Error, Result, counted};
use crate::kafka::client::{OffsetSpec, Partition, fault_of_topic, partitions_of};
use crate::kafka::ffi::{Committed, NewOffset, Said, TopicPartitionOffset};
use crate::kafka::group::cluster::Cluster;
use crate::kafka::group::fault::partitions_refused;
use crate::kafka::meant::Meant;

/// How many places a sentence names.
const NAMED: usize = 5;

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    /// Which.
    pub partition: Partition,
    /// What is committed.
    pub before: Option<i64>,
    /// What was asked for, be it there or not.
    pub asked: i64,
    /// What will be committed: what was asked for, or the begin or the end of what is kept.
    pub after: i64,
    /// What will stand beside it.
    pub metadata: Option<String>,
}

impl Step {
    /// As a request has it.
    pub(super) fn new_offset(&self) -> NewOffset {
        let Partition { topic, number } = &self.partition;
        let place = TopicPartitionOffset { topic: topic.clone(), partition: *number, offset: self.after };
        NewOffset { place, metadata: self.metadata.clone() }
    }
}

/// Where the offsets come from.
pub(super) enum Aim {
    /// One place for all.
    Place(Place),
    /// Each has its own.
    Kept(Vec<Kept>),
}

/// The partitions that are meant, by topic and number: of the topics that are named, else those that are committed for.
///
/// # Errors
/// `Kind::Refused` for topics and partitions that are not there, and where nothing is meant.
pub(super) fn meant(
    cluster: &Cluster,
    topics: &[Meant],
    committed: &[Committed],
) -> Result<(Vec<Partition>, Vec<String>)> {
    let mut partitions = BTreeSet::new();
    let mut gone = BTreeSet::new();
    if topics.is_empty() {
        let known = cluster.partitions();
        for place in committed.iter().map(|committed| &committed.place) {
            match known.contains_key(&(place.topic.as_str(), place.partition)) {
                true => partitions.extend([Partition { topic: place.topic.clone(), number: place.partition }]),
                false => gone.extend([place.topic.clone()]),
            }
        }
        return Ok((partitions.into_iter().collect(), gone.into_iter().collect()));
    }
    let mut failed = Vec::new();
    let metadata = cluster.metadata();
    let all: Vec<&str> = metadata.topics().iter().map(|topic| topic.name()).collect();
    for meant in topics {
        let names: Vec<&str> = match meant.topic.is_regex() {
            true => all.iter().copied().filter(|name| meant.topic.matches_topic(name)).collect(),
            false => vec![meant.topic.text()],
        };
        if names.is_empty() {
            let error = Error::refused(format!("no topic matches `{}`", meant.topic.text()));
            failed.push(error.hint("list what is there: `mscomm kafka topic list`"));
        }
        for name in names {
            match fault_of_topic(metadata, name) {
                Some(fault) => failed.push(match cluster.fault_of(name)? {
                    // Nobody may see it, which is why it is left out.
                    Some(code @ Code::TopicAuthorizationFailed) => {
                        let partition = Partition { topic: name.to_owned(), number: 0 };
                        let refused = vec![(partition, Said::plain(code))];
                        partitions_refused("read", "Describe", refused).pop().unwrap_or(fault)
                    }
                    _ => fault,
                }),
                None => match partitions_of(metadata, name, &meant.partitions) {
                    Ok(found) => partitions.extend(found),
                    Err(error) => failed.push(error),
                },
            }
        }
    }
    Error::each(failed)?;
    Ok((partitions.into_iter().collect(), Vec::new()))
}

/// Finds what each partition is to be set to.
///
/// # Errors
/// `Kind::Refused`: a partition cannot be asked for, or nothing is committed to count from. Then nothing is to be done at all.
pub(super) fn steps(cluster: &Cluster, aim: &Aim, of: &[Partition], committed: &[Committed]) -> Result<Vec<Step>> {
    let before: BTreeMap<(&str, i32), i64> = committed
        .iter()
        .filter(|committed| committed.place.offset >= 0)
        .map(|committed| ((committed.place.topic.as_str(), committed.place.partition), committed.place.offset))
        .collect();
    let kept: BTreeMap<&Partition, &Kept> = match aim {
        Aim::Place(_) => BTreeMap::new(),
        Aim::Kept(kept) => kept.iter().map(|kept| (&kept.partition, kept)).collect(),
    };
    let spec = |spec| of.iter().map(move |partition| (partition, spec));
    let mut asked: Vec<(&Partition, OffsetSpec)> = spec(OffsetSpec::Begin).chain(spec(OffsetSpec::End)).collect();
    if let Aim::Place(Place::Time(millis, _)) = aim {
        asked.extend(spec(OffsetSpec::Time(*millis)));
    }
    let mut found = cluster.offsets(&asked)?.into_iter();
    let (begins, ends): (Vec<_>, Vec<_>) =
        (found.by_ref().take(of.len()).collect(), found.by_ref().take(of.len()).collect());
    let mut times = found.fuse();
    let (mut steps, mut refused, mut uncommitted) = (Vec::new(), Vec::new(), Vec::new());
    for ((partition, begin), end) in of.iter().zip(begins).zip(ends) {
        let time = times.next().transpose();
        let bounds = begin.and_then(|begin| Ok((begin, end?, time?)));
        let (begin, end, time) = match bounds {
            Ok(bounds) => bounds,
            Err(said) => {
                refused.push((partition.clone(), said));
                continue;
            }
        };
        let before = before.get(&(partition.topic.as_str(), partition.number)).copied();
        let (asked, metadata) = match aim {
            Aim::Place(place) => (place.in_partition(before, begin, end, time), None),
            Aim::Kept(_) => match kept.get(partition) {
                Some(kept) => (Some(kept.offset), kept.metadata.clone()),
                None => continue,
            },
        };
        match asked {
            Some(asked) => {
                // Not clamp(), which fails should the one be beyond the other.
                let after = asked.min(end).max(begin);
                steps.push(Step { partition: partition.clone(), before, asked, after, metadata });
            }
            None => uncommitted.push(format!("{}[{}]", partition.topic, partition.number)),
        }
    }
    let mut failed = partitions_refused("read", "Describe", refused);
    if !uncommitted.is_empty() {
        let of = counted(uncommitted.len() as u64, "partition");
        failed.push(
            Error::refused(format!("nothing is committed for {of} to count from: {}", shortened(&uncommitted)))
                .hint("set these with begin, end or an OFFSET first, or name the others with --topic TOPIC:PARTITIONS"),
        );
    }
    Error::each(failed)?;
    Ok(steps)
}

/// What is to be said of offsets that are not there, if there are any.
pub(super) fn moved(steps: &[Step]) -> Option<String> {
    let moved: Vec<String> = steps
        .iter()
        .filter(|step| step.asked != step.after)
        .map(|Step { partition, asked, after, .. }| {
            let which = if asked < after { "begin" } else { "end" };
            format!("{}[{}] {asked} → {after}, its {which}", partition.topic, partition.number)
        })
        .collect();
    let count = counted(moved.len() as u64, "offset");
    (!moved.is_empty()).then(|| format!("{count} outside of what is kept: {}", shortened(&moved)))
}

fn shortened(all: &[String]) -> String {
    let mut named: Vec<String> = all.iter().take(NAMED).cloned().collect();
    if let Some(more) = all.len().checked_sub(NAMED).filter(|more| *more > 0) {
        named.push(format!("and {more} more"));
    }
    named.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_outside_is_said() {
        let step = |number, asked, after| Step {
            partition: Partition { topic: "t".to_owned(), number },
            before: None,
            asked,
            after,
            metadata: None,
        };
        assert_eq!(moved(&[step(0, 5, 5)]), None);
        let said = moved(&[step(0, 5, 5), step(1, 999, 42), step(2, -3, 7)]).expect("two");
        assert_eq!(said, "2 offsets outside of what is kept: t[1] 999 → 42, its end, t[2] -3 → 7, its begin");
        let many: Vec<Step> = (0..9).map(|number| step(number, 9, 1)).collect();
        assert!(moved(&many).is_some_and(|said| said.ends_with("and 4 more")));
    }
}
