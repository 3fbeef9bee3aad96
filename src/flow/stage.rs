//! What happens to a message between source and sink.

use super::refusal::Unfit;
use crate::message::Message;

/// What a stage makes of a message.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one is what most stages give of most messages: no allocation for it")]
pub(crate) enum Passed<'b> {
    /// It goes on.
    One(Message<'b>),
    /// It was not asked for.
    None,
    /// Several go on in its place, in this order; the message is done when all of them are.
    Many(Vec<Message<'b>>),
}

impl<'b> From<Vec<Message<'b>>> for Passed<'b> {
    /// None and one are what they are: many of none would count as done.
    fn from(mut messages: Vec<Message<'b>>) -> Passed<'b> {
        match messages.len() {
            0 => Passed::None,
            1 => messages.pop().map_or(Passed::None, Passed::One),
            _ => Passed::Many(messages),
        }
    }
}

/// One message in, none to many out.
pub(crate) trait Stage {
    /// Makes what goes on of a message; it may borrow from the message and from the stage.
    ///
    /// # Errors
    /// The message is not fit for this.
    fn apply<'b>(&'b self, message: Message<'b>) -> Result<Passed<'b>, Unfit>;

    /// What it gave before is of use to nobody any more: its memory may be taken for what comes.
    fn begin(&mut self) {}

    /// True when it holds so much that nothing more is to be given before it [begins](Stage::begin) again.
    fn is_full(&self) -> bool {
        false
    }

    /// True when it gives none of some messages: then more are read than are asked for.
    fn leaves_out(&self) -> bool {
        false
    }

    /// False when it looks at nothing of the headers of a message, and leaves them as they are.
    fn reads_headers(&self) -> bool {
        true
    }

    /// What the user has to know, once.
    fn told(&self) -> Vec<String> {
        Vec::new()
    }

    /// What the account says of it, at the end.
    fn account(&self) -> Option<String> {
        None
    }
}

/// Sends a message through stages.
///
/// # Errors
/// Those of the stages.
pub(crate) fn through<'b>(stages: &'b [Box<dyn Stage>], message: Message<'b>) -> Result<Passed<'b>, Unfit> {
    let Some((first, rest)) = stages.split_first() else { return Ok(Passed::One(message)) };
    let passed = first.apply(message)?;
    if rest.is_empty() {
        return Ok(passed);
    }
    match passed {
        Passed::One(message) => through(rest, message),
        Passed::None => Ok(Passed::None),
        Passed::Many(messages) => {
            let mut passed = Vec::new();
            for message in messages {
                match through(rest, message)? {
                    Passed::One(message) => passed.push(message),
                    Passed::None => {}
                    Passed::Many(more) => passed.extend(more),
                }
            }
            Ok(passed.into())
        }
    }
}
