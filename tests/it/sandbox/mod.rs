//! The sandbox: servers inside the process, and commands that run against them.

mod grpc;

use crate::support::{BINARY, Done, eventually, mscomm};

/// Runs a shell line in a sandbox; `mscomm` in it is the binary under test.
fn in_sandbox(line: &str) -> Done {
    let folder = std::path::Path::new(BINARY).parent().expect("a folder");
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").expect("PATH"));
    mscomm(&["sandbox", "--", "sh", "-c", line]).env("PATH", path).run()
}

#[test]
fn a_command_finds_the_servers() {
    let done = in_sandbox(r#"mscomm grpc call helloworld.Greeter/SayHello -d '{"name":"world"}'"#).ok();
    assert_eq!(done.text(), "{\"message\":\"Hello world\"}\n");
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
fn the_exit_code_is_the_commands() {
    in_sandbox("exit 0").exits(0);
    let done = in_sandbox("exit 42").exits(42);
    assert_eq!(done.stderr, "");
    in_sandbox("kill -9 $$").exits(137);
    mscomm(&["sandbox", "--", "no-such-command-here"]).run().fails(10).says(&["no-such-command-here"]);
    in_sandbox("mscomm grpc call helloworld.Greeter/SayHello -d nonsense").fails(2);
}

#[test]
fn what_it_does_not_serve_is_said() {
    in_sandbox("mscomm amqp get q").fails(3).says(&["the sandbox serves no amqp"]);
}

#[test]
fn its_kafka_has_no_admin_calls_and_says_so_at_once() {
    in_sandbox("mscomm kafka topic create t").fails(8).says(&["no admin calls", "first used"]);
}

#[test]
fn signals_reach_the_command() {
    let line = "trap 'echo told; exit 7' TERM; echo ready; while :; do sleep 0.1; done";
    let running = mscomm(&["sandbox", "--", "sh", "-c", line]).start();
    running.wait_for_lines(1);
    running.signal("TERM");
    assert_eq!(running.wait().exits(7).lines(), ["ready", "told"]);
}

#[test]
fn alone_it_prints_its_addresses_and_ends_with_ctrl_c() {
    let running = mscomm(&["sandbox"]).start();
    let lines = running.wait_for_lines(2);
    for line in &lines {
        let (_, address) = line.split_once('\t').expect("two columns");
        std::net::TcpStream::connect(address.split(',').next().expect("one")).expect(line);
    }
    running.signal("INT");
    running.wait().exits(130);
    for line in &lines {
        let (_, address) = line.split_once('\t').expect("two columns");
        eventually("the port is closed", || std::net::TcpStream::connect(address).err());
    }
}

#[test]
fn the_tour_shows_commands_and_their_real_output() {
    let done = mscomm(&["sandbox", "--tour"]).run().ok();
    for text in ["$ mscomm grpc list", "helloworld.Greeter", "Hello world", "tick", "alice: bye", "\"key\":\"alice\""] {
        assert!(done.text().contains(text), "no {text:?} in {}", done.text());
    }
    assert!(!done.text().contains('\x1b'), "colours in a pipe");
}
