//! The command of a sandbox: its exit code, its signals, and that nothing of it is left.

use std::io::Write;

use super::{in_sandbox, listener, sandbox};
use crate::support::{BINARY, Running, eventually, mscomm, unique};

/// The processes whose command line has a word, without those that have ended.
fn processes_with(word: &str) -> Vec<i32> {
    let entries = std::fs::read_dir("/proc").expect("lists").flatten();
    let pids = entries.filter_map(|e| e.file_name().to_str()?.parse().ok());
    pids.filter(|pid| std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|l| has(&l, word))).collect()
}

fn has(line: &[u8], word: &str) -> bool {
    line.split(|b| *b == 0).any(|w| w == word.as_bytes())
}

fn nothing_is_left(word: &str) {
    assert_eq!(processes_with(word), Vec::<i32>::new());
}

/// A shell that runs `script`, and is found again by a word of its own.
fn marked(script: &str, mark: &str) -> String {
    format!("sh -c '{script}' {mark}")
}

#[test]
fn the_exit_code_is_the_commands() {
    in_sandbox("exit 0").exits(0);
    let done = in_sandbox("exit 42").exits(42);
    assert_eq!(done.stderr, "");
    in_sandbox("kill -9 $$").exits(137);
    in_sandbox("kill -TERM $$").exits(143);
    mscomm(&["sandbox", "--", "no-such-command-here"]).run().fails(10).says(&["no-such-command-here"]);
    in_sandbox("mscomm grpc call helloworld.Greeter/SayHello -d nonsense").fails(2);
}

#[test]
fn standard_input_is_the_commands() {
    let done = mscomm(&["sandbox", "--", "cat"]).stdin("to the command\n").run().ok();
    assert_eq!(done.text(), "to the command\n");
}

#[test]
fn signals_reach_the_command() {
    for signal in ["TERM", "INT", "HUP"] {
        let line = format!("trap 'echo told; exit 7' {signal}; echo ready; while :; do sleep 0.1; done");
        let running = sandbox(&[], &line).start();
        running.wait_for_lines(1);
        running.signal(signal);
        assert_eq!(running.wait().exits(7).lines(), ["ready", "told"], "{signal}");
    }
}

/// Ends half a second after it was told, and says how often it was.
const COUNTS: &str = "n=0; trap 'n=$((n+1))' TERM INT; echo ready
    while [ $n = 0 ]; do sleep 0.02; done
    for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.05; done; echo $n times; exit 3";

#[test]
fn signals_close_together_are_told_once() {
    for signals in ["TERM TERM", "TERM INT TERM", "INT INT"] {
        let mut run = sandbox(&[], COUNTS);
        // Not sh: dash ends its trap's script with the sleep that the signal ended.
        run.command = bash_in_place_of_sh(run.command);
        let running = run.start();
        running.wait_for_lines(1);
        running.signal(signals);
        assert_eq!(running.wait().exits(3).lines(), ["ready", "1 times"], "{signals}");
    }
}

/// GNU `timeout` signals its child and then its own process group, which the command of the sandbox is in, too.
#[test]
fn a_signal_to_the_whole_group_is_told_once() {
    let mut run = sandbox(&[], COUNTS);
    run.command = bash_in_place_of_sh(run.command);
    std::os::unix::process::CommandExt::process_group(&mut run.command, 0);
    let running = run.start();
    running.wait_for_lines(1);
    let pid = running.child.id();
    let kill = format!("kill -s TERM {pid} && kill -s TERM -- -{pid}");
    assert!(std::process::Command::new("sh").args(["-c", &kill]).status().expect("sh runs").success());
    assert_eq!(running.wait().exits(3).lines(), ["ready", "1 times"]);
}

fn bash_in_place_of_sh(command: std::process::Command) -> std::process::Command {
    let mut bash = std::process::Command::new(command.get_program());
    bash.args(command.get_args().map(|arg| if arg == "sh" { std::ffi::OsStr::new("bash") } else { arg }));
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => bash.env(name, value),
            None => bash.env_remove(name),
        };
    }
    bash.stdin(std::process::Stdio::null());
    bash
}

#[test]
fn a_command_that_handles_an_interrupt_goes_on() {
    let line = "trap 'echo again' INT; echo ready; read line; echo $line";
    let mut run = sandbox(&[], line);
    run.command.stdin(std::process::Stdio::piped());
    let mut running = run.start();
    running.wait_for_lines(1);
    running.signal("INT");
    running.wait_for_lines(2);
    // bash's `read` ends with the signal, dash's does not: either may be sh.
    drop(running.child.stdin.take());
    let done = running.wait().exits(0);
    assert_eq!(done.lines()[..2], ["ready", "again"]);
}

/// The terminal tells the whole foreground group: the sandbox must not tell the command again.
#[test]
fn an_interrupt_from_the_terminal_comes_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("command");
    let text = "n=0; trap 'n=$((n+1)); echo told' INT; echo ready
        while [ $n = 0 ]; do sleep 0.1; done; mscomm --version; read line; echo $n times; exit 3";
    std::fs::write(&path, text).expect("writes");
    let mut run = sandbox(&[], "");
    let mut screen = std::process::Command::new("script");
    // Not sh: with dash it was once seen to end as the interrupted `sleep` did, with 130.
    screen.args(["-qec", &format!("exec '{BINARY}' sandbox -- bash '{}'", path.display()), "/dev/null"]);
    for (name, value) in run.command.get_envs() {
        match value {
            Some(value) => screen.env(name, value),
            None => screen.env_remove(name),
        };
    }
    screen.stdin(std::process::Stdio::piped());
    run.command = screen;
    let mut running = run.start();
    let mut keys = running.child.stdin.take().expect("piped");
    let shows = |running: &Running, text: &str| {
        eventually(text, || String::from_utf8_lossy(&running.stdout()).contains(text).then_some(()));
    };
    shows(&running, "ready");
    keys.write_all(b"\x03").expect("writes");
    shows(&running, "mscomm 0");
    keys.write_all(b"\n").expect("writes");
    shows(&running, "1 times");
    running.wait().exits(3);
}

#[test]
fn a_command_that_will_not_end_is_killed_at_the_second_signal() {
    let mark = unique("deaf");
    let script = "trap \"\" TERM; echo ready; while :; do sleep 0.1; done";
    let running = sandbox(&[], &format!("exec {}", marked(script, &mark))).start();
    running.wait_for_lines(1);
    running.signal("TERM");
    // Two of the same that come at once may be one: told until it helps.
    let started = std::time::Instant::now();
    let pid = running.child.id().to_string();
    eventually("it is killed", || {
        let _ = std::process::Command::new("kill").args(["-s", "TERM", &pid]).status();
        processes_with(&mark).is_empty().then_some(())
    });
    assert!(started.elapsed().as_secs() < 4, "only after {:?}", started.elapsed());
    running.wait().exits(143).says(&["did not end when it was told to"]);
    nothing_is_left(&mark);
}

#[test]
fn the_deadline_ends_the_command() {
    let mark = unique("late");
    let script = "trap \"\" TERM; while :; do sleep 0.1; done";
    let done = sandbox(&["--timeout", "1s"], &format!("exec {}", marked(script, &mark))).run();
    done.fails(7).says(&["--timeout"]);
    nothing_is_left(&mark);
}

#[test]
fn what_the_command_leaves_is_ended() {
    let mark = unique("left");
    // A plain one, one in a session of its own without the environment, and one that will not go.
    let line = format!(
        "{} & (env -i PATH=\"$PATH\" setsid {} &) ; {} & exit 5",
        marked("sleep 1000; :", &mark),
        marked("sleep 1000; :", &mark),
        marked("trap \"\" TERM; while :; do sleep 0.1; done", &mark),
    );
    sandbox(&[], &line).run().exits(5);
    nothing_is_left(&mark);
}

#[test]
fn nothing_outlives_a_sandbox_that_is_killed() {
    let mark = unique("orphan");
    let line = format!(
        "{} & (setsid {} &); echo ready $KAFKA_BROKERS; {}",
        marked("sleep 1000; :", &mark),
        marked("sleep 1000; :", &mark),
        marked("sleep 1000; :", &mark),
    );
    let running: Running = sandbox(&[], &line).start();
    let lines = running.wait_for_lines(1);
    let (_, address) = lines[0].split_once(' ').expect("two words");
    eventually("all three run", || (processes_with(&mark).len() == 3).then_some(()));
    let socket = listener(address);
    assert!(socket.is_some());
    running.signal("KILL");
    assert_eq!(running.wait().code, 137);
    eventually("they have ended", || processes_with(&mark).is_empty().then_some(()));
    // The port itself may belong to another sandbox by now.
    assert_ne!(listener(address), socket);
}

#[test]
fn a_sandbox_in_a_sandbox_is_another() {
    let line =
        format!("echo $MSCOMM_SANDBOX_GRPC; '{BINARY}' sandbox --only kafka -- sh -c 'echo $MSCOMM_SANDBOX_GRPC'");
    let lines = in_sandbox(&line).ok().lines();
    assert!(lines[0].starts_with("127.0.0.1:") && lines[1].is_empty(), "{lines:?}");
}
