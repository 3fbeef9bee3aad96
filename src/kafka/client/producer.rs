//! A producer on the caller's own thread, with an exact account of what became of each record.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, PurgeConfig};

use super::connect::Connected;
use super::events::{Account, Events};
use super::fault::error_of;
use crate::error::{Error, Kind, Result};
use crate::message::{Headers, KafkaHeader, Message};

/// How long a full queue is left alone before it is tried again. Not `poll` with a time: below a millisecond it spins.
const PAUSE: Duration = Duration::from_micros(200);

/// What became of a [`Producer::send`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// It is on its way.
    Queued,
    /// The queue is full: serve it and try again, and do not read on.
    Full,
}

/// Where and how records are sent.
pub struct Producer {
    wire: Arc<BaseProducer<Events>>,
    topic: String,
    /// How long records may be on their way without any of them arriving while brokers are away.
    patience: Option<Duration>,
    waiting_since: Option<Instant>,
    last_done: u64,
}

impl Producer {
    /// A producer to one topic. `patience` `None` waits for brokers for ever.
    pub fn new(wire: Arc<BaseProducer<Events>>, topic: &str, patience: Option<Duration>) -> Producer {
        Producer { wire, topic: topic.to_owned(), patience, waiting_since: None, last_done: 0 }
    }

    /// Hands a record to librdkafka, which copies it. `also` are headers behind the message's own.
    ///
    /// # Errors
    /// `Kind::Refused`: too large, no such partition.
    pub fn send(&self, message: &Message<'_>, also: &[KafkaHeader<'_>], number: u64) -> Result<Sent> {
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        let mut record = BaseRecord::<[u8], [u8], usize>::with_opaque_to(&self.topic, number);
        record.key = message.key.bytes();
        record.payload = message.value.bytes();
        record.partition = message.partition;
        record.timestamp = message.timestamp.and_then(crate::message::Time::millis);
        record.headers = headers(&message.headers, also);
        match self.wire.send(record) {
            Ok(()) => {
                self.events().account().sent += 1;
                Ok(Sent::Queued)
            }
            Err((KafkaError::MessageProduction(Code::QueueFull), _)) => Ok(Sent::Full),
            Err((error, _)) => Err(error_of(format!("topic `{}`", self.topic), &error)),
        }
    }

    /// Takes up confirmations, without waiting.
    pub fn serve(&self) {
        self.wire.serve();
    }

    /// Takes up confirmations, and gives librdkafka's threads a moment.
    pub fn serve_a_while(&self) {
        self.serve();
        std::thread::sleep(PAUSE);
    }

    /// What became of the records so far.
    pub fn account(&self) -> Account {
        self.events().account().clone()
    }

    /// How many were sent, and how many of them were refused or lost: cheap.
    pub fn counts(&self) -> (u64, u64) {
        let account = self.events().account();
        (account.sent, account.failed.len() as u64 + account.unknown.len() as u64)
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
        let (in_flight, done) = {
            let account = events.account();
            (account.in_flight(), account.sent - account.in_flight())
        };
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
        while self.wire.flush(Duration::ZERO).is_err() {
            self.serve_a_while();
            go_on(self)?;
        }
        self.serve();
        Ok(())
    }

    /// Gives up what has no answer yet; the account then says of each record what is known.
    pub fn abandon(&self) {
        self.wire.purge(PurgeConfig::default().queue().inflight());
        let until = Instant::now() + Duration::from_millis(500);
        while self.events().account().in_flight() > 0 && Instant::now() < until {
            self.serve_a_while();
        }
    }

    /// The client, to be dropped.
    pub fn into_wire(self) -> Arc<BaseProducer<Events>> {
        self.wire
    }

    fn events(&self) -> &Arc<Events> {
        Connected::client(&*self.wire).context()
    }
}

fn headers(own: &Headers<'_>, also: &[KafkaHeader<'_>]) -> Option<OwnedHeaders> {
    let own: &[KafkaHeader<'_>] = match own {
        Headers::Kafka(headers) => headers,
        Headers::Absent | Headers::Amqp(_) => &[],
    };
    let count = own.len() + also.len();
    (count > 0).then(|| {
        own.iter().chain(also).fold(OwnedHeaders::new_with_capacity(count), |headers, (name, value)| {
            headers.insert(Header { key: name, value: value.as_deref() })
        })
    })
}
