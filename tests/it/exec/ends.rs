//! Commands that do not behave, and commands that are ended.

use std::path::Path;

use super::{consume, left, lines, none_is_missing};
use crate::amqp::{amqp, filled, holds, queue};
use crate::support::{Running, chmod, eventually};

/// Starts a consumer whose commands tell a file that they are there, and stay for so many seconds.
fn busy(queue: &str, flags: &[&str], file: &Path, seconds: &str) -> Running {
    let command = format!("sh -c 'echo $$ >> {}; sleep {seconds}; cat'", file.display());
    let running = amqp(&[&["consume", queue, "--exec", &command], flags].concat()).start();
    eventually("a command runs", || (!lines(file).is_empty()).then_some(()));
    running
}

/// Waits until a process is no more.
fn ends(pid: &str) {
    eventually(&format!("{pid} ends"), || {
        let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // What nobody waits for is a zombie, as far as init has not looked yet.
        state
            .rsplit(')')
            .next()
            .is_none_or(|rest| rest.trim_start().is_empty() || rest.trim_start().starts_with('Z'))
            .then_some(())
    });
}

#[test]
fn a_first_request_waits_for_it() {
    let (queue, folder) = (filled(3), tempfile::tempdir().expect("a folder"));
    let running = busy(&queue, &[], &folder.path().join("pids"), "0.5");
    running.signal("INT");
    let done = running.wait().exits(130);
    assert_eq!(done.text(), "1\n");
    done.says(&["read 1, settled 1", "interrupted"]);
    holds(&queue, 2);
    assert_eq!(left(&queue), ["2", "3"]);
}

#[test]
fn a_second_request_kills_it() {
    let (queue, folder) = (filled(3), tempfile::tempdir().expect("a folder"));
    let file = folder.path().join("pids");
    let running = busy(&queue, &[], &file, "60");
    running.signal("INT");
    // A signal that comes at once is the same request.
    let asked = std::time::Instant::now();
    eventually("another request", || (asked.elapsed().as_millis() > 400).then_some(()));
    running.signal("INT");
    let done = running.wait().exits(130);
    assert_eq!(done.text(), "");
    ends(&lines(&file)[0]);
    holds(&queue, 3);
}

#[test]
fn a_deadline_ends_it() {
    let (queue, folder) = (filled(3), tempfile::tempdir().expect("a folder"));
    let file = folder.path().join("pids");
    let running = busy(&queue, &["--timeout", "2s"], &file, "60");
    running.wait().exits(7).says(&["outcome unknown: 1", "goes back"]);
    ends(&lines(&file)[0]);
    holds(&queue, 3);
}

/// With all that it started, also what does not listen.
#[test]
fn a_command_that_takes_too_long_is_ended() {
    let (queue, folder) = (filled(2), tempfile::tempdir().expect("a folder"));
    let file = folder.path().join("pids");
    let note = format!("echo $$ >> {0}; sleep 60 & echo $! >> {0}; ", file.display());
    for rest in ["wait", "trap \"\" TERM; wait; sleep 60"] {
        let command = format!("sh -c '{note}{rest}'");
        let done = consume(&queue, &command, &["--exec-timeout", "300ms"]).run().exits(8);
        done.says(&["message 1: `sh` was ended after 300ms (--exec-timeout)"]);
        holds(&queue, 2);
        assert_eq!(lines(&file).len(), 2);
        lines(&file).iter().for_each(|pid| ends(pid));
        std::fs::remove_file(&file).expect("is there");
    }
}

#[test]
fn what_it_leaves_behind_is_not_waited_for() {
    let (queue, folder) = (filled(2), tempfile::tempdir().expect("a folder"));
    let file = folder.path().join("pids");
    // It has standard output open, and would print more.
    let command = format!("sh -c '(sleep 50; echo late) 2>/dev/null & echo $! >> {}; cat'", file.display());
    let done = consume(&queue, &command, &[]).run().ok();
    assert_eq!(done.lines(), ["1", "2"]);
    for pid in lines(&file) {
        assert!(Path::new(&format!("/proc/{pid}")).exists(), "it goes on by itself");
        std::process::Command::new("pkill").args(["-P", &pid]).status().expect("runs");
    }
}

#[test]
fn one_that_prints_without_end_is_ended() {
    let queue = filled(2);
    let done = consume(&queue, "yes", &[]).run().exits(8);
    done.says(&["message 1: `yes` printed more than 16 MiB"]);
    holds(&queue, 2);
}

#[test]
fn one_that_reads_nothing_and_one_that_reads_late() {
    let (queue, body) = (queue(&[]), "0123456789abcdef".repeat(200_000));
    let put = || drop(amqp(&["publish", "-k", &queue, "--input", "raw"]).stdin(body.clone()).run().ok());
    put();
    assert_eq!(consume(&queue, "echo done", &[]).run().ok().lines(), ["done"]);
    put();
    let done = consume(&queue, "sh -c 'head -c 1000000 /dev/zero; cat'", &[]).run().ok();
    assert_eq!(done.stdout.len(), 1_000_000 + body.len() + 1);
    assert!(done.stdout.ends_with(format!("{body}\n").as_bytes()));
}

#[test]
fn one_that_dies() {
    let queue = filled(2);
    let done = consume(&queue, "sh -c 'kill -9 $$'", &["--on-exit", "9=ack"]).run().exits(8);
    done.says(&["message 1: `sh` was ended by signal 9"]);
    holds(&queue, 2);
}

/// It is there and cannot be run, which shows only then.
#[test]
fn one_that_cannot_be_started() {
    let (queue, folder) = (filled(2), tempfile::tempdir().expect("a folder"));
    let path = folder.path().join("command");
    std::fs::write(&path, "#!/no/such/interpreter\n").expect("is written");
    chmod(&path, 0o755);
    let done = consume(&queue, &path.display().to_string(), &[]).run().fails(10);
    done.says(&["cannot run `", "the command of --exec: No such file"]);
    holds(&queue, 2);
}

#[test]
fn output_that_nobody_takes_settles_nothing() {
    let queue = filled(2);
    consume(&queue, "cat", &[]).stdout_to("/dev/full").run_with_own_stdout().exits(10).says(&["No space left"]);
    holds(&queue, 2);
}

/// What others have printed by then is written.
#[test]
fn one_that_is_gone() {
    let (queue, folder) = (filled(9), tempfile::tempdir().expect("a folder"));
    // No script, which its interpreter would look for once more.
    let path = folder.path().join("sh");
    std::fs::copy("/bin/sh", &path).expect("is copied");
    let command = format!("{0} -c 'rm -f {0}; sleep 0.2; cat'", path.display());
    let done = consume(&queue, &command, &["-j", "3"]).run().exits(10);
    let printed = done.lines();
    assert!(!printed.is_empty(), "{}", done.stderr);
    done.says(&["error: cannot run `"]);
    none_is_missing(&queue, printed, 9);
}

/// Nobody wants what they print, and they end by themselves all the same.
#[test]
fn those_that_run_when_the_output_is_closed() {
    let (queue, folder) = (filled(2), tempfile::tempdir().expect("a folder"));
    let file = folder.path().join("ended");
    let command = format!("sh -c 'read n; test $n = 1 || sleep 0.7; echo $n; echo $n >> {}'", file.display());
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let mut run = amqp(&["consume", &queue, "--exec", &command, "-j", "2"]);
    run.command.stdout(writer);
    drop(reader);
    run.run_with_own_stdout().ok();
    let mut ended = lines(&file);
    ended.sort();
    assert_eq!(ended, ["1", "2"]);
    holds(&queue, 2);
}

/// A terminal that is closed is like a SIGTERM.
#[test]
fn a_hangup_waits_for_it_too() {
    let (queue, folder) = (filled(3), tempfile::tempdir().expect("a folder"));
    let running = busy(&queue, &[], &folder.path().join("pids"), "0.5");
    running.signal("HUP");
    let done = running.wait().exits(143);
    assert_eq!(done.text(), "1\n");
    holds(&queue, 2);
}
