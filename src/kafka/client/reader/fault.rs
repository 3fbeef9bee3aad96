//! What a fault means for a reader: the end of the work, or something that librdkafka recovers from.

use rdkafka::error::RDKafkaErrorCode as Code;

use super::super::events::ConnectionEvents;
use super::super::fault::kind_of;
use super::super::offsets::{is_no_offset, is_passing};
use super::Consequence;
use crate::error::{Error, Kind, Result};
use crate::kafka::ffi::TopicPartitionOffset;

/// Decides about what an event told.
///
/// # Errors
/// What librdkafka cannot recover from.
pub(crate) fn fault(
    events: &ConnectionEvents,
    code: Code,
    text: String,
    place: Option<TopicPartitionOffset>,
    fatal: bool,
    group: bool,
) -> Result<Consequence> {
    let at = place.as_ref().map(|p| format!("{}[{}]", p.topic, p.partition));
    let of = at.clone().unwrap_or_else(|| "the topic".to_owned());
    match code {
        _ if is_no_offset(code) => {
            let offset = place.map(|p| format!(" offset {}", p.offset)).unwrap_or_default();
            return Err(Error::refused(format!("{of}:{offset} is not there any more")).because(text).hint(
                match group {
                    false => "begin elsewhere with --from, or let it jump with -X auto.offset.reset=earliest or latest",
                    true => "let it jump with -X auto.offset.reset=earliest or latest",
                },
            ));
        }
        Code::PollExceeded => return Ok(Consequence::Stalled(text)),
        Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition => {
            return Err(Error::refused(format!("{of} is not there any more")).because(text));
        }
        // Without a group nobody needs the group's coordinator.
        Code::GroupAuthorizationFailed if !group => return Ok(Consequence::Nothing),
        _ => {}
    }
    if fatal || kind_of(code) == Kind::Auth && place.is_some() {
        return Err(Error::new(kind_of(code), of).because(text));
    }
    // A consumer's own errors name no partition, and librdkafka tries again for ever.
    if group && keeps_out(code) {
        return Err(Error::new(kind_of(code), "cannot be a member of the group").because(text));
    }
    if code == Code::TopicAuthorizationFailed {
        return Err(Error::new(Kind::Auth, "no permission for a topic").because(text));
    }
    events.note(code, &text);
    Ok(if code == Code::AllBrokersDown { Consequence::Down } else { Consequence::Nothing })
}

/// Decides about what came in place of records. What is not said to pass by itself left out records, or will not end.
///
/// # Errors
/// As [`fault`].
pub(crate) fn unread(
    events: &ConnectionEvents,
    code: Code,
    text: String,
    place: TopicPartitionOffset,
    group: bool,
) -> Result<Consequence> {
    let passes = is_passing(code) || matches!(kind_of(code), Kind::Connect | Kind::Deadline);
    let at = format!("{}[{}]", place.topic, place.partition);
    match fault(events, code, text.clone(), Some(place), false, group)? {
        Consequence::Nothing if !passes => Err(Error::new(kind_of(code), format!("cannot read {at}")).because(text)),
        step => Ok(step),
    }
}

/// The codes with which a coordinator says that this member, as it is, will never be one.
fn keeps_out(code: Code) -> bool {
    matches!(
        code,
        Code::GroupAuthorizationFailed
            | Code::InconsistentGroupProtocol
            | Code::InvalidSessionTimeout
            | Code::InvalidGroupId
            | Code::GroupMaxSizeReached
            | Code::UnsupportedVersion
            | Code::InvalidRequest
            | Code::PolicyViolation
    )
}

/// There is no queue for records.
pub(crate) fn no_memory() -> Error {
    Error::new(Kind::Io, "librdkafka has no queue to give")
}
