//! `kafka group`.

mod delete;
mod describe;
mod list;
mod oracle;
mod reset;
mod watch;

use serde_json::Value;

use super::{kafka, numbers, produce, topic};
use crate::support::{Done, Running, eventually, test_env, unique};

/// Joins by the newer protocol.
const NEWER: [&str; 2] = ["-X", "group.protocol=consumer"];

/// A topic of so many partitions with ten records in each.
fn filled(partitions: usize) -> String {
    let topic = topic(&["--partitions", &partitions.to_string()]);
    for partition in 0..partitions {
        produce(&topic, numbers(0, 9), &["--partitions", &partition.to_string()]).ok();
    }
    topic
}

/// `kafka group …`.
fn group(args: &[&str]) -> crate::support::Run {
    kafka(&[&["group"], args].concat())
}

/// A group that has committed this offset for every partition of the topic.
fn at(topic: &str, offset: u32) -> String {
    let name = unique("group");
    group(&["reset", &name, "--topic", topic, "--to", &offset.to_string(), "-y"]).run().ok();
    name
}

/// Lines of JSON.
fn objects(done: &Done) -> Vec<Value> {
    done.lines().iter().map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// All that is told of a group.
fn described(name: &str) -> Value {
    objects(&group(&["describe", name, "-o", "json"]).run().ok()).pop().expect("an object")
}

/// What a group has committed, by topic and partition.
fn committed(name: &str) -> Vec<(String, i64, i64)> {
    let all = objects(&group(&["export", name]).run().ok());
    let offset = |of: &Value| {
        let topic = of["topic"].as_str().expect("a topic").to_owned();
        (topic, of["partition"].as_i64().expect("a number"), of["offset"].as_i64().expect("an offset"))
    };
    all.iter().map(offset).collect()
}

/// A member that reads, once it has all its partitions.
fn member(topic: &str, name: &str, flags: &[&str]) -> Running {
    let member = kafka(&[&["tail", topic, "--group", name, "-v"], flags].concat()).start();
    eventually("the assignment", || {
        let about = group(&["describe", name, "-o", "json"]).run();
        let about = objects(&about).pop()?;
        let is_there = about["state"] == "stable" && !about["members"][0]["assignment"].as_array()?.is_empty();
        is_there.then_some(())
    });
    member
}

/// What one of Kafka's own tools prints.
fn java(tool: &str, args: &[&str]) -> String {
    let mut command = std::process::Command::new("java");
    command.args(["-XX:TieredStopAtLevel=1", "-cp", &format!("{}/*", test_env("KAFKA_LIB"))]);
    command.arg(format!("org.apache.kafka.tools.{tool}")).args(["--bootstrap-server", &test_env("KAFKA")]);
    let done = command.args(args).output().expect("java runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).into_owned()
}
