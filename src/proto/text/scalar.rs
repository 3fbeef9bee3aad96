//! Words and numbers of the text format as values.

use crate::proto::dynamic::Value;
use crate::proto::schema::FieldKind;

/// What a kind takes.
pub(crate) fn expected(kind: FieldKind) -> &'static str {
    match kind {
        FieldKind::Double | FieldKind::Float => "a number, inf or nan",
        FieldKind::Int32 | FieldKind::Sint32 | FieldKind::Sfixed32 => "a whole number of 32 bits",
        FieldKind::Int64 | FieldKind::Sint64 | FieldKind::Sfixed64 => "a whole number of 64 bits",
        FieldKind::Uint32 | FieldKind::Fixed32 => "a whole number of 32 bits without a sign",
        FieldKind::Uint64 | FieldKind::Fixed64 => "a whole number of 64 bits without a sign",
        FieldKind::Bool => "true or false",
        FieldKind::String | FieldKind::Bytes => "a string in quotes",
        FieldKind::Enum(_) => "the name or number of an enum value",
        FieldKind::Message(_) => "a message in braces",
    }
}

/// A word as a value of a kind.
pub(crate) fn scalar(kind: FieldKind, word: &str, negative: bool) -> Option<Value> {
    let whole = || integer(word).map(|magnitude| if negative { -magnitude } else { magnitude });
    match kind {
        FieldKind::Bool => match word {
            "true" | "True" | "t" if !negative => Some(Value::Bool(true)),
            "false" | "False" | "f" if !negative => Some(Value::Bool(false)),
            _ => whole().and_then(|n| (0..=1).contains(&n).then_some(Value::Bool(n == 1))),
        },
        FieldKind::Double | FieldKind::Float => {
            let value = float(word)?;
            let value = if negative { -value } else { value };
            Some(if kind == FieldKind::Double { Value::F64(value) } else { Value::F32(value as f32) })
        }
        FieldKind::Int32 | FieldKind::Sint32 | FieldKind::Sfixed32 => whole()?.try_into().ok().map(Value::I32),
        FieldKind::Int64 | FieldKind::Sint64 | FieldKind::Sfixed64 => whole()?.try_into().ok().map(Value::I64),
        FieldKind::Uint32 | FieldKind::Fixed32 => whole()?.try_into().ok().map(Value::U32),
        FieldKind::Uint64 | FieldKind::Fixed64 => whole()?.try_into().ok().map(Value::U64),
        FieldKind::String | FieldKind::Bytes | FieldKind::Enum(_) | FieldKind::Message(_) => None,
    }
}

/// A whole number in base 10, 8 or 16.
pub(crate) fn integer(word: &str) -> Option<i128> {
    let (digits, base) = match word.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&word[2..], 16),
        [b'0', _, ..] => (&word[1..], 8),
        _ => (word, 10),
    };
    let good = digits.len() <= 30 && digits.bytes().all(|b| b.is_ascii_alphanumeric());
    if good { i128::from_str_radix(digits, base).ok() } else { None }
}

/// A number with a point, an exponent or an `f` behind it, or one of the words; what is too large is infinite.
fn float(word: &str) -> Option<f64> {
    match word.to_ascii_lowercase().as_str() {
        "inf" | "infinity" => Some(f64::INFINITY),
        "nan" => Some(f64::NAN),
        lower => {
            let text = lower.strip_suffix('f').filter(|_| !lower.starts_with("0x")).unwrap_or(lower);
            let plain = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'+' | b'-'));
            let is_octal = text.len() > 1 && text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
            match plain && !is_octal {
                true => text.parse().ok(),
                // Whole numbers in other bases are for whole kinds, but for a zero of any kind.
                false => None,
            }
        }
    }
}
