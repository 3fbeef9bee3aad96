//! Consumer groups: nothing is committed that was not written.

use std::collections::BTreeSet;

use super::{assert_numbers, kafka, numbers, produce, topic};
use crate::support::{Done, Running, eventually, unique};

/// What a pipe holds on Linux.
const PIPE: usize = 64 * 1024;

fn group_tail(topic: &str, group: &str, flags: &[&str]) -> crate::support::Run {
    kafka(&[&["tail", topic, "--group", group], flags].concat())
}

fn rest(topic: &str, group: &str) -> Done {
    group_tail(topic, group, &["--until-end"]).run().ok()
}

fn values(done: &Done) -> Vec<u32> {
    done.lines().iter().filter_map(|l| l.parse().ok()).collect()
}

#[test]
fn it_goes_on_where_it_stopped() {
    let (topic, group) = (topic(&["--partitions", "3"]), unique("group"));
    produce(&topic, numbers(1, 3000), &[]).ok();
    let first = group_tail(&topic, &group, &["-n", "1000"]).run().ok();
    assert_eq!(first.lines().len(), 1000);
    let mut all = values(&first);
    all.extend(values(&rest(&topic, &group)));
    all.sort_unstable();
    assert_eq!(all, (1..=3000).collect::<Vec<_>>(), "each once");
    assert_eq!(rest(&topic, &group).text(), "");
    produce(&topic, numbers(1, 5), &[]).ok();
    assert_numbers(&rest(&topic, &group), 1, 5);
}

#[test]
fn nothing_is_committed_when_the_output_fails() {
    let (topic, group) = (topic(&[]), unique("group"));
    produce(&topic, numbers(1, 50_000), &[]).ok();
    group_tail(&topic, &group, &["--until-end"]).stdout_to("/dev/full").run_with_own_stdout().exits(10);
    assert_numbers(&rest(&topic, &group), 1, 50_000);
}

#[test]
fn a_closed_pipe_loses_nothing() {
    let (topic, group) = (topic(&[]), unique("group"));
    produce(&topic, numbers(1, 50_000), &[]).ok();
    let mut run = group_tail(&topic, &group, &[]);
    run.command.stdout(std::process::Stdio::piped());
    let mut running = run.start_with_own_stdout();
    let mut pipe = running.child.stdout.take().expect("a pipe");
    let mut read = vec![0; 1000];
    std::io::Read::read_exact(&mut pipe, &mut read).expect("reads");
    // What else fits into the pipe was written; the rest must come again.
    let mut unread = Vec::new();
    drop(pipe);
    assert_eq!(running.wait().exits(0).stderr, "");
    unread.extend(values(&rest(&topic, &group)));
    unread.sort_unstable();
    let first = *unread.first().expect("something is left");
    assert_eq!(unread, (first..=50_000).collect::<Vec<_>>());
    let written: usize = (1..first).map(|n| n.to_string().len() + 1).sum();
    assert!(written <= PIPE + read.len(), "{written} bytes were settled, the pipe holds {PIPE}");
}

#[test]
fn a_killed_reader_loses_nothing() {
    let (topic, group) = (topic(&["--partitions", "2"]), unique("group"));
    produce(&topic, numbers(1, 30_000), &[]).ok();
    let mut seen: BTreeSet<u32> = BTreeSet::new();
    for wanted in [100, 2000] {
        let running = group_tail(&topic, &group, &["-X", "session.timeout.ms=6000"]).start();
        let lines = running.wait_for_lines(wanted);
        running.signal("KILL");
        drop(lines);
        let done = running.wait();
        // The last line may be cut.
        let whole = done.text().rsplit_once('\n').map(|(whole, _)| whole.to_owned()).unwrap_or_default();
        seen.extend(whole.lines().map(|l| l.parse::<u32>().expect(l)));
    }
    seen.extend(values(&rest(&topic, &group)));
    assert_eq!(seen.len(), 30_000);
}

#[test]
fn signals_commit_what_was_written() {
    for (signal, code) in [("INT", 130), ("TERM", 143), ("TERM TERM", 143), ("INT INT", 130)] {
        let (topic, group) = (topic(&[]), unique("group"));
        produce(&topic, numbers(1, 2000), &[]).ok();
        let running = group_tail(&topic, &group, &[]).start();
        running.wait_for_lines(2000);
        running.signal(signal);
        running.wait().exits(code);
        assert_eq!(rest(&topic, &group).text(), "");
    }
}

#[test]
fn two_members_share_and_hand_over() {
    let (topic, group) = (topic(&["--partitions", "4"]), unique("group"));
    // With keys, so that every partition gets some.
    let keyed = |from, to| -> String { (from..=to).map(|n| format!("{n}:{n}\n")).collect() };
    let first = group_tail(&topic, &group, &["-v"]).start();
    produce(&topic, keyed(1, 1000), &["-K", ":"]).ok();
    first.wait_for_lines(1000);
    let second = group_tail(&topic, &group, &["-v"]).start();
    let has = |member: &Running, text: &str| member.stderr().contains(text).then_some(());
    eventually("the second member's share", || has(&second, "the group gave 2 partitions"));
    eventually("the first member's share", || has(&first, "the group gave 2 partitions"));
    produce(&topic, keyed(1001, 2000), &["-K", ":"]).ok();
    eventually("all of it", || {
        let lines = [&first, &second].map(|m| m.stdout().iter().filter(|b| **b == b'\n').count());
        (lines.iter().sum::<usize>() >= 2000).then_some(())
    });
    second.signal("INT");
    let second = second.wait().exits(130);
    produce(&topic, keyed(2001, 3000), &["-K", ":"]).ok();
    first.wait_for_lines(3000 - second.lines().len());
    first.signal("INT");
    let first = first.wait().exits(130);
    let mut all: Vec<u32> = values(&first).into_iter().chain(values(&second)).collect();
    assert!(!second.lines().is_empty(), "the second member got nothing");
    all.sort_unstable();
    let twice = all.windows(2).filter(|pair| pair[0] == pair[1]).count();
    assert_eq!((all.len(), twice), (3000, 0), "a clean hand-over gives each record once");
    assert_eq!(rest(&topic, &group).text(), "");
}

/// An output that stands still for longer than the group allows is no reason to lose the partitions: the group is served
/// all the same.
#[test]
fn a_stalled_output_keeps_its_partitions() {
    let (topic, group) = (topic(&[]), unique("group"));
    let line = "x".repeat(1000);
    let data: String = (0..2000).map(|n| format!("{n} {line}\n")).collect();
    produce(&topic, data, &[]).ok();
    let flags = ["-X", "max.poll.interval.ms=6000", "-X", "session.timeout.ms=6000", "-v"];
    let mut run = group_tail(&topic, &group, &flags);
    run.command.stdout(std::process::Stdio::piped());
    let mut running = run.start_with_own_stdout();
    let pipe = running.child.stdout.take().expect("a pipe");
    eventually("the assignment", || running.stderr().contains("the group gave 1 partitions").then_some(()));
    // The pipe is full long before 2 MB. Nobody reads for longer than the group waits for a member that does nothing.
    kafka(&["tail", &topic, "--idle-timeout", "9s"]).run().ok();
    assert!(!running.stderr().contains("takes back"), "{}", running.stderr());
    produce(&topic, "2000 new\n", &[]).ok();
    let lines = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let reads = std::thread::spawn({
        let lines = lines.clone();
        move || {
            for line in std::io::BufRead::lines(std::io::BufReader::new(pipe)) {
                lines.lock().expect("a list").push(line.expect("reads"));
            }
        }
    });
    eventually("all of it", || (lines.lock().expect("a list").len() == 2001).then_some(()));
    running.signal("INT");
    let done = running.wait().exits(130);
    assert!(!done.stderr.contains("takes back"), "{}", done.stderr);
    reads.join().expect("reads");
    let seen: BTreeSet<u32> =
        lines.lock().expect("a list").iter().filter_map(|l| l.split(' ').next()?.parse().ok()).collect();
    assert_eq!(seen.len(), 2001);
    assert_eq!(rest(&topic, &group).text(), "");
}
