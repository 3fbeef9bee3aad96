//! Where messages come from.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use super::refusal::{Refusal, Unfit};
use crate::error::{Error, Result};
use crate::message::Message;

/// What takes time and is waited for.
pub(crate) type Work<'a, T = Result<()>> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// One order of messages: a queue, or a Kafka partition as long as it is assigned. Small numbers, which the source gives
/// and may give again once the lane was released.
pub(crate) type Lane = u32;

/// Where a message stands in its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The order that it belongs to.
    pub lane: Lane,
    /// Its place in that order, ascending and not dense: an offset, a delivery tag, a line.
    pub mark: u64,
}

/// How a lane is called when its messages are named: `input lines 3-5`, `orders[0] offset 7`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LaneName {
    /// Before one mark.
    pub one: String,
    /// Before several.
    pub many: String,
}

impl LaneName {
    /// `NAME` and `NAMEs`.
    pub(crate) fn of(name: impl Into<String>) -> LaneName {
        let one = name.into();
        LaneName { many: format!("{one}s"), one }
    }
}

/// How a source can be told that messages are done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settling {
    /// Not at all.
    Never,
    /// All up to a place in a lane, as offsets are committed.
    Prefix,
    /// Each by itself, as deliveries are acked.
    Each,
}

/// What is done in a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Done {
    /// All that was read, up to this mark and with it.
    Through(u64),
    /// This message alone: one before it is not done.
    One(u64),
}

/// What [`Source::fill`] brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Filled {
    /// So many messages lie in the batch, at least one.
    Batch(usize),
    /// Nothing is here now.
    Dry,
    /// All that was asked for was read.
    End,
}

/// What happens to a source beside messages.
#[derive(Debug)]
pub(crate) enum Event {
    /// These lanes are taken away: what of them is under way is waited for and settled, then [`Source::release`] is called.
    Revoked(Vec<Lane>),
    /// For the user, who has to know.
    Warn(String),
    /// For the user.
    Note(String),
    /// For who wants to know more.
    Trace(String),
}

/// Why there is no message.
#[derive(Debug)]
pub(crate) enum Bad {
    /// It is refused for what it is, and the next one may be good.
    Refused(Refusal),
    /// Nothing behind it can be good.
    Broken(Error),
}

impl From<Error> for Bad {
    fn from(error: Error) -> Bad {
        Bad::Broken(error)
    }
}

/// Where messages come from.
pub(crate) trait Source {
    /// How it can be settled.
    fn settling(&self) -> Settling;

    /// Nobody asks for headers: where they cost something, they are left out.
    fn spare_headers(&mut self) {}

    /// What happens beside messages; called also while nothing is filled, so that it can keep its connection alive.
    ///
    /// # Errors
    /// The source is of no use any more.
    fn serve(&mut self) -> Result<Option<Event>> {
        Ok(None)
    }

    /// Takes up to `most` (at least 1) messages that are here into its batch, in place of those before. Never waits.
    ///
    /// # Errors
    /// The source is of no use any more, or what comes next cannot be read. What was filled before is not touched by it.
    fn fill(&mut self, most: usize) -> Result<Filled>;

    /// Where a message of the batch stands.
    fn place(&self, at: usize) -> Place;

    /// A message of the batch. It borrows the wire's own buffer.
    ///
    /// # Errors
    /// It cannot be read, as an envelope that is none, or is none that can be handed on.
    fn get(&self, at: usize) -> Result<Message<'_>, Bad>;

    /// Ready when [`Source::serve`] may bring something that it did not bring before; with `wanted` also when
    /// [`Source::fill`] may. What a source does by the clock is done in here.
    fn poll_ready(&mut self, cx: &mut Context<'_>, wanted: bool) -> Poll<()>;

    /// Since when nothing came; `None` while that clock does not run, as long as a group has given no partitions.
    fn idle_since(&self) -> Option<Instant>;

    /// After how many messages at most the sink is told to flush, so that they can be settled.
    fn window(&self) -> usize;

    /// How many messages may be unsettled at once, where the peer sends no more then.
    fn ahead(&self) -> Option<usize> {
        None
    }

    /// True when what a stage left out stays in the source: it is not settled, and goes back at the end.
    fn keeps_rest(&self) -> bool {
        false
    }

    /// So many messages are held: the peer is to send others all the same, as far as it can be told.
    fn held(&mut self, _count: u64) {}

    /// Takes up what is done; it need not be told to the peer at once.
    ///
    /// # Errors
    /// The source is of no use any more.
    fn settle(&mut self, _lane: Lane, _done: Done) -> Result<()> {
        Ok(())
    }

    /// All up to this mark is about to become done together with what the sink seals, and need not be told to the peer by
    /// itself then.
    fn seal(&mut self, _lane: Lane, _mark: u64) {}

    /// Gives a message back, where the source knows such a thing (AMQP's reject): to be delivered again with `requeue`, else
    /// for good.
    ///
    /// # Errors
    /// The source is of no use any more.
    fn reject(&mut self, _place: Place, _requeue: bool) -> Result<()> {
        Ok(())
    }

    /// Nothing more of these lanes is under way, and what was done of them is settled.
    ///
    /// # Errors
    /// The source is of no use any more.
    fn release(&mut self, _lanes: &[Lane]) -> Result<()> {
        Ok(())
    }

    /// Asks for no more, and waits until the peer has taken all settlements. May be dropped before its end.
    ///
    /// # Errors
    /// It is unknown whether they were taken ([`Kind::Partial`](crate::error::Kind::Partial)); the source is of no use any
    /// more.
    fn finish(&mut self) -> Work<'_> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// The goodbye, once the account was given. It sees itself to it that it does not take for ever.
    fn close(self: Box<Self>) -> Work<'static, ()> {
        Box::pin(std::future::ready(()))
    }

    /// How its messages are called.
    fn lane_name(&self, lane: Lane) -> LaneName;

    /// In words where a lane stands because something in it is held, where it stays there: `done` is the mark up to which
    /// all was done.
    fn hole(&self, _lane: Lane, _done: Option<u64>) -> Option<String> {
        None
    }

    /// The error about a message of the batch that is not fit for what it is to become.
    fn fault(&self, at: usize, unfit: Unfit) -> Error;

    /// True when such a message is what somebody wrote for this command: then nothing behind it is sent. What comes from
    /// elsewhere is refused by itself.
    fn is_input(&self) -> bool {
        false
    }

    /// How many bytes were read, as progress shows them.
    fn bytes(&self) -> u64;

    /// The error of a reader of which more was asked for than came: so many of so many.
    fn unmet(&self, came: u64, count: u64, why: &str) -> Error {
        let message = format!("{came} of {count} messages came, {why}");
        Error::new(crate::error::Kind::Unmet, message)
    }
}
