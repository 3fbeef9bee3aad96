//! AMQP field values as JSON and back, each type kept.
//!
//! What JSON has stands for itself: strings (`S`), integers (`l`, 64 bit), numbers with a fraction (`d`), booleans (`t`),
//! null (`V`), arrays (`A`), objects (`F`). Every other type is an object with one member whose name begins with `$`:
//! `$i8 $u8 $i16 $u16 $i32 $u32 $f32 $f64 $decimal $timestamp $bytes $base64 $table`.

use std::io::Write;

use lapin::types::{AMQPValue, ByteArray, DecimalValue, FieldArray, FieldTable, LongString, ShortString};
use serde_json::{Map, Value};

use super::json;

/// 2^63: from here on no AMQP integer is as large.
const TOO_LARGE: f64 = 9_223_372_036_854_775_808.0;

/// Appends a table as a JSON object.
pub fn write_table(out: &mut Vec<u8>, table: &FieldTable) {
    let mut object = json::Object::open(out);
    for (name, value) in table.inner() {
        write_value(object.member(name.as_str()), value);
    }
    object.close();
}

/// Appends one value.
pub fn write_value(out: &mut Vec<u8>, value: &AMQPValue) {
    match value {
        AMQPValue::Boolean(b) => number(out, b),
        AMQPValue::ShortShortInt(n) => tagged(out, "$i8", n),
        AMQPValue::ShortShortUInt(n) => tagged(out, "$u8", n),
        AMQPValue::ShortInt(n) => tagged(out, "$i16", n),
        AMQPValue::ShortUInt(n) => tagged(out, "$u16", n),
        AMQPValue::LongInt(n) => tagged(out, "$i32", n),
        AMQPValue::LongUInt(n) => tagged(out, "$u32", n),
        AMQPValue::LongLongInt(n) => number(out, n),
        // `{:?}` prints the shortest digits that read back the same, and always a point or an exponent.
        AMQPValue::Float(f) if f.is_finite() => tagged(out, "$f32", format_args!("{f:?}")),
        AMQPValue::Float(f) => tagged(out, "$f32", format_args!("\"{f:?}\"")),
        // Beyond 64 bits an integer and a double look the same in JSON.
        AMQPValue::Double(f) if f.abs() < TOO_LARGE => number(out, format_args!("{f:?}")),
        AMQPValue::Double(f) if f.is_finite() => tagged(out, "$f64", format_args!("{f:?}")),
        AMQPValue::Double(f) => tagged(out, "$f64", format_args!("\"{f:?}\"")),
        AMQPValue::DecimalValue(d) => tagged(out, "$decimal", format_args!("[{},{}]", d.scale, d.value)),
        // amq-protocol never reads this type from the wire, where RabbitMQ's `s` is a 16-bit integer.
        AMQPValue::ShortString(s) => json::string(out, s.as_str()),
        AMQPValue::LongString(s) => json::bytes(out, s.as_bytes()),
        AMQPValue::FieldArray(array) => {
            out.push(b'[');
            for (i, item) in array.as_slice().iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_value(out, item);
            }
            out.push(b']');
        }
        AMQPValue::Timestamp(t) => tagged(out, "$timestamp", t),
        AMQPValue::FieldTable(table) if looks_tagged(table) => {
            out.extend_from_slice(br#"{"$table":"#);
            write_table(out, table);
            out.push(b'}');
        }
        AMQPValue::FieldTable(table) => write_table(out, table),
        AMQPValue::ByteArray(bytes) => json::base64_object(out, "$bytes", bytes.as_slice()),
        AMQPValue::Void => out.extend_from_slice(b"null"),
    }
}

/// A nested table that would read back as a tag.
fn looks_tagged(table: &FieldTable) -> bool {
    let mut names = table.inner().keys();
    matches!((names.next(), names.next()), (Some(name), None) if name.as_str().starts_with('$'))
}

fn number(out: &mut Vec<u8>, value: impl std::fmt::Display) {
    // Writing to a Vec cannot fail.
    drop(write!(out, "{value}"));
}

fn tagged(out: &mut Vec<u8>, tag: &str, value: impl std::fmt::Display) {
    drop(write!(out, r#"{{"{tag}":{value}}}"#));
}

/// How deep tables and lists may lie in each other: more is not read from a broker either.
pub const DEPTH: usize = 64;

/// Reads a table.
///
/// # Errors
/// A sentence that names the member and what is allowed.
pub fn read_table(object: &Map<String, Value>) -> Result<FieldTable, String> {
    let table = inner_table(object)?;
    match table.inner().values().map(depth).max() {
        Some(depth) if depth >= DEPTH => Err(format!("headers may lie at most {DEPTH} deep in each other")),
        _ => Ok(table),
    }
}

fn inner_table(object: &Map<String, Value>) -> Result<FieldTable, String> {
    let mut table = FieldTable::default();
    for (name, value) in object {
        let value = read_value(value).map_err(|e| format!("header {name:?}: {e}"))?;
        table.insert(short_string(name)?, value);
    }
    Ok(table)
}

/// How many tables and lists lie in each other. JSON's reader has bounded it before.
fn depth(value: &AMQPValue) -> usize {
    match value {
        AMQPValue::FieldTable(table) => 1 + table.inner().values().map(depth).max().unwrap_or(0),
        AMQPValue::FieldArray(array) => 1 + array.as_slice().iter().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Makes a short string, which AMQP limits to 255 bytes.
///
/// # Errors
/// A sentence that names the limit.
pub fn short_string(text: &str) -> Result<ShortString, String> {
    if text.len() > 255 {
        let start: String = text.chars().take(20).collect();
        return Err(format!("{start:?}… has {} bytes; AMQP allows 255", text.len()));
    }
    Ok(ShortString::from(text))
}

/// Reads one value.
///
/// # Errors
/// A sentence that says what is allowed.
pub fn read_value(value: &Value) -> Result<AMQPValue, String> {
    Ok(match value {
        Value::Null => AMQPValue::Void,
        Value::Bool(b) => AMQPValue::Boolean(*b),
        Value::Number(n) => match (n.as_i64(), n.as_f64()) {
            (Some(n), _) => AMQPValue::LongLongInt(n),
            (None, Some(f)) if !n.is_u64() && f.abs() < TOO_LARGE => AMQPValue::Double(f),
            _ => {
                return Err(format!(
                    "{n} is outside of AMQP's integers, -9223372036854775808 to 9223372036854775807; write \
                     {{\"$f64\":{n}}} for a double"
                ));
            }
        },
        Value::String(s) => AMQPValue::LongString(LongString::from(s.as_str())),
        Value::Array(items) => {
            AMQPValue::FieldArray(FieldArray::from(items.iter().map(read_value).collect::<Result<Vec<_>, _>>()?))
        }
        Value::Object(object) => match object.iter().next() {
            Some((tag, value)) if object.len() == 1 && tag.starts_with('$') => read_tagged(tag, value)?,
            _ => AMQPValue::FieldTable(inner_table(object)?),
        },
    })
}

/// A JSON value by its kind alone.
pub fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "this number",
        Value::String(_) => "this string",
        Value::Array(_) => "this list",
        Value::Object(_) => "this object",
    }
}

fn read_tagged(tag: &str, value: &Value) -> Result<AMQPValue, String> {
    // In a flag the value may be a secret.
    let wrong = || format!("`{tag}` does not take {}", kind_of(value));
    let bytes = || value.as_str().ok_or_else(wrong).and_then(json::decode_base64);
    Ok(match tag {
        "$i8" => AMQPValue::ShortShortInt(integer(value).ok_or_else(wrong)?),
        "$u8" => AMQPValue::ShortShortUInt(integer(value).ok_or_else(wrong)?),
        "$i16" => AMQPValue::ShortInt(integer(value).ok_or_else(wrong)?),
        "$u16" => AMQPValue::ShortUInt(integer(value).ok_or_else(wrong)?),
        "$i32" => AMQPValue::LongInt(integer(value).ok_or_else(wrong)?),
        "$u32" => AMQPValue::LongUInt(integer(value).ok_or_else(wrong)?),
        "$i64" => AMQPValue::LongLongInt(integer(value).ok_or_else(wrong)?),
        "$f32" => AMQPValue::Float(float32(value).ok_or_else(wrong)?),
        "$f64" => AMQPValue::Double(float(value).ok_or_else(wrong)?),
        "$timestamp" => {
            AMQPValue::Timestamp(value.as_u64().ok_or_else(|| format!("{}; write the seconds since 1970", wrong()))?)
        }
        "$bytes" => AMQPValue::ByteArray(ByteArray::from(bytes()?)),
        "$base64" => AMQPValue::LongString(LongString::from(bytes()?)),
        "$table" => AMQPValue::FieldTable(inner_table(value.as_object().ok_or_else(wrong)?)?),
        "$decimal" => match value.as_array().map(Vec::as_slice) {
            Some([scale, value]) => AMQPValue::DecimalValue(DecimalValue {
                scale: integer(scale).ok_or_else(wrong)?,
                value: integer(value).ok_or_else(wrong)?,
            }),
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

fn integer<T: TryFrom<i64>>(value: &Value) -> Option<T> {
    value.as_i64().and_then(|n| T::try_from(n).ok())
}

/// JSON has no NaN and no infinity: those come as strings.
fn float(value: &Value) -> Option<f64> {
    match value.as_str() {
        Some(text @ ("NaN" | "inf" | "-inf")) => text.parse().ok(),
        Some(_) => None,
        None => value.as_f64(),
    }
}

/// Through the digits and not through `f64`, so that no value is rounded twice.
fn float32(value: &Value) -> Option<f32> {
    match value {
        Value::Number(n) => n.to_string().parse().ok(),
        other => float(other).map(|f| f as f32),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(value: AMQPValue) -> String {
        let mut out = Vec::new();
        write_value(&mut out, &value);
        let json: Value = serde_json::from_slice(&out).expect("JSON");
        let back = read_value(&json).expect("a value");
        // NaN is not equal to itself; its text is.
        assert_eq!(format!("{back:?}"), format!("{value:?}"));
        String::from_utf8(out).expect("UTF-8")
    }

    fn table(entries: Vec<(&str, AMQPValue)>) -> AMQPValue {
        let mut table = FieldTable::default();
        for (name, value) in entries {
            table.insert(name.into(), value);
        }
        AMQPValue::FieldTable(table)
    }

    #[test]
    fn every_type() {
        use AMQPValue as V;
        for value in [
            V::Boolean(true),
            V::ShortShortInt(-128),
            V::ShortShortUInt(255),
            V::ShortInt(i16::MIN),
            V::ShortUInt(u16::MAX),
            V::LongInt(i32::MIN),
            V::LongUInt(u32::MAX),
            V::LongLongInt(i64::MIN),
            V::LongLongInt((1 << 53) + 1),
            V::Float(0.1),
            V::Float(f32::NAN),
            V::Float(f32::MAX),
            V::Double(5.0),
            V::Double(-0.0),
            V::Double(f64::MIN_POSITIVE),
            V::Double(f64::NEG_INFINITY),
            V::Double(1e20),
            V::DecimalValue(DecimalValue { scale: 2, value: 4_000_000_000 }),
            V::LongString("ä".into()),
            V::LongString(LongString::from(vec![0xff])),
            V::FieldArray(vec![V::Void, V::LongInt(1)].into()),
            V::Timestamp(u64::MAX),
            V::ByteArray(ByteArray::from(vec![1, 0xff])),
            V::Void,
            table(vec![]),
            table(vec![("count", V::LongLongInt(1)), ("time", V::Timestamp(5))]),
            table(vec![("$i8", V::LongLongInt(1))]),
            table(vec![("$table", table(vec![("$x", V::Void)]))]),
        ] {
            there_and_back(value);
        }
        assert_eq!(there_and_back(V::Double(5.0)), "5.0");
    }

    #[test]
    fn nesting_has_a_limit() {
        let nested = |levels: usize| {
            let value = (0..levels).fold(Value::from(1), |inner, _| serde_json::json!({ "a": inner }));
            read_table(value.as_object().expect("an object"))
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
            assert!(read_value(&value).is_err(), "{bad}");
        }
    }
}
