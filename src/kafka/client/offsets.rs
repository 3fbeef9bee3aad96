//! Partitions and their offsets, asked for all at once.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::metadata::Metadata;
use rdkafka::{Offset, TopicPartitionList};

use super::events::ConnectionEvents;
use super::fault::error_of;
use crate::error::{Error, Kind, Result};

/// A topic's partition.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Partition {
    /// The topic.
    pub topic: String,
    /// Its number.
    pub number: i32,
}

/// The partitions of a topic, all or those wanted.
///
/// # Errors
/// `Kind::Refused` for a wanted one that is not there.
pub(crate) fn partitions_of(metadata: &Metadata, topic: &str, wanted: &[i32]) -> Result<Vec<Partition>> {
    let found = metadata.topics().iter().filter(|t| t.name() == topic).flat_map(|t| t.partitions());
    let mut numbers: Vec<i32> = found.map(|p| p.id()).collect();
    numbers.sort_unstable();
    if let Some(missing) = wanted.iter().find(|n| !numbers.contains(n)) {
        let last = numbers.len().saturating_sub(1);
        return Err(Error::refused(format!("topic `{topic}` has no partition {missing}"))
            .hint(format!("its partitions are 0 to {last}")));
    }
    numbers.retain(|n| wanted.is_empty() || wanted.contains(n));
    Ok(numbers.into_iter().map(|number| Partition { topic: topic.to_owned(), number }).collect())
}

/// The high watermark of each partition: the offset that the next record will get. With the isolation level
/// `read_committed` that of the oldest open transaction.
///
/// # Errors
/// As librdkafka's; a partition without a leader.
pub(crate) fn ends(consumer: &BaseConsumer<ConnectionEvents>, of: &[Partition], limit: Duration) -> Result<Vec<i64>> {
    at(consumer, of, Offset::End, limit)
}

/// The low watermark of each partition: the offset of its oldest record.
///
/// # Errors
/// As [`ends`].
pub(crate) fn begins(consumer: &BaseConsumer<ConnectionEvents>, of: &[Partition], limit: Duration) -> Result<Vec<i64>> {
    at(consumer, of, Offset::Beginning, limit)
}

/// The first offset of each partition whose record is not older than `millis`; its end where there is none.
///
/// # Errors
/// As [`ends`].
pub(crate) fn at_time(
    consumer: &BaseConsumer<ConnectionEvents>,
    of: &[Partition],
    millis: i64,
    limit: Duration,
) -> Result<Vec<i64>> {
    let found = at(consumer, of, Offset::Offset(millis), limit)?;
    let ends = ends(consumer, of, limit)?;
    Ok(found.into_iter().zip(ends).map(|(found, end)| if found < 0 { end } else { found }).collect())
}

/// Where partitions begin and end, as far as their brokers tell.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    /// The low watermark of each.
    pub lows: Vec<Option<i64>>,
    /// The high one.
    pub highs: Vec<Option<i64>>,
}

/// Both watermarks of many partitions; what cannot be told of one says nothing about the others.
///
/// # Errors
/// No broker answers.
pub(crate) fn marks(consumer: &BaseConsumer<ConnectionEvents>, of: &[Partition], limit: Duration) -> Result<Marks> {
    let until = Instant::now() + SETTLE.min(limit);
    let found = |what| found(consumer, of, what, limit, until);
    Ok(Marks { lows: found(Offset::Beginning)?, highs: found(Offset::End)? })
}

/// Asks again for what passes, until then. A partition that is refused is found by halves: librdkafka hands on no answer where
/// one is.
fn found(
    consumer: &BaseConsumer<ConnectionEvents>,
    of: &[Partition],
    what: Offset,
    limit: Duration,
    until: Instant,
) -> Result<Vec<Option<i64>>> {
    loop {
        let asked = ask_each(consumer, of, what, limit);
        let passes = |found: &Found| matches!(found, Err((Some(code), _)) if is_passing(*code));
        let is_passing = match &asked {
            Ok(all) => all.iter().any(passes),
            Err((code, _)) => code.is_some_and(is_passing),
        };
        if is_passing && Instant::now() < until {
            std::thread::sleep(PAUSE);
            continue;
        }
        return match asked {
            Ok(all) => Ok(all.into_iter().map(Result::ok).collect()),
            Err((_, error)) if matches!(error.kind(), Kind::Connect | Kind::Deadline) => Err(error),
            Err(_) if of.len() < 2 => Ok(vec![None; of.len()]),
            Err(_) => {
                let (one, other) = of.split_at(of.len() / 2);
                let mut all = found(consumer, one, what, limit, until)?;
                all.extend(found(consumer, other, what, limit, until)?);
                Ok(all)
            }
        };
    }
}

/// Leaders move, and a topic that was just made has none yet: asked again for so long.
pub(super) const SETTLE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(50);

/// The offset in one partition, or why there is none.
type Found = Result<i64, (Option<Code>, Error)>;

/// ListOffsets takes a time, or one of the two marks in its place.
fn at(consumer: &BaseConsumer<ConnectionEvents>, of: &[Partition], what: Offset, limit: Duration) -> Result<Vec<i64>> {
    let started = Instant::now();
    loop {
        match ask(consumer, of, what, limit) {
            Err((Some(code), _)) if is_passing(code) && started.elapsed() < SETTLE.min(limit) => {
                std::thread::sleep(PAUSE);
            }
            answer => return answer.map_err(|(_, error)| error),
        }
    }
}

/// What says that a partition has no such offset, or none any more.
pub(super) fn is_no_offset(code: Code) -> bool {
    matches!(code, Code::AutoOffsetReset | Code::OffsetOutOfRange)
}

/// What librdkafka and a moment's patience get over.
pub(crate) fn is_passing(code: Code) -> bool {
    matches!(
        code,
        Code::NotLeaderForPartition
            | Code::LeaderNotAvailable
            | Code::FencedLeaderEpoch
            | Code::UnknownLeaderEpoch
            | Code::OffsetNotAvailable
            | Code::KafkaStorageError
    )
}

fn ask(
    consumer: &BaseConsumer<ConnectionEvents>,
    of: &[Partition],
    what: Offset,
    limit: Duration,
) -> Result<Vec<i64>, (Option<Code>, Error)> {
    ask_each(consumer, of, what, limit)?.into_iter().collect()
}

fn ask_each(
    consumer: &BaseConsumer<ConnectionEvents>,
    of: &[Partition],
    what: Offset,
    limit: Duration,
) -> Result<Vec<Found>, (Option<Code>, Error)> {
    if of.is_empty() {
        return Ok(Vec::new());
    }
    let failed = |e: KafkaError| (e.rdkafka_error_code(), error_of("cannot read the offsets", &e));
    let mut list = TopicPartitionList::with_capacity(of.len());
    for partition in of {
        list.add_partition_offset(&partition.topic, partition.number, what).map_err(failed)?;
    }
    let found = consumer.offsets_for_times(list, limit).map_err(|e| {
        let (code, error) = failed(e);
        let error = match consumer.client().context().faults().first() {
            Some(fault) => Error::new(error.kind(), error.chain()).because(fault.text.clone()),
            None => error,
        };
        (code, error)
    })?;
    let found = found
        .elements()
        .iter()
        .map(|element| {
            let place = || format!("{}[{}]", element.topic(), element.partition());
            element.error().map_err(|e| {
                (e.rdkafka_error_code(), error_of(format!("cannot read the offsets of {}", place()), &e))
            })?;
            Ok(element.offset().to_raw().unwrap_or(-1))
        })
        .collect();
    Ok(found)
}
