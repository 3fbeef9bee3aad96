//! Kafka's own script says the same.

use std::collections::BTreeSet;

use super::{NEWER, at, committed, described, filled, group, java, member};
use crate::support::{eventually, unique};

/// `kafka-consumer-groups.sh …`.
fn script(args: &[&str]) -> String {
    java("consumer.group.ConsumerGroupCommand", args)
}

#[test]
fn groups_are_described_alike() {
    let topic = filled(3);
    let (empty, classic, newer) = (at(&topic, 4), unique("group"), unique("group"));
    let running = [member(&topic, &classic, &[]), member(&topic, &newer, &NEWER)];
    eventually("all is committed", || {
        let is_done = |name: &str| described(name)["lag"] == 0;
        (is_done(&classic) && is_done(&newer)).then_some(())
    });
    let columns = "group,topic,partition,committed,end,lag,member,host,client_id";
    let theirs = script(&["--describe", "--group", &empty, "--group", &classic, "--group", &newer]);
    // Group, topic, partition, committed, end, lag; the member, its host, with a slash before it, and its client id. A member's
    // id may begin with a slash of its own.
    let cell = |(at, text): (usize, &str)| match (at, text) {
        (_, "-") => String::new(),
        (7, host) => host.trim_start_matches('/').to_owned(),
        (_, text) => text.to_owned(),
    };
    let theirs: BTreeSet<Vec<String>> = theirs
        .lines()
        .map(|line| line.split_whitespace().enumerate().map(cell).collect::<Vec<_>>())
        .filter(|cells| cells.len() >= 9 && [&empty, &classic, &newer].contains(&&cells[0]))
        .map(|cells| cells[..9].to_vec())
        .collect();
    let ours = group(&["describe", &empty, &classic, &newer, "--columns", columns]).run().ok();
    let ours: BTreeSet<Vec<String>> =
        ours.lines().iter().map(|line| line.split('\t').map(str::to_owned).collect()).collect();
    assert_eq!(ours.len(), 9);
    assert_eq!(ours, theirs);
    for running in running {
        running.signal("INT");
        running.wait().exits(130);
    }
}

/// What the one writes the other reads, and both come to the same.
#[test]
fn offsets_are_set_alike() {
    let topic = filled(2);
    let name = at(&topic, 4);
    let reset = ["--reset-offsets", "--group", &name, "--topic", &topic];
    let csv = script(&[&reset[..], &["--to-offset", "7", "--export", "--dry-run"]].concat());
    assert_eq!(csv.split_whitespace().count(), 2, "{csv}");
    group(&["reset", &name, "--to", "-", "-y"]).stdin(csv).run().ok();
    assert_eq!(committed(&name), [(topic.clone(), 0, 7), (topic.clone(), 1, 7)]);
    for (theirs, ours) in [
        (&["--to-offset", "99"][..], &["--to", "99"][..]),
        (&["--shift-by", "-99"], &["--shift-by=-99"]),
        (&["--by-duration", "PT1H"], &["--to", "@1h"]),
        (&["--to-datetime", "2100-01-01T00:00:00.000"], &["--to", "@2100-01-01T00:00:00Z"]),
    ] {
        let told = script(&[&reset[..], theirs, &["--dry-run"]].concat());
        let offsets = |line: &str| {
            let cells: Vec<&str> = line.split_whitespace().collect();
            (cells.len() == 4 && cells[1] == topic).then(|| (cells[2].to_owned(), cells[3].to_owned()))
        };
        let told: BTreeSet<(String, String)> = told.lines().filter_map(offsets).collect();
        let shown = group(&[&["reset", &name], ours].concat()).run().ok().lines();
        let shown: BTreeSet<(String, String)> = shown
            .iter()
            .map(|line| line.split('\t').collect::<Vec<_>>())
            .map(|cells| (cells[1].to_owned(), cells[3].to_owned()))
            .collect();
        assert_eq!(shown, told, "{ours:?}");
        assert_eq!(shown.len(), 2, "{ours:?}");
    }
}
