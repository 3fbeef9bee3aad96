//! Timestamps: RFC 3339 in UTC in the envelope, seconds (AMQP) or milliseconds (Kafka) on the wire.

use std::io::Write;

use jiff::Timestamp;

/// The second before the last of jiff's range, 9999-12-30T22:00:00Z.
const LAST_SECOND: i64 = 253_402_207_199;

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

    /// What the clock says, or what it said so long ago; not before 1970.
    pub fn ago(duration: std::time::Duration) -> Time {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Time::Millis(i64::try_from(now.saturating_sub(duration).as_millis()).unwrap_or(i64::MAX))
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
        let (seconds, millis) = match self {
            Time::Seconds(s) => (i64::try_from(s).unwrap_or(-1), None),
            Time::Millis(ms) => (ms.div_euclid(1000), Some(ms.rem_euclid(1000))),
        };
        // Nearly all of them, for an eighth of what jiff takes.
        if let 0..=LAST_SECOND = seconds {
            let (year, month, day) = civil(seconds / 86_400);
            let second = seconds % 86_400;
            let mut text = *b"0000-00-00T00:00:00.000Z";
            for (at, digits, mut n) in [
                (0, 4, year),
                (5, 2, month),
                (8, 2, day),
                (11, 2, second / 3600),
                (14, 2, second / 60 % 60),
                (17, 2, second % 60),
                (20, 3, millis.unwrap_or(0)),
            ] {
                for digit in text.iter_mut().skip(at).take(digits).rev() {
                    *digit = b'0' + (n % 10) as u8;
                    n /= 10;
                }
            }
            match millis {
                Some(_) => out.extend_from_slice(&text),
                None => {
                    out.extend_from_slice(&text[..19]);
                    out.push(b'Z');
                }
            }
            return;
        }
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
            .map_err(|_| format!("`{text}` is no timestamp; write RFC 3339, as 2026-11-22T10:00:00.123Z"))?;
        let millis = timestamp.as_millisecond();
        match u64::try_from(timestamp.as_second()) {
            Ok(seconds) if !text.contains('.') => Ok(Time::Seconds(seconds)),
            _ => Ok(Time::Millis(millis)),
        }
    }
}

/// Year, month and day of a day counted from 1970-01-01, in the proleptic Gregorian calendar
/// (<https://howardhinnant.github.io/date_algorithms.html#civil_from_days>).
pub(crate) fn civil(days: i64) -> (i64, i64, i64) {
    // Eras of 400 years that begin on a first of March, so that leap days stand at the end of a year.
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The day of a date, counted from 1970-01-01; `None` for one that is in no calendar. [`civil`] the other way round.
pub(crate) fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let shifted = year - i64::from(month <= 2);
    let (era, year_of_era) = (shifted.div_euclid(400), shifted.rem_euclid(400));
    let from_march = if month > 2 { month - 3 } else { month + 9 };
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + (153 * from_march + 2) / 5 + day - 1;
    let days = era * 146_097 + day_of_era - 719_468;
    ((1..=12).contains(&month) && civil(days) == (year, month, day)).then_some(days)
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
    fn dates_and_days() {
        for (date, number) in
            [((1970, 1, 1), 0), ((1, 1, 1), -719_162), ((9999, 12, 31), 2_932_896), ((2000, 2, 29), 11_016)]
        {
            assert_eq!((days(date.0, date.1, date.2), civil(number)), (Some(number), date));
        }
        for (year, month, day) in
            [(2023, 2, 29), (1900, 2, 29), (2026, 4, 31), (2026, 13, 1), (2026, 0, 1), (2026, 1, 0)]
        {
            assert_eq!(days(year, month, day), None, "{year}-{month}-{day}");
        }
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

    #[test]
    fn dates_are_those_of_jiff() {
        let far = LAST_SECOND * 1000;
        for step in 0..20_000 {
            for millis in [step * 86_400_000 + step * 7919, far + 999 - step * 86_399_999, step * 12_670_000_003] {
                let date = Timestamp::from_millisecond(millis).expect("in range");
                assert_eq!(json(Time::Millis(millis)), format!("\"{date:.3}\""));
                let seconds = u64::try_from(millis / 1000).expect("after 1970");
                let date = Timestamp::from_second(millis / 1000).expect("in range");
                assert_eq!(json(Time::Seconds(seconds)), format!("\"{date:.0}\""));
            }
        }
    }
}
