//! A fetched record.

use std::borrow::Cow;
use std::ffi::{CStr, c_void};
use std::ptr;

use rdkafka::bindings as rd;
use rdkafka::types::RDKafkaRespErr;

use crate::message::KafkaHeader;

/// A fetched record; everything borrows from librdkafka's buffer.
pub(crate) struct Record<'e> {
    message: &'e rd::rd_kafka_message_t,
}

impl<'e> Record<'e> {
    pub(super) fn of(message: &'e rd::rd_kafka_message_t) -> Record<'e> {
        Record { message }
    }

    /// Something that all records of one topic and no others have, while one of them lives: cheaper to compare than names.
    pub(crate) fn topic_id(&self) -> usize {
        self.message.rkt as usize
    }

    /// The topic; Kafka allows ASCII only.
    pub(crate) fn topic(&self) -> &'e str {
        // SAFETY: the topic's handle lives as long as the message, and its name ends in a zero byte.
        unsafe { CStr::from_ptr(rd::rd_kafka_topic_name(self.message.rkt)) }.to_str().unwrap_or_default()
    }

    /// The partition.
    pub(crate) fn partition(&self) -> i32 {
        self.message.partition
    }

    /// The offset.
    pub(crate) fn offset(&self) -> i64 {
        self.message.offset
    }

    /// Milliseconds since 1970, where the broker has a time.
    pub(crate) fn timestamp(&self) -> Option<i64> {
        let mut kind = rd::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message lives.
        let time = unsafe { rd::rd_kafka_message_timestamp(self.message, &mut kind) };
        (kind != rd::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE && time != -1).then_some(time)
    }

    /// The key.
    pub(crate) fn key(&self) -> Option<&'e [u8]> {
        // SAFETY: key and length belong together.
        unsafe { slice(self.message.key, self.message.key_len) }
    }

    /// The value.
    pub(crate) fn value(&self) -> Option<&'e [u8]> {
        // SAFETY: payload and length belong together.
        unsafe { slice(self.message.payload, self.message.len) }
    }

    /// The headers, in their order. A name that is not UTF-8, which Kafka's protocol forbids, has U+FFFD for what is not.
    pub(crate) fn headers(&self) -> Vec<KafkaHeader<'e>> {
        let mut headers = Vec::new();
        // SAFETY: the headers live as long as the message; every pointer is set when the call succeeds.
        unsafe {
            let mut list = ptr::null_mut();
            if rd::rd_kafka_message_headers(self.message, &mut list) != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
                return headers;
            }
            loop {
                let (mut name, mut value, mut length) = (ptr::null(), ptr::null(), 0);
                let got = rd::rd_kafka_header_get_all(list, headers.len(), &mut name, &mut value, &mut length);
                if got != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR || name.is_null() {
                    return headers;
                }
                let name: &'e CStr = CStr::from_ptr(name);
                headers.push((name.to_string_lossy(), slice(value, length).map(Cow::Borrowed)));
            }
        }
    }
}

/// SAFETY: `data` is null or has `length` bytes that live for `'a`.
unsafe fn slice<'a>(data: *const c_void, length: usize) -> Option<&'a [u8]> {
    // SAFETY: the caller's promise.
    (!data.is_null()).then(|| unsafe { std::slice::from_raw_parts(data.cast(), length) })
}
