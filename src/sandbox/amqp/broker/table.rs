//! Field tables as they came: in their order, nested ones unopened, so that what is passed on is the same byte for byte
//! and nothing is read by recursion.

use std::collections::HashMap;

use super::wire::{put_long, put_short};
use crate::cursor::Cursor;

/// A value: its type's letter, as RabbitMQ reads them, and its bytes (without the length that stands before long ones).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Value {
    kind: u8,
    bytes: Vec<u8>,
}

/// What kinds of values are the same kind when they are compared (RabbitMQ's `type_class`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Int,
    Float,
    Other(u8),
}

impl Value {
    /// A long string.
    pub(crate) fn text(text: impl AsRef<[u8]>) -> Value {
        Value { kind: b'S', bytes: text.as_ref().to_vec() }
    }

    /// A boolean.
    pub(crate) fn bool(value: bool) -> Value {
        Value { kind: b't', bytes: vec![u8::from(value)] }
    }

    /// A 64-bit integer.
    pub(crate) fn long(number: i64) -> Value {
        Value { kind: b'l', bytes: number.to_be_bytes().to_vec() }
    }

    /// Seconds since 1970.
    pub(crate) fn timestamp(seconds: u64) -> Value {
        Value { kind: b'T', bytes: seconds.to_be_bytes().to_vec() }
    }

    /// An array.
    pub(crate) fn array<'a>(items: impl IntoIterator<Item = &'a Value>) -> Value {
        let mut bytes = Vec::new();
        items.into_iter().for_each(|item| item.write(&mut bytes));
        Value { kind: b'A', bytes }
    }

    /// A table.
    pub(crate) fn table(table: &Table) -> Value {
        Value { kind: b'F', bytes: table.bytes() }
    }

    fn read(cursor: &mut Cursor<'_>) -> Option<Value> {
        let kind = cursor.u8()?;
        let bytes = cursor.value(kind)?;
        if matches!(kind, b'A' | b'F') {
            is_finite(kind, bytes)?;
        }
        Some(Value { kind, bytes: bytes.to_vec() })
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.push(self.kind);
        match self.kind {
            b'S' | b'x' | b'A' | b'F' => put_long(out, &self.bytes),
            _ => out.extend_from_slice(&self.bytes),
        }
    }

    /// The number of an integer of any width; `None` for other types.
    pub(crate) fn as_int(&self) -> Option<i128> {
        let mut all = [0; 8];
        let width = self.bytes.len();
        let place = all.get_mut(8usize.checked_sub(width)?..)?;
        place.copy_from_slice(&self.bytes);
        let unsigned = u64::from_be_bytes(all);
        let signed = || {
            let unused = 64 - 8 * u32::try_from(width).unwrap_or(8);
            i128::from(unsigned.wrapping_shl(unused).cast_signed().wrapping_shr(unused))
        };
        match self.kind {
            b'b' | b's' | b'I' | b'l' | b'L' => Some(signed()),
            b'B' | b'u' | b'i' => Some(i128::from(unsigned)),
            _ => None,
        }
    }

    /// The bytes of a long string.
    pub(crate) fn as_text(&self) -> Option<&[u8]> {
        (self.kind == b'S').then_some(&self.bytes)
    }

    /// A boolean.
    pub(crate) fn as_bool(&self) -> Option<bool> {
        (self.kind == b't').then(|| self.bytes.first() != Some(&0))
    }

    /// The members of a table.
    pub(crate) fn as_table(&self) -> Option<Table> {
        if self.kind == b'F' { Table::parse(&self.bytes) } else { None }
    }

    /// The items of an array.
    pub(crate) fn as_array(&self) -> Option<Vec<Value>> {
        if self.kind != b'A' {
            return None;
        }
        let mut cursor = Cursor(&self.bytes);
        let mut items = Vec::new();
        while !cursor.0.is_empty() {
            items.push(Value::read(&mut cursor)?);
        }
        Some(items)
    }

    /// True for the value that has none.
    pub(crate) fn is_void(&self) -> bool {
        self.kind == b'V'
    }

    /// What RabbitMQ calls the type.
    pub(crate) fn type_name(&self) -> &'static str {
        match self.kind {
            b't' => "bool",
            b'b' => "byte",
            b'B' => "unsignedbyte",
            b's' => "short",
            b'u' => "unsignedshort",
            b'I' => "signedint",
            b'i' => "unsignedint",
            b'l' | b'L' => "long",
            b'f' => "float",
            b'd' => "double",
            b'D' => "decimal",
            b'S' => "longstr",
            b'x' => "binary",
            b'A' => "array",
            b'T' => "timestamp",
            b'F' => "table",
            _ => "void",
        }
    }

    /// The value as RabbitMQ's error texts show it.
    pub(crate) fn shown(&self) -> String {
        match (self.as_int(), self.kind) {
            (Some(number), _) => number.to_string(),
            (None, b't') => (self.as_bool() == Some(true)).to_string(),
            (None, b'V') => "undefined".to_owned(),
            // With its point, as Erlang does.
            (None, b'f' | b'd') => format!("{:?}", self.as_float().unwrap_or_default()),
            (None, _) => String::from_utf8_lossy(&self.bytes).into_owned(),
        }
    }

    fn as_float(&self) -> Option<f64> {
        match self.kind {
            b'f' => self.bytes.as_slice().try_into().ok().map(|b| f64::from(f32::from_be_bytes(b))),
            b'd' => self.bytes.as_slice().try_into().ok().map(f64::from_be_bytes),
            _ => None,
        }
    }

    fn class(&self) -> Class {
        match self.kind {
            b'b' | b'B' | b's' | b'u' | b'I' | b'i' | b'l' | b'L' | b'D' => Class::Int,
            b'f' | b'd' => Class::Float,
            other => Class::Other(other),
        }
    }

    /// Equal as RabbitMQ compares the headers of a binding with those of a message: by value, whatever the type is called.
    pub(crate) fn matches(&self, other: &Value) -> bool {
        let seconds = |value: &Value| match value.kind {
            b'T' => value.bytes.as_slice().try_into().ok().map(|b| i128::from(u64::from_be_bytes(b))),
            _ => value.as_int(),
        };
        let float = |value: &Value| value.as_float().or_else(|| seconds(value).map(|n| n as f64));
        let is_text = |value: &Value| matches!(value.kind, b'S' | b'x');
        match (seconds(self), seconds(other)) {
            (Some(a), Some(b)) => a == b,
            _ => match (float(self), float(other)) {
                (Some(a), Some(b)) => a == b,
                _ => (self.kind == other.kind || is_text(self) && is_text(other)) && self.bytes == other.bytes,
            },
        }
    }

    /// Equal as RabbitMQ compares the arguments of two declarations: numbers of any width by their value.
    pub(crate) fn equals(&self, other: &Value) -> bool {
        if self.class() != other.class() {
            return false;
        }
        match (self.as_int(), other.as_int()) {
            (Some(a), Some(b)) => a == b,
            _ => match (self.as_float(), other.as_float()) {
                (Some(a), Some(b)) => a == b,
                _ => self.bytes == other.bytes,
            },
        }
    }
}

/// Whether the numbers of a table (`F`) or an array (`A`) are all finite, to any depth: Erlang has no others, and RabbitMQ
/// cannot read them. `None` for what is malformed.
pub(crate) fn is_finite(kind: u8, bytes: &[u8]) -> Option<bool> {
    let mut finite = true;
    let mut open = vec![(Cursor(bytes), kind == b'F')];
    while let Some((cursor, is_table)) = open.last_mut() {
        if cursor.0.is_empty() {
            open.pop();
            continue;
        }
        if *is_table && cursor.short().is_none() {
            return None;
        }
        let kind = cursor.u8()?;
        let inner = cursor.value(kind)?;
        match kind {
            b'f' | b'd' => finite &= is_number(inner),
            b'A' | b'F' => open.push((Cursor(inner), kind == b'F')),
            _ => {}
        }
    }
    Some(finite)
}

/// Whether the four or eight bytes of a floating-point number are a finite one.
fn is_number(bytes: &[u8]) -> bool {
    match (bytes.try_into(), bytes.try_into()) {
        (Ok(single), _) => f32::from_be_bytes(single).is_finite(),
        (_, Ok(double)) => f64::from_be_bytes(double).is_finite(),
        _ => true,
    }
}

/// A field table: names and values in their order. Names may repeat; the first counts, as for RabbitMQ.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Table(Vec<(Vec<u8>, Value)>);

impl Table {
    /// Reads a table's bytes, without the length before them. `None` when it is malformed.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Table> {
        let mut cursor = Cursor(bytes);
        let mut entries = Vec::new();
        while !cursor.0.is_empty() {
            let name = cursor.short()?.to_vec();
            entries.push((name, Value::read(&mut cursor)?));
        }
        Some(Table(entries))
    }

    /// Its bytes, without the length before them.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (name, value) in &self.0 {
            put_short(&mut out, name);
            value.write(&mut out);
        }
        out
    }

    /// A member.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(n, _)| n == name.as_bytes()).map(|(_, v)| v)
    }

    /// The members by name, for who looks many up.
    pub(crate) fn index(&self) -> HashMap<&[u8], &Value> {
        // The first of a name counts, and so is put in last.
        self.0.iter().rev().map(|(n, v)| (n.as_slice(), v)).collect()
    }

    /// Puts a value where a member of this name stands, or else at the end.
    pub(crate) fn replace(&mut self, name: &str, value: Value) {
        match self.0.iter_mut().find(|(n, _)| n == name.as_bytes()) {
            Some((_, old)) => *old = value,
            None => self.push(name, value),
        }
    }

    /// Puts a member at the end, in place of one of the same name.
    pub(crate) fn push(&mut self, name: &str, value: Value) {
        self.remove(name);
        self.0.push((name.as_bytes().to_vec(), value));
    }

    /// Takes all members of a name away.
    pub(crate) fn remove(&mut self, name: &str) {
        self.0.retain(|(n, _)| n != name.as_bytes());
    }

    /// The members.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &Value)> {
        self.0.iter().map(|(n, v)| (n.as_slice(), v))
    }

    /// Orders the members by name.
    pub(crate) fn sort(&mut self) {
        self.0.sort_by(|(a, _), (b, _)| a.cmp(b));
    }
}
