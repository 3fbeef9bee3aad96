//! From one system to the other and back, and the main job as the README's reader would type it.

use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{BINARY, BlackHole, mscomm, test_env, unique};

/// A path that has the binary first.
fn path() -> String {
    let folder = std::path::Path::new(BINARY).parent().expect("a folder");
    format!("{}:{}", folder.display(), std::env::var("PATH").expect("PATH"))
}

/// Runs a shell script with `mscomm` on the path and the brokers' configuration; gives its standard output.
#[track_caller]
fn sh(script: &str) -> String {
    let out = Command::new("sh").args(["-euc", script]).env("PATH", path()).output().expect("sh runs");
    let (stdout, stderr) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{script}\n{}\nstdout: {stdout}\nstderr: {stderr}", out.status);
    stdout.into_owned()
}

/// The members that travel, of each envelope.
fn messages(text: &str, members: &[&str]) -> Vec<Value> {
    let pick = |line: &str| {
        let all: Value = serde_json::from_str(line).expect(line);
        members.iter().map(|m| ((*m).to_owned(), all.get(m).cloned().unwrap_or(json!("absent")))).collect()
    };
    text.lines().map(pick).collect()
}

#[test]
fn amqp_to_kafka_and_back_changes_nothing() {
    test_env("AMQP");
    let (a, b, topic) = (unique("a"), unique("b"), unique("t"));
    let lines = [
        json!({"routing_key": a, "value": "plain"}),
        json!({"routing_key": a, "value": {"$base64": "/wAK"}, "headers": {"s": "text", "b": {"$base64": "/w=="}}}),
        json!({"routing_key": a, "value": "", "timestamp": "2026-11-22T10:00:00Z",
            "headers": {"i8": {"$i8": -1}, "u16": {"$u16": 65535}, "n": 9007199254740993i64, "d": 5.0, "t": {"$timestamp": 1},
                "dec": {"$decimal": [2, 314]}, "x": {"$bytes": "AP8="}, "void": null, "list": [1, {"k": true}], "f": {"$f32": 0.1}},
            "properties": {"content_type": "text/plain", "content_encoding": "x", "delivery_mode": 2, "priority": 9,
                "correlation_id": "c", "reply_to": "r", "expiration": "600000", "message_id": "m", "type": "t",
                "user_id": "guest", "app_id": "app"}}),
    ];
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), lines.each_ref().map(ToString::to_string).join("\n")).expect("writes");
    let (first, second) =
        (tempfile::NamedTempFile::new().expect("a file"), tempfile::NamedTempFile::new().expect("a file"));
    sh(&format!(
        "mscomm -p test amqp queue declare {a}; mscomm -p test amqp queue declare {b}
         mscomm -p test kafka topic create {topic}
         mscomm -p test amqp publish --input json -d @{file}
         mscomm -p test amqp consume {a} -n 3 -o json > {first}
         mscomm -p test kafka produce {topic} --input json -d @{first}
         mscomm -p test kafka tail {topic} --from begin -n 3 -o json | mscomm -p test amqp publish -k {b} --input json
         mscomm -p test amqp consume {b} -n 3 -o json > {second}
         mscomm -p test amqp queue delete {a}; mscomm -p test amqp queue delete {b}",
        file = file.path().display(),
        first = first.path().display(),
        second = second.path().display(),
    ));
    let read = |f: &tempfile::NamedTempFile| {
        messages(&std::fs::read_to_string(f.path()).expect("reads"), &["value", "headers", "properties"])
    };
    let got = read(&first);
    assert_eq!(got[2]["headers"], lines[2]["headers"]);
    assert_eq!(got[2]["properties"], lines[2]["properties"]);
    assert_eq!(read(&second), got);
}

#[test]
fn kafka_to_amqp_and_back_changes_nothing() {
    let (queue, from, to) = (unique("q"), unique("from"), unique("to"));
    let lines = [
        json!({"key": "k", "value": "v", "headers": [["a", "1"]]}),
        json!({"key": null, "value": "v", "headers": [["a", "1"], ["a", null], ["a", {"$base64": "/w=="}]]}),
        json!({"key": {"$base64": "/w=="}, "value": null}),
        json!({"key": "", "value": "", "headers": [["", ""]]}),
    ];
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), lines.each_ref().map(ToString::to_string).join("\n")).expect("writes");
    let out = sh(&format!(
        "mscomm -p test amqp queue declare {queue}
         mscomm -p test kafka topic create {from}; mscomm -p test kafka topic create {to}
         mscomm -p test kafka produce {from} --input json -d @{file}
         mscomm -p test kafka tail {from} --from begin -n 4 -o json | mscomm -p test amqp publish -k {queue} --input json
         mscomm -p test amqp consume {queue} -n 4 -o json | mscomm -p test kafka produce {to} --input json
         mscomm -p test amqp queue delete {queue}
         mscomm -p test kafka tail {from} --from begin --until-end -o json
         mscomm -p test kafka tail {to} --from begin --until-end -o json",
        file = file.path().display(),
    ));
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 8, "{out}");
    let members = ["key", "value", "headers", "timestamp"];
    assert_eq!(messages(&lines[4..].join("\n"), &members), messages(&lines[..4].join("\n"), &members));
}

#[cfg(feature = "sandbox")]
#[test]
fn the_main_job_as_a_user_types_it() {
    let (orders, t1) = (unique("orders"), unique("t1"));
    let out = sh(&format!(
        r#"mscomm -p test amqp queue declare {orders} --quorum
        seq 1 100000 | mscomm -p test amqp publish -k {orders}
        mscomm -p test amqp consume {orders} -n 100000 -o raw | sort -n | tail -1
        mscomm -p test kafka topic create {t1} --partitions 3
        seq 1 100000 | mscomm -p test kafka produce {t1}
        mscomm -p test kafka tail {t1} --from begin --until-end -o json | wc -l
        mscomm -p test kafka tail {t1} --from begin -n 10 -o json | mscomm -p test amqp publish -k {orders} --input json
        mscomm -p test amqp queue info {orders} -o json
        mscomm sandbox -- sh -c 'mscomm grpc call helloworld.Greeter/SayHello -d "{{\"name\":\"world\"}}"'
        code=0; mscomm -p test amqp consume {orders}-nosuch 2>&1 || code=$?; echo $code
        mscomm -p test amqp queue delete {orders}; mscomm -p test kafka topic delete {t1}"#
    ));
    let lines: Vec<&str> = out.lines().filter(|l| !l.is_empty()).collect();
    assert!(lines.contains(&"100000"), "{out}");
    assert_eq!(lines.iter().filter(|l| l.trim() == "100000").count(), 2, "{out}");
    assert!(out.contains("\"messages\":10"), "{out}");
    assert!(out.contains(r#"{"message":"Hello world"}"#), "{out}");
    let refused = lines.iter().position(|l| *l == "8").expect("exit code 8");
    assert!(lines[refused - 1].contains("-nosuch") || lines[refused - 2].contains("-nosuch"), "{out}");
}

/// Whatever reads an input: an error is not its end, at the first read or behind a part of it.
#[test]
fn an_input_that_cannot_be_read_is_an_error_everywhere() {
    // Behind a part: the other end leaves something unread when it closes, which is told as a reset.
    let (mut ours, mut theirs) = UnixStream::pair().expect("a pair");
    theirs.write_all(b"unread").expect("writes");
    ours.write_all(b"a\nb").expect("writes");
    drop(ours);
    let script = "
        mscomm -q amqp queue declare q
        for verb in 'amqp publish -k q' 'kafka produce t'; do
            for data in '' '-d @-' '-d @'; do
                for mode in lines raw json; do mscomm $verb $data --input $mode < / || echo $?; done
            done
            mscomm $verb < /proc/self/mem || echo $?
        done
        mscomm amqp publish -k q || echo $?";
    let mut run = mscomm(&["sandbox", "-q", "--topic", "t", "--", "sh", "-c", script]).env("PATH", path());
    run.command.stdin(OwnedFd::from(theirs));
    let done = run.run().ok();
    assert_eq!(done.text(), "10\n".repeat(21), "{}", done.stderr);
    assert_eq!(done.stderr.matches("cannot read standard input").count(), 21, "{}", done.stderr);
}

#[test]
fn grpcurls_at_is_standard_input_everywhere() {
    let line = "echo one | mscomm -q kafka produce t -d @; mscomm -q kafka tail t --from begin --until-end
        mscomm -q amqp queue declare q; echo two | mscomm -q amqp publish -k q -d @; mscomm -q amqp get q";
    let run = mscomm(&["sandbox", "-q", "--topic", "t", "--", "sh", "-euc", line]).env("PATH", path());
    assert_eq!(run.run().ok().text(), "one\ntwo\n");
}

/// Not an empty input: nobody would have sent what a script lost.
#[test]
fn a_standard_input_that_is_closed_is_no_empty_one() {
    let call = ["grpc", "call", "-s", "127.0.0.1:1", "helloworld.Greeter/SayHello"];
    for args in [
        &["amqp", "publish", "-k", "q"][..],
        &["amqp", "publish", "-k", "q", "-d", "@-"],
        &["amqp", "publish", "--no-confirm", "-k", "q", "--input", "raw"],
        &["amqp", "publish", "--input", "json"],
        &["kafka", "produce", "t"],
        &["kafka", "produce", "t", "-d", "@-", "--input", "json"],
        &[&call[..], &["-d", "@-"]].concat(),
        &[&call[..], &["--descriptor-set", "-", "--reflection", "off", "-d", "{}"]].concat(),
    ] {
        // Nothing listens there, and nobody has to ask.
        let servers = [("MSCOMM_AMQP_SERVER", "amqp://127.0.0.1:1"), ("MSCOMM_KAFKA_SERVER", "127.0.0.1:1")];
        let run = servers.iter().fold(mscomm(args), |run, (name, value)| run.env(name, *value));
        run.run_without_stdin().fails(10).says(&["cannot read standard input", "closed"]);
    }
    // What the method takes only its server knows.
    let line = "mscomm grpc call helloworld.Greeter/SayHello <&-";
    let run = mscomm(&["sandbox", "-q", "--only", "grpc", "--", "sh", "-c", line]).env("PATH", path());
    run.run().fails(10).says(&["cannot read standard input", "closed"]);
}

/// A peer's words, which have the user's own in them here, are no lines of ours.
#[test]
fn what_a_broker_says_stands_on_one_line() {
    let name = "a\nerror: b\nhint: c\n  Code: d";
    for verb in [&["amqp", "get"][..], &["amqp", "publish", "-d", "x", "-e"], &["kafka", "topic", "describe"]] {
        let done = mscomm(&[&["sandbox", "-q", "--", BINARY], verb, &[name]].concat()).run();
        assert_ne!(done.code, 0);
        let begins = |label: &str| done.stderr.lines().filter(|line| line.trim_start().starts_with(label)).count();
        assert_eq!(begins("error:"), 1, "{}", done.stderr);
        let is_imitated = done.stderr.lines().any(|line| line == "hint: c" || line.trim_start().starts_with("Code:"));
        assert!(!is_imitated, "{}", done.stderr);
    }
}

#[test]
fn a_host_that_drops_packets_is_left_in_time() {
    let hole = BlackHole::dig();
    let address = hole.address.to_string();
    for (args, limit) in [
        (&["grpc", "list", "-s", &address, "--plaintext", "--connect-timeout", "300ms"][..], "300ms"),
        (&["grpc", "list", "-s", &address, "--tls", "--insecure", "--connect-timeout", "300ms"], "300ms"),
        (&["amqp", "get", "q", "-s", &format!("amqp://{address}"), "--connect-timeout", "300ms"], "300ms"),
        (&["amqp", "get", "q", "-s", &format!("amqps://{address}?connection_timeout=300"), "--insecure"], "300ms"),
        (&["kafka", "topic", "list", "-s", &address, "--connect-timeout", "300ms"], "300ms"),
        (&["amqp", "get", "q", "-s", &format!("amqp://{address}"), "--wait=300ms"], "--wait=300ms"),
        (&["grpc", "list", "-s", &address, "--plaintext", "--wait=300ms"], "--wait=300ms"),
    ] {
        mscomm(args).run().fails(7).says(&[limit]);
    }
}

#[test]
fn secrets_that_go_in_the_clear_are_warned_of() {
    const SAYS: &str = "over the network in the clear";
    let amqps =
        |args: &[&str]| mscomm(&[&["amqp", "get", "q", "-s", "amqps://u:p@127.0.0.1:1"], args].concat()).run().exits(4);
    amqps(&["--plaintext"]).says(&["warning: without TLS (--plaintext) the password goes", SAYS]);
    let grpc = |args: &[&str]| mscomm(&[&["grpc", "list", "-s", "https://127.0.0.1:1"], args].concat()).run().exits(4);
    grpc(&["--plaintext", "-H", "authorization: x"]).says(&["the metadata of -H goes", SAYS]);
    let sasl = ["--sasl-mechanism", "PLAIN", "--username", "u", "--password", "p"];
    let kafka = |args: &[&str]| {
        let list = ["kafka", "topic", "list", "-s", "127.0.0.1:1", "--connect-timeout", "2s"];
        mscomm(&[&list, &sasl[..], args].concat()).run().exits(4)
    };
    kafka(&["--plaintext"]).says(&["the password goes", SAYS]);
    let scram = ["kafka", "topic", "list", "-s", "127.0.0.1:1", "--sasl-mechanism", "SCRAM-SHA-256"];
    let scram = mscomm(&[&scram[..], &sasl[2..], &["--plaintext"]].concat()).run().exits(4);
    // What was asked for, what is not sent, and what nobody could read.
    let plain = mscomm(&["amqp", "get", "q", "-s", "amqp://u:p@127.0.0.1:1", "--plaintext"]).run().exits(4);
    for done in
        [amqps(&[]), amqps(&["--plaintext", "--sasl-mechanism", "external"]), grpc(&["--plaintext"]), scram, plain]
    {
        assert!(!done.stderr.contains(SAYS), "{}", done.stderr);
    }
}
