//! `mscomm kafka` on a real broker; what no real broker can be made to do, on librdkafka's mock cluster.

mod acls;
mod brokers;
mod connect;
mod events;
mod gone;
mod group;
mod groups;
mod headers;
mod login;
mod lost;
mod memory;
mod patterns;
mod produce;
mod rebalance;
mod requests;
mod schema;
mod silent;
mod standing;
mod tail;
mod topic;
mod transactions;
mod until;
mod users;
#[cfg(feature = "sandbox")]
mod via;

use std::io::Write;
use std::process::Stdio;

use crate::support::{Done, Run, Running, mscomm, test_env, unique};

/// `mscomm kafka …` on the plain listener.
pub(crate) fn kafka(args: &[&str]) -> Run {
    kafka_at(&test_env("KAFKA"), args)
}

/// `mscomm kafka …` on any listener.
fn kafka_at(server: &str, args: &[&str]) -> Run {
    let mut all = vec!["kafka"];
    all.extend(args);
    mscomm(&all).env("MSCOMM_KAFKA_SERVER", server)
}

/// A topic of its own, with these flags of `topic create`.
pub(crate) fn topic(flags: &[&str]) -> String {
    let name = unique("it");
    let mut args = vec!["topic", "create", &name];
    args.extend(flags);
    kafka(&args).run().ok();
    name
}

pub(crate) fn produce(topic: &str, data: impl Into<Vec<u8>>, flags: &[&str]) -> Done {
    let mut args = vec!["produce", topic];
    args.extend(flags);
    kafka(&args).stdin(data).run()
}

/// All of a topic.
pub(crate) fn read(topic: &str, flags: &[&str]) -> Done {
    let mut args = vec!["tail", topic, "--from", "begin", "--until-end"];
    args.extend(flags);
    kafka(&args).run().ok()
}

fn numbers(from: u32, to: u32) -> String {
    (from..=to).map(|n| format!("{n}\n")).collect()
}

/// Lines that must be exactly these numbers, in any order, each once.
#[track_caller]
fn assert_numbers(done: &Done, from: u32, to: u32) {
    let mut got: Vec<u32> = done.lines().iter().map(|l| l.parse().expect(l)).collect();
    got.sort_unstable();
    assert_eq!(got, (from..=to).collect::<Vec<_>>());
}

/// Starts a command whose standard input stays open.
fn start_open(mut run: Run) -> (Running, std::process::ChildStdin) {
    run.command.stdin(Stdio::piped());
    let mut running = run.start();
    let stdin = running.child.stdin.take().expect("a pipe");
    (running, stdin)
}

fn feed(stdin: &mut std::process::ChildStdin, text: &str) {
    stdin.write_all(text.as_bytes()).expect("takes input");
    stdin.flush().expect("takes input");
}
