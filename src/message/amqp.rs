//! What only a message of AMQP has: its properties, and its place.

use std::borrow::Cow;

use super::{Headers, Message, Value, parts};

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
