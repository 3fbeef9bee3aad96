//! A message into the wire format: fields by number, then extensions by number, then what is unknown, map entries by key.
//! The reference implementation's deterministic mode has the same order.

use super::decode::scalar_wire;
use super::wire::{WireType, put_tag, put_varint};
use super::{DynamicMessage, Value, is_packed};
use crate::proto::schema::{Field, FieldKind};

impl DynamicMessage {
    /// Its bytes.
    pub fn encode_to_vec(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode(&mut out);
        out
    }

    /// Appends its bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let info = self.of.info();
        let is_extension = |number: u32| info.field(number).is_none();
        for extensions in [false, true] {
            for (number, value) in self.fields.iter().filter(|(number, _)| is_extension(*number) == extensions) {
                let Some(field) = info.any_field(*number) else { continue };
                match value {
                    Value::Message(message) if extensions && info.is_message_set => item(out, *number, message),
                    value => self.encode_field(out, field, value),
                }
            }
        }
        self.unknown.iter().for_each(|raw| out.extend_from_slice(raw));
    }

    fn encode_field(&self, out: &mut Vec<u8>, field: &Field, value: &Value) {
        match value {
            Value::List(items) if is_packed(field) => {
                put_tag(out, field.number, WireType::Length);
                with_length(out, |out| items.iter().for_each(|item| scalar(out, field.kind, item)));
            }
            Value::List(items) => items.iter().for_each(|item| one(out, field, item)),
            Value::Map(entries) => {
                let Some((key_field, value_field)) = self.of.entry_of(field) else { return };
                for (key, value) in entries {
                    put_tag(out, field.number, WireType::Length);
                    with_length(out, |out| {
                        one(out, key_field, key);
                        one(out, value_field, value);
                    });
                }
            }
            value => one(out, field, value),
        }
    }
}

/// A value behind its tag.
fn one(out: &mut Vec<u8>, field: &Field, value: &Value) {
    match value {
        Value::Message(message) if field.delimited => {
            put_tag(out, field.number, WireType::StartGroup);
            message.encode(out);
            put_tag(out, field.number, WireType::EndGroup);
        }
        Value::Message(message) => {
            put_tag(out, field.number, WireType::Length);
            with_length(out, |out| message.encode(out));
        }
        value => {
            put_tag(out, field.number, scalar_wire(field.kind));
            scalar(out, field.kind, value);
        }
    }
}

/// An item of a message set.
fn item(out: &mut Vec<u8>, number: u32, message: &DynamicMessage) {
    put_tag(out, 1, WireType::StartGroup);
    put_tag(out, 2, WireType::Varint);
    put_varint(out, u64::from(number));
    put_tag(out, 3, WireType::Length);
    with_length(out, |out| message.encode(out));
    put_tag(out, 1, WireType::EndGroup);
}

fn scalar(out: &mut Vec<u8>, kind: FieldKind, value: &Value) {
    match value {
        Value::Bool(v) => out.push(u8::from(*v)),
        Value::I32(v) => match kind {
            FieldKind::Sint32 => put_varint(out, u64::from((v << 1 ^ v >> 31).cast_unsigned())),
            FieldKind::Sfixed32 => out.extend_from_slice(&v.to_le_bytes()),
            _ => put_varint(out, i64::from(*v).cast_unsigned()),
        },
        Value::I64(v) => match kind {
            FieldKind::Sint64 => put_varint(out, (v << 1 ^ v >> 63).cast_unsigned()),
            FieldKind::Sfixed64 => out.extend_from_slice(&v.to_le_bytes()),
            _ => put_varint(out, v.cast_unsigned()),
        },
        Value::U32(v) if kind == FieldKind::Fixed32 => out.extend_from_slice(&v.to_le_bytes()),
        Value::U32(v) => put_varint(out, u64::from(*v)),
        Value::U64(v) if kind == FieldKind::Fixed64 => out.extend_from_slice(&v.to_le_bytes()),
        Value::U64(v) => put_varint(out, *v),
        Value::F32(v) => out.extend_from_slice(&v.to_bits().to_le_bytes()),
        Value::F64(v) => out.extend_from_slice(&v.to_bits().to_le_bytes()),
        Value::Enum(v) => put_varint(out, i64::from(*v).cast_unsigned()),
        Value::String(v) | Value::Bytes(v) => {
            put_varint(out, v.len() as u64);
            out.extend_from_slice(v);
        }
        // Written by the callers.
        Value::Message(_) | Value::List(_) | Value::Map(_) => {}
    }
}

/// Appends what `write` appends, with its length before it.
fn with_length(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    // One byte is enough for most; the others make room afterwards.
    out.push(0);
    let start = out.len();
    write(out);
    let length = out.len() - start;
    if length < 0x80 {
        out[start - 1] = length as u8;
        return;
    }
    let mut prefix = Vec::with_capacity(10);
    put_varint(&mut prefix, length as u64);
    let more = prefix.len() - 1;
    out.resize(out.len() + more, 0);
    out.copy_within(start..start + length, start + more);
    out[start - 1..start + more].copy_from_slice(&prefix);
}
