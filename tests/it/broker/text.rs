//! Messages as text: what comes in is shown in the words in which a script says what goes out.
//!
//! `queue.declare queue=q durable arguments={x-max-length=I:3 x-overflow=S:reject-publish}`: strings are bare words or
//! `"quoted, with \x00 for a byte"`; a value in a table has its type letter before it; a bit stands there or does not. What
//! carries a content has two more parts: `basic.publish routing_key=q | priority=3 headers={n=l:1} | the body`.

use std::fmt::Write;

use super::codec::{Content, Message, Tagged, Value};
use super::spec::{self, Field, PROPERTIES};

/// A message as one line.
pub(crate) fn render(message: &Message) -> String {
    let mut out = message.method.name.to_owned();
    for (field, value) in message.method.fields.iter().zip(&message.values) {
        match (field.kind, value) {
            _ if field.name == "reserved" => {}
            (b'b', Value::Int(0)) => {}
            (b'b', _) => write!(out, " {}", field.name).expect("writes"),
            _ => write!(out, " {}={}", field.name, text(value)).expect("writes"),
        }
    }
    if let Some(content) = &message.content {
        let properties: Vec<_> = content.properties.iter().map(|(f, v)| format!("{}={}", f.name, text(v))).collect();
        write!(out, " | {} | {}", properties.join(" "), body_text(&content.body)).expect("writes");
    }
    out
}

/// A long body is told by its length and a sum.
fn body_text(body: &[u8]) -> String {
    if body.len() <= 300 {
        return escaped(body);
    }
    let sum = body.iter().fold(0u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)));
    format!("<{} bytes, sum {sum:x}>", body.len())
}

fn escaped(bytes: &[u8]) -> String {
    let mut out = String::new();
    for byte in bytes {
        match byte {
            b'"' | b'\\' => write!(out, "\\{}", *byte as char),
            b' '..=b'~' => write!(out, "{}", *byte as char),
            _ => write!(out, "\\x{byte:02x}"),
        }
        .expect("writes");
    }
    out
}

fn text(value: &Value) -> String {
    match value {
        Value::Int(n) => n.to_string(),
        Value::Float(n) => format!("{n:?}"),
        Value::Bytes(bytes) => {
            let bare = |b: &u8| b.is_ascii_graphic() && !br#""\{}[]"#.contains(b);
            if !bytes.is_empty() && bytes.iter().all(bare) { escaped(bytes) } else { format!("\"{}\"", escaped(bytes)) }
        }
        Value::Table(entries) => {
            let entry = |(key, value): &(Vec<u8>, Tagged)| {
                // When a message died is the one thing in an x-death that differs.
                let value = if key == b"time" && value.0 == b'T' { "T:*".to_owned() } else { tagged_text(value) };
                format!("{}={value}", escaped(key))
            };
            // The order of a table means nothing; that of two entries of one name might.
            let mut entries: Vec<_> = entries.iter().collect();
            entries.sort_by(|(left, _), (right, _)| left.cmp(right));
            format!("{{{}}}", entries.into_iter().map(entry).collect::<Vec<_>>().join(" "))
        }
        Value::Array(values) => format!("[{}]", values.iter().map(tagged_text).collect::<Vec<_>>().join(" ")),
        Value::Decimal(scale, n) => format!("{scale}/{n}"),
        Value::Void => String::new(),
    }
}

fn tagged_text((letter, value): &Tagged) -> String {
    format!("{}:{}", *letter as char, text(value))
}

// ---------------------------------------------------------------- from text

/// A message from its line; panics with the line where it is wrong, for only tests write such lines.
pub(crate) fn parse(line: &str) -> Message {
    let mut parts = line.splitn(3, '|');
    let mut cursor = Cursor { rest: parts.next().unwrap_or_default().trim(), line };
    let name = cursor.word(" ");
    let method = spec::by_name(&name).unwrap_or_else(|| panic!("no method {name:?} in: {line}"));
    let given = cursor.fields(&method.fields);
    let default = |field: &Field| match field.kind {
        b's' | b'S' => Value::Bytes(Vec::new()),
        b't' => Value::Table(Vec::new()),
        _ => Value::Int(0),
    };
    let value = |f: &Field| given.iter().find(|(g, _)| g == f).map_or_else(|| default(f), |(_, v)| v.clone());
    let values = method.fields.iter().map(value).collect();
    let content = method.has_content().then(|| {
        let mut cursor = Cursor { rest: parts.next().unwrap_or_default().trim(), line };
        let properties = cursor.fields(&PROPERTIES);
        Content { properties, body: body(parts.next().unwrap_or_default().trim(), line) }
    });
    Message { method, values, content }
}

/// A body is written out, or is `<1000>`, which is so many bytes that are not all the same.
fn body(rest: &str, line: &str) -> Vec<u8> {
    let length = rest.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).and_then(|n| n.parse().ok());
    match length {
        Some(length) => (0..length).map(|n: usize| b'a' + (n % 23) as u8).collect(),
        None => Cursor { rest, line }.bytes(""),
    }
}

struct Cursor<'a> {
    rest: &'a str,
    line: &'a str,
}

impl Cursor<'_> {
    fn fields(&mut self, known: &[Field]) -> Vec<(Field, Value)> {
        let mut given = Vec::new();
        while !self.at_end() {
            let name = self.word("= ");
            let field = known.iter().find(|f| f.name == name);
            let field = *field.unwrap_or_else(|| panic!("no field {name:?} in: {}", self.line));
            let value = if field.kind == b'b' {
                Value::Int(1)
            } else {
                self.expect('=');
                match field.kind {
                    b's' | b'S' => Value::Bytes(self.bytes(" ")),
                    b't' => self.table(),
                    _ => Value::Int(self.number(" ")),
                }
            };
            given.push((field, value));
        }
        given
    }

    fn table(&mut self) -> Value {
        self.expect('{');
        let mut entries = Vec::new();
        while !self.take('}') {
            let key = self.bytes("=");
            self.expect('=');
            entries.push((key, self.tagged()));
        }
        Value::Table(entries)
    }

    fn tagged(&mut self) -> Tagged {
        let letter = self.rest.as_bytes().first().copied().unwrap_or_default();
        self.rest = &self.rest[1..];
        self.expect(':');
        let value = match letter {
            b'S' | b'x' => Value::Bytes(self.bytes(" ]}")),
            b'F' => self.table(),
            b'A' => {
                self.expect('[');
                let mut values = Vec::new();
                while !self.take(']') {
                    values.push(self.tagged());
                }
                Value::Array(values)
            }
            b'f' | b'd' => Value::Float(self.word(" ]}").parse().expect("a number")),
            b'D' => {
                let word = self.word(" ]}");
                let (scale, n) = word.split_once('/').expect("scale/value");
                Value::Decimal(scale.parse().expect("a scale"), n.parse().expect("a value"))
            }
            b'V' => Value::Void,
            _ => Value::Int(self.number(" ]}")),
        };
        (letter, value)
    }

    fn at_end(&mut self) -> bool {
        self.rest = self.rest.trim_start();
        self.rest.is_empty()
    }

    fn take(&mut self, wanted: char) -> bool {
        self.rest = self.rest.trim_start();
        let rest = self.rest.strip_prefix(wanted);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, wanted: char) {
        assert!(self.take(wanted), "no {wanted:?} before {:?} in: {}", self.rest, self.line);
    }

    fn number(&mut self, until: &str) -> i128 {
        let word = self.word(until);
        word.parse().unwrap_or_else(|_| panic!("no number: {word:?} in: {}", self.line))
    }

    fn word(&mut self, until: &str) -> String {
        String::from_utf8(self.bytes(until)).expect("text")
    }

    /// A word up to one of the characters `until`, or a quoted one; with none, the whole rest.
    fn bytes(&mut self, until: &str) -> Vec<u8> {
        let quoted = !until.is_empty() && self.rest.starts_with('"');
        let mut out = Vec::new();
        let mut at = usize::from(quoted);
        let all = self.rest.as_bytes();
        while at < all.len() {
            match all[at] {
                b'\\' if all.get(at + 1) == Some(&b'x') => {
                    out.push(u8::from_str_radix(&self.rest[at + 2..at + 4], 16).expect("two hexadecimal digits"));
                    at += 3;
                }
                b'\\' => {
                    at += 1;
                    out.push(all[at]);
                }
                b'"' if quoted => {
                    at += 1;
                    break;
                }
                byte if !quoted && until.as_bytes().contains(&byte) => break,
                byte => out.push(byte),
            }
            at += 1;
        }
        self.rest = &self.rest[at..];
        out
    }
}
