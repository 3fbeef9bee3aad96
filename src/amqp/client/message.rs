//! Between AMQP deliveries and [`Message`]s: the only place that knows both lapin's types and those of messages.

use std::borrow::Cow;
use std::collections::BTreeMap;

use amq_protocol::frame::{AMQPFrame, WriteContext, gen_frame};
use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, ByteArray, DecimalValue, FieldArray, FieldTable, LongString, ShortString};

use crate::message::table::check_short;
use crate::message::{Field, Headers, Message, Properties, Protocol, Table, Time, Value};

/// The message in a delivery, from which it borrows all texts and bytes.
pub fn incoming<'a>(delivery: &'a Delivery, queue: &'a str) -> Message<'a> {
    let properties = &delivery.properties;
    Message {
        protocol: Some(Protocol::Amqp),
        exchange: Some(Cow::Borrowed(delivery.exchange.as_str())),
        routing_key: Some(Cow::Borrowed(delivery.routing_key.as_str())),
        queue: Some(Cow::Borrowed(queue)),
        redelivered: Some(delivery.redelivered),
        timestamp: properties.timestamp().map(Time::Seconds),
        headers: properties.headers().as_ref().map_or(Headers::Absent, |table| Headers::Amqp(own_table(table))),
        value: Field::borrowed(&delivery.data),
        properties: own_properties(properties),
        ..Message::default()
    }
}

/// The properties that are neither headers nor timestamp; `None` when there are none.
fn own_properties(p: &BasicProperties) -> Option<Box<Properties<'_>>> {
    fn text(text: &Option<ShortString>) -> Option<Cow<'_, str>> {
        text.as_ref().map(|text| Cow::Borrowed(text.as_str()))
    }
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

fn own_table(table: &FieldTable) -> Table<'_> {
    table.inner().iter().map(|(name, value)| (Cow::Borrowed(name.as_str()), own_value(value))).collect()
}

fn own_value(value: &AMQPValue) -> Value<'_> {
    match value {
        AMQPValue::Void => Value::Void,
        AMQPValue::Boolean(b) => Value::Bool(*b),
        AMQPValue::ShortShortInt(n) => Value::I8(*n),
        AMQPValue::ShortShortUInt(n) => Value::U8(*n),
        AMQPValue::ShortInt(n) => Value::I16(*n),
        AMQPValue::ShortUInt(n) => Value::U16(*n),
        AMQPValue::LongInt(n) => Value::I32(*n),
        AMQPValue::LongUInt(n) => Value::U32(*n),
        AMQPValue::LongLongInt(n) => Value::I64(*n),
        AMQPValue::Float(f) => Value::F32(*f),
        AMQPValue::Double(f) => Value::F64(*f),
        AMQPValue::DecimalValue(d) => Value::Decimal { scale: d.scale, value: d.value },
        AMQPValue::Timestamp(t) => Value::Timestamp(*t),
        // amq-protocol never reads this type from the wire, where RabbitMQ's `s` is a 16-bit integer.
        AMQPValue::ShortString(text) => Value::Text(text.as_str().as_bytes().into()),
        AMQPValue::LongString(text) => Value::Text(text.as_bytes().into()),
        AMQPValue::ByteArray(bytes) => Value::Bytes(bytes.as_slice().into()),
        AMQPValue::FieldArray(items) => Value::Array(items.as_slice().iter().map(own_value).collect()),
        AMQPValue::FieldTable(table) => Value::Table(own_table(table)),
    }
}

/// A table for lapin.
///
/// # Errors
/// A sentence about a name over 255 bytes.
fn wire_table(table: Table<'_>) -> Result<FieldTable, String> {
    let entry = |(name, value)| Ok((short_string(name)?, wire_value(value)?));
    table.into_iter().map(entry).collect::<Result<BTreeMap<_, _>, String>>().map(FieldTable::from)
}

/// A value for lapin.
///
/// # Errors
/// A sentence about a name over 255 bytes, in a table.
pub(crate) fn wire_value(value: Value<'_>) -> Result<AMQPValue, String> {
    Ok(match value {
        Value::Void => AMQPValue::Void,
        Value::Bool(b) => AMQPValue::Boolean(b),
        Value::I8(n) => AMQPValue::ShortShortInt(n),
        Value::U8(n) => AMQPValue::ShortShortUInt(n),
        Value::I16(n) => AMQPValue::ShortInt(n),
        Value::U16(n) => AMQPValue::ShortUInt(n),
        Value::I32(n) => AMQPValue::LongInt(n),
        Value::U32(n) => AMQPValue::LongUInt(n),
        Value::I64(n) => AMQPValue::LongLongInt(n),
        Value::F32(f) => AMQPValue::Float(f),
        Value::F64(f) => AMQPValue::Double(f),
        Value::Decimal { scale, value } => AMQPValue::DecimalValue(DecimalValue { scale, value }),
        Value::Timestamp(t) => AMQPValue::Timestamp(t),
        Value::Text(text) => AMQPValue::LongString(LongString::from(text.into_owned())),
        Value::Bytes(bytes) => AMQPValue::ByteArray(ByteArray::from(bytes.into_owned())),
        Value::Array(items) => {
            AMQPValue::FieldArray(FieldArray::from(items.into_iter().map(wire_value).collect::<Result<Vec<_>, _>>()?))
        }
        Value::Table(table) => AMQPValue::FieldTable(wire_table(table)?),
    })
}

/// A short string for lapin.
///
/// # Errors
/// A sentence that names the limit.
pub(crate) fn short_string<'a>(text: impl Into<Cow<'a, str>>) -> Result<ShortString, String> {
    let text = text.into();
    check_short(&text)?;
    ShortString::try_new(text).map_err(|e| e.to_string())
}

/// A message in the shape of `basic.publish`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outgoing {
    /// The exchange; empty for the default one.
    pub exchange: ShortString,
    /// The routing key.
    pub routing_key: ShortString,
    /// All properties with headers and timestamp.
    pub properties: BasicProperties,
    /// The body.
    pub body: Vec<u8>,
    /// It is returned when no queue wants it.
    pub mandatory: bool,
}

impl Outgoing {
    /// Makes one of a message that [`crate::message::convert::to`] shaped.
    ///
    /// # Errors
    /// A sentence: a text is over AMQP's 255 bytes, a timestamp lies before 1970, exchange and routing key are both empty, or
    /// RabbitMQ would close the channel, and with it the work on all others, for an `expiration`, a
    /// `delivery_mode` or a `CC` that it cannot read.
    pub(crate) fn new(message: Message<'_>) -> Result<Outgoing, String> {
        let mut properties = wire_properties(message.properties)?;
        if let Some(time) = message.timestamp {
            properties = properties.with_timestamp(time.seconds().ok_or("the timestamp lies before 1970")?);
        }
        if let Headers::Amqp(table) = message.headers {
            check_copies(&table)?;
            if let Some(name) = table.iter().find_map(|(name, value)| (!is_finite(value)).then_some(name)) {
                return Err(format!(
                    "header `{name}` holds a number that is none (NaN, or an infinity): RabbitMQ cannot read it, and would end \
                     the connection"
                ));
            }
            properties = properties.with_headers(wire_table(table)?);
        }
        Outgoing::of(message.exchange, message.routing_key, message.value, properties)
    }

    /// With properties that are made already.
    ///
    /// # Errors
    /// As [`Outgoing::new`].
    pub(crate) fn of(
        exchange: Option<Cow<'_, str>>,
        routing_key: Option<Cow<'_, str>>,
        value: Field<'_>,
        properties: BasicProperties,
    ) -> Result<Outgoing, String> {
        let named = |name: &str, text: Option<Cow<'_, str>>| {
            short_string(text.unwrap_or_default()).map_err(|e| format!("{name} {e}"))
        };
        let exchange = named("exchange", exchange)?;
        let routing_key = named("routing key", routing_key)?;
        if exchange.as_str().is_empty() && routing_key.as_str().is_empty() {
            return Err("neither an exchange nor a routing key: nothing says where to publish to".to_owned());
        }
        let body = match value {
            Field::Bytes(body) => body.into_owned(),
            Field::Null | Field::Absent => Vec::new(),
        };
        Ok(Outgoing { exchange, routing_key, properties, body, mandatory: false })
    }
}

/// RabbitMQ's headers with more routing keys (rabbit_basic, `header_routes`).
fn check_copies(table: &Table<'_>) -> Result<(), String> {
    let is_list = |name: &str| table.get(name).is_none_or(|value| matches!(value, Value::Array(_)));
    match ["CC", "BCC"].into_iter().find(|name| !is_list(name)) {
        Some(name) => Err(format!("the header {name} is for RabbitMQ a list of routing keys, as [\"a\",\"b\"]")),
        None => Ok(()),
    }
}

/// The longest time that RabbitMQ takes, in milliseconds: ten years (rabbit_misc, `check_expiry`).
const LONGEST: u64 = 10 * 365 * 86_400_000;

/// RabbitMQ takes whole milliseconds (rabbit_basic, `parse_expiration`).
fn check_expiration(text: &str) -> Result<(), String> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!("expiration {text:?} is no number of milliseconds, as \"30000\""));
    }
    // What does not even fit is too long as well.
    match text.parse::<u64>() {
        Ok(millis) if millis <= LONGEST => Ok(()),
        _ => Err(format!("expiration {text:?} is too long: RabbitMQ takes at most {LONGEST} milliseconds, ten years")),
    }
}

/// RabbitMQ knows two (rabbit_basic, `is_message_persistent`).
fn check_delivery_mode(mode: u8) -> Result<(), String> {
    match mode {
        1 | 2 => Ok(()),
        other => Err(format!("delivery_mode {other} is none that RabbitMQ knows: 1 is transient, 2 is persistent")),
    }
}

/// Erlang has no other numbers.
fn is_finite(value: &Value<'_>) -> bool {
    match value {
        Value::F32(number) => number.is_finite(),
        Value::F64(number) => number.is_finite(),
        Value::Array(items) => items.iter().all(is_finite),
        Value::Table(table) => table.iter().all(|(_, value)| is_finite(value)),
        _ => true,
    }
}

fn wire_properties(own: Option<Box<Properties<'_>>>) -> Result<BasicProperties, String> {
    let mut wire = BasicProperties::default();
    let Some(own) = own else { return Ok(wire) };
    own.expiration.as_deref().map_or(Ok(()), check_expiration)?;
    own.delivery_mode.map_or(Ok(()), check_delivery_mode)?;
    type Setter = fn(BasicProperties, ShortString) -> BasicProperties;
    let texts: [(&str, Option<Cow<'_, str>>, Setter); 10] = [
        ("content_type", own.content_type, BasicProperties::with_content_type),
        ("content_encoding", own.content_encoding, BasicProperties::with_content_encoding),
        ("correlation_id", own.correlation_id, BasicProperties::with_correlation_id),
        ("reply_to", own.reply_to, BasicProperties::with_reply_to),
        ("expiration", own.expiration, BasicProperties::with_expiration),
        ("message_id", own.message_id, BasicProperties::with_message_id),
        ("type", own.kind, BasicProperties::with_type),
        ("user_id", own.user_id, BasicProperties::with_user_id),
        ("app_id", own.app_id, BasicProperties::with_app_id),
        ("cluster_id", own.cluster_id, BasicProperties::with_cluster_id),
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

/// A frame as bytes.
pub(crate) fn encode(frame: &AMQPFrame) -> Vec<u8> {
    // Writing to a Vec cannot fail.
    gen_frame(frame)(WriteContext::from(Vec::new())).map(|written| written.write).unwrap_or_default()
}

/// The size of the header frame with these properties, which cannot be split (AMQP 0-9-1, section 4.2.6).
pub(crate) fn header_frame(properties: &BasicProperties) -> usize {
    // Type, channel, size and end; class, weight, size of the body, flags.
    const AROUND: usize = 7 + 1 + 2 + 2 + 8 + 2;
    let text = |text: &Option<ShortString>| text.as_ref().map_or(0, short);
    let p = properties;
    let texts = [
        p.content_type(),
        p.content_encoding(),
        p.correlation_id(),
        p.reply_to(),
        p.expiration(),
        p.message_id(),
        p.kind(),
        p.user_id(),
        p.app_id(),
        p.cluster_id(),
    ];
    AROUND
        + texts.into_iter().map(text).sum::<usize>()
        + p.headers().as_ref().map_or(0, table)
        + usize::from(p.delivery_mode().is_some())
        + usize::from(p.priority().is_some())
        + p.timestamp().map_or(0, |_| 8)
}

fn short(text: &ShortString) -> usize {
    1 + text.as_str().len()
}

fn table(table: &FieldTable) -> usize {
    4 + table.inner().iter().map(|(name, inner)| short(name) + 1 + value(inner)).sum::<usize>()
}

/// The size of a value behind the byte of its type.
fn value(of: &AMQPValue) -> usize {
    match of {
        AMQPValue::Void => 0,
        AMQPValue::Boolean(_) | AMQPValue::ShortShortInt(_) | AMQPValue::ShortShortUInt(_) => 1,
        AMQPValue::ShortInt(_) | AMQPValue::ShortUInt(_) => 2,
        AMQPValue::LongInt(_) | AMQPValue::LongUInt(_) | AMQPValue::Float(_) => 4,
        AMQPValue::DecimalValue(_) => 5,
        AMQPValue::LongLongInt(_) | AMQPValue::Double(_) | AMQPValue::Timestamp(_) => 8,
        AMQPValue::ShortString(text) => short(text),
        AMQPValue::LongString(text) => 4 + text.as_bytes().len(),
        AMQPValue::ByteArray(bytes) => 4 + bytes.as_slice().len(),
        AMQPValue::FieldArray(array) => 4 + array.as_slice().iter().map(|inner| 1 + value(inner)).sum::<usize>(),
        AMQPValue::FieldTable(inner) => table(inner),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use amq_protocol::frame::AMQPContentHeader;

    /// A value of every type.
    fn all() -> [AMQPValue; 16] {
        [
            AMQPValue::Void,
            AMQPValue::Boolean(true),
            AMQPValue::ShortShortInt(1),
            AMQPValue::ShortShortUInt(1),
            AMQPValue::ShortInt(1),
            AMQPValue::ShortUInt(1),
            AMQPValue::LongInt(1),
            AMQPValue::LongUInt(1),
            AMQPValue::Float(1.0),
            AMQPValue::DecimalValue(DecimalValue { scale: 1, value: 1 }),
            AMQPValue::LongLongInt(1),
            AMQPValue::Double(1.0),
            AMQPValue::Timestamp(1),
            AMQPValue::ShortString("short".into()),
            AMQPValue::LongString("long".into()),
            AMQPValue::ByteArray(b"bytes"[..].into()),
        ]
    }

    #[test]
    fn every_type_there_and_back() {
        // It has no letter of its own on the wire.
        let is_read = |value: &AMQPValue| !matches!(value, AMQPValue::ShortString(_));
        let mut all: Vec<_> = all().into_iter().filter(is_read).collect();
        all.push(AMQPValue::FieldArray(FieldArray::from(all.clone())));
        let named: BTreeMap<_, _> =
            all.iter().zip(0..).map(|(value, n)| (n.to_string().into(), value.clone())).collect();
        all.push(AMQPValue::FieldTable(named.into()));
        for value in all {
            assert_eq!(wire_value(own_value(&value).into_owned()), Ok(value));
        }
    }

    #[test]
    fn the_size_of_a_header_is_what_goes_out() {
        let mut headers = FieldTable::default();
        let all = all();
        for (at, value) in all.iter().enumerate() {
            headers.insert(at.to_string().into(), value.clone());
        }
        headers.insert("array".into(), AMQPValue::FieldArray(FieldArray::from(all.to_vec())));
        headers.insert("table".into(), AMQPValue::FieldTable(headers.clone()));
        let plain = BasicProperties::default();
        let full = BasicProperties::default()
            .with_headers(headers)
            .with_content_type("type".into())
            .with_content_encoding("encoding".into())
            .with_delivery_mode(2)
            .with_priority(1)
            .with_correlation_id("correlation".into())
            .with_reply_to("reply".into())
            .with_expiration("1".into())
            .with_message_id("message".into())
            .with_timestamp(1)
            .with_type("kind".into())
            .with_user_id("user".into())
            .with_app_id("app".into())
            .with_cluster_id("cluster".into());
        for properties in [plain, full] {
            let size = header_frame(&properties);
            let header = AMQPContentHeader { class_id: 60, body_size: 0, properties };
            assert_eq!(size, encode(&AMQPFrame::Header(1, header)).len());
        }
    }
}
