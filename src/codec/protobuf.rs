//! Protobuf: bytes to protojson and back.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use super::fault::Fault;
use super::schemas::Schema;
use crate::error::{Error, Result, nearest};
use crate::proto::disk;
use crate::proto::dynamic::DynamicMessage;
use crate::proto::schema::{self, MessageType};
use crate::proto::{Layout, ReadOptions, read_json, write_json};

/// What a file of Protobuf in a registry is called, where the registry has no name for it.
const ROOT: &str = "schema.proto";

/// A file of Protobuf, with what it imports.
pub(super) struct Protobuf {
    types: schema::Schema,
    /// Types by where they stand in the file.
    found: RefCell<HashMap<Vec<u32>, MessageType>>,
}

impl Protobuf {
    /// Compiles a schema, with what it refers to.
    ///
    /// # Errors
    /// A sentence: it is none.
    pub(super) fn of(schema: &Schema) -> Result<Protobuf, String> {
        let mut texts = BTreeMap::new();
        add(&mut texts, schema);
        texts.insert(ROOT.to_owned(), schema.text.clone());
        let linked = disk::load_texts(texts).and_then(|files| files.linked());
        let types = linked.map_err(|error| error.chain())?.schema;
        Ok(Protobuf { types, found: RefCell::default() })
    }

    /// The message at a place in the file.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn at(&self, place: &[u32]) -> Result<MessageType, Fault> {
        if let Some(found) = self.found.borrow().get(place) {
            return Ok(found.clone());
        }
        let none = || Fault::new(format!("its schema has no message at the place {place:?}"));
        let file = self.types.pool().get_file_by_name(ROOT).ok_or_else(none)?;
        let (first, inner) = place.split_first().ok_or_else(none)?;
        let mut message = file.messages().nth(*first as usize).ok_or_else(none)?;
        for index in inner {
            // Entries of maps are messages to the file, and count.
            let child = message.child_messages().nth(*index as usize);
            message = child.ok_or_else(none)?;
        }
        let found = self.types.type_of(&message).ok_or_else(none)?;
        self.found.borrow_mut().insert(place.to_vec(), found.clone());
        Ok(found)
    }

    /// The message of this name, and its place in the file; without a name the first one.
    ///
    /// # Errors
    /// A sentence: there is none.
    pub(super) fn named(&self, name: Option<&str>) -> Result<(MessageType, Vec<u32>), String> {
        let Some(name) = name else {
            return self.at(&[0]).map(|of| (of, vec![0])).map_err(|_| "the schema has no message".to_owned());
        };
        let none = || match nearest(name, self.names().iter().map(String::as_str)) {
            Some(near) => format!("the schema has no message `{name}`; did you mean `{near}`?"),
            None => format!("the schema has no message `{name}`; it has {}", self.names().join(", ")),
        };
        let message = self.types.pool().get_message_by_name(name).ok_or_else(none)?;
        let file = message.parent_file();
        if file.name() != ROOT {
            return Err(none());
        }
        let mut place = Vec::new();
        let mut inner = message.clone();
        loop {
            let parent = inner.parent_message();
            let is_it = |other: &prost_reflect::MessageDescriptor| other.full_name() == inner.full_name();
            let at = match &parent {
                Some(parent) => parent.child_messages().position(|other| is_it(&other)),
                None => file.messages().position(|other| is_it(&other)),
            };
            place.insert(0, at.and_then(|at| u32::try_from(at).ok()).ok_or_else(none)?);
            match parent {
                Some(parent) => inner = parent,
                None => break,
            }
        }
        Ok((self.types.type_of(&message).ok_or_else(none)?, place))
    }

    fn names(&self) -> Vec<String> {
        let of = self.types.pool().all_messages().filter(|message| message.parent_file().name() == ROOT);
        of.map(|message| message.full_name().to_owned()).collect()
    }
}

/// Adds what a schema refers to, by the names that it does so with.
fn add(texts: &mut BTreeMap<String, String>, schema: &Schema) {
    for reference in &schema.references {
        if !texts.contains_key(&reference.name) {
            texts.insert(reference.name.clone(), reference.schema.text.clone());
            add(texts, &reference.schema);
        }
    }
}

/// Where descriptions of Protobuf come from.
#[derive(Debug, Clone, Default)]
pub(super) struct ProtoFiles {
    /// Sources.
    pub sources: Vec<PathBuf>,
    /// Where their imports start from.
    pub import_paths: Vec<PathBuf>,
    /// Descriptor sets.
    pub sets: Vec<PathBuf>,
}

impl ProtoFiles {
    /// The type of this name.
    ///
    /// # Errors
    /// As [`disk::load`]; `Kind::Usage`: there is none.
    pub(super) fn message(&self, name: &str) -> Result<MessageType> {
        if self.sources.is_empty() && self.sets.is_empty() {
            return Err(Error::usage(format!("nothing describes `{name}`"))
                .hint("name its source with --proto FILE, or a descriptor set with --descriptor-set FILE"));
        }
        let linked = disk::load(&self.sources, &self.import_paths, &self.sets)?.linked()?;
        let name = name.trim_start_matches('.');
        linked.schema.message(name).ok_or_else(|| match linked.fault(name) {
            Some((file, error)) => Error::usage(format!("`{file}`, which has `{name}`, is broken: {}", error.chain())),
            None => {
                let names: Vec<String> =
                    linked.schema.pool().all_messages().map(|message| message.full_name().to_owned()).collect();
                let error = Error::usage(format!("the files have no message `{name}`"));
                match nearest(name, names.iter().map(String::as_str)) {
                    Some(near) => error.hint(format!("did you mean `{near}`?")),
                    None => error.hint("name it with its package, as proto:pkg.Type"),
                }
            }
        })
    }
}

/// Appends a message as protojson.
///
/// # Errors
/// It is none of this type.
pub(super) fn decode(of: &MessageType, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    let message = DynamicMessage::decode(of.clone(), bytes::Bytes::copy_from_slice(bytes));
    let message = message.map_err(|error| Fault::new(error.to_string()))?;
    // A value that has no form of its own is shown as its fields.
    let _ = write_json(out, &message, Layout::Compact, &of.schema());
    Ok(())
}

/// Appends the bytes of a message in protojson.
///
/// # Errors
/// A sentence: it is none of this type.
pub(super) fn encode(of: &MessageType, text: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    let message = read_json(of, text, ReadOptions::default(), &of.schema()).map_err(|fault| fault.message)?;
    if let Some(field) = message.missing_required() {
        return Err(format!("the field `{field}` is required, and missing"));
    }
    out.extend_from_slice(&message.encode_to_vec());
    Ok(())
}
