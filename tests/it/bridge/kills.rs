//! Bridges that are killed, at random moments and again and again, lose nothing.
//!
//! `tests/soak` runs these with more of everything: `MSCOMM_SOAK_MESSAGES` says how many messages there are, and
//! `MSCOMM_SOAK_KILLS` how often is killed.

use std::time::Instant;

use super::bridge;
use super::side::{Seen, Side};
use crate::support::{Running, eventually};

pub(crate) fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().expect("a number"))
}

pub(crate) fn messages() -> u64 {
    setting("MSCOMM_SOAK_MESSAGES", 2000)
}

pub(crate) fn kills() -> u64 {
    setting("MSCOMM_SOAK_KILLS", 5)
}

/// Starts a bridge. `slow` makes it take its time, so that it can be killed in the middle.
pub(crate) fn start(from: &Side, to: &Side, slow: bool) -> Running {
    let (mut reader, mut writer) = (from.reader(), to.writer());
    if slow {
        match from {
            Side::Amqp(_) => reader.extend(["--prefetch", "10"]),
            Side::Kafka(_) => {}
        }
        match to {
            Side::Amqp(_) => writer.extend(["--window", "5"]),
            Side::Kafka(_) => writer.extend(["-X", "batch.num.messages=5", "-X", "max.in.flight=1"]),
        }
    }
    bridge(&[&reader[..], &["--to"], &writer].concat()).start()
}

/// Carries all that is left.
pub(crate) fn finish(from: &Side, to: &Side) {
    bridge(&[&from.reader()[..], &["--until-end", "--to"], &to.writer()].concat()).run().ok();
}

/// Waits until so many more have come; false when the bridge has ended before.
pub(crate) fn comes(running: &mut Running, to: &Side, wanted: u64) -> bool {
    eventually(&format!("{wanted} came; {}", running.stderr()), || {
        let has_come = to.arrived().is_some_and(|arrived| arrived >= wanted);
        (has_come || running.child.try_wait().expect("waits").is_some()).then_some(has_come)
    })
}

/// Panics unless all that is settled at the source is at the target.
#[track_caller]
pub(crate) fn is_there(from: &Side, to: &Side, seen: &mut Seen, total: u64) -> u64 {
    let settled = from.settled(total);
    to.take(seen);
    let lost: Vec<u64> = settled.iter().copied().filter(|number| !seen.has(*number)).collect();
    assert!(lost.is_empty(), "settled and not there: {} of {}: {lost:?}", lost.len(), settled.len());
    settled.len() as u64
}

#[track_caller]
pub(crate) fn has_all(seen: &Seen) {
    let missing = seen.missing();
    assert!(missing.is_empty(), "{} are lost: {missing:?}", missing.len());
}

#[expect(clippy::print_stdout, reason = "figures for who runs it by hand")]
fn survives(from: &Side, to: &Side) {
    let (total, kills, began) = (messages(), kills(), Instant::now());
    from.fill(1..=total);
    let mut seen = Seen::none(total);
    let (mut settled, mut killed) = (0, 0);
    while killed < kills && settled < total {
        let before = to.arrived().expect("a broker");
        // As fast as it goes, too.
        let mut running = start(from, to, fastrand::u8(..) < 192);
        let more = 1 + fastrand::u64(..=(total / kills).min(total - settled - 1));
        assert!(comes(&mut running, to, before + more), "ended by itself: {}", running.stderr());
        running.child.kill().expect("is killed");
        running.wait().exits(128 + 9);
        killed += 1;
        settled = is_there(from, to, &mut seen, total);
    }
    finish(from, to);
    to.take(&mut seen);
    has_all(&seen);
    assert_eq!(from.settled(total).len() as u64, total);
    let (again, seconds) = (seen.again(), began.elapsed().as_secs_f32());
    println!("{} → {}: {total} messages, {killed} kills, {again} came again, {seconds:.1} s", from.name(), to.name());
}

#[test]
fn from_queue_to_topic() {
    survives(&Side::amqp(&[]), &Side::kafka());
}

#[test]
fn from_topic_to_queue() {
    survives(&Side::kafka(), &Side::amqp(&[]));
}

#[test]
fn from_topic_to_topic() {
    survives(&Side::kafka(), &Side::kafka());
}

#[test]
fn from_queue_to_queue() {
    survives(&Side::amqp(&[]), &Side::amqp(&[]));
}

/// Three share the work, and one of them is killed.
fn shares(from: &Side, to: &Side) {
    let total = messages();
    from.fill(1..=total);
    let mut bridges: Vec<Running> = (0..3).map(|_| start(from, to, true)).collect();
    let victim = fastrand::usize(..3);
    assert!(comes(&mut bridges[victim], to, 1 + fastrand::u64(..total / 2)), "{}", bridges[victim].stderr());
    let mut victim = bridges.swap_remove(victim);
    victim.child.kill().expect("is killed");
    victim.wait().exits(128 + 9);
    let mut seen = Seen::none(total);
    // However many there are: as long as more come, the others carry the rest.
    while let before @ 1.. = seen.missing().len() {
        eventually("the others carry more", || {
            to.take(&mut seen);
            (seen.missing().len() < before).then_some(())
        });
    }
    for running in bridges {
        running.signal("INT");
        running.wait().exits(130);
    }
    finish(from, to);
    assert_eq!(from.settled(total).len() as u64, total);
}

#[test]
fn three_of_a_group() {
    shares(&Side::kafka(), &Side::amqp(&[]));
}

#[test]
fn three_on_a_queue() {
    shares(&Side::amqp(&[]), &Side::kafka());
}
