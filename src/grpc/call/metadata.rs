//! The headers of messages as metadata of calls.

use std::borrow::Cow;
use std::collections::BTreeSet;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::error::counted;
use crate::message::grpc::{Shown, encoded};
use crate::message::{Headers, Value};

/// How many names that were left out are told apart.
const NAMES: usize = 1000;

/// How many of them are named.
const NAMED: usize = 5;

/// Set by the client itself, beside what no metadata may be.
const OWN: [&str; 2] = ["user-agent", "content-length"];

/// Makes metadata of headers.
pub struct Metadata {
    /// Names that `-H` sets: they count, whatever a message says.
    given: HeaderMap,
    left_out: BTreeSet<String>,
}

impl Metadata {
    /// Of a message, beside what every call has.
    pub fn beside(given: &HeaderMap) -> Metadata {
        Metadata { given: given.clone(), left_out: BTreeSet::new() }
    }

    /// What of the headers can be metadata.
    pub fn of(&mut self, headers: &Headers<'_>) -> HeaderMap {
        let mut metadata = HeaderMap::new();
        let mut put = |name: &str, value: Option<&[u8]>| match value.and_then(|value| self.pair(name, value)) {
            Some((name, value)) => drop(metadata.append(name, value)),
            None if self.left_out.len() < NAMES => drop(self.left_out.insert(name.to_owned())),
            None => {}
        };
        match headers {
            Headers::Absent => {}
            Headers::Kafka(headers) => headers.iter().for_each(|(name, value)| put(name, value.as_deref())),
            Headers::Amqp(table) => table.iter().for_each(|(name, value)| match value {
                Value::Text(value) | Value::Bytes(value) => put(name, Some(value)),
                _ => put(name, None),
            }),
        }
        metadata
    }

    fn pair(&self, name: &str, value: &[u8]) -> Option<(HeaderName, HeaderValue)> {
        let name = name.to_ascii_lowercase();
        // gRPC over HTTP2, "Custom-Metadata".
        let is_name = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b));
        if !is_name || OWN.contains(&name.as_str()) || self.given.contains_key(&name) {
            return None;
        }
        let value = match name.ends_with("-bin") {
            true => Shown::Binary(value.to_vec()),
            false => Shown::Text(Cow::Borrowed(std::str::from_utf8(value).ok()?)),
        };
        encoded(&name, &value).ok()
    }

    /// In words which names were left out, once.
    pub fn left_out(&mut self) -> Option<String> {
        let names = std::mem::take(&mut self.left_out);
        if names.is_empty() {
            return None;
        }
        let shown: Vec<String> = names.iter().take(NAMED).map(|name| format!("`{}`", name.escape_debug())).collect();
        let more = if names.len() > NAMED { ", …" } else { "" };
        let count = counted(names.len() as u64, "header name");
        Some(format!("{count} cannot be metadata of a call, and went without: {}{more}", shown.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Table;

    #[test]
    fn what_can_be_metadata_is() {
        let given: HeaderMap =
            [("authorization".parse().expect("a name"), HeaderValue::from_static("x"))].into_iter().collect();
        let mut metadata = Metadata::beside(&given);
        let pair = |name: &'static str, value: &'static [u8]| (Cow::Borrowed(name), Some(Cow::Borrowed(value)));
        let kafka = Headers::Kafka(vec![
            pair("Trace-Id", b"1"),
            pair("trace-id", b"2"),
            pair("raw-bin", b"\xff"),
            pair("raw", b"\xff"),
            pair("grpc-timeout", b"1S"),
            pair("authorization", b"y"),
            pair("user-agent", b"z"),
            pair("te", b"z"),
            pair(":path", b"z"),
            pair("a b", b"z"),
            (Cow::Borrowed("null"), None),
        ]);
        let map = metadata.of(&kafka);
        let shown: Vec<_> = map.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        assert_eq!(shown, [("trace-id", &b"1"[..]), ("trace-id", b"2"), ("raw-bin", b"/w")]);
        let table: Table<'_> =
            [("a".into(), Value::Text(b"1"[..].into())), ("n".into(), Value::I32(1))].into_iter().collect();
        assert_eq!(metadata.of(&Headers::Amqp(table)).len(), 1);
        let told = metadata.left_out().expect("names");
        assert_eq!(
            told,
            "9 header names cannot be metadata of a call, and went without: `:path`, `a b`, `authorization`, `grpc-timeout`, `n`, …"
        );
        assert_eq!(metadata.left_out(), None);
    }
}
