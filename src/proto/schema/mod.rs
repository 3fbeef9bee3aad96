//! The types of a schema as the codecs want them: one table, with proto2, proto3 and editions resolved to the same terms.
//!
//! Names are linked by prost-reflect's pool; what a field means on the wire and in JSON is decided here, since the pool
//! knows neither editions nor closed enums.

mod build;
pub(in crate::proto) mod features;

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use prost::Message as _;
use prost_reflect::{
    DescriptorPool, ExtensionDescriptor, FieldDescriptor, FileDescriptor, MessageDescriptor, MethodDescriptor,
};

use self::features::FileFeatures;

/// A schema. Clones share it.
#[derive(Clone)]
pub struct Schema(Arc<Tables>);

/// What a schema is made of; `u32`s are places in these tables.
pub(super) struct Tables {
    pool: DescriptorPool,
    /// The files that came from elsewhere, as they came.
    raw: HashMap<Box<str>, Bytes>,
    pub(super) messages: Vec<MessageInfo>,
    pub(super) enums: Vec<EnumInfo>,
    messages_by_name: HashMap<Box<str>, u32>,
    enums_by_name: HashMap<Box<str>, u32>,
    /// Extensions by full name: the message that they extend, and their number.
    extensions_by_name: HashMap<Box<str>, (u32, u32)>,
    /// What the pool was told otherwise.
    json_names: JsonNames,
}

/// The JSON names of fields that the pool was told others of, by the fields' full names.
pub type JsonNames = HashMap<String, Box<str>>;

/// A file of a pool as it came.
pub struct Original<'a> {
    /// Its encoded descriptor.
    pub raw: Bytes,
    /// Its edition and features.
    pub features: &'a FileFeatures,
    /// The JSON names that the pool was told others of.
    pub json_names: &'a JsonNames,
}

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
    by_name: HashMap<Box<str>, u32>,
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
    pub kind: Kind,
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
pub enum Kind {
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
    by_number: HashMap<i32, u32>,
    by_name: HashMap<Box<str>, i32>,
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

/// A message type of a schema, by itself. Clones share the schema.
#[derive(Clone)]
pub struct MessageType {
    tables: Arc<Tables>,
    index: u32,
}

/// A method, with its types.
#[derive(Debug, Clone)]
pub struct Method {
    /// Its name, its service, and whether it streams.
    pub descriptor: MethodDescriptor,
    /// What it takes.
    pub input: MessageType,
    /// What it answers.
    pub output: MessageType,
}

impl Method {
    /// `pkg.Service/Method`.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.descriptor.parent_service().full_name(), self.descriptor.name())
    }
}

impl Schema {
    /// The pool that it was made from.
    pub fn pool(&self) -> &DescriptorPool {
        &self.0.pool
    }

    /// The message of this full name.
    pub fn message(&self, name: &str) -> Option<MessageType> {
        let index = *self.0.messages_by_name.get(name)?;
        Some(MessageType { tables: self.0.clone(), index })
    }

    /// The type of a message of the same pool.
    pub fn type_of(&self, descriptor: &MessageDescriptor) -> Option<MessageType> {
        self.message(descriptor.full_name())
    }

    /// A method of the same pool, with its types.
    pub fn method(&self, descriptor: &MethodDescriptor) -> Option<Method> {
        Some(Method {
            input: self.type_of(&descriptor.input())?,
            output: self.type_of(&descriptor.output())?,
            descriptor: descriptor.clone(),
        })
    }

    /// The encoded descriptor of a file of the pool, with everything that came with it.
    pub fn raw(&self, file: &FileDescriptor) -> Bytes {
        self.0.raw.get(file.name()).cloned().unwrap_or_else(|| file.encode_to_vec().into())
    }

    /// The JSON name in a field's descriptor, as it came.
    pub fn declared_json_name<'a>(&'a self, field: &'a FieldDescriptor) -> &'a str {
        self.0.json_names.get(field.full_name()).map_or(field.json_name(), |name| name)
    }

    /// The imports of a file that its options alone need, as far as they are known: the pool is not told of them.
    pub fn option_imports(&self, file: &FileDescriptor) -> Vec<FileDescriptor> {
        let features = FileFeatures::decode(self.raw(file)).unwrap_or_default();
        features.option_dependency.iter().filter_map(|name| self.pool().get_file_by_name(name)).collect()
    }

    /// True for the entry of a map, which the pool is not told of.
    pub fn is_map_entry(&self, name: &str) -> bool {
        self.0.messages_by_name.get(name).is_some_and(|index| self.0.messages[*index as usize].is_map_entry)
    }

    /// The enum of this full name.
    pub fn enumeration(&self, name: &str) -> Option<&EnumInfo> {
        let index = *self.0.enums_by_name.get(name)?;
        self.0.enums.get(index as usize)
    }
}

impl MessageType {
    /// What there is to know of it.
    pub fn info(&self) -> &MessageInfo {
        // Places are given out by the builder of the same tables.
        &self.tables.messages[self.index as usize]
    }

    /// `pkg.Message`.
    pub fn full_name(&self) -> &str {
        &self.info().full_name
    }

    /// The schema that it is in.
    pub fn schema(&self) -> Schema {
        Schema(self.tables.clone())
    }

    /// Another type of the same schema, by its place.
    pub fn other(&self, index: u32) -> MessageType {
        MessageType { tables: self.tables.clone(), index }
    }

    /// An enum of the same schema, by its place.
    pub fn enumeration(&self, index: u32) -> &EnumInfo {
        &self.tables.enums[index as usize]
    }

    /// The message that a field holds, for a message or the entries of a map.
    pub fn message_of(&self, field: &Field) -> Option<MessageType> {
        match field.kind {
            Kind::Message(index) => Some(self.other(index)),
            _ => None,
        }
    }

    /// What there is to know of the message that a field holds.
    pub fn info_of(&self, field: &Field) -> Option<&MessageInfo> {
        match field.kind {
            Kind::Message(index) => self.tables.messages.get(index as usize),
            _ => None,
        }
    }

    /// The key and the value of a map's entries.
    pub fn entry_of(&self, field: &Field) -> Option<(&Field, &Field)> {
        match (field.label, field.kind) {
            (Label::Map, Kind::Message(index)) => {
                let entry = &self.tables.messages[index as usize];
                Some((entry.field(1)?, entry.field(2)?))
            }
            _ => None,
        }
    }

    /// An extension of this message by its full name.
    pub fn extension_named(&self, name: &str) -> Option<&Field> {
        let (message, number) = *self.tables.extensions_by_name.get(name)?;
        if message == self.index { self.info().extension(number) } else { None }
    }

    /// True for a type of the same schema at the same place.
    pub fn is(&self, other: &MessageType) -> bool {
        self.index == other.index && Arc::ptr_eq(&self.tables, &other.tables)
    }
}

impl std::fmt::Debug for Schema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a schema of {} messages", self.0.messages.len())
    }
}

impl std::fmt::Debug for MessageType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.full_name())
    }
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

/// The full name of what is defined in a package or a message; the scope may be empty.
pub fn joined(scope: &str, name: &str) -> String {
    if scope.is_empty() { name.to_owned() } else { format!("{scope}.{name}") }
}

fn find(fields: &[Field], number: u32) -> Option<&Field> {
    fields.binary_search_by_key(&number, |f| f.number).ok().and_then(|at| fields.get(at))
}

impl Field {
    /// True for a message, a group, or the entries of a map.
    pub fn is_message(&self) -> bool {
        matches!(self.kind, Kind::Message(_))
    }
}

impl Kind {
    /// Whether a list of it can stand in one piece.
    pub fn is_packable(self) -> bool {
        !matches!(self, Kind::String | Kind::Bytes | Kind::Message(_))
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
