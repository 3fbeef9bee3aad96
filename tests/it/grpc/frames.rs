//! What a server says in frames of HTTP/2 that no library would send: where a call is refused, reset, held up or left.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::mpsc;

use super::hostile::prefixed;
use super::servers::{raw, sandbox};
use super::wire::{SOURCE, piped};
use crate::proxy::Proxy;
use crate::support::{Done, Run, mscomm};

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const ACK: u8 = 1;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

// Error codes (RFC 9113, section 7).
const NO_ERROR: u32 = 0;
const INTERNAL_ERROR: u32 = 2;
const REFUSED_STREAM: u32 = 7;
const CANCEL: u32 = 8;

/// A frame that came.
pub(crate) struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

/// Greets with settings, and reads frames until one is answered with false.
fn frames(mut stream: TcpStream, settings: &[u8], mut each: impl FnMut(&mut TcpStream, &Frame) -> bool) {
    let mut preface = [0; 24];
    if stream.read_exact(&mut preface).is_err() || stream.write_all(&frame(SETTINGS, 0, 0, settings)).is_err() {
        return;
    }
    let mut head = [0; 9];
    while stream.read_exact(&mut head).is_ok() {
        let number = |bytes: [u8; 4]| u32::from_be_bytes(bytes);
        let mut payload = vec![0; number([0, head[0], head[1], head[2]]) as usize];
        if stream.read_exact(&mut payload).is_err() {
            return;
        }
        let stream_id = number([head[5], head[6], head[7], head[8]]);
        if !each(&mut stream, &Frame { kind: head[3], flags: head[4], stream: stream_id, payload }) {
            return;
        }
    }
}

/// A server that treats each connection so, on a thread of its own.
pub(crate) fn server(each: impl Fn(&mut TcpStream, &Frame) -> bool + Send + Sync + 'static) -> String {
    let each = Arc::new(each);
    raw(move |stream| {
        let each = each.clone();
        std::thread::spawn(move || frames(stream, &[], |stream, frame| each(stream, frame)));
    })
}

/// A server of HTTP/2 that never answers a request.
pub(crate) fn silent() -> String {
    server(|_, _| true)
}

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("small").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// `:status: 200` and `content-type: application/grpc`.
const HEAD: &[u8] = b"\x88\x0f\x10\x10application/grpc";

pub(crate) fn head(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream, HEAD)
}

/// A head with these headers as well.
fn head_with(stream: u32, headers: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream, &[HEAD, &block(headers)].concat())
}

/// Headers as they are, without an index (RFC 7541, section 6.2.2).
fn block(headers: &[(&str, &str)]) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).expect("short")], text.as_bytes()].concat();
    headers.iter().flat_map(|(name, value)| [vec![0], text(name), text(value)].concat()).collect()
}

/// An empty message.
pub(crate) fn message(stream: u32) -> Vec<u8> {
    frame(DATA, 0, stream, &prefixed(0, &[]))
}

pub(crate) fn ending(stream: u32, status: &str) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &block(&[("grpc-status", status)]))
}

pub(crate) fn reset(stream: u32, code: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &code.to_be_bytes())
}

/// Streams above `last` were not looked at.
pub(crate) fn goaway(last: u32) -> Vec<u8> {
    frame(GOAWAY, 0, 0, &[last.to_be_bytes(), NO_ERROR.to_be_bytes()].concat())
}

const ECHO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/sandbox/grpc/echo.proto");

pub(crate) fn greet(server: &str) -> Done {
    mscomm(&["grpc", "call", "SayHello", "--proto", SOURCE, "--reflection", "off", "-d", "{}", "-s", server]).run()
}

pub(crate) fn echo(method: &str, server: &str, args: &[&str]) -> Run {
    let call = ["grpc", "call", method, "--proto", ECHO, "--reflection", "off", "-s", server];
    mscomm(&[&call[..], args].concat())
}

/// What a server sends for the head of a request, and whether the connection lives on.
struct Case {
    sends: fn(u32) -> Vec<u8>,
    stays: bool,
    exit: i32,
    says: &'static [&'static str],
    /// How often the call may have been made.
    calls: usize,
}

#[test]
fn where_a_call_ends_says_what_it_is() {
    let case = |sends, exit, says, calls| Case { sends, stays: true, exit, says, calls };
    let cases = [
        case(|id| reset(id, REFUSED_STREAM), 4, &["the server refused the call (REFUSED_STREAM)"], 2),
        case(|id| [head(id), reset(id, REFUSED_STREAM)].concat(), 9, &["reset it (REFUSED_STREAM)"], 1),
        case(|id| reset(id, INTERNAL_ERROR), 9, &["outcome of the call is unknown", "reset it (INTERNAL_ERROR)"], 1),
        case(|id| reset(id, NO_ERROR), 9, &["reset it (NO_ERROR)"], 1),
        case(|id| reset(id, 0x1234), 9, &["the server reset it"], 1),
        case(|id| [head(id), reset(id, CANCEL)].concat(), 9, &["broke off after 0 messages", "reset it (CANCEL)"], 1),
        case(|id| [head(id), message(id), reset(id, CANCEL)].concat(), 9, &["broke off after", "reset it (CANCEL)"], 1),
        case(|id| [head(id), message(id), ending(id, "0")].concat(), 0, &[], 1),
        // What comes behind the end is no matter any more.
        case(|id| [head(id), message(id), ending(id, "0"), reset(id, NO_ERROR)].concat(), 0, &[], 1),
        case(|id| [head(id), ending(id, "5"), reset(id, NO_ERROR)].concat(), 69, &["Code: NotFound"], 1),
        // The server has it, and answers before it goes.
        case(|id| [goaway(id), head(id), message(id), ending(id, "0")].concat(), 0, &[], 1),
        // It has it, and goes without a word: nobody knows how far it came.
        Case { sends: goaway, stays: false, exit: 9, says: &["outcome of the call is unknown"], calls: 1 },
        Case { sends: |id| [head(id), goaway(id)].concat(), stays: false, exit: 9, says: &["broke off"], calls: 1 },
    ];
    for (number, Case { sends, stays, exit, says, calls }) in cases.into_iter().enumerate() {
        let count = Arc::new(AtomicUsize::new(0));
        let seen = count.clone();
        let address = server(move |stream, frame| {
            if frame.kind != HEADERS {
                return true;
            }
            seen.fetch_add(1, Ordering::SeqCst);
            stream.write_all(&sends(frame.stream)).is_ok() && stays
        });
        let done = greet(&address);
        assert_eq!(done.code, exit, "case {number}: {}", done.stderr);
        if exit == 0 {
            assert_eq!(done.text(), "{}\n", "case {number}");
        }
        done.says(says);
        assert_eq!(count.load(Ordering::SeqCst), calls, "case {number}");
    }
}

/// A server that answers the head of each request with this.
pub(crate) fn answering(sends: impl Fn(u32) -> Vec<u8> + Send + Sync + 'static) -> String {
    server(move |stream, frame| frame.kind != HEADERS || stream.write_all(&sends(frame.stream)).is_ok())
}

/// The server has done its work, and something on the way spoils the answer: nobody knows that from here.
#[test]
fn an_answer_that_http2_forbids_is_an_unknown_outcome() {
    let spoils = [
        ("connection", "close"),
        ("keep-alive", "timeout=5"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "h2c"),
        ("X-Upper", "1"),
        ("content-length", "3"),
        ("content-length", "99"),
        ("content-length", "many"),
        (":status", "204"),
        (":path", "/"),
    ];
    for spoil in spoils {
        let address = answering(move |id| [head_with(id, &[spoil]), message(id), ending(id, "0")].concat());
        let done = greet(&address).exits(9).says(&["PROTOCOL_ERROR", "forbids"]);
        assert!(!done.stderr.contains("--max-header-list"), "{spoil:?}: {}", done.stderr);
    }
    for spoil in [("connection", "close"), ("X-Upper", "1"), (":status", "200")] {
        let trailers = move |id| {
            let block = block(&[("grpc-status", "0"), spoil]);
            frame(HEADERS, END_HEADERS | END_STREAM, id, &block)
        };
        let done = greet(&answering(move |id| [head(id), message(id), trailers(id)].concat())).exits(9);
        assert!(!done.stderr.contains("--max-header-list"), "{spoil:?}: {}", done.stderr);
    }
    // A few bytes in each of more frames than anybody needs.
    let flood = answering(|id| {
        let piece = frame(CONTINUATION, 0, id, &block(&[("a", "b")]));
        [frame(HEADERS, 0, id, HEAD), piece.repeat(3000)].concat()
    });
    greet(&flood).exits(9).says(&["the server broke the rules of HTTP/2"]);
    // Frames that are none of an answer.
    let push = |id: u32| frame(5, END_HEADERS, id, &[&[0, 0, 0, 2], HEAD].concat());
    for forbidden in [push, |id| [message(id), head(id)].concat()] {
        greet(&answering(forbidden)).exits(9).says(&["sent a frame that HTTP/2 forbids"]);
    }
    greet(&answering(|id| [head(id), head(id), ending(id, "0")].concat())).exits(9).says(&["a head behind the head"]);
    // A head of its own before the head is none of it.
    let early = |id| {
        let informed = ["100", "103"].map(|status| frame(HEADERS, END_HEADERS, id, &block(&[(":status", status)])));
        [informed.concat(), head(id), message(id), ending(id, "0")].concat()
    };
    greet(&answering(early)).ok();
    // More than is taken for sure: it is this side's limit, whose name is said.
    let value = "x".repeat(120);
    let long = answering(move |id| {
        let piece = block(&[("a", &value)]).repeat(100);
        let pieces = frame(CONTINUATION, 0, id, &piece).repeat(90);
        [frame(HEADERS, 0, id, HEAD), pieces, frame(CONTINUATION, END_HEADERS, id, &[])].concat()
    });
    greet(&long).exits(8).says(&["response headers are over 1048576 bytes", "--max-header-list"]);
}

/// gRPC over HTTP2, "Trailers-Only": nothing follows it.
#[test]
fn a_status_in_the_head_counts_only_where_nothing_follows() {
    let alone = |status: &'static str| {
        move |id| frame(HEADERS, END_HEADERS | END_STREAM, id, &[HEAD, &block(&[("grpc-status", status)])].concat())
    };
    greet(&answering(alone("7"))).exits(71);
    let early = |id| head_with(id, &[("grpc-status", "0")]);
    let done = greet(&answering(move |id| [early(id), message(id), ending(id, "0")].concat())).ok();
    assert_eq!(done.text(), "{}\n");
    let done = greet(&answering(move |id| [early(id), message(id), ending(id, "5")].concat())).exits(69);
    assert_eq!(done.text(), "{}\n");
    // The real one counts, whatever the head said.
    let early_five = |id| head_with(id, &[("grpc-status", "5")]);
    greet(&answering(move |id| [early_five(id), message(id), ending(id, "0")].concat())).ok();
    for end in [frame(DATA, END_STREAM, 0, &[]), frame(DATA, END_STREAM, 0, &prefixed(0, &[]))] {
        let end = move |id: u32| [&end[..5], &id.to_be_bytes(), &end[9..]].concat();
        greet(&answering(move |id| [early(id), end(id)].concat())).exits(9).says(&["ended without a status"]);
    }
    greet(&answering(move |id| [early(id), reset(id, NO_ERROR)].concat())).exits(9);
    greet(&answering(move |id| [early(id), reset(id, CANCEL)].concat())).exits(9).says(&["reset it (CANCEL)"]);
    // A stream is no shorter for it.
    let many = answering(move |id| [early(id), message(id).repeat(3), ending(id, "0")].concat());
    assert_eq!(echo("ServerStream", &many, &["-d", "{}"]).run().ok().lines().len(), 3);
}

/// What HTTP calls a failure is none of gRPC's successes.
#[test]
fn a_failure_of_http_is_no_success() {
    let http = |status: &'static str, end: u8, more: &'static [(&'static str, &'static str)]| {
        move |id| {
            let headers = [&[(":status", status), ("content-type", "application/grpc")], more].concat();
            frame(HEADERS, END_HEADERS | end, id, &block(&headers))
        }
    };
    let ok: &[(&str, &str)] = &[("grpc-status", "0")];
    for (status, exit) in [("404", 76), ("503", 78), ("500", 66), ("302", 66), ("204", 66)] {
        let said = format!("HTTP {status}");
        greet(&answering(http(status, END_STREAM, ok))).fails(exit).says(&[&said]);
        let streamed = echo("ServerStream", &answering(http(status, END_STREAM, ok)), &["-d", "{}"]).run();
        // By its content-type it is gRPC.
        let streamed = streamed.fails(exit).says(&[&format!("the server answered {said}")]);
        assert!(!streamed.stderr.contains("no gRPC"), "{}", streamed.stderr);
    }
    // What gRPC itself says of a failure counts, at either end.
    greet(&answering(http("503", END_STREAM, &[("grpc-status", "5")]))).fails(69);
    let late = http("503", 0, &[]);
    greet(&answering(move |id| [late(id), message(id), ending(id, "5")].concat())).fails(69);
    let late = http("503", 0, ok);
    greet(&answering(move |id| [late(id), message(id), ending(id, "0")].concat())).fails(78).says(&["HTTP 503"]);
}

/// A page for people is no answer, whatever status stands beside it.
#[test]
fn a_status_beside_another_content_type_is_no_success() {
    let page = |status: &'static str, content_type: Option<&'static str>| {
        move |id| {
            let mut headers = vec![(":status", "200"), ("grpc-status", status)];
            headers.extend(content_type.map(|value| ("content-type", value)));
            frame(HEADERS, END_HEADERS | END_STREAM, id, &block(&headers))
        }
    };
    let call = |page| echo("ServerStream", &answering(page), &["-d", "{}"]).run();
    call(page("0", Some("text/html"))).fails(66).says(&["the answer is no gRPC, but HTTP 200 OK, text/html"]);
    call(page("5", Some("text/html"))).fails(69);
    for content_type in [None, Some("application/grpc"), Some("application/grpc+proto")] {
        call(page("0", content_type)).ok();
    }
}

/// A message may come in any pieces, and several in one.
#[test]
fn messages_in_all_sorts_of_pieces() {
    for size in [1, 2, 4, 5, 6, 7, 100] {
        let address = answering(move |id| {
            let text =
                |text: &str| prefixed(0, &[&[10, u8::try_from(text.len()).expect("short")], text.as_bytes()].concat());
            let body = [text("a"), prefixed(0, &[]), text("bcd"), text("e")].concat();
            let pieces = body.chunks(size).flat_map(|piece| {
                // An empty one in between says nothing.
                [frame(DATA, 0, id, piece), frame(DATA, 0, id, &[])].concat()
            });
            [head(id), pieces.collect(), ending(id, "0")].concat()
        });
        let lines = echo("ServerStream", &address, &["-d", "{}"]).run().ok().lines();
        assert_eq!(lines, [r#"{"message":"a"}"#, "{}", r#"{"message":"bcd"}"#, r#"{"message":"e"}"#], "{size}");
    }
}

#[test]
fn a_refused_call_is_made_once_more() {
    let count = AtomicUsize::new(0);
    let address = server(move |stream, frame| {
        let id = frame.stream;
        let answer = match (frame.kind, count.load(Ordering::SeqCst)) {
            (HEADERS, 0) => reset(id, REFUSED_STREAM),
            (HEADERS, _) => [head(id), message(id), ending(id, "0")].concat(),
            _ => return true,
        };
        count.fetch_add(1, Ordering::SeqCst);
        stream.write_all(&answer).is_ok()
    });
    assert_eq!(greet(&address).ok().text(), "{}\n");
}

/// A server whose first so many connections refuse the call before they look at it; the others lead to the sandbox.
fn leaving(times: usize) -> String {
    let proxy = Proxy::start(sandbox(), None).address;
    let count = AtomicUsize::new(0);
    raw(move |stream| {
        if count.fetch_add(1, Ordering::SeqCst) < times {
            std::thread::spawn(move || {
                frames(stream, &[], |stream, frame| {
                    // The connection ends with it.
                    frame.kind != HEADERS || stream.write_all(&goaway(0)).is_err()
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

#[test]
fn a_call_that_was_not_looked_at_is_made_once_more() {
    assert_eq!(greet(&leaving(1)).ok().text(), "{\"message\":\"Hello world\"}\n");
    greet(&leaving(2)).fails(4);
}

/// Standard input stays open: the server's word is the end.
#[test]
fn a_status_ends_the_requests() {
    for is_reset in [true, false] {
        let address = server(move |stream, frame| {
            let id = frame.stream;
            let reset = if is_reset { reset(id, NO_ERROR) } else { Vec::new() };
            frame.kind != DATA || stream.write_all(&[head(id), ending(id, "9"), reset].concat()).is_ok()
        });
        for method in ["ClientStream", "BidiStream"] {
            let mut running = piped(echo(method, &address, &[])).start();
            let mut input = running.child.stdin.take().expect("piped");
            input.write_all(b"{\"message\":\"a\"}\n").expect("writes");
            running.wait().exits(73).says(&["Code: FailedPrecondition"]);
            drop(input);
        }
    }
}

/// SETTINGS_INITIAL_WINDOW_SIZE = 0.
const NO_WINDOW: [u8; 6] = [0, 4, 0, 0, 0, 0];

#[test]
fn a_server_that_takes_nothing_yet() {
    let closed = raw(|stream| drop(std::thread::spawn(move || frames(stream, &NO_WINDOW, |_, _| true))));
    let data = ["-d", r#"{"message":"abc"}"#];
    echo("Unary", &closed, &[&data[..], &["--timeout", "500ms"]].concat()).run().fails(7).says(&["--timeout"]);
    // It takes one byte, and then one more.
    let narrow = raw(|stream| {
        std::thread::spawn(move || {
            frames(stream, &NO_WINDOW, |stream, frame| {
                let id = frame.stream;
                assert!(frame.kind != DATA || frame.payload.len() <= 1, "over the window");
                let answer = match (frame.kind, frame.flags & END_STREAM) {
                    (DATA, END_STREAM) => [head(id), message(id), ending(id, "0")].concat(),
                    (HEADERS | DATA, _) => one_byte_more(id),
                    _ => return true,
                };
                stream.write_all(&answer).is_ok()
            });
        });
    });
    assert_eq!(echo("Unary", &narrow, &data).run().ok().text(), "{}\n");
}

/// Opens the window of a stream by so much.
fn one_byte_more(stream: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, &1_u32.to_be_bytes())
}

#[test]
fn a_server_that_gives_no_sign_of_life_is_lost() {
    let keepalive = ["-d", "{}", "--keepalive", "200ms", "--keepalive-timeout", "200ms"];
    echo("Unary", &silent(), &keepalive).run().exits(9).says(&["outcome of the call is unknown"]);
    // In the middle of a stream.
    let address = server(|stream, frame| {
        let id = frame.stream;
        frame.kind != HEADERS || stream.write_all(&[head(id), message(id)].concat()).is_ok()
    });
    let done = echo("ServerStream", &address, &keepalive).run().exits(9).says(&["broke off after 1 message"]);
    assert_eq!(done.text(), "{}\n");
    // One that only takes its time answers the signs.
    let slow = r#"{"message":"a","count":2,"delay":"0.5s"}"#;
    let keepalive = ["-d", slow, "--keepalive", "100ms", "--keepalive-timeout", "30s"];
    assert_eq!(echo("ServerStream", sandbox(), &keepalive).run().ok().lines().len(), 2);
}

/// An `EchoResponse` with a text of that many bytes.
fn large(stream: u32, length: usize) -> Vec<u8> {
    let mut message = Vec::new();
    prost::encoding::string::encode(1, &"x".repeat(length), &mut message);
    frame(DATA, 0, stream, &prefixed(0, &message))
}

/// A server that sends more than it may.
#[test]
fn a_server_that_breaks_the_rules() {
    let address = server(|stream, frame| {
        let id = frame.stream;
        frame.kind != HEADERS || stream.write_all(&[head(id), large(id, 10_000).repeat(120)].concat()).is_ok()
    });
    let done = echo("ServerStream", &address, &["-d", "{}"]).run().exits(9);
    done.says(&["the server broke the rules of HTTP/2 (FLOW_CONTROL_ERROR)"]);
}

/// Nobody reads the output, which is more than a pipe holds: the server's questions are answered all the same.
#[test]
fn a_reader_that_stalls_does_not_stall_the_connection() {
    const TEXT: usize = 10_000;
    const MESSAGES: usize = 32;
    const ROUNDS: u32 = 20;
    let (tell, told) = mpsc::channel();
    let (id, answered) = (AtomicU32::new(0), AtomicU32::new(0));
    let address = server(move |stream, frame_in| {
        let ping = frame(PING, 0, 0, &[0; 8]);
        let answer = match (frame_in.kind, frame_in.flags) {
            // Only now may more than 64 KiB be sent.
            (SETTINGS, 0) => frame(SETTINGS, ACK, 0, &[]),
            (HEADERS, _) => {
                id.store(frame_in.stream, Ordering::SeqCst);
                [head(frame_in.stream), large(frame_in.stream, TEXT).repeat(MESSAGES), ping].concat()
            }
            (PING, ACK) if answered.fetch_add(1, Ordering::SeqCst) < ROUNDS => ping,
            (PING, ACK) => {
                tell.send(()).expect("the test listens");
                ending(id.load(Ordering::SeqCst), "0")
            }
            _ => return true,
        };
        stream.write_all(&answer).is_ok()
    });
    let mut call = echo("ServerStream", &address, &["-d", "{}", "-o", "raw"]);
    call.command.stdout(Stdio::piped());
    let mut running = call.start_with_own_stdout();
    told.recv_timeout(std::time::Duration::from_secs(20)).expect("answers");
    let mut text = String::new();
    running.child.stdout.take().expect("piped").read_to_string(&mut text).expect("reads");
    running.wait().ok();
    assert_eq!(text, format!("{{\"message\":\"{}\"}}\n", "x".repeat(TEXT)).repeat(MESSAGES));
}

/// Standard input stays open: it is the count that ends the call.
#[test]
fn the_server_of_a_counted_call_is_told_that_it_is_cancelled() {
    for is_open in [true, false] {
        let (tell, told) = mpsc::channel();
        let address = server(move |stream, frame| {
            match frame.kind {
                HEADERS => {
                    let answer = [head(frame.stream), message(frame.stream)].concat();
                    stream.write_all(&answer).expect("answers");
                }
                RST_STREAM => tell.send(frame.payload.clone()).expect("the test listens"),
                _ => {}
            }
            true
        });
        let mut running = piped(echo("BidiStream", &address, &["-n", "1"])).start();
        let input = running.child.stdin.take().filter(|_| is_open);
        assert_eq!(running.wait().ok().text(), "{}\n");
        let code = told.recv_timeout(std::time::Duration::from_secs(10)).expect("a reset");
        assert_eq!(code, CANCEL.to_be_bytes(), "{is_open}");
        drop(input);
    }
}
