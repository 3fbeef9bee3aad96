//! Which topics are read: those that were named, and those whose names match. What comes later is found by looking now and
//! then, and what goes is let go where nobody named it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::metadata::{Metadata, MetadataTopic};
use tokio::sync::oneshot;

use super::super::events::ConnectionEvents;
use super::super::fault::topic_error;
use super::super::offsets::{Marks, Partition, is_no_offset, marks};
use super::PartitionReader;
use super::watch::{AGAIN, START, SURE};
use crate::error::{Error, Result};
use crate::flow::Event;
use crate::kafka::ffi::TopicPartitionOffset;
use crate::kafka::pattern::Pattern;
use crate::shutdown;

/// More names than this are asked for all at once, with all other topics.
const ONE_BY_ONE: usize = 8;

/// What somebody wants to read.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    /// Topics by their names, and by regular expressions.
    pub topics: Vec<Pattern>,
    /// Which partitions of each; all if none is named.
    pub partitions: Vec<i32>,
    /// How often it is looked for new ones; never without.
    pub every: Option<Duration>,
}

impl Wanted {
    /// True when names are matched.
    pub(crate) fn has_patterns(&self) -> bool {
        self.topics.iter().any(Pattern::is_regex)
    }

    /// The topics that were named.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.topics.iter().filter(|topic| !topic.is_regex()).map(Pattern::text)
    }

    /// True for a topic that is read because its name matches, and that nobody named. librdkafka calls an expression that
    /// matches nothing a topic of that name.
    fn is_matched(&self, topic: &str) -> bool {
        let matches = |pattern: &Pattern| pattern.is_regex() && pattern.matches_topic(topic);
        let is_meant = topic.starts_with('^') || self.topics.iter().any(matches);
        is_meant && !self.names().any(|name| name == topic)
    }

    /// The partitions of a topic that are to be read; those without a leader are left for later.
    fn partitions(&self, of: &MetadataTopic) -> Vec<Partition> {
        let is_meant = |number: &i32| self.partitions.is_empty() || self.partitions.contains(number);
        let led = of.partitions().iter().filter(|partition| partition.leader() >= 0).map(|partition| partition.id());
        let named = |number| Partition { topic: of.name().to_owned(), number };
        led.filter(is_meant).map(named).collect()
    }

    /// The partitions of the topics whose names match, and that nobody named.
    pub(crate) fn matched(&self, metadata: &Metadata) -> Vec<Partition> {
        let there = metadata.topics().iter().filter(|topic| topic.error().is_none() && self.is_matched(topic.name()));
        there.flat_map(|topic| self.partitions(topic)).collect()
    }
}

/// What is read, and when it is looked at next.
pub(super) struct Roster {
    wanted: Arc<Wanted>,
    due: Option<Instant>,
    /// Topics that seem to be gone, since when.
    missing: BTreeMap<String, Instant>,
    /// Partitions that have not the offset that was asked for, and what is to be said of it, unless they are new ones.
    suspects: Vec<(Partition, Error)>,
    looking: Option<oneshot::Receiver<Option<News>>>,
}

/// What a look brought.
#[derive(Debug, Default)]
pub(super) struct News {
    /// Partitions that are not read yet, and where they begin.
    new: Vec<(Partition, i64)>,
    /// Topics that are read and not there.
    missing: Vec<String>,
    /// Where the suspects begin and end now.
    suspects: Vec<(Partition, Option<(i64, i64)>)>,
    /// Something is not ready yet.
    is_open: bool,
}

impl Roster {
    pub(super) fn new(wanted: Arc<Wanted>) -> Roster {
        let due = wanted.every.map(|every| Instant::now() + every);
        let (missing, suspects) = (BTreeMap::new(), Vec::new());
        Roster { wanted, due, missing, suspects, looking: None }
    }

    /// Looks no later than this.
    fn hurry(&mut self, within: Duration) {
        let soon = Instant::now() + within;
        self.due = Some(self.due.map_or(soon, |due| due.min(soon)));
    }

    /// Something is wrong with a topic: looks soon. While a group looks itself, or only names count, nothing is to do.
    pub(super) fn doubt(&mut self) {
        if self.due.is_some() && self.wanted.has_patterns() {
            self.hurry(Duration::ZERO);
        }
    }

    /// No broker was reachable: what they say at first counts for nothing.
    pub(super) fn lost(&mut self) {
        self.missing.clear();
        self.due = self.due.map(|due| due.max(Instant::now() + START));
    }

    /// True when it is no fault that a topic is not there: one that is read because its name matches may go.
    pub(super) fn excuses(&mut self, code: Code, topic: Option<&str>) -> bool {
        let is_absence = matches!(
            code,
            Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition | Code::UnknownTopicId
        );
        let is_excused = is_absence && topic.is_some_and(|topic| self.wanted.is_matched(topic));
        if is_excused {
            self.doubt();
        }
        is_excused
    }

    /// Takes up that a partition has not the offset that was asked for, when it may be because the topic was deleted and made
    /// anew; else gives the error back.
    pub(super) fn suspect(&mut self, code: Code, of: Partition, error: Error) -> Result<()> {
        if self.due.is_none() || !is_no_offset(code) || !self.wanted.is_matched(&of.topic) {
            return Err(error);
        }
        self.suspects.push((of, error));
        self.hurry(Duration::ZERO);
        Ok(())
    }

    /// The look that is under way.
    pub(super) fn looking(&mut self) -> &mut Option<oneshot::Receiver<Option<News>>> {
        &mut self.looking
    }
}

impl PartitionReader {
    /// Looks whether topics or partitions have come or gone, on a thread, since the calls block.
    pub(super) fn look_for_news(&mut self) -> Result<()> {
        let is_due = self.roster.due.is_some_and(|due| Instant::now() >= due);
        // What is to end has its end: nothing is added to it.
        if !is_due || self.roster.looking.is_some() || self.until.is_known() {
            return Ok(());
        }
        let mut known: BTreeMap<String, BTreeSet<i32>> = BTreeMap::new();
        for Partition { topic, number } in self.parts.iter().map(|part| &part.of) {
            match known.get_mut(topic) {
                Some(numbers) => drop(numbers.insert(*number)),
                None => drop(known.insert(topic.clone(), BTreeSet::from([*number]))),
            }
        }
        let suspects = self.roster.suspects.iter().map(|(of, _)| of.clone()).collect();
        let (sender, looking) = oneshot::channel();
        let (consumer, wanted, limit) = (self.feed.consumer().clone(), self.roster.wanted.clone(), self.limit);
        shutdown::spawn("kafka-roster", move || {
            let found = look(&consumer, &wanted, &known, suspects, limit);
            drop(consumer);
            let _ = sender.send(found);
        })?;
        self.roster.looking = Some(looking);
        self.roster.due = self.roster.wanted.every.map(|every| Instant::now() + every);
        Ok(())
    }

    /// Takes up what a look brought; nothing when nobody answered.
    ///
    /// # Errors
    /// librdkafka's; a suspect has not the offset that was asked for.
    pub(super) fn found_news(&mut self, news: Option<News>) -> Result<()> {
        let Some(News { new, missing, suspects, is_open }) = news else {
            self.roster.hurry(AGAIN);
            return Ok(());
        };
        if is_open {
            self.roster.hurry(AGAIN);
        }
        for (of, marks) in suspects {
            self.judge(&of, marks)?;
        }
        let since = std::mem::take(&mut self.roster.missing);
        let now = Instant::now();
        for topic in missing {
            let first = since.get(&topic).copied().unwrap_or(now);
            if first.elapsed() >= SURE {
                self.told.push_back(gone(&topic));
                self.let_go(|of| of.topic == topic);
            } else {
                self.roster.missing.insert(topic, first);
                self.roster.hurry(AGAIN);
            }
        }
        for (of, low) in new {
            if !self.parts.iter().any(|part| part.of == of) {
                self.told
                    .push_back(Event::Trace(format!("{}[{}] is new, and read from its begin", of.topic, of.number)));
                self.take_up(of, low)?;
            }
        }
        Ok(())
    }

    /// Decides about a suspect: its topic was made anew when all that it has is before what was asked for.
    fn judge(&mut self, of: &Partition, marks: Option<(i64, i64)>) -> Result<()> {
        let Some(at) = self.roster.suspects.iter().position(|(suspect, _)| suspect == of) else { return Ok(()) };
        let Some((low, high)) = marks else {
            // Nobody knows yet; if it is gone, that is found, too.
            self.roster.hurry(AGAIN);
            return Ok(());
        };
        let (_, error) = self.roster.suspects.swap_remove(at);
        match self.parts.iter().find(|part| part.of == *of) {
            Some(part) if part.next > high => {
                let Partition { topic, number } = of;
                let text = format!("{topic}[{number}] was deleted and made anew, and is read from its begin");
                self.told.push_back(Event::Note(text));
                self.let_go(|other| other == of);
                self.take_up(of.clone(), low)
            }
            Some(_) => Err(error),
            None => Ok(()),
        }
    }

    /// Reads a partition from here on.
    fn take_up(&mut self, of: Partition, from: i64) -> Result<()> {
        let Partition { topic, number } = of.clone();
        self.add(of, from, None);
        self.feed.start(&topic, number, from).map_err(|code| topic_error(&topic, code))
    }

    /// Reads these partitions no longer.
    fn let_go(&mut self, is: impl Fn(&Partition) -> bool) {
        for part in self.parts.iter().filter(|part| is(&part.of)) {
            let _ = self.feed.stop(&part.of.topic, part.of.number);
        }
        self.parts.retain(|part| !is(&part.of));
        self.roster.suspects.retain(|(of, _)| !is(of));
    }

    /// The topics of these partitions that are gone, and that nobody named; blocks, no longer than this.
    pub(super) fn went(&self, places: &[TopicPartitionOffset], limit: Duration) -> BTreeSet<String> {
        let wanted = &self.roster.wanted;
        let metadata = wanted.has_patterns().then(|| self.feed.consumer().fetch_metadata(None, limit).ok()).flatten();
        let Some(metadata) = metadata else { return BTreeSet::new() };
        let there: BTreeSet<&str> = names_there(&metadata).collect();
        let topics = places.iter().map(|place| place.topic.as_str());
        topics.filter(|topic| wanted.is_matched(topic) && !there.contains(topic)).map(str::to_owned).collect()
    }
}

/// The topic that a group's consumer misses. librdkafka's event of it names none but in its words: `Subscribed topic not
/// available: TOPIC: REASON`.
pub(super) fn missed(text: &str) -> Option<&str> {
    text.strip_prefix("Subscribed topic not available: ")?.split(": ").next()
}

/// What is said of a topic that went.
pub(super) fn gone(topic: &str) -> Event {
    Event::Note(format!("the topic `{topic}` is not there any more"))
}

/// Asks for the topics, and where those partitions begin that are not known; `None` when nobody answers.
fn look(
    consumer: &BaseConsumer<ConnectionEvents>,
    wanted: &Wanted,
    known: &BTreeMap<String, BTreeSet<i32>>,
    suspects: Vec<Partition>,
    limit: Duration,
) -> Option<News> {
    let mut news = News::default();
    let mut new = Vec::new();
    for metadata in topics(consumer, wanted, limit)? {
        for topic in metadata.topics() {
            let is_meant = wanted.is_matched(topic.name()) || wanted.names().any(|name| name == topic.name());
            if topic.error().is_some() || !is_meant {
                continue;
            }
            let numbers = known.get(topic.name());
            let is_known = |of: &Partition| numbers.is_some_and(|numbers| numbers.contains(&of.number));
            news.is_open |= topic.partitions().iter().any(|partition| partition.leader() < 0);
            new.extend(wanted.partitions(topic).into_iter().filter(|of| !is_known(of)));
        }
        if wanted.has_patterns() {
            let there: BTreeSet<&str> = names_there(&metadata).collect();
            let is_gone = |topic: &&String| wanted.is_matched(topic) && !there.contains(topic.as_str());
            news.missing.extend(known.keys().filter(is_gone).cloned());
        }
    }
    let asked: Vec<Partition> = new.iter().chain(&suspects).cloned().collect();
    // A partition that was just made may have no leader that knows of it.
    let Marks { lows, highs } = marks(consumer, &asked, limit).unwrap_or_default();
    let mut found = lows.into_iter().zip(highs).map(|(low, high)| low.zip(high));
    for of in new {
        match found.next().flatten() {
            Some((low, _)) => news.new.push((of, low)),
            None => news.is_open = true,
        }
    }
    news.suspects = suspects.into_iter().map(|of| (of, found.next().flatten())).collect();
    Some(news)
}

/// The topics that are not said to be unknown.
fn names_there(metadata: &Metadata) -> impl Iterator<Item = &str> {
    let is_known = |topic: &&MetadataTopic| topic.error().map(Code::from) != Some(Code::UnknownTopicOrPartition);
    metadata.topics().iter().filter(is_known).map(MetadataTopic::name)
}

/// What the cluster says of the topics, or of all.
fn topics(consumer: &BaseConsumer<ConnectionEvents>, wanted: &Wanted, limit: Duration) -> Option<Vec<Metadata>> {
    if wanted.has_patterns() || wanted.topics.len() > ONE_BY_ONE {
        return Some(vec![consumer.fetch_metadata(None, limit).ok()?]);
    }
    wanted.names().map(|name| consumer.fetch_metadata(Some(name), limit).ok()).collect()
}
