//! Between AMQP deliveries and [`Message`]s.

use std::borrow::Cow;

use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::ShortString;

use crate::message::amqp_json::short_string;
use crate::message::{Field, Headers, Message, Properties, Protocol, Time};

/// The message in a delivery; it borrows the body and the names.
pub fn incoming<'a>(delivery: &'a Delivery, queue: &'a str) -> Message<'a> {
    let properties = &delivery.properties;
    Message {
        protocol: Some(Protocol::Amqp),
        exchange: Some(Cow::Borrowed(delivery.exchange.as_str())),
        routing_key: Some(Cow::Borrowed(delivery.routing_key.as_str())),
        queue: Some(Cow::Borrowed(queue)),
        redelivered: Some(delivery.redelivered),
        timestamp: properties.timestamp().map(Time::Seconds),
        headers: properties.headers().clone().map_or(Headers::Absent, Headers::Amqp),
        value: Field::borrowed(&delivery.data),
        properties: own_properties(properties),
        ..Message::default()
    }
}

/// The properties that are neither headers nor timestamp; `None` when there are none.
fn own_properties(p: &BasicProperties) -> Option<Box<Properties>> {
    let text = |s: &Option<ShortString>| s.as_ref().map(|s| s.as_str().to_owned());
    let own = Properties {
        content_type: text(p.content_type()),
        content_encoding: text(p.content_encoding()),
        delivery_mode: *p.delivery_mode(),
        priority: *p.priority(),
        correlation_id: text(p.correlation_id()),
        reply_to: text(p.reply_to()),
        expiration: text(p.expiration()),
        message_id: text(p.message_id()),
        kind: text(p.kind()),
        user_id: text(p.user_id()),
        app_id: text(p.app_id()),
        cluster_id: text(p.cluster_id()),
    };
    (own != Properties::default()).then(|| Box::new(own))
}

/// A message in the shape of `basic.publish`.
#[derive(Debug, Clone, Default)]
pub struct Outgoing {
    /// The exchange; empty for the default one.
    pub exchange: ShortString,
    /// The routing key.
    pub routing_key: ShortString,
    /// All properties with headers and timestamp.
    pub properties: BasicProperties,
    /// The body.
    pub body: Vec<u8>,
}

impl Outgoing {
    /// Makes one of a message that [`crate::message::convert::to_amqp`] shaped.
    ///
    /// # Errors
    /// A sentence: a text is over AMQP's 255 bytes, a timestamp lies before 1970, exchange and routing key are both empty.
    pub fn new(message: Message<'_>) -> Result<Outgoing, String> {
        let named = |name: &str, text: &str| short_string(text).map_err(|e| format!("{name} {e}"));
        let mut properties = own_wire(message.properties.as_deref())?;
        if let Some(time) = message.timestamp {
            properties = properties.with_timestamp(time.seconds().ok_or("the timestamp lies before 1970")?);
        }
        if let Headers::Amqp(table) = message.headers {
            properties = properties.with_headers(table);
        }
        let exchange = named("exchange", message.exchange.as_deref().unwrap_or_default())?;
        let routing_key = named("routing key", message.routing_key.as_deref().unwrap_or_default())?;
        if exchange.as_str().is_empty() && routing_key.as_str().is_empty() {
            return Err("neither an exchange nor a routing key: nothing says where to publish to".to_owned());
        }
        let body = match message.value {
            Field::Bytes(body) => body.into_owned(),
            Field::Null | Field::Absent => Vec::new(),
        };
        Ok(Outgoing { exchange, routing_key, properties, body })
    }
}

fn own_wire(own: Option<&Properties>) -> Result<BasicProperties, String> {
    let mut wire = BasicProperties::default();
    let Some(own) = own else { return Ok(wire) };
    type Setter = fn(BasicProperties, ShortString) -> BasicProperties;
    let texts: [(&str, &Option<String>, Setter); 10] = [
        ("content_type", &own.content_type, BasicProperties::with_content_type),
        ("content_encoding", &own.content_encoding, BasicProperties::with_content_encoding),
        ("correlation_id", &own.correlation_id, BasicProperties::with_correlation_id),
        ("reply_to", &own.reply_to, BasicProperties::with_reply_to),
        ("expiration", &own.expiration, BasicProperties::with_expiration),
        ("message_id", &own.message_id, BasicProperties::with_message_id),
        ("type", &own.kind, BasicProperties::with_type),
        ("user_id", &own.user_id, BasicProperties::with_user_id),
        ("app_id", &own.app_id, BasicProperties::with_app_id),
        ("cluster_id", &own.cluster_id, BasicProperties::with_cluster_id),
    ];
    for (name, text, set) in texts {
        if let Some(text) = text {
            wire = set(wire, short_string(text).map_err(|e| format!("{name} {e}"))?);
        }
    }
    if let Some(mode) = own.delivery_mode {
        wire = wire.with_delivery_mode(mode);
    }
    if let Some(priority) = own.priority {
        wire = wire.with_priority(priority);
    }
    Ok(wire)
}
