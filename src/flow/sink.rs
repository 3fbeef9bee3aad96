//! Where messages go.

use std::collections::VecDeque;
use std::task::{Context, Poll};

use serde_json::Value;

use super::Ticket;
use super::refusal::{Refusal, Unfit};
use super::source::{Lane, Work};
use crate::error::{Error, Result};
use crate::message::Message;

/// What became of a message.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    /// The peer has taken responsibility for it.
    Confirmed,
    /// It was written, and nobody can know more.
    Written,
    /// This came of it, by a relay: what becomes of the answer is what became of the message. Where nobody wants one, that it
    /// came is enough.
    Answered(Box<Message<'static>>),
    /// It was not taken, and the next one may be.
    Refused(Box<Refusal>),
    /// It certainly never left, or certainly was not taken, because the work ended.
    Unsent,
    /// It was under way when the connection ended, or when nobody waited any longer.
    Unknown,
}

/// Why a sink takes no more.
#[derive(Debug)]
pub(crate) enum Declined {
    /// The message that it was given last is not fit for it; the next one may be.
    Unfit(Unfit),
    /// It is of no use any more.
    Over(Error),
}

impl Declined {
    /// The message that it was given last is not fit for it.
    pub(crate) fn unfit(why: String) -> Declined {
        Declined::Unfit(why.into())
    }
}

impl From<Error> for Declined {
    fn from(error: Error) -> Declined {
        Declined::Over(error)
    }
}

/// What a sink has to tell to the user.
#[derive(Debug)]
pub(crate) enum Told {
    /// Something is wrong that does not end the work.
    Warn(String),
    /// It is well again.
    Note(String),
}

/// What a sink reports.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// What became of single messages, in any order.
    pub outcomes: Vec<(Ticket, Outcome)>,
    /// What became of everything that was submitted and has no outcome yet (a bulk sink).
    pub rest: Option<Outcome>,
    /// For the user.
    pub told: Vec<Told>,
    /// Why it begins with nothing more (a relay that cannot do its work): what it has begun with is good.
    pub over: Option<Error>,
}

impl Heard {
    /// What became of a message.
    pub(crate) fn outcome(&mut self, ticket: Ticket, outcome: Outcome) {
        self.outcomes.push((ticket, outcome));
    }

    /// True when there is nothing in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.outcomes.is_empty() && self.rest.is_none() && self.told.is_empty() && self.over.is_none()
    }
}

/// Gives the next message of a batch, in place of the one before: a message is large, and each time that it changes hands
/// it would be copied.
pub(crate) type Next<'n, 'b> = dyn FnMut(&mut Message<'b>) -> Option<Ticket> + 'n;

/// Takes messages in until so many wait, for a sink that has to find out first where each of them goes.
pub(crate) fn take_in<'b>(next: &mut Next<'_, 'b>, waiting: &mut VecDeque<(Ticket, Message<'static>)>, most: usize) {
    let mut message: Message<'b> = Message::default();
    while waiting.len() < most {
        let Some(ticket) = next(&mut message) else { break };
        waiting.push_back((ticket, std::mem::take(&mut message).into_owned()));
    }
}

/// Where messages go.
pub(crate) trait Sink {
    /// True when it reports by [`Heard::rest`]: then nobody keeps a note of each message for it. One that is refused it may
    /// name all the same.
    fn is_bulk(&self) -> bool {
        false
    }

    /// False when what it makes of a message has nothing of its headers.
    fn reads_headers(&self) -> bool {
        true
    }

    /// How many messages it takes now; 0 while it is full.
    fn room(&self) -> usize;

    /// True when nothing is under way.
    fn is_empty(&self) -> bool;

    /// Takes messages as long as it has room: all that it asks `next` for are taken, and it keeps a copy of what it needs
    /// of them.
    ///
    /// # Errors
    /// See [`Declined`]; the outcome of what was taken before is reported all the same.
    fn submit<'b>(&mut self, next: &mut Next<'_, 'b>) -> Result<(), Declined>;

    /// Nothing more comes for now: what was gathered goes out. With `last` nothing more comes at all.
    ///
    /// # Errors
    /// It is of no use any more.
    fn flush(&mut self, last: bool) -> Result<()>;

    /// Nothing more comes before what is under way is done: what waits for others to go with it goes out at once.
    fn press(&mut self) {}

    /// Reports what became known. Ready when something did, or when there is room again; also when something stands in `heard`
    /// already, which is taken up before more is told.
    ///
    /// # Errors
    /// It is of no use any more; what became of everything under way is reported with it.
    fn poll(&mut self, cx: &mut Context<'_>, heard: &mut Heard) -> Poll<Result<()>>;

    /// True when it is about to seal what it was given so far: that becomes true as a whole, together with where its source
    /// stands (a transaction). It is done when there is no part of a message left to submit.
    fn wants_seal(&self) -> bool {
        false
    }

    /// Seals what it was given: all sources have told where they stand ([`Source::seal`](super::Source::seal)).
    fn seal(&mut self) {}

    /// The work did not come to its end: what was not sealed is undone, where that can be.
    fn call_off(&mut self) {}

    /// Waits for what can be known only at the end (without confirms: whether the peer refused something).
    ///
    /// # Errors
    /// What the peer refused as a whole.
    fn finish(&mut self) -> Work<'_> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// True when what it has begun with takes its time, as a command does: then that is waited for whatever has failed.
    fn is_slow(&self) -> bool {
        false
    }

    /// What became of the answer that it gave to a message ([`Outcome::Answered`]): only now it lets go of where that came from.
    fn passed_on(&mut self, _ticket: Ticket, _outcome: &Outcome) {}

    /// What it has not begun with of these lanes, or of all, is taken back, as if it had never been given: it forgets that.
    fn recall(&mut self, _lanes: Option<&[Lane]>) -> Vec<Ticket> {
        Vec::new()
    }

    /// Gives up waiting: reports everything that is under way as what is known of it.
    fn abandon(&mut self, heard: &mut Heard);

    /// True when waiting for it is of no use for now, since the peer takes nothing (RabbitMQ's connection.blocked).
    fn is_blocked(&self) -> bool {
        false
    }

    /// What the account says of it, at the end.
    fn account(&self) -> Vec<String> {
        Vec::new()
    }

    /// What it adds to the report, with its name there.
    fn report(&self) -> Option<(&'static str, Value)> {
        None
    }

    /// Looks now and then, when nothing comes, whether anybody still wants messages.
    ///
    /// # Errors
    /// [`Kind::ClosedPipe`](crate::error::Kind::ClosedPipe): nobody does.
    fn check(&mut self) -> Result<()> {
        Ok(())
    }

    /// The goodbye, once the account was given. It sees itself to it that it does not take for ever.
    fn close(self: Box<Self>) -> Work<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}
