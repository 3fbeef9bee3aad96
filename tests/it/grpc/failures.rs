//! What fails, and with which exit code.

use std::io::{Read, Write};
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::servers::{black_hole, raw, sandbox};
use crate::proxy::Proxy;
use crate::support::{DEADLINE, Run, mscomm};

fn call(method: &str, args: &[&str]) -> Run {
    mscomm(&[&["grpc", "call", method, "-s", sandbox()], args].concat())
}

const UNARY: &str = "mscomm.sandbox.v1.Echo/Unary";
const STREAM: &str = "mscomm.sandbox.v1.Echo/ServerStream";
const BIDI: &str = "mscomm.sandbox.v1.Echo/BidiStream";

#[test]
fn bad_input_is_told_before_anything_is_sent() {
    // Nobody listens there: reaching for the network would be exit 4.
    let call = |args: &[&str]| mscomm(&[&["grpc", "call", "a.B/C", "-s", "127.0.0.1:1"], args].concat()).run();
    call(&["-d", r#"{"a":}"#]).fails(2).says(&["--data, line 1, column", "column 6"]);
    call(&["-H", "x-bin: !!"]).fails(2).says(&["`x-bin` takes base64"]);
    call(&["-H", "no separator"]).fails(2).says(&["NAME: VALUE"]);
    call(&["-H", "bad name: x"]).fails(2).says(&["no metadata name"]);
    call(&["-H", "x: grün"]).fails(2).says(&["x-bin"]);
    call(&["-H", "grpc-timeout: 1S"]).fails(2).says(&["set by gRPC itself"]);
    call(&["--max-recv", "x"]).fails(2);
    call(&["--authority", "a b"]).fails(2).says(&["no authority"]);
    call(&["--tls-ca", "/nonexistent"]).fails(5).says(&["/nonexistent"]);
    call(&["-o", "xml"]).fails(2).says(&["pretty"]);
    mscomm(&["grpc", "call", "No Method", "-s", "127.0.0.1:1"]).run().fails(2).says(&["package.Service/Method"]);
    let profile = "[profiles.p.grpc]\nserver = \"127.0.0.1:1\"\nheaders = { x-bin = \"!!\" }\n";
    mscomm(&["grpc", "list", "-p", "p"]).config(profile).run().fails(3).says(&["takes base64", "profile p"]);
}

#[test]
fn bad_addresses_are_told_before_anything_is_sent() {
    for (server, what) in [
        ("localhost", "no port"),
        ("h:0", "1 to 65535"),
        ("h:70000", "1 to 65535"),
        ("::1:50051", "brackets"),
        ("htp://h:1", "did you mean `http`"),
        ("http://u:pw@h:1", "metadata"),
    ] {
        let done = mscomm(&["grpc", "list", "-s", server]).run().fails(2).says(&[what, "hint: write host:port"]);
        assert!(!done.stderr.contains("pw@"), "{}", done.stderr);
    }
    mscomm(&["grpc", "list", "-s", "http://h:1", "--tls-ca", "x"]).run().fails(2).says(&["without TLS"]);
}

#[test]
fn faults_in_the_data_have_a_place() {
    call(UNARY, &["-d", "{\n\"mesage\":1}"])
        .run()
        .fails(2)
        .says(&["--data, line 2", "no field `mesage`; did you mean `message`?"]);
    call(UNARY, &["-d", r#"{"count":"x"}"#]).run().fails(2).says(&["count"]);
    call(UNARY, &["-d", r#"{"count":9999999999}"#]).run().fails(2).says(&["count"]);
    call(UNARY, &["-d", r#"{"data":"*"}"#]).run().fails(2).says(&["data"]);
    call(UNARY, &["-d", "{}{}"]).run().fails(2).says(&["a second message"]);
    call(UNARY, &["-d", "@/nonexistent"]).run().fails(10).says(&["/nonexistent"]);
    let stdin = "{\"message\":\"a\"}\n{\"message\":\"b\"}\n{\"message\":}\n";
    call(BIDI, &[]).stdin(stdin).run().exits(2).says(&["standard input, line 3", "the 2 before it were sent"]);
    call(BIDI, &[]).stdin(r#"{"message":"cut"#).run().fails(2).says(&["ends in the middle of a value"]);
}

#[test]
fn what_the_server_does_not_have() {
    call("helloworld.Greeter/SayHelo", &["-d", "{}"])
        .run()
        .fails(8)
        .says(&["no method `SayHelo`", "did you mean `SayHello`?"]);
    call("helloworld.Greter/SayHello", &["-d", "{}"])
        .run()
        .fails(8)
        .says(&["no service", "did you mean `helloworld.Greeter`?"]);
    let of = |args: &[&str]| mscomm(&[&["grpc"], args, &["-s", sandbox()]].concat()).run();
    of(&["list", "zzz"]).fails(8).says(&["no service `zzz`", "helloworld.Greeter"]);
    of(&["describe", "helloworld.HelloRequset"]).fails(8).says(&["no symbol"]);
}

#[test]
fn each_phase_of_connecting_has_its_code() {
    let list = |server: &str, args: &[&str]| mscomm(&[&["grpc", "list", "-s", server], args].concat()).run();
    list("nosuch.invalid:1", &["--plaintext"]).fails(4).says(&["cannot resolve `nosuch.invalid`"]);
    list("127.0.0.1:1", &[]).fails(4).says(&["cannot connect to 127.0.0.1:1", "refused"]);
    list("127.0.0.1:1", &["--wait=300ms"]).fails(7).says(&["--wait=300ms"]);
    let started = Instant::now();
    list(&black_hole(), &["--connect-timeout", "300ms"]).fails(7).says(&["no connection within 300ms"]);
    list(&black_hole(), &["--timeout", "300ms"]).fails(7).says(&["--timeout"]);
    list(&black_hole(), &["--timeout", "300ms", "--tls"]).fails(7);
    assert!(started.elapsed() < Duration::from_secs(10));
    list(&raw(drop), &[]).fails(4).says(&["HTTP/2 handshake"]);
    list(&raw(drop), &["--tls"]).fails(4).says(&["TLS handshake", "--plaintext"]);
    // Everything is read before the end: a reset would take the answer back.
    let answer = |text: &'static str| {
        raw(move |mut stream| {
            drop(stream.write_all(text.as_bytes()));
            drop(stream.shutdown(std::net::Shutdown::Write));
            drop(stream.read_to_end(&mut Vec::new()));
        })
    };
    list(&answer("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"), &[]).fails(4).says(&["HTTP/1.1"]);
    list(&answer("220 smtp.example.com ready\r\n"), &[]).fails(4).says(&["does not speak HTTP/2"]);
    // Shorter than the head of a frame.
    list(&answer("AMQP\0\0\t\x01"), &[]).fails(4).says(&["does not speak HTTP/2"]);
    list(&answer("a"), &[]).fails(4).says(&["does not speak HTTP/2"]);
}

#[test]
fn waiting_ends_when_the_server_comes() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("binds").local_addr().expect("an address");
    let running = mscomm(&["grpc", "list", "-s", &free.to_string(), "--wait=30s"]).start();
    let _proxy = {
        // The port opens only after the command has begun to wait.
        let listener = std::net::TcpListener::bind(free).expect("binds again");
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = std::net::TcpStream::connect(sandbox()).expect("connects");
                let (mut a, mut b) = (client.try_clone().expect("clones"), server.try_clone().expect("clones"));
                std::thread::spawn(move || std::io::copy(&mut a, &mut b));
                let (mut a, mut b) = (server, client);
                std::thread::spawn(move || std::io::copy(&mut a, &mut b));
            }
        })
    };
    running.wait().ok();
}

#[test]
fn a_deadline_covers_the_whole_call() {
    let slow = r#"{"message":"a","count":3,"delay":"3600s"}"#;
    call(UNARY, &["--timeout", "500ms", "-d", slow]).run().fails(7).says(&["--timeout"]);
    call(STREAM, &["--timeout", "500ms", "-d", slow]).run().fails(7);
    // Behind the headers and with standard input open.
    let mut run = call(BIDI, &["--timeout", "1s"]);
    run.command.stdin(Stdio::piped());
    let mut running = run.start();
    let mut stdin = running.child.stdin.take().expect("piped");
    writeln!(stdin, r#"{{"message":"a"}}"#).expect("writes");
    assert_eq!(running.wait().exits(7).lines().len(), 1);
    drop(stdin);
    // The server's own word is its status.
    call(UNARY, &["-d", r#"{"fail":{"code":4}}"#]).run().fails(68);
}

#[test]
fn a_lost_connection_is_no_status() {
    let proxy = Proxy::start(sandbox(), None);
    let data = r#"{"message":"a","count":2,"delay":"0.2s"}"#;
    let slow = data.replace("\"count\":2", "\"count\":100000");
    let running = mscomm(&["grpc", "call", STREAM, "-s", &proxy.address, "-d", &slow]).start();
    running.wait_for_lines(1);
    proxy.cut();
    running.wait().exits(9).says(&["the call broke off after"]);

    let proxy = Proxy::start(sandbox(), Some(b"TRIGGER"));
    let data = r#"{"message":"TRIGGER","delay":"3600s"}"#;
    let done = mscomm(&["grpc", "call", UNARY, "-s", &proxy.address, "-d", data]).run().fails(9);
    done.says(&["the outcome of the call is unknown"]);
}

#[test]
fn a_response_over_the_limit_names_the_flag() {
    let data = format!(r#"{{"message":"{}"}}"#, "x".repeat(5000));
    call(UNARY, &["--max-recv", "1k", "-d", &data]).run().fails(8).says(&["--max-recv", "1024"]);
    call(UNARY, &["--max-recv", "6k", "-d", &data]).run().ok();
    // grpcurl's limit of 4 MiB is none here.
    let data = format!(r#"{{"message":"{}"}}"#, "x".repeat(5 << 20));
    let run = call(UNARY, &["-d", "@-"]).stdin(data);
    assert!(run.run().fails(75).stderr.contains("OutOfRange"), "the sandbox's own limit of a request");
}

#[test]
fn output_that_cannot_be_written() {
    let run = call(STREAM, &["-d", r#"{"message":"a","count":10}"#]).stdout_to("/dev/full");
    run.run_with_own_stdout().exits(10).says(&["cannot write to standard output"]);
}

#[test]
fn signals_end_a_call_with_what_came() {
    for (signal, code) in [("INT", 130), ("TERM", 143), ("TERM TERM", 143), ("INT INT", 130)] {
        let running = call(STREAM, &["-d", r#"{"message":"a","count":100000,"delay":"0.05s"}"#]).start();
        running.wait_for_lines(2);
        running.signal(signal);
        let done = running.wait().exits(code);
        assert!(done.stdout.ends_with(b"\n") && done.lines().len() >= 2);
        // While a connection is being made, too.
        let running = mscomm(&["grpc", "list", "-s", &black_hole(), "-v", "--connect-timeout", "60s"]).start();
        crate::support::eventually("it connects", || running.stderr().contains("connecting").then_some(()));
        running.signal(signal);
        running.wait().fails(code);
    }
}

/// Our own client, and most others, have a timer beside the server's, and hide what it says.
#[test]
fn the_sandbox_says_that_a_deadline_passed() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let status = runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(sandbox()).await.expect("connects");
        let (mut client, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
        tokio::spawn(connection);
        let request = http::Request::post(format!("http://{}/mscomm.sandbox.v1.Echo/Unary", sandbox()))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("grpc-timeout", "50m")
            .body(())
            .expect("a request");
        let (response, mut body) = client.send_request(request, false).expect("is sent");
        // A delay of an hour.
        body.send_data(b"\0\0\0\0\x05\x2a\x03\x08\x90\x1c"[..].into(), true).expect("is sent");
        let response = tokio::time::timeout(DEADLINE, response).await.expect("answers in time").expect("answers");
        response.headers()["grpc-status"].clone()
    });
    assert_eq!(status, "4");
}
