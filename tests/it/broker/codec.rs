//! Frames as bytes.

use super::spec::{self, Field, Method, PROPERTIES};

/// A value of a field or in a table.
#[derive(Clone)]
pub(crate) enum Value {
    Int(i128),
    Float(f64),
    Bytes(Vec<u8>),
    Table(Vec<(Vec<u8>, Tagged)>),
    Array(Vec<Tagged>),
    Decimal(u8, u32),
    Void,
}

/// A value in a table with its type letter.
pub(crate) type Tagged = (u8, Value);

/// A content: its properties and its body.
#[derive(Clone, Default)]
pub(crate) struct Content {
    pub properties: Vec<(Field, Value)>,
    pub body: Vec<u8>,
}

/// A method with its fields' values, and the content where it has one.
pub(crate) struct Message {
    pub method: &'static Method,
    pub values: Vec<Value>,
    pub content: Option<Content>,
}

impl Message {
    /// Whether a bit is set.
    pub(crate) fn has_bit(&self, name: &str) -> bool {
        self.number(name) == Some(1)
    }

    /// The value of a field that is a number.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        let at = self.method.fields.iter().position(|f| f.name == name)?;
        match self.values[at] {
            Value::Int(n) => u64::try_from(n).ok(),
            _ => None,
        }
    }
}

// ---------------------------------------------------------------- to bytes

/// A frame of any type.
pub(crate) fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![kind];
    out.extend(channel.to_be_bytes());
    out.extend((payload.len() as u32).to_be_bytes());
    out.extend(payload);
    out.push(0xce);
    out
}

/// The frames of a message; a body is split for `frame_max`.
pub(crate) fn encode(channel: u16, message: &Message, frame_max: usize) -> Vec<u8> {
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
pub(crate) fn method_payload(message: &Message) -> Vec<u8> {
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
pub(crate) fn header_payload(class: u16, size: u64, properties: &[(Field, Value)]) -> Vec<u8> {
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
pub(crate) fn decode_method(payload: &[u8]) -> Option<Message> {
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
pub(crate) fn decode_header(payload: &[u8]) -> Option<(u64, Content)> {
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
