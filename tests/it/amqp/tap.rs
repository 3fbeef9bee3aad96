//! `amqp tap`: what goes through exchanges.

use super::{amqp, queue};
use crate::bridge::bridge;
use crate::exec::left;
use crate::kafka::{read, topic};
use crate::support::{Running, eventually, unique};

fn exchange(kind: &str) -> String {
    let name = unique("x");
    amqp(&["exchange", "declare", &name, "--type", kind]).run().ok();
    name
}

fn publish(exchange: &str, key: &str, data: &str) {
    amqp(&["publish", "-e", exchange, "-k", key, "-d", data]).run().ok();
}

/// Starts to watch, and waits until it does: what is published then comes out.
fn tap(exchange: &str, args: &[&str]) -> Running {
    let running = amqp(&[&["tap"], args].concat()).start();
    eventually(&format!("it watches {exchange}; {}", running.stderr()), || {
        publish(exchange, "probe", "probe");
        running.stdout().starts_with(b"probe").then_some(())
    });
    running
}

fn lines(running: &Running, count: usize) -> Vec<String> {
    eventually(&format!("{count} lines; {}", running.stderr()), || {
        let text = String::from_utf8_lossy(&running.stdout()).into_owned();
        let lines: Vec<String> = text.lines().filter(|line| *line != "probe").map(str::to_owned).collect();
        (lines.len() >= count).then_some(lines)
    })
}

#[test]
fn it_sees_what_its_owners_get_and_takes_nothing() {
    let (orders, other) = (exchange("topic"), exchange("fanout"));
    let owned = queue(&[]);
    amqp(&["bind", &orders, &owned, "-k", "eu.#"]).run().ok();
    let watched = format!("{orders}:eu.*");
    let running = tap(&other, &[&watched, &other]);
    publish(&orders, "eu.a", "1");
    publish(&orders, "us.a", "2");
    publish(&orders, "eu.b.c", "3");
    publish(&other, "", "4");
    publish(&orders, "eu.z", "5");
    assert_eq!(lines(&running, 3), ["1", "4", "5"]);
    running.signal("INT");
    running.wait().exits(130);
    assert_eq!(left(&owned), ["1", "3", "5"]);
}

#[test]
fn names_and_headers_of_any_kind() {
    let named = format!("{}:with:colons", exchange("topic"));
    amqp(&["exchange", "declare", &named, "--type", "topic"]).run().ok();
    let running = tap(&named, &[&named, "-k", "probe", "-k", "a.*"]);
    publish(&named, "b.c", "no");
    publish(&named, "a.c", "yes");
    assert_eq!(lines(&running, 1), ["yes"]);
    running.signal("INT");
    running.wait();

    let headers = exchange("headers");
    let with = |flags: &[&str], data: &str| {
        amqp(&[&["publish", "-e", &headers, "-k", "", "-d", data], flags].concat()).run().ok();
    };
    for (flags, wanted) in [
        (&["--match", "a=1", "--match", "b=x"][..], &["both"][..]),
        (&["--match", "a=1", "--match", "b=x", "--match-any"], &["a", "both", "b"]),
    ] {
        let running = amqp(&[&["tap", &headers], flags].concat()).start();
        eventually("it watches", || {
            with(&["--header-json", r#"{"a":1,"b":"x"}"#], "probe");
            running.stdout().starts_with(b"probe").then_some(())
        });
        with(&["--header-json", r#"{"a":1,"b":"y"}"#], "a");
        with(&["--header-json", r#"{"a":1,"b":"x"}"#], "both");
        with(&["--header-json", r#"{"a":2,"b":"x"}"#], "b");
        assert_eq!(lines(&running, wanted.len()), wanted);
        running.signal("INT");
        running.wait();
    }
}

/// With everything that a reader has, and carried elsewhere.
#[test]
fn it_is_a_reader_like_others() {
    let (from, to) = (exchange("topic"), topic(&[]));
    let args = ["--filter", ".value != 2", "amqp", "tap", &from, "-n", "4", "--to", "kafka", "produce", &to];
    let running = bridge(&args).start();
    eventually("it watches", || {
        publish(&from, "k", "0");
        (!read(&to, &[]).lines().is_empty()).then_some(())
    });
    (1..=20).for_each(|n| publish(&from, "k", &n.to_string()));
    running.wait().ok().says(&["sent 4, confirmed 4"]);
    assert!(!read(&to, &[]).lines().contains(&"2".to_owned()));
}

/// Nothing is left, whatever happens to it.
#[test]
fn its_queues_go_with_it() {
    let from = exchange("topic");
    let running = amqp(&["tap", &from, "-o", "json"]).start();
    let seen = eventually("it watches", || {
        publish(&from, "k", "probe");
        let text = String::from_utf8_lossy(&running.stdout()).into_owned();
        text.lines().next().map(str::to_owned)
    });
    let seen: serde_json::Value = serde_json::from_str(&seen).expect("JSON");
    let name = seen["queue"].as_str().expect("a queue").to_owned();
    running.signal("KILL");
    running.wait();
    eventually("it is gone", || (amqp(&["queue", "info", &name]).run().code == 8).then_some(()));
}

#[test]
fn what_is_too_much_is_dropped_and_counted() {
    let from = exchange("fanout");
    let flags = ["--max-length", "50", "--exec", "sh -c 'cat; sleep 0.02'", "--idle-timeout", "5s"];
    let running = amqp(&[&["tap", &from], &flags[..]].concat()).start();
    let mut probes = 0;
    eventually("it watches", || {
        publish(&from, "", "probe");
        probes += 1;
        running.stdout().starts_with(b"probe").then_some(())
    });
    amqp(&["publish", "-e", &from, "-k", ""]).stdin((1..=500).map(|n| format!("{n}\n")).collect::<String>()).run().ok();
    let done = running.wait().ok();
    let done =
        done.says(&["the broker drops the oldest (--max-length)", "messages dropped by the broker, not seen here"]);
    let seen = done.lines().len();
    let dropped = done.stderr.lines().find(|line| line.contains("not seen here")).expect("a count");
    let dropped: usize = dropped.split_whitespace().find_map(|word| word.parse().ok()).expect("a number");
    // The first probes may have come before it watched.
    assert!((500..=500 + probes).contains(&(seen + dropped)), "{seen} and {dropped}: {}", done.stderr);
}

#[test]
fn what_cannot_be_watched() {
    let none = unique("none");
    amqp(&["tap", &none]).run().fails(8).says(&[&format!("cannot watch exchange `{none}`")]);
    for (args, says) in [
        (&["tap", ""][..], "the default exchange cannot be watched"),
        (&["tap", ":key"], "the default exchange cannot be watched"),
        (&["tap"], "<EXCHANGE[:KEY]>"),
        (&["tap", "x", "--match-any"], "--match"),
    ] {
        amqp(args).run().fails(2).says(&[says]);
    }
    // What would show nothing, or something else than was asked for.
    for (kind, flags, says) in [
        ("direct", &[][..], "is a direct exchange, which knows no patterns"),
        ("topic", &["--match", "a=1"], "is a topic exchange, which looks at no headers"),
        ("fanout", &["--match", "a=1"], "is a fanout exchange"),
        ("topic", &["--max-length-bytes", "0"], "write 1 or more"),
    ] {
        let exchange = exchange(kind);
        amqp(&[&["tap", &exchange], flags].concat()).run().fails(2).says(&[says]);
    }
    // Asking what kind it is makes none.
    amqp(&["bind", &none, &queue(&[])]).run().fails(8);
}
