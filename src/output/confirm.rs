//! Questions before something is gone.

use std::io::{IsTerminal, Write};

use super::sanitize::escape_text;
use crate::error::{Error, Kind, Result};
use crate::shutdown::Shutdown;

/// Whether somebody is asked before something is gone.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct YesArgs {
    /// Do not ask; without a terminal, or with CI set, nobody is asked either
    #[arg(short, long)]
    yes: bool,
}

impl YesArgs {
    /// Asks at a terminal; the answer is no unless somebody says yes.
    ///
    /// # Errors
    /// `Kind::Unmet` when nobody does.
    pub(crate) fn confirm(self, what: &str) -> Result<()> {
        if self.yes || !is_asked() {
            return Ok(());
        }
        match answer(&format!("{what}? [y/N] ")) {
            Some(answer) if is_yes(&answer) => Ok(()),
            _ => Err(Error::new(Kind::Unmet, "nothing was done").hint("answer y, or give --yes")),
        }
    }

    /// The same where a signal is waited for.
    ///
    /// # Errors
    /// As [`YesArgs::confirm`]; the reason to stop.
    pub(crate) async fn confirmed(self, what: String, shutdown: &Shutdown) -> Result<()> {
        let asked = tokio::task::spawn_blocking(move || self.confirm(&what));
        let failed = |_| Err(Error::new(Kind::Unmet, "nothing was done"));
        shutdown.or_stop(async { asked.await.unwrap_or_else(failed) }).await
    }
}

/// Whether there is somebody who can be asked.
pub(crate) fn is_asked() -> bool {
    let is_ci = std::env::var_os("CI").is_some_and(|ci| !ci.is_empty());
    !is_ci && std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks a question; the answer without what surrounds it.
///
/// # Errors
/// `Kind::Unmet` when there is no answer, as with Ctrl-D; the reason to stop.
pub(crate) async fn question(text: &str, shutdown: &Shutdown) -> Result<String> {
    let text = format!("{text}: ").replace("]: ", "] ");
    let asked = tokio::task::spawn_blocking(move || answer(&text));
    let nothing = || Error::new(Kind::Unmet, "nothing was done");
    shutdown.or_stop(async { asked.await.ok().flatten().ok_or_else(nothing) }).await
}

/// Whether an answer is a yes; nothing is none.
pub(crate) fn is_yes(answer: &str) -> bool {
    matches!(answer.to_lowercase().as_str(), "y" | "yes")
}

/// Asks, and reads a line; `None` when there is none.
fn answer(text: &str) -> Option<String> {
    let mut line = String::new();
    let asked = std::io::stderr().write_all(escape_text(text).as_bytes());
    let read = asked.and_then(|()| std::io::stdin().read_line(&mut line));
    read.is_ok_and(|bytes| bytes > 0).then(|| line.trim().to_owned())
}
