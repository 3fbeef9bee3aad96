//! A broker that says nothing more: whoever asks the command to stop gets its account all the same.

use std::io::{Read, Write};

use super::proxy::Proxy;
use super::{amqp, at, filled, has_consumer, holds, info, queue, start_open};
use crate::support::Done;

/// It said what was done before it left, and was not thrown out.
#[track_caller]
fn accounts(done: Done, code: i32, texts: &[&str]) {
    let done = done.exits(code).says(texts);
    assert!(!done.stderr.contains("stuck"), "{}", done.stderr);
}

#[test]
fn a_publisher_gives_its_account() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let (queue, proxy) = (queue(&[]), Proxy::start());
        let (running, mut stdin) = start_open(at(&proxy.uri(), &["publish", "-k", &queue]));
        stdin.write_all(b"1\n2\n3\n4\n5\n").expect("writes");
        holds(&queue, 5);
        // The confirms of these are under way no longer than the answer to a question asked after them.
        info(&queue);
        proxy.mute();
        stdin.write_all(b"6\n7\n8\n").expect("writes");
        holds(&queue, 8);
        running.signal(signal);
        let account = ["sent 8, confirmed 5, failed 0, unknown 3", "outcome unknown: 3 (input lines 6-8)"];
        accounts(running.wait(), code, &account);
    }
}

/// More than fits between here and there.
#[test]
fn a_publisher_whose_connection_is_full_gives_its_account() {
    for flags in [&[][..], &["--no-confirm"], &["--no-confirm", "--no-mandatory"]] {
        let (queue, proxy) = (queue(&[]), Proxy::start());
        let args = [&["publish", "-k", &queue], flags].concat();
        let (running, mut stdin) = start_open(at(&proxy.uri(), &args));
        stdin.write_all(b"1\n").expect("writes");
        holds(&queue, 1);
        proxy.stop();
        let line = format!("{}\n", "x".repeat(1000));
        // As much as is taken: it stops reading when nothing goes out.
        std::thread::spawn(move || while stdin.write_all(line.as_bytes()).is_ok() {});
        // Until the window or the buffers are full.
        super::eventually("it is under way", || {
            let status = std::fs::read_to_string(format!("/proc/{}/io", running.child.id())).expect("reads");
            let read = status.lines().find_map(|line| line.strip_prefix("rchar: ")).expect("a count");
            (read.parse::<u64>().expect("a number") > 1_000_000).then_some(())
        });
        running.signal("INT");
        accounts(running.wait(), 130, &["sent ", "unknown "]);
    }
}

#[test]
fn a_consumer_gives_its_account() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let (queue, proxy) = (filled(3), Proxy::start());
        let running = at(&proxy.uri(), &["consume", &queue]).start();
        running.wait_for_lines(3);
        proxy.stop();
        running.signal(signal);
        accounts(
            running.wait(),
            code,
            &["written: 3 messages; it is unknown whether the broker has taken the settlement"],
        );
    }
}

#[test]
fn the_deadline_is_the_deadline() {
    let says = ["it is unknown whether the broker has taken the settlement", "the deadline of --timeout passed"];
    let (full, proxy) = (filled(3), Proxy::start());
    let running = at(&proxy.uri(), &["consume", &full, "--timeout", "3s"]).start();
    running.wait_for_lines(3);
    proxy.stop();
    accounts(running.wait(), 7, &says);
    let (empty, proxy) = (queue(&[]), Proxy::start());
    let running = at(&proxy.uri(), &["consume", &empty, "--timeout", "3s"]).start();
    has_consumer(&empty);
    proxy.stop();
    accounts(running.wait(), 7, &["read 0", "the deadline of --timeout passed"]);
}

/// A question that is never answered holds nobody up: there were three, and the two that others took are asked about.
#[test]
fn a_reader_to_the_end_hears_its_limits() {
    for (args, code) in [(&["--timeout", "5s"][..], 7), (&["--idle-timeout", "500ms"], 9)] {
        let (queue, proxy) = (queue(&[]), Proxy::start());
        // More than a pipe holds.
        let large = format!("{}\n2\n3\n", "x".repeat(200_000));
        amqp(&["publish", "-k", &queue]).stdin(large).run().ok();
        let args = [&["consume", &queue, "--until-end", "--prefetch", "1"], args].concat();
        let (mut reader, writer) = std::io::pipe().expect("a pipe");
        let mut run = at(&proxy.uri(), &args);
        run.command.stdout(writer);
        let running = run.start_with_own_stdout();
        reader.read_exact(&mut [0; 2]).expect("reads");
        amqp(&["queue", "purge", &queue]).run().ok();
        proxy.stop();
        let rest = std::thread::spawn(move || reader.read_to_end(&mut Vec::new()));
        accounts(running.wait(), code, &["written: 1 message; it is unknown"]);
        rest.join().expect("ends").expect("reads");
    }
}
