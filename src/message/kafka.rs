//! What only a record of Kafka has: its headers with their form in the envelope, and its place.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, SeqAccess, Visitor};

use super::headers::Header;
use super::neutral::{Neutral, Shape};
use super::parts::{FieldSeed, Text};
use super::{BytesForm, Field, HeaderForms, Headers, Message, Protocol, Time, json};

/// One Kafka header: its name, and its value, which may be null.
pub(crate) type KafkaHeader<'a> = Header<'a>;

/// A record, whose form is nearly the neutral one.
pub(super) const SHAPE: Shape = Shape {
    is_meant: |message| !message.key.is_absent() || message.value == Field::Null,
    to_neutral,
    fits: |_| true,
    from_neutral,
    adds: &[],
};

fn to_neutral(mut message: Message<'_>) -> Neutral<'_> {
    let headers = match std::mem::take(&mut message.headers) {
        Headers::Kafka(list) => Some(list),
        theirs => {
            message.headers = theirs;
            None
        }
    };
    Neutral::new(Protocol::Kafka, message, headers)
}

fn from_neutral(neutral: &mut Neutral<'_>) -> Result<(), String> {
    let message = &mut neutral.message;
    if let Some(list) = neutral.headers.take() {
        message.headers = Headers::Kafka(list);
    }
    message.properties = None;
    if let Some(original) = neutral.was.take() {
        put_back(message, original);
    }
    Ok(())
}

/// Makes it the record that it once was, where it says nothing else itself.
fn put_back<'a>(message: &mut Message<'a>, original: Message<'a>) {
    if message.key.is_absent() {
        message.key = original.key;
    }
    // Other systems may have seconds alone.
    let seconds = |time: Option<Time>| time.and_then(Time::seconds);
    if message.timestamp.is_none() || seconds(message.timestamp) == seconds(original.timestamp) {
        message.timestamp = original.timestamp.or(message.timestamp);
    }
    if original.value == Field::Null && message.value.bytes().is_some_and(<[u8]>::is_empty) {
        message.value = Field::Null;
    }
}

/// The topic, with where the record stands in it.
pub(super) fn title(message: &Message<'_>) -> Option<String> {
    let topic = message.topic.as_deref()?;
    Some(match (message.partition, message.offset) {
        (Some(partition), Some(offset)) => format!("{topic}[{partition}]@{offset}"),
        _ => topic.to_owned(),
    })
}

/// Appends headers as an array of `[name, value]`.
pub(crate) fn write_headers(out: &mut Vec<u8>, headers: &[KafkaHeader<'_>], bytes: BytesForm, forms: &HeaderForms) {
    out.push(b'[');
    for (i, (name, value)) in headers.iter().enumerate() {
        out.extend_from_slice(if i > 0 { b",[" } else { b"[" });
        json::string(out, name);
        out.push(b',');
        match value {
            Some(value) => forms.write_json(out, name, value, bytes),
            None => out.extend_from_slice(b"null"),
        }
        out.push(b']');
    }
    out.push(b']');
}

/// Reads an array of `[name, value]`.
///
/// # Errors
/// The deserializer's.
pub(crate) fn read_headers<'de, A: SeqAccess<'de>>(mut seq: A) -> Result<Vec<KafkaHeader<'de>>, A::Error> {
    let mut headers = Vec::new();
    while let Some(HeaderPair(header)) = seq.next_element()? {
        headers.push(header);
    }
    Ok(headers)
}

struct HeaderPair<'a>(KafkaHeader<'a>);

impl<'de> Deserialize<'de> for HeaderPair<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PairVisitor;
        impl<'de> Visitor<'de> for PairVisitor {
            type Value = HeaderPair<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a header as [\"name\",\"value\"]")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let name = seq.next_element::<Text<'de>>()?.ok_or_else(|| de::Error::invalid_length(0, &self))?;
                let value = seq
                    .next_element_seed(FieldSeed("header value"))?
                    .ok_or_else(|| de::Error::invalid_length(1, &self))?;
                if seq.next_element::<IgnoredAny>()?.is_some() {
                    return Err(de::Error::invalid_length(3, &self));
                }
                let value = match value {
                    Field::Bytes(bytes) => Some(bytes),
                    Field::Null | Field::Absent => None,
                };
                Ok(HeaderPair((name.0, value)))
            }
        }
        deserializer.deserialize_seq(PairVisitor)
    }
}
