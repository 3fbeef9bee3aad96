//! The sandbox: servers inside the process, and commands that run against them.

mod amqp;
mod commands;
mod ctl;
mod grpc;
mod kafka;
mod kafka_clients;
mod kafka_hostile;
mod scripts;
mod tour;

use std::net::TcpListener;
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

/// The inode of the socket that listens at an address of IPv4, which no other socket has after it.
fn listener(address: &str) -> Option<String> {
    let address: std::net::SocketAddrV4 = address.parse().expect("an address");
    let wanted = format!("{:08X}:{:04X}", u32::from_ne_bytes(address.ip().octets()), address.port());
    let table = std::fs::read_to_string("/proc/net/tcp").expect("reads");
    // proc_pid_net(5): the local address, the state (0A listens), and the inode.
    let columns = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let socket = columns.into_iter().find(|c| c.len() > 9 && c[1] == wanted && c[3] == "0A")?;
    Some(socket[9].to_owned())
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
    let done = in_sandbox("mscomm kafka topic create t; seq 3 | mscomm kafka produce t -k a && mscomm kafka tail t --from begin --until-end").ok();
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
    let listeners = || lines.iter().map(|line| listener(host_and_port(line))).collect::<Vec<_>>();
    let open = listeners();
    assert!(open.iter().all(Option::is_some), "{lines:?}");
    running.signal("INT");
    running.wait().exits(130);
    // The ports themselves may belong to another sandbox by now.
    assert!(listeners().iter().zip(&open).all(|(now, then)| now != then));
}
