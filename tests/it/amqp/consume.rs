//! `consume` and `get`: nothing is settled that was not written.

use std::collections::BTreeSet;

use super::proxy::{PLACEHOLDER, Proxy};
use super::{Reader, amqp, at, filled, has_consumer, holds, info, queue};

fn numbers(text: &str) -> BTreeSet<u64> {
    text.lines().map(|l| l.parse().expect("a number")).collect()
}

#[test]
fn a_count_takes_no_more_than_that() {
    let queue = filled(20);
    assert_eq!(amqp(&["consume", &queue, "-n", "5"]).run().ok().text(), "1\n2\n3\n4\n5\n");
    holds(&queue, 15);
    let next = amqp(&["get", &queue, "-o", "json"]).run().ok().text();
    assert!(next.contains("\"value\":\"6\"") && next.contains("\"redelivered\":false"), "{next}");
    // More than a prefetch, and not a multiple of a batch.
    let queue = filled(3000);
    let done = amqp(&["consume", &queue, "-n", "2501", "--prefetch", "1000"]).run().ok();
    assert_eq!(numbers(&done.text()), (1..=2501).collect());
    holds(&queue, 499);
    let next = amqp(&["get", &queue, "-o", "json"]).run().ok().text();
    assert!(next.contains("\"value\":\"2502\"") && next.contains("\"redelivered\":false"), "{next}");
}

#[test]
fn every_prefetch_gives_the_same() {
    for prefetch in ["1", "2", "3", "255", "65535"] {
        let queue = filled(300);
        let text = amqp(&["consume", &queue, "--until-end", "--prefetch", prefetch]).run().ok().text();
        assert_eq!(text, (1..=300).map(|i| format!("{i}\n")).collect::<String>(), "{prefetch}");
        assert_eq!(info(&queue), (0, 0));
    }
}

#[test]
fn the_end_and_idleness() {
    let queue = filled(3);
    assert_eq!(amqp(&["consume", &queue, "--until-end"]).run().ok().text(), "1\n2\n3\n");
    assert_eq!(amqp(&["consume", &queue, "--until-end"]).run().ok().text(), "");
    amqp(&["consume", &queue, "--idle-timeout", "50ms"]).run().ok();
    amqp(&["consume", &queue, "--until-end", "-n", "1"]).run().fails(1).says(&["0 messages", &queue]);
    amqp(&["consume", &queue, "--idle-timeout", "50ms", "-n", "1"]).run().fails(1);
    amqp(&["publish", "-k", &queue, "-d", "x"]).run().ok();
    amqp(&["consume", &queue, "--idle-timeout", "300ms", "-n", "2"]).run().exits(1).says(&["fewer than 2"]);
    assert_eq!(info(&queue), (0, 0), "what was written is settled all the same");
}

/// A message that is under way for longer than a queue may be silent: what is coming is neither the end nor idleness.
#[test]
fn a_slow_network_is_no_end() {
    let cases =
        [(&[][..], &["--until-end"][..]), (&["--stream"], &["--until-end"]), (&[], &["--idle-timeout", "500ms"])];
    let large = "x".repeat(1_500_000);
    let runs = cases.map(|(kind, end)| {
        let (queue, proxy) = (queue(kind), Proxy::start().slow(1_000_000));
        amqp(&["publish", "-k", &queue]).stdin(format!("{large}\nsmall\n")).run().ok();
        at(&proxy.uri(), &[&["consume", &queue], end].concat()).start()
    });
    for (running, case) in runs.into_iter().zip(cases) {
        assert!(running.wait().ok().text() == format!("{large}\nsmall\n"), "{case:?}");
    }
}

#[test]
fn a_queue_that_sends_nothing_is_not_read() {
    let (queue, proxy) = (queue(&["-A", "x-single-active-consumer=true"]), Proxy::start());
    let active = at(&proxy.uri(), &["consume", &queue, "--prefetch", "1"]).start();
    has_consumer(&queue);
    proxy.stop();
    amqp(&["publish", "-k", &queue]).stdin("1\n2\n3\n").run().ok();
    holds(&queue, 2);
    amqp(&["consume", &queue, "--until-end"]).run().fails(1).says(&[
        "held 2 messages",
        "0 messages came",
        "single active",
    ]);
    active.signal("KILL");
    active.wait().exits(137);
}

#[test]
fn ways_to_settle() {
    let dead = queue(&[]);
    let queue = queue(&["--dead-letter-exchange", "", "--dead-letter-routing-key", &dead]);
    amqp(&["publish", "-k", &queue]).stdin("1\n2\n3\n4\n").run().ok();
    for args in [&["--until-end"][..], &["-n", "4"], &["-n", "2"]] {
        let text = amqp(&[&["consume", &queue, "--requeue"], args].concat()).run().ok().text();
        assert!("1\n2\n3\n4\n".starts_with(&text) && text.len() >= 4, "{args:?}: {text}");
        holds(&queue, 4);
    }
    assert_eq!(amqp(&["consume", &queue, "--nack", "-n", "1"]).run().ok().text(), "1\n");
    holds(&dead, 1);
    assert_eq!(amqp(&["consume", &queue, "--no-ack", "-n", "1"]).run().ok().text(), "2\n");
    holds(&queue, 2);
    assert_eq!(amqp(&["consume", &queue, "--ack", "-n", "1"]).run().ok().text(), "3\n");
    assert_eq!((info(&queue).0, info(&dead).0), (1, 1));
}

#[test]
fn a_quorum_queue_keeps_its_order_over_a_requeue() {
    let queue = queue(&["--quorum"]);
    amqp(&["publish", "-k", &queue]).stdin("1\n2\n3\n4\n").run().ok();
    for _ in 0..2 {
        assert_eq!(amqp(&["consume", &queue, "--requeue", "--until-end"]).run().ok().text(), "1\n2\n3\n4\n");
        holds(&queue, 4);
    }
    assert_eq!(amqp(&["consume", &queue, "-n", "4"]).run().ok().text(), "1\n2\n3\n4\n");
}

#[test]
fn a_full_disk_settles_nothing() {
    let queue = filled(500);
    amqp(&["consume", &queue]).stdout_to("/dev/full").run_with_own_stdout().fails(10).says(&["No space left"]);
    holds(&queue, 500);
    amqp(&["get", &queue]).stdout_to("/dev/full").run_with_own_stdout().fails(10);
    holds(&queue, 500);
}

#[test]
fn without_standard_output_nothing_is_settled() {
    let queue = filled(3);
    for verb in ["consume", "get"] {
        amqp(&[verb, &queue]).run_without_stdout().fails(10).says(&["cannot write to standard output"]);
        holds(&queue, 3);
    }
}

#[test]
fn a_closed_pipe_settles_nothing_and_is_quiet() {
    for n in [0, 500] {
        let queue = filled(n);
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut run = amqp(&["consume", &queue]);
        run.command.stdout(writer);
        assert_eq!(run.run_with_own_stdout().ok().stderr, "");
        holds(&queue, n);
    }
}

#[test]
fn a_killed_reader_loses_nothing() {
    let queue = filled(5000);
    let running = amqp(&["consume", &queue, "--prefetch", "100"]).start();
    running.wait_for_lines(700);
    running.signal("KILL");
    let mut seen = running.wait().exits(137).text();
    // A line cut in the middle was not flushed whole, so it was not settled.
    seen.truncate(seen.rfind('\n').map_or(0, |at| at + 1));
    let mut all = numbers(&seen);
    super::eventually("the consumer is gone", || (info(&queue).1 == 0).then_some(()));
    all.extend(numbers(&amqp(&["consume", &queue, "--until-end"]).run().ok().text()));
    assert_eq!(all, (1..=5000).collect());
}

#[test]
fn signals_settle_what_was_written() {
    for (signal, code) in [("INT", 130), ("TERM", 143), ("TERM TERM", 143), ("INT INT", 130)] {
        let queue = filled(3);
        let running = amqp(&["consume", &queue]).start();
        running.wait_for_lines(3);
        running.signal(signal);
        let done = running.wait().exits(code).says(&["read 3, settled 3"]);
        assert_eq!(done.text(), "1\n2\n3\n");
        assert_eq!(info(&queue), (0, 0));
    }
}

#[test]
fn a_first_message_appears_at_once_and_is_settled() {
    let queue = queue(&[]);
    let running = amqp(&["consume", &queue, "-n", "1000"]).start();
    has_consumer(&queue);
    amqp(&["publish", "-k", &queue, "-d", "first"]).run().ok();
    assert_eq!(running.wait_for_lines(1), ["first"]);
    running.signal("TERM");
    running.wait().exits(143);
    assert_eq!(info(&queue).0, 0);
}

#[test]
fn the_deadline_ends_it() {
    let queue = filled(1);
    amqp(&["consume", &queue, "--timeout", "500ms"]).run().exits(7).says(&["read 1, settled 1"]);
    assert_eq!(info(&queue).0, 0);
}

#[test]
fn a_deleted_queue_ends_it() {
    let queue = filled(2);
    let running = amqp(&["consume", &queue]).start();
    running.wait_for_lines(2);
    amqp(&["queue", "delete", &queue]).run().ok();
    let done = running.wait().exits(8).says(&[&queue, "was deleted"]);
    assert_eq!(done.text(), "1\n2\n");
}

#[test]
fn a_missing_queue_is_one_clear_line() {
    for args in [
        &["consume", "nosuch"][..],
        &["consume", "nosuch", "--until-end"],
        &["get", "nosuch"],
        &["queue", "info", "nosuch"],
    ] {
        let done = amqp(args).run().fails(8).says(&["404 NOT_FOUND - no queue 'nosuch'"]);
        assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
    }
}

#[test]
fn an_exclusive_consumer_is_left_alone() {
    let queue = queue(&[]);
    let running = amqp(&["consume", &queue, "--exclusive", "--consumer-tag", "mine"]).start();
    has_consumer(&queue);
    amqp(&["consume", &queue]).run().fails(6).says(&["403", &queue]);
    running.signal("INT");
    running.wait().fails(130);
}

#[test]
fn a_lost_connection_is_an_error() {
    let (queue, proxy) = (filled(2), Proxy::start());
    let running = at(&proxy.uri(), &["consume", &queue]).start();
    running.wait_for_lines(2);
    proxy.cut();
    running.wait().exits(4).says(&[&queue, "lost"]);
}

#[test]
fn a_silent_broker_is_noticed_by_its_heartbeats() {
    let (queue, proxy) = (queue(&[]), Proxy::start());
    let running = at(&proxy.uri(), &["consume", &queue, "--heartbeat", "1s"]).start();
    has_consumer(&queue);
    proxy.mute();
    running.wait().fails(4).says(&["heartbeat"]);
}

#[test]
fn get_changes_nothing() {
    for kind in [&[][..], &["--quorum"]] {
        let queue = queue(kind);
        amqp(&["publish", "-k", &queue]).stdin("1\n2\n3\n").run().ok();
        for _ in 0..2 {
            let text = amqp(&["get", &queue, "-n", "3"]).run().ok().text();
            assert_eq!(text, "1\n2\n3\n", "{kind:?}");
            holds(&queue, 3);
        }
        let short = amqp(&["get", &queue, "-n", "4"]).run().exits(1).says(&["holds 3 messages, fewer than 4"]);
        assert_eq!(short.text(), "1\n2\n3\n");
        holds(&queue, 3);
        for _ in 0..3 {
            // A quorum queue sets what goes back behind what went back earlier.
            let text = amqp(&["get", &queue]).run().ok().text();
            assert!(text == "1\n" || kind == ["--quorum"], "{text}");
            holds(&queue, 3);
        }
        amqp(&["queue", "purge", &queue]).run().ok();
        amqp(&["get", &queue]).run().fails(1).says(&["is empty"]);
    }
}

#[test]
fn streams_are_read_from_an_offset() {
    let queue = queue(&["--stream"]);
    amqp(&["publish", "-k", &queue]).stdin("0\n1\n2\n3\n").run().ok();
    for _ in 0..2 {
        for first in ["begin", "first", "earliest"] {
            assert_eq!(amqp(&["consume", &queue, "--from", first, "--until-end"]).run().ok().text(), "0\n1\n2\n3\n");
        }
    }
    assert_eq!(amqp(&["consume", &queue, "--from", "2", "-n", "2"]).run().ok().text(), "2\n3\n");
    amqp(&["get", &queue]).run().fails(8).says(&["540", "--from begin"]);
}

#[test]
fn streams_from_their_first_message_to_their_end() {
    let queue = queue(&["--stream", "--max-length-bytes", "1G"]);
    amqp(&["publish", "-k", &queue]).stdin("0\n1\n2\n").run().ok();
    let all = amqp(&["consume", &queue, "--until-end", "-o", "%o %s\n"]).run().ok();
    assert_eq!(all.text(), "0 0\n1 1\n2 2\n");
    // So long ago: the broker begins with the chunk that the time falls into.
    for offset in ["5m", "-1h30m", "yesterday", "@2026-01-01T00:00:00Z"] {
        let text = amqp(&["consume", &queue, "--from", offset, "--until-end"]).run().ok().text();
        assert_eq!(text, "0\n1\n2\n", "{offset}");
    }
    for last in ["next", "end"] {
        assert_eq!(amqp(&["consume", &queue, "--from", last, "--until-end"]).run().ok().text(), "");
    }
    amqp(&["consume", &queue, "--from", "5x"]).run().fails(2).says(&["begin, end, last", "1h for an hour ago"]);
    amqp(&["consume", &queue, "--from", "-2"]).run().fails(2).says(&["does not count from its end"]);
    let done = amqp(&["consume", &queue, "--from", "@1790000000000", "--until-end"]).run().ok();
    assert!(done.stderr.contains("a bare number counts seconds here"), "{}", done.stderr);
}

/// Of a user who may not declare it, and of a name that leaves no room for the broker's answer, nobody says what it is.
#[test]
fn a_stream_is_read_where_nobody_says_that_it_is_one() {
    let user = Reader::add();
    let long = |kind: &[&str]| {
        let name = format!("{:x<200}", crate::support::unique("long"));
        amqp(&[&["queue", "declare", &name], kind].concat()).run().ok();
        name
    };
    for kind in [&["--stream"][..], &[], &["--quorum"]] {
        for (server, queue) in [(&user.server, queue(kind)), (&crate::support::test_env("AMQP"), long(kind))] {
            amqp(&["publish", "-k", &queue]).stdin("1\n2\n3\n").run().ok();
            let run = |flags: &[&str]| at(server, &[&["consume", &queue, "--until-end"], flags].concat()).run();
            if kind == ["--stream"] {
                assert_eq!(run(&["-A", "x-stream-offset=1"]).ok().text(), "2\n3\n");
            }
            let done = run(&[]).ok();
            assert_eq!((done.text().as_str(), done.stderr.as_str()), ("1\n2\n3\n", ""), "{kind:?}");
        }
    }
}

#[test]
fn what_a_queue_is_not_read_with() {
    let queue = filled(1);
    amqp(&["consume", &queue, "--from", "first"]).run().fails(8).says(&["406", "only a stream", "leave --from out"]);
    amqp(&["consume", &queue, "-A", "x-priority=high"]).run().fails(8).says(&["406", "was sent as a text"]);
}

#[test]
fn one_channel_is_enough_to_read() {
    let queue = filled(2);
    let server = format!("{}?channel_max=1", crate::support::test_env("AMQP"));
    let text = at(&server, &["consume", &queue, "--idle-timeout", "300ms"]).run().ok().text();
    assert_eq!(text, "1\n2\n");
    at(&server, &["consume", &queue, "--until-end"]).run().fails(8).says(&["no more channels", "channel_max"]);
}

#[test]
fn a_prefetch_is_a_number_that_bounds() {
    amqp(&["consume", "q", "--prefetch", "0"]).run().fails(2).says(&["--prefetch", "no limit", "1 to 65535"]);
    for bad in ["70000", "x", "1.5", ""] {
        amqp(&["consume", "q", "--prefetch", bad]).run().fails(2).says(&["--prefetch", "1 to 65535"]);
    }
}

#[test]
fn a_name_that_is_not_utf8_is_told_and_stays_in_the_queue() {
    let (queue, exchange) = (queue(&[]), crate::support::unique("fanout"));
    amqp(&["exchange", "declare", &exchange, "-t", "fanout", "--auto-delete"]).run().ok();
    amqp(&["bind", &exchange, &queue]).run().ok();
    amqp(&["publish", "-e", &exchange, "-d", "good"]).run().ok();
    at(&Proxy::start().uri(), &["publish", "-e", &exchange, "-k", PLACEHOLDER, "-d", "bad"]).run().ok();
    let done = amqp(&["consume", &queue, "--until-end"]).run().exits(8);
    done.says(&[&queue, "message 2", "cannot be read", "not UTF-8", "stays in its queue"]);
    holds(&queue, 2);
}
