//! Deleting records.

use rdkafka::bindings as rd;
use rdkafka::{Offset, TopicPartitionList};

use super::{Admin, Made, Reason, Said};
use crate::kafka::ffi::event::{TopicPartitionOffset, place};

/// What became of a partition whose records were to be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Deleted {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The low watermark, or why nothing was deleted.
    pub result: Result<i64, Said>,
}

impl Admin<'_> {
    /// Deletes the records before these offsets; each partition has its own outcome.
    ///
    /// # Errors
    /// The request as a whole.
    pub(crate) fn delete_records(&self, before: &[TopicPartitionOffset]) -> Result<Vec<Deleted>, Said> {
        let mut list = TopicPartitionList::with_capacity(before.len());
        for TopicPartitionOffset { topic, partition, offset } in before {
            super::name(topic)?;
            let added = list.add_partition_offset(topic, *partition, Offset::Offset(*offset));
            added.map_err(|error| Said { words: error.to_string(), ..Reason::default().said() })?;
        }
        // SAFETY: the list lives; librdkafka copies it.
        let request = unsafe { rd::rd_kafka_DeleteRecords_new(list.ptr()) };
        let mut made = Made::one(request, rd::rd_kafka_DeleteRecords_destroy)?;
        let (array, count) = made.array();
        let answer = self.ask(rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DELETERECORDS, |client, options, queue| {
            // SAFETY: everything lives until the call is over, and librdkafka copies the list.
            unsafe { rd::rd_kafka_DeleteRecords(client, array, count, options, queue) }
        })?;
        // SAFETY: the answer is one to this request; its list lives as long as it, and has `cnt` elements.
        Ok(unsafe {
            let result = rd::rd_kafka_event_DeleteRecords_result(answer.pointer());
            let Some(list) = rd::rd_kafka_DeleteRecords_result_offsets(result).as_ref() else { return Ok(Vec::new()) };
            let count = usize::try_from(list.cnt).unwrap_or(0);
            (0..count).map(|at| deleted(&*list.elems.add(at))).collect()
        })
    }
}

/// SAFETY: the topic's name ends in a zero byte.
unsafe fn deleted(of: &rd::rd_kafka_topic_partition_t) -> Deleted {
    // SAFETY: the caller's promise; there are no words beside the code.
    unsafe {
        let TopicPartitionOffset { topic, partition, offset } = place(of);
        let said = Said::of(of.err, std::ptr::null());
        Deleted { topic, partition, result: said.map_or(Ok(offset), Err) }
    }
}
