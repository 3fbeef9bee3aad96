//! What an envelope is read from, a part at a time: texts and fields, borrowed where they can be.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

use serde_json::value::RawValue;

use super::header_form::{INT32, INT64};
use super::{Field, json};

/// Reads a text that may be null, and borrows it where it can.
///
/// # Errors
/// The deserializer's.
pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Cow<'de, str>>, D::Error> {
    Ok(Option::<Text<'de>>::deserialize(deserializer)?.map(|text| text.0))
}

/// A string that borrows where it can; serde's own `Cow` never does.
pub(super) struct Text<'a>(pub Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, v: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(v)))
            }
            fn visit_str<E>(self, v: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(v.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

/// A key or a value: a string is text, `{"$base64": …}` and `{"$hex": …}` are bytes, null is null, and all else is the JSON that
/// it is.
///
/// # Errors
/// A sentence: its bytes are none.
pub(super) fn field_of(raw: &RawValue) -> Result<Field<'_>, String> {
    let text = raw.get();
    match text.as_bytes() {
        [b'"', plain @ .., b'"'] if memchr::memchr(b'\\', plain).is_none() => Ok(Field::borrowed(plain)),
        [b'"', ..] | [b'n', ..] => FieldSeed("").deserialize(raw).map_err(|e| e.to_string()),
        [b'{', ..] => match tagged(text) {
            Some(bytes) => Ok(Field::Bytes(Cow::Owned(bytes?))),
            None => Ok(json_of(raw)),
        },
        _ => Ok(json_of(raw)),
    }
}

/// The bytes in an object that is a tag alone; `None` for any other.
fn tagged(object: &str) -> Option<Result<Vec<u8>, String>> {
    // In front, where a reader finds it who reads no further.
    let is_one = object.trim_start_matches(['{', ' ', '\t', '\r', '\n']).starts_with("\"$");
    if !is_one {
        return None;
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    enum Tagged {
        #[serde(rename = "$base64")]
        Base64(String),
        #[serde(rename = "$hex")]
        Hex(String),
    }
    match serde_json::from_str(object).ok()? {
        Tagged::Base64(text) => Some(json::decode_base64(&text)),
        Tagged::Hex(text) => Some(json::decode_hex(&text)),
    }
}

/// JSON as a body, without the blanks between its tokens.
pub(super) fn json_of(raw: &RawValue) -> Field<'_> {
    let text = raw.get().as_bytes();
    if !text.iter().any(u8::is_ascii_whitespace) {
        return Field::borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    json::compact(&mut out, text);
    Field::Bytes(Cow::Owned(out))
}

/// Reads a header value: a string, `{"$base64": …}`, `{"$hex": …}`, `{"$i32": …}`, `{"$i64": …}` or null.
pub(super) struct FieldSeed(pub &'static str);

impl<'de> DeserializeSeed<'de> for FieldSeed {
    type Value = Field<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for FieldSeed {
    type Value = Field<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` as a string, {{\"$base64\":\"…\"}} or null (JSON data goes in as a string, its quotes escaped)",
            self.0
        )
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Field::Null)
    }

    fn visit_borrowed_str<E>(self, v: &'de str) -> Result<Self::Value, E> {
        Ok(Field::borrowed(v.as_bytes()))
    }

    fn visit_str<E>(self, v: &str) -> Result<Self::Value, E> {
        Ok(Field::Bytes(Cow::Owned(v.as_bytes().to_vec())))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let tag = map.next_key::<Text<'de>>()?;
        let mut text = |decode: fn(&str) -> Result<Vec<u8>, String>| {
            decode(&map.next_value::<Text<'de>>()?.0).map_err(de::Error::custom)
        };
        let bytes = match tag.as_ref().map(|tag| &*tag.0) {
            Some("$base64") => text(json::decode_base64)?,
            Some("$hex") => text(json::decode_hex)?,
            Some(INT32) => map.next_value::<i32>()?.to_be_bytes().to_vec(),
            Some(INT64) => map.next_value::<i64>()?.to_be_bytes().to_vec(),
            _ => return Err(de::Error::invalid_type(de::Unexpected::Map, &self)),
        };
        match map.next_key::<IgnoredAny>()? {
            None => Ok(Field::Bytes(Cow::Owned(bytes))),
            Some(_) => Err(de::Error::custom("`$base64`, `$hex`, `$i32` or `$i64` stands alone in its object")),
        }
    }
}
