//! librdkafka's calls about transactions, which block, and what it means when one fails.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, RDKafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::{BaseProducer, Producer};

use super::super::admin::administer;
use super::super::connected::Connected;
use super::super::events::ConnectionEvents;
use super::super::fault::kind_of;
use crate::error::{Error, Kind, Result};
use crate::flow::Outcome;
use crate::kafka::ffi::{Owner, words};
use crate::shutdown::Shutdown;

/// How long one call waits; it is made again, and goes on where it was.
const SLICE: Duration = Duration::from_millis(500);

/// Where a group stands, and who says so.
pub(super) type Stands = (TopicPartitionList, ConsumerGroupMetadata);

/// Why a call failed.
pub(super) struct Broken {
    pub error: Error,
    /// What became of the transaction, where it cannot be aborted any more.
    pub then: Option<Outcome>,
}

/// A client with transactions.
#[derive(Clone)]
pub(super) struct Calls {
    pub wire: Arc<BaseProducer<ConnectionEvents>>,
    pub id: String,
    /// How long one may be open.
    pub timeout: Duration,
    pub patience: Option<Duration>,
    /// Since when the present one is open.
    pub since: Option<Instant>,
}

/// Asks for the producer's id, aborting what an earlier process of this transactional id has left open; blocks.
///
/// # Errors
/// The connection's; `Kind::Auth` without the permission; `Kind::Refused` for a timeout that the broker does not allow.
pub(crate) fn begin_work(
    wire: &BaseProducer<ConnectionEvents>,
    id: &str,
    patience: Option<Duration>,
    shutdown: &Shutdown,
) -> Result<()> {
    let started = Instant::now();
    loop {
        let failed = match wire.init_transactions(SLICE) {
            Ok(()) => return Ok(()),
            Err(failed) => failed,
        };
        shutdown.check()?;
        wire.serve();
        let (code, text, passes) = told(&failed);
        if passes && patience.is_none_or(|patience| started.elapsed() < patience) {
            continue;
        }
        let error = Error::new(kind_of(code), format!("cannot begin as the transactional id `{id}`")).because(text);
        return Err(match code {
            Code::TransactionalIdAuthorizationFailed => {
                error.hint("it needs the permissions (ACL) Write and Describe for the transactional id")
            }
            Code::InvalidTransactionTimeout => error.hint(
                "the broker allows no transaction.timeout.ms as long as this (its transaction.max.timeout.ms): lower it with \
                 -X transaction.timeout.ms=60000",
            ),
            _ if passes => match Connected::client(wire).context().faults().first() {
                Some(fault) => Error::new(Kind::Deadline, error.head()).because(fault.text.clone()),
                None => error,
            },
            _ => error,
        });
    }
}

/// How long a transaction may be open at the most, as a broker says it; nothing when it does not say it to this user. Blocks.
pub(crate) fn longest<W: Connected>(wire: &W, broker: i32, limit: Duration, shutdown: &Shutdown) -> Option<Duration> {
    const NAME: &str = "transaction.max.timeout.ms";
    let ask = administer(wire, limit, shutdown, "", |admin| admin.settings(&[Owner::Broker(broker)], &[NAME]));
    let settings = ask.ok()?.into_iter().next()?.result.ok()?;
    let longest = settings.into_iter().find(|setting| setting.name == NAME)?;
    longest.value?.parse().ok().map(Duration::from_millis)
}

/// The code of a failure, its words, and whether the call can be made again.
fn told(failed: &KafkaError) -> (Code, String, bool) {
    match failed {
        KafkaError::Transaction(error) => (error.code(), error.string(), error.is_retriable()),
        other => {
            let code = other.rdkafka_error_code().unwrap_or(Code::Fail);
            (code, words(code), false)
        }
    }
}

impl Calls {
    /// Begins a transaction; asks nobody.
    ///
    /// # Errors
    /// The client is of no use any more.
    pub(super) fn begin(&self) -> Result<()> {
        self.wire.begin_transaction().map_err(|failed| self.broken(&failed, None).error)
    }

    /// Commits where the group stands, and all records; blocks.
    pub(super) fn commit(self, stands: Option<Stands>) -> Result<(), Broken> {
        let started = Instant::now();
        if let Some((offsets, group)) = stands {
            self.again(started, || self.wire.send_offsets_to_transaction(&offsets, &group, SLICE))
                .map_err(|failed| self.broken(&failed, None))?;
        }
        self.again(started, || self.wire.commit_transaction(SLICE))
            .map_err(|failed| self.broken(&failed, Some(Outcome::Unknown)))
    }

    /// Aborts; blocks.
    pub(super) fn abort(self) -> Result<(), Broken> {
        self.again(Instant::now(), || self.wire.abort_transaction(SLICE)).map_err(|failed| self.broken(&failed, None))
    }

    /// Calls as long as that can be done again and somebody waits for it.
    fn again(&self, started: Instant, call: impl Fn() -> Result<(), KafkaError>) -> Result<(), KafkaError> {
        loop {
            match call() {
                Err(KafkaError::Transaction(error))
                    if error.is_retriable() && self.patience.is_none_or(|patience| started.elapsed() < patience) => {}
                ended => return ended,
            }
        }
    }

    /// What a failure means. `unsure` is what becomes of the transaction where nobody said no.
    fn broken(&self, failed: &KafkaError, unsure: Option<Outcome>) -> Broken {
        let error = match failed {
            KafkaError::Transaction(error) => error,
            other => {
                let error = Error::refused("the transaction failed").because(other.to_string());
                return Broken { error, then: unsure };
            }
        };
        let code = error.code();
        if is_fenced(code) || Connected::client(&*self.wire).fatal_error().is_some_and(|(code, _)| is_fenced(code)) {
            return Broken { error: self.fenced(), then: Some(Outcome::Unsent) };
        }
        let then = if error.txn_requires_abort() { None } else { unsure };
        let kind = if then == Some(Outcome::Unknown) { Kind::Partial } else { kind_of(code) };
        Broken { error: Error::new(kind, of(code)).because(error.string()).hint(fix(error)), then }
    }

    /// The error of records that failed, or a better one.
    pub(super) fn explained(&self, error: Error) -> Error {
        match Connected::client(&*self.wire).fatal_error() {
            Some((code, _)) if is_fenced(code) => self.fenced(),
            _ => error,
        }
    }

    /// Somebody else has this transactional id now; or the broker has given up what was open for too long, which it tells in
    /// the same way.
    fn fenced(&self) -> Error {
        let Calls { id, timeout, since, .. } = self;
        if since.is_some_and(|since| since.elapsed() >= *timeout) {
            let limit = humantime::format_duration(*timeout);
            return Error::refused(format!(
                "the transaction was open for more than {limit}, and the broker aborted it"
            ))
            .hint("commit more often with --commit-every, or raise transaction.max.timeout.ms of the brokers");
        }
        Error::refused(format!("another producer has taken over the transactional id `{id}` (this one is fenced)"))
            .hint("one process alone may have it at a time: give each its own --transactional ID")
    }
}

fn is_fenced(code: Code) -> bool {
    matches!(code, Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch | Code::InvalidProducerIdMapping)
}

/// What failed.
fn of(code: Code) -> &'static str {
    match code {
        Code::IllegalGeneration
        | Code::UnknownMemberId
        | Code::FencedInstanceId
        | Code::FencedMemberEpoch
        | Code::StaleMemberEpoch
        | Code::RebalanceInProgress => {
            "the group has given the partitions to others meanwhile, so the transaction was aborted"
        }
        _ => "the transaction failed",
    }
}

fn fix(error: &RDKafkaError) -> &'static str {
    match error.txn_requires_abort() {
        true => "nothing of it is committed: run it again",
        false => "whether it is committed, `mscomm kafka tail` shows, which reads committed records alone",
    }
}
