//! Quorum queues count what comes back: looking is delivering.

use super::{Reader, amqp, at, holds, queue};
use crate::support::{Done, eventually, test_env, unique};

fn lines(n: usize) -> String {
    (1..=n).map(|i| format!("{i}\n")).collect()
}

/// A quorum queue with the lines 1 to `n`.
fn quorum(n: usize, flags: &[&str]) -> String {
    let queue = queue(&[&["--quorum"], flags].concat());
    amqp(&["publish", "-k", &queue]).stdin(lines(n)).run().ok();
    queue
}

#[test]
fn a_look_is_counted_and_said_to_be() {
    let dead = queue(&[]);
    let limit = ["-A", "x-delivery-limit=1", "--dead-letter-exchange", "", "--dead-letter-routing-key", &dead];
    let limited = quorum(2, &[&limit, &["--max-length", "10", "--overflow", "reject-publish"][..]].concat());
    let says = format!("queue `{limited}` counts each look at a message as a delivery: with a delivery limit");
    for _ in 0..2 {
        assert_eq!(amqp(&["get", &limited]).run().ok().says(&[&says]).text(), "1\n");
    }
    holds(&dead, 1);
    assert_eq!(amqp(&["get", &limited]).run().ok().text(), "2\n");
    holds(&limited, 1);
    amqp(&["consume", &limited, "--requeue", "--until-end"]).run().ok().says(&[&says]);
    holds(&dead, 2);
    amqp(&["get", &limited]).run().fails(1).says(&["is empty"]);

    let free = quorum(1, &[]);
    amqp(&["get", &free]).run().ok().says(&["counts each look"]);
    let plain = super::filled(1);
    assert_eq!(amqp(&["get", &plain]).run().ok().stderr, "");
    assert_eq!(amqp(&["consume", &plain, "--requeue", "--until-end"]).run().ok().stderr, "");
}

#[test]
fn many_looks_leave_the_order() {
    let queue = quorum(25, &[]);
    for _ in 0..3 {
        assert_eq!(amqp(&["get", &queue, "-n", "23"]).run().ok().text(), lines(23));
        holds(&queue, 25);
    }
    assert_eq!(amqp(&["get", &queue, "-n", "25"]).run().ok().text(), lines(25));
}

#[test]
fn a_look_takes_the_channels_that_there_are() {
    let queue = quorum(25, &[]);
    for (channels, n, is_ordered) in [(1, 9, true), (2, 18, true), (1, 20, false), (2, 25, false)] {
        let server = format!("{}?channel_max={channels}", test_env("AMQP"));
        let done = at(&server, &["get", &queue, "-n", &n.to_string()]).run().ok().says(&["counts each look"]);
        assert_eq!(done.lines().len(), n);
        assert!(!is_ordered || done.text() == lines(n), "{channels} {n}: {}", done.text());
        holds(&queue, 25);
    }
}

#[test]
fn what_was_looked_at_before_an_error_is_shown() {
    let queue = quorum(1, &[]);
    let exchange = unique("fanout");
    amqp(&["exchange", "declare", &exchange, "-t", "fanout", "--auto-delete"]).run().ok();
    amqp(&["bind", &exchange, &queue]).run().ok();
    let bad = ["publish", "-e", &exchange, "-k", super::proxy::PLACEHOLDER, "-d", "bad"];
    at(&super::proxy::Proxy::start().uri(), &bad).run().ok();
    let done = amqp(&["get", &queue, "-n", "2"]).run().exits(8).says(&["cannot be read", "counts each look"]);
    assert_eq!(done.text(), "1\n");
}

/// How many of 40 messages came back when a reader was killed that had read none of them.
fn came_back(queue: &str, done: impl FnOnce(&str) -> super::Run) -> usize {
    // More than a pipe holds, which nobody reads.
    let body = "x".repeat(100_000);
    amqp(&["publish", "-k", queue]).stdin(format!("{body}\n").repeat(40)).run().ok();
    let (_reader, writer) = std::io::pipe().expect("a pipe");
    let mut run = done(queue);
    run.command.stdout(writer);
    let running = run.start_with_own_stdout();
    let count = |at: usize| amqp(&["queue", "info", queue]).run().ok().text().split('\t').nth(at).map(str::to_owned);
    eventually("messages are on their way", || (count(1)?.parse::<u64>().ok()? <= 20).then_some(()));
    running.signal("KILL");
    running.wait().exits(137);
    holds(queue, 40);
    let all = amqp(&["get", queue, "-n", "40", "-o", "json"]).run().ok().text();
    all.lines().filter(|line| line.contains("\"redelivered\":true")).count()
}

#[test]
fn little_is_sent_ahead_of_a_reader_where_it_counts() {
    let counted = queue(&["--quorum", "--dead-letter-exchange", "it's", "--max-length", "100"]);
    assert_eq!(came_back(&counted, |queue| amqp(&["consume", queue])), 20);
    let asked = queue(&["--quorum"]);
    assert_eq!(came_back(&asked, |queue| amqp(&["consume", queue, "--prefetch", "30"])), 30);
    let plain = queue(&["--max-priority", "3"]);
    assert_eq!(came_back(&plain, |queue| amqp(&["consume", queue])), 40);
}

#[test]
fn who_may_not_declare_gets_little_ahead() {
    let user = Reader::add();
    let server = &user.server;
    let plain = queue(&[]);
    assert_eq!(came_back(&plain, |queue| at(server, &["consume", queue])), 20);
    let done: Done = at(server, &["consume", &plain, "-n", "40", "-o", "%S\\n"]).run().ok();
    assert_eq!(done.lines().len(), 40);
}

#[test]
fn finding_out_leaves_no_trace_in_later_words() {
    // What was refused on the way is not the reason of what happens later.
    let (queue, proxy) = (quorum(1, &[]), super::proxy::Proxy::start());
    let running = at(&proxy.uri(), &["consume", &queue]).start();
    running.wait_for_lines(1);
    proxy.cut();
    let done = running.wait().exits(4);
    assert!(!done.stderr.contains("PRECONDITION") && done.stderr.contains("lost"), "{}", done.stderr);
    // And it makes no queue.
    let missing = unique("missing");
    for flags in [&["--until-end"][..], &["--requeue"], &[]] {
        let done = amqp(&[&["consume", &missing], flags].concat()).run().fails(8).says(&["404"]);
        assert!(!done.stderr.contains("PRECONDITION"), "{}", done.stderr);
    }
    amqp(&["queue", "info", &missing]).run().fails(8);
}
