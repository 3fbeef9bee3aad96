//! Data in: what cannot be read, what is checked before anything is sent, and responses that JSON has no form for.

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::frames::{HEADERS, server};
use super::servers::{echo, raw, sandbox};
use super::wire::SOURCE;
use crate::support::{Done, Run, mscomm};

const UNARY: &str = "mscomm.sandbox.v1.Echo/Unary";
const STREAM: &str = "mscomm.sandbox.v1.Echo/ServerStream";
const CLIENT: &str = "mscomm.sandbox.v1.Echo/ClientStream";
const BIDI: &str = "mscomm.sandbox.v1.Echo/BidiStream";

fn reading(mut run: Run, from: impl Into<OwnedFd>) -> Done {
    run.command.stdin(from.into());
    run.run()
}

/// A standard input that has so much, and then fails.
fn failing(text: &str) -> UnixStream {
    let (mut ours, mut theirs) = UnixStream::pair().expect("a pair");
    // What the other end leaves unread when it closes is told as a reset.
    theirs.write_all(b"unread").expect("writes");
    ours.write_all(text.as_bytes()).expect("writes");
    theirs
}

#[test]
fn an_input_that_cannot_be_read_is_no_empty_one() {
    for method in [UNARY, STREAM, CLIENT, BIDI] {
        for data in [&[][..], &["-d", "@-"], &["-d", "@"]] {
            let call = || mscomm(&[&["grpc", "call", method, "-s", sandbox()], data].concat());
            // EISDIR, EIO, and ECONNRESET: at the first read, and behind a part of the data.
            let folder = File::open("/").expect("opens");
            reading(call(), folder).fails(10).says(&["cannot read standard input", "directory"]);
            reading(call(), File::open("/proc/self/mem").expect("opens")).fails(10).says(&["os error 5"]);
            for text in ["", " ", "{\"message\":\"a", "{\"message\":\"a\"}"] {
                let done = reading(call(), failing(text)).exits(10).says(&["cannot read standard input"]);
                assert!(done.stdout.is_empty() || method == BIDI, "{}", done.text());
            }
        }
    }
    mscomm(&["grpc", "call", UNARY, "-s", sandbox(), "-d", "@/proc/self/mem"]).run().fails(10).says(&["os error 5"]);
    // A descriptor set is read as well.
    let set = mscomm(&["grpc", "list", "--descriptor-set", "-", "--reflection", "off"]);
    assert_ne!(reading(set, File::open("/proc/self/mem").expect("opens")).code, 0);
}

/// What came before is sent, and the server is not told that it was all.
#[test]
fn a_stream_whose_input_fails_does_not_end_well() {
    let text = "{\"message\":\"a\"}\n".repeat(3);
    let call = |method: &str| mscomm(&["grpc", "call", method, "-s", sandbox()]);
    reading(call(CLIENT), failing(&text)).fails(10).says(&["the 3 before it were sent"]);
    reading(call(BIDI), failing(&text)).exits(10).says(&["the 3 before it were sent"]);
}

#[test]
fn nothing_is_sent_of_an_input_that_cannot_be_read() {
    let calls = Arc::new(AtomicUsize::new(0));
    let seen = calls.clone();
    let address = server(move |_, frame| {
        seen.fetch_add(usize::from(frame.kind == HEADERS), Ordering::SeqCst);
        true
    });
    let call = mscomm(&["grpc", "call", "SayHello", "--proto", SOURCE, "--reflection", "off", "-s", &address]);
    reading(call, File::open("/").expect("opens")).fails(10);
    assert_eq!(calls.load(Ordering::SeqCst), 0);
}

#[test]
fn grpcurls_at_is_standard_input() {
    let method = "helloworld.Greeter/SayHello";
    let run = mscomm(&["grpc", "call", method, "-s", sandbox(), "-d", "@"]).stdin(r#"{"name":"at"}"#);
    assert_eq!(run.run().ok().text(), "{\"message\":\"Hello at\"}\n");
    let twice = ["grpc", "call", method, "--descriptor-set", "-", "-d", "@", "-s", sandbox()];
    mscomm(&twice).run().fails(2).says(&["cannot be the descriptor set and the data"]);
}

/// A server that counts who comes.
fn counting() -> (String, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let seen = count.clone();
    let address = raw(move |_| {
        seen.fetch_add(1, Ordering::SeqCst);
    });
    (address, count)
}

const ECHO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/sandbox/grpc/echo.proto");

#[test]
fn what_files_describe_is_checked_before_anybody_is_asked() {
    let (address, connections) = counting();
    let call = |args: &[&str]| {
        mscomm(&[&["grpc", "call"], args, &["--proto", ECHO, "--reflection", "off", "-s", &address]].concat())
    };
    for method in ["Unary", "ServerStream", "ClientStream", "BidiStream"] {
        call(&[method, "-d", r#"{"mesage":1}"#]).run().fails(2).says(&["did you mean `message`?"]);
        call(&[method, "-d", r#"{"count":"x"}"#, "-o", "json"]).run().fails(2);
        call(&[method, "-d", "@/nonexistent"]).run().fails(10).says(&["/nonexistent"]);
        // One whose type nobody describes: there is nobody to ask.
        call(&[method, "-d", r#"{"any":{"@type":"x/no.Such","a":1}}"#]).run().fails(2).says(&["no.Such"]);
    }
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    writeln!(file, "{{\"message\":\"a\"}}\n{{\"mesage\":1}}").expect("writes");
    let data = format!("@{}", file.path().display());
    for method in ["ClientStream", "BidiStream"] {
        call(&[method, "-d", &data]).run().fails(2).says(&["line 2", "did you mean `message`?"]);
    }
    call(&["Unary"]).stdin(r#"{"mesage":1}"#).run().fails(2).says(&["standard input, line 1"]);
    call(&["Unary", "-d", "{}{}"]).run().fails(2).says(&["second message"]);
    call(&["Unray", "-d", "{}"]).run().fails(8).says(&["Unray"]);
    call(&["Unary", "-d", "{}", "--format", "binary"]).run().fails(2);
    assert_eq!(connections.load(Ordering::SeqCst), 0);
    // By reflection, too, a file that is not there is known before.
    mscomm(&["grpc", "call", UNARY, "-d", "@/nonexistent", "-s", &address]).run().fails(10);
    assert_eq!(connections.load(Ordering::SeqCst), 0);
    // Good data is sent, one with a type that another file has as well.
    let mut other = tempfile::Builder::new().suffix(".proto").tempfile().expect("a file");
    writeln!(other, r#"syntax = "proto3"; package other; message X {{ string s = 1; }}"#).expect("writes");
    let other = other.path().display().to_string();
    call(&["Unary", "-d", r#"{"any":{"@type":"x/other.X","s":"a"}}"#, "--proto", &other]).run().fails(4);
    call(&["Unary", "-d", "{}"]).run().fails(4);
    assert_ne!(connections.load(Ordering::SeqCst), 0);
}

/// protojson has no form for these: they are shown, and it is said.
#[test]
fn responses_without_a_canonical_form() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).expect("writes");
        path.display().to_string()
    };
    let proto = file(
        "odd.proto",
        br#"syntax = "proto3";
            package odd;
            import "google/protobuf/any.proto";
            import "google/protobuf/duration.proto";
            import "google/protobuf/field_mask.proto";
            import "google/protobuf/struct.proto";
            import "google/protobuf/timestamp.proto";
            message M {
              google.protobuf.Timestamp at = 1;
              google.protobuf.Duration took = 2;
              google.protobuf.Any any = 3;
              google.protobuf.FieldMask mask = 4;
              google.protobuf.Value value = 5;
              M inner = 6;
            }
            service S { rpc One(M) returns (M); rpc Many(stream M) returns (stream M); }"#,
    );
    let call = |method: &str, request: &[u8], args: &[&str]| {
        let data = format!("@{}", file("request", request));
        let call = ["grpc", "call", method, "-s", echo(), "--proto", &proto, "--reflection", "off"];
        let data = ["--request-format", "binary", "-d", &data];
        mscomm(&[&call[..], &data, args].concat()).run().ok()
    };
    // 10000-01-01T00:00:00Z, a billion seconds for each of ten of them, and so on.
    let seconds = |n: u64| {
        let mut out = vec![8];
        prost::encoding::encode_varint(n, &mut out);
        out
    };
    let field =
        |number: u8, inner: &[u8]| [&[number << 3 | 2, u8::try_from(inner.len()).expect("short")], inner].concat();
    let year = field(1, &seconds(253_402_300_800));
    for (request, shown, said) in [
        (year.clone(), r#"{"at":{"seconds":"253402300800"}}"#, "`at` is a google.protobuf.Timestamp of 253402300800 s"),
        (field(6, &year), r#"{"inner":{"at":{"seconds":"253402300800"}}}"#, "`inner.at`"),
        (field(2, &seconds(315_576_000_001)), r#"{"took":{"seconds":"315576000001"}}"#, "google.protobuf.Duration"),
        (field(2, &[8, 1, 16, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]), "nanos", "-1 nanoseconds"),
        (field(3, &field(1, b"x/no.Such")), r#"{"any":{"@type":"x/no.Such"}}"#, "`no.Such`"),
        (field(3, &[field(1, b"x/odd.M"), field(2, b"\xff")].concat()), "@value", "no odd.M"),
        (field(4, &field(1, b"aB")), r#"{"mask":{"paths":["aB"]}}"#, "FieldMask"),
        (field(5, b""), r#"{"value":null}"#, "Value of no kind"),
        (field(5, &[&[17], &f64::NAN.to_le_bytes()[..]].concat()), r#"{"value":"NaN"}"#, "Value of NaN"),
    ] {
        let done = call("One", &request, &[]).says(&["warning: response 1 has no canonical JSON: ", said]);
        assert!(done.text().contains(shown), "{}", done.text());
        // In other forms there is nothing to say.
        assert_eq!(call("One", &request, &["--format", "text"]).stderr, "");
        assert!(call("One", &request, &["-o", "json"]).says(&[said]).text().contains(shown));
    }
    for good in [field(1, &seconds(253_402_300_799)), field(2, &seconds(315_576_000_000)), field(3, b""), field(4, b"")]
    {
        assert_eq!(call("One", &good, &[]).stderr, "");
    }
    // Once is enough of a stream.
    let stream = [&[u8::try_from(year.len()).expect("short")], &year[..]].concat().repeat(5);
    let done = call("Many", &stream, &[]);
    assert_eq!(done.stderr.matches("warning:").count(), 2, "{}", done.stderr);
    done.says(&["5 responses have no canonical JSON"]);
}
