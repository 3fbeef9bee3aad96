//! Where messages go that the sink refused: they count as done once they are there.

use std::collections::{HashMap, VecDeque};
use std::task::{Context, Poll};

use super::Ticket;
use super::refusal::Refusal;
use super::sink::{Declined, Heard, Outcome, Sink};
use super::stage::{Passed, Stage, through};
use crate::error::Result;
use crate::message::Message;

/// The place for what was refused.
pub(crate) struct Dead {
    stages: Vec<Box<dyn Stage>>,
    sink: Box<dyn Sink>,
    /// What is under way to the sink proper, as it came from the source.
    copies: HashMap<Ticket, Message<'static>>,
    /// What was refused, and waits for room.
    waiting: VecDeque<(Ticket, Message<'static>)>,
    /// It is of no use any more: what is refused now is held.
    is_over: bool,
}

impl Dead {
    /// What is refused goes to this sink, through these stages of its own.
    pub(crate) fn new(stages: Vec<Box<dyn Stage>>, sink: Box<dyn Sink>) -> Dead {
        Dead { stages, sink, copies: HashMap::new(), waiting: VecDeque::new(), is_over: false }
    }

    /// Remembers a message that goes to the sink proper.
    pub(crate) fn remember(&mut self, ticket: Ticket, message: &Message<'_>) {
        if !self.is_over {
            self.copies.insert(ticket, message.clone().into_owned());
        }
    }

    /// The sink proper has told of a message: true when it was refused and is taken up here.
    pub(crate) fn takes(&mut self, ticket: Ticket, outcome: &Outcome) -> bool {
        match (self.copies.remove(&ticket), outcome) {
            (Some(message), Outcome::Refused(_)) => {
                self.waiting.push_back((ticket, message));
                true
            }
            _ => false,
        }
    }

    /// True when no more can be taken up for now: what was refused waits for room.
    pub(crate) fn is_full(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// True when nothing waits, and nothing is under way.
    pub(crate) fn is_empty(&self) -> bool {
        self.is_over || (self.waiting.is_empty() && self.sink.is_empty())
    }

    /// Sends what waits as far as there is room, and reports what became known.
    ///
    /// # Errors
    /// It is of no use any more, which it tells once; what became of everything is reported with it.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, heard: &mut Heard) -> Poll<Result<()>> {
        if self.is_over {
            return Poll::Pending;
        }
        let polled = self.work(cx, heard);
        if let Poll::Ready(Err(_)) = polled {
            self.is_over = true;
            self.abandon(heard);
        }
        polled
    }

    fn work(&mut self, cx: &mut Context<'_>, heard: &mut Heard) -> Poll<Result<()>> {
        while !self.waiting.is_empty() && self.sink.room() > 0 {
            let Some((ticket, message)) = self.waiting.pop_front() else { break };
            let mut one = None;
            let submitted = match through(&self.stages, message) {
                Ok(Passed::One(message)) => {
                    one = Some(message);
                    self.sink.submit(&mut |into| {
                        *into = one.take()?;
                        Some(ticket)
                    })
                }
                Ok(Passed::None | Passed::Many(_)) => Err(Declined::unfit("it is not one message there".to_owned())),
                Err(unfit) => Err(Declined::Unfit(unfit)),
            };
            match submitted {
                Ok(()) => {}
                Err(Declined::Unfit(unfit)) => {
                    heard.outcome(ticket, Outcome::Refused(Box::new(Refusal::new(unfit.why))));
                    return Poll::Ready(Ok(()));
                }
                Err(Declined::Over(error)) => {
                    if one.is_some() {
                        heard.outcome(ticket, Outcome::Unsent);
                    }
                    return Poll::Ready(Err(error));
                }
            }
        }
        self.sink.poll(cx, heard)
    }

    /// Gives up waiting.
    pub(crate) fn abandon(&mut self, heard: &mut Heard) {
        self.sink.abandon(heard);
        heard.outcomes.extend(self.waiting.drain(..).map(|(ticket, _)| (ticket, Outcome::Unsent)));
        self.copies.clear();
    }

    /// The goodbye.
    pub(crate) async fn close(self) {
        self.sink.close().await;
    }
}
