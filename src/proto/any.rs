//! `google.protobuf.Any`: where the types inside of it come from.

use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, ReflectMessage, Value};

/// Finds the type of an `Any`.
pub trait Resolver {
    /// The message of this full name.
    fn message(&self, name: &str) -> Option<MessageDescriptor>;
}

impl Resolver for DescriptorPool {
    fn message(&self, name: &str) -> Option<MessageDescriptor> {
        self.get_message_by_name(name)
    }
}

/// The first that knows it.
impl<A: Resolver, B: Resolver> Resolver for (A, B) {
    fn message(&self, name: &str) -> Option<MessageDescriptor> {
        self.0.message(name).or_else(|| self.1.message(name))
    }
}

impl<T: Resolver + ?Sized> Resolver for &T {
    fn message(&self, name: &str) -> Option<MessageDescriptor> {
        (**self).message(name)
    }
}

/// The full name in a type URL: what follows its last slash.
pub fn type_name(url: &str) -> &str {
    url.rsplit_once('/').map_or(url, |(_, name)| name)
}

/// The type URL and the bytes of an `Any`.
pub(super) fn parts(any: &DynamicMessage) -> (String, bytes::Bytes) {
    let url = match any.get_field_by_number(1).as_deref() {
        Some(Value::String(url)) => url.clone(),
        _ => String::new(),
    };
    let value = match any.get_field_by_number(2).as_deref() {
        Some(Value::Bytes(value)) => value.clone(),
        _ => bytes::Bytes::new(),
    };
    (url, value)
}

/// Deepest nesting of `Any` in `Any` that is looked into; each level may hold 100 levels of messages.
pub(super) const MAX_DEPTH: usize = 8;

/// The full names of types inside of `Any`s of this message that the resolver does not know.
pub fn unresolved(message: &DynamicMessage, resolver: &dyn Resolver) -> Vec<String> {
    let mut names = Vec::new();
    collect(message, resolver, MAX_DEPTH, &mut names);
    names.sort();
    names.dedup();
    names
}

fn collect(message: &DynamicMessage, resolver: &dyn Resolver, depth: usize, names: &mut Vec<String>) {
    if message.descriptor().full_name() == "google.protobuf.Any" {
        let (url, value) = parts(message);
        let name = type_name(&url);
        match resolver.message(name) {
            None if name.is_empty() => {}
            None => names.push(name.to_owned()),
            Some(descriptor) if depth > 0 => {
                if let Ok(inner) = DynamicMessage::decode(descriptor, value) {
                    collect(&inner, resolver, depth - 1, names);
                }
            }
            Some(_) => {}
        }
        return;
    }
    let values = message.fields().map(|(_, v)| v).chain(message.extensions().map(|(_, v)| v));
    for value in values {
        in_value(value, resolver, depth, names);
    }
}

fn in_value(value: &Value, resolver: &dyn Resolver, depth: usize, names: &mut Vec<String>) {
    match value {
        Value::Message(message) => collect(message, resolver, depth, names),
        Value::List(items) => items.iter().for_each(|item| in_value(item, resolver, depth, names)),
        Value::Map(entries) => entries.values().for_each(|entry| in_value(entry, resolver, depth, names)),
        _ => {}
    }
}
