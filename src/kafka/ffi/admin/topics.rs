//! Creating and deleting topics, and adding partitions to them.

use rdkafka::bindings as rd;

use super::{Admin, AdminOutcome, Asking, Made, Reason, Said, each, name};
use crate::kafka::ffi::text;

/// A topic to create.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewTopic<'a> {
    /// Its name.
    pub name: &'a str,
    /// How many partitions; the broker's default if not said.
    pub partitions: Option<i32>,
    /// How many replicas of each; the broker's default if not said.
    pub replicas: Option<i32>,
    /// The brokers of each partition, the one that is to lead it first, in place of both numbers.
    pub assignment: &'a [Vec<i32>],
    /// Settings.
    pub settings: &'a [(String, String)],
}

/// A topic that is to have more partitions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewPartitions<'a> {
    /// Its name.
    pub name: &'a str,
    /// How many there are to be in all.
    pub count: usize,
    /// The brokers of each new one, the one that is to lead it first; the cluster's choice if there are none.
    pub assignment: &'a [Vec<i32>],
}

/// What the broker's default is asked for with.
const DEFAULT: i32 = -1;

impl Admin<'_> {
    /// Creates topics; each has its own outcome.
    ///
    /// # Errors
    /// The request as a whole.
    pub(crate) fn create_topics(&self, topics: &[NewTopic<'_>]) -> Result<Vec<AdminOutcome>, Said> {
        let mut made = Made::none(rd::rd_kafka_NewTopic_destroy);
        for topic in topics {
            let (title, mut reason) = (name(topic.name)?, Reason::default());
            let (partitions, replicas) = match i32::try_from(topic.assignment.len()) {
                Ok(count @ 1..) => (count, DEFAULT),
                _ => (topic.partitions.unwrap_or(DEFAULT), topic.replicas.unwrap_or(DEFAULT)),
            };
            // SAFETY: librdkafka copies the name; `made` gives the topic back.
            let new =
                unsafe { rd::rd_kafka_NewTopic_new(title.as_ptr(), partitions, replicas, reason.room(), reason.len()) };
            let new = made.push(new, || reason.said())?;
            for (key, value) in topic.settings {
                let (key, value) = (name(key)?, name(value)?);
                // SAFETY: the topic lives; librdkafka copies both.
                unsafe { rd::rd_kafka_NewTopic_set_config(new, key.as_ptr(), value.as_ptr()) };
            }
            assign(topic.assignment, |partition, brokers, count, reason| {
                // SAFETY: the topic lives; librdkafka copies the array.
                unsafe {
                    let (room, length) = (reason.room(), reason.len());
                    rd::rd_kafka_NewTopic_set_replica_assignment(new, partition, brokers, count, room, length);
                }
            })?;
        }
        let (array, count) = made.array();
        let answer = self.ask(rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_CREATETOPICS, |client, options, queue| {
            // SAFETY: everything lives until the call is over, and librdkafka copies the topics.
            unsafe { rd::rd_kafka_CreateTopics(client, array, count, options, queue) }
        })?;
        // SAFETY: the answer is one to this request, and its list lives as long as it.
        Ok(unsafe {
            let result = rd::rd_kafka_event_CreateTopics_result(answer.pointer());
            each(|count| rd::rd_kafka_CreateTopics_result_topics(result, count), outcome)
        })
    }

    /// Deletes topics; each has its own outcome.
    ///
    /// # Errors
    /// The request as a whole.
    pub(crate) fn delete_topics(&self, topics: &[String]) -> Result<Vec<AdminOutcome>, Said> {
        let mut made = Made::none(rd::rd_kafka_DeleteTopic_destroy);
        for topic in topics {
            let title = name(topic)?;
            // SAFETY: librdkafka copies the name; `made` gives the object back.
            made.push(unsafe { rd::rd_kafka_DeleteTopic_new(title.as_ptr()) }, || Reason::default().said())?;
        }
        let (array, count) = made.array();
        let answer = self.ask(rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DELETETOPICS, |client, options, queue| {
            // SAFETY: everything lives until the call is over, and librdkafka copies the names.
            unsafe { rd::rd_kafka_DeleteTopics(client, array, count, options, queue) }
        })?;
        // SAFETY: the answer is one to this request, and its list lives as long as it.
        Ok(unsafe {
            let result = rd::rd_kafka_event_DeleteTopics_result(answer.pointer());
            each(|count| rd::rd_kafka_DeleteTopics_result_topics(result, count), outcome)
        })
    }

    /// Adds partitions to topics; each has its own outcome. `only_check` leaves it at the broker's opinion.
    ///
    /// # Errors
    /// The request as a whole.
    pub(crate) fn create_partitions(
        &self,
        topics: &[NewPartitions<'_>],
        only_check: bool,
    ) -> Result<Vec<AdminOutcome>, Said> {
        let mut made = Made::none(rd::rd_kafka_NewPartitions_destroy);
        for topic in topics {
            let (title, mut reason) = (name(topic.name)?, Reason::default());
            // SAFETY: librdkafka copies the name; `made` gives the object back.
            let new =
                unsafe { rd::rd_kafka_NewPartitions_new(title.as_ptr(), topic.count, reason.room(), reason.len()) };
            let new = made.push(new, || reason.said())?;
            assign(topic.assignment, |partition, brokers, count, reason| {
                // SAFETY: the object lives; librdkafka copies the array.
                unsafe {
                    let (room, length) = (reason.room(), reason.len());
                    rd::rd_kafka_NewPartitions_set_replica_assignment(new, partition, brokers, count, room, length);
                }
            })?;
        }
        let (array, count) = made.array();
        let request = rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_CREATEPARTITIONS;
        let asking = if only_check { Asking::Check } else { Asking::Plainly };
        let answer = self.ask_for(request, asking, |client, options, queue| {
            // SAFETY: everything lives until the call is over, and librdkafka copies the objects.
            unsafe { rd::rd_kafka_CreatePartitions(client, array, count, options, queue) }
        })?;
        // SAFETY: the answer is one to this request, and its list lives as long as it.
        Ok(unsafe {
            let result = rd::rd_kafka_event_CreatePartitions_result(answer.pointer());
            each(|count| rd::rd_kafka_CreatePartitions_result_topics(result, count), outcome)
        })
    }
}

/// Hands over the brokers of one partition after another, with their number and room for librdkafka's words against them.
fn assign(assignment: &[Vec<i32>], mut set: impl FnMut(i32, *mut i32, usize, &mut Reason)) -> Result<(), Said> {
    for (partition, brokers) in (0..).zip(assignment) {
        let (mut brokers, mut reason) = (brokers.clone(), Reason::default());
        set(partition, brokers.as_mut_ptr(), brokers.len(), &mut reason);
        let said = reason.said();
        if !said.words.is_empty() {
            return Err(said);
        }
    }
    Ok(())
}

fn outcome(of: *const rd::rd_kafka_topic_result_t) -> AdminOutcome {
    // SAFETY: called by `each` for what lives; name and reason end in a zero byte.
    unsafe {
        let said = Said::of(rd::rd_kafka_topic_result_error(of), rd::rd_kafka_topic_result_error_string(of));
        AdminOutcome { name: text(rd::rd_kafka_topic_result_name(of)), result: said.map_or(Ok(()), Err) }
    }
}
