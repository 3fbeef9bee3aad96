//! By which schema a body or a key was decoded to JSON.

use serde::{Deserialize, Serialize};

use super::json;

/// A schema by its names. A body or a key that has one is JSON, whatever it was on the wire.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SchemaName {
    /// Its language or form, as `avro`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its number in a registry.
    #[serde(default)]
    pub id: Option<u32>,
    /// The subject that it stands in there,
    #[serde(default)]
    pub subject: Option<String>,
    /// and its version in that.
    #[serde(default)]
    pub version: Option<u32>,
    /// The message of it, where it has several.
    #[serde(default)]
    pub message: Option<String>,
}

impl SchemaName {
    /// Appends it as JSON.
    pub(crate) fn write_json(&self, out: &mut Vec<u8>) {
        let SchemaName { kind, id, subject, version, message } = self;
        let mut object = json::Object::open(out);
        string(&mut object, "type", Some(kind));
        if let Some(id) = id {
            object.number("id", *id);
        }
        string(&mut object, "subject", subject.as_ref());
        if let Some(version) = version {
            object.number("version", *version);
        }
        string(&mut object, "message", message.as_ref());
        object.close();
    }
}

fn string(object: &mut json::Object<'_>, name: &'static str, text: Option<&String>) {
    if let Some(text) = text {
        object.text(name, text);
    }
}

/// For people: `orders-value version 3 (avro, id 12)`.
impl std::fmt::Display for SchemaName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let SchemaName { kind, id, subject, version, message } = self;
        let Some(subject) = subject else {
            f.write_str(kind)?;
            if let Some(message) = message {
                write!(f, " {message}")?;
            }
            return id.map_or(Ok(()), |id| write!(f, ", id {id}"));
        };
        f.write_str(subject)?;
        if let Some(version) = version {
            write!(f, " version {version}")?;
        }
        write!(f, " ({kind}")?;
        if let Some(message) = message {
            write!(f, " {message}")?;
        }
        if let Some(id) = id {
            write!(f, ", id {id}")?;
        }
        f.write_str(")")
    }
}
