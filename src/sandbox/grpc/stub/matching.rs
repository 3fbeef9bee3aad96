//! Whether a request holds what a stub asks for. Both are compared as canonical protojson, so that numbers, enums and
//! well-known types may be written in any form that protojson reads.

use http::HeaderMap;
use serde_json::Value;

use crate::message::grpc::{Shown, shown};
use crate::proto::dynamic::DynamicMessage;
use crate::proto::schema::{Label, MessageType, Schema};
use crate::proto::{Layout, write_json};

/// What a JSON value must hold.
#[derive(Debug)]
pub(crate) enum Pattern {
    /// Nothing: the field is not there, or has its default.
    Absent,
    /// At least these members.
    Object(Vec<(String, Pattern)>),
    /// So many items, each as said.
    Array(Vec<Pattern>),
    /// Just this.
    Value(Value),
}

/// A message as canonical JSON.
pub(crate) fn canonical(message: &DynamicMessage, types: &Schema) -> Value {
    let mut text = Vec::new();
    write_json(&mut text, message, Layout::Compact, types);
    // Our own writer's JSON reads back.
    serde_json::from_slice(&text).unwrap_or_default()
}

impl Pattern {
    /// The pattern of a partial message: `written` as the user gave it, `read` as it was understood.
    pub(crate) fn of(written: &Value, read: &DynamicMessage, types: &Schema) -> Pattern {
        message(written, Some(canonical(read, types)), read.of())
    }

    /// The first place where a value differs: its path, what is asked for, and what is there.
    pub(crate) fn difference(&self, value: Option<&Value>) -> Option<String> {
        self.differs("", value)
    }

    fn differs(&self, path: &str, value: Option<&Value>) -> Option<String> {
        let at = if path.is_empty() { "the message" } else { path };
        let came = || value.map_or_else(|| "nothing".to_owned(), short);
        match self {
            Pattern::Absent => value.map(|came| format!("`{at}`: nothing is asked for, {} came", short(came))),
            Pattern::Object(members) => {
                let Some(object) = value.and_then(Value::as_object) else {
                    return Some(format!("`{at}`: an object is asked for, {} came", came()));
                };
                members.iter().find_map(|(name, pattern)| {
                    let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    pattern.differs(&path, object.get(name))
                })
            }
            Pattern::Array(items) => {
                let found = value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
                if found.len() != items.len() {
                    return Some(format!("`{at}`: {} items are asked for, {} came", items.len(), found.len()));
                }
                let mut pairs = items.iter().zip(found).enumerate();
                pairs.find_map(|(i, (pattern, item))| pattern.differs(&format!("{path}[{i}]"), Some(item)))
            }
            Pattern::Value(asked) if Some(asked) == value => None,
            Pattern::Value(asked) => Some(format!("`{at}`: {} is asked for, {} came", short(asked), came())),
        }
    }
}

/// A value for a status message, which travels in a header.
fn short(value: &Value) -> String {
    const MOST: usize = 80;
    let text = value.to_string();
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn message(written: &Value, canonical: Option<Value>, of: &MessageType) -> Pattern {
    let (Some(members), false) = (written.as_object(), of.full_name().starts_with("google.protobuf.")) else {
        return plain(canonical);
    };
    let mut canonical = canonical.unwrap_or_default();
    let members = members.iter().map(|(name, written)| {
        let Some(field) = of.info().field_named(name) else {
            // An extension: the only other name that was read.
            return (name.clone(), plain(canonical.get_mut(name.as_str()).map(Value::take)));
        };
        let value = canonical.get_mut(&*field.json_name).map(Value::take);
        let pattern = match (of.message_of(field), value) {
            (_, None) => Pattern::Absent,
            (Some(entry), Some(Value::Object(values))) if field.label == Label::Map => {
                let inner = entry.info().field(2).and_then(|f| entry.message_of(f));
                let entries = values.into_iter().map(|(key, value)| match (&inner, written.get(&key)) {
                    (Some(inner), Some(written)) => (key, message(written, Some(value), inner)),
                    _ => (key, plain(Some(value))),
                });
                Pattern::Object(entries.collect())
            }
            (Some(inner), Some(Value::Array(values))) if field.label == Label::List => {
                let items = written.as_array().into_iter().flatten().zip(values);
                Pattern::Array(items.map(|(written, value)| message(written, Some(value), &inner)).collect())
            }
            (Some(inner), value) => message(written, value, &inner),
            (None, value) => plain(value),
        };
        (field.json_name.to_string(), pattern)
    });
    Pattern::Object(members.collect())
}

/// The canonical form itself; objects in it (a `Struct`, an `Any`) may hold more.
fn plain(canonical: Option<Value>) -> Pattern {
    match canonical {
        None => Pattern::Absent,
        Some(Value::Object(members)) => {
            Pattern::Object(members.into_iter().map(|(name, value)| (name, plain(Some(value)))).collect())
        }
        Some(Value::Array(items)) => Pattern::Array(items.into_iter().map(|item| plain(Some(item))).collect()),
        Some(value) => Pattern::Value(value),
    }
}

/// The metadata that a request must have.
#[derive(Debug, Default)]
pub(crate) struct MetadataPattern(pub Vec<(String, Option<Vec<Shown<'static>>>)>);

impl MetadataPattern {
    /// The first name where a request's metadata differs.
    pub(crate) fn difference(&self, headers: &HeaderMap) -> Option<String> {
        self.0.iter().find_map(|(name, asked)| {
            let came: Vec<Shown<'_>> = shown(headers).filter(|(n, _)| n == name).map(|(_, value)| value).collect();
            let same = match asked {
                None => came.is_empty(),
                Some(values) => values.iter().all(|value| came.contains(value)),
            };
            // What came may be a secret, and is not said.
            (!same).then(|| match asked {
                None => format!("metadata `{name}`: nothing is asked for, but it came"),
                Some(_) if came.is_empty() => format!("metadata `{name}` is asked for and did not come"),
                Some(_) => format!("metadata `{name}` has another value"),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{ReadOptions, read_json};

    fn types() -> Schema {
        const SOURCES: &[(&str, &str)] = &[(
            "m.proto",
            r#"syntax = "proto3";
            import "google/protobuf/struct.proto";
            import "google/protobuf/timestamp.proto";
            message M {
                int64 big_number = 1; double d = 2; E e = 3; M inner = 4; repeated M list = 5; map<string, M> map = 6;
                optional string opt = 7; google.protobuf.Timestamp at = 8; google.protobuf.Struct any = 9; bytes data = 10;
                map<int32, string> numbers = 11; bool flag = 12; repeated int32 nums = 13;
            }
            enum E { ZERO = 0; ONE = 1; }"#,
        )];
        Schema::new(&crate::proto::rpc::compile(SOURCES).expect("compiles"), |_| None)
    }

    #[test]
    fn a_request_holds_what_is_asked_for() {
        let types = types();
        let of = types.message("M").expect("M");
        let read = |text: &str| {
            read_json(&of, text.as_bytes(), ReadOptions::default(), &types)
                .unwrap_or_else(|f| panic!("{text}: {}", f.message))
        };
        let request = r#"{"bigNumber":"7","d":1.5,"e":"ONE","inner":{"d":1},"list":[{"d":1},{"d":2,"flag":true}],
            "map":{"a":{"d":1,"flag":true}},"opt":"","at":"2026-01-01T00:00:00Z","any":{"x":{"y":[1],"z":2}},"data":"+/8=",
            "numbers":{"1":"a"},"nums":[1,2]}"#;
        let request = canonical(&read(request), &types);
        for (asked, holds) in [
            ("{}", true),
            (r#"{"big_number":7}"#, true),
            (r#"{"bigNumber":"8"}"#, false),
            (r#"{"d":"1.5"}"#, true),
            (r#"{"d":15e-1,"e":1}"#, true),
            (r#"{"e":"ZERO"}"#, false),
            (r#"{"inner":{}}"#, true),
            (r#"{"inner":{"d":1,"flag":false}}"#, true),
            (r#"{"inner":{"flag":true}}"#, false),
            (r#"{"inner":null}"#, false),
            (r#"{"flag":false}"#, true),
            (r#"{"flag":null}"#, true),
            (r#"{"flag":true}"#, false),
            (r#"{"list":[{},{"flag":true}]}"#, true),
            (r#"{"list":[{}]}"#, false),
            (r#"{"list":[]}"#, false),
            (r#"{"nums":[1,2]}"#, true),
            (r#"{"nums":[2,1]}"#, false),
            (r#"{"map":{"a":{"flag":true}}}"#, true),
            (r#"{"map":{"b":{}}}"#, false),
            (r#"{"numbers":{"1":"a"}}"#, true),
            (r#"{"opt":""}"#, true),
            (r#"{"opt":null}"#, false),
            (r#"{"at":"2026-01-01T01:00:00+01:00"}"#, true),
            (r#"{"any":{"x":{"z":2}}}"#, true),
            (r#"{"any":{"x":{"z":3}}}"#, false),
            (r#"{"data":"-_8"}"#, true),
        ] {
            let written: Value = serde_json::from_str(asked).expect(asked);
            let pattern = Pattern::of(&written, &read(asked), &types);
            let difference = pattern.difference(Some(&request));
            assert_eq!(difference.is_none(), holds, "{asked}: {difference:?}");
        }
    }

    #[test]
    fn differences_are_named() {
        let types = types();
        let of = types.message("M").expect("M");
        let asked = r#"{"list":[{"inner":{"big_number":"8"}}]}"#;
        let read = |text: &str| read_json(&of, text.as_bytes(), ReadOptions::default(), &types).expect("reads");
        let pattern = Pattern::of(&serde_json::from_str(asked).expect("JSON"), &read(asked), &types);
        let request = canonical(&read(r#"{"list":[{"inner":{"bigNumber":7}}]}"#), &types);
        let expected = "`list[0].inner.bigNumber`: \"8\" is asked for, \"7\" came";
        assert_eq!(pattern.difference(Some(&request)).as_deref(), Some(expected));
    }
}
