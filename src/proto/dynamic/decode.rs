//! The wire format into a message.

use bytes::Bytes;

use super::decode_error::{DecodeError, MAX_DEPTH};
use super::wire::{self, WireType};
use super::{DynamicMessage, Value};
use crate::proto::schema::{Field, FieldKind, Label, MessageType};

/// Where a field begins in what it stands in.
#[derive(Clone, Copy)]
struct Start<'a> {
    whole: &'a Bytes,
    at: usize,
}

impl Start<'_> {
    /// Everything up to what is left.
    fn up_to(self, left: &Bytes) -> Bytes {
        self.whole.slice(self.at..self.whole.len() - left.len())
    }
}

impl DynamicMessage {
    /// Reads a message. Values with the wrong wire type, and values that a closed enum does not have, are kept as unknown.
    /// A missing required field is no error here.
    ///
    /// # Errors
    /// Cut off, nested deeper than 100, or a string that must be UTF-8 and is not.
    pub fn decode(of: MessageType, bytes: Bytes) -> Result<DynamicMessage, DecodeError> {
        let mut message = DynamicMessage::new(of);
        message.merge(bytes, MAX_DEPTH)?;
        Ok(message)
    }

    fn merge(&mut self, mut from: Bytes, depth: usize) -> Result<(), DecodeError> {
        let whole = from.clone();
        while !from.is_empty() {
            let start = Start { whole: &whole, at: whole.len() - from.len() };
            let (number, wire) = wire::tag(&mut from)?;
            if wire == WireType::EndGroup {
                return Err(DecodeError::new("a group ends that did not begin"));
            }
            self.field(number, wire, &mut from, start, depth)?;
        }
        self.sort_maps();
        Ok(())
    }

    /// The fields of a group up to its end.
    fn merge_group(&mut self, group: u32, from: &mut Bytes, depth: usize) -> Result<(), DecodeError> {
        let whole = from.clone();
        loop {
            let start = Start { whole: &whole, at: whole.len() - from.len() };
            let (number, wire) = wire::tag(from)?;
            match wire {
                WireType::EndGroup if number == group => {
                    self.sort_maps();
                    return Ok(());
                }
                WireType::EndGroup => return Err(DecodeError::new("a group ends that did not begin")),
                _ => self.field(number, wire, from, start, depth)?,
            }
        }
    }

    /// One field behind its tag, which stands at `start`.
    fn field(
        &mut self,
        number: u32,
        wire: WireType,
        from: &mut Bytes,
        start: Start<'_>,
        depth: usize,
    ) -> Result<(), DecodeError> {
        let of = self.of.clone();
        if of.info().is_message_set && number == 1 && wire == WireType::StartGroup {
            return self.message_set_item(from, depth);
        }
        let Some(field) = of.info().any_field(number) else { return self.skip(number, wire, from, start, depth) };
        let known = self.known(&of, field, wire, from, depth).map_err(|e| e.inside(field))?;
        if !known {
            self.skip(number, wire, from, start, depth)?;
        }
        Ok(())
    }

    fn skip(
        &mut self,
        number: u32,
        wire: WireType,
        from: &mut Bytes,
        start: Start<'_>,
        depth: usize,
    ) -> Result<(), DecodeError> {
        wire::skip(from, number, wire, depth)?;
        self.unknown.push(start.up_to(from));
        Ok(())
    }

    /// Takes a value of a known field; false when its wire type is another one, and nothing was taken.
    fn known(
        &mut self,
        of: &MessageType,
        field: &Field,
        wire: WireType,
        from: &mut Bytes,
        depth: usize,
    ) -> Result<bool, DecodeError> {
        let number = field.number;
        if let FieldKind::Message(index) = field.kind {
            let depth = depth.checked_sub(1).ok_or_else(DecodeError::too_deep)?;
            let fits = wire == if field.delimited { WireType::StartGroup } else { WireType::Length };
            if !fits {
                return Ok(false);
            }
            if field.label == Label::Map {
                return self.entry(of, field, wire::delimited(from)?, depth).map(|()| true);
            }
            let mut message = self.message_to_fill(field, || of.other(index));
            match field.delimited {
                true => message.merge_group(number, from, depth)?,
                false => message.merge(wire::delimited(from)?, depth)?,
            }
            self.put(field, Value::Message(message));
            return Ok(true);
        }
        if field.label == Label::List && wire == WireType::Length && field.kind.is_packable() {
            let mut packed = wire::delimited(from)?;
            while !packed.is_empty() {
                let value = scalar(field, scalar_wire(field.kind), &mut packed)?;
                self.store(of, field, value);
            }
            return Ok(true);
        }
        if wire != scalar_wire(field.kind) {
            return Ok(false);
        }
        let value = scalar(field, wire, from)?;
        self.store(of, field, value);
        Ok(true)
    }

    fn store(&mut self, of: &MessageType, field: &Field, value: Value) {
        if let (FieldKind::Enum(index), Value::Enum(number)) = (field.kind, &value)
            && !of.enumeration(index).takes(*number)
        {
            let mut raw = Vec::new();
            wire::put_tag(&mut raw, field.number, WireType::Varint);
            wire::put_varint(&mut raw, i64::from(*number).cast_unsigned());
            return self.unknown.push(raw.into());
        }
        self.put(field, value);
    }

    /// Adds a value to a list, or sets the field to it.
    fn put(&mut self, field: &Field, value: Value) {
        if field.label == Label::Single {
            return self.set(field.number, value);
        }
        self.add_item(field.number, value);
    }

    /// The message that a value is merged into: a new item of a list, or the one that is there, taken out.
    fn message_to_fill(&mut self, field: &Field, of: impl FnOnce() -> MessageType) -> Box<DynamicMessage> {
        if field.label == Label::Single
            && let Ok(at) = self.place(field.number)
            && let (_, Value::Message(message)) = self.fields.remove(at)
        {
            return message;
        }
        Box::new(DynamicMessage::new(of()))
    }

    /// One entry of a map. An entry whose value a closed enum does not have is unknown as a whole.
    fn entry(&mut self, of: &MessageType, field: &Field, raw: Bytes, depth: usize) -> Result<(), DecodeError> {
        let (Some((key, value)), Some(entry_type)) = (of.entry_of(field), of.message_of(field)) else { return Ok(()) };
        let mut entry = DynamicMessage::new(entry_type.clone());
        entry.merge(raw.clone(), depth)?;
        if matches!(value.kind, FieldKind::Enum(_)) && !entry.unknown.is_empty() && !entry.has(2) {
            let mut whole = Vec::with_capacity(raw.len() + 8);
            wire::put_tag(&mut whole, field.number, WireType::Length);
            wire::put_varint(&mut whole, raw.len() as u64);
            whole.extend_from_slice(&raw);
            self.unknown.push(whole.into());
            return Ok(());
        }
        let mut part = |field: &Field| match entry.place(field.number) {
            Ok(at) => Some(entry.fields.remove(at).1),
            Err(_) => Value::zero(field.kind, &entry_type),
        };
        if let (Some(key), Some(value)) = (part(key), part(value)) {
            self.add_entry(field.number, key, value);
        }
        Ok(())
    }

    /// An item of a message set: a group of the extension's number and its message.
    fn message_set_item(&mut self, from: &mut Bytes, depth: usize) -> Result<(), DecodeError> {
        let (mut id, mut value) = (0u32, None);
        loop {
            let (number, wire) = wire::tag(from)?;
            match (number, wire) {
                (1, WireType::EndGroup) => break,
                (2, WireType::Varint) => id = u32::try_from(wire::varint(from)?).unwrap_or(0),
                (3, WireType::Length) => value = Some(wire::delimited(from)?),
                _ => wire::skip(from, number, wire, depth)?,
            }
        }
        let Some(value) = value else { return Ok(()) };
        let mut framed = Vec::with_capacity(value.len() + 10);
        wire::put_varint(&mut framed, value.len() as u64);
        framed.extend_from_slice(&value);
        let mut framed = Bytes::from(framed);
        let of = self.of.clone();
        match of.info().extension(id) {
            Some(field) => {
                self.known(&of, field, WireType::Length, &mut framed, depth).map_err(|e| e.inside(field))?;
            }
            None => {
                let mut item = Vec::with_capacity(framed.len() + 10);
                wire::put_tag(&mut item, 1, WireType::StartGroup);
                wire::put_tag(&mut item, 2, WireType::Varint);
                wire::put_varint(&mut item, u64::from(id));
                wire::put_tag(&mut item, 3, WireType::Length);
                item.extend_from_slice(&framed);
                wire::put_tag(&mut item, 1, WireType::EndGroup);
                self.unknown.push(item.into());
            }
        }
        Ok(())
    }
}

/// The wire type of a value that stands alone.
pub(super) fn scalar_wire(kind: FieldKind) -> WireType {
    match kind {
        FieldKind::Double | FieldKind::Fixed64 | FieldKind::Sfixed64 => WireType::Fixed64,
        FieldKind::Float | FieldKind::Fixed32 | FieldKind::Sfixed32 => WireType::Fixed32,
        FieldKind::String | FieldKind::Bytes | FieldKind::Message(_) => WireType::Length,
        FieldKind::Int32
        | FieldKind::Int64
        | FieldKind::Uint32
        | FieldKind::Uint64
        | FieldKind::Sint32
        | FieldKind::Sint64
        | FieldKind::Bool
        | FieldKind::Enum(_) => WireType::Varint,
    }
}

/// Numbers that are too wide lose their upper bits, as everywhere.
fn scalar(field: &Field, wire: WireType, from: &mut Bytes) -> Result<Value, DecodeError> {
    Ok(match wire {
        WireType::Varint => {
            let value = wire::varint(from)?;
            match field.kind {
                FieldKind::Int32 => Value::I32(value as i32),
                FieldKind::Int64 => Value::I64(value as i64),
                FieldKind::Uint32 => Value::U32(value as u32),
                FieldKind::Sint32 => Value::I32((value as u32 >> 1) as i32 ^ -((value & 1) as i32)),
                FieldKind::Sint64 => Value::I64((value >> 1) as i64 ^ -((value & 1) as i64)),
                FieldKind::Bool => Value::Bool(value != 0),
                FieldKind::Enum(_) => Value::Enum(value as i32),
                _ => Value::U64(value),
            }
        }
        WireType::Fixed32 => {
            let value = wire::fixed32(from)?;
            match field.kind {
                FieldKind::Float => Value::F32(f32::from_bits(value)),
                FieldKind::Sfixed32 => Value::I32(value.cast_signed()),
                _ => Value::U32(value),
            }
        }
        WireType::Fixed64 => {
            let value = wire::fixed64(from)?;
            match field.kind {
                FieldKind::Double => Value::F64(f64::from_bits(value)),
                FieldKind::Sfixed64 => Value::I64(value.cast_signed()),
                _ => Value::U64(value),
            }
        }
        WireType::Length | WireType::StartGroup | WireType::EndGroup => {
            let value = wire::delimited(from)?;
            match field.kind {
                FieldKind::String if field.verify_utf8 && std::str::from_utf8(&value).is_err() => {
                    return Err(DecodeError::new("it is not UTF-8"));
                }
                FieldKind::String => Value::String(value),
                _ => Value::Bytes(value),
            }
        }
    })
}
