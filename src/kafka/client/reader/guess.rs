//! A begin that is not asked for: most topics still have their first record.

use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::metadata::Metadata;

use super::super::fault::topic_error;
use super::super::offsets::{Partition, is_no_offset};
use super::{Part, PartitionReader};
use crate::error::Result;
use crate::kafka::ffi::TopicPartitionOffset;

/// Of more partitions it is asked, in one request, where they begin: where the guess is wrong, each is begun once more.
const MOST: usize = 64;

/// Whether these may be taken to begin at offset 0, until a broker says that one does not: it is known of each who can say so.
pub(crate) fn may_guess(of: &[Partition], metadata: &Metadata) -> bool {
    let has_leader = |of: &Partition| {
        let topics = metadata.topics().iter().filter(|topic| topic.name() == of.topic);
        topics.flat_map(|topic| topic.partitions()).any(|found| found.id() == of.number && found.leader() >= 0)
    };
    of.len() <= MOST && of.iter().all(has_leader)
}

/// True when this says that a partition of which nothing came has no offset 0.
pub(super) fn is_wrong(parts: &[Part], code: Code, place: &TopicPartitionOffset) -> bool {
    is_no_offset(code) && parts.iter().any(|part| part.is_at(place) && part.next == 0)
}

impl PartitionReader {
    /// Begins at the oldest record, wherever that is.
    ///
    /// # Errors
    /// librdkafka's.
    pub(super) fn begin_again(&mut self, place: &TopicPartitionOffset) -> Result<()> {
        let begun = self.feed.stop(&place.topic, place.partition);
        let begun = begun.and_then(|()| self.feed.start_at_begin(&place.topic, place.partition));
        begun.map_err(|code| topic_error(&place.topic, code))
    }
}
