//! Frames as bytes and as text. The text of what comes in is the text in which a script says what goes out.
//!
//! `queue.declare queue=q durable arguments={x-max-length=I:3 x-overflow=S:reject-publish}`: strings are bare words or
//! `"quoted, with \x00 for a byte"`; a value in a table has its type letter before it; a bit stands there or does not. What
//! carries a content has two more parts: `basic.publish routing_key=q | priority=3 headers={n=l:1} | the body`.

use std::fmt::Write;

use super::spec::{self, Field, Method, PROPERTIES};

/// A value of a field or in a table.
#[derive(Clone)]
pub enum Value {
    Int(i128),
    Float(f64),
    Bytes(Vec<u8>),
    Table(Vec<(Vec<u8>, Tagged)>),
    Array(Vec<Tagged>),
    Decimal(u8, u32),
    Void,
}

/// A value in a table with its type letter.
pub type Tagged = (u8, Value);

/// A content: its properties and its body.
#[derive(Clone, Default)]
pub struct Content {
    pub properties: Vec<(Field, Value)>,
    pub body: Vec<u8>,
}

/// A method with its fields' values, and the content where it has one.
pub struct Message {
    pub method: &'static Method,
    pub values: Vec<Value>,
    pub content: Option<Content>,
}

impl Message {
    /// Whether a bit is set.
    pub fn has_bit(&self, name: &str) -> bool {
        self.number(name) == Some(1)
    }

    /// The value of a field that is a number.
    pub fn number(&self, name: &str) -> Option<u64> {
        let at = self.method.fields.iter().position(|f| f.name == name)?;
        match self.values[at] {
            Value::Int(n) => u64::try_from(n).ok(),
            _ => None,
        }
    }
}

// ---------------------------------------------------------------- to bytes

/// A frame of any type.
pub fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![kind];
    out.extend(channel.to_be_bytes());
    out.extend((payload.len() as u32).to_be_bytes());
    out.extend(payload);
    out.push(0xce);
    out
}

/// The frames of a message; a body is split for `frame_max`.
pub fn encode(channel: u16, message: &Message, frame_max: usize) -> Vec<u8> {
    let mut out = frame(1, channel, &method_payload(message));
    if let Some(content) = &message.content {
        out.extend(frame(2, channel, &header_payload(60, content.body.len() as u64, &content.properties)));
        for chunk in content.body.chunks(frame_max - 8) {
            out.extend(frame(3, channel, chunk));
        }
    }
    out
}

/// What a method frame holds.
pub fn method_payload(message: &Message) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(message.method.id.0.to_be_bytes());
    out.extend(message.method.id.1.to_be_bytes());
    let mut bit = None;
    for (field, value) in message.method.fields.iter().zip(&message.values) {
        if field.kind != b'b' {
            bit = None;
            put(&mut out, field.kind, value);
            continue;
        }
        let (at, shift) = bit.unwrap_or_else(|| {
            out.push(0);
            (out.len() - 1, 0)
        });
        if matches!(value, Value::Int(1)) {
            out[at] |= 1 << shift;
        }
        bit = Some((at, shift + 1));
    }
    out
}

/// What a header frame holds.
pub fn header_payload(class: u16, size: u64, properties: &[(Field, Value)]) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(class.to_be_bytes());
    out.extend([0, 0]);
    out.extend(size.to_be_bytes());
    let mut flags = 0u16;
    let mut values = Vec::new();
    for (n, property) in PROPERTIES.iter().enumerate() {
        if let Some((_, value)) = properties.iter().find(|(field, _)| field == property) {
            flags |= 1 << (15 - n);
            put(&mut values, property.kind, value);
        }
    }
    out.extend(flags.to_be_bytes());
    out.extend(values);
    out
}

fn put(out: &mut Vec<u8>, kind: u8, value: &Value) {
    match (kind, value) {
        (b'o', Value::Int(n)) => out.push(*n as u8),
        (b'h', Value::Int(n)) => out.extend((*n as u16).to_be_bytes()),
        (b'l', Value::Int(n)) => out.extend((*n as u32).to_be_bytes()),
        (b'q', Value::Int(n)) => out.extend((*n as u64).to_be_bytes()),
        (b's', Value::Bytes(bytes)) => {
            out.push(u8::try_from(bytes.len()).expect("a short string has at most 255 bytes"));
            out.extend(bytes);
        }
        (b'S', Value::Bytes(bytes)) => {
            out.extend((bytes.len() as u32).to_be_bytes());
            out.extend(bytes);
        }
        (b't', Value::Table(entries)) => {
            let mut inner = Vec::new();
            for (key, value) in entries {
                inner.push(key.len() as u8);
                inner.extend(key);
                put_tagged(&mut inner, value);
            }
            out.extend((inner.len() as u32).to_be_bytes());
            out.extend(inner);
        }
        _ => panic!("no such value of the kind {}", kind as char),
    }
}

fn put_tagged(out: &mut Vec<u8>, (letter, value): &Tagged) {
    out.push(*letter);
    match (letter, value) {
        (b't' | b'b' | b'B', Value::Int(n)) => out.push(*n as u8),
        (b's' | b'u', Value::Int(n)) => out.extend((*n as u16).to_be_bytes()),
        (b'I' | b'i', Value::Int(n)) => out.extend((*n as u32).to_be_bytes()),
        (b'l' | b'L' | b'T', Value::Int(n)) => out.extend((*n as u64).to_be_bytes()),
        (b'f', Value::Float(n)) => out.extend((*n as f32).to_be_bytes()),
        (b'd', Value::Float(n)) => out.extend(n.to_be_bytes()),
        (b'D', Value::Decimal(scale, n)) => {
            out.push(*scale);
            out.extend(n.to_be_bytes());
        }
        (b'S' | b'x', value) => put(out, b'S', value),
        (b'F', value) => put(out, b't', value),
        (b'A', Value::Array(values)) => {
            let mut inner = Vec::new();
            values.iter().for_each(|v| put_tagged(&mut inner, v));
            out.extend((inner.len() as u32).to_be_bytes());
            out.extend(inner);
        }
        (b'V', Value::Void) => {}
        _ => panic!("no such value of the type {}", *letter as char),
    }
}

// ---------------------------------------------------------------- from bytes

/// Reads from the front of a slice; `None` when it ends too early.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn bytes(&mut self, count: usize) -> Option<Vec<u8>> {
        let (head, tail) = self.0.split_at_checked(count)?;
        self.0 = tail;
        Some(head.to_vec())
    }

    fn uint(&mut self, size: usize) -> Option<u64> {
        Some(self.bytes(size)?.iter().fold(0, |n, byte| n << 8 | u64::from(*byte)))
    }

    fn int(&mut self, size: usize) -> Option<i128> {
        let shift = 64 - 8 * size;
        Some(i128::from((self.uint(size)? << shift) as i64 >> shift))
    }

    fn value(&mut self, kind: u8) -> Option<Value> {
        Some(match kind {
            b'o' => Value::Int(self.uint(1)?.into()),
            b'h' => Value::Int(self.uint(2)?.into()),
            b'l' => Value::Int(self.uint(4)?.into()),
            b'q' => Value::Int(self.uint(8)?.into()),
            b's' => {
                let length = self.uint(1)?;
                Value::Bytes(self.bytes(length as usize)?)
            }
            b'S' => {
                let length = self.uint(4)?;
                Value::Bytes(self.bytes(length as usize)?)
            }
            b't' => {
                let length = self.uint(4)?;
                let inner = self.bytes(length as usize)?;
                let mut inner = Reader(&inner);
                let mut entries = Vec::new();
                while !inner.0.is_empty() {
                    let length = inner.uint(1)?;
                    let key = inner.bytes(length as usize)?;
                    entries.push((key, inner.tagged()?));
                }
                Value::Table(entries)
            }
            _ => return None,
        })
    }

    fn tagged(&mut self) -> Option<Tagged> {
        let letter = self.uint(1)? as u8;
        let value = match letter {
            b't' | b'B' => Value::Int(self.uint(1)?.into()),
            b'b' => Value::Int(self.int(1)?),
            b's' => Value::Int(self.int(2)?),
            b'u' => Value::Int(self.uint(2)?.into()),
            b'I' => Value::Int(self.int(4)?),
            b'i' => Value::Int(self.uint(4)?.into()),
            b'l' | b'L' => Value::Int(self.int(8)?),
            b'T' => Value::Int(self.uint(8)?.into()),
            b'f' => Value::Float(f32::from_bits(self.uint(4)? as u32).into()),
            b'd' => Value::Float(f64::from_bits(self.uint(8)?)),
            b'D' => Value::Decimal(self.uint(1)? as u8, self.uint(4)? as u32),
            b'S' | b'x' => self.value(b'S')?,
            b'F' => self.value(b't')?,
            b'A' => {
                let length = self.uint(4)?;
                let inner = self.bytes(length as usize)?;
                let mut inner = Reader(&inner);
                let mut values = Vec::new();
                while !inner.0.is_empty() {
                    values.push(inner.tagged()?);
                }
                Value::Array(values)
            }
            b'V' => Value::Void,
            _ => return None,
        };
        Some((letter, value))
    }
}

/// A method from what its frame holds.
pub fn decode_method(payload: &[u8]) -> Option<Message> {
    let mut reader = Reader(payload);
    let method = spec::by_id((reader.uint(2)? as u16, reader.uint(2)? as u16))?;
    let mut values = Vec::new();
    let mut bits: Option<(u64, u32)> = None;
    for field in &method.fields {
        if field.kind != b'b' {
            bits = None;
            values.push(reader.value(field.kind)?);
            continue;
        }
        let (octet, shift) = match bits {
            Some(bits) => bits,
            None => (reader.uint(1)?, 0),
        };
        values.push(Value::Int((octet >> shift & 1).into()));
        bits = Some((octet, shift + 1));
    }
    reader.0.is_empty().then_some(Message { method, values, content: None })
}

/// The body's size and the properties, from what a header frame holds.
pub fn decode_header(payload: &[u8]) -> Option<(u64, Content)> {
    let mut reader = Reader(payload);
    let (_class, _weight, size) = (reader.uint(2)?, reader.uint(2)?, reader.uint(8)?);
    let flags = reader.uint(2)?;
    let mut content = Content::default();
    for (n, property) in PROPERTIES.iter().enumerate() {
        if flags >> (15 - n) & 1 == 1 {
            content.properties.push((*property, reader.value(property.kind)?));
        }
    }
    reader.0.is_empty().then_some((size, content))
}

// ---------------------------------------------------------------- to text

/// A message as one line.
pub fn render(message: &Message) -> String {
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
pub fn parse(line: &str) -> Message {
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
