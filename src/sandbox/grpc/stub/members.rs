//! The members of a stub that have a form of their own.

use std::fmt;
use std::time::Duration;

use http::HeaderMap;
use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use tonic::Code;

use super::matching::MetadataPattern;
use crate::message::grpc::{Shown, code_of, encoded};
use crate::message::json::decode_base64;
use crate::values;

/// The members of an object in their order; a name that comes twice is an error, for JSON would lose the first.
pub(crate) struct Members<'a>(pub Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reading;
        impl<'de> Visitor<'de> for Reading {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of methods and their stubs, as {\"pkg.Service/Method\": {\"response\": {}}}")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members: Vec<(String, &RawValue)> = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    if members.iter().any(|(known, _)| *known == name) {
                        map.next_value::<IgnoredAny>()?;
                        return Err(de::Error::custom(format!("`{name}` comes twice; give it a list of stubs")));
                    }
                    members.push((name, map.next_value()?));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Reading)
    }
}

/// A status that is a code alone.
#[derive(serde::Deserialize)]
#[serde(transparent)]
pub(crate) struct Bare(#[serde(deserialize_with = "code")] pub Code);

/// A status code by name or number.
pub(crate) fn code<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Code, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let known = match &value {
        Value::String(name) => code_of(name),
        value => {
            value.as_i64().filter(|n| (0..=16).contains(n)).and_then(|n| Some(Code::from_i32(i32::try_from(n).ok()?)))
        }
    };
    known.ok_or_else(|| {
        de::Error::custom(format!("{value} is no status code; write a name as NOT_FOUND, or a number from 0 to 16"))
    })
}

/// A duration, as `100ms`.
pub(crate) fn wait<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    values::duration(&String::deserialize(deserializer)?).map_err(de::Error::custom)
}

/// A number above 0 and up to 1.
pub(crate) fn probability<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    let value = f64::deserialize(deserializer)?;
    match value > 0.0 && value <= 1.0 {
        true => Ok(Some(value)),
        false => Err(de::Error::custom(format!("{value} is no probability; write a number above 0 and up to 1"))),
    }
}

/// The values of one name: one or a list; text, or the bytes of a `-bin` name as `{"$base64": …}`.
fn metadata_values(name: &str, value: Value) -> Result<Vec<Shown<'static>>, String> {
    let one = |value: Value| match (value, name.ends_with("-bin")) {
        (Value::String(text), false) => Ok(Shown::Text(text.into())),
        (Value::Object(object), true) if object.len() == 1 => match object.get("$base64") {
            Some(Value::String(text)) => decode_base64(text).map(Shown::Binary),
            _ => Err(format!("metadata `{name}` takes {{\"$base64\": \"AAE=\"}}")),
        },
        (_, true) => Err(format!("metadata `{name}` takes {{\"$base64\": \"AAE=\"}}, or a list of them")),
        (_, false) => Err(format!("metadata `{name}` takes a string, or a list of them")),
    };
    match value {
        Value::Array(values) => values.into_iter().map(one).collect(),
        value => Ok(vec![one(value)?]),
    }
}

/// Metadata to be sent.
pub(crate) fn metadata<'de, D: Deserializer<'de>>(deserializer: D) -> Result<HeaderMap, D::Error> {
    let mut headers = HeaderMap::new();
    for (name, value) in Map::deserialize(deserializer)? {
        let name = name.to_lowercase();
        for value in metadata_values(&name, value).map_err(de::Error::custom)? {
            let (name, value) = encoded(&name, &value).map_err(de::Error::custom)?;
            headers.append(name, value);
        }
    }
    Ok(headers)
}

/// Metadata to be asked for; `null` asks for its absence.
pub(crate) fn headers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<MetadataPattern, D::Error> {
    let one = |(name, value): (String, Value)| {
        let name = name.to_lowercase();
        let values = match value {
            Value::Null => None,
            value => Some(metadata_values(&name, value)?),
        };
        Ok((name, values))
    };
    let all: Result<_, String> = Map::deserialize(deserializer)?.into_iter().map(one).collect();
    all.map(MetadataPattern).map_err(de::Error::custom)
}
