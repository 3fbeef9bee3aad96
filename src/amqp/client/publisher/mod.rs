//! Publishing with many messages in flight: bounded, in order, each message's fate known by its input line.

mod confirmed;
mod unconfirmed;

use self::confirmed::Confirmed;
use self::unconfirmed::Unconfirmed;
use super::{Client, Outgoing};
use crate::error::Result;

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The broker has taken responsibility for it.
    Confirmed,
    /// It was written to the connection, and nobody asked for more.
    Written,
    /// The broker said that it did not take it.
    Nacked,
    /// Mandatory, and no queue wanted it: the broker's words.
    Returned(String),
    /// It was refused with the channel, or never left.
    Failed,
    /// It was under way when the connection or the channel ended.
    Unknown,
}

/// A channel for publishing.
#[derive(Debug)]
pub enum Publisher {
    /// The broker confirms each message.
    Confirmed(Confirmed),
    /// Nobody knows what arrives.
    Unconfirmed(Unconfirmed),
}

impl Publisher {
    /// Opens a channel. `window` is how many messages may wait for their confirm.
    ///
    /// # Errors
    /// As [`super::fault()`].
    pub async fn open(client: &Client, confirm: bool, mandatory: bool, window: usize) -> Result<Publisher> {
        let channel = client.channel().await?;
        Ok(match confirm {
            true => Publisher::Confirmed(Confirmed::new(channel, mandatory, window).await?),
            false => Publisher::Unconfirmed(Unconfirmed::new(channel, client.outbox(), client.frame_max())),
        })
    }

    /// True when another message may be submitted.
    pub fn has_room(&self) -> bool {
        match self {
            Publisher::Confirmed(publisher) => publisher.has_room(),
            Publisher::Unconfirmed(publisher) => publisher.has_room(),
        }
    }

    /// True when nothing is in flight.
    pub fn is_empty(&self) -> bool {
        match self {
            Publisher::Confirmed(publisher) => publisher.is_empty(),
            Publisher::Unconfirmed(publisher) => publisher.is_empty(),
        }
    }

    /// True when [`Publisher::settled`] tells of an error of channel or connection. Otherwise only the connection's events
    /// do.
    pub fn tells_errors(&self) -> bool {
        matches!(self, Publisher::Confirmed(publisher) if !publisher.is_empty())
    }

    /// Takes a message; its fate comes from [`Publisher::settled`].
    pub fn submit(&mut self, line: u64, message: Outgoing) {
        match self {
            Publisher::Confirmed(publisher) => publisher.submit(line, message),
            Publisher::Unconfirmed(publisher) => publisher.submit(line, &message),
        }
    }

    /// Waits until the oldest messages are settled, and reports them. Losing the future loses nothing.
    ///
    /// # Errors
    /// lapin's, when the channel or the connection ended; the fate of everything in flight is reported all the same.
    pub async fn settled(&mut self, report: &mut impl FnMut(u64, Outcome)) -> lapin::Result<()> {
        match self {
            Publisher::Confirmed(publisher) => publisher.settled(report).await,
            Publisher::Unconfirmed(publisher) => publisher.settled(report).await,
        }
    }

    /// Waits until the broker has looked at all that was settled, which without confirms is the only way to hear of a
    /// refusal.
    ///
    /// # Errors
    /// lapin's.
    pub async fn barrier(&self) -> lapin::Result<()> {
        match self {
            // Each confirm was such an answer.
            Publisher::Confirmed(_) => Ok(()),
            Publisher::Unconfirmed(publisher) => publisher.barrier().await,
        }
    }

    /// Gives up waiting: what is settled by now is reported as such, the rest as unknown.
    pub fn abandon(&mut self, report: &mut impl FnMut(u64, Outcome)) {
        match self {
            Publisher::Confirmed(publisher) => publisher.abandon(report),
            Publisher::Unconfirmed(publisher) => publisher.abandon(report),
        }
    }
}
