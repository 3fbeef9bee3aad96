//! What kind of queue it is. AMQP has no question for that, but RabbitMQ names the first argument in which a declaration
//! differs from the queue that is there. The declaration that is tried here can never create one: there is no such type.

use lapin::options::{ExchangeDeclareOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, ErrorKind, ExchangeKind};

use crate::amqp::client::{Client, look_at};

/// Kinds of queues, as far as they are read differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum QueueKind {
    /// One that counts how often a message came back. Whether there is a limit to that, only a declaration could tell that
    /// might create a queue.
    Quorum,
    /// A log that is read from an offset.
    Stream,
    /// Any other.
    Classic,
    /// The broker does not tell: it is no RabbitMQ, or whoever asks may not declare the queue.
    Unknown,
}

/// The warning of a verb that only looks at messages.
pub(crate) fn counts_looks(queue: &str) -> String {
    format!(
        "queue `{queue}` counts each look at a message as a delivery: with a delivery limit (x-delivery-limit, a policy, or 20 \
         in RabbitMQ 4) it drops or dead-letters what was looked at too often"
    )
}

const TYPE: &str = "x-queue-type";

/// A queue has at most about fifteen arguments, and each costs a question.
const QUESTIONS: usize = 16;

impl QueueKind {
    /// Asks the broker.
    pub(crate) async fn of(client: &Client, queue: &ShortString) -> QueueKind {
        let kind = QueueKind::ask(client, queue).await;
        client.forget_refusals();
        kind.unwrap_or(QueueKind::Unknown)
    }

    /// `None` where it cannot be told.
    async fn ask(client: &Client, queue: &ShortString) -> Option<QueueKind> {
        let mut channel = client.channel().await.ok()?;
        // A broker of another kind might take the declaration for a queue that is not there.
        look_at(&channel, queue.as_str()).await.ok()?;
        let mut arguments = FieldTable::default();
        arguments.insert(TYPE.into(), AMQPValue::LongString("?".into()));
        for _ in 0..QUESTIONS {
            let answer = difference(&channel, queue, &arguments).await?;
            let Difference { name, current } = Difference::read(&answer)?;
            match (name, current) {
                (TYPE, Current::Value("quorum", _)) => return Some(QueueKind::Quorum),
                (TYPE, Current::Value("stream", _)) => return Some(QueueKind::Stream),
                (TYPE, Current::Cut) => return None,
                // What only classic queues are or have.
                (TYPE | "durable" | "auto_delete" | "x-max-priority" | "x-queue-mode" | "x-queue-version", _) => {
                    return Some(QueueKind::Classic);
                }
                (name, Current::Value(value, kind)) if !arguments.contains_key(name) => {
                    arguments.insert(name.into(), typed(value, kind)?);
                }
                _ => return None,
            }
            // What was answered closed the channel.
            channel = client.channel().await.ok()?;
        }
        None
    }
}

/// What kind of exchange it is, as `topic`, where the broker tells: by the same means. The argument is one that no exchange
/// can be made with.
pub(crate) async fn exchange_kind(client: &Client, exchange: &ShortString) -> Option<String> {
    const GUESS: &str = "headers";
    let channel = client.channel().await.ok()?;
    let mut arguments = FieldTable::default();
    arguments.insert("alternate-exchange".into(), AMQPValue::LongInt(0));
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    let answer = channel.exchange_declare(exchange.clone(), ExchangeKind::Headers, options, arguments).await.err()?;
    client.forget_refusals();
    match Difference::read(&words(&answer)?)? {
        Difference { name: "type", current: Current::Value(kind, _) } => Some(kind.to_owned()),
        Difference { name: "type", .. } => None,
        // All that is looked at before is the same.
        _ => Some(GUESS.to_owned()),
    }
}

/// What the broker says to a declaration with these arguments.
async fn difference(channel: &Channel, queue: &ShortString, arguments: &FieldTable) -> Option<String> {
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    words(&channel.queue_declare(queue.clone(), options, arguments.clone()).await.err()?)
}

/// What the broker said, if it said something.
fn words(error: &lapin::Error) -> Option<String> {
    match error.kind() {
        ErrorKind::ProtocolError(answer) => Some(answer.get_message().to_string()),
        _ => None,
    }
}

/// In what a declaration differs.
#[derive(Debug, PartialEq, Eq)]
struct Difference<'a> {
    name: &'a str,
    current: Current<'a>,
}

/// What the queue has.
#[derive(Debug, PartialEq, Eq)]
enum Current<'a> {
    Nothing,
    /// The value, and its type where that is told.
    Value(&'a str, Option<&'a str>),
    /// It was cut off: a reply text has 255 bytes.
    Cut,
}

impl<'a> Difference<'a> {
    /// Reads RabbitMQ's answer (rabbit_misc, `assert_args_equivalence`).
    fn read(text: &'a str) -> Option<Difference<'a>> {
        let (_, rest) = text.split_once("inequivalent arg '")?;
        let (name, rest) = rest.split_once('\'')?;
        let current = match rest.rsplit_once(" but current is ").map(|(_, current)| current) {
            Some("none") => Current::Nothing,
            Some(whole) => match whole.strip_prefix("the value '").and_then(|w| w.rsplit_once("' of type '")) {
                Some((value, kind)) => {
                    kind.strip_suffix('\'').map_or(Current::Cut, |kind| Current::Value(value, Some(kind)))
                }
                None => match whole.strip_prefix('\'').and_then(|w| w.strip_suffix('\'')) {
                    Some(value) => Current::Value(value, None),
                    None => Current::Cut,
                },
            },
            None => Current::Cut,
        };
        Some(Difference { name, current })
    }
}

/// A value of a type as RabbitMQ names it. Numbers of any width are equal.
fn typed(value: &str, kind: Option<&str>) -> Option<AMQPValue> {
    match kind? {
        "longstr" => Some(AMQPValue::LongString(value.into())),
        "bool" => value.parse().ok().map(AMQPValue::Boolean),
        _ => value.parse().ok().map(AMQPValue::LongLongInt),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers() {
        let around = |rest: &str| format!("PRECONDITION_FAILED - inequivalent arg {rest}");
        for (text, name, current) in [
            (
                "'x-queue-type' for queue 'a'b' in vhost '/': received 'quorum' but current is 'stream'",
                "x-queue-type",
                Current::Value("stream", None),
            ),
            (
                "'x-queue-type' for queue 'q' in vhost '/': received the value 'quorum' of type 'longstr' but current is none",
                "x-queue-type",
                Current::Nothing,
            ),
            (
                "'x-dead-letter-exchange' for queue 'q' in vhost '/': received none but current is the value 'it's' of type 'longstr'",
                "x-dead-letter-exchange",
                Current::Value("it's", Some("longstr")),
            ),
            ("'x-queue-type' for queue 'qqqq...", "x-queue-type", Current::Cut),
            (
                "'x-max-length' for queue 'q' in vhost '/': received none but current is the value '10' of type 'si...",
                "x-max-length",
                Current::Cut,
            ),
        ] {
            assert_eq!(Difference::read(&around(text)), Some(Difference { name, current }), "{text}");
        }
        assert_eq!(Difference::read("ACCESS_REFUSED - access to queue 'q' in vhost '/' refused for user 'u'"), None);
        assert_eq!(typed("5", Some("signedint")), Some(AMQPValue::LongLongInt(5)));
        assert_eq!(typed("true", Some("bool")), Some(AMQPValue::Boolean(true)));
        assert_eq!(typed("x", Some("table")), None);
    }
}
