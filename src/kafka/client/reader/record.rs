//! A record as a message.

use crate::kafka::ffi::Record;
use crate::message::{Field, Headers, KafkaHeader, Message, Protocol, Time};

/// The message in a record of this topic; it borrows librdkafka's buffer.
#[inline]
pub(crate) fn message_of<'e>(record: &Record<'e>, topic: &'e str, headers: Vec<KafkaHeader<'e>>) -> Message<'e> {
    Message {
        protocol: Some(Protocol::Kafka),
        topic: Some(topic.into()),
        partition: Some(record.partition()),
        offset: Some(record.offset()),
        timestamp: record.timestamp().map(Time::Millis),
        key: Field::nullable(record.key()),
        headers: if headers.is_empty() { Headers::Absent } else { Headers::Kafka(headers) },
        value: Field::nullable(record.value()),
        ..Message::default()
    }
}
