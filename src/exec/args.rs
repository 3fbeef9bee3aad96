//! `--exec` and what belongs to it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::environment;
use super::how::{ExecInput, Gives, How, Then};
use super::process::Program;
use super::relay::Exec;
use crate::error::{Error, Kind, Result};
use crate::flow::{OnRefusal, Sink};
use crate::shutdown::Shutdown;
use crate::values::{Offering, duration};

const HEADING: &str = "Command for each message";

/// A command for each message.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ExecArgs {
    /// Run this command for each message, which is done once it exits with 0
    ///
    /// Words are split as a shell does, but there is no shell: write sh -c '…' for one. The body is its standard input, and
    /// what it prints is the body that is written or goes on, byte for byte. Its environment has MSCOMM_MESSAGE_TOPIC,
    /// _PARTITION, _OFFSET, _KEY, _EXCHANGE, _ROUTING_KEY, _QUEUE, _REDELIVERED, _TIMESTAMP, _HEADER_NAME and
    /// _PROPERTY_NAME, as far as the message has them (of several headers of a name, the last). A command that prints nothing
    /// gives no record on standard output. At most 16 MiB are taken of one. It is a process group of its own: a first Ctrl-C
    /// waits for it, for 5 s at the most, a second one kills it.
    #[arg(long, help_heading = HEADING, value_name = "COMMAND")]
    exec: Option<String>,
    /// What the command reads: the body, or the message as a JSON envelope
    #[arg(long, help_heading = HEADING, value_name = "FORM", value_enum, default_value_t, requires = "exec", hide_short_help = true)]
    exec_input: ExecInput,
    /// End a command, and all that it started, after so long; that is a failure
    #[arg(long, help_heading = HEADING, value_name = "DURATION", value_parser = duration, requires = "exec", hide_short_help = true)]
    exec_timeout: Option<Duration>,
    /// What happens to a message whose command failed: stop (it goes back, and no more commands are begun), hold (the others go
    /// on, and it goes back at the end), skip (it counts as done), dead:TARGET (it goes to that queue or topic of the same
    /// broker, and counts as done once it is there), requeue (its queue takes it back at once; the third time it is held), or
    /// reject (its queue drops or dead-letters it)
    #[arg(long, help_heading = HEADING, value_name = "WHAT", default_value = "stop", requires = "exec", hide_possible_values = true,
          value_parser = Offering(policy, FAILURE_WORDS), hide_short_help = true)]
    on_failure: Policy,
    /// The same for one exit code, as 75=requeue; ack takes it for success
    #[arg(long, help_heading = HEADING, value_name = "CODE=WHAT", value_delimiter = ',', value_parser = on_exit, requires = "exec", hide_short_help = true)]
    on_exit: Vec<(u8, Option<Policy>)>,
    /// How many commands may run at a time; records of one Kafka key (without a key, of one partition) stay in order
    #[arg(short, long, help_heading = HEADING, value_name = "COUNT", default_value_t = 1, requires = "exec",
          value_parser = clap::value_parser!(u16).range(1..=1024), hide_short_help = true)]
    jobs: u16,
}

const FAILURE_WORDS: &[(&str, &str)] = &[
    ("stop", "it goes back, and no more commands are begun"),
    ("hold", "it goes back at the end"),
    ("skip", "it counts as done"),
    ("dead:", "it goes to this queue or topic"),
    ("requeue", "its queue takes it back at once"),
    ("reject", "its queue drops or dead-letters it"),
];

/// What happens to a message whose command failed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Policy {
    then: OnRefusal,
    /// The queue or topic that it goes to.
    target: Option<String>,
}

fn policy(text: &str) -> Result<Policy, String> {
    let then = match text {
        "stop" => OnRefusal::Stop,
        "hold" => OnRefusal::Continue,
        "skip" => OnRefusal::Skip,
        "requeue" => OnRefusal::Requeue,
        "reject" => OnRefusal::Reject,
        _ => {
            return match text.strip_prefix("dead:") {
                Some(target) if !target.is_empty() => {
                    Ok(Policy { then: OnRefusal::Bury, target: Some(target.to_owned()) })
                }
                _ => Err("write stop, hold, skip, dead:TARGET, requeue or reject".to_owned()),
            };
        }
    };
    Ok(Policy { then, target: None })
}

/// `None` for a code that is as good as 0.
fn on_exit(text: &str) -> Result<(u8, Option<Policy>), String> {
    const FIX: &str = "write CODE=WHAT, as 75=requeue, with ack, stop, hold, skip, dead:TARGET, requeue or reject";
    let (code, then) = text.split_once('=').ok_or(FIX)?;
    let code: u8 = code.trim().parse().map_err(|_| format!("an exit code is a number from 1 to 255; {FIX}"))?;
    if code == 0 {
        return Err("0 is success; write codes from 1 to 255".to_owned());
    }
    match then.trim() {
        "ack" => Ok((code, None)),
        then => policy(then).map(|policy| (code, Some(policy))).map_err(|_| FIX.to_owned()),
    }
}

impl ExecArgs {
    /// Checks them: the command can be started, as far as that can be known, and the source knows what is asked for.
    /// `None` without `--exec`.
    ///
    /// # Errors
    /// `Kind::Usage`; `Kind::Io`: there is no such command.
    pub(crate) fn prepare(&self, from_queue: bool) -> Result<Option<Prepared>> {
        let Some(line) = &self.exec else { return Ok(None) };
        let mut words = shlex::split(line).unwrap_or_default().into_iter();
        let name = words.next().ok_or_else(|| {
            Error::usage("the command of --exec is empty or has an open quote")
                .hint("write --exec 'PROGRAM ARG…'; words are split as a shell does")
        })?;
        self.check(from_queue)?;
        self.target()?;
        let path = find(&name)?;
        let (args, stale) = (words.collect(), environment::inherited());
        let how = How {
            program: Program { path, name, args, stale, timeout: self.exec_timeout },
            input: self.exec_input,
            on_failure: self.on_failure.then,
            on_exit: self.on_exit.iter().map(|(code, policy)| (*code, then(policy.as_ref()))).collect(),
        };
        Ok(Some(Prepared { how, jobs: usize::from(self.jobs) }))
    }

    fn check(&self, from_queue: bool) -> Result<()> {
        let mut all = self.policies().filter_map(|(flag, policy)| of_queue(policy.then).map(|name| (flag, name)));
        match all.next() {
            Some((flag, name)) if !from_queue => {
                Err(Error::usage(format!("{flag} {name} is for messages of a queue, which is told of it"))
                    .hint("choose stop, hold, skip or dead:TARGET; a queue is read by `mscomm amqp consume`"))
            }
            _ => Ok(()),
        }
    }

    /// Which flag says what.
    fn policies(&self) -> impl Iterator<Item = (&'static str, &Policy)> + '_ {
        let of_exit = self.on_exit.iter().filter_map(|(_, policy)| Some(("--on-exit", policy.as_ref()?)));
        std::iter::once(("--on-failure", &self.on_failure)).chain(of_exit)
    }

    /// The queue or topic that messages go to whose commands failed, if any does.
    ///
    /// # Errors
    /// `Kind::Usage`: there are two.
    pub(crate) fn target(&self) -> Result<Option<&str>> {
        let mut targets = self.policies().filter_map(|(_, policy)| policy.target.as_deref());
        let first = targets.next();
        match first.and_then(|first| Some((first, targets.find(|other| *other != first)?))) {
            Some((first, other)) => Err(Error::usage(format!("dead:{first} and dead:{other} are two targets"))
                .hint("send all that failed to one of them")),
            None => Ok(first),
        }
    }

    /// True with `--exec`.
    pub(crate) fn is_used(&self) -> bool {
        self.exec.is_some()
    }

    /// What it asks of a queue; `None` without a command.
    pub(crate) fn of_queue(&self) -> Option<OfQueue> {
        let holds = self.policies().any(|(_, policy)| matches!(policy.then, OnRefusal::Continue | OnRefusal::Requeue));
        let gives_back = self.policies().any(|(_, policy)| of_queue(policy.then).is_some());
        self.is_used().then_some(OfQueue { jobs: (!holds).then_some(self.jobs), gives_back })
    }
}

/// What follows from an exit code.
fn then(policy: Option<&Policy>) -> Then {
    policy.map_or(Then::Ack, |policy| Then::Refuse(policy.then))
}

/// What commands ask of a queue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OfQueue {
    /// How many run at a time, where no message is held while they do: those that wait for a command are kept from others
    /// who could work on them.
    pub jobs: Option<u16>,
    /// Messages are requeued or rejected, by themselves.
    pub gives_back: bool,
}

/// The name of what only a queue can be told.
fn of_queue(policy: OnRefusal) -> Option<&'static str> {
    match policy {
        OnRefusal::Requeue => Some("requeue"),
        OnRefusal::Reject => Some("reject"),
        OnRefusal::Continue | OnRefusal::Stop | OnRefusal::Skip | OnRefusal::Bury => None,
    }
}

/// A command that was checked.
pub(crate) struct Prepared {
    how: How,
    jobs: usize,
}

impl Prepared {
    /// The relay.
    pub(crate) fn relay(self, gives: Gives, shutdown: &Shutdown) -> Box<dyn Sink> {
        Box::new(Exec::new(self.how, self.jobs, gives, shutdown.clone()))
    }
}

/// Where a program is, as `execvp` looks for it.
fn find(name: &str) -> Result<PathBuf> {
    let cannot = |why: String| {
        Error::new(Kind::Io, format!("cannot run the command of --exec: {why}"))
            .hint("--exec takes a program and its arguments; for pipes and the like write sh -c '…'")
    };
    if name.as_bytes().contains(&0) {
        return Err(cannot("its name has a zero byte in it".to_owned()));
    }
    let is_program = |path: &Path| path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok();
    let path = Path::new(name);
    if name.as_bytes().contains(&b'/') {
        return match () {
            () if is_program(path) => Ok(path.to_owned()),
            () if path.exists() => Err(cannot(format!("`{name}` is not an executable file"))),
            () => Err(cannot(format!("there is no `{name}`"))),
        };
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders)
        .map(|folder| folder.join(path))
        .find(|path| is_program(path))
        .ok_or_else(|| cannot(format!("there is no `{name}` in PATH")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exits() {
        let then = |text: &str| on_exit(text).map(|(code, policy)| (code, super::then(policy.as_ref())));
        assert_eq!(then("75=requeue"), Ok((75, Then::Refuse(OnRefusal::Requeue))));
        assert_eq!(then("3=ack"), Ok((3, Then::Ack)));
        assert_eq!(then("3=dead:x"), Ok((3, Then::Refuse(OnRefusal::Bury))));
        for bad in ["", "3", "3=dead:", "0=ack", "256=ack", "x=ack", "3=drop", "=ack", "-1=ack"] {
            on_exit(bad).expect_err(bad);
        }
        policy("ack").expect_err("0 is what acks");
    }

    #[test]
    fn programs_are_found_as_the_shell_finds_them() {
        assert!(find("sh").expect("is there").is_absolute());
        assert_eq!(find("/bin/sh").expect("is there"), Path::new("/bin/sh"));
        for bad in ["", "no-such-program-here", "/no/such", "/etc/passwd", "/tmp", "a\0b"] {
            assert_eq!(find(bad).map_err(|e| e.kind()), Err(Kind::Io), "{bad}");
        }
    }
}
