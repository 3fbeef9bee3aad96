//! A message to fill in, with every field.

use std::collections::HashMap;
use std::fmt::Write;

use prost_reflect::Value as Default;

use super::dynamic::Value;
use super::schema::{Field, FieldKind, FieldSource, Label, MessageType, WellKnown};
use super::source::{KnownFile, OptionSchema};
use super::text::quoted_text;

/// Deepest nesting that a template shows.
const MAX_DEPTH: usize = 5;

/// How a template is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// JSON, with what there is to know of each field behind `//`.
    Json,
    /// JSON alone, indented.
    PlainJson,
    /// The text format, with what there is to know of each field behind `#`.
    Text,
}

/// A message of this type with every field set to something that can stay as it is. Of a oneof it has the first field; a
/// message inside of itself is empty.
pub(crate) fn template(of: &MessageType, style: Style) -> String {
    let schema = of.schema();
    let known = OptionSchema::new(&schema);
    let mut template =
        Template { out: String::new(), style, indent: 0, open: Vec::new(), known: &known, files: HashMap::new() };
    match style {
        Style::Text => template.members(of),
        Style::Json | Style::PlainJson => {
            template.json_type(of);
            template.out.push('\n');
        }
    }
    template.out
}

struct Template<'a> {
    out: String,
    style: Style,
    indent: usize,
    /// The types that are being written, so that none is written inside of itself.
    open: Vec<String>,
    known: &'a OptionSchema,
    /// Comments, by file.
    files: HashMap<String, KnownFile>,
}

impl Template<'_> {
    fn line(&mut self, text: &str) {
        let indent = 2 * self.indent;
        // Writing to a String cannot fail.
        let _ = writeln!(self.out, "{:indent$}{text}", "");
    }

    fn object(&mut self, of: &MessageType) {
        let too_deep = self.open.len() >= MAX_DEPTH || self.open.iter().any(|name| name == of.full_name());
        if too_deep || of.info().fields.is_empty() {
            self.out.push_str("{}");
            return;
        }
        self.out.push_str("{\n");
        self.indent += 1;
        self.members(of);
        self.indent -= 1;
        let indent = 2 * self.indent;
        let _ = write!(self.out, "{:indent$}}}", "");
    }

    fn members(&mut self, of: &MessageType) {
        self.open.push(of.full_name().to_owned());
        let info = of.info();
        let mut oneofs = Vec::new();
        // What is not written because another member of its oneof is.
        let mut is_other = |field: &Field| match field.oneof {
            Some(oneof) if oneofs.contains(&oneof) => true,
            Some(oneof) => {
                oneofs.push(oneof);
                false
            }
            None => false,
        };
        let shown: Vec<(&Field, bool)> = info.fields.iter().map(|field| (field, is_other(field))).collect();
        let last = shown.iter().rposition(|(_, is_other)| !is_other);
        for (at, (field, is_other)) in shown.iter().enumerate() {
            self.comments(of, field);
            if *is_other {
                self.other(of, field);
                continue;
            }
            match self.style {
                Style::Text => self.text_field(of, field),
                Style::Json | Style::PlainJson => {
                    let indent = 2 * self.indent;
                    let _ = write!(self.out, "{:indent$}{}: ", "", json_text(&field.json_name));
                    self.json_value(of, field);
                    self.out.push_str(if Some(at) == last { "\n" } else { ",\n" });
                }
            }
        }
        self.open.pop();
    }

    /// A member of a oneof that has another one already, for who wants it instead.
    fn other(&mut self, of: &MessageType, field: &Field) {
        let text = match (self.style, field.kind) {
            (Style::PlainJson, _) => return,
            (Style::Text, FieldKind::Message(_)) => format!("# {} {{ }}", field.name),
            (Style::Text, _) => format!("# {}: {}", field.name, text_scalar(of, field)),
            (Style::Json, FieldKind::Message(_)) => format!("// {}: {{}}", json_text(&field.json_name)),
            (Style::Json, _) => format!("// {}: {}", json_text(&field.json_name), json_scalar(of, field)),
        };
        self.line(&text);
    }

    /// What the schema says of a field.
    fn comments(&mut self, of: &MessageType, field: &Field) {
        let mark = match self.style {
            Style::Json => "//",
            Style::Text => "#",
            Style::PlainJson => return,
        };
        let (file, path) = match &field.source {
            FieldSource::Field(source) => (source.parent_file(), source.path().to_vec()),
            FieldSource::Extension(source) => (source.parent_file(), source.path().to_vec()),
        };
        let known = self.files.entry(file.name().to_owned()).or_insert_with(|| self.known.file(&file));
        let comments = known.comments(&path);
        let mut lines: Vec<String> = Vec::new();
        for text in [&comments.leading, &comments.trailing] {
            lines.extend(text.trim().lines().map(|line| line.trim().to_owned()));
        }
        lines.push(described(of, field));
        for line in lines {
            self.line(format!("{mark} {line}").trim_end());
        }
    }

    fn json_value(&mut self, of: &MessageType, field: &Field) {
        match field.label {
            Label::Single => self.json_one(of, field),
            Label::List => {
                self.out.push('[');
                self.json_one(of, field);
                self.out.push(']');
            }
            Label::Map => {
                let (Some((key, value)), Some(entry)) = (of.entry_of(field), of.message_of(field)) else { return };
                let key = match key.kind {
                    FieldKind::String => "\"key\"".to_owned(),
                    FieldKind::Bool => "\"false\"".to_owned(),
                    _ => "\"0\"".to_owned(),
                };
                let _ = write!(self.out, "{{{key}: ");
                self.json_one(&entry, value);
                self.out.push('}');
            }
        }
    }

    fn json_one(&mut self, of: &MessageType, field: &Field) {
        let Some(inner) = of.message_of(field) else {
            self.out.push_str(&json_scalar(of, field));
            return;
        };
        self.json_type(&inner);
    }

    fn json_type(&mut self, of: &MessageType) {
        let text = match of.info().well_known {
            None => return self.object(of),
            Some(WellKnown::Timestamp) => "\"2026-01-31T12:00:00Z\"".to_owned(),
            Some(WellKnown::Duration) => "\"1.5s\"".to_owned(),
            Some(WellKnown::FieldMask) => "\"\"".to_owned(),
            Some(WellKnown::Value) => "null".to_owned(),
            Some(WellKnown::ListValue) => "[]".to_owned(),
            Some(WellKnown::Struct | WellKnown::Empty) => "{}".to_owned(),
            Some(WellKnown::Any) => "{\"@type\": \"type.googleapis.com/google.protobuf.Empty\"}".to_owned(),
            Some(WellKnown::Wrapper) => of.info().field(1).map(|f| json_scalar(of, f)).unwrap_or_default(),
        };
        self.out.push_str(&text);
    }

    fn text_field(&mut self, of: &MessageType, field: &Field) {
        let name = super::text::shown_name(of, field).to_owned();
        if let (Label::Map, Some(entry)) = (field.label, of.message_of(field)) {
            return self.text_message(&name, &entry);
        }
        match of.message_of(field) {
            Some(inner) => self.text_message(&name, &inner),
            None => self.line(&format!("{name}: {}", text_scalar(of, field))),
        }
    }

    fn text_message(&mut self, name: &str, of: &MessageType) {
        let closed = of.info().well_known.is_some() || self.open.len() >= MAX_DEPTH;
        if closed || of.info().fields.is_empty() || self.open.iter().any(|open| open == of.full_name()) {
            return self.line(&format!("{name} {{ }}"));
        }
        self.line(&format!("{name} {{"));
        self.indent += 1;
        self.members(of);
        self.indent -= 1;
        self.line("}");
    }
}

fn json_text(text: &str) -> String {
    let mut out = Vec::new();
    crate::message::json::string(&mut out, text);
    String::from_utf8_lossy(&out).into_owned()
}

/// What a field is, in one line.
fn described(of: &MessageType, field: &Field) -> String {
    let name = |of: &MessageType, field: &Field| match field.kind {
        FieldKind::Message(_) => of.message_of(field).map(|m| m.full_name().to_owned()).unwrap_or_default(),
        FieldKind::Enum(index) => of.enumeration(index).full_name.to_string(),
        kind => format!("{kind:?}").to_lowercase(),
    };
    let mut text = match (field.label, of.entry_of(field), of.message_of(field)) {
        (Label::Map, Some((key, value)), Some(entry)) => format!("map<{}, {}>", name(&entry, key), name(&entry, value)),
        (Label::List, ..) => format!("repeated {}", name(of, field)),
        _ => name(of, field),
    };
    if let FieldKind::Enum(index) = field.kind {
        let names: Vec<&str> = of.enumeration(index).values.iter().map(|(name, _)| &**name).collect();
        let _ = write!(text, ": {}", names.join(", "));
    }
    if field.required {
        text.push_str(", required");
    }
    if let Some(oneof) = field.oneof.and_then(|oneof| of.info().oneofs.get(oneof as usize)) {
        let _ = write!(text, ", one of `{oneof}`");
    }
    let default = field.default.as_ref().and_then(scalar);
    let default = default.filter(|default| Value::zero(field.kind, of).is_some_and(|zero| zero != *default));
    if let Some(default) = default.filter(|_| field.presence) {
        let _ = write!(text, ", default {}", super::text::value_text(of, field, &default));
    }
    text
}

/// A default as a value.
fn scalar(default: &Default) -> Option<Value> {
    Some(match default {
        Default::Bool(v) => Value::Bool(*v),
        Default::I32(v) => Value::I32(*v),
        Default::I64(v) => Value::I64(*v),
        Default::U32(v) => Value::U32(*v),
        Default::U64(v) => Value::U64(*v),
        Default::F32(v) => Value::F32(*v),
        Default::F64(v) => Value::F64(*v),
        Default::String(v) => Value::String(v.clone().into()),
        Default::Bytes(v) => Value::Bytes(v.clone()),
        Default::EnumNumber(v) => Value::Enum(*v),
        Default::Message(_) | Default::List(_) | Default::Map(_) => return None,
    })
}

fn json_scalar(of: &MessageType, field: &Field) -> String {
    match field.kind {
        FieldKind::Bool => "false".to_owned(),
        FieldKind::String | FieldKind::Bytes => "\"\"".to_owned(),
        FieldKind::Enum(index) if of.enumeration(index).is_null => "null".to_owned(),
        FieldKind::Enum(index) => {
            of.enumeration(index).values.first().map_or("0".to_owned(), |(name, _)| json_text(name))
        }
        FieldKind::Int64 | FieldKind::Uint64 | FieldKind::Sint64 | FieldKind::Fixed64 | FieldKind::Sfixed64 => {
            "\"0\"".to_owned()
        }
        _ => "0".to_owned(),
    }
}

fn text_scalar(of: &MessageType, field: &Field) -> String {
    match field.kind {
        FieldKind::Bool => "false".to_owned(),
        FieldKind::String | FieldKind::Bytes => quoted_text(""),
        FieldKind::Enum(index) => {
            of.enumeration(index).values.first().map_or("0".to_owned(), |(name, _)| name.to_string())
        }
        _ => "0".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::samples::schema;
    use crate::proto::{ReadOptions, read_json, read_text};

    #[test]
    fn a_template_can_be_sent_as_it_is() {
        let schema = schema();
        for name in ["t3.M", "t2.M", "google.protobuf.Any"] {
            let of = schema.message(name).expect(name);
            for style in [Style::Json, Style::PlainJson] {
                let text = template(&of, style);
                let read = read_json(&of, text.as_bytes(), ReadOptions::default(), &schema);
                let read = read.unwrap_or_else(|e| panic!("{}:{}: {}\n{text}", e.line, e.column, e.message));
                assert_eq!(read.missing_required(), None);
            }
            let text = template(&of, Style::Text);
            read_text(&of, text.as_bytes(), ReadOptions::default(), &schema)
                .unwrap_or_else(|e| panic!("{}:{}: {}\n{text}", e.line, e.column, e.message));
        }
    }
}
