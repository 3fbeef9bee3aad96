//! Numbers, strings, bytes and enums.

use super::Reader;
use super::lexer::{Token, is_number};
use crate::error::nearest;
use crate::message::json::decode_base64;
use crate::proto::dynamic::Value;
use crate::proto::fault::Bad;
use crate::proto::schema::{EnumInfo, Field, FieldKind};

impl Reader<'_> {
    /// A value that is no message and no enum.
    pub(super) fn scalar(&mut self, kind: FieldKind) -> Result<Value, Bad> {
        let place = self.lexer.place();
        let token = self.lexer.peek()?;
        let wrong = |what: String| Bad::new(place, what);
        match (kind, token) {
            (FieldKind::Bool, Token::True) => self.lexer.literal("true").map(|()| Value::Bool(true)),
            (FieldKind::Bool, Token::False) => self.lexer.literal("false").map(|()| Value::Bool(false)),
            (FieldKind::String, Token::String) => Ok(Value::String(self.lexer.string()?.into_owned().into())),
            (FieldKind::Bytes, Token::String) => {
                decode_base64(&self.lexer.string()?).map(|bytes| Value::Bytes(bytes.into())).map_err(wrong)
            }
            (FieldKind::Bool | FieldKind::String | FieldKind::Bytes, found) => {
                Err(wrong(format!("expected {}, found {}", allowed(kind), found.name())))
            }
            (_, Token::Number) => number(kind, self.lexer.number()?).map_err(wrong),
            (_, Token::String) => {
                let text = self.lexer.string()?;
                special(kind, &text).map_or_else(|| number(kind, &text), Ok).map_err(wrong)
            }
            (_, found) => Err(wrong(format!("expected {}, found {}", allowed(kind), found.name()))),
        }
    }

    /// A value of an enum; `None` for one that does not exist and is skipped.
    pub(super) fn enumeration(&mut self, info: &EnumInfo) -> Result<Option<Value>, Bad> {
        let place = self.lexer.place();
        let (shown, number) = match self.lexer.peek()? {
            Token::Null if info.is_null => return self.lexer.literal("null").map(|()| Some(Value::Enum(0))),
            Token::String => {
                let name = self.lexer.string()?;
                let by_number = || if is_number(&name) { name.parse().ok() } else { None };
                (name.to_string(), info.number_of(&name).or_else(by_number))
            }
            Token::Number => {
                let text = self.lexer.number()?;
                (text.to_owned(), whole(text).and_then(|number| i32::try_from(number).ok()))
            }
            found => {
                return Err(Bad::new(
                    place,
                    format!("expected the name or number of an enum value, found {}", found.name()),
                ));
            }
        };
        match number.filter(|number| info.takes(*number)) {
            Some(number) => Ok(Some(Value::Enum(number))),
            None if self.options.allow_unknown_fields => Ok(None),
            None => {
                let names = info.values.iter().map(|(name, _)| &**name);
                let fix = match nearest(&shown, names.clone()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("allowed: {}", names.collect::<Vec<_>>().join(", ")),
                };
                Err(Bad::new(place, format!("{} has no value `{shown}`; {fix}", info.full_name)))
            }
        }
    }
}

/// What a kind takes.
fn allowed(kind: FieldKind) -> &'static str {
    match kind {
        FieldKind::Double | FieldKind::Float => "a number, \"NaN\", \"Infinity\" or \"-Infinity\"",
        FieldKind::Int32 | FieldKind::Sint32 | FieldKind::Sfixed32 => "a whole number from -2147483648 to 2147483647",
        FieldKind::Int64 | FieldKind::Sint64 | FieldKind::Sfixed64 => {
            "a whole number from -9223372036854775808 to 9223372036854775807"
        }
        FieldKind::Uint32 | FieldKind::Fixed32 => "a whole number from 0 to 4294967295",
        FieldKind::Uint64 | FieldKind::Fixed64 => "a whole number from 0 to 18446744073709551615",
        FieldKind::Bool => "true or false",
        FieldKind::String => "a string",
        FieldKind::Bytes => "a string of base64",
        FieldKind::Enum(_) => "an enum value",
        FieldKind::Message(_) => "an object",
    }
}

/// The values of floats that are no numbers of JSON.
fn special(kind: FieldKind, text: &str) -> Option<Value> {
    let value = match text {
        "NaN" => f64::NAN,
        "Infinity" => f64::INFINITY,
        "-Infinity" => f64::NEG_INFINITY,
        _ => return None,
    };
    match kind {
        FieldKind::Double => Some(Value::F64(value)),
        FieldKind::Float => Some(Value::F32(value as f32)),
        _ => None,
    }
}

/// A number by its text.
fn number(kind: FieldKind, text: &str) -> Result<Value, String> {
    let wrong = || format!("`{}` is not {}", shortened(text), allowed(kind));
    if !is_number(text) {
        return Err(wrong());
    }
    let fits = || whole(text).ok_or_else(wrong);
    Ok(match kind {
        FieldKind::Double | FieldKind::Float => {
            let wide: f64 = text.parse().map_err(|_| wrong())?;
            // The largest float's shortest text is a little above it.
            let narrow = wide as f32;
            match kind {
                FieldKind::Double if wide.is_finite() => Value::F64(wide),
                FieldKind::Float if narrow.is_finite() => Value::F32(narrow),
                _ => return Err(format!("`{}` is too large", shortened(text))),
            }
        }
        FieldKind::Int32 | FieldKind::Sint32 | FieldKind::Sfixed32 => {
            Value::I32(fits()?.try_into().map_err(|_| wrong())?)
        }
        FieldKind::Int64 | FieldKind::Sint64 | FieldKind::Sfixed64 => {
            Value::I64(fits()?.try_into().map_err(|_| wrong())?)
        }
        FieldKind::Uint32 | FieldKind::Fixed32 => Value::U32(fits()?.try_into().map_err(|_| wrong())?),
        FieldKind::Uint64 | FieldKind::Fixed64 => Value::U64(fits()?.try_into().map_err(|_| wrong())?),
        FieldKind::Bool | FieldKind::String | FieldKind::Bytes | FieldKind::Enum(_) | FieldKind::Message(_) => {
            return Err(wrong());
        }
    })
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A number of JSON's grammar as a whole one, exactly; `None` when it has a fraction, or more digits than any kind takes.
pub(crate) fn whole(text: &str) -> Option<i128> {
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{integer}{fraction}");
    let significant = digits.trim_start_matches('0').trim_end_matches('0');
    if significant.is_empty() {
        return Some(0);
    }
    let trailing = digits.len() - digits.trim_end_matches('0').len();
    // An exponent that does not fit makes it larger than any kind, or a fraction.
    let exponent: i64 = exponent.parse().ok()?;
    let zeros = exponent.checked_sub(fraction.len() as i64)?.checked_add(trailing as i64)?;
    let zeros = usize::try_from(zeros).ok().filter(|zeros| zeros + significant.len() <= 30)?;
    let value: i128 = format!("{significant}{}", "0".repeat(zeros)).parse().ok()?;
    Some(if negative { -value } else { value })
}

/// The key of a map, which stands as the name of a member.
pub(super) fn key(field: &Field, name: &str) -> Result<Value, String> {
    match (field.kind, name) {
        (FieldKind::String, name) => Ok(Value::String(name.to_owned().into())),
        (FieldKind::Bool, "true") => Ok(Value::Bool(true)),
        (FieldKind::Bool, "false") => Ok(Value::Bool(false)),
        (FieldKind::Bool, _) => Err(format!("`{}` is no key here; allowed are true and false", shortened(name))),
        (kind, name) => number(kind, name),
    }
}
