//! grpc-go's list of interoperability tests, each by its name there.

use std::io::Write;
use std::sync::OnceLock;

use super::servers::Interop;
use super::wire::piped;
use crate::support::{Done, Run, eventually, mscomm};

fn server() -> &'static str {
    static SERVER: OnceLock<Interop> = OnceLock::new();
    &SERVER.get_or_init(|| Interop::start(&[])).address
}

fn test(method: &str, args: &[&str]) -> Run {
    let method = format!("grpc.testing.TestService/{method}");
    mscomm(&[&["grpc", "call", &method, "-s", server()], args].concat())
}

fn sizes(done: &Done) -> Vec<usize> {
    let body = |line: &String| {
        let value: serde_json::Value = serde_json::from_str(line).expect(line);
        value["payload"]["body"].as_str().map_or(0, |text| text.len() / 4 * 3 - text.matches('=').count())
    };
    done.lines().iter().map(body).collect()
}

fn body(size: usize) -> String {
    // Zeros, as in the list.
    let full = "AAAA".repeat(size / 3);
    full + ["", "AA==", "AAA="][size % 3]
}

#[test]
fn empty_unary() {
    assert_eq!(test("EmptyCall", &["-d", "{}"]).run().ok().text(), "{}\n");
}

#[test]
fn large_unary() {
    let request = format!(r#"{{"responseSize":314159,"payload":{{"body":"{}"}}}}"#, body(271_828));
    assert_eq!(sizes(&test("UnaryCall", &[]).stdin(request).run().ok()), [314_159]);
}

#[test]
fn client_streaming() {
    let requests: String =
        [27182, 8, 1828, 45904].iter().map(|n| format!(r#"{{"payload":{{"body":"{}"}}}}"#, body(*n))).collect();
    let text = test("StreamingInputCall", &[]).stdin(requests).run().ok().text();
    assert_eq!(text, "{\"aggregatedPayloadSize\":74922}\n");
}

#[test]
fn server_streaming() {
    let request = r#"{"responseParameters":[{"size":31415},{"size":9},{"size":2653},{"size":58979}]}"#;
    assert_eq!(sizes(&test("StreamingOutputCall", &["-d", request]).run().ok()), [31415, 9, 2653, 58979]);
}

#[test]
fn ping_pong() {
    let mut running = piped(test("FullDuplexCall", &[])).start();
    let mut input = running.child.stdin.take().expect("piped");
    for (number, (request, response)) in [(27182, 31415), (8, 9), (1828, 2653), (45904, 58979)].into_iter().enumerate()
    {
        let body = body(request);
        write!(input, r#"{{"responseParameters":[{{"size":{response}}}],"payload":{{"body":"{body}"}}}}"#)
            .expect("writes");
        input.flush().expect("writes");
        // Each answer is printed before the next request is made.
        running.wait_for_lines(number + 1);
    }
    drop(input);
    assert_eq!(sizes(&running.wait().ok()), [31415, 9, 2653, 58979]);
}

#[test]
fn empty_stream() {
    assert_eq!(test("FullDuplexCall", &[]).stdin("").run().ok().text(), "");
}

#[test]
fn client_compressed_unary() {
    let request = format!(r#"{{"responseSize":314159,"payload":{{"body":"{}"}}}}"#, body(271_828));
    let done = test("UnaryCall", &["--compress", "gzip", "-v"]).stdin(request).run().ok();
    assert_eq!(sizes(&done), [314_159]);
    assert!(done.stderr.contains("bytes, compressed to"), "{}", done.stderr);
}

#[test]
fn client_compressed_streaming() {
    let requests: String =
        [27182, 45904].iter().map(|n| format!(r#"{{"payload":{{"body":"{}"}}}}"#, body(*n))).collect();
    let done = test("StreamingInputCall", &["--compress", "gzip", "-v"]).stdin(requests).run().ok();
    assert_eq!(done.text(), "{\"aggregatedPayloadSize\":73086}\n");
    for message in ["> message 1: 27190 bytes, compressed to ", "> message 2: 45912 bytes, compressed to "] {
        assert!(done.stderr.contains(message), "{}", done.stderr);
    }
}

#[test]
fn server_compressed_unary() {
    let args = ["-d", r#"{"responseSize":314159}"#, "-v", "-H", "x-compress: gzip"];
    let done = test("UnaryCall", &args).run().ok();
    assert_eq!(sizes(&done), [314_159]);
    assert!(done.stderr.contains("< grpc-encoding: gzip"), "{}", done.stderr);
    assert!(done.stderr.contains("< message 1: 314167 bytes, compressed to "), "{}", done.stderr);
}

#[test]
fn server_compressed_streaming() {
    let request = r#"{"responseParameters":[{"size":31415},{"size":92653}]}"#;
    let done = test("StreamingOutputCall", &["-d", request, "-v", "-H", "x-compress: gzip"]).run().ok();
    assert_eq!(sizes(&done), [31415, 92653]);
    assert_eq!(done.stderr.matches("bytes, compressed to").count(), 2, "{}", done.stderr);
}

#[test]
fn status_code_and_message() {
    let status = r#"{"responseStatus":{"code":2,"message":"test status message"}}"#;
    test("UnaryCall", &["-d", status]).run().fails(64 + 2).says(&["Code: Unknown", "Message: test status message"]);
    test("FullDuplexCall", &["-d", status]).run().fails(64 + 2).says(&["Message: test status message"]);
}

#[test]
fn special_status_message() {
    let message = "\\t\\ntest with whitespace\\r\\nand Unicode BMP ☺ and non-BMP 😈\\t\\n";
    let status = format!(r#"{{"responseStatus":{{"code":2,"message":"{message}"}}}}"#);
    let done = test("UnaryCall", &["-d", &status, "-o", "json"]).run().exits(64 + 2);
    let last: serde_json::Value = serde_json::from_str(done.lines().last().expect("a line")).expect("JSON");
    assert_eq!(last["message"], "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n");
}

#[test]
fn unimplemented() {
    test("UnimplementedCall", &["-d", "{}"]).run().fails(64 + 12).says(&["Code: Unimplemented"]);
    let service = "grpc.testing.UnimplementedService/UnimplementedCall";
    mscomm(&["grpc", "call", service, "-s", server(), "-d", "{}"]).run().exits(64 + 12);
}

#[test]
fn custom_metadata() {
    let flags = [
        "-H",
        "x-grpc-test-echo-initial: test_initial_metadata_value",
        "-H",
        "x-grpc-test-echo-trailing-bin: q6ur",
        "-o",
        "json",
    ];
    for (method, data) in [("UnaryCall", "{}"), ("FullDuplexCall", r#"{"responseParameters":[{"size":1}]}"#)] {
        let lines = test(method, &[&flags[..], &["-d", data]].concat()).run().ok().lines();
        assert!(lines[0].contains(r#"["x-grpc-test-echo-initial","test_initial_metadata_value"]"#), "{lines:?}");
        let last = lines.last().expect("a line");
        assert!(last.contains(r#"["x-grpc-test-echo-trailing-bin",{"$base64":"q6ur"}]"#), "{last}");
    }
}

#[test]
fn timeout_on_sleeping_server() {
    let request = r#"{"responseParameters":[{"size":1,"intervalUs":5000000}],"payload":{"body":"AAAA"}}"#;
    test("FullDuplexCall", &["-d", request, "--timeout", "1s"]).run().exits(7);
}

#[test]
fn cancel_after_begin() {
    let running = piped(test("StreamingInputCall", &["-v"])).start();
    eventually("the call begins", || running.stderr().contains("> POST").then_some(()));
    running.signal("INT");
    running.wait().exits(130);
}

#[test]
fn cancel_after_first_response() {
    let request = r#"{"responseParameters":[{"size":31415}],"payload":{"body":"AAAA"}}"#;
    let mut running = piped(test("FullDuplexCall", &["-n", "1"])).start();
    let mut input = running.child.stdin.take().expect("piped");
    input.write_all(request.as_bytes()).expect("writes");
    // The input stays open: the call ends with the response that was asked for.
    let done = running.wait().ok();
    assert_eq!(sizes(&done), [31415]);
    drop(input);
}
