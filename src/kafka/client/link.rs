//! The way back to brokers that went away.

use std::sync::Arc;

use rdkafka::consumer::BaseConsumer;

use super::config::Setup;
use super::connect::connect_serving;
use super::events::ConnectionEvents;
use crate::error::{Error, Result};
use crate::net::Policy;
use crate::shutdown::Shutdown;

/// What a lost connection is made anew with.
pub(crate) struct Link {
    /// How to reach the brokers.
    pub setup: Arc<Setup>,
    /// For how long.
    pub policy: Policy,
    /// What ends it early.
    pub shutdown: Shutdown,
    /// The topic that is asked for.
    pub topic: Option<String>,
}

impl Link {
    /// No broker is reachable: tries as long as it has patience. `warn` is told that it tries again. The consumer is left
    /// alone meanwhile: what it has to tell waits.
    ///
    /// # Errors
    /// Why no broker is reachable any more; the reason to stop.
    pub(crate) async fn recover(
        &self,
        consumer: &Arc<BaseConsumer<ConnectionEvents>>,
        warn: &(dyn Fn(String) + Sync),
    ) -> Result<()> {
        let Link { setup, policy, shutdown, topic } = self;
        let warn = |error: &Error| warn(format!("the connection was lost, trying again: {}", error.chain()));
        let connect = |once: Policy| async move {
            connect_serving(consumer, setup, topic.as_deref(), &once, shutdown, |_| ()).await.map(drop)
        };
        policy.reconnect(shutdown, warn, connect).await
    }
}
