//! What a topic takes, as far as its settings tell: known before anything is sent, so that a record which the broker may
//! refuse shares its batch with no other.
//!
//! A broker takes a batch or refuses it, and librdkafka neither cuts one that was refused nor sends its records again.

use std::time::Duration;

use super::admin::administer;
use super::connected::Connected;
use crate::kafka::ffi::Setting;
use crate::message::Message;
use crate::shutdown::Shutdown;

/// How long the settings are waited for; without them it goes on as well.
const LIMIT: Duration = Duration::from_secs(2);

/// What a topic takes. Without its settings it is taken to take everything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Intake {
    /// `max.message.bytes`: the largest batch, compressed.
    pub largest: Option<usize>,
    /// Records without a key are refused.
    pub keys_only: bool,
    /// How many milliseconds a timestamp may be in the past, and in the future.
    pub around_now: Option<(i64, i64)>,
}

impl Intake {
    /// Asks for the settings of a topic; blocks. A cluster that does not tell them (to this user) tells nothing.
    pub(crate) fn of<W: Connected>(wire: &W, topic: &str, shutdown: &Shutdown) -> Intake {
        let topics = [topic.to_owned()];
        let asked = administer(wire, LIMIT, shutdown, "", |admin| admin.topic_settings(&topics));
        let settings = asked.ok().and_then(|answer| answer.into_iter().next()).and_then(|found| found.result.ok());
        settings.map(|settings| Intake::from(settings.as_slice())).unwrap_or_default()
    }

    /// True for a record that the broker may refuse for what it says: it is sent in a batch of its own.
    pub(crate) fn doubts(&self, message: &Message<'_>) -> bool {
        (self.keys_only && message.key.bytes().is_none()) || (self.around_now.is_some() && self.is_far(message))
    }

    fn is_far(&self, message: &Message<'_>) -> bool {
        let (Some((past, future)), Some(time)) = (self.around_now, message.timestamp.and_then(|t| t.millis())) else {
            return false;
        };
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
        // A clock may be wrong by a minute: then the broker says what it thinks of the record.
        const SKEW: i64 = 60_000;
        time < now.saturating_sub(past).saturating_add(SKEW) || time > now.saturating_add(future).saturating_sub(SKEW)
    }
}

impl From<&[Setting]> for Intake {
    fn from(settings: &[Setting]) -> Intake {
        let value = |name: &str| settings.iter().find(|s| s.name == name).and_then(|s| s.value.as_deref());
        let number = |name: &str| value(name).and_then(|v| v.parse::<i64>().ok());
        let both = number("message.timestamp.before.max.ms").zip(number("message.timestamp.after.max.ms"));
        let own_times = value("message.timestamp.type") != Some("LogAppendTime");
        Intake {
            largest: value("max.message.bytes").and_then(|v| v.parse().ok()),
            keys_only: value("cleanup.policy").is_some_and(|v| v.split(',').any(|policy| policy.trim() == "compact")),
            around_now: both.filter(|_| own_times),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::ffi::SetBy;
    use crate::message::{Field, Time};

    #[test]
    fn settings_say_what_is_taken() {
        let setting = |(name, value): (&str, &str)| Setting {
            name: name.to_owned(),
            value: Some(value.to_owned()),
            set_by: SetBy::Topic,
            inherited: None,
            default: None,
            is_read_only: false,
            is_secret: false,
        };
        let of = |settings: &[(&str, &str)]| {
            Intake::from(settings.iter().copied().map(setting).collect::<Vec<_>>().as_slice())
        };
        assert_eq!(of(&[]), Intake::default());
        let strict = of(&[
            ("max.message.bytes", "1000"),
            ("cleanup.policy", "delete,compact"),
            ("message.timestamp.before.max.ms", "1000"),
            ("message.timestamp.after.max.ms", "9223372036854775807"),
        ]);
        assert_eq!(strict, Intake { largest: Some(1000), keys_only: true, around_now: Some((1000, i64::MAX)) });
        let message =
            |key, millis: Option<i64>| Message { key, timestamp: millis.map(Time::Millis), ..Message::default() };
        assert!(strict.doubts(&message(Field::Null, None)));
        assert!(!strict.doubts(&message(Field::borrowed(b""), None)));
        assert!(strict.doubts(&message(Field::borrowed(b"k"), Some(1))));
        assert!(!strict.doubts(&message(Field::borrowed(b"k"), Some(i64::MAX / 2))));
        assert!(!Intake::default().doubts(&message(Field::Null, Some(1))));
    }
}
