//! Appending: what Kafka's `LogValidator` and `UnifiedLog` check, and where a batch gets its place.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;

use super::super::config::TopicConfig;
use super::super::time::Now;
use super::batch::{self, Header};
use super::codec::compress;
use super::records::{self, are_so_many, body, put_record};
use super::{Log, Refusal, STORED, Stored};

/// A batch of a client that has been checked, except for what depends on the log.
#[derive(Debug, Clone)]
pub(crate) struct NewBatch {
    pub(super) bytes: Bytes,
    pub header: Header,
}

/// Where a batch has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Appended {
    pub base_offset: i64,
    /// In milliseconds since 1970 when the topic's time is the broker's, or else -1.
    pub append_time: i64,
    /// It had been written before.
    pub is_duplicate: bool,
}

/// The end of a transaction, as its coordinator writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Marker {
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub commit: bool,
    pub coordinator_epoch: i32,
}

fn invalid() -> Refusal {
    Refusal::bare(ResponseError::InvalidRecord)
}

impl NewBatch {
    /// Checks what a Produce request of this version has for a partition: one batch of format 2.
    ///
    /// # Errors
    /// As Kafka's.
    pub(crate) fn read(bytes: &Bytes, version: i16) -> Result<NewBatch, Refusal> {
        let Some(length) = batch::length(bytes) else { return Err(invalid()) };
        let Some(magic) = batch::magic(bytes) else { return Err(invalid()) };
        if length < 26 {
            return Err(Refusal::bare(ResponseError::CorruptMessage));
        }
        if !(0..=2).contains(&magic) {
            let text = format!("Invalid magic found in record: {magic}");
            return Err(Refusal::new(ResponseError::CorruptMessage, text));
        }
        // What is cut is no batch.
        let Some(whole) = bytes.get(..length) else { return Err(invalid()) };
        if magic != 2 {
            return Err(invalid());
        }
        let Some(header) = Header::read(whole) else { return Err(Refusal::bare(ResponseError::CorruptMessage)) };
        if version < 7 && header.codec() == 4 {
            return Err(Refusal::bare(ResponseError::UnsupportedCompressionType));
        }
        let rest = bytes.get(length..).unwrap_or_default();
        if batch::length(rest).is_some_and(|next| next <= rest.len()) {
            return Err(invalid());
        }
        Ok(NewBatch { bytes: bytes.slice(..length), header })
    }

    /// The bytes of it.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Checks what stands in it against the settings of its topic.
    fn check(&self, config: &TopicConfig, place: (&str, i32), now: Now) -> Result<(), Refusal> {
        let header = &self.header;
        if header.base_offset != 0 {
            return Err(invalid());
        }
        if i64::try_from(self.bytes.len()).unwrap_or(i64::MAX) > config.max_message_bytes {
            return Err(Refusal::bare(ResponseError::MessageTooLarge));
        }
        if !batch::is_whole(&self.bytes) {
            return Err(Refusal::bare(ResponseError::CorruptMessage));
        }
        let is_counted = header.count > 0 && header.last_delta.checked_add(1) == Some(header.count);
        if !is_counted || header.is_control() || (header.producer_id >= 0 && header.base_sequence < 0) {
            return Err(invalid());
        }
        if header.is_transactional() && header.producer_id < 0 {
            return Err(invalid());
        }
        // Kafka fails without an error of its own for what cannot be decompressed.
        let body = body(header, &self.bytes).ok_or(Refusal::bare(ResponseError::UnknownServerError))?;
        if !are_so_many(&body, header.count) {
            return Err(invalid());
        }
        if config.compact {
            self.check_keys(&body, place)?;
        }
        if config.log_append_time { Ok(()) } else { self.check_times(&body, config, now) }
    }

    /// Every record of a compacted topic has a key.
    fn check_keys(&self, body: &[u8], (topic, partition): (&str, i32)) -> Result<(), Refusal> {
        let text = format!("Compacted topic cannot accept message without key in topic partition {topic}-{partition}");
        let mut without = Vec::new();
        for (index, record) in (0_i32..).zip(records::records(body)) {
            if record.ok_or_else(invalid)?.key.is_none() {
                without.push((index, text.clone()));
            }
        }
        if without.is_empty() {
            return Ok(());
        }
        let first =
            without.iter().take(3).map(|(index, text)| format!("RecordError(batchIndex={index}, message='{text}')"));
        let message = format!(
            "One or more records have been rejected due to {} record errors in total, and only showing the first three \
             errors at most: [{}]",
            without.len(),
            first.collect::<Vec<_>>().join(", ")
        );
        Err(Refusal { error: ResponseError::InvalidRecord, message: Some(message), records: without, log_start: None })
    }

    /// No record is too old or too new.
    fn check_times(&self, body: &[u8], config: &TopicConfig, now: Now) -> Result<(), Refusal> {
        let earliest = now.wall.saturating_sub(config.timestamp_before_max_ms);
        let latest = now.wall.saturating_add(config.timestamp_after_max_ms);
        let is_out = |timestamp: i64| timestamp != -1 && !(earliest..=latest).contains(&timestamp);
        let header = &self.header;
        // Only records before the first are older than what the header says.
        if !is_out(header.max_timestamp) && config.timestamp_before_max_ms == i64::MAX {
            return Ok(());
        }
        let mut out = Vec::new();
        for (index, record) in (0_i32..).zip(records::records(body)) {
            let timestamp = header.base_timestamp.saturating_add(record.ok_or_else(invalid)?.timestamp_delta);
            if is_out(timestamp) {
                let text = format!(
                    "Timestamp {timestamp} of message with offset {index} is out of range. \
                     The timestamp should be within [{earliest}, {latest}]"
                );
                out.push((index, text));
            }
        }
        if out.is_empty() {
            return Ok(());
        }
        Err(Refusal {
            error: ResponseError::InvalidTimestamp,
            message: Some("One or more records have been rejected due to invalid timestamp".to_owned()),
            records: out,
            log_start: None,
        })
    }
}

impl Log {
    /// Appends a batch of a client.
    ///
    /// # Errors
    /// As Kafka's; nothing is written then.
    pub(crate) fn append(
        &mut self,
        batch: &NewBatch,
        config: &TopicConfig,
        leader_epoch: i32,
        place: (&str, i32),
        now: Now,
    ) -> Result<Appended, Refusal> {
        batch.check(config, place, now)?;
        let mut header = batch.header;
        if header.producer_id >= 0
            && let Some(known) = self.producers.check(&header)?
        {
            return Ok(Appended { base_offset: known.first_offset, append_time: known.timestamp, is_duplicate: true });
        }
        let append_time = config.log_append_time.then_some(now.wall);
        header.base_offset = self.end;
        header.attributes &= !8;
        if let Some(time) = append_time {
            header.attributes |= 8;
            header.max_timestamp = time;
        }
        let wanted = config.compression.map_or(header.codec(), |codec| codec as i16);
        let bytes = if wanted == header.codec() {
            batch::stored(&batch.bytes, self.end, leader_epoch, append_time)
        } else {
            // `compression.type` is not `producer`: all batches are kept in the same codec.
            header.leader_epoch = leader_epoch;
            let plain = body(&header, &batch.bytes).ok_or_else(invalid)?;
            let records = compress(wanted, &plain).ok_or_else(invalid)?;
            header.attributes = (header.attributes & !7) | wanted;
            header.with_records(&records)
        };
        self.roll_if_due(config, bytes.len(), header.max_timestamp, now);
        self.put(bytes, &header, leader_epoch);
        self.producers.written(&header, now.wall);
        Ok(Appended { base_offset: header.base_offset, append_time: append_time.unwrap_or(-1), is_duplicate: false })
    }

    /// Ends a transaction: writes its marker, whose offset is returned.
    ///
    /// # Errors
    /// INVALID_PRODUCER_EPOCH, TRANSACTION_COORDINATOR_FENCED.
    pub(crate) fn append_marker(
        &mut self,
        marker: Marker,
        config: &TopicConfig,
        leader_epoch: i32,
        now: Now,
    ) -> Result<i64, Refusal> {
        let Marker { producer_id, producer_epoch, commit, coordinator_epoch } = marker;
        self.producers.check_marker(producer_id, producer_epoch, coordinator_epoch)?;
        let header = Header {
            base_offset: self.end,
            leader_epoch,
            attributes: 16 | 32,
            last_delta: 0,
            base_timestamp: now.wall,
            max_timestamp: now.wall,
            producer_id,
            producer_epoch,
            base_sequence: -1,
            count: 1,
        };
        // Version 0 and the kind; version 0 and the coordinator's epoch (Kafka's EndTransactionMarker).
        let [high, low] = i16::from(commit).to_be_bytes();
        let mut value = vec![0, 0];
        value.extend_from_slice(&coordinator_epoch.to_be_bytes());
        let mut record = Vec::new();
        put_record(&mut record, 0, 0, Some(&[0, 0, high, low]), Some(&value));
        let bytes = header.with_records(&record);
        self.roll_if_due(config, bytes.len(), now.wall, now);
        let offset = header.base_offset;
        self.put(bytes, &header, leader_epoch);
        self.producers.marked(producer_id, producer_epoch, coordinator_epoch, commit, offset, now.wall);
        Ok(offset)
    }

    /// A segment that is full or too old by the time of its records (or, when they have none, by its own) takes no more.
    fn roll_if_due(&mut self, config: &TopicConfig, more: usize, timestamp: i64, now: Now) {
        let Some(active) = self.segments.back() else { return };
        if active.batches.is_empty() {
            return;
        }
        let size = i64::try_from(active.size.saturating_add(more)).unwrap_or(i64::MAX);
        let age = match active.first_timestamp {
            Some(first) if first >= 0 && timestamp >= 0 => timestamp.saturating_sub(first),
            _ => now.wall.saturating_sub(active.created),
        };
        if size > config.segment_bytes || age > config.segment_ms {
            self.roll(now.wall);
        }
    }

    fn put(&mut self, bytes: Bytes, header: &Header, leader_epoch: i32) {
        if self.epochs.last().is_none_or(|(last, _)| *last < leader_epoch) {
            self.begin_epoch(leader_epoch);
        }
        self.end = header.last_offset().saturating_add(1);
        self.size = self.size.saturating_add(bytes.len());
        self.account(bytes.len() + STORED, 0);
        let Some(active) = self.segments.back_mut() else { return };
        active.size = active.size.saturating_add(bytes.len());
        active.max_timestamp = active.max_timestamp.max(header.max_timestamp);
        active.first_timestamp.get_or_insert(header.max_timestamp);
        active.batches.push_back(Stored {
            base_offset: header.base_offset,
            last_offset: header.last_offset(),
            max_timestamp: header.max_timestamp,
            bytes,
        });
    }
}
