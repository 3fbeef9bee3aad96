//! Looking for an offset by time.

use super::batch::Header;
use super::records::{body, records};
use super::{Log, Stored};

/// A record that was looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    pub offset: i64,
    pub timestamp: i64,
}

impl Log {
    /// The first record that is not older.
    pub(crate) fn first_since(&self, timestamp: i64) -> Option<Found> {
        let candidates = self.segments.iter().filter(|segment| segment.max_timestamp >= timestamp);
        let mut batches =
            candidates.flat_map(|segment| &segment.batches).filter(|batch| batch.max_timestamp >= timestamp);
        // A batch may begin before the log does, and have what is looked for there only.
        batches.find_map(|batch| self.in_batch(batch, |time| time >= timestamp))
    }

    /// The first of the newest records.
    pub(crate) fn newest(&self) -> Option<Found> {
        let newest = self.segments.iter().map(|segment| segment.max_timestamp).max()?;
        let batches = self.segments.iter().filter(|segment| segment.max_timestamp == newest);
        let batch = batches.flat_map(|segment| &segment.batches).find(|batch| batch.max_timestamp == newest)?;
        self.in_batch(batch, |time| time == newest)
    }

    fn in_batch(&self, batch: &Stored, is_it: impl Fn(i64) -> bool) -> Option<Found> {
        let header = Header::read(&batch.bytes)?;
        let at = |offset_delta: i32, timestamp| Found {
            offset: header.base_offset.saturating_add(offset_delta.into()),
            timestamp,
        };
        if header.is_append_time() {
            // All of them were appended at the same time.
            let found = Found { offset: header.base_offset.max(self.start), timestamp: header.max_timestamp };
            return is_it(header.max_timestamp).then_some(found);
        }
        let body = body(&header, &batch.bytes)?;
        records(&body)
            .map_while(|record| record)
            .map(|record| at(record.offset_delta, header.base_timestamp.saturating_add(record.timestamp_delta)))
            .find(|found| found.offset >= self.start && is_it(found.timestamp))
    }
}
