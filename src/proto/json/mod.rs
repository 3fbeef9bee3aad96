//! Canonical protojson of a [`DynamicMessage`], straight into an output buffer.
//!
//! The rules are those of <https://protobuf.dev/programming-guides/json/>, the order is that of the field numbers, map
//! entries are sorted. Whatever came over the wire gets printed: a value that has no canonical form (a timestamp in the
//! year 12000, an `Any` of a type that nobody knows) is shown as its fields or in base64, never as an error.

mod read;
mod wkt;

pub(crate) use read::{Lexer, Token, check_json, whole};
pub use read::{ReadOptions, read_json};

use std::io::Write;

use super::any::{MAX_DEPTH, Resolver};
use super::dynamic::{DynamicMessage, Value};
use super::schema::{Field, FieldKind, Label, MessageType};
use crate::message::json::{base64, string};

/// How JSON is laid out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Layout {
    /// On one line, without blanks.
    #[default]
    Compact,
    /// Indented by two blanks.
    Pretty,
}

/// How a message is written. The default is canonical.
#[derive(Debug, Clone, Copy, Default)]
pub struct JsonStyle {
    /// Lines and blanks.
    pub layout: Layout,
    /// Fields without presence are written even when they are the default, lists and maps when they are empty.
    pub emit_defaults: bool,
    /// Names as in the schema.
    pub proto_names: bool,
    /// 64-bit integers are numbers, which many readers of JSON cannot hold.
    pub int64_numbers: bool,
    /// Enums are numbers.
    pub enum_numbers: bool,
}

impl From<Layout> for JsonStyle {
    fn from(layout: Layout) -> JsonStyle {
        JsonStyle { layout, ..JsonStyle::default() }
    }
}

/// Appends a message, without a line end. Gives what in it has no canonical form: where, and what it is.
pub fn write_json(
    out: &mut Vec<u8>,
    message: &DynamicMessage,
    style: impl Into<JsonStyle>,
    resolver: &dyn Resolver,
) -> Option<String> {
    let mut writer = Writer { out, style: style.into(), indent: 0, resolver, any_depth: MAX_DEPTH, odd: None };
    writer.message(message);
    writer.odd.map(|odd| match odd.path.is_empty() {
        true => odd.what,
        false => {
            let path: Vec<String> = odd.path.into_iter().rev().collect();
            format!("`{}` is {}", path.join("."), odd.what)
        }
    })
}

/// The first value without a canonical form.
struct Odd {
    /// Its field, and those around it.
    path: Vec<String>,
    what: String,
}

struct Writer<'a> {
    out: &'a mut Vec<u8>,
    style: JsonStyle,
    indent: usize,
    resolver: &'a dyn Resolver,
    /// How many more `Any`s may be opened inside of each other.
    any_depth: usize,
    odd: Option<Odd>,
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
        let of = message.of();
        if self.style.emit_defaults {
            for field in &of.info().fields {
                match message.get(field.number) {
                    Some(value) => self.member(of, field, value, first),
                    None => self.absent(of, field, first),
                }
            }
        } else {
            for (field, value) in message.set_fields().filter(|(field, _)| !field.is_extension) {
                self.member(of, field, value, first);
            }
        }
        // Extensions have numbers among the fields, but come behind them, as in Go's protojson.
        for (field, value) in message.set_fields().filter(|(field, _)| field.is_extension) {
            self.member(of, field, value, first);
        }
    }

    fn member(&mut self, of: &MessageType, field: &Field, value: &Value, first: &mut First) {
        self.field_name(field, first);
        let was_odd = self.odd.is_some();
        self.value(of, field, value);
        if let Some(odd) = self.odd.as_mut().filter(|_| !was_odd) {
            odd.path.push(field.name.to_string());
        }
    }

    /// Notes the first value that has no canonical form.
    fn odd(&mut self, what: impl FnOnce() -> String) {
        if self.odd.is_none() {
            self.odd = Some(Odd { path: Vec::new(), what: what() });
        }
    }

    fn field_name(&mut self, field: &Field, first: &mut First) {
        let plain = self.style.proto_names && !field.is_extension;
        self.name(if plain { &field.name } else { &field.json_name }, first);
    }

    /// What a field is that is not set, where that is nothing but its default.
    fn absent(&mut self, of: &MessageType, field: &Field, first: &mut First) {
        match field.label {
            Label::List => {
                self.field_name(field, first);
                self.out.extend_from_slice(b"[]");
            }
            Label::Map => {
                self.field_name(field, first);
                self.out.extend_from_slice(b"{}");
            }
            Label::Single if field.presence => {}
            Label::Single => {
                if let Some(value) = Value::zero(field.kind, of) {
                    self.member(of, field, &value, first);
                }
            }
        }
    }

    fn value(&mut self, of: &MessageType, field: &Field, value: &Value) {
        match value {
            Value::Bool(v) => self.plain(v),
            Value::I32(v) => self.plain(v),
            Value::U32(v) => self.plain(v),
            Value::I64(v) => self.wide(v),
            Value::U64(v) => self.wide(v),
            // The bounds are those of its own width: the float next to 1e-6 is below the double.
            Value::F32(v) => self.float(f64::from(*v), (1e-6..1e21).contains(&v.abs()), v),
            Value::F64(v) => self.float(*v, (1e-6..1e21).contains(&v.abs()), v),
            Value::String(v) => {
                let text = String::from_utf8_lossy(v);
                if let std::borrow::Cow::Owned(_) = text {
                    self.odd(|| "text that is no UTF-8".to_owned());
                }
                string(self.out, &text);
            }
            Value::Bytes(v) => {
                self.out.push(b'"');
                base64(self.out, v);
                self.out.push(b'"');
            }
            Value::Enum(number) => self.enumeration(of, field.kind, *number),
            Value::Message(message) => self.message(message),
            Value::List(items) => {
                let mut first = self.open(b'[');
                for item in items {
                    self.next(&mut first);
                    self.value(of, field, item);
                }
                self.close(b']', first);
            }
            Value::Map(entries) => self.map(of, field, entries),
        }
    }

    fn map(&mut self, of: &MessageType, field: &Field, entries: &[(Value, Value)]) {
        let Some((_, value_field)) = of.entry_of(field) else { return };
        let mut first = self.open(b'{');
        for (key, value) in entries {
            match key {
                Value::String(key) => self.name(&String::from_utf8_lossy(key), &mut first),
                Value::Bool(key) => self.name(if *key { "true" } else { "false" }, &mut first),
                Value::I32(key) => self.name(&key.to_string(), &mut first),
                Value::I64(key) => self.name(&key.to_string(), &mut first),
                Value::U32(key) => self.name(&key.to_string(), &mut first),
                Value::U64(key) => self.name(&key.to_string(), &mut first),
                // Nothing else is a key.
                _ => continue,
            }
            self.value(of, value_field, value);
        }
        self.close(b'}', first);
    }

    fn enumeration(&mut self, of: &MessageType, kind: FieldKind, number: i32) {
        let FieldKind::Enum(index) = kind else { return self.plain(number) };
        let descriptor = of.enumeration(index);
        if descriptor.is_null && !self.style.enum_numbers {
            return self.out.extend_from_slice(b"null");
        }
        match descriptor.name_of(number).filter(|_| !self.style.enum_numbers) {
            Some(name) => string(self.out, name),
            None => self.plain(number),
        }
    }

    /// `shown` is the number in its own width: the shortest text that reads back to the same float.
    fn float(&mut self, wide: f64, plain: bool, shown: &(impl std::fmt::Display + std::fmt::LowerExp)) {
        if wide.is_nan() {
            return self.out.extend_from_slice(b"\"NaN\"");
        }
        if wide.is_infinite() {
            return self.out.extend_from_slice(if wide > 0.0 { b"\"Infinity\"" } else { b"\"-Infinity\"" });
        }
        // The bounds of ECMAScript, which Go's protojson follows.
        if wide == 0.0 || plain {
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

    fn wide(&mut self, value: impl std::fmt::Display) {
        match self.style.int64_numbers {
            true => self.plain(value),
            false => drop(write!(self.out, "\"{value}\"")),
        }
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
        self.out.extend_from_slice(if self.style.layout == Layout::Pretty { b": " } else { b":" });
    }

    fn close(&mut self, bracket: u8, first: First) {
        self.indent -= 1;
        if !first {
            self.line();
        }
        self.out.push(bracket);
    }

    fn line(&mut self) {
        if self.style.layout == Layout::Pretty {
            self.out.push(b'\n');
            self.out.resize(self.out.len() + 2 * self.indent, b' ');
        }
    }
}

#[cfg(test)]
mod tests;
