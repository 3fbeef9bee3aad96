//! What librdkafka tells beside results: collected here, so that nothing of it reaches standard error raw.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{NoCustomPartitioner, ProducerContext};

use super::fault::Fault;
use crate::kafka::settings::Broker;

/// Gets every line of librdkafka's log.
pub(crate) type TraceFn = Arc<dyn Fn(&str) + Send + Sync>;

/// Who is told of what happens beside the work.
#[derive(Clone)]
pub(crate) struct Tells {
    /// Gets every line of librdkafka's log, for who looks closely.
    pub trace: TraceFn,
    /// Gets what the user should know.
    pub warn: TraceFn,
}

/// How many different faults are remembered: the first ones tell most.
const FAULTS: usize = 16;

/// The context of every client.
pub(crate) struct ConnectionEvents {
    trace: TraceFn,
    /// The log has an error that is told nowhere else.
    doubt: AtomicBool,
    /// The brokers that the user named.
    bootstrap: Vec<Broker>,
    state: Mutex<State>,
    /// What the group's coordinator refused: librdkafka asks for it by itself as soon as there is a connection, tells a
    /// refusal once only, and goes on asking, so that nothing that goes well makes it void.
    kept_out: Mutex<Option<String>>,
}

#[derive(Debug, Default)]
struct State {
    faults: Vec<Fault>,
    trouble: Option<Instant>,
    all_down: bool,
    /// The last line of the log about a connection that failed: for some failures it is all there is.
    failure: Option<Fault>,
}

impl ConnectionEvents {
    /// Nothing happened yet; `trace` gets every line of the log.
    pub(crate) fn new(trace: TraceFn, bootstrap: Vec<Broker>) -> ConnectionEvents {
        ConnectionEvents {
            trace,
            bootstrap,
            doubt: AtomicBool::new(false),
            state: Mutex::default(),
            kept_out: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes up a fault that an event carried.
    pub(crate) fn note(&self, code: Code, text: &str) {
        (self.trace)(text);
        if code == Code::GroupAuthorizationFailed {
            // No matter of the connection: the group's reader tells it.
            *self.kept_out.lock().unwrap_or_else(PoisonError::into_inner) = Some(text.to_owned());
            return;
        }
        let mut state = self.state();
        state.trouble.get_or_insert_with(Instant::now);
        if code == Code::AllBrokersDown {
            state.all_down = true;
            return;
        }
        let fault = Fault::read(code, text, &self.bootstrap);
        if state.faults.len() < FAULTS && !state.faults.iter().any(|f| f.text == fault.text) {
            state.faults.push(fault);
        }
    }

    /// Passes a line of the log on: `FACILITY: [thrd:NAME]: TEXT`.
    pub(crate) fn log_line(&self, line: &str) {
        (self.trace)(line);
        if let Some(text) = line.strip_prefix("FAIL: ") {
            let text = text.split_once("]: ").map_or(text, |(_, text)| text);
            self.state().failure = Some(Fault::read(Code::BrokerTransportFailure, text, &self.bootstrap));
        }
        if line.starts_with("ERROR: ") {
            self.doubt.store(true, Ordering::Relaxed);
        }
    }

    /// True when the log had an error since it was last asked: a reason to look what is wrong.
    pub(crate) fn take_doubt(&self) -> bool {
        // Read first: it is asked for with every batch of records.
        self.doubt.load(Ordering::Relaxed) && self.doubt.swap(false, Ordering::Relaxed)
    }

    /// The faults since the last [`ConnectionEvents::recovered`].
    pub(crate) fn faults(&self) -> Vec<Fault> {
        let state = self.state();
        match (state.faults.is_empty(), &state.failure) {
            (true, Some(fault)) => vec![fault.clone()],
            _ => state.faults.clone(),
        }
    }

    /// The words with which the group's coordinator refused this client, whenever that was.
    pub(crate) fn kept_out(&self) -> Option<String> {
        self.kept_out.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Since when something has been wrong, without any progress.
    pub(crate) fn trouble(&self) -> Option<Instant> {
        self.state().trouble
    }

    /// True when no broker could be reached.
    pub(crate) fn all_down(&self) -> bool {
        self.state().all_down
    }

    /// Things go well: what went wrong before no longer matters.
    pub(crate) fn recovered(&self) {
        let mut state = self.state();
        if state.trouble.is_some() {
            *state = State::default();
        }
    }
}

impl ClientContext for ConnectionEvents {
    fn log(&self, _level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.log_line(&format!("{facility}: {line}"));
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.note(error.rdkafka_error_code().unwrap_or(Code::Fail), reason);
    }

    fn stats_raw(&self, _statistics: &[u8]) {}
}

impl ConsumerContext for ConnectionEvents {}

impl ProducerContext<NoCustomPartitioner> for ConnectionEvents {
    /// The record's number.
    type DeliveryOpaque = usize;

    /// Only for what is given up when a producer is dropped: `Producer` takes up all others itself.
    fn delivery(&self, _: &DeliveryResult<'_>, _: usize) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coordinators_refusal_outlasts_the_attempt_to_connect() {
        let events = ConnectionEvents::new(std::sync::Arc::new(|_: &str| ()), Vec::new());
        events.note(Code::BrokerTransportFailure, "127.0.0.1:1/1: refused");
        events.note(Code::GroupAuthorizationFailed, "FindCoordinator response error");
        assert_eq!(events.faults().len(), 1);
        events.recovered();
        assert!(events.faults().is_empty());
        assert_eq!(events.kept_out().as_deref(), Some("FindCoordinator response error"));
    }
}
