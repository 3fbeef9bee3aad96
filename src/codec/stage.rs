//! The stages that decode and encode.

use super::arena::Arena;
use super::decoder::{Decoded, Decoder, Trouble};
use super::encoder::{self, Encoder};
use super::failing::{Failing, OnError};
use crate::error::Result;
use crate::flow::{Passed, Stage, Unfit};
use crate::message::{Field, Message};

/// Decodes bodies and keys.
pub(super) struct Decode {
    value: Option<Decoder>,
    key: Option<Decoder>,
    failing: Failing,
    arena: Arena,
}

impl Decode {
    /// With these, and this in the end.
    pub(super) fn new(value: Option<Decoder>, key: Option<Decoder>, on_error: OnError) -> Decode {
        Decode { value, key, failing: Failing::new(on_error), arena: Arena::default() }
    }

    /// Decodes what a message has.
    fn decode<'b>(&'b self, message: &mut Message<'b>) -> Result<(), (&'static str, Trouble)> {
        for (which, decoder) in [("key", &self.key), ("value", &self.value)] {
            let Some(decoder) = decoder else { continue };
            let field = if which == "key" { &message.key } else { &message.value };
            // What is null or not there stays so.
            let Some(bytes) = field.bytes() else { continue };
            let decoded = decoder.decode(bytes, &message.headers, &self.arena).map_err(|trouble| (which, trouble))?;
            let (bytes, schema) = match decoded {
                Decoded::Same => continue,
                Decoded::Bytes(bytes) => (bytes, None),
                Decoded::Json(json, schema) => (json, Some(schema)),
            };
            match which {
                "key" => (message.key, message.key_schema) = (Field::borrowed(bytes), schema),
                _ => (message.value, message.schema) = (Field::borrowed(bytes), schema),
            }
        }
        Ok(())
    }
}

impl Stage for Decode {
    fn begin(&mut self) {
        self.arena.begin();
    }

    fn is_full(&self) -> bool {
        self.arena.is_full()
    }

    fn apply<'b>(&'b self, mut message: Message<'b>) -> Result<Passed<'b>, Unfit> {
        let (which, trouble) = match self.decode(&mut message) {
            Ok(()) => return Ok(Passed::One(message)),
            Err(failed) => failed,
        };
        match trouble {
            Trouble::Bad(why) => self.failing.pass(message, format!("its {which} cannot be decoded: {why}")),
            Trouble::Over(error) => Err(Unfit::over(error)),
        }
    }

    fn leaves_out(&self) -> bool {
        self.failing.leaves_out()
    }

    fn reads_headers(&self) -> bool {
        [&self.key, &self.value].into_iter().flatten().any(Decoder::reads_headers)
    }

    fn told(&self) -> Vec<String> {
        self.failing.told()
    }

    fn account(&self) -> Option<String> {
        self.failing.account()
    }
}

/// Encodes bodies and keys.
pub(super) struct Encode {
    value: Option<Encoder>,
    key: Option<Encoder>,
    arena: Arena,
}

/// What is said of a text that is no JSON.
const NO_JSON: &str = "what is encoded is JSON: a text has quotes, as \"a\"";

impl Encode {
    /// With these.
    pub(super) fn new(value: Option<Encoder>, key: Option<Encoder>) -> Encode {
        Encode { value, key, arena: Arena::default() }
    }

    /// See [`Encoder::look_up`].
    pub(super) fn look_up(&self) -> Result<()> {
        [&self.value, &self.key].into_iter().flatten().try_for_each(Encoder::look_up)
    }

    /// Looks whether a message can be encoded.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn check(&self, message: &Message<'_>) -> Result<(), Unfit> {
        self.each(message, |_, _| ()).map(drop)
    }

    /// What the key and the value become, by `keep`.
    fn each<T>(
        &self,
        message: &Message<'_>,
        mut keep: impl FnMut(&'static str, &[u8]) -> T,
    ) -> Result<[Option<T>; 2], Unfit> {
        let mut one = |which, encoder: &Option<Encoder>, field: &Field<'_>, schema| {
            let (Some(encoder), Some(bytes)) = (encoder, field.bytes()) else { return Ok(None) };
            let encoded = encoder.encode(bytes, schema, |bytes| keep(which, bytes));
            encoded.map(Some).map_err(|trouble| match trouble {
                encoder::Trouble::Over(error) => Unfit::over(error),
                encoder::Trouble::Bad(why) if encoder.reads_json() && is_bare(bytes) => {
                    Unfit::of_member(which, format!("its {which} cannot be encoded: {why} ({NO_JSON})"))
                }
                encoder::Trouble::Bad(why) => Unfit::of_member(which, format!("its {which} cannot be encoded: {why}")),
            })
        };
        Ok([
            one("key", &self.key, &message.key, message.key_schema.as_deref())?,
            one("value", &self.value, &message.value, message.schema.as_deref())?,
        ])
    }
}

/// Whether it begins as no JSON does.
fn is_bare(text: &[u8]) -> bool {
    let begins = |byte: &u8| matches!(byte, b'{' | b'[' | b'"' | b'-' | b'0'..=b'9');
    let text = text.trim_ascii();
    !text.first().is_some_and(begins) && !matches!(text, b"true" | b"false" | b"null")
}

impl Stage for Encode {
    fn begin(&mut self) {
        self.arena.begin();
    }

    fn is_full(&self) -> bool {
        self.arena.is_full()
    }

    fn apply<'b>(&'b self, mut message: Message<'b>) -> Result<Passed<'b>, Unfit> {
        let [key, value] = self.each(&message, |_, bytes| self.arena.keep(bytes))?;
        if let Some(key) = key {
            (message.key, message.key_schema) = (Field::borrowed(key), None);
        }
        if let Some(value) = value {
            (message.value, message.schema) = (Field::borrowed(value), None);
        }
        Ok(Passed::One(message))
    }

    fn reads_headers(&self) -> bool {
        false
    }
}
