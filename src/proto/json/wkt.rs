//! The messages of `google.protobuf` that have a JSON of their own.

use std::borrow::Cow;

use super::Writer;
use crate::message::json::{base64, string};
use crate::message::time::civil;
use crate::proto::any::{parts, type_name};
use crate::proto::dynamic::{DynamicMessage, Value};
use crate::proto::schema::WellKnown;

impl Writer<'_> {
    /// Writes a message that has a JSON of its own; false when it has none, or its values are out of range.
    pub(super) fn well_known(&mut self, message: &DynamicMessage) -> bool {
        let Some(well_known) = message.of().info().well_known else { return false };
        let text = match well_known {
            WellKnown::Empty => return false,
            WellKnown::Any => {
                self.any(message);
                return true;
            }
            WellKnown::Struct => return self.only_field(message, b"{}"),
            WellKnown::ListValue => return self.only_field(message, b"[]"),
            WellKnown::Value => {
                self.dynamic(message);
                return true;
            }
            WellKnown::Wrapper => return self.wrapper(message),
            WellKnown::Timestamp => timestamp(message),
            WellKnown::Duration => duration(message),
            WellKnown::FieldMask => field_mask(message),
        };
        if text.is_none() {
            self.odd(|| out_of_range(message));
        }
        text.map(|text| string(self.out, &text)).is_some()
    }

    /// `Struct` is its map, `ListValue` its list.
    fn only_field(&mut self, message: &DynamicMessage, empty: &[u8]) -> bool {
        match message.set_fields().next() {
            Some((field, value)) => self.value(message.of(), field, value),
            None => self.out.extend_from_slice(empty),
        }
        true
    }

    /// `DoubleValue` and the like are their one value.
    fn wrapper(&mut self, message: &DynamicMessage) -> bool {
        let of = message.of();
        let Some(field) = of.info().field(1) else { return false };
        let zero = || Value::zero(field.kind, of);
        match message.get(1).map(Cow::Borrowed).or_else(|| zero().map(Cow::Owned)) {
            Some(value) => self.value(of, field, &value),
            None => return false,
        }
        true
    }

    /// `google.protobuf.Value`: the value that is set; nothing set has no canonical form and is null.
    fn dynamic(&mut self, message: &DynamicMessage) {
        match message.set_fields().next() {
            Some((_, Value::Enum(_))) => self.out.extend_from_slice(b"null"),
            None => {
                self.odd(|| "a google.protobuf.Value of no kind".to_owned());
                self.out.extend_from_slice(b"null");
            }
            Some((field, value @ Value::F64(number))) if !number.is_finite() => {
                self.odd(|| format!("a google.protobuf.Value of {number}"));
                self.value(message.of(), field, value);
            }
            Some((field, value)) => self.value(message.of(), field, value),
        }
    }

    fn any(&mut self, message: &DynamicMessage) {
        let (url, bytes) = parts(message);
        let of = if self.any_depth > 0 { self.resolver.message(type_name(url)) } else { None };
        let (is_known, is_deep) = (of.is_some(), self.any_depth == 0);
        let inner = of.and_then(|of| DynamicMessage::decode(of, bytes.clone()).ok());
        if inner.is_none() && !(url.is_empty() && bytes.is_empty()) {
            self.odd(|| match is_known {
                true => format!("an Any whose bytes are no {}", type_name(url)),
                false if is_deep => "an Any in too many others".to_owned(),
                false => format!("an Any of the type `{}`, which nobody describes", type_name(url)),
            });
        }
        let mut first = self.open(b'{');
        if !url.is_empty() {
            self.name("@type", &mut first);
            string(self.out, url);
        }
        self.any_depth = self.any_depth.saturating_sub(1);
        match inner {
            Some(inner) if !matches!(inner.of().info().well_known, None | Some(WellKnown::Empty)) => {
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
    match (message.get(1), message.get(2)) {
        (None, None) => Some((0, 0)),
        (Some(Value::I64(seconds)), None) => Some((*seconds, 0)),
        (None, Some(Value::I32(nanos))) => Some((0, *nanos)),
        (Some(Value::I64(seconds)), Some(Value::I32(nanos))) => Some((*seconds, *nanos)),
        // A message of this name, but with other fields.
        _ => None,
    }
}

/// What a timestamp, duration or field mask without a canonical form is.
fn out_of_range(message: &DynamicMessage) -> String {
    let name = message.of().full_name();
    match (message.of().info().well_known, seconds_and_nanos(message)) {
        (Some(WellKnown::Timestamp | WellKnown::Duration), Some((seconds, nanos))) => {
            format!("a {name} of {seconds} seconds and {nanos} nanoseconds")
        }
        (Some(WellKnown::FieldMask), _) => format!("a {name} with a path that would not read back to the same"),
        _ => format!("a {name} with fields that it does not have"),
    }
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
    let paths = message.get(1).map(Value::as_list).unwrap_or_default();
    let mut out = String::new();
    for (i, path) in paths.iter().enumerate() {
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
