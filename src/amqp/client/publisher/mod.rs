//! Publishing with many messages in flight: bounded, in order, each message's fate known by its input line.

mod confirmed;
mod outcome;
mod returns;
mod unconfirmed;

use lapin::Channel;

use self::confirmed::Confirmed;
use self::outcome::ALONE;
pub(crate) use self::outcome::PublishOutcome;
use self::unconfirmed::Unconfirmed;
use super::message::header_frame;
use super::{Client, Outgoing};
use crate::error::Result;

/// A channel for publishing.
#[derive(Debug)]
pub(crate) enum Publisher {
    /// The broker confirms each message.
    Confirmed(Confirmed),
    /// Nobody knows what arrives.
    Unconfirmed(Unconfirmed),
}

/// What can be said of a message before it is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FrameLimit {
    frame_max: usize,
}

impl FrameLimit {
    /// Those of a connection.
    pub(crate) fn of(client: &Client) -> FrameLimit {
        FrameLimit { frame_max: usize::try_from(client.frame_max()).unwrap_or(usize::MAX) }
    }

    /// Why a message would end the connection.
    pub(crate) fn refusal(&self, message: &Outgoing) -> Option<PublishOutcome> {
        // Without headers the rest is smaller than the smallest frame_max.
        message.properties.headers().as_ref()?;
        let (size, limit) = (header_frame(&message.properties), self.frame_max);
        (size > limit).then(|| {
            PublishOutcome::Refused(format!(
                "its properties and headers take a frame of {size} bytes, over the {limit} of the broker's frame_max"
            ))
        })
    }
}

impl Publisher {
    /// Opens a channel. `window` is how many messages may wait for their confirm.
    ///
    /// # Errors
    /// As [`super::fault()`].
    pub(crate) async fn open(client: &Client, confirm: bool, window: usize) -> Result<Publisher> {
        let channel = client.channel_again().await?;
        Ok(match confirm {
            true => Publisher::Confirmed(Confirmed::new(channel, window, client.words()).await?),
            false => Publisher::Unconfirmed(Unconfirmed::new(channel, client.outbox(), client.frame_max())),
        })
    }

    /// The channel itself.
    pub(crate) fn channel(&self) -> &Channel {
        match self {
            Publisher::Confirmed(publisher) => publisher.channel(),
            Publisher::Unconfirmed(publisher) => publisher.channel(),
        }
    }

    /// True when the error that [`Publisher::settled`] told was about one message only, which is known: another channel
    /// may take the next.
    pub(crate) fn outlives(&self) -> bool {
        match self {
            Publisher::Confirmed(publisher) => publisher.outlives(),
            Publisher::Unconfirmed(publisher) => publisher.outlives(),
        }
    }

    /// True when this message may be submitted now.
    pub(crate) fn has_room_for(&self, message: &Outgoing) -> bool {
        self.has_room() && (self.is_empty() || message.body.len() < ALONE)
    }

    /// True when another message may be submitted.
    pub(crate) fn has_room(&self) -> bool {
        match self {
            Publisher::Confirmed(publisher) => publisher.has_room(),
            Publisher::Unconfirmed(publisher) => publisher.has_room(),
        }
    }

    /// True when nothing is in flight.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Publisher::Confirmed(publisher) => publisher.is_empty(),
            Publisher::Unconfirmed(publisher) => publisher.is_empty(),
        }
    }

    /// True when [`Publisher::settled`] tells of an error of channel or connection. Otherwise only the connection's events
    /// do.
    pub(crate) fn tells_errors(&self) -> bool {
        match self {
            Publisher::Confirmed(publisher) => !publisher.is_empty(),
            Publisher::Unconfirmed(publisher) => publisher.is_asking(),
        }
    }

    /// Takes a message; its fate comes from [`Publisher::settled`].
    pub(crate) fn submit(&mut self, line: u64, message: Outgoing) {
        match self {
            Publisher::Confirmed(publisher) => publisher.submit(line, message),
            Publisher::Unconfirmed(publisher) => publisher.submit(line, &message),
        }
    }

    /// Waits until the oldest messages are settled, and reports them. Losing the future loses nothing.
    ///
    /// # Errors
    /// lapin's, when the channel or the connection ended; the fate of everything in flight is reported all the same.
    pub(crate) async fn settled(&mut self, report: &mut impl FnMut(u64, PublishOutcome)) -> lapin::Result<()> {
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
    pub(crate) async fn barrier(&self) -> lapin::Result<()> {
        match self {
            // Each confirm was such an answer.
            Publisher::Confirmed(_) => Ok(()),
            Publisher::Unconfirmed(publisher) => publisher.barrier().await,
        }
    }

    /// Gives up waiting: what is settled by now is reported as such, the rest as unknown.
    pub(crate) fn abandon(&mut self, report: &mut impl FnMut(u64, PublishOutcome)) {
        match self {
            Publisher::Confirmed(publisher) => publisher.abandon(report),
            Publisher::Unconfirmed(publisher) => publisher.abandon(report),
        }
    }
}
