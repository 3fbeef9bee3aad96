//! What a program leaves out of a queue stays there.

use crate::amqp::{amqp, filled, holds, queue};
use crate::bridge::bridge;
use crate::bridge::kills::setting;
use crate::exec::left;
use crate::kafka::{read, topic};
use crate::support::{Done, eventually};

fn consume(queue: &str, program: &str, flags: &[&str]) -> Done {
    amqp(&[&["consume", queue, "--filter", program], flags].concat()).run()
}

/// The numbers from 1, without some.
fn without(total: u32, gone: &[u32]) -> Vec<String> {
    (1..=total).filter(|n| !gone.contains(n)).map(|n| n.to_string()).collect()
}

/// However many they are: more are sent ahead of them than at first.
#[test]
fn the_queue_keeps_the_rest_in_its_order() {
    for (flags, ahead) in [(&[][..], "10"), (&["--quorum"], "10"), (&[], "1"), (&[], "1000")] {
        let queue = queue(flags);
        let lines: String = (1..=3000).map(|n| format!("{n}\n")).collect();
        amqp(&["publish", "-k", &queue]).stdin(lines).run().ok();
        let done = consume(&queue, ".value % 1000 == 500", &["--until-end", "--prefetch", ahead]).ok();
        assert_eq!(done.lines(), ["500", "1500", "2500"], "{flags:?} {ahead}");
        let (kept, wanted) = (left(&queue), without(3000, &[500, 1500, 2500]));
        let first = kept.iter().zip(&wanted).find(|(kept, wanted)| kept != wanted);
        assert_eq!((kept.len(), first), (wanted.len(), None), "{flags:?} {ahead}");
    }
}

#[test]
fn only_what_was_asked_for_is_taken() {
    let queue = filled(10);
    assert_eq!(consume(&queue, ".value == 3 or .value > 7", &["-n", "2"]).ok().lines(), ["3", "8"]);
    holds(&queue, 8);
    assert_eq!(consume(&queue, ".value == 9", &["-n", "1", "--nack"]).ok().lines(), ["9"]);
    holds(&queue, 7);
    assert_eq!(consume(&queue, ".value == 10", &["--until-end", "--requeue"]).ok().lines(), ["10"]);
    holds(&queue, 7);
    assert_eq!(consume(&queue, ".value == 10", &["--until-end", "--exclusive"]).ok().lines(), ["10"]);
    holds(&queue, 6);
    assert_eq!(consume(&queue, ".value == 5", &["--idle-timeout", "300ms", "--drop-rest"]).ok().lines(), ["5"]);
    holds(&queue, 0);
    // A program that maps messages away keeps them as well.
    let queue = filled(4);
    let args = ["consume", &queue, "--until-end", "--map", "select(.value > 2)"];
    assert_eq!(amqp(&args).run().ok().lines(), ["3", "4"]);
    assert_eq!(left(&queue), ["1", "2"]);
}

/// A look goes on until it has found what it looks for, and takes nothing out.
#[test]
fn a_look_finds_what_passes() {
    for flags in [&[][..], &["--quorum"]] {
        let queue = queue(flags);
        amqp(&["publish", "-k", &queue]).stdin((1..=50).map(|n| format!("{n}\n")).collect::<String>()).run().ok();
        let get = |flags: &[&str]| amqp(&[&["get", &queue], flags].concat()).run();
        assert_eq!(get(&["--filter", ".value > 30", "-n", "2"]).ok().lines(), ["31", "32"]);
        let done = get(&["--filter", ".value > 48", "-n", "3"]).exits(1);
        // A quorum queue does not take so many back in their order.
        assert_eq!(done.lines().len(), 2, "{}", done.text());
        done.says(&["holds 2 messages that passed, of 50, fewer than 3"]);
        assert_eq!(get(&["--map", "., .value = \"again\""]).ok().lines()[1], "again");
        get(&["--filter", ".value.x"]).exits(2).says(&["message 1: --filter: cannot index "]);
        get(&["--filter", "("]).fails(2);
        assert_eq!(left(&queue).len(), 50);
    }
}

#[test]
fn a_queue_that_follows_has_to_have_an_end() {
    let queue = filled(2);
    let says = [&format!("what --filter leaves out of `{queue}` would be held")[..], "--drop-rest"];
    consume(&queue, ".value == 1", &[]).fails(2).says(&says);
    consume(&queue, ".value == 1", &["--timeout", "500ms"]).exits(7);
    assert_eq!(left(&queue), ["2"]);
    for (flags, says) in [
        (&["--drop-rest", "-n", "1"][..], "--drop-rest is about what --filter or --map leaves out"),
        (&["--filter", ".", "--no-ack", "-n", "1"], "--no-ack takes messages out as they arrive"),
        (&["--filter", ".", "--requeue", "--drop-rest", "-n", "1"], "--requeue puts all messages back"),
    ] {
        amqp(&[&["consume", &queue], flags].concat()).run().fails(2).says(&[says]);
    }
}

/// A stream has nothing to give back.
#[test]
fn a_stream_keeps_all_that_it_has() {
    let stream = queue(&["--stream"]);
    amqp(&["publish", "-k", &stream]).stdin((1..=3000).map(|n| format!("{n}\n")).collect::<String>()).run().ok();
    let flags = ["--from", "first", "--prefetch", "10"];
    let done = consume(&stream, ".value % 1000 == 0", &[&flags[..], &["-n", "3"]].concat()).ok();
    assert_eq!(done.lines(), ["1000", "2000", "3000"]);
    assert_eq!(consume(&stream, ".value == 2999", &["--until-end"]).ok().lines(), ["2999"]);
}

#[test]
fn a_program_that_fails_gives_its_message_back() {
    let queue = queue(&[]);
    amqp(&["publish", "-k", &queue]).stdin("{\"id\":1}\ntext\n{\"id\":3}\n").run().ok();
    let done = consume(&queue, ".value.id == 1", &["--until-end"]).exits(2);
    assert_eq!(done.lines(), ["{\"id\":1}"]);
    done.says(&[&format!("queue `{queue}`, message 2: --filter: cannot index \"text\" with \"id\"")]);
    holds(&queue, 2);
    let done = consume(&queue, ".value.id == 3", &["--until-end", "--filter-error", "skip"]).ok();
    assert_eq!(done.lines(), ["{\"id\":3}"]);
    done.says(&["--filter: failed on 1 message, left out"]);
    assert_eq!(left(&queue), ["text"]);
}

/// A queue that sends to one consumer alone, until that is ended.
#[test]
fn a_single_active_consumer_gets_all() {
    for flags in [&["-A", "x-single-active-consumer=true"][..], &["--quorum", "-A", "x-single-active-consumer=true"]] {
        let queue = queue(flags);
        amqp(&["publish", "-k", &queue]).stdin((1..=3000).map(|n| format!("{n}\n")).collect::<String>()).run().ok();
        assert_eq!(consume(&queue, ".value == 2900", &["-n", "1"]).ok().lines(), ["2900"]);
        assert_eq!(consume(&queue, ".value == 2999", &["--until-end"]).ok().lines(), ["2999"]);
        holds(&queue, 2998);
    }
}

/// What a command failed on is held, too.
#[test]
fn more_come_however_they_are_held() {
    let flags = ["--exec", "false", "-j", "50", "--on-failure", "hold", "--until-end"];
    let queue = filled(1500);
    let args = ["consume", &queue, "--map", "."];
    amqp(&[&args, &flags[..]].concat()).run().exits(8).says(&["not taken: 1500 of 1500 messages"]);
    holds(&queue, 1500);
    let failing = "sh -c 'sleep 0.3; exit 1'";
    let flags = ["--exec", failing, "--on-failure", "hold", "--until-end", "--prefetch", "100"];
    consume(&queue, ".value == 1 or .value == 1400", &flags).exits(8).says(&["not taken: 2 of 2 messages"]);
    holds(&queue, 1500);
}

#[test]
fn what_a_later_stage_leaves_out_stays_too() {
    let (from, to) = (filled(10), queue(&[]));
    let args = ["move", &from, "--to-origin", "--map", "., .", "-n", "5"];
    amqp(&args).run().exits(1).says(&["read 10, filtered 10, sent 0"]);
    holds(&from, 10);
    amqp(&["move", &from, &to, "--map", "., .", "--max-moves", "0"]).run().ok().says(&["filtered 10"]);
    holds(&from, 10);
    holds(&to, 0);
    let args = ["consume", &from, "--no-ack", "--drop-rest", "--filter", ".value > 2", "-n", "1"];
    amqp(&args).run().fails(2).says(&["more than --count of them"]);
    holds(&from, 10);
    // A long name has to be one when there are several, too.
    let args = ["--until-end", "--prefetch", "1", "--consumer-tag", &"ü".repeat(127)];
    assert_eq!(consume(&from, ".value == 7", &args).ok().lines(), ["7"]);
}

/// Parts that were not written are no message's that was.
#[test]
fn a_closed_pipe_is_quiet_whatever_a_program_gives() {
    let queue = filled(2000);
    let program = "if .value % 20 == 19 then (range(2000) as $i | .) else (., .) end";
    let script = r#""$0" amqp consume "$1" --until-end --map "$2" -s "$3" | head -n 1; exit ${PIPESTATUS[0]}"#;
    let server = crate::support::test_env("AMQP");
    let done = std::process::Command::new("bash")
        .args(["-c", script, crate::support::BINARY, &queue, program, &server])
        .output()
        .expect("runs");
    assert_eq!((done.status.code(), String::from_utf8_lossy(&done.stdout).trim()), (Some(0), "1"));
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(!told.contains("given to others") && !told.contains("panicked"), "{told}");
    assert!(left(&queue).len() >= 1000);
}

/// All that is held and more: what a broker may send ahead ends at 65,535.
#[test]
fn a_full_hold_is_told() {
    let queue = queue(&[]);
    amqp(&["publish", "-k", &queue]).stdin("x\n".repeat(65_600)).run().ok();
    let done = consume(&queue, ".value == 1", &["-n", "1"]).exits(9);
    done.says(&["65535 messages left out and held", "--drop-rest"]);
    holds(&queue, 65_600);
}

/// What was carried is gone, what was left out is there, and a target that is lost takes nothing with it.
#[test]
fn a_bridge_takes_what_passes() {
    let (from, to) = (filled(5000), topic(&[]));
    let args = ["amqp", "consume", &from, "-n", "100", "--to", "kafka", "produce", &to];
    let done = bridge(&[&["--filter", ".value % 2 == 0"], &args[..]].concat()).run().ok();
    done.says(&["sent 100, confirmed 100, failed 0, unknown 0"]);
    let carried = read(&to, &[]).lines();
    assert_eq!(carried, (1..=100).map(|n| (2 * n).to_string()).collect::<Vec<_>>());
    assert_eq!(left(&from).len(), 4900);
    let from = filled(100);
    let args = ["amqp", "consume", &from, "--idle-timeout", "1s", "--drop-rest", "--to", "kafka", "produce", &to];
    bridge(&[&["--filter", ".value > 90"], &args[..]].concat()).run().ok().says(&["read 100, filtered 90, sent 10"]);
    holds(&from, 0);
}

/// Killed, it has taken nothing that was not written.
#[test]
fn a_kill_gives_all_back_that_was_left_out() {
    for _ in 0..setting("MSCOMM_SOAK_KILLS", 5) {
        let queue = filled(500);
        let args = ["consume", &queue, "--filter", ".value % 100 == 0", "--idle-timeout", "60s", "--prefetch", "20"];
        let running = amqp(&args).start();
        running.wait_for_lines(5);
        running.signal("KILL");
        running.wait();
        // What was written may come again.
        let mut came = Vec::new();
        eventually("it is all there", || {
            came.extend(left(&queue).into_iter().filter(|line| !line.ends_with("00")));
            (came.len() >= 495).then_some(())
        });
        assert_eq!(came, without(500, &[100, 200, 300, 400, 500]));
    }
}
