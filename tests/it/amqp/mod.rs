//! `mscomm amqp` on a real RabbitMQ.

mod admin;
mod connect;
mod consume;
mod large;
mod moving;
pub(crate) mod proxy;
mod publish;
mod quorum;
mod reasons;
mod requests;
mod roundtrip;
mod silent;
mod tap;
mod tls;
#[cfg(feature = "sandbox")]
mod via;

use std::io::PipeWriter;

pub(crate) use crate::support::Run;
use crate::support::{Running, eventually, mscomm, test_env, unique};

/// A command against the test broker.
pub(crate) fn amqp(args: &[&str]) -> Run {
    at(&test_env("AMQP"), args)
}

/// A command against any server.
pub(crate) fn at(server: &str, args: &[&str]) -> Run {
    mscomm(&[&["amqp"], args].concat()).env("MSCOMM_AMQP_SERVER", server)
}

/// A fresh queue; `flags` go to `queue declare`.
pub(crate) fn queue(flags: &[&str]) -> String {
    let name = unique("queue");
    amqp(&[&["queue", "declare", &name], flags].concat()).run().ok();
    name
}

/// A fresh queue with the lines 1 to `n`.
pub(crate) fn filled(n: u64) -> String {
    let name = queue(&[]);
    let lines: String = (1..=n).map(|i| format!("{i}\n")).collect();
    amqp(&["publish", "-k", &name]).stdin(lines).run().ok();
    name
}

/// How many messages are ready in a queue, and its consumers.
pub(crate) fn info(queue: &str) -> (u64, u64) {
    let line = amqp(&["queue", "info", queue]).run().ok().text();
    let mut cells = line.trim_end().split('\t').skip(1).map(|c| c.parse().expect("a number"));
    (cells.next().expect("messages"), cells.next().expect("consumers"))
}

/// Waits until a queue holds so many ready messages: what a lost connection held goes back only when the broker sees it.
pub(crate) fn holds(queue: &str, messages: u64) {
    eventually(&format!("{queue} holds {messages}"), || (info(queue).0 == messages).then_some(()));
}

/// Waits until a queue has a consumer.
pub(crate) fn has_consumer(queue: &str) {
    eventually("a consumer", || (info(queue).1 == 1).then_some(()));
}

/// Starts it with a standard input that stays open.
pub(crate) fn start_open(mut run: Run) -> (Running, PipeWriter) {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    run.command.stdin(reader);
    (run.start(), writer)
}

/// A user who may read, and nothing else; it goes with this.
pub(crate) struct Reader {
    name: String,
    pub server: String,
}

impl Reader {
    pub(crate) fn add() -> Reader {
        let name = unique("reader");
        control(&["add_user", &name, "pw"]);
        control(&["set_permissions", &name, "", "", ".*"]);
        let server = format!("amqp://{name}:pw@{}/", proxy::address());
        Reader { name, server }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        control(&["delete_user", &self.name]);
    }
}

fn control(args: &[&str]) {
    let done = std::process::Command::new(test_env("RABBITMQCTL")).args(args).output().expect("runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
