//! The way back to brokers that went away.

use std::sync::Arc;

use rdkafka::consumer::BaseConsumer;
use tokio::runtime::Handle;

use crate::context::Context;
use crate::error::{Error, Result};
use crate::kafka::client::{Events, Setup, connect_serving};
use crate::net::Policy;

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
        let Context { policy, shutdown, .. } = &self.cx;
        let warn = |error: &Error| warn(format!("the connection was lost, trying again: {}", error.chain()));
        let connect = async |once: Policy| {
            connect_serving(consumer, &self.setup, self.topic.as_deref(), &once, shutdown, |_| ()).await.map(drop)
        };
        self.runtime.block_on(policy.reconnect(shutdown, warn, connect))
    }
}
