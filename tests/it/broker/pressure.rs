//! More than there is room or time for: the sandbox alone, with little memory.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mscomm::testing::sandbox::amqp::{Broker, Options};

use super::hostile::frame;
use super::script::{Session, on_sandbox, run};

/// Runs steps on a broker with so much memory for messages.
fn with_memory(memory: usize, steps: impl Fn(&mut Session)) -> String {
    let broker = Broker::start(&Options { memory, ..Options::default() }).expect("the broker starts");
    run(broker.address(), &steps)
}

/// A publish to the queue of this name, of a body of `size`, of which `sent` bytes are sent.
fn half_sent(channel: u16, queue: &str, size: u64, sent: usize) -> Vec<u8> {
    let mut publish = b"\x00\x3c\x00\x28\x00\x00\x00".to_vec();
    publish.push(u8::try_from(queue.len()).expect("short"));
    publish.extend(queue.as_bytes());
    publish.push(0);
    let mut header = b"\x00\x3c\x00\x00".to_vec();
    header.extend(size.to_be_bytes());
    header.extend([0, 0]);
    let mut all = frame(1, channel, &publish);
    all.extend(frame(2, channel, &header));
    all.extend(rest(channel, sent));
    all
}

/// So much of a body.
fn rest(channel: u16, size: usize) -> Vec<u8> {
    vec![b'x'; size].chunks(100_000).flat_map(|part| frame(3, channel, part)).collect()
}

#[test]
fn a_client_that_never_pauses_does_not_keep_others_waiting() {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            on_sandbox(|session| {
                session.script("f 1 sync");
                let some = half_sent(1, "nowhere", 10, 10).repeat(1000);
                while !done.load(Ordering::Relaxed) {
                    session.wire("f").raw(&some);
                }
            })
        });
        // Each of them waits for its answer, and fails when that does not come.
        on_sandbox(|session| {
            session.script("1 queue.declare queue=$q exclusive");
            (0..50).for_each(|_| session.step("1 queue.declare queue=$q passive"));
        });
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_half_sent_message_and_an_alarm_do_not_wait_for_each_other() {
    let trace = with_memory(2_000_000, |session| {
        session.script(
            "1 queue.declare queue=q
            1 confirm.select
            2 channel.open
            c 1 queue.declare queue=q passive",
        );
        session.wire("a").raw(&half_sent(1, "q", 1_200_000, 1_000_000));
        // More than there is room for beside it.
        session.wire("a").raw(&half_sent(2, "q", 300_000, 300_000).repeat(8));
        let mut got = 0;
        while got < 8 {
            session.step("c 1 basic.get queue=q no_ack");
            got += usize::from(session.last().contains("get-ok"));
        }
        session.wire("a").raw(&rest(1, 200_000));
        session.script("1 confirms 1\n c 1 basic.get queue=q no_ack");
    });
    assert!(trace.contains("a 1 acks 1"), "it did not come to its end");
}

#[test]
fn messages_that_are_never_ended_are_refused() {
    let trace = with_memory(1_000_000, |session| {
        session.script("1 queue.declare queue=q\n 2 channel.open\n 3 channel.open");
        for channel in [1, 2] {
            session.wire("a").raw(&half_sent(channel, "q", 900_000, 600_000));
        }
        session.script("2 next\n 3 queue.declare queue=q passive");
    });
    assert!(trace.contains("a 2 channel.close code=406"), "{trace}");
    assert!(trace.contains("more than 1000000 bytes of messages without their end"), "{trace}");
}

#[test]
fn a_client_that_asks_and_never_reads_is_read_no_more() {
    // It would come back many times over; the broker stops reading long before this is sent.
    let broker = Broker::start(&Options::default()).expect("the broker starts");
    run(broker.address(), &|session: &mut Session| {
        session.script("1 sync");
        let wire = session.wire("a");
        let mut returned = half_sent(1, "nowhere", 100_000, 100_000);
        // The bit `mandatory`.
        let flags = 7 + 7 + 1 + "nowhere".len();
        returned[flags] = 1;
        let sent = (0..2000).take_while(|_| wire.try_raw(&returned, Duration::from_secs(2))).count();
        assert!(sent < 1000, "{sent} messages of 100 kB were read from who reads nothing");
    });
}
