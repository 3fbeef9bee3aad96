//! The message that a program gave.

use std::borrow::Cow;

use jaq_json::{Val, write};
use serde::de::IgnoredAny;

use super::program::shortened;
use crate::message::{Field, Message, envelope, json};

/// What a program made of a message. `seen` is what it was given of it.
///
/// # Errors
/// It is no envelope: a sentence.
pub(super) fn message(given: Val, seen: &Val, from: &Message<'_>) -> Result<Message<'static>, String> {
    let Val::Obj(mut object) = given else {
        return Err(format!(
            "it gives {}, which is no envelope, as {{\"key\":\"k\",\"value\":\"v\"}} is",
            shortened(given.to_string())
        ));
    };
    let name = Val::utf8_str("value");
    let before = match seen {
        Val::Obj(seen) => seen.get(&name),
        _ => None,
    };
    let value = match object.get(&name) {
        None => Field::Absent,
        Some(value) if before == Some(value) => from.value.clone(),
        // What it was decoded to is JSON, also where that is a string.
        Some(value) if object.get(&Val::utf8_str("schema")).is_some_and(|schema| *schema != Val::Null) => {
            Field::Bytes(Cow::Owned(text_of(value)?))
        }
        Some(value) => body(value)?,
    };
    std::rc::Rc::make_mut(&mut object).shift_remove(&name);
    let line = text_of(&Val::Obj(object))?;
    let message = envelope::read(&line).map_err(|e| {
        format!(
            "it gives no envelope: {}; a body goes into `value`, and a number becomes text by tostring",
            envelope::fault(&e)
        )
    })?;
    Ok(Message { value, ..message }.into_owned())
}

/// The bytes of a body.
fn body(value: &Val) -> Result<Field<'static>, String> {
    Ok(match value {
        Val::Null => Field::Null,
        Val::TStr(bytes) | Val::BStr(bytes) => Field::Bytes(Cow::Owned(bytes.to_vec())),
        Val::Obj(object) if object.len() == 1 => match object.get(&Val::utf8_str("$base64")) {
            Some(Val::TStr(text)) => Field::Bytes(Cow::Owned(json::decode_base64(&String::from_utf8_lossy(text))?)),
            _ => Field::Bytes(Cow::Owned(text_of(value)?)),
        },
        _ => Field::Bytes(Cow::Owned(text_of(value)?)),
    })
}

/// A value as compact JSON.
///
/// # Errors
/// JSON cannot say it: a sentence.
pub(super) fn text_of(value: &Val) -> Result<Vec<u8>, String> {
    text(value, &write::Pp::default())
}

/// A value as indented JSON.
///
/// # Errors
/// As [`text_of`].
pub(super) fn text_of_pretty(value: &Val) -> Result<Vec<u8>, String> {
    text(value, &write::Pp { indent: Some("  ".to_owned()), sep_space: true, ..write::Pp::default() })
}

fn text(value: &Val, form: &write::Pp) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let written = write::write(&mut out, form, 0, value);
    // Not a number, bytes, and names that are no strings are values to a program, and nothing to JSON.
    match written.is_ok() && serde_json::from_slice::<IgnoredAny>(&out).is_ok() && std::str::from_utf8(&out).is_ok() {
        true => Ok(out),
        false => Err(format!("it gives {}, which JSON cannot say", shortened(value.to_string()))),
    }
}
