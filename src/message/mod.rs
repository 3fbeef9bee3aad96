//! The one [`Message`] of all brokers, its JSON Lines envelope, and the ways data comes in.

mod amqp;
pub(crate) mod amqp_json;
pub(crate) mod asker;
mod beginning;
mod bytes;
pub(crate) mod convert;
pub(crate) mod envelope;
pub(crate) mod grpc;
mod header_form;
mod headers;
pub(crate) mod input;
pub(crate) mod json;
mod kafka;
mod neutral;
mod parts;
mod place;
mod schema;
pub(crate) mod table;
pub(crate) mod time;
mod when;

use std::borrow::Cow;
use std::sync::Arc;

pub(crate) use amqp::Properties;
pub(crate) use beginning::Beginning;
pub use bytes::BytesForm;
pub(crate) use bytes::write_bytes;
pub(crate) use header_form::HeaderForm;
pub use header_form::HeaderForms;
pub use headers::Headers;
pub(crate) use headers::Shown;
pub(crate) use kafka::KafkaHeader;
pub use schema::SchemaName;
pub(crate) use table::{Table, Value};
pub use time::Time;
pub(crate) use when::{Unit, When};

/// The system that a message came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
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
    /// By what the key was decoded; it is JSON then.
    pub key_schema: Option<Arc<SchemaName>>,
    /// Headers.
    pub headers: Headers<'a>,
    /// By what the body was decoded; it is JSON then.
    pub schema: Option<Arc<SchemaName>>,
    /// The body.
    pub value: Field<'a>,
    /// AMQP basic properties without headers and timestamp; boxed, because Kafka's messages have none.
    pub properties: Option<Box<Properties<'a>>>,
}

impl Message<'_> {
    /// The same message, borrowing nothing.
    pub fn into_owned(self) -> Message<'static> {
        let text = |v: Option<Cow<'_, str>>| v.map(|v| Cow::Owned(v.into_owned()));
        let field = |f: Field<'_>| match f {
            Field::Absent => Field::Absent,
            Field::Null => Field::Null,
            Field::Bytes(bytes) => Field::Bytes(Cow::Owned(bytes.into_owned())),
        };
        Message {
            protocol: self.protocol,
            topic: text(self.topic),
            partition: self.partition,
            offset: self.offset,
            exchange: text(self.exchange),
            routing_key: text(self.routing_key),
            queue: text(self.queue),
            redelivered: self.redelivered,
            timestamp: self.timestamp,
            key: field(self.key),
            key_schema: self.key_schema,
            headers: self.headers.into_owned(),
            schema: self.schema,
            value: field(self.value),
            properties: self.properties.map(|own| Box::new(own.into_owned())),
        }
    }
}
