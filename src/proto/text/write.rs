//! A message as text.

use std::io::Write;

use bytes::Bytes;

use super::shown_name;
use crate::proto::Layout;
use crate::proto::any::{MAX_DEPTH, Resolver, parts, type_name};
use crate::proto::dynamic::wire::{self, WireType};
use crate::proto::dynamic::{DynamicMessage, Value};
use crate::proto::schema::{Field, FieldKind, MessageType, WellKnown};

/// Appends a message: compact on one line, without a line end; pretty with each line ended. What the schema does not know
/// stands by its number, which no reader takes.
pub(crate) fn write_text(out: &mut Vec<u8>, message: &DynamicMessage, layout: Layout, resolver: &dyn Resolver) {
    let mut writer = Writer { out, layout, indent: 0, resolver, any_depth: MAX_DEPTH, blank: false };
    writer.fields(message);
}

/// One value on one line, as it stands in an option: a message in braces.
pub(crate) fn value_text(of: &MessageType, field: &Field, value: &Value) -> String {
    let mut out = Vec::new();
    let schema = of.schema();
    let mut writer = Writer {
        out: &mut out,
        layout: Layout::Compact,
        indent: 0,
        resolver: &schema,
        any_depth: MAX_DEPTH,
        blank: false,
    };
    match value {
        Value::Message(message) => {
            writer.out.extend_from_slice(b"{ ");
            writer.fields(message);
            writer.out.extend_from_slice(b" }");
        }
        value => writer.scalar(of, field, value),
    }
    String::from_utf8_lossy(&out).into_owned()
}

struct Writer<'a> {
    out: &'a mut Vec<u8>,
    layout: Layout,
    indent: usize,
    resolver: &'a dyn Resolver,
    /// How many more `Any`s may be opened inside of each other.
    any_depth: usize,
    /// Whether a blank must come before the next field on the line.
    blank: bool,
}

impl Writer<'_> {
    fn fields(&mut self, message: &DynamicMessage) {
        if message.of().info().well_known == Some(WellKnown::Any) && self.any(message) {
            return;
        }
        let of = message.of();
        for (field, value) in message.set_fields() {
            match value {
                Value::Map(entries) => {
                    let Some((key_field, value_field)) = of.entry_of(field) else { continue };
                    for (key, value) in entries {
                        self.open(&field.name);
                        self.one(of, key_field, key);
                        self.one(of, value_field, value);
                        self.close();
                    }
                }
                value => value.as_list().iter().for_each(|value| self.one(of, field, value)),
            }
        }
        message.unknown().iter().for_each(|raw| self.unknown(raw.clone()));
    }

    fn one(&mut self, of: &MessageType, field: &Field, value: &Value) {
        let name = shown_name(of, field);
        if let Value::Message(message) = value {
            self.open(name);
            self.fields(message);
            return self.close();
        }
        self.begin(name);
        self.out.extend_from_slice(b": ");
        self.scalar(of, field, value);
        self.end();
    }

    fn scalar(&mut self, of: &MessageType, field: &Field, value: &Value) {
        match value {
            Value::Bool(v) => self.plain(v),
            Value::I32(v) => self.plain(v),
            Value::I64(v) => self.plain(v),
            Value::U32(v) => self.plain(v),
            Value::U64(v) => self.plain(v),
            // The bounds are those of its own width: the float next to 1e-6 is below the double.
            Value::F32(v) => self.float(f64::from(*v), (1e-6..1e21).contains(&v.abs()), v),
            Value::F64(v) => self.float(*v, (1e-6..1e21).contains(&v.abs()), v),
            Value::String(v) => quoted(self.out, v, std::str::from_utf8(v).is_ok()),
            Value::Bytes(v) => quoted(self.out, v, false),
            Value::Enum(number) => match field.kind {
                FieldKind::Enum(index) if of.enumeration(index).name_of(*number).is_some() => {
                    let name = of.enumeration(index).name_of(*number).unwrap_or_default();
                    self.out.extend_from_slice(name.as_bytes());
                }
                _ => self.plain(number),
            },
            // Written above.
            Value::Message(_) | Value::List(_) | Value::Map(_) => {}
        }
    }

    /// An `Any` by its content; false when that is not known.
    fn any(&mut self, message: &DynamicMessage) -> bool {
        let (url, bytes) = parts(message);
        // Only such a URL can stand in brackets.
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._~/%!$&()*+,;=".contains(c);
        if self.any_depth == 0 || !url.contains('/') || !url.chars().all(plain) || !message.unknown().is_empty() {
            return false;
        }
        let Some(of) = self.resolver.message(type_name(url)) else { return false };
        let Ok(inner) = DynamicMessage::decode(of, bytes) else { return false };
        self.any_depth -= 1;
        self.open(&format!("[{url}]"));
        self.fields(&inner);
        self.close();
        self.any_depth += 1;
        true
    }

    fn unknown(&mut self, mut raw: Bytes) {
        let Ok((number, wire)) = wire::tag(&mut raw) else { return };
        self.unknown_value(number, wire, &mut raw);
    }

    fn unknown_value(&mut self, number: u32, wire: WireType, raw: &mut Bytes) {
        if wire == WireType::StartGroup {
            self.open(&number.to_string());
            while let Ok((inner, wire)) = wire::tag(raw) {
                if wire == WireType::EndGroup {
                    break;
                }
                self.unknown_value(inner, wire, raw);
            }
            return self.close();
        }
        self.begin(&number.to_string());
        self.out.extend_from_slice(b": ");
        // It was skipped once, so that it is whole.
        match wire {
            WireType::Varint => self.plain(wire::varint(raw).unwrap_or_default()),
            WireType::Fixed32 => self.plain(format_args!("0x{:08x}", wire::fixed32(raw).unwrap_or_default())),
            WireType::Fixed64 => self.plain(format_args!("0x{:016x}", wire::fixed64(raw).unwrap_or_default())),
            WireType::Length => quoted(self.out, &wire::delimited(raw).unwrap_or_default(), false),
            WireType::StartGroup | WireType::EndGroup => {}
        }
        self.end();
    }

    fn float(&mut self, wide: f64, plain: bool, shown: &(impl std::fmt::Display + std::fmt::LowerExp)) {
        match wide {
            v if v.is_nan() => self.plain("nan"),
            v if v.is_infinite() => self.plain(if v > 0.0 { "inf" } else { "-inf" }),
            v if v == 0.0 || plain => self.plain(shown),
            _ => self.plain(format_args!("{shown:e}")),
        }
    }

    fn plain(&mut self, value: impl std::fmt::Display) {
        // Writing to a Vec cannot fail.
        drop(write!(self.out, "{value}"));
    }

    fn begin(&mut self, name: &str) {
        if self.layout == Layout::Pretty {
            self.out.resize(self.out.len() + 2 * self.indent, b' ');
        } else if std::mem::replace(&mut self.blank, true) {
            self.out.push(b' ');
        }
        self.out.extend_from_slice(name.as_bytes());
    }

    fn end(&mut self) {
        if self.layout == Layout::Pretty {
            self.out.push(b'\n');
        }
    }

    fn open(&mut self, name: &str) {
        self.begin(name);
        self.out.extend_from_slice(b" {");
        self.indent += 1;
        self.end();
    }

    fn close(&mut self) {
        self.indent -= 1;
        self.begin("}");
        self.end();
    }
}

/// A text between quotes.
pub(crate) fn quoted_text(text: &str) -> String {
    let mut out = Vec::new();
    quoted(&mut out, text.as_bytes(), true);
    String::from_utf8_lossy(&out).into_owned()
}

/// A string between quotes; only text keeps what is not ASCII.
fn quoted(out: &mut Vec<u8>, bytes: &[u8], is_text: bool) {
    out.push(b'"');
    for &byte in bytes {
        match byte {
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'"' | b'\'' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0x20..=0x7e => out.push(byte),
            0x80.. if is_text => out.push(byte),
            _ => drop(write!(out, "\\{byte:03o}")),
        }
    }
    out.push(b'"');
}
