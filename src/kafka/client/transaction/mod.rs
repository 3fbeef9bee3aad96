//! Records that become visible together: a transaction around a producer.
//!
//! As a sink it tells of everything at once, when the transaction was committed; so a transaction has as many records as it
//! likes, and nobody keeps a note of each. Where a reader hands over where its group stands ([`Handover`]), that is part of
//! the transaction, too.

mod calls;
mod handover;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::time::Sleep;

use self::calls::{Broken, Calls};
pub(crate) use self::calls::{begin_work, longest};
pub(crate) use self::handover::Handover;
use super::producer::Producer;
use crate::error::{Error, Result, counted};
use crate::flow::{Declined, Heard, Next, Outcome, Refusal, Sink, Ticket, Told, Work};
use crate::message::Message;
use crate::shutdown;

/// When a transaction is committed before the end: whichever comes first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Every {
    /// After so many records.
    pub records: Option<u64>,
    /// So long after its first record.
    pub time: Option<Duration>,
}

/// What transactions are made with.
pub(crate) struct TransactionOptions {
    /// The transactional id.
    pub id: String,
    /// When they are committed; at the end alone if it says nothing.
    pub every: Every,
    /// How long one may be open, before the broker aborts it.
    pub timeout: Duration,
    /// How long brokers may be away; `None` is for ever.
    pub patience: Option<Duration>,
    /// Where the reader's group stands is committed with the records.
    pub handover: Option<Arc<Handover>>,
}

/// Where a transaction is.
enum State {
    /// There is none.
    Idle,
    /// It takes records.
    Open,
    /// It takes no more, and waits for those under way.
    Sealed,
    /// It is being committed.
    Committing(oneshot::Receiver<Result<(), Broken>>),
    /// It is being aborted.
    Aborting(oneshot::Receiver<Result<(), Broken>>),
    /// There will be no other one.
    Over,
}

/// Transactions of a producer.
pub(crate) struct Transactions {
    records: Producer,
    calls: Calls,
    every: Every,
    handover: Option<Arc<Handover>>,
    state: State,
    /// How many records are in this one.
    count: u64,
    /// It is to be committed as soon as that can be.
    asked: bool,
    /// The work did not come to its end.
    is_off: bool,
    /// The first record that was refused: none of the others is taken then.
    refused: Option<(Ticket, Box<Refusal>)>,
    /// Something became of a record that spoils the whole.
    is_spoiled: bool,
    failure: Option<Error>,
    committed: u64,
    /// How many records went with one that was aborted.
    aborted: Option<u64>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Transactions {
    /// Around a producer whose client has begun its work ([`begin_work`]).
    pub(crate) fn new(records: Producer, options: TransactionOptions) -> Transactions {
        let TransactionOptions { id, every, timeout, patience, handover } = options;
        Transactions {
            calls: Calls { wire: records.wire().clone(), id, timeout, patience, since: None },
            records,
            every,
            handover,
            state: State::Idle,
            count: 0,
            asked: false,
            is_off: false,
            refused: None,
            is_spoiled: false,
            failure: None,
            committed: 0,
            aborted: None,
            timer: None,
        }
    }

    fn fails(&self) -> bool {
        self.is_spoiled || self.failure.is_some() || self.is_off
    }

    /// How many more records this one takes.
    fn left(&self) -> usize {
        let left = self.every.records.map_or(u64::MAX, |records| records.saturating_sub(self.count));
        usize::try_from(left).unwrap_or(usize::MAX)
    }

    fn due(&self) -> Option<Instant> {
        self.calls.since?.checked_add(self.every.time?)
    }

    /// Takes up what became of records.
    fn take_up(&mut self, told: Heard, heard: &mut Heard) {
        heard.told.extend(told.told);
        for (ticket, outcome) in told.outcomes {
            match outcome {
                Outcome::Confirmed | Outcome::Written | Outcome::Answered(_) => continue,
                Outcome::Refused(refusal) if self.refused.is_none() => self.refused = Some((ticket, refusal)),
                Outcome::Refused(_) | Outcome::Unsent | Outcome::Unknown => {}
            }
            self.is_spoiled = true;
        }
    }

    /// Works on a thread, since librdkafka's calls block.
    fn on_thread(
        &mut self,
        work: impl FnOnce(Calls) -> Result<(), Broken> + Send + 'static,
    ) -> Option<oneshot::Receiver<Result<(), Broken>>> {
        let (sender, answer) = oneshot::channel();
        let calls = self.calls.clone();
        let spawned = shutdown::spawn("kafka-transaction", move || {
            let _ = sender.send(work(calls));
        });
        if let Err(error) = spawned {
            self.failure.get_or_insert(error);
            return None;
        }
        Some(answer)
    }

    fn commit(&mut self) {
        let stands = match self.handover.as_ref().map(|handover| handover.take()).transpose() {
            Ok(stands) => stands,
            Err(error) => {
                self.failure.get_or_insert(error);
                return self.abort();
            }
        };
        let answer = self.on_thread(move |calls| calls.commit(stands));
        self.state = answer.map_or(State::Over, State::Committing);
    }

    fn abort(&mut self) {
        // What waits inside of librdkafka is given up, and then told of by the records' reports.
        let answer = self.on_thread(|calls| calls.abort());
        self.state = answer.map_or(State::Over, State::Aborting);
    }

    /// It is committed.
    fn is_done(&mut self, heard: &mut Heard) {
        (self.count, self.calls.since, self.asked) = (0, None, false);
        self.committed += 1;
        self.state = State::Idle;
        heard.rest = Some(Outcome::Confirmed);
    }

    /// There will be no other one, and this became of what was in it.
    fn is_over(&mut self, rest: Outcome, heard: &mut Heard) -> Result<()> {
        if rest == Outcome::Unsent && self.count > 0 {
            self.aborted = Some(self.count);
        }
        (self.count, self.calls.since) = (0, None);
        self.state = State::Over;
        if let Some((ticket, refusal)) = self.refused.take() {
            heard.outcome(ticket, Outcome::Refused(refusal));
        }
        heard.rest = Some(rest);
        self.failure.take().map_or(Ok(()), Err)
    }

    /// One step from state to state; `None` when there is nothing to do but to wait.
    fn step(&mut self, cx: &mut Context<'_>, heard: &mut Heard) -> Option<Result<()>> {
        let fails = self.fails();
        match &mut self.state {
            State::Idle if self.failure.is_some() => return Some(self.is_over(Outcome::Unsent, heard)),
            State::Open | State::Sealed if fails => self.abort(),
            State::Sealed if self.records.is_empty() => self.commit(),
            State::Committing(answer) => {
                let Poll::Ready(answer) = Pin::new(answer).poll(cx) else { return None };
                match answer.unwrap_or(Ok(())) {
                    Ok(()) => {
                        self.is_done(heard);
                        return Some(Ok(()));
                    }
                    Err(Broken { error, then }) => {
                        self.failure.get_or_insert(error);
                        match then {
                            Some(rest) => return Some(self.is_over(rest, heard)),
                            None => self.abort(),
                        }
                    }
                }
            }
            State::Aborting(answer) => {
                let Poll::Ready(answer) = Pin::new(answer).poll(cx) else { return None };
                // One that is fenced has nothing to abort any more.
                if let Ok(Err(Broken { error, then: None })) = answer {
                    let limit = humantime::format_duration(self.calls.timeout);
                    heard.told.push(Told::Warn(format!(
                        "the transaction could not be aborted ({}): the broker does it within {limit}, and until then who \
                         reads committed records waits",
                        error.chain()
                    )));
                }
                return Some(self.is_over(Outcome::Unsent, heard));
            }
            State::Idle | State::Open | State::Sealed | State::Over => return None,
        }
        // Whatever it became is looked at, too, and wakes this task when it is done.
        self.step(cx, heard)
    }

    /// Wakes this task when the transaction is due.
    fn wait(&mut self, cx: &mut Context<'_>) {
        let Some(due) = self.due().filter(|_| matches!(self.state, State::Open)) else { return };
        let due = tokio::time::Instant::from_std(due);
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
        if timer.deadline() != due {
            timer.as_mut().reset(due);
        }
        // The flow asks then whether it is to be sealed.
        let _ = timer.as_mut().poll(cx);
    }
}

impl Sink for Transactions {
    fn is_bulk(&self) -> bool {
        true
    }

    fn room(&self) -> usize {
        match self.state {
            State::Idle | State::Open if !self.fails() => self.records.room().min(self.left()),
            _ => 0,
        }
    }

    fn is_empty(&self) -> bool {
        self.count == 0 && self.failure.is_none() && matches!(self.state, State::Idle | State::Open | State::Over)
    }

    fn submit<'b>(&mut self, next: &mut Next<'_, 'b>) -> Result<(), Declined> {
        if matches!(self.state, State::Idle) {
            self.calls.begin()?;
            self.state = State::Open;
        }
        let (left, mut given) = (self.left() as u64, 0);
        let submitted = self.records.submit(&mut |into: &mut Message<'b>| {
            let ticket = if given < left { next(into)? } else { return None };
            given += 1;
            Some(ticket)
        });
        if given > 0 {
            self.calls.since.get_or_insert_with(Instant::now);
            self.count += given;
        }
        submitted
    }

    fn flush(&mut self, last: bool) -> Result<()> {
        self.asked |= last && self.count > 0;
        self.records.flush(last)
    }

    fn press(&mut self) {
        self.asked |= self.count > 0;
        self.records.press();
    }

    fn poll(&mut self, cx: &mut Context<'_>, heard: &mut Heard) -> Poll<Result<()>> {
        let mut told = Heard::default();
        let polled = self.records.poll(cx, &mut told);
        self.take_up(told, heard);
        // What becomes of the others, when one was refused or all is called off, is no cause but what follows.
        if let Poll::Ready(Err(error)) = polled
            && self.refused.is_none()
            && !self.is_off
        {
            self.failure.get_or_insert_with(|| self.calls.explained(error));
        }
        if let Some(stepped) = self.step(cx, heard) {
            return Poll::Ready(stepped);
        }
        self.wait(cx);
        if heard.is_empty() { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    fn wants_seal(&self) -> bool {
        let is_due = || self.left() == 0 || self.due().is_some_and(|due| due <= Instant::now());
        matches!(self.state, State::Open) && self.count > 0 && !self.fails() && (self.asked || is_due())
    }

    fn seal(&mut self) {
        self.asked = false;
        self.state = State::Sealed;
        self.records.press();
    }

    fn call_off(&mut self) {
        self.is_off = true;
    }

    fn abandon(&mut self, heard: &mut Heard) {
        let rest = match self.state {
            State::Over => return,
            State::Committing(_) => Outcome::Unknown,
            // Who never asks for its commit has not committed it.
            _ => Outcome::Unsent,
        };
        // What it knows of single records is of no use: they are in it together.
        self.records.abandon(&mut Heard::default());
        let _ = self.is_over(rest, heard);
    }

    fn account(&self) -> Vec<String> {
        let aborted = self.aborted.map(|count| {
            let records = counted(count, "record");
            format!("the transaction was aborted: readers of committed records see nothing of its {records}")
        });
        aborted.into_iter().collect()
    }

    fn report(&self) -> Option<(&'static str, Value)> {
        let aborted = self.aborted.unwrap_or(0);
        Some(("transactions", json!({ "id": self.calls.id, "committed": self.committed, "aborted_records": aborted })))
    }

    fn close(self: Box<Self>) -> Work<'static, ()> {
        let Transactions { records, calls, .. } = *self;
        // Who holds the client last drops it, which may block.
        drop(calls);
        Box::new(records).close()
    }
}
