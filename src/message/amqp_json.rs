//! AMQP field values as JSON and back, each type kept.
//!
//! What JSON has stands for itself: strings (`S`), integers (`l`, 64 bit), numbers with a fraction (`d`), booleans (`t`),
//! null (`V`), arrays (`A`), objects (`F`). Every other type is an object with one member whose name begins with `$`:
//! `$i8 $u8 $i16 $u16 $i32 $u32 $f32 $f64 $decimal $timestamp $bytes $base64 $table`.

use std::io::Write;

use serde_json::{Map, Value as Json};

use super::json;
use super::table::{Table, Value, check_short};

/// 2^63: from here on no AMQP integer is as large.
const TOO_LARGE: f64 = 9_223_372_036_854_775_808.0;

/// Appends a table as a JSON object.
pub(crate) fn write_table(out: &mut Vec<u8>, table: &Table<'_>) {
    let mut object = json::Object::open(out);
    for (name, value) in table.iter() {
        write_value(object.entry(name), value);
    }
    object.close();
}

impl Value<'_> {
    /// Appends its form in the envelope.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        write_value(out, self);
    }
}

/// Appends one value.
pub(crate) fn write_value(out: &mut Vec<u8>, value: &Value<'_>) {
    match value {
        Value::Void => out.extend_from_slice(b"null"),
        Value::Bool(b) => number(out, b),
        Value::I8(n) => tagged(out, "$i8", n),
        Value::U8(n) => tagged(out, "$u8", n),
        Value::I16(n) => tagged(out, "$i16", n),
        Value::U16(n) => tagged(out, "$u16", n),
        Value::I32(n) => tagged(out, "$i32", n),
        Value::U32(n) => tagged(out, "$u32", n),
        Value::I64(n) => number(out, n),
        // `{:?}` prints the shortest digits that read back the same, and always a point or an exponent.
        Value::F32(f) if f.is_finite() => tagged(out, "$f32", format_args!("{f:?}")),
        Value::F32(f) => tagged(out, "$f32", format_args!("\"{f:?}\"")),
        // Beyond 64 bits an integer and a double look the same in JSON.
        Value::F64(f) if f.abs() < TOO_LARGE => number(out, format_args!("{f:?}")),
        Value::F64(f) if f.is_finite() => tagged(out, "$f64", format_args!("{f:?}")),
        Value::F64(f) => tagged(out, "$f64", format_args!("\"{f:?}\"")),
        Value::Decimal { scale, value } => tagged(out, "$decimal", format_args!("[{scale},{value}]")),
        Value::Text(text) => json::bytes(out, text),
        Value::Array(items) => {
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_value(out, item);
            }
            out.push(b']');
        }
        Value::Timestamp(t) => tagged(out, "$timestamp", t),
        Value::Table(table) if looks_tagged(table) => {
            out.extend_from_slice(br#"{"$table":"#);
            write_table(out, table);
            out.push(b'}');
        }
        Value::Table(table) => write_table(out, table),
        Value::Bytes(bytes) => json::base64_object(out, "$bytes", bytes),
    }
}

/// A nested table that would read back as a tag.
fn looks_tagged(table: &Table<'_>) -> bool {
    let mut entries = table.iter();
    matches!((entries.next(), entries.next()), (Some((name, _)), None) if name.starts_with('$'))
}

fn number(out: &mut Vec<u8>, value: impl std::fmt::Display) {
    // Writing to a Vec cannot fail.
    drop(write!(out, "{value}"));
}

fn tagged(out: &mut Vec<u8>, tag: &str, value: impl std::fmt::Display) {
    drop(write!(out, r#"{{"{tag}":{value}}}"#));
}

/// How deep tables and lists may lie in each other: more is not read from a broker either.
pub(crate) const DEPTH: usize = 64;

/// Reads a table.
///
/// # Errors
/// A sentence that names the member and what is allowed.
pub(crate) fn read_table(object: Map<String, Json>) -> Result<Table<'static>, String> {
    let table = inner_table(object)?;
    match table.iter().map(|(_, value)| depth(value)).max() {
        Some(depth) if depth >= DEPTH => Err(format!("headers may lie at most {DEPTH} deep in each other")),
        _ => Ok(table),
    }
}

fn inner_table(object: Map<String, Json>) -> Result<Table<'static>, String> {
    let entry = |(name, value): (String, Json)| {
        let value = read_value(value).map_err(|e| format!("header {name:?}: {e}"))?;
        check_short(&name)?;
        Ok((name.into(), value))
    };
    object.into_iter().map(entry).collect()
}

/// How many tables and lists lie in each other. JSON's reader has bounded it before.
fn depth(value: &Value<'_>) -> usize {
    match value {
        Value::Table(table) => 1 + table.iter().map(|(_, inner)| depth(inner)).max().unwrap_or(0),
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Reads one value.
///
/// # Errors
/// A sentence that says what is allowed.
pub(crate) fn read_value(value: Json) -> Result<Value<'static>, String> {
    Ok(match value {
        Json::Null => Value::Void,
        Json::Bool(b) => Value::Bool(b),
        Json::Number(n) => match (n.as_i64(), n.as_f64()) {
            (Some(n), _) => Value::I64(n),
            (None, Some(f)) if !n.is_u64() && f.abs() < TOO_LARGE => Value::F64(f),
            _ => {
                return Err(format!(
                    "{n} is outside of AMQP's integers, -9223372036854775808 to 9223372036854775807; write \
                     {{\"$f64\":{n}}} for a double"
                ));
            }
        },
        Json::String(s) => Value::Text(s.into_bytes().into()),
        Json::Array(items) => Value::Array(items.into_iter().map(read_value).collect::<Result<_, _>>()?),
        Json::Object(object) => match object.iter().next() {
            Some((tag, value)) if object.len() == 1 && tag.starts_with('$') => read_tagged(tag, value)?,
            _ => Value::Table(inner_table(object)?),
        },
    })
}

/// A JSON value by its kind alone.
pub(crate) fn kind_of(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "a boolean",
        Json::Number(_) => "this number",
        Json::String(_) => "this string",
        Json::Array(_) => "this list",
        Json::Object(_) => "this object",
    }
}

fn read_tagged(tag: &str, value: &Json) -> Result<Value<'static>, String> {
    // In a flag the value may be a secret.
    let wrong = || format!("`{tag}` does not take {}", kind_of(value));
    let bytes = || value.as_str().ok_or_else(wrong).and_then(json::decode_base64);
    Ok(match tag {
        "$i8" => Value::I8(integer(value).ok_or_else(wrong)?),
        "$u8" => Value::U8(integer(value).ok_or_else(wrong)?),
        "$i16" => Value::I16(integer(value).ok_or_else(wrong)?),
        "$u16" => Value::U16(integer(value).ok_or_else(wrong)?),
        "$i32" => Value::I32(integer(value).ok_or_else(wrong)?),
        "$u32" => Value::U32(integer(value).ok_or_else(wrong)?),
        "$i64" => Value::I64(integer(value).ok_or_else(wrong)?),
        "$f32" => Value::F32(float32(value).ok_or_else(wrong)?),
        "$f64" => Value::F64(float(value).ok_or_else(wrong)?),
        "$timestamp" => {
            Value::Timestamp(value.as_u64().ok_or_else(|| format!("{}; write the seconds since 1970", wrong()))?)
        }
        "$bytes" => Value::Bytes(bytes()?.into()),
        "$base64" => Value::Text(bytes()?.into()),
        "$table" => Value::Table(inner_table(value.as_object().cloned().ok_or_else(wrong)?)?),
        "$decimal" => match value.as_array().map(Vec::as_slice) {
            Some([scale, value]) => {
                Value::Decimal { scale: integer(scale).ok_or_else(wrong)?, value: integer(value).ok_or_else(wrong)? }
            }
            _ => return Err(format!("{}; write [scale, value]", wrong())),
        },
        _ => {
            return Err(format!(
                "unknown type `{tag}`; allowed: $i8 $u8 $i16 $u16 $i32 $u32 $i64 $f32 $f64 $decimal $timestamp \
                 $bytes $base64 $table"
            ));
        }
    })
}

fn integer<T: TryFrom<i64>>(value: &Json) -> Option<T> {
    value.as_i64().and_then(|n| T::try_from(n).ok())
}

/// JSON has no NaN and no infinity: those come as strings.
fn float(value: &Json) -> Option<f64> {
    match value.as_str() {
        Some(text @ ("NaN" | "inf" | "-inf")) => text.parse().ok(),
        Some(_) => None,
        None => value.as_f64(),
    }
}

/// Through the digits and not through `f64`, so that no value is rounded twice.
fn float32(value: &Json) -> Option<f32> {
    match value {
        Json::Number(n) => n.to_string().parse().ok(),
        other => float(other).map(|f| f as f32),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(value: Value<'_>) -> String {
        let mut out = Vec::new();
        write_value(&mut out, &value);
        let json: Json = serde_json::from_slice(&out).expect("JSON");
        let back = read_value(json).expect("a value");
        // NaN is not equal to itself; its text is.
        assert_eq!(format!("{back:?}"), format!("{value:?}"));
        String::from_utf8(out).expect("UTF-8")
    }

    fn table<'a>(entries: Vec<(&'a str, Value<'a>)>) -> Value<'a> {
        Value::Table(entries.into_iter().map(|(name, value)| (name.into(), value)).collect())
    }

    #[test]
    fn every_type() {
        use Value as V;
        for value in [
            V::Bool(true),
            V::I8(-128),
            V::U8(255),
            V::I16(i16::MIN),
            V::U16(u16::MAX),
            V::I32(i32::MIN),
            V::U32(u32::MAX),
            V::I64(i64::MIN),
            V::I64((1 << 53) + 1),
            V::F32(0.1),
            V::F32(f32::NAN),
            V::F32(f32::MAX),
            V::F64(5.0),
            V::F64(-0.0),
            V::F64(f64::MIN_POSITIVE),
            V::F64(f64::NEG_INFINITY),
            V::F64(1e20),
            V::Decimal { scale: 2, value: 4_000_000_000 },
            V::Text("ä".as_bytes().into()),
            V::Text(vec![0xff].into()),
            V::Array(vec![V::Void, V::I32(1)]),
            V::Timestamp(u64::MAX),
            V::Bytes(vec![1, 0xff].into()),
            V::Void,
            table(vec![]),
            table(vec![("count", V::I64(1)), ("time", V::Timestamp(5))]),
            table(vec![("$i8", V::I64(1))]),
            table(vec![("$table", table(vec![("$x", V::Void)]))]),
        ] {
            there_and_back(value);
        }
        assert_eq!(there_and_back(V::F64(5.0)), "5.0");
    }

    #[test]
    fn nesting_has_a_limit() {
        let nested = |levels: usize| {
            let value = (0..levels).fold(Json::from(1), |inner, _| serde_json::json!({ "a": inner }));
            let serde_json::Value::Object(object) = value else { panic!("{value}") };
            read_table(object)
        };
        assert!(nested(64).is_ok());
        assert!(nested(65).is_err());
    }

    #[test]
    fn what_is_refused() {
        for bad in [
            r#"{"$u8":256}"#,
            r#"{"$u8":"1"}"#,
            r#"{"$nope":1}"#,
            r#"{"$decimal":[1]}"#,
            r#"{"$base64":"!"}"#,
            "9223372036854775808",
            "99999999999999999999",
            "-9223372036854775809",
        ] {
            let value = serde_json::from_str(bad).expect(bad);
            assert!(read_value(value).is_err(), "{bad}");
        }
    }
}
