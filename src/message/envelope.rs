//! The envelope: one reader and one writer of a [`Message`] as a line of JSON, lossless.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use clap::ValueEnum;
use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::parts::{Text, field_of, json_of};
use super::{
    BytesForm, Field, HeaderForms, Headers, Message, Properties, Protocol, SchemaName, Time, amqp_json, json, kafka,
    write_bytes,
};

/// Appends the envelope of a message, without a line end.
pub fn write(out: &mut Vec<u8>, message: &Message<'_>) {
    write_as(out, message, BytesForm::Auto, &HeaderForms::default());
}

/// The same with key, value and Kafka's headers in this form, and headers in their own where they have one.
pub(crate) fn write_as(out: &mut Vec<u8>, message: &Message<'_>, form: BytesForm, forms: &HeaderForms) {
    // Each by its name, so that a new field does not compile before it is written.
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
    let mut object = json::Object::open(out);
    if let Some(protocol) = protocol {
        object.text("protocol", protocol.name());
    }
    if let Some(topic) = topic {
        object.text("topic", topic);
    }
    if let Some(exchange) = exchange {
        object.text("exchange", exchange);
    }
    if let Some(routing_key) = routing_key {
        object.text("routing_key", routing_key);
    }
    if let Some(queue) = queue {
        object.text("queue", queue);
    }
    if let Some(partition) = partition {
        object.number("partition", *partition);
    }
    if let Some(offset) = offset {
        object.number("offset", *offset);
    }
    if let Some(redelivered) = redelivered {
        object.truth("redelivered", *redelivered);
    }
    if let Some(time) = timestamp {
        time.write_json(object.member("timestamp"));
    }
    field(&mut object, "key", key, key_schema.as_deref(), form);
    if let Some(schema) = key_schema {
        schema.write_json(object.member("key_schema"));
    }
    match headers {
        Headers::Kafka(headers) => kafka::write_headers(object.member("headers"), headers, form, forms),
        _ if headers.system().is_some() => headers.write_json(object.member("headers")),
        _ => {}
    }
    if let Some(schema) = schema {
        schema.write_json(object.member("schema"));
    }
    field(&mut object, "value", value, schema.as_deref(), form);
    if let Some(properties) = properties {
        // A struct of strings and numbers always serialises.
        drop(serde_json::to_writer(object.member("properties"), properties));
    }
    object.close();
}

impl Headers<'_> {
    /// Appends them as JSON; nothing where none were said.
    pub(crate) fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            Headers::Absent => {}
            Headers::Kafka(headers) => kafka::write_headers(out, headers, BytesForm::Auto, &HeaderForms::default()),
            Headers::Amqp(table) => amqp_json::write_table(out, table),
        }
    }
}

#[inline]
fn field(
    object: &mut json::Object<'_>,
    name: &'static str,
    value: &Field<'_>,
    schema: Option<&SchemaName>,
    form: BytesForm,
) {
    match value {
        Field::Absent => {}
        Field::Null => object.member(name).extend_from_slice(b"null"),
        // It is JSON, whatever bytes are written as.
        Field::Bytes(json) if schema.is_some() => object.member(name).extend_from_slice(json),
        Field::Bytes(bytes) => write_bytes(object.member(name), bytes, form),
    }
}

/// Reads one envelope. Strings without escapes are borrowed from `line`.
///
/// # Errors
/// serde_json's, with the column: bad JSON, an unknown or repeated member, a value of the wrong type.
pub fn read(line: &[u8]) -> Result<Message<'_>, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(line);
    let message = Message::deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(message)
}

/// What a reader of JSON found, without the place.
pub(crate) fn fault(error: &serde_json::Error) -> String {
    let (mut text, place) = (error.to_string(), format!(" at line {} column {}", error.line(), error.column()));
    if text.ends_with(&place) {
        text.truncate(text.len() - place.len());
    }
    text
}

/// The members of an envelope.
pub(crate) const MEMBERS: &[&str] = &[
    "protocol",
    "topic",
    "partition",
    "offset",
    "exchange",
    "routing_key",
    "queue",
    "redelivered",
    "timestamp",
    "key",
    "key_schema",
    "headers",
    "schema",
    "value",
    "properties",
];

impl<'de> Deserialize<'de> for Message<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MessageVisitor)
    }
}

struct MessageVisitor;

impl<'de> Visitor<'de> for MessageVisitor {
    type Value = Message<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an envelope, as {\"key\":\"k\",\"value\":\"v\"}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut message = Message::default();
        let (mut key, mut value): (Option<&'de RawValue>, Option<&'de RawValue>) = (None, None);
        let mut seen = 0u32;
        while let Some(Text(name)) = map.next_key()? {
            let Some(index) = MEMBERS.iter().position(|m| *m == name) else {
                map.next_value::<IgnoredAny>()?;
                let near = crate::error::nearest(&name, MEMBERS.iter().copied());
                let fix =
                    near.map_or_else(|| format!("allowed: {}", MEMBERS.join(", ")), |n| format!("did you mean `{n}`?"));
                return Err(de::Error::custom(format!("unknown member `{name}`; {fix}")));
            };
            if seen & (1 << index) != 0 {
                return Err(de::Error::custom(format!("member `{name}` stands there twice")));
            }
            seen |= 1 << index;
            match &*name {
                "protocol" => message.protocol = Some(protocol(&map.next_value::<Text<'de>>()?.0)?),
                "topic" => message.topic = member(&mut map)?,
                "partition" => message.partition = map.next_value()?,
                "offset" => message.offset = map.next_value()?,
                "exchange" => message.exchange = member(&mut map)?,
                "routing_key" => message.routing_key = member(&mut map)?,
                "queue" => message.queue = member(&mut map)?,
                "redelivered" => message.redelivered = map.next_value()?,
                "timestamp" => message.timestamp = map.next_value::<Option<Time>>()?,
                "key" => {
                    let raw = *key.insert(map.next_value()?);
                    message.key = field_of(raw).map_err(de::Error::custom)?;
                }
                "key_schema" => message.key_schema = schema(&mut map)?,
                "headers" => message.headers = map.next_value()?,
                "schema" => message.schema = schema(&mut map)?,
                "value" => {
                    let raw = *value.insert(map.next_value()?);
                    // Nearly always it stands behind its schema.
                    if message.schema.is_none() {
                        message.value = field_of(raw).map_err(de::Error::custom)?;
                    }
                }
                _ => message.properties = map.next_value::<Option<Box<Properties<'de>>>>()?,
            }
        }
        if let (Some(raw), Some(_)) = (key, &message.key_schema) {
            message.key = json_of(raw);
        }
        if let (Some(raw), Some(_)) = (value, &message.schema) {
            message.value = json_of(raw);
        }
        Ok(message)
    }
}

fn schema<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<Arc<SchemaName>>, A::Error> {
    Ok(map.next_value::<Option<SchemaName>>()?.map(Arc::new))
}

fn member<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<Cow<'de, str>>, A::Error> {
    Ok(map.next_value::<Option<Text<'de>>>()?.map(|t| t.0))
}

fn protocol<E: de::Error>(name: &str) -> Result<Protocol, E> {
    let all = Protocol::value_variants();
    all.iter().copied().find(|protocol| protocol.name() == name).ok_or_else(|| {
        let allowed: Vec<_> = all.iter().map(|protocol| protocol.name()).collect();
        E::custom(format!("unknown protocol `{name}`; allowed: {}", allowed.join(", ")))
    })
}

impl<'de> Deserialize<'de> for Headers<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(HeadersVisitor)
    }
}

struct HeadersVisitor;

impl<'de> Visitor<'de> for HeadersVisitor {
    type Value = Headers<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("headers as [[\"name\",\"value\"],…] (Kafka) or {\"name\":value,…} (AMQP)")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Headers::Absent)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        kafka::read_headers(seq).map(Headers::Kafka)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            if object.contains_key(&name) {
                return Err(de::Error::custom(format!("header {name:?} stands there twice, and AMQP keeps only one")));
            }
            object.insert(name, value);
        }
        amqp_json::read_table(object).map(Headers::Amqp).map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TimeVisitor;
        impl<'de> Visitor<'de> for TimeVisitor {
            type Value = Time;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a timestamp as \"2026-11-22T10:00:00.123Z\", {\"$seconds\":n} or {\"$millis\":n}")
            }
            fn visit_str<E: de::Error>(self, v: &str) -> Result<Self::Value, E> {
                Time::parse(v).map_err(E::custom)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let time = match map.next_key::<Text<'de>>()? {
                    Some(Text(tag)) if tag == "$seconds" => Time::Seconds(map.next_value()?),
                    Some(Text(tag)) if tag == "$millis" => Time::Millis(map.next_value()?),
                    _ => return Err(de::Error::invalid_type(de::Unexpected::Map, &self)),
                };
                match map.next_key::<IgnoredAny>()? {
                    None => Ok(time),
                    Some(_) => Err(de::Error::invalid_type(de::Unexpected::Map, &self)),
                }
            }
        }
        deserializer.deserialize_any(TimeVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Table, Value};
    use super::*;

    fn there_and_back(message: &Message<'_>) -> String {
        let mut line = Vec::new();
        write(&mut line, message);
        assert_eq!(&read(&line).expect("an envelope"), message);
        String::from_utf8(line).expect("UTF-8")
    }

    #[test]
    fn kafka_is_lossless() {
        let line = there_and_back(&Message {
            protocol: Some(Protocol::Kafka),
            topic: Some("t".into()),
            partition: Some(2),
            offset: Some(i64::MAX),
            timestamp: Some(Time::Millis(1_700_000_000_000)),
            key: Field::borrowed(b""),
            headers: Headers::Kafka(vec![
                ("h".into(), Some(b"1".as_slice().into())),
                ("h".into(), Some(b"\xff\x00".as_slice().into())),
                ("h".into(), None),
                ("".into(), Some(b"".as_slice().into())),
            ]),
            value: Field::Null,
            ..Message::default()
        });
        assert_eq!(
            line,
            r#"{"protocol":"kafka","topic":"t","partition":2,"offset":9223372036854775807,"timestamp":"2023-11-14T22:13:20.000Z","key":"","headers":[["h","1"],["h",{"$base64":"/wA="}],["h",null],["",""]],"value":null}"#
        );
    }

    #[test]
    fn amqp_is_lossless() {
        let headers = Table::from_iter([("n".into(), Value::U32(7))]);
        there_and_back(&Message {
            protocol: Some(Protocol::Amqp),
            exchange: Some("".into()),
            routing_key: Some("q\n\"".into()),
            queue: Some("q".into()),
            redelivered: Some(false),
            timestamp: Some(Time::Seconds(0)),
            headers: Headers::Amqp(headers),
            value: Field::borrowed(b"\xc3\x28"),
            properties: Some(Box::new(Properties {
                kind: Some("t".into()),
                delivery_mode: Some(2),
                ..Properties::default()
            })),
            ..Message::default()
        });
    }

    #[test]
    fn what_was_decoded_is_json_and_all_else_a_text() {
        for (line, value) in [
            (r#"{"value":{"a":[1, 2]}}"#, r#"{"a":[1,2]}"#),
            (r#"{"value":1.50}"#, "1.50"),
            (r#"{"value":"\"a\""}"#, "\"a\""),
            (r#"{"value":"a\\"}"#, "a\\"),
            (r#"{"value":{"$base64":"YQ=="}}"#, "a"),
            (r#"{"value":{"$hex":"61"}}"#, "a"),
            (r#"{"value":{"$hex":"61","b":1}}"#, r#"{"$hex":"61","b":1}"#),
            (r#"{"schema":{"type":"avro"},"value":"a"}"#, "\"a\""),
            (r#"{"value":"a","schema":{"type":"avro"}}"#, "\"a\""),
            (r#"{"value":"a","schema":null}"#, "a"),
            (r#"{"value":null,"schema":{"type":"avro"}}"#, "null"),
            (r#"{"schema":{"type":"avro"},"value":{"$base64":"YQ=="}}"#, r#"{"$base64":"YQ=="}"#),
        ] {
            let read = read(line.as_bytes()).expect(line);
            assert_eq!(read.value, Field::borrowed(value.as_bytes()), "{line}");
            assert_eq!(there_and_back(&read).contains("schema"), read.schema.is_some());
        }
        assert!(read(br#"{"value":{"$base64":"!"}}"#).is_err());
        assert!(read(br#"{"schema":{"type":"avro","odd":1}}"#).is_err() && read(br#"{"schema":"avro"}"#).is_err());
    }

    /// All fields, so that one which is new does not compile before it is here, and fails before it is read.
    #[test]
    fn every_member_comes_back() {
        let line = there_and_back(&Message {
            protocol: Some(Protocol::Kafka),
            topic: Some("t".into()),
            partition: Some(1),
            offset: Some(2),
            exchange: Some("e".into()),
            routing_key: Some("r".into()),
            queue: Some("q".into()),
            redelivered: Some(true),
            timestamp: Some(Time::Millis(3)),
            key: Field::borrowed(b"[1]"),
            key_schema: Some(Arc::new(SchemaName { kind: "cbor".to_owned(), ..SchemaName::default() })),
            headers: Headers::Kafka(Vec::new()),
            schema: Some(Arc::new(SchemaName {
                kind: "avro".to_owned(),
                id: Some(1),
                subject: Some("s".to_owned()),
                version: Some(2),
                message: Some("m".to_owned()),
            })),
            value: Field::borrowed(b"\"v\""),
            properties: Some(Box::new(Properties { kind: Some("p".into()), ..Properties::default() })),
        });
        let object: Map<String, serde_json::Value> = serde_json::from_str(&line).expect("an object");
        assert_eq!(object.len(), MEMBERS.len());
        assert!(MEMBERS.iter().all(|member| object.contains_key(*member)), "{line}");
        for protocol in Protocol::value_variants() {
            let headers = match protocol {
                Protocol::Amqp => Headers::Amqp(Table::from_iter([("n".into(), Value::U32(7))])),
                Protocol::Kafka => Headers::Kafka(vec![("n".into(), None)]),
            };
            there_and_back(&Message { protocol: Some(*protocol), headers, ..Message::default() });
        }
    }

    #[test]
    fn null_empty_and_absent_differ() {
        let key = |line: &'static str| read(line.as_bytes()).expect(line).key;
        assert_eq!(key("{}"), Field::Absent);
        assert_eq!(key(r#"{"key":null}"#), Field::Null);
        assert_eq!(key(r#"{"key":""}"#), Field::borrowed(b""));
        assert_eq!(key(r#"{"key":"a\u0000"}"#), Field::Bytes(Cow::Owned(b"a\0".to_vec())));
    }

    #[test]
    fn what_is_refused() {
        for (line, says) in [
            (r#"{"vlaue":"x"}"#, "did you mean `value`"),
            (r#"{"value":"x","value":"y"}"#, "twice"),
            (r#"{"value":{"$base64":"?"}}"#, "base64"),
            (r#"{"value":"x"} x"#, "trailing"),
            (r#"{"value":"x""#, "EOF"),
            (r#"{"protocol":"mqtt"}"#, "amqp, kafka"),
            (r#"{"headers":{"a":{"$u8":300}}}"#, "$u8"),
            (r#"{"headers":[["a"]]}"#, "header"),
            (r#"{"headers":{"a":1,"a":2}}"#, "twice"),
            (r#"{"timestamp":"x"}"#, "RFC 3339"),
            (r#"{"partition":"1"}"#, "expected i32"),
            (r#"{"properties":{"content-type":"x"}}"#, "content_type"),
            ("[]", "envelope"),
        ] {
            let error = read(line.as_bytes()).expect_err(line).to_string();
            assert!(error.contains(says), "{line}: {error}");
        }
    }
}
