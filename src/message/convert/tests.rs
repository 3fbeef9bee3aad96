//! From one system to the other, and back.

use super::super::{KafkaHeader, Properties, Table, Time, Value};
use super::*;

fn to_kafka(message: Message<'_>) -> Message<'_> {
    to(Protocol::Kafka, message, None).expect("a record takes everything")
}

/// As it is published, by a key of the user's or not.
fn to_amqp<'a>(message: Message<'a>, routing_key: Option<&'a str>) -> Result<Message<'a>, String> {
    let mut message = to(Protocol::Amqp, message, routing_key)?;
    message.routing_key = routing_key.map(Cow::Borrowed).or(message.routing_key);
    Ok(message)
}

fn kafka(headers: Vec<KafkaHeader<'static>>, key: Field<'static>, value: Field<'static>) -> Message<'static> {
    Message { protocol: Some(Protocol::Kafka), headers: Headers::Kafka(headers), key, value, ..Message::default() }
}

fn text(text: &'static str) -> Value<'static> {
    Value::Text(text.as_bytes().into())
}

#[test]
fn plain_messages_carry_nothing_extra() {
    let message = kafka(vec![("a".into(), Some(b"1".as_slice().into()))], Field::borrowed(b"k"), Field::borrowed(b"v"));
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
    let message = kafka(vec![("a".into(), None), ("z".into(), Some(b"1".as_slice().into()))], Field::Null, Field::Null);
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

/// A message as it is sent to a system, and as that gives it to who reads it there.
fn carried(to: Protocol, message: Message<'static>, routing_key: Option<&'static str>) -> Message<'static> {
    let sent = match to {
        Protocol::Kafka => to_kafka(message),
        Protocol::Amqp => to_amqp(message, routing_key).expect("converts"),
    };
    assert!(sent.headers.system().is_none_or(|system| system == to), "{sent:?}");
    let there = Message { protocol: Some(to), ..Message::default() };
    match to {
        Protocol::Kafka => Message {
            topic: Some("t".into()),
            partition: Some(0),
            offset: Some(7),
            // A record always has one.
            timestamp: sent.timestamp.and_then(Time::millis).or(Some(5000)).map(Time::Millis),
            key: if sent.key.is_absent() { Field::Null } else { sent.key },
            headers: if sent.headers.list().is_empty() { Headers::Absent } else { sent.headers },
            value: if sent.value.is_absent() { Field::Null } else { sent.value },
            ..there
        },
        Protocol::Amqp => Message {
            exchange: sent.exchange.or(Some("".into())),
            routing_key: sent.routing_key.or(Some("".into())),
            queue: Some("q".into()),
            redelivered: Some(false),
            timestamp: sent.timestamp.and_then(Time::seconds).map(Time::Seconds),
            headers: sent.headers,
            value: if sent.value.bytes().is_some() { sent.value } else { Field::borrowed(b"") },
            properties: sent.properties,
            ..there
        },
    }
}

/// What has to come home: all but where it was, and our own header, which says where that is.
fn said(message: &Message<'static>) -> Message<'static> {
    let headers = match message.headers.clone() {
        Headers::Absent => Headers::Absent,
        Headers::Kafka(list) => {
            let list: Vec<_> = list.into_iter().filter(|(name, _)| name != ORIGIN_HEADER).collect();
            if list.is_empty() { Headers::Absent } else { Headers::Kafka(list) }
        }
        Headers::Amqp(table) => Headers::Amqp(table.into_iter().filter(|(name, _)| name != ORIGIN_HEADER).collect()),
    };
    // What no origin goes with is as precise as the coarser of the two.
    let timestamp = message.timestamp.and_then(Time::seconds).map(Time::Seconds);
    let place = Message { topic: None, partition: None, offset: None, ..message.clone() };
    Message { headers, timestamp, ..place }
}

/// Awkward messages by what is awkward about them: as they are read from Kafka and from AMQP, and written by hand.
fn awkward() -> Vec<(&'static str, Message<'static>)> {
    let record = |headers: &[(&'static str, Option<&'static [u8]>)], key: Option<&'static [u8]>, value| {
        let list = headers.iter().map(|(name, value)| ((*name).into(), value.map(Into::into))).collect();
        let timestamp = Some(Time::Millis(1_700_000_000_123));
        Message { timestamp, ..kafka(list, Field::nullable(key), Field::nullable(value)) }
    };
    let table = |entries: &[(&'static str, Value<'static>)]| -> Headers<'static> {
        Headers::Amqp(entries.iter().map(|(name, value)| ((*name).into(), value.clone())).collect())
    };
    let delivery = |headers, properties: Option<Properties<'static>>| Message {
        protocol: Some(Protocol::Amqp),
        exchange: Some("e".into()),
        routing_key: Some("rk".into()),
        headers,
        value: Field::borrowed(b"v"),
        properties: properties.map(Box::new),
        ..Message::default()
    };
    let timestamp = Some(Time::Seconds(1_700_000_000));
    let by_hand =
        |headers, key| Message { timestamp, headers, key, value: Field::borrowed(b"v"), ..Message::default() };
    let properties = Properties { app_id: Some("a\"b".into()), delivery_mode: Some(2), ..Properties::default() };
    let typed = table(&[
        ("array", Value::Array(vec![text("1"), Value::Void, Value::Array(vec![Value::U8(1)])])),
        ("bytes", Value::Bytes(b"\xff"[..].into())),
        ("double", Value::F64(5.0)),
        ("long", Value::I64(7)),
        ("table", Value::Table(Table::from_iter([("$i8".into(), Value::Timestamp(5))]))),
        ("text", text("7")),
        ("void", Value::Void),
    ]);
    let (v, key): (Option<&[u8]>, Option<&[u8]>) = (Some(b"v"), Some(b"k"));
    let mut rows = vec![
        ("a plain record", record(&[("a", v), ("b", Some(b"1"))], key, v)),
        ("nothing but a value", record(&[], None, v)),
        ("null key and value", record(&[], None, None)),
        ("empty key and value", record(&[("", Some(b""))], Some(b""), Some(b""))),
        ("repeated headers", record(&[("a", v), ("a", None), ("a", Some(b"")), ("b", v)], key, v)),
        ("repeated headers that say what an array does", record(&[("a", Some(b"[\"v\"]")), ("a", v)], key, v)),
        ("unsorted headers", record(&[("b", v), ("a", v)], key, v)),
        ("null headers", record(&[("a", None)], key, None)),
        ("bytes in headers", record(&[("a", Some(b"\xff\0"))], key, v)),
        ("a key that is not UTF-8", record(&[], Some(b"\xff"), v)),
        ("a key of 255 bytes", record(&[], Some(&[b'k'; 255]), v)),
        ("a key of 256 bytes", record(&[], Some(&[b'k'; 256]), v)),
        ("headers of the brokers' names", record(&[("x-death", v), ("x-death", v)], key, v)),
        ("a record with our own header", record(&[("a", None), (ORIGIN_HEADER, Some(b"mine"))], key, v)),
        ("a plain delivery", delivery(table(&[("a", text("1"))]), None)),
        ("no headers", delivery(Headers::Absent, None)),
        ("an empty table", delivery(table(&[]), None)),
        ("typed headers", delivery(typed.clone(), None)),
        ("properties", delivery(Headers::Absent, Some(properties.clone()))),
        ("typed headers and properties", delivery(typed.clone(), Some(properties.clone()))),
        (
            "a delivery with our own header",
            delivery(table(&[("a", Value::U8(1)), (ORIGIN_HEADER, text("mine"))]), None),
        ),
        ("AMQP headers beside a key", by_hand(table(&[("a", text("1"))]), Field::borrowed(b"k"))),
        ("typed headers beside a key", by_hand(typed, Field::borrowed(b"k"))),
        ("AMQP headers beside a null key", by_hand(table(&[("a", text("1"))]), Field::Null)),
        ("Kafka headers alone", by_hand(Headers::Kafka(vec![("a".into(), None)]), Field::Absent)),
        ("a key alone", by_hand(Headers::Absent, Field::borrowed(b"\xff"))),
        ("a value alone", by_hand(Headers::Absent, Field::Absent)),
        ("nothing at all", Message::default()),
    ];
    let beside = by_hand(Headers::Kafka(vec![("a".into(), Some(b"1"[..].into()))]), Field::Absent);
    let (routing_key, properties) = (Some("k".into()), Some(Box::new(properties)));
    rows.push(("Kafka headers beside properties", Message { routing_key, properties, ..beside }));
    rows
}

#[test]
fn awkward_messages_there_and_back() {
    let systems = Protocol::value_variants();
    for (what, message) in awkward() {
        for (own, other) in systems.iter().flat_map(|own| systems.iter().map(|other| (*own, *other))) {
            for routing_key in [None, Some("q"), Some("k")] {
                let case = format!("{what}: {own:?}, {other:?}, {own:?} by {routing_key:?}");
                let first = carried(own, message.clone(), routing_key);
                if own == Protocol::Kafka && routing_key.is_some() && first.headers.text(ORIGIN_HEADER).is_some() {
                    // It has its key of an AMQP message, which is routed anew.
                    continue;
                }
                let away = carried(other, first.clone(), routing_key);
                let home = carried(own, away, routing_key);
                assert_eq!(said(&home), said(&first), "{case}");
                // Nobody touches what stays where it is.
                let again = to(own, first.clone(), routing_key).expect("converts");
                assert_eq!(again, first, "{case}");
            }
        }
    }
}
