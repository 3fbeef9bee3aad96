//! `--trace`: what is sent carries a W3C `traceparent`.

use serde_json::{Value, json};

use crate::amqp::{amqp, queue};
use crate::bridge::bridge;
use crate::kafka::{kafka, read, topic};
use crate::support::Done;

/// Of the specification's examples.
const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

/// The ids of the trace and of the span, of a traceparent that is one.
fn ids(parent: &str, flags: &str) -> (String, String) {
    let parts: Vec<&str> = parent.split('-').collect();
    let [version, trace, span, found] = parts[..] else { panic!("{parent}") };
    let is_hex =
        |text: &str, length| text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    assert!(version == "00" && found == flags && is_hex(trace, 32) && is_hex(span, 16), "{parent}");
    (trace.to_owned(), span.to_owned())
}

/// The trace that a command told of.
fn told(done: &Done) -> String {
    let line = done.stderr.lines().find_map(|line| line.strip_prefix("note: trace "));
    line.unwrap_or_else(|| panic!("{}", done.stderr)).to_owned()
}

/// The traceparents of records, or of messages.
fn parents(lines: &[String]) -> Vec<String> {
    let parent = |line: &String| {
        let line: Value = serde_json::from_str(line).expect(line);
        let headers = &line["headers"];
        let of_list = || headers.as_array()?.iter().find(|pair| pair[0] == "traceparent").map(|pair| pair[1].clone());
        of_list().unwrap_or_else(|| headers["traceparent"].clone()).as_str().expect("a text").to_owned()
    };
    lines.iter().map(parent).collect()
}

#[test]
fn records_are_in_the_trace_that_is_told() {
    let topic = topic(&[]);
    let args = ["produce", &topic, "--trace", "--report", "json"];
    let done = kafka(&args).stdin("1\n2\n").run().ok();
    let trace = told(&done);
    assert!(done.stderr.contains(&format!("\"trace\":\"{trace}\"")), "{}", done.stderr);
    let found: Vec<_> =
        parents(&read(&topic, &["-o", "json"]).lines()).iter().map(|parent| ids(parent, "01")).collect();
    assert!(found.len() == 2 && found.iter().all(|(of, _)| *of == trace) && found[0].1 != found[1].1, "{found:?}");
    let page = read(&topic, &["-o", "pretty"]).text();
    assert!(page.contains(&format!("  header   traceparent: 00-{trace}-")), "{page}");
    // Another command is in another one, and in that of the environment where there is one.
    assert_ne!(told(&kafka(&["produce", &topic, "--trace", "-d", "3"]).run().ok()), trace);
    let done = kafka(&["produce", &topic, "--trace", "-d", "4"]).env("TRACEPARENT", PARENT).run().ok();
    assert_eq!(told(&done), "0af7651916cd43dd8448eb211c80319c");
    let last = parents(&read(&topic, &["-o", "json"]).lines()).pop().expect("a record");
    assert!(ids(&last, "00").0 == told(&done) && last != PARENT, "{last}");
    let done = kafka(&["produce", &topic, "--trace", "-d", "5"]).env("TRACEPARENT", "garbage").run().ok();
    done.says(&["warning: TRACEPARENT is no traceparent"]);
    let quiet = kafka(&["produce", &topic, "-d", "6"]).env("TRACEPARENT", PARENT).run().ok();
    assert!(!quiet.stderr.contains("trace"), "{}", quiet.stderr);
    let headers = crate::kafka::read(&topic, &["-o", "%h\n"]).lines();
    assert_eq!(headers.last().map(String::as_str), Some(""));
}

#[test]
fn one_that_is_there_is_never_replaced() {
    let topic = topic(&[]);
    let own = [
        json!({"headers": [["traceparent", "mine"]], "value": "1"}),
        json!({"headers": [["Traceparent", {"$base64": "/wA="}]], "value": "2"}),
        json!({"headers": [["traceparent", null]], "value": "3"}),
    ];
    let own: String = own.iter().map(|line| format!("{line}\n")).collect();
    kafka(&["produce", &topic, "--trace", "--input", "json"]).stdin(own).run().ok();
    kafka(&["produce", &topic, "--trace", "-H", "traceparent=flag", "-d", "4"]).run().ok();
    let lines = read(&topic, &["-o", "json"]).lines();
    let headers: Vec<Value> =
        lines.iter().map(|line| serde_json::from_str::<Value>(line).expect(line)["headers"].take()).collect();
    let expected = [
        json!([["traceparent", "mine"]]),
        json!([["Traceparent", {"$base64": "/wA="}]]),
        json!([["traceparent", null]]),
        json!([["traceparent", "flag"]]),
    ];
    assert_eq!(headers, expected);

    let queue = queue(&[]);
    let own = json!({"headers": {"traceparent": {"$bytes": "/wA="}, "n": {"$u8": 1}}, "value": "1"}).to_string();
    amqp(&["publish", "-k", &queue, "--trace", "--input", "json"]).stdin(own).run().ok();
    amqp(&["publish", "-k", &queue, "--trace", "-H", "traceparent: flag", "-d", "2"]).run().ok();
    let json = r#"{"traceparent":{"$i8":1}}"#;
    amqp(&["publish", "-k", &queue, "--trace", "--header-json", json, "-d", "3"]).run().ok();
    let lines = amqp(&["consume", &queue, "-n", "3", "-o", "json"]).run().ok().lines();
    let headers: Vec<Value> =
        lines.iter().map(|line| serde_json::from_str::<Value>(line).expect(line)["headers"].take()).collect();
    let expected = [
        json!({"n": {"$u8": 1}, "traceparent": {"$bytes": "/wA="}}),
        json!({"traceparent": "flag"}),
        json!({"traceparent": {"$i8": 1}}),
    ];
    assert_eq!(headers, expected);
}

#[test]
fn messages_of_a_queue_are_traced_as_well() {
    let queue = queue(&[]);
    let done =
        amqp(&["publish", "-k", &queue, "--trace", "-H", "own: 1", "--report", "json"]).stdin("1\n2\n").run().ok();
    let trace = told(&done);
    assert!(done.stderr.contains(&format!("\"trace\":\"{trace}\"")), "{}", done.stderr);
    let lines = amqp(&["consume", &queue, "-n", "2", "-o", "json"]).run().ok().lines();
    let found: Vec<_> = parents(&lines).iter().map(|parent| ids(parent, "01")).collect();
    assert!(found.iter().all(|(of, _)| *of == trace) && found[0].1 != found[1].1, "{found:?}");
}

#[test]
fn what_a_bridge_carries_is_in_a_trace_of_its_own_each() {
    let (from, to, queue) = (topic(&[]), topic(&[]), queue(&[]));
    kafka(&["produce", &from]).stdin("1\n2\n").run().ok();
    let reader = ["kafka", "tail", &from, "--until-end", "--to"];
    let done = bridge(&[&reader[..], &["kafka", "produce", &to, "--trace"]].concat()).run().ok();
    assert!(!done.stderr.contains("note: trace"), "{}", done.stderr);
    let in_kafka = parents(&read(&to, &["-o", "json"]).lines());
    bridge(&[&reader[..], &["amqp", "publish", "-k", &queue, "--trace"]].concat()).run().ok();
    let lines = amqp(&["consume", &queue, "-n", "2", "-o", "json"]).run().ok().lines();
    for found in [in_kafka, parents(&lines)] {
        let found: Vec<_> = found.iter().map(|parent| ids(parent, "01").0).collect();
        assert!(found.len() == 2 && found[0] != found[1], "{found:?}");
    }
    // A trace goes on from system to system as it is.
    let done = bridge(&["kafka", "tail", &to, "--until-end", "--to", "amqp", "publish", "-k", &queue, "--trace"]);
    done.run().ok();
    let lines = amqp(&["consume", &queue, "-n", "2", "-o", "json"]).run().ok().lines();
    assert_eq!(parents(&lines), parents(&read(&to, &["-o", "json"]).lines()));
}

#[cfg(feature = "sandbox")]
#[test]
fn calls_are_traced() {
    use crate::bridge::notes::Notes;
    use crate::support::mscomm;

    let notes = Notes::kind();
    let one = |flags: &[&str]| mscomm(&notes.call("t.Notes/Take", &[&["-d", "{\"text\":\"a\"}"], flags].concat()));
    let done = one(&["--trace"]).run().ok();
    one(&["--trace"]).env("TRACEPARENT", PARENT).run().ok();
    let own = one(&["--trace", "-H", "traceparent: mine"]).run().ok();
    assert!(!own.stderr.contains("trace"), "{}", own.stderr);
    let many = |flags: &[&str], envelopes: &str| {
        let call = notes.call("t.Notes/Take", flags);
        let call: Vec<&str> = call.iter().map(String::as_str).collect();
        let words = [&["stdin", "--input", "json", "--to"][..], &call].concat();
        bridge(&words).stdin(envelopes).run().ok();
    };
    let plain = r#"{"value":"{\"text\":\"b\"}"}"#;
    let traced = r#"{"headers":[["traceparent","its own"]],"value":"{\"text\":\"b\"}"}"#;
    many(&["--trace"], &format!("{plain}\n{plain}\n{traced}\n"));
    let all = notes.notes();
    let found: Vec<_> = all.iter().map(|note| note.metadata["traceparent"].to_str().expect("text")).collect();
    assert!(all.iter().all(|note| note.metadata.get_all("traceparent").iter().count() == 1));
    assert_eq!(ids(found[0], "01").0, told(&done));
    assert_eq!(ids(found[1], "00").0, "0af7651916cd43dd8448eb211c80319c");
    assert_eq!((found[2], found[5]), ("mine", "its own"));
    assert_ne!(ids(found[3], "01").0, ids(found[4], "01").0);
}
