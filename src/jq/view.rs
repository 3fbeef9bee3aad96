//! What a program sees of a message.

use jaq_json::{Map, Val, read};
use serde::de::IgnoredAny;

use super::members::Members;
use crate::message::{Field, Message, json};

/// The members of the envelope of a message, as far as they are looked at. The body is what it says where it is JSON.
pub(super) fn view(message: &Message<'_>, members: Members) -> Val {
    // Each by its name, so that a new field does not compile before it is here; in the order of the envelope.
    let Message {
        protocol,
        topic,
        partition,
        offset,
        exchange,
        routing_key,
        queue,
        redelivered,
        timestamp,
        key,
        key_schema,
        headers,
        schema,
        value,
        properties,
    } = message;
    let mut seen = Seen { members, object: Map::default() };
    seen.put("protocol", || protocol.map(|protocol| text(protocol.name())));
    seen.put("topic", || topic.as_deref().map(text));
    seen.put("exchange", || exchange.as_deref().map(text));
    seen.put("routing_key", || routing_key.as_deref().map(text));
    seen.put("queue", || queue.as_deref().map(text));
    seen.put("partition", || partition.map(|number| Val::from(number as isize)));
    seen.put("offset", || offset.map(|number| Val::Num(jaq_json::Num::from_integral(number))));
    seen.put("redelivered", || redelivered.map(Val::from));
    if let Some(time) = timestamp {
        seen.put_json("timestamp", |out| time.write_json(out));
    }
    match key_schema {
        None => seen.put_field("key", key, bytes),
        Some(schema) => {
            seen.put_field("key", key, |json| parsed(json).unwrap_or_else(|| bytes(json)));
            seen.put_json("key_schema", |out| schema.write_json(out));
        }
    }
    if headers.system().is_some() {
        seen.put_json("headers", |out| headers.write_json(out));
    }
    if let Some(schema) = schema {
        seen.put_json("schema", |out| schema.write_json(out));
    }
    seen.put_field("value", value, |body| parsed(body).unwrap_or_else(|| bytes(body)));
    if let Some(properties) = properties {
        // A struct of strings and numbers always serialises.
        seen.put_json("properties", |out| drop(serde_json::to_writer(out, properties)));
    }
    Val::obj(seen.object)
}

struct Seen {
    members: Members,
    object: Map,
}

impl Seen {
    /// A member, if it is there; made only where it is looked at.
    fn put(&mut self, name: &'static str, value: impl FnOnce() -> Option<Val>) {
        if self.members.has(name)
            && let Some(value) = value()
        {
            self.object.insert(key(name), value);
        }
    }

    fn put_field(&mut self, name: &'static str, field: &Field<'_>, of: impl FnOnce(&[u8]) -> Val) {
        self.put(name, || match field {
            Field::Absent => None,
            Field::Null => Some(Val::Null),
            Field::Bytes(bytes) => Some(of(bytes)),
        });
    }

    fn put_json(&mut self, name: &'static str, write: impl FnOnce(&mut Vec<u8>)) {
        self.put(name, || {
            let mut out = Vec::new();
            write(&mut out);
            read::parse_single(&out).ok()
        });
    }
}

fn key(name: &'static str) -> Val {
    Val::utf8_str(name.as_bytes())
}

fn text(text: &str) -> Val {
    Val::from(text.to_owned())
}

/// Bytes as the envelope has them.
fn bytes(bytes: &[u8]) -> Val {
    match std::str::from_utf8(bytes) {
        Ok(own) => text(own),
        Err(_) => {
            let mut out = Vec::new();
            json::base64(&mut out, bytes);
            Val::obj([(key("$base64"), Val::utf8_str(out))].into_iter().collect())
        }
    }
}

/// What a body says, where it is JSON: all of it, and nothing that only looks like it.
fn parsed(body: &[u8]) -> Option<Val> {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace())?;
    if !matches!(first, b'{' | b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n') {
        return None;
    }
    if !is_shallow(body) {
        return None;
    }
    // The reader of programs takes more than JSON.
    serde_json::from_slice::<IgnoredAny>(body).ok()?;
    read::parse_single(body).ok()
}

/// How deep a body may nest: each level is one of the stack, too.
const DEPTH: usize = 128;

/// Whether it nests no deeper, as far as it is JSON at all.
pub(super) fn is_shallow(body: &[u8]) -> bool {
    let levels = body.iter().filter(|byte| matches!(byte, b'{' | b'[')).count();
    levels <= DEPTH || serde_json::from_slice::<serde_json::Value>(body).is_ok()
}
