//! What goes wrong while records are read, and is told nowhere but on the side.

use std::time::{Duration, Instant};

use super::{kafka, produce, topic};
use crate::support::{eventually, unique};

/// Within seconds of its end a topic is missed by whoever reads it, however it does.
#[test]
fn a_topic_that_is_deleted_ends_its_readers() {
    let (gone, stays) = (topic(&["--partitions", "2"]), topic(&[]));
    produce(&gone, "one\n", &[]).ok();
    produce(&stays, "one\n", &[]).ok();
    let (group, newer) = (unique("group"), unique("group"));
    let readers: [&[&str]; 6] = [
        &["--from", "begin"],
        &["--from", "begin", "-n", "1000"],
        &["--from", "-5", "--partitions", "0,1"],
        &["--group", &group],
        &["--group", &newer, "-X", "group.protocol=consumer", "-n", "1000"],
        &[&stays, "--from", "begin"],
    ];
    let running: Vec<_> =
        readers.iter().map(|flags| kafka(&[&["tail", gone.as_str(), "-v"], *flags].concat()).start()).collect();
    for one in &running {
        one.wait_for_lines(1);
    }
    kafka(&["topic", "delete", &gone]).run().ok();
    let deleted = Instant::now();
    for one in running {
        one.wait().exits(8).says(&["is not there any more"]);
    }
    assert!(deleted.elapsed() < Duration::from_secs(12), "after {:?}", deleted.elapsed());
}

/// librdkafka tries for ever to join a group that will never take it.
#[test]
fn what_keeps_a_member_out_ends_it() {
    let (topic, group) = (topic(&[]), unique("group"));
    let tail = |flags: &[&str]| kafka(&[&["tail", &topic, "--group", &group, "-v"], flags].concat());
    let first = tail(&["-X", "partition.assignment.strategy=cooperative-sticky"]).start();
    eventually("the assignment", || first.stderr().contains("the group gave 1 partitions").then_some(()));
    let other = tail(&["-X", "partition.assignment.strategy=range"]).run();
    other.fails(8).says(&["cannot be a member of the group", "Inconsistent group protocol"]);
    first.signal("INT");
    first.wait().exits(130);
    let short = ["-X", "session.timeout.ms=500", "-X", "heartbeat.interval.ms=100"];
    tail(&short).run().fails(8).says(&["cannot be a member of the group", "Invalid session timeout"]);
}
