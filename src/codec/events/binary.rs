//! Events of either mode, and data that is to become one, in binary mode.

use std::borrow::Cow;
use std::cell::Cell;

use super::attributes::{Attributes, CONTENT_TYPE, SPEC_VERSION, is_json};
use super::headers::{Kind, attributes, content_type, kind, put, without_event};
use super::json::{self, Data};
use super::named;
use crate::codec::arena::Arena;
use crate::codec::decoder::write_json;
use crate::codec::failing::{Failing, OnError};
use crate::flow::{Passed, Stage, Unfit, new_uuid, uuid_text};
use crate::message::{Field, Headers, Message, Time};

/// What events are given that are written.
#[derive(Debug, Default)]
pub(in crate::codec) struct Given {
    /// Attributes that win over an event's own.
    pub attributes: Vec<(String, String)>,
    /// What is no event becomes the data of one.
    pub makes: bool,
    /// Data is encoded to something else than JSON.
    pub encodes: bool,
}

/// What is done with what comes.
enum Way {
    /// It is shown, and what is no event is treated so.
    Reads(Failing),
    /// It is sent.
    Writes(Given),
}

/// Makes events ones in binary mode.
pub(in crate::codec) struct ToBinary {
    way: Way,
    /// One in structured mode stays so: it is what is asked for, and nothing happens to its data.
    keeps_structured: bool,
    arena: Arena,
    /// An event without data lost its value, and whether that was told.
    is_emptied: Cell<bool>,
    is_told: Cell<bool>,
}

impl ToBinary {
    /// For what is read; what is no event is treated so.
    pub(in crate::codec) fn reading(on_error: OnError, keeps_structured: bool) -> ToBinary {
        ToBinary::new(Way::Reads(Failing::new(on_error)), keeps_structured)
    }

    /// For what is written.
    pub(in crate::codec) fn writing(given: Given, keeps_structured: bool) -> ToBinary {
        ToBinary::new(Way::Writes(given), keeps_structured)
    }

    fn new(way: Way, keeps_structured: bool) -> ToBinary {
        let arena = Arena::default();
        ToBinary { way, keeps_structured, arena, is_emptied: Cell::new(false), is_told: Cell::new(false) }
    }

    /// What is given to what is written.
    fn given(&self) -> Option<&Given> {
        match &self.way {
            Way::Reads(_) => None,
            Way::Writes(given) => Some(given),
        }
    }

    /// Makes a message an event in binary mode; one that is none stays as it is.
    ///
    /// # Errors
    /// A sentence.
    pub(in crate::codec) fn event<'b>(&'b self, message: &mut Message<'b>) -> Result<(), String> {
        match (kind(message.headers.list()), self.given()) {
            (Kind::Structured, _) => self.structured(message),
            (Kind::Other, _) => Err(format!(
                "its format, {}, is not known; application/cloudevents+json is, with one event a record",
                content_type(message.headers.list()).unwrap_or_default().escape_debug()
            )),
            (Kind::Binary, given) => {
                let event = attributes(message.headers.list())?;
                match given.filter(|given| given.encodes || !given.attributes.is_empty()) {
                    Some(given) => give(message, event, given),
                    None => Ok(()),
                }
            }
            (Kind::None, Some(given)) if given.makes => {
                let event = made(message, given);
                give(message, event, given)
            }
            (Kind::None, Some(_)) => self
                .structured(message)
                .map_err(|why| format!("{why} (--ce-type and --ce-source make events of other data)")),
            (Kind::None, None) => Err("no header ce_specversion says that it is one, nor does content-type".to_owned()),
        }?;
        if self.given().is_some() && message.key.is_absent() {
            partition_key(message);
        }
        Ok(())
    }

    /// Takes an event in JSON apart.
    fn structured<'b>(&'b self, message: &mut Message<'b>) -> Result<(), String> {
        let text: &'b [u8] = match std::mem::take(&mut message.value) {
            Field::Bytes(Cow::Borrowed(text)) => text,
            Field::Bytes(Cow::Owned(text)) => self.arena.keep(&text),
            none => {
                message.value = none;
                return Err("it has no value".to_owned());
            }
        };
        message.value = Field::borrowed(text);
        let (event, data) = json::read(text)?;
        let given = self.given();
        if self.keeps_structured && given.is_none_or(|given| given.attributes.is_empty() && !given.encodes) {
            if given.is_none() {
                let mut compact = Vec::new();
                write_json(text, &mut compact).map_err(|fault| fault.to_string())?;
                (message.value, message.schema) = (Field::borrowed(self.arena.keep(&compact)), Some(named()));
            } else if kind(message.headers.list()) != Kind::Structured {
                super::structured::mark(message);
            }
            return Ok(());
        }
        message.schema = None;
        message.value = match data {
            Data::Borrowed(data) => Field::borrowed(data),
            Data::Owned(data) => Field::borrowed(self.arena.keep(&data)),
            Data::None => {
                self.is_emptied.set(!self.keeps_structured && given.is_some());
                Field::Null
            }
        };
        give(message, event, given.unwrap_or(&Given::default()))
    }
}

/// Puts an event into the headers, with what is given to it.
fn give(message: &mut Message<'_>, mut event: Attributes<'_>, given: &Given) -> Result<(), String> {
    let is_given = given.attributes.iter().any(|(name, _)| name == CONTENT_TYPE);
    if given.encodes && is_json(event.get(CONTENT_TYPE)) && !is_given {
        // What it becomes is not JSON any more.
        event.remove(CONTENT_TYPE);
    }
    for (name, value) in &given.attributes {
        event.set(name.clone(), value.clone());
    }
    event.check()?;
    let mut headers = without_event(std::mem::take(&mut message.headers).into_list());
    put(&mut headers, &event);
    message.headers = Headers::Kafka(headers);
    Ok(())
}

/// What an event has by itself whose data a message is.
fn made(message: &Message<'_>, given: &Given) -> Attributes<'static> {
    let mut event = Attributes::default();
    event.set("specversion", SPEC_VERSION);
    let is_given = |name: &str| given.attributes.iter().any(|(other, _)| other == name);
    if !is_given("id") {
        event.set("id", uuid_text(new_uuid()));
    }
    if !is_given("time") {
        let mut time = Vec::new();
        Time::ago(std::time::Duration::ZERO).write_rfc3339(&mut time);
        event.set("time", String::from_utf8_lossy(&time).into_owned());
    }
    let own = content_type(message.headers.list()).map(str::to_owned);
    let found = own.or_else(|| message.value.bytes().and_then(media_type).map(str::to_owned));
    if let Some(media_type) = found {
        event.set(CONTENT_TYPE, media_type);
    }
    event
}

/// What data is by the looks of it.
fn media_type(data: &[u8]) -> Option<&'static str> {
    match (write_json(data, &mut Vec::new()), std::str::from_utf8(data)) {
        (Ok(()), _) => Some("application/json"),
        (_, Ok(_)) => Some("text/plain"),
        _ => None,
    }
}

/// Gives a message without a key that of its event, which is named so by the extension for partitioning.
fn partition_key(message: &mut Message<'_>) {
    let own = message.headers.list().iter().find(|(name, _)| name == "ce_partitionkey");
    if let Some((_, Some(key))) = own {
        message.key = Field::Bytes(Cow::Owned(key.to_vec()));
    }
}

impl Stage for ToBinary {
    fn begin(&mut self) {
        self.arena.begin();
    }

    fn is_full(&self) -> bool {
        self.arena.is_full()
    }

    fn apply<'b>(&'b self, mut message: Message<'b>) -> Result<Passed<'b>, Unfit> {
        match (self.event(&mut message), &self.way) {
            (Ok(()), _) => Ok(Passed::One(message)),
            (Err(why), Way::Reads(failing)) => failing.pass(message, format!("it is no CloudEvent: {why}")),
            (Err(why), Way::Writes(_)) => Err(unfit(why)),
        }
    }

    fn leaves_out(&self) -> bool {
        matches!(&self.way, Way::Reads(failing) if failing.leaves_out())
    }

    fn told(&self) -> Vec<String> {
        match &self.way {
            Way::Reads(failing) => failing.told(),
            Way::Writes(_) if self.is_emptied.get() && !self.is_told.replace(true) => {
                vec!["events without data go out without a value, as --cloudevents binary has them: a tombstone where a topic \
                      is compacted".to_owned()]
            }
            Way::Writes(_) => Vec::new(),
        }
    }

    fn account(&self) -> Option<String> {
        match &self.way {
            Way::Reads(failing) => failing.account(),
            Way::Writes(_) => None,
        }
    }
}

/// A message that cannot be sent as an event.
pub(in crate::codec) fn unfit(why: String) -> Unfit {
    Unfit::of_member("value", format!("it is no CloudEvent: {why}"))
}
