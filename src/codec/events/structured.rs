//! Events in binary mode as ones in structured mode.

use super::attributes::CONTENT_TYPE;
use super::headers::{Kind, attributes, kind, put_structured, without_event};
use super::{json, named};
use crate::codec::arena::Arena;
use crate::flow::{Passed, Stage, Unfit};
use crate::message::{Field, Headers, Message};

/// Makes events in binary mode ones in structured mode; leaves all else as it is.
pub(in crate::codec) struct ToStructured {
    /// What is read is told to be JSON.
    shows: bool,
    arena: Arena,
}

impl ToStructured {
    /// Of what is read, or of what is written.
    pub(in crate::codec) fn new(shows: bool) -> ToStructured {
        ToStructured { shows, arena: Arena::default() }
    }
}

impl Stage for ToStructured {
    fn begin(&mut self) {
        self.arena.begin();
    }

    fn is_full(&self) -> bool {
        self.arena.is_full()
    }

    fn apply<'b>(&'b self, mut message: Message<'b>) -> Result<Passed<'b>, Unfit> {
        if kind(message.headers.list()) != Kind::Binary {
            return Ok(Passed::One(message));
        }
        // One that is none was told of where it became binary.
        let Ok(mut event) = attributes(message.headers.list()) else { return Ok(Passed::One(message)) };
        if message.schema.is_some() {
            // It was decoded to that.
            event.set(CONTENT_TYPE, "application/json");
        }
        let mut out = Vec::new();
        json::write(&mut out, &event, message.value.bytes());
        message.value = Field::borrowed(self.arena.keep(&out));
        message.schema = self.shows.then(named);
        mark(&mut message);
        Ok(Passed::One(message))
    }
}

/// Gives a message whose value is an event in JSON the headers of one.
pub(super) fn mark(message: &mut Message<'_>) {
    let mut headers = without_event(std::mem::take(&mut message.headers).into_list());
    put_structured(&mut headers);
    message.headers = Headers::Kafka(headers);
}
