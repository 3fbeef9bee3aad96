//! Brokers that go away while it is read, however it is.

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT as LATE};

use super::{kafka_at, numbers};
use crate::support::{Running, eventually};

type Mock = MockCluster<'static, DefaultProducerContext>;

const LOST: &str = "the connection was lost, trying again: ";

/// Reads a topic of 100 records from a cluster that goes away once it was asked for them, and before it gave any.
fn reads(cluster: &Mock, flags: &[&str]) -> Running {
    cluster.request_errors(RDKafkaApiKey::Fetch, &vec![LATE; 10_000]);
    let tail = ["tail", "t", "--until-end", "-v"];
    let reads = kafka_at(&cluster.bootstrap_servers(), &[&tail, flags].concat()).start();
    eventually("a fetch", || reads.stderr().contains("Request timed out").then_some(()));
    cluster.broker_down(1).expect("goes down");
    reads
}

fn cluster() -> Mock {
    let cluster = MockCluster::new(1).expect("a cluster");
    cluster.create_topic("t", 4, 1).expect("a topic");
    kafka_at(&cluster.bootstrap_servers(), &["produce", "t", "-q"]).stdin(numbers(1, 100)).run().ok();
    cluster
}

fn misses_its_brokers(from: &[&str], count: usize) {
    // Those that stay away end it when a connection would have been given up.
    let ended = reads(&cluster(), &[from, &["--connect-timeout", "1s"]].concat()).wait();
    ended.fails(4).says(&[LOST, "error: the connection was lost: cannot connect to", "Connection refused"]);

    // With those that come back it goes on.
    let cluster = cluster();
    let goes_on = reads(&cluster, from);
    eventually("the warning", || goes_on.stderr().contains(LOST).then_some(()));
    cluster.clear_request_errors(RDKafkaApiKey::Fetch);
    cluster.broker_up(1).expect("comes up");
    assert_eq!(goes_on.wait().ok().lines().len(), count);
}

#[test]
fn brokers_that_go_away_are_missed() {
    misses_its_brokers(&["--from", "begin"], 100);
}

#[test]
fn brokers_that_go_away_are_missed_by_a_group() {
    misses_its_brokers(&["--group", "g"], 100);
}

/// While it is found out where to begin as well.
#[test]
fn brokers_that_go_away_are_missed_by_the_look_for_the_newest() {
    misses_its_brokers(&["--from", "-50"], 50);
    misses_its_brokers(&["--from", "-1"], 1);
}
