//! Kafka as a sink: records are handed to librdkafka, and each is answered for by its own delivery report.

mod again;
mod judge;
mod link;

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::producer::{BaseProducer, Producer as _, PurgeConfig};
use tokio::time::Sleep;

use super::connect::leave;
use super::connected::Connected;
use super::events::ConnectionEvents;
use super::fault::topic_error;
use super::intake::Intake;
use crate::error::{Error, Result};
use crate::flow::{Declined, Heard, Next, Outcome, Sink, Ticket, Told, Work};
use crate::kafka::ffi::{Bell, Parcel, Reports, TopicProducer, What};
use crate::message::{Headers, KafkaHeader, Message, Time};

/// How many records are handed over together.
const BATCH: usize = 256;

/// How long is waited, at the end, for what librdkafka gives up.
pub(super) const GIVE_UP: Duration = Duration::from_millis(500);

/// Hashes tickets, which are dense: one multiplication spreads them. The hasher of the standard library is made for keys that
/// somebody else chooses, and would be the dearest step on the way of a record.
#[derive(Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A message that is kept, and whose it is.
type Kept = (Ticket, Message<'static>);

/// What a producer is made with.
pub(crate) struct ProducerOptions {
    /// The topic.
    pub topic: String,
    /// What it takes.
    pub intake: Intake,
    /// How many partitions it has.
    pub partitions: i32,
    /// Headers behind each message's own.
    pub also: Vec<KafkaHeader<'static>>,
    /// Brokers confirm what they take.
    pub confirms: bool,
    /// It is all or nothing: a record that was not taken is not sent again.
    pub is_atomic: bool,
    /// The size of the largest record that librdkafka takes, in bytes.
    pub max_record: usize,
    /// How many records, and bytes of them, may be under way.
    pub room: (usize, usize),
    /// How long records may be under way without any of them arriving while brokers are away; `None` is for ever.
    pub patience: Option<Duration>,
}

/// A topic that messages go to.
pub(crate) struct Producer {
    topic: TopicProducer<ConnectionEvents>,
    bell: Bell,
    /// Somebody else asks for the reports, and hands over those of this topic.
    is_fed: bool,
    to: ProducerOptions,
    /// How many records have no answer yet, and the bytes of their values, as librdkafka counts them.
    under_way: usize,
    bytes: usize,
    /// How many have one.
    done: u64,
    /// Something was confirmed.
    confirmed: bool,
    reports: Reports,
    /// The own times of records that are under way: librdkafka does not give them back.
    times: HashMap<u64, Time, BuildHasherDefault<Spread>>,
    /// What became known while nobody asked.
    outcomes: Vec<(Ticket, Outcome)>,
    told: Vec<Told>,
    /// What librdkafka had no room for, or what waits to be sent by itself, in its order.
    stash: VecDeque<Kept>,
    /// What was not taken because of others in its batch, in the batches that it is sent in again.
    again: VecDeque<Vec<Kept>>,
    /// How many of these came behind later ones, and are not told of yet.
    overtaken: usize,
    /// What is under way shares its batch with nothing else.
    alone: bool,
    /// Why nothing more will be taken.
    failure: Option<Error>,
    failed: bool,
    waiting: link::Waiting,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Producer {
    /// A producer to one topic.
    ///
    /// # Errors
    /// `Kind::Refused`: no topic can have this name.
    pub(crate) fn new(wire: Arc<BaseProducer<ConnectionEvents>>, to: ProducerOptions) -> Result<Producer> {
        Producer::of(wire, to, false)
    }

    /// The same of one among others with this client: who asks for the reports of all hands them over.
    ///
    /// # Errors
    /// As [`Producer::new`].
    pub(super) fn fed(wire: Arc<BaseProducer<ConnectionEvents>>, to: ProducerOptions) -> Result<Producer> {
        Producer::of(wire, to, true)
    }

    fn of(wire: Arc<BaseProducer<ConnectionEvents>>, to: ProducerOptions, is_fed: bool) -> Result<Producer> {
        let bell = Bell::default();
        let topic = TopicProducer::new(wire, &to.topic, (!is_fed).then_some(&bell));
        Ok(Producer {
            topic: topic.map_err(|code| topic_error(&to.topic, code))?,
            bell,
            is_fed,
            to,
            under_way: 0,
            bytes: 0,
            done: 0,
            confirmed: false,
            reports: Reports::default(),
            times: HashMap::default(),
            outcomes: Vec::new(),
            told: Vec::new(),
            stash: VecDeque::new(),
            again: VecDeque::new(),
            overtaken: 0,
            alone: false,
            failure: None,
            failed: false,
            waiting: link::Waiting::default(),
            timer: None,
        })
    }

    /// The client underneath.
    pub(crate) fn wire(&self) -> &Arc<BaseProducer<ConnectionEvents>> {
        self.topic.producer()
    }

    fn events(&self) -> Arc<ConnectionEvents> {
        Connected::client(&**self.wire()).context().clone()
    }

    /// How many more records librdkafka has room for, beside so many with so many bytes.
    fn room_beside(&self, records: usize, bytes: usize) -> usize {
        let (most, most_bytes) = self.to.room;
        let (records, bytes) = (self.under_way + records, self.bytes + bytes);
        // Room for one more, however large it is.
        let next = self.to.max_record.min(most_bytes / 4);
        if records > 0 && bytes + next > most_bytes { 0 } else { most.saturating_sub(records) }
    }

    /// True while nothing new is taken: what is here goes first.
    fn is_held_up(&self) -> bool {
        self.alone || !self.stash.is_empty() || !self.again.is_empty() || self.failure.is_some() || self.failed
    }

    /// Hands over what was gathered; what there is no room for is kept.
    fn send_all(&mut self, parcels: &mut Vec<Parcel<'_>>) {
        if parcels.is_empty() {
            return;
        }
        let is_taken = self.topic.send_all(parcels);
        if is_taken {
            self.under_way += parcels.len();
            self.bytes += parcels.iter().map(Parcel::len).sum::<usize>();
            parcels.clear();
            return;
        }
        let refused: Vec<Option<Code>> = self.topic.refused().collect();
        for (parcel, refused) in parcels.drain(..).zip(refused) {
            let ticket = Ticket(parcel.number() as u64);
            match refused {
                None => {
                    self.under_way += 1;
                    self.bytes += parcel.len();
                }
                Some(Code::QueueFull) => self.stash.push_back((ticket, parcel.into_message())),
                Some(code) => self.not_taken(ticket, code),
            }
        }
    }

    /// Hands over a message that says more than a parcel can. False when there is no room for it.
    fn send(&mut self, ticket: Ticket, message: &Message<'_>, also: bool) -> bool {
        let also: &[KafkaHeader<'_>] = if also { &self.to.also } else { &[] };
        match self.topic.send(message, also, usize::try_from(ticket.0).unwrap_or(usize::MAX)) {
            Ok(()) => {
                self.under_way += 1;
                self.bytes += message.value.bytes().map_or(0, <[u8]>::len);
                if let Some(time) = message.timestamp {
                    self.times.insert(ticket.0, time);
                }
            }
            Err(Code::QueueFull) => return false,
            Err(code) => self.not_taken(ticket, code),
        }
        true
    }

    /// Keeps a message that is sent later, as it will be sent.
    fn keep(&mut self, ticket: Ticket, message: Message<'_>) {
        let mut message = message.into_owned();
        if !self.to.also.is_empty() {
            let mut headers = message.headers.into_list();
            headers.extend(self.to.also.iter().cloned());
            message.headers = Headers::Kafka(headers);
        }
        self.stash.push_back((ticket, message));
    }

    /// Takes up reports and what else librdkafka tells; when there is nothing, waits for it.
    fn serve(&mut self, timeout: Duration, heard: &mut Heard) {
        if self.is_fed {
            return;
        }
        let (mut reports, mut timeout) = (std::mem::take(&mut self.reports), timeout);
        while poll(&self.topic, std::mem::take(&mut timeout), &mut reports) {
            if reports.count() > 0 {
                self.take_up(&mut reports, heard);
            }
        }
        self.reports = reports;
    }

    /// Takes up reports that somebody else asked for, if they are about this topic.
    pub(super) fn feed(&mut self, reports: &mut Reports) -> bool {
        let is_own = self.topic.has_sent(reports);
        if is_own {
            let mut heard = Heard { outcomes: std::mem::take(&mut self.outcomes), ..Heard::default() };
            self.take_up(reports, &mut heard);
            self.outcomes = heard.outcomes;
        }
        is_own
    }

    /// Why nothing more will be taken.
    pub(super) fn failure(&self) -> Option<&Error> {
        self.failure.as_ref()
    }

    /// How many partitions the topic has.
    pub(super) fn partitions(&self) -> i32 {
        self.to.partitions
    }

    /// True when records are under way.
    pub(super) fn is_busy(&self) -> bool {
        self.under_way > 0
    }

    fn take_up(&mut self, reports: &mut Reports, heard: &mut Heard) {
        let count = reports.count();
        self.under_way = self.under_way.saturating_sub(count);
        self.bytes = self.bytes.saturating_sub(reports.bytes);
        self.done += count as u64;
        self.confirmed |= !reports.delivered.is_empty();
        if !self.times.is_empty() {
            for number in &reports.delivered {
                self.times.remove(&(*number as u64));
            }
        }
        let confirms = self.to.confirms;
        heard.outcomes.extend(
            reports
                .delivered
                .drain(..)
                .map(|number| (Ticket(number as u64), if confirms { Outcome::Confirmed } else { Outcome::Written })),
        );
        if !reports.lost.is_empty() {
            self.lost(count, &mut reports.lost, heard);
        }
    }

    /// Everything that was not sent, and will not be.
    fn unsent(&mut self, heard: &mut Heard) {
        let again = self.again.drain(..).flatten();
        for (ticket, _) in again.chain(self.stash.drain(..)) {
            heard.outcome(ticket, Outcome::Unsent);
        }
    }

    /// Has librdkafka give up what is under way, and takes up what it then knows.
    fn purge(&mut self, heard: &mut Heard) {
        self.wire().purge(PurgeConfig::default().queue().inflight());
        let until = Instant::now() + GIVE_UP;
        self.serve(Duration::ZERO, heard);
        while self.under_way > 0 && !self.is_fed && Instant::now() < until {
            self.serve(Duration::from_millis(2), heard);
        }
    }
}

/// Takes up the next that librdkafka tells, within this time: reports, if it is some. False when there is nothing.
pub(super) fn poll(topic: &TopicProducer<ConnectionEvents>, timeout: Duration, reports: &mut Reports) -> bool {
    let Some(what) = topic.poll(timeout, reports, judge::keeps) else { return false };
    let events = || Connected::client(&**topic.producer()).context().clone();
    match what {
        What::Fault { code, text, .. } => events().note(code, &text),
        What::Log(line) => events().log_line(&line),
        What::Rebalance(..) | What::Committed(_) | What::Other => {}
    }
    true
}

impl Sink for Producer {
    fn room(&self) -> usize {
        if self.is_held_up() { 0 } else { self.room_beside(0, 0) }
    }

    fn is_empty(&self) -> bool {
        let waits = !self.stash.is_empty() || !self.again.is_empty() || self.failure.is_some();
        self.under_way == 0 && !waits && self.outcomes.is_empty() && self.told.is_empty()
    }

    fn submit<'b>(&mut self, next: &mut Next<'_, 'b>) -> Result<(), Declined> {
        let plain = self.to.also.is_empty();
        let mut parcels: Vec<Parcel<'b>> = Vec::with_capacity(BATCH);
        let (mut message, mut gathered) = (Message::default(), 0);
        loop {
            let full = self.is_held_up() || self.room_beside(parcels.len(), gathered) == 0;
            if full && !self.takes_doubtful() {
                break;
            }
            let Some(ticket) = next(&mut message) else { break };
            if !self.stash.is_empty() || self.to.intake.doubts(&message) {
                self.send_all(&mut parcels);
                gathered = 0;
                self.keep(ticket, std::mem::take(&mut message));
                continue;
            }
            let number = usize::try_from(ticket.0).unwrap_or(usize::MAX);
            match Parcel::of(&message, number).filter(|_| plain) {
                Some(parcel) => {
                    gathered += parcel.len();
                    parcels.push(parcel);
                    if parcels.len() < BATCH {
                        continue;
                    }
                    self.send_all(&mut parcels);
                }
                None => {
                    self.send_all(&mut parcels);
                    if !self.stash.is_empty() || !self.send(ticket, &message, true) {
                        self.keep(ticket, std::mem::take(&mut message));
                    }
                }
            }
            gathered = 0;
        }
        self.send_all(&mut parcels);
        Ok(())
    }

    fn flush(&mut self, last: bool) -> Result<()> {
        // Before the end `linger.ms` sees to it.
        if last {
            self.send_now();
        }
        Ok(())
    }

    fn press(&mut self) {
        self.send_now();
    }

    fn poll(&mut self, cx: &mut Context<'_>, heard: &mut Heard) -> Poll<Result<()>> {
        self.bell.register(cx.waker());
        loop {
            self.serve(Duration::ZERO, heard);
            self.go_on();
            if !self.is_due(cx) {
                break;
            }
            self.look(heard);
        }
        if self.under_way == 0
            && let Some(failure) = self.failure.take()
        {
            self.failed = true;
            self.unsent(heard);
            heard.outcomes.append(&mut self.outcomes);
            heard.told.append(&mut self.told);
            return Poll::Ready(Err(failure));
        }
        heard.outcomes.append(&mut self.outcomes);
        heard.told.append(&mut self.told);
        if heard.is_empty() { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    fn abandon(&mut self, heard: &mut Heard) {
        if self.under_way > 0 {
            self.purge(heard);
        }
        self.unsent(heard);
        heard.outcomes.append(&mut self.outcomes);
    }

    fn close(self: Box<Self>) -> Work<'static, ()> {
        // What became of each record is known.
        leave(self);
        Box::pin(std::future::ready(()))
    }
}
