//! What works.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::servers::{Interop, sandbox};
use crate::support::{BINARY, Run, eventually, mscomm};

const ECHO: &str = "mscomm.sandbox.v1.Echo";

fn grpc(args: &[&str]) -> Run {
    mscomm(&[&["grpc"], args, &["-s", sandbox()]].concat())
}

fn call(method: &str, args: &[&str]) -> Run {
    let method = format!("{ECHO}/{method}");
    grpc(&[&["call", method.as_str()], args].concat())
}

fn json_lines(run: Run) -> Vec<Value> {
    run.run().ok().lines().iter().map(|line| serde_json::from_str(line).expect(line)).collect()
}

#[test]
fn list_is_sorted_and_for_scripts() {
    let names = grpc(&["list"]).run().ok().lines();
    assert_eq!(
        names,
        [
            "grpc.health.v1.Health",
            "grpc.reflection.v1.ServerReflection",
            "grpc.reflection.v1alpha.ServerReflection",
            "helloworld.Greeter",
            ECHO
        ]
    );
    assert_eq!(grpc(&["list", "helloworld.Greeter"]).run().ok().text(), "helloworld.Greeter.SayHello\n");
    let rows = json_lines(grpc(&["list", ECHO, "-o", "json"]));
    assert_eq!(rows[0]["kind"], "bidirectional");
    assert_eq!(rows[0]["method"], "mscomm.sandbox.v1.Echo.BidiStream");
}

#[test]
fn describe_prints_source() {
    let text = grpc(&["describe", "helloworld.Greeter"]).run().ok().text();
    let expected = "helloworld.Greeter is a service:\n// Greets.\nservice Greeter {\n  \
        // Says hello to a name.\n  rpc SayHello ( .helloworld.HelloRequest ) returns ( .helloworld.HelloReply );\n}\n";
    assert_eq!(text, expected);
    let text = grpc(&["describe", "mscomm.sandbox.v1.Metadata"]).run().ok().text();
    let expected = "mscomm.sandbox.v1.Metadata is a message:\nmessage Metadata {\n  string name = 1;\n  oneof value {\n    \
        string text = 2;\n    bytes data = 3;\n  }\n}\n";
    assert_eq!(text, expected);
    for (symbol, what) in [
        ("helloworld.Greeter/SayHello", "helloworld.Greeter.SayHello is a method:"),
        ("helloworld.HelloRequest.name", "helloworld.HelloRequest.name is a field:"),
        ("mscomm.sandbox.v1.Metadata.value", "mscomm.sandbox.v1.Metadata.value is a one-of:"),
        ("google.protobuf.Any", "google.protobuf.Any is a message:"),
    ] {
        let text = grpc(&["describe", symbol]).run().ok().text();
        assert!(text.starts_with(what), "{text}");
    }
    let all = grpc(&["describe"]).run().ok().text();
    assert_eq!(all.matches(" is a service:\n").count(), 5);
}

#[test]
fn the_data_comes_from_wherever() {
    let expected = "{\"message\":\"Hello world\"}\n";
    let method = "helloworld.Greeter/SayHello";
    assert_eq!(grpc(&["call", method, "-d", r#"{"name":"world"}"#]).run().ok().text(), expected);
    assert_eq!(grpc(&["call", "helloworld.Greeter.SayHello"]).stdin(r#"{"name":"world"}"#).run().ok().text(), expected);
    assert_eq!(grpc(&["call", method, "-d", "@-"]).stdin(r#"{"name":"world"}"#).run().ok().text(), expected);
    // Nothing on standard input is one empty message.
    assert_eq!(grpc(&["call", method]).run().ok().text(), expected);
    let run = grpc(&["call", method]);
    let file = run.home.path().join("in.json");
    std::fs::write(&file, "{\n  \"name\": \"file\"\n}\n").expect("writes");
    let data = format!("@{}", file.display());
    assert_eq!(grpc(&["call", method, "-d", &data]).run().ok().text(), "{\"message\":\"Hello file\"}\n");
}

#[test]
fn all_four_kinds() {
    let two = r#"{"message":"a"} {"message":"b"}"#;
    let answers = |method, args: &[&str], data: &str| -> Vec<(Value, Value)> {
        json_lines(call(method, args).stdin(data))
            .into_iter()
            .map(|v| (v["message"].clone(), v["number"].clone()))
            .collect()
    };
    assert_eq!(answers("Unary", &[], r#"{"message":"a"}"#), [(json!("a"), json!(1))]);
    assert_eq!(
        answers("ServerStream", &[], r#"{"message":"a","count":2}"#),
        [(json!("a"), json!(1)), (json!("a"), json!(2))]
    );
    assert_eq!(answers("ClientStream", &[], two), [(json!("a b"), json!(2))]);
    assert_eq!(answers("BidiStream", &[], two), [(json!("a"), json!(1)), (json!("b"), json!(2))]);
    assert_eq!(answers("BidiStream", &[], ""), []);
    assert_eq!(answers("ClientStream", &[], ""), [(Value::Null, Value::Null)]);
}

#[test]
fn many_messages_both_ways() {
    let input: String = (0..5000).map(|i| format!("{{\"message\":\"{i}\"}}\n")).collect();
    let answers = json_lines(call("BidiStream", &[]).stdin(input));
    assert_eq!(answers.len(), 5000);
    assert!(
        answers.iter().enumerate().all(|(i, v)| v["message"].as_str() == Some(&i.to_string()) && v["number"] == i + 1)
    );
}

#[test]
fn a_bidi_call_is_a_conversation() {
    let mut run = call("BidiStream", &[]);
    run.command.stdin(Stdio::piped());
    let mut running = run.start();
    let mut stdin = running.child.stdin.take().expect("piped");
    for n in 1..=3 {
        writeln!(stdin, r#"{{"message":"m{n}"}}"#).expect("writes");
        assert_eq!(running.wait_for_lines(n).len(), n);
    }
    // The server ends the call while standard input is open.
    writeln!(stdin, r#"{{"fail":{{"code":10,"message":"enough"}}}}"#).expect("writes");
    let done = running.wait().exits(74).says(&["Code: Aborted", "Message: enough"]);
    assert_eq!(done.lines().len(), 3);
    drop(stdin);
}

#[test]
fn json_output_has_every_event() {
    let args =
        ["-o", "json", "-H", "X-Twice: a", "-H", "x-twice: b", "-H", "x-bytes-bin: -_8", "-d", r#"{"message":"m"}"#];
    let events = json_lines(call("Unary", &args));
    let names: Vec<&str> = events.iter().filter_map(|e| e["event"].as_str()).collect();
    assert_eq!(names, ["headers", "message", "status"]);
    assert!(events.iter().all(|e| e["protocol"] == "grpc" && e["method"] == format!("{ECHO}/Unary")));
    let sent = events[1]["value"]["metadata"].as_array().expect("metadata");
    for expected in [
        json!({"name":"x-twice","text":"a"}),
        json!({"name":"x-twice","text":"b"}),
        json!({"name":"x-bytes-bin","data":"+/8="}),
    ] {
        assert!(sent.contains(&expected), "{expected} in {sent:?}");
    }
    assert_eq!((&events[2]["code"], &events[2]["name"]), (&json!(0), &json!("OK")));
}

#[test]
fn a_failed_call_has_its_status_in_both_places() {
    let fail = json!({"fail": {"code": 5, "message": "no such thing", "details": [
        // google.rpc.ErrorInfo { reason: "R", domain: "d" }
        {"type_url": "type.googleapis.com/google.rpc.ErrorInfo", "value": "CgFSEgFk"},
        {"type_url": "example.com/no.Such", "value": "AQI="},
    ]}});
    let details = json!([
        {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "R", "domain": "d"},
        {"@type": "example.com/no.Such", "@value": "AQI="},
    ]);
    let done = call("Unary", &["-o", "json", "-d", &fail.to_string()]).run().exits(69);
    let done = done.says(&[
        "Code: NotFound",
        "Message: no such thing",
        "Details:",
        "\"reason\": \"R\"",
        "\"@value\": \"AQI=\"",
    ]);
    let status: Value = serde_json::from_str(done.lines().last().expect("a line")).expect("JSON");
    assert_eq!((&status["event"], &status["code"], &status["name"]), (&json!("status"), &json!(5), &json!("NotFound")));
    assert_eq!((&status["message"], &status["details"]), (&json!("no such thing"), &details));
    // Otherwise nothing goes to standard output.
    call("Unary", &["-d", &fail.to_string()]).run().fails(69);
    for code in 1..=16 {
        call("Unary", &["-d", &format!(r#"{{"fail":{{"code":{code}}}}}"#)]).run().fails(64 + code);
    }
}

#[test]
fn responses_before_a_failure_are_printed() {
    let data = r#"{"message":"a","count":3,"fail":{"code":8,"message":"no more"}}"#;
    let done = call("ServerStream", &["-d", data]).run().exits(72);
    assert_eq!(done.lines().len(), 3);
}

#[test]
fn any_is_opened_with_what_the_server_knows() {
    let data = json!({"any": {"@type": "type.googleapis.com/mscomm.sandbox.v1.Detail", "typeUrl": "x"}});
    let answers = json_lines(call("Unary", &["-d", &data.to_string()]));
    assert_eq!(answers[0]["any"], data["any"]);
}

#[test]
fn pretty_is_indented() {
    let text = grpc(&["call", "helloworld.Greeter/SayHello", "-o", "pretty"]).run().ok().text();
    assert_eq!(text, "{\n  \"message\": \"Hello world\"\n}\n");
}

#[test]
fn a_deadline_goes_to_the_server_too() {
    let answers = json_lines(call("Unary", &["--timeout", "60s", "-d", "{}"]));
    let sent = answers[0]["metadata"].as_array().expect("metadata");
    let timeout =
        sent.iter().find(|m| m["name"] == "grpc-timeout").and_then(|m| m["text"].as_str()).expect("grpc-timeout");
    let millis: u32 = timeout.strip_suffix('m').and_then(|t| t.parse().ok()).expect("milliseconds");
    assert!((50_000..=60_001).contains(&millis), "{timeout}");
}

#[test]
fn an_environment_and_a_profile_are_enough() {
    let text = format!(
        "[profiles.p.grpc]\nserver = \"{}\"\nheaders = {{ x-from = \"profile\" }}\nmax_recv = \"1M\"\n",
        sandbox()
    );
    let done = mscomm(&["grpc", "call", &format!("{ECHO}/Unary"), "-p", "p", "-d", "{}"]).config(&text).run().ok();
    assert!(done.text().contains(r#"{"name":"x-from","text":"profile"}"#), "{}", done.text());
    mscomm(&["grpc", "list"]).env("MSCOMM_GRPC_SERVER", sandbox()).run().ok();
}

#[test]
fn a_closed_pipe_is_quiet() {
    let script = r#"set -o pipefail; "$0" grpc call mscomm.sandbox.v1.Echo/ServerStream -s "$1" -d "$2" | head -n 1"#;
    let data = r#"{"message":"a","count":1000000}"#;
    let done = Command::new("bash").args(["-c", script, BINARY, sandbox(), data]).output().expect("runs");
    let stderr = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && stderr.is_empty(), "{:?}: {stderr}", done.status);
    // A reader that goes while nothing comes is noticed, too.
    let data = r#"{"message":"a","count":2,"delay":"3600s"}"#;
    let script = r#"set -o pipefail; "$0" grpc call mscomm.sandbox.v1.Echo/ServerStream -s "$1" -d "$2" | true"#;
    let done = Command::new("bash").args(["-c", script, BINARY, sandbox(), data]).output().expect("runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn a_script_whose_input_stays_silent_does_not_hang() {
    let mut run = grpc(&["call", "helloworld.Greeter/SayHello"]);
    run.command.stdin(Stdio::piped());
    let mut running = run.start();
    let stdin = running.child.stdin.take();
    eventually("a note", || running.stderr().contains("waiting for the request").then_some(()));
    running.wait().fails(2).says(&["nothing came on standard input", "-d '{}'"]);
    drop(stdin);
    // A message without fields can only be empty: nothing is waited for.
    let interop = Interop::start(&[]);
    let mut run = mscomm(&["grpc", "call", "grpc.testing.TestService/EmptyCall", "-s", &interop.address]);
    run.command.stdin(Stdio::piped());
    let mut running = run.start();
    let stdin = running.child.stdin.take();
    assert_eq!(running.wait().ok().text(), "{}\n");
    drop(stdin);
}

#[test]
fn a_server_that_others_wrote() {
    for reflection in ["both", "v1", "v1alpha"] {
        let interop = Interop::start(&["--reflection", reflection]);
        let call = |method: &str, data: &str| {
            mscomm(&["grpc", "call", &format!("grpc.testing.TestService/{method}"), "-s", &interop.address, "-d", data])
                .run()
        };
        assert_eq!(call("UnaryCall", r#"{"responseSize":3}"#).ok().text(), "{\"payload\":{\"body\":\"AAAA\"}}\n");
        let data = r#"{"payload":{"body":"AAAA"}}{"payload":{"body":"AA=="}}"#;
        assert_eq!(call("StreamingInputCall", data).ok().text(), "{\"aggregatedPayloadSize\":4}\n");
        let data = r#"{"responseParameters":[{"size":1},{"size":2}]}"#;
        assert_eq!(call("StreamingOutputCall", data).ok().lines().len(), 2);
        assert_eq!(call("FullDuplexCall", &[data, data].concat()).ok().lines().len(), 4);
        call("UnimplementedCall", "{}").fails(76).says(&["Code: Unimplemented"]);
        let status = r#"{"responseStatus":{"code":3,"message":"\t\ntest ☺\r\n"}}"#;
        call("UnaryCall", status).fails(67).says(&["test ☺"]);
    }
    let interop = Interop::start(&["--reflection", "none"]);
    let done = mscomm(&["grpc", "list", "-s", &interop.address]).run().fails(8);
    done.says(&["the server has no reflection", "hint: register grpc.reflection.v1.ServerReflection"]);
}

#[test]
fn a_slow_reader_of_many_small_messages_gets_them_all() {
    // Thousands of them wait unread: h2 once took that for an attack and ended the connection.
    const COUNT: usize = 100_000;
    let interop = Interop::start(&[]);
    let sizes = vec![r#"{"size":1}"#; COUNT].join(",");
    let data = format!(r#"{{"responseParameters":[{sizes}]}}"#);
    let method = "grpc.testing.TestService/StreamingOutputCall";
    let done = mscomm(&["grpc", "call", method, "-s", &interop.address]).stdin(data).run().ok();
    assert_eq!(done.lines().len(), COUNT);
}

#[test]
fn a_unix_socket() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("s").display().to_string();
    let _interop = Interop::start(&["--unix", &path]);
    mscomm(&["grpc", "list", "-s", &format!("unix:{path}")]).run().ok();
    mscomm(&["grpc", "list", "-s", &format!("unix://{path}")]).run().ok();
    let done = mscomm(&["grpc", "list", "-s", &format!("unix:{path}.no")]).run().fails(4);
    done.says(&["cannot connect to unix:"]);
}
