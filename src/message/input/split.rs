//! Finds where a record ends in a buffer that grows, without looking at a byte twice.

use std::ops::Range;

use memchr::memmem::Finder;

use super::Mode;

/// What a buffer begins with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// A record at this range; with what surrounds it, it uses so many bytes.
    Record {
        /// The record itself.
        record: Range<usize>,
        /// The record, what stands before it, and its delimiter.
        used: usize,
    },
    /// Not a whole record yet.
    NeedMore,
    /// Nothing more.
    End,
    /// Something that can be no record, and why.
    Broken(&'static str),
}

/// The search, with what it knows of the unfinished record.
#[derive(Debug)]
pub(crate) struct Splitter {
    kind: Kind,
    /// How far the unfinished record was looked at.
    scanned: usize,
}

#[derive(Debug)]
enum Kind {
    Lines(Box<Finder<'static>>),
    Raw { done: bool },
    Json(JsonState),
    Text,
    Delimited,
}

/// Where inside a JSON value the search stands.
#[derive(Debug, Default)]
struct JsonState {
    start: Option<usize>,
    depth: usize,
    in_string: bool,
    escaped: bool,
    /// Behind the first of two slashes.
    slash: bool,
    /// Behind both, up to the end of the line.
    comment: bool,
}

impl Splitter {
    pub(crate) fn new(mode: Mode, delimiter: &[u8]) -> Splitter {
        let kind = match mode {
            Mode::Lines => Kind::Lines(Box::new(Finder::new(delimiter).into_owned())),
            Mode::Raw => Kind::Raw { done: false },
            Mode::Json => Kind::Json(JsonState::default()),
            Mode::Text => Kind::Text,
            Mode::Delimited => Kind::Delimited,
        };
        Splitter { kind, scanned: 0 }
    }

    /// Where the unfinished record begins; `None` where there is none yet.
    pub(crate) fn begin(&self) -> Option<usize> {
        match &self.kind {
            Kind::Json(state) => state.start,
            _ => Some(0),
        }
    }

    /// How much of an unfinished record has to be kept to find its end; `None` where all of it has.
    pub(crate) fn tail(&self) -> Option<usize> {
        match &self.kind {
            Kind::Lines(finder) => Some(finder.needle().len() - 1),
            // A slash may be the first of two, or of a value.
            Kind::Json(state) => Some(usize::from(state.slash)),
            Kind::Text => Some(0),
            Kind::Raw { .. } | Kind::Delimited => None,
        }
    }

    /// So much of the unfinished record is not in the buffer any more.
    pub(crate) fn forget(&mut self, bytes: usize) {
        self.scanned = self.scanned.saturating_sub(bytes);
        if let Kind::Json(JsonState { start: Some(start), .. }) = &mut self.kind {
            *start = start.saturating_sub(bytes);
        }
    }

    /// Looks at the rest of the buffer; `ended` says that nothing will follow.
    pub(crate) fn cut(&mut self, rest: &[u8], ended: bool) -> Cut {
        let cut = match &mut self.kind {
            Kind::Lines(finder) => {
                let delimiter = finder.needle().len();
                let from = self.scanned.saturating_sub(delimiter - 1);
                let found = match finder.needle() {
                    [byte] => memchr::memchr(*byte, &rest[from..]),
                    _ => finder.find(&rest[from..]),
                };
                match found {
                    Some(at) => Cut::Record { record: 0..from + at, used: from + at + delimiter },
                    None if !ended => Cut::NeedMore,
                    None if rest.is_empty() => Cut::End,
                    // The last line counts without its newline too.
                    None => Cut::Record { record: 0..rest.len(), used: rest.len() },
                }
            }
            Kind::Raw { .. } if !ended => Cut::NeedMore,
            Kind::Raw { done: true } => Cut::End,
            Kind::Raw { done } => {
                *done = true;
                Cut::Record { record: 0..rest.len(), used: rest.len() }
            }
            Kind::Json(state) => state.cut(rest, self.scanned, ended),
            Kind::Text => match memchr::memchr(SEPARATOR, &rest[self.scanned..]) {
                Some(at) => Cut::Record { record: 0..self.scanned + at, used: self.scanned + at + 1 },
                None if !ended => Cut::NeedMore,
                // What is left behind the last separator is a message only if something is in it.
                None if rest.iter().all(u8::is_ascii_whitespace) => Cut::End,
                None => Cut::Record { record: 0..rest.len(), used: rest.len() },
            },
            Kind::Delimited => delimited(rest, ended),
        };
        self.scanned = if cut == Cut::NeedMore { rest.len() } else { 0 };
        cut
    }
}

/// What stands between text messages, as with grpcurl.
const SEPARATOR: u8 = 0x1e;

/// A message behind its length.
fn delimited(rest: &[u8], ended: bool) -> Cut {
    let mut length = 0u64;
    for (at, &byte) in rest.iter().take(10).enumerate() {
        length |= u64::from(byte & 0x7f) << (7 * at);
        if byte < 0x80 {
            let start = at + 1;
            return match usize::try_from(length).ok().and_then(|length| start.checked_add(length)) {
                Some(end) if end <= rest.len() => Cut::Record { record: start..end, used: end },
                _ if ended => Cut::Broken("the message is shorter than its length says"),
                _ => Cut::NeedMore,
            };
        }
    }
    match rest.len() {
        10.. => Cut::Broken("its length is no varint"),
        0 if ended => Cut::End,
        _ if ended => Cut::Broken("it ends in the middle of a length"),
        _ => Cut::NeedMore,
    }
}

impl JsonState {
    /// Finds the end of one JSON value; whether it is a good one is for its reader to say.
    fn cut(&mut self, rest: &[u8], scanned: usize, ended: bool) -> Cut {
        let mut at = scanned;
        while let Some(&byte) = rest.get(at) {
            let here = at;
            at += 1;
            if self.is_comment(here, byte) {
                continue;
            }
            let Some(start) = self.start else {
                self.begin(here, byte);
                continue;
            };
            if std::mem::take(&mut self.escaped) {
                continue;
            }
            if self.in_string {
                at = self.pass_string(rest, here);
                if !self.in_string && self.depth == 0 {
                    return self.found(start..at);
                }
            } else if let Some(end) = self.pass_token(here, byte) {
                return self.found(start..end);
            }
        }
        match self.start {
            _ if !ended => Cut::NeedMore,
            Some(start) => self.found(start..rest.len()),
            None if self.slash => self.found(rest.len() - 1..rest.len()),
            None => Cut::End,
        }
    }

    /// Whether a byte is of a comment, or may begin one. A slash that did not is the first byte of a value.
    fn is_comment(&mut self, here: usize, byte: u8) -> bool {
        if self.comment {
            self.comment = byte != b'\n';
            return true;
        }
        if std::mem::take(&mut self.slash) {
            if byte == b'/' {
                self.comment = true;
                return true;
            }
            self.start.get_or_insert(here - 1);
        }
        self.slash = byte == b'/' && !self.in_string;
        self.slash
    }

    /// Begins a value where there is none yet.
    fn begin(&mut self, here: usize, byte: u8) {
        if byte.is_ascii_whitespace() {
            return;
        }
        self.start = Some(here);
        match byte {
            b'{' | b'[' => self.depth = 1,
            b'"' => self.in_string = true,
            _ => {}
        }
    }

    /// Passes over a string to behind its end, or an escape in it.
    fn pass_string(&mut self, rest: &[u8], here: usize) -> usize {
        // Most of a message is inside of strings, and most of these are plain.
        let Some(found) = memchr::memchr2(b'"', b'\\', rest.get(here..).unwrap_or_default()) else { return rest.len() };
        let end = here + found;
        self.escaped = rest.get(end) == Some(&b'\\');
        self.in_string = self.escaped;
        end + 1
    }

    /// Passes over a byte outside of strings; where the value ends with it, or before it, that is where.
    fn pass_token(&mut self, here: usize, byte: u8) -> Option<usize> {
        match byte {
            b'"' | b'{' | b'[' if self.depth == 0 => return Some(here),
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' if self.depth > 0 => {
                self.depth -= 1;
                return (self.depth == 0).then_some(here + 1);
            }
            _ if self.depth == 0 && byte.is_ascii_whitespace() => return Some(here),
            _ => {}
        }
        None
    }

    fn found(&mut self, record: Range<usize>) -> Cut {
        *self = JsonState::default();
        Cut::Record { used: record.end, record }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds the text in pieces of `step` bytes.
    fn all(mode: Mode, delimiter: &str, text: &str, step: usize) -> Vec<String> {
        let mut splitter = Splitter::new(mode, delimiter.as_bytes());
        let (mut start, mut end) = (0, 0);
        let mut found = Vec::new();
        loop {
            match splitter.cut(&text.as_bytes()[start..end], end == text.len()) {
                Cut::Record { record, used } => {
                    found.push(text[start + record.start..start + record.end].to_owned());
                    start += used;
                }
                Cut::NeedMore => end = (end + step).min(text.len()),
                Cut::Broken(what) => panic!("{what}"),
                Cut::End => return found,
            }
        }
    }

    #[test]
    fn pieces_make_no_difference() {
        let json = r#"{"a":"}\"]"} [1,[2]]"s\\" 12 true{"x":{}}junk "unfinished"#;
        let cut = [r#"{"a":"}\"]"}"#, "[1,[2]]", r#""s\\""#, "12", "true", r#"{"x":{}}"#, "junk", "\"unfinished"];
        let lines = "a--b-c----d-";
        for step in 1..9 {
            assert_eq!(all(Mode::Json, "\n", json, step), cut, "{step}");
            let commented = "// a {\n{\"a\": \"//\" // }\n}// b\n[1] / //";
            assert_eq!(all(Mode::Json, "\n", commented, step), ["{\"a\": \"//\" // }\n}", "[1]", "/"], "{step}");
            assert_eq!(all(Mode::Lines, "--", lines, step), ["a", "b-c", "", "d-"], "{step}");
            assert_eq!(all(Mode::Text, "", "a: 1\u{1e}\u{1e}b\u{1e}\n", step), ["a: 1", "", "b"], "{step}");
            assert_eq!(all(Mode::Delimited, "", "\u{2}ab\u{0}\u{1}c", step), ["ab", "", "c"], "{step}");
        }
    }
}
