//! What goes over the wire: compression, limits, the trace.

use std::process::Stdio;

use super::servers::{echo, sandbox};
use crate::support::{Run, mscomm};

/// The source of `helloworld.Greeter`.
pub(crate) const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/sandbox/grpc/greeter.proto");

fn call(method: &str, args: &[&str]) -> Run {
    let method = format!("mscomm.sandbox.v1.Echo/{method}");
    mscomm(&[&["grpc", "call", &method, "-s", sandbox()], args].concat())
}

/// The same with a standard input that the test writes to.
pub(crate) fn piped(mut run: Run) -> Run {
    run.command.stdin(Stdio::piped());
    run
}

#[test]
fn requests_are_compressed_on_demand() {
    let text = "a".repeat(1000);
    let data = format!(r#"{{"message":"{text}"}}"#);
    for encoding in ["gzip", "deflate", "zstd"] {
        let done = call("Unary", &["--compress", encoding, "-d", &data, "-v"]).run().ok();
        assert!(done.text().contains(&text));
        assert!(done.stderr.contains("> message 1: 1003 bytes, compressed to "), "{}", done.stderr);
        assert!(done.stderr.contains(&format!("> grpc-encoding: {encoding}")), "{}", done.stderr);
    }
    call("Unary", &["--compress", "snappy", "-d", "{}"]).run().fails(2);
}

#[test]
fn limits_of_messages_name_their_flag() {
    call("Unary", &["--max-send", "10", "-d", r#"{"message":"more than ten"}"#])
        .run()
        .fails(2)
        .says(&["request 1 has 15 bytes, over the limit of --max-send, 10"]);
    let done = call("BidiStream", &["--max-send", "5"]).stdin("{} {\"message\":\"too long\"}").run();
    done.exits(2).says(&["request 2 has 10 bytes", "the 1 before it were sent"]);
    call("Unary", &["--max-recv", "5", "-d", r#"{"message":"long enough"}"#]).run().exits(8).says(&["--max-recv"]);
    let long = "x".repeat(3000);
    let fails = format!(r#"{{"fail":{{"code":5,"message":"{long}"}}}}"#);
    call("Unary", &["-d", &fails]).run().exits(64 + 5).says(&[&long]);
    call("Unary", &["-d", &fails, "--max-header-list", "2k"]).run().fails(8).says(&["--max-header-list"]);
}

#[test]
fn a_count_ends_a_call_and_tells_the_server() {
    let data = r#"{"message":"a","count":100000}"#;
    assert_eq!(call("ServerStream", &["-d", data, "-n", "2"]).run().ok().lines().len(), 2);
    call("ServerStream", &["-d", r#"{"count":2}"#, "-n", "3"]).run().exits(1).says(&["2 of 3 responses came"]);
    assert_eq!(call("Unary", &["-d", "{}", "-n", "1"]).run().ok().lines().len(), 1);
    call("Unary", &["-d", "{}", "-n", "0"]).run().fails(2);
}

#[test]
fn the_trace_is_like_curls_and_hides_what_may_be_secret() {
    let done = call(
        "Unary",
        &["-d", r#"{"message":"a"}"#, "-v", "-H", "authorization: Bearer SECRET", "--user-agent", "me/1"],
    )
    .run()
    .ok();
    for line in [
        "> POST /mscomm.sandbox.v1.Echo/Unary HTTP/2.0",
        "> user-agent: me/1",
        "> authorization: ********",
        "> message 1: 3 bytes",
        "< HTTP/2.0 200 OK",
        "< grpc-status: 0 (OK)",
        "* connected to ",
        "* 1 response; first byte ",
    ] {
        assert!(done.stderr.lines().any(|l| l.starts_with(line)), "no {line} in\n{}", done.stderr);
    }
    assert!(!done.stderr.contains("SECRET"));
    assert_eq!(done.lines().len(), 1);
    call("Unary", &["-d", "{}", "--user-agent", "ä"]).run().fails(2).says(&["printable ASCII"]);
}

#[test]
fn a_path_before_the_method_is_sent() {
    let done = mscomm(&["grpc", "call", "SayHello", "--proto", SOURCE, "--reflection", "off", "-d", "{}", "-v", "-s"]);
    let server = format!("http://{}/api/v1/", echo());
    let mut done = done;
    done.command.arg(&server);
    let done = done.run().ok();
    assert!(done.stderr.contains("> POST /api/v1/helloworld.Greeter/SayHello"), "{}", done.stderr);
}
