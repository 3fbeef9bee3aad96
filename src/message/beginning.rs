//! Where reading begins, in the words that hold for topics and for streams.

use super::{Unit, When};

/// A place to begin at, as somebody wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beginning {
    /// The oldest that is kept.
    Begin,
    /// What comes from now on.
    End,
    /// The newest that is stored.
    Last,
    /// An offset, counted from 0.
    Offset(i64),
    /// So many of the newest.
    Newest(i64),
    /// A time.
    Time(When),
}

impl Beginning {
    /// Reads a place; `unit` is what a bare number behind `@` counts.
    ///
    /// # Errors
    /// A sentence with the allowed forms.
    pub(crate) fn read(text: &str, unit: Unit) -> Result<Beginning, String> {
        match text {
            "begin" | "first" | "beginning" | "earliest" => return Ok(Beginning::Begin),
            "end" | "next" | "latest" => return Ok(Beginning::End),
            "last" => return Ok(Beginning::Last),
            _ => {}
        }
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let number = |text: &str| text.parse().map_err(|_| format!("{text} is too large"));
        match text.strip_prefix('-') {
            Some(count) if is_number(count) => return number(count).map(Beginning::Newest),
            None if is_number(text) => return number(text).map(Beginning::Offset),
            _ => {}
        }
        // What is no number needs no `@`.
        When::read(text, unit).map(Beginning::Time).map_err(|why| match text.starts_with('@') {
            true => why,
            false => format!("write begin, end, last, an offset, or a time; {why}"),
        })
    }

    /// The time that it is, where it is one.
    pub(crate) fn when(self) -> Option<When> {
        match self {
            Beginning::Time(when) => Some(when),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_set_of_words() {
        let read = |text| Beginning::read(text, Unit::Millis);
        for text in ["begin", "first", "earliest"] {
            assert_eq!(read(text), Ok(Beginning::Begin), "{text}");
        }
        for text in ["end", "next", "latest"] {
            assert_eq!(read(text), Ok(Beginning::End), "{text}");
        }
        assert_eq!(read("last"), Ok(Beginning::Last));
        assert_eq!(read("42"), Ok(Beginning::Offset(42)));
        assert_eq!(read("-10"), Ok(Beginning::Newest(10)));
        for text in ["1h", "-1h", "@1h", "@1700000000000", "2026-11-28"] {
            assert!(matches!(read(text), Ok(Beginning::Time(_))), "{text}");
        }
        for text in ["", "-", "x", "@", "5x", "99999999999999999999", "-99999999999999999999", "--5"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
