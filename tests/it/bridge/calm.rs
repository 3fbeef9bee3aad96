//! Who waits, waits: nothing turns in circles while nothing happens.

use std::time::{Duration, Instant};

use super::bridge;
use super::notes::{End, Notes};
use crate::amqp::{amqp, filled, queue};
use crate::kafka::{produce, topic};
use crate::support::{Run, Running, eventually, mscomm, test_env, unique};

/// How long is looked.
const WINDOW: Duration = Duration::from_millis(700);

/// How often the thread of the flow may run in it, and for how many ticks of 10 ms all threads together. A tick of 200 ms and
/// one of 100 ms are there in any case, and heartbeats.
const RUNS: u64 = 150;
const TICKS: u64 = 20;

/// How often the first thread of a process went to sleep, and the ticks of all of them.
fn spent(pid: u32) -> (u64, u64) {
    let of = |name: &str| std::fs::read_to_string(format!("/proc/{pid}/{name}")).expect("it runs");
    let (status, stat) = (of("status"), of("stat"));
    let runs = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).expect("a number");
    let fields: Vec<&str> = stat.rsplit(") ").next().expect("fields").split(' ').collect();
    let ticks = |at: usize| fields[at].parse::<u64>().expect("a number");
    (runs.trim().parse().expect("a number"), ticks(11) + ticks(12))
}

/// Waits until it does next to nothing.
fn is_calm(what: &str, running: &Running) {
    let pid = running.child.id();
    let mut last = (Instant::now(), spent(pid));
    eventually(&format!("{what} is calm"), || {
        if last.0.elapsed() < WINDOW {
            return None;
        }
        let now = spent(pid);
        let (runs, ticks) = (now.0 - last.1.0, now.1 - last.1.1);
        last = (Instant::now(), now);
        (runs < RUNS && ticks < TICKS).then_some(())
    });
}

fn ends(running: Running, code: i32) {
    running.signal("INT");
    running.wait().exits(code);
}

/// Starts it with a pipe that nobody reads, which it fills.
fn stalled(mut run: Run) -> (Running, std::io::PipeReader) {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    run.command.stdout(writer);
    (run.start_with_own_stdout(), reader)
}

#[test]
fn while_nothing_comes() {
    let (from, topic) = (queue(&[]), topic(&[]));
    let kafka =
        |args: &[&str]| mscomm(&[&["kafka"], args].concat()).env("MSCOMM_KAFKA_SERVER", test_env("KAFKA")).start();
    let idle = [
        ("consume", amqp(&["consume", &from]).start()),
        ("tail", kafka(&["tail", &topic])),
        ("a member", kafka(&["tail", &topic, "--group", &unique("group")])),
        ("a bridge", bridge(&["amqp", "consume", &from, "--to", "kafka", "produce", &topic]).start()),
    ];
    for (what, running) in idle {
        is_calm(what, &running);
        ends(running, 130);
    }
}

#[test]
fn while_nobody_reads_the_output() {
    let (from, topic) = (filled(60_000), topic(&[]));
    produce(&topic, (1..=60_000).map(|n| format!("{n}\n")).collect::<String>(), &[]).ok();
    let group = unique("group");
    for (what, words) in [
        ("from a queue", vec!["amqp", "consume", &from]),
        ("from a topic", vec!["kafka", "tail", &topic, "--from", "begin"]),
        ("from a group", vec!["kafka", "tail", &topic, "--group", &group]),
    ] {
        let (running, mut reader) = stalled(bridge(&[&words[..], &["--to", "stdout"]].concat()));
        std::io::Read::read_exact(&mut reader, &mut [0; 1]).expect("reads");
        is_calm(what, &running);
        running.signal("KILL");
        running.wait().exits(128 + 9);
    }
}

/// More is there than was asked for, while the last of it is waited for.
#[test]
fn while_the_last_outcome_is_waited_for() {
    let notes = Notes::start(|_, _| End::Never);
    let topic = topic(&["--partitions", "1"]);
    produce(&topic, "{}\n".repeat(100), &[]).ok();
    let call = notes.call("t.Notes/Take", &[]);
    let from = ["kafka", "tail", &topic, "--from", "begin", "-n", "1", "--to"];
    let words: Vec<&str> = from.into_iter().chain(call.iter().map(String::as_str)).collect();
    let running = bridge(&words).start();
    eventually("it is called", || (!notes.texts().is_empty()).then_some(()));
    is_calm("the end", &running);
    running.signal("KILL");
    running.wait().exits(128 + 9);
}

/// What is refused goes elsewhere, and nothing comes of it there: no more is taken, since all of it would have to be kept.
#[test]
fn while_what_was_refused_waits() {
    const COUNT: usize = 3000;
    let notes = Notes::start(|_, note| match note.path.ends_with("/Bury") {
        true => End::Never,
        false => End::Status(3, "no"),
    });
    let topic = topic(&["--partitions", "1"]);
    produce(&topic, "{}\n".repeat(COUNT), &[]).ok();
    let call = notes.call("t.Notes/Take", &["--on-refusal", "dead:t.Notes/Bury", "-j", "8"]);
    let from = ["kafka", "tail", &topic, "--from", "begin", "--to"];
    let words: Vec<&str> = from.into_iter().chain(call.iter().map(String::as_str)).collect();
    let running = bridge(&words).start();
    eventually("one is refused", || notes.notes().iter().any(|note| note.path.ends_with("/Bury")).then_some(()));
    is_calm("a bridge of dead messages", &running);
    let called = notes.texts().len();
    assert!(called < 500, "{called} of {COUNT} were called for");
    running.signal("KILL");
    running.wait().exits(128 + 9);
}

/// An AMQP broker with a queue `q`, which can be told to take nothing, and a configuration whose profile `far` is it.
struct Far(Running, String);

impl Far {
    fn start() -> Far {
        let server = mscomm(&["sandbox", "--only", "amqp", "--print-env=json"]).start();
        let env: serde_json::Value = serde_json::from_str(&server.wait_for_lines(1).concat()).expect("JSON");
        let uri = env["AMQP_URL"].as_str().expect("an address").to_owned();
        crate::amqp::at(&uri, &["queue", "declare", "q"]).run().ok();
        Far(server, uri)
    }

    fn carry(&self, reader: &[&str]) -> Running {
        let (near, far) = (test_env("AMQP"), &self.1);
        let profiles = format!("[profiles.near.amqp]\nserver = {near:?}\n[profiles.far.amqp]\nserver = {far:?}\n");
        let to = ["--to", "-p", "far", "amqp", "publish", "-k", "q"];
        mscomm(&[&["bridge", "-p", "near"], reader, &to].concat()).config(&profiles).start()
    }

    fn holds_some(&self) -> bool {
        let info = crate::amqp::at(&self.1, &["queue", "info", "q"]).run().ok().text();
        info.split('\t').nth(1).is_some_and(|messages| messages.trim() != "0")
    }

    fn stop(self) {
        self.0.signal("TERM");
        self.0.wait();
    }
}

fn is_blocked(running: &Running) {
    eventually("it is told", || running.stderr().contains("takes no messages").then_some(()));
}

#[test]
fn while_the_target_is_blocked() {
    let far = Far::start();
    far.0.signal("USR1");
    let from = filled(100);
    let running = far.carry(&["amqp", "consume", &from]);
    is_blocked(&running);
    is_calm("a blocked bridge", &running);
    // Nobody will take what is under way: that is not waited for.
    ends(running, 130);
    crate::amqp::holds(&from, 100);
    far.stop();
}

/// The source sends no more as long as the target takes nothing: that is neither its end nor silence.
#[test]
fn a_target_that_stands_still_is_waited_for() {
    const COUNT: u64 = 20_000;
    for flags in [["--until-end"], ["--idle-timeout=1s"]] {
        let (far, from) = (Far::start(), filled(COUNT));
        let running = far.carry(&[&["amqp", "consume", &from, "--prefetch", "20"], &flags[..]].concat());
        eventually("some came", || far.holds_some().then_some(()));
        far.0.signal("USR1");
        is_blocked(&running);
        let since = Instant::now();
        eventually("a while", || (since.elapsed() > 2 * WINDOW).then_some(()));
        far.0.signal("USR2");
        running.wait().ok().says(&[&format!("confirmed {COUNT}")]);
        far.stop();
    }
}
