//! The one [`Message`] of all brokers, its JSON Lines envelope, and the ways data comes in.

pub mod amqp_json;
pub mod convert;
pub mod envelope;
pub mod grpc;
pub mod input;
pub mod json;
pub mod table;
pub mod time;

use std::borrow::Cow;

pub use table::{Table, Value};
pub use time::Time;

/// The system that a message came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// AMQP 0-9-1.
    Amqp,
    /// Kafka.
    Kafka,
}

impl Protocol {
    /// The envelope's `protocol`.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Amqp => "amqp",
            Protocol::Kafka => "kafka",
        }
    }
}

/// Bytes that may be null (a Kafka tombstone) or not there at all: three different things.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Field<'a> {
    /// Not said.
    #[default]
    Absent,
    /// Said to be null.
    Null,
    /// These bytes, which may be none.
    Bytes(Cow<'a, [u8]>),
}

impl<'a> Field<'a> {
    /// Borrowed bytes.
    pub fn borrowed(bytes: &'a [u8]) -> Field<'a> {
        Field::Bytes(Cow::Borrowed(bytes))
    }

    /// `None` is null.
    pub fn nullable(bytes: Option<&'a [u8]>) -> Field<'a> {
        bytes.map_or(Field::Null, Field::borrowed)
    }

    /// The bytes, when there are any (none is not the same as empty).
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Field::Bytes(bytes) => Some(bytes),
            Field::Absent | Field::Null => None,
        }
    }

    /// True for [`Field::Absent`].
    pub fn is_absent(&self) -> bool {
        matches!(self, Field::Absent)
    }
}

/// One Kafka header: its name, and its value, which may be null.
pub type KafkaHeader<'a> = (Cow<'a, str>, Option<Cow<'a, [u8]>>);

/// Headers in the shape of the system that they belong to.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Headers<'a> {
    /// None were said. An empty list or table is something else.
    #[default]
    Absent,
    /// Ordered, duplicates kept.
    Kafka(Vec<KafkaHeader<'a>>),
    /// Typed values by name.
    Amqp(Table<'a>),
}

/// A message of either system, with what it says about itself. What a system does not have is `None` or absent.
///
/// It borrows from the buffer that it was read from, so that a message can pass through without a copy.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Message<'a> {
    /// The system that it came from; `None` for one written by hand.
    pub protocol: Option<Protocol>,
    /// Kafka topic.
    pub topic: Option<Cow<'a, str>>,
    /// Kafka partition.
    pub partition: Option<i32>,
    /// Kafka offset.
    pub offset: Option<i64>,
    /// AMQP exchange that it was published to; empty for the default exchange.
    pub exchange: Option<Cow<'a, str>>,
    /// AMQP routing key.
    pub routing_key: Option<Cow<'a, str>>,
    /// AMQP queue that it was read from.
    pub queue: Option<Cow<'a, str>>,
    /// AMQP: delivered before.
    pub redelivered: Option<bool>,
    /// When it was made, as precise as the system is.
    pub timestamp: Option<Time>,
    /// Kafka key.
    pub key: Field<'a>,
    /// Headers.
    pub headers: Headers<'a>,
    /// The body.
    pub value: Field<'a>,
    /// AMQP basic properties without headers and timestamp; boxed, because Kafka's messages have none.
    pub properties: Option<Box<Properties<'a>>>,
}

/// The AMQP basic properties that are neither headers nor timestamp (AMQP 0-9-1, class basic).
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Properties<'a> {
    /// MIME type of the body.
    #[serde(borrow, deserialize_with = "envelope::text", skip_serializing_if = "Option::is_none")]
    pub content_type: Option<Cow<'a, str>>,
    /// MIME encoding of the body.
    #[serde(borrow, deserialize_with = "envelope::text", skip_serializing_if = "Option::is_none")]
    pub content_encoding: Option<Cow<'a, str>>,
    /// 1 transient, 2 persistent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery_mode: Option<u8>,
    /// 0 to 255; queues take it up to their `x-max-priority`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// Which request this answers.
    #[serde(borrow, deserialize_with = "envelope::text", skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<Cow<'a, str>>,
    /// Queue for the answer.
    #[serde(borrow, deserialize_with = "envelope::text", skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<Cow<'a, str>>,
    /// Time to live in milliseconds, as a string of digits.
    #[serde(borrow, deserialize_with = "envelope::text", skip_serializing_if = "Option::is_none")]
    pub expiration: Option<Cow<'a, str>>,
    /// The application's id of the message.
    #[serde(borrow, deserialize_with = "envelope::text", skip_serializing_if = "Option::is_none")]
    pub message_id: Option<Cow<'a, str>>,
    /// The application's name of the kind of message.
    #[serde(rename = "type", borrow, deserialize_with = "envelope::text", skip_serializing_if = "Option::is_none")]
    pub kind: Option<Cow<'a, str>>,
    /// The user who published; the broker checks it.
    #[serde(borrow, deserialize_with = "envelope::text", skip_serializing_if = "Option::is_none")]
    pub user_id: Option<Cow<'a, str>>,
    /// The application that published.
    #[serde(borrow, deserialize_with = "envelope::text", skip_serializing_if = "Option::is_none")]
    pub app_id: Option<Cow<'a, str>>,
    /// Deprecated by the specification, but on the wire.
    #[serde(borrow, deserialize_with = "envelope::text", skip_serializing_if = "Option::is_none")]
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
