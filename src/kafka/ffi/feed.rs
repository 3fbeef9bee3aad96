//! Fetching.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::bindings as rd;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::types::RDKafkaRespErr;

use super::bell::{Bell, silence};
use super::event::{TopicPartitionOffset, What};
use super::record::Record;
use super::{last_error, millis, text};

/// What a consumer fetches and tells, with the consumer that it belongs to.
///
/// Records have a queue of their own: taken from it by the batch, each costs less than an event does.
pub(crate) struct Feed<C: ConsumerContext + 'static> {
    /// Records, and what goes wrong in one partition.
    fetched: NonNull<rd::rd_kafka_queue_t>,
    /// Everything else.
    events: NonNull<rd::rd_kafka_queue_t>,
    topics: BTreeMap<String, NonNull<rd::rd_kafka_topic_t>>,
    /// What was fetched last.
    batch: Vec<*mut rd::rd_kafka_message_t>,
    /// Hangs on both queues.
    _bell: Bell,
    consumer: Arc<BaseConsumer<C>>,
}

// SAFETY: librdkafka's handles may be used from any thread ("librdkafka is completely thread-safe", rdkafka.h).
unsafe impl<C: ConsumerContext + 'static> Send for Feed<C> {}

impl<C: ConsumerContext + 'static> Feed<C> {
    /// For partitions that are named one by one with [`Feed::start`]. `None` when librdkafka has no memory. The bell rings
    /// when records or events come.
    pub(crate) fn of_partitions(consumer: Arc<BaseConsumer<C>>, bell: &Bell) -> Option<Feed<C>> {
        // SAFETY: the client lives as long as `consumer`, which the feed keeps.
        let events = NonNull::new(unsafe { rd::rd_kafka_queue_get_main(consumer.client().native_ptr()) })?;
        Feed::new(consumer, events, bell)
    }

    /// For a consumer with a group, whose partitions are named with [`Feed::claim`]. `None` when it has none.
    pub(crate) fn of_group(consumer: Arc<BaseConsumer<C>>, bell: &Bell) -> Option<Feed<C>> {
        // SAFETY: as above.
        let events = NonNull::new(unsafe { rd::rd_kafka_queue_get_consumer(consumer.client().native_ptr()) })?;
        Feed::new(consumer, events, bell)
    }

    fn new(consumer: Arc<BaseConsumer<C>>, events: NonNull<rd::rd_kafka_queue_t>, bell: &Bell) -> Option<Feed<C>> {
        // SAFETY: as above.
        let fetched = NonNull::new(unsafe { rd::rd_kafka_queue_new(consumer.client().native_ptr()) })?;
        // SAFETY: both queues live; `drop` silences them, while the feed still has the bell.
        unsafe {
            bell.hang(fetched);
            bell.hang(events);
        }
        Some(Feed { fetched, events, topics: BTreeMap::new(), batch: Vec::new(), _bell: bell.clone(), consumer })
    }

    /// The consumer.
    pub(crate) fn consumer(&self) -> &Arc<BaseConsumer<C>> {
        &self.consumer
    }

    /// Starts to fetch one partition from an offset.
    ///
    /// # Errors
    /// librdkafka's code.
    pub(crate) fn start(&mut self, topic: &str, partition: i32, offset: i64) -> Result<(), RDKafkaErrorCode> {
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
            unsafe { rd::rd_kafka_consume_start_queue(handle.as_ptr(), partition, offset, self.fetched.as_ptr()) };
        if started == 0 { Ok(()) } else { Err(last_error()) }
    }

    /// As [`Feed::start`], from the oldest record, wherever that is.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn start_at_begin(&mut self, topic: &str, partition: i32) -> Result<(), RDKafkaErrorCode> {
        self.start(topic, partition, rd::RD_KAFKA_OFFSET_BEGINNING.into())
    }

    /// Stops to fetch one partition; what was fetched of it is thrown away.
    ///
    /// # Errors
    /// librdkafka's code.
    pub(crate) fn stop(&self, topic: &str, partition: i32) -> Result<(), RDKafkaErrorCode> {
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
    pub(crate) fn commit(&self, offsets: &TopicPartitionList) -> Result<(), RDKafkaErrorCode> {
        // SAFETY: client, list and queue live; librdkafka copies the list.
        let code = unsafe {
            rd::rd_kafka_commit_queue(
                self.consumer.client().native_ptr(),
                offsets.ptr(),
                self.events.as_ptr(),
                None,
                ptr::null_mut(),
            )
        };
        if code == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR { Ok(()) } else { Err(code.into()) }
    }

    /// Takes a partition of the group into the feed; before it is assigned, so that nothing of it goes elsewhere.
    ///
    /// # Errors
    /// librdkafka's code.
    pub(crate) fn claim(&self, topic: &str, partition: i32) -> Result<(), RDKafkaErrorCode> {
        let name = CString::new(topic).map_err(|_| RDKafkaErrorCode::InvalidTopic)?;
        // SAFETY: client and queue live; the reference to the partition's queue is given back at once.
        unsafe {
            let queue = rd::rd_kafka_queue_get_partition(self.consumer.client().native_ptr(), name.as_ptr(), partition);
            let queue = NonNull::new(queue).ok_or(RDKafkaErrorCode::UnknownPartition)?;
            rd::rd_kafka_queue_forward(queue.as_ptr(), self.fetched.as_ptr());
            rd::rd_kafka_queue_destroy(queue.as_ptr());
        }
        Ok(())
    }

    /// The generation of the group that this is a member of, with the newer protocol the member's epoch; 0 or less when it is
    /// none. rdkafka has no way to ask.
    pub(crate) fn generation(&self) -> i32 {
        // SAFETY: the client lives; what it gives is destroyed here, and null is checked for.
        unsafe {
            let metadata = rd::rd_kafka_consumer_group_metadata(self.consumer.client().native_ptr());
            if metadata.is_null() {
                return -1;
            }
            let generation = rd::rd_kafka_consumer_group_metadata_generation_id(metadata);
            rd::rd_kafka_consumer_group_metadata_destroy(metadata);
            generation
        }
    }

    /// The next event, or `None` when none came within the time.
    pub(crate) fn event(&self, timeout: Duration) -> Option<What> {
        // SAFETY: the queue lives as long as the feed.
        unsafe { What::poll(self.events, timeout) }
    }

    /// True when an event may be there.
    pub(crate) fn has_events(&self) -> bool {
        // SAFETY: the queue lives as long as the feed.
        unsafe { rd::rd_kafka_queue_length(self.events.as_ptr()) > 0 }
    }

    /// True when records or faults may be there.
    pub(crate) fn has_fetched(&self) -> bool {
        // SAFETY: as above.
        unsafe { rd::rd_kafka_queue_length(self.fetched.as_ptr()) > 0 }
    }

    /// Up to `most` of the records and faults that are there, in place of those before; when there are none, waits for one.
    pub(crate) fn fetch(&mut self, most: usize, timeout: Duration) -> Batch<'_> {
        self.clear();
        self.take(most, Duration::ZERO);
        if self.batch.is_empty() && !timeout.is_zero() {
            // With a time librdkafka waits until the batch is full.
            self.take(1, timeout);
        }
        self.batch()
    }

    /// What was fetched last.
    pub(crate) fn batch(&self) -> Batch<'_> {
        Batch { messages: &self.batch }
    }

    fn clear(&mut self) {
        for message in self.batch.drain(..) {
            // SAFETY: it is ours, and nothing borrows from it any more.
            unsafe { rd::rd_kafka_message_destroy(message) }
        }
    }

    fn take(&mut self, most: usize, timeout: Duration) {
        self.batch.reserve(most);
        let (queue, room) = (self.fetched.as_ptr(), self.batch.as_mut_ptr());
        // SAFETY: the queue lives, and there is room for `most`. What was written is ours, and `clear` destroys it.
        unsafe {
            let got = rd::rd_kafka_consume_batch_queue(queue, millis(timeout), room, most);
            self.batch.set_len(usize::try_from(got).unwrap_or(0));
        }
    }
}

impl<C: ConsumerContext + 'static> Drop for Feed<C> {
    fn drop(&mut self) {
        self.clear();
        // SAFETY: every handle was made or counted up by us, and the client outlives them: `consumer` is dropped later.
        unsafe {
            silence(self.fetched);
            silence(self.events);
            for handle in self.topics.values() {
                rd::rd_kafka_topic_destroy(handle.as_ptr());
            }
            rd::rd_kafka_queue_destroy(self.fetched.as_ptr());
            rd::rd_kafka_queue_destroy(self.events.as_ptr());
        }
    }
}

/// What was fetched together.
#[derive(Clone, Copy)]
pub(crate) struct Batch<'f> {
    messages: &'f [*mut rd::rd_kafka_message_t],
}

/// One of a batch; what it shows borrows from it.
pub(crate) enum Fetched<'b> {
    /// A record.
    Record(Record<'b>),
    /// The end of a partition was reached.
    End(TopicPartitionOffset),
    /// Something failed in a partition, with the reason in words.
    Fault(RDKafkaErrorCode, String, TopicPartitionOffset),
}

impl<'f> Batch<'f> {
    /// In the order in which they came.
    pub(crate) fn iter(self) -> impl Iterator<Item = Fetched<'f>> {
        // SAFETY: every message lives as long as nothing else is fetched.
        self.messages.iter().filter_map(|message| unsafe { message.as_ref() }).map(Batch::read)
    }

    /// A record of it; `None` for what is none.
    pub(crate) fn record(self, at: usize) -> Option<Record<'f>> {
        // SAFETY: as above.
        let message: &'f rd::rd_kafka_message_t = unsafe { self.messages.get(at)?.as_ref() }?;
        (message.err == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR).then(|| Record::of(message))
    }

    fn read(message: &'f rd::rd_kafka_message_t) -> Fetched<'f> {
        if message.err == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Fetched::Record(Record::of(message));
        }
        // SAFETY: message and topic live; both functions allow for null.
        let (topic, words) = unsafe {
            let topic = if message.rkt.is_null() { ptr::null() } else { rd::rd_kafka_topic_name(message.rkt) };
            (text(topic), text(rd::rd_kafka_message_errstr(message)))
        };
        let place = TopicPartitionOffset { topic, partition: message.partition, offset: message.offset };
        match RDKafkaErrorCode::from(message.err) {
            RDKafkaErrorCode::PartitionEOF => Fetched::End(place),
            code => Fetched::Fault(code, words, place),
        }
    }
}
