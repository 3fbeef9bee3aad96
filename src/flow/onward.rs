//! A sink that is given messages by themselves, through stages: where refused ones go, and what a relay made of others.

use std::collections::VecDeque;
use std::task::{Context, Poll};

use super::Ticket;
use super::refusal::Refusal;
use super::sink::{Declined, Heard, Outcome, Sink};
use super::stage::{Passed, Stage, through};
use crate::error::Result;
use crate::message::Message;

/// Stages and a sink, and what waits for room in it.
pub(crate) struct Onward {
    stages: Vec<Box<dyn Stage>>,
    sink: Box<dyn Sink>,
    waiting: VecDeque<(Ticket, Message<'static>)>,
    /// What a sink was given that tells of everything at once.
    unwritten: Vec<Ticket>,
}

impl Onward {
    /// To this sink.
    pub(crate) fn new(stages: Vec<Box<dyn Stage>>, sink: Box<dyn Sink>) -> Onward {
        Onward { stages, sink, waiting: VecDeque::new(), unwritten: Vec::new() }
    }

    /// The sink itself.
    pub(crate) fn sink(&mut self) -> &mut dyn Sink {
        &mut *self.sink
    }

    /// True while the peer takes nothing.
    pub(crate) fn is_blocked(&self) -> bool {
        self.sink.is_blocked()
    }

    /// A message is to go there.
    pub(crate) fn push(&mut self, ticket: Ticket, message: Message<'static>) {
        self.waiting.push_back((ticket, message));
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
                && let Some((ticket, message)) = self.waiting.pop_front()
            {
                given = true;
                match self.give(ticket, message) {
                    Ok(()) => {}
                    Err(Declined::Unfit(unfit)) => {
                        heard.outcome(ticket, Outcome::Refused(Box::new(Refusal::new(unfit.why))));
                    }
                    Err(Declined::Over(error)) => return Poll::Ready(Err(error)),
                }
            }
            if given {
                self.sink.flush(last)?;
            }
            // A sink that has told something wants it taken up before it tells more.
            let mut told = Heard::default();
            let Poll::Ready(polled) = self.sink.poll(cx, &mut told) else { break };
            if told.all {
                heard.outcomes.extend(self.unwritten.drain(..).map(|ticket| (ticket, Outcome::Written)));
            }
            heard.outcomes.append(&mut told.outcomes);
            heard.told.append(&mut told.told);
            polled?;
        }
        if heard.is_empty() { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    /// Hands one message over.
    fn give(&mut self, ticket: Ticket, message: Message<'static>) -> Result<(), Declined> {
        let mut one = match through(&self.stages, message) {
            Ok(Passed::One(message)) => Some(message),
            Ok(Passed::None | Passed::Many(_)) => {
                return Err(Declined::unfit("it is not one message there".to_owned()));
            }
            Err(unfit) => return Err(Declined::Unfit(unfit)),
        };
        let submitted = self.sink.submit(&mut |into| {
            *into = one.take()?;
            Some(ticket)
        });
        // What was not asked for is still here.
        match one.map(Message::into_owned) {
            Some(message) => self.waiting.push_front((ticket, message)),
            None if self.sink.is_bulk() => self.unwritten.push(ticket),
            None => {}
        }
        submitted
    }

    /// Gives up waiting.
    pub(crate) fn abandon(&mut self, heard: &mut Heard) {
        self.sink.abandon(heard);
        let waiting = self.waiting.drain(..).map(|(ticket, _)| (ticket, Outcome::Unsent));
        heard.outcomes.extend(waiting.chain(self.unwritten.drain(..).map(|ticket| (ticket, Outcome::Unknown))));
    }

    /// The goodbye.
    pub(crate) async fn close(self) {
        self.sink.close().await;
    }
}
