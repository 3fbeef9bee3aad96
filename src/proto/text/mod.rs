//! The Protobuf text format, both ways: <https://protobuf.dev/reference/protobuf/textformat-spec/>.

mod lexer;
mod read;
mod scalar;
mod write;

pub use read::read_text;
pub(crate) use write::{quoted_text, value_text, write_text};

use super::schema::{Field, MessageType};

/// The name that a field has in the text format.
pub(crate) fn shown_name<'a>(of: &'a MessageType, field: &'a Field) -> &'a str {
    match (field.is_extension, group_name(of, field)) {
        (true, _) => &field.json_name,
        (false, Some(group)) => group,
        (false, None) => &field.name,
    }
}

/// The name of a group: that of its message, for a field that is written as one and named after it in lowercase.
fn group_name<'a>(of: &'a MessageType, field: &Field) -> Option<&'a str> {
    let info = if field.delimited { of.info_of(field)? } else { return None };
    let name = info.full_name.rsplit('.').next().unwrap_or_default();
    (name.to_lowercase() == *field.name).then_some(name)
}
