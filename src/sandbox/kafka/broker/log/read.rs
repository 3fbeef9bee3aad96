//! Reading by offset.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;

use super::{Log, Refusal, Segment, Stored};

/// Batches that follow each other.
#[derive(Debug, Default)]
pub(crate) struct Slice {
    /// Each a batch; nothing is copied.
    pub parts: Vec<Bytes>,
    /// Their bytes.
    pub size: usize,
    /// The offset behind the last.
    pub end: i64,
}

impl Log {
    /// The batches from the one on that has `offset`, up to `to`, while they fit into `most` bytes. With `at_least_one` the
    /// first is given whatever it takes, so that a reader gets on.
    ///
    /// # Errors
    /// OFFSET_OUT_OF_RANGE when the offset is before the log's beginning or behind its end.
    pub(crate) fn read(&self, offset: i64, to: i64, most: usize, at_least_one: bool) -> Result<Slice, Refusal> {
        if offset < self.start || offset > self.end {
            return Err(Refusal::bare(ResponseError::OffsetOutOfRange));
        }
        let mut slice = Slice { parts: Vec::new(), size: 0, end: offset };
        for batch in self.from(offset) {
            if batch.base_offset >= to {
                break;
            }
            let fits = slice.size.saturating_add(batch.bytes.len()) <= most;
            if !(fits || at_least_one && slice.parts.is_empty()) {
                break;
            }
            slice.size = slice.size.saturating_add(batch.bytes.len());
            slice.end = batch.last_offset.saturating_add(1);
            slice.parts.push(batch.bytes.clone());
        }
        Ok(slice)
    }

    /// The batches from the one on that has this offset, or is the first after it.
    pub(super) fn from(&self, offset: i64) -> impl Iterator<Item = &Stored> {
        let is_before = |segment: &Segment| segment.batches.back().is_some_and(|last| last.last_offset < offset);
        let first = self.segments.partition_point(is_before);
        self.segments.iter().skip(first).flat_map(move |segment| {
            let first = segment.batches.partition_point(|batch| batch.last_offset < offset);
            segment.batches.range(first..)
        })
    }
}
