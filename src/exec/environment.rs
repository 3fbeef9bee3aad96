//! What a message says of itself, as environment variables.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use crate::message::asker::is_of_asker;
use crate::message::{Message, Shown};

/// How all of their names begin. No flag's variable does.
const PREFIX: &str = "MSCOMM_MESSAGE_";

/// Linux takes no variable of 128 KiB, and not two MiB of all together (execve(2)).
const LARGEST: usize = 64 * 1024;
const LARGEST_TOGETHER: usize = 512 * 1024;

/// The names of those that this process was given itself.
pub(super) fn inherited() -> Vec<OsString> {
    let names = std::env::vars_os().map(|(name, _)| name);
    names.filter(|name| name.as_bytes().starts_with(PREFIX.as_bytes())).collect()
}

/// Variables of a message, and why one of its members is none.
#[derive(Debug, Default)]
pub(super) struct Variables {
    /// Names and values.
    pub set: Vec<(String, OsString)>,
    /// About the first member that cannot be one.
    pub left_out: Option<String>,
    size: usize,
}

impl Variables {
    /// Those of a message; its body is none.
    pub(super) fn of(message: &Message<'_>) -> Variables {
        // Each by its name, so that a new field does not compile before it is here.
        let Message {
            protocol,
            topic,
            partition,
            offset,
            exchange,
            routing_key,
            queue,
            redelivered,
            timestamp,
            key,
            key_schema: _,
            headers,
            schema: _,
            value: _,
            properties,
        } = message;
        let mut variables = Variables::default();
        let mut put = |name: &str, value: Option<Vec<u8>>| {
            if let Some(value) = value {
                variables.put(name.to_owned(), value);
            }
        };
        let text = |text: &Option<std::borrow::Cow<'_, str>>| text.as_deref().map(|text| text.as_bytes().to_vec());
        let number = |number: Option<i64>| number.map(|number| number.to_string().into_bytes());
        put("PROTOCOL", protocol.map(|protocol| protocol.name().as_bytes().to_vec()));
        put("TOPIC", text(topic));
        put("PARTITION", number(partition.map(i64::from)));
        put("OFFSET", number(*offset));
        put("EXCHANGE", text(exchange));
        put("ROUTING_KEY", text(routing_key));
        put("QUEUE", text(queue));
        put("REDELIVERED", redelivered.map(|redelivered| redelivered.to_string().into_bytes()));
        put("KEY", key.bytes().map(<[u8]>::to_vec));
        put(
            "TIMESTAMP",
            timestamp.map(|time| {
                let mut out = Vec::new();
                time.write_json(&mut out);
                // Without its quotes, where it has them.
                match out.strip_prefix(b"\"").and_then(|out| out.strip_suffix(b"\"")) {
                    Some(text) => text.to_vec(),
                    None => out,
                }
            }),
        );
        for (name, value) in headers.iter() {
            // The bytes of most of these are no text.
            if is_of_asker(name) && value.bytes().is_some_and(|bytes| bytes.contains(&0)) {
                continue;
            }
            put(&format!("HEADER_{}", upper(name)), shown(value));
        }
        if let Some(serde_json::Value::Object(own)) =
            properties.as_ref().and_then(|properties| serde_json::to_value(properties).ok())
        {
            for (name, value) in own {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                put(&format!("PROPERTY_{}", upper(&name)), Some(value.into_bytes()));
            }
        }
        variables
    }

    fn put(&mut self, name: String, value: Vec<u8>) {
        let why = match () {
            () if value.contains(&0) => "it holds a zero byte",
            () if name.len() + value.len() > LARGEST || self.size + name.len() + value.len() > LARGEST_TOGETHER => {
                "it is too large"
            }
            () => {
                self.size += name.len() + value.len();
                self.set.push((format!("{PREFIX}{name}"), OsString::from_vec(value)));
                return;
            }
        };
        self.left_out.get_or_insert_with(|| {
            format!("{PREFIX}{name} is not set, because {why}; --exec-input json gives the whole message")
        });
    }
}

/// A header's text; nothing of null.
fn shown(value: Shown<'_>) -> Option<Vec<u8>> {
    match value {
        Shown::Null => None,
        Shown::Typed(typed) if value.bytes().is_none() => {
            let mut out = Vec::new();
            typed.write_json(&mut out);
            Some(number(&out).unwrap_or(out))
        }
        value => value.bytes().map(<[u8]>::to_vec),
    }
}

/// What an envelope tags with its type is a number here, as it is to whoever reads a variable.
fn number(json: &[u8]) -> Option<Vec<u8>> {
    let tagged: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(json).ok()?;
    match tagged.iter().next()? {
        (tag, serde_json::Value::Number(number)) if tagged.len() == 1 && tag.starts_with('$') => {
            Some(number.to_string().into_bytes())
        }
        _ => None,
    }
}

/// A name in capitals, with `_` for what a shell's variable cannot have.
fn upper(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Field, Headers, Properties, Table, Value};

    fn of(message: &Message<'_>) -> (Vec<String>, bool) {
        let Variables { set, left_out, .. } = Variables::of(message);
        let line = |(name, value): &(String, OsString)| {
            format!("{}={}", name.strip_prefix(PREFIX).expect("begins so"), value.to_string_lossy())
        };
        (set.iter().map(line).collect(), left_out.is_some())
    }

    #[test]
    fn what_a_message_has() {
        let list = vec![("trace-id".into(), Some(b"a".as_slice().into())), ("gone".into(), None)];
        let record = Message {
            topic: Some("orders".into()),
            offset: Some(7),
            key: Field::borrowed(b"k\xff"),
            headers: Headers::Kafka(list),
            ..Message::default()
        };
        let (set, left_out) = of(&record);
        assert_eq!(set, ["TOPIC=orders", "OFFSET=7", "KEY=k\u{fffd}", "HEADER_TRACE_ID=a"]);
        assert!(!left_out);
        let mut table = Table::default();
        table.insert("x-retries", Value::I32(3));
        let own = Properties { message_id: Some("id".into()), delivery_mode: Some(2), ..Properties::default() };
        let message = Message { headers: Headers::Amqp(table), properties: Some(Box::new(own)), ..Message::default() };
        assert_eq!(of(&message).0, ["HEADER_X_RETRIES=3", "PROPERTY_DELIVERY_MODE=2", "PROPERTY_MESSAGE_ID=id"]);
    }

    #[test]
    fn what_no_variable_can_hold() {
        let large = vec![b'x'; LARGEST];
        for key in [b"a\0b".as_slice(), &large] {
            let message = Message { key: Field::borrowed(key), topic: Some("t".into()), ..Message::default() };
            assert_eq!(of(&message), (vec!["TOPIC=t".to_owned()], true));
        }
        let half = vec![b'x'; LARGEST / 2];
        let list = (0..100).map(|n| (n.to_string().into(), Some(half.as_slice().into()))).collect();
        let (set, left_out) = of(&Message { headers: Headers::Kafka(list), ..Message::default() });
        assert!(left_out && set.len() == 15, "{}", set.len());
    }
}
