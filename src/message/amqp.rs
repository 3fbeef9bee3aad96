//! What only a message of AMQP has: its properties, and its place.

use std::borrow::Cow;

use super::headers::Header;
use super::neutral::{Neutral, Shape};
use super::table::check_short;
use super::{Field, Headers, Message, Protocol, Table, Value, parts};

/// The queue that it was read from.
pub(super) fn title(message: &Message<'_>) -> Option<String> {
    message.queue.as_deref().map(str::to_owned)
}

/// From which exchange, and by which key.
pub(super) fn route(message: &Message<'_>) -> Option<String> {
    let exchange = message.exchange.as_deref()?;
    let exchange = if exchange.is_empty() { "(default)" } else { exchange };
    Some(format!("{exchange} → {}", message.routing_key.as_deref()?))
}

/// Where a message stands in a stream of RabbitMQ's.
pub(super) fn stream_offset(headers: &Headers<'_>) -> Option<i64> {
    let Headers::Amqp(table) = headers else { return None };
    match table.get("x-stream-offset")? {
        Value::I64(offset) => Some(*offset),
        _ => None,
    }
}

/// A message with a table of headers, properties and a routing key.
pub(super) const SHAPE: Shape = Shape {
    is_meant: |message| message.properties.is_some() || message.routing_key.is_some(),
    to_neutral,
    fits,
    from_neutral,
    adds: &["x-delivery-count", "x-acquired-count", "x-death", "x-first-death-", "x-last-death-", "x-stream-offset"],
};

fn to_neutral(mut message: Message<'_>) -> Neutral<'_> {
    let is_ours = message.protocol == Some(Protocol::Amqp);
    // What a broker delivered has a routing key, which may not be the one that it is published with on the way back.
    let (headers, theirs, says_more) = match std::mem::take(&mut message.headers) {
        Headers::Amqp(table) => {
            let is_plain = table.iter().all(|(_, value)| matches!(value, Value::Text(_)));
            (Some(list_of(&table)), Headers::Amqp(table), is_ours || !is_plain)
        }
        Headers::Absent => (None, Headers::Absent, is_ours),
        // Properties beside the headers of another system, as in an envelope written by hand.
        others => (Some(others.into_list()), Headers::Absent, false),
    };
    let mut neutral = Neutral::new(Protocol::Amqp, message, headers);
    if says_more || neutral.message.properties.is_some() {
        neutral.own = Some(theirs);
    }
    take_key(&mut neutral.message);
    neutral
}

/// The routing key becomes the key where there is none.
fn take_key(message: &mut Message<'_>) {
    if message.key.is_absent()
        && let Some(routing_key) = &message.routing_key
    {
        message.key = Field::Bytes(match routing_key {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.clone().into_bytes()),
        });
    }
}

/// A table as a list: long strings as they are, every other type as JSON.
fn list_of<'a>(table: &Table<'a>) -> Vec<Header<'a>> {
    let value = |value: &Value<'a>| match value {
        Value::Void => None,
        Value::Text(text) => Some(text.clone()),
        other => {
            let mut out = Vec::new();
            other.write_json(&mut out);
            Some(Cow::Owned(out))
        }
    };
    table.iter().map(|(name, v)| (name.clone(), value(v))).collect()
}

fn fits(neutral: &Neutral<'_>) -> bool {
    let message = &neutral.message;
    // Written by hand, a key beside headers of ours: it routes, and nothing is left over.
    if message.headers != Headers::Absent {
        return true;
    }
    let headers = neutral.headers.as_deref().unwrap_or_default();
    let is_table = headers.windows(2).all(|pair| pair[0].0 < pair[1].0) && headers.iter().all(|(_, v)| v.is_some());
    let is_routed = match (&message.key, neutral.routed_by) {
        (Field::Absent, _) => true,
        (Field::Null, _) => false,
        (Field::Bytes(key), None) => key.len() <= 255 && std::str::from_utf8(key).is_ok(),
        (Field::Bytes(key), Some(by)) => **key == *by.as_bytes(),
    };
    is_table && is_routed && message.value != Field::Null
}

fn from_neutral(neutral: &mut Neutral<'_>) -> Result<(), String> {
    let message = &mut neutral.message;
    if let Some(original) = neutral.was.take() {
        put_back(message, original);
    }
    if let Some(list) = neutral.headers.take() {
        message.headers = Headers::Amqp(table_of(list)?);
    }
    route_by_key(message);
    if message.value == Field::Null {
        message.value = Field::borrowed(b"");
    }
    Ok(())
}

/// Makes it the message that it once was, where it says nothing else itself.
fn put_back<'a>(message: &mut Message<'a>, original: Message<'a>) {
    let key = message.key.bytes();
    if key.is_none() || key == original.routing_key.as_deref().map(str::as_bytes) {
        message.routing_key = original.routing_key.or(message.routing_key.take());
    }
    message.exchange = original.exchange.or(message.exchange.take());
    // Other systems may give a timestamp to all, so that only the original knows whether it had one.
    message.timestamp = original.timestamp;
    message.properties = message.properties.take().or(original.properties);
}

fn route_by_key(message: &mut Message<'_>) {
    if message.routing_key.is_none()
        && let Field::Bytes(key) = &message.key
        && key.len() <= 255
    {
        message.routing_key = match key {
            Cow::Borrowed(key) => std::str::from_utf8(key).ok().map(Cow::Borrowed),
            Cow::Owned(key) => std::str::from_utf8(key).ok().map(|key| Cow::Owned(key.to_owned())),
        };
    }
}

/// A list as a table: repeated names become one array.
fn table_of<'a>(mut headers: Vec<Header<'a>>) -> Result<Table<'a>, String> {
    headers.sort_by(|(a, _), (b, _)| a.cmp(b));
    let value = |(_, value): &mut Header<'a>| value.take().map_or(Value::Void, Value::Text);
    let entry = |same: &mut [Header<'a>]| {
        let name = same.first_mut().map(|(name, _)| std::mem::take(name)).unwrap_or_default();
        check_short(&name)?;
        Ok(match same {
            [only] => (name, value(only)),
            _ => (name, Value::Array(same.iter_mut().map(value).collect())),
        })
    };
    headers.chunk_by_mut(|(a, _), (b, _)| a == b).map(entry).collect()
}

/// The AMQP basic properties that are neither headers nor timestamp (AMQP 0-9-1, class basic).
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Properties<'a> {
    /// MIME type of the body.
    #[serde(borrow, deserialize_with = "parts::text", skip_serializing_if = "Option::is_none")]
    pub content_type: Option<Cow<'a, str>>,
    /// MIME encoding of the body.
    #[serde(borrow, deserialize_with = "parts::text", skip_serializing_if = "Option::is_none")]
    pub content_encoding: Option<Cow<'a, str>>,
    /// 1 transient, 2 persistent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery_mode: Option<u8>,
    /// 0 to 255; queues take it up to their `x-max-priority`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// Which request this answers.
    #[serde(borrow, deserialize_with = "parts::text", skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<Cow<'a, str>>,
    /// Queue for the answer.
    #[serde(borrow, deserialize_with = "parts::text", skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<Cow<'a, str>>,
    /// Time to live in milliseconds, as a string of digits.
    #[serde(borrow, deserialize_with = "parts::text", skip_serializing_if = "Option::is_none")]
    pub expiration: Option<Cow<'a, str>>,
    /// The application's id of the message.
    #[serde(borrow, deserialize_with = "parts::text", skip_serializing_if = "Option::is_none")]
    pub message_id: Option<Cow<'a, str>>,
    /// The application's name of the kind of message.
    #[serde(rename = "type", borrow, deserialize_with = "parts::text", skip_serializing_if = "Option::is_none")]
    pub kind: Option<Cow<'a, str>>,
    /// The user who published; the broker checks it.
    #[serde(borrow, deserialize_with = "parts::text", skip_serializing_if = "Option::is_none")]
    pub user_id: Option<Cow<'a, str>>,
    /// The application that published.
    #[serde(borrow, deserialize_with = "parts::text", skip_serializing_if = "Option::is_none")]
    pub app_id: Option<Cow<'a, str>>,
    /// Deprecated by the specification, but on the wire.
    #[serde(borrow, deserialize_with = "parts::text", skip_serializing_if = "Option::is_none")]
    pub cluster_id: Option<Cow<'a, str>>,
}

impl Properties<'_> {
    /// The same properties, borrowing nothing.
    pub fn into_owned(self) -> Properties<'static> {
        let text = |text: Option<Cow<'_, str>>| text.map(|text| Cow::Owned(text.into_owned()));
        Properties {
            content_type: text(self.content_type),
            content_encoding: text(self.content_encoding),
            delivery_mode: self.delivery_mode,
            priority: self.priority,
            correlation_id: text(self.correlation_id),
            reply_to: text(self.reply_to),
            expiration: text(self.expiration),
            message_id: text(self.message_id),
            kind: text(self.kind),
            user_id: text(self.user_id),
            app_id: text(self.app_id),
            cluster_id: text(self.cluster_id),
        }
    }
}
