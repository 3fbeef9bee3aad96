//! The messages of `google.protobuf` that have a JSON of their own.

use bytes::Bytes;

use super::Reader;
use super::lexer::Token;
use crate::message::json::decode_base64;
use crate::message::time::days;
use crate::proto::any::type_name;
use crate::proto::dynamic::{DynamicMessage, Value};
use crate::proto::fault::Bad;
use crate::proto::schema::{MessageType, WellKnown};

impl Reader<'_> {
    pub(super) fn well_known(
        &mut self,
        of: &MessageType,
        well_known: WellKnown,
        depth: usize,
    ) -> Result<DynamicMessage, Bad> {
        let mut message = DynamicMessage::new(of.clone());
        match well_known {
            WellKnown::Any => return self.any(of, depth),
            WellKnown::Struct | WellKnown::ListValue | WellKnown::Wrapper => {
                let Some(field) = of.info().field(1) else { return Ok(message) };
                let value = match well_known {
                    WellKnown::Struct => self.map(of, field, depth)?,
                    WellKnown::ListValue => self.list(of, field, depth)?,
                    _ => self.value(of, field, depth)?,
                };
                if let Some(value) = value {
                    message.set(1, value);
                }
            }
            WellKnown::Value => self.dynamic(&mut message, depth)?,
            WellKnown::Timestamp => self.moment(&mut message, "a timestamp, as \"2026-01-31T12:00:00Z\"", timestamp)?,
            WellKnown::Duration => self.moment(&mut message, "a duration, as \"1.5s\"", duration)?,
            WellKnown::FieldMask => {
                let place = self.lexer.place();
                self.expect(Token::String, "a field mask, as \"user.displayName,photo\"")?;
                let text = self.lexer.string()?;
                let paths = field_mask(&text).map_err(|what| Bad::new(place, what))?;
                message.set(1, Value::List(paths));
            }
            WellKnown::Empty => self.members(&mut message, None, depth)?,
        }
        Ok(message)
    }

    /// `google.protobuf.Value`: any JSON.
    fn dynamic(&mut self, message: &mut DynamicMessage, depth: usize) -> Result<(), Bad> {
        let of = message.of().clone();
        let number = match self.lexer.peek()? {
            Token::Null => 1,
            Token::Number => 2,
            Token::String => 3,
            Token::True | Token::False => 4,
            Token::Object => 5,
            Token::Array => 6,
        };
        if let Some(field) = of.info().field(number)
            && let Some(value) = self.value(&of, field, depth)?
        {
            message.set(number, value);
        }
        Ok(())
    }

    /// Seconds and nanoseconds from a text.
    fn moment(
        &mut self,
        message: &mut DynamicMessage,
        what: &str,
        parse: fn(&str) -> Option<(i64, i32)>,
    ) -> Result<(), Bad> {
        let place = self.lexer.place();
        self.expect(Token::String, what)?;
        let text = self.lexer.string()?;
        let (seconds, nanos) =
            parse(&text).ok_or_else(|| Bad::new(place, format!("`{text}` is not {what}, or is out of range")))?;
        message.set(1, Value::I64(seconds));
        message.set(2, Value::I32(nanos));
        Ok(())
    }

    fn any(&mut self, of: &MessageType, depth: usize) -> Result<DynamicMessage, Bad> {
        self.expect(Token::Object, "an object with `@type`")?;
        let place = self.lexer.place();
        let found = self.look_at_any()?;
        let mut any = DynamicMessage::new(of.clone());
        let Some(url) = found.url else {
            // What our writer makes of an Any without a type.
            return match (found.members, found.raw) {
                (0, None) => Ok(any),
                (0, Some(raw)) => {
                    any.set(2, Value::Bytes(raw));
                    Ok(any)
                }
                _ => Err(Bad::new(place, "`@type` is missing, as \"type.googleapis.com/package.Message\"")),
            };
        };
        let name = type_name(&url);
        any.set(1, Value::String(url.clone().into()));
        if let (0, Some(raw)) = (found.members, found.raw) {
            any.set(2, Value::Bytes(raw));
            return Ok(any);
        }
        let Some(inner) = self.resolver.message(name) else {
            let mut bad =
                Bad::new(place, format!("nobody knows the type `{name}`; give its bytes as `@value` in base64"));
            bad.unresolved = Some(name.to_owned());
            return Err(bad.inside("@type"));
        };
        self.lexer.back_to(place);
        let own_json = !matches!(inner.info().well_known, None | Some(WellKnown::Empty));
        let is_empty = inner.info().well_known == Some(WellKnown::Empty);
        let value = match own_json || (is_empty && found.has_value) {
            true => self.any_value(&inner, found.has_value, depth)?,
            false => {
                let mut value = DynamicMessage::new(inner);
                self.members(&mut value, Some("@type"), depth)?;
                value
            }
        };
        any.set(2, Value::Bytes(value.encode_to_vec().into()));
        Ok(any)
    }

    /// The member `value` of an `Any` whose type has a JSON of its own.
    fn any_value(&mut self, inner: &MessageType, has_value: bool, depth: usize) -> Result<DynamicMessage, Bad> {
        let place = self.lexer.place();
        if !has_value {
            let what = format!("{} in an `Any` stands under `value`, and there is none", inner.full_name());
            return Err(Bad::new(place, what));
        }
        self.lexer.open();
        let (mut first, mut read) = (true, None);
        while let Some((place, name)) = self.lexer.member(&mut first)? {
            match &*name {
                "@type" => self.lexer.skip()?,
                "value" => read = Some(self.message(inner, depth).map_err(|bad| bad.inside("value"))?),
                _ => {
                    let what = format!("{} in an `Any` has the members `@type` and `value` alone", inner.full_name());
                    return Err(Bad::new(place, what).inside(name));
                }
            }
        }
        read.ok_or_else(|| Bad::new(place, "`value` is missing"))
    }

    /// Looks through an `Any`, whose type may stand behind its fields.
    fn look_at_any(&mut self) -> Result<Look, Bad> {
        let mut look = Look::default();
        self.lexer.open();
        let mut first = true;
        let mut seen_value = false;
        loop {
            let Some((place, name)) = self.lexer.member(&mut first)? else { return Ok(look) };
            match &*name {
                "@type" if look.url.is_some() => return Err(Bad::new(place, "it is given twice").inside("@type")),
                "@type" => {
                    let place = self.lexer.place();
                    self.expect(Token::String, "a type, as \"type.googleapis.com/package.Message\"")
                        .map_err(|bad| bad.inside("@type"))?;
                    let url = self.lexer.string()?.into_owned();
                    if type_name(&url).is_empty() {
                        let what = "a type needs a name, as \"type.googleapis.com/package.Message\"";
                        return Err(Bad::new(place, what).inside("@type"));
                    }
                    look.url = Some(url);
                }
                "@value" if look.raw.is_none() && self.lexer.peek()? == Token::String => {
                    let place = self.lexer.place();
                    let bytes = decode_base64(&self.lexer.string()?);
                    look.raw = Some(bytes.map_err(|what| Bad::new(place, what).inside("@value"))?.into());
                }
                name => {
                    look.members += 1;
                    if name == "value" && std::mem::replace(&mut seen_value, true) {
                        return Err(Bad::new(place, "it is given twice").inside("value"));
                    }
                    look.has_value |= name == "value";
                    self.lexer.skip()?;
                }
            }
        }
    }
}

/// What stands in an `Any`.
#[derive(Default)]
struct Look {
    url: Option<String>,
    /// `@value`: the bytes as they are.
    raw: Option<Bytes>,
    has_value: bool,
    /// How many members there are but `@type` and `@value`.
    members: usize,
}

/// Up to nine digits behind a point, as nanoseconds.
fn nanos(digits: &str) -> Option<i32> {
    if digits.is_empty() || digits.len() > 9 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    format!("{digits:0<9}").parse().ok()
}

/// `2026-01-31T12:00:00.5+01:00`, in the years 1 to 9999.
fn timestamp(text: &str) -> Option<(i64, i32)> {
    let number = |range: std::ops::Range<usize>| {
        let digits = text.get(range).filter(|d| d.bytes().all(|b| b.is_ascii_digit()))?;
        digits.parse::<i64>().ok()
    };
    let punctuated = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if !punctuated.iter().all(|(at, byte)| text.as_bytes().get(*at) == Some(byte)) {
        return None;
    }
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let rest = text.get(19..)?;
    let (nanos, zone) = match rest.strip_prefix('.') {
        Some(rest) => {
            let end = rest.find(|c: char| !c.is_ascii_digit())?;
            (nanos(&rest[..end])?, &rest[end..])
        }
        None => (0, rest),
    };
    let offset = match zone.as_bytes() {
        b"Z" => 0,
        [sign @ (b'+' | b'-'), a, b, b':', c, d] if [a, b, c, d].iter().all(|b| b.is_ascii_digit()) => {
            let two = |high: &u8, low: &u8| i64::from(high - b'0') * 10 + i64::from(low - b'0');
            let (hours, minutes) = (two(a, b), two(c, d));
            if hours > 23 || minutes > 59 {
                return None;
            }
            let offset = hours * 3600 + minutes * 60;
            if *sign == b'+' { offset } else { -offset }
        }
        _ => return None,
    };
    let seconds = days(year, month, day)? * 86_400 + hour * 3600 + minute * 60 + second - offset;
    (-62_135_596_800..=253_402_300_799).contains(&seconds).then_some((seconds, nanos))
}

/// `-1.5s`, within ±10,000 years and the last second's fraction. As in Go, a part before or behind the point is enough, and
/// a plus sign is one.
fn duration(text: &str) -> Option<(i64, i32)> {
    let number = text.strip_suffix('s')?;
    let (negative, number) = match number.strip_prefix(['+', '-']) {
        Some(rest) => (number.starts_with('-'), rest),
        None => (false, number),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let nanos = if fraction.is_empty() { 0 } else { nanos(fraction)? };
    if whole.is_empty() && fraction.is_empty() || !whole.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let seconds = if whole.is_empty() { 0 } else { whole.parse::<i64>().ok()? };
    (seconds <= 315_576_000_000).then_some(if negative { (-seconds, -nanos) } else { (seconds, nanos) })
}

/// Paths in camel case into those of the schema.
fn field_mask(text: &str) -> Result<Vec<Value>, String> {
    let paths = if text.is_empty() { Vec::new() } else { text.split(',').collect() };
    let snake = |path: &str| {
        let mut out = String::with_capacity(path.len() + 4);
        for c in path.chars() {
            match c {
                '_' => return Err(format!("`{path}`: a path of a field mask has no `_` in JSON, but capitals")),
                c if c.is_ascii_uppercase() => {
                    out.push('_');
                    out.push(c.to_ascii_lowercase());
                }
                c => out.push(c),
            }
        }
        Ok(Value::String(out.into()))
    };
    paths.into_iter().map(snake).collect()
}
