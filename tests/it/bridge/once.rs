//! `bridge --exactly-once`: what is read and what it became are committed together.

use std::time::Instant;

use rdkafka::mocking::MockCluster;

use super::bridge;
use super::kills::{comes, setting};
use super::side::{Seen, Side};
use crate::kafka::{kafka, produce, read, topic};
use crate::support::{Running, eventually, test_env, unique};

fn start(from: &Side, to: &Side, more: &[&str]) -> Running {
    bridge(&[&["--exactly-once"], &from.reader()[..], &["--to"], &to.writer(), more].concat()).start()
}

fn finish(from: &Side, to: &Side, more: &[&str]) {
    let args = [&["--exactly-once"], &from.reader()[..], &["--until-end", "--to"], &to.writer(), more].concat();
    bridge(&args).run().ok();
}

/// Panics unless each record is there once. A commit is answered before all brokers have marked it: what was committed last is
/// there a moment later.
#[track_caller]
fn has_each_once(to: &Side, total: u64) {
    let seen = eventually("each record is there", || {
        let mut seen = Seen::none(total);
        to.take(&mut seen);
        (seen.missing().is_empty() || seen.again() > 0).then_some(seen)
    });
    assert_eq!(seen.again(), 0);
}

#[test]
#[expect(clippy::print_stdout, reason = "figures for who runs it by hand")]
fn whoever_is_killed_each_record_is_there_once() {
    let (total, kills, began) =
        (setting("MSCOMM_SOAK_ONCE", 4000), setting("MSCOMM_SOAK_ONCE_KILLS", 20), Instant::now());
    let (from, to, id) = (Side::kafka(), Side::kafka(), unique("id"));
    from.fill(1..=total);
    let slow = ["--transactional", &id, "-X", "batch.num.messages=5", "--commit-every"];
    let mut killed = 0;
    while killed < kills {
        let left = total - from.settled(total).len() as u64;
        if left == 0 {
            break;
        }
        let before = to.arrived().expect("a broker");
        let every = ["5", "50", "20ms"][fastrand::usize(..3)];
        let mut running = start(&from, &to, &[&slow[..], &[every]].concat());
        let more = 1 + fastrand::u64(..left.min(total / kills));
        assert!(comes(&mut running, &to, before + more), "{}", running.stderr());
        running.child.kill().expect("is killed");
        running.wait().exits(128 + 9);
        killed += 1;
    }
    finish(&from, &to, &["--transactional", &id]);
    has_each_once(&to, total);
    assert_eq!(from.settled(total).len() as u64, total);
    println!("{total} records, {killed} kills: each is there once, {:.1} s", began.elapsed().as_secs_f32());
}

#[test]
fn two_of_a_group_and_an_interrupt() {
    let total = 6000;
    let (from, to) = (Side::kafka(), Side::kafka());
    from.fill(1..=total);
    let slow = ["-X", "batch.num.messages=5"];
    let mut both = [start(&from, &to, &slow), start(&from, &to, &slow)];
    assert!(comes(&mut both[0], &to, 500), "{}", both[0].stderr());
    let [first, second] = both;
    first.signal("INT");
    first.wait().exits(130);
    second.signal("TERM");
    second.wait().exits(143);
    // What is settled is what readers of committed records see, once both are marked.
    eventually("what is settled is there", || {
        let mut seen = Seen::none(total);
        to.take(&mut seen);
        assert_eq!(seen.again(), 0);
        let mut settled = from.settled(total);
        settled.sort_unstable();
        let there: Vec<u64> = (1..=total).filter(|number| seen.has(*number)).collect();
        (settled == there).then_some(())
    });
    finish(&from, &to, &[]);
    has_each_once(&to, total);
}

#[test]
fn what_is_left_out_is_passed_over() {
    let (from, to, group) = (topic(&[]), topic(&[]), unique("group"));
    produce(&from, (1..=100).map(|n| format!("{n}\n")).collect::<String>(), &[]).ok();
    let carry = |wanted: &str| {
        let reader = ["kafka", "tail", &from, "--group", &group, "--until-end"];
        let args = [&["--exactly-once", "--filter", wanted][..], &reader, &["--to", "kafka", "produce", &to]].concat();
        bridge(&args).run().ok()
    };
    carry(".value == 10 or .value == 20").says(&["read 100, filtered 98, sent 2, confirmed 2"]);
    carry("true").says(&["read 0"]);
    eventually("both are there", || (read(&to, &[]).text() == "10\n20\n").then_some(()));
    produce(&from, "1\n2\n", &[]).ok();
    carry("false").says(&["read 2, filtered 2"]);
    carry("true").says(&["read 0"]);
}

#[test]
fn a_record_that_is_refused_is_the_end_and_nothing_of_it_is_settled() {
    let (from, to, group) = (topic(&[]), topic(&["--set", "max.message.bytes=2000"]), unique("group"));
    produce(&from, format!("1\n2\n{}\n3\n", "x".repeat(5000)), &[]).ok();
    let args =
        ["--exactly-once", "kafka", "tail", &from, "--group", &group, "--until-end", "--to", "kafka", "produce", &to];
    bridge(&args).run().fails(8).says(&[&format!("{from}[0] offset 2"), "the transaction was aborted"]);
    assert_eq!(read(&to, &[]).text(), "");
    assert_eq!(kafka(&["tail", &from, "--group", &group, "--until-end"]).run().ok().lines().len(), 4);
}

#[test]
fn what_it_is_not_for() {
    let writer = ["--to", "kafka", "produce", "t"];
    for (args, says) in [
        (&["kafka", "tail", "t"][..], "name it behind `kafka tail` with --group"),
        (&["stdin"], "for kafka tail --to kafka produce"),
        (&["amqp", "consume", "q"], "for kafka tail --to kafka produce"),
        (&["--exec", "cat", "kafka", "tail", "t", "--group", "g"], "does not reach what a command does"),
    ] {
        bridge(&[&["--exactly-once"], args, &writer].concat()).run().fails(2).says(&[says]);
    }
    bridge(&["kafka", "tail", "t", "--group", "g", "--to", "kafka", "produce", "t", "--transactional", "x"])
        .run()
        .fails(2)
        .says(&["--commit-every"]);

    let (from, mock) = (topic(&[]), MockCluster::new(1).expect("a cluster"));
    mock.create_topic("t", 1, 1).expect("a topic");
    let profile = |name: &str, server: &str| format!("[profiles.{name}.kafka]\nserver = {server:?}\n");
    let text = profile("here", &test_env("KAFKA")) + &profile("there", &mock.bootstrap_servers());
    let reader = ["-p", "here", "kafka", "tail", &from, "--group", &unique("group")];
    let writer = ["--to", "-p", "there", "kafka", "produce", "t"];
    crate::support::mscomm(&[&["bridge", "--exactly-once"], &reader[..], &writer].concat())
        .config(&text)
        .run()
        .fails(2)
        .says(&["is for one cluster"]);
}

#[test]
fn a_queue_fills_transactions_too() {
    let (queue, to, id) = (crate::amqp::filled(500), topic(&[]), unique("id"));
    let writer = ["--to", "kafka", "produce", &to, "--transactional", &id, "--commit-every", "1h"];
    // Fewer are sent ahead than come before it is due: it is committed when no more can come.
    bridge(&[&["amqp", "consume", &queue, "--prefetch", "300", "--until-end"], &writer[..]].concat())
        .run()
        .ok()
        .says(&["confirmed 500"]);
    eventually("all are there", || (read(&to, &[]).lines().len() == 500).then_some(()));
    eventually("the queue is empty", || {
        let info = crate::amqp::amqp(&["queue", "info", &queue]).run().text();
        info.contains("\t0\t0").then_some(())
    });
}
