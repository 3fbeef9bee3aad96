//! The messages of `google.protobuf` that have a JSON of their own.

use std::borrow::Cow;

use prost_reflect::{DynamicMessage, Kind, ReflectMessage, Value};

use super::Writer;
use crate::message::json::{base64, string};
use crate::message::time::civil;
use crate::proto::any::{parts, type_name};

/// The types whose JSON is no object of fields, so that an `Any` puts it under `value`.
fn has_own_json(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "Any",
        "Timestamp",
        "Duration",
        "FieldMask",
        "Struct",
        "Value",
        "ListValue",
        "DoubleValue",
        "FloatValue",
        "Int64Value",
        "UInt64Value",
        "Int32Value",
        "UInt32Value",
        "BoolValue",
        "StringValue",
        "BytesValue",
    ];
    name.strip_prefix("google.protobuf.").is_some_and(|n| NAMES.contains(&n))
}

impl Writer<'_> {
    /// Writes a message that has a JSON of its own; false when it has none, or its values are out of range.
    pub(super) fn well_known(&mut self, message: &DynamicMessage) -> bool {
        let descriptor = message.descriptor();
        let Some(name) = descriptor.full_name().strip_prefix("google.protobuf.") else { return false };
        match name {
            "Any" => self.any(message),
            "Timestamp" => return timestamp(message).map(|text| string(self.out, &text)).is_some(),
            "Duration" => return duration(message).map(|text| string(self.out, &text)).is_some(),
            "FieldMask" => return field_mask(message).map(|text| string(self.out, &text)).is_some(),
            "Struct" | "ListValue" => return self.only_field(message, if name == "Struct" { b"{}" } else { b"[]" }),
            "Value" => self.dynamic(message),
            "DoubleValue" | "FloatValue" | "Int64Value" | "UInt64Value" | "Int32Value" | "UInt32Value"
            | "BoolValue" | "StringValue" | "BytesValue" => match descriptor.get_field(1) {
                Some(field) => self.value(&message.get_field(&field), &field.kind()),
                None => return false,
            },
            _ => return false,
        }
        true
    }

    /// `Struct` is its map, `ListValue` its list.
    fn only_field(&mut self, message: &DynamicMessage, empty: &[u8]) -> bool {
        let Some(field) = message.descriptor().get_field(1) else { return false };
        match message.has_field(&field) {
            true => self.value(&message.get_field(&field), &field.kind()),
            false => self.out.extend_from_slice(empty),
        }
        true
    }

    /// `google.protobuf.Value`: the value that is set; nothing set has no canonical form and is null.
    fn dynamic(&mut self, message: &DynamicMessage) {
        match message.fields().next() {
            Some((field, Value::EnumNumber(_))) if matches!(field.kind(), Kind::Enum(_)) => {
                self.out.extend_from_slice(b"null");
            }
            Some((field, value)) => self.value(value, &field.kind()),
            None => self.out.extend_from_slice(b"null"),
        }
    }

    fn any(&mut self, message: &DynamicMessage) {
        let (url, bytes) = parts(message);
        let descriptor = if self.any_depth > 0 { self.resolver.message(type_name(&url)) } else { None };
        let inner = descriptor.and_then(|d| DynamicMessage::decode(d, bytes.clone()).ok());
        let mut first = self.open(b'{');
        if !url.is_empty() {
            self.name("@type", &mut first);
            string(self.out, &url);
        }
        self.any_depth = self.any_depth.saturating_sub(1);
        match inner {
            Some(inner) if has_own_json(inner.descriptor().full_name()) => {
                self.name("value", &mut first);
                self.message(&inner);
            }
            Some(inner) => self.members(&inner, &mut first),
            None if bytes.is_empty() => {}
            None => {
                self.name("@value", &mut first);
                self.out.push(b'"');
                base64(self.out, &bytes);
                self.out.push(b'"');
            }
        }
        self.any_depth += 1;
        self.close(b'}', first);
    }
}

/// The fields 1 `seconds` and 2 `nanos`.
fn seconds_and_nanos(message: &DynamicMessage) -> Option<(i64, i32)> {
    let seconds = message.get_field_by_number(1)?.as_i64()?;
    let nanos = message.get_field_by_number(2)?.as_i32()?;
    Some((seconds, nanos))
}

/// 0, 3, 6 or 9 digits behind a point.
fn fraction(nanos: u32) -> Cow<'static, str> {
    match nanos {
        0 => Cow::Borrowed(""),
        n if n % 1_000_000 == 0 => format!(".{:03}", n / 1_000_000).into(),
        n if n % 1_000 == 0 => format!(".{:06}", n / 1_000).into(),
        n => format!(".{n:09}").into(),
    }
}

/// The years 1 to 9999; jiff's own range ends a day before theirs.
fn timestamp(message: &DynamicMessage) -> Option<String> {
    let (seconds, nanos) = seconds_and_nanos(message)?;
    let nanos = u32::try_from(nanos).ok().filter(|n| *n < 1_000_000_000)?;
    if !(-62_135_596_800..=253_402_300_799).contains(&seconds) {
        return None;
    }
    let (year, month, day) = civil(seconds.div_euclid(86_400));
    let second = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    Some(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{}Z", fraction(nanos)))
}

/// ±10,000 years.
fn duration(message: &DynamicMessage) -> Option<String> {
    const MAX_SECONDS: u64 = 315_576_000_000;
    let (seconds, nanos) = seconds_and_nanos(message)?;
    let in_range = seconds.unsigned_abs() <= MAX_SECONDS && nanos.unsigned_abs() < 1_000_000_000;
    if !in_range || (seconds > 0 && nanos < 0) || (seconds < 0 && nanos > 0) {
        return None;
    }
    let sign = if seconds < 0 || nanos < 0 { "-" } else { "" };
    Some(format!("{sign}{}{}s", seconds.unsigned_abs(), fraction(nanos.unsigned_abs())))
}

/// Paths in camel case, joined by commas; `None` when one would not read back to the same.
fn field_mask(message: &DynamicMessage) -> Option<String> {
    let paths = message.get_field_by_number(1)?;
    let mut out = String::new();
    for (i, path) in paths.as_list()?.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        let mut up = false;
        for c in path.as_str()?.chars() {
            match c {
                '_' if !up => up = true,
                c if up && c.is_ascii_lowercase() => {
                    out.push(c.to_ascii_uppercase());
                    up = false;
                }
                c if up || c.is_ascii_uppercase() || c == ',' => return None,
                c => out.push(c),
            }
        }
        if up {
            return None;
        }
    }
    Some(out)
}
