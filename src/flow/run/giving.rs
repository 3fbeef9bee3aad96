//! What the sink is given of a batch.

use std::collections::VecDeque;
use std::time::Instant;

use super::{End, FLUSH_AFTER, Runner, TURN};
use crate::error::Error;
use crate::flow::Ticket;
use crate::flow::account::Account;
use crate::flow::dead::Dead;
use crate::flow::ledger::{Fate, Ledger};
use crate::flow::limits::OnRefusal;
use crate::flow::refusal::{Refusal, Unfit};
use crate::flow::sink::{Declined, Heard, Outcome};
use crate::flow::source::{Bad, Lane, Place, Source};
use crate::flow::stage::{Passed, Stage, through};
use crate::message::Message;

/// Gives messages of a batch, one by one, as the stages leave them.
struct Giver<'b, 'r> {
    source: &'b dyn Source,
    stages: &'b [Box<dyn Stage>],
    ledger: &'r mut Ledger,
    account: &'r mut Account,
    heard: &'r mut Heard,
    dead: Option<&'r mut Dead>,
    gone: &'r [Lane],
    next: &'r mut usize,
    length: usize,
    unreadable: &'r mut Option<Error>,
    is_bulk: bool,
    on_refusal: OnRefusal,
    /// One was refused, and that is the end.
    stops: &'r mut bool,
    /// What is left out stays in the source.
    keeps: bool,
    /// How many are wanted in all.
    count: u64,
    /// What came of one message, and was not asked for yet.
    parts: VecDeque<(Ticket, Message<'b>)>,
    /// Until then messages are given in this turn: stages may take their time.
    until: Instant,
    /// The message that was given last, and its place in the batch.
    last: Option<(Ticket, usize)>,
}

impl<'b> Giver<'b, '_> {
    #[inline]
    fn next(&mut self, into: &mut Message<'b>) -> Option<Ticket> {
        loop {
            if let Some((ticket, message)) = self.parts.pop_front() {
                *into = message;
                return Some(ticket);
            }
            let is_over = *self.next >= self.length || *self.stops || self.account.passed() >= self.count;
            if is_over || self.is_late() || self.is_full() {
                return None;
            }
            let at = *self.next;
            *self.next += 1;
            let given = self.make(at, into);
            if given.is_some() {
                return given;
            }
        }
    }

    fn is_late(&self) -> bool {
        !self.stages.is_empty() && *self.next % 16 == 15 && Instant::now() >= self.until
    }

    fn is_full(&self) -> bool {
        self.stages.iter().any(|stage| stage.is_full())
    }

    /// What comes of one message of the batch first, if anything does.
    #[inline]
    fn make(&mut self, at: usize, into: &mut Message<'b>) -> Option<Ticket> {
        let place = self.source.place(at);
        if self.gone.contains(&place.lane) {
            return None;
        }
        match self.source.get(at) {
            Ok(message) => *into = message,
            Err(Bad::Broken(error)) => {
                self.give_up(error);
                return None;
            }
            Err(Bad::Refused(refusal)) => {
                self.refuse(at, refusal, None);
                return None;
            }
        }
        if self.stages.is_empty() && self.dead.is_none() {
            return Some(self.take_up(at, place, 1));
        }
        self.staged(at, into)
    }

    /// What the stages make of a message.
    fn staged(&mut self, at: usize, into: &mut Message<'b>) -> Option<Ticket> {
        let copy = self.dead.as_ref().map(|_| into.clone());
        match through(self.stages, std::mem::take(into)) {
            Ok(Passed::One(message)) => {
                *into = message;
                return Some(self.enter(at, 1, copy.as_ref()));
            }
            Ok(Passed::None) => self.leave_out(at),
            Ok(Passed::Many(messages)) => {
                let ticket = self.enter(at, u32::try_from(messages.len()).unwrap_or(u32::MAX), copy.as_ref());
                self.parts.extend(messages.into_iter().map(|message| (ticket, message)));
            }
            Err(unfit) if unfit.is_general => self.give_up(unfit.error()),
            Err(unfit) if self.source.is_input() => self.give_up(self.source.fault(at, unfit)),
            Err(unfit) if unfit.ends => {
                let Place { lane, mark } = self.source.place(at);
                let place = self.source.lane_name(lane).one;
                let error = Error::new(unfit.kind, format!("{place} {mark}: {}", unfit.why));
                self.give_up(match unfit.hint {
                    Some(hint) => error.hint(hint),
                    None => error,
                });
            }
            Err(unfit) => {
                self.refuse(at, Refusal::of(unfit), copy.as_ref());
            }
        }
        None
    }

    /// Takes a message up that goes on in so many parts.
    fn enter(&mut self, at: usize, parts: u32, copy: Option<&Message<'b>>) -> Ticket {
        let ticket = self.take_up(at, self.source.place(at), parts);
        if let (Some(dead), Some(copy), 1..) = (self.dead.as_mut(), copy, parts) {
            dead.remember(ticket, parts, copy);
        }
        ticket
    }

    fn take_up(&mut self, at: usize, place: Place, parts: u32) -> Ticket {
        self.account.took(parts);
        let ticket = self.ledger.enter(place, parts);
        self.last = Some((ticket, at));
        ticket
    }

    /// A message was not asked for.
    fn leave_out(&mut self, at: usize) {
        let place = self.source.place(at);
        self.account.took(0);
        if self.keeps {
            self.ledger.keep(place);
        } else {
            self.ledger.enter(place, 0);
        }
    }

    /// Nothing behind this is given.
    fn give_up(&mut self, error: Error) {
        (*self.unreadable, *self.next) = (Some(error), self.length);
    }

    /// A message does not go on.
    fn refuse(&mut self, at: usize, refusal: Refusal, copy: Option<&Message<'b>>) {
        let outcome = Outcome::Refused(Box::new(refusal));
        if self.is_bulk {
            let place = self.source.place(at);
            self.account.took(1);
            self.ledger.hold(place);
            self.account.enter(outcome, || (self.source.lane_name(place.lane), place.mark));
            *self.stops |= self.on_refusal == OnRefusal::Stop;
        } else {
            let ticket = self.enter(at, 1, copy);
            self.heard.outcome(ticket, outcome);
        }
    }
}

impl Runner<'_> {
    /// Hands on what the sink has room for.
    pub(super) fn submit(&mut self) -> Result<(), End> {
        let (sent, filtered) = (self.account.sent(), self.account.filtered());
        let is_bulk = self.sink.is_bulk();
        let mut stops = false;
        self.stages.iter_mut().for_each(|stage| stage.begin());
        let mut giver = Giver {
            source: &*self.source,
            stages: &self.stages,
            ledger: &mut self.ledger,
            account: &mut self.account,
            heard: &mut self.heard,
            dead: self.dead.as_mut(),
            gone: &self.gone,
            next: &mut self.next,
            length: self.length,
            unreadable: &mut self.unreadable,
            is_bulk,
            on_refusal: self.on_refusal,
            stops: &mut stops,
            keeps: self.source.keeps_rest(),
            count: self.limits.count.unwrap_or(u64::MAX),
            parts: std::mem::take(&mut self.leftover),
            until: Instant::now() + TURN,
            last: None,
        };
        self.pressed = false;
        let submitted = self.sink.submit(&mut |into| giver.next(into));
        let Giver { parts, last, .. } = giver;
        let left: Vec<_> = parts.into_iter().map(|(ticket, message)| (ticket, message.into_owned())).collect();
        self.leftover.extend(left);
        match submitted {
            Ok(()) => {}
            Err(Declined::Unfit(unfit)) => self.decline(last, unfit),
            Err(Declined::Over(error)) => return Err(End::Sink(error)),
        }
        let now = Instant::now();
        if self.unflushed == 0 {
            self.flush_due = now + FLUSH_AFTER;
        }
        self.unflushed += usize::try_from(self.account.sent() - sent).unwrap_or(usize::MAX).max(1);
        // Others send by themselves.
        if is_bulk && (self.unflushed >= self.source.window() || now >= self.flush_due) {
            self.flush(false)?;
        }
        for told in self.stages.iter().flat_map(|stage| stage.told()) {
            self.reporter.warn(told);
        }
        if self.account.filtered() > filtered {
            match is_bulk {
                true => self.source.held(self.ledger.held()),
                // The sink has nothing to tell of them.
                false => self.settle().map_err(End::Source)?,
            }
        }
        self.progress();
        if stops { Err(End::Refused) } else { Ok(()) }
    }

    /// The sink does not want the message that it was given last.
    fn decline(&mut self, last: Option<(Ticket, usize)>, unfit: Unfit) {
        let Some((ticket, at)) = last else {
            self.unreadable = Some(Error::usage(unfit.why));
            return;
        };
        if self.source.is_input() {
            self.account.untake();
            self.ledger.outcome(ticket, Fate::Held);
            (self.unreadable, self.next) = (Some(self.source.fault(at, unfit)), self.length);
        } else {
            self.heard.outcome(ticket, Outcome::Refused(Box::new(Refusal::of(unfit))));
        }
    }
}
