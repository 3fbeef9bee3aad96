//! What scripts need of a sandbox: variables, fixed ports, some of the servers, to be told when they are ready.

use std::net::{TcpListener, TcpStream};

use serde_json::Value;

use super::{free_port, host_and_port, sandbox};
use crate::support::{eventually, mscomm, typing};

#[test]
fn other_clients_find_plain_variables() {
    let line = "echo $GRPC_SERVER; echo $AMQP_URL; echo $KAFKA_BROKERS; ps -o args= $MSCOMM_SANDBOX_PID";
    let lines = sandbox(&[], line).run().ok().lines();
    for (address, start) in lines.iter().zip(["127.0.0.1:", "amqp://guest:guest@127.0.0.1:", "127.0.0.1:"]) {
        assert!(address.starts_with(start), "{lines:?}");
        TcpStream::connect(host_and_port(address)).expect_err("it has ended");
    }
    assert!(lines[3].contains("sandbox --"), "{lines:?}");
}

#[test]
fn only_some_are_served() {
    let line =
        "echo $KAFKA_BROKERS; mscomm grpc call helloworld.Greeter/SayHello -d '{}' -o raw; mscomm kafka topic list";
    let done = sandbox(&["--only", "grpc"], line).env("KAFKA_BROKERS", "production:9092").run();
    // Neither somebody else's broker nor one of its own.
    let done = done.exits(3).says(&["the sandbox serves no kafka"]);
    assert_eq!(done.lines(), ["", "{\"message\":\"Hello world\"}"]);
    let line = "mscomm kafka topic list && mscomm amqp queue declare q -q && mscomm grpc list";
    sandbox(&["--only", "kafka,amqp"], line).run().fails(3).says(&["the sandbox serves no grpc"]);
    sandbox(&["--only", "grpc"], "mscomm amqp get q").run().fails(3).says(&["the sandbox serves no amqp"]);
}

#[test]
fn fixed_ports_are_taken() {
    let [grpc, amqp, kafka] = [free_port(), free_port(), free_port()].map(|port| port.to_string());
    let flags = ["--grpc-port", &grpc, "--amqp-port", &amqp, "--kafka-port", &kafka];
    let line = "echo $GRPC_SERVER $AMQP_URL $KAFKA_BROKERS
        mscomm -q kafka topic create t; seq 3 | mscomm -q kafka produce t -k a; mscomm kafka tail t --from begin --until-end";
    // Twice, for a port that was in use a moment ago is free again.
    for _ in 0..2 {
        let lines = sandbox(&flags, line).run().ok().lines();
        assert_eq!(lines[0], format!("127.0.0.1:{grpc} amqp://guest:guest@127.0.0.1:{amqp} 127.0.0.1:{kafka}"));
        assert_eq!(lines[1..], ["1", "2", "3"]);
    }
}

#[test]
fn what_cannot_be_is_said_before_anything_starts() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path().to_str().expect("UTF-8");
    let missing = format!("{folder}/no/ready");
    for (flags, code, says) in [
        (&["--only", "grpc,redis"][..], 2, "possible values: grpc"),
        (&["--only", "grpc", "--kafka-port", "4000"], 2, "--only leaves out"),
        (&["--only", "grpc", "--topic", "t"], 2, "--only leaves out"),
        (&["--grpc-port", "4000", "--kafka-port", "4000"], 2, "--grpc-port and --kafka-port are both 4000"),
        (&["--amqp-port", "4000", "--kafka-port", "4000"], 2, "--amqp-port and --kafka-port are both 4000"),
        (&["--grpc-port", "70000"], 2, "70000"),
        (&["--grpc-port", &port], 10, "another --grpc-port"),
        (&["--amqp-port", &port], 10, "another --amqp-port"),
        (&["--kafka-port", &port], 10, "another --kafka-port"),
        (&["--kafka-brokers", "0"], 2, "1..=16"),
        (&["--topic", "t", "--topic", "t:2"], 2, "given twice"),
        (&["--topic", "a b"], 2, "a topic's name"),
        (&["--topic", "t:0"], 2, "the number of partitions"),
        (&["--ready-file", &missing], 10, "cannot write the ready file"),
        (&["--ready-file", folder], 10, "cannot write the ready file"),
        (&["--print-env"], 2, "cannot be used with"),
    ] {
        sandbox(flags, "echo started").run().fails(code).says(&[says]);
    }
}

#[test]
fn the_environment_is_printed_for_a_shell() {
    // As in a script: the sandbox runs on in the background, and the shell reads to the end of its output.
    let line = r#"
        unset GRPC_SERVER; export MSCOMM_KAFKA_SERVER="it's:1"
        eval "$("$0" sandbox --print-env --only kafka --topic t &)"
        echo "${MSCOMM_KAFKA_SERVER-unset}"
        seq 2 | "$0" -q kafka produce t -k a && "$0" kafka tail t --from begin --until-end
        kill "$MSCOMM_SANDBOX_PID"
    "#;
    let mut run = mscomm::<&str>(&[]);
    let shell = std::process::Command::new("sh");
    let binary = std::mem::replace(&mut run.command, shell).get_program().to_owned();
    run.command.args(["-c", line]).arg(binary).env("HOME", run.home.path());
    let done = run.run().ok();
    assert_eq!(done.lines(), ["unset", "1", "2"]);
}

#[test]
fn the_environment_is_printed_as_json() {
    let running =
        mscomm(&["sandbox", "--print-env=json"]).env("KAFKA_BROKERS", "x").env("MSCOMM_GRPC_TLS_CA", "y").start();
    let lines = running.wait_for_lines(1);
    let printed: Value = serde_json::from_str(&lines[0]).expect("JSON");
    assert_eq!(printed["MSCOMM_PROFILE"], "sandbox");
    assert_eq!(printed["MSCOMM_SANDBOX_PID"], running.child.id().to_string());
    assert!(printed["MSCOMM_GRPC_TLS_CA"].is_null() && printed.get("MSCOMM_GRPC_TLS_CA").is_some());
    for name in ["GRPC_SERVER", "AMQP_URL", "KAFKA_BROKERS"] {
        TcpStream::connect(host_and_port(printed[name].as_str().expect(name))).expect(name);
    }
    running.signal("TERM");
    assert_eq!(running.wait().exits(143).lines().len(), 1);
}

#[test]
fn output_that_nobody_takes() {
    for flags in [&["sandbox", "--print-env"][..], &["sandbox"]] {
        let done = mscomm(flags).stdout_to("/dev/full").run_with_own_stdout().exits(10);
        assert!(done.stderr.contains("No space left"), "{}", done.stderr);
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut run = mscomm(flags);
        run.command.stdout(writer);
        run.run_with_own_stdout().exits(0);
    }
}

#[test]
fn a_file_says_when_it_is_ready() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ready");
    for signal in ["INT", "TERM", "HUP"] {
        // What a killed one left is not taken for news.
        std::fs::write(&path, "export STALE=1\n").expect("writes");
        let running = mscomm(&["sandbox", "--ready-file", path.to_str().expect("UTF-8")]).start();
        let text =
            eventually("the file", || std::fs::read_to_string(&path).ok().filter(|text| text != "export STALE=1\n"));
        assert!(text.contains("export KAFKA_BROKERS='127.0.0.1:") && text.ends_with("'\n"), "{text}");
        running.signal(signal);
        running.wait().exits(if signal == "INT" { 130 } else { 143 });
        assert_eq!(std::fs::read_dir(folder.path()).expect("lists").count(), 0, "{signal}");
    }
    let line = format!("cat '{}'; cd /", path.display());
    let done = sandbox(&["--ready-file", path.to_str().expect("UTF-8")], &line).run().ok();
    assert!(done.text().contains("export MSCOMM_PROFILE='sandbox'\n"), "{}", done.text());
    assert_eq!(std::fs::read_dir(folder.path()).expect("lists").count(), 0);
}

#[test]
fn a_ready_file_of_another_sandbox_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ready");
    let line = format!("echo other > '{}'", path.display());
    sandbox(&["--ready-file", path.to_str().expect("UTF-8")], &line).run().ok();
    assert_eq!(std::fs::read_to_string(&path).expect("is there"), "other\n");
}

#[test]
fn a_hangup_that_is_ignored_stays_ignored() {
    let mut run = mscomm(&["sandbox", "--print-env"]);
    let mut shell = std::process::Command::new("nohup");
    shell.arg(run.command.get_program()).args(run.command.get_args());
    shell.env("HOME", run.home.path()).stdin(std::process::Stdio::null());
    run.command = shell;
    let running = run.start();
    let lines = running.wait_for_lines(8);
    running.signal("HUP");
    let server = lines.iter().find(|l| l.starts_with("export GRPC_SERVER=")).expect("is printed");
    TcpStream::connect(host_and_port(server)).expect("still serves");
    running.signal("TERM");
    running.wait().exits(143);
}

#[test]
fn a_ready_file_takes_no_place_of_anything_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("device");
    // As a device is, something that a rename would replace.
    std::os::unix::fs::symlink("/dev/null", &path).expect("a link");
    let done = mscomm(&["sandbox", "--ready-file", path.to_str().expect("UTF-8"), "--", "true"]).run();
    done.fails(10).says(&["no regular file"]);
    assert!(path.is_symlink());
}

/// What a sandbox that stands alone says at a terminal leads another one to its servers.
#[test]
fn what_is_to_be_pasted_works_elsewhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out").display().to_string();
    // The other terminal: it waits for the line, runs what is pasted, and ends the sandbox.
    let other = format!(
        "while ! grep -q Paste screen 2>/dev/null; do sleep 0.05; done; sleep 0.2; \
         eval \"$(tr -d '\\r' < screen | grep '^  ')\" > {out} 2>&1; kill -INT $MSCOMM_SANDBOX_PID"
    );
    let line = format!("cd {}; ({other}) & stty cols 200; mscomm sandbox | cat; echo", folder.path().display());
    assert!(
        !typing(&line.replace(&other, "true").replace("mscomm sandbox", "timeout 1 mscomm sandbox"), "", &[])
            .contains("Paste")
    );
    let line = format!(
        "cd {}; ({other}) & script -qfc 'mscomm sandbox' screen >/dev/null; echo code $?",
        folder.path().display()
    );
    typing(&line, "", &[]);
    let told = std::fs::read_to_string(&out).expect("it ran");
    assert!(told.contains("Hello world") && told.matches("confirmed 1").count() == 2, "{told}");
    assert!(told.contains("grpc\thealth\tok"), "{told}");
}
