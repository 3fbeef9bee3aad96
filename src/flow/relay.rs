//! A relay in front of a sink: it takes a message, and gives another one later, in any order, with the ticket of the first.

use std::task::{Context, Poll};

use serde_json::Value;

use super::Ticket;
use super::onward::Onward;
use super::sink::{Declined, Heard, Next, Outcome, Sink};
use super::source::{Lane, Work};
use super::stage::Stage;
use crate::error::Result;

/// A relay and what stands behind it, as one sink. The relay is a sink that answers ([`Outcome::Answered`]): its answer goes
/// on through the stages, and what becomes of that is what became of the message.
pub(crate) struct Relayed {
    relay: Box<dyn Sink>,
    onward: Onward,
    /// What the relay told, before it is sorted.
    heard: Heard,
    /// Nothing more comes for now.
    last: bool,
    /// Nothing goes on any more.
    is_over: bool,
}

impl Relayed {
    /// This relay, then these stages and this sink.
    pub(crate) fn new(relay: Box<dyn Sink>, stages: Vec<Box<dyn Stage>>, sink: Box<dyn Sink>) -> Relayed {
        Relayed { relay, onward: Onward::new(stages, sink), heard: Heard::default(), last: false, is_over: false }
    }

    /// Hands the answers on; all else is for who listens.
    fn sort(&mut self, heard: &mut Heard) {
        for (ticket, outcome) in self.heard.outcomes.drain(..) {
            match outcome {
                Outcome::Answered(_) if self.is_over => heard.outcome(ticket, Outcome::Unsent),
                Outcome::Answered(answer) => self.onward.push(ticket, *answer),
                outcome => heard.outcome(ticket, outcome),
            }
        }
        heard.told.append(&mut self.heard.told);
        heard.over = heard.over.take().or(self.heard.over.take());
    }

    /// The relay hears what became of its answers: the outcomes from there on.
    fn passed_on(&mut self, heard: &Heard, from: usize) {
        for (ticket, outcome) in heard.outcomes.iter().skip(from) {
            self.relay.passed_on(*ticket, outcome);
        }
    }
}

impl Sink for Relayed {
    fn room(&self) -> usize {
        if self.is_over || self.onward.is_full() { 0 } else { self.relay.room() }
    }

    fn is_empty(&self) -> bool {
        self.relay.is_empty() && (self.is_over || self.onward.is_empty())
    }

    fn submit<'b>(&mut self, next: &mut Next<'_, 'b>) -> Result<(), Declined> {
        self.last = false;
        self.relay.submit(next)
    }

    fn flush(&mut self, last: bool) -> Result<()> {
        self.last = last;
        self.relay.flush(last)?;
        if self.is_over {
            return Ok(());
        }
        let flushed = self.onward.sink().flush(last);
        self.is_over = flushed.is_err();
        flushed
    }

    fn press(&mut self) {
        self.relay.press();
        self.onward.sink().press();
    }

    fn poll(&mut self, cx: &mut Context<'_>, heard: &mut Heard) -> Poll<Result<()>> {
        while let Poll::Ready(polled) = self.relay.poll(cx, &mut self.heard) {
            self.sort(heard);
            if let Err(error) = polled {
                return Poll::Ready(Err(error));
            }
        }
        if self.is_over {
            return if heard.is_empty() { Poll::Pending } else { Poll::Ready(Ok(())) };
        }
        let before = heard.outcomes.len();
        let polled = self.onward.poll(cx, heard, self.last);
        self.passed_on(heard, before);
        self.is_over = matches!(polled, Poll::Ready(Err(_)));
        polled
    }

    fn wants_seal(&self) -> bool {
        !self.is_over && self.onward.wants_seal()
    }

    fn seal(&mut self) {
        self.onward.sink().seal();
    }

    fn call_off(&mut self) {
        self.onward.sink().call_off();
    }

    fn is_slow(&self) -> bool {
        self.relay.is_slow()
    }

    fn recall(&mut self, lanes: Option<&[Lane]>) -> Vec<Ticket> {
        self.relay.recall(lanes)
    }

    fn finish(&mut self) -> Work<'_> {
        self.onward.sink().finish()
    }

    fn abandon(&mut self, heard: &mut Heard) {
        self.relay.abandon(&mut self.heard);
        self.sort(heard);
        let before = heard.outcomes.len();
        self.onward.abandon(heard);
        self.passed_on(heard, before);
    }

    fn is_blocked(&self) -> bool {
        self.relay.is_empty() && self.onward.is_blocked()
    }

    fn account(&self) -> Vec<String> {
        self.relay.account().into_iter().chain(self.onward.account()).collect()
    }

    fn report(&self) -> Option<(&'static str, Value)> {
        self.relay.report()
    }

    fn check(&mut self) -> Result<()> {
        self.onward.sink().check()
    }

    fn close(self: Box<Self>) -> Work<'static, ()> {
        let Relayed { relay, onward, .. } = *self;
        Box::pin(async move {
            relay.close().await;
            onward.close().await;
        })
    }
}
