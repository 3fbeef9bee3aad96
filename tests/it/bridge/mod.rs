//! `mscomm bridge`: any reader into any writer, settled when the writer confirmed.

mod amqp;
#[cfg(feature = "sandbox")]
mod calm;
mod faults;
#[cfg(feature = "sandbox")]
mod grpc;
pub(crate) mod kills;
#[cfg(feature = "sandbox")]
pub(crate) mod notes;
mod once;
#[cfg(feature = "sandbox")]
mod pairs;
#[cfg(feature = "sandbox")]
mod records;
mod refusal;
mod side;
mod soak;

use crate::support::{Run, mscomm, test_env};

/// A bridge between the test's brokers.
pub(crate) fn bridge(args: &[&str]) -> Run {
    mscomm(&[&["bridge"], args].concat())
        .env("MSCOMM_AMQP_SERVER", test_env("AMQP"))
        .env("MSCOMM_KAFKA_SERVER", test_env("KAFKA"))
}

#[test]
fn what_was_typed_is_checked_before_anything_connects() {
    let nowhere = "amqp://127.0.0.1:1";
    for (args, says) in [
        (&["amqp", "consume", "q"][..], "there is no --to"),
        (&["--to", "stdout"], "bridge"),
        (&["amqp", "consume", "q", "--to"], "mscomm bridge … --to"),
        (&["amqp", "publish", "--to", "stdout"], "unrecognized subcommand 'publish'"),
        (&["amqp", "consume", "q", "--to", "amqp", "consume", "r"], "unrecognized subcommand 'consume'"),
        (&["amqp", "consume", "q", "-o", "json", "--to", "stdout"], "unexpected argument '-o'"),
        (&["amqp", "consume", "q", "--to", "amqp", "publish", "-k", "r", "-d", "x"], "unexpected argument '-d'"),
        (
            &["amqp", "consume", "q", "--to", "amqp", "publish"],
            "to amqp publish: neither an exchange nor a routing key",
        ),
        (&["amqp", "consume", "", "--to", "stdout"], "from amqp consume: the name of the queue is empty"),
        (
            &["stdin", "-d", "x", "--to", "amqp", "publish", "-k", "r", "--on-refusal", "reject"],
            "for messages of a queue",
        ),
        (&["amqp", "consume", "q", "--to", "amqp", "publish", "-k", "r", "--on-refusal", "drop"], "dead:TARGET"),
    ] {
        let done = mscomm(&[&["bridge"], args].concat()).env("MSCOMM_AMQP_SERVER", nowhere).run();
        done.fails(2).says(&[says]);
    }
}

#[test]
fn each_side_tells_what_it_takes_and_has_its_own_profile() {
    let left = bridge(&["amqp", "consume", "--help"]).run().ok().text();
    assert!(left.contains("mscomm bridge amqp consume") && left.contains("--prefetch"), "{left}");
    let right = bridge(&["stdin", "--to", "amqp", "publish", "--help"]).run().ok().text();
    assert!(right.contains("--on-refusal") && !right.contains("--input"), "{right}");

    let profile = |name: &str, server: &str| format!("[profiles.{name}.amqp]\nserver = {server:?}\n");
    let text = profile("here", &test_env("AMQP")) + &profile("nowhere", "amqp://127.0.0.1:1");
    let queue = crate::amqp::filled(2);
    let with = |args: &[&str]| mscomm(args).config(&text).run();
    let from = ["amqp", "consume", &queue, "-n", "1"];
    let to = ["amqp", "publish", "-k", &queue];
    with(&[&["bridge", "-p", "here"], &from[..], &["--to", "-p", "nowhere"], &to[..]].concat())
        .fails(4)
        .says(&["to amqp publish: cannot connect to 127.0.0.1:1"]);
    with(&[&["bridge", "-p", "nowhere"], &from[..], &["--to", "-p", "here"], &to[..]].concat())
        .fails(4)
        .says(&["from amqp consume: cannot connect to 127.0.0.1:1"]);
    with(&[&["bridge", "-p", "here"], &from[..], &["--to"], &to[..]].concat()).ok().says(&["confirmed 1"]);
    with(&[&["bridge", "-p", "nowhere", "-p", "here"], &from[..], &["--to", "-p", "here"], &to[..]].concat()).fails(2);
    with(&[&["bridge"], &["-p", "here"][..], &from[..], &["--to", "-p", "here"], &to[..]].concat()).ok();
}
