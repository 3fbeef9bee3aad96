//! After the loop: what is under way is waited for, settled, and told.

use std::task::Poll;
use std::time::Duration;

use super::{End, Runner};
use crate::error::{Error, Kind, Result, counted};
use crate::flow::dead::Dead;
use crate::flow::end::Ended;
use crate::flow::sink::{Heard, Outcome};
use crate::flow::source::Settling;
use crate::shutdown::Shutdown;

/// As long as it takes; tokio has no name for it.
const FOREVER: Duration = Duration::from_secs(86_400 * 365);

impl Runner<'_> {
    /// After the loop: waits for what is under way, settles it, and says how it all ended.
    pub(super) async fn wind_up(&mut self, end: End, shutdown: &Shutdown) -> Ended {
        let mut late = matches!(end, End::Stopped(_));
        let mut sunk = matches!(end, End::Sink(_));
        let unmet = self.unmet(&end);
        if !matches!(end, End::Count | End::Exhausted | End::Idle(_) | End::Full) {
            self.recall(None);
            self.sink.call_off();
        }
        let (mut stopped, mut failure) = self.reasons(end);
        let is_waited_for = self.sink.is_slow() && !self.sink.is_empty();
        let tells = |error: &&Error| is_waited_for && error.kind() != Kind::ClosedPipe;
        if let Some(error) = failure.as_ref().filter(tells) {
            self.reporter.warn(format!("{}; what has begun is waited for", error.chain()));
        }
        if !sunk || is_waited_for {
            let mut drained = shutdown.within(FOREVER, Shutdown::drain_left, self.drained(shutdown)).await;
            if let Some(Err(error)) = drained {
                if !std::mem::replace(&mut sunk, true) {
                    self.sink_failed(error, stopped.as_ref(), &mut failure);
                }
                // What has begun goes on without what stands behind it.
                drained = match is_waited_for {
                    true => shutdown.within(FOREVER, Shutdown::drain_left, self.drained(shutdown)).await,
                    false => Some(Ok(())),
                };
            }
            late |= drained.is_none();
        }
        if let Some(error) = self.idle_relay.take() {
            failure.get_or_insert(error);
        }
        if let Some(error) = self.unburied.take() {
            self.sink_failed(error, stopped.as_ref(), &mut failure);
        }
        self.sink.abandon(&mut self.heard);
        // Where a sink tells of everything at once, a ticket is no message's own, and what it has not told of is not done.
        if !self.sink.is_bulk() {
            for (ticket, _) in self.leftover.drain(..) {
                self.heard.outcome(ticket, Outcome::Unsent);
            }
        }
        if let Err(End::Source(error)) = self.take_up(Ok(())) {
            failure.get_or_insert(error);
        }
        if let Some(dead) = &mut self.dead {
            let mut heard = Heard::default();
            dead.abandon(&mut heard);
            self.buried(heard);
        }
        self.tell(true);
        if !sunk && stopped.is_none() && failure.is_none() && !late {
            failure = shutdown.or_stop(self.sink.finish()).await.err().map(|error| self.of_sink(error));
        }
        if let Err(error) = self.settle() {
            failure.get_or_insert(error);
        }
        let unsure = self.finish(shutdown, &mut late).await;
        if stopped.is_none() && late {
            stopped = shutdown.reason().map(|reason| reason.error());
        }
        let refused = self.account.refused_error(self.manner);
        let holes = self.ledger.holes().into_iter().filter_map(|(lane, done)| self.source.hole(lane, done));
        let told = self.account.burial().into_iter().chain(self.stages.iter().filter_map(|stage| stage.account()));
        let beside = holes.chain(told).chain(self.sink.account()).collect();
        let measured = self.sink.report();
        let account = std::mem::take(&mut self.account);
        let settled = if unsure.is_none() { account.done() } else { 0 };
        Ended { account, manner: self.manner, settled, stopped, failure, unsure, refused, unmet, beside, measured }
    }

    /// The reason to stop, or what ended the work as a whole.
    fn reasons(&self, end: End) -> (Option<Error>, Option<Error>) {
        match end {
            End::Stopped(reason) => (Some(reason), None),
            End::Source(error) => (None, Some(self.of_source(error))),
            End::Sink(error) | End::Dead(error) => (None, Some(self.of_sink(error))),
            End::Relay(error) => (None, Some(error)),
            End::Full => {
                let held = counted(self.ledger.held(), "message");
                let error = match self.account.filtered() {
                    0 => Error::refused(format!("{held} refused and held, and no more are sent ahead of them"))
                        .hint("let more be sent with --prefetch, or say what becomes of them (--on-refusal, --on-failure of --exec)"),
                    _ => Error::new(Kind::Partial, format!("{held} left out and held, and no more are sent ahead of them"))
                        .hint("they go back now; let them be taken out with --drop-rest, or ask for fewer with --count"),
                };
                (None, Some(error))
            }
            End::Count | End::Exhausted | End::Idle(_) | End::Refused => (None, None),
        }
    }

    /// What went wrong with a sink meanwhile. The reason of the end stays; anything else is told beside it.
    fn sink_failed(&mut self, error: Error, stopped: Option<&Error>, failure: &mut Option<Error>) {
        let error = self.of_sink(error);
        match (stopped, &failure) {
            (None, None) => *failure = Some(error),
            _ => self.reporter.warn(error.chain()),
        }
    }

    /// The error of less than was asked for, when nothing else ended it.
    fn unmet(&self, end: &End) -> Option<Error> {
        let (passed, count) = (self.account.passed(), self.limits.count?);
        let why = match end {
            End::Exhausted => "then came the end".to_owned(),
            End::Idle(limit) => format!("then nothing for {}", humantime::format_duration(*limit)),
            _ => return None,
        };
        (passed < count).then(|| self.source.unmet(passed, count, &why))
    }

    /// Waits until the sink has told of everything. The source is served meanwhile.
    async fn drained(&mut self, shutdown: &Shutdown) -> Result<()> {
        self.unflushed = 0;
        self.sink.flush(true)?;
        self.left_out()?;
        std::future::poll_fn(|cx| {
            loop {
                while let Poll::Ready(heard) = self.sink.poll(cx, &mut self.heard) {
                    match self.take_up(heard) {
                        Err(End::Sink(error) | End::Source(error)) => return Poll::Ready(Err(error)),
                        // What would end the work has come when it is ending: nothing more is begun.
                        Err(End::Relay(error)) => {
                            self.recall(None);
                            self.idle_relay = Some(error);
                        }
                        Err(End::Refused) => self.recall(None),
                        _ => {}
                    }
                }
                // What is wrong with the source does not keep the sinks from telling.
                let _ = self.bury(cx);
                // Nobody else will send what a blocked peer does not take.
                let buried = self.dead.as_ref().is_none_or(Dead::is_empty);
                if (buried && self.sink.is_empty()) || (shutdown.reason().is_some() && self.sink.is_blocked()) {
                    return Poll::Ready(Ok(()));
                }
                self.seal();
                if let Ok(Some(event)) = self.source.serve()
                    && let Err(End::Sink(error)) = self.happened(event)
                {
                    return Poll::Ready(Err(error));
                }
                if self.is_clear()
                    && let Err(error) = self.release()
                {
                    return Poll::Ready(Err(error));
                }
                if !self.is_woken(cx, false) {
                    return Poll::Pending;
                }
            }
        })
        .await
    }

    /// Lets the source finish; what is not known of its settling.
    async fn finish(&mut self, shutdown: &Shutdown, late: &mut bool) -> Option<Error> {
        let limit = shutdown.drain_left();
        let finished = shutdown.within(limit, Shutdown::drain_left, self.source.finish()).await;
        *late |= finished.is_none();
        let cause = match finished {
            Some(Ok(())) => return None,
            Some(Err(error)) if error.kind() != Kind::Connect => return Some(self.of_source(error)),
            Some(Err(error)) => error.chain(),
            None => "the broker did not answer in time".to_owned(),
        };
        (self.source.settling() != Settling::Never && self.account.done() > 0).then(|| {
            let done = counted(self.account.done(), "message");
            let message = format!("written: {done}; it is unknown whether the broker has taken the settlement");
            Error::new(Kind::Partial, message).hint("they may come again").because(cause)
        })
    }

    fn of_source(&self, error: Error) -> Error {
        match self.names {
            Some(names) => names.of_source(error),
            None => error,
        }
    }

    fn of_sink(&self, error: Error) -> Error {
        match self.names {
            Some(names) => names.of_sink(error),
            None => error,
        }
    }
}
