//! Records that a program leaves out.

use serde_json::Value;

use crate::bridge::bridge;
use crate::kafka::{kafka, produce, read, topic};
use crate::support::unique;

fn numbered(count: usize) -> String {
    (1..=count).map(|n| format!("{{\"id\":{n}}}\n")).collect()
}

#[test]
fn only_what_passes_is_written_and_counted() {
    let topic = topic(&["--partitions", "3"]);
    produce(&topic, numbered(3000), &[]).ok();
    let done = read(&topic, &["--filter", ".value.id % 1000 == 0", "--report", "json"]);
    let mut lines = done.lines();
    lines.sort();
    assert_eq!(lines, ["{\"id\":1000}", "{\"id\":2000}", "{\"id\":3000}"]);
    let report: Value = serde_json::from_str(done.stderr.lines().last().expect("a report")).expect("JSON");
    assert_eq!((&report["read"], &report["filtered"], &report["sent"]), (&3000.into(), &2997.into(), &3.into()));
    assert_eq!(read(&topic, &["--filter", ".value.id > 10", "-n", "5"]).lines().len(), 5);
    // Fewer than were asked for.
    let args = ["tail", &topic, "--until-end", "-n", "2", "--filter", ".value.id == 7"];
    let done = kafka(&args).run().exits(1);
    assert_eq!(done.lines(), ["{\"id\":7}"]);
    done.says(&["1 of 2 records came"]);
    // The members that a program does not look at are there all the same.
    let done = read(&topic, &["--filter", ".value.id == 7", "-o", "json"]);
    assert!(done.text().contains(&format!("\"topic\":\"{topic}\"")), "{}", done.text());
}

/// A group's offset passes over what was left out, and not over what comes behind the last that was wanted.
#[test]
fn a_group_passes_over_what_was_left_out() {
    let (topic, group) = (topic(&[]), unique("group"));
    produce(&topic, numbered(10), &[]).ok();
    let member = |flags: &[&str]| {
        let args = ["tail", &topic, "--group", &group, "--until-end"];
        kafka(&[&args[..], flags].concat()).run()
    };
    assert_eq!(member(&["--filter", ".value.id % 3 == 0", "-n", "2"]).ok().lines(), ["{\"id\":3}", "{\"id\":6}"]);
    assert_eq!(member(&["-n", "1"]).ok().lines(), ["{\"id\":7}"]);
    assert_eq!(member(&["--filter", "false"]).ok().text(), "");
    assert_eq!(member(&[]).ok().text(), "");
}

/// It is told with the record that it was about, which comes again.
#[test]
fn a_program_that_fails_stops_at_its_record() {
    let (topic, group, to) = (topic(&[]), unique("group"), crate::kafka::topic(&[]));
    produce(&topic, "{\"id\":1}\n{\"id\":2}\ntext\n{\"id\":4}\n", &[]).ok();
    let args = ["tail", &topic, "--group", &group, "--until-end", "--filter", ".value.id > 1"];
    let done = kafka(&args).run().exits(2);
    assert_eq!(done.lines(), ["{\"id\":2}"]);
    done.says(&[&format!("{topic}[0] offset 2: --filter: cannot index \"text\" with \"id\"")]);
    let done = kafka(&args).run().exits(2);
    assert_eq!(done.text(), "", "the record comes again, and none before it");
    let sides = ["kafka", "tail", &topic, "--group", &group, "--until-end", "--to", "kafka", "produce", &to];
    let done = bridge(&[&["--filter", ".value.id > 1"], &sides[..]].concat()).run().exits(2);
    done.says(&["from kafka tail: ", "offset 2: --filter: "]);
    let skip = ["--filter", ".value.id > 1", "--filter-error", "skip"];
    bridge(&[&skip, &sides[..]].concat()).run().ok().says(&["--filter: failed on 1 message, left out"]);
    assert_eq!(read(&to, &[]).lines(), ["{\"id\":4}"]);
    assert_eq!(kafka(&args).run().ok().text(), "");
}

/// What was refused goes where it is sent as it came, and what was left out goes nowhere.
#[test]
fn refused_records_are_kept_as_they_came() {
    let (from, group, to, dead) = (topic(&[]), unique("group"), topic(&["--set", "max.message.bytes=200"]), topic(&[]));
    produce(&from, format!("no\n{}\nyes\n", "x".repeat(300)), &[]).ok();
    let programs = ["--filter", ".value != \"no\"", "--map", ".key = \"mapped\""];
    let to_dead = format!("dead:{dead}");
    let args = ["kafka", "tail", &from, "--group", &group, "--until-end", "--to", "kafka", "produce", &to];
    let done = bridge(&[&programs[..], &args, &["--on-refusal", &to_dead]].concat()).run().exits(8);
    done.says(&["read 3, filtered 1, sent 2, confirmed 1, failed 1"]);
    assert_eq!(read(&to, &["-o", "%k %s\\n"]).lines(), ["mapped yes"]);
    assert_eq!(read(&dead, &["-o", "%k %s\\n"]).lines(), [format!(" {}", "x".repeat(300))]);
}
