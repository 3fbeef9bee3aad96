//! What the arguments of a queue say, and which of them are refused.

use std::time::Duration;

use super::fault::{Code, Fault};
use super::method::QueueFlags;
use super::table::{Table, Value};

/// What happens to a message that a full queue cannot take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Overflow {
    /// The oldest goes.
    #[default]
    DropHead,
    /// The new one is refused.
    Reject,
    /// The new one is refused, and dead-lettered.
    RejectDeadLetter,
}

/// The arguments of a queue.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    /// `x-message-ttl`
    pub ttl: Option<Duration>,
    /// `x-expires`
    pub expires: Option<Duration>,
    /// `x-max-length`
    pub max_length: Option<usize>,
    /// `x-max-length-bytes`
    pub max_bytes: Option<usize>,
    /// `x-overflow`
    pub overflow: Overflow,
    /// `x-dead-letter-exchange`
    pub dead_letter_exchange: Option<String>,
    /// `x-dead-letter-routing-key`
    pub dead_letter_key: Option<Vec<u8>>,
    /// `x-max-priority`
    pub max_priority: u8,
    /// `x-single-active-consumer`
    pub single_active: bool,
    /// `x-queue-type: quorum`
    pub quorum: bool,
    /// `x-delivery-limit`, of quorum queues
    pub delivery_limit: Option<u32>,
}

impl Settings {
    /// Reads arguments that [`check`] has passed.
    pub(crate) fn of(arguments: &Table) -> Settings {
        let int = |name| arguments.get(name).and_then(Value::as_int);
        let millis = |name| int(name).and_then(|n| u64::try_from(n).ok()).map(Duration::from_millis);
        let size = |name| int(name).and_then(|n| usize::try_from(n).ok());
        let text = |name| arguments.get(name).and_then(Value::as_text);
        Settings {
            ttl: millis("x-message-ttl"),
            expires: millis("x-expires"),
            max_length: size("x-max-length"),
            max_bytes: size("x-max-length-bytes"),
            overflow: match text("x-overflow") {
                Some(b"reject-publish") => Overflow::Reject,
                Some(b"reject-publish-dlx") => Overflow::RejectDeadLetter,
                _ => Overflow::DropHead,
            },
            dead_letter_exchange: text("x-dead-letter-exchange").map(|n| String::from_utf8_lossy(n).into_owned()),
            dead_letter_key: text("x-dead-letter-routing-key").map(<[u8]>::to_vec),
            max_priority: int("x-max-priority").and_then(|n| u8::try_from(n).ok()).unwrap_or_default(),
            single_active: arguments.get("x-single-active-consumer").and_then(Value::as_bool) == Some(true),
            quorum: text("x-queue-type") == Some(b"quorum"),
            delivery_limit: int("x-delivery-limit").and_then(|n| u32::try_from(n).ok()),
        }
    }
}

/// Longest time of an expiry in milliseconds: ten years.
pub(crate) const LONGEST: i128 = 10 * 365 * 86_400_000;

/// Checks what a queue is declared with. `shown` is how errors name it.
///
/// # Errors
/// RabbitMQ's refusals; a stream is refused as not implemented.
pub(crate) fn check(shown: &str, flags: QueueFlags, arguments: &Table) -> Result<(), Fault> {
    let refused = |text: String| Err(Fault::new(Code::PreconditionFailed, text));
    let kind = arguments.get("x-queue-type").and_then(Value::as_text);
    let (name, unfit) = match kind {
        Some(b"stream") => return Err(Fault::new(Code::NotImplemented, "the sandbox has no streams")),
        Some(b"quorum") => ("rabbit_quorum_queue", NOT_QUORUM),
        _ => ("rabbit_classic_queue", NOT_CLASSIC),
    };
    if let Some(argument) = unfit.iter().find(|argument| arguments.get(argument).is_some()) {
        return refused(format!("invalid arg '{argument}' for {shown} of queue type {name}"));
    }
    for (name, rule) in RULES {
        let Some(value) = arguments.get(name) else { continue };
        if let Err(why) = rule(value, arguments) {
            return refused(format!("invalid arg '{name}' for {shown}: {why}"));
        }
    }
    let unfit =
        [(flags.exclusive, "exclusive-owner"), (!flags.durable, "non-durable"), (flags.auto_delete, "auto-delete")];
    match unfit.into_iter().find(|(unfit, _)| *unfit) {
        Some((_, property)) if kind == Some(b"quorum") => refused(format!("invalid property '{property}' for {shown}")),
        _ => Ok(()),
    }
}

/// Arguments that a quorum queue refuses.
const NOT_QUORUM: &[&str] = &["x-max-priority", "x-queue-mode"];

/// Arguments that a classic queue refuses.
const NOT_CLASSIC: &[&str] = &[
    "x-delivery-limit",
    "x-quorum-initial-group-size",
    "x-max-in-memory-length",
    "x-max-in-memory-bytes",
    "x-max-age",
    "x-stream-max-segment-size-bytes",
    "x-initial-cluster-size",
];

/// Checks what a consumer is asked for with.
///
/// # Errors
/// RabbitMQ's refusals.
pub(crate) fn check_consumer(shown: &str, quorum: bool, arguments: &Table) -> Result<(), Fault> {
    let refused = |name: &str, why: String| {
        Err(Fault::new(Code::PreconditionFailed, format!("invalid arg '{name}' for {shown}: {why}")))
    };
    let (kind, unfit) = match quorum {
        true => ("rabbit_quorum_queue", &["x-cancel-on-ha-failover", "x-stream-offset"][..]),
        false => ("rabbit_classic_queue", &["x-stream-offset"][..]),
    };
    match (arguments.get("x-priority"), arguments.get("x-cancel-on-ha-failover").filter(|_| !quorum)) {
        (Some(value), _) if value.as_int().is_none() => {
            return refused("x-priority", format!("\"expected integer, got {}\"", value.type_name()));
        }
        (_, Some(value)) if value.as_bool().is_none() => {
            return refused("x-cancel-on-ha-failover", format!("{{unacceptable_type,{}}}", value.type_name()));
        }
        _ => {}
    }
    match arguments.iter().find_map(|(name, _)| unfit.iter().find(|unfit| unfit.as_bytes() == name)) {
        Some(name) => {
            let text = format!("invalid arg '{name}' for {shown} of queue type {kind}");
            Err(Fault::new(Code::PreconditionFailed, text))
        }
        None => Ok(()),
    }
}

type Rule = fn(&Value, &Table) -> Result<(), String>;

const RULES: &[(&str, Rule)] = &[
    ("x-expires", |value, _| match non_negative(value)? {
        0 => Err("{value_zero,0}".to_owned()),
        n if n > LONGEST => Err(format!("{{value_too_large,{n}}}")),
        _ => Ok(()),
    }),
    ("x-message-ttl", |value, _| match non_negative(value)? {
        n if n > LONGEST => Err(format!("{{value_too_large,{n}}}")),
        _ => Ok(()),
    }),
    ("x-dead-letter-exchange", |value, _| text(value).map(drop)),
    ("x-dead-letter-routing-key", |value, arguments| {
        text(value)?;
        match arguments.get("x-dead-letter-exchange") {
            Some(_) => Ok(()),
            None => Err("routing_key_but_no_dlx_defined".to_owned()),
        }
    }),
    ("x-max-length", |value, _| non_negative(value).map(drop)),
    ("x-max-length-bytes", |value, _| non_negative(value).map(drop)),
    ("x-max-priority", |value, _| match non_negative(value)? {
        n if n > i128::from(u8::MAX) => Err(format!("{{max_value_exceeded,{n}}}")),
        _ => Ok(()),
    }),
    ("x-overflow", |value, _| match value.as_text() {
        None => Err(format!("{{unacceptable_type,{}}}", value.type_name())),
        Some(_) => one_of(value, &["drop-head", "reject-publish", "reject-publish-dlx"], "invalid_overflow"),
    }),
    ("x-queue-mode", |value, _| match text(value)? {
        b"default" | b"lazy" => Ok(()),
        other => Err(format!("\"unsupported queue mode '{}'\"", String::from_utf8_lossy(other))),
    }),
    ("x-queue-version", |value, _| match integer(value)? {
        1 | 2 => Ok(()),
        n => Err(format!("\"unsupported queue version '{n}'\"")),
    }),
    ("x-single-active-consumer", |value, _| match value.as_bool() {
        Some(_) => Ok(()),
        None => Err(unacceptable(value)),
    }),
    ("x-queue-type", |value, _| match text(value)? {
        b"classic" | b"quorum" | b"stream" => Ok(()),
        other => Err(format!("\"unsupported queue type '{}'\"", String::from_utf8_lossy(other))),
    }),
    ("x-delivery-limit", |value, _| non_negative(value).map(drop)),
];

fn integer(value: &Value) -> Result<i128, String> {
    value.as_int().ok_or_else(|| format!("\"expected integer, got {}\"", value.type_name()))
}

fn non_negative(value: &Value) -> Result<i128, String> {
    match integer(value)? {
        n if n < 0 => Err(format!("{{value_negative,{n}}}")),
        n => Ok(n),
    }
}

fn text(value: &Value) -> Result<&[u8], String> {
    value.as_text().ok_or_else(|| unacceptable(value))
}

fn unacceptable(value: &Value) -> String {
    format!("{{unacceptable_type,{}}}", value.type_name())
}

fn one_of(value: &Value, allowed: &[&str], otherwise: &str) -> Result<(), String> {
    let found = text(value)?;
    match allowed.iter().any(|a| a.as_bytes() == found) {
        true => Ok(()),
        false => Err(otherwise.to_owned()),
    }
}

/// Arguments that must be the same when a queue is declared again.
const EQUAL: &[&str] = &[
    "x-expires",
    "x-message-ttl",
    "x-dead-letter-exchange",
    "x-dead-letter-routing-key",
    "x-dead-letter-strategy",
    "x-max-length",
    "x-max-length-bytes",
    "x-max-priority",
    "x-overflow",
    "x-queue-mode",
    "x-queue-version",
    "x-queue-master-locator",
    "x-single-active-consumer",
    "x-queue-type",
    "x-delivery-limit",
    "x-quorum-initial-group-size",
];

/// Fails where the arguments of a second declaration differ from those of the first.
///
/// # Errors
/// RabbitMQ's refusal, which names the first that differs.
pub(crate) fn check_equal(shown: &str, current: &Table, received: &Table) -> Result<(), Fault> {
    let classic = Value::text("classic");
    for name in EQUAL {
        let (current, received) = (current.get(name), received.get(name));
        // A queue is a classic one where nobody says otherwise.
        let is_classic = |value: Option<&Value>| value.is_none_or(|value| value.equals(&classic));
        if *name != "x-queue-type" || !is_classic(current) || !is_classic(received) {
            check_argument(shown, name, current, received)?;
        }
    }
    Ok(())
}

/// Fails where an argument of a second declaration differs.
///
/// # Errors
/// RabbitMQ's refusal.
pub(crate) fn check_argument(
    shown: &str,
    name: &str,
    current: Option<&Value>,
    received: Option<&Value>,
) -> Result<(), Fault> {
    let same = match (current, received) {
        (None, None) => true,
        (Some(a), Some(b)) => a.equals(b),
        _ => false,
    };
    let whole = |value: &Value| format!("the value '{}' of type '{}'", value.shown(), value.type_name());
    let (received, current) = match (received, current) {
        _ if same => return Ok(()),
        (Some(received), Some(current)) => (format!("'{}'", received.shown()), format!("'{}'", current.shown())),
        (received, current) => {
            let words = |value: Option<&Value>| value.map_or_else(|| "none".to_owned(), whole);
            (words(received), words(current))
        }
    };
    Err(inequivalent(shown, name, &received, &current))
}

/// Fails where a flag or a type of a second declaration differs.
///
/// # Errors
/// RabbitMQ's refusal.
pub(crate) fn check_field<T: PartialEq + ToString>(
    shown: &str,
    name: &str,
    current: T,
    received: T,
) -> Result<(), Fault> {
    let words = |value: &T| format!("'{}'", value.to_string());
    if current == received { Ok(()) } else { Err(inequivalent(shown, name, &words(&received), &words(&current))) }
}

fn inequivalent(shown: &str, name: &str, received: &str, current: &str) -> Fault {
    let text = format!("inequivalent arg '{name}' for {shown}: received {received} but current is {current}");
    Fault::new(Code::PreconditionFailed, text)
}
