//! Where reading ends by itself.

use std::time::{Duration, Instant};

use rdkafka::consumer::BaseConsumer;
use tokio::sync::oneshot;

use super::super::events::ConnectionEvents;
use super::super::offsets::{Partition, at_time};
use super::PartitionReader;
use super::gaps::AGAIN;
use crate::error::{Kind, Result};
use crate::message::Time;
use crate::shutdown;

/// Where reading ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// Nowhere.
    Never,
    /// At what is the end now.
    End,
    /// Before the first record that is not older than this, in ms since 1970; where there is none, at what is the end then.
    Time(i64),
}

impl Until {
    /// True for what is to end.
    pub(super) fn ends(self) -> bool {
        self != Until::Never
    }

    /// True when it can be told where that is. A time has to have passed: before, records come that are older.
    pub(crate) fn is_known(self) -> bool {
        match self {
            Until::Never => false,
            Until::End => true,
            Until::Time(millis) => Time::ago(Duration::ZERO).millis().is_some_and(|now| now >= millis),
        }
    }

    /// True for a record that is left out, wherever it stands.
    pub(super) fn leaves_out(self, time: Option<i64>) -> bool {
        matches!((self, time), (Until::Time(until), Some(time)) if time >= until)
    }

    /// The offset of each partition at which it ends; `highs` are their watermarks.
    ///
    /// # Errors
    /// As [`at_time`].
    pub(super) fn bounds(
        self,
        consumer: &BaseConsumer<ConnectionEvents>,
        of: &[Partition],
        highs: &[i64],
        limit: Duration,
    ) -> Result<Vec<Option<i64>>> {
        Ok(match self {
            Until::Time(millis) if self.is_known() => {
                at_time(consumer, of, millis, limit)?.into_iter().map(Some).collect()
            }
            Until::End => highs.iter().copied().map(Some).collect(),
            Until::Never | Until::Time(_) => vec![None; of.len()],
        })
    }
}

/// Partitions, and the offset at which each ends.
pub(super) type Bounds = Result<Vec<(Partition, i64)>>;

impl PartitionReader {
    /// Once the time has passed, asks where that was in each partition, on a thread, since the call blocks.
    pub(super) fn look_for_bounds(&mut self) -> Result<()> {
        let Until::Time(millis) = self.until else { return Ok(()) };
        let of: Vec<Partition> =
            self.parts.iter().filter(|part| part.end.is_none()).map(|part| part.of.clone()).collect();
        if of.is_empty() || self.bounding.is_some() || !self.until.is_known() || Instant::now() < self.bounds_due {
            return Ok(());
        }
        let (sender, bounding) = oneshot::channel();
        let (consumer, limit) = (self.feed.consumer().clone(), self.limit);
        shutdown::spawn("kafka-until", move || {
            let found = at_time(&consumer, &of, millis, limit);
            drop(consumer);
            let _ = sender.send(found.map(|ends| of.into_iter().zip(ends).collect()));
        })?;
        self.bounding = Some(bounding);
        Ok(())
    }

    /// Takes up where partitions end.
    ///
    /// # Errors
    /// It cannot be told. While no broker can be reached, it is asked again.
    pub(super) fn found_bounds(&mut self, found: Bounds) -> Result<()> {
        match found {
            Ok(bounds) => {
                for (of, end) in bounds {
                    self.parts.iter_mut().filter(|part| part.of == of).for_each(|part| part.end = Some(end));
                }
                Ok(())
            }
            Err(error) if matches!(error.kind(), Kind::Connect | Kind::Deadline) => {
                self.bounds_due = Instant::now() + AGAIN;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}
