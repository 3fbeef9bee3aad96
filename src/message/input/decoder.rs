//! Messages out of records.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::{DataSource, Input, Mode, Record};
use crate::error::{Error, Result};
use crate::message::{Field, Message, envelope};

/// Makes messages of records.
#[derive(Debug, Clone)]
pub struct Decoder {
    source: DataSource,
    mode: Mode,
    key_delimiter: Option<memchr::memmem::Finder<'static>>,
    /// A record of [`Mode::Lines`] is a line.
    is_lines: bool,
}

impl Decoder {
    /// The decoder that belongs to an input.
    pub fn of(input: &Input) -> Decoder {
        let key_delimiter =
            input.options.key_delimiter.as_ref().map(|d| memchr::memmem::Finder::new(d.as_slice()).into_owned());
        let is_lines = input.options.delimiter == b"\n";
        Decoder { source: input.source.clone(), mode: input.options.mode, key_delimiter, is_lines }
    }

    /// The message in a record; it borrows the record's bytes.
    ///
    /// # Errors
    /// `Kind::Usage`, with the place: a bad envelope.
    pub fn message<'a>(&self, record: Record<'a>) -> Result<Message<'a>> {
        if self.mode == Mode::Json {
            return envelope::read(record.bytes).map_err(|e| self.json_fault(record, &e));
        }
        let (key, value) = match &self.key_delimiter {
            None => (Field::Absent, record.bytes),
            Some(finder) => match finder.find(record.bytes) {
                Some(at) => (Field::borrowed(&record.bytes[..at]), &record.bytes[at + finder.needle().len()..]),
                None => (Field::Absent, record.bytes),
            },
        };
        Ok(Message { key, value: Field::borrowed(value), ..Message::default() })
    }

    /// The error of a JSON reader, its place counted from the beginning of the source.
    pub fn json_fault(&self, record: Record<'_>, error: &serde_json::Error) -> Error {
        let line = record.line + (error.line() as u64).saturating_sub(1);
        let message = envelope::fault(error);
        Error::usage(format!("{}, line {line}, column {}: {message}", self.source, error.column()))
    }

    /// The error about a record: its place, and what is wrong with it.
    pub fn fault(&self, record: Record<'_>, message: impl std::fmt::Display) -> Error {
        Error::usage(format!("{}: {message}", self.place(record)))
    }

    /// The error about one member of an envelope, with the column where its value begins.
    pub fn member_fault(&self, record: Record<'_>, member: &str, message: impl std::fmt::Display) -> Error {
        let Some(before) = before_member(record.bytes, member).filter(|_| self.mode == Mode::Json) else {
            return self.fault(record, message);
        };
        let lines = memchr::memchr_iter(b'\n', before).count();
        let column = match memchr::memrchr(b'\n', before) {
            Some(at) => before.len() - at,
            None => record.column + before.len() + 1,
        };
        Error::usage(format!("{}, line {}, column {column}: {message}", self.source, record.line + lines as u64))
    }

    /// Whether a place in the input is a line of it.
    pub fn counts_lines(&self) -> bool {
        self.mode != Mode::Lines || self.is_lines
    }

    /// Where a record stands.
    pub fn place(&self, record: Record<'_>) -> String {
        let source = &self.source;
        match self.mode {
            Mode::Raw | Mode::Delimited => source.to_string(),
            Mode::Lines if !self.is_lines => format!("{source}, record {}", record.number),
            Mode::Lines | Mode::Json | Mode::Text => format!("{source}, line {}", record.line),
        }
    }
}

/// What stands before the value of a member of an object.
fn before_member<'a>(object: &'a [u8], member: &str) -> Option<&'a [u8]> {
    let members: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_slice(object).ok()?;
    let value = members.get(member)?.get();
    object.get(..(value.as_ptr() as usize).checked_sub(object.as_ptr() as usize)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_has_its_own_place() {
        let before = |object: &'static str| before_member(object.as_bytes(), "b").map(<[u8]>::len);
        assert_eq!(before(r#"{"a":{"b":1},"b": 2}"#), Some(18));
        assert_eq!(before("{\"a\":1,\n\"b\":2}"), Some(12));
        assert_eq!(before(r#"{"a":1}"#), None);
    }
}
