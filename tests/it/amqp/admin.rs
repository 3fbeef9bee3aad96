//! Queues, exchanges and bindings.

use super::{amqp, info, queue};
use crate::support::unique;

#[test]
fn declaring_twice_must_agree() {
    let name = queue(&["--quorum", "--max-length", "10"]);
    amqp(&["queue", "declare", &name, "--quorum", "--max-length", "10"]).run().ok();
    amqp(&["queue", "declare", &name, "--max-length", "10"]).run().fails(8).says(&["406", "x-queue-type", &name]);
    amqp(&["queue", "declare", &name, "--quorum", "--max-length", "11"]).run().fails(8).says(&["406", "x-max-length"]);
}

#[test]
fn every_flag_arrives() {
    // Declared again through free arguments: a wrong name or type would be 406.
    let name = queue(&[
        "--ttl",
        "1m",
        "--expires",
        "1h",
        "--max-length",
        "5",
        "--max-length-bytes",
        "1k",
        "--overflow",
        "reject-publish",
        "--dead-letter-exchange",
        "dlx",
        "--dead-letter-routing-key",
        "k",
        "--max-priority",
        "9",
    ]);
    let free = [
        "x-message-ttl=60000",
        "x-expires=3600000",
        "x-max-length=5",
        "x-max-length-bytes=1024",
        "x-overflow=reject-publish",
        "x-dead-letter-exchange=dlx",
        "x-dead-letter-routing-key=k",
        "x-max-priority=9",
    ];
    let mut args = vec!["queue", "declare", &name];
    args.extend(free.iter().flat_map(|a| ["--argument", a]));
    amqp(&args).run().ok();
    args.extend(["--argument", "x-max-length=5"]);
    args.extend(["--max-length", "5"]);
    amqp(&args).run().fails(2).says(&["x-max-length", "twice"]);

    let name = queue(&["--durable=false", "--auto-delete"]);
    amqp(&["queue", "declare", &name]).run().fails(8).says(&["406"]);
    amqp(&["queue", "declare", &name, "--durable=false", "--auto-delete"]).run().ok();
    amqp(&["queue", "declare", "x", "--quorum", "--stream"]).run().fails(2);
}

/// RabbitMQ tries to make a folder of such a name for ever, thousands of times a second.
#[test]
fn a_name_that_is_too_long_for_a_stream() {
    let long = |bytes: usize| format!("{:s<bytes$}", unique("stream"));
    for args in [&["--stream"][..], &["-A", "x-queue-type=stream"]] {
        let declare = |name: &str| amqp(&[&["queue", "declare", name], args].concat()).run();
        declare(&long(234)).fails(2).says(&["too long for a stream", "235 bytes", "234"]);
        declare(&long(255)).fails(2).says(&["256 bytes"]);
        declare(&long(256)).fails(2).says(&["255"]);
        let longest = long(233);
        declare(&longest).ok();
        amqp(&["publish", "-k", &longest, "-d", "x"]).run().ok();
        amqp(&["queue", "delete", &longest]).run().ok();
    }
    let queue = long(255);
    amqp(&["queue", "declare", &queue, "--quorum"]).run().ok();
    amqp(&["queue", "delete", &queue]).run().ok();
}

#[test]
fn the_broker_makes_a_name_up() {
    let name = amqp(&["queue", "declare", ""]).run().ok().text();
    assert!(name.starts_with("amq.gen-"), "{name}");
    assert_eq!(info(name.trim_end()), (0, 0));
    amqp(&["queue", "delete", name.trim_end()]).run().ok();
}

#[test]
fn what_is_there_or_is_not() {
    let (name, other) = (queue(&["--max-length", "10"]), queue(&[]));
    amqp(&["queue", "declare", &name, "--quorum"]).run().fails(8).says(&["406"]);
    let kept = ["queue", "declare", &name, "--quorum", "--if-not-exists", "-v"];
    amqp(&kept).run().ok().says(&["is there already, and stays as it is"]);
    amqp(&["queue", "declare", &name, "--set", "x-max-length=10"]).run().ok();
    let none = unique("none");
    // One that is not there keeps no other from its turn.
    amqp(&["queue", "delete", &none, &name, &name]).run().fails(8).says(&["there is no queue", &none, "--if-exists"]);
    amqp(&["queue", "info", &name]).run().fails(8).says(&["404"]);
    let done = amqp(&["queue", "delete", &none, &other, "--if-exists", "-v"]).run().ok();
    assert!(done.stderr.contains(&format!("queue `{other}` is gone")), "{}", done.stderr);
    amqp(&kept).run().ok().says(&["is declared"]);
    amqp(&["queue", "delete", &name]).run().ok();

    let (name, other) = (unique("exchange"), unique("exchange"));
    amqp(&["exchange", "declare", &name, "-t", "topic", "--if-not-exists"]).run().ok();
    amqp(&["exchange", "declare", &name, "-t", "fanout"]).run().fails(8).says(&["406"]);
    amqp(&["exchange", "declare", &name, "-t", "fanout", "--if-not-exists"]).run().ok();
    amqp(&["exchange", "declare", &other]).run().ok();
    amqp(&["exchange", "delete", &none, &name, &other]).run().fails(8).says(&["there is no exchange", &none]);
    amqp(&["exchange", "delete", &name]).run().fails(8).says(&["there is no exchange"]);
    amqp(&["exchange", "delete", &name, "--if-exists"]).run().ok();
}

/// More than the half second that a question has which hears no more of its connection.
#[test]
fn many_that_are_not_there() {
    let names: Vec<String> = (0..300).map(|_| unique("none")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (name, last) = (queue(&[]), names[names.len() - 1]);
    let done = amqp(&[&["queue", "delete"], &names[..], &[&name]].concat()).run().fails(8);
    assert_eq!(done.stderr.matches("there is no queue").count(), 300, "{}", done.stderr);
    assert!(done.stderr.contains(last), "{}", done.stderr);
    amqp(&["queue", "info", &name]).run().fails(8).says(&["404"]);
}

#[test]
fn purge_prints_how_many_and_delete_asks_for_conditions() {
    let name = super::filled(3);
    amqp(&["queue", "delete", &name, "--if-empty"]).run().fails(8).says(&["406", &name]);
    assert_eq!(amqp(&["queue", "purge", &name]).run().ok().text(), "3\n");
    amqp(&["queue", "delete", &name, "--if-empty", "--if-unused"]).run().ok();
    amqp(&["queue", "info", &name]).run().fails(8).says(&["404"]);
    amqp(&["queue", "purge", &name]).run().fails(8).says(&["404"]);
}

#[test]
fn info_in_every_layout() {
    let (a, b) = (super::filled(2), queue(&[]));
    assert_eq!(amqp(&["queue", "info", &a, &b]).run().ok().text(), format!("{a}\t2\t0\n{b}\t0\t0\n"));
    let json = amqp(&["queue", "info", &a, "-o", "json"]).run().ok().text();
    assert_eq!(json, format!("{{\"queue\":\"{a}\",\"messages\":2,\"consumers\":0}}\n"));
    assert!(amqp(&["queue", "info", &a, "-o", "table"]).run().ok().text().contains("consumers"));
}

#[test]
fn info_of_some_that_are_missing() {
    let (a, b) = (super::filled(2), queue(&[]));
    let done = amqp(&["queue", "info", "no-1", &a, "no-2", &b]).run().exits(8);
    assert_eq!(done.text(), format!("{a}\t2\t0\n{b}\t0\t0\n"));
    let errors: Vec<&str> = done.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
    assert!(matches!(errors[..], [one, two] if one.contains("'no-1'") && two.contains("'no-2'")), "{}", done.stderr);
    for layout in ["table", "json", "tsv"] {
        amqp(&["queue", "info", "no-1", "no-2", "-o", layout]).run().fails(8).says(&["no-1", "no-2"]);
    }
}

#[test]
fn the_type_of_an_argument() {
    let name = unique("typed");
    let declare = |argument: &str| amqp(&["queue", "declare", &name, "-A", argument]).run().fails(8);
    for argument in ["x-max-length=10k", "x-max-length=\"10\"", "x-message-ttl=30s", "x-expires=1h"] {
        declare(argument).says(&["expected integer", "hint: ", "was sent as a text", "=10 is a number"]);
    }
    declare("x-single-active-consumer=yes").says(&["unacceptable_type", "=true a boolean"]);
    for argument in ["x-dead-letter-exchange=10", "x-overflow=true", "x-queue-mode=1"] {
        declare(argument).says(&["was not sent as a text", "='\"10\"'"]);
    }
    let other = declare("x-overflow=drop");
    assert!(!other.stderr.contains("hint"), "{}", other.stderr);
    let exchange = unique("typed");
    let done = amqp(&["exchange", "declare", &exchange, "-A", "alternate-exchange=5"]).run();
    done.fails(8).says(&["was not sent as a text"]);
}

#[test]
fn an_empty_name_is_refused_before_the_network() {
    let nowhere = |args: &[&str]| super::at("amqp://127.0.0.1:1", args).run().fails(2);
    for args in [
        &["get", ""][..],
        &["consume", ""],
        &["queue", "info", "q", ""],
        &["queue", "delete", ""],
        &["queue", "purge", ""],
        &["bind", "e", ""],
        &["unbind", "e", ""],
    ] {
        nowhere(args).says(&["the name of the queue is empty"]);
    }
    for args in
        [&["exchange", "delete", ""][..], &["bind", "", "q"], &["unbind", "", "q"], &["bind", "e", "", "--to-exchange"]]
    {
        nowhere(args).says(&["the name of the exchange is empty"]);
    }
}

#[test]
fn bindings_route_until_they_are_removed() {
    let (exchange, queue) = (unique("exchange"), queue(&[]));
    amqp(&["exchange", "declare", &exchange, "-t", "topic"]).run().ok();
    amqp(&["exchange", "declare", &exchange, "-t", "fanout"]).run().fails(8).says(&["406", &exchange]);
    amqp(&["bind", &exchange, &queue, "-k", "a.#", "-k", "b.*"]).run().ok();
    let publish = |key: &str| amqp(&["publish", "-e", &exchange, "-k", key, "-d", key, "--mandatory"]).run();
    publish("a.x.y").ok();
    publish("b.x").ok();
    publish("c").fails(8).says(&["NO_ROUTE", &exchange]);
    assert_eq!(info(&queue).0, 2);
    amqp(&["unbind", &exchange, &queue, "-k", "a.#"]).run().ok();
    publish("a.x.y").fails(8);
    publish("b.x").ok();
    amqp(&["exchange", "delete", &exchange, "--if-unused"]).run().fails(8).says(&["406"]);
    amqp(&["exchange", "delete", &exchange]).run().ok();
    publish("b.x").fails(8).says(&["404"]);
}

#[test]
fn bindings_by_header_and_to_exchanges() {
    let (outer, inner, queue) = (unique("outer"), unique("inner"), queue(&[]));
    amqp(&["exchange", "declare", &outer, "--type", "fanout", "--auto-delete"]).run().ok();
    amqp(&["exchange", "declare", &inner, "--type", "headers"]).run().ok();
    amqp(&["bind", &outer, &inner, "--to-exchange"]).run().ok();
    let arguments = ["--argument", "x-match=all", "--argument", "kind=a", "--argument", "n=1"];
    amqp(&[&["bind", &inner, &queue][..], &arguments].concat()).run().ok();
    let publish = |kind: &str| {
        let header = format!("kind: {kind}");
        let typed = "{\"n\":1}";
        amqp(&["publish", "-e", &outer, "-d", "x", "--mandatory", "-H", &header, "--header-json", typed]).run()
    };
    publish("a").ok();
    publish("b").fails(8);
    amqp(&[&["unbind", &inner, &queue][..], &arguments].concat()).run().ok();
    publish("a").fails(8);
    amqp(&["unbind", &outer, &inner, "--to-exchange"]).run().ok();
    amqp(&["bind", "nosuch", &queue]).run().fails(8).says(&["404", "nosuch"]);
}
