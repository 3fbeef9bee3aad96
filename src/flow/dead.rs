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

/// A message that is under way to the sink proper.
struct Original {
    /// Until it is on its way here.
    message: Option<Message<'static>>,
    /// How many of its parts have no outcome.
    left: u32,
}

/// What becomes of a part of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// What its sink told.
    Nothing,
    /// The message goes here, and it is settled when it is here.
    Whole,
    /// The message was on its way here before.
    Again,
}

/// The place for what was refused.
pub(crate) struct Dead {
    onward: Onward,
    /// What is under way to the sink proper, as it came from the source.
    copies: HashMap<Ticket, Original>,
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
    pub(crate) fn remember(&mut self, ticket: Ticket, parts: u32, message: &Message<'_>) {
        if !self.is_over {
            let message = Some(message.clone().into_owned());
            self.copies.insert(ticket, Original { message, left: parts });
        }
    }

    /// The sink proper has told of a part of a message: whether that was refused and is taken up here. A refusal that says
    /// itself what happens counts before this.
    pub(crate) fn takes(&mut self, ticket: Ticket, outcome: &Outcome) -> Taken {
        let wants = matches!(outcome, Outcome::Refused(refusal) if self.wants(refusal));
        let Some(copy) = self.copies.get_mut(&ticket) else { return Taken::Nothing };
        copy.left = copy.left.saturating_sub(1);
        let message = if wants { copy.message.take() } else { None };
        let was_taken = copy.message.is_none();
        if copy.left == 0 {
            self.copies.remove(&ticket);
        }
        match (message, wants && was_taken) {
            (Some(message), _) => {
                self.onward.push(ticket, message);
                Taken::Whole
            }
            (None, true) => Taken::Again,
            (None, false) => Taken::Nothing,
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
