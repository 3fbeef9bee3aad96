//! Creating and deleting topics.

use rdkafka::bindings as rd;

use super::{Admin, AdminOutcome, Made, Reason, Said, each, name};
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
    /// Settings.
    pub settings: &'a [(String, String)],
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
            let (partitions, replicas) = (topic.partitions.unwrap_or(DEFAULT), topic.replicas.unwrap_or(DEFAULT));
            let (title, mut reason) = (name(topic.name)?, Reason::default());
            // SAFETY: librdkafka copies the name; `made` gives the topic back.
            let new =
                unsafe { rd::rd_kafka_NewTopic_new(title.as_ptr(), partitions, replicas, reason.room(), reason.len()) };
            let new = made.push(new, || reason.said())?;
            for (key, value) in topic.settings {
                let (key, value) = (name(key)?, name(value)?);
                // SAFETY: the topic lives; librdkafka copies both.
                unsafe { rd::rd_kafka_NewTopic_set_config(new, key.as_ptr(), value.as_ptr()) };
            }
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
}

fn outcome(of: *const rd::rd_kafka_topic_result_t) -> AdminOutcome {
    // SAFETY: called by `each` for what lives; name and reason end in a zero byte.
    unsafe {
        let said = Said::of(rd::rd_kafka_topic_result_error(of), rd::rd_kafka_topic_result_error_string(of));
        AdminOutcome { name: text(rd::rd_kafka_topic_result_name(of)), result: said.map_or(Ok(()), Err) }
    }
}
