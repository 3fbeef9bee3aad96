//! `kafka group list`.

use super::{NEWER, at, filled, group, member, objects};
use crate::support::unique;

#[test]
fn groups_of_both_protocols_are_listed() {
    let topic = filled(1);
    let prefix = unique("list");
    let [classic, newer, empty] = ["classic", "newer", "empty"].map(|name| format!("{prefix}-{name}"));
    let _classic = member(&topic, &classic, &[]);
    let newest = member(&topic, &newer, &NEWER);
    group(&["reset", &empty, "--topic", &topic, "--to", "begin", "-y"]).run().ok();
    let all = format!("^{prefix}-");
    assert_eq!(
        group(&["list", &all]).run().ok().lines(),
        [
            format!("{classic}\tclassic\tconsumer\tstable\t1"),
            format!("{empty}\tclassic\t\tempty\t0"),
            format!("{newer}\tconsumer\tconsumer\tstable\t1"),
        ]
    );
    let names = |flags: &[&str]| {
        let listed = group(&[&["list", &all, "-o", "json"], flags].concat()).run().ok();
        let short = |of: serde_json::Value| of["group"].as_str().expect("a name")[prefix.len() + 1..].to_owned();
        objects(&listed).into_iter().map(short).collect::<Vec<_>>()
    };
    assert_eq!(names(&["--state", "stable"]), ["classic", "newer"]);
    assert_eq!(names(&["--state", "empty,dead"]), ["empty"]);
    assert_eq!(names(&["--type", "consumer"]), ["newer"]);
    assert_eq!(names(&["--type", "classic", "--sort", "-group"]), ["empty", "classic"]);
    let columns = group(&["list", &newer, "--columns", "members,group"]).run().ok();
    assert_eq!(columns.lines(), [format!("1\t{newer}")]);
    newest.signal("INT");
    newest.wait().exits(130);
}

#[test]
fn what_is_not_there_does_not_hide_the_others() {
    let there = at(&filled(1), 3);
    let gone = format!("{there}x");
    let listed = group(&["list", &gone, &there, "^no-such-group-"]).run().exits(8);
    assert_eq!(listed.lines(), [format!("{there}\tclassic\t\tempty\t0")]);
    listed.says(&[
        &format!("there is no consumer group `{gone}`"),
        &format!("did you mean `{there}`"),
        "no consumer group matches",
    ]);
    group(&["list", "^("]).run().fails(2).says(&["no regular expression"]);
    group(&["list", "--state", "nope"]).run().fails(2).says(&["preparing-rebalance"]);
}
