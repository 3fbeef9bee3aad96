//! The forms of messages, as a user meets them.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::servers::sandbox;
use crate::support::{BINARY, Run, Running, eventually, mscomm};

fn call(method: &str, args: &[&str]) -> Run {
    let method = format!("mscomm.sandbox.v1.Echo/{method}");
    mscomm(&[&["grpc", "call", &method, "-s", sandbox()], args].concat())
}

#[test]
fn text_and_binary_go_both_ways() {
    let text = call("Unary", &["--format", "text", "-d", "message: 'a' data: \"\\377\""]).run().ok().text();
    assert_eq!(text, "message: \"a\" data: \"\\377\" number: 1\n");
    let text = call("Unary", &["--format", "text", "-o", "pretty", "-d", "message: 'a'"]).run().ok().text();
    assert_eq!(text, "message: \"a\"\nnumber: 1\n");
    // Of one message the bytes alone, of a stream each behind its length.
    assert_eq!(
        call("Unary", &["--format", "binary", "-d", "@-"]).stdin("\n\u{1}a").run().ok().stdout,
        b"\n\x01a\x20\x01"
    );
    let stream = call("BidiStream", &["--format", "binary"]).stdin("\u{3}\n\u{1}a\u{0}\u{3}\n\u{1}b").run().ok().stdout;
    assert_eq!(stream, b"\x05\n\x01a\x20\x01\x02\x20\x02\x05\n\x01b\x20\x03");
    let lines = call("BidiStream", &["--request-format", "text"])
        .stdin("message: 'a'\u{1e}\nmessage: 'b'\n")
        .run()
        .ok()
        .lines();
    assert_eq!(lines, [r#"{"message":"a","number":1}"#, r#"{"message":"b","number":2}"#]);
    let enveloped = |format: &str| -> Value {
        let done = call("Unary", &["--format", format, "-o", "json", "-d", "@-"]).stdin("").run().ok();
        serde_json::from_str(&done.lines()[1]).expect("JSON")
    };
    assert_eq!(enveloped("text")["value"], "number: 1");
    assert_eq!(enveloped("binary")["value"]["$base64"], "IAE=");
}

#[test]
fn what_is_wrong_has_its_place() {
    for (format, input, what) in [
        (
            "text",
            "message: 'a'\nmesage: 'b'",
            "line 2, column 1: mscomm.sandbox.v1.EchoRequest has no field `mesage`; did you mean `message`?",
        ),
        ("text", "message: 1", "column 10: message: `1` is not a string in quotes"),
        ("text", "message: 'a' message: 'b'", "column 14: message: it is given twice"),
        ("text", "count: 99999999999", "`99999999999` is not a whole number of 32 bits"),
        ("binary", "\n", "message 1: no mscomm.sandbox.v1.EchoRequest"),
        ("json", "{\"fail\": {\n \"code\": 1.5}}", "line 2, column 10: fail.code: `1.5` is not a whole number"),
        ("json", "{\"any\": {\"@type\": \"x/no.Such\", \"a\": 1}}", "any.@type: nobody knows the type `no.Such`"),
    ] {
        call("Unary", &["--request-format", format, "-d", "@-"]).stdin(input).run().fails(2).says(&[what]);
    }
    // A stream that is cut off, behind what was sent.
    let done = call("BidiStream", &["--request-format", "binary"]).stdin("\u{0}\u{5}a").run();
    done.exits(2)
        .says(&["message 2, at byte 1: the message is shorter than its length says", "the 1 before it were sent"]);
    // On the command line all is looked at before anything is sent.
    call("BidiStream", &["-d", "{} {\"nosuch\":1}"]).run().fails(2).says(&["--data, line 1, column 5"]);
    call("Unary", &["-d", "{\"nosuch\":{\"a\":[1]},\"message\":\"a\"}", "--allow-unknown-fields"]).run().ok();
}

#[test]
fn flags_that_would_do_nothing_are_refused() {
    for args in [
        &["--format", "text", "--emit-defaults"][..],
        &["--format", "binary", "--int64", "number"],
        &["--request-format", "binary", "--allow-unknown-fields"],
        &["--format", "yaml"],
    ] {
        call("Unary", &[args, &["-d", "@-"]].concat()).stdin("").run().fails(2);
    }
}

#[test]
fn types_of_any_are_asked_for() {
    // Known to the server alone, in requests and in responses.
    let any = r#"{"any":{"@type":"type.googleapis.com/helloworld.HelloRequest","name":"x"}}"#;
    for method in ["Unary", "BidiStream"] {
        for run in [call(method, &["-d", any]), call(method, &[]).stdin(any)] {
            let text = run.run().ok().text();
            assert!(text.starts_with(&any[..any.len() - 1]), "{text}");
        }
    }
}

/// At a terminal a call of a stream is a conversation, which a typo does not end.
#[test]
fn a_conversation_goes_on() {
    let mut run = call("BidiStream", &[]);
    let mut screen = Command::new("script");
    let line = format!("exec '{BINARY}' grpc call mscomm.sandbox.v1.Echo/BidiStream -s {} -o raw", sandbox());
    screen.args(["-qec", &line, "/dev/null"]).stdin(Stdio::piped());
    for (name, value) in run.command.get_envs() {
        match value {
            Some(value) => screen.env(name, value),
            None => screen.env_remove(name),
        };
    }
    run.command = screen;
    let mut running = run.start();
    let mut keys = running.child.stdin.take().expect("piped");
    let shows = |running: &Running, text: &str| {
        eventually(text, || String::from_utf8_lossy(&running.stdout()).contains(text).then_some(()));
    };
    shows(&running, "Ctrl-D ends them");
    keys.write_all(b"{\"message\":\"a\"}\n").expect("types");
    shows(&running, r#"{"message":"a","number":1}"#);
    keys.write_all(b"{\"mesage\":\"a\"}\n").expect("types");
    shows(&running, "did you mean `message`?; it was not sent");
    keys.write_all(b"{\"message\":\"b\"}\n").expect("types");
    shows(&running, r#"{"message":"b","number":2}"#);
    keys.write_all(b"\x04").expect("types");
    running.wait().exits(0);
}
