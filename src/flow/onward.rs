//! A sink that is given messages by themselves, through stages: where refused ones go, and what a relay made of others.

use std::collections::{HashMap, VecDeque};
use std::task::{Context, Poll};

use super::Ticket;
use super::refusal::{Refusal, Unfit};
use super::sink::{Declined, Heard, Outcome, Sink, Told};
use super::stage::{Passed, Stage, through};
use crate::error::{Error, Result};
use crate::message::Message;

/// What waits for room.
struct Waiting {
    ticket: Ticket,
    message: Message<'static>,
    /// It went through the stages.
    is_staged: bool,
}

/// A message of which the stages made several.
struct Split {
    /// How many of them have no outcome.
    left: usize,
    /// The first that is not good, else the last.
    outcome: Outcome,
}

/// Stages and a sink, and what waits for room in it.
pub(crate) struct Onward {
    stages: Vec<Box<dyn Stage>>,
    sink: Box<dyn Sink>,
    waiting: VecDeque<Waiting>,
    split: HashMap<Ticket, Split>,
    /// What a sink was given that tells of everything at once.
    unwritten: Vec<Ticket>,
}

impl Onward {
    /// To this sink.
    pub(crate) fn new(stages: Vec<Box<dyn Stage>>, sink: Box<dyn Sink>) -> Onward {
        Onward { stages, sink, waiting: VecDeque::new(), split: HashMap::new(), unwritten: Vec::new() }
    }

    /// The sink itself.
    pub(crate) fn sink(&mut self) -> &mut dyn Sink {
        &mut *self.sink
    }

    /// True when the sink is about to seal, and nothing waits for room in it.
    pub(crate) fn wants_seal(&self) -> bool {
        self.waiting.is_empty() && self.sink.wants_seal()
    }

    /// True while the peer takes nothing.
    pub(crate) fn is_blocked(&self) -> bool {
        self.sink.is_blocked()
    }

    /// A message is to go there.
    pub(crate) fn push(&mut self, ticket: Ticket, message: Message<'static>) {
        self.waiting.push_back(Waiting { ticket, message, is_staged: false });
    }

    /// True when messages wait for room.
    pub(crate) fn is_full(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// True when nothing waits, and nothing is under way.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.sink.is_empty()
    }

    /// Sends what waits as far as there is room, and reports what became known. With `last` nothing more comes for now.
    ///
    /// # Errors
    /// It is of no use any more; what became of everything under way is reported with it, or by [`Onward::abandon`].
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, heard: &mut Heard, last: bool) -> Poll<Result<()>> {
        loop {
            let mut given = false;
            while self.sink.room() > 0
                && let Some(next) = self.waiting.pop_front()
            {
                given = true;
                let ticket = next.ticket;
                match self.give(next, heard) {
                    Ok(()) => {}
                    Err(Declined::Unfit(unfit)) => self.refuse(ticket, unfit, heard),
                    Err(Declined::Over(error)) => return Poll::Ready(Err(error)),
                }
            }
            if given {
                self.sink.flush(last)?;
            }
            // A sink that has told something wants it taken up before it tells more.
            let mut told = Heard::default();
            let Poll::Ready(polled) = self.sink.poll(cx, &mut told) else { break };
            self.take_up(&mut told, heard);
            polled?;
        }
        if heard.is_empty() { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    /// Hands one message over.
    fn give(&mut self, next: Waiting, heard: &mut Heard) -> Result<(), Declined> {
        let Waiting { ticket, message, is_staged } = next;
        self.stages.iter_mut().for_each(|stage| stage.begin());
        let passed =
            if is_staged { Passed::One(message) } else { through(&self.stages, message).map_err(Declined::Unfit)? };
        let mut one = match passed {
            Passed::One(message) => Some(message),
            // Nothing of it was asked for: no more is to be done.
            Passed::None => {
                heard.outcome(ticket, Outcome::Written);
                return Ok(());
            }
            Passed::Many(messages) => {
                self.split.insert(ticket, Split { left: messages.len(), outcome: Outcome::Written });
                let parts: Vec<_> = messages.into_iter().map(Message::into_owned).collect();
                for message in parts.into_iter().rev() {
                    self.waiting.push_front(Waiting { ticket, message, is_staged: true });
                }
                return Ok(());
            }
        };
        let submitted = self.sink.submit(&mut |into| {
            *into = one.take()?;
            Some(ticket)
        });
        // What was not asked for is still here.
        match one.map(Message::into_owned) {
            Some(message) => self.waiting.push_front(Waiting { ticket, message, is_staged: true }),
            None if self.sink.is_bulk() => self.unwritten.push(ticket),
            None => {}
        }
        submitted
    }

    fn refuse(&mut self, ticket: Ticket, unfit: Unfit, heard: &mut Heard) {
        if unfit.ends {
            let error = Error::new(unfit.kind, format!("an answer cannot go on: {}", unfit.why));
            heard.over.get_or_insert(unfit.hint.iter().fold(error, |error, hint| error.hint(hint.clone())));
        }
        self.enter(ticket, Outcome::Refused(Box::new(Refusal::of(unfit))), heard);
    }

    /// What the sink told.
    fn take_up(&mut self, told: &mut Heard, heard: &mut Heard) {
        for (ticket, outcome) in told.outcomes.drain(..) {
            if let Some(at) = self.unwritten.iter().position(|unwritten| *unwritten == ticket) {
                self.unwritten.swap_remove(at);
            }
            self.enter(ticket, outcome, heard);
        }
        if let Some(outcome) = told.rest.take() {
            for ticket in std::mem::take(&mut self.unwritten) {
                self.enter(ticket, outcome.clone(), heard);
            }
        }
        heard.told.append(&mut told.told);
        heard.told.extend(self.stages.iter().flat_map(|stage| stage.told()).map(Told::Warn));
    }

    /// Of what was made into several, all must be known.
    fn enter(&mut self, ticket: Ticket, outcome: Outcome, heard: &mut Heard) {
        let is_good =
            |outcome: &Outcome| matches!(outcome, Outcome::Confirmed | Outcome::Written | Outcome::Answered(_));
        let Some(split) = self.split.get_mut(&ticket) else { return heard.outcome(ticket, outcome) };
        if is_good(&split.outcome) {
            split.outcome = outcome;
        }
        split.left = split.left.saturating_sub(1);
        if split.left == 0
            && let Some(split) = self.split.remove(&ticket)
        {
            heard.outcome(ticket, split.outcome);
        }
    }

    /// What the account says of it, at the end.
    pub(crate) fn account(&self) -> Vec<String> {
        self.stages.iter().filter_map(|stage| stage.account()).chain(self.sink.account()).collect()
    }

    /// Gives up waiting.
    pub(crate) fn abandon(&mut self, heard: &mut Heard) {
        let mut told = Heard::default();
        self.sink.abandon(&mut told);
        self.take_up(&mut told, heard);
        for Waiting { ticket, .. } in std::mem::take(&mut self.waiting) {
            self.enter(ticket, Outcome::Unsent, heard);
        }
        for ticket in std::mem::take(&mut self.unwritten) {
            self.enter(ticket, Outcome::Unknown, heard);
        }
    }

    /// The goodbye.
    pub(crate) async fn close(self) {
        self.sink.close().await;
    }
}
