//! Answers as a sink: each goes to the topic that it names, which is whatever who asked has said. All go by one client.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use rdkafka::producer::{BaseProducer, Producer as _, PurgeConfig};
use tokio::sync::oneshot;

use super::config::Setup;
use super::connect::{leave, settled_topic};
use super::connected::Connected;
use super::events::ConnectionEvents;
use super::fault::{error_of, topic_error};
use super::intake::Intake;
use super::producer::{GIVE_UP, Producer, ProducerOptions, poll};
use crate::error::{Error, Kind, Result};
use crate::flow::{Declined, Heard, Next, OnRefusal, Outcome, Refusal, Sink, Ticket, Work, take_in};
use crate::kafka::ffi::{Bell, Reports, TopicProducer};
use crate::message::Message;
use crate::shutdown::{self, Shutdown};

/// How many answers may wait for what is known of their topic.
const WAITING: usize = 256;

/// How many topics are looked for at a time, and known at the most.
const LOOKING: usize = 4;
const KNOWN: usize = 1024;

/// For how long one is taken for missing.
const FRESH: Duration = Duration::from_secs(1);

/// How long each question about a topic may take.
const ASK: Duration = Duration::from_secs(2);

/// What answers are sent with.
pub(crate) struct ReplyingOptions {
    /// The client.
    pub wire: Arc<BaseProducer<ConnectionEvents>>,
    /// Its settings.
    pub setup: Arc<Setup>,
    /// The topic that is asked through, which is there.
    pub topic: String,
    /// How long brokers may be away.
    pub patience: Option<Duration>,
    /// What ends it early.
    pub shutdown: Shutdown,
}

/// What was found out about a topic.
struct Found {
    intake: Intake,
    partitions: i32,
}

/// A topic that answers go to.
enum Target {
    /// It is looked for.
    Looking(oneshot::Receiver<Result<Found>>),
    /// It is there.
    Open(Box<Producer>),
    /// It cannot be written to, as far as was known then.
    Missing(Refusal, Instant),
}

/// Sends answers.
pub(crate) struct Replying {
    targets: HashMap<String, Target>,
    /// Answers that wait for their topic, or for room there, in their order.
    waiting: VecDeque<(Ticket, Message<'static>)>,
    /// Asks for the reports of all topics.
    listening: TopicProducer<ConnectionEvents>,
    bell: Bell,
    reports: Reports,
    with: ReplyingOptions,
    /// Since when no topic could be looked for.
    trouble: Option<Instant>,
}

impl Replying {
    /// No topic is known yet.
    ///
    /// # Errors
    /// `Kind::Refused`: no topic can have the name of the one that is asked through.
    pub(crate) fn new(with: ReplyingOptions) -> Result<Replying> {
        let bell = Bell::default();
        let listening = TopicProducer::new(with.wire.clone(), &with.topic, Some(&bell));
        Ok(Replying {
            targets: HashMap::new(),
            waiting: VecDeque::new(),
            listening: listening.map_err(|code| topic_error(&with.topic, code))?,
            bell,
            reports: Reports::default(),
            with,
            trouble: None,
        })
    }

    /// Takes up reports; when there are none, waits for them.
    fn serve(&mut self, mut timeout: Duration) {
        let Replying { targets, listening, reports, .. } = self;
        while poll(listening, std::mem::take(&mut timeout), reports) {
            if reports.count() == 0 {
                continue;
            }
            let mut open = targets.values_mut().filter_map(Target::producer);
            // One that was let go had nothing under way.
            let _ = open.any(|producer| producer.feed(reports));
        }
    }

    /// Begins to look for a topic.
    fn look(&mut self, topic: &str) -> Result<()> {
        let mut looking = self.targets.values().filter(|target| matches!(target, Target::Looking(_)));
        if looking.nth(LOOKING - 1).is_some() {
            return Ok(());
        }
        if self.targets.len() >= KNOWN {
            self.targets.retain(|_, target| match target {
                Target::Looking(_) => true,
                Target::Open(producer) => !producer.is_empty(),
                Target::Missing(..) => false,
            });
        }
        let ReplyingOptions { wire, setup, shutdown, .. } = &self.with;
        let (wire, setup, shutdown, name) = (wire.clone(), setup.clone(), shutdown.clone(), topic.to_owned());
        let (sender, found) = oneshot::channel();
        shutdown::spawn("kafka-topic", move || {
            let found = find(&wire, &setup, &name, &shutdown);
            drop(wire);
            // Nobody may be waiting any more.
            let _ = sender.send(found);
        })?;
        self.targets.insert(topic.to_owned(), Target::Looking(found));
        Ok(())
    }

    /// Takes up what was found; false when that is nothing.
    fn found(&mut self, cx: &mut Context<'_>, heard: &mut Heard) -> Result<bool> {
        let mut all = Vec::new();
        for (topic, target) in &mut self.targets {
            if let Target::Looking(looking) = target
                && let Poll::Ready(found) = Pin::new(looking).poll(cx)
            {
                let ended = || Err(Error::new(Kind::Io, "the Kafka thread ended early"));
                all.push((topic.clone(), found.unwrap_or_else(|_| ended())));
            }
        }
        let any = !all.is_empty();
        for (topic, found) in all {
            let target = match found.and_then(|found| self.open(&topic, found)) {
                Ok(producer) => {
                    self.trouble = None;
                    Target::Open(Box::new(producer))
                }
                Err(error) if is_about_topic(&error) => Target::Missing(nowhere(&error), Instant::now()),
                Err(error) => {
                    self.targets.remove(&topic);
                    self.not_found(&topic, error, heard)?;
                    continue;
                }
            };
            self.targets.insert(topic, target);
        }
        Ok(any)
    }

    /// It is not known whether a topic is there.
    fn not_found(&mut self, topic: &str, error: Error, heard: &mut Heard) -> Result<()> {
        if self.with.shutdown.reason().is_some() {
            let of_topic = |(_, message): &(Ticket, Message<'_>)| message.topic.as_deref() == Some(topic);
            let (ended, kept) = std::mem::take(&mut self.waiting).into_iter().partition(of_topic);
            self.waiting = kept;
            let ended: VecDeque<_> = ended;
            ended.into_iter().for_each(|(ticket, _)| heard.outcome(ticket, Outcome::Unsent));
            return Ok(());
        }
        let since = *self.trouble.get_or_insert_with(Instant::now);
        let is_passing = matches!(error.kind(), Kind::Connect | Kind::Deadline);
        match is_passing && self.with.patience.is_none_or(|patience| since.elapsed() < patience) {
            true => Ok(()),
            false => Err(error),
        }
    }

    fn open(&self, topic: &str, Found { intake, partitions }: Found) -> Result<Producer> {
        let ReplyingOptions { wire, setup, patience, .. } = &self.with;
        let to = ProducerOptions {
            topic: topic.to_owned(),
            intake,
            partitions,
            also: Vec::new(),
            confirms: true,
            is_atomic: false,
            max_record: setup.max_record(),
            room: setup.room(),
            patience: *patience,
        };
        Producer::fed(wire.clone(), to)
    }

    /// Hands over what may go now.
    fn hand_over(&mut self, heard: &mut Heard) -> Result<()> {
        let mut at = 0;
        while let Some((_, message)) = self.waiting.get(at) {
            let topic = message.topic.as_deref().unwrap_or_default();
            match self.targets.get_mut(topic) {
                Some(Target::Open(producer)) => {
                    let before = self.waiting.len();
                    give(producer, &mut self.waiting, at, heard)?;
                    at += usize::from(self.waiting.len() == before);
                }
                Some(Target::Missing(refusal, since)) if since.elapsed() < FRESH => {
                    let refusal = Box::new(refusal.clone());
                    if let Some((ticket, _)) = self.waiting.remove(at) {
                        heard.outcome(ticket, Outcome::Refused(refusal));
                    }
                }
                Some(Target::Looking(_)) => at += 1,
                Some(Target::Missing(..)) | None => {
                    let topic = topic.to_owned();
                    self.look(&topic)?;
                    at += 1;
                }
            }
        }
        Ok(())
    }

    /// What became known of what was sent.
    fn hear(&mut self, cx: &mut Context<'_>, heard: &mut Heard) -> Result<()> {
        for target in self.targets.values_mut() {
            let Some(producer) = target.producer() else { continue };
            let (mut told, mut outcomes) = (Heard::default(), Vec::new());
            let failed = loop {
                let polled = producer.poll(cx, &mut told);
                outcomes.append(&mut told.outcomes);
                heard.told.append(&mut told.told);
                match polled {
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(error)) => break Some(error),
                    Poll::Pending => break None,
                }
            };
            let is_fatal = Connected::client(&*self.with.wire).fatal_error().is_some();
            let why = failed.as_ref().or(producer.failure()).filter(|why| !is_fatal && is_about_topic(why));
            let refusal = why.map(nowhere);
            heard.outcomes.extend(outcomes.into_iter().map(|(ticket, outcome)| match (outcome, &refusal) {
                (Outcome::Unsent, Some(refusal)) => (ticket, Outcome::Refused(Box::new(refusal.clone()))),
                (outcome, _) => (ticket, outcome),
            }));
            match (failed, refusal) {
                (Some(_), Some(refusal)) => *target = Target::Missing(refusal, Instant::now()),
                (Some(error), None) => return Err(error),
                (None, _) => {}
            }
        }
        Ok(())
    }

    fn step(&mut self, cx: &mut Context<'_>, heard: &mut Heard) -> Result<()> {
        self.bell.register(cx.waker());
        loop {
            self.serve(Duration::ZERO);
            let any = self.found(cx, heard)?;
            self.hand_over(heard)?;
            self.hear(cx, heard)?;
            // What is looked for since is asked about, too.
            if !any && !self.found(cx, heard)? {
                return Ok(());
            }
        }
    }
}

impl Target {
    fn producer(&mut self) -> Option<&mut Producer> {
        match self {
            Target::Open(producer) => Some(producer),
            Target::Looking(_) | Target::Missing(..) => None,
        }
    }
}

/// Hands over the answers to one topic that stand here one behind the other.
fn give(
    producer: &mut Producer,
    waiting: &mut VecDeque<(Ticket, Message<'static>)>,
    at: usize,
    heard: &mut Heard,
) -> Result<()> {
    let partitions = producer.partitions();
    let topic = waiting.get(at).and_then(|(_, message)| message.topic.clone());
    let given = producer.submit(&mut |into| {
        loop {
            waiting.get(at).filter(|(_, message)| message.topic == topic)?;
            let (ticket, message) = waiting.remove(at)?;
            match message.partition {
                Some(number) if number >= partitions => {
                    let name = topic.as_deref().unwrap_or_default();
                    let why = Error::refused(format!("topic `{name}` has no partition {number}"));
                    heard.outcome(ticket, Outcome::Refused(Box::new(nowhere(&why))));
                }
                _ => {
                    *into = message;
                    return Some(ticket);
                }
            }
        }
    });
    match given {
        Ok(()) => Ok(()),
        Err(Declined::Over(error)) => Err(error),
        Err(Declined::Unfit(unfit)) => Err(unfit.error()),
    }
}

/// Looks for a topic, and for what it takes; blocks.
fn find(wire: &Arc<BaseProducer<ConnectionEvents>>, setup: &Setup, topic: &str, shutdown: &Shutdown) -> Result<Found> {
    let first = Connected::client(&**wire).fetch_metadata(Some(topic), ASK);
    let first = first.map_err(|e| error_of(format!("cannot read the metadata of topic `{topic}`"), &e))?;
    let metadata = settled_topic(wire, topic, Arc::new(first), setup.creates_topics(), shutdown)?;
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    let partitions = found.map_or(0, |found| found.partitions().len());
    let intake = Intake::of(&**wire, topic, shutdown);
    Ok(Found { intake, partitions: i32::try_from(partitions).unwrap_or(i32::MAX) })
}

/// Whether other topics may be good all the same.
fn is_about_topic(error: &Error) -> bool {
    matches!(error.kind(), Kind::Refused | Kind::Auth)
}

/// The answer has no place: nobody can be told so, and asking again would change nothing.
fn nowhere(error: &Error) -> Refusal {
    Refusal::new(format!("its answer has no place: {}", error.head())).then(OnRefusal::Skip)
}

impl Sink for Replying {
    fn room(&self) -> usize {
        WAITING.saturating_sub(self.waiting.len())
    }

    fn is_empty(&self) -> bool {
        let is_empty = |target: &Target| match target {
            Target::Open(producer) => producer.is_empty(),
            Target::Looking(_) | Target::Missing(..) => true,
        };
        self.waiting.is_empty() && self.targets.values().all(is_empty)
    }

    fn submit<'b>(&mut self, next: &mut Next<'_, 'b>) -> Result<(), Declined> {
        take_in(next, &mut self.waiting, WAITING);
        Ok(())
    }

    fn flush(&mut self, last: bool) -> Result<()> {
        let mut open = self.targets.values_mut().filter_map(Target::producer);
        open.try_for_each(|producer| producer.flush(last))
    }

    fn press(&mut self) {
        self.targets.values_mut().filter_map(Target::producer).for_each(Producer::press);
    }

    fn poll(&mut self, cx: &mut Context<'_>, heard: &mut Heard) -> Poll<Result<()>> {
        let was_full = self.room() == 0;
        if let Err(error) = self.step(cx, heard) {
            self.abandon(heard);
            return Poll::Ready(Err(error));
        }
        match heard.is_empty() && !(was_full && self.room() > 0) {
            true => Poll::Pending,
            false => Poll::Ready(Ok(())),
        }
    }

    fn abandon(&mut self, heard: &mut Heard) {
        let is_busy = |targets: &mut HashMap<String, Target>| {
            targets.values_mut().filter_map(Target::producer).any(|producer| producer.is_busy())
        };
        if is_busy(&mut self.targets) {
            self.with.wire.purge(PurgeConfig::default().queue().inflight());
            let until = Instant::now() + GIVE_UP;
            self.serve(Duration::ZERO);
            while is_busy(&mut self.targets) && Instant::now() < until {
                self.serve(Duration::from_millis(2));
            }
        }
        self.targets.values_mut().filter_map(Target::producer).for_each(|producer| producer.abandon(heard));
        heard.outcomes.extend(self.waiting.drain(..).map(|(ticket, _)| (ticket, Outcome::Unsent)));
    }

    fn close(self: Box<Self>) -> Work<'static, ()> {
        leave(self);
        Box::pin(std::future::ready(()))
    }
}
