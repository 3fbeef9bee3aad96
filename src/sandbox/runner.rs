//! The process between a sandbox and its command: what the command leaves in the background becomes its child and is ended
//! with it, and so is the command itself when the sandbox dies, however that came about.
//!
//! It acts on signals of the sandbox only. The command gets those that come to the whole process group by itself.

use std::ffi::OsString;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitOptions, WaitStatus};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGKILL, SIGTERM, SIGUSR1};

use super::exit_code::passed_on;
use super::signals::{self, Came};
use crate::error::{Error, Kind, Result};
use crate::shutdown::SAME_REQUEST;

/// The hidden command.
pub(crate) const NAME: &str = "run-in-sandbox";

/// What the kernel sends when the sandbox has died, once for each of its threads: not to be taken for what it says.
const DIED: i32 = SIGUSR1;

/// How long the command may take to end once it was told to.
const GRACE: Duration = Duration::from_secs(5);

/// The same for what it left in the background.
const LEFT_GRACE: Duration = Duration::from_secs(1);

/// How long the kernel may take to end what was killed: a process that hangs in it cannot be helped.
const KILLED: Duration = Duration::from_secs(2);

/// Arguments of the hidden command.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Process id of the sandbox
    #[arg(long, value_name = "PID")]
    parent: i32,
    /// Command to run
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// This program's own file.
///
/// # Errors
/// `Kind::Io` when the system does not tell.
pub(crate) fn program() -> Result<std::path::PathBuf> {
    std::env::current_exe().map_err(|e| Error::io("cannot find this program's own file", e))
}

/// Runs the command to its end, and then ends what it left.
///
/// # Errors
/// `Kind::Io` when it cannot be started, `Kind::Child` with its exit code, `Kind::Terminated` when it had to be killed.
pub(crate) fn run(args: Args) -> Result<()> {
    let (tell, told) = mpsc::channel();
    let mut listened = crate::shutdown::ending();
    listened.extend([SIGCHLD, DIED]);
    signals::listen(&listened, move |came| tell.send(came).is_ok())?;
    bind_to(args.parent)?;
    let Some((program, rest)) = args.command.split_first() else {
        return Err(Error::usage("there is no command to run"));
    };
    let child = std::process::Command::new(program).args(rest).spawn();
    let child = child.map_err(|e| Error::io(format!("cannot run `{}`", program.to_string_lossy()), e))?;
    let command = Pid::from_child(&child);
    let mut runner = Runner { parent: args.parent, command, status: None, by_group: None };
    let killed = runner.serve(&told)?;
    runner.end_the_rest(&told, killed)?;
    match runner.status {
        _ if killed => Err(Error::new(Kind::Terminated, "the command did not end when it was told to, and was killed")),
        Some(status) => passed_on(status),
        None => Err(Error::new(Kind::Io, "the command was lost")),
    }
}

struct Runner {
    parent: i32,
    command: Pid,
    status: Option<std::process::ExitStatus>,
    /// The last signal that somebody else sent to this process, in all likelihood to its whole group, and when.
    by_group: Option<(i32, Instant)>,
}

impl Runner {
    /// Passes signals on until the command has ended; true when it had to be killed.
    fn serve(&mut self, told: &Receiver<Came>) -> Result<bool> {
        let mut deadline: Option<Instant> = None;
        let mut killed = false;
        while self.reap()? && self.status.is_none() {
            let came = match deadline {
                Some(deadline) => told.recv_timeout(deadline.saturating_duration_since(Instant::now())),
                None => told.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match came {
                Ok(Came { signal: SIGCHLD, .. }) => {}
                Ok(came) if came.sender != Some(self.parent) => self.by_group = Some((came.signal, Instant::now())),
                Ok(Came { signal: DIED, .. }) if deadline.is_some() => {}
                Ok(Came { signal, .. }) if signal != SIGTERM || deadline.is_none() => {
                    let signal = if signal == DIED { SIGTERM } else { signal };
                    if !self.has_been_told(signal) {
                        signals::send(self.command, signal);
                    }
                    if signal == SIGTERM || signal == SIGHUP {
                        deadline.get_or_insert(Instant::now() + GRACE);
                    }
                }
                Ok(_) | Err(RecvTimeoutError::Timeout) => {
                    signals::send(self.command, SIGKILL);
                    (killed, deadline) = (true, Some(Instant::now() + KILLED));
                }
                Err(RecvTimeoutError::Disconnected) => return Err(Error::new(Kind::Io, "signals come no more")),
            }
        }
        Ok(killed)
    }

    /// Whether the command has this signal from the one who sent it to the whole process group, as GNU `timeout` does.
    fn has_been_told(&self, signal: i32) -> bool {
        let by_group = self.by_group.is_some_and(|(sent, at)| sent == signal && at.elapsed() < SAME_REQUEST);
        let group = |pid| rustix::process::getpgid(pid).ok();
        by_group && group(None) == group(Some(self.command))
    }

    /// Ends what the command left, politely at first unless the command itself had to be killed.
    fn end_the_rest(&mut self, told: &Receiver<Came>, killed: bool) -> Result<()> {
        for (signal, limit) in [(SIGTERM, LEFT_GRACE), (SIGKILL, KILLED)].into_iter().skip(usize::from(killed)) {
            let deadline = Instant::now() + limit;
            let mut sent = Vec::new();
            while self.reap()? && Instant::now() < deadline {
                // Processes may begin others meanwhile.
                for pid in descendants() {
                    if signal == SIGKILL || !sent.contains(&pid) {
                        signals::send(pid, signal);
                        sent.push(pid);
                    }
                }
                // A grandchild that ends tells its own parent, not this process: looked for again soon.
                if let Ok(Came { signal: SIGTERM, sender }) = told.recv_timeout(Duration::from_millis(10))
                    && sender == Some(self.parent)
                    && signal != SIGKILL
                {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Takes note of all children that have ended; false when none is left.
    fn reap(&mut self) -> Result<bool> {
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if pid == self.command => self.status = Some(as_std(status)),
                Ok(Some(_)) => {}
                Ok(None) => return Ok(true),
                Err(rustix::io::Errno::CHILD) => return Ok(false),
                Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(Error::io("cannot wait for the command", e.into())),
            }
        }
    }
}

fn as_std(status: WaitStatus) -> std::process::ExitStatus {
    std::os::unix::process::ExitStatusExt::from_raw(status.as_raw())
}

/// Makes this process end with the sandbox, and the parent of all that loses its own.
#[cfg(target_os = "linux")]
fn bind_to(parent: i32) -> Result<()> {
    use rustix::process::{Signal, getpid, getppid, set_child_subreaper, set_parent_process_death_signal};
    set_child_subreaper(Some(getpid()))
        .and_then(|()| set_parent_process_death_signal(Signal::from_named_raw(DIED)))
        .map_err(|e| Error::io("cannot watch over the command", e.into()))?;
    if getppid() != Pid::from_raw(parent) {
        return Err(Error::new(Kind::Terminated, "the sandbox has ended"));
    }
    Ok(())
}

/// The children of this process, their children, and so on.
#[cfg(target_os = "linux")]
fn descendants() -> Vec<Pid> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|e| e.file_name().to_str()?.parse::<i32>().ok());
    let parents: Vec<(i32, i32)> = pids.filter_map(|pid| Some((pid, parent_of(pid)?))).collect();
    let mut found = vec![rustix::process::getpid().as_raw_pid()];
    let mut next = 0;
    while let Some(&of) = found.get(next) {
        found.extend(parents.iter().filter(|(_, parent)| *parent == of).map(|(pid, _)| *pid));
        next += 1;
    }
    found.into_iter().skip(1).filter_map(Pid::from_raw).collect()
}

/// The fourth field of the process's line, behind its name, which may hold anything.
#[cfg(target_os = "linux")]
fn parent_of(pid: i32) -> Option<i32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// Elsewhere only the command itself is looked after.
#[cfg(not(target_os = "linux"))]
fn bind_to(_parent: i32) -> Result<()> {
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn descendants() -> Vec<Pid> {
    Vec::new()
}
