//! Logs with times given by hand.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::error::ResponseError;

use super::super::config::{Configs, TopicConfig};
use super::super::time::Now;
use super::batch::Header;
use super::memory::Memory;
use super::records::put_record;
use super::{Log, Marker, NewBatch};

const T0: i64 = 1_700_000_000_000;

fn at(ms: i64) -> Now {
    Now { mono: Instant::now() + Duration::from_millis(ms as u64), wall: T0 + ms }
}

fn config(set: &[(&str, &str)]) -> TopicConfig {
    let set: BTreeMap<String, String> = set.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    TopicConfig::of(&set, &Configs::default())
}

fn log() -> Log {
    Log::new(Rc::new(Memory::default()), at(0))
}

type Record<'a> = (i64, Option<&'a str>, Option<&'a str>);

/// A batch of (time, key, value) of a producer (id, epoch, sequence).
fn batch(records: &[Record<'_>], (producer_id, producer_epoch, base_sequence): (i64, i16, i32), bits: i16) -> NewBatch {
    let (base, mut body) = (T0 + records[0].0, Vec::new());
    for (delta, (time, key, value)) in (0..).zip(records) {
        put_record(&mut body, delta, T0 + time - base, key.map(str::as_bytes), value.map(str::as_bytes));
    }
    let count = records.len() as i32;
    let header = Header {
        base_offset: 0,
        leader_epoch: -1,
        attributes: bits,
        last_delta: count - 1,
        base_timestamp: base,
        max_timestamp: T0 + records.iter().map(|record| record.0).max().unwrap(),
        producer_id,
        producer_epoch,
        base_sequence,
        count,
    };
    NewBatch::read(&header.with_records(&body), 13).unwrap()
}

const NOBODY: (i64, i16, i32) = (-1, -1, -1);

fn put(log: &mut Log, config: &TopicConfig, batch: &NewBatch, now: i64) -> Result<i64, ResponseError> {
    log.append(batch, config, 0, ("t", 0), at(now)).map(|done| done.base_offset).map_err(|refusal| refusal.error)
}

/// The keys and values that are to be read, with their offsets.
fn all(log: &Log) -> Vec<(i64, String)> {
    let slice = log.read(log.start_offset(), log.high_watermark(), usize::MAX, true).unwrap();
    let mut out = Vec::new();
    for part in &slice.parts {
        assert!(super::batch::is_whole(part));
        let header = Header::read(part).unwrap();
        let body = super::records::body(&header, part).unwrap();
        for record in super::records::records(&body).map(Option::unwrap).filter(|_| !header.is_control()) {
            let text = |bytes: Option<&[u8]>| bytes.map_or("-".into(), |b| String::from_utf8_lossy(b).into_owned());
            let record = (i64::from(record.offset_delta), text(record.key) + "=" + &text(record.value));
            out.push((header.base_offset + record.0, record.1));
        }
    }
    out
}

#[test]
fn what_was_written_is_read_by_offset_and_by_time() {
    let (mut log, config) = (log(), config(&[]));
    for i in 0..4 {
        let two = batch(&[(i * 10, Some("k"), Some("v")), (i * 10 + 5, None, None)], NOBODY, 0);
        assert_eq!(put(&mut log, &config, &two, 0), Ok(i * 2));
    }
    let one = log.read(3, 8, 1, true).unwrap();
    assert_eq!((one.parts.len(), Header::read(&one.parts[0]).unwrap().base_offset, one.end), (1, 2, 4));
    assert_eq!(log.read(3, 8, 1, false).unwrap().size, 0);
    assert_eq!(log.read(8, 8, 100, true).unwrap().size, 0);
    assert!(log.read(9, 9, 100, true).is_err() && log.read(-1, 8, 100, true).is_err());
    let since = |log: &Log, ms: i64| log.first_since(T0 + ms).map(|found| (found.offset, found.timestamp - T0));
    assert_eq!(since(&log, 11), Some((3, 15)));
    assert_eq!(since(&log, -1), Some((0, 0)));
    assert_eq!(since(&log, 36), None);
    assert_eq!(log.newest().map(|found| found.offset), Some(7));
    log.delete_to(3).unwrap();
    assert_eq!((log.start_offset(), since(&log, 0)), (3, Some((3, 15))));
    assert!(log.read(2, 8, 100, true).is_err() && log.delete_to(9).is_err());
    assert_eq!(all(&log).first().map(|first| first.0), Some(2), "batches stay whole");
}

#[test]
fn a_producer_s_batches_come_in_their_order_and_once() {
    let (mut log, config) = (log(), config(&[]));
    let mut one = |producer| put(&mut log, &config, &batch(&[(0, None, None)], producer, 0), 0);
    assert_eq!(one((7, 0, 10)), Ok(0), "of an unknown producer any number is taken");
    assert_eq!(one((7, 0, 11)), Ok(1));
    assert_eq!(one((7, 0, 10)), Ok(0), "again");
    assert_eq!(one((7, 0, 13)), Err(ResponseError::OutOfOrderSequenceNumber));
    for sequence in 12..16 {
        assert_eq!(one((7, 0, sequence)), Ok(i64::from(sequence) - 10));
    }
    assert_eq!(one((7, 0, 10)), Err(ResponseError::OutOfOrderSequenceNumber), "five are known");
    assert_eq!(one((7, 1, 3)), Err(ResponseError::OutOfOrderSequenceNumber));
    assert_eq!(one((7, 1, 0)), Ok(6));
    assert_eq!(one((7, 0, 16)), Err(ResponseError::InvalidProducerEpoch));
    assert_eq!(one((8, 0, i32::MAX)), Ok(7));
    assert_eq!(one((8, 0, 0)), Ok(8), "after the largest comes 0");
}

#[test]
fn transactions_hold_the_last_stable_offset_until_they_end() {
    let (mut log, config) = (log(), config(&[]));
    let one = |log: &mut Log, producer, bits| put(log, &config, &batch(&[(0, None, None)], producer, bits), 0);
    assert_eq!(one(&mut log, (1, 0, 0), 16), Ok(0));
    assert_eq!(one(&mut log, (2, 0, 0), 16), Ok(1));
    assert_eq!(one(&mut log, (1, 0, 1), 0), Err(ResponseError::InvalidTxnState));
    assert_eq!((log.last_stable_offset(), log.high_watermark()), (0, 2));
    let end = |log: &mut Log, producer_id, producer_epoch, commit, coordinator_epoch| {
        let marker = Marker { producer_id, producer_epoch, commit, coordinator_epoch };
        log.append_marker(marker, &config, 0, at(0)).map_err(|refusal| refusal.error)
    };
    assert_eq!(end(&mut log, 1, 0, false, 5), Ok(2));
    assert_eq!(log.last_stable_offset(), 1);
    assert_eq!(end(&mut log, 2, 0, true, 5), Ok(3));
    assert_eq!(log.last_stable_offset(), 4);
    let aborted: Vec<_> = log.aborted(0, 4).map(|aborted| (aborted.producer_id, aborted.first_offset)).collect();
    assert_eq!(aborted, [(1, 0)]);
    assert_eq!(log.aborted(3, 4).count(), 0);
    assert_eq!(end(&mut log, 2, 0, true, 4), Err(ResponseError::TransactionCoordinatorFenced));
    assert_eq!(end(&mut log, 2, 1, false, 5), Ok(4), "with the next epoch, as KIP-890 has it");
    assert_eq!(one(&mut log, (2, 0, 1), 16), Err(ResponseError::InvalidProducerEpoch));
    assert_eq!(one(&mut log, (2, 1, 0), 16), Ok(5));
}

#[test]
fn what_cannot_be_is_refused() {
    let (mut log, config) = (log(), config(&[("max.message.bytes", "100"), ("cleanup.policy", "compact")]));
    let mut one = |records: &[Record<'_>], bits| put(&mut log, &config, &batch(records, NOBODY, bits), 0);
    assert_eq!(one(&[(0, None, Some("v"))], 0), Err(ResponseError::InvalidRecord));
    assert_eq!(one(&[(0, Some("k"), Some(&"v".repeat(100)))], 0), Err(ResponseError::MessageTooLarge));
    assert_eq!(one(&[(3_600_001, Some("k"), None)], 0), Err(ResponseError::InvalidTimestamp));
    assert_eq!(one(&[(0, Some("k"), None)], 32), Err(ResponseError::InvalidRecord), "a marker");
    assert_eq!(one(&[(0, Some("k"), None)], 1), Err(ResponseError::UnknownServerError), "not gzip");
    let mut bytes = batch(&[(0, Some("k"), None)], NOBODY, 0).bytes.to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    let broken = NewBatch::read(&Bytes::from(bytes.clone()), 13).unwrap();
    assert_eq!(put(&mut log, &config, &broken, 0), Err(ResponseError::CorruptMessage));
    for length in 0..bytes.len() {
        assert!(NewBatch::read(&Bytes::copy_from_slice(&bytes[..length]), 13).is_err());
    }
    assert_eq!((log.high_watermark(), log.size()), (0, 0));
}

#[test]
fn the_broker_s_time_is_written_into_the_batch() {
    let (mut log, config) = (log(), config(&[("message.timestamp.type", "LogAppendTime")]));
    let done = log.append(&batch(&[(0, None, None)], NOBODY, 0), &config, 3, ("t", 0), at(50)).unwrap();
    assert_eq!(done.append_time, T0 + 50);
    let slice = log.read(0, 1, 1000, true).unwrap();
    let header = Header::read(&slice.parts[0]).unwrap();
    assert!(super::batch::is_whole(&slice.parts[0]));
    assert_eq!((header.max_timestamp, header.is_append_time(), header.leader_epoch), (T0 + 50, true, 3));
    assert_eq!(log.first_since(T0 + 20).map(|found| (found.offset, found.timestamp)), Some((0, T0 + 50)));
}

#[test]
fn epochs_tell_where_they_end() {
    let (mut log, config) = (log(), config(&[]));
    put(&mut log, &config, &batch(&[(0, None, None), (0, None, None)], NOBODY, 0), 0).unwrap();
    log.begin_epoch(2);
    log.append(&batch(&[(0, None, None)], NOBODY, 0), &config, 2, ("t", 0), at(0)).unwrap();
    log.begin_epoch(5);
    log.begin_epoch(6);
    assert_eq!(
        [0, 1, 2, 3, 6, 7].map(|epoch| log.end_of_epoch(epoch)),
        [(0, 2), (0, 2), (2, 3), (2, 3), (6, 3), (-1, -1)]
    );
    assert_eq!([0, 1, 2].map(|offset| log.epoch_at(offset)), [Some(0), Some(0), Some(2)]);
}

#[test]
fn old_segments_and_too_many_go() {
    let config = config(&[("retention.ms", "100"), ("segment.ms", "10"), ("retention.bytes", "200")]);
    let mut log = log();
    for i in 0..3 {
        put(&mut log, &config, &batch(&[(i * 20, None, None)], NOBODY, 0), i * 20).unwrap();
    }
    log.clean(&config, at(60));
    assert_eq!(log.start_offset(), 0);
    log.clean(&config, at(121));
    assert_eq!(log.start_offset(), 2);
    for time in (130..220).step_by(11) {
        put(&mut log, &config, &batch(&[(time, None, None)], NOBODY, 0), time).unwrap();
    }
    log.clean(&config, at(220));
    assert!(log.size() >= 200 && log.size() < 300, "{}", log.size());
    log.clean(&config, at(1000));
    assert_eq!((log.start_offset(), log.size(), all(&log).len()), (log.high_watermark(), 0, 0));
}

#[test]
fn the_oldest_go_when_the_memory_is_used_up() {
    let memory = Rc::new(Memory::new(10_000));
    let (mut log, config) = (Log::new(memory.clone(), at(0)), config(&[]));
    while memory.missing(0) == 0 {
        put(&mut log, &config, &batch(&[(0, None, Some("some value"))], NOBODY, 0), 0).unwrap();
    }
    let before = memory.used();
    log.drop_oldest(1000);
    assert!(memory.used() <= before - 1000 && log.start_offset() > 0);
    drop(log);
    assert_eq!(memory.used(), 0);
}

#[test]
fn compaction_keeps_the_last_of_each_key() {
    let set = [("cleanup.policy", "compact"), ("segment.ms", "10"), ("delete.retention.ms", "1000")];
    let (config, memory) = (config(&set), Rc::new(Memory::default()));
    let mut log = Log::new(memory.clone(), at(0));
    put(&mut log, &config, &batch(&[(0, Some("a"), Some("1")), (0, Some("b"), Some("1"))], NOBODY, 0), 0).unwrap();
    put(&mut log, &config, &batch(&[(20, Some("a"), Some("2")), (20, Some("c"), None)], NOBODY, 0), 20).unwrap();
    put(&mut log, &config, &batch(&[(40, Some("x"), Some("aborted"))], (9, 0, 0), 16), 40).unwrap();
    let marker = Marker { producer_id: 9, producer_epoch: 0, commit: false, coordinator_epoch: 0 };
    log.append_marker(marker, &config, 0, at(60)).unwrap();
    put(&mut log, &config, &batch(&[(80, Some("b"), Some("active"))], NOBODY, 0), 80).unwrap();
    log.clean(&config, at(100));
    let texts = |log: &Log| all(log).into_iter().map(|(offset, text)| format!("{offset}:{text}")).collect::<Vec<_>>();
    // The newer b is in the active segment, which is left alone.
    assert_eq!(texts(&log), ["1:b=1", "2:a=2", "3:c=-", "6:b=active"]);
    assert_eq!((log.start_offset(), log.high_watermark()), (0, 7));
    put(&mut log, &config, &batch(&[(100, Some("d"), Some("active"))], NOBODY, 0), 100).unwrap();
    log.clean(&config, at(1101));
    assert_eq!(texts(&log), ["2:a=2", "6:b=active", "7:d=active"]);
    let found = log.first_since(T0 + 81).map(|found| found.offset);
    assert_eq!(found, Some(7));
    drop(log);
    assert_eq!(memory.used(), 0);
}
