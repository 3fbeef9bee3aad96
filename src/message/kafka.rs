//! What only a record of Kafka has: its headers with their form in the envelope, and its place.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, SeqAccess, Visitor};

use super::parts::{FieldSeed, Text};
use super::{Field, Message, json};

/// One Kafka header: its name, and its value, which may be null.
pub type KafkaHeader<'a> = (Cow<'a, str>, Option<Cow<'a, [u8]>>);

/// The topic, with where the record stands in it.
pub(super) fn title(message: &Message<'_>) -> Option<String> {
    let topic = message.topic.as_deref()?;
    Some(match (message.partition, message.offset) {
        (Some(partition), Some(offset)) => format!("{topic}[{partition}]@{offset}"),
        _ => topic.to_owned(),
    })
}

/// Appends headers as an array of `[name, value]`.
pub fn write_headers(out: &mut Vec<u8>, headers: &[KafkaHeader<'_>]) {
    out.push(b'[');
    for (i, (name, value)) in headers.iter().enumerate() {
        out.extend_from_slice(if i > 0 { b",[" } else { b"[" });
        json::string(out, name);
        out.push(b',');
        match value {
            Some(value) => json::bytes(out, value),
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
pub fn read_headers<'de, A: SeqAccess<'de>>(mut seq: A) -> Result<Vec<KafkaHeader<'de>>, A::Error> {
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
