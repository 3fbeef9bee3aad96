//! Why it ended: the broker's own words, and never ours in its name.

use std::io::{Read, Write};

use super::proxy::{Proxy, channel_close, frame};
use super::{amqp, at, has_consumer, holds, queue, start_open};

const LATE: &str = "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value used: 1000 ms";

#[test]
fn an_acknowledgement_that_came_too_late_is_told() {
    let (queue, proxy) = (queue(&[]), Proxy::start());
    let running = at(&proxy.uri(), &["consume", &queue]).start();
    has_consumer(&queue);
    proxy.mute();
    proxy.say(&channel_close(1, 406, LATE));
    running.wait().fails(8).says(&["406", LATE, "--prefetch", "consumer_timeout"]);
}

/// The reader notices only when it settles: by then lapin knows no more than that the channel is closed.
#[test]
fn an_acknowledgement_that_came_too_late_behind_a_slow_reader_is_told() {
    let (queue, proxy) = (queue(&[]), Proxy::start());
    let lines = format!("{}\n", "x".repeat(1000)).repeat(2000);
    amqp(&["publish", "-k", &queue]).stdin(lines).run().ok();
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    let mut run = at(&proxy.uri(), &["consume", &queue, "--prefetch", "2000"]);
    run.command.stdout(writer);
    let running = run.start_with_own_stdout();
    let mut first = vec![0; 1000];
    reader.read_exact(&mut first).expect("reads");
    proxy.mute();
    proxy.say(&channel_close(1, 406, LATE));
    proxy.has_agreed();
    let rest = std::thread::spawn(move || reader.read_to_end(&mut Vec::new()));
    running.wait().exits(8).says(&[&queue, "406", LATE, "--prefetch", "consumer_timeout"]);
    rest.join().expect("ends").expect("reads");
}

#[test]
fn what_the_broker_said_to_a_publisher_is_told_after_a_signal_too() {
    let proxy = Proxy::start();
    let queue = queue(&[]);
    let (running, mut input) = start_open(at(&proxy.uri(), &["publish", "-k", &queue]));
    input.write_all(b"1\n").expect("takes input");
    holds(&queue, 1);
    proxy.mute();
    input.write_all(b"2\n").expect("takes input");
    holds(&queue, 2);
    running.signal("INT");
    proxy.say(&channel_close(1, 541, "INTERNAL_ERROR - too bad"));
    let done = running.wait();
    // Which of the two is heard first is the system's choice.
    assert!([130, 9].contains(&done.code), "{} {}", done.code, done.stderr);
    done.says(&["541 INTERNAL_ERROR - too bad", "confirmed 1, failed 0, unknown 1"]);
}

#[test]
fn a_connection_that_was_closed_by_an_operator_is_told() {
    let text = "CONNECTION_FORCED - Closed via management plugin";
    let close =
        [&[0, 10, 0, 50, 1, 64, u8::try_from(text.len()).expect("short")][..], text.as_bytes(), &[0; 4]].concat();
    for verb in [&["consume"][..], &["publish", "-k"], &["publish", "--no-confirm", "-k"]] {
        let (queue, proxy) = (queue(&[]), Proxy::start());
        let (running, mut input) = start_open(at(&proxy.uri(), &[verb, &[queue.as_str()]].concat()));
        match verb[0] {
            "consume" => has_consumer(&queue),
            _ => {
                input.write_all(b"1\n").expect("takes input");
                holds(&queue, 1);
            }
        }
        proxy.mute();
        proxy.say(&frame(1, 0, &close));
        let done = running.wait();
        assert!([4, 9].contains(&done.code), "{verb:?}: {} {}", done.code, done.stderr);
        done.says(&["the broker answered 320", text]);
    }
}

#[test]
fn what_we_refuse_is_not_the_brokers_answer() {
    for (bytes, says) in [
        // A heartbeat on a channel, and a body that nobody announced.
        (frame(8, 1, &[]), "not AMQP 0-9-1: heartbeat frame received on channel 1"),
        (frame(3, 1, b"x"), "not AMQP 0-9-1: unexpected content body"),
        (frame(3, 1, &vec![0; 131_072]), "more than the frame_max that was agreed on"),
    ] {
        let (queue, proxy) = (queue(&[]), Proxy::start());
        let running = at(&proxy.uri(), &["consume", &queue]).start();
        has_consumer(&queue);
        proxy.say(&bytes);
        let done = running.wait().fails(8).says(&[&queue, says]);
        assert!(!done.stderr.contains("the broker answered"), "{}", done.stderr);
    }
}
