//! A message for a person: where it is from, what was said of it, and its body.
//!
//! What is said of it has two blanks before it, the body four and an empty line above, so that no body looks like a header.
//! Each label tells what a value is, so that what is not there is no text.

use anstyle::{AnsiColor, Style};

use unicode_width::UnicodeWidthStr;

use super::payload::{is_json, push_indented};
use super::sanitize::{push_bytes, push_json};
use crate::message::{BytesForm, Field, HeaderForms, Message, Shown, Time, Value};

/// The blanks before a body.
const MARGIN: usize = 4;

/// How it is shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    /// In colours.
    pub color: bool,
    /// Bodies as they came.
    pub raw_body: bool,
    /// How bytes are shown.
    pub bytes: BytesForm,
}

impl Look {
    /// How bytes are shown; what was decoded is text.
    pub(super) fn form_of(self, is_decoded: bool) -> BytesForm {
        if is_decoded { BytesForm::Auto } else { self.bytes }
    }
}

/// Appends a message, with an empty line behind it.
pub(super) fn push(out: &mut Vec<u8>, message: &Message<'_>, look: Look, forms: &HeaderForms) {
    let mut page = Page { out, look };
    page.origin(message);
    page.key(message);
    page.headers(message, forms);
    page.properties(message);
    page.schemas(message);
    page.body(message);
    page.out.push(b'\n');
}

struct Page<'o> {
    out: &'o mut Vec<u8>,
    look: Look,
}

impl Page<'_> {
    fn styled(&mut self, style: Style, write: impl FnOnce(&mut Vec<u8>)) {
        let style = if self.look.color { style } else { Style::new() };
        self.out.extend_from_slice(style.render().to_string().as_bytes());
        write(self.out);
        self.out.extend_from_slice(style.render_reset().to_string().as_bytes());
    }

    fn origin(&mut self, message: &Message<'_>) {
        self.styled(AnsiColor::Cyan.on_default().bold(), |out| {
            push_bytes(out, message.title().unwrap_or_default().as_bytes(), true);
        });
        self.styled(Style::new().dimmed(), |out| {
            if let Some(route) = message.route() {
                push_bytes(out, format!("  {route}").as_bytes(), true);
            }
            if let Some(time) = message.timestamp {
                out.extend_from_slice(b"  ");
                time.write_local(out);
            }
            if message.redelivered == Some(true) {
                out.extend_from_slice(b"  redelivered");
            }
            // A key that is text has a line of its own.
            match &message.key {
                Field::Null => out.extend_from_slice(b"  null key"),
                Field::Bytes(key) if key.is_empty() => out.extend_from_slice(b"  empty key"),
                _ => {}
            }
        });
        self.out.push(b'\n');
    }

    /// A line with a label.
    fn line(&mut self, label: &str, write: impl FnOnce(&mut Vec<u8>)) {
        self.styled(Style::new().dimmed(), |out| out.extend_from_slice(format!("  {label:8}").as_bytes()));
        self.out.push(b' ');
        write(self.out);
        self.out.push(b'\n');
    }

    /// A line that is a label alone.
    fn remark(&mut self, text: &str) {
        self.styled(Style::new().dimmed().italic(), |out| out.extend_from_slice(format!("  {text}").as_bytes()));
        self.out.push(b'\n');
    }

    fn key(&mut self, message: &Message<'_>) {
        let form = self.look.form_of(message.key_schema.is_some());
        if let Some(key) = message.key.bytes().filter(|key| !key.is_empty()) {
            self.line("key", |out| push_bytes(out, &form.of(key), true));
        }
    }

    fn headers(&mut self, message: &Message<'_>, forms: &HeaderForms) {
        for (name, value) in message.headers.iter() {
            if let (Shown::Typed(value), "x-death") = (&value, name)
                && let Some(deaths) = deaths(value)
            {
                self.deaths(&deaths);
                continue;
            }
            self.pair("header", name, |out| match value {
                Shown::Null => out.extend_from_slice(b" is null"),
                Shown::Text(text) => {
                    out.extend_from_slice(b": ");
                    match forms.of(name) {
                        Some(form) => push_bytes(out, &form.of(text), true),
                        None => push_bytes(out, text, true),
                    }
                }
                Shown::Typed(value) => {
                    let mut json = Vec::new();
                    value.write_json(&mut json);
                    out.extend_from_slice(b" = ");
                    push_json(out, &json);
                }
            });
        }
    }

    fn pair(&mut self, label: &str, name: &str, value: impl FnOnce(&mut Vec<u8>)) {
        self.line(label, |out| {
            push_bytes(out, name.as_bytes(), true);
            value(out);
        });
    }

    /// The deaths of a message, the newest first, as RabbitMQ has them.
    fn deaths(&mut self, rows: &[[String; 6]]) {
        let head = ["count", "reason", "queue", "exchange", "routing keys", "time"].map(str::to_owned);
        let mut widths = head.clone().map(|name| name.width());
        for row in rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.width());
            }
        }
        for (at, row) in std::iter::once(&head).chain(rows).enumerate() {
            let mut text = String::new();
            for (cell, width) in row.iter().zip(widths) {
                text.push_str(cell);
                text.extend(std::iter::repeat_n(' ', width + 2 - cell.width()));
            }
            let style = if at == 0 { Style::new().dimmed() } else { Style::new() };
            self.line("x-death", |_| ());
            // The line was ended for the others.
            self.out.pop();
            self.styled(style, |out| out.extend_from_slice(text.trim_end().as_bytes()));
            self.out.push(b'\n');
        }
    }

    fn properties(&mut self, message: &Message<'_>) {
        let Some(properties) = &message.properties else { return };
        let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(properties) else { return };
        for (name, value) in fields {
            self.pair("property", &name, |out| {
                out.extend_from_slice(b": ");
                match (name.as_str(), value.as_u64(), value.as_str()) {
                    ("delivery_mode", Some(2), _) => out.extend_from_slice(b"persistent"),
                    ("delivery_mode", Some(1), _) => out.extend_from_slice(b"transient"),
                    (_, _, Some(text)) => push_bytes(out, text.as_bytes(), true),
                    _ => push_json(out, value.to_string().as_bytes()),
                }
            });
        }
    }

    fn schemas(&mut self, message: &Message<'_>) {
        for (label, schema) in [("key by", &message.key_schema), ("by", &message.schema)] {
            if let Some(schema) = schema {
                self.line(label, |out| push_bytes(out, schema.to_string().as_bytes(), true));
            }
        }
    }

    fn body(&mut self, message: &Message<'_>) {
        let body = match &message.value {
            Field::Null | Field::Absent => return self.remark("null value"),
            Field::Bytes(body) if body.is_empty() => return self.remark("empty value"),
            Field::Bytes(body) => self.look.form_of(message.schema.is_some()).of(body),
        };
        if self.look.raw_body {
            push_bytes(self.out, &body, false);
            self.out.push(b'\n');
            return;
        }
        self.out.push(b'\n');
        if is_json(&body) {
            push_indented(self.out, &body, MARGIN, self.look.color);
            self.out.push(b'\n');
            return;
        }
        for line in body.strip_suffix(b"\n").unwrap_or(&body).split(|byte| *byte == b'\n') {
            self.out.extend(std::iter::repeat_n(b' ', MARGIN));
            push_bytes(self.out, line, false);
            self.out.push(b'\n');
        }
    }
}

/// The rows of an `x-death` as RabbitMQ writes it: count, reason, queue, exchange, routing keys, time. `None` where it is
/// anything else.
fn deaths(value: &Value<'_>) -> Option<Vec<[String; 6]>> {
    let mut json = Vec::new();
    value.write_json(&mut json);
    let json: serde_json::Value = serde_json::from_slice(&json).ok()?;
    let cell = |value: Option<&serde_json::Value>| match value {
        None => String::new(),
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(serde_json::Value::Array(list)) => list
            .iter()
            .map(|one| one.as_str().map_or_else(|| one.to_string(), str::to_owned))
            .collect::<Vec<_>>()
            .join(","),
        Some(serde_json::Value::Object(tagged))
            if let Some(seconds) = tagged.get("$timestamp").and_then(|s| s.as_u64()) =>
        {
            let mut text = Vec::new();
            Time::Seconds(seconds).write_rfc3339(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        }
        // The type that JSON lacks is no matter here.
        Some(serde_json::Value::Object(tagged)) if tagged.len() == 1 => {
            let one = tagged.values().next();
            one.map(|one| one.as_str().map_or_else(|| one.to_string(), str::to_owned)).unwrap_or_default()
        }
        Some(other) => other.to_string(),
    };
    let rows = json.as_array().filter(|rows| !rows.is_empty())?;
    let known = ["count", "reason", "queue", "exchange", "routing-keys", "time"];
    rows.iter()
        .map(|row| {
            let row = row.as_object()?;
            // What no row of the table shows is not left out of it.
            let is_known = row.keys().all(|name| known.contains(&name.as_str()) || name == "original-expiration");
            is_known.then(|| {
                let mut cells = known.map(|name| super::sanitize::escape_line(&cell(row.get(name))).into_owned());
                if let (Some(expiration), [_, reason, ..]) = (row.get("original-expiration"), &mut cells) {
                    reason.push_str(&format!(" after {}", super::sanitize::escape_line(&cell(Some(expiration)))));
                }
                cells
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Headers, Properties, Table};

    fn shown(message: &Message<'_>, look: Look) -> String {
        let mut out = Vec::new();
        push(&mut out, message, look, &HeaderForms::default());
        String::from_utf8(out).expect("UTF-8")
    }

    const PLAIN: Look = Look { color: false, raw_body: false, bytes: BytesForm::Auto };

    fn record(value: &[u8]) -> Message<'_> {
        Message {
            topic: Some("t".into()),
            partition: Some(0),
            offset: Some(7),
            key: Field::Null,
            value: Field::borrowed(value),
            ..Message::default()
        }
    }

    #[test]
    fn no_body_looks_like_what_was_said_of_it() {
        let value = b"a\n\n  header   x: y\nt[0]@8\n";
        assert_eq!(
            shown(&record(value), PLAIN),
            "t[0]@7  null key\n\n    a\n    \n      header   x: y\n    t[0]@8\n\n"
        );
        let raw = Look { raw_body: true, ..PLAIN };
        assert_eq!(shown(&record(b"{\"a\":1}"), raw), "t[0]@7  null key\n{\"a\":1}\n\n");
    }

    #[test]
    fn what_is_not_there_is_no_text() {
        let keys =
            [Field::Absent, Field::Null, Field::borrowed(b""), Field::borrowed(b"null"), Field::borrowed(b"\xff")];
        let firsts = ["", "  null key", "  empty key", "\n  key      null", "\n  key      \\xff"];
        for (key, first) in keys.into_iter().zip(firsts) {
            assert_eq!(shown(&Message { key, ..record(b"x") }, PLAIN), format!("t[0]@7{first}\n\n    x\n\n"));
        }
        let values = [(Field::Null, "  null value\n"), (Field::borrowed(b""), "  empty value\n")];
        for (value, last) in values.into_iter().chain([(Field::borrowed(b"null"), "\n    null\n")]) {
            assert_eq!(shown(&Message { value, ..record(b"") }, PLAIN), format!("t[0]@7  null key\n{last}\n"));
        }
    }

    #[test]
    fn headers_properties_and_deaths() {
        let text = |text: &'static str| Value::Text(text.as_bytes().into());
        let mut death = Table::default();
        death.insert("count", Value::I64(3));
        death.insert("reason", text("rejected"));
        death.insert("queue", text("orders"));
        death.insert("exchange", text("events"));
        death.insert("routing-keys", Value::Array(vec![text("a"), text("b")]));
        death.insert("time", Value::Timestamp(1));
        let mut table = Table::default();
        table.insert("x-death", Value::Array(vec![Value::Table(death)]));
        table.insert("n", Value::U8(3));
        table.insert("s", text("3"));
        let own = Properties { delivery_mode: Some(2), content_type: Some("a/b".into()), ..Properties::default() };
        let message = Message {
            headers: Headers::Amqp(table),
            properties: Some(Box::new(own)),
            value: Field::borrowed(b"[1]"),
            ..Message::default()
        };
        let lines = [
            "",
            "  header   n = {\"$u8\":3}",
            "  header   s: 3",
            "  x-death  count  reason    queue   exchange  routing keys  time",
            "  x-death  3      rejected  orders  events    a,b           1970-01-01T00:00:01Z",
            "  property content_type: a/b",
            "  property delivery_mode: persistent",
            "",
            "    [",
            "      1",
            "    ]",
            "",
            "",
        ];
        assert_eq!(shown(&message, PLAIN), lines.join("\n"));
    }

    #[test]
    fn bytes_in_one_shape() {
        for (bytes, body) in [(BytesForm::Hex, "ff41"), (BytesForm::Base64, "/0E="), (BytesForm::Text, "\u{fffd}A")] {
            let look = Look { bytes, ..PLAIN };
            assert_eq!(shown(&record(b"\xffA"), look), format!("t[0]@7  null key\n\n    {body}\n\n"));
        }
    }
}
