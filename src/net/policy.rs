//! `--connect-timeout` and `--wait`, the same for every protocol: how often and how long a connection is tried.

use std::fmt::Display;
use std::time::{Duration, Instant};

use super::steps::{Say, Told};
use super::tls::given_up;
use crate::error::{Error, Kind, Result};
use crate::shutdown::Shutdown;

/// How long one attempt may take when nothing else is said.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The pause between two attempts.
const RETRY: Duration = Duration::from_millis(200);

/// How a connection is tried.
#[derive(Clone, Copy)]
pub(crate) struct Policy {
    /// The limit of one attempt.
    pub connect_timeout: Duration,
    /// `Some` keeps trying, `Some(Some(limit))` at most so long.
    pub wait: Option<Option<Duration>>,
    /// Told once, when `wait` begins to try again.
    pub on_wait: &'static (dyn Fn(&Error) + Sync),
    /// Told the steps on the way.
    pub say: &'static Say,
}

impl std::fmt::Debug for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Policy { connect_timeout, wait, on_wait: _, say: _ } = self;
        f.debug_struct("Policy").field("connect_timeout", connect_timeout).field("wait", wait).finish_non_exhaustive()
    }
}

impl Policy {
    /// How long a peer that was there may be away: as long as an attempt to connect may take, or as `--wait` says. `None` is
    /// for ever.
    pub(crate) fn patience(&self) -> Option<Duration> {
        self.wait.unwrap_or(Some(self.connect_timeout))
    }

    /// As [`Policy::connect`]; the error names the address.
    ///
    /// # Errors
    /// As [`Policy::connect`].
    pub(crate) async fn connect_to<T, F>(
        &self,
        address: impl Display,
        shutdown: &Shutdown,
        attempt: impl FnMut(Duration) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        (self.say)(Told::Seeks(&address.to_string()));
        self.connect(shutdown, attempt).await.map_err(|error| match shutdown.reason() {
            // Whoever was asked to stop knows where.
            Some(_) => error,
            None => error.context(format!("cannot connect to {address}")),
        })
    }

    /// Tries `attempt` until it works, its error is final, the wait is over, or the shutdown token triggers.
    ///
    /// `attempt` gets the time it may take. Only [`Kind::Connect`] and [`Kind::Deadline`] are tried again: a peer that
    /// refuses the password or the certificate will refuse it the next time too.
    ///
    /// # Errors
    /// The last attempt's error; as [`Kind::Deadline`] once the wait is over.
    pub(crate) async fn connect<T, F>(&self, shutdown: &Shutdown, mut attempt: impl FnMut(Duration) -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let started = Instant::now();
        let mut last = None;
        loop {
            let limit = self.attempt_limit(started);
            let once =
                async { tokio::time::timeout(limit, attempt(limit)).await.unwrap_or_else(|_| Err(timed_out(limit))) };
            let error = match shutdown.or_stop(once).await {
                Ok(connection) => return Ok(connection),
                Err(error) => error,
            };
            shutdown.check()?;
            let Some(wait) = self.wait.filter(|_| is_passing(&error)) else {
                return Err(given_up(error));
            };
            if let Some(wait) = wait
                && started.elapsed() + RETRY >= wait
            {
                let message = format!("no connection within --wait={}", humantime::format_duration(wait));
                // An attempt that the end of the wait cut short tells less than the one before it.
                let is_cut = error.kind() == Kind::Deadline && limit < self.connect_timeout;
                let error = last.filter(|_| is_cut).unwrap_or(error);
                let fix = error.fix().filter(|_| error.kind() == Kind::Connect).map(str::to_owned);
                let over = Error::new(Kind::Deadline, message).because(error);
                return Err(match fix {
                    Some(fix) => over.hint(fix),
                    None => over,
                });
            }
            if last.is_none() {
                (self.on_wait)(&error);
            }
            last = Some(error);
            pause(shutdown).await?;
        }
    }

    /// Tries again what is not ready yet, for as long as `--wait` says from `started` on. A peer that is there and refuses may be on
    /// its way: the queue, the topic or the service is yet to come.
    ///
    /// # Errors
    /// The last attempt's error; as [`Kind::Deadline`] once the wait is over.
    pub(crate) async fn until_ready<T>(
        &self,
        shutdown: &Shutdown,
        started: Instant,
        mut attempt: impl AsyncFnMut() -> Result<T>,
    ) -> Result<T> {
        let mut is_told = false;
        loop {
            let limit = self.attempt_limit(started);
            let once =
                async { tokio::time::timeout(limit, attempt()).await.unwrap_or_else(|_| Err(unanswered(limit))) };
            let error = match shutdown.or_stop(once).await {
                Ok(ready) => return Ok(ready),
                Err(error) => error,
            };
            shutdown.check()?;
            let is_passing = is_passing(&error) || matches!(error.kind(), Kind::Refused | Kind::GrpcStatus(_));
            let Some(wait) = self.wait.filter(|_| is_passing) else { return Err(error) };
            if let Some(wait) = wait
                && started.elapsed() + RETRY >= wait
            {
                let message = format!("not ready within --wait={}", humantime::format_duration(wait));
                return Err(Error::new(Kind::Deadline, message).because(error));
            }
            if !std::mem::replace(&mut is_told, true) {
                (self.on_wait)(&error);
            }
            pause(shutdown).await?;
        }
    }

    /// Tries `attempt` for a connection that was lost, until it works, its error is final, the [`Policy::patience`] is over,
    /// or the shutdown token triggers. `attempt` gets a policy that tries once; `on_lost` is told the first error, when it is
    /// tried again.
    ///
    /// # Errors
    /// The last attempt's error.
    pub(crate) async fn reconnect<T, F: Future<Output = Result<T>>>(
        &self,
        shutdown: &Shutdown,
        on_lost: impl Fn(&Error),
        mut attempt: impl FnMut(Policy) -> F,
    ) -> Result<T> {
        let started = Instant::now();
        let mut is_told = false;
        loop {
            let error = match attempt(Policy { wait: None, ..*self }).await {
                Ok(connection) => return Ok(connection),
                Err(error) => error,
            };
            shutdown.check()?;
            if !is_passing(&error) || self.patience().is_some_and(|patience| started.elapsed() >= patience) {
                return Err(error.context("the connection was lost"));
            }
            if !std::mem::replace(&mut is_told, true) {
                on_lost(&error);
            }
            pause(shutdown).await?;
        }
    }

    /// One attempt never outlives the wait.
    fn attempt_limit(&self, started: Instant) -> Duration {
        match self.wait {
            Some(Some(wait)) => self.connect_timeout.min(wait.saturating_sub(started.elapsed())),
            _ => self.connect_timeout,
        }
    }
}

/// Whether another attempt may fare better.
fn is_passing(error: &Error) -> bool {
    matches!(error.kind(), Kind::Connect | Kind::Deadline)
}

async fn pause(shutdown: &Shutdown) -> Result<()> {
    let slept = async {
        tokio::time::sleep(RETRY).await;
        Ok(())
    };
    shutdown.or_stop(slept).await
}

pub(super) fn unanswered(limit: Duration) -> Error {
    let limit = Duration::from_millis(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
    Error::new(Kind::Deadline, format!("no answer within {}", humantime::format_duration(limit)))
        .hint("raise --connect-timeout, or keep trying with --wait")
}

/// The error of an attempt that took too long.
pub(crate) fn timed_out(limit: Duration) -> Error {
    // Rounded, because the rest of a wait has nanoseconds that tell nothing.
    let limit = Duration::from_millis(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
    Error::new(Kind::Deadline, format!("no connection within {}", humantime::format_duration(limit)))
        .hint("raise --connect-timeout, or keep trying with --wait")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(wait: Option<Option<Duration>>) -> Policy {
        Policy { connect_timeout: Duration::from_secs(5), wait, on_wait: &|_| (), say: &|_| () }
    }

    async fn run(wait: Option<Option<Duration>>, kind: Kind, works_at: u32) -> (u32, Result<()>) {
        let mut tries = 0;
        let ended = policy(wait)
            .connect(&Shutdown::new(None), |_| {
                tries += 1;
                let done = tries >= works_at;
                async move { if done { Ok(()) } else { Err(Error::new(kind, "no")) } }
            })
            .await;
        (tries, ended)
    }

    #[tokio::test(start_paused = true)]
    async fn waits_only_for_what_can_pass() {
        let (tries, ended) = run(None, Kind::Connect, 3).await;
        assert_eq!((tries, ended.map_err(|e| e.kind())), (1, Err(Kind::Connect)));
        let (tries, ended) = run(Some(None), Kind::Connect, 3).await;
        assert!(ended.is_ok() && tries == 3);
        let (tries, ended) = run(Some(None), Kind::Auth, 3).await;
        assert_eq!((tries, ended.map_err(|e| e.kind())), (1, Err(Kind::Auth)));
        let (_, ended) = run(Some(Some(Duration::from_millis(100))), Kind::Connect, 9).await;
        assert_eq!(ended.map_err(|e| e.kind()), Err(Kind::Deadline));
    }
    #[tokio::test(start_paused = true)]
    async fn what_was_lost_is_tried_for_as_long_as_a_connection_may_take() {
        let run = async |wait, kind, works_at: u32| {
            let (mut tries, told) = (0, std::cell::Cell::new(0));
            let policy = Policy { connect_timeout: Duration::ZERO, ..policy(wait) };
            let shutdown = Shutdown::new(None);
            let attempt = |once: Policy| {
                tries += 1;
                assert!(once.wait.is_none());
                std::future::ready(if tries >= works_at { Ok(()) } else { Err(Error::new(kind, "no")) })
            };
            let ended = policy.reconnect(&shutdown, |_| told.set(told.get() + 1), attempt).await.map_err(|e| e.kind());
            (tries, told.get(), ended)
        };
        assert_eq!(run(Some(None), Kind::Connect, 3).await, (3, 1, Ok(())));
        assert_eq!(run(Some(None), Kind::Auth, 3).await, (1, 0, Err(Kind::Auth)));
        assert_eq!(run(None, Kind::Connect, 3).await, (1, 0, Err(Kind::Connect)));
    }
}
