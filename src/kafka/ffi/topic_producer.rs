//! Sending records to one topic. rdkafka's `send` makes a C string of the topic's name for each record and has librdkafka
//! look it up; and it panics on a header whose name holds a zero byte.

use std::borrow::Cow;
use std::ffi::{CString, c_int, c_void};
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::bindings as rd;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{BaseProducer, Producer, ProducerContext};
use rdkafka::types::RDKafkaRespErr;

use super::bell::{Bell, silence};
use super::event::{Event, What};
use super::last_error;
use super::reports::Reports;
use crate::message::{Field, Headers, KafkaHeader, Message};

/// The partition that leaves the choice to the partitioner.
const ANY: i32 = -1;

/// A record that says nothing but its key and value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parcel<'a> {
    key: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
    /// What comes back with the delivery report.
    number: usize,
}

impl<'a> Parcel<'a> {
    /// The parcel of a message that borrows what it holds; `None` for one that says more.
    pub(crate) fn of(message: &Message<'a>, number: usize) -> Option<Parcel<'a>> {
        let plain =
            !matches!(message.headers, Headers::Kafka(_)) && message.timestamp.is_none() && message.partition.is_none();
        let (true, Ok(key), Ok(value)) = (plain, borrowed(&message.key), borrowed(&message.value)) else { return None };
        Some(Parcel { key, value, number })
    }

    /// The length of the value.
    pub(crate) fn len(&self) -> usize {
        self.value.map_or(0, <[u8]>::len)
    }

    /// What comes back with the delivery report.
    pub(crate) fn number(&self) -> usize {
        self.number
    }

    /// The same as a message, which can be kept.
    pub(crate) fn into_message(self) -> Message<'static> {
        let of = |bytes: Option<&[u8]>| bytes.map_or(Field::Null, |bytes| Field::Bytes(Cow::Owned(bytes.to_vec())));
        Message { key: of(self.key), value: of(self.value), ..Message::default() }
    }
}

/// The bytes of a field as long as what it borrows from; not those that it owns.
fn borrowed<'a>(field: &Field<'a>) -> Result<Option<&'a [u8]>, ()> {
    match field {
        Field::Absent | Field::Null => Ok(None),
        Field::Bytes(Cow::Borrowed(bytes)) => Ok(Some(bytes)),
        Field::Bytes(Cow::Owned(_)) => Err(()),
    }
}

/// A topic's handle, with the producer that it belongs to.
pub(crate) struct TopicProducer<C: ProducerContext + 'static> {
    topic: NonNull<rd::rd_kafka_topic_t>,
    reports: NonNull<rd::rd_kafka_queue_t>,
    batch: Vec<rd::rd_kafka_message_t>,
    /// Hangs on the reports.
    bell: Option<Bell>,
    producer: Arc<BaseProducer<C>>,
}

// SAFETY: librdkafka's handles may be used from any thread ("librdkafka is completely thread-safe", rdkafka.h).
unsafe impl<C: ProducerContext + 'static> Send for TopicProducer<C> {}

impl<C: ProducerContext<DeliveryOpaque = usize> + 'static> TopicProducer<C> {
    /// To a topic of this name. The bell rings when reports come: those of all topics of this producer, so that one of them is
    /// given a bell, and asks for the reports.
    ///
    /// # Errors
    /// librdkafka's code: the name holds a zero byte, or is none.
    pub(crate) fn new(
        producer: Arc<BaseProducer<C>>,
        topic: &str,
        bell: Option<&Bell>,
    ) -> Result<TopicProducer<C>, RDKafkaErrorCode> {
        let name = CString::new(topic).map_err(|_| RDKafkaErrorCode::InvalidTopic)?;
        // SAFETY: the client lives; both handles are given back before it, in `drop`. The main queue is always there.
        unsafe {
            let topic = rd::rd_kafka_topic_new(client(&producer), name.as_ptr(), ptr::null_mut());
            let topic = NonNull::new(topic).ok_or_else(last_error)?;
            let Some(reports) = NonNull::new(rd::rd_kafka_queue_get_main(client(&producer))) else {
                rd::rd_kafka_topic_destroy(topic.as_ptr());
                return Err(RDKafkaErrorCode::CriticalSystemResource);
            };
            // `drop` silences it, while this still has the bell.
            if let Some(bell) = bell {
                bell.hang(reports);
            }
            Ok(TopicProducer { topic, reports, batch: Vec::new(), bell: bell.cloned(), producer })
        }
    }

    /// What waits for others to go with it (`linger.ms`) goes out. It takes a millisecond: the threads that send look
    /// whether there is somebody who flushes, and rdkafka's own flush is over before they do.
    pub(crate) fn send_now(&self) {
        // SAFETY: the client lives as long as `producer`.
        unsafe { rd::rd_kafka_flush(client(&self.producer), 1) };
    }

    /// The next report, fault or line for the log, or `None` when none came within the time. `reports` are what the report
    /// says, as [`What::Other`]; of what was lost for a code that `keeps`, the records too.
    pub(crate) fn poll(
        &self,
        timeout: Duration,
        reports: &mut Reports,
        keeps: fn(RDKafkaErrorCode) -> bool,
    ) -> Option<What> {
        // SAFETY: the queue lives as long as this.
        let event = unsafe { Event::next(self.reports, timeout) }?;
        Some(if reports.read(&event, keeps) { What::Other } else { event.what() })
    }

    /// Whether reports are about records of this topic.
    pub(crate) fn has_sent(&self, reports: &Reports) -> bool {
        reports.topic == self.topic.as_ptr() as usize
    }

    /// Hands over records, which librdkafka copies; for less than each by itself would cost. True when it took all of them;
    /// else [`TopicProducer::refused`] says which it did not.
    pub(crate) fn send_all(&mut self, parcels: &[Parcel<'_>]) -> bool {
        self.batch.clear();
        self.batch.extend(parcels.iter().map(|parcel| {
            let (payload, len) = pointer(parcel.value);
            let (key, key_len) = pointer(parcel.key);
            rd::rd_kafka_message_t {
                err: RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR,
                rkt: ptr::null_mut(),
                partition: ANY,
                payload,
                len,
                key,
                key_len,
                offset: 0,
                _private: parcel.number as *mut c_void,
            }
        }));
        let count = c_int::try_from(self.batch.len()).unwrap_or(c_int::MAX);
        // SAFETY: the topic lives, and librdkafka copies what the pointers show (`MSG_F_COPY`).
        let taken = unsafe {
            let flags = rd::RD_KAFKA_MSG_F_COPY;
            rd::rd_kafka_produce_batch(self.topic.as_ptr(), ANY, flags, self.batch.as_mut_ptr(), count)
        };
        taken == count
    }

    /// For each of the records that [`TopicProducer::send_all`] was given last: why it was not taken, if it was not. When
    /// the queue is full, it is so for all that stand behind.
    pub(crate) fn refused(&self) -> impl Iterator<Item = Option<RDKafkaErrorCode>> + '_ {
        let code = |m: &rd::rd_kafka_message_t| match m.err {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => None,
            err => Some(err.into()),
        };
        self.batch.iter().map(code)
    }

    /// Hands over a record, which librdkafka copies. `also` are headers behind the message's own; `number` comes back with
    /// the delivery report.
    ///
    /// # Errors
    /// librdkafka's code: its queue is full, the record too large, the partition not there.
    pub(crate) fn send(
        &self,
        message: &Message<'_>,
        also: &[KafkaHeader<'_>],
        number: usize,
    ) -> Result<(), RDKafkaErrorCode> {
        let own = message.headers.list();
        let timestamp = message.timestamp.and_then(crate::message::Time::millis);
        if own.is_empty() && also.is_empty() && timestamp.is_none() {
            return self.send_plain(message, number);
        }
        // SAFETY: nobody else has the headers.
        unsafe { self.send_whole(message, timestamp, headers(own, also), number) }
    }

    /// Sends a record that has neither headers nor a time.
    fn send_plain(&self, message: &Message<'_>, number: usize) -> Result<(), RDKafkaErrorCode> {
        let (value, value_length) = pointer(message.value.bytes());
        let (key, key_length) = pointer(message.key.bytes());
        // SAFETY: the topic lives, and librdkafka copies what the pointers show (`MSG_F_COPY`).
        let sent = unsafe {
            rd::rd_kafka_produce(
                self.topic.as_ptr(),
                message.partition.unwrap_or(ANY),
                rd::RD_KAFKA_MSG_F_COPY,
                value,
                value_length,
                key,
                key_length,
                number as *mut c_void,
            )
        };
        if sent == 0 { Ok(()) } else { Err(last_error()) }
    }

    /// Sends a record with all that it says.
    ///
    /// SAFETY: the headers are null, or the caller's own, who gives them away.
    unsafe fn send_whole(
        &self,
        message: &Message<'_>,
        timestamp: Option<i64>,
        headers: *mut rd::rd_kafka_headers_t,
        number: usize,
    ) -> Result<(), RDKafkaErrorCode> {
        let (value, value_length) = pointer(message.value.bytes());
        let (key, key_length) = pointer(message.key.bytes());
        // SAFETY: each type is followed by the arguments that rdkafka.h gives for it, and everything lives until the call
        // is over. librdkafka owns the headers once it has taken the record, and only then.
        unsafe {
            let code = rd::rd_kafka_producev(
                client(&self.producer),
                rd::rd_kafka_vtype_t::RD_KAFKA_VTYPE_RKT,
                self.topic.as_ptr(),
                rd::rd_kafka_vtype_t::RD_KAFKA_VTYPE_PARTITION,
                message.partition.unwrap_or(ANY),
                rd::rd_kafka_vtype_t::RD_KAFKA_VTYPE_MSGFLAGS,
                rd::RD_KAFKA_MSG_F_COPY,
                rd::rd_kafka_vtype_t::RD_KAFKA_VTYPE_VALUE,
                value,
                value_length,
                rd::rd_kafka_vtype_t::RD_KAFKA_VTYPE_KEY,
                key,
                key_length,
                rd::rd_kafka_vtype_t::RD_KAFKA_VTYPE_OPAQUE,
                number as *mut c_void,
                rd::rd_kafka_vtype_t::RD_KAFKA_VTYPE_TIMESTAMP,
                // 0 is now.
                timestamp.unwrap_or(0),
                rd::rd_kafka_vtype_t::RD_KAFKA_VTYPE_HEADERS,
                headers,
                rd::rd_kafka_vtype_t::RD_KAFKA_VTYPE_END,
            );
            if code == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
                return Ok(());
            }
            if !headers.is_null() {
                rd::rd_kafka_headers_destroy(headers);
            }
            Err(code.into())
        }
    }

    /// The producer.
    pub(crate) fn producer(&self) -> &Arc<BaseProducer<C>> {
        &self.producer
    }
}

impl<C: ProducerContext + 'static> Drop for TopicProducer<C> {
    fn drop(&mut self) {
        // SAFETY: both handles are ours, and the client outlives them: `producer` is dropped later.
        unsafe {
            if self.bell.is_some() {
                silence(self.reports);
            }
            rd::rd_kafka_queue_destroy(self.reports.as_ptr());
            rd::rd_kafka_topic_destroy(self.topic.as_ptr());
        }
    }
}

fn client<C: ProducerContext + 'static>(producer: &BaseProducer<C>) -> *mut rd::rd_kafka_t {
    Producer::client(producer).native_ptr()
}

/// Null is a null pointer; none at all is a pointer to no bytes.
fn pointer(bytes: Option<&[u8]>) -> (*mut c_void, usize) {
    bytes.map_or((ptr::null_mut(), 0), |bytes| (bytes.as_ptr().cast_mut().cast(), bytes.len()))
}

/// A list of headers, or null for none. Names go with their length: a zero byte in one ends nothing.
///
/// SAFETY: the list belongs to the caller.
unsafe fn headers(own: &[KafkaHeader<'_>], also: &[KafkaHeader<'_>]) -> *mut rd::rd_kafka_headers_t {
    let count = own.len() + also.len();
    if count == 0 {
        return ptr::null_mut();
    }
    // SAFETY: librdkafka copies names and values; no length of ours is near `isize::MAX`.
    unsafe {
        let list = rd::rd_kafka_headers_new(count);
        for (name, value) in own.iter().chain(also) {
            let (value, length) = pointer(value.as_deref());
            rd::rd_kafka_header_add(list, name.as_ptr().cast(), name.len() as isize, value, length as isize);
        }
        list
    }
}
