//! `amqp request` and `amqp respond`: asking through a queue, and answering.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::proxy::Proxy;
use super::{amqp, at, has_consumer, holds, info, queue};
use crate::bridge::kills::setting;
use crate::exec::left;
use crate::support::{Running, eventually};

/// Answers to a queue, from when this returns.
pub(super) fn respond(queue: &str, args: &[&str]) -> Running {
    let running = amqp(&[&["respond", queue], args].concat()).start();
    has_consumer(queue);
    running
}

/// What it told until it is asked to end.
pub(super) fn ended(running: Running) -> String {
    running.signal("INT");
    running.wait().exits(130).stderr
}

fn numbers(range: std::ops::RangeInclusive<u64>) -> String {
    range.map(|n| format!("{n}\n")).collect()
}

pub(super) fn envelopes(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

#[test]
fn answers_come_in_the_order_of_the_requests_or_as_they_come() {
    let queue = queue(&[]);
    // The first is the last that is ready.
    let slow = "sh -c 'read n; if [ $n = 1 ]; then sleep 0.7; fi; echo \"<$n>\"'";
    let running = respond(&queue, &["--exec", slow, "-j", "4"]);
    let request = |flags: &[&str]| {
        let done = amqp(&[&["request", "-k", &queue, "-j", "4"], flags].concat()).stdin(numbers(1..=12)).run().ok();
        assert!(done.stderr.is_empty(), "{}", done.stderr);
        done.lines()
    };
    let wanted: Vec<String> = (1..=12).map(|n| format!("<{n}>")).collect();
    assert_eq!(request(&[]), wanted);
    let unordered = request(&["--unordered"]);
    assert_ne!(unordered.first(), wanted.first(), "{unordered:?}");
    assert_eq!(unordered.iter().collect::<BTreeSet<_>>(), wanted.iter().collect());
    assert!(ended(running).contains("read 24, answered 24, failed 0, unknown 0"));
    holds(&queue, 0);
}

#[test]
fn the_report_says_how_long_answers_took() {
    let queue = queue(&[]);
    let running = respond(&queue, &["--map", "."]);
    let done = amqp(&["request", "-k", &queue, "-j", "50", "--report", "json"]).stdin(numbers(1..=2000)).run().ok();
    assert_eq!(done.lines().len(), 2000);
    let report: Value = serde_json::from_str(&done.stderr).expect("JSON");
    assert_eq!((&report["sent"], &report["written"]), (&json!(2000), &json!(2000)));
    let took = ["p50", "p90", "p99", "max"].map(|name| report["seconds_to_answer"][name].as_f64().expect(name));
    assert!(took[0] > 0.0 && took.is_sorted(), "{took:?}");
    ended(running);
}

#[test]
fn an_answer_is_a_message_of_its_own() {
    let queue = queue(&[]);
    let program = ".value |= {n: (.n + 1)} | .properties.type = .properties.message_id";
    let running = respond(&queue, &["--map", program, "--content-type", "application/json"]);
    let flags =
        ["-H", "trace=7", "--header-json", r#"{"CC":["elsewhere"]}"#, "--message-id", "m", "--user-id", "guest"];
    let data = ["--expiration", "20s", "-d", r#"{"n":1}"#, "-o", "json", "--correlation-id", "my own"];
    let done = amqp(&[&["request", "-k", &queue], &flags[..], &data[..]].concat()).run().ok();
    let [answer] = envelopes(&done.text()).try_into().expect("one");
    assert_eq!(answer["value"], "{\"n\":2}");
    assert_eq!(answer["headers"], json!({"trace": "7"}));
    let properties = json!({"correlation_id": "my own", "content_type": "application/json", "type": "m"});
    assert_eq!(answer["properties"], properties);
    // What a program makes of the answer is what is written.
    let map = ["-d", r#"{"n":5}"#, "--map", ".value.n, .value.n | {value: .}", "--filter", ".value.n > 3"];
    let done = amqp(&[&["request", "-k", &queue], &map[..]].concat()).run().ok();
    assert_eq!(done.lines(), ["6", "6"]);
    let fails = ["-d", r#"{"n":5}"#, "--filter", ".value.n.m"];
    let done = amqp(&[&["request", "-k", &queue], &fails[..]].concat()).run().fails(2);
    done.says(&["input line 1: --filter: cannot index", "an answer cannot go on", "--filter-error skip"]);
    let none = ["-d", r#"{"n":1}"#, "--filter", ".value.n > 3"];
    assert!(amqp(&[&["request", "-k", &queue], &none[..]].concat()).run().ok().stdout.is_empty());
    ended(running);

    // Without a command's own word for it, nothing is said of what it is; and nothing of the request comes back.
    let running = respond(&queue, &["--exec", "cat"]);
    let done = amqp(&["request", "-k", &queue, "-H", "a=b", "--type", "t", "-d", "x", "-o", "json"]).run().ok();
    let [answer] = envelopes(&done.text()).try_into().expect("one");
    let id = answer["properties"]["correlation_id"].as_str().expect("an id").to_owned();
    assert_eq!((id.len(), &answer["properties"]), (36, &json!({ "correlation_id": id })));
    assert_eq!((answer.get("headers"), &answer["value"]), (None, &json!("x")));
    ended(running);
}

#[test]
fn who_cannot_be_asked_and_who_does_not_answer() {
    let queue = queue(&[]);
    let no = amqp(&["request", "-k", "no-such-queue-here", "-d", "x"]).run().fails(8);
    no.says(&["returned by the broker: 312 NO_ROUTE", "not answered: 1 of 1 request", "queue declare"]);
    let late = ["request", "-k", &queue, "-j", "9", "--reply-timeout", "300ms"];
    let done = amqp(&late).stdin(numbers(1..=3)).run().fails(7);
    let nobody = format!("nobody consumes queue `{queue}` now, and requests wait there");
    done.says(&["input lines 1-3: no answer came within 300ms", "not answered: 3 of 3 requests", &nobody]);
    let idle = amqp(&["consume", &queue, "--filter", "false", "--idle-timeout", "60s"]).start();
    has_consumer(&queue);
    let late = amqp(&["request", "-k", &queue, "-d", "4", "--reply-timeout", "300ms"]).run().fails(7);
    late.says(&["--reply-timeout says how long"]);
    idle.signal("INT");
    idle.wait();
    // A queue that is deleted meanwhile takes no others with it.
    let two = [queue.clone(), super::queue(&[])];
    let lines: String = two.iter().map(|to| json!({"routing_key": to, "value": "x"}).to_string() + "\n").collect();
    let run = amqp(&["request", "--input", "json", "-j", "2", "--reply-timeout", "1s"]).stdin(lines);
    let asking = run.start();
    holds(&two[1], 1);
    amqp(&["queue", "delete", &two[1]]).run().ok();
    asking.wait().fails(7).says(&["not answered: 2 of 2 requests"]);
    let whole = amqp(&["request", "-k", &queue, "-d", "x", "--timeout", "700ms"]).run().fails(7);
    whole.says(&["outcome unknown: 1 (input line 1)", "the deadline of --timeout passed"]);
    holds(&queue, 6);

    for (flags, code, text) in [
        (&["-d", "x"][..], 2, "nothing says whom to ask"),
        (&["-k", "q", "-d", "x", "--reply-to", "r"], 2, "--reply-queue QUEUE names a queue for the answers"),
        (&["-k", "q", "-d", "x", "--reply-queue", "no-such-queue-here"], 8, "404"),
        (&["-k", "q", "-d", "x", "--map", ".a b"], 2, "--map"),
        (&["-e", "no-such-exchange-here", "-d", "x"], 8, "404"),
    ] {
        amqp(&[&["request"], flags].concat()).run().fails(code).says(&[text]);
    }
    let same = r#"{"value":"x","properties":{"correlation_id":"same"}}"#;
    let twice = ["request", "-k", &queue, "--input", "json", "-j", "2", "--reply-timeout", "1s"];
    let done = amqp(&twice).stdin(format!("{same}\n{same}\n")).run().fails(2);
    done.says(&["line 2", "its correlation id `same` is that of an earlier request"]);
    let own = ["request", "-k", &queue, "--reply-queue", &queue, "-d", "x"];
    amqp(&own).run().fails(2).says(&["to which its answer is to come"]);
    for (flags, text) in [
        (&[][..], "<--map JQ|--exec COMMAND|--via grpc call METHOD>"),
        (&["--map", ".", "--exec", "true"], "cannot be used with"),
        (&["--via", "kafka"], "unrecognized subcommand 'kafka'"),
        (&["--via", "grpc", "call"], "<METHOD>"),
        (&["--via", "grpc call"], "<METHOD>"),
        (&["-j", "5", "--via", "grpc", "call", "A/B"], "behind --via grpc call METHOD"),
        (&["--map", ".", "--on-failure", "skip"], "--on-failure is about --exec"),
        (&["--exec", "cat", "--filter-error", "skip"], "--filter-error is about --map"),
    ] {
        amqp(&[&["respond", &queue], flags].concat()).run().fails(2).says(&[text]);
    }
    amqp(&["respond", &queue, "--exec", "no-such-program-here"]).run().fails(10);
    amqp(&["respond", "no-such-queue-here", "--map", "."]).run().fails(8);
    amqp(&["respond", &queue, "--map", "."]).env("MSCOMM_AMQP_SERVER", "amqp://127.0.0.1:1").run().fails(4);
}

#[test]
fn answers_to_others_stay_in_their_queue() {
    let (asked, answers) = (queue(&[]), queue(&[]));
    amqp(&["publish", "-k", &answers, "--correlation-id", "of another", "-d", "not yours"]).run().ok();
    let running = respond(&asked, &["--map", ".value |= . * 2"]);
    let request = ["request", "-k", &asked, "--reply-queue", &answers, "-j", "5"];
    let done = amqp(&request).stdin(numbers(1..=20)).run().ok();
    assert_eq!(done.lines(), (1..=20).map(|n| (n * 2).to_string()).collect::<Vec<_>>());
    done.says(&["with the correlation id `of another` came", "it goes back to queue"]);
    ended(running);
    holds(&answers, 1);
    assert_eq!(left(&answers), ["not yours"]);

    // What could not be written is not taken out.
    let running = respond(&asked, &["--map", "."]);
    let mut run = amqp(&["request", "-k", &asked, "--reply-queue", &answers, "-d", "kept"]);
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    run.command.stdout(writer);
    run.run_with_own_stdout().exits(0);
    ended(running);
    holds(&answers, 1);
    assert_eq!(left(&answers), ["kept"]);
}

#[test]
fn nobody_waits_for_the_answer() {
    let (queue, answers) = (queue(&[]), queue(&[]));
    // It says where the answer goes, and that is not there any more.
    amqp(&["publish", "-k", &queue, "--reply-to", "gone-and-forgotten", "-d", "1"]).run().ok();
    let done = amqp(&["respond", &queue, "--exec", "cat", "-n", "1"]).run().exits(8);
    done.says(&["message 1: returned by the broker: 312 NO_ROUTE", "not answered: 1 of 1 request"]);
    holds(&queue, 0);
    // It came from a connection that has ended.
    amqp(&["request", "-k", &queue, "-d", "2", "--reply-timeout", "1ms"]).run().exits(7);
    let done = amqp(&["respond", &queue, "--exec", "cat", "-n", "1"]).run().exits(8);
    done.says(&["message 1: who asked has gone: nobody waits for the answer"]);
    holds(&queue, 0);
    // Nobody ever had such an address: RabbitMQ ends the connection on which it is asked about it.
    let odd = ["publish", "-k", &queue, "--reply-to", "amq.rabbitmq.reply-to.garbage.x", "-d", "2"];
    amqp(&odd).run().ok();
    amqp(&["publish", "-k", &queue, "--reply-to", &answers, "-d", "3"]).run().ok();
    let done = amqp(&["respond", &queue, "--exec", "cat", "-n", "2"]).run().exits(8);
    done.says(&["message 1: who asked has gone", "read 2, answered 1, failed 1, unknown 0"]);
    assert_eq!(left(&answers), ["3"]);
    holds(&queue, 0);
    // Nobody asked.
    amqp(&["publish", "-k", &queue]).stdin("3\n4\n").run().ok();
    for (flags, account) in [
        (["--exec", "true", "-n", "1"], "read 1, answered 0, without an answer 1, failed 0, unknown 0"),
        (["--map", ".", "--until-end", "-q"], ""),
    ] {
        let done = amqp(&[&["respond", &queue], &flags[..]].concat()).run().ok();
        done.says(&[account, "a request without reply_to: it is handled, and nobody gets the answer"]);
    }
    holds(&queue, 0);
    // A program may give no answer, or several.
    amqp(&["publish", "-k", &queue, "--reply-to", &queue, "-d", "5"]).run().ok();
    amqp(&["respond", &queue, "--map", "empty", "--until-end"]).run().ok();
    holds(&queue, 0);
    amqp(&["publish", "-k", &queue, "--reply-to", &answers, "-d", "6"]).run().ok();
    amqp(&["respond", &queue, "--map", ".value += 1, .value += 2", "--until-end"]).run().ok();
    assert_eq!(left(&answers), ["7", "8"]);
}

#[test]
fn what_fails_is_not_answered_and_stays_or_goes_where_it_is_said() {
    let (queue, dead) = (queue(&[]), queue(&[]));
    let command = "sh -c 'read n; case $n in *7) exit 3;; esac; echo $n'";
    let dead_to = format!("dead:{dead}");
    let running = respond(&queue, &["--exec", command, "-j", "4", "--on-failure", &dead_to]);
    let request = ["request", "-k", &queue, "-j", "10", "--reply-timeout", "6s"];
    let done = amqp(&request).stdin(numbers(1..=40)).run().exits(7);
    let good: Vec<String> = (1..=40).filter(|n| n % 10 != 7).map(|n| n.to_string()).collect();
    assert_eq!(done.lines(), good);
    done.says(&["not answered: 4 of 40 requests"]);
    ended(running);
    holds(&queue, 0);
    assert_eq!(left(&dead).iter().collect::<BTreeSet<_>>().len(), 4);

    amqp(&["publish", "-k", &queue, "--reply-to", &dead]).stdin("7\n8\n").run().ok();
    let done = amqp(&["respond", &queue, "--exec", command, "--until-end"]).run().exits(8);
    done.says(&["`sh` exited with 3", "what was not taken goes back to queue"]);
    holds(&queue, 2);
    let program = amqp(&["respond", &queue, "--map", ".value.no", "--until-end"]).run().exits(2);
    program.says(&["--map: cannot index", "--filter-error skip"]);
    holds(&queue, 2);
}

#[test]
fn whoever_is_killed_meanwhile_every_request_is_answered() {
    let (total, kills) = (setting("MSCOMM_SOAK_REQUESTS", 200), setting("MSCOMM_SOAK_KILLS", 5));
    let (queue, folder) = (queue(&[]), tempfile::tempdir().expect("a folder"));
    let file = folder.path().join("handled");
    let command = format!("sh -c 'read n; echo $n >> {}; echo \"<$n>\"'", file.display());
    let handled = || std::fs::read_to_string(&file).unwrap_or_default().lines().count();
    let request = ["request", "-k", &queue, "-j", "20", "--reply-timeout", "300s"];
    let asking = amqp(&request).stdin(numbers(1..=total)).start();
    let mut responder = amqp(&["respond", &queue, "--exec", &command, "-j", "4"]).start();
    for kill in 1..=kills {
        let wanted = usize::try_from(total * kill / (kills + 1)).expect("fits");
        eventually(&format!("{wanted} are handled; {}", responder.stderr()), || (handled() >= wanted).then_some(()));
        responder.child.kill().expect("is killed");
        responder.wait().exits(128 + 9);
        responder = amqp(&["respond", &queue, "--exec", &command, "-j", "4"]).start();
    }
    let done = asking.wait().exits(0);
    assert_eq!(done.lines(), (1..=total).map(|n| format!("<{n}>")).collect::<Vec<_>>());
    ended(responder);
    holds(&queue, 0);
}

#[test]
fn a_lost_connection_is_told_and_nothing_is_taken_for_answered() {
    let queue = queue(&[]);
    let proxy = Proxy::start();
    let asking = at(&proxy.uri(), &["request", "-k", &queue, "-j", "3"]).stdin(numbers(1..=3)).start();
    holds(&queue, 3);
    proxy.cut();
    asking.wait().exits(9).says(&["outcome unknown: 3 (input lines 1-3)"]);

    // What was begun has no answer: it goes back.
    let responding = at(&proxy.uri(), &["respond", &queue, "--exec", "sleep 60"]).start();
    eventually("a command runs", || (info(&queue).0 == 0).then_some(()));
    proxy.cut();
    eventually("it is told", || responding.stderr().contains("what has begun is waited for").then_some(()));
    responding.signal("INT");
    responding.signal("INT");
    let code = responding.wait().code;
    assert!(code == 130 || code == 4 || code == 9, "{code}");
    holds(&queue, 3);
}

#[test]
fn asked_to_end_it_answers_what_it_has_begun_with() {
    let (queue, folder) = (queue(&[]), tempfile::tempdir().expect("a folder"));
    let begun = folder.path().join("begun");
    let responding = respond(&queue, &["--exec", &format!("sh -c 'touch {}; sleep 0.5; cat'", begun.display())]);
    let asking = amqp(&["request", "-k", &queue, "--reply-timeout", "5s", "-j", "9"]).stdin("1\n2\n3\n").start();
    eventually("one is worked on", || begun.exists().then_some(()));
    responding.signal("INT");
    responding.wait().exits(130).says(&["answered 1"]);
    let done = asking.wait().exits(7);
    assert_eq!(done.lines(), ["1"]);
    holds(&queue, 2);
}

#[test]
fn a_closed_pipe_is_no_reason_to_wait() {
    let queue = queue(&[]);
    let running = respond(&queue, &["--map", "select(.value != 2)"]);
    let mut run = amqp(&["request", "-k", &queue, "-j", "2", "--unordered"]).stdin(numbers(1..=50));
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    run.command.stdout(writer);
    let since = Instant::now();
    run.run_with_own_stdout().exits(0);
    assert!(since.elapsed() < Duration::from_secs(20), "it waited for an answer that nobody wants");
    ended(running);
}
