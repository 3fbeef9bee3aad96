//! The time of the first record of a partition from an offset on.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode as Code;

use super::events::ConnectionEvents;
use super::fault::said_error;
use super::offsets::Partition;
use crate::error::Result;
use crate::kafka::ffi::{Bell, Feed, Fetched, Said, What};
use crate::shutdown::Shutdown;

/// How many partitions are fetched from at once: with [`FIRST`] that bounds what is kept.
const AT_ONCE: usize = 128;

/// How many records are taken at once.
const BATCH: usize = 64;

/// How often somebody who waits is asked whether to go on.
const POLL: Duration = Duration::from_millis(50);

/// The properties of a consumer that [`first_times`] can use: one batch of each partition is enough, and the end is told.
pub(crate) const FIRST: &[(&str, &str)] = &[("enable.partition.eof", "true"), ("fetch.message.max.bytes", "65536")];

/// The time of the first record of each partition that is at an offset or behind it, in ms since 1970; blocks. `None` where
/// no record came: there is none before the end, it has no time, or nothing more came for as long as `limit`.
///
/// # Errors
/// librdkafka has no memory; the reason to stop.
pub(crate) fn first_times(
    consumer: &Arc<BaseConsumer<ConnectionEvents>>,
    of: &[(&Partition, i64)],
    limit: Duration,
    shutdown: &Shutdown,
) -> Result<Vec<Option<i64>>> {
    let mut times = vec![None; of.len()];
    if of.is_empty() {
        return Ok(times);
    }
    let feed = Feed::of_partitions(consumer.clone(), &Bell::default());
    let no_memory = || said_error("cannot fetch records", &Said::plain(Code::CriticalSystemResource));
    let mut feed = feed.ok_or_else(no_memory)?;
    let mut waiting = of.iter().enumerate();
    let mut open: HashMap<(String, i32), usize> = HashMap::new();
    let mut latest = Instant::now();
    loop {
        while open.len() < AT_ONCE
            && let Some((at, (partition, from))) = waiting.next()
        {
            // One that cannot be fetched from has no time.
            if feed.start(&partition.topic, partition.number, *from).is_ok() {
                open.insert((partition.topic.clone(), partition.number), at);
            }
        }
        if open.is_empty() || latest.elapsed() > limit {
            break;
        }
        shutdown.check()?;
        while let Some(what) = feed.event(Duration::ZERO) {
            if let What::Log(line) = what {
                consumer.client().context().log_line(&line);
            }
        }
        let mut answered = Vec::new();
        for fetched in feed.fetch(BATCH, POLL).iter() {
            let (topic, number, time) = match &fetched {
                Fetched::Record(record) => (record.topic(), record.partition(), record.timestamp()),
                Fetched::End(place) | Fetched::Fault(_, _, place) => (place.topic.as_str(), place.partition, None),
            };
            let Some((place, at)) = open.remove_entry(&(topic.to_owned(), number)) else { continue };
            if let Some(found) = times.get_mut(at) {
                *found = time;
            }
            answered.push(place);
            latest = Instant::now();
        }
        for (topic, number) in answered {
            // What else it has is of no use.
            let _ = feed.stop(&topic, number);
        }
    }
    for (topic, number) in open.into_keys() {
        let _ = feed.stop(&topic, number);
    }
    Ok(times)
}
