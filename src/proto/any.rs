//! `google.protobuf.Any`: where the types inside of it come from.

use bytes::Bytes;

use super::dynamic::{DynamicMessage, Value};
use super::schema::{MessageType, Schema, WellKnown};

/// Finds the type of an `Any`.
pub trait Resolver {
    /// The message of this full name.
    fn message(&self, name: &str) -> Option<MessageType>;
}

impl Resolver for Schema {
    fn message(&self, name: &str) -> Option<MessageType> {
        Schema::message(self, name)
    }
}

/// The first that knows it.
impl<A: Resolver, B: Resolver> Resolver for (A, B) {
    fn message(&self, name: &str) -> Option<MessageType> {
        self.0.message(name).or_else(|| self.1.message(name))
    }
}

impl<T: Resolver> Resolver for Vec<T> {
    fn message(&self, name: &str) -> Option<MessageType> {
        self.iter().find_map(|resolver| resolver.message(name))
    }
}

impl<T: Resolver + ?Sized> Resolver for &T {
    fn message(&self, name: &str) -> Option<MessageType> {
        (**self).message(name)
    }
}

/// The full name in a type URL: what follows its last slash.
pub(crate) fn type_name(url: &str) -> &str {
    url.rsplit_once('/').map_or(url, |(_, name)| name)
}

/// The type URL and the bytes of an `Any`.
pub(super) fn parts(any: &DynamicMessage) -> (&str, Bytes) {
    let value = match any.get(2) {
        Some(Value::Bytes(value)) => value.clone(),
        _ => Bytes::new(),
    };
    (any.get(1).and_then(Value::as_str).unwrap_or_default(), value)
}

/// Deepest nesting of `Any` in `Any` that is looked into; each level may hold 100 levels of messages.
pub(super) const MAX_DEPTH: usize = 8;

/// The full names of types inside of `Any`s of this message that the resolver does not know.
pub(crate) fn unresolved(message: &DynamicMessage, resolver: &dyn Resolver) -> Vec<String> {
    let mut names = Vec::new();
    collect(message, resolver, MAX_DEPTH, &mut names);
    names.sort();
    names.dedup();
    names
}

fn collect(message: &DynamicMessage, resolver: &dyn Resolver, depth: usize, names: &mut Vec<String>) {
    if message.of().info().well_known == Some(WellKnown::Any) {
        let (url, value) = parts(message);
        let name = type_name(url);
        match resolver.message(name) {
            None if name.is_empty() => {}
            None => names.push(name.to_owned()),
            Some(of) if depth > 0 => {
                if let Ok(inner) = DynamicMessage::decode(of, value) {
                    collect(&inner, resolver, depth - 1, names);
                }
            }
            Some(_) => {}
        }
        return;
    }
    message.set_fields().for_each(|(_, value)| in_value(value, resolver, depth, names));
}

fn in_value(value: &Value, resolver: &dyn Resolver, depth: usize, names: &mut Vec<String>) {
    match value {
        Value::Message(message) => collect(message, resolver, depth, names),
        Value::List(items) => items.iter().for_each(|item| in_value(item, resolver, depth, names)),
        Value::Map(entries) => entries.iter().for_each(|(_, entry)| in_value(entry, resolver, depth, names)),
        _ => {}
    }
}
