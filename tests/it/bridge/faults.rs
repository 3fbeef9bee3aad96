//! A target that goes away, is full, or is not read any more while messages are on their way.

use std::io::Read;

use super::bridge;
use super::kills::{comes, is_there, start};
use super::side::{Seen, Side, body};
use crate::amqp::{amqp, holds};
use crate::support::{mscomm, test_env};

const TOTAL: u64 = 2000;

/// What a pipe holds on Linux.
const PIPE: usize = 64 * 1024;

fn confirmed(stderr: &str) -> u64 {
    stderr.split("confirmed ").nth(1).and_then(|rest| rest.split(',').next()?.parse().ok()).expect(stderr)
}

#[test]
fn an_exchange_that_is_deleted() {
    for from in [Side::amqp(&[]), Side::kafka()] {
        let to = Side::amqp(&[]);
        from.fill(1..=TOTAL);
        let mut running = start(&from, &to, true);
        assert!(comes(&mut running, &to, 100), "{}", running.stderr());
        amqp(&["exchange", "delete", to.exchange()]).run().ok();
        let done = running.wait();
        // Of those that were under way nobody knows.
        assert!([8, 9].contains(&done.code), "{}: {}", done.code, done.stderr);
        assert!(done.stderr.contains("to amqp publish") && done.stderr.contains("404"), "{}", done.stderr);
        let settled = is_there(&from, &to, &mut Seen::none(TOTAL), TOTAL);
        assert!((1..TOTAL).contains(&settled), "{settled} are settled");
    }
}

#[test]
fn a_topic_that_is_deleted() {
    let (from, to) = (Side::amqp(&[]), Side::kafka());
    from.fill(1..=TOTAL);
    // Else librdkafka takes it for new, and waits for half a minute.
    let flags = ["-X", "batch.num.messages=5", "-X", "max.in.flight=1", "-X", "topic.metadata.propagation.max.ms=1000"];
    let reader = [&from.reader()[..], &["--prefetch", "10", "--to"]].concat();
    let mut running = bridge(&[&reader[..], &to.writer(), &flags].concat()).start();
    assert!(comes(&mut running, &to, 100), "{}", running.stderr());
    mscomm(&["kafka", "topic", "delete", to.name()]).env("MSCOMM_KAFKA_SERVER", test_env("KAFKA")).run().ok();
    // No record is to blame.
    let done = running.wait().exits(8).says(&["to kafka produce: there is no topic"]);
    // It is gone with all that was in it, partition by partition.
    holds(from.name(), TOTAL - confirmed(&done.stderr));
}

#[test]
fn a_queue_that_is_full() {
    for from in [Side::amqp(&[]), Side::kafka()] {
        let to = Side::amqp(&["--max-length", "300", "--overflow", "reject-publish"]);
        from.fill(1..=TOTAL);
        let mut words = from.reader();
        words.extend(["-n", "1000", "--to"]);
        words.extend(to.writer());
        bridge(&words).run().exits(8).says(&["not accepted by the broker (nack)"]);
        let mut seen = Seen::none(TOTAL);
        match &from {
            Side::Kafka(_) => drop(is_there(&from, &to, &mut seen, TOTAL)),
            // Each was acked by itself.
            Side::Amqp(_) => {
                to.take(&mut seen);
                let came = TOTAL - seen.missing().len() as u64;
                assert!(came >= 300, "{came} came");
                holds(from.name(), TOTAL - came);
            }
        }
    }
}

#[test]
fn an_output_that_is_closed() {
    for from in [Side::amqp(&[]), Side::kafka()] {
        from.fill(1..=TOTAL);
        let mut run = bridge(&[&from.reader()[..], &["--to", "stdout", "-o", "%s\\n"]].concat());
        let (mut reader, writer) = std::io::pipe().expect("a pipe");
        run.command.stdout(writer);
        let running = run.start_with_own_stdout();
        let mut read = vec![0; 1000];
        reader.read_exact(&mut read).expect("reads");
        drop(reader);
        running.wait().exits(0);
        // What the pipe took counts as written, and nothing else does.
        let settled: usize = from.settled(TOTAL).into_iter().map(|number| body(number).len() + 1).sum();
        assert!(settled <= PIPE + read.len(), "{settled} bytes are settled");
    }
}
