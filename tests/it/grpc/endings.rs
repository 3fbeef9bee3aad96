//! The last line of `-o json`: each call that failed has a status, and says whose it is.

use std::io::Write;

use serde_json::{Value, json};

use super::frames::{answering, ending, goaway, head, message, reset, silent};
use super::hostile::call_with;
use super::servers::{black_hole, raw, sandbox};
use super::wire::{SOURCE, piped};
use crate::support::{Done, Run, mscomm};

/// The events, by name, and the last one.
fn events(done: &Done) -> (Vec<String>, Value) {
    let events: Vec<Value> = done.lines().iter().map(|line| serde_json::from_str(line).expect(line)).collect();
    let names = events.iter().map(|event| event["event"].as_str().expect("a name").to_owned()).collect();
    (names, events.last().cloned().unwrap_or_default())
}

/// Panics unless the last event is a status of this side, and the only one.
#[track_caller]
fn ends(done: &Done, code: i32, before: &[&str]) -> Value {
    let (names, last) = events(done);
    let expected = [before, &["status"]].concat();
    assert_eq!(names, expected, "{}\n{}", done.text(), done.stderr);
    assert_eq!((&last["code"], &last["local"]), (&json!(code), &json!(true)), "{last}");
    assert!(last["message"].as_str().is_some_and(|text| !text.is_empty()), "{last}");
    assert!(last["name"].is_string() && last["details"] == json!([]) && last["metadata"].is_array(), "{last}");
    last
}

fn greet(server: &str, args: &[&str]) -> Run {
    let call = ["grpc", "call", "SayHello", "--proto", SOURCE, "--reflection", "off", "-d", "{}", "-o", "json"];
    mscomm(&[&call[..], &["-s", server], args].concat())
}

const CANCELLED: i32 = 1;
const UNKNOWN: i32 = 2;
const DEADLINE_EXCEEDED: i32 = 4;
const PERMISSION_DENIED: i32 = 7;
const RESOURCE_EXHAUSTED: i32 = 8;
const UNIMPLEMENTED: i32 = 12;
const INTERNAL: i32 = 13;
const UNAVAILABLE: i32 = 14;

#[test]
fn a_connection_that_fails_is_unavailable() {
    let last = ends(&greet("127.0.0.1:1", &[]).run().exits(4), UNAVAILABLE, &[]);
    assert_eq!((&last["name"], &last["method"]), (&json!("Unavailable"), &json!("helloworld.Greeter/SayHello")));
    // By reflection the method is not known by more than what was typed.
    let typed = mscomm(&["grpc", "call", "a.B.C", "-d", "{}", "-o", "json", "-s", "127.0.0.1:1"]).run().exits(4);
    assert_eq!(ends(&typed, UNAVAILABLE, &[])["method"], "a.B/C");
    ends(&greet("nosuch.invalid:1", &["--plaintext"]).run().exits(4), UNAVAILABLE, &[]);
    ends(&greet(&raw(drop), &[]).run().exits(4), UNAVAILABLE, &[]);
    ends(&greet(sandbox(), &["--tls"]).run().exits(5), UNAVAILABLE, &[]);
    let hole = black_hole();
    ends(&greet(&hole, &["--connect-timeout", "200ms"]).run().exits(7), DEADLINE_EXCEEDED, &[]);
    ends(&greet(&hole, &["--timeout", "200ms"]).run().exits(7), DEADLINE_EXCEEDED, &[]);
    ends(&greet("127.0.0.1:1", &["--wait=300ms"]).run().exits(7), DEADLINE_EXCEEDED, &[]);
    // What is wrong before the first attempt leaves standard output alone.
    greet("127.0.0.1:1", &["--tls-ca", "/nonexistent"]).run().fails(5);
    greet("127.0.0.1:1", &["-p", "nosuch"]).run().fails(3);
    greet("127.0.0.1:1", &["-H", "x"]).run().fails(2);
    greet("nonsense", &[]).run().fails(2);
}

#[test]
fn bad_input_has_no_status() {
    let call = |args: &[&str]| mscomm(&[&["grpc", "call", "-o", "json", "-s", sandbox()], args].concat()).run();
    call(&["helloworld.Greeter/SayHello", "-d", r#"{"nam":1}"#]).fails(2);
    call(&["helloworld.Greeter/SayHello", "-d", "{}{}"]).fails(2);
    call(&["mscomm.sandbox.v1.Echo/BidiStream", "-d", r#"{"message":"a"}{"mesage":1}"#]).fails(2);
    // A method that is not there is no bad input.
    ends(&call(&["helloworld.Greeter/No", "-d", "{}"]).exits(8), UNIMPLEMENTED, &[]);
    ends(&call(&["no.Such/Method", "-d", "{}"]).exits(8), UNIMPLEMENTED, &[]);
}

#[test]
fn a_call_that_is_given_up_is_cancelled() {
    let last = ends(&greet(&silent(), &["--timeout", "300ms"]).run().exits(7), DEADLINE_EXCEEDED, &[]);
    assert_eq!(last["name"], "DeadlineExceeded");
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let data = r#"{"message":"a","count":100000,"delay":"0.05s"}"#;
        let method = "mscomm.sandbox.v1.Echo/ServerStream";
        let running = mscomm(&["grpc", "call", method, "-s", sandbox(), "-o", "json", "-d", data]).start();
        running.wait_for_lines(2);
        running.signal(signal);
        let (names, last) = events(&running.wait().exits(code));
        assert_eq!((&last["event"], &last["code"]), (&json!("status"), &json!(CANCELLED)));
        assert_eq!(names.iter().filter(|name| *name == "status").count(), 1);
    }
    // Input that turns out bad when some of it is sent.
    let method = "mscomm.sandbox.v1.Echo/BidiStream";
    let mut running = piped(mscomm(&["grpc", "call", method, "-s", sandbox(), "-o", "json"])).start();
    let mut input = running.child.stdin.take().expect("piped");
    writeln!(input, r#"{{"message":"a"}}"#).expect("writes");
    running.wait_for_lines(2);
    writeln!(input, r#"{{"mesage":"a"}}"#).expect("writes");
    ends(&running.wait().exits(2), CANCELLED, &["headers", "message"]);
}

#[test]
fn an_answer_that_breaks_the_rules_has_the_status_that_libraries_give_it() {
    let call = |what: &str, args: &[&str]| call_with(&format!("x-call: {what}"), &[&["-o", "json"], args].concat());
    ends(&call("two", &[]).exits(9), UNIMPLEMENTED, &["headers", "message"]);
    ends(&call("none", &[]).exits(9), UNIMPLEMENTED, &["headers"]);
    ends(&call("no-status", &[]).exits(9), INTERNAL, &["headers", "message"]);
    for what in ["junk", "half", "compressed", "encoding-used", "gzip-behind", "deflate-cut", "flag"] {
        ends(&call(what, &[]).exits(9), INTERNAL, &["headers"]);
    }
    for what in ["gzip-bomb", "length"] {
        ends(&call(what, &[]).exits(8), RESOURCE_EXHAUSTED, &["headers"]);
    }
    let limit = ["--max-header-list", "2k"];
    ends(&call("long-end", &limit).exits(8), RESOURCE_EXHAUSTED, &["headers", "message"]);
    for (http, exit, code) in [("404", 76, UNIMPLEMENTED), ("500", 66, UNKNOWN), ("503", 78, UNAVAILABLE)] {
        assert_eq!(ends(&call(http, &[]).exits(exit), code, &[])["local"], true);
    }
    // A status of the server is its own.
    for (what, exit) in [("trailers-only", 71), ("code", 66), ("details", 69)] {
        let (_, last) = events(&call(what, &[]).exits(exit));
        assert!(last["event"] == "status" && last.get("local").is_none(), "{last}");
    }
    // The server would not tell what it has.
    let done = call_with("x-reflect: denied", &["-o", "json"]).exits(80);
    let message = ends(&done, 16, &[])["message"].clone();
    assert!(message.as_str().is_some_and(|m| m.contains("who are you?") && !m.contains('\n')), "{message}");
    ends(&call_with("x-reflect: junk", &["-o", "json"]).exits(8), INTERNAL, &[]);
}

/// gRPC over HTTP2, "Errors".
#[test]
fn a_reset_stands_for_a_status() {
    for (reset_by, code, exit) in [
        (0, INTERNAL, 9),
        (1, INTERNAL, 9),
        (2, INTERNAL, 9),
        (7, UNAVAILABLE, 4),
        (8, CANCELLED, 9),
        (11, RESOURCE_EXHAUSTED, 9),
        (12, PERMISSION_DENIED, 9),
        (0x1234, UNKNOWN, 9),
    ] {
        ends(&greet(&answering(move |id| reset(id, reset_by)), &[]).run().exits(exit), code, &[]);
    }
    let cut = answering(|id| [head(id), message(id), reset(id, 2)].concat());
    let (names, last) = events(&greet(&cut, &[]).run().exits(9));
    assert_eq!((names[0].as_str(), &last["code"]), ("headers", &json!(INTERNAL)));
    // The connection goes, and nobody knows how far the call came.
    let leaves = super::frames::server(|stream, frame| {
        frame.kind != super::frames::HEADERS || {
            // What is written last is not looked at any more.
            drop(stream.write_all(&goaway(frame.stream)));
            false
        }
    });
    ends(&greet(&leaves, &[]).run().exits(9), UNAVAILABLE, &[]);
    // An end that is good has one status, the server's.
    let good = answering(|id| [head(id), message(id), ending(id, "0")].concat());
    let (names, last) = events(&greet(&good, &[]).run().ok());
    assert_eq!(names, ["headers", "message", "status"]);
    assert!(last.get("local").is_none() && last["code"] == 0, "{last}");
}
