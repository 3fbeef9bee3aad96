//! Canonical protojson of a [`DynamicMessage`], straight into an output buffer.
//!
//! The rules are those of <https://protobuf.dev/programming-guides/json/>, the order is that of the field numbers, map
//! entries are sorted. Whatever came over the wire gets printed: a value that has no canonical form (a timestamp in the
//! year 12000, an `Any` of a type that nobody knows) is shown as its fields or in base64, never as an error.

mod wkt;

use std::io::Write;

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, ReflectMessage, Value};

use super::any::{MAX_DEPTH, Resolver};
use crate::message::json::{base64, string};

/// How JSON is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// On one line, without blanks.
    Compact,
    /// Indented by two blanks.
    Pretty,
}

/// Appends a message, without a line end.
pub fn write_json(out: &mut Vec<u8>, message: &DynamicMessage, layout: Layout, resolver: &dyn Resolver) {
    Writer { out, layout, indent: 0, resolver, any_depth: MAX_DEPTH }.message(message);
}

struct Writer<'a> {
    out: &'a mut Vec<u8>,
    layout: Layout,
    indent: usize,
    resolver: &'a dyn Resolver,
    /// How many more `Any`s may be opened inside of each other.
    any_depth: usize,
}

/// Whether something stands in an object or array already.
type First = bool;

impl Writer<'_> {
    fn message(&mut self, message: &DynamicMessage) {
        if !self.well_known(message) {
            self.object(message);
        }
    }

    fn object(&mut self, message: &DynamicMessage) {
        let mut first = self.open(b'{');
        self.members(message, &mut first);
        self.close(b'}', first);
    }

    fn members(&mut self, message: &DynamicMessage, first: &mut First) {
        // Extensions have numbers among the fields, but come behind them, as in Go's protojson.
        for field in message.descriptor().fields() {
            if message.has_field(&field) || is_negative_zero(message, &field) {
                self.name(field.json_name(), first);
                self.value(&message.get_field(&field), &field.kind());
            }
        }
        for (extension, value) in message.extensions() {
            self.name(&format!("[{}]", extension.full_name()), first);
            self.value(value, &extension.kind());
        }
    }

    fn value(&mut self, value: &Value, kind: &Kind) {
        match value {
            Value::Bool(v) => self.plain(v),
            Value::I32(v) => self.plain(v),
            Value::U32(v) => self.plain(v),
            Value::I64(v) => self.quoted(v),
            Value::U64(v) => self.quoted(v),
            Value::F32(v) => self.float(f64::from(*v), v),
            Value::F64(v) => self.float(*v, v),
            Value::String(v) => string(self.out, v),
            Value::Bytes(v) => {
                self.out.push(b'"');
                base64(self.out, v);
                self.out.push(b'"');
            }
            Value::EnumNumber(number) => self.enumeration(*number, kind),
            Value::Message(message) => self.message(message),
            Value::List(items) => {
                let mut first = self.open(b'[');
                for item in items {
                    self.next(&mut first);
                    self.value(item, kind);
                }
                self.close(b']', first);
            }
            Value::Map(entries) => {
                let value_kind = match kind {
                    Kind::Message(entry) => entry.get_field(2).map(|f| f.kind()),
                    _ => None,
                };
                let mut sorted: Vec<(&MapKey, &Value)> = entries.iter().collect();
                sorted.sort_unstable_by(|a, b| a.0.cmp(b.0));
                let mut first = self.open(b'{');
                for (key, value) in sorted {
                    match key {
                        MapKey::String(key) => self.name(key, &mut first),
                        MapKey::Bool(key) => self.name(if *key { "true" } else { "false" }, &mut first),
                        MapKey::I32(key) => self.name(&key.to_string(), &mut first),
                        MapKey::I64(key) => self.name(&key.to_string(), &mut first),
                        MapKey::U32(key) => self.name(&key.to_string(), &mut first),
                        MapKey::U64(key) => self.name(&key.to_string(), &mut first),
                    }
                    self.value(value, value_kind.as_ref().unwrap_or(kind));
                }
                self.close(b'}', first);
            }
        }
    }

    fn enumeration(&mut self, number: i32, kind: &Kind) {
        let Kind::Enum(descriptor) = kind else { return self.plain(number) };
        if descriptor.full_name() == "google.protobuf.NullValue" {
            return self.out.extend_from_slice(b"null");
        }
        match descriptor.get_value(number) {
            Some(value) => string(self.out, value.name()),
            None => self.plain(number),
        }
    }

    /// `shown` is the number in its own width: the shortest text that reads back to the same float.
    fn float(&mut self, wide: f64, shown: &(impl std::fmt::Display + std::fmt::LowerExp)) {
        if wide.is_nan() {
            return self.out.extend_from_slice(b"\"NaN\"");
        }
        if wide.is_infinite() {
            return self.out.extend_from_slice(if wide > 0.0 { b"\"Infinity\"" } else { b"\"-Infinity\"" });
        }
        // The bounds of ECMAScript, which Go's protojson follows.
        if wide == 0.0 || (1e-6..1e21).contains(&wide.abs()) {
            return self.plain(shown);
        }
        let text = format!("{shown:e}");
        match text.split_once('e') {
            Some((digits, exponent)) if !exponent.starts_with('-') => self.plain(format_args!("{digits}e+{exponent}")),
            _ => self.plain(text),
        }
    }

    fn plain(&mut self, value: impl std::fmt::Display) {
        // Writing to a Vec cannot fail.
        drop(write!(self.out, "{value}"));
    }

    fn quoted(&mut self, value: impl std::fmt::Display) {
        drop(write!(self.out, "\"{value}\""));
    }

    fn open(&mut self, bracket: u8) -> First {
        self.out.push(bracket);
        self.indent += 1;
        true
    }

    fn next(&mut self, first: &mut First) {
        if !*first {
            self.out.push(b',');
        }
        *first = false;
        self.line();
    }

    fn name(&mut self, name: &str, first: &mut First) {
        self.next(first);
        string(self.out, name);
        self.out.extend_from_slice(if self.layout == Layout::Pretty { b": " } else { b":" });
    }

    fn close(&mut self, bracket: u8, first: First) {
        self.indent -= 1;
        if !first {
            self.line();
        }
        self.out.push(bracket);
    }

    fn line(&mut self) {
        if self.layout == Layout::Pretty {
            self.out.push(b'\n');
            self.out.resize(self.out.len() + 2 * self.indent, b' ');
        }
    }
}

/// -0 is no default and goes over the wire, but prost-reflect takes it for one.
fn is_negative_zero(message: &DynamicMessage, field: &FieldDescriptor) -> bool {
    matches!(field.kind(), Kind::Float | Kind::Double)
        && match &*message.get_field(field) {
            Value::F32(v) => *v == 0.0 && v.is_sign_negative() && !field.supports_presence(),
            Value::F64(v) => *v == 0.0 && v.is_sign_negative() && !field.supports_presence(),
            _ => false,
        }
}

#[cfg(test)]
mod tests;
