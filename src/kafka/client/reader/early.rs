//! Reading that begins before it is known what there is.

use std::sync::Arc;

use rdkafka::consumer::BaseConsumer;
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::metadata::Metadata;

use super::super::events::ConnectionEvents;
use super::super::fault::topic_error;
use super::super::offsets::Partition;
use super::{Part, PartitionReader};
use crate::error::Result;
use crate::kafka::ffi::{Bell, Feed, TopicPartitionOffset};

/// The first partition of a topic, from offset 0, which most often is its oldest: librdkafka asks its leader as soon as it hears
/// of it, while the metadata are still on their way to whoever asked for them. Where it is not the oldest any more, that is
/// told, and [`PartitionReader::again`] begins anew. The oldest by name would not do: without a leader, librdkafka looks for
/// that 500 ms later (`rd_kafka_toppar_offset_retry`).
pub(crate) struct Early {
    /// None once it was taken.
    feed: Option<Feed<ConnectionEvents>>,
    bell: Bell,
    topic: String,
}

/// Every topic has this one.
const FIRST: i32 = 0;

impl Early {
    /// Begins. `None` when librdkafka cannot.
    pub(crate) fn begin(consumer: &Arc<BaseConsumer<ConnectionEvents>>, topic: &str) -> Option<Early> {
        let bell = Bell::default();
        let mut feed = Feed::of_partitions(consumer.clone(), &bell)?;
        feed.start(topic, FIRST, 0).ok()?;
        Some(Early { feed: Some(feed), bell, topic: topic.to_owned() })
    }

    /// Whether it stands at the head of what is to be read, and has a leader to be asked. Without one librdkafka would wait
    /// for it for ever, and say nothing.
    pub(crate) fn is_right(&self, of: &[Partition], metadata: &Metadata) -> bool {
        let is_head = of.first().is_some_and(|first| first.topic == self.topic && first.number == FIRST);
        let mut topics = metadata.topics().iter().filter(|topic| topic.name() == self.topic);
        let mut partitions = topics.by_ref().flat_map(|topic| topic.partitions());
        is_head && partitions.any(|partition| partition.id() == FIRST && partition.leader() >= 0)
    }

    /// What it comes through, and what rings then.
    pub(super) fn take(mut self) -> Option<(Feed<ConnectionEvents>, Bell)> {
        self.feed.take().map(|feed| (feed, self.bell.clone()))
    }
}

impl Drop for Early {
    fn drop(&mut self) {
        if let Some(feed) = self.feed.take() {
            // It can be begun anew.
            let _ = feed.stop(&self.topic, FIRST);
        }
    }
}

/// True when this says that offset 0 is not the oldest of the partition that was begun with it.
pub(super) fn is_wrong(guessed: bool, parts: &[Part], code: Code, place: &TopicPartitionOffset) -> bool {
    let is_offset = matches!(code, Code::AutoOffsetReset | Code::OffsetOutOfRange);
    guessed && is_offset && parts.iter().any(|part| part.is_at(place) && part.next == 0)
}

impl PartitionReader {
    /// Begins where the oldest record is.
    ///
    /// # Errors
    /// librdkafka's.
    pub(super) fn again(&mut self, place: &TopicPartitionOffset) -> Result<()> {
        self.guessed = false;
        let started = self.feed.stop(&place.topic, place.partition);
        let started = started.and_then(|()| self.feed.start_at_begin(&place.topic, place.partition));
        started.map_err(|code| topic_error(&place.topic, code))
    }
}
