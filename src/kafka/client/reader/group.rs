//! What a member of a group does besides reading: take up partitions, commit what was written, give partitions back.

use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer, RebalanceProtocol};
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::{Offset, TopicPartitionList};

use super::super::events::ConnectionEvents;
use super::super::fault::{Fault, error_of, kind_of, topic_error};
use super::super::offsets::{Partition, begins, ends};
use super::fault::fault;
use super::fault::no_memory;
use super::watch::Watch;
use super::{COMMIT_EVERY, PartitionReader, ReaderOptions};
use crate::error::{Error, Kind, Result};
use crate::flow::Lane;
use crate::kafka::ffi::{Bell, Feed, TopicPartitionOffset, What, words};
use crate::kafka::pattern::Pattern;

/// Less than any offset: of what was committed nothing is known to have arrived.
const NOTHING: i64 = -1;

/// With `group.protocol=consumer` a member that gets no partitions is told nothing at all. The others give some away within
/// two heartbeats, which by default are 5 s apart (KIP-848); if none come by then, it has none.
const FOR_NOTHING: Duration = Duration::from_secs(12);

/// Where a partition begins that has no usable offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OffsetReset {
    /// At the oldest record.
    Begin,
    /// Behind the newest.
    End,
}

/// A member of a group.
#[derive(Debug)]
pub(crate) struct Member {
    /// The group.
    pub group: String,
    /// Where a partition begins that the group has no offset of.
    pub fresh: OffsetReset,
    /// The same for one whose offset is not there (any more); none is an error.
    pub lost: Option<OffsetReset>,
    /// It joins by the newer protocol (KIP-848).
    is_newer: bool,
    /// Since when it has been one without anything to read.
    idle_since: Option<Instant>,
}

impl Member {
    /// One of `group`, which begins a partition as the user's `auto.offset.reset` says.
    pub(crate) fn new(group: &str, reset: Option<&str>, is_newer: bool) -> Member {
        let lost = match reset {
            Some("earliest" | "smallest" | "beginning") => Some(OffsetReset::Begin),
            Some("latest" | "largest" | "end") => Some(OffsetReset::End),
            _ => None,
        };
        Member { group: group.to_owned(), fresh: lost.unwrap_or(OffsetReset::Begin), lost, is_newer, idle_since: None }
    }

    /// What is subscribed to for a topic. Where the coordinator matches names, an expression has to match all of a name.
    fn subscription(&self, topic: &Pattern) -> String {
        match topic.text() {
            text if topic.is_regex() && self.is_newer => format!("^.*({text}).*"),
            text => text.to_owned(),
        }
    }
}

impl PartitionReader {
    /// Reads topics as a member of the consumer's group; librdkafka, or the group's coordinator, finds those that match.
    ///
    /// # Errors
    /// librdkafka's.
    pub(crate) fn of_group(
        options: ReaderOptions,
        consumer: Arc<BaseConsumer<ConnectionEvents>>,
        member: Member,
    ) -> Result<PartitionReader> {
        // What came while it connected is not told again.
        let events = consumer.client().context();
        if let Some(text) = events.kept_out() {
            fault(events, Code::GroupAuthorizationFailed, text, None, false, true)?;
        }
        for Fault { code, text, .. } in events.faults() {
            fault(events, code, text, None, false, true)?;
        }
        if let Some(handover) = &options.handover {
            handover.of_member(&consumer, options.limit)?;
        }
        let topics: Vec<String> = options.wanted.topics.iter().map(|topic| member.subscription(topic)).collect();
        let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
        consumer.subscribe(&topics).map_err(|e| error_of("cannot subscribe", &e))?;
        let named: Vec<&str> = options.wanted.names().collect();
        let watch = Watch::of_topics(&named);
        let bell = Bell::default();
        let feed = Feed::of_group(consumer, &bell).ok_or_else(no_memory)?;
        Ok(PartitionReader::new(options, feed, bell, Some(member), watch))
    }

    /// True when the group has taken it up, has given it nothing, and will not tell.
    pub(super) fn has_joined_for_nothing(&mut self) -> bool {
        let Some(member) = &mut self.group else { return false };
        // The older protocols tell of an empty assignment as of any other.
        if !matches!(self.feed.consumer().rebalance_protocol(), RebalanceProtocol::Cooperative)
            || self.feed.generation() <= 0
        {
            member.idle_since = None;
            return false;
        }
        member.idle_since.get_or_insert_with(Instant::now).elapsed() >= FOR_NOTHING
    }

    /// Everything in a lane up to this offset was written.
    pub(super) fn written(&mut self, lane: Lane, next: i64) {
        let Ok(at) = self.parts.binary_search_by_key(&lane, |part| part.lane) else { return };
        let Some(part) = self.parts.get_mut(at) else { return };
        let next = part.left.map_or(next, |left| next.min(left));
        if next < part.written {
            // librdkafka jumped back, as `auto.offset.reset` says: what was committed is not there any more.
            part.committed = NOTHING;
        }
        part.written = next;
    }

    /// Everything in a lane up to this offset becomes written together with where the group stands.
    pub(super) fn sealed(&mut self, lane: Lane, next: i64) {
        let Some(handover) = self.handover.clone() else { return };
        let Ok(at) = self.parts.binary_search_by_key(&lane, |part| part.lane) else { return };
        if let Some(part) = self.parts.get_mut(at) {
            let next = part.left.map_or(next, |left| next.min(left));
            part.committed = next;
            handover.seal(part.of.clone(), next);
        }
    }

    /// Commits what was written now and then: also when nothing more comes that would be a reason to.
    pub(super) fn commit_if_due(&mut self) {
        if self.group.is_some() && Instant::now() >= self.commit_due {
            self.commit();
            self.commit_due = Instant::now() + COMMIT_EVERY;
        }
    }

    /// The answer to a commit, while there will be others.
    ///
    /// # Errors
    /// No commit will ever be taken.
    pub(super) fn told_of_commit(&mut self, result: Result<(), Code>) -> Result<()> {
        self.answered(result);
        match self.commit_error {
            Some(code) if kind_of(code) == Kind::Auth => {
                Err(Error::new(Kind::Auth, "cannot commit the group's offsets").because(words(code)))
            }
            _ => Ok(()),
        }
    }

    /// The answer to a commit. What was refused is committed again with the next one.
    fn answered(&mut self, result: Result<(), Code>) {
        self.commits = self.commits.saturating_sub(1);
        // Nothing to commit is no failure.
        self.commit_error = result.err().filter(|code| *code != Code::NoOffset);
        if self.commit_error.is_some() {
            self.parts.iter_mut().for_each(|part| part.committed = NOTHING);
        }
    }

    /// Sends a commit of what was written.
    pub(super) fn commit(&mut self) {
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

    /// Ready when every commit was answered.
    ///
    /// # Errors
    /// `Kind::Partial`: the records were written, and will be read again.
    pub(super) fn committed(&mut self) -> Poll<Result<()>> {
        while self.commits > 0 {
            match self.feed.event(Duration::ZERO) {
                Some(What::Committed(result)) => self.answered(result),
                // Whatever else comes now was not written, and is not committed.
                Some(_) => {}
                None => return Poll::Pending,
            }
        }
        Poll::Ready(match self.commit_error.take() {
            Some(code) => {
                let message = "the group's offsets were not committed: the last records will be read again";
                Err(Error::new(Kind::Partial, message).because(words(code)))
            }
            None => Ok(()),
        })
    }

    /// Takes up partitions that the group gave, where the group left off.
    pub(super) fn assign(&mut self, places: &[TopicPartitionOffset]) -> Result<()> {
        let failed = |e| error_of("cannot take up the group's partitions", &e);
        let consumer = self.feed.consumer().clone();
        let went = self.went(places, self.limit);
        let places: Vec<_> = places.iter().filter(|place| !went.contains(&place.topic)).cloned().collect();
        let places = &places;
        // What is given again without having been taken is read from its offset again, in a lane of its own.
        self.parts.retain(|part| !places.iter().any(|place| part.is_at(place)));
        let mut asked = TopicPartitionList::with_capacity(places.len());
        for place in places {
            asked.add_partition(&place.topic, place.partition);
        }
        let found = consumer.committed_offsets(asked, self.limit).map_err(failed)?;
        let of: Vec<Partition> =
            places.iter().map(|p| Partition { topic: p.topic.clone(), number: p.partition }).collect();
        let lows = begins(&consumer, &of, self.limit)?;
        let highs = ends(&consumer, &of, self.limit)?;
        let committed = |of: &Partition| {
            let element = found.find_partition(&of.topic, of.number)?;
            element.offset().to_raw().filter(|offset| *offset >= 0)
        };
        let beyond = of.iter().zip(&highs).any(|(of, high)| committed(of).is_some_and(|offset| offset > *high));
        let whole = if beyond { self.whole_ends(&of)? } else { highs.clone() };
        let mut list = TopicPartitionList::with_capacity(places.len());
        let bounds = self.until.bounds(&consumer, &of, &highs, self.limit)?;
        let ends = highs.into_iter().zip(bounds);
        for (((of, low), (high, end)), whole) in of.into_iter().zip(lows).zip(ends).zip(whole) {
            let committed = committed(&of);
            let from = self.stands_at(&of, committed, (low, high), whole)?;
            list.add_partition_offset(&of.topic, of.number, Offset::Offset(from)).map_err(failed)?;
            self.feed.claim(&of.topic, of.number).map_err(|code| topic_error(&of.topic, code))?;
            let part = self.add(of, from, end);
            if committed.is_some_and(|committed| committed != from) {
                // A jump is committed even when nothing is read after it: otherwise it would be made again.
                part.committed = NOTHING;
            }
        }
        self.assigned = true;
        let names: Vec<String> = places.iter().map(|place| format!("{}[{}]", place.topic, place.partition)).collect();
        self.link
            .setup
            .say(&format!("the group gave {}", if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }));
        let given = match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_assign(&list),
            _ => consumer.assign(&list),
        };
        given.map_err(failed)
    }

    /// Where the group goes on in a partition: at its offset, or as the policy says where that is not there. `end` is where
    /// reading may end, `whole` where the partition does.
    fn stands_at(&self, of: &Partition, offset: Option<i64>, (low, end): (i64, i64), whole: i64) -> Result<i64> {
        let Some(member) = &self.group else { return Ok(low) };
        let at = |reset| match reset {
            OffsetReset::Begin => low,
            OffsetReset::End => end,
        };
        let Some(offset) = offset else { return Ok(at(member.fresh)) };
        if (low..=whole).contains(&offset) {
            return Ok(offset);
        }
        member.lost.map(at).ok_or_else(|| {
            let (Partition { topic, number }, group) = (of, &member.group);
            Error::refused(format!(
                "the group `{group}` stands at offset {offset} of {topic}[{number}], which has {low} to {whole}"
            ))
            .hint("go on at the begin or the end with -X auto.offset.reset=earliest or latest, or use another group")
        })
    }

    /// Gives back what the group takes away, after committing what was written of it.
    ///
    /// # Errors
    /// librdkafka's.
    pub(super) fn give_back(&mut self) -> Result<()> {
        let places = std::mem::take(&mut self.revoking);
        let consumer = self.feed.consumer().clone();
        // Once the group has given them to others, a commit would only be refused.
        if !consumer.assignment_lost() {
            self.commit();
        }
        self.parts.retain(|part| !places.iter().any(|place| part.is_at(place)));
        self.gaps = None;
        self.assigned = !self.parts.is_empty();
        if !self.assigned {
            self.since = None;
        }
        let given_back = match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => {
                let mut list = TopicPartitionList::new();
                for place in &places {
                    list.add_partition(&place.topic, place.partition);
                }
                consumer.incremental_unassign(&list)
            }
            _ => consumer.unassign(),
        };
        given_back.map_err(|e| error_of("cannot give partitions back to the group", &e))
    }
}
