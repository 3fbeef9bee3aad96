//! Offsets of many partitions, each with an outcome of its own.
//!
//! Not by the admin request ListOffsets: librdkafka looks for the leaders of its partitions on the thread that asks while its own
//! thread may end the same search, for its time is over or the metadata have changed, and free what is being read
//! (`rd_kafka_topic_partition_list_query_leaders_async` of 2.12.1). The consumer's call looks for them on one thread.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::{Offset, TopicPartitionList};

use super::events::ConnectionEvents;
use super::fault::error_of;
use super::offsets::{Partition, SETTLE, is_passing};
use crate::error::{Error, Result};
use crate::kafka::ffi::Said;
use crate::shutdown::Shutdown;

/// How many partitions one call names: what librdkafka does with the answer takes the square of it.
const NAMED: usize = 1000;

/// Which offset of a partition is sought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OffsetSpec {
    /// Of its oldest record.
    Begin,
    /// That the next record will get.
    End,
    /// Of the first record that is not older than this, in ms since 1970.
    Time(i64),
}

/// A partition, and which of its offsets is sought.
type Sought<'p> = (&'p Partition, OffsetSpec);

/// Finds an offset of each partition; blocks. The one of a time after which no record came is -1. What leaders that move refuse
/// is asked again.
///
/// # Errors
/// A call as a whole; the reason to stop.
pub(crate) fn find(
    consumer: &BaseConsumer<ConnectionEvents>,
    of: &[Sought<'_>],
    limit: Duration,
    shutdown: &Shutdown,
) -> Result<Vec<Result<i64, Said>>> {
    let started = Instant::now();
    let mut found = vec![Err(Said::plain(Code::LeaderNotAvailable)); of.len()];
    loop {
        let is_open = |found: &Result<i64, Said>| found.as_ref().is_err_and(|said| is_passing(said.code));
        let open: Vec<usize> = (0..of.len()).filter(|at| found.get(*at).is_some_and(is_open)).collect();
        for part in parts(of, &open) {
            shutdown.check()?;
            let asked: Vec<Sought<'_>> = part.iter().filter_map(|at| of.get(*at).copied()).collect();
            let left = shutdown.remaining().map_or(limit, |left| left.min(limit));
            let answers = ask(consumer, &asked, left).or_else(|error| shutdown.check().and(Err(error)))?;
            for (at, answer) in part.into_iter().zip(answers) {
                if let Some(found) = found.get_mut(at) {
                    *found = answer;
                }
            }
        }
        if !found.iter().any(is_open) || started.elapsed() > SETTLE.min(limit) {
            return Ok(found);
        }
        shutdown.check()?;
        std::thread::sleep(Duration::from_millis(50));
        // librdkafka keeps asking with the leader's old epoch. Whether it has heard of the new one, the next answer tells.
        let _ = consumer.client().fetch_metadata(None, limit);
    }
}

/// Shares out some of what is sought among calls, by its place: in each as many as [`NAMED`] says, of one kind, so that no
/// partition stands there twice.
fn parts(of: &[Sought<'_>], open: &[usize]) -> Vec<Vec<usize>> {
    let mut parts: Vec<(OffsetSpec, Vec<usize>)> = Vec::new();
    for at in open {
        let Some((_, spec)) = of.get(*at) else { continue };
        match parts.iter_mut().rev().find(|(kind, part)| kind == spec && part.len() < NAMED) {
            Some((_, part)) => part.push(*at),
            None => parts.push((*spec, vec![*at])),
        }
    }
    parts.into_iter().map(|(_, part)| part).collect()
}

/// One call.
fn ask(
    consumer: &BaseConsumer<ConnectionEvents>,
    of: &[Sought<'_>],
    limit: Duration,
) -> Result<Vec<Result<i64, Said>>> {
    let code = |e: &KafkaError| e.rdkafka_error_code().unwrap_or(Code::Fail);
    let failed = |e: &KafkaError| error_of("cannot read the offsets", e);
    let mut list = TopicPartitionList::with_capacity(of.len());
    for (partition, spec) in of {
        let offset = match spec {
            OffsetSpec::Begin => Offset::Beginning,
            OffsetSpec::End => Offset::End,
            OffsetSpec::Time(millis) => Offset::Offset(*millis),
        };
        // Not by name, as rdkafka's own way does, which looks through the whole list for each.
        list.add_partition(&partition.topic, partition.number).set_offset(offset).map_err(|e| failed(&e))?;
    }
    match consumer.offsets_for_times(list, limit) {
        Ok(found) => {
            let offset = |of: &rdkafka::topic_partition_list::TopicPartitionListElem<'_>| match of.error() {
                Ok(()) => Ok(of.offset().to_raw().unwrap_or(-1)),
                Err(e) => Err(Said::plain(code(&e))),
            };
            Ok(found.elements().iter().map(offset).collect())
        }
        Err(e) if is_passing(code(&e)) => Ok(vec![Err(Said::plain(code(&e))); of.len()]),
        Err(e) => Err(match consumer.client().context().faults().first() {
            Some(fault) => Error::new(failed(&e).kind(), failed(&e).chain()).because(fault.text.clone()),
            None => failed(&e),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_call_has_a_partition_twice_or_too_many() {
        let count = i32::try_from(NAMED).expect("fits") + 1;
        let partitions: Vec<Partition> = (0..count).map(|number| Partition { topic: "t".to_owned(), number }).collect();
        let of: Vec<Sought<'_>> =
            partitions.iter().flat_map(|p| [(p, OffsetSpec::Begin), (p, OffsetSpec::End)]).collect();
        let open: Vec<usize> = (0..of.len()).collect();
        let parts = parts(&of, &open);
        assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [NAMED, NAMED, 1, 1]);
        for part in &parts {
            assert!(part.iter().all(|at| of[*at].1 == of[part[0]].1));
        }
        let mut all: Vec<usize> = parts.into_iter().flatten().collect();
        all.sort_unstable();
        assert_eq!(all, open);
        assert_eq!(super::parts(&of, &[3, 5]), [[3, 5]]);
    }
}
