//! What became of records that were handed over.

use std::ptr;

use rdkafka::bindings as rd;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::types::RDKafkaRespErr;

use super::event::Event;
use super::record::Record;
use crate::message::{Field, Headers, Message};

/// How many are asked for at once.
const CHUNK: usize = 256;

/// A record that was not delivered.
#[derive(Debug)]
pub(crate) struct Lost {
    /// What was given with it.
    pub number: usize,
    /// Why. The broker's words are not to be had: where they should be (`rd_kafka_message_produce_errstr`) librdkafka 2.12 has
    /// freed them when the report comes.
    pub code: RDKafkaErrorCode,
    /// It may have been written all the same: the request was sent, and no answer came.
    pub possibly_written: bool,
    /// It has no key.
    pub keyless: bool,
    /// The partition that it was for; negative when there was none yet.
    pub partition: i32,
    /// The record as it was meant to stand in its partition, for a code that was asked for; all but its timestamp, which
    /// librdkafka keeps to itself.
    pub message: Option<Message<'static>>,
}

/// What became of the records of one report: they were sent in one batch.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    /// The numbers of those that were delivered.
    pub delivered: Vec<usize>,
    /// Those that were not.
    pub lost: Vec<Lost>,
    /// The bytes of the values of all of them.
    pub bytes: usize,
    /// The handle of their topic, which is only compared.
    pub(super) topic: usize,
}

impl Reports {
    /// How many records they are about.
    pub(crate) fn count(&self) -> usize {
        self.delivered.len() + self.lost.len()
    }

    /// Takes up what an event says; false when it is none about records. Those that were lost for a code that `keeps` are
    /// copied.
    pub(super) fn read(&mut self, event: &Event, keeps: fn(RDKafkaErrorCode) -> bool) -> bool {
        self.delivered.clear();
        self.lost.clear();
        self.bytes = 0;
        // SAFETY: any event has a type.
        if unsafe { rd::rd_kafka_event_type(event.pointer()) } != rd::RD_KAFKA_EVENT_DR {
            return false;
        }
        let mut chunk = [ptr::null(); CHUNK];
        loop {
            // SAFETY: the event is a delivery report, and there is room for so many; each message lives as long as it.
            let count = unsafe { rd::rd_kafka_event_message_array(event.pointer(), chunk.as_mut_ptr(), CHUNK) };
            for message in chunk.iter().take(count) {
                // SAFETY: as above.
                if let Some(message) = unsafe { message.as_ref() } {
                    self.take(message, keeps);
                }
            }
            if count < CHUNK {
                return true;
            }
        }
    }

    fn take(&mut self, message: &rd::rd_kafka_message_t, keeps: fn(RDKafkaErrorCode) -> bool) {
        let number = message._private as usize;
        self.topic = message.rkt as usize;
        self.bytes += message.len;
        if message.err == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
            self.delivered.push(number);
            return;
        }
        let code = message.err.into();
        // SAFETY: the message lives.
        let status = unsafe { rd::rd_kafka_message_status(message) };
        let possibly_written = status != rd::rd_kafka_msg_status_t::RD_KAFKA_MSG_STATUS_NOT_PERSISTED;
        let keyless = message.key.is_null();
        let kept = (!possibly_written && keeps(code)).then(|| {
            let record = Record::of(message);
            let headers = record.headers();
            let message = Message {
                partition: Some(record.partition()).filter(|partition| *partition >= 0),
                key: Field::nullable(record.key()),
                headers: if headers.is_empty() { Headers::Absent } else { Headers::Kafka(headers) },
                value: Field::nullable(record.value()),
                ..Message::default()
            };
            message.into_owned()
        });
        let partition = message.partition;
        self.lost.push(Lost { number, code, possibly_written, keyless, partition, message: kept });
    }
}
