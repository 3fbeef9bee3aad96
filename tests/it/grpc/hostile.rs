//! Servers that break the rules: nothing that they send may crash the tool or pass for something else.

use std::convert::Infallible;
use std::io::Read;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::{GzEncoder, ZlibEncoder};
use futures_util::{StreamExt, stream};
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::StreamBody;
use mscomm::testing::sandbox::grpc::Sandbox;
use prost::Message;
use prost_types::FileDescriptorProto;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::body::Body;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{FileDescriptorResponse, ServerReflectionResponse};
use tower_service::Service;

use super::servers::{background, listener, services};
use crate::support::{Done, mscomm};

/// The sandbox, which misbehaves when a request's metadata asks for it: `x-call` in calls, `x-reflect` in reflection.
#[derive(Clone)]
struct Hostile(Sandbox);

impl Service<Request<Body>> for Hostile {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let reflection = request.uri().path().starts_with("/grpc.reflection.");
        let name = if reflection { "x-reflect" } else { "x-call" };
        let Some(what) = request.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned) else {
            return self.0.call(request);
        };
        let response = if reflection { reflect(&what) } else { misbehave(&what) };
        // The request's body is held, so that nothing ends early for its sake.
        Box::pin(async move {
            let _request = request;
            Ok(response)
        })
    }
}

type Frames = Vec<Result<Frame<Bytes>, std::io::Error>>;

fn data(bytes: &[u8]) -> Result<Frame<Bytes>, std::io::Error> {
    Ok(Frame::data(Bytes::copy_from_slice(bytes)))
}

/// A message as it stands in a body: behind its flag, which is 1 when it is compressed, and its length.
pub(crate) fn prefixed(flag: u8, bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).expect("small").to_be_bytes();
    [&[flag], &length[..], bytes].concat()
}

pub(crate) fn message(bytes: &[u8]) -> Result<Frame<Bytes>, std::io::Error> {
    data(&prefixed(0, bytes))
}

fn compressed(bytes: &[u8]) -> Result<Frame<Bytes>, std::io::Error> {
    data(&prefixed(1, bytes))
}

fn trailers(pairs: &[(&'static str, &str)]) -> Result<Frame<Bytes>, std::io::Error> {
    let map: HeaderMap = pairs.iter().map(|(n, v)| (n.parse().expect("a name"), v.parse().expect("a value"))).collect();
    Ok(Frame::trailers(map))
}

fn grpc(frames: Frames) -> Response<Body> {
    let body = Body::new(StreamBody::new(stream::iter(frames)));
    Response::builder().header("content-type", "application/grpc").body(body).expect("a response")
}

fn encoded(encoding: &str, frames: Frames) -> Response<Body> {
    let mut response = grpc(frames);
    response.headers_mut().insert("grpc-encoding", encoding.parse().expect("a value"));
    response
}

/// `helloworld.HelloReply { message: "hi" }`.
const REPLY: &[u8] = b"\x0a\x02hi";

/// Over the limit of --max-recv when nobody says otherwise.
fn zeros() -> impl Read {
    std::io::repeat(0).take(200 << 20)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    read(GzEncoder::new(bytes, Compression::best()))
}

fn read(mut from: impl Read) -> Vec<u8> {
    let mut all = Vec::new();
    from.read_to_end(&mut all).expect("reads");
    all
}

/// An answer in plain HTTP.
fn spoken(status: u16, content_type: &str, text: &str) -> Response<Body> {
    let body = Body::new(StreamBody::new(stream::iter(vec![data(text.as_bytes())])));
    Response::builder().status(status).header("content-type", content_type).body(body).expect("a response")
}

fn misbehave(what: &str) -> Response<Body> {
    let ok = || trailers(&[("grpc-status", "0")]);
    match what {
        "no-status" => grpc(vec![message(REPLY)]),
        "reset" => grpc(vec![message(REPLY), Err(std::io::Error::other("reset"))]),
        "two" => grpc(vec![message(REPLY), message(REPLY), ok()]),
        "none" => grpc(vec![ok()]),
        "junk" => grpc(vec![message(b"\xff\xff"), ok()]),
        "half" => grpc(vec![data(b"\0\0\0\0\x09abc"), ok()]),
        "gzip" => encoded(what, vec![compressed(&gzip(REPLY)), ok()]),
        "deflate" => encoded(what, vec![compressed(&read(ZlibEncoder::new(REPLY, Compression::best()))), ok()]),
        "zstd" => encoded(what, vec![compressed(&zstd::encode_all(REPLY, 3).expect("packs")), ok()]),
        "gzip-members" => encoded("gzip", vec![compressed(&REPLY.chunks(2).flat_map(gzip).collect::<Vec<_>>()), ok()]),
        "zstd-frames" => {
            let frames = REPLY.chunks(2).flat_map(|piece| zstd::encode_all(piece, 3).expect("packs"));
            encoded("zstd", vec![compressed(&frames.collect::<Vec<_>>()), ok()])
        }
        "gzip-behind" => encoded("gzip", vec![compressed(&[&gzip(REPLY)[..], b"behind"].concat()), ok()]),
        "gzip-zeros" => encoded("gzip", vec![compressed(&[&gzip(REPLY)[..], b"\0\0"].concat()), ok()]),
        "zstd-behind" => {
            let packed = zstd::encode_all(REPLY, 3).expect("packs");
            encoded("zstd", vec![compressed(&[&packed[..], b"behind"].concat()), ok()])
        }
        "deflate-behind" => {
            let packed = read(ZlibEncoder::new(REPLY, Compression::best()));
            encoded("deflate", vec![compressed(&[&packed[..], b"behind"].concat()), ok()])
        }
        "gzip-cut" => encoded("gzip", vec![compressed(gzip(REPLY).split_at(20).0), ok()]),
        "deflate-cut" => {
            let packed = read(ZlibEncoder::new(REPLY, Compression::best()));
            encoded("deflate", vec![compressed(packed.split_at(packed.len() - 4).0), ok()])
        }
        "flag" => grpc(vec![data(&prefixed(2, REPLY)), ok()]),
        "length" => grpc(vec![data(b"\0\xff\xff\xff\xff"), ok()]),
        // A message may be as it is, whatever the head says.
        "identity" => encoded("gzip", vec![message(REPLY), ok()]),
        "gzip-bomb" => encoded("gzip", vec![compressed(&read(GzEncoder::new(zeros(), Compression::best()))), ok()]),
        "deflate-bomb" => {
            encoded("deflate", vec![compressed(&read(ZlibEncoder::new(zeros(), Compression::best()))), ok()])
        }
        "zstd-bomb" => encoded("zstd", vec![compressed(&zstd::encode_all(zeros(), 3).expect("packs")), ok()]),
        "encoding" => encoded("snappy", vec![message(REPLY), ok()]),
        "encoding-used" => encoded("snappy", vec![compressed(REPLY), ok()]),
        "lines" => {
            let text = "first%0Aerror: none%0Ahint: run this%0D%0A  Code: OK%0D  Message: well%0A%E2%80%A8x";
            grpc(vec![trailers(&[("grpc-status", "5"), ("grpc-message", text)])])
        }
        "compressed" => grpc(vec![data(b"\x01\0\0\0\x01a"), ok()]),
        "details" => grpc(vec![trailers(&[("grpc-status", "5"), ("grpc-status-details-bin", "!!!")])]),
        "code" => grpc(vec![trailers(&[("grpc-status", "99"), ("grpc-message", "odd %zz")])]),
        "long" => grpc(vec![trailers(&[("grpc-status", "13"), ("grpc-message", &"x".repeat(100_000))])]),
        "trailers-only" => {
            let head = Response::builder().header("content-type", "application/grpc").header("grpc-status", "7");
            head.header("grpc-message", "go%20away").header("x-why", "because").body(Body::empty()).expect("a response")
        }
        "long-end" => {
            grpc(vec![message(REPLY), trailers(&[("grpc-status", "5"), ("grpc-message", &"x".repeat(100_000))])])
        }
        "json" => spoken(200, "application/json", "{\n  \"error\":\t\"not here\"\n}\n"),
        "502" => spoken(502, "text/html", "<html>\r\n<h1>Bad \x1b[31mGateway</h1>\r\n</html>"),
        "much" => spoken(503, "text/plain", &"a lot ".repeat(100_000)),
        "endless" => {
            let body = stream::iter(vec![data(b"wait for it")]).chain(stream::pending());
            Response::builder().status(503).body(Body::new(StreamBody::new(body))).expect("a response")
        }
        "html" => Response::builder().header("content-type", "text/html").body(Body::empty()).expect("a response"),
        "401" => Response::builder().status(401).body(Body::empty()).expect("a response"),
        "403" => Response::builder().status(403).body(Body::empty()).expect("a response"),
        "429" => Response::builder().status(429).body(Body::empty()).expect("a response"),
        "500" => Response::builder().status(500).body(Body::empty()).expect("a response"),
        "503" => Response::builder().status(503).body(Body::empty()).expect("a response"),
        "404" => {
            Response::builder().status(404).header("content-type", "text/html").body(Body::empty()).expect("a response")
        }
        other => panic!("{other}"),
    }
}

fn file(name: &str, imports: &[&str]) -> FileDescriptorProto {
    FileDescriptorProto {
        name: Some(name.to_owned()),
        dependency: imports.iter().map(|i| (*i).to_owned()).collect(),
        ..FileDescriptorProto::default()
    }
}

fn reflect(what: &str) -> Response<Body> {
    let files: Vec<Vec<u8>> = match what {
        "editions" => {
            let mut raw =
                FileDescriptorProto { syntax: Some("editions".to_owned()), ..file("new.proto", &[]) }.encode_to_vec();
            // Field 14, the edition: one that is not there yet.
            raw.extend_from_slice(&[14 << 3, 0x8f, 0x4e]);
            vec![raw]
        }
        "circle" => vec![file("a", &["b"]).encode_to_vec(), file("b", &["a"]).encode_to_vec()],
        "junk" => vec![b"\xff\xff".to_vec()],
        "nameless" => vec![Vec::new()],
        "elsewhere" => vec![file("a", &[]).encode_to_vec()],
        "silent" => {
            let body = Body::new(StreamBody::new(stream::pending::<Result<Frame<Bytes>, std::io::Error>>()));
            return Response::builder().header("content-type", "application/grpc").body(body).expect("a response");
        }
        "nonsense" => return grpc(vec![message(b"\xff"), trailers(&[("grpc-status", "0")])]),
        "ended" => return grpc(vec![trailers(&[("grpc-status", "0")])]),
        "denied" => return grpc(vec![trailers(&[("grpc-status", "16"), ("grpc-message", "who are you?")])]),
        other => panic!("{other}"),
    };
    let answer = MessageResponse::FileDescriptorResponse(FileDescriptorResponse { file_descriptor_proto: files });
    let answer = ServerReflectionResponse { message_response: Some(answer), ..Default::default() };
    let frames = stream::iter(vec![message(&answer.encode_to_vec())]).chain(stream::pending());
    let body = Body::new(StreamBody::new(frames));
    Response::builder().header("content-type", "application/grpc").body(body).expect("a response")
}

fn server() -> &'static str {
    static ADDRESS: OnceLock<String> = OnceLock::new();
    ADDRESS.get_or_init(|| {
        let (listener, address) = listener();
        background(move || async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            let service = Hostile(services());
            let server = tonic::transport::Server::builder().http2_max_header_list_size(1 << 20);
            let incoming = TcpListenerStream::new(listener);
            { server }.serve_with_incoming(service, incoming).await.expect("serves");
        });
        address.to_string()
    })
}

/// Calls the server, which does what the header says.
pub(crate) fn call_with(header: &str, args: &[&str]) -> Done {
    let call = ["grpc", "call", "helloworld.Greeter/SayHello", "-s", server(), "-d", "{}", "-H", header];
    mscomm(&[&call[..], args].concat()).run()
}

fn call(header: &str) -> Done {
    call_with(header, &[])
}

#[test]
fn answers_that_break_the_rules() {
    // What came is printed; that it was not all is said.
    for (what, said) in [("no-status", "ended without a status"), ("two", "second response")] {
        let done = call(&format!("x-call: {what}")).exits(9).says(&[said]);
        assert_eq!(done.text(), "{\"message\":\"hi\"}\n", "{what}");
    }
    // A reset may overtake the message before it.
    call("x-call: reset").exits(9).says(&["the server reset it (INTERNAL_ERROR)"]);
    call("x-call: none").fails(9).says(&["no response"]);
    call("x-call: junk").fails(9).says(&["response 1 is no helloworld.HelloReply"]);
    call("x-call: half").fails(9).says(&["is no gRPC"]);
    call("x-call: compressed").fails(9).says(&["is no gRPC"]);
    call("x-call: encoding-used").fails(9).says(&["compressed with `snappy`", "gzip, deflate, zstd"]);
    call("x-call: flag").fails(9).says(&["flag 2"]);
    call("x-call: length").fails(8).says(&["--max-recv"]);
    for what in ["gzip-behind", "gzip-zeros", "zstd-behind", "deflate-behind", "gzip-cut", "deflate-cut"] {
        call(&format!("x-call: {what}")).fails(9).says(&["message 1 is no gRPC: it is no "]);
    }
    // A name that no message makes use of is no matter.
    for encoding in ["gzip", "deflate", "zstd", "identity", "encoding", "gzip-members", "zstd-frames"] {
        assert_eq!(call(&format!("x-call: {encoding}")).ok().text(), "{\"message\":\"hi\"}\n", "{encoding}");
    }
    // 200 MiB of zeros: what counts is the size that they have when they are unpacked.
    for encoding in ["gzip", "deflate", "zstd"] {
        call(&format!("x-call: {encoding}-bomb")).fails(8).says(&["--max-recv"]);
    }
}

#[test]
fn statuses_of_all_sorts() {
    call("x-call: details").fails(69).says(&[
        "Code: NotFound",
        "Details: (these bytes are no google.rpc.Status)",
        "\"@value\": \"ISEh\"",
    ]);
    call("x-call: code").fails(66).says(&["Code: Code(99)", "Message: odd %zz"]);
    call("x-call: trailers-only").fails(71).says(&["Code: PermissionDenied", "Message: go away"]);
    let done = call("x-call: long").fails(77);
    assert!(done.stderr.matches('x').count() >= 100_000);
    let limit = ["-H", "x-call: long-end", "--max-header-list", "2k"];
    let said = ["the call ended with NotFound, without its message", "trailers are over 2048 bytes", "8M"];
    let args = ["grpc", "call", "helloworld.Greeter/SayHello", "-s", server(), "-d", "{}"];
    assert_eq!(mscomm(&[&args[..], &limit].concat()).run().exits(8).says(&said).text(), "{\"message\":\"hi\"}\n");
    call("x-call: json").fails(66).says(&["HTTP 200 OK, application/json: { \"error\": \"not here\" }"]);
    call("x-call: 502")
        .fails(78)
        .says(&["HTTP 502 Bad Gateway, text/html: <html> <h1>Bad \\x1b[31mGateway</h1> </html>"]);
    assert!(call("x-call: much").fails(78).says(&["a lot a lot"]).stderr.len() < 1000);
    call("x-call: endless").fails(78).says(&["HTTP 503 Service Unavailable: wait for it"]);
    call("x-call: html").fails(66).says(&["HTTP 200", "text/html"]);
    for (http, exit, name) in [
        ("401", 80, "Unauthenticated"),
        ("403", 71, "PermissionDenied"),
        ("429", 78, "Unavailable"),
        ("500", 66, "Unknown"),
    ] {
        call(&format!("x-call: {http}")).fails(exit).says(&[&format!("HTTP {http}"), &format!("Code: {name}")]);
    }
    call("x-call: 503").fails(78).says(&["HTTP 503", "Code: Unavailable"]);
    call("x-call: 404").fails(76).says(&["HTTP 404", "Code: Unimplemented"]);
}

/// What a server says must not look like a line of ours.
#[test]
fn a_message_of_several_lines() {
    let done = call("x-call: lines").fails(69);
    let lines: Vec<&str> = done.stderr.lines().collect();
    let is = |line: &&&str, label: &str| line.trim_start().starts_with(label);
    for (label, count) in [("error:", 1), ("hint:", 0), ("Code:", 1), ("Message:", 1)] {
        assert_eq!(lines.iter().filter(|line| is(line, label)).count(), count, "{label} in {}", done.stderr);
    }
    assert_eq!(lines[1..3], ["  Code: NotFound", "  Message: first"]);
    assert_eq!(lines[3], "           | error: none");
    // On one line where it is only told of.
    let done = call_with("x-call: lines", &["-v"]);
    assert!(done.stderr.contains("< grpc-message: first\\nerror: none\\nhint: run this"), "{}", done.stderr);
    assert!(!done.stderr.lines().any(|line| line.starts_with("hint:")), "{}", done.stderr);
}

#[test]
fn descriptions_that_are_none() {
    call("x-reflect: editions")
        .fails(8)
        .says(&["`new.proto` is written in a Protobuf edition of number 9999", "supported are proto2"]);
    call("x-reflect: circle").fails(8).says(&["import each other in a circle: a → b → a"]);
    call("x-reflect: junk").fails(8).says(&["does not decode"]);
    call("x-reflect: nameless").fails(8).says(&["without a name"]);
    call("x-reflect: elsewhere").fails(8).says(&["no service `helloworld.Greeter`"]);
    call("x-reflect: nonsense").fails(8).says(&["does not decode"]);
    call("x-reflect: ended").fails(8).says(&["makes no sense"]);
    call("x-reflect: denied").fails(80).says(&["Code: Unauthenticated", "Message: who are you?"]);
    let args = ["grpc", "list", "-s", server(), "-H", "x-reflect: silent", "--timeout", "500ms"];
    mscomm(&args).run().fails(7);
}
