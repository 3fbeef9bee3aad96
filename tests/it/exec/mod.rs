//! `--exec`: a command for each message, in every verb that reads.

mod dead;
mod ends;
mod failures;
mod kills;
mod moved;

use std::collections::BTreeMap;
use std::path::Path;

use crate::amqp::{amqp, filled, holds, queue};
use crate::bridge::bridge;
use crate::kafka::{produce, read, topic};
use crate::support::mscomm;

/// Consumes a queue to its end by a command.
pub(crate) fn consume(queue: &str, command: &str, flags: &[&str]) -> crate::support::Run {
    amqp(&[&["consume", queue, "--until-end", "--exec", command], flags].concat())
}

/// What is left in a queue, which is taken out.
pub(crate) fn left(queue: &str) -> Vec<String> {
    amqp(&["consume", queue, "--until-end"]).run().ok().lines()
}

/// The lines of a file, as far as it is there.
pub(crate) fn lines(file: &Path) -> Vec<String> {
    std::fs::read_to_string(file).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// Panics unless each of 1 to `total` was printed or is left in the queue.
#[track_caller]
pub(crate) fn none_is_missing(queue: &str, printed: Vec<String>, total: usize) {
    holds(queue, (total - printed.len()) as u64);
    let mut all: Vec<usize> = printed.iter().chain(&left(queue)).map(|line| line.parse().expect("a number")).collect();
    all.sort_unstable();
    assert_eq!(all, (1..=total).collect::<Vec<_>>());
}

#[test]
fn what_it_prints_is_written_as_one_record() {
    let queue = queue(&[]);
    amqp(&["publish", "-k", &queue]).stdin("a\nb\n").run().ok();
    let done = consume(&queue, "sh -c 'tr a-z A-Z; printf \"\\n-\"'", &[]).run().ok();
    assert_eq!(done.lines(), ["A", "-", "B", "-"]);
    // A last newline is not doubled, an empty record is none, and a body stays as it was printed.
    amqp(&["publish", "-k", &queue]).stdin("a\n\nb\n").run().ok();
    let done = consume(&queue, "sed -n p", &["-o", "json", "--exec-input", "body"]).run().ok();
    assert_eq!(done.lines().len(), 2, "{}", done.text());
    amqp(&["publish", "-k", &queue]).stdin("a\n").run().ok();
    let done = consume(&queue, "sh -c 'cat; echo'", &["-o", "json"]).run().ok();
    assert!(done.text().contains(r#""value":"a\n"}"#), "{}", done.text());
    holds(&queue, 0);
}

#[test]
fn it_knows_what_the_message_says_of_itself() {
    let queue = queue(&[]);
    let flags = ["-k", &queue, "-H", "trace-id=t 1", "--message-id", "m1", "-d", "body"];
    amqp(&[&["publish"], &flags[..]].concat()).run().ok();
    let print = "sh -c 'env | grep ^MSCOMM_MESSAGE_ | sort'";
    let done = consume(&queue, print, &[]).env("MSCOMM_MESSAGE_TOPIC", "of another one").run().ok();
    let text = done.text();
    for wanted in [
        "MSCOMM_MESSAGE_PROTOCOL=amqp",
        "MSCOMM_MESSAGE_EXCHANGE=",
        &format!("MSCOMM_MESSAGE_QUEUE={queue}"),
        &format!("MSCOMM_MESSAGE_ROUTING_KEY={queue}"),
        "MSCOMM_MESSAGE_REDELIVERED=false",
        "MSCOMM_MESSAGE_HEADER_TRACE_ID=t 1",
        "MSCOMM_MESSAGE_PROPERTY_MESSAGE_ID=m1",
    ] {
        assert!(text.lines().any(|line| line == wanted), "no {wanted} in {text}");
    }
    assert!(!text.contains("TOPIC"), "{text}");

    let topic = topic(&[]);
    let record = r#"{"key":"k\u0000","headers":[["h","1"],["h","2"],["n",null]],"value":"v"}"#;
    produce(&topic, format!("{record}\n"), &["--input", "json"]).ok();
    let done = read(&topic, &["--exec", print]);
    let text = done.text();
    for wanted in
        [format!("_TOPIC={topic}"), "_PARTITION=0".to_owned(), "_OFFSET=0".to_owned(), "_HEADER_H=2".to_owned()]
    {
        assert!(text.contains(&wanted), "no {wanted} in {text}");
    }
    assert!(!text.contains("_KEY=") && !text.contains("_HEADER_N="), "{text}");
    done.says(&["MSCOMM_MESSAGE_KEY is not set, because it holds a zero byte; --exec-input json"]);
    // The envelope has all of it.
    let done = read(&topic, &["--exec", "cat", "--exec-input", "json"]);
    assert!(done.text().contains(r#""key":"k\u0000""#), "{}", done.text());
}

/// The words are a shell's, and no shell runs.
#[test]
fn words_and_nothing_else() {
    let queue = filled(1);
    let done = consume(&queue, r#"printf '%s|' "a b" c\ d $HOME '*' ;"#, &[]).run().ok();
    assert_eq!(done.text(), "a b|c d|$HOME|*|;|\n");
}

#[test]
fn records_of_a_key_stay_in_order_and_others_pass() {
    let topic = topic(&["--partitions", "2"]);
    let lines: String = (0..60).map(|n| format!("{} {n}\n", ["a", "b", "c"][n % 3])).collect();
    produce(&topic, lines, &["-K", " "]).ok();
    let command = "sh -c 'sleep 0.0$(($$ % 4)); cat'";
    let done = read(&topic, &["--exec", command, "-j", "4", "-o", "%k %s\\n"]);
    let mut by_key: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for line in done.lines() {
        let (key, number) = line.split_once(' ').expect("a key");
        by_key.entry(key.to_owned()).or_default().push(number.parse().expect("a number"));
    }
    assert_eq!(by_key.values().map(Vec::len).sum::<usize>(), 60);
    assert!(by_key.values().all(|numbers| numbers.is_sorted()), "{by_key:?}");
}

#[test]
fn what_it_prints_goes_on_through_a_bridge() {
    let (from, to) = (filled(5), topic(&[]));
    let args = ["-j", "2", "--exec", "sh -c 'cat; cat /dev/null; printf x'", "amqp", "consume", &from, "--until-end"];
    let done = bridge(&[&args[..], &["--to", "kafka", "produce", &to]].concat()).run().ok();
    done.says(&["read 5, sent 5, confirmed 5, failed 0, unknown 0"]);
    holds(&from, 0);
    let mut lines = read(&to, &[]).lines();
    lines.sort();
    assert_eq!(lines, ["1x", "2x", "3x", "4x", "5x"]);

    // What prints nothing makes an empty body, and a failure holds its message back.
    let (to, group) = (queue(&[]), crate::support::unique("group"));
    let topic = topic(&[]);
    produce(&topic, "1\n2\n3\n", &[]).ok();
    let command = "sh -c 'read n; test $n != 3'";
    let args = ["--exec", command, "kafka", "tail", &topic, "--group", &group, "--until-end"];
    let done = bridge(&[&args[..], &["--to", "amqp", "publish", "-k", &to]].concat()).run().exits(8);
    done.says(&["offset 2: `sh` exited with 1", &format!("the group `{group}` stays at offset 2")]);
    assert_eq!(left(&to), ["", ""]);
    // A tombstone stays one.
    let (of, to) = (crate::kafka::topic(&[]), crate::kafka::topic(&[]));
    produce(&of, "{\"key\":\"k\",\"value\":null}\n", &["--input", "json"]).ok();
    let args =
        ["--exec", "cat", "kafka", "tail", &of, "--from", "begin", "--until-end", "--to", "kafka", "produce", &to];
    bridge(&args).run().ok();
    assert!(read(&to, &["-o", "json"]).text().contains(r#""value":null"#));
    // On standard output it is no record.
    let args = ["--exec", "true", "stdin", "-d", "x", "--to", "stdout"];
    assert_eq!(bridge(&args).run().ok().stdout, b"");
    let args = ["--exec", "cat", "stdin", "--to", "stdout"];
    assert_eq!(bridge(&args).stdin("a\nb\n").run().ok().text(), "a\nb\n");
}

#[test]
fn what_was_typed_is_checked_before_anything_connects() {
    let nowhere = "amqp://127.0.0.1:1";
    for (flags, code, says) in [
        (&["--exec", ""][..], 2, "the command of --exec is empty or has an open quote"),
        (&["--exec", "sh -c 'x"], 2, "open quote"),
        (&["--exec", "no-such-command-here x"], 10, "there is no `no-such-command-here` in PATH"),
        (&["--exec", "/no/such"], 10, "there is no `/no/such`"),
        (&["--exec", "/etc/passwd"], 10, "`/etc/passwd` is not an executable file"),
        (&["--exec-input", "json"], 2, "--exec <COMMAND>"),
        (&["--on-failure", "hold"], 2, "--exec <COMMAND>"),
        (&["-j", "2"], 2, "--exec <COMMAND>"),
        (&["--exec", "true", "-j", "0"], 2, "0 is not in 1..=1024"),
        (&["--exec", "true", "--on-failure", "drop"], 2, "write stop, hold, skip, dead:TARGET, requeue or reject"),
        (&["--exec", "true", "--on-exit", "75"], 2, "write CODE=WHAT"),
        (&["--exec", "true", "--on-exit", "0=reject"], 2, "0 is success"),
    ] {
        let done = mscomm(&[&["amqp", "consume", "q", "-s", nowhere], flags].concat()).run();
        done.fails(code).says(&[says]);
    }
    for flags in [["--on-failure", "requeue"], ["--on-failure", "reject"], ["--on-exit", "3=requeue"]] {
        let args = ["kafka", "tail", "t", "-s", "127.0.0.1:1", "--exec", "true"];
        mscomm(&[&args[..], &flags].concat()).run().fails(2).says(&["is for messages of a queue"]);
    }
}
