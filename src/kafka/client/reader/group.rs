//! What a member of a group does besides reading: take up partitions, commit what was written, give partitions back.

use std::time::{Duration, Instant};

use rdkafka::consumer::{Consumer, RebalanceProtocol};
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::{Offset, TopicPartitionList};

use super::super::fault::{error_of, topic_error};
use super::super::offsets::{Partition, begins, ends};
use super::{COMMIT_EVERY, Part, Reader};
use crate::error::{Error, Kind, Result};
use crate::kafka::ffi::{Place, What, words};

/// Less than any offset: of what was committed nothing is known to have arrived.
const NOTHING: i64 = -1;

impl Reader {
    /// Everything handed over so far was written and flushed: of a group it may be committed now.
    pub fn written(&mut self) {
        for part in &mut self.parts {
            part.written = part.next;
        }
        self.commit_if_due();
    }

    /// Commits what was written now and then: also when nothing more comes that would be a reason to.
    pub fn commit_if_due(&mut self) {
        if self.group && Instant::now() >= self.commit_due {
            self.commit();
            self.commit_due = Instant::now() + COMMIT_EVERY;
        }
    }

    /// The answer to a commit. What was refused is committed again with the next one.
    pub(super) fn answered(&mut self, result: Result<(), Code>) {
        self.commits = self.commits.saturating_sub(1);
        // Nothing to commit is no failure.
        self.commit_error = result.err().filter(|code| *code != Code::NoOffset);
        if self.commit_error.is_some() {
            self.parts.iter_mut().for_each(|part| part.committed = NOTHING);
        }
    }

    /// Sends a commit of what was written.
    fn commit(&mut self) {
        let mut list = TopicPartitionList::new();
        for part in self.parts.iter_mut().filter(|p| p.written > p.committed) {
            let Partition { topic, number } = &part.of;
            if list.add_partition_offset(topic, *number, Offset::Offset(part.written)).is_ok() {
                part.committed = part.written;
            }
        }
        if list.count() == 0 {
            return;
        }
        match self.feed.commit(&list) {
            Ok(()) => self.commits += 1,
            Err(code) => self.commit_error = Some(code),
        }
    }

    /// Commits what was written and waits for the answer, at most `limit`.
    ///
    /// # Errors
    /// `Kind::Partial`: the records were written, and will be read again.
    pub fn finish(&mut self, limit: Duration) -> Result<()> {
        if !self.group {
            return Ok(());
        }
        self.commit();
        let until = Instant::now() + limit;
        while self.commits > 0 && Instant::now() < until {
            // Whatever else comes now was not written, and is not committed.
            let Some(What::Committed(result)) = self.feed.event(Duration::from_millis(20)) else { continue };
            self.answered(result);
        }
        let failed = |why: String| {
            Error::new(Kind::Partial, "the group's offsets were not committed: the last records will be read again")
                .because(why)
        };
        match self.commit_error.take() {
            Some(code) => Err(failed(words(code))),
            None if self.commits > 0 => Err(failed(format!("no answer within {}", humantime::format_duration(limit)))),
            None => Ok(()),
        }
    }

    /// Takes up partitions that the group gave, where the group left off.
    pub(super) fn assign(&mut self, places: &[Place]) -> Result<()> {
        let failed = |e| error_of("cannot take up the group's partitions", &e);
        let consumer = self.feed.consumer().clone();
        let mut asked = TopicPartitionList::with_capacity(places.len());
        for place in places {
            asked.add_partition(&place.topic, place.partition);
        }
        let found = consumer.committed_offsets(asked, self.limit).map_err(failed)?;
        let of: Vec<Partition> =
            places.iter().map(|p| Partition { topic: p.topic.clone(), number: p.partition }).collect();
        let highs = if self.until_end { ends(&consumer, &of, self.limit)? } else { Vec::new() };
        let fresh = match self.fresh {
            Offset::End => ends(&consumer, &of, self.limit)?,
            _ => begins(&consumer, &of, self.limit)?,
        };
        let mut list = TopicPartitionList::with_capacity(places.len());
        for (index, of) in of.into_iter().enumerate() {
            let committed = found
                .find_partition(&of.topic, of.number)
                .and_then(|element| element.offset().to_raw())
                .filter(|offset| *offset >= 0);
            let from = committed.or_else(|| fresh.get(index).copied()).unwrap_or(0);
            list.add_partition_offset(&of.topic, of.number, Offset::Offset(from)).map_err(failed)?;
            self.feed.claim(&of.topic, of.number).map_err(|code| topic_error(&of.topic, code))?;
            self.parts.push(Part { committed: from, ..Part::new(of, from, highs.get(index).copied()) });
        }
        self.assigned = true;
        let given = match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_assign(&list),
            _ => consumer.assign(&list),
        };
        given.map_err(failed)
    }

    /// Gives partitions back to the group, after committing what was written of them.
    ///
    /// # Errors
    /// librdkafka's.
    pub fn revoke(&mut self, places: &[Place]) -> Result<()> {
        let consumer = self.feed.consumer().clone();
        // Once the group has given them to others, a commit would only be refused.
        if !consumer.assignment_lost() {
            self.commit();
        }
        self.parts.retain(|p| !places.iter().any(|q| q.topic == p.of.topic && q.partition == p.of.number));
        self.assigned = !self.parts.is_empty();
        let given_back = match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => {
                let mut list = TopicPartitionList::new();
                for place in places {
                    list.add_partition(&place.topic, place.partition);
                }
                consumer.incremental_unassign(&list)
            }
            _ => consumer.unassign(),
        };
        given_back.map_err(|e| error_of("cannot give partitions back to the group", &e))
    }
}
