//! What goes over the wire: compression, limits, the trace, connections that end.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{OnceLock, mpsc};

use super::servers::{Interop, Proxy, echo, raw, sandbox};
use crate::support::{Done, Run, eventually, mscomm};

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/sandbox/grpc/greeter.proto");

fn call(method: &str, args: &[&str]) -> Run {
    let method = format!("mscomm.sandbox.v1.Echo/{method}");
    mscomm(&[&["grpc", "call", &method, "-s", sandbox()], args].concat())
}

/// The same with a standard input that the test writes to.
fn piped(mut run: Run) -> Run {
    run.command.stdin(Stdio::piped());
    run
}

/// A server of HTTP/2 that never answers a request.
pub fn silent() -> String {
    raw(|stream| drop(std::thread::spawn(move || frames(stream, |_, _, _| true))))
}

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;

/// Greets with settings, and reads frames, each by its kind and content, until one is answered with false.
fn frames(mut stream: TcpStream, mut each: impl FnMut(&mut TcpStream, u8, &[u8]) -> bool) {
    let mut preface = [0; 24];
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    if stream.read_exact(&mut preface).is_err() || stream.write_all(&settings).is_err() {
        return;
    }
    let mut head = [0; 9];
    while stream.read_exact(&mut head).is_ok() {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let mut payload = vec![0; length];
        if stream.read_exact(&mut payload).is_err() || !each(&mut stream, head[3], &payload) {
            return;
        }
    }
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

/// Standard input stays open: it is the count that ends the call.
#[test]
fn the_server_of_a_counted_call_is_told_that_it_is_cancelled() {
    // A head (:status 200, content-type) and an empty message on stream 1.
    let mut answer = vec![0, 0, 20, HEADERS, 4, 0, 0, 0, 1, 0x88, 0x0f, 0x10, 16];
    answer.extend_from_slice(b"application/grpc");
    answer.extend_from_slice(&[0, 0, 5, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0]);
    for is_open in [true, false] {
        let (answer, (tell, told)) = (answer.clone(), mpsc::channel());
        let server = raw(move |stream| {
            let (answer, tell) = (answer.clone(), tell.clone());
            std::thread::spawn(move || {
                frames(stream, |stream, kind, payload| {
                    if kind == HEADERS {
                        stream.write_all(&answer).expect("answers");
                    } else if kind == RST_STREAM {
                        tell.send(payload.to_vec()).expect("the test listens");
                    }
                    true
                });
            });
        });
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/sandbox/grpc/echo.proto");
        let run =
            mscomm(&["grpc", "call", "BidiStream", "--proto", source, "--reflection", "off", "-s", &server, "-n", "1"]);
        let mut running = piped(run).start();
        let input = running.child.stdin.take().filter(|_| is_open);
        assert_eq!(running.wait().ok().text(), "{}\n");
        let code = told.recv_timeout(std::time::Duration::from_secs(10)).expect("a reset");
        // CANCEL
        assert_eq!(code, [0, 0, 0, 8], "{is_open}");
        drop(input);
    }
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
        "* connected: ",
        "* 1 response; first byte ",
    ] {
        assert!(done.stderr.lines().any(|l| l.starts_with(line)), "no {line} in\n{}", done.stderr);
    }
    assert!(!done.stderr.contains("SECRET"));
    assert_eq!(done.lines().len(), 1);
    call("Unary", &["-d", "{}", "--user-agent", "ä"]).run().fails(2).says(&["printable ASCII"]);
}

#[test]
fn a_server_that_gives_no_sign_of_life_is_lost() {
    let call = ["grpc", "call", "SayHello", "--proto", SOURCE, "--reflection", "off", "-d", "{}", "-s"];
    let done =
        mscomm(&[&call[..], &[&silent(), "--keepalive", "200ms", "--keepalive-timeout", "200ms"]].concat()).run();
    done.exits(9).says(&["outcome of the call is unknown"]);
}

/// The frame that says goodbye: no stream was looked at.
const GOAWAY: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// A server whose first so many connections refuse the call before they look at it; the others lead to the sandbox.
fn leaving(times: usize) -> String {
    let proxy = Proxy::start(sandbox(), None).address;
    let count = AtomicUsize::new(0);
    raw(move |stream| {
        if count.fetch_add(1, Ordering::SeqCst) < times {
            std::thread::spawn(move || {
                frames(stream, |stream, kind, _| {
                    // The connection ends with it.
                    kind != HEADERS || stream.write_all(&GOAWAY).is_err()
                });
            });
            return;
        }
        let server = TcpStream::connect(&proxy).expect("connects");
        let copy = |stream: &TcpStream| stream.try_clone().expect("clones");
        let (mut from, mut to) = (copy(&stream), copy(&server));
        std::thread::spawn(move || drop(std::io::copy(&mut from, &mut to)));
        let (mut from, mut to) = (server, stream);
        std::thread::spawn(move || drop(std::io::copy(&mut from, &mut to)));
    })
}

fn greet(server: &str) -> Done {
    mscomm(&["grpc", "call", "SayHello", "--proto", SOURCE, "--reflection", "off", "-d", "{}", "-s", server]).run()
}

#[test]
fn a_call_that_was_not_looked_at_is_made_once_more() {
    assert_eq!(greet(&leaving(1)).ok().text(), "{\"message\":\"Hello world\"}\n");
    greet(&leaving(2)).fails(4);
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

/// grpc-go's list of interoperability tests, each by its name there.
mod interop {
    use super::*;

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
        for (number, (request, response)) in
            [(27182, 31415), (8, 9), (1828, 2653), (45904, 58979)].into_iter().enumerate()
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
    fn client_compressed() {
        let request = format!(r#"{{"responseSize":314159,"payload":{{"body":"{}"}}}}"#, body(271_828));
        let done = test("UnaryCall", &["--compress", "gzip", "-v"]).stdin(request).run().ok();
        assert_eq!(sizes(&done), [314_159]);
        assert!(done.stderr.contains("bytes, compressed to"), "{}", done.stderr);
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
}
