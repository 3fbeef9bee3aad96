//! The types of a schema as the codecs want them: one table, with proto2, proto3 and editions resolved to the same terms.
//!
//! Names are linked by prost-reflect's pool; what a field means on the wire and in JSON is decided here, since the pool
//! knows neither editions nor closed enums.

mod build;
pub(in crate::proto) mod features;
mod info;

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use prost::Message as _;
use prost_reflect::{DescriptorPool, FieldDescriptor, FileDescriptor, MessageDescriptor, MethodDescriptor};

use self::features::FileFeatures;
pub(crate) use self::info::{EnumInfo, Field, FieldKind, FieldSource, Label, MessageInfo, WellKnown};

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
pub(crate) type JsonNames = HashMap<String, Box<str>>;

/// A file of a pool as it came.
pub struct Original<'a> {
    /// Its encoded descriptor.
    pub raw: Bytes,
    /// Its edition and features.
    pub features: &'a FileFeatures,
    /// The JSON names that the pool was told others of.
    pub json_names: &'a JsonNames,
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
            FieldKind::Message(index) => Some(self.other(index)),
            _ => None,
        }
    }

    /// What there is to know of the message that a field holds.
    pub fn info_of(&self, field: &Field) -> Option<&MessageInfo> {
        match field.kind {
            FieldKind::Message(index) => self.tables.messages.get(index as usize),
            _ => None,
        }
    }

    /// The key and the value of a map's entries.
    pub fn entry_of(&self, field: &Field) -> Option<(&Field, &Field)> {
        match (field.label, field.kind) {
            (Label::Map, FieldKind::Message(index)) => {
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

/// The full name of what is defined in a package or a message; the scope may be empty.
pub(crate) fn joined(scope: &str, name: &str) -> String {
    if scope.is_empty() { name.to_owned() } else { format!("{scope}.{name}") }
}
