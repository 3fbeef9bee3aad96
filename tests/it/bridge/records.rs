//! gRPC and Kafka: a stream into a topic, and a call for each record.

use std::collections::BTreeMap;

use serde_json::json;

use super::bridge;
use super::notes::{End, Notes};
use crate::kafka::{produce, read, topic};
use crate::support::unique;

/// A record whose note says where it belongs, and its number there.
fn record(of: u32, number: u32) -> String {
    json!({ "text": format!("{of} {number}") }).to_string()
}

/// Reads a topic as a group into `Take`.
fn carry(topic: &str, group: &str, count: u32, notes: &Notes, flags: &[&str]) -> crate::support::Done {
    let call = notes.call("t.Notes/Take", flags);
    let count = count.to_string();
    let from = ["kafka", "tail", topic, "--group", group, "-n", &count, "--to"];
    let words: Vec<&str> = from.into_iter().chain(call.iter().map(String::as_str)).collect();
    bridge(&words).run()
}

/// The numbers of each, in the order in which their calls ended.
fn orders(notes: &Notes) -> BTreeMap<String, Vec<u32>> {
    let mut orders: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for text in notes.ended() {
        let (of, number) = text.split_once(' ').expect("two words");
        orders.entry(of.to_owned()).or_default().push(number.parse().expect("a number"));
    }
    orders
}

#[test]
fn a_stream_goes_to_a_topic_and_from_there_to_calls() {
    let notes = Notes::kind();
    let request = json!({ "text": "300 0 0" }).to_string();
    for (format, flags) in
        [(vec![], vec![]), (vec!["--format", "binary", "--request-format", "json"], vec!["--request-format", "binary"])]
    {
        let to = topic(&[]);
        let call = notes.call("t.Notes/Give", &[&["-d", &request], &format[..]].concat());
        let words: Vec<&str> = call.iter().map(String::as_str).chain(["--to", "kafka", "produce", &to]).collect();
        bridge(&words).run().ok();
        if format.is_empty() {
            let expected: Vec<String> = (1..=300).map(|n| json!({ "text": format!("note {n}") }).to_string()).collect();
            assert_eq!(read(&to, &["-o", "raw"]).lines(), expected);
        }
        let sink = Notes::kind();
        carry(&to, &unique("group"), 300, &sink, &flags).ok();
        assert_eq!(sink.texts(), (1..=300).map(|n| format!("note {n}")).collect::<Vec<_>>());
    }
}

#[test]
fn records_of_one_key_stay_in_order() {
    let from = topic(&["--partitions", "3"]);
    let lines: Vec<String> = (1..=400).map(|n| format!("k{}|{}", n % 13, record(n % 13, n))).collect();
    produce(&from, lines.join("\n"), &["-K", "|"]).ok();
    let (notes, group) = (Notes::kind(), unique("group"));
    carry(&from, &group, 400, &notes, &["-j", "8"]).ok();
    let orders = orders(&notes);
    assert_eq!(orders.values().map(Vec::len).sum::<usize>(), 400);
    for (key, numbers) in orders {
        assert!(numbers.is_sorted(), "key {key}: {numbers:?}");
    }
    assert!((2..=8).contains(&notes.most()), "{} at a time", notes.most());
    // All of it is committed.
    produce(&from, record(99, 1), &[]).ok();
    let last = Notes::kind();
    carry(&from, &group, 1, &last, &[]).ok();
    assert_eq!(last.texts(), ["99 1"]);
}

#[test]
fn records_without_a_key_stay_in_the_order_of_their_partition() {
    let from = topic(&["--partitions", "2"]);
    for partition in 0..2 {
        let lines: Vec<String> = (1..=150).map(|n| record(partition, n)).collect();
        produce(&from, lines.join("\n"), &["--partition", &partition.to_string()]).ok();
    }
    let notes = Notes::kind();
    carry(&from, &unique("group"), 300, &notes, &["-j", "8"]).ok();
    let expected: Vec<u32> = (1..=150).collect();
    assert_eq!(orders(&notes), ["0", "1"].map(|of| (of.to_owned(), expected.clone())).into());
    assert!(notes.most() <= 2, "{} at a time", notes.most());
}

#[test]
fn a_group_stays_before_what_was_refused() {
    let from = topic(&["--partitions", "1"]);
    produce(&from, (1..=20).map(|n| record(0, n) + "\n").collect::<String>(), &[]).ok();
    let group = unique("group");
    let notes = Notes::start(|_, note| End::Status(if note.text == "0 7" { 9 } else { 0 }, "not yet"));
    carry(&from, &group, 20, &notes, &[])
        .exits(8)
        .says(&["the server answered FailedPrecondition: not yet", "offset 6"]);
    assert_eq!(notes.texts().len(), 20);
    let again = Notes::kind();
    carry(&from, &group, 14, &again, &[]).ok();
    assert_eq!(again.texts(), (7..=20).map(|n| format!("0 {n}")).collect::<Vec<_>>());
}

#[test]
fn what_a_dead_server_did_not_confirm_comes_again() {
    let from = topic(&["--partitions", "1"]);
    produce(&from, (1..=300).map(|n| record(0, n) + "\n").collect::<String>(), &[]).ok();
    let group = unique("group");
    let notes = Notes::start(|before, _| if before == 99 { End::Cut } else { End::Status(0, "") });
    carry(&from, &group, 300, &notes, &[]).exits(9).says(&["outcome unknown", "offset 99"]);
    assert_eq!(notes.texts().len(), 100);
    let again = Notes::kind();
    carry(&from, &group, 201, &again, &["-j", "8"]).ok();
    assert_eq!(again.texts(), (100..=300).map(|n| format!("0 {n}")).collect::<Vec<_>>());
}
