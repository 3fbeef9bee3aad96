//! Timestamps: RFC 3339 in UTC in the envelope, seconds (AMQP) or milliseconds (Kafka) on the wire.

use std::io::Write;

use jiff::Timestamp;

/// A point in time in its system's own unit, so that going there and back changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    /// Seconds since 1970, AMQP's unit; its field is unsigned 64 bit.
    Seconds(u64),
    /// Milliseconds since 1970, Kafka's unit.
    Millis(i64),
}

impl Time {
    /// Milliseconds since 1970; `None` when they do not fit.
    pub fn millis(self) -> Option<i64> {
        match self {
            Time::Seconds(s) => i64::try_from(s).ok()?.checked_mul(1000),
            Time::Millis(ms) => Some(ms),
        }
    }

    /// Whole seconds since 1970; `None` before it.
    pub fn seconds(self) -> Option<u64> {
        match self {
            Time::Seconds(s) => Some(s),
            Time::Millis(ms) => u64::try_from(ms.div_euclid(1000)).ok(),
        }
    }

    fn timestamp(self) -> Option<Timestamp> {
        match self {
            Time::Seconds(s) => Timestamp::from_second(i64::try_from(s).ok()?).ok(),
            Time::Millis(ms) => Timestamp::from_millisecond(ms).ok(),
        }
    }

    /// Appends the envelope's form: an RFC 3339 string, or `{"$seconds": n}` / `{"$millis": n}` for one that no calendar
    /// date can express (senders do put milliseconds into AMQP's seconds).
    pub fn write_json(self, out: &mut Vec<u8>) {
        match (self.timestamp(), self) {
            (Some(_), _) => {
                out.push(b'"');
                self.write_rfc3339(out);
                out.push(b'"');
            }
            // Writing to a Vec cannot fail.
            (None, Time::Seconds(n)) => drop(write!(out, r#"{{"$seconds":{n}}}"#)),
            (None, Time::Millis(n)) => drop(write!(out, r#"{{"$millis":{n}}}"#)),
        }
    }

    /// Appends `2026-11-22T10:00:00.123Z` (three digits for milliseconds, none for seconds), or the bare number where
    /// there is no such date.
    pub fn write_rfc3339(self, out: &mut Vec<u8>) {
        // Writing to a Vec cannot fail.
        drop(match (self.timestamp(), self) {
            (Some(t), Time::Seconds(_)) => write!(out, "{t:.0}"),
            (Some(t), Time::Millis(_)) => write!(out, "{t:.3}"),
            (None, Time::Seconds(n)) => write!(out, "{n}"),
            (None, Time::Millis(n)) => write!(out, "{n}"),
        });
    }

    /// Reads RFC 3339, to the millisecond; whole seconds stay seconds.
    ///
    /// # Errors
    /// A sentence with the allowed form.
    pub fn parse(text: &str) -> Result<Time, String> {
        let timestamp: Timestamp = text
            .parse()
            .map_err(|e| format!("`{text}` is no timestamp ({e}); write RFC 3339, as 2026-11-22T10:00:00.123Z"))?;
        let millis = timestamp.as_millisecond();
        match u64::try_from(timestamp.as_second()) {
            Ok(seconds) if !text.contains('.') => Ok(Time::Seconds(seconds)),
            _ => Ok(Time::Millis(millis)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(time: Time) -> String {
        let mut out = Vec::new();
        time.write_json(&mut out);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn both_units_there_and_back() {
        assert_eq!(json(Time::Millis(1_700_000_000_120)), r#""2023-11-14T22:13:20.120Z""#);
        assert_eq!(json(Time::Seconds(1_700_000_000)), r#""2023-11-14T22:13:20Z""#);
        assert_eq!(Time::parse("2023-11-14T22:13:20.120Z"), Ok(Time::Millis(1_700_000_000_120)));
        assert_eq!(Time::parse("2023-11-14T23:13:20+01:00"), Ok(Time::Seconds(1_700_000_000)));
        assert_eq!(json(Time::Seconds(u64::MAX)), r#"{"$seconds":18446744073709551615}"#);
        assert_eq!(json(Time::Millis(-1)), r#""1969-12-31T23:59:59.999Z""#);
        assert!(Time::parse("yesterday").is_err());
    }
}
