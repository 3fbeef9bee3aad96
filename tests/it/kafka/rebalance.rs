//! Partitions that are moved while they are read: what is committed was shown.

use std::collections::BTreeSet;

use super::{kafka, produce, topic};
use crate::support::{Done, Running, eventually, unique};

/// How often one comes, and what is produced by then: four at first, and eight each time.
const ROUNDS: usize = 2;
const PRODUCED: usize = 4 + 8 * ROUNDS;

/// One record for each of four partitions, from a number on.
fn four(from: usize) -> String {
    (0..4).map(|p| format!("{{\"partition\":{p},\"value\":\"{}\"}}\n", from + p)).collect()
}

/// Members come and go beside one that stays, which stands at the end of its partitions each time: the position that
/// librdkafka goes on from must not be behind it (librdkafka#4844).
fn come_and_go(flags: &[&str]) {
    let (topic, group) = (topic(&["--partitions", "4"]), unique("group"));
    let member = || kafka(&[&["tail", &topic, "--group", &group, "-v"], flags].concat()).start();
    let mut produced = 0;
    let mut put = || {
        produce(&topic, four(produced), &["--input", "json", "--keep-partition"]).ok();
        produced += 4;
        produced
    };
    let lines = |member: &Running| member.stdout().iter().filter(|b| **b == b'\n').count();
    let stays = member();
    let count = put();
    stays.wait_for_lines(count);
    let mut gone: Vec<Done> = Vec::new();
    for _ in 0..ROUNDS {
        let comes = member();
        let share = || comes.stderr().contains("the group gave 2 partitions").then_some(());
        eventually("the second member's share", share);
        let count = put();
        let before: usize = gone.iter().map(|done| done.lines().len()).sum();
        eventually(&format!("{count} records; {}", stays.stderr()), || {
            (before + lines(&stays) + lines(&comes) >= count).then_some(())
        });
        comes.signal("INT");
        gone.push(comes.wait().exits(130));
        // Until the one that stays has everything again.
        let count = put();
        let before: usize = gone.iter().map(|done| done.lines().len()).sum();
        eventually(&format!("{count} records after all; {}", stays.stderr()), || {
            (before + lines(&stays) >= count).then_some(())
        });
    }
    stays.signal("INT");
    gone.push(stays.wait().exits(130));
    let shown: BTreeSet<usize> =
        gone.iter().flat_map(Done::lines).map(|line| line.parse().expect("a number")).collect();
    assert_eq!(shown, (0..PRODUCED).collect(), "what was not shown");
    let rest = kafka(&["tail", &topic, "--group", &group, "--until-end"]).run().ok();
    assert_eq!(rest.text(), "");
}

#[test]
fn a_cooperative_rebalance_loses_nothing() {
    come_and_go(&["-X", "partition.assignment.strategy=cooperative-sticky", "-X", "heartbeat.interval.ms=300"]);
}

#[test]
fn the_newer_protocol_loses_nothing() {
    come_and_go(&["-X", "group.protocol=consumer"]);
}

/// Whoever is given nothing is told nothing (KIP-848), and is idle all the same.
#[test]
fn a_member_of_the_newer_protocol_without_partitions_is_idle() {
    let (topic, group) = (topic(&[]), unique("group"));
    produce(&topic, "1\n", &[]).ok();
    let member = |flags: &[&str]| {
        kafka(&[&["tail", &topic, "--group", &group, "-X", "group.protocol=consumer", "-v"], flags].concat()).start()
    };
    let stays = member(&[]);
    stays.wait_for_lines(1);
    let done = member(&["--idle-timeout", "500ms"]).wait().ok();
    assert_eq!(done.text(), "");
    assert!(done.stderr.contains("the group gave 0 partitions"), "{}", done.stderr);
    stays.signal("INT");
    stays.wait().exits(130);
}

/// Without the event of an end, `--until-end` finds it all the same: behind the marker of a transaction, and behind
/// nothing at all.
#[test]
fn a_group_finds_the_end_behind_gaps() {
    let (topic, group) = (topic(&["--partitions", "2"]), unique("group"));
    produce(&topic, four(0).lines().take(2).collect::<Vec<_>>().join("\n"), &["--input", "json", "--keep-partition"])
        .ok();
    super::tail::abort_a_transaction(&topic);
    for protocol in ["classic", "consumer"] {
        let protocol = format!("group.protocol={protocol}");
        let group = format!("{group}-{protocol}");
        let run = || kafka(&["tail", &topic, "--group", &group, "--until-end", "-X", &protocol]).run().ok();
        assert_eq!(run().lines().len(), 2);
        assert_eq!(run().text(), "", "a second time");
    }
}
