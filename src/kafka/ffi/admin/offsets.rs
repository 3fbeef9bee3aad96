//! The offsets that groups have committed.

use rdkafka::bindings as rd;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, TopicPartitionList};

use super::{Admin, Made, Reason, Said, each, name, said};
use crate::kafka::ffi::event::{Event, TopicPartitionOffset, place};

/// What a group has committed for a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Committed {
    /// The partition, and the offset of the next record; negative where nothing is committed.
    pub place: TopicPartitionOffset,
    /// What its members wrote beside the offset.
    pub metadata: Option<String>,
    /// Why it is not known.
    pub fault: Option<Said>,
}

/// What a group is to have committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewOffset {
    /// The partition, and the offset of the next record.
    pub place: TopicPartitionOffset,
    /// What stands beside the offset.
    pub metadata: Option<String>,
}

/// What became of one partition of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OffsetOutcome {
    /// The partition.
    pub place: TopicPartitionOffset,
    /// Done, or why not.
    pub result: Result<(), Said>,
}

impl Admin<'_> {
    /// What groups have committed, for all partitions; each group has its own outcome, in their order. One that is not there
    /// has committed nothing.
    ///
    /// # Errors
    /// The requests as a whole.
    pub(crate) fn committed(&self, groups: &[String]) -> Result<Vec<Result<Vec<Committed>, Said>>, Said> {
        let mut made = Made::none(rd::rd_kafka_ListConsumerGroupOffsets_destroy);
        for group in groups {
            let group = name(group)?;
            // SAFETY: librdkafka copies the name, and takes no list for all partitions; `made` gives the object back.
            let one = unsafe { rd::rd_kafka_ListConsumerGroupOffsets_new(group.as_ptr(), std::ptr::null()) };
            made.push(one, Reason::no_memory)?;
        }
        let (array, count) = made.array();
        let request = rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS;
        // librdkafka takes one group a request.
        let answers = self.ask_each(request, count, |at, client, options, queue| {
            // SAFETY: there are so many in the array, which lives until the call is over; librdkafka copies what it needs.
            unsafe { rd::rd_kafka_ListConsumerGroupOffsets(client, array.add(at), 1, options, queue) }
        })?;
        let read = |answer: Event| {
            // SAFETY: the answer is one to this request, and its lists live as long as it.
            unsafe {
                let result = rd::rd_kafka_event_ListConsumerGroupOffsets_result(answer.pointer());
                one_group(|count| rd::rd_kafka_ListConsumerGroupOffsets_result_groups(result, count), committed)
            }
        };
        Ok(answers.into_iter().map(|answer| answer.and_then(read)).collect())
    }

    /// Sets what a group has committed; each partition has its own outcome. The broker refuses it while the group has members.
    ///
    /// # Errors
    /// The request as a whole.
    pub(crate) fn commit(&self, group: &str, offsets: &[NewOffset]) -> Result<Vec<OffsetOutcome>, Said> {
        let mut list = TopicPartitionList::with_capacity(offsets.len());
        for NewOffset { place, metadata } in offsets {
            name(&place.topic)?;
            let mut added = list.add_partition(&place.topic, place.partition);
            let set = added.set_offset(Offset::Offset(place.offset));
            set.map_err(|_| Said::plain(RDKafkaErrorCode::InvalidArgument))?;
            if let Some(metadata) = metadata {
                added.set_metadata(metadata);
            }
        }
        let group = name(group)?;
        // SAFETY: librdkafka copies the name and the list; `made` gives the object back.
        let made = unsafe { rd::rd_kafka_AlterConsumerGroupOffsets_new(group.as_ptr(), list.ptr()) };
        let mut made = Made::one(made, rd::rd_kafka_AlterConsumerGroupOffsets_destroy)?;
        let (array, count) = made.array();
        let request = rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS;
        let answer = self.ask(request, |client, options, queue| {
            // SAFETY: everything lives until the call is over, and librdkafka copies it.
            unsafe { rd::rd_kafka_AlterConsumerGroupOffsets(client, array, count, options, queue) }
        })?;
        // SAFETY: the answer is one to this request, and its lists live as long as it.
        unsafe {
            let result = rd::rd_kafka_event_AlterConsumerGroupOffsets_result(answer.pointer());
            one_group(|count| rd::rd_kafka_AlterConsumerGroupOffsets_result_groups(result, count), outcome)
        }
    }

    /// Takes away what a group has committed for partitions; each has its own outcome.
    ///
    /// # Errors
    /// The request as a whole.
    pub(crate) fn forget_offsets(&self, group: &str, of: &[TopicPartitionOffset]) -> Result<Vec<OffsetOutcome>, Said> {
        let mut list = TopicPartitionList::with_capacity(of.len());
        for place in of {
            name(&place.topic)?;
            list.add_partition(&place.topic, place.partition);
        }
        let group = name(group)?;
        // SAFETY: librdkafka copies the name and the list; `made` gives the object back.
        let made = unsafe { rd::rd_kafka_DeleteConsumerGroupOffsets_new(group.as_ptr(), list.ptr()) };
        let mut made = Made::one(made, rd::rd_kafka_DeleteConsumerGroupOffsets_destroy)?;
        let (array, count) = made.array();
        let request = rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DELETECONSUMERGROUPOFFSETS;
        let answer = self.ask(request, |client, options, queue| {
            // SAFETY: everything lives until the call is over, and librdkafka copies it.
            unsafe { rd::rd_kafka_DeleteConsumerGroupOffsets(client, array, count, options, queue) }
        })?;
        // SAFETY: the answer is one to this request, and its lists live as long as it.
        unsafe {
            let result = rd::rd_kafka_event_DeleteConsumerGroupOffsets_result(answer.pointer());
            one_group(|count| rd::rd_kafka_DeleteConsumerGroupOffsets_result_groups(result, count), outcome)
        }
    }
}

/// The partitions of an answer about one group.
///
/// SAFETY: as `each`, and the partitions of what it gives live as long.
unsafe fn one_group<R>(
    list: impl FnOnce(*mut usize) -> *mut *const rd::rd_kafka_group_result_t,
    read: fn(&rd::rd_kafka_topic_partition_t) -> R,
) -> Result<Vec<R>, Said> {
    // SAFETY: the caller's promise.
    let mut groups = unsafe {
        each(list, |of| match said(rd::rd_kafka_group_result_error(of)) {
            Some(said) => Err(said),
            None => Ok(elements(rd::rd_kafka_group_result_partitions(of), read)),
        })
    };
    groups.pop().unwrap_or_else(|| Err(Said::plain(RDKafkaErrorCode::BadMessage)))
}

/// SAFETY: `list` is null or a list that lives.
unsafe fn elements<R>(
    list: *const rd::rd_kafka_topic_partition_list_t,
    read: fn(&rd::rd_kafka_topic_partition_t) -> R,
) -> Vec<R> {
    // SAFETY: the caller's promise; `elems` has `cnt` elements.
    unsafe {
        let Some(list) = list.as_ref() else { return Vec::new() };
        let count = usize::try_from(list.cnt).unwrap_or(0);
        (0..count).map(|at| read(&*list.elems.add(at))).collect()
    }
}

fn committed(of: &rd::rd_kafka_topic_partition_t) -> Committed {
    // SAFETY: called by `elements` for what lives; metadata and its length belong together.
    unsafe {
        let bytes = (!of.metadata.is_null() && of.metadata_size > 0)
            .then(|| std::slice::from_raw_parts(of.metadata.cast::<u8>(), of.metadata_size));
        Committed {
            place: place(of),
            metadata: bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned()),
            fault: fault(of.err),
        }
    }
}

fn outcome(of: &rd::rd_kafka_topic_partition_t) -> OffsetOutcome {
    // SAFETY: called by `elements` for what lives.
    OffsetOutcome { place: unsafe { place(of) }, result: fault(of.err).map_or(Ok(()), Err) }
}

fn fault(code: RDKafkaRespErr) -> Option<Said> {
    // SAFETY: without words, what the code means is all there is.
    unsafe { Said::of(code, std::ptr::null()) }
}
