//! Messages whose type is known at run time only.
//!
//! prost-reflect has such a message, too, but takes -0 for 0, knows neither closed enums nor editions, keeps maps in no
//! order, and cannot hold a proto2 string that is not UTF-8.

mod decode;
mod decode_error;
mod encode;
pub(crate) mod wire;

use bytes::Bytes;

use super::schema::{Field, FieldKind, Label, MessageType};

pub(crate) use decode_error::{DecodeError, MAX_DEPTH};

/// A message. What is in it is set: a field without presence that is its default is absent, and so are an empty list and
/// an empty map.
#[derive(Debug, Clone)]
pub struct DynamicMessage {
    of: MessageType,
    /// By number, fields and extensions alike.
    fields: Vec<(u32, Value)>,
    /// What the schema does not know, each with its tag as it came.
    unknown: Vec<Bytes>,
}

/// A value. Its variant is that of its field's kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `bool`.
    Bool(bool),
    /// `int32`, `sint32`, `sfixed32`.
    I32(i32),
    /// `int64`, `sint64`, `sfixed64`.
    I64(i64),
    /// `uint32`, `fixed32`.
    U32(u32),
    /// `uint64`, `fixed64`.
    U64(u64),
    /// `float`.
    F32(f32),
    /// `double`.
    F64(f64),
    /// UTF-8, but for a field that is not verified.
    String(Bytes),
    /// `bytes`.
    Bytes(Bytes),
    /// The number of an enum's value.
    Enum(i32),
    /// A message, or a group.
    Message(Box<DynamicMessage>),
    /// Not empty when it is set.
    List(Vec<Value>),
    /// Sorted by key, each key once; not empty when it is set.
    Map(Vec<(Value, Value)>),
}

impl PartialEq for DynamicMessage {
    fn eq(&self, other: &DynamicMessage) -> bool {
        self.of.is(&other.of) && self.fields == other.fields && self.unknown == other.unknown
    }
}

impl DynamicMessage {
    /// An empty message.
    pub fn new(of: MessageType) -> DynamicMessage {
        DynamicMessage { of, fields: Vec::new(), unknown: Vec::new() }
    }

    /// Its type.
    pub fn of(&self) -> &MessageType {
        &self.of
    }

    /// The value of a field or extension that is set.
    pub fn get(&self, number: u32) -> Option<&Value> {
        let at = self.place(number).ok()?;
        self.fields.get(at).map(|(_, value)| value)
    }

    /// Whether a field or extension is set.
    pub fn has(&self, number: u32) -> bool {
        self.place(number).is_ok()
    }

    /// What is set, by number: fields and extensions mixed.
    pub fn set_fields(&self) -> impl Iterator<Item = (&Field, &Value)> {
        let info = self.of.info();
        self.fields.iter().filter_map(|(number, value)| Some((info.any_field(*number)?, value)))
    }

    /// What the schema does not know, each with its tag.
    pub fn unknown(&self) -> &[Bytes] {
        &self.unknown
    }

    /// Takes the number of an enum's value that its closed enum does not have out of what is unknown.
    pub(in crate::proto) fn take_unknown(&mut self, number: u32) -> Option<i32> {
        let read = |raw: &Bytes| {
            let mut raw = raw.clone();
            let (found, wire) = wire::tag(&mut raw).ok()?;
            let value = (found == number && wire == wire::WireType::Varint).then(|| wire::varint(&mut raw).ok());
            i32::try_from(value??).ok()
        };
        let at = self.unknown.iter().position(|raw| read(raw).is_some())?;
        read(&self.unknown.remove(at))
    }

    /// True when nothing is set, and nothing is unknown.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.unknown.is_empty()
    }

    /// Sets a field or extension of this message's type. Another member of its oneof is cleared; a map is sorted, its
    /// last entry of a key stays; what may not be set (see [`DynamicMessage`]) is cleared instead.
    pub fn set(&mut self, number: u32, mut value: Value) {
        let of = self.of.clone();
        let Some(field) = of.info().any_field(number) else { return };
        if let Value::Map(entries) = &mut value {
            sort_entries(entries);
        }
        if let Some(oneof) = field.oneof {
            self.clear_oneof(oneof);
        }
        let absent = match &value {
            Value::List(items) => items.is_empty(),
            Value::Map(entries) => entries.is_empty(),
            value => !field.presence && value.is_zero(),
        };
        match (self.place(number), absent) {
            (Ok(at), true) => drop(self.fields.remove(at)),
            (Ok(at), false) => self.fields[at].1 = value,
            (Err(_), true) => {}
            (Err(at), false) => self.fields.insert(at, (number, value)),
        }
    }

    /// The value of the field of this name, when it is set.
    pub fn get_named(&self, name: &str) -> Option<&Value> {
        self.get(self.of.info().field_named(name)?.number)
    }

    /// Sets the field of this name, if there is one, as [`DynamicMessage::set`] does.
    pub fn set_named(&mut self, name: &str, value: Value) {
        if let Some(number) = self.of.info().field_named(name).map(|f| f.number) {
            self.set(number, value);
        }
    }

    /// Calls a function for this message and for each one in it, from the inside out.
    pub fn for_each_inner(&mut self, visit: &mut dyn FnMut(&mut DynamicMessage)) {
        for (_, value) in &mut self.fields {
            match value {
                Value::Message(inner) => inner.for_each_inner(visit),
                Value::List(items) => items.iter_mut().for_each(|item| {
                    if let Value::Message(inner) = item {
                        inner.for_each_inner(visit);
                    }
                }),
                Value::Map(entries) => entries.iter_mut().for_each(|(_, item)| {
                    if let Value::Message(inner) = item {
                        inner.for_each_inner(visit);
                    }
                }),
                _ => {}
            }
        }
        visit(self);
    }

    /// The messages of a list.
    pub(in crate::proto) fn messages_mut(&mut self, number: u32) -> impl Iterator<Item = &mut DynamicMessage> {
        let list = self.place(number).ok().map(|at| &mut self.fields[at].1);
        let items = match list {
            Some(Value::List(items)) => items.as_mut_slice(),
            _ => &mut [],
        };
        items.iter_mut().filter_map(|item| match item {
            Value::Message(message) => Some(&mut **message),
            _ => None,
        })
    }

    /// Clears a field or extension.
    pub fn clear(&mut self, number: u32) {
        if let Ok(at) = self.place(number) {
            self.fields.remove(at);
        }
    }

    /// The path of the first required field that is missing, as `a.b[2].c`.
    pub fn missing_required(&self) -> Option<String> {
        let info = self.of.info();
        if !info.has_required {
            return None;
        }
        let own = info.fields.iter().chain(&info.extensions).find(|f| f.required && !self.has(f.number));
        if let Some(field) = own {
            return Some(field.json_name.to_string());
        }
        self.set_fields().find_map(|(field, value)| {
            let name = &field.json_name;
            match value {
                Value::Message(inner) => Some(format!("{name}.{}", inner.missing_required()?)),
                Value::List(items) => items.iter().enumerate().find_map(|(at, item)| match item {
                    Value::Message(inner) => Some(format!("{name}[{at}].{}", inner.missing_required()?)),
                    _ => None,
                }),
                Value::Map(entries) => entries.iter().find_map(|(_, item)| match item {
                    Value::Message(inner) => Some(format!("{name}.{}", inner.missing_required()?)),
                    _ => None,
                }),
                _ => None,
            }
        })
    }

    /// Adds an item to a list.
    pub(in crate::proto) fn add_item(&mut self, number: u32, item: Value) {
        match self.slot(number, || Value::List(Vec::new())) {
            Value::List(items) => items.push(item),
            other => *other = Value::List(vec![item]),
        }
    }

    /// Adds an entry to a map, which [`DynamicMessage::sort_maps`] brings into order in the end.
    pub(in crate::proto) fn add_entry(&mut self, number: u32, key: Value, value: Value) {
        match self.slot(number, || Value::Map(Vec::new())) {
            Value::Map(entries) => entries.push((key, value)),
            other => *other = Value::Map(vec![(key, value)]),
        }
    }

    /// Sorts the entries of maps that were added one by one.
    pub(in crate::proto) fn sort_maps(&mut self) {
        for (_, value) in &mut self.fields {
            if let Value::Map(entries) = value {
                sort_entries(entries);
            }
        }
    }

    fn slot(&mut self, number: u32, new: impl FnOnce() -> Value) -> &mut Value {
        let at = match self.place(number) {
            Ok(at) => at,
            Err(at) => {
                self.fields.insert(at, (number, new()));
                at
            }
        };
        &mut self.fields[at].1
    }

    fn place(&self, number: u32) -> Result<usize, usize> {
        // Fields come in the order of their numbers nearly always.
        match self.fields.last() {
            Some((last, _)) if *last < number => Err(self.fields.len()),
            _ => self.fields.binary_search_by_key(&number, |(number, _)| *number),
        }
    }

    fn clear_oneof(&mut self, oneof: u32) {
        let info = self.of.info();
        self.fields.retain(|(number, _)| info.field(*number).and_then(|f| f.oneof) != Some(oneof));
    }
}

impl Value {
    /// The value that a field of this kind has when nothing is said: the first one of an enum; none for a message.
    pub fn zero(kind: FieldKind, of: &MessageType) -> Option<Value> {
        Some(match kind {
            FieldKind::Double => Value::F64(0.0),
            FieldKind::Float => Value::F32(0.0),
            FieldKind::Int32 | FieldKind::Sint32 | FieldKind::Sfixed32 => Value::I32(0),
            FieldKind::Int64 | FieldKind::Sint64 | FieldKind::Sfixed64 => Value::I64(0),
            FieldKind::Uint32 | FieldKind::Fixed32 => Value::U32(0),
            FieldKind::Uint64 | FieldKind::Fixed64 => Value::U64(0),
            FieldKind::Bool => Value::Bool(false),
            FieldKind::String => Value::String(Bytes::new()),
            FieldKind::Bytes => Value::Bytes(Bytes::new()),
            FieldKind::Enum(index) => {
                Value::Enum(of.enumeration(index).values.first().map_or(0, |(_, number)| *number))
            }
            FieldKind::Message(index) => Value::Message(Box::new(DynamicMessage::new(of.other(index)))),
        })
    }

    /// The default of a field without presence. -0 is none.
    fn is_zero(&self) -> bool {
        match self {
            Value::Bool(v) => !v,
            Value::I32(v) | Value::Enum(v) => *v == 0,
            Value::I64(v) => *v == 0,
            Value::U32(v) => *v == 0,
            Value::U64(v) => *v == 0,
            Value::F32(v) => v.to_bits() == 0,
            Value::F64(v) => v.to_bits() == 0,
            Value::String(v) | Value::Bytes(v) => v.is_empty(),
            Value::Message(_) => false,
            Value::List(items) => items.is_empty(),
            Value::Map(entries) => entries.is_empty(),
        }
    }

    /// The order of a map's keys: false before true, numbers by value, strings by their bytes.
    fn key_order(&self, other: &Value) -> std::cmp::Ordering {
        match (self, other) {
            (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
            (Value::I32(a), Value::I32(b)) => a.cmp(b),
            (Value::I64(a), Value::I64(b)) => a.cmp(b),
            (Value::U32(a), Value::U32(b)) => a.cmp(b),
            (Value::U64(a), Value::U64(b)) => a.cmp(b),
            (Value::String(a), Value::String(b)) => a.cmp(b),
            // Keys of one map are of one kind.
            _ => std::cmp::Ordering::Equal,
        }
    }

    /// The message, if it is one.
    pub fn as_message(&self) -> Option<&DynamicMessage> {
        match self {
            Value::Message(message) => Some(message),
            _ => None,
        }
    }

    /// The text, if it is one; `None` when it is not UTF-8, too.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => std::str::from_utf8(text).ok(),
            _ => None,
        }
    }

    /// The number, if it is one of 32 bits with a sign, or an enum's.
    pub fn as_i32(&self) -> Option<i32> {
        match self {
            Value::I32(number) | Value::Enum(number) => Some(*number),
            _ => None,
        }
    }

    /// The number, if it is one of 64 bits with a sign.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Value::I64(number) => Some(*number),
            _ => None,
        }
    }

    /// The bytes, if it is bytes.
    pub fn as_bytes(&self) -> Option<&Bytes> {
        match self {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The values of a list; a value that is none is its only one.
    pub fn as_list(&self) -> &[Value] {
        match self {
            Value::List(items) => items,
            other => std::slice::from_ref(other),
        }
    }
}

fn sort_entries(entries: &mut Vec<(Value, Value)>) {
    let sorted = entries.is_sorted_by(|a, b| a.0.key_order(&b.0).is_lt());
    if sorted {
        return;
    }
    // Stable, so that of one key's entries the last one stands last.
    entries.sort_by(|a, b| a.0.key_order(&b.0));
    entries.reverse();
    entries.dedup_by(|a, b| a.0.key_order(&b.0).is_eq());
    entries.reverse();
}

/// Whether a list of this field is written in one piece.
fn is_packed(field: &Field) -> bool {
    field.packed && field.label == Label::List
}
