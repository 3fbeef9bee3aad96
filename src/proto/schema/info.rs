//! What there is to know of messages, fields and enums.

use std::collections::HashMap;

use prost_reflect::{ExtensionDescriptor, FieldDescriptor, MessageDescriptor};

/// A message type.
pub struct MessageInfo {
    /// `pkg.Message`.
    pub full_name: Box<str>,
    /// Its fields in the order of their numbers.
    pub fields: Vec<Field>,
    /// The extensions of it that are known, in the order of their numbers.
    pub extensions: Vec<Field>,
    /// Its oneofs as declared, without the synthetic ones of proto3's `optional`.
    pub oneofs: Vec<Box<str>>,
    /// Its JSON when it is one of `google.protobuf`'s own.
    pub well_known: Option<WellKnown>,
    /// The entry of a map.
    pub is_map_entry: bool,
    /// Written in the old format of message sets.
    pub is_message_set: bool,
    /// It, or a message that can stand in it, has required fields.
    pub has_required: bool,
    /// Where it comes from: comments, options, ranges.
    pub descriptor: MessageDescriptor,
    /// Fields by their names, in the schema and in JSON.
    pub(super) by_name: HashMap<Box<str>, u32>,
}

/// A field, or an extension.
pub struct Field {
    /// Its name in the schema; that of an extension is full.
    pub name: Box<str>,
    /// Its name in JSON, its own one where another field has that; `[pkg.name]` for an extension.
    pub json_name: Box<str>,
    /// 1 to 536,870,911; larger ones are possible in message sets.
    pub number: u32,
    /// What its values are.
    pub kind: FieldKind,
    /// How many.
    pub label: Label,
    /// Whether being set to the default is told from not being set. False for lists and maps.
    pub presence: bool,
    /// A message without it is incomplete.
    pub required: bool,
    /// A list whose values stand in one piece on the wire.
    pub packed: bool,
    /// A string that must be UTF-8 on the wire.
    pub verify_utf8: bool,
    /// A message that is written between a start and an end tag, as a group.
    pub delimited: bool,
    /// Its place in [`MessageInfo::oneofs`].
    pub oneof: Option<u32>,
    /// What it is when it is not set, for a field that can be one value.
    pub default: Option<prost_reflect::Value>,
    /// True for an extension.
    pub is_extension: bool,
    /// Where it comes from: comments, options.
    pub source: FieldSource,
}

/// Where a field comes from.
#[derive(Clone)]
pub enum FieldSource {
    /// A field.
    Field(FieldDescriptor),
    /// An extension.
    Extension(ExtensionDescriptor),
}

/// What a field's values are. Messages and enums are places in the schema's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    Double,
    Float,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Sint64,
    Fixed32,
    Fixed64,
    Sfixed32,
    Sfixed64,
    Bool,
    String,
    Bytes,
    Enum(u32),
    Message(u32),
}

/// How many values a field has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    /// At most one.
    Single,
    /// Any number, in order.
    List,
    /// Any number by key; the kind is that of the entries, a message with the fields 1 `key` and 2 `value`.
    Map,
}

/// An enum type.
pub struct EnumInfo {
    /// `pkg.Enum`.
    pub full_name: Box<str>,
    /// Its values as declared.
    pub values: Vec<(Box<str>, i32)>,
    /// A number that it does not name is no value of it.
    pub closed: bool,
    /// `google.protobuf.NullValue`, whose JSON is `null`.
    pub is_null: bool,
    pub(super) by_number: HashMap<i32, u32>,
    pub(super) by_name: HashMap<Box<str>, i32>,
}

/// The messages of `google.protobuf` that have a JSON of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WellKnown {
    Any,
    Timestamp,
    Duration,
    FieldMask,
    Struct,
    Value,
    ListValue,
    /// `google.protobuf.Empty`: an object like any other, but Go writes it under `value` when it is in an `Any`.
    Empty,
    /// `DoubleValue` and the like.
    Wrapper,
}

impl MessageInfo {
    /// The field of this number.
    pub fn field(&self, number: u32) -> Option<&Field> {
        // Most messages number their fields from 1 without a gap.
        match self.fields.get((number as usize).wrapping_sub(1)) {
            Some(field) if field.number == number => Some(field),
            _ => find(&self.fields, number),
        }
    }

    /// The extension of this number.
    pub fn extension(&self, number: u32) -> Option<&Field> {
        find(&self.extensions, number)
    }

    /// The field or extension of this number.
    pub fn any_field(&self, number: u32) -> Option<&Field> {
        self.field(number).or_else(|| self.extension(number))
    }

    /// The field of this name, in JSON or in the schema.
    pub fn field_named(&self, name: &str) -> Option<&Field> {
        self.fields.get(*self.by_name.get(name)? as usize)
    }

    /// The fields of a oneof by its place.
    pub fn in_oneof(&self, oneof: u32) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(move |f| f.oneof == Some(oneof))
    }
}

fn find(fields: &[Field], number: u32) -> Option<&Field> {
    fields.binary_search_by_key(&number, |f| f.number).ok().and_then(|at| fields.get(at))
}

impl Field {
    /// True for a message, a group, or the entries of a map.
    pub fn is_message(&self) -> bool {
        matches!(self.kind, FieldKind::Message(_))
    }
}

impl FieldKind {
    /// Whether a list of it can stand in one piece.
    pub fn is_packable(self) -> bool {
        !matches!(self, FieldKind::String | FieldKind::Bytes | FieldKind::Message(_))
    }
}

impl EnumInfo {
    /// The first name of a number.
    pub fn name_of(&self, number: i32) -> Option<&str> {
        let index = *self.by_number.get(&number)?;
        self.values.get(index as usize).map(|(name, _)| &**name)
    }

    /// The number of a name.
    pub fn number_of(&self, name: &str) -> Option<i32> {
        self.by_name.get(name).copied()
    }

    /// Whether this number may be a value of it.
    pub fn takes(&self, number: i32) -> bool {
        !self.closed || self.by_number.contains_key(&number)
    }
}
