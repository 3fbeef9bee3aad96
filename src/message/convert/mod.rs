//! From one system's message to another's: what fits goes where its user looks for it, what does not fit rides along.
//!
//! | neutral | Kafka | AMQP |
//! |---|---|---|
//! | key | key | routing key |
//! | header with bytes | header | header with a long string |
//! | timestamp | timestamp (ms) | timestamp (s) |
//!
//! Each system says beside its messages ([`Shape`]) how one of them becomes [`Neutral`], and how it makes one of its own of
//! that; here the two are joined, whichever they are. A call of gRPC takes a body and metadata alone, and gives a body alone:
//! which headers can be metadata stands in [`super::grpc::from_header`].
//!
//! What the other system cannot express (typed headers and properties; repeated, null or unsorted headers, a null key or
//! value) is kept in one header, [`ORIGIN_HEADER`]: the envelope of the original without its value. On the way back that
//! header is taken out again and the original put together from it, so that there-and-back changes nothing. What stands in
//! the message itself is stronger: a header, key or body that was changed on the way stays as it was changed, and a header
//! of that name which is no such envelope is a header like any other.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use clap::ValueEnum;

use super::neutral::{Neutral, Shape};
use super::{Field, Headers, Message, Protocol, amqp, envelope, kafka};

/// The header that holds the envelope of a message from another system, without its value.
const ORIGIN_HEADER: &str = "mscomm-origin";

fn shape(of: Protocol) -> Shape {
    match of {
        Protocol::Amqp => amqp::SHAPE,
        Protocol::Kafka => kafka::SHAPE,
    }
}

/// Gives a message the shape of a system. One that has it already is not touched.
///
/// `routed_by` is what the user has it routed by in place of its own key, which then has to ride along.
///
/// # Errors
/// A sentence about a header that the system cannot have.
pub fn to<'a>(target: Protocol, message: Message<'a>, routed_by: Option<&'a str>) -> Result<Message<'a>, String> {
    let Some(source) = source(&message, target) else { return Ok(message) };
    if message.headers.system() == Some(source)
        && let Some(original) = message.headers.text(ORIGIN_HEADER).and_then(|text| original(text, target))
    {
        return back(message, original, source, target);
    }
    let Shape { fits, from_neutral, .. } = shape(target);
    let mut neutral = (shape(source).to_neutral)(message);
    neutral.routed_by = routed_by;
    let origin = (neutral.own.is_some() || !fits(&neutral)).then(|| origin_of(&mut neutral));
    from_neutral(&mut neutral)?;
    if let Some(origin) = origin {
        neutral.message.headers.put_text(ORIGIN_HEADER, origin);
    }
    Ok(neutral.message)
}

/// The system that a message has words of, if they are not the target's alone.
fn source(message: &Message<'_>, target: Protocol) -> Option<Protocol> {
    let is_other = |system: &Protocol| *system != target;
    let system = message.headers.system().filter(is_other).or(message.protocol.filter(is_other));
    // What was written by hand may have those of several.
    let is_meant = |system: &Protocol| is_other(system) && (shape(*system).is_meant)(message);
    system.or_else(|| Protocol::value_variants().iter().copied().find(is_meant))
}

/// The envelope that rides along: what only its own system can say, or else all but the body. Another header of our own
/// name that is in there is not to be seen any more.
fn origin_of(neutral: &mut Neutral<'_>) -> Vec<u8> {
    let Neutral { message, headers, source, own, .. } = neutral;
    let list = headers.get_or_insert_default();
    // Each by its name, so that a new field does not compile before it is known whether it rides along.
    let mut origin = Message {
        protocol: Some(*source),
        topic: message.topic.clone(),
        partition: message.partition,
        offset: message.offset,
        exchange: message.exchange.clone(),
        routing_key: message.routing_key.clone(),
        queue: None,
        redelivered: None,
        timestamp: message.timestamp,
        key: Field::Absent,
        key_schema: None,
        headers: Headers::Absent,
        // What it was decoded by says nothing of what is sent.
        schema: None,
        value: Field::Absent,
        properties: None,
    };
    let is_own = own.is_some();
    if let Some(theirs) = own.take() {
        origin.headers = theirs;
        origin.properties = message.properties.take();
    } else {
        origin.key = message.key.clone();
        origin.headers = Headers::Kafka(std::mem::take(list));
        origin.value = if message.value == Field::Null { Field::Null } else { Field::Absent };
    }
    // As long as most are.
    let mut text = Vec::with_capacity(256);
    envelope::write(&mut text, &origin);
    let holds_headers = origin.headers != Headers::Absent;
    if !is_own {
        *list = origin.headers.into_list();
    }
    if holds_headers {
        list.retain(|(name, _)| name != ORIGIN_HEADER);
    }
    text
}

/// The envelope in an origin header; `None` for anything else that someone put there.
fn original<'a>(text: &Cow<'a, [u8]>, target: Protocol) -> Option<Message<'a>> {
    match text {
        Cow::Borrowed(text) => envelope_of(text, target),
        Cow::Owned(text) => envelope_of(text, target).map(Message::into_owned),
    }
}

fn envelope_of(text: &[u8], target: Protocol) -> Option<Message<'_>> {
    let mut message = envelope::read(text).ok().filter(|message| message.protocol == Some(target))?;
    if message.headers.system() != Some(target) {
        message.headers = Headers::Absent;
    }
    Some(message)
}

/// The message that this one was when it left the target, with what was changed since.
fn back<'a>(
    mut message: Message<'a>,
    mut original: Message<'a>,
    source: Protocol,
    target: Protocol,
) -> Result<Message<'a>, String> {
    let came = std::mem::take(&mut message.headers);
    let theirs = std::mem::take(&mut original.headers);
    let is_same = is_as_sent(&came, &theirs, source, target);
    let headers = match is_same {
        true => None,
        false => (shape(source).to_neutral)(Message { headers: came, ..Message::default() }).headers,
    };
    let mut neutral = Neutral::new(source, message, headers);
    neutral.was = Some(original);
    if let Some(headers) = &mut neutral.headers {
        headers.retain(|(name, _)| name != ORIGIN_HEADER);
    }
    (shape(target).from_neutral)(&mut neutral)?;
    if is_same {
        neutral.message.headers = theirs;
    }
    Ok(neutral.message)
}

/// Whether headers that came from the source are those that it was given, when `theirs` were the target's.
fn is_as_sent(came: &Headers<'_>, theirs: &Headers<'_>, source: Protocol, target: Protocol) -> bool {
    let Shape { from_neutral, adds, .. } = shape(source);
    let mut sent = Headers::Absent;
    if theirs.system().is_some() {
        let theirs = Message { headers: theirs.borrowed(), ..Message::default() };
        let mut neutral = (shape(target).to_neutral)(theirs);
        if from_neutral(&mut neutral).is_err() {
            return false;
        }
        sent = neutral.message.headers;
    }
    let sent = || sent.iter().filter(|(name, _)| *name != ORIGIN_HEADER);
    let is_added =
        |name: &str| adds.iter().any(|begin| name.starts_with(begin)) && sent().all(|(other, _)| other != name);
    sent().eq(came.iter().filter(|(name, _)| *name != ORIGIN_HEADER && !is_added(name)))
}
