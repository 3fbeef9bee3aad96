//! A cluster that says nothing more: whoever asks the command to stop gets its account all the same.

use std::io::Write;

use super::{kafka_at, start_open};
use crate::support::{Done, Running, eventually, mscomm};

/// A cluster of its own, which can be stopped, and its address.
fn cluster() -> (Running, String) {
    let running = mscomm(&["sandbox", "--only", "kafka", "--topic", "t:1", "--print-env=json"]).start();
    let variables: serde_json::Value = eventually("the variables", || serde_json::from_slice(&running.stdout()).ok());
    let address = variables["KAFKA_BROKERS"].as_str().expect("an address").to_owned();
    (running, address)
}

/// It said what was done before it left, and was not thrown out.
#[track_caller]
fn accounts(done: Done, code: i32, texts: &[&str]) {
    let done = done.exits(code).says(texts);
    assert!(!done.stderr.contains("stuck"), "{}", done.stderr);
}

fn end(cluster: Running) {
    cluster.signal("KILL");
    cluster.wait();
}

#[test]
fn a_producer_gives_its_account() {
    let (cluster, address) = cluster();
    let (running, mut stdin) = start_open(kafka_at(&address, &["produce", "t"]));
    stdin.write_all(b"1\n2\n3\n").expect("writes");
    kafka_at(&address, &["tail", "t", "--from", "begin", "-n", "3"]).run().ok();
    cluster.signal("STOP");
    stdin.write_all(b"4\n").expect("writes");
    running.signal("INT");
    accounts(running.wait(), 130, &["sent ", "confirmed 3", "interrupted"]);
    end(cluster);
}

#[test]
fn a_reader_gives_its_account() {
    let (cluster, address) = cluster();
    kafka_at(&address, &["produce", "t"]).stdin("1\n2\n3\n").run().ok();
    let member = kafka_at(&address, &["tail", "t", "--group", "g"]).start();
    let plain = kafka_at(&address, &["tail", "t", "--from", "begin"]).start();
    for reader in [&member, &plain] {
        reader.wait_for_lines(3);
    }
    cluster.signal("STOP");
    member.signal("INT");
    plain.signal("TERM");
    accounts(plain.wait(), 143, &["read 3"]);
    accounts(member.wait(), 130, &["read 3"]);
    end(cluster);
}
