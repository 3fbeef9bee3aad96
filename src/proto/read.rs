//! JSON into a message.

use bytes::Bytes;
use prost::Message as _;
use prost_reflect::{DeserializeOptions, DynamicMessage, Kind, MessageDescriptor};
use serde_json::Value;

use super::any::Resolver;
use super::dynamic::Message;
use super::fault::Fault;
use super::schema::MessageType;
use crate::error::nearest;

/// How strict a reader is.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReadOptions {
    /// Members that no field is named as are skipped.
    pub allow_unknown_fields: bool,
}

/// Reads one message of this type.
///
/// # Errors
/// A [`Fault`]: bad JSON, an unknown field, a value that the field cannot hold.
pub fn read_json(of: &MessageType, text: &[u8], options: ReadOptions, _: &dyn Resolver) -> Result<Message, Fault> {
    let descriptor = &of.info().descriptor;
    let options = DeserializeOptions::new().deny_unknown_fields(!options.allow_unknown_fields);
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let read = DynamicMessage::deserialize_with_options(descriptor.clone(), &mut deserializer, &options)
        .and_then(|message| deserializer.end().map(|()| message));
    let read = read.map_err(|e| fault(descriptor, text, &e))?;
    Message::decode(of.clone(), Bytes::from(read.encode_to_vec())).map_err(|e| Fault {
        line: 1,
        column: 1,
        message: e.to_string(),
        unresolved: None,
    })
}

/// Reads once more, this time with an eye on where.
fn fault(descriptor: &MessageDescriptor, text: &[u8], error: &serde_json::Error) -> Fault {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(&mut deserializer, &mut track);
    // It failed before; this is for the path alone.
    drop(DynamicMessage::deserialize(descriptor.clone(), tracked));
    let path = track.path().to_string();
    let whole = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let what = whole.strip_suffix(&place).unwrap_or(&whole);
    let message = match unknown_field(descriptor, text) {
        Some(unknown) => unknown,
        None if path == "." || error.is_syntax() || error.is_eof() => what.to_owned(),
        None => format!("{path}: {what}"),
    };
    Fault { line: error.line(), column: error.column(), message, unresolved: None }
}

/// Finds the first member that no field is named as.
fn unknown_field(descriptor: &MessageDescriptor, text: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(text).ok()?;
    unknown_in(descriptor, &value, "")
}

fn unknown_in(descriptor: &MessageDescriptor, value: &Value, path: &str) -> Option<String> {
    // These have members of the user's choice, or none.
    if descriptor.package_name() == "google.protobuf" {
        return None;
    }
    for (name, value) in value.as_object()? {
        let at = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let field = descriptor.get_field_by_json_name(name).or_else(|| descriptor.get_field_by_name(name));
        let Some(field) = field else {
            // Extensions, as "[pkg.name]", are looked up by the reader.
            if name.starts_with('[') {
                continue;
            }
            let known: Vec<String> = descriptor.fields().map(|f| f.json_name().to_owned()).collect();
            let fix = match nearest(name, known.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None if known.is_empty() => "it has no fields".to_owned(),
                None => format!("allowed: {}", known.join(", ")),
            };
            return Some(format!("{} has no field `{at}`; {fix}", descriptor.full_name()));
        };
        let Kind::Message(inner) = field.kind() else { continue };
        let found = match value {
            Value::Array(items) => {
                items.iter().enumerate().find_map(|(i, item)| unknown_in(&inner, item, &format!("{at}[{i}]")))
            }
            Value::Object(entries) if field.is_map() => match inner.get_field(2).map(|f| f.kind()) {
                Some(Kind::Message(inner)) => {
                    entries.iter().find_map(|(key, item)| unknown_in(&inner, item, &format!("{at}.{key}")))
                }
                _ => None,
            },
            _ => unknown_in(&inner, value, &at),
        };
        if found.is_some() {
            return found;
        }
    }
    None
}
