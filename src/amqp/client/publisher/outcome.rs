//! What becomes of a message that is published.

use crate::amqp::client::fault::{is_ours, said};

/// A message of so many bytes is in flight alone, so that it is known which one was too large: what RabbitMQ takes
/// (`max_message_size`) nobody says before.
pub(crate) const ALONE: usize = 4 * 1024 * 1024;

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PublishOutcome {
    /// The broker has taken responsibility for it.
    Confirmed,
    /// It was written to the connection, and nobody asked for more.
    Written,
    /// The broker said that it did not take it.
    Nacked,
    /// Mandatory, and no queue wanted it: the broker's words.
    Returned(String),
    /// It was not sent, or the broker closed the channel for it alone: why.
    Refused(String),
    /// It was refused with the channel, or never left.
    Failed,
    /// It was under way when the connection or the channel ended.
    Unknown,
}

/// Whether the broker closed a channel for what one message is, its size, its user, its expiration, and not for where it
/// goes: the next one may be better.
pub(crate) fn refused_alone(error: &lapin::Error) -> Option<PublishOutcome> {
    const PRECONDITION_FAILED: u16 = 406;
    match error.kind() {
        lapin::ErrorKind::ProtocolError(answer) if answer.get_id() == PRECONDITION_FAILED && !is_ours(answer) => {
            Some(PublishOutcome::Refused(said(answer)))
        }
        _ => None,
    }
}
