//! Exchanges and what their bindings match.

use std::collections::HashSet;
use std::rc::Rc;

use super::QueueId;
use super::fault::{Code, Fault};
use super::method::ExchangeFlags;
use super::table::{Table, Value};

/// The types of exchanges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExchangeKind {
    /// Equal keys.
    Direct,
    /// Everything.
    Fanout,
    /// Patterns of words.
    Topic,
    /// Headers.
    Headers,
}

impl ExchangeKind {
    /// The type of this name.
    ///
    /// # Errors
    /// RabbitMQ's refusal of other names.
    pub(crate) fn named(name: &str) -> Result<ExchangeKind, Fault> {
        match name {
            "direct" => Ok(ExchangeKind::Direct),
            "fanout" => Ok(ExchangeKind::Fanout),
            "topic" => Ok(ExchangeKind::Topic),
            "headers" => Ok(ExchangeKind::Headers),
            // Of names that Erlang knows for something else it says that they are invalid; this one is the likeliest.
            "" => Err(Fault::new(Code::CommandInvalid, "invalid exchange type ''")),
            _ => Err(Fault::new(Code::CommandInvalid, format!("unknown exchange type '{name}'"))),
        }
    }

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            ExchangeKind::Direct => "direct",
            ExchangeKind::Fanout => "fanout",
            ExchangeKind::Topic => "topic",
            ExchangeKind::Headers => "headers",
        }
    }
}

/// Where a binding leads.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Destination {
    /// A queue.
    Queue(QueueId),
    /// Another exchange.
    Exchange(Rc<str>),
}

/// A binding.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Binding {
    /// Where it leads.
    pub destination: Destination,
    /// Its key.
    pub key: Box<[u8]>,
    /// Its arguments.
    pub arguments: Table,
}

/// An exchange.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// Its name.
    pub name: Rc<str>,
    /// Its type.
    pub kind: ExchangeKind,
    /// What it was declared with.
    pub flags: ExchangeFlags,
    /// What it was declared with.
    pub arguments: Table,
    /// The bindings from it.
    pub bindings: HashSet<Binding>,
}

impl Exchange {
    /// An exchange without bindings.
    pub(crate) fn new(name: &str, kind: ExchangeKind, flags: ExchangeFlags, arguments: Table) -> Exchange {
        Exchange { name: name.into(), kind, flags, arguments, bindings: HashSet::new() }
    }

    /// True when it deletes itself without bindings, and has none left.
    pub(crate) fn is_unused(&self) -> bool {
        self.flags.auto_delete && self.bindings.is_empty()
    }

    /// Where a message goes that no binding matches.
    pub(crate) fn alternate(&self) -> Option<&str> {
        self.arguments
            .get("alternate-exchange")
            .and_then(Value::as_text)
            .and_then(|name| std::str::from_utf8(name).ok())
    }

    /// Where a message with these keys and headers goes.
    pub(crate) fn destinations<'a>(
        &'a self,
        keys: &'a [Vec<u8>],
        headers: &'a Table,
    ) -> impl Iterator<Item = &'a Destination> {
        let words: Vec<Vec<&[u8]>> = match self.kind {
            ExchangeKind::Topic => keys.iter().map(|key| words(key)).collect(),
            _ => Vec::new(),
        };
        let matching = move |binding: &&Binding| match self.kind {
            ExchangeKind::Fanout => true,
            ExchangeKind::Direct => keys.iter().any(|key| **key == *binding.key),
            ExchangeKind::Topic => {
                let pattern = self::words(&binding.key);
                words.iter().any(|key| topic_matches(&pattern, key))
            }
            ExchangeKind::Headers => headers_match(&binding.arguments, headers),
        };
        self.bindings.iter().filter(matching).map(|binding| &binding.destination)
    }
}

/// A key's words. The empty key has none.
fn words(key: &[u8]) -> Vec<&[u8]> {
    if key.is_empty() { Vec::new() } else { key.split(|b| *b == b'.').collect() }
}

/// `*` stands for one word, `#` for any number of them. In time that grows with the product of the lengths, whatever the
/// pattern is.
fn topic_matches(pattern: &[&[u8]], key: &[&[u8]]) -> bool {
    // Where to go on when a word does not fit: behind the last `#`, with one more word left to it.
    let (mut p, mut k, mut retry) = (0, 0, None);
    loop {
        match (pattern.get(p), key.get(k)) {
            (None, None) => return true,
            (Some(&b"#"), _) => {
                retry = Some((p + 1, k));
                p += 1;
            }
            (Some(word), Some(found)) if *word == b"*" || word == found => {
                p += 1;
                k += 1;
            }
            _ => match retry {
                Some((after, from)) if from < key.len() => {
                    retry = Some((after, from + 1));
                    p = after;
                    k = from + 1;
                }
                _ => return false,
            },
        }
    }
}

/// How a binding's headers are compared: all or any of them, and whether those that begin with `x-` count.
fn match_mode(arguments: &Table) -> Option<(bool, bool)> {
    match arguments.get("x-match").map(Value::as_text) {
        None => Some((true, false)),
        Some(Some(b"all")) => Some((true, false)),
        Some(Some(b"any")) => Some((false, false)),
        Some(Some(b"all-with-x")) => Some((true, true)),
        Some(Some(b"any-with-x")) => Some((false, true)),
        Some(_) => None,
    }
}

/// Checks the arguments of a binding to an exchange of type headers.
///
/// # Errors
/// RabbitMQ's refusal of an unknown `x-match`.
pub(crate) fn check_headers_binding(arguments: &Table) -> Result<(), Fault> {
    if match_mode(arguments).is_some() {
        return Ok(());
    }
    let value = arguments.get("x-match");
    let text = match value.and_then(Value::as_text) {
        Some(text) => format!(
            "Invalid x-match field value {}; expected all, any, all-with-x, or any-with-x",
            super::fault::erlang_binary(text)
        ),
        None => format!(
            "Invalid x-match field type {} (value {}); expected longstr",
            value.map_or("void", Value::type_name),
            value.map(Value::shown).unwrap_or_default()
        ),
    };
    Err(Fault::new(Code::PreconditionFailed, text))
}

fn headers_match(pattern: &Table, headers: &Table) -> bool {
    let Some((all, with_x)) = match_mode(pattern) else { return false };
    let mut wanted = pattern.iter().filter(|(name, _)| *name != b"x-match" && (with_x || !name.starts_with(b"x-")));
    let index = headers.index();
    // A pattern without a value asks for the header's presence alone.
    let fits =
        |(name, value): (&[u8], &Value)| index.get(name).is_some_and(|found| value.is_void() || value.matches(found));
    if all { wanted.all(fits) } else { wanted.any(fits) }
}

/// Refuses what is no matter of the default exchange.
///
/// # Errors
/// RabbitMQ's refusal.
pub(crate) fn not_default(name: &str) -> Result<(), Fault> {
    match name {
        "" => Err(Fault::new(Code::AccessRefused, "operation not permitted on the default exchange")),
        _ => Ok(()),
    }
}

/// There is no such exchange.
pub(crate) fn no_exchange(name: &str, vhost: &str) -> Fault {
    Fault::new(Code::NotFound, format!("no exchange '{name}' in vhost '{vhost}'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics() {
        let yes = |pattern: &str, key: &str| topic_matches(&words(pattern.as_bytes()), &words(key.as_bytes()));
        for (pattern, key) in [
            ("#", ""),
            ("#", "a.b"),
            ("a.#", "a"),
            ("a.#.b", "a.b"),
            ("a.#.b", "a.x.b.y.b"),
            ("*.#.*", "a.b"),
            ("#.*", "a"),
            ("*", "a"),
            ("a..b", "a..b"),
            ("a.*.b", "a..b"),
            ("", ""),
            ("#.#", ""),
        ] {
            assert!(yes(pattern, key), "{pattern} {key}");
        }
        for (pattern, key) in
            [("*", ""), ("*", "a.b"), ("a.*", "a"), ("a.#.b", "a.x"), ("a.b", "a.b.c"), ("#.*", ""), ("", "a")]
        {
            assert!(!yes(pattern, key), "{pattern} {key}");
        }
    }
}
