//! A producer on the caller's own thread, with an exact account of what became of each record.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::{BaseProducer, Producer as _, PurgeConfig};

use super::connect::Connected;
use super::events::Events;
use super::fault::{error_of, topic_error};
use crate::error::{Error, Kind, Result};
use crate::kafka::ffi::{Lane, Parcel, What};
use crate::message::{KafkaHeader, Message};

/// How long a full queue is waited for. Whole milliseconds, librdkafka's unit.
const PAUSE: Duration = Duration::from_millis(2);

/// What librdkafka adds to key and value is less than this (RD_KAFKAP_MESSAGE_V2_MAX_OVERHEAD).
const OVERHEAD: usize = 128;

/// How late the first confirmation is before it is hurried, twice as late each time; and how often at the most.
const HURRY: Duration = Duration::from_millis(8);
const HURRIES: u32 = 7;

/// What became of the records of a producer.
#[derive(Debug, Default)]
pub struct Account {
    /// Handed to librdkafka.
    pub sent: u64,
    /// Confirmed by the broker.
    pub confirmed: u64,
    /// Refused, and certainly not written: the record's number, and why.
    pub failed: Vec<(u64, Code)>,
    /// Sent, and never answered: the record's number.
    pub unknown: Vec<u64>,
}

impl Account {
    /// How many are still on their way.
    pub fn in_flight(&self) -> u64 {
        self.sent - self.confirmed - self.losses()
    }

    /// How many were refused or lost.
    pub fn losses(&self) -> u64 {
        self.failed.len() as u64 + self.unknown.len() as u64
    }
}

/// Where and how records are sent.
pub struct Producer {
    lane: Lane<Events>,
    topic: String,
    max_record: usize,
    account: Account,
    /// How long records may be on their way without any of them arriving while brokers are away.
    patience: Option<Duration>,
    waiting_since: Option<Instant>,
    last_done: u64,
    /// Since when records have waited for the first confirmation, and how often that was hurried.
    first_sent: Option<Instant>,
    hurried: u32,
}

impl Producer {
    /// A producer to one topic that takes records up to `max_record` bytes. `patience` `None` waits for brokers for ever.
    ///
    /// # Errors
    /// `Kind::Refused`: no topic can have this name.
    pub fn new(
        wire: Arc<BaseProducer<Events>>,
        topic: &str,
        max_record: usize,
        patience: Option<Duration>,
    ) -> Result<Producer> {
        let lane = Lane::new(wire, topic).map_err(|code| topic_error(topic, code))?;
        let (topic, account) = (topic.to_owned(), Account::default());
        Ok(Producer {
            lane,
            topic,
            max_record,
            account,
            patience,
            waiting_since: None,
            last_done: 0,
            first_sent: None,
            hurried: 0,
        })
    }

    /// Hands a record to librdkafka, which copies it; false when its queue is full: serve it and try again, and do not read
    /// on. `also` are headers behind the message's own.
    ///
    /// # Errors
    /// `Kind::Refused`: too large, no such partition.
    pub fn send(&mut self, message: &Message<'_>, also: &[KafkaHeader<'_>], number: u64) -> Result<bool> {
        match self.lane.send(message, also, usize::try_from(number).unwrap_or(usize::MAX)) {
            Ok(()) => self.account.sent += 1,
            Err(Code::QueueFull) => return Ok(false),
            Err(code) => return Err(self.fault(code)),
        }
        Ok(true)
    }

    /// The message as one for [`Producer::send_all`]; `None` when it may only be sent by itself: it says more than key and
    /// value, or may be too large, which must stop those behind it.
    pub fn parcel<'a>(&self, message: &Message<'a>, number: u64) -> Option<Parcel<'a>> {
        Parcel::of(message, usize::try_from(number).unwrap_or(usize::MAX))
            .filter(|parcel| parcel.len().saturating_add(OVERHEAD) < self.max_record)
    }

    /// Hands records to librdkafka, in their order, as far as its queue has room, and says how many it took.
    ///
    /// # Errors
    /// `Kind::Refused`: it takes no more at all.
    pub fn send_all(&mut self, parcels: &[Parcel<'_>]) -> Result<usize> {
        let (sent, stopped) = self.lane.send_all(parcels);
        self.account.sent += sent as u64;
        match stopped {
            None | Some(Code::QueueFull) => Ok(sent),
            Some(code) => Err(self.fault(code)),
        }
    }

    fn fault(&self, code: Code) -> Error {
        let error = error_of(format!("topic `{}`", self.topic), &KafkaError::MessageProduction(code));
        match code {
            Code::MessageSizeTooLarge => {
                error.hint(format!("the limit is {} bytes (message.max.bytes)", self.max_record))
            }
            Code::UnknownPartition => {
                error.hint(format!("it has fewer partitions: see `mscomm kafka topic describe {}`", self.topic))
            }
            _ => error,
        }
    }

    /// Takes up confirmations, without waiting.
    pub fn serve(&mut self) {
        self.serve_for(Duration::ZERO);
    }

    /// Takes up confirmations; when there are none, waits for one, but not long.
    pub fn serve_a_while(&mut self) {
        self.serve_for(PAUSE);
    }

    /// Without its id an idempotent producer sends nothing. librdkafka asks for it whenever metadata comes in, and else only
    /// every 500 ms; the first time it may ask on the connection to the bootstrap server, which it is just giving up, in vain
    /// (`rd_kafka_idemp_pid_fsm`, and `rd_kafka_metadata_decommission_unavailable_brokers`, new in 2.11). So when the first
    /// confirmation is late, metadata is asked for.
    fn hurry(&mut self) {
        if self.account.confirmed > 0 || self.hurried >= HURRIES || self.account.in_flight() == 0 {
            return;
        }
        let since = *self.first_sent.get_or_insert_with(Instant::now);
        if since.elapsed() >= HURRY * 2u32.pow(self.hurried) {
            self.hurried += 1;
            // It comes or it does not: the confirmation is what counts.
            drop(Connected::client(self.wire()).fetch_metadata(Some(&self.topic), HURRY * 8));
        }
    }

    fn serve_for(&mut self, mut timeout: Duration) {
        self.hurry();
        let events = self.events().clone();
        while let Some(what) = self.lane.poll(std::mem::take(&mut timeout)) {
            match what {
                What::Delivery(confirmed, lost) => {
                    self.account.confirmed += confirmed;
                    for record in lost {
                        let number = record.number as u64;
                        match record.possibly_written {
                            true => self.account.unknown.push(number),
                            false => self.account.failed.push((number, record.code)),
                        }
                    }
                }
                What::Fault { code, text, .. } => events.note(code, &text),
                What::Log(line) => events.log_line(&line),
                What::Rebalance(..) | What::Committed(_) | What::Other => {}
            }
        }
    }

    /// What became of the records so far.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// Fails when brokers have been away too long while records wait for them.
    ///
    /// # Errors
    /// `Kind::Connect`, with librdkafka's reasons.
    pub fn check_link(&mut self) -> Result<()> {
        let events = self.events().clone();
        if events.trouble().is_none() {
            return Ok(());
        }
        let in_flight = self.account.in_flight();
        let done = self.account.sent - in_flight;
        if in_flight == 0 || done > self.last_done {
            self.last_done = done;
            self.waiting_since = None;
            events.recovered();
            return Ok(());
        }
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        match self.patience {
            Some(patience) if since.elapsed() > patience => {
                let reasons: Vec<String> = events.faults().into_iter().map(|f| f.text).collect();
                let limit = humantime::format_duration(patience);
                Err(Error::new(Kind::Connect, format!("no broker took the records within {limit}"))
                    .because(reasons.join("; ")))
            }
            _ => Ok(()),
        }
    }

    /// Waits until every record has its answer, or `go_on` says no. Call it again to go on waiting.
    ///
    /// # Errors
    /// Those of `go_on`.
    pub fn flush(&mut self, mut go_on: impl FnMut(&mut Producer) -> Result<()>) -> Result<()> {
        // With no time to wait `flush` only tells librdkafka to send what lingers, and whether something is left.
        while self.wire().flush(Duration::ZERO).is_err() {
            self.serve_a_while();
            go_on(self)?;
        }
        self.serve();
        Ok(())
    }

    /// Gives up what has no answer yet; the account then says of each record what is known.
    pub fn abandon(&mut self) {
        self.wire().purge(PurgeConfig::default().queue().inflight());
        let until = Instant::now() + Duration::from_millis(500);
        while self.account.in_flight() > 0 && Instant::now() < until {
            self.serve_a_while();
        }
    }

    fn wire(&self) -> &BaseProducer<Events> {
        self.lane.producer()
    }

    fn events(&self) -> &Arc<Events> {
        Connected::client(self.wire()).context()
    }
}
