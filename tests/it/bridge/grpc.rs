//! gRPC as a reader (the responses of a call) and as a writer (a call for each message).

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::time::{Duration, Instant};

use h2::Reason;
use serde_json::json;

use super::notes::{End, Note, Notes};
use crate::amqp::{amqp, holds, queue};
use crate::support::{DEADLINE, Run, eventually, mscomm};

/// `bridge FROM --to TO` between the test's brokers and a server.
fn bridge<A: AsRef<str>, B: AsRef<str>>(from: &[A], to: &[B]) -> Run {
    let (from, to) = (from.iter().map(AsRef::as_ref), to.iter().map(AsRef::as_ref));
    let words: Vec<&str> = from.chain(["--to"]).chain(to).collect();
    super::bridge(&words)
}

/// The request of so many notes, with a status behind them.
fn ask(count: u32, code: u32, size: u32) -> String {
    json!({ "text": format!("{count} {code} {size}") }).to_string()
}

fn numbered(numbers: impl IntoIterator<Item = u32>) -> Vec<String> {
    numbers.into_iter().map(|n| format!("note {n}")).collect()
}

fn json_of(texts: &[String]) -> Vec<String> {
    texts.iter().map(|text| json!({ "text": text }).to_string()).collect()
}

/// A queue with so many notes.
fn with_notes(count: u32) -> String {
    let name = queue(&[]);
    amqp(&["publish", "-k", &name]).stdin(json_of(&numbered(1..=count)).join("\n")).run().ok();
    name
}

fn drained(queue: &str, count: usize) -> Vec<String> {
    amqp(&["consume", queue, "-n", &count.to_string(), "-o", "raw"]).run().ok().lines()
}

#[test]
fn a_stream_goes_to_a_queue_as_call_prints_it() {
    let notes = Notes::kind();
    let request = ask(300, 0, 0);
    let call = notes.call("t.Notes/Give", &["-d", &request]);
    let printed = mscomm(&[&call[..], &["-o".to_owned(), "raw".to_owned()]].concat()).run().ok().lines();
    assert_eq!(printed.len(), 300);
    let to = queue(&[]);
    let done = bridge(&call, &["amqp", "publish", "-k", &to]).run().ok();
    assert!(done.stdout.is_empty(), "{}", done.text());
    assert_eq!(drained(&to, 300), printed);
}

#[test]
fn a_status_behind_the_responses_is_the_end() {
    let notes = Notes::kind();
    for (count, code, flags, exit) in
        [(120, 5, vec![], 64 + 5), (120, 0, vec!["-n", "50"], 0), (3, 0, vec!["-n", "9"], 1)]
    {
        let request = ask(count, code, 0);
        let call = notes.call("t.Notes/Give", &[&["-d", &request], &flags[..]].concat());
        let to = queue(&[]);
        let done = bridge(&call, &["amqp", "publish", "-k", &to]).run().exits(exit);
        let came = if flags == ["-n", "50"] { 50 } else { count };
        assert_eq!(drained(&to, came as usize), json_of(&numbered(1..=came)));
        match exit {
            69 => drop(done.says(&["from grpc call: t.Notes/Give failed", "NotFound", "no more of them"])),
            1 => drop(done.says(&["3 of 9 responses came"])),
            _ => {}
        }
    }
}

#[test]
fn methods_of_another_sort_are_refused_before_anything_is_sent() {
    let notes = Notes::kind();
    let to = with_notes(1);
    for (method, what) in [("Take", "has one response"), ("Collect", "takes a stream of requests")] {
        let call = notes.call(&format!("t.Notes/{method}"), &["-d", "{}"]);
        bridge(&call, &["amqp", "publish", "-k", &to]).run().fails(2).says(&["from grpc call: ", what]);
    }
    for method in ["Give", "Collect"] {
        let call = notes.call(&format!("t.Notes/{method}"), &[]);
        bridge(&["amqp", "consume", &to], &call).run().fails(2).says(&["to grpc call: ", "streams"]);
    }
    assert!(notes.texts().is_empty());
    holds(&to, 1);
}

#[test]
fn a_stream_is_not_read_ahead_of_its_writer() {
    const COUNT: u32 = 2000;
    let notes = Notes::kind();
    let request = ask(COUNT, 0, 64 * 1024);
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    let mut run = bridge(&notes.call("t.Notes/Give", &["-d", &request]), &["stdout", "-o", "raw"]);
    run.command.stdout(writer);
    let running = run.start_with_own_stdout();
    // It stops once all that lies between is full.
    let mut last = (0, Instant::now());
    eventually("the server is held back", || {
        let given = notes.given();
        if given != last.0 {
            last = (given, Instant::now());
        }
        (given > 0 && last.1.elapsed() > Duration::from_millis(700)).then_some(())
    });
    assert!(last.0 < 200, "{} of {COUNT} were given", last.0);
    let mut lines = 0;
    let mut chunk = vec![0; 1 << 20];
    loop {
        match reader.read(&mut chunk).expect("reads") {
            0 => break,
            n => lines += chunk[..n].iter().filter(|byte| **byte == b'\n').count(),
        }
    }
    running.wait().exits(0);
    assert_eq!(lines, COUNT as usize);
}

#[test]
fn each_message_of_a_queue_is_a_call() {
    let notes = Notes::kind();
    let from = with_notes(300);
    bridge(&["amqp", "consume", &from, "-n", "300"], &notes.call("t.Notes/Take", &[])).run().ok();
    assert_eq!(notes.texts(), numbered(1..=300));
    assert_eq!(notes.most(), 1);
    holds(&from, 0);
}

#[test]
fn messages_of_a_queue_run_side_by_side() {
    let notes = Notes::kind();
    let from = with_notes(300);
    bridge(&["amqp", "consume", &from, "-n", "300"], &notes.call("t.Notes/Take", &["-j", "8"])).run().ok();
    assert_eq!(notes.texts().into_iter().collect::<BTreeSet<_>>(), numbered(1..=300).into_iter().collect());
    assert_eq!(notes.texts().len(), 300);
    assert!((2..=8).contains(&notes.most()), "{} at a time", notes.most());
    holds(&from, 0);
}

#[test]
fn messages_of_one_key_stay_in_order() {
    let notes = Notes::kind();
    let lines: Vec<String> = (1..=400)
        .map(|n| {
            let value = json!({ "text": format!("{} {n}", n % 7) }).to_string();
            json!({ "key": format!("k{}", n % 7), "value": value }).to_string()
        })
        .collect();
    let run = bridge(&["stdin", "--input", "json"], &notes.call("t.Notes/Take", &["-j", "8"]));
    run.stdin(lines.join("\n")).run().ok();
    let mut by_key: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for text in notes.ended() {
        let (key, number) = text.split_once(' ').expect("a key");
        by_key.entry(key.to_owned()).or_default().push(number.parse().expect("a number"));
    }
    assert_eq!(by_key.values().map(Vec::len).sum::<usize>(), 400);
    for (key, numbers) in by_key {
        assert!(numbers.is_sorted(), "key {key}: {numbers:?}");
    }
    assert!((2..=7).contains(&notes.most()), "{} at a time", notes.most());
}

#[test]
fn what_a_status_refuses_stays_and_the_others_go_on() {
    let is_odd = |note: &Note| note.text.ends_with('7') && note.path.ends_with("/Take");
    for (flags, left, exit) in
        [(vec![], 10, 8), (vec!["--on-refusal", "skip"], 0, 8), (vec!["--on-refusal", "dead:t.Notes/Bury"], 0, 8)]
    {
        let notes = Notes::start(move |_, note| match is_odd(note) {
            true => End::Status(3, "it ends with a seven"),
            false => End::Status(0, ""),
        });
        let from = with_notes(100);
        let consume = ["amqp", "consume", &from, "-n", "100"];
        let done = bridge(&consume, &notes.call("t.Notes/Take", &flags)).run().exits(exit);
        done.says(&["the server answered InvalidArgument: it ends with a seven"]);
        let buried = notes.notes().into_iter().filter(|note| note.path.ends_with("/Bury")).count();
        assert_eq!(buried, if flags.last().is_some_and(|flag| flag.starts_with("dead:")) { 10 } else { 0 });
        holds(&from, left);
    }
}

#[test]
fn a_refusal_may_stop_it() {
    let notes = Notes::start(|before, _| End::Status(if before == 6 { 3 } else { 0 }, ""));
    let from = with_notes(100);
    let call = notes.call("t.Notes/Take", &["--on-refusal", "stop"]);
    bridge(&["amqp", "consume", &from, "-n", "100"], &call).run().exits(8).says(&["message 7", "InvalidArgument"]);
    let came = notes.texts().len();
    assert!((7..20).contains(&came), "{came} came");
    holds(&from, 101 - came as u64);
}

#[test]
fn a_body_that_is_no_request_is_refused_by_itself() {
    let notes = Notes::kind();
    let from = queue(&[]);
    amqp(&["publish", "-k", &from]).stdin("{\"text\":\"a\"}\n{\"text\":\n{\"text\":\"b\"}\n").run().ok();
    let done = bridge(&["amqp", "consume", &from, "-n", "3"], &notes.call("t.Notes/Take", &[])).run().exits(8);
    done.says(&["message 2", "no t.Note: line 1, column"]);
    assert_eq!(notes.texts(), ["a", "b"]);
    holds(&from, 1);

    // What somebody wrote for this command ends it.
    let notes = Notes::kind();
    let run = bridge(&["stdin"], &notes.call("t.Notes/Take", &[]));
    run.stdin("{\"text\":\"a\"}\n{\"txt\":1}\n{\"text\":\"b\"}\n").run().fails(2).says(&["line 2", "txt"]);
    assert_eq!(notes.texts(), ["a"]);
}

#[test]
fn bodies_may_be_binary() {
    let notes = Notes::kind();
    let run = bridge(&["stdin", "--input", "json"], &notes.call("t.Notes/Take", &["--request-format", "binary"]));
    run.stdin("{\"value\":\"\\n\\u0003abc\"}\n{\"value\":\"\"}\n").run().ok();
    assert_eq!(notes.texts(), ["abc", ""]);
}

#[test]
fn headers_become_metadata_where_they_can() {
    let notes = Notes::kind();
    let envelope = json!({
        "protocol": "kafka",
        "headers": [["Trace", "1"], ["trace", "2"], ["raw-bin", {"$base64": "/w=="}], ["te", "x"], ["auth", "of the message"],
            ["grpc-timeout", "1n"], ["user-agent", "x"], ["a b", "x"], ["null", null]],
        "value": "{\"text\": \"a\"}",
    });
    let call = notes.call("t.Notes/Take", &["-H", "auth: mine"]);
    let done = bridge(&["stdin", "--input", "json"], &call).stdin(envelope.to_string()).run().ok();
    done.says(&["6 header names cannot be metadata of a call"]);
    let metadata = &notes.notes()[0].metadata;
    let all =
        |name: &str| metadata.get_all(name).iter().map(|v| v.to_str().expect("text").to_owned()).collect::<Vec<_>>();
    assert_eq!(all("trace"), ["1", "2"]);
    assert_eq!((all("raw-bin"), all("auth")), (vec!["/w".to_owned()], vec!["mine".to_owned()]));
    assert!(all("user-agent")[0].starts_with("mscomm/") && all("grpc-timeout").is_empty());
}

#[test]
fn what_may_have_been_done_is_unknown_and_stays() {
    for (end, why) in [
        (End::Status as fn(u32, &'static str) -> End, 14),
        (End::Status, 4),
        (End::Status, 1),
        (|_, _| End::Reset(Reason::INTERNAL_ERROR), 0),
    ] {
        let notes = Notes::start(move |before, _| if before == 4 { end(why, "later") } else { End::Status(0, "") });
        let from = with_notes(20);
        let done = bridge(&["amqp", "consume", &from, "-n", "20"], &notes.call("t.Notes/Take", &[])).run().exits(9);
        done.says(&["outcome of a call is unknown", "unknown 1", "message 5"]);
        assert_eq!(notes.texts(), numbered(1..=20));
        assert_eq!(drained(&from, 1), json_of(&numbered([5])));
    }
}

#[test]
fn a_server_that_dies_loses_nothing() {
    for jobs in ["1", "8"] {
        let notes = Notes::start(|before, _| if before == 99 { End::Cut } else { End::Status(0, "") });
        let from = with_notes(300);
        let report = tempfile::NamedTempFile::new().expect("a file");
        let own = format!("--report=json={}", report.path().display());
        let done =
            bridge(&[&own, "amqp", "consume", &from, "-n", "300"], &notes.call("t.Notes/Take", &["-j", jobs])).run();
        done.exits(9).says(&["outcome unknown", "to grpc call"]);
        let account: serde_json::Value =
            serde_json::from_slice(&std::fs::read(report.path()).expect("reads")).expect("JSON");
        let confirmed = account["confirmed"].as_u64().expect("a number");
        let came = notes.texts();
        assert!((100..200).contains(&came.len()), "{} came", came.len());
        assert!(confirmed < came.len() as u64);
        holds(&from, 300 - confirmed);
        let mut all: BTreeSet<String> = json_of(&came).into_iter().collect();
        all.extend(drained(&from, 300 - usize::try_from(confirmed).expect("few")));
        assert_eq!(all.len(), 300, "with -j {jobs}");
    }
}

#[test]
fn a_server_that_leaves_is_called_again_and_each_message_once() {
    for jobs in ["1", "8"] {
        let notes = Notes::start(|before, _| if before % 25 == 24 { End::Leave } else { End::Status(0, "") });
        let from = with_notes(300);
        let consume = ["amqp", "consume", &from, "-n", "300"];
        bridge(&consume, &notes.call("t.Notes/Take", &["-j", jobs])).run().ok();
        let mut texts = notes.texts();
        if jobs == "8" {
            texts.sort_by_key(|text| text[5..].parse::<u32>().expect("a number"));
        }
        assert_eq!(texts, numbered(1..=300));
        assert!(notes.connections() > 5, "{} connections", notes.connections());
        holds(&from, 0);
    }
}

#[test]
fn a_call_that_was_refused_twice_was_not_sent() {
    let once = Notes::start(|before, _| match before {
        4 => End::Reset(Reason::REFUSED_STREAM),
        _ => End::Status(0, ""),
    });
    let from = with_notes(20);
    bridge(&["amqp", "consume", &from, "-n", "20"], &once.call("t.Notes/Take", &[])).run().ok();
    let mut expected = numbered(1..=20);
    expected.insert(4, "note 5".to_owned());
    assert_eq!(once.texts(), expected);

    let twice = Notes::start(|before, _| match before {
        4 | 5 => End::Reset(Reason::REFUSED_STREAM),
        _ => End::Status(0, ""),
    });
    let from = with_notes(20);
    let done = bridge(&["amqp", "consume", &from, "-n", "20"], &twice.call("t.Notes/Take", &[])).run().exits(9);
    done.says(&["the server refused the call (REFUSED_STREAM) before it looked at it", "confirmed 4"]);
    holds(&from, 16);
}

#[test]
fn a_signal_waits_for_what_is_under_way() {
    let notes = Notes::kind();
    let from = with_notes(300);
    let running = bridge(&["amqp", "consume", &from], &notes.call("t.Notes/Take", &["-j", "4"])).start();
    let started = Instant::now();
    while notes.ended().len() < 300 {
        assert!(started.elapsed() < DEADLINE, "{}", running.stderr());
        std::thread::yield_now();
    }
    running.signal("TERM");
    running.wait().exits(143).says(&["confirmed 300"]);
    holds(&from, 0);
}
