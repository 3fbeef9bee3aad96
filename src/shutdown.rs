//! How work ends early: the first SIGINT, SIGTERM or SIGHUP, or `--timeout`, asks it to drain; a second request leaves at once.

use std::io::Read;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tokio::sync::watch;

use crate::error::{Error, Kind, Result};

/// How long work may take to settle what is in flight once a signal asked it to stop.
const DRAIN: Duration = Duration::from_secs(5);

/// The same once `--timeout` is over: whoever gave a limit gets the exit code within a second of it.
const DRAIN_LATE: Duration = Duration::from_millis(600);

/// How long a goodbye may take beyond what settling leaves of its time: less than [`STUCK`], so that whoever waits for a
/// silent peer is not taken for stuck.
const GOODBYE: Duration = Duration::from_millis(400);

/// The same once `--timeout` is over.
const GOODBYE_LATE: Duration = Duration::from_millis(300);

/// So much later the process leaves, even when a thread is stuck in a read or a write.
const STUCK: Duration = Duration::from_secs(1);

/// Signals that come so soon after the first are the same request: GNU `timeout` signals its child and then its own
/// process group, which the child is in; service managers do alike.
pub(crate) const SAME_REQUEST: Duration = Duration::from_millis(300);

/// Those that ask to end. SIGHUP is not among them where it is ignored: `nohup` wants it so.
pub(crate) fn ending() -> Vec<i32> {
    let ignored = own_status().ok().and_then(|status| {
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
        u64::from_str_radix(mask.trim(), 16).ok()
    });
    let is_ignored = |signal: i32| ignored.is_some_and(|mask| mask >> (signal - 1) & 1 == 1);
    let mut signals = vec![SIGINT, SIGTERM];
    if !is_ignored(SIGHUP) {
        signals.push(SIGHUP);
    }
    signals
}

/// What the kernel says of this process. All of it fits into the first read; a file there has no size to go by.
fn own_status() -> std::io::Result<String> {
    let mut status = String::with_capacity(8 << 10);
    std::fs::File::open("/proc/self/status")?.read_to_string(&mut status)?;
    Ok(status)
}

/// Tells the requests to end apart from the signals that repeat them.
#[derive(Debug, Default)]
pub(crate) struct EndRequests {
    /// When the last request was made, by the first of its signals.
    last: Option<Instant>,
    made: u32,
}

impl EndRequests {
    /// Takes a signal that came now: which request it makes, counted from 1, or `None` when it repeats one.
    pub(crate) fn came(&mut self, now: Instant) -> Option<u32> {
        if self.last.is_some_and(|last| now.saturating_duration_since(last) < SAME_REQUEST) {
            return None;
        }
        self.last = Some(now);
        self.made = self.made.saturating_add(1);
        Some(self.made)
    }
}

/// Why the work was asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Reason {
    /// SIGINT.
    Interrupt = 1,
    /// SIGTERM; SIGHUP, since a terminal that was closed is no reason to leave work half done.
    Terminate = 2,
    /// `--timeout` ran out.
    Timeout = 3,
}

impl Reason {
    fn from_u8(value: u8) -> Option<Reason> {
        match value {
            1 => Some(Reason::Interrupt),
            2 => Some(Reason::Terminate),
            3 => Some(Reason::Timeout),
            _ => None,
        }
    }

    /// How long settling may take.
    fn drain(self) -> Duration {
        match self {
            Reason::Interrupt | Reason::Terminate => DRAIN,
            Reason::Timeout => DRAIN_LATE,
        }
    }

    /// The error that a command which stopped for this reason ends with.
    pub(crate) fn error(self) -> Error {
        match self {
            Reason::Interrupt => Error::new(Kind::Interrupted, "interrupted"),
            Reason::Terminate => Error::new(Kind::Terminated, "terminated"),
            Reason::Timeout => Error::new(Kind::Deadline, "the deadline of --timeout passed"),
        }
    }
}

/// The token passed to everything that may have to stop early. Clones share one state.
#[derive(Debug, Clone)]
pub(crate) struct Shutdown {
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    reason: AtomicU8,
    /// Signals are somebody else's.
    left: AtomicBool,
    changed: watch::Sender<()>,
    deadline: Option<Instant>,
    drain_until: Mutex<Option<Instant>>,
    /// Process groups that end with this process.
    groups: Mutex<Vec<Pid>>,
}

impl Shutdown {
    /// A token that only [`Shutdown::stop`] and `timeout` trigger.
    pub(crate) fn new(timeout: Option<Duration>) -> Shutdown {
        let deadline = timeout.and_then(|t| Instant::now().checked_add(t));
        Shutdown {
            state: Arc::new(State {
                reason: AtomicU8::new(0),
                left: AtomicBool::new(false),
                changed: watch::channel(()).0,
                deadline,
                drain_until: Mutex::new(None),
                groups: Mutex::new(Vec::new()),
            }),
        }
    }

    /// Listens to SIGINT, SIGTERM and SIGHUP on a thread of its own, and starts the clock of `--timeout`.
    ///
    /// # Errors
    /// [`Kind::Io`] when the handlers cannot be installed.
    pub(crate) fn install(timeout: Option<Duration>) -> Result<Shutdown> {
        let shutdown = Shutdown::new(timeout);
        let mut signals = Signals::new(ending()).map_err(|e| Error::io("cannot listen to signals", e))?;
        let token = shutdown.clone();
        spawn("signals", move || {
            let mut requests = EndRequests::default();
            for signal in signals.forever() {
                if token.state.left.load(Ordering::SeqCst) {
                    return;
                }
                let reason = if signal == SIGINT { Reason::Interrupt } else { Reason::Terminate };
                match requests.came(Instant::now()) {
                    None => {}
                    Some(1) if token.stop(reason) => token.arm_hard_stop(reason),
                    // --timeout was first: its drain ends within a second by itself.
                    Some(1) => {}
                    Some(_) => token.leave(reason),
                }
            }
        })?;
        if let Some(deadline) = shutdown.state.deadline {
            let token = shutdown.clone();
            spawn("deadline", move || {
                std::thread::sleep(deadline.saturating_duration_since(Instant::now()));
                if token.stop(Reason::Timeout) {
                    token.arm_hard_stop(Reason::Timeout);
                }
            })?;
        }
        Ok(shutdown)
    }

    /// From now on signals are the caller's to act on: none of them asks the work to stop, and `--timeout` still does.
    #[cfg(feature = "sandbox")]
    pub(crate) fn leave_signals(&self) {
        self.state.left.store(true, Ordering::SeqCst);
    }

    /// A thread stuck in `read` or `write` (a stalled pipe) cannot drain: leave without it.
    fn arm_hard_stop(&self, reason: Reason) {
        let token = self.clone();
        let leave = move || {
            std::thread::sleep(reason.drain() + STUCK);
            let error = reason.error();
            let text = format!(
                "error: {}, and a read, a write or a program is stuck: left without settling the rest\n",
                error.chain()
            );
            // Nobody else will say it; and nobody is left to tell when standard error is stuck, too.
            let _ = std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes());
            token.leave(reason);
        };
        if spawn("hard-stop", leave).is_err() {
            self.leave(reason);
        }
    }

    /// Leaves at once.
    fn leave(&self, reason: Reason) -> ! {
        for group in self.groups().iter() {
            // There may be nobody of it any more.
            let _ = kill_process_group(*group, Signal::KILL);
        }
        std::process::exit(i32::from(crate::exit::code(reason.error().kind())))
    }

    /// A process group is killed when this process leaves at once.
    pub(crate) fn adopt(&self, group: Pid) {
        self.groups().push(group);
    }

    /// Takes [`Shutdown::adopt`] back.
    pub(crate) fn disown(&self, group: Pid) {
        self.groups().retain(|other| *other != group);
    }

    fn groups(&self) -> MutexGuard<'_, Vec<Pid>> {
        self.state.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the work to stop. False when it had been asked before.
    pub(crate) fn stop(&self, reason: Reason) -> bool {
        let first = self.state.reason.compare_exchange(0, reason as u8, Ordering::SeqCst, Ordering::SeqCst).is_ok();
        if first {
            *self.state.drain_until.lock().unwrap_or_else(PoisonError::into_inner) =
                Some(Instant::now() + reason.drain());
            self.state.changed.send_replace(());
        }
        first
    }

    /// Why the work has to stop; `None` while it may go on.
    pub(crate) fn reason(&self) -> Option<Reason> {
        Reason::from_u8(self.state.reason.load(Ordering::Relaxed))
    }

    /// Fails when the work has to stop.
    ///
    /// # Errors
    /// The error of the [`Reason`].
    pub(crate) fn check(&self) -> Result<()> {
        self.reason().map_or(Ok(()), |reason| Err(reason.error()))
    }

    /// Resolves once the work has to stop.
    pub(crate) async fn stopped(&self) -> Reason {
        let mut changed = self.state.changed.subscribe();
        loop {
            if let Some(reason) = self.reason() {
                return reason;
            }
            // The sender lives as long as `self`, so this cannot fail.
            if changed.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Runs `work` until it ends or the token triggers.
    ///
    /// # Errors
    /// Those of `work`, or the [`Reason`]'s.
    pub(crate) async fn or_stop<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            biased;
            reason = self.stopped() => Err(reason.error()),
            done = work => done,
        }
    }

    /// What is left of `--timeout`; `None` without one.
    pub(crate) fn remaining(&self) -> Option<Duration> {
        self.state.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// How long settling may still take, counted from when the work was asked to stop: seconds after a signal, less than one
    /// after `--timeout`.
    pub(crate) fn drain_left(&self) -> Duration {
        let until = *self.state.drain_until.lock().unwrap_or_else(PoisonError::into_inner);
        until.map_or(DRAIN, |until| until.saturating_duration_since(Instant::now()))
    }

    /// Runs `work` for at most `limit`, and once everything has to stop for no longer than `left` says then. `None` when it
    /// did not end.
    pub(crate) async fn within<T>(
        &self,
        limit: Duration,
        left: impl Fn(&Shutdown) -> Duration,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let over = async {
            self.stopped().await;
            tokio::time::sleep(left(self)).await;
        };
        tokio::select! {
            biased;
            done = work => Some(done),
            () = over => None,
            () = tokio::time::sleep(limit) => None,
        }
    }

    /// How long a goodbye may take that is worth `limit`: with the settling before it, less than after which a thread counts
    /// as stuck.
    pub(crate) fn goodbye(&self, limit: Duration) -> Duration {
        match self.reason() {
            None => limit,
            Some(Reason::Timeout) => limit.min(self.drain_left() + GOODBYE_LATE),
            Some(Reason::Interrupt | Reason::Terminate) => limit.min(self.drain_left() + GOODBYE),
        }
    }
}

/// Starts a named thread.
///
/// # Errors
/// [`Kind::Io`] when the system has no more threads.
pub(crate) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<()> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map(drop)
        .map_err(|e| Error::io("cannot start a thread", e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_close_together_are_one_request() {
        let (mut requests, start) = (EndRequests::default(), Instant::now());
        let mut came = |after: u64| requests.came(start + Duration::from_millis(after));
        assert_eq!([came(0), came(0), came(150), came(299)], [Some(1), None, None, None]);
        // Counted from the first signal of a request, so that no stream of signals puts the second off for ever.
        assert_eq!([came(300), came(310), came(650)], [Some(2), None, Some(3)]);
    }

    #[test]
    fn a_goodbye_ends_before_a_thread_counts_as_stuck() {
        let limit = Duration::from_secs(2);
        for reason in [Reason::Interrupt, Reason::Terminate, Reason::Timeout] {
            let shutdown = Shutdown::new(None);
            assert_eq!(shutdown.goodbye(limit), limit);
            shutdown.stop(reason);
            let settled_late = shutdown.goodbye(Duration::MAX);
            assert!(settled_late < reason.drain() + STUCK && settled_late > reason.drain() / 2);
            assert!(shutdown.goodbye(limit) <= limit);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_shortens_what_is_waited_for() {
        let (shutdown, forever) = (Shutdown::new(None), std::future::pending::<()>);
        let hour = Duration::from_secs(3600);
        assert_eq!(shutdown.within(hour, |_| Duration::ZERO, async { 1 }).await, Some(1));
        assert_eq!(shutdown.within(Duration::from_secs(1), |_| hour, forever()).await, None);
        let stops = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            shutdown.stop(Reason::Timeout);
        };
        let started = tokio::time::Instant::now();
        let (ended, ()) = tokio::join!(shutdown.within(hour, |_| Duration::from_secs(2), forever()), stops);
        assert_eq!((ended, started.elapsed().as_secs()), (None, 3));
    }

    #[tokio::test]
    async fn the_first_reason_stays() {
        let shutdown = Shutdown::new(None);
        assert!(shutdown.stop(Reason::Terminate));
        assert!(!shutdown.stop(Reason::Interrupt));
        assert_eq!(shutdown.stopped().await, Reason::Terminate);
        let ended = shutdown.or_stop(std::future::pending::<Result<()>>()).await;
        assert_eq!(ended.map_err(|e| e.kind()), Err(Kind::Terminated));
    }
}
