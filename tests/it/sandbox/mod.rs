//! The sandbox: servers inside the process, and commands that run against them.

mod amqp;
mod commands;
mod grpc;
mod kafka;
mod scripts;
mod tour;

use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};

use crate::support::{BINARY, Done, Run, eventually, mscomm};

/// A shell line in a sandbox with these flags; `mscomm` in it is the binary under test.
fn sandbox(flags: &[&str], line: &str) -> Run {
    let folder = std::path::Path::new(BINARY).parent().expect("a folder");
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").expect("PATH"));
    mscomm(&[&["sandbox"], flags, &["--", "sh", "-c", line]].concat()).env("PATH", path)
}

/// Runs a shell line in a sandbox.
fn in_sandbox(line: &str) -> Done {
    sandbox(&[], line).run()
}

/// The end of an address, also of a URL: `127.0.0.1:5672`.
fn host_and_port(address: &str) -> &str {
    let at = address.rfind("127.0.0.1:").expect("an address");
    address[at..].trim_end_matches(['/', '\''])
}

/// A port that nobody has, from below the range that the system gives out by itself.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 10_000).expect("fits");
    eventually("a free port", || {
        let port = 11_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000;
        TcpListener::bind(("127.0.0.1", port)).ok().map(|_| port)
    })
}

#[test]
fn a_command_finds_the_servers() {
    let done = in_sandbox(r#"mscomm grpc call helloworld.Greeter/SayHello -d '{"name":"world"}'"#).ok();
    assert_eq!(done.text(), "{\"message\":\"Hello world\"}\n");
    let done =
        in_sandbox("mscomm -q amqp queue declare q && mscomm -q amqp publish -k q -d hi && mscomm amqp get q -o raw")
            .ok();
    assert_eq!(done.text(), "hi\n");
    let done = in_sandbox("seq 3 | mscomm kafka produce t && mscomm kafka tail t --from begin --until-end").ok();
    assert_eq!(done.lines(), ["1", "2", "3"]);
}

#[test]
fn the_surroundings_do_not_leak_in() {
    let done = mscomm(&["sandbox", "--", BINARY, "profile", "show"])
        .env("MSCOMM_KAFKA_SERVER", "production:9092")
        .env("MSCOMM_PROFILE", "production")
        .run()
        .ok();
    assert!(!done.text().contains("production") && done.text().contains("kafka.server\t127.0.0.1:"), "{}", done.text());
}

#[test]
fn alone_it_prints_its_addresses_and_ends_with_ctrl_c() {
    let running = mscomm(&["sandbox"]).start();
    let lines = running.wait_for_lines(3);
    let names: Vec<&str> = lines.iter().filter_map(|l| l.split('\t').next()).collect();
    assert_eq!(names, ["grpc", "amqp", "kafka"]);
    for line in &lines {
        TcpStream::connect(host_and_port(line)).expect(line);
    }
    running.signal("INT");
    running.wait().exits(130);
    for line in &lines {
        eventually("the port is closed", || TcpStream::connect(host_and_port(line)).err());
    }
}
