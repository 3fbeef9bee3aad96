//! Format strings with kcat's tokens, parsed once.

use super::sanitize::{escape_json, push_bytes};
use crate::message::{BytesForm, HeaderForms, Headers, Message, Shown, Time};
use crate::values::escaped;

/// What may stand behind a `%`, with what it is for a person: the parser, the help and the errors have it from here.
const TOKENS: &[(char, Part, &str)] = &[
    ('s', Part::Value, "value"),
    ('S', Part::ValueLength, "its length"),
    ('R', Part::ValueLengthBinary, "its length as 4 bytes"),
    ('k', Part::Key, "key or routing key"),
    ('K', Part::KeyLength, "its length"),
    ('t', Part::Topic, "topic or exchange"),
    ('p', Part::Partition, "partition"),
    ('o', Part::Offset, "offset (of a stream too)"),
    ('T', Part::Timestamp, "timestamp in ms"),
    ('h', Part::Headers, "headers"),
];

/// The tokens, for errors and help.
pub(crate) fn tokens() -> String {
    let tokens = TOKENS.iter().map(|(token, _, what)| format!("%{token} {what}, "));
    tokens.chain(["%% percent".to_owned()]).collect()
}

/// A parsed format string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(Vec<u8>),
    Value,
    ValueLength,
    ValueLengthBinary,
    Key,
    KeyLength,
    Topic,
    Partition,
    Offset,
    Timestamp,
    Headers,
}

impl Format {
    /// Parses a format string: tokens behind `%`, escapes behind `\`.
    ///
    /// # Errors
    /// A sentence that names the bad token and the allowed ones.
    pub fn parse(text: &str) -> Result<Format, String> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut chars = text.chars();
        let flush = |literal: &mut String, parts: &mut Vec<Part>| -> Result<(), String> {
            if !literal.is_empty() {
                parts.push(Part::Literal(escaped(literal)?));
                literal.clear();
            }
            Ok(())
        };
        while let Some(c) = chars.next() {
            if c != '%' {
                literal.push(c);
                // The character behind a backslash belongs to it, even `%`.
                if c == '\\' {
                    literal.extend(chars.next());
                }
                continue;
            }
            let token = match chars.next() {
                Some('%') => {
                    literal.push('%');
                    continue;
                }
                Some(token) => token,
                None => return Err(format!("a lone `%` at the end; allowed: {}", tokens())),
            };
            let Some((_, part, _)) = TOKENS.iter().find(|(known, ..)| *known == token) else {
                return Err(format!("unknown token `%{token}`; allowed: {}", tokens()));
            };
            flush(&mut literal, &mut parts)?;
            parts.push(part.clone());
        }
        flush(&mut literal, &mut parts)?;
        Ok(Format(parts))
    }

    /// True when a message's headers are in it.
    pub fn shows_headers(&self) -> bool {
        self.0.contains(&Part::Headers)
    }

    /// Appends a message. On a terminal what strangers wrote is escaped, each piece as what it is: text, or JSON.
    pub fn write(&self, out: &mut Vec<u8>, message: &Message<'_>, bytes: BytesForm, forms: &HeaderForms, escape: bool) {
        let form = |is_decoded: bool| if is_decoded { BytesForm::Auto } else { bytes };
        let data = |out: &mut Vec<u8>, data: &[u8], is_decoded| text(out, &form(is_decoded).of(data), escape);
        let key = || message.routed_by();
        for part in &self.0 {
            match part {
                Part::Literal(text) => out.extend_from_slice(text),
                Part::Value => data(out, message.value.bytes().unwrap_or_default(), message.schema.is_some()),
                Part::ValueLength => length(out, message.value.bytes()),
                Part::ValueLengthBinary => {
                    let length = message.value.bytes().map_or(-1, |v| i32::try_from(v.len()).unwrap_or(i32::MAX));
                    out.extend_from_slice(&length.to_be_bytes());
                }
                Part::Key => data(out, key().unwrap_or_default(), message.key_schema.is_some()),
                Part::KeyLength => length(out, key()),
                Part::Topic => data(out, message.destination().unwrap_or_default().as_bytes(), false),
                Part::Partition => number(out, message.partition.map_or(-1, i64::from)),
                Part::Offset => number(out, message.position().unwrap_or(-1)),
                Part::Timestamp => number(out, message.timestamp.and_then(Time::millis).unwrap_or(-1)),
                Part::Headers => headers(out, &message.headers, forms, escape),
            }
        }
    }
}

fn text(out: &mut Vec<u8>, bytes: &[u8], escape: bool) {
    match escape {
        true => push_bytes(out, bytes, false),
        false => out.extend_from_slice(bytes),
    }
}

fn number(out: &mut Vec<u8>, n: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
}

/// kcat's convention: null has the length -1.
fn length(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    number(out, bytes.map_or(-1, |b| i64::try_from(b.len()).unwrap_or(i64::MAX)));
}

/// `a=1,b=NULL`, as kcat; values that are no strings are JSON.
fn headers(out: &mut Vec<u8>, headers: &Headers<'_>, forms: &HeaderForms, escape: bool) {
    for (i, (name, value)) in headers.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        text(out, name.as_bytes(), escape);
        out.push(b'=');
        match value {
            Shown::Null => out.extend_from_slice(b"NULL"),
            Shown::Text(value) => match forms.of(name) {
                Some(form) => text(out, &form.of(value), escape),
                None => text(out, value, escape),
            },
            Shown::Typed(value) => {
                let from = out.len();
                value.write_json(out);
                if escape {
                    escape_json(out, from);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Field, Value};

    fn formatted(text: &str, message: &Message<'_>) -> String {
        let mut out = Vec::new();
        Format::parse(text).expect(text).write(&mut out, message, BytesForm::Auto, &HeaderForms::default(), false);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn kcats_tokens() {
        let message = Message {
            topic: Some("t".into()),
            partition: Some(1),
            offset: Some(42),
            timestamp: Some(Time::Millis(5)),
            key: Field::Null,
            headers: Headers::Kafka(vec![("a".into(), Some(b"1".as_slice().into())), ("b".into(), None)]),
            value: Field::borrowed(b"body"),
            ..Message::default()
        };
        assert_eq!(formatted(r"%t %p %o %T %K:%k %S:%s %h %%\n\x41", &message), "t 1 42 5 -1: 4:body a=1,b=NULL %\nA");
        assert_eq!(formatted("%R", &message), "\0\0\0\u{4}");
        assert_eq!(formatted("%t|%p|%T", &Message::default()), "|-1|-1");
    }

    #[test]
    fn headers_of_any_type() {
        let text = |text: &'static str| Value::Text(text.as_bytes().into());
        let entries = [("a", text("1")), ("b", Value::Void), ("x-stream-offset", Value::I64(7)), ("z", Value::U8(3))];
        let headers = Headers::Amqp(entries.map(|(name, value)| (name.into(), value)).into_iter().collect());
        let message = Message { headers, ..Message::default() };
        assert_eq!(formatted("%o %h", &message), r#"7 a=1,b=NULL,x-stream-offset=7,z={"$u8":3}"#);
    }

    #[test]
    fn bad_ones_name_the_allowed() {
        for bad in ["%x", "%", r"\q"] {
            assert!(Format::parse(bad).expect_err(bad).contains("allowed") || bad == "%", "{bad}");
        }
    }
}
