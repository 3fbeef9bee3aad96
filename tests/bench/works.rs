//! The inner loops that every message goes through, each as a closure that does it once to the same message. The benchmark
//! `inner` measures them, and a test counts what they allocate.

use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable};
use mscomm::testing::input::{DataSource, Decoder, Input, Mode, NextRecord, Options};
use mscomm::testing::proto::{self, Layout, Schema, Value, write_json};
use mscomm::testing::{Field, Format, Headers, Message, Protocol, Time, convert, envelope};
use prost_reflect::DescriptorPool;

/// A body of 100 bytes, as somebody's JSON.
pub(crate) const BODY: &str = concat!(
    r#"{"id":7,"name":"order","state":"paid","amount":4242,"#,
    r#""note":"a body of a hundred bytes for everyone"}"#
);

/// The envelope of [`message`].
pub(crate) const ENVELOPE: &str = concat!(
    r#"{"protocol":"kafka","topic":"orders","partition":3,"offset":123456,"timestamp":"2026-11-22T10:00:00.123Z","#,
    r#""key":"00004711","headers":[["trace","0123456789abcdef"],["source","bench"],["kind","order"]],"#,
    r#""value":"a body that needs no escape, which is the common case of a text as of a number: 0123456789"}"#
);

/// A record as it comes from Kafka, with a key and three headers.
pub(crate) fn message() -> Message<'static> {
    let header = |name: &'static str, value: &'static str| (name.into(), Some(value.as_bytes().into()));
    Message {
        protocol: Some(Protocol::Kafka),
        topic: Some("orders".into()),
        partition: Some(3),
        offset: Some(123_456),
        timestamp: Some(Time::Millis(1_795_341_600_123)),
        key: Field::borrowed(b"00004711"),
        headers: Headers::Kafka(vec![
            header("trace", "0123456789abcdef"),
            header("source", "bench"),
            header("kind", "order"),
        ]),
        value: Field::borrowed(BODY.as_bytes()),
        ..Message::default()
    }
}

/// Writes the envelope of a record.
pub(crate) fn write_envelope() -> impl FnMut() {
    let (message, mut out) = (message(), Vec::with_capacity(4096));
    move || {
        out.clear();
        envelope::write(&mut out, &message);
    }
}

/// A delivery of RabbitMQ's with three headers and four properties.
fn delivery() -> Delivery {
    let mut headers = FieldTable::default();
    headers.insert("trace".into(), AMQPValue::LongString("0123456789abcdef".into()));
    headers.insert("retries".into(), AMQPValue::LongInt(3));
    headers.insert("source".into(), AMQPValue::LongString("bench".into()));
    let mut delivery = Delivery::mock(1, "orders".into(), "order.paid".into(), false, BODY.into());
    delivery.properties = BasicProperties::default()
        .with_content_type("application/json".into())
        .with_delivery_mode(2)
        .with_correlation_id("00004711".into())
        .with_type("order".into())
        .with_timestamp(1_795_341_600)
        .with_headers(headers);
    delivery
}

/// Reads a delivery and writes its body.
pub(crate) fn read_delivery() -> impl FnMut() {
    let (delivery, mut out) = (delivery(), Vec::with_capacity(4096));
    move || {
        out.clear();
        let message = mscomm::testing::incoming(&delivery, "orders");
        out.extend_from_slice(message.value.bytes().expect("a body"));
    }
}

/// Reads a delivery and writes its envelope.
pub(crate) fn read_delivery_as_json() -> impl FnMut() {
    let (delivery, mut out) = (delivery(), Vec::with_capacity(4096));
    move || {
        out.clear();
        envelope::write(&mut out, &mscomm::testing::incoming(&delivery, "orders"));
    }
}

/// Reads a delivery and makes a record of it.
pub(crate) fn to_kafka() -> impl FnMut() {
    let delivery = delivery();
    move || {
        let message = mscomm::testing::incoming(&delivery, "orders");
        convert::to(Protocol::Kafka, message, None).expect("a record");
    }
}

/// Makes a message of AMQP of a record, one with headers or a plain one.
pub(crate) fn to_amqp(with_headers: bool) -> impl FnMut() {
    move || {
        let mut message = message();
        if !with_headers {
            message.headers = Headers::Absent;
        }
        convert::to(Protocol::Amqp, message, None).expect("a message");
    }
}

/// Reads an envelope.
pub(crate) fn read_envelope() -> impl FnMut() {
    || {
        envelope::read(ENVELOPE.as_bytes()).expect("an envelope");
    }
}

/// Writes a record by a format string.
pub(crate) fn write_format() -> impl FnMut() {
    let format = Format::parse("%t %p %o %k %s\\n").expect("a format");
    let (message, mut out) = (message(), Vec::with_capacity(4096));
    move || {
        out.clear();
        format.write(&mut out, &message, mscomm::testing::BytesForm::Auto, &Default::default(), false);
    }
}

/// Cuts a line off and makes a message of it. The text has `lines` of them; more than that ends in a panic.
pub(crate) fn split_line(lines: usize) -> impl FnMut() {
    let options = Options {
        mode: Mode::Lines,
        delimiter: b"\n".to_vec(),
        key_delimiter: Some(b":".to_vec()),
        limit: (1 << 20, "the benchmark"),
    };
    let text = format!("{BODY}\n").repeat(lines).into_bytes();
    let mut input = Input::open(DataSource::Text(text), options).expect("opens");
    let decoder = Decoder::of(&input);
    move || {
        let NextRecord::Record(record) = input.step().expect("a step") else { panic!("no line is left") };
        decoder.message(record).expect("a message");
    }
}

/// Writes a response message as JSON: six fields, one of them a message, one repeated.
pub(crate) fn write_protojson() -> impl FnMut() {
    let schema = Schema::new(&DescriptorPool::global(), |_| None);
    let of = schema.message("google.protobuf.FieldDescriptorProto").expect("a known message");
    let mut message = proto::DynamicMessage::new(of);
    message.set_named("name", Value::String("amount".into()));
    message.set_named("number", Value::I32(4));
    message.set_named("type_name", Value::String(".shop.Money".into()));
    message.set_named("json_name", Value::String("amount".into()));
    message.set_named("type", Value::Enum(11));
    message.set_named("proto3_optional", Value::Bool(true));
    let mut out = Vec::with_capacity(4096);
    move || {
        out.clear();
        write_json(&mut out, &message, Layout::Compact, &schema);
    }
}
