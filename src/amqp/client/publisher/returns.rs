//! Which message a return is about: lapin hands returns out apart from what was published.

use std::hash::{DefaultHasher, Hash, Hasher};

use lapin::message::BasicReturnMessage;

use crate::amqp::client::Outgoing;

/// What a message is recognised by; RabbitMQ takes some headers out (`BCC`) before it returns one.
pub(crate) fn digest(message: &Outgoing) -> u64 {
    hash(message.exchange.as_str(), message.routing_key.as_str(), &message.body)
}

/// The same of a message that came back.
pub(crate) fn digest_of_returned(message: &BasicReturnMessage) -> u64 {
    hash(message.exchange.as_str(), message.routing_key.as_str(), &message.data)
}

fn hash(exchange: &str, routing_key: &str, body: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (exchange, routing_key, body).hash(&mut hasher);
    hasher.finish()
}

/// The broker's words, and where the message was to go.
pub(crate) fn words(returned: &BasicReturnMessage) -> String {
    let exchange = match returned.exchange.as_str() {
        "" => "the default exchange".to_owned(),
        name => format!("exchange `{name}`"),
    };
    format!("{} {}, {exchange}, routing key `{}`", returned.reply_code, returned.reply_text, returned.routing_key)
}
