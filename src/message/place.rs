//! What a message says of where it was, in words that hold for every system: the titles and the tokens of `-o` are made
//! of them. What only one system has stands in its own file.

use super::{Message, amqp, kafka};

impl Message<'_> {
    /// What stands above it when it is shown to a person: the place that it was read from.
    pub fn title(&self) -> Option<String> {
        kafka::title(self).or_else(|| amqp::title(self))
    }

    /// The way that it took there, where it was routed.
    pub fn route(&self) -> Option<String> {
        amqp::route(self)
    }

    /// Where it was sent to: a topic, or an exchange.
    pub fn destination(&self) -> Option<&str> {
        self.topic.as_deref().or(self.exchange.as_deref())
    }

    /// What decided where it went from there: a key, or a routing key.
    pub fn routed_by(&self) -> Option<&[u8]> {
        self.key.bytes().or(self.routing_key.as_deref().map(str::as_bytes))
    }

    /// Where it stands in what it was read from, counted from 0.
    pub fn position(&self) -> Option<i64> {
        self.offset.or_else(|| amqp::stream_offset(&self.headers))
    }
}
