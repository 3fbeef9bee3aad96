//! Whether the topics that are read are still there.
//!
//! librdkafka tells what happened to a topic (deleted, not permitted any more) with `RD_KAFKA_OP_ERR` on the queues of its
//! partitions, and the batch call makes a line of the log of it (`rd_kafka_poll_cb`). A lull is a reason to look, and such a
//! line a reason to look at once: the cluster's metadata says what it is, with a code.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode as Code;

use super::super::events::ConnectionEvents;
use super::super::fault::{kind_of, topic_error};
use super::super::offsets::Partition;
use crate::error::{Error, Kind, Result};

/// How often it is looked while nothing comes.
const EVERY: Duration = Duration::from_secs(2);

/// How long an answer is waited for: a broker that is away is another's matter.
pub(super) const ASK: Duration = Duration::from_millis(400);

/// A broker that was just started, or that has a new controller, may not know a topic yet: so long none of them has to know it.
pub(super) const SURE: Duration = Duration::from_secs(2);
pub(super) const AGAIN: Duration = Duration::from_millis(200);

/// Brokers that were away are not asked for so long: they may still be starting.
pub(super) const START: Duration = Duration::from_secs(5);

/// The topics, and when they are looked at next.
pub(crate) struct Watch {
    topics: Vec<String>,
    /// Those that were named one by one.
    partitions: Vec<Partition>,
    /// The one of the topics that is looked at next.
    next: usize,
    /// Something is wrong with one of them.
    doubt: bool,
    due: Instant,
    looked: Instant,
    gone_since: Option<Instant>,
    /// Until then what the brokers say of a topic is not to be relied on.
    unsure_until: Instant,
}

impl Watch {
    /// Looks at topics as a whole.
    pub(crate) fn of_topics(topics: &[&str]) -> Watch {
        let topics = topics.iter().map(|topic| (*topic).to_owned()).collect();
        let now = Instant::now();
        let (partitions, due, looked) = (Vec::new(), now + EVERY, now);
        Watch { topics, partitions, next: 0, doubt: false, due, looked, gone_since: None, unsure_until: now }
    }

    /// Looks at the partitions of topics that were named.
    pub(crate) fn of_partitions(of: &[Partition], is_named: impl Fn(&str) -> bool) -> Watch {
        let named: Vec<Partition> = of.iter().filter(|partition| is_named(&partition.topic)).cloned().collect();
        let mut topics: Vec<&str> = named.iter().map(|partition| partition.topic.as_str()).collect();
        topics.dedup();
        Watch { topics: Watch::of_topics(&topics).topics, partitions: named, ..Watch::of_topics(&[]) }
    }

    /// Something is wrong with one of them.
    pub(crate) fn doubt(&mut self) {
        self.doubt = true;
    }

    /// No broker was reachable: what they say at first counts for nothing.
    pub(crate) fn lost(&mut self) {
        self.gone_since = None;
        self.unsure_until = Instant::now() + START;
    }

    /// The partitions that were named one by one.
    pub(crate) fn partitions(&self) -> &[Partition] {
        &self.partitions
    }

    /// The topics to look at now, if it is time to: `lull` when nothing comes.
    pub(crate) fn wants(&mut self, events: &ConnectionEvents, lull: bool) -> Option<Vec<String>> {
        self.doubt |= events.take_doubt();
        if !self.doubt && !lull && self.gone_since.is_none() {
            return None;
        }
        // Whose topics all came by an expression has a roster to look at.
        if self.topics.is_empty() {
            return None;
        }
        let now = Instant::now();
        let doubt = self.doubt && self.looked + AGAIN <= now;
        if now < self.unsure_until || !doubt && ((!lull && self.gone_since.is_none()) || now < self.due) {
            return None;
        }
        self.doubt &= !doubt;
        // A lull may last: each time one topic, so that many of them take no more time than one. In doubt it is any of them.
        let next = self.topics.get(self.next..=self.next).unwrap_or_default();
        Some(if doubt { self.topics.clone() } else { next.to_vec() })
    }

    /// Takes up what was found.
    ///
    /// # Errors
    /// A topic or a partition is not there any more, or may not be read any more.
    pub(crate) fn found(&mut self, found: Finding) -> Result<()> {
        self.looked = Instant::now();
        self.due = self.looked + if matches!(found, Finding::Gone(..)) { AGAIN } else { EVERY };
        match found {
            Finding::Nothing => {
                self.next = (self.next + 1) % self.topics.len().max(1);
                self.gone_since = None;
                Ok(())
            }
            Finding::Gone(topic, error) => {
                self.next = self.topics.iter().position(|t| *t == topic).unwrap_or(0);
                let since = *self.gone_since.get_or_insert(self.looked);
                if since.elapsed() >= SURE { Err(error) } else { Ok(()) }
            }
            Finding::Refused(error) => Err(error),
        }
    }

    /// Looks when it is time to, and waits for the answer.
    ///
    /// # Errors
    /// As [`Watch::found`].
    pub(crate) fn look(&mut self, consumer: &BaseConsumer<ConnectionEvents>, lull: bool) -> Result<()> {
        match self.wants(consumer.client().context(), lull) {
            Some(topics) => self.found(Watch::gone(consumer, &topics, &self.partitions)),
            None => Ok(()),
        }
    }

    /// Which of these topics seems to be gone or to lack one of the partitions, as far as the cluster answers; blocks.
    pub(crate) fn gone(
        consumer: &BaseConsumer<ConnectionEvents>,
        topics: &[String],
        partitions: &[Partition],
    ) -> Finding {
        for topic in topics {
            let Ok(metadata) = consumer.fetch_metadata(Some(topic), ASK) else { continue };
            let found = metadata.topics().iter().find(|t| t.name() == topic);
            let code = found.map_or(Some(Code::UnknownTopicOrPartition), |t| t.error().map(Code::from));
            match code {
                Some(Code::UnknownTopicOrPartition | Code::UnknownTopic) => {
                    return Finding::Gone(topic.clone(), gone(format!("the topic `{topic}`")));
                }
                Some(code) if kind_of(code) == Kind::Auth => return Finding::Refused(topic_error(topic, code)),
                Some(_) => continue,
                None => {}
            }
            let is_there = |n: i32| found.is_some_and(|t| t.partitions().iter().any(|p| p.id() == n));
            let missing = |p: &&Partition| p.topic == *topic && !is_there(p.number);
            if let Some(Partition { topic, number }) = partitions.iter().find(missing) {
                return Finding::Gone(topic.clone(), gone(format!("{topic}[{number}]")));
            }
        }
        Finding::Nothing
    }
}

/// What a look at topics brought.
#[derive(Debug)]
pub(crate) enum Finding {
    /// All is well, as far as is known.
    Nothing,
    /// This topic seems to be gone, or one of its partitions.
    Gone(String, Error),
    /// It may not be read any more.
    Refused(Error),
}

fn gone(what: String) -> Error {
    Error::refused(format!("{what} is not there any more")).hint("it was deleted while it was read")
}
