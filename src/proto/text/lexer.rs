//! The tokens of the text format, each with its place.

use crate::proto::fault::Bad;

/// One token.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token<'a> {
    /// A name, or a word like `true`.
    Word(&'a str),
    /// A number without its sign, as it is written.
    Number(&'a str),
    /// A string, without its quotes and with its escapes undone.
    Quoted(Vec<u8>),
    /// A character by itself.
    Sign(u8),
    /// The end of the text.
    End,
}

impl Token<'_> {
    /// For messages.
    pub(crate) fn shown(&self) -> String {
        match self {
            Token::Word(text) | Token::Number(text) => format!("`{text}`"),
            Token::Quoted(_) => "a string".to_owned(),
            Token::Sign(sign) => format!("`{}`", char::from(*sign)),
            Token::End => "the end".to_owned(),
        }
    }
}

/// Reads tokens, with one looked at ahead.
pub(crate) struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
    /// The next token and where it stands.
    pub token: Token<'a>,
    pub place: usize,
}

impl<'a> Lexer<'a> {
    /// Looks at the first token.
    ///
    /// # Errors
    /// As [`Lexer::advance`].
    pub(crate) fn new(text: &'a [u8]) -> Result<Lexer<'a>, Bad> {
        let mut lexer = Lexer { text, at: 0, token: Token::End, place: 0 };
        lexer.advance()?;
        Ok(lexer)
    }

    /// Takes the token, and looks at the next one.
    ///
    /// # Errors
    /// What follows is no token.
    pub(crate) fn advance(&mut self) -> Result<Token<'a>, Bad> {
        self.blanks();
        self.place = self.at;
        let next = match self.text.get(self.at) {
            None => Token::End,
            Some(b'"' | b'\'') => self.quoted()?,
            Some(b'a'..=b'z' | b'A'..=b'Z' | b'_') => Token::Word(self.run(|b| b.is_ascii_alphanumeric() || b == b'_')),
            Some(b'0'..=b'9') => self.number()?,
            Some(b'.') if self.text.get(self.at + 1).is_some_and(u8::is_ascii_digit) => self.number()?,
            Some(&sign) if b"{}<>[]:;,-./%!$&()*+=~".contains(&sign) => {
                self.at += 1;
                Token::Sign(sign)
            }
            Some(_) => return Err(Bad::new(self.at, "there is no such character in the text format")),
        };
        Ok(std::mem::replace(&mut self.token, next))
    }

    /// Takes this sign if it comes next.
    ///
    /// # Errors
    /// As [`Lexer::advance`].
    pub(crate) fn eat(&mut self, sign: u8) -> Result<bool, Bad> {
        let found = self.token == Token::Sign(sign);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    /// Takes this sign.
    ///
    /// # Errors
    /// Another token comes.
    pub(crate) fn expect(&mut self, sign: u8) -> Result<(), Bad> {
        match self.eat(sign)? {
            true => Ok(()),
            false => Err(self.unexpected(&format!("`{}`", char::from(sign)))),
        }
    }

    /// The error for a token that should be another one.
    pub(crate) fn unexpected(&self, expected: &str) -> Bad {
        Bad::new(self.place, format!("expected {expected}, found {}", self.token.shown()))
    }

    fn blanks(&mut self) {
        while let Some(byte) = self.text.get(self.at) {
            match byte {
                b' ' | b'\n' | b'\r' | b'\t' | 0x0b | 0x0c => self.at += 1,
                b'#' => {
                    let rest = self.text.get(self.at..).unwrap_or_default();
                    self.at += memchr::memchr(b'\n', rest).unwrap_or(rest.len());
                }
                _ => return,
            }
        }
    }

    fn run(&mut self, belongs: impl Fn(u8) -> bool) -> &'a str {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = rest.iter().take_while(|b| belongs(**b)).count();
        self.at += length;
        // What belongs is ASCII.
        std::str::from_utf8(&rest[..length]).unwrap_or_default()
    }

    fn number(&mut self) -> Result<Token<'a>, Bad> {
        let start = self.at;
        self.run(|b| b.is_ascii_alphanumeric() || b == b'.');
        let is_hex = self.text.get(start + 1).is_some_and(|b| b | 0x20 == b'x');
        let after_e = self.text.get(self.at - 1).is_some_and(|b| b | 0x20 == b'e') && !is_hex;
        if after_e && matches!(self.text.get(self.at), Some(b'+' | b'-')) {
            self.at += 1;
            self.run(|b| b.is_ascii_alphanumeric() || b == b'.');
        }
        let text = self.text.get(start..self.at).and_then(|t| std::str::from_utf8(t).ok()).unwrap_or_default();
        Ok(Token::Number(text))
    }

    fn quoted(&mut self) -> Result<Token<'a>, Bad> {
        let start = self.at;
        let quote = self.text.get(start).copied();
        let unclosed = || Bad::new(start, "the string does not end on its line");
        let mut out = Vec::new();
        self.at += 1;
        loop {
            let byte = self.text.get(self.at).copied().ok_or_else(unclosed)?;
            self.at += 1;
            match byte {
                _ if Some(byte) == quote => return Ok(Token::Quoted(out)),
                b'\n' => return Err(unclosed()),
                b'\\' => self.escape(&mut out)?,
                byte => out.push(byte),
            }
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Result<(), Bad> {
        let start = self.at - 1;
        let bad = |what: &str| Bad::new(start, what);
        let byte = self.text.get(self.at).copied().ok_or_else(|| bad("the string ends in an escape"))?;
        self.at += 1;
        out.push(match byte {
            b'a' => 7,
            b'b' => 8,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 0x0b,
            b'?' | b'\\' | b'\'' | b'"' => byte,
            b'0'..=b'7' => {
                self.at -= 1;
                let value = self.digits(8, 3);
                u8::try_from(value).map_err(|_| bad("an octal escape is at most \\377"))?
            }
            b'x' | b'X' => match self.text.get(self.at).is_some_and(u8::is_ascii_hexdigit) {
                true => self.digits(16, 2) as u8,
                false => return Err(bad("\\x needs hexadecimal digits")),
            },
            b'u' | b'U' => {
                let count = if byte == b'u' { 4 } else { 8 };
                let before = self.at;
                let mut c = self.digits(16, count);
                if self.at - before != count {
                    return Err(bad("\\u needs four hexadecimal digits, \\U eight"));
                }
                // Half of a surrogate pair, and the other half.
                if (0xd800..0xdc00).contains(&c) && self.text.get(self.at..self.at + 2) == Some(b"\\u".as_slice()) {
                    self.at += 2;
                    let low = self.digits(16, 4);
                    c = low
                        .checked_sub(0xdc00)
                        .filter(|l| *l < 0x400)
                        .map_or(c, |low| 0x10000 + ((c - 0xd800) << 10) + low);
                }
                let c = char::from_u32(c).ok_or_else(|| bad("there is no such character"))?;
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                return Ok(());
            }
            _ => return Err(bad("there is no such escape")),
        });
        Ok(())
    }

    /// At most so many digits as a number.
    fn digits(&mut self, base: u32, most: usize) -> u32 {
        let mut value = 0u32;
        for _ in 0..most {
            let Some(digit) = self.text.get(self.at).and_then(|b| char::from(*b).to_digit(base)) else { break };
            value = value.wrapping_mul(base).wrapping_add(digit);
            self.at += 1;
        }
        value
    }
}
