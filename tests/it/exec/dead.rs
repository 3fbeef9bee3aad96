//! `--on-failure dead:TARGET`: where messages go whose commands failed.

use super::{consume, left};
use crate::amqp::{filled, holds, queue};
use crate::bridge::bridge;
use crate::kafka::{kafka, produce, read, topic};
use crate::support::unique;

/// Fails on 2, 5 and 8.
const COMMAND: &str = "sh -c 'read n; test $((n % 3)) != 2 && echo $n'";

#[test]
fn a_queue_has_what_failed_in_another_one() {
    let (from, dead) = (filled(9), queue(&[]));
    let target = format!("dead:{dead}");
    let done = consume(&from, COMMAND, &["-j", "2", "--on-failure", &target]).run().exits(8);
    let mut lines = done.lines();
    lines.sort();
    assert_eq!(lines, ["1", "3", "4", "6", "7", "9"]);
    done.says(&["`sh` exited with 1", "not taken: 3 of 9 messages", "3 messages of the refused went where that goes"]);
    holds(&from, 0);
    let mut failed = left(&dead);
    failed.sort();
    assert_eq!(failed, ["2", "5", "8"]);
    // A code by itself, and the others as before.
    let (from, target) = (filled(9), format!("1=dead:{dead}"));
    consume(&from, COMMAND, &["--on-exit", &target, "--on-failure", "stop"]).run().exits(8);
    holds(&from, 0);
    assert_eq!(left(&dead), ["2", "5", "8"]);
}

#[test]
fn a_group_passes_over_what_is_in_another_topic() {
    let (from, dead, group) = (topic(&[]), topic(&[]), unique("group"));
    let records = (1..=9).map(|n| format!("{{\"key\":\"k{n}\",\"headers\":[[\"h\",\"{n}\"]],\"value\":\"{n}\"}}\n"));
    produce(&from, records.collect::<String>(), &["--input", "json"]).ok();
    let target = format!("dead:{dead}");
    let args = ["tail", &from, "--group", &group, "--until-end", "--exec", COMMAND, "--on-failure", &target];
    let done = kafka(&args).run().exits(8);
    assert_eq!(done.lines(), ["1", "3", "4", "6", "7", "9"]);
    assert_eq!(read(&dead, &["-o", "%k %s\\n"]).lines(), ["k2 2", "k5 5", "k8 8"]);
    assert!(read(&dead, &["-o", "json"]).text().contains(r#""headers":[["h","2"]]"#));
    assert_eq!(kafka(&["tail", &from, "--group", &group, "--until-end"]).run().ok().text(), "");
}

/// Of several parts of a message, the message goes there once, and is done.
#[test]
fn a_message_of_several_parts_goes_there_once() {
    for (command, parts) in
        [("false", "., ."), ("sh -c 'read n; test $n != x'", "., (.value = \"x\"), (.value = \"x\")")]
    {
        let (from, dead) = (filled(5), queue(&[]));
        let target = format!("dead:{dead}");
        consume(&from, command, &["--map", parts, "--on-failure", &target]).run().exits(8);
        assert_eq!(left(&dead), ["1", "2", "3", "4", "5"]);
        holds(&from, 0);
    }
}

/// They go back to the broker that they came from, and what the other side refuses does not.
#[test]
fn a_bridge_sends_what_failed_back() {
    let (from, dead, to) = (filled(9), queue(&[]), topic(&["--set", "max.message.bytes=400"]));
    let target = format!("dead:{dead}");
    let command = "sh -c 'read n; test $n = 4 && seq 1000; test $((n % 3)) != 2 && echo $n'";
    let own = ["--exec", command, "--on-failure", &target];
    let sides = ["amqp", "consume", &from, "--until-end", "--to", "kafka", "produce", &to];
    let done = bridge(&[&own[..], &sides].concat()).run().exits(8);
    done.says(&["read 9, sent 9, confirmed 5, failed 4, unknown 0"]);
    assert_eq!(left(&dead), ["2", "5", "8"]);
    assert_eq!(left(&from), ["4"]);
}

#[test]
fn what_was_typed_is_checked_first() {
    let from = filled(2);
    for (flags, code, says) in [
        (&["--on-failure", "dead:"][..], 2, "dead:TARGET"),
        (&["--on-failure", "dead:a", "--on-exit", "3=dead:b"], 2, "dead:a and dead:b are two targets"),
        (&["--on-failure", "dead:no-such-queue-here"], 8, "no-such-queue-here"),
    ] {
        let done = consume(&from, "false", flags).run();
        assert_eq!(done.code, code, "{flags:?}: {}", done.stderr);
        done.says(&[says]);
    }
    let itself = format!("dead:{from}");
    consume(&from, "false", &["--on-failure", &itself]).run().fails(2).says(&["is the queue that is read"]);
    let args = ["tail", "t", "--exec", "false", "--on-failure", "dead:t"];
    kafka(&args).run().fails(2).says(&["is a topic that is read"]);
    let own = ["--exec", "false", "--on-failure", "dead:a"];
    let sides = ["amqp", "consume", &from, "--to", "kafka", "produce", "t", "--on-refusal", "dead:b"];
    bridge(&[&own[..], &sides].concat()).run().fails(2).says(&["are two places for what fails"]);
    bridge(&[&own[..], &["stdin", "-d", "x", "--to", "stdout"]].concat())
        .run()
        .fails(2)
        .says(&["messages of a broker"]);
    let gone = topic(&[]);
    kafka(&["topic", "delete", &gone]).run().ok();
    let target = format!("dead:{gone}");
    kafka(&["tail", &topic(&[]), "--exec", "false", "--on-failure", &target, "--until-end"]).run().fails(8);
    assert_eq!(left(&from).len(), 2);
}
