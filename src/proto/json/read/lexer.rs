//! The tokens of JSON (RFC 8259), each with its place; and comments behind `//`, which are skipped.
//!
//! Our own, because a message needs what parsers of whole values do not give: the text of a number, exact to its last digit,
//! and where each value stands, for its fault.

use std::borrow::Cow;

use crate::proto::fault::Bad;

/// What a value begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    Object,
    Array,
    String,
    Number,
    True,
    False,
    Null,
}

impl Token {
    /// For messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Token::Object => "an object",
            Token::Array => "an array",
            Token::String => "a string",
            Token::Number => "a number",
            Token::True | Token::False => "a boolean",
            Token::Null => "null",
        }
    }
}

/// Deepest nesting of a value that is skipped.
const MAX_SKIPPED: usize = 200;

/// Reads tokens.
pub(crate) struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Lexer<'a> {
        Lexer { text, at: 0 }
    }

    /// Where the next token stands.
    pub(crate) fn place(&mut self) -> usize {
        self.blanks();
        self.at
    }

    /// Goes back to a place that it has been at.
    pub(crate) fn back_to(&mut self, place: usize) {
        self.at = place;
    }

    fn blanks(&mut self) {
        loop {
            match self.text.get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                // Up to the end of the line, as in what --template writes.
                Some(b'/') if self.text.get(self.at + 1) == Some(&b'/') => {
                    let rest = self.text.get(self.at..).unwrap_or_default();
                    self.at += memchr::memchr(b'\n', rest).unwrap_or(rest.len());
                }
                _ => return,
            }
        }
    }

    /// What comes next.
    ///
    /// # Errors
    /// The text ends, or what is there begins no value.
    pub(crate) fn peek(&mut self) -> Result<Token, Bad> {
        self.blanks();
        match self.text.get(self.at) {
            Some(b'{') => Ok(Token::Object),
            Some(b'[') => Ok(Token::Array),
            Some(b'"') => Ok(Token::String),
            Some(b'-' | b'0'..=b'9') => Ok(Token::Number),
            Some(b't') => Ok(Token::True),
            Some(b'f') => Ok(Token::False),
            Some(b'n') => Ok(Token::Null),
            Some(_) => Err(self.unexpected("expected value")),
            None => Err(self.ended()),
        }
    }

    fn ended(&self) -> Bad {
        Bad::new(self.text.len(), "the JSON ends in the middle of a value")
    }

    fn unexpected(&self, expected: &str) -> Bad {
        let shown = self.text.get(self.at).map(|b| char::from(*b)).filter(|c| c.is_ascii_graphic());
        Bad::new(
            self.at,
            match shown {
                Some(c) => format!("{expected}, found `{c}`"),
                None => expected.to_owned(),
            },
        )
    }

    /// The end of the text.
    ///
    /// # Errors
    /// Something follows.
    pub(crate) fn end(&mut self) -> Result<(), Bad> {
        self.blanks();
        if self.at == self.text.len() { Ok(()) } else { Err(self.unexpected("trailing characters")) }
    }

    /// Takes the bracket that the value begins with.
    pub(crate) fn open(&mut self) {
        self.blanks();
        self.at += 1;
    }

    /// The name of the next member and where it stands, or `None` at the end of the object.
    ///
    /// # Errors
    /// A comma, a name or a colon is missing.
    pub(crate) fn member(&mut self, first: &mut bool) -> Result<Option<(usize, Cow<'a, str>)>, Bad> {
        if !self.next(b'}', first)? {
            return Ok(None);
        }
        if self.text.get(self.at) != Some(&b'"') {
            return Err(self.unexpected("expected the name of a member"));
        }
        let place = self.at;
        let name = self.string()?;
        self.blanks();
        match self.text.get(self.at) {
            Some(b':') => self.at += 1,
            Some(_) => return Err(self.unexpected("expected `:`")),
            None => return Err(self.ended()),
        }
        Ok(Some((place, name)))
    }

    /// Whether an array has another item.
    ///
    /// # Errors
    /// A comma is missing.
    pub(crate) fn item(&mut self, first: &mut bool) -> Result<bool, Bad> {
        self.next(b']', first)
    }

    fn next(&mut self, close: u8, first: &mut bool) -> Result<bool, Bad> {
        self.blanks();
        let was_first = std::mem::replace(first, false);
        match self.text.get(self.at) {
            Some(byte) if *byte == close => {
                self.at += 1;
                return Ok(false);
            }
            Some(b',') if !was_first => {
                self.at += 1;
                self.blanks();
            }
            Some(_) if was_first => {}
            Some(_) => return Err(self.unexpected(&format!("expected `,` or `{}`", char::from(close)))),
            None => return Err(self.ended()),
        }
        match self.text.get(self.at) {
            Some(byte) if *byte == close => Err(self.unexpected("trailing comma")),
            Some(_) => Ok(true),
            None => Err(self.ended()),
        }
    }

    /// `true`, `false` or `null`.
    ///
    /// # Errors
    /// It is none of them.
    pub(crate) fn literal(&mut self, text: &str) -> Result<(), Bad> {
        self.blanks();
        let rest = self.text.get(self.at..).unwrap_or_default();
        let follows = rest.get(text.len()).is_some_and(u8::is_ascii_alphanumeric);
        if !rest.starts_with(text.as_bytes()) || follows {
            return Err(Bad::new(self.at, format!("expected value, found no `{text}`")));
        }
        self.at += text.len();
        Ok(())
    }

    /// The text of a number.
    ///
    /// # Errors
    /// It is none.
    pub(crate) fn number(&mut self) -> Result<&'a str, Bad> {
        self.blanks();
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = rest.iter().take_while(|b| matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')).count();
        let text = rest.get(..length).and_then(|t| std::str::from_utf8(t).ok()).unwrap_or_default();
        if !is_number(text) || rest.get(length).is_some_and(u8::is_ascii_alphanumeric) {
            return Err(Bad::new(self.at, "this is no JSON number"));
        }
        self.at += length;
        Ok(text)
    }

    /// A string, which must be UTF-8.
    ///
    /// # Errors
    /// It does not end, has control characters, bad escapes or half a surrogate pair.
    pub(crate) fn string(&mut self) -> Result<Cow<'a, str>, Bad> {
        self.blanks();
        let start = self.at + 1;
        let mut at = start;
        loop {
            match self.text.get(at) {
                Some(b'"') => break,
                Some(b'\\') => return self.escaped(start, at).map(Cow::Owned),
                Some(0..=0x1f) => return Err(Bad::new(at, "a control character in a string; write it as \\u00XX")),
                Some(_) => at += 1,
                None => return Err(self.ended()),
            }
        }
        self.at = at + 1;
        self.utf8(start, at).map(Cow::Borrowed)
    }

    fn utf8(&self, start: usize, end: usize) -> Result<&'a str, Bad> {
        std::str::from_utf8(self.text.get(start..end).unwrap_or_default())
            .map_err(|e| Bad::new(start + e.valid_up_to(), "a string is not UTF-8"))
    }

    /// A string whose first backslash is at `at`.
    fn escaped(&mut self, start: usize, mut at: usize) -> Result<String, Bad> {
        let mut out = self.utf8(start, at)?.to_owned();
        let mut plain = at;
        loop {
            match self.text.get(at) {
                Some(b'"') => {
                    out.push_str(self.utf8(plain, at)?);
                    self.at = at + 1;
                    return Ok(out);
                }
                Some(b'\\') => {
                    out.push_str(self.utf8(plain, at)?);
                    at = self.escape(at, &mut out)?;
                    plain = at;
                }
                Some(0..=0x1f) => return Err(Bad::new(at, "a control character in a string; write it as \\u00XX")),
                Some(_) => at += 1,
                None => return Err(self.ended()),
            }
        }
    }

    /// One escape, at its backslash; gives where the string goes on.
    fn escape(&self, at: usize, out: &mut String) -> Result<usize, Bad> {
        let c = match self.text.get(at + 1) {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let half = || Bad::new(at, "half of a surrogate pair");
                let unit = self.hex(at + 2)?;
                let (c, end) = match unit {
                    0xd800..=0xdbff => {
                        if self.text.get(at + 6..at + 8) != Some(b"\\u".as_slice()) {
                            return Err(half());
                        }
                        let low = self.hex(at + 8)?.checked_sub(0xdc00).filter(|low| *low < 0x400).ok_or_else(half)?;
                        (0x10000 + ((unit - 0xd800) << 10) + low, at + 12)
                    }
                    unit => (unit, at + 6),
                };
                out.push(char::from_u32(c).ok_or_else(half)?);
                return Ok(end);
            }
            Some(_) => return Err(Bad::new(at, "there is no such escape in JSON")),
            None => return Err(self.ended()),
        };
        out.push(c);
        Ok(at + 2)
    }

    fn hex(&self, at: usize) -> Result<u32, Bad> {
        let digits = self.text.get(at..at + 4).filter(|d| d.iter().all(u8::is_ascii_hexdigit));
        let digits = digits.and_then(|d| std::str::from_utf8(d).ok()).and_then(|d| u32::from_str_radix(d, 16).ok());
        digits.ok_or_else(|| Bad::new(at, "expected four hexadecimal digits"))
    }

    /// Takes a whole value that nobody needs.
    ///
    /// # Errors
    /// It is none, or is nested too deep.
    pub(crate) fn skip(&mut self) -> Result<(), Bad> {
        self.skip_within(MAX_SKIPPED)
    }

    fn skip_within(&mut self, depth: usize) -> Result<(), Bad> {
        let token = self.peek()?;
        let inner = || depth.checked_sub(1).ok_or_else(|| Bad::new(self.at, "the JSON is nested too deep"));
        match token {
            Token::String => drop(self.string()?),
            Token::Number => drop(self.number()?),
            Token::True => self.literal("true")?,
            Token::False => self.literal("false")?,
            Token::Null => self.literal("null")?,
            Token::Object => {
                let (depth, mut first) = (inner()?, true);
                self.open();
                while self.member(&mut first)?.is_some() {
                    self.skip_within(depth)?;
                }
            }
            Token::Array => {
                let (depth, mut first) = (inner()?, true);
                self.open();
                while self.item(&mut first)? {
                    self.skip_within(depth)?;
                }
            }
        }
        Ok(())
    }
}

/// Whether a text is a number of JSON's grammar.
pub(crate) fn is_number(text: &str) -> bool {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let rest = text.strip_prefix('-').unwrap_or(text);
    let whole = digits(rest);
    if whole == 0 || (whole > 1 && rest.starts_with('0')) {
        return false;
    }
    let mut rest = &rest[whole..];
    if let Some(fraction) = rest.strip_prefix('.') {
        let count = digits(fraction);
        if count == 0 {
            return false;
        }
        rest = &fraction[count..];
    }
    if let Some(exponent) = rest.strip_prefix(['e', 'E']) {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        let count = digits(exponent);
        return count > 0 && count == exponent.len();
    }
    rest.is_empty()
}
