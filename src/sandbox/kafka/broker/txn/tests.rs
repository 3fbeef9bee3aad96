use std::time::{Duration, Instant};

use kafka_protocol::error::ResponseError;

use super::super::time::Now;
use super::{Part, State, Transactions, Writer};

fn at(start: Instant, ms: u64) -> Now {
    Now { mono: start + Duration::from_millis(ms), wall: 1_000_000 + i64::try_from(ms).unwrap() }
}

fn writer(producer_id: i64, epoch: i16) -> Writer<'static> {
    Writer { transactional_id: "t", producer_id, epoch }
}

fn part() -> Part {
    Part::Partition("a".to_owned(), 0)
}

#[test]
fn another_producer_with_the_same_id_fences_the_first_and_aborts_what_it_has_begun() {
    let (mut all, now) = (Transactions::default(), at(Instant::now(), 0));
    let first = all.init("t", None, 1000, now).unwrap();
    assert_eq!((first.producer_id, first.epoch), (0, 0));
    all.add(writer(0, 0), [part(), Part::Group("g".to_owned())], now).unwrap();
    let second = all.init("t", None, 1000, now).unwrap();
    let ended = second.ended.unwrap();
    assert!(!ended.commit && ended.epoch == 1 && ended.partitions.len() == 1 && ended.groups.len() == 1);
    assert_eq!((second.producer_id, second.epoch), (0, 2));
    assert_eq!(all.add(writer(0, 0), [part()], now), Err(ResponseError::ProducerFenced));
    assert_eq!(all.end(writer(0, 0), true, false, now).unwrap_err(), ResponseError::ProducerFenced);
    assert_eq!(all.end(writer(7, 2), true, false, now).unwrap_err(), ResponseError::InvalidProducerIdMapping);
    // Nothing of the first keeps the clock.
    assert!(all.due.is_empty() && all.size == 1 + super::EACH);
}

#[test]
fn an_end_may_come_again() {
    let (mut all, now) = (Transactions::default(), at(Instant::now(), 0));
    all.init("t", None, 1000, now).ok().unwrap();
    assert_eq!(all.end(writer(0, 0), true, false, now).unwrap_err(), ResponseError::InvalidTxnState);
    all.add(writer(0, 0), [part()], now).unwrap();
    assert!(all.end(writer(0, 0), true, false, now).unwrap().ended.unwrap().commit);
    assert!(all.end(writer(0, 0), true, false, now).unwrap().ended.is_none());
    assert_eq!(all.end(writer(0, 0), false, false, now).unwrap_err(), ResponseError::InvalidTxnState);
}

#[test]
fn each_end_bumps_the_epoch_and_its_marker_has_the_new_one() {
    let (mut all, now) = (Transactions::default(), at(Instant::now(), 0));
    all.init("t", None, 1000, now).ok().unwrap();
    all.verify_or_add(writer(0, 0), vec![part()], true, now).unwrap();
    let after = all.end(writer(0, 0), true, true, now).unwrap();
    assert_eq!((after.epoch, after.ended.unwrap().epoch), (1, 1));
    // The same again: its answer was lost. The other end: no.
    let again = all.end(writer(0, 0), true, true, now).unwrap();
    assert!(again.epoch == 1 && again.ended.is_none());
    assert_eq!(all.end(writer(0, 0), false, true, now).unwrap_err(), ResponseError::InvalidTxnState);
    assert_eq!(all.verify_or_add(writer(0, 0), vec![part()], true, now), Err(ResponseError::ProducerFenced));
    // An abort of nothing bumps, too.
    assert_eq!(all.end(writer(0, 1), false, true, now).unwrap().epoch, 2);
    assert_eq!(all.end(writer(0, 2), true, true, now).unwrap_err(), ResponseError::InvalidTxnState);
}

#[test]
fn epochs_that_are_used_up_give_another_producer() {
    let (mut all, now) = (Transactions::default(), at(Instant::now(), 0));
    all.init("t", None, 1000, now).ok().unwrap();
    all.by_id.get_mut("t").unwrap().epoch = i16::MAX - 1;
    all.add(writer(0, i16::MAX - 1), [part()], now).unwrap();
    let after = all.end(writer(0, i16::MAX - 1), true, true, now).unwrap();
    assert_eq!((after.producer_id, after.epoch), (1, 0));
    let ended = after.ended.unwrap();
    assert_eq!((ended.producer_id, ended.epoch), (0, i16::MAX));
    assert_eq!(all.end(writer(0, i16::MAX - 1), true, true, now).unwrap().producer_id, 1);
    all.by_id.get_mut("t").unwrap().epoch = i16::MAX - 1;
    let given = all.init("t", Some((1, i16::MAX - 1)), 1000, now).unwrap();
    assert_eq!((given.producer_id, given.epoch), (2, 0));
}

#[test]
fn who_only_wants_another_epoch_has_to_know_its_own() {
    let (mut all, now) = (Transactions::default(), at(Instant::now(), 0));
    all.init("t", None, 1000, now).ok().unwrap();
    assert_eq!(all.init("t", Some((0, 0)), 1000, now).unwrap().epoch, 1);
    assert_eq!(all.init("t", Some((0, 0)), 1000, now).unwrap().epoch, 1);
    assert_eq!(all.init("t", Some((0, 1)), 1000, now).unwrap().epoch, 2);
    assert_eq!(all.init("t", Some((0, 0)), 1000, now).err(), Some(ResponseError::ProducerFenced));
    assert_eq!(all.init("t", Some((9, 2)), 1000, now).err(), Some(ResponseError::ProducerFenced));
}

#[test]
fn what_takes_too_long_is_aborted_and_what_nobody_uses_is_forgotten() {
    let start = Instant::now();
    let (mut all, now) = (Transactions::default(), at(start, 0));
    all.init("t", None, 1000, now).ok().unwrap();
    all.add(writer(0, 0), [part()], now).unwrap();
    assert_eq!(all.next_wake(), Some(at(start, 1000).mono));
    assert!(all.tick(at(start, 999)).is_empty());
    let ended = all.tick(at(start, 1000));
    assert!(ended.len() == 1 && !ended[0].commit && ended[0].epoch == 1);
    assert_eq!(all.get("t").unwrap().state, State::CompleteAbort);
    assert_eq!(all.verify(writer(0, 0), &part(), ResponseError::InvalidTxnState), Err(ResponseError::ProducerFenced));
    all.tick(at(start, 8 * 24 * 3_600_000));
    assert!(all.get("t").is_none() && all.size == 0);
}
