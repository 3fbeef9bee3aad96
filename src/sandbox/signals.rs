//! Signals with who sent them: Ctrl-C comes from the terminal and reaches a command by itself, the others must be passed on.

use rustix::process::{Pid, Signal};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::WithOrigin;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::error::{Error, Result};
use crate::shutdown::{self, Shutdown};

/// A signal that came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Came {
    /// Its number.
    pub signal: i32,
    /// The process that sent it. The terminal is none.
    pub sender: Option<i32>,
}

/// Gives the signals to `tell`, on a thread of its own, until it has enough.
///
/// # Errors
/// `Kind::Io`.
pub(crate) fn listen(signals: &[i32], mut tell: impl FnMut(Came) -> bool + Send + 'static) -> Result<()> {
    let mut origins = SignalsInfo::<WithOrigin>::new(signals).map_err(|e| Error::io("cannot listen to signals", e))?;
    shutdown::spawn("sandbox-signals", move || {
        for origin in origins.forever() {
            if !tell(Came { signal: origin.signal, sender: origin.process.map(|p| p.pid) }) {
                return;
            }
        }
    })
}

/// The signals that ask to end, which from now on are the caller's to act on.
///
/// # Errors
/// As [`listen`].
pub(crate) fn to_channel(shutdown: &Shutdown) -> Result<UnboundedReceiver<Came>> {
    let (sender, signals) = unbounded_channel();
    listen(&shutdown::ending(), move |came| sender.send(came).is_ok())?;
    shutdown.leave_signals();
    Ok(signals)
}

/// Sends a signal. That the process has ended in between is no matter.
pub(crate) fn send(pid: Pid, signal: i32) {
    if let Some(signal) = Signal::from_named_raw(signal) {
        // There may be nobody to tell any more.
        let _ = rustix::process::kill_process(pid, signal);
    }
}
