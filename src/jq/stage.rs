//! The two stages.

use std::rc::Rc;

use jaq_json::Val;

use super::back;
use super::guarded::Guarded;
use super::members::Members;
use super::quick::Quick;
use super::view::view;
use crate::flow::{Passed, Stage, Unfit};
use crate::message::Message;

/// How many messages may come of one.
pub(super) const PARTS: usize = 100_000;

/// And how many bytes of bodies.
const BYTES: usize = 64 << 20;

/// What becomes of a message that a program failed on.
fn left_out<'b>(failed: Result<(), String>) -> Result<Passed<'b>, Unfit> {
    const FIX: &str = "--filter-error skip leaves such messages out; `?` and `//` make a program that takes any body";
    failed.map(|()| Passed::None).map_err(|why| Unfit::end(why, FIX))
}

/// `--filter`.
pub(super) struct Filter {
    guarded: Guarded,
    members: Members,
    quick: Option<Quick>,
}

impl Filter {
    /// Of what was typed, compiled.
    pub(super) fn new(guarded: Guarded, text: &str) -> Filter {
        Filter { guarded, members: Members::of_filter(text), quick: Quick::of_filter(text) }
    }
}

impl Stage for Filter {
    fn apply<'b>(&'b self, message: Message<'b>) -> Result<Passed<'b>, Unfit> {
        let passes = match self.quick.as_ref().and_then(|quick| quick.passes(&message)) {
            Some(passes) => Ok(passes),
            None => self.guarded.program.passes(view(&message, self.members)),
        };
        match passes {
            Ok(true) => Ok(Passed::One(message)),
            Ok(false) => Ok(Passed::None),
            Err(why) => left_out(self.guarded.failed(why)),
        }
    }

    fn leaves_out(&self) -> bool {
        true
    }

    fn reads_headers(&self) -> bool {
        self.members.has("headers")
    }

    fn told(&self) -> Vec<String> {
        self.guarded.program.told()
    }

    fn account(&self) -> Option<String> {
        self.guarded.account()
    }
}

/// `--map`.
pub(super) struct Map {
    guarded: Guarded,
}

impl Map {
    /// Of what was typed, compiled.
    pub(super) fn new(guarded: Guarded) -> Map {
        Map { guarded }
    }

    fn all(&self, message: &Message<'_>) -> Result<Vec<Message<'static>>, String> {
        let Guarded { program, .. } = &self.guarded;
        let (seen, mut parts, mut bytes) = (view(message, Members::ALL), Vec::new(), 0);
        for given in program.run(seen.clone()) {
            let given = given?;
            if parts.len() >= PARTS {
                return Err(program.fault(&format!("it gives more than {PARTS} messages")));
            }
            if bytes > BYTES {
                return Err(program.fault("it gives more than 64 MiB of one message"));
            }
            let part = match (&given, &seen) {
                (Val::Obj(given), Val::Obj(seen)) if Rc::ptr_eq(given, seen) => message.clone().into_owned(),
                _ => back::message(given, &seen, message).map_err(|why| program.fault(&why))?,
            };
            bytes += part.value.bytes().map_or(0, <[u8]>::len);
            parts.push(part);
        }
        Ok(parts)
    }
}

impl Stage for Map {
    fn leaves_out(&self) -> bool {
        true
    }

    fn apply<'b>(&'b self, message: Message<'b>) -> Result<Passed<'b>, Unfit> {
        match self.all(&message) {
            Ok(parts) => Ok(parts.into()),
            Err(why) => left_out(self.guarded.failed(why)),
        }
    }

    fn told(&self) -> Vec<String> {
        self.guarded.program.told()
    }

    fn account(&self) -> Option<String> {
        self.guarded.account()
    }
}
