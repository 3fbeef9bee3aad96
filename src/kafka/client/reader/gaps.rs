//! Whether a partition that a group reads has anything left before its end.
//!
//! The last offsets may be no records: a marker of a transaction, or what compaction took away. Only the event of the end
//! tells, and a group's consumer must not ask for it: after it librdkafka's own position is one too far, which is where a
//! cooperative rebalance goes on from (librdkafka#4844). So a second consumer, without the group, looks.

use std::time::{Duration, Instant};

use super::super::Setup;
use super::super::events::ConnectionEvents;
use super::super::offsets::Partition;
use super::fault::no_memory;
use crate::error::Result;
use crate::kafka::ffi::{Bell, Feed, Fetched, What};

/// How many records are taken at once: one is enough of each partition.
const BATCH: usize = 64;

/// What was looked at once is looked at again so much later.
pub(crate) const AGAIN: Duration = Duration::from_secs(1);

/// A look at some partitions.
pub(crate) struct Gaps {
    feed: Feed<ConnectionEvents>,
    /// From where to which end; those that were answered are gone.
    open: Vec<(Partition, i64)>,
    /// When it began.
    pub since: Instant,
}

impl Gaps {
    /// Begins to look at partitions, each from an offset to an end. The bell rings when there is news.
    ///
    /// # Errors
    /// librdkafka's.
    pub(crate) fn new(setup: &Setup, isolation: &str, of: Vec<(Partition, i64, i64)>, bell: &Bell) -> Result<Gaps> {
        let consumer = setup.consumer(&[("isolation.level", isolation), ("enable.partition.eof", "true")])?;
        let mut feed = Feed::of_partitions(consumer, bell).ok_or_else(no_memory)?;
        let mut open = Vec::new();
        for (partition, from, end) in of {
            // What cannot be looked at now is looked at later.
            if feed.start(&partition.topic, partition.number, from).is_ok() {
                open.push((partition, end));
            }
        }
        Ok(Gaps { feed, open, since: Instant::now() })
    }

    /// True when every partition was answered for.
    pub(crate) fn is_done(&self) -> bool {
        self.open.is_empty()
    }

    /// True when [`Gaps::look`] may find something.
    pub(crate) fn has_news(&self) -> bool {
        self.feed.has_events() || self.feed.has_fetched()
    }

    /// The partitions that turned out to have nothing left before their end.
    pub(crate) fn look(&mut self) -> Vec<Partition> {
        while let Some(what) = self.feed.event(Duration::ZERO) {
            if let What::Log(line) = what {
                rdkafka::consumer::Consumer::client(&**self.feed.consumer()).context().log_line(&line);
            }
        }
        let (mut ended, mut answered) = (Vec::new(), Vec::new());
        for fetched in self.feed.fetch(BATCH, Duration::ZERO).iter() {
            let (topic, number, offset) = match &fetched {
                Fetched::Record(record) => (record.topic(), record.partition(), Some(record.offset())),
                Fetched::End(place) => (place.topic.as_str(), place.partition, None),
                Fetched::Fault(_, _, place) => {
                    answered.push((place.topic.clone(), place.partition));
                    continue;
                }
            };
            let Some(at) = self.open.iter().position(|(p, _)| p.number == number && p.topic == topic) else { continue };
            let (partition, end) = self.open.swap_remove(at);
            if offset.is_none_or(|offset| offset >= end) {
                ended.push(partition.clone());
            }
            answered.push((partition.topic, partition.number));
        }
        for (topic, number) in answered {
            self.open.retain(|(p, _)| p.number != number || p.topic != topic);
            // It was answered for: whatever else it has is the group's.
            let _ = self.feed.stop(&topic, number);
        }
        ended
    }
}
