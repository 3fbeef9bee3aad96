//! What clients of all kinds have in common.

use std::time::Duration;

use rdkafka::client::Client;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, Producer};

use super::events::ConnectionEvents;

/// A client of any kind.
pub(crate) trait Connected: Send + Sync + 'static {
    /// The client underneath.
    fn client(&self) -> &Client<ConnectionEvents>;
    /// Takes up what librdkafka has to tell, without waiting.
    fn serve(&self);
}

impl Connected for BaseProducer<ConnectionEvents> {
    fn client(&self) -> &Client<ConnectionEvents> {
        Producer::client(self)
    }

    fn serve(&self) {
        self.poll(Duration::ZERO);
    }
}

impl Connected for BaseConsumer<ConnectionEvents> {
    fn client(&self) -> &Client<ConnectionEvents> {
        Consumer::client(self)
    }

    fn serve(&self) {
        // Nothing is assigned yet: only errors and log lines come, and both go to the context.
        drop(self.poll(Duration::ZERO));
    }
}
