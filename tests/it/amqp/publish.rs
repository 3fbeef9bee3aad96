//! `publish`: what is confirmed, what is not, and how that is told.

use std::collections::BTreeSet;
use std::io::Write;

use super::proxy::Proxy;
use super::{amqp, at, holds, info, queue, start_open};
use crate::support::{eventually, test_env, unique};

/// The lines that warnings name: neighbours are told together, or apart when some time lies between them.
fn told(stderr: &str) -> BTreeSet<u64> {
    let warnings = stderr.lines().filter_map(|l| l.strip_prefix("warning: input line")?.split(':').next());
    let ranges = warnings.flat_map(|lines| lines.trim_start_matches('s').split(','));
    ranges
        .flat_map(|range| {
            let (first, last) = range.trim().split_once('-').unwrap_or((range.trim(), range.trim()));
            first.parse().expect("a line")..=last.parse().expect("a line")
        })
        .collect()
}

#[test]
fn a_message_without_its_key() {
    let queue = queue(&[]);
    let done = amqp(&["publish", "-K", ":"]).stdin(format!("{queue}:a\nno key\n{queue}:b\n")).run().exits(2);
    done.says(&["line 2", "no `:` separates a routing key", "sent 1, confirmed 1"]);
    amqp(&["publish", "-K", "\\t", "-e", "amq.topic"]).stdin("x\n").run().fails(2).says(&["line 1", "no `\\t`"]);
    // Known before anything connects.
    at("amqp://127.0.0.1:1", &["publish", "-K", ":", "-d", "no key"]).run().fails(2).says(&["--data", "no `:`"]);
    at("amqp://127.0.0.1:1", &["publish", "-K", ":", "-d", "a:b"]).run().fails(4);
}

#[test]
fn timestamps_in_every_form() {
    let queue = queue(&[]);
    for (given, shown) in [
        ("1700000000", "2023-11-14T22:13:20Z"),
        ("0", "1970-01-01T00:00:00Z"),
        ("2023-11-14T22:13:20Z", "2023-11-14T22:13:20Z"),
    ] {
        amqp(&["publish", "-k", &queue, "-d", "x", "--timestamp", given]).run().ok();
        let text = amqp(&["consume", &queue, "-n", "1", "-o", "json"]).run().ok().text();
        assert!(text.contains(&format!("\"timestamp\":\"{shown}\"")), "{given}: {text}");
    }
    let bad = |given: &str| amqp(&["publish", "-k", &queue, "-d", "x", "--timestamp", given]).run().fails(2);
    bad("1700000000123").says(&["seconds", "did you mean 1700000000?"]);
    bad("someday").says(&["RFC 3339", "yesterday", "now"]);
    bad("2026-11-31 10:00").says(&["RFC 3339", "`2026-11-31 10:00` is no time"]);
    bad("").says(&["--timestamp"]);
}

#[test]
fn a_number_that_the_broker_cannot_read_ends_nothing() {
    let queue = queue(&[]);
    for number in [r#"{"$f64":"NaN"}"#, r#"{"$f32":"inf"}"#, r#"[{"deep":{"$f64":"-inf"}}]"#] {
        let lines = format!(
            "{{\"routing_key\":\"{queue}\",\"value\":\"a\"}}\n{{\"routing_key\":\"{queue}\",\"headers\":{{\"n\":{number}}}}}\n"
        );
        let done = amqp(&["publish", "--input", "json"]).stdin(lines).run().exits(2);
        done.says(&["line 2", "header `n`", "NaN", "sent 1, confirmed 1"]);
        let flag = format!("{{\"n\":{number}}}");
        at("amqp://127.0.0.1:1", &["publish", "-k", "q", "-d", "x", "--header-json", &flag])
            .run()
            .fails(2)
            .says(&["NaN"]);
    }
}

#[test]
fn lines_are_messages_and_the_account_adds_up() {
    let queue = queue(&[]);
    let done =
        amqp(&["publish", "-k", &queue]).stdin("a\n\nb").run().ok().says(&["sent 3, confirmed 3, failed 0, unknown 0"]);
    assert!(done.stdout.is_empty());
    assert_eq!(amqp(&["get", &queue, "-n", "3"]).run().ok().text(), "a\n\nb\n");
    let quiet = amqp(&["publish", "-q", "-k", &queue, "-d", "x\ny"]).run().ok();
    assert_eq!(quiet.stderr, "");
    assert_eq!(info(&queue).0, 4);
}

#[test]
fn no_confirm_says_so() {
    let queue = queue(&[]);
    amqp(&["publish", "--no-confirm", "-k", &queue]).stdin("a\nb\n").run().ok().says(&["sent 2, none confirmed"]);
    holds(&queue, 2);
    let missing = unique("nosuch");
    amqp(&["publish", "--no-confirm", "-e", &missing, "-d", "x"]).run().fails(8).says(&["404", &missing]);
}

#[test]
fn what_is_not_confirmed_arrives_whole_and_in_order() {
    let lines: String = (1..=30_000).map(|i| format!("{i}\n")).collect();
    let tls = ["--tls-ca", &test_env("CA")];
    for (server, flags) in [(test_env("AMQP"), &[][..]), (test_env("AMQPS"), &tls[..])] {
        let queue = queue(&[]);
        let publish = |more: &[&str]| at(&server, &[&["publish", "--no-confirm", "-k", &queue], flags, more].concat());
        publish(&[]).stdin(lines.as_str()).run().ok().says(&["sent 30000, none confirmed"]);
        assert!(amqp(&["consume", &queue, "-n", "30000"]).run().ok().text() == lines);
        // Over several frames, in them, and none at all; with properties that differ from message to message.
        let sizes = [0, 1, 131_063, 131_064, 131_065, 400_000];
        let envelopes: String = (sizes.iter())
            .map(|size| {
                let value = "x".repeat(*size);
                format!(r#"{{"properties":{{"message_id":"{size}"}},"headers":{{"n":{size}}},"value":"{value}"}}"#)
            })
            .collect();
        publish(&["--input", "json"]).stdin(envelopes).run().ok();
        let got = amqp(&["consume", &queue, "-n", "6", "-o", "%h %S\\n"]).run().ok().lines();
        assert_eq!(got, sizes.map(|size| format!("n={size} {size}")));
    }
}

#[test]
fn unconfirmed_messages_to_an_exchange_that_is_not_there_are_not_called_written() {
    let lines = "x\n".repeat(100_000);
    let done = amqp(&["publish", "--no-confirm", "-e", &unique("nosuch"), "-k", "x"]).stdin(lines).run();
    // Whether the answer overtakes the end of the input is the broker's choice.
    assert!([8, 9].contains(&done.code), "{}", done.stderr);
    done.says(&["404"]);
}

#[test]
fn an_unconfirmed_connection_that_is_cut_is_an_error() {
    let proxy = Proxy::start();
    let queue = queue(&[]);
    let (running, mut input) = start_open(at(&proxy.uri(), &["publish", "--no-confirm", "-k", &queue]));
    input.write_all(b"1\n").expect("takes input");
    holds(&queue, 1);
    proxy.cut();
    // Whether the broker has said before that it got so far is the broker's choice.
    let done = running.wait();
    assert!([4, 9].contains(&done.code), "{}", done.stderr);
    let unknown = if done.code == 9 { "unknown 1" } else { "unknown 0" };
    done.says(&["sent 1", unknown, "connection"]);
}

#[test]
fn keys_before_the_body() {
    let (one, two) = (queue(&[]), queue(&[]));
    let input = format!("{one}\tA\n{two}\tB\tC\n");
    amqp(&["publish", "-K", "\\t"]).stdin(input).run().ok();
    assert_eq!(amqp(&["get", &one]).run().ok().text(), "A\n");
    assert_eq!(amqp(&["get", &two]).run().ok().text(), "B\tC\n");
    let done = amqp(&["publish", "-K", "\\t"]).stdin(format!("{one}\tD\nnone\n")).run().fails(2);
    done.says(&["line 2", "routing key", "confirmed 1"]);
    assert_eq!(info(&one).0, 2);
}

#[test]
fn returns_are_named_by_line() {
    for (flags, confirmed) in [(&[][..], "confirmed 667"), (&["--no-confirm"], "none confirmed (--no-confirm)")] {
        let (queue, nowhere) = (queue(&[]), unique("nowhere"));
        // Every second body is the same, so that only the order tells them apart.
        let line = |i| if i % 3 == 0 { format!("{nowhere}\tsame\n") } else { format!("{queue}\t{i}\n") };
        let input: String = (1..=1000).map(line).collect();
        let done = amqp(&[&["publish", "-K", "\\t"], flags].concat()).stdin(input).run().fails(8);
        let account = format!("sent 1000, {confirmed}, failed 333, unknown 0");
        let done = done.says(&["312 NO_ROUTE", &nowhere, &account]);
        assert_eq!(told(&done.stderr), (1..=1000).filter(|i| i % 3 == 0).collect());
        holds(&queue, 667);
    }
}

/// More than the broker has in its hands at a time, and bodies that lapin would keep.
#[test]
fn many_returns_without_confirms_are_counted() {
    let (queue, nowhere) = (queue(&[]), unique("nowhere"));
    let line = |i| match i % 1000 {
        0 => format!("{nowhere}\t{}\n", "x".repeat(100_000)),
        _ => format!("{queue}\t{i}\n"),
    };
    let input: String = (1..=40_000).map(line).collect();
    let done = amqp(&["publish", "--no-confirm", "-K", "\\t"]).stdin(input).run().fails(8);
    let done = done.says(&["sent 40000, none confirmed (--no-confirm), failed 40, unknown 0"]);
    assert_eq!(told(&done.stderr), (1..=40).map(|i| i * 1000).collect());
    holds(&queue, 39_960);
}

#[test]
fn a_queue_that_is_not_there_is_an_error() {
    let (queue, nowhere) = (queue(&[]), unique("nosuch"));
    let envelope = |exchange: &str, key: &str| {
        format!("{{\"exchange\":\"{exchange}\",\"routing_key\":\"{key}\",\"value\":\"x\"}}\n")
    };
    let json = |exchange, key| (vec!["--input", "json"], envelope(exchange, key));
    let text = |args: &[&'static str], key| ([args, &["-k", key]].concat(), "x".to_owned());
    for confirm in [&[][..], &["--no-confirm"]] {
        let publish = |(args, input): (Vec<&str>, String), more: &[&str]| {
            amqp(&[&["publish"], &args[..], more, confirm].concat()).stdin(input).run()
        };
        for message in [
            text(&[], &nowhere),
            text(&["-e", ""], &nowhere),
            text(&["-e", "amq.default"], &nowhere),
            (vec!["-K", ":"], format!("{nowhere}:x")),
            json("", &nowhere),
            json("amq.default", &nowhere),
        ] {
            let done = publish(message.clone(), &[]).fails(8);
            done.says(&[
                "returned by the broker: 312 NO_ROUTE, the default exchange",
                &nowhere,
                "no queue has that name",
            ]);
            publish(message, &["--no-mandatory"]).ok();
        }
        // An exchange may want nothing of it.
        for message in [text(&["-e", "amq.direct"], &nowhere), json("amq.direct", &nowhere)] {
            publish(message.clone(), &[]).ok();
            publish(message, &["--mandatory"]).fails(8).says(&["exchange `amq.direct`"]);
        }
        // RabbitMQ calls it unroutable even when somebody gets it.
        publish(text(&[], "amq.rabbitmq.reply-to.nobody"), &[]).ok();
        for message in [
            text(&["-e", ""], &queue),
            text(&["-e", "amq.default"], &queue),
            (vec!["--input", "json", "-e", "amq.default"], envelope("amq.direct", &queue)),
            json("amq.default", &queue),
        ] {
            publish(message, &[]).ok();
        }
    }
    holds(&queue, 8);
    // No exchange: the envelope's own.
    amqp(&["publish", "--input", "json", "-e", ""]).stdin(envelope("amq.direct", &queue)).run().ok();
    assert_eq!(info(&queue).0, 8);
}

/// As a dead letter's envelope, which says where the letter had been.
#[test]
fn a_queue_that_is_named_gets_what_came_from_an_exchange() {
    let (queue, other) = (queue(&[]), unique("elsewhere"));
    let envelope = format!("{{\"exchange\":\"amq.direct\",\"routing_key\":\"{other}\",\"value\":\"letter\"}}\n");
    amqp(&["publish", "--input", "json", "-k", &queue]).stdin(envelope.clone()).run().ok();
    assert_eq!(info(&queue).0, 1);
    amqp(&["publish", "--input", "json", "--mandatory"]).stdin(envelope).run().fails(8).says(&["amq.direct", &other]);
}

#[test]
fn nacks_are_named_by_line() {
    let queue = queue(&["--max-length", "2", "--overflow", "reject-publish"]);
    let done = amqp(&["publish", "-k", &queue]).stdin("1\n2\n3\n4\n5\n").run().fails(8);
    let done = done.says(&["not accepted by the broker (nack)", "sent 5, confirmed 2, failed 3, unknown 0"]);
    assert_eq!(told(&done.stderr), [3, 4, 5].into());
}

#[test]
fn a_missing_exchange_is_one_clear_line() {
    let exchange = unique("nosuch");
    let done = amqp(&["publish", "-e", &exchange, "-k", "x"]).stdin("1\n2\n3\n").run().fails(8);
    let done = done.says(&["input line 1: not sent", "sent 1, confirmed 0, failed 1, unknown 0"]);
    let error: Vec<&str> = done.stderr.lines().filter(|l| l.starts_with("error:")).collect();
    assert_eq!(error.len(), 1);
    assert!(error[0].contains("404 NOT_FOUND - no exchange") && error[0].contains(&exchange), "{error:?}");
}

#[test]
fn what_stood_before_a_bad_envelope_is_confirmed() {
    let queue = queue(&[]);
    let good = format!("{{\"routing_key\":\"{queue}\",\"value\":\"a\"}}\n");
    for (bad, says) in [
        ("{\"vlaue\":\"x\"}\n", "did you mean `value`"),
        ("{\"value\":\"x\"}\n", "routing key"),
        ("{\"routing_key\":\"q\",\"timestamp\":\"1969-12-31T00:00:00Z\"}\n", "1970"),
        ("{\"routing_key\":\"q\",\"properties\":{\"expiration\":\"soon\"}}\n", "milliseconds"),
        (
            "{\"routing_key\":\"q\",\"properties\":{\"expiration\":\"99999999999999999999\"}}\n",
            "at most 315360000000 milliseconds",
        ),
        ("{\"routing_key\":\"q\",\"properties\":{\"expiration\":\"315360000001\"}}\n", "ten years"),
        ("{\"routing_key\":\"q\",\"properties\":{\"delivery_mode\":0}}\n", "1 is transient, 2 is persistent"),
        ("{\"routing_key\":\"q\",\"properties\":{\"delivery_mode\":9}}\n", "delivery_mode 9"),
        ("{\"routing_key\":\"q\",\"headers\":{\"CC\":\"a\"}}\n", "list of routing keys"),
        ("{\"routing_key\":\"q\"", "EOF"),
    ] {
        let done = amqp(&["publish", "--input", "json"]).stdin(format!("{good}{good}{bad}")).run().fails(2);
        done.says(&["line 3", says, "sent 2, confirmed 2"]);
    }
    assert_eq!(info(&queue).0, 20);
    // The longest that the broker takes.
    let longest = format!("{{\"routing_key\":\"{queue}\",\"properties\":{{\"expiration\":\"315360000000\"}}}}\n");
    amqp(&["publish", "--input", "json"]).stdin(longest).run().ok();
}

/// The broker has closed the channel for one of them: what stood behind the last answered question may be lost.
#[test]
fn unconfirmed_messages_on_a_closed_channel_are_unknown() {
    let queue = queue(&[]);
    let line = |i| {
        let user = if i == 50 { r#","properties":{"user_id":"nobody"}"# } else { "" };
        format!("{{\"routing_key\":\"{queue}\",\"value\":\"{i}\"{user}}}\n")
    };
    let input: String = (1..=100).map(line).collect();
    let done = amqp(&["publish", "--no-confirm", "--input", "json"]).stdin(input).run().fails(9);
    let done = done.says(&["406 PRECONDITION_FAILED", "user_id", "none confirmed (--no-confirm), failed 0, unknown "]);
    // The refused one at least; those before it may have been asked for.
    let unknown =
        done.stderr.split("failed 0, unknown ").nth(1).and_then(|rest| rest.lines().next()?.parse::<u64>().ok());
    assert!(unknown.is_some_and(|count| (1..=100).contains(&count)), "{}", done.stderr);
}

#[test]
fn bad_flags_touch_no_network() {
    let long = "x".repeat(256);
    for (args, says) in [
        (&["publish", "-d", "x"][..], "neither an exchange nor a routing key"),
        (&["publish", "-k", "", "-e", "", "-d", "x"], "neither an exchange nor a routing key"),
        (&["publish", "-k", &long, "-d", "x"], "255"),
        (&["publish", "-k", "q", "-d", "x", "--message-id", &long], "255"),
        (&["publish", "-k", "q", "-d", "x", "-H", "novalue"], "NAME: VALUE"),
        (&["publish", "-k", "q", "-d", "x", "--header-json", "[1]"], "JSON object"),
        (&["publish", "-k", "q", "-d", "x", "--header-json", "{\"a\":{\"$u8\":256}}"], "$u8"),
        (&["publish", "-k", "q", "-d", "x", "--expiration", "1.5x"], "500ms, 30s"),
        (&["publish", "-k", "q", "-d", "x", "--expiration", "20y"], "ten years"),
        (&["publish", "-k", "q", "-d", "x", "--timestamp", "someday"], "RFC 3339"),
        (&["publish", "-k", "q", "-d", "x", "--priority", "256"], "256"),
        (&["publish", "-k", "q", "-d", "x", "--window", "0"], "0"),
        (&["publish", "-k", "q", "-d", "x", "--mandatory", "--no-mandatory"], "--no-mandatory"),
        (&["publish", "-e", "amq.default", "-d", "x"], "neither an exchange nor a routing key"),
        (&["consume", "q", "--ack", "--nack"], "--nack"),
        (&["consume", "q", "--from", "x"], "begin, end, last"),
        (&["consume", "q", "-n", "0"], "0"),
        (&["consume", "q", "--idle-timeout", "5"], "unit"),
        (&["consume", "q", "--idle-timeout", "18446744073709551615s"], "36500d"),
    ] {
        // Nothing listens there: exit 4 would mean that somebody asked.
        at("amqp://127.0.0.1:1", args).run().fails(2).says(&[says]);
    }
}

#[test]
fn a_cut_connection_leaves_exactly_the_unconfirmed_unknown() {
    let (queue, proxy) = (queue(&[]), Proxy::start());
    let (running, mut stdin) = start_open(at(&proxy.uri(), &["publish", "-k", &queue]));
    stdin.write_all(b"1\n2\n3\n4\n5\n").expect("writes");
    holds(&queue, 5);
    // The confirms of these are under way no longer than the answer to a question asked after them.
    info(&queue);
    proxy.mute();
    stdin.write_all(b"6\n7\n8\n").expect("writes");
    holds(&queue, 8);
    proxy.cut();
    let done = running.wait().fails(9);
    done.says(&["sent 8, confirmed 5, failed 0, unknown 3", "outcome unknown: 3 (input lines 6-8)"]);
    assert_eq!(info(&queue).0, 8, "nothing may be sent again");
    drop(stdin);
}

#[test]
fn a_connection_lost_with_nothing_in_flight_is_noticed() {
    let (queue, proxy) = (queue(&[]), Proxy::start());
    let (running, mut stdin) = start_open(at(&proxy.uri(), &["publish", "-k", &queue]));
    stdin.write_all(b"1\n").expect("writes");
    holds(&queue, 1);
    info(&queue);
    proxy.cut();
    // A part was done: who tries again on 4 would do it twice.
    running.wait().fails(9).says(&["sent 1, confirmed 1, failed 0, unknown 0", "lost"]);
    drop(stdin);
}

#[test]
fn a_blocked_connection_is_told_and_the_deadline_holds() {
    let (queue, proxy) = (queue(&[]), Proxy::start());
    let (running, mut stdin) = start_open(at(&proxy.uri(), &["publish", "-k", &queue, "--timeout", "4s"]));
    stdin.write_all(b"1\n").expect("writes");
    holds(&queue, 1);
    // connection.blocked: method frame on channel 0, class 10, method 60, the reason, the frame's end.
    let reason = b"low on memory";
    let mut frame = vec![1, 0, 0, 0, 0, 0, 5 + reason.len() as u8, 0, 10, 0, 60, reason.len() as u8];
    frame.extend_from_slice(reason);
    frame.push(0xce);
    proxy.say(&frame);
    eventually("the warning", || running.stderr().contains("low on memory").then_some(()));
    stdin.write_all(b"2\n").expect("writes");
    let done = running.wait().fails(7);
    done.says(&[
        "the broker takes no messages for now: low on memory",
        "confirmed 1, failed 0, unknown 1",
        "input line 2",
    ]);
    assert_eq!(info(&queue).0, 1);
    drop(stdin);
}

#[test]
fn signals_drain() {
    for (signal, code) in [("INT", 130), ("TERM", 143), ("TERM TERM", 143), ("INT INT", 130)] {
        let queue = queue(&[]);
        let (running, mut stdin) = start_open(amqp(&["publish", "-k", &queue]));
        stdin.write_all(b"1\n2\n3\n").expect("writes");
        holds(&queue, 3);
        running.signal(signal);
        running.wait().fails(code).says(&["sent 3, confirmed 3, failed 0, unknown 0"]);
        drop(stdin);
    }
}
