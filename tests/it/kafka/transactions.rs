//! `kafka produce --transactional`: all records or none.

use super::{feed, kafka, produce, read, start_open, topic};
use crate::support::{Done, eventually, unique};

/// How many records readers of committed records see.
fn committed(topic: &str) -> usize {
    read(topic, &[]).lines().len()
}

/// Waits until they see so many: a commit or an abort is answered before all partitions are marked.
fn sees(topic: &str, count: usize) -> Done {
    eventually("what was committed is seen", || Some(read(topic, &[])).filter(|done| done.lines().len() == count))
}

fn lines(count: u32) -> String {
    super::numbers(1, count)
}

fn transact(topic: &str, id: &str, data: &str, flags: &[&str]) -> Done {
    produce(topic, data, &[&["--transactional", id], flags].concat())
}

#[test]
fn all_of_a_file_is_one_transaction() {
    let (topic, id) = (topic(&["--partitions", "3"]), unique("id"));
    let done = transact(&topic, &id, &lines(3000), &["--report", "json"]).ok();
    done.says(&["sent 3000, confirmed 3000", r#""committed":1"#]);
    super::assert_numbers(&sees(&topic, 3000), 1, 3000);
    let done = transact(&topic, &id, &lines(3000), &["--commit-every", "1000", "--report", "json"]).ok();
    // The last is committed when the end is known.
    assert!(["3", "4"].iter().any(|n| done.stderr.contains(&format!(r#""committed":{n},"#))), "{}", done.stderr);
    sees(&topic, 6000);
    // A mark of a commit stands behind each: no records, and no reason to wait for one.
    kafka(&["tail", &topic, "--from", "end", "--until-end"]).run().ok();
}

#[test]
fn one_record_that_is_refused_is_the_end_of_all() {
    let (topic, id) = (topic(&["--set", "max.message.bytes=2000"]), unique("id"));
    let bad = lines(50) + &"x".repeat(5000) + "\n" + &lines(5);
    transact(&topic, &id, &bad, &[]).fails(8).says(&[
        "input line 51",
        "confirmed 0, failed",
        "the transaction was aborted: readers of committed records see nothing of its",
    ]);
    assert_eq!(committed(&topic), 0);
    // What was committed before stays.
    let bad = lines(100) + &"x".repeat(5000) + "\n" + &lines(5);
    transact(&topic, &id, &bad, &["--commit-every", "50"]).fails(8).says(&["confirmed 100, failed"]);
    sees(&topic, 100);
    // What is no record at all ends it as well: nothing of what is before it is sent.
    let bad = "{\"value\":\"1\"}\n{\"value\":\n";
    transact(&topic, &id, bad, &["--input", "json"]).fails(2);
    sees(&topic, 100);
}

#[test]
fn an_interrupt_aborts_it() {
    let (topic, id) = (topic(&[]), unique("id"));
    let (running, mut stdin) = start_open(kafka(&["produce", &topic, "--transactional", &id]));
    feed(&mut stdin, &lines(20));
    eventually("records are there", || {
        let all = read(&topic, &["--isolation", "read-uncommitted"]);
        (all.lines().len() == 20).then_some(())
    });
    assert_eq!(committed(&topic), 0);
    running.signal("INT");
    running.wait().exits(130).says(&["sent 20, confirmed 0, failed 20", "the transaction was aborted"]);
    assert_eq!(committed(&topic), 0);
    // Nobody waits for it: what comes next is seen at once.
    produce(&topic, "next\n", &[]).ok();
    assert_eq!(sees(&topic, 1).text(), "next\n");
}

#[test]
fn who_is_killed_leaves_nothing() {
    let (topic, id) = (topic(&[]), unique("id"));
    let (mut running, mut stdin) = start_open(kafka(&["produce", &topic, "--transactional", &id]));
    feed(&mut stdin, &lines(20));
    eventually("records are there", || {
        (read(&topic, &["--isolation", "read-uncommitted"]).lines().len() == 20).then_some(())
    });
    running.child.kill().expect("is killed");
    running.wait().exits(128 + 9);
    // The next one of the same id aborts what was left open.
    transact(&topic, &id, "1\n", &[]).ok();
    assert_eq!(sees(&topic, 1).text(), "1\n");
}

#[test]
fn who_is_fenced_is_told() {
    let (topic, id) = (topic(&[]), unique("id"));
    let (running, mut stdin) = start_open(kafka(&["produce", &topic, "--transactional", &id, "--commit-every", "5"]));
    feed(&mut stdin, &lines(5));
    sees(&topic, 5);
    transact(&topic, &id, "other\n", &[]).ok();
    feed(&mut stdin, &lines(5));
    let done = running.wait().fails(8);
    done.says(&["another producer has taken over the transactional id", "hint: ", "confirmed 5, failed 5"]);
    sees(&topic, 6);
}

#[test]
fn one_that_is_open_for_too_long_is_aborted_and_told() {
    let (topic, id) = (topic(&[]), unique("id"));
    let timeout = ["-X", "transaction.timeout.ms=1000"];
    let args = [&["produce", &topic, "--transactional", &id][..], &timeout].concat();
    let (running, mut stdin) = start_open(kafka(&args));
    feed(&mut stdin, &lines(5));
    eventually("the broker has aborted it", || {
        // Behind the records stands a mark then.
        let topic = kafka(&["topic", "describe", &topic, "-o", "json"]).run().ok().text();
        topic.contains("\"high\":6").then_some(())
    });
    drop(stdin);
    running.wait().fails(8).says(&["was open for more than 1s", "--commit-every"]);
    assert_eq!(committed(&topic), 0);
}

#[test]
fn what_cannot_be_meant_is_said_before_anything_connects() {
    for (flags, says) in [
        (&["--commit-every", "5"][..], "--commit-every is about transactions"),
        (&["--transactional", "x", "--on-refusal", "skip"], "the end of all of it"),
        (&["--transactional", "x", "--on-refusal", "dead:t"], "the end of all of it"),
        (&["--transactional", "x", "--commit-every", "0"], "from 1 on"),
        (&["--transactional", "x", "--acks", "1"], "cannot be used with"),
        (&["--transactional", ""], "has a name"),
        (&["-X", "transactional.id=x"], "--transactional"),
    ] {
        let args = [&["produce", "t"][..], flags].concat();
        let done = super::kafka_at("127.0.0.1:1", &args).stdin("x\n").run();
        assert!([2, 3].contains(&done.code), "{}: {}", done.code, done.stderr);
        done.says(&[says]);
    }
    // How long it takes is not known of what is piped, and of what is said at once it is.
    let topic = topic(&[]);
    let (running, stdin) = start_open(kafka(&["produce", &topic, "--transactional", &unique("id")]));
    drop(stdin);
    running.wait().ok().says(&["--commit-every makes several of it"]);
    let done = kafka(&["produce", &topic, "-d", "x", "--transactional", &unique("id")]).run().ok();
    assert!(!done.stderr.contains("--commit-every"), "{}", done.stderr);
}
