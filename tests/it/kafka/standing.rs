//! Where a group stands when its offset is not there, and when its clock starts.

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::{Offset, TopicPartitionList};

use super::{assert_numbers, kafka, numbers, produce, topic};
use crate::support::{Done, eventually, test_env, unique};

fn stand(topic: &str, group: &str, offset: i64) {
    let consumer: BaseConsumer = rdkafka::ClientConfig::new()
        .set("bootstrap.servers", test_env("KAFKA"))
        .set("group.id", group)
        .create()
        .expect("a consumer");
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Offset(offset)).expect("an offset");
    consumer.commit(&list, CommitMode::Sync).expect("commits");
}

fn tail(topic: &str, group: &str, flags: &[&str]) -> Done {
    kafka(&[&["tail", topic, "--group", group], flags].concat()).run()
}

#[test]
fn an_offset_that_is_not_there_is_told_or_left_as_the_policy_says() {
    let topic = topic(&[]);
    produce(&topic, numbers(1, 10), &[]).ok();
    let (earliest, latest) = (["-X", "auto.offset.reset=earliest"], ["-X", "auto.offset.reset=latest"]);
    let with = |flags: &[&'static str], more: &[&'static str]| [flags, more].concat();
    let group = unique("group");
    stand(&topic, &group, 999);
    tail(&topic, &group, &["--until-end"]).fails(8).says(&["offset 999", "0 to 10", "auto.offset.reset"]);
    assert_numbers(&tail(&topic, &group, &with(&earliest, &["--until-end"])).ok(), 1, 10);
    assert_eq!(tail(&topic, &group, &["--until-end"]).ok().text(), "", "it was committed");

    stand(&topic, &group, 999);
    assert_eq!(tail(&topic, &group, &with(&latest, &["--until-end"])).ok().text(), "");
    assert_eq!(tail(&topic, &group, &["--until-end"]).ok().text(), "", "it stands at the end");

    // Without an end it is the same.
    stand(&topic, &group, 999);
    tail(&topic, &group, &["-n", "4"]).fails(8).says(&["offset 999"]);
    assert_numbers(&tail(&topic, &group, &with(&earliest, &["-n", "4"])).ok(), 1, 4);
    assert_numbers(&tail(&topic, &group, &["--until-end"]).ok(), 5, 10);
}

/// The same for an offset that was deleted meanwhile.
#[test]
fn an_offset_that_was_deleted_is_told_or_left_as_the_policy_says() {
    let (topic, group) = (topic(&[]), unique("group"));
    produce(&topic, numbers(1, 10), &[]).ok();
    stand(&topic, &group, 2);
    let admin: AdminClient<_> =
        rdkafka::ClientConfig::new().set("bootstrap.servers", test_env("KAFKA")).create().expect("a client");
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&topic, 0, Offset::Offset(5)).expect("an offset");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(admin.delete_records(&list, &AdminOptions::new())).expect("deletes");
    for end in ["--until-end", "-n1"] {
        tail(&topic, &group, &[end]).fails(8).says(&["offset 2", "5 to 10"]);
    }
    assert_numbers(&tail(&topic, &group, &["--until-end", "-X", "auto.offset.reset=earliest"]).ok(), 6, 10);
    assert_eq!(tail(&topic, &group, &["--until-end"]).ok().text(), "");
}

/// A crash leaves the group without anybody for as long as its session lasts, which is no lull.
#[test]
fn the_idle_clock_of_a_group_starts_with_its_partitions() {
    let (topic, group) = (topic(&[]), unique("group"));
    produce(&topic, numbers(1, 5), &[]).ok();
    let first = kafka(&[
        "tail",
        &topic,
        "--group",
        &group,
        "-v",
        "-X",
        "session.timeout.ms=6000",
        "-X",
        "heartbeat.interval.ms=500",
    ]);
    let first = first.start();
    first.wait_for_lines(5);
    // The last of it was committed when another member can begin behind it.
    first.signal("KILL");
    let _ = first.wait();
    produce(&topic, numbers(6, 9), &[]).ok();
    let next = tail(&topic, &group, &["--idle-timeout", "2s", "-v"]).ok();
    assert!(next.lines().ends_with(&["6", "7", "8", "9"].map(str::to_owned)), "{}", next.text());
    // `-n` with it, too.
    assert!(tail(&topic, &group, &["--idle-timeout", "300ms", "-n", "1"]).exits(1).text().is_empty());
}

#[test]
fn a_member_without_partitions_is_one() {
    for strategy in ["range", "cooperative-sticky"] {
        let (topic, group) = (topic(&[]), unique("group"));
        let strategy = format!("partition.assignment.strategy={strategy}");
        let beat = "heartbeat.interval.ms=300";
        let holder = kafka(&["tail", &topic, "--group", &group, "-v", "-X", &strategy, "-X", beat]).start();
        eventually("the assignment", || holder.stderr().contains("the group gave 1 partitions").then_some(()));
        let flags = ["--idle-timeout", "300ms", "-v", "-X", &strategy, "-X", beat];
        let one = kafka(&[&["tail", &topic, "--group", &group], &flags[..]].concat()).run();
        holder.signal("INT");
        holder.wait().exits(130);
        one.ok();
    }
}
