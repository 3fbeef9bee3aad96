//! The headers of messages as metadata of calls.

use std::collections::BTreeSet;

use http::{HeaderMap, HeaderValue};

use crate::error::counted;
use crate::message::Headers;
use crate::message::asker::is_of_asker;
use crate::message::grpc::from_header;
use crate::traceparent::{NAME, Trace, is_name};

/// How many names that were left out are told apart.
const NAMES: usize = 1000;

/// How many of them are named.
const NAMED: usize = 5;

/// Makes metadata of headers.
pub(crate) struct Metadata {
    /// Names that `-H` sets: they count, whatever a message says.
    given: HeaderMap,
    trace: Option<Trace>,
    left_out: BTreeSet<String>,
    /// Nothing of who asked goes along.
    hides_asker: bool,
}

impl Metadata {
    /// Of a message, beside what every call has.
    pub(crate) fn beside(given: &HeaderMap, trace: Option<Trace>) -> Metadata {
        let trace = trace.filter(|_| !given.contains_key(NAME));
        Metadata { given: given.clone(), trace, left_out: BTreeSet::new(), hides_asker: false }
    }

    /// The messages are requests: who asked is no matter of the service.
    #[must_use]
    pub(crate) fn hiding_asker(self, hides_asker: bool) -> Metadata {
        Metadata { hides_asker, ..self }
    }

    /// What of the headers can be metadata.
    pub(crate) fn of(&mut self, headers: &Headers<'_>) -> HeaderMap {
        let mut metadata = HeaderMap::new();
        let hides_asker = self.hides_asker;
        for (name, value) in headers.iter().filter(|(name, _)| !(hides_asker && is_of_asker(name))) {
            let pair = value.bytes().and_then(|value| from_header(name, value));
            match pair.filter(|(name, _)| !self.given.contains_key(name)) {
                Some((name, value)) => drop(metadata.append(name, value)),
                None if self.left_out.len() < NAMES => drop(self.left_out.insert(name.to_owned())),
                None => {}
            }
        }
        // A message's own counts also where it cannot be metadata: what goes on is not another trace.
        if let Some(trace) = &self.trace
            && !headers.iter().any(|(name, _)| is_name(name))
            && let Ok(parent) = HeaderValue::from_str(&trace.parent())
        {
            metadata.insert(NAME, parent);
        }
        metadata
    }

    /// In words which names were left out, once.
    pub(crate) fn left_out(&mut self) -> Option<String> {
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
    use std::borrow::Cow;

    use super::*;
    use crate::message::{Table, Value};

    #[test]
    fn what_can_be_metadata_is() {
        let given: HeaderMap =
            [("authorization".parse().expect("a name"), HeaderValue::from_static("x"))].into_iter().collect();
        let mut metadata = Metadata::beside(&given, None);
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
