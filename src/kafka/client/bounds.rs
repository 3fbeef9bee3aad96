//! Offsets of many partitions, each with an outcome of its own.

use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode as Code;

use super::admin::administer;
use super::connected::Connected;
use super::offsets::{Partition, SETTLE, is_passing};
use crate::error::Result;
use crate::kafka::ffi::{OffsetSpec, Said, Sought};
use crate::shutdown::Shutdown;

/// Finds an offset of each partition; blocks. The one of a time after which no record came is -1. What leaders that move refuse
/// is asked again.
///
/// # Errors
/// The requests as a whole; the reason to stop.
pub(crate) fn find<W: Connected>(
    wire: &W,
    of: &[(&Partition, OffsetSpec)],
    limit: Duration,
    shutdown: &Shutdown,
) -> Result<Vec<Result<i64, Said>>> {
    let started = Instant::now();
    let mut found = vec![Err(Said::plain(Code::LeaderNotAvailable)); of.len()];
    loop {
        let open: Vec<usize> = (0..of.len()).filter(|at| is_open(found.get(*at))).collect();
        let asked: Vec<Sought<'_>> = open
            .iter()
            .filter_map(|at| of.get(*at))
            .map(|(partition, spec)| Sought { topic: &partition.topic, partition: partition.number, spec: *spec })
            .collect();
        if asked.is_empty() {
            return Ok(found);
        }
        let answers = administer(wire, limit, shutdown, "cannot read the offsets", |admin| admin.offsets(&asked))?;
        for (at, answer) in open.into_iter().zip(answers) {
            if let Some(found) = found.get_mut(at) {
                *found = answer;
            }
        }
        if started.elapsed() > SETTLE.min(limit) {
            return Ok(found);
        }
        if found.iter().any(|found| is_open(Some(found))) {
            shutdown.check()?;
            std::thread::sleep(Duration::from_millis(50));
            // librdkafka keeps asking with the leader's old epoch. Whether it has heard of the new one, the next answer tells.
            let _ = wire.client().fetch_metadata(None, limit);
        }
    }
}

/// Not known yet.
fn is_open(found: Option<&Result<i64, Said>>) -> bool {
    found.is_some_and(|found| found.as_ref().is_err_and(|said| is_passing(said.code)))
}
