//! Where offsets are set to.

use std::path::PathBuf;

use crate::kafka::shared::kafka_millis;
use crate::message::{Beginning, Unit, When};

/// A place, or a file that has one for each partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Goal {
    /// One for all partitions.
    Place(Place),
    /// What `export` wrote.
    File(PathBuf),
    /// The same on standard input.
    Stdin,
}

/// A place in a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The oldest record.
    Begin,
    /// Behind the newest record.
    End,
    /// This offset.
    Offset(i64),
    /// Before so many of the newest.
    Newest(i64),
    /// So many behind what is committed; before it, if negative.
    Shift(i64),
    /// The first record that is not older, in ms since 1970; with the time as it was written.
    Time(i64, When),
}

/// What words say, for completion.
pub(super) const PLACES: &[(&str, &str)] = &[
    ("begin", "the oldest record"),
    ("end", "behind the newest record"),
    ("last", "the newest record"),
    ("-", "before the newest N"),
    ("+", "N behind what is committed"),
    ("@", "a time, or a duration ago"),
];

impl Goal {
    /// Reads a place; what is none is the name of a file.
    ///
    /// # Errors
    /// A sentence with the allowed forms.
    pub(super) fn read(text: &str) -> Result<Goal, String> {
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if text == "-" {
            return Ok(Goal::Stdin);
        }
        if let Some(count) = text.strip_prefix('+').filter(|count| is_number(count)) {
            return count.parse().map(|n| Goal::Place(Place::Shift(n))).map_err(|_| format!("{text} is too large"));
        }
        let beginning = match Beginning::read(text, Unit::Millis) {
            Ok(beginning) => beginning,
            Err(why) if text.starts_with('@') || is_number(text.trim_start_matches('-')) => return Err(why),
            Err(_) if text.is_empty() || text.starts_with(['-', '+']) => return Err(FORMS.to_owned()),
            Err(_) => return Ok(Goal::File(text.into())),
        };
        Ok(Goal::Place(match beginning {
            Beginning::Begin => Place::Begin,
            Beginning::End => Place::End,
            Beginning::Last => Place::Newest(1),
            Beginning::Offset(offset) => Place::Offset(offset),
            Beginning::Newest(count) => Place::Newest(count),
            Beginning::Time(when) => Place::Time(kafka_millis(when)?, when),
        }))
    }
}

/// What can be written.
pub(super) const FORMS: &str =
    "write begin, end, last, an OFFSET, -N, +N, @TIME, or the name of a file that `kafka group export` wrote";

impl Place {
    /// The offset that is meant in a partition, wherever that is; `None` where it counts from what is committed, and nothing is.
    /// `at_time` is that of the first record that is not older than the time, negative where there is none.
    pub(super) fn in_partition(
        self,
        committed: Option<i64>,
        begin: i64,
        end: i64,
        at_time: Option<i64>,
    ) -> Option<i64> {
        Some(match self {
            Place::Begin => begin,
            Place::End => end,
            Place::Offset(offset) => offset,
            Place::Newest(count) => end.saturating_sub(count),
            Place::Shift(by) => committed?.saturating_add(by),
            Place::Time(..) => at_time.filter(|offset| *offset >= 0).unwrap_or(end),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_files() {
        let place = |text: &str| match Goal::read(text) {
            Ok(Goal::Place(place)) => place,
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!([place("begin"), place("earliest")], [Place::Begin; 2]);
        assert_eq!([place("end"), place("latest")], [Place::End; 2]);
        assert_eq!([place("42"), place("-10")], [Place::Offset(42), Place::Newest(10)]);
        assert_eq!([place("+10"), place("last")], [Place::Shift(10), Place::Newest(1)]);
        for time in ["@1700000000000", "@2023-11-14T22:13:20Z", "2023-11-14T22:13:20Z"] {
            assert!(matches!(place(time), Place::Time(1_700_000_000_000, _)), "{time}");
        }
        assert!(matches!(place("@1h"), Place::Time(..)));
        assert_eq!(Goal::read("-"), Ok(Goal::Stdin));
        for file in ["offsets.json", "./begin", "/tmp/x", "offsets"] {
            assert_eq!(Goal::read(file), Ok(Goal::File(file.into())), "{file}");
        }
        for bad in
            ["", "@", "@x", "+", "+x", "-x", "--5", "+-5", "99999999999999999999", "+99999999999999999999", "@-1"]
        {
            assert!(Goal::read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn places_in_a_partition() {
        let of = |place: Place| place.in_partition(Some(50), 10, 100, Some(70));
        assert_eq!([of(Place::Begin), of(Place::End), of(Place::Offset(7))], [Some(10), Some(100), Some(7)]);
        assert_eq!([of(Place::Newest(30)), of(Place::Newest(i64::MAX))], [Some(70), Some(100 - i64::MAX)]);
        assert_eq!(
            [of(Place::Shift(5)), of(Place::Shift(-60)), of(Place::Shift(i64::MAX))],
            [Some(55), Some(-10), Some(i64::MAX)]
        );
        let Ok(Goal::Place(time)) = Goal::read("@1700000000000") else { panic!("a place") };
        assert_eq!(of(time), Some(70));
        assert_eq!([Some(-1), None].map(|at| time.in_partition(None, 10, 100, at)), [Some(100); 2]);
        assert_eq!(Place::Shift(5).in_partition(None, 10, 100, None), None);
    }
}
