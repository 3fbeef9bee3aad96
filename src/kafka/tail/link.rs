//! The way back to brokers that went away.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::BaseConsumer;
use tokio::runtime::Handle;

use crate::connect::Policy;
use crate::context::Context;
use crate::error::{Kind, Result};
use crate::kafka::client::{Events, Setup, connect_serving};

/// The pause between two attempts to reach brokers that went away.
const RETRY: Duration = Duration::from_millis(200);

/// What a lost connection is made anew with.
pub struct Link {
    /// How to reach the brokers.
    pub setup: Arc<Setup>,
    /// For how long, and what ends it early.
    pub cx: Context,
    /// Where connecting runs.
    pub runtime: Handle,
    /// The topic that is asked for.
    pub topic: Option<String>,
}

impl Link {
    /// No broker is reachable: tries for as long as a connection may take, or as `--wait` says; blocks. `warn` shows that it
    /// tries again.
    ///
    /// # Errors
    /// Why no broker is reachable any more; the reason to stop.
    pub fn recover(&self, consumer: &Arc<BaseConsumer<Events>>, warn: &dyn Fn(String)) -> Result<()> {
        let started = Instant::now();
        let patience = match self.cx.policy.wait {
            None => Some(self.cx.policy.connect_timeout),
            Some(limit) => limit,
        };
        let policy = Policy { wait: None, ..self.cx.policy };
        let mut told = false;
        loop {
            let topic = self.topic.as_deref();
            let shutdown = &self.cx.shutdown;
            let connected =
                self.runtime.block_on(connect_serving(consumer, &self.setup, topic, &policy, shutdown, |_| ()));
            let error = match connected {
                Ok(_) => return Ok(()),
                Err(e) => e,
            };
            let transient = matches!(error.kind(), Kind::Connect | Kind::Deadline);
            shutdown.check()?;
            if !transient || patience.is_some_and(|p| started.elapsed() >= p) {
                return Err(error.context("the connection was lost"));
            }
            if !std::mem::replace(&mut told, true) {
                warn(format!("the connection was lost, trying again: {}", error.chain()));
            }
            std::thread::sleep(RETRY);
        }
    }
}
