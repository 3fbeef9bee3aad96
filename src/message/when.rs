//! Times as people write them, and read them: in their own zone.

use jiff::civil::{Date, DateTime, Time as Clock};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

use super::Time;
use crate::values;

/// What a bare number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Seconds since 1970, as AMQP.
    Seconds,
    /// Milliseconds since 1970, as Kafka.
    Millis,
}

/// A time that somebody wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct When {
    /// The time.
    pub time: Time,
    /// It is written as a number, which counts so.
    number: Option<Unit>,
}

/// The times of the years 2000 to 2100, in ms.
const LIKELY: std::ops::Range<i64> = 946_684_800_000..4_133_980_800_000;

const FORMS: &str = "write it as 2026-11-28T10:00:00Z (RFC 3339), as '2026-11-28 10:00' or 2026-11-28 in your own zone, as now, \
                     today or yesterday, or as 1h for an hour ago";

impl When {
    /// Reads a time, with `@` before it or without.
    ///
    /// # Errors
    /// A sentence with the allowed forms.
    pub(crate) fn read(text: &str, unit: Unit) -> Result<When, String> {
        let text = text.strip_prefix('@').unwrap_or(text).trim();
        let digits = text.strip_prefix('-').unwrap_or(text);
        if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
            let time = match unit {
                Unit::Seconds => text.parse().map(Time::Seconds).map_err(|_| "AMQP has no time before 1970"),
                Unit::Millis => text.parse().map(Time::Millis).map_err(|_| "that is too far away"),
            };
            return Ok(When { time: time.map_err(str::to_owned)?, number: Some(unit) });
        }
        let time = match text {
            "now" => Time::ago(std::time::Duration::ZERO),
            _ => match values::duration(digits) {
                Ok(ago) => Time::ago(ago),
                Err(_) => absolute(text)
                    .or_else(|| civil(text, &Zoned::now()))
                    .ok_or_else(|| format!("`{text}` is no time; {FORMS}"))?,
            },
        };
        Ok(When { time, number: None })
    }

    /// What is to be said of a number that counts something else than it was taken for, in all likelihood.
    pub(crate) fn doubt(self) -> Option<String> {
        let (unit, millis) = (self.number?, self.time.millis()?);
        if LIKELY.contains(&millis) {
            return None;
        }
        let (what, other) = match unit {
            Unit::Seconds => ("seconds", "milliseconds"),
            Unit::Millis => ("milliseconds", "seconds"),
        };
        let mut understood = Vec::new();
        self.time.write_rfc3339(&mut understood);
        Some(format!(
            "a bare number counts {what} here, so that this is {}; write a date where {other} are meant",
            String::from_utf8_lossy(&understood)
        ))
    }
}

/// One with its zone. Whole seconds stay such.
fn absolute(text: &str) -> Option<Time> {
    let time: Timestamp = text.parse().ok()?;
    Some(match u64::try_from(time.as_second()) {
        Ok(seconds) if !text.contains('.') => Time::Seconds(seconds),
        _ => Time::Millis(time.as_millisecond()),
    })
}

/// One without a zone: a day, a day and a time of it, or a time of this day.
fn civil(text: &str, now: &Zoned) -> Option<Time> {
    let (day, clock) = match text.split_once([' ', 'T']) {
        Some((day, clock)) => (day, clock.trim()),
        None if text.contains(':') => ("today", text),
        None => (text, "00:00"),
    };
    let day: Date = match day {
        "today" => now.date(),
        "yesterday" => now.date().checked_sub(1.day()).ok()?,
        _ if day.len() == 10 => day.parse().ok()?,
        _ => return None,
    };
    // Without a zone: one that has it was read before.
    let is_clock = clock.bytes().all(|b| b.is_ascii_digit() || matches!(b, b':' | b'.'));
    let clock: Clock = is_clock.then(|| clock.parse().ok())??;
    let zoned = DateTime::from_parts(day, clock).to_zoned(now.time_zone().clone()).ok()?;
    Some(Time::Millis(zoned.timestamp().as_millisecond()))
}

impl Time {
    /// As [`Time::write_rfc3339`], in the zone of whoever reads it.
    pub(crate) fn write_local(self, out: &mut Vec<u8>) {
        self.write_in(out, &TimeZone::system());
    }

    fn write_in(self, out: &mut Vec<u8>, zone: &TimeZone) {
        let time = self.millis().and_then(|millis| Timestamp::from_millisecond(millis).ok());
        let offset = time.map(|time| zone.to_offset(time)).filter(|offset| offset.seconds() != 0);
        match (time, offset) {
            (Some(time), Some(offset)) => {
                let digits = match self {
                    Time::Seconds(_) => 0,
                    Time::Millis(_) => 3,
                };
                let form = time.display_with_offset(offset);
                out.extend_from_slice(format!("{form:.digits$}").as_bytes());
            }
            _ => self.write_rfc3339(out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Option<String> {
        let berlin = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("a zone");
        let now = "2026-11-30T11:34:56Z".parse::<Timestamp>().expect("a time").to_zoned(berlin);
        let mut out = Vec::new();
        absolute(text).or_else(|| civil(text, &now))?.write_rfc3339(&mut out);
        Some(String::from_utf8(out).expect("ASCII"))
    }

    #[test]
    fn as_people_write_them() {
        for (text, time) in [
            ("2026-11-28T10:00:00Z", "2026-11-28T10:00:00Z"),
            ("2026-11-28T10:00:00.5+01:00", "2026-11-28T09:00:00.500Z"),
            ("2026-11-28", "2026-11-27T23:00:00.000Z"),
            ("2026-07-01", "2026-06-30T22:00:00.000Z"),
            ("2026-11-28 10:00", "2026-11-28T09:00:00.000Z"),
            ("2026-11-28T10:00", "2026-11-28T09:00:00.000Z"),
            ("2026-11-28 10:00:05.25", "2026-11-28T09:00:05.250Z"),
            ("today", "2026-11-29T23:00:00.000Z"),
            ("yesterday", "2026-11-28T23:00:00.000Z"),
            ("yesterday 08:30", "2026-11-29T07:30:00.000Z"),
            ("10:00", "2026-11-30T09:00:00.000Z"),
        ] {
            assert_eq!(at(text).as_deref(), Some(time), "{text}");
        }
        for text in ["", "x", "2026-11-31", "2026-11-28 25:00", "2026", "28.11.2026", "10", "tomorrowish", "2026-1-2"] {
            assert_eq!(at(text), None, "{text}");
        }
    }

    #[test]
    fn an_hour_ago_and_numbers() {
        let millis = |text: &str, unit| When::read(text, unit).map(|when| when.time.millis().expect("fits"));
        let hour = Time::ago(std::time::Duration::from_secs(3600)).millis().expect("fits");
        for text in ["1h", "-1h", "@1h", "@-1h"] {
            let found = millis(text, Unit::Millis).expect(text);
            assert!((hour - 60_000..hour + 60_000).contains(&found), "{text}");
        }
        assert_eq!(millis("1700000000", Unit::Seconds), Ok(1_700_000_000_000));
        assert_eq!(millis("@1700000000", Unit::Millis), Ok(1_700_000_000));
        let doubt = |text, unit| When::read(text, unit).expect(text).doubt();
        assert_eq!(doubt("1700000000", Unit::Seconds), None);
        assert!(doubt("1700000000", Unit::Millis).is_some_and(|text| text.contains("1970-01-20")));
        assert!(doubt("1700000000000", Unit::Seconds).is_some_and(|text| text.contains("counts seconds")));
        assert_eq!(doubt("1970-01-20", Unit::Millis), None);
        let error = When::read("nonsense", Unit::Millis).expect_err("none");
        assert!(error.contains("yesterday") && !error.contains("jiff") && !error.contains("failed"), "{error}");
    }

    #[test]
    fn in_the_zone_of_the_reader() {
        let shown = |time: Time, zone: &str| {
            let mut out = Vec::new();
            time.write_in(&mut out, &TimeZone::posix(zone).expect("a zone"));
            String::from_utf8(out).expect("ASCII")
        };
        assert_eq!(shown(Time::Millis(1_700_000_000_120), "IST-5:30"), "2023-11-15T03:43:20.120+05:30");
        assert_eq!(shown(Time::Seconds(1_700_000_000), "EST5EDT,M3.2.0,M11.1.0"), "2023-11-14T17:13:20-05:00");
        assert_eq!(shown(Time::Millis(1_700_000_000_120), "UTC0"), "2023-11-14T22:13:20.120Z");
        assert_eq!(shown(Time::Seconds(u64::MAX), "IST-5:30"), "18446744073709551615");
    }
}
