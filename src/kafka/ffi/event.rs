//! What librdkafka tells on its queues besides records.

use std::ptr::{self, NonNull};
use std::time::Duration;

use rdkafka::bindings as rd;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::types::RDKafkaRespErr;

use super::said::Said;
use super::{millis, text};

/// One event of a queue.
pub(super) struct Event(NonNull<rd::rd_kafka_event_t>);

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: it is ours, and nothing borrows from it any more.
        unsafe { rd::rd_kafka_event_destroy(self.0.as_ptr()) }
    }
}

/// A topic's partition, and an offset in it (negative when the event has none).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TopicPartitionOffset {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
}

/// What an event says.
pub(crate) enum What {
    /// Something failed, in a partition or at large.
    Fault {
        /// librdkafka's or the broker's code.
        code: RDKafkaErrorCode,
        /// The reason in words.
        text: String,
        /// The partition, when it is about one.
        place: Option<TopicPartitionOffset>,
        /// The client is of no use any more.
        fatal: bool,
    },
    /// The group gives (`true`) or takes away partitions.
    Rebalance(bool, Vec<TopicPartitionOffset>),
    /// A commit ended.
    Committed(Result<(), RDKafkaErrorCode>),
    /// A line for the log.
    Log(String),
    /// Something else.
    Other,
}

impl What {
    /// The next event of a queue, or `None` when none came within the time.
    ///
    /// SAFETY: the queue lives.
    pub(super) unsafe fn poll(queue: NonNull<rd::rd_kafka_queue_t>, timeout: Duration) -> Option<What> {
        // SAFETY: the caller's promise.
        unsafe { Event::next(queue, timeout) }.map(|event| event.what())
    }
}

impl Event {
    /// The next event of a queue, or `None` when none came within the time.
    ///
    /// SAFETY: the queue lives.
    pub(super) unsafe fn next(queue: NonNull<rd::rd_kafka_queue_t>, timeout: Duration) -> Option<Event> {
        // SAFETY: the caller's promise; the event becomes ours, and `drop` destroys it.
        NonNull::new(unsafe { rd::rd_kafka_queue_poll(queue.as_ptr(), millis(timeout)) }).map(Event)
    }

    /// For the functions that read one type of event; it lives as long as `self`.
    pub(super) fn pointer(&self) -> *mut rd::rd_kafka_event_t {
        self.0.as_ptr()
    }

    /// The number of the request that the event answers.
    pub(super) fn number(&self) -> usize {
        // SAFETY: what comes is what was given to the request, and is only compared.
        unsafe { rd::rd_kafka_event_opaque(self.0.as_ptr()) }.addr()
    }

    /// Why the request failed that the event answers, if it did.
    pub(super) fn failure(&self) -> Option<Said> {
        let event = self.0.as_ptr();
        // SAFETY: any event has a code, and its words live as long as it.
        unsafe { Said::of(rd::rd_kafka_event_error(event), rd::rd_kafka_event_error_string(event)) }
    }

    pub(super) fn what(&self) -> What {
        let event = self.0.as_ptr();
        // SAFETY: every function below reads an event of the type that it is for, and checks for null what may be null.
        unsafe {
            match rd::rd_kafka_event_type(event) {
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

    /// The code of what failed, if anything did.
    pub(super) fn code(&self) -> Option<RDKafkaErrorCode> {
        // SAFETY: any event has a code.
        let code = unsafe { rd::rd_kafka_event_error(self.0.as_ptr()) };
        (code != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR).then(|| code.into())
    }

    fn error(&self) -> What {
        let Some(code) = self.code() else { return What::Other };
        let event = self.0.as_ptr();
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
        What::Fault { code, text: words, place, fatal }
    }
}

/// SAFETY: `partition.topic` is a string that ends in a zero byte.
pub(super) unsafe fn place(partition: &rd::rd_kafka_topic_partition_t) -> TopicPartitionOffset {
    // SAFETY: the caller's promise.
    let topic = unsafe { text(partition.topic) };
    TopicPartitionOffset { topic, partition: partition.partition, offset: partition.offset }
}

/// SAFETY: `list` is null or a list that lives.
pub(super) unsafe fn places(list: *const rd::rd_kafka_topic_partition_list_t) -> Vec<TopicPartitionOffset> {
    // SAFETY: the caller's promise; `elems` has `cnt` elements.
    unsafe {
        let Some(list) = list.as_ref() else { return Vec::new() };
        let count = usize::try_from(list.cnt).unwrap_or(0);
        (0..count).map(|i| place(&*list.elems.add(i))).collect()
    }
}
