//! Where messages go that the sink refused: they count as done once they are there.

use std::collections::HashMap;
use std::task::{Context, Poll};

use super::Ticket;
use super::limits::OnRefusal;
use super::onward::Onward;
use super::refusal::Refusal;
use super::sink::{Heard, Outcome, Sink};
use super::stage::Stage;
use crate::error::Result;
use crate::message::Message;

/// The place for what was refused.
pub(crate) struct Dead {
    onward: Onward,
    /// What is under way to the sink proper, as it came from the source.
    copies: HashMap<Ticket, Message<'static>>,
    /// Only what says so goes there.
    is_asked: bool,
    /// It is of no use any more: what is refused now is held.
    is_over: bool,
}

impl Dead {
    /// What is refused goes to this sink, through these stages of its own.
    pub(crate) fn new(stages: Vec<Box<dyn Stage>>, sink: Box<dyn Sink>) -> Dead {
        Dead { onward: Onward::new(stages, sink), copies: HashMap::new(), is_asked: false, is_over: false }
    }

    /// The same for what asks for it alone ([`OnRefusal::Bury`]).
    pub(crate) fn asked(stages: Vec<Box<dyn Stage>>, sink: Box<dyn Sink>) -> Dead {
        Dead { is_asked: true, ..Dead::new(stages, sink) }
    }

    /// Remembers a message that goes to the sink proper.
    pub(crate) fn remember(&mut self, ticket: Ticket, message: &Message<'_>) {
        if !self.is_over {
            self.copies.insert(ticket, message.clone().into_owned());
        }
    }

    /// The sink proper has told of a message: true when it was refused and is taken up here. A refusal that says itself what
    /// happens counts before this.
    pub(crate) fn takes(&mut self, ticket: Ticket, outcome: &Outcome) -> bool {
        match (self.copies.remove(&ticket), outcome) {
            (Some(message), Outcome::Refused(refusal)) if self.wants(refusal) => {
                self.onward.push(ticket, message);
                true
            }
            _ => false,
        }
    }

    fn wants(&self, refusal: &Refusal) -> bool {
        match refusal.then {
            None => !self.is_asked,
            Some(then) => self.is_asked && then == OnRefusal::Bury,
        }
    }

    /// The message does not go to the sink proper after all.
    pub(crate) fn forget(&mut self, ticket: Ticket) {
        self.copies.remove(&ticket);
    }

    /// True when no more can be taken up for now: what was refused waits for room.
    pub(crate) fn is_full(&self) -> bool {
        self.onward.is_full()
    }

    /// True when nothing waits, and nothing is under way.
    pub(crate) fn is_empty(&self) -> bool {
        self.is_over || self.onward.is_empty()
    }

    /// Sends what waits as far as there is room, and reports what became known.
    ///
    /// # Errors
    /// It is of no use any more, which it tells once; what became of everything is reported with it.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, heard: &mut Heard) -> Poll<Result<()>> {
        if self.is_over {
            return Poll::Pending;
        }
        let polled = self.onward.poll(cx, heard, false);
        if let Poll::Ready(Err(_)) = polled {
            self.is_over = true;
            self.abandon(heard);
        }
        polled
    }

    /// Gives up waiting.
    pub(crate) fn abandon(&mut self, heard: &mut Heard) {
        self.onward.abandon(heard);
        self.copies.clear();
    }

    /// The goodbye.
    pub(crate) async fn close(self) {
        self.onward.close().await;
    }
}
