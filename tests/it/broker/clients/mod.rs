//! Clients that others wrote, against the sandbox.

use std::process::{Command, Stdio};

use super::servers;
use crate::support::{test_env, unique};

/// With the virtual host written out: one that is left out, or empty, means something else to each of them.
fn url() -> String {
    format!("amqp://guest:guest@{}/%2f", servers::sandbox())
}

/// Runs a program; its standard output, if it exited with 0.
#[track_caller]
fn runs(program: &str, args: &[&str], stdin: &str) -> String {
    let mut command = Command::new(program);
    command.args(args).env("AMQP_URL", url()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{program}: {error}"));
    // One that fails early does not read it.
    drop(std::io::Write::write_all(&mut child.stdin.take().expect("is piped"), stdin.as_bytes()));
    let done = child.wait_with_output().expect("ends");
    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{program} {args:?}: {}\nstdout: {out}\nstderr: {err}", done.status);
    out.into_owned()
}

#[track_caller]
fn python(script: &str) {
    let path = format!("{}/tests/it/broker/clients/{script}", env!("CARGO_MANIFEST_DIR"));
    // A client that waits for ever is ended by `timeout`.
    let out = runs("timeout", &["60", &test_env("PYTHON"), &path], "");
    assert_eq!(out, "ok\n");
}

#[test]
fn pika_blocking() {
    python("pika_blocking.py");
}

#[test]
fn pika_select() {
    python("pika_select.py");
}

#[test]
fn kombu() {
    python("kombu_client.py");
}

#[test]
fn rabbitmq_c() {
    let (url, queue) = (url(), unique("tools"));
    let url = format!("--url={url}");
    assert_eq!(runs("amqp-declare-queue", &[&url, "--queue", &queue, "--durable"], ""), format!("{queue}\n"));
    runs("amqp-publish", &[&url, "-r", &queue, "-p", "-C", "text/plain", "-H", "key: value", "-b", "one"], "");
    runs("amqp-publish", &[&url, "-r", &queue, "-l"], "two\nthree\n");
    assert_eq!(runs("amqp-get", &[&url, "--queue", &queue], ""), "one");
    let out =
        runs("timeout", &["60", "amqp-consume", &url, "--queue", &queue, "--count=2", "--prefetch-count=1", "cat"], "");
    assert_eq!(out, "two\nthree\n");
    // What a command does not take goes back; it has to read it, or amqp-consume dies of the broken pipe.
    runs("amqp-publish", &[&url, "-r", &queue], "a whole standard input");
    runs("timeout", &["60", "amqp-consume", &url, "--queue", &queue, "--count=1", "grep", "another"], "");
    assert_eq!(runs("amqp-get", &[&url, "--queue", &queue], ""), "a whole standard input");
    runs("amqp-delete-queue", &[&url, "--queue", &queue], "");
    // An exclusive queue of its own, bound to an exchange.
    let consume = format!("timeout 60 amqp-consume '{url}' -e amq.topic -r {queue} -x --count=1 cat & ");
    let publish = format!(
        "while kill -0 $! 2>/dev/null; do amqp-publish '{url}' -e amq.topic -r {queue} -b hello; done; wait $!"
    );
    assert_eq!(runs("sh", &["-c", &(consume + &publish)], ""), "hello");
}

/// What mscomm's own tests ask of RabbitMQ, which is lapin as the client. Left out is what needs rabbitmqctl, TLS, streams.
#[test]
fn lapin() {
    let tests = std::env::current_exe().expect("a path");
    let tests = tests.to_str().expect("UTF-8");
    let address = format!("MSCOMM_TEST_AMQP=amqp://guest:guest@{}/", servers::sandbox());
    let mut args =
        vec![&*address, tests, "amqp::admin", "amqp::consume", "amqp::publish", "amqp::quorum", "amqp::roundtrip"];
    for skipped in SKIPPED {
        args.extend(["--skip", skipped]);
    }
    let out = runs("env", &args, "");
    assert!(!out.contains("running 0 tests"), "{out}");
}

/// Streams, TLS, and permissions.
const SKIPPED: [&str; 6] = [
    "streams",
    "a_slow_network_is_no_end",
    "a_stream_is_read_where_nobody_says_that_it_is_one",
    "a_name_that_is_too_long_for_a_stream",
    "what_is_not_confirmed_arrives_whole_and_in_order",
    "who_may_not_declare_gets_little_ahead",
];

/// Each line is a run of perf-test: 2 producers of so many messages, and a consumer of them all, which ends when it has them.
/// It is one consumer, because perf-test wants a count of each, and nothing shares them out evenly.
#[test]
fn perf_test() {
    for (messages, options) in [
        (2000, "--confirm 50 --qos 100 --multi-ack-every 10"),
        (200, "--autoack --size 100000"),
        (2000, "--flag persistent --flag mandatory --quorum-queue --confirm 10 --qos 20"),
        (
            2000,
            "--type topic --routing-key a.b --queue-args x-max-priority=5,x-queue-mode=lazy --message-properties priority=3",
        ),
        (100, "--polling --polling-interval 1"),
        (300, "--nack --requeue false --qos 10"),
    ] {
        let (url, id, jars) = (url(), unique("perf"), format!("{}/*", test_env("PERF_TEST")));
        let line = format!(
            "com.rabbitmq.perf.PerfTest --uri {url} --id {id} --queue {id} --exchange {id}-x --producers 2 --consumers 1 \
             --pmessages {messages} --cmessages {} {options}",
            2 * messages
        );
        let mut args = vec!["60", "java", "-XX:TieredStopAtLevel=1", "-cp", &jars];
        args.extend(line.split(' '));
        let out = runs("timeout", &args, "");
        assert!(out.contains("receiving rate avg"), "{out}");
    }
}
