//! The command that runs in a sandbox, by way of a [`super::runner`]: signals go on to it, its exit code comes back.

use std::ffi::OsString;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use signal_hook::consts::{SIGHUP, SIGTERM};
use tokio::process::Child;
use tokio::sync::mpsc::UnboundedReceiver;

use super::environment::Environment;
use super::exit_code::passed_on;
use super::signals::{self, Came};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::shutdown::{EndRequests, Reason};

/// So much later the runner is told: whoever signals the sandbox and then its whole process group has told the command
/// himself by then, and the runner knows.
const GROUP: Duration = Duration::from_millis(20);

/// Runs a command in a sandbox.
///
/// # Errors
/// `Kind::Io` when it cannot be started, `Kind::Child` with its own exit code.
pub(crate) async fn run(
    environment: &Environment,
    line: &[OsString],
    mut signals: UnboundedReceiver<Came>,
    cx: &Context,
) -> Result<()> {
    let failed = |e| Error::io("cannot run the command", e);
    let mut runner = environment.command(super::runner::program()?.as_os_str());
    runner.args([super::runner::NAME, "--parent", &std::process::id().to_string(), "--"]).args(line);
    let mut child = runner.spawn().map_err(failed)?;
    let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    let tell = |signal| pid.iter().for_each(|pid| signals::send(*pid, signal));
    let mut requests = EndRequests::default();
    let reason = loop {
        tokio::select! {
            status = child.wait() => return passed_on(status.map_err(failed)?),
            Some(came) = signals.recv() => {
                // What repeats a request goes no further. A SIGHUP is none: many a command reads its settings anew for it.
                let again = came.signal != SIGHUP && requests.came(Instant::now()).is_none();
                // The terminal has told the whole foreground group; a second Ctrl-C would be another matter.
                if !again && (came.sender.is_some() || came.signal == SIGHUP) {
                    tokio::time::sleep(GROUP).await;
                    tell(came.signal);
                }
            }
            reason = cx.shutdown.stopped() => break reason,
        }
    };
    // --timeout: the command may tidy up for a moment, and is killed then.
    tell(SIGTERM);
    if tokio::time::timeout(cx.shutdown.drain_left(), child.wait()).await.is_err() {
        tell(SIGTERM);
        let _ = child.wait().await;
    }
    Err(reason.error())
}

/// Waits for a command; a signal to this process goes on to it.
pub(crate) async fn wait(mut child: Child, cx: &Context) -> Result<ExitStatus> {
    let failed = |e| Error::io("cannot wait for the command", e);
    let reason = tokio::select! {
        status = child.wait() => return status.map_err(failed),
        reason = cx.shutdown.stopped() => reason,
    };
    let signal = match reason {
        Reason::Interrupt => Signal::INT,
        Reason::Terminate | Reason::Timeout => Signal::TERM,
    };
    // Ctrl-C on a terminal reaches the whole foreground group; a second one would tell the command to leave at once.
    let told_by_terminal = reason == Reason::Interrupt
        && rustix::termios::tcgetpgrp(std::io::stderr()).is_ok_and(|group| group == rustix::process::getpgrp());
    if !told_by_terminal && let Some(pid) = child.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed())) {
        // It may have ended in between, and then there is nobody to tell.
        let _ = rustix::process::kill_process(pid, signal);
    }
    match tokio::time::timeout(cx.shutdown.drain_left(), child.wait()).await {
        Ok(status) => match reason {
            Reason::Timeout => Err(reason.error()),
            Reason::Interrupt | Reason::Terminate => status.map_err(failed),
        },
        Err(_) => {
            let _ = child.kill().await;
            Err(reason.error())
        }
    }
}
