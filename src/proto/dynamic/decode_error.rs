//! Why bytes are no message.

use crate::proto::schema::Field;

/// Deepest nesting of messages and groups, as in every implementation of Protobuf.
pub(crate) const MAX_DEPTH: usize = 100;

/// Why bytes are no message of a type.
#[derive(Debug, thiserror::Error)]
#[error("{}{what}", if path.is_empty() { String::new() } else { format!("{path}: ") })]
pub struct DecodeError {
    /// The field, from the outside in.
    path: String,
    what: String,
}

impl DecodeError {
    pub(super) fn new(what: impl Into<String>) -> DecodeError {
        DecodeError { path: String::new(), what: what.into() }
    }

    pub(super) fn too_deep() -> DecodeError {
        DecodeError::new(format!("its messages are nested deeper than {MAX_DEPTH}"))
    }

    pub(super) fn inside(mut self, field: &Field) -> DecodeError {
        // A path of a hundred names helps nobody.
        if self.path.len() < 256 {
            self.path = match self.path.is_empty() {
                true => field.name.to_string(),
                false => format!("{}.{}", field.name, self.path),
            };
        }
        self
    }
}
