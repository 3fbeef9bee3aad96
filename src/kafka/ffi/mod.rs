//! The only unsafe code of the crate: what librdkafka can do and rdkafka 0.39 cannot.
//!
//! - Fetching named partitions without a consumer group, into a queue of our own (`rd_kafka_consume_start_queue`).
//! - Events with their topic: rdkafka's `PartitionEOF` carries none.
//! - The answer to a commit, without blocking for it (`rd_kafka_commit_queue`).
//! - Header names that are not UTF-8: rdkafka's `BorrowedHeaders` panics on them.
//! - Whether a record that failed may have been written all the same (`rd_kafka_message_status`).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char, c_void};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::bindings as rd;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::BorrowedMessage;
use rdkafka::types::RDKafkaRespErr;

use crate::message::KafkaHeader;

/// A queue that gives a consumer's events, with the consumer that it belongs to.
pub struct Feed<C: ConsumerContext + 'static> {
    queue: NonNull<rd::rd_kafka_queue_t>,
    topics: BTreeMap<String, NonNull<rd::rd_kafka_topic_t>>,
    /// The main queue is forwarded to `queue`, and must be let go before `queue` is.
    forwarded: bool,
    consumer: Arc<BaseConsumer<C>>,
}

// SAFETY: librdkafka's handles may be used from any thread ("librdkafka is completely thread-safe", rdkafka.h).
unsafe impl<C: ConsumerContext + 'static> Send for Feed<C> {}

impl<C: ConsumerContext + 'static> Feed<C> {
    /// For partitions that are named one by one with [`Feed::start`]. `None` when librdkafka has no memory.
    pub fn of_partitions(consumer: Arc<BaseConsumer<C>>) -> Option<Feed<C>> {
        let client = consumer.client().native_ptr();
        // SAFETY: `client` lives as long as `consumer`, which the feed keeps; the reference to the main queue that
        // `get_main` counts up is given back at once.
        let queue = unsafe {
            let queue = NonNull::new(rd::rd_kafka_queue_new(client))?;
            let main = rd::rd_kafka_queue_get_main(client);
            rd::rd_kafka_queue_forward(main, queue.as_ptr());
            rd::rd_kafka_queue_destroy(main);
            queue
        };
        Some(Feed { queue, topics: BTreeMap::new(), forwarded: true, consumer })
    }

    /// For a consumer with a group. `None` when it has none.
    pub fn of_group(consumer: Arc<BaseConsumer<C>>) -> Option<Feed<C>> {
        // SAFETY: as above; the reference is given back when the feed is dropped.
        let queue = NonNull::new(unsafe { rd::rd_kafka_queue_get_consumer(consumer.client().native_ptr()) })?;
        Some(Feed { queue, topics: BTreeMap::new(), forwarded: false, consumer })
    }

    /// The consumer.
    pub fn consumer(&self) -> &Arc<BaseConsumer<C>> {
        &self.consumer
    }

    /// Starts to fetch one partition from an offset.
    ///
    /// # Errors
    /// librdkafka's code.
    pub fn start(&mut self, topic: &str, partition: i32, offset: i64) -> Result<(), RDKafkaErrorCode> {
        let handle = match self.topics.get(topic) {
            Some(handle) => *handle,
            None => {
                let name = CString::new(topic).map_err(|_| RDKafkaErrorCode::InvalidTopic)?;
                // SAFETY: the client lives; the handle is destroyed before it, in `drop`.
                let handle = unsafe {
                    rd::rd_kafka_topic_new(self.consumer.client().native_ptr(), name.as_ptr(), ptr::null_mut())
                };
                let handle = NonNull::new(handle).ok_or_else(last_error)?;
                self.topics.insert(topic.to_owned(), handle);
                handle
            }
        };
        // SAFETY: topic and queue live.
        let started =
            unsafe { rd::rd_kafka_consume_start_queue(handle.as_ptr(), partition, offset, self.queue.as_ptr()) };
        if started == 0 { Ok(()) } else { Err(last_error()) }
    }

    /// Stops to fetch one partition; what was fetched of it is thrown away.
    ///
    /// # Errors
    /// librdkafka's code.
    pub fn stop(&self, topic: &str, partition: i32) -> Result<(), RDKafkaErrorCode> {
        let Some(handle) = self.topics.get(topic) else { return Ok(()) };
        // SAFETY: the topic lives.
        match unsafe { rd::rd_kafka_consume_stop(handle.as_ptr(), partition) } {
            0 => Ok(()),
            _ => Err(last_error()),
        }
    }

    /// Commits offsets of the group; the answer comes as [`What::Committed`]. rdkafka's own commit gives no answer unless it
    /// blocks for it.
    ///
    /// # Errors
    /// librdkafka's code.
    pub fn commit(&self, offsets: &TopicPartitionList) -> Result<(), RDKafkaErrorCode> {
        // SAFETY: client, list and queue live; librdkafka copies the list.
        let code = unsafe {
            rd::rd_kafka_commit_queue(
                self.consumer.client().native_ptr(),
                offsets.ptr(),
                self.queue.as_ptr(),
                None,
                ptr::null_mut(),
            )
        };
        if code == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR { Ok(()) } else { Err(code.into()) }
    }

    /// The next event, or `None` when none came within the time.
    pub fn poll(&self, timeout: Duration) -> Option<Event<'_>> {
        let timeout = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the queue lives; the event becomes ours, and `Event` destroys it.
        let event = unsafe { rd::rd_kafka_queue_poll(self.queue.as_ptr(), timeout) };
        NonNull::new(event).map(|event| Event { event, feed: PhantomData })
    }
}

impl<C: ConsumerContext + 'static> Drop for Feed<C> {
    fn drop(&mut self) {
        // SAFETY: every handle was made or counted up by us, and the client outlives them: `consumer` is dropped later.
        unsafe {
            if self.forwarded {
                let main = rd::rd_kafka_queue_get_main(self.consumer.client().native_ptr());
                rd::rd_kafka_queue_forward(main, ptr::null_mut());
                rd::rd_kafka_queue_destroy(main);
            }
            for handle in self.topics.values() {
                rd::rd_kafka_topic_destroy(handle.as_ptr());
            }
            rd::rd_kafka_queue_destroy(self.queue.as_ptr());
        }
    }
}

fn last_error() -> RDKafkaErrorCode {
    // SAFETY: reads a thread-local number.
    unsafe { rd::rd_kafka_last_error() }.into()
}

/// One event of a [`Feed`]. What it shows borrows from it.
pub struct Event<'f> {
    event: NonNull<rd::rd_kafka_event_t>,
    feed: PhantomData<&'f ()>,
}

impl Drop for Event<'_> {
    fn drop(&mut self) {
        // SAFETY: it is ours, and nothing borrows from it any more.
        unsafe { rd::rd_kafka_event_destroy(self.event.as_ptr()) }
    }
}

/// A topic's partition, and an offset in it (negative when the event has none).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
}

/// What an event says.
pub enum What<'e> {
    /// A record.
    Record(Record<'e>),
    /// The end of a partition was reached, at this offset.
    End(Place),
    /// Something failed, in a partition or at large.
    Fault {
        /// librdkafka's or the broker's code.
        code: RDKafkaErrorCode,
        /// The reason in words.
        text: String,
        /// The partition, when it is about one.
        place: Option<Place>,
        /// The client is of no use any more.
        fatal: bool,
    },
    /// The group gives (`true`) or takes away partitions.
    Rebalance(bool, Vec<Place>),
    /// A commit ended.
    Committed(Result<(), RDKafkaErrorCode>),
    /// A line for the log.
    Log(String),
    /// Something else.
    Other,
}

impl Event<'_> {
    /// Reads the event.
    pub fn what(&self) -> What<'_> {
        let event = self.event.as_ptr();
        // SAFETY: every function below reads an event of the type that it is for, and checks for null what may be null.
        unsafe {
            match rd::rd_kafka_event_type(event) {
                rd::RD_KAFKA_EVENT_FETCH => match rd::rd_kafka_event_message_next(event).as_ref() {
                    Some(message) if message.err == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => {
                        What::Record(Record { message })
                    }
                    Some(message) => What::Fault {
                        code: message.err.into(),
                        text: RDKafkaErrorCode::from(message.err).to_string(),
                        place: None,
                        fatal: false,
                    },
                    None => What::Other,
                },
                rd::RD_KAFKA_EVENT_ERROR => self.error(),
                rd::RD_KAFKA_EVENT_REBALANCE => {
                    let assign =
                        rd::rd_kafka_event_error(event) == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
                    What::Rebalance(assign, places(rd::rd_kafka_event_topic_partition_list(event)))
                }
                rd::RD_KAFKA_EVENT_OFFSET_COMMIT => What::Committed(self.code().map_or(Ok(()), Err)),
                rd::RD_KAFKA_EVENT_LOG => {
                    let (mut facility, mut line, mut level) = (ptr::null(), ptr::null(), 0);
                    rd::rd_kafka_event_log(event, &mut facility, &mut line, &mut level);
                    What::Log(format!("{}: {}", text(facility), text(line)))
                }
                _ => What::Other,
            }
        }
    }

    fn code(&self) -> Option<RDKafkaErrorCode> {
        // SAFETY: any event has a code.
        let code = unsafe { rd::rd_kafka_event_error(self.event.as_ptr()) };
        (code != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR).then(|| code.into())
    }

    fn error(&self) -> What<'_> {
        let Some(code) = self.code() else { return What::Other };
        let event = self.event.as_ptr();
        // SAFETY: the event is an error; its topic partition is a copy that we destroy.
        let (words, fatal, place) = unsafe {
            let words = text(rd::rd_kafka_event_error_string(event));
            let fatal = rd::rd_kafka_event_error_is_fatal(event) != 0;
            let partition = rd::rd_kafka_event_topic_partition(event);
            let place = partition.as_ref().map(|p| place(p));
            if !partition.is_null() {
                rd::rd_kafka_topic_partition_destroy(partition);
            }
            (words, fatal, place)
        };
        match (code, place) {
            (RDKafkaErrorCode::PartitionEOF, Some(place)) => What::End(place),
            (code, place) => What::Fault { code, text: words, place, fatal },
        }
    }
}

/// SAFETY: `text` is null or a string that ends in a zero byte.
unsafe fn text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().trim().to_owned()
}

/// SAFETY: `partition.topic` is a string that ends in a zero byte.
unsafe fn place(partition: &rd::rd_kafka_topic_partition_t) -> Place {
    // SAFETY: the caller's promise.
    let topic = unsafe { text(partition.topic) };
    Place { topic, partition: partition.partition, offset: partition.offset }
}

/// SAFETY: `list` is null or a list that lives.
unsafe fn places(list: *const rd::rd_kafka_topic_partition_list_t) -> Vec<Place> {
    // SAFETY: the caller's promise; `elems` has `cnt` elements.
    unsafe {
        let Some(list) = list.as_ref() else { return Vec::new() };
        let count = usize::try_from(list.cnt).unwrap_or(0);
        (0..count).map(|i| place(&*list.elems.add(i))).collect()
    }
}

/// A fetched record; everything borrows from librdkafka's buffer.
pub struct Record<'e> {
    message: &'e rd::rd_kafka_message_t,
}

impl<'e> Record<'e> {
    /// The topic; Kafka allows ASCII only.
    pub fn topic(&self) -> &'e str {
        // SAFETY: the topic's handle lives as long as the message, and its name ends in a zero byte.
        unsafe { CStr::from_ptr(rd::rd_kafka_topic_name(self.message.rkt)) }.to_str().unwrap_or_default()
    }

    /// The partition.
    pub fn partition(&self) -> i32 {
        self.message.partition
    }

    /// The offset.
    pub fn offset(&self) -> i64 {
        self.message.offset
    }

    /// Milliseconds since 1970, where the broker has a time.
    pub fn timestamp(&self) -> Option<i64> {
        let mut kind = rd::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message lives.
        let time = unsafe { rd::rd_kafka_message_timestamp(self.message, &mut kind) };
        (kind != rd::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE && time != -1).then_some(time)
    }

    /// The key.
    pub fn key(&self) -> Option<&'e [u8]> {
        // SAFETY: key and length belong together.
        unsafe { slice(self.message.key, self.message.key_len) }
    }

    /// The value.
    pub fn value(&self) -> Option<&'e [u8]> {
        // SAFETY: payload and length belong together.
        unsafe { slice(self.message.payload, self.message.len) }
    }

    /// The headers, in their order. A name that is not UTF-8, which Kafka's protocol forbids, has U+FFFD for what is not.
    pub fn headers(&self) -> Vec<KafkaHeader<'e>> {
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

/// True when a record that failed may have been written all the same: the request was sent, and no answer came.
pub fn possibly_written(message: &BorrowedMessage<'_>) -> bool {
    // SAFETY: the message lives.
    let status = unsafe { rd::rd_kafka_message_status(message.ptr()) };
    status != rd::rd_kafka_msg_status_t::RD_KAFKA_MSG_STATUS_NOT_PERSISTED
}

/// The names of all of librdkafka's properties.
pub fn property_names() -> Vec<String> {
    // SAFETY: both configurations and their dumps are made, read and given back here.
    unsafe {
        let global = rd::rd_kafka_conf_new();
        let topic = rd::rd_kafka_topic_conf_new();
        let (mut globals, mut topics) = (0, 0);
        let dumps = [rd::rd_kafka_conf_dump(global, &mut globals), rd::rd_kafka_topic_conf_dump(topic, &mut topics)];
        let mut names = Vec::new();
        for (dump, count) in dumps.into_iter().zip([globals, topics]) {
            // Names and values alternate.
            names.extend((0..count).step_by(2).map(|i| text(*dump.add(i))));
            rd::rd_kafka_conf_dump_free(dump, count);
        }
        rd::rd_kafka_conf_destroy(global);
        rd::rd_kafka_topic_conf_destroy(topic);
        names
    }
}

/// librdkafka's words for a code, without its `Broker:` or `Local:`.
pub fn words(code: RDKafkaErrorCode) -> String {
    let Ok(code) = RDKafkaRespErr::try_from(code as i32) else { return code.to_string() };
    // SAFETY: the text is static.
    let text = unsafe { text(rd::rd_kafka_err2str(code)) };
    let text = text.trim_start_matches("Broker: ").trim_start_matches("Local: ");
    text.to_lowercase()
}
