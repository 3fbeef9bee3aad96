//! Where messages go that the sink refused: they count as done once they are there.

use std::collections::{HashMap, VecDeque};
use std::task::{Context, Poll};

use super::Ticket;
use super::sink::{Declined, Heard, Outcome, Sink};
use crate::error::{Error, Result};
use crate::message::Message;

/// The place for what was refused.
pub struct Dead {
    sink: Box<dyn Sink>,
    /// What is under way to the sink proper, as it came from the source.
    copies: HashMap<Ticket, Message<'static>>,
    /// What was refused, and waits for room.
    waiting: VecDeque<(Ticket, Message<'static>)>,
}

impl Dead {
    /// What is refused goes to this sink.
    pub fn new(sink: Box<dyn Sink>) -> Dead {
        Dead { sink, copies: HashMap::new(), waiting: VecDeque::new() }
    }

    /// Remembers a message that goes to the sink proper.
    pub fn remember(&mut self, ticket: Ticket, message: &Message<'_>) {
        self.copies.insert(ticket, message.clone().into_owned());
    }

    /// The sink proper has told of a message: true when it was refused and is taken up here.
    pub fn takes(&mut self, ticket: Ticket, outcome: &Outcome) -> bool {
        match (self.copies.remove(&ticket), outcome) {
            (Some(message), Outcome::Refused(_)) => {
                self.waiting.push_back((ticket, message));
                true
            }
            _ => false,
        }
    }

    /// True when nothing waits, and nothing is under way.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.sink.is_empty()
    }

    /// Sends what waits as far as there is room, and reports what became known.
    ///
    /// # Errors
    /// The sink is of no use any more.
    pub fn poll(&mut self, cx: &mut Context<'_>, heard: &mut Heard) -> Poll<Result<()>> {
        while !self.waiting.is_empty() && self.sink.room() > 0 {
            let mut last = None;
            let mut next = || {
                let (ticket, message) = self.waiting.pop_front()?;
                last = Some(ticket);
                Some((ticket, message))
            };
            match (self.sink.submit(&mut next), last) {
                (Ok(()), _) => {}
                (Err(Declined::Unfit(unfit)), Some(ticket)) => {
                    heard.outcome(ticket, Outcome::Refused(Box::new(super::Refusal::new(unfit.why))));
                    return Poll::Ready(Ok(()));
                }
                (Err(Declined::Unfit(unfit)), None) => return Poll::Ready(Err(Error::usage(unfit.why))),
                (Err(Declined::Over(error)), _) => return Poll::Ready(Err(error)),
            }
        }
        self.sink.poll(cx, heard)
    }

    /// Gives up waiting.
    pub fn abandon(&mut self, heard: &mut Heard) {
        self.sink.abandon(heard);
        heard.outcomes.extend(self.waiting.drain(..).map(|(ticket, _)| (ticket, Outcome::Unsent)));
        self.copies.clear();
    }

    /// The goodbye.
    pub async fn close(self) {
        self.sink.close().await;
    }
}
