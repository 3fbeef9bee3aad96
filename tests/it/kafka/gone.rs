//! What goes wrong while records are read, and is told nowhere but on the side.

use std::time::{Duration, Instant};

use rdkafka::mocking::MockCluster;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::{kafka, kafka_at, produce, topic};
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
    assert!(deleted.elapsed() < Duration::from_secs(15), "after {:?}", deleted.elapsed());
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

/// What a broker says instead of records ends the work, with the broker's words; it is never passed over.
#[test]
fn what_a_broker_refuses_while_reading_is_told() {
    use RDKafkaRespErr::{
        RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED as GROUP, RD_KAFKA_RESP_ERR_INVALID_MSG as CORRUPT,
        RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE as SIZE, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION as LEADER,
        RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED as TOPIC,
    };
    let cases: [(RDKafkaApiKey, RDKafkaRespErr, &[&str], i32, &str); 6] = [
        (RDKafkaApiKey::Fetch, TOPIC, &[], 6, "authorization failed"),
        (RDKafkaApiKey::Fetch, CORRUPT, &[], 8, "cannot read t[0]"),
        (RDKafkaApiKey::Fetch, SIZE, &["--group", "g"], 8, "cannot read t[0]"),
        (RDKafkaApiKey::OffsetCommit, GROUP, &["--group", "g"], 6, "cannot commit"),
        (RDKafkaApiKey::FindCoordinator, GROUP, &["--group", "g"], 6, "cannot be a member of the group"),
        // A leader that moves is found again.
        (RDKafkaApiKey::Fetch, LEADER, &["-n", "1"], 0, ""),
    ];
    for (request, answer, flags, code, words) in cases {
        let cluster = MockCluster::new(1).expect("a cluster");
        cluster.create_topic("t", 1, 1).expect("a topic");
        let servers = cluster.bootstrap_servers();
        kafka_at(&servers, &["produce", "t"]).stdin("one\n").run().ok();
        // A real broker says so each time; librdkafka drops the answer to a fetch that it has started anew meanwhile.
        let times = if answer == LEADER { 1 } else { 40 };
        cluster.request_errors(request, &vec![answer; times]);
        let from: &[&str] = if flags.first() == Some(&"--group") { &[] } else { &["--from", "begin"] };
        let done = kafka_at(&servers, &[&["tail", "t", "-v"], flags, from].concat()).run();
        done.exits(code).says(&[words]);
    }
}
