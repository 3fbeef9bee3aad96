//! `amqp move`: queue to queue, and dead letters back to where they came from.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{amqp, holds, queue};
use crate::bridge::kills::setting;
use crate::exec::left;
use crate::support::{eventually, unique};

fn numbered(queue: &str, count: usize) {
    let lines: String = (1..=count).map(|n| format!("{n}\n")).collect();
    amqp(&["publish", "-k", queue]).stdin(lines).run().ok();
}

/// A queue that is bound to an exchange, and has its dead letters in another one: exchange, queue, and that.
fn with_dead_letters() -> (String, String, String) {
    let (exchange, dead) = (unique("x"), queue(&[]));
    amqp(&["exchange", "declare", &exchange, "--type", "topic"]).run().ok();
    let (to, key) = ("x-dead-letter-exchange=".to_owned(), format!("x-dead-letter-routing-key={dead}"));
    let main = queue(&["-A", &to, "-A", &key]);
    amqp(&["bind", &exchange, &main, "-k", "orders.*"]).run().ok();
    (exchange, main, dead)
}

fn reject_all(queue: &str) {
    amqp(&["consume", queue, "--until-end", "--nack"]).run().ok();
}

#[test]
fn messages_go_from_queue_to_queue_as_they_are() {
    for flags in [&[][..], &["--quorum"]] {
        let (from, to) = (queue(flags), queue(flags));
        let message = r#"{"headers":{"n":{"$u8":7},"CC":["elsewhere"]},"value":{"$base64":"AP8="},"timestamp":"2026-01-01T00:00:00Z","properties":{"content_type":"x/y","delivery_mode":2,"priority":3,"correlation_id":"c","reply_to":"r","message_id":"m","type":"t","app_id":"a"}}"#;
        amqp(&["publish", "-k", &from, "--input", "json"]).stdin(format!("{message}\n")).run().ok();
        numbered(&from, 200);
        amqp(&["move", &from, &to]).run().ok().says(&["read 201, sent 201, confirmed 201, failed 0, unknown 0"]);
        holds(&from, 0);
        let came = amqp(&["consume", &to, "--until-end", "-o", "json"]).run().ok().lines();
        let (first, sent): (Value, Value) =
            (serde_json::from_str(&came[0]).expect("JSON"), serde_json::from_str(message).expect("JSON"));
        for member in ["value", "timestamp", "properties"] {
            assert_eq!(first[member], sent[member], "{member} of {first}");
        }
        assert_eq!(first["headers"].to_string(), r#"{"mscomm-moves":1,"n":{"$u8":7}}"#);
        let values = came[1..].iter().map(|line| line.split("\"value\":\"").nth(1).expect("a value"));
        let numbers: Vec<usize> = values.map(|v| v.trim_end_matches("\"}").parse().expect("a number")).collect();
        assert_eq!(numbers, (1..=200).collect::<Vec<_>>());
    }
}

#[test]
fn dead_letters_go_back_to_where_they_came_from() {
    let (exchange, main, dead) = with_dead_letters();
    for key in ["orders.a", "orders.b"] {
        amqp(&["publish", "-e", &exchange, "-k", key, "-d", key]).run().ok();
    }
    reject_all(&main);
    holds(&dead, 2);
    // One that was never anywhere else.
    amqp(&["publish", "-k", &dead, "-d", "of here"]).run().ok();
    let done = amqp(&["move", &dead, "--to-origin"]).run().ok();
    done.says(&["read 3, filtered 1, sent 2, confirmed 2", "1 message stayed: never dead-lettered (no x-death)"]);
    let seen = amqp(&["get", &main, "-n", "2", "-o", "json"]).run().ok();
    for key in ["orders.a", "orders.b"] {
        let wanted = format!("\"exchange\":\"{exchange}\",\"routing_key\":\"{key}\"");
        assert!(seen.text().contains(&wanted), "{}", seen.text());
    }
    assert_eq!(left(&dead), ["of here"]);
}

/// Whoever counts: this command, or the broker by dead letters.
#[test]
fn what_comes_back_again_and_again_stays() {
    let (exchange, main, dead) = with_dead_letters();
    amqp(&["publish", "-e", &exchange, "-k", "orders.a", "-d", "poison"]).run().ok();
    for _ in 0..2 {
        reject_all(&main);
        holds(&dead, 1);
        amqp(&["move", &dead, "--to-origin", "--max-moves", "2"]).run().ok().says(&["confirmed 1"]);
    }
    reject_all(&main);
    let done = amqp(&["move", &dead, "--to-origin", "--max-moves", "2"]).run().ok();
    done.says(&["filtered 1, sent 0", "1 message stayed: came back often enough (--max-moves)"]);
    holds(&dead, 1);
    holds(&main, 0);
    // Moved by hand, it counts all the same.
    let other = queue(&[]);
    amqp(&["move", &dead, &other, "--max-moves", "0"]).run().ok().says(&["filtered 1"]);
    amqp(&["move", &dead, &other]).run().ok();
    assert!(amqp(&["get", &other, "-o", "json"]).run().ok().text().contains("\"mscomm-moves\":3"));
}

#[test]
fn only_what_was_asked_for_is_moved() {
    let (from, to) = (queue(&[]), queue(&[]));
    numbered(&from, 100);
    amqp(&["move", &from, &to, "-n", "2"]).run().ok();
    assert_eq!(left(&to), ["1", "2"]);
    amqp(&["move", &from, &to, "--filter", ".value > 98"]).run().ok().says(&["read 98, filtered 96, sent 2"]);
    assert_eq!(left(&to), ["99", "100"]);
    amqp(&["move", &from, &to, "--map", "select(.value == 50) | .value = \"fifty\""]).run().ok();
    assert_eq!(left(&to), ["fifty"]);
    assert_eq!(left(&from).len(), 95);
    amqp(&["move", &from, &to, "-n", "1"]).run().exits(1).says(&["fewer than 1"]);
    amqp(&["move", &from, &to]).run().ok();
    // What comes is moved, too.
    let follower = amqp(&["move", &from, &to, "--follow"]).start();
    numbered(&from, 3);
    eventually(&format!("they come; {}", follower.stderr()), || (left(&to) == ["1", "2", "3"]).then_some(()));
    follower.signal("INT");
    follower.wait().exits(130).says(&["sent 3, confirmed 3"]);
}

/// Nothing leaves its queue for a place that is not there.
#[test]
fn a_wrong_target_loses_nothing() {
    let (from, none) = (queue(&[]), unique("none"));
    numbered(&from, 3);
    amqp(&["move", &from, &none]).run().fails(8).says(&[&format!("cannot look at queue `{none}`")]);
    amqp(&["move", &none, &from]).run().fails(8).says(&[&format!("`{none}`")]);
    for (args, says) in [
        (&["move", &from, &from][..], "is both the source and the target"),
        (&["move", &from], "<DST>"),
        (&["move", &from, "x", "--to-origin"], "cannot be used with"),
        (&["move", &from, "x", "--follow", "--filter", "."], "there is no end to that"),
    ] {
        amqp(args).run().fails(2).says(&[says]);
    }
    // The way back is gone: the exchange, or whoever was bound to it.
    for is_there in [true, false] {
        let (exchange, main, dead) = with_dead_letters();
        amqp(&["publish", "-e", &exchange, "-k", "orders.a", "-d", "x"]).run().ok();
        reject_all(&main);
        holds(&dead, 1);
        match is_there {
            true => amqp(&["unbind", &exchange, &main, "-k", "orders.*"]).run().ok(),
            false => amqp(&["exchange", "delete", &exchange]).run().ok(),
        };
        let done = amqp(&["move", &dead, "--to-origin"]).run().exits(8);
        done.says(&[if is_there { "312 NO_ROUTE" } else { "is not there any more" }]);
        holds(&dead, 1);
        // One of them keeps no others from their way.
        let (other, to, _) = with_dead_letters();
        let death = format!(r#"[{{"exchange":"{other}","routing-keys":["orders.b"],"queue":"q","count":{{"$l":1}}}}]"#);
        let headers = format!(r#"{{"x-death":{}}}"#, death.replace(r#"{"$l":1}"#, "1"));
        for n in 1..=20 {
            amqp(&["publish", "-k", &dead, "-d", &n.to_string(), "--header-json", &headers]).run().ok();
        }
        amqp(&["move", &dead, "--to-origin"]).run().exits(8).says(&["sent 21, confirmed 20, failed 1, unknown 0"]);
        assert_eq!(left(&to), (1..=20).map(|n| n.to_string()).collect::<Vec<_>>());
        holds(&dead, 1);
    }
    let stream = queue(&["--stream"]);
    amqp(&["move", &stream, &from]).run().fails(2).says(&["is a stream, which keeps its messages"]);
    assert_eq!(left(&from), ["1", "2", "3"]);
}

/// Killed at any time, each message is in one of the two, or in both.
#[test]
fn a_kill_loses_nothing() {
    for round in 0..setting("MSCOMM_SOAK_KILLS", 5) {
        let (from, to) = (queue(&[]), queue(&[]));
        numbered(&from, 2000);
        let running = amqp(&["move", &from, &to]).start();
        eventually("some are moved", || {
            let (messages, _) = super::info(&to);
            (messages >= round % 10 * 200).then_some(())
        });
        running.signal("KILL");
        running.wait();
        let mut all = BTreeSet::new();
        eventually("all are there", || {
            all.extend(left(&from));
            all.extend(left(&to));
            (all.len() == 2000).then_some(())
        });
    }
}
