//! The command that runs in a sandbox: signals go on to it, its exit code comes back.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use rustix::process::Signal;
use tokio::process::Child;

use super::servers::Servers;
use crate::context::Context;
use crate::error::{Error, Kind, Result};
use crate::shutdown::Reason;

/// Runs a command in a sandbox.
///
/// # Errors
/// `Kind::Io` when it cannot be started, `Kind::Child` with its own exit code.
pub async fn run(servers: &Servers, program: &OsStr, rest: &[OsString], cx: &Context) -> Result<()> {
    let mut command = servers.command(program);
    command.args(rest);
    let shown = program.to_string_lossy();
    let child = command.spawn().map_err(|e| Error::io(format!("cannot run `{shown}`"), e))?;
    passed_on(wait(child, cx).await?)
}

/// Waits for a command; a signal to this process goes on to it.
pub async fn wait(mut child: Child, cx: &Context) -> Result<ExitStatus> {
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

/// A command's exit code as this process's; a death by signal is 128 and its number, as in a shell.
pub fn passed_on(status: ExitStatus) -> Result<()> {
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    match u8::try_from(code) {
        Ok(0) => Ok(()),
        Ok(code) => Err(Error::new(Kind::Child(code), "the command failed")),
        Err(_) => Err(Error::new(Kind::Child(u8::MAX), "the command failed")),
    }
}
