//! What becomes of messages whose command failed.

use super::{consume, left, none_is_missing};
use crate::amqp::{amqp, filled, holds, queue};
use crate::kafka::{produce, read, topic};
use crate::support::{Done, unique};

/// Prints what it reads, and fails for 3.
const BUT_3: &str = "grep -v 3";

#[test]
fn by_default_it_is_the_end() {
    let queue = filled(5);
    let done = consume(&queue, BUT_3, &[]).run().exits(8);
    assert_eq!(done.lines(), ["1", "2"]);
    done.says(&[
        &format!("queue `{queue}`, message 3: `grep` exited with 1"),
        &format!("what was not taken goes back to queue `{queue}`"),
        "--on-failure",
    ]);
    holds(&queue, 3);
    assert_eq!(left(&queue), ["3", "4", "5"]);
}

/// So does every one that had not begun.
#[test]
fn with_several_at_once_it_is_the_end_too() {
    let queue = filled(40);
    let done = consume(&queue, BUT_3, &["-j", "4"]).run().exits(8);
    let printed = done.lines();
    assert!(printed.len() < 10, "{printed:?}");
    none_is_missing(&queue, printed, 40);
}

#[test]
fn it_may_be_held_skipped_or_rejected() {
    for (policy, kept) in [("hold", &["3"][..]), ("skip", &[]), ("reject", &[])] {
        let letters = queue(&[]);
        let queue = queue(&["--dead-letter-exchange", "", "--dead-letter-routing-key", &letters]);
        amqp(&["publish", "-k", &queue]).stdin("1\n2\n3\n4\n5\n").run().ok();
        let done = consume(&queue, BUT_3, &["--on-failure", policy]).run().exits(8);
        assert_eq!(done.lines(), ["1", "2", "4", "5"]);
        done.says(&["message 3: `grep` exited with 1", "not taken: 1 of 5 messages"]);
        holds(&queue, kept.len() as u64);
        assert_eq!(left(&queue), kept);
        holds(&letters, u64::from(policy == "reject"));
    }
}

/// It comes again at once, and the third time it is held, so that the end is reached.
#[test]
fn its_queue_may_take_it_back() {
    let queue = filled(5);
    let args = ["consume", &queue, "--idle-timeout", "1s", "--exec", BUT_3, "--on-failure", "requeue"];
    let done = amqp(&args).run().exits(8);
    assert_eq!(done.lines(), ["1", "2", "4", "5"]);
    done.says(&["`grep` exited with 1, 3 times; it is held", "not taken: 3 of 7 messages"]);
    holds(&queue, 1);
    assert_eq!(left(&queue), ["3"]);
}

#[test]
fn an_exit_code_has_a_meaning_of_its_own() {
    let queue = filled(6);
    let command = "sh -c 'read n; echo $n; exit $n'";
    let exits = ["--on-exit", "1=ack,2=skip,3=hold", "--on-exit", "4=reject", "--on-failure", "stop"];
    let done = consume(&queue, command, &exits).run().exits(8);
    assert_eq!(done.lines(), ["1"], "only what is as good as 0 is written");
    done.says(&["message 2: `sh` exited with 2", "message 5: `sh` exited with 5", "not taken: 4 of 5 messages"]);
    holds(&queue, 3);
    assert_eq!(left(&queue), ["3", "5", "6"]);
}

/// Of messages that are alike, one that succeeds clears the others.
#[test]
fn three_times_are_those_of_one_message() {
    let (queue, folder) = (queue(&[]), tempfile::tempdir().expect("a folder"));
    amqp(&["publish", "-k", &queue]).stdin("ping\n".repeat(6)).run().ok();
    let file = folder.path().join("runs");
    // The first, the fourth, the seventh … fail.
    let command = format!("sh -c 'echo >> {0}; test $(($(wc -l < {0}) % 3)) != 1'", file.display());
    let args = ["consume", &queue, "--idle-timeout", "1s", "--exec", &command, "--on-failure", "requeue"];
    let done = amqp(&args).run().exits(8);
    assert!(!done.stderr.contains("it is held"), "{}", done.stderr);
    holds(&queue, 0);
}

/// What was said of a command that fails counts before what was said of the target.
#[test]
fn a_target_for_what_is_refused_gets_no_failures() {
    let (from, to, dead) = (filled(5), queue(&[]), queue(&[]));
    let args = ["--exec", BUT_3, "amqp", "consume", &from, "--until-end", "--to", "amqp", "publish", "-k", &to];
    crate::bridge::bridge(&[&args[..], &["--on-refusal", &format!("dead:{dead}")]].concat()).run().exits(8);
    assert_eq!(left(&to), ["1", "", "2", ""], "with the newlines that it printed");
    holds(&from, 3);
    assert_eq!(left(&from), ["3", "4", "5"]);
    assert_eq!(left(&dead), [""; 0]);
}

/// When all was read already, too.
#[test]
fn what_had_not_begun_goes_back_at_the_end() {
    let queue = filled(9);
    let done = consume(&queue, "sh -c 'read n; sleep 0.2; test $n != 1 && echo $n'", &["-j", "4"]).run().exits(8);
    let printed = done.lines();
    assert!(printed.len() < 7, "{printed:?}");
    done.says(&["message 1: `sh` exited with 1", "nothing more was begun"]);
    none_is_missing(&queue, printed, 9);
}

/// What the broker was told as it arrived cannot be told again.
#[test]
fn what_is_acked_already_is_not_rejected() {
    let queue = filled(2);
    let to = unique("missing");
    let args = ["amqp", "consume", &queue, "--no-ack", "--until-end", "--to", "amqp", "publish", "-k", &to];
    crate::bridge::bridge(&[&args[..], &["--on-refusal", "reject"]].concat()).run().exits(8).says(&["failed 2"]);
}

/// A member of a group, to the end.
fn tail(topic: &str, group: &str, flags: &[&str]) -> Done {
    let args = ["kafka", "tail", topic, "--group", group, "--until-end"];
    let run = crate::support::mscomm(&[&args[..], flags].concat());
    run.env("MSCOMM_KAFKA_SERVER", crate::support::test_env("KAFKA")).run()
}

#[test]
fn a_group_stays_before_it_or_passes_it() {
    let (topic, group) = (topic(&[]), unique("group"));
    produce(&topic, "1\n2\n3\n4\n5\n", &[]).ok();
    let done = tail(&topic, &group, &["--exec", BUT_3]).exits(8);
    assert_eq!(done.lines(), ["1", "2"]);
    done.says(&["offset 2: `grep` exited with 1", &format!("the group `{group}` stays at offset 2")]);
    let done = tail(&topic, &group, &["--exec", BUT_3, "--on-failure", "hold", "-j", "3"]).exits(8);
    assert_eq!(done.lines(), ["4", "5"]);
    assert_eq!(tail(&topic, &group, &["--exec", BUT_3, "--on-failure", "skip"]).exits(8).lines(), ["4", "5"]);
    assert_eq!(tail(&topic, &group, &["--exec", "cat"]).ok().text(), "");
    assert_eq!(read(&topic, &["--exec", "cat"]).lines().len(), 5);
}
