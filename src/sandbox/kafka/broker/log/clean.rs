//! What goes by itself: by time and size (`cleanup.policy=delete`), by a newer record of the same key (`compact`), and the
//! oldest when there is no memory left.

use std::collections::HashMap;

use bytes::Bytes;

use super::super::config::TopicConfig;
use super::super::time::Now;
use super::batch::Header;
use super::records::{body, records};
use super::{Log, STORED, Segment, Stored};

/// Most bytes that are compacted at a time: others wait for it.
const PART: usize = 32 << 20;

impl Segment {
    /// The time of its newest record, or its own when they have none.
    fn newest(&self) -> i64 {
        if self.max_timestamp >= 0 { self.max_timestamp } else { self.created }
    }
}

impl Log {
    /// Takes away what its settings say is too old or too much, by whole segments, and compacts.
    pub(crate) fn clean(&mut self, config: &TopicConfig, now: Now) {
        if config.delete {
            self.retain(config, now);
        }
        if config.compact {
            self.compact(config, now);
        }
        self.producers.forget(self.start, now.wall);
    }

    fn retain(&mut self, config: &TopicConfig, now: Now) {
        loop {
            let Some(oldest) = self.segments.front() else { return };
            if oldest.batches.is_empty() {
                return;
            }
            let age = now.wall.saturating_sub(oldest.newest());
            let is_old = config.retention_ms >= 0 && age > config.retention_ms;
            let rest = i64::try_from(self.size.saturating_sub(oldest.size)).unwrap_or(i64::MAX);
            let is_more = config.retention_bytes >= 0 && rest >= config.retention_bytes;
            if !is_old && !is_more {
                return;
            }
            self.drop_front(now);
        }
    }

    /// The first segment goes.
    fn drop_front(&mut self, now: Now) {
        if self.segments.len() == 1 {
            self.roll(now.wall);
        }
        let next = self.segments.get(1).map_or(self.end, |next| next.base_offset);
        self.start = self.start.max(next);
        self.drop_unreadable();
    }

    /// The time of its oldest record; none when there is nothing.
    pub(crate) fn oldest(&self) -> Option<i64> {
        self.segments.front()?.batches.front().map(|batch| batch.max_timestamp)
    }

    /// Takes the oldest batches away, until so many bytes are free or there is no other.
    pub(crate) fn drop_oldest(&mut self, bytes: usize) {
        let mut free = 0_usize;
        let mut start = self.start;
        for batch in self.segments.iter().flat_map(|segment| &segment.batches) {
            if free >= bytes {
                break;
            }
            free = free.saturating_add(batch.bytes.len() + STORED);
            start = batch.last_offset.saturating_add(1);
        }
        self.start = self.start.max(start);
        self.drop_unreadable();
    }

    /// Keeps the last record of each key, as Kafka's `LogCleaner`: never in the active segment, nor behind the last stable
    /// offset. Offsets stay.
    fn compact(&mut self, config: &TopicConfig, now: Now) {
        let lag = |segment: &Segment| now.wall.saturating_sub(segment.first_timestamp.unwrap_or(segment.created));
        let is_late = |segment: &Segment| lag(segment) > config.max_compaction_lag_ms;
        if self.segments.back().is_some_and(|active| !active.batches.is_empty() && is_late(active)) {
            self.roll(now.wall);
        }
        let stable = self.last_stable_offset();
        let (mut end, mut clean, mut dirty, mut must) = (self.dirty, 0_usize, 0_usize, false);
        for segment in self.segments.iter().take(self.segments.len().saturating_sub(1)) {
            let last = segment.batches.back().map_or(segment.base_offset, |last| last.last_offset);
            if last < self.dirty {
                clean = clean.saturating_add(segment.size);
                continue;
            }
            let is_young = now.wall.saturating_sub(segment.newest()) < config.min_compaction_lag_ms;
            if last >= stable || is_young || dirty > PART {
                break;
            }
            must |= is_late(segment);
            dirty = dirty.saturating_add(segment.size);
            end = last.saturating_add(1);
        }
        let ratio = dirty as f64 / clean.saturating_add(dirty).max(1) as f64;
        let has_old_tombstones = self.segments.iter().any(|segment| segment.is_due(config, now));
        if (dirty > 0 && (must || ratio >= config.min_cleanable_dirty_ratio)) || has_old_tombstones {
            self.compact_to(end, config, now);
        }
    }

    fn compact_to(&mut self, end: i64, config: &TopicConfig, now: Now) {
        let newest = self.newest_of_keys(end);
        let mut segments = std::mem::take(&mut self.segments);
        let active = segments.back().map_or(end, |active| active.base_offset);
        let (mut before, mut after) = ((0_usize, 0_usize), (0_usize, 0_usize));
        for segment in segments.iter_mut().filter(|segment| segment.base_offset < end.min(active)) {
            let drops_tombstones = segment.is_due(config, now);
            before = (before.0 + segment.size, before.1 + segment.batches.len());
            let (mut had, mut kept) = (false, std::collections::VecDeque::new());
            for batch in segment.batches.drain(..) {
                let (rest, tombstones) = self.compacted(batch, &newest, drops_tombstones, config, now);
                had |= tombstones;
                kept.extend(rest);
            }
            segment.size = kept.iter().map(|batch| batch.bytes.len()).sum();
            segment.batches = kept;
            after = (after.0 + segment.size, after.1 + segment.batches.len());
            segment.cleaned = if had { segment.cleaned.or(Some(now.wall)) } else { None };
        }
        let last = segments.pop_back();
        segments.retain(|segment| !segment.batches.is_empty());
        segments.extend(last);
        self.segments = segments;
        self.size = self.size.saturating_sub(before.0).saturating_add(after.0);
        self.account(after.0 + after.1 * STORED, before.0 + before.1 * STORED);
        self.dirty = end;
    }

    /// The offsets of the last records of the keys in the part that is to be compacted.
    fn newest_of_keys(&self, end: i64) -> HashMap<Box<[u8]>, i64> {
        let mut newest = HashMap::new();
        for batch in self.from(self.dirty).take_while(|batch| batch.base_offset < end) {
            let Some(header) = Header::read(&batch.bytes).filter(|header| !header.is_control()) else { continue };
            if self.is_aborted(&header) {
                continue;
            }
            let Some(body) = body(&header, &batch.bytes) else { continue };
            for record in records(&body).map_while(|record| record) {
                if let Some(key) = record.key {
                    newest.insert(key.into(), header.base_offset.saturating_add(record.offset_delta.into()));
                }
            }
        }
        newest
    }

    fn is_aborted(&self, header: &Header) -> bool {
        header.is_transactional()
            && self
                .producers
                .aborted(header.base_offset, header.last_offset().saturating_add(1))
                .any(|aborted| aborted.producer_id == header.producer_id)
    }

    /// What is left of a batch, and whether there is something in it that goes later: a tombstone or a marker.
    fn compacted(
        &self,
        batch: Stored,
        newest: &HashMap<Box<[u8]>, i64>,
        drops_tombstones: bool,
        config: &TopicConfig,
        now: Now,
    ) -> (Option<Stored>, bool) {
        let Some(header) = Header::read(&batch.bytes) else { return (Some(batch), false) };
        if header.is_control() {
            // Who reads just now may still have to learn how the transaction ended.
            let is_old = now.wall.saturating_sub(batch.max_timestamp) > config.delete_retention_ms;
            return if is_old { (None, false) } else { (Some(batch), true) };
        }
        if self.is_aborted(&header) {
            return (None, false);
        }
        let Some(body) = body(&header, &batch.bytes) else { return (Some(batch), false) };
        let (mut kept, mut count, mut of, mut tombstones) = (Vec::new(), 0_i32, 0_i32, false);
        for record in records(&body).map_while(|record| record) {
            of += 1;
            let offset = header.base_offset.saturating_add(record.offset_delta.into());
            let is_newest = |key: &[u8]| newest.get(key).is_none_or(|newest| *newest <= offset);
            let is_tombstone = record.value.is_none();
            if record.key.is_some_and(is_newest) && !(is_tombstone && drops_tombstones) {
                kept.extend_from_slice(record.raw);
                count += 1;
                tombstones |= is_tombstone;
            }
        }
        if count == of {
            return (Some(batch), tombstones);
        }
        if count == 0 {
            return (None, false);
        }
        // They are left as they are, but not compressed any more.
        let rest = Header { attributes: header.attributes & !7, count, ..header };
        let bytes: Bytes = rest.with_records(&kept);
        (Some(Stored { bytes, ..batch }), tombstones)
    }
}

impl Segment {
    /// It has tombstones that have been there long enough.
    fn is_due(&self, config: &TopicConfig, now: Now) -> bool {
        self.cleaned.is_some_and(|cleaned| now.wall.saturating_sub(cleaned) > config.delete_retention_ms)
    }
}
