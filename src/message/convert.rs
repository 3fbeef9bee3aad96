//! From one system's message to the other's: what fits goes where its user looks for it, what does not fit rides along.
//!
//! | Kafka | AMQP |
//! |---|---|
//! | key | routing key |
//! | header with a string | header with a long string |
//! | timestamp (ms) | timestamp (s) |
//!
//! What the other system cannot express (typed headers and properties; repeated, null or unsorted headers, a null key or
//! value) is kept in one header, [`ORIGIN_HEADER`]: the envelope of the original without its value. On the way back that
//! header is taken out again and the original put together from it, so that there-and-back changes nothing. What stands in
//! the message itself is stronger: a header, key or body that was changed on the way stays as it was changed, and a header
//! of that name which is no such envelope is a header like any other.

use std::borrow::Cow;

use super::table::{Table, Value, check_short};
use super::{Field, Headers, KafkaHeader, Message, Protocol, amqp_json, envelope};

/// The header that holds the envelope of a message from the other system, without its value.
pub const ORIGIN_HEADER: &str = "mscomm-origin";

/// Headers that RabbitMQ adds to what it delivers; they say nothing about what was sent.
const BROKER_MADE: &[&str] =
    &["x-delivery-count", "x-acquired-count", "x-death", "x-first-death-", "x-last-death-", "x-stream-offset"];

/// Gives a message the shape of a Kafka record: Kafka headers, a key.
pub fn to_kafka(mut message: Message<'_>) -> Message<'_> {
    let table = match std::mem::take(&mut message.headers) {
        Headers::Amqp(table) => Some(table),
        Headers::Absent => None,
        Headers::Kafka(headers) => {
            message.headers = Headers::Kafka(headers);
            take_key(&mut message);
            return carry_properties(message);
        }
    };
    if let Some(table) = &table
        && let Some(Value::Text(text)) = table.get(ORIGIN_HEADER)
        && let Some(original) = original(text, Protocol::Kafka)
    {
        return back_to_kafka(message, table, original);
    }
    let no_table = Table::default();
    let entries = table.as_ref().unwrap_or(&no_table);
    let mut headers = headers_of(entries);
    // What a broker delivered has a routing key, which may not be the one that it is published with on the way back.
    let plain = entries.iter().all(|(_, value)| matches!(value, Value::Text(_)));
    let carries = message.protocol == Some(Protocol::Amqp) || !plain || message.properties.is_some();
    let present = table.is_some();
    if carries {
        let properties = message.properties.take();
        let theirs = table.map_or(Headers::Absent, Headers::Amqp);
        let carried = Message { headers: theirs, properties, ..origin_of(&message, Protocol::Amqp) };
        headers.retain(|(name, _)| name != ORIGIN_HEADER);
        headers.push((ORIGIN_HEADER.into(), Some(Cow::Owned(written(&carried)))));
    }
    if present || carries {
        message.headers = Headers::Kafka(headers);
    }
    take_key(&mut message);
    message
}

/// The record that an AMQP message once was, with what was changed since.
fn back_to_kafka<'a>(mut message: Message<'a>, table: &Table<'a>, original: Message<'static>) -> Message<'a> {
    let was = match &original.headers {
        Headers::Kafka(headers) => headers.as_slice(),
        Headers::Absent | Headers::Amqp(_) => &[],
    };
    let visible: Vec<_> = headers_of(table).into_iter().filter(|(name, _)| name != ORIGIN_HEADER).collect();
    let broker_made = |name: &str| BROKER_MADE.iter().any(|made| name.starts_with(made));
    let unchanged = table_of(was).is_ok_and(|was| {
        let added = |name: &str| was.get(name).is_none() && !broker_made(name);
        was.iter().all(|(name, value)| name == ORIGIN_HEADER || table.get(name) == Some(value))
            && !visible.iter().any(|(name, _)| added(name))
    });
    message.headers = if unchanged { original.headers } else { Headers::Kafka(visible) };
    if message.key.is_absent() {
        message.key = original.key;
    }
    let seconds = |time: Option<super::Time>| time.and_then(super::Time::seconds);
    if message.timestamp.is_none() || seconds(message.timestamp) == seconds(original.timestamp) {
        message.timestamp = original.timestamp.or(message.timestamp);
    }
    if original.value == Field::Null && message.value.bytes().is_some_and(<[u8]>::is_empty) {
        message.value = Field::Null;
    }
    message.properties = None;
    message
}

/// Properties beside Kafka headers, as in an envelope written by hand.
fn carry_properties(mut message: Message<'_>) -> Message<'_> {
    if let Some(properties) = message.properties.take() {
        let carried = Message { properties: Some(properties), ..origin_of(&message, Protocol::Amqp) };
        let carried = written(&carried);
        if let Headers::Kafka(headers) = &mut message.headers {
            headers.push((ORIGIN_HEADER.into(), Some(Cow::Owned(carried))));
        }
    }
    message
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

/// A table as Kafka headers: long strings as they are, every other type as JSON.
fn headers_of<'a>(table: &Table<'a>) -> Vec<KafkaHeader<'a>> {
    let value = |value: &Value<'a>| match value {
        Value::Void => None,
        Value::Text(text) => Some(text.clone()),
        other => {
            let mut out = Vec::new();
            amqp_json::write_value(&mut out, other);
            Some(Cow::Owned(out))
        }
    };
    table.iter().map(|(name, v)| (name.clone(), value(v))).collect()
}

/// Gives a message the shape of an AMQP one: a table of headers, a routing key.
///
/// `routing_key` is the key that the user demands, in place of the message's own.
///
/// # Errors
/// A sentence about a header name over 255 bytes.
pub fn to_amqp<'a>(mut message: Message<'a>, routing_key: Option<&'a str>) -> Result<Message<'a>, String> {
    let from_kafka =
        matches!(message.headers, Headers::Kafka(_)) || !message.key.is_absent() || message.value == Field::Null;
    if from_kafka {
        message = kafka_to_amqp(message, routing_key)?;
    }
    if let Some(routing_key) = routing_key {
        message.routing_key = Some(Cow::Borrowed(routing_key));
    }
    Ok(message)
}

fn kafka_to_amqp<'a>(mut message: Message<'a>, demanded: Option<&str>) -> Result<Message<'a>, String> {
    let says_headers = message.headers != Headers::Absent;
    let headers = match std::mem::take(&mut message.headers) {
        Headers::Kafka(headers) => headers,
        Headers::Absent => Vec::new(),
        Headers::Amqp(table) => {
            // Written by hand: AMQP headers beside a key. The key routes, nothing is left over.
            message.headers = Headers::Amqp(table);
            route_by_key(&mut message);
            return Ok(message);
        }
    };
    if let Some((_, Some(text))) = headers.iter().find(|(name, _)| name == ORIGIN_HEADER)
        && let Some(original) = original(text, Protocol::Amqp)
    {
        return back_to_amqp(message, headers, original);
    }
    let sorted = headers.windows(2).all(|pair| pair[0].0 < pair[1].0);
    let valued = headers.iter().all(|(_, value)| value.is_some());
    let key_fits = match (&message.key, demanded) {
        (Field::Absent, _) => true,
        (Field::Null, _) => false,
        (Field::Bytes(key), None) => key.len() <= 255 && std::str::from_utf8(key).is_ok(),
        (Field::Bytes(key), Some(demanded)) => **key == *demanded.as_bytes(),
    };
    let mut table = table_of(&headers)?;
    if !(sorted && valued && key_fits && message.value != Field::Null) {
        let mut carried = origin_of(&message, Protocol::Kafka);
        carried.key = message.key.clone();
        carried.headers = Headers::Kafka(headers);
        carried.value = if message.value == Field::Null { Field::Null } else { Field::Absent };
        table.insert(ORIGIN_HEADER, Value::Text(written(&carried).into()));
    }
    if says_headers || !table.is_empty() {
        message.headers = Headers::Amqp(table);
    }
    route_by_key(&mut message);
    if message.value == Field::Null {
        message.value = Field::borrowed(b"");
    }
    Ok(message)
}

/// The AMQP message that a Kafka record once was, with what was changed since.
fn back_to_amqp<'a>(
    mut message: Message<'a>,
    headers: Vec<KafkaHeader<'a>>,
    original: Message<'static>,
) -> Result<Message<'a>, String> {
    let visible: Vec<_> = headers.into_iter().filter(|(name, _)| name != ORIGIN_HEADER).collect();
    let was = match &original.headers {
        Headers::Amqp(table) => headers_of(table),
        Headers::Absent | Headers::Kafka(_) => Vec::new(),
    };
    message.headers = match original.headers {
        // A header of our own name that was there before us is not to be seen any more.
        theirs if was.iter().filter(|(name, _)| name != ORIGIN_HEADER).eq(visible.iter()) => theirs,
        _ => Headers::Amqp(table_of(&visible)?),
    };
    let key = message.key.bytes();
    if key.is_none() || key == original.routing_key.as_deref().map(str::as_bytes) {
        message.routing_key = original.routing_key.or(message.routing_key);
    }
    message.exchange = original.exchange.or(message.exchange);
    // Every record has a timestamp, so that only the original knows whether the message had one.
    message.timestamp = original.timestamp;
    message.properties = message.properties.or(original.properties);
    route_by_key(&mut message);
    Ok(message)
}

fn route_by_key(message: &mut Message<'_>) {
    if message.routing_key.is_none()
        && let Some(Ok(key)) = message.key.bytes().map(std::str::from_utf8)
        && key.len() <= 255
    {
        message.routing_key = Some(Cow::Owned(key.to_owned()));
    }
}

/// Repeated names become one array.
fn table_of<'a>(headers: &[KafkaHeader<'a>]) -> Result<Table<'a>, String> {
    let mut sorted: Vec<_> = headers.iter().collect();
    sorted.sort_by(|(a, _), (b, _)| a.cmp(b));
    let value = |(_, value): &&KafkaHeader<'a>| value.clone().map_or(Value::Void, Value::Text);
    let entry = |same: &[&KafkaHeader<'a>]| {
        let name = same.first().map(|(name, _)| name.clone()).unwrap_or_default();
        check_short(&name)?;
        Ok(match same {
            [only] => (name, value(only)),
            _ => (name, Value::Array(same.iter().map(value).collect())),
        })
    };
    sorted.chunk_by(|(a, _), (b, _)| a == b).map(entry).collect()
}

/// What the origin header keeps of every message: where it was, and when.
fn origin_of<'a>(message: &Message<'a>, protocol: Protocol) -> Message<'a> {
    Message {
        protocol: Some(protocol),
        topic: message.topic.clone(),
        partition: message.partition,
        offset: message.offset,
        exchange: message.exchange.clone(),
        routing_key: message.routing_key.clone(),
        timestamp: message.timestamp,
        ..Message::default()
    }
}

fn written(message: &Message<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    envelope::write(&mut out, message);
    out
}

/// The envelope in an origin header; `None` for anything else that someone put there.
fn original(text: &[u8], protocol: Protocol) -> Option<Message<'static>> {
    let message = envelope::read(text).ok()?;
    (message.protocol == Some(protocol)).then(|| message.into_owned())
}

#[cfg(test)]
mod tests {
    use super::super::{Properties, Time};
    use super::*;

    fn kafka(headers: Vec<KafkaHeader<'static>>, key: Field<'static>, value: Field<'static>) -> Message<'static> {
        Message { protocol: Some(Protocol::Kafka), headers: Headers::Kafka(headers), key, value, ..Message::default() }
    }

    fn text(text: &'static str) -> Value<'static> {
        Value::Text(text.as_bytes().into())
    }

    #[test]
    fn plain_messages_carry_nothing_extra() {
        let message =
            kafka(vec![("a".into(), Some(b"1".as_slice().into()))], Field::borrowed(b"k"), Field::borrowed(b"v"));
        let amqp = to_amqp(message.clone(), None).expect("converts");
        let Headers::Amqp(table) = &amqp.headers else { panic!("{amqp:?}") };
        assert_eq!(table.iter().len(), 1);
        assert_eq!(amqp.routing_key.as_deref(), Some("k"));
        let back = to_kafka(Message { key: Field::Absent, ..amqp });
        assert_eq!((back.key, back.headers), (message.key, message.headers));
    }

    #[test]
    fn kafka_there_and_back() {
        let headers: Vec<KafkaHeader<'static>> = vec![
            ("b".into(), Some(b"\xff".as_slice().into())),
            ("a".into(), None),
            ("b".into(), Some(b"".as_slice().into())),
        ];
        for (key, value) in [
            (Field::Null, Field::Null),
            (Field::borrowed(b"\xff"), Field::borrowed(b"v")),
            (Field::borrowed(b"k"), Field::borrowed(b"")),
        ] {
            let message = kafka(headers.clone(), key, value);
            let amqp = to_amqp(message.clone(), Some("orders")).expect("converts");
            assert_eq!(amqp.routing_key.as_deref(), Some("orders"));
            let received = Message { key: Field::Absent, protocol: Some(Protocol::Amqp), ..amqp };
            let back = to_kafka(received);
            assert_eq!((back.key, back.headers, back.value), (message.key, message.headers, message.value));
        }
    }

    #[test]
    fn amqp_there_and_back() {
        let table = Table::from_iter([("n".into(), Value::U32(7)), ("s".into(), text("x"))]);
        let message = Message {
            protocol: Some(Protocol::Amqp),
            routing_key: Some("rk".into()),
            headers: Headers::Amqp(table),
            value: Field::borrowed(b"v"),
            timestamp: Some(Time::Seconds(7)),
            properties: Some(Box::new(Properties { app_id: Some("app".into()), ..Properties::default() })),
            ..Message::default()
        };
        let record = to_kafka(message.clone());
        assert_eq!(record.key, Field::borrowed(b"rk"));
        let received = Message { routing_key: None, ..record };
        let back = to_amqp(received, None).expect("converts");
        assert_eq!(back.headers, message.headers);
        assert_eq!(back.properties, message.properties);
        assert_eq!(back.routing_key, message.routing_key);
        assert_eq!(back.timestamp, message.timestamp);
    }

    #[test]
    fn what_was_changed_on_the_way_stays() {
        let message =
            kafka(vec![("a".into(), None), ("z".into(), Some(b"1".as_slice().into()))], Field::Null, Field::Null);
        let received = |amqp: Message<'static>| Message { key: Field::Absent, protocol: Some(Protocol::Amqp), ..amqp };
        let amqp = received(to_amqp(message, Some("q")).expect("converts"));

        let edited = to_kafka(Message { value: Field::borrowed(b"new"), ..amqp.clone() });
        assert_eq!(edited.value, Field::borrowed(b"new"));

        let Headers::Amqp(mut table) = amqp.headers.clone() else { panic!("{amqp:?}") };
        table.insert("x-delivery-count", Value::I64(1));
        let delivered = to_kafka(Message { headers: Headers::Amqp(table.clone()), ..amqp.clone() });
        let Headers::Kafka(headers) = &delivered.headers else { panic!("{delivered:?}") };
        assert_eq!(headers.len(), 2, "what the broker added is not ours");

        table.insert("z", text("2"));
        let edited = to_kafka(Message { headers: Headers::Amqp(table), key: Field::borrowed(b"k"), ..amqp });
        let Headers::Kafka(headers) = &edited.headers else { panic!("{edited:?}") };
        assert!(headers.contains(&("z".into(), Some(b"2".as_slice().into()))), "{headers:?}");
        assert_eq!((edited.key, edited.value), (Field::borrowed(b"k"), Field::Null));
    }

    #[test]
    fn typed_headers_that_were_changed_stay_changed() {
        let table = Table::from_iter([("n".into(), Value::U32(7))]);
        let message = Message {
            protocol: Some(Protocol::Amqp),
            routing_key: Some("rk".into()),
            headers: Headers::Amqp(table),
            value: Field::borrowed(b"v"),
            ..Message::default()
        };
        let mut record = to_kafka(message);
        record.routing_key = None;
        let Headers::Kafka(headers) = &mut record.headers else { panic!("no headers") };
        headers[0].1 = Some(b"8".as_slice().into());
        record.key = Field::borrowed(b"other");
        let back = to_amqp(record, None).expect("converts");
        let Headers::Amqp(table) = &back.headers else { panic!("{back:?}") };
        assert_eq!(table.get("n"), Some(&text("8")));
        assert_eq!(back.routing_key.as_deref(), Some("other"));
    }

    #[test]
    fn a_header_of_that_name_may_be_anything() {
        for text in ["mine", r#"{"protocol":"amqp"}"#, "{}"] {
            let message = kafka(
                vec![(ORIGIN_HEADER.into(), Some(text.as_bytes().into()))],
                Field::borrowed(b"k"),
                Field::borrowed(b"v"),
            );
            let amqp = to_amqp(message.clone(), None).expect("converts");
            let back = to_kafka(Message { key: Field::Absent, ..amqp });
            if text != r#"{"protocol":"amqp"}"# {
                assert_eq!(back.headers, message.headers, "{text}");
            }
        }
    }
}
