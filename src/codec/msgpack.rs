//! MessagePack: bytes to JSON and back.
//!
//! <https://github.com/msgpack/msgpack/blob/master/spec.md>. What JSON lacks has a tag, by which it is read back:
//! `{"$base64": "…"}` bytes, `{"$map": [[key, value], …]}` a map whose keys are not all strings, `{"$timestamp": "…"}`,
//! `{"$ext": [type, "base64"]}`, `{"$float": "NaN"}`.

use super::fault::{Fault, MAX_DEPTH, deeper, within};
use super::logical::{self, Unit};
use super::tagged::{Number, Sink, Tag};
use super::text::write_float;
use crate::message::json;
use crate::proto::Bad;

/// The type of an extension that is a time.
const TIMESTAMP: i8 = -1;

/// Appends a value as JSON.
///
/// # Errors
/// It is none, or it is too large or nested too deep. What was appended is of no use then.
pub(crate) fn decode(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    let mut reader = Reader { rest: bytes, out };
    reader.value(MAX_DEPTH)?;
    match reader.rest.len() {
        0 => Ok(()),
        left => Err(Fault::new(format!("{left} bytes are left behind the value"))),
    }
}

/// What a value begins with.
enum Head<'r> {
    Nil,
    Bool(bool),
    Int(i128),
    F32(f32),
    F64(f64),
    Text(&'r [u8]),
    Bytes(&'r [u8]),
    Array(u32),
    Map(u32),
    Ext(i8, &'r [u8]),
}

struct Reader<'r, 'o> {
    rest: &'r [u8],
    out: &'o mut Vec<u8>,
}

impl<'r> Reader<'r, '_> {
    fn head(&mut self) -> Result<Head<'r>, Fault> {
        let [marker] = self.array()?;
        Ok(match marker {
            0x00..=0x7f => Head::Int(marker.into()),
            0x80..=0x8f => Head::Map(u32::from(marker & 15)),
            0x90..=0x9f => Head::Array(u32::from(marker & 15)),
            0xa0..=0xbf => Head::Text(self.take(usize::from(marker & 31))?),
            0xc0 => Head::Nil,
            0xc1 => return Err(Fault::new("0xc1 begins no value")),
            0xc2 | 0xc3 => Head::Bool(marker == 0xc3),
            0xc4..=0xc6 => {
                let length = self.length(marker - 0xc4)?;
                Head::Bytes(self.take(length)?)
            }
            0xc7..=0xc9 => {
                let length = self.length(marker - 0xc7)?;
                self.extension(length)?
            }
            0xca => Head::F32(f32::from_be_bytes(self.array()?)),
            0xcb => Head::F64(f64::from_be_bytes(self.array()?)),
            0xcc => Head::Int(u8::from_be_bytes(self.array()?).into()),
            0xcd => Head::Int(u16::from_be_bytes(self.array()?).into()),
            0xce => Head::Int(u32::from_be_bytes(self.array()?).into()),
            0xcf => Head::Int(u64::from_be_bytes(self.array()?).into()),
            0xd0 => Head::Int(i8::from_be_bytes(self.array()?).into()),
            0xd1 => Head::Int(i16::from_be_bytes(self.array()?).into()),
            0xd2 => Head::Int(i32::from_be_bytes(self.array()?).into()),
            0xd3 => Head::Int(i64::from_be_bytes(self.array()?).into()),
            0xd4..=0xd8 => self.extension(1 << (marker - 0xd4))?,
            0xd9..=0xdb => {
                let length = self.length(marker - 0xd9)?;
                Head::Text(self.take(length)?)
            }
            0xdc => Head::Array(u16::from_be_bytes(self.array()?).into()),
            0xdd => Head::Array(u32::from_be_bytes(self.array()?)),
            0xde => Head::Map(u16::from_be_bytes(self.array()?).into()),
            0xdf => Head::Map(u32::from_be_bytes(self.array()?)),
            0xe0..=0xff => Head::Int(i128::from(marker.cast_signed())),
        })
    }

    fn value(&mut self, depth: usize) -> Result<(), Fault> {
        match self.head()? {
            Head::Nil => self.out.extend_from_slice(b"null"),
            Head::Bool(truth) => self.out.extend_from_slice(if truth { b"true" } else { b"false" }),
            Head::Int(number) => self.out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
            Head::F32(number) if number.is_finite() => write_float(self.out, number),
            Head::F32(number) => special(self.out, number.into()),
            Head::F64(number) if number.is_finite() => write_float(self.out, number),
            Head::F64(number) => special(self.out, number),
            Head::Text(text) => json::bytes(self.out, text),
            Head::Bytes(bytes) => json::base64_object(self.out, "$base64", bytes),
            Head::Array(count) => self.items(count, deeper(depth)?)?,
            Head::Map(count) => self.map(count, deeper(depth)?)?,
            Head::Ext(kind, bytes) => ext(self.out, kind, bytes),
        }
        Ok(())
    }

    fn items(&mut self, count: u32, depth: usize) -> Result<(), Fault> {
        self.out.push(b'[');
        for number in 0..count {
            if number > 0 {
                self.out.push(b',');
            }
            self.value(depth).map_err(|fault| fault.inside(|| format!("[{number}]")))?;
            within(self.out)?;
        }
        self.out.push(b']');
        Ok(())
    }

    fn map(&mut self, count: u32, depth: usize) -> Result<(), Fault> {
        let is_plain = self.is_plain(count)?;
        self.out.extend_from_slice(if is_plain { b"{" } else { b"{\"$map\":[" });
        for number in 0..count {
            if number > 0 {
                self.out.push(b',');
            }
            if !is_plain {
                self.out.push(b'[');
            }
            let from = self.out.len();
            self.value(depth)?;
            let key = from..self.out.len();
            self.out.push(if is_plain { b':' } else { b',' });
            if let Err(fault) = self.value(depth) {
                let shown = self.out.get(key).map(|key| String::from_utf8_lossy(key).trim_matches('"').to_owned());
                return Err(fault.inside(|| shown.unwrap_or_default()));
            }
            if !is_plain {
                self.out.push(b']');
            }
            within(self.out)?;
        }
        self.out.extend_from_slice(if is_plain { b"}" } else { b"]}" });
        Ok(())
    }

    /// Whether a map of so many entries is an object of JSON: its keys are strings, and it does not look like a tag.
    fn is_plain(&mut self, count: u32) -> Result<bool, Fault> {
        let here = self.rest;
        let mut is_plain = true;
        for _ in 0..count {
            match self.head()? {
                Head::Text(key) => {
                    is_plain &= std::str::from_utf8(key).is_ok_and(|key| count != 1 || !Tag::is_one(key));
                }
                _ => is_plain = false,
            }
            if !is_plain {
                break;
            }
            self.skip()?;
        }
        self.rest = here;
        Ok(is_plain)
    }

    /// Passes over a value.
    fn skip(&mut self) -> Result<(), Fault> {
        let mut left = 1u64;
        while left > 0 {
            left = left - 1
                + match self.head()? {
                    Head::Array(count) => u64::from(count),
                    Head::Map(count) => 2 * u64::from(count),
                    _ => 0,
                };
        }
        Ok(())
    }

    /// A length of 1, 2 or 4 bytes.
    fn length(&mut self, width: u8) -> Result<usize, Fault> {
        let length = match width {
            0 => u8::from_be_bytes(self.array()?).into(),
            1 => u16::from_be_bytes(self.array()?).into(),
            _ => u32::from_be_bytes(self.array()?),
        };
        Ok(length as usize)
    }

    fn extension(&mut self, length: usize) -> Result<Head<'r>, Fault> {
        let [kind] = self.array()?;
        Ok(Head::Ext(kind.cast_signed(), self.take(length)?))
    }

    fn take(&mut self, count: usize) -> Result<&'r [u8], Fault> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or_else(Fault::cut_off)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or_else(Fault::cut_off)?;
        self.rest = rest;
        Ok(*taken)
    }
}

fn special(out: &mut Vec<u8>, number: f64) {
    out.extend_from_slice(b"{\"$float\":");
    write_float(out, number);
    out.push(b'}');
}

fn ext(out: &mut Vec<u8>, kind: i8, bytes: &[u8]) {
    let nanos = if kind == TIMESTAMP { nanoseconds(bytes) } else { None };
    if let Some(nanos) = nanos {
        out.extend_from_slice(b"{\"$timestamp\":\"");
        logical::write_timestamp(out, nanos, Unit::Nanos, false);
        return out.extend_from_slice(b"\"}");
    }
    out.extend_from_slice(b"{\"$ext\":[");
    out.extend_from_slice(itoa::Buffer::new().format(kind).as_bytes());
    out.extend_from_slice(b",\"");
    json::base64(out, bytes);
    out.extend_from_slice(b"\"]}");
}

/// A time in nanoseconds; `None` for one that has not so few, or is written otherwise than in the shortest form, which
/// would not come back.
fn nanoseconds(bytes: &[u8]) -> Option<i64> {
    let (seconds, nanos): (i64, u32) = match bytes.len() {
        4 => (u32::from_be_bytes(bytes.try_into().ok()?).into(), 0),
        8 => {
            let both = u64::from_be_bytes(bytes.try_into().ok()?);
            ((both & 0x3_ffff_ffff).cast_signed(), (both >> 34) as u32)
        }
        12 => {
            let (nanos, seconds) = bytes.split_first_chunk::<4>()?;
            (i64::from_be_bytes(seconds.try_into().ok()?), u32::from_be_bytes(*nanos))
        }
        _ => return None,
    };
    let time = seconds.checked_mul(1_000_000_000)?.checked_add(i64::from(nanos))?;
    (nanos < 1_000_000_000 && timestamp(time) == bytes).then_some(time)
}

/// The shortest form of a time.
fn timestamp(time: i64) -> Vec<u8> {
    let (seconds, nanos) = (time.div_euclid(1_000_000_000), time.rem_euclid(1_000_000_000));
    match (u32::try_from(seconds), u64::try_from(seconds)) {
        (Ok(seconds), _) if nanos == 0 => seconds.to_be_bytes().to_vec(),
        (_, Ok(seconds)) if seconds >> 34 == 0 => (nanos.cast_unsigned() << 34 | seconds).to_be_bytes().to_vec(),
        _ => [(nanos as u32).to_be_bytes().as_slice(), &seconds.to_be_bytes()].concat(),
    }
}

/// Appends the bytes of a value in JSON.
///
/// # Errors
/// It is no JSON, or nothing that MessagePack can say.
pub(crate) fn encode(text: &[u8], out: &mut Vec<u8>) -> Result<(), Bad> {
    super::tagged::walk(text, &mut Writer { out })
}

const TOO_WIDE: &str = "MessagePack has no whole numbers of more than 64 bits";

struct Writer<'o> {
    out: &'o mut Vec<u8>,
}

impl Writer<'_> {
    fn marked<const N: usize>(&mut self, marker: u8, bytes: [u8; N]) {
        self.out.push(marker);
        self.out.extend(bytes);
    }

    /// A length behind its marker: in the marker itself where it is small, else in 1, 2 or 4 bytes.
    fn length(&mut self, length: usize, small: Option<(usize, u8)>, markers: [Option<u8>; 3]) -> Result<(), String> {
        if let Some((_, marker)) = small.filter(|(most, _)| length <= *most) {
            self.out.push(marker | length as u8);
            return Ok(());
        }
        match (u8::try_from(length), u16::try_from(length), u32::try_from(length), markers) {
            (Ok(length), _, _, [Some(marker), ..]) => self.out.extend([marker, length]),
            (_, Ok(length), _, [_, Some(marker), _]) => {
                self.out.push(marker);
                self.out.extend(length.to_be_bytes());
            }
            (_, _, Ok(length), [_, _, Some(marker)]) => {
                self.out.push(marker);
                self.out.extend(length.to_be_bytes());
            }
            _ => return Err("it is too long for MessagePack".to_owned()),
        }
        Ok(())
    }

    fn extension(&mut self, kind: i8, bytes: &[u8]) -> Result<(), String> {
        match bytes.len() {
            length @ (1 | 2 | 4 | 8 | 16) => self.out.push(0xd4 + length.ilog2() as u8),
            length => self.length(length, None, [Some(0xc7), Some(0xc8), Some(0xc9)])?,
        }
        self.out.push(kind.cast_unsigned());
        self.out.extend_from_slice(bytes);
        Ok(())
    }
}

impl Sink for Writer<'_> {
    fn null(&mut self) {
        self.out.push(0xc0);
    }

    fn truth(&mut self, truth: bool) {
        self.out.push(if truth { 0xc3 } else { 0xc2 });
    }

    fn number(&mut self, number: Number<'_>) -> Result<(), String> {
        let number = match number {
            Number::Float(number) => {
                self.out.push(0xcb);
                self.out.extend(number.to_be_bytes());
                return Ok(());
            }
            Number::Int(number) => number,
            Number::Large(_) => return Err(TOO_WIDE.to_owned()),
        };
        match number {
            0..=127 => self.out.push(number as u8),
            -32..0 => self.out.push((number as i8).cast_unsigned()),
            128.. => {
                match (u8::try_from(number), u16::try_from(number), u32::try_from(number), u64::try_from(number)) {
                    (Ok(number), ..) => self.marked(0xcc, number.to_be_bytes()),
                    (_, Ok(number), ..) => self.marked(0xcd, number.to_be_bytes()),
                    (_, _, Ok(number), _) => self.marked(0xce, number.to_be_bytes()),
                    (.., Ok(number)) => self.marked(0xcf, number.to_be_bytes()),
                    _ => return Err(TOO_WIDE.to_owned()),
                }
            }
            _ => match (i8::try_from(number), i16::try_from(number), i32::try_from(number), i64::try_from(number)) {
                (Ok(number), ..) => self.marked(0xd0, number.to_be_bytes()),
                (_, Ok(number), ..) => self.marked(0xd1, number.to_be_bytes()),
                (_, _, Ok(number), _) => self.marked(0xd2, number.to_be_bytes()),
                (.., Ok(number)) => self.marked(0xd3, number.to_be_bytes()),
                _ => return Err(TOO_WIDE.to_owned()),
            },
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), String> {
        self.length(text.len(), Some((31, 0xa0)), [Some(0xd9), Some(0xda), Some(0xdb)])?;
        self.out.extend_from_slice(text.as_bytes());
        Ok(())
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.length(bytes.len(), None, [Some(0xc4), Some(0xc5), Some(0xc6)])?;
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    fn array(&mut self, count: usize) -> Result<(), String> {
        self.length(count, Some((15, 0x90)), [None, Some(0xdc), Some(0xdd)])
    }

    fn map(&mut self, count: usize) -> Result<(), String> {
        self.length(count, Some((15, 0x80)), [None, Some(0xde), Some(0xdf)])
    }

    fn tags(&self) -> &'static [Tag] {
        &[Tag::Base64, Tag::Map, Tag::Float, Tag::Timestamp, Tag::Ext]
    }

    fn timestamp(&mut self, text: &str) -> Result<(), String> {
        let time = logical::read_timestamp(text, Unit::Nanos, false);
        let time = time.ok_or("write a time with its zone, as 2026-11-22T10:00:00.123Z")?;
        self.extension(TIMESTAMP, &timestamp(time))
    }

    fn ext(&mut self, kind: i128, bytes: &[u8]) -> Result<(), String> {
        let kind = i8::try_from(kind).map_err(|_| "the type of an extension is a number from -128 to 127")?;
        self.extension(kind, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(bytes: &[u8]) -> Result<String, String> {
        let mut out = Vec::new();
        decode(bytes, &mut out).map_err(|fault| fault.to_string())?;
        Ok(String::from_utf8(out).expect("UTF-8"))
    }

    fn bytes(text: &str) -> Result<Vec<u8>, String> {
        let mut out = Vec::new();
        encode(text.as_bytes(), &mut out).map_err(|bad| bad.in_text(text.as_bytes()).message)?;
        Ok(out)
    }

    #[test]
    fn there_and_back() {
        let nested = |count: usize| [vec![0x91; count], vec![0xc0]].concat();
        for (raw, text) in [
            (b"\xc0".as_slice(), "null"),
            (b"\xc3", "true"),
            (b"\x7f", "127"),
            (b"\xe0", "-32"),
            (b"\xd0\xdf", "-33"),
            (b"\xcc\x80", "128"),
            (b"\xd1\xff\x00", "-256"),
            (b"\xcd\x01\x00", "256"),
            (b"\xd2\xff\x00\x00\x00", "-16777216"),
            (b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", "18446744073709551615"),
            (b"\xd3\x80\x00\x00\x00\x00\x00\x00\x00", "-9223372036854775808"),
            (b"\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00", "1.5"),
            (b"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00", r#"{"$float":"NaN"}"#),
            (b"\xa1a", "\"a\""),
            (b"\xc4\x01\xff", r#"{"$base64":"/w=="}"#),
            (b"\x92\x01\x90", "[1,[]]"),
            (b"\x82\xa1a\x01\xa1b\x80", r#"{"a":1,"b":{}}"#),
            (b"\x81\x01\xa1a", r#"{"$map":[[1,"a"]]}"#),
            (b"\x82\xa1a\x01\xc0\x02", r#"{"$map":[["a",1],[null,2]]}"#),
            (b"\x81\xa7$base64\x01", r#"{"$map":[["$base64",1]]}"#),
            (b"\xd6\xff\x00\x00\x00\x01", r#"{"$timestamp":"1970-01-01T00:00:01.000000000Z"}"#),
            (b"\xd7\xff\x00\x00\x00\x04\x00\x00\x00\x00", r#"{"$timestamp":"1970-01-01T00:00:00.000000001Z"}"#),
            (
                b"\xc7\x0c\xff\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff",
                r#"{"$timestamp":"1969-12-31T23:59:59.000000000Z"}"#,
            ),
            (b"\xd4\x05x", r#"{"$ext":[5,"eA=="]}"#),
            (b"\xc7\x03\x05xyz", r#"{"$ext":[5,"eHl6"]}"#),
        ] {
            assert_eq!(shown(raw).as_deref(), Ok(text), "{raw:x?}");
            assert_eq!(bytes(text).as_deref(), Ok(raw), "{text}");
        }
        assert_eq!(shown(b"\xca\x3f\x80\x00\x00").as_deref(), Ok("1.0"));
        assert_eq!(shown(b"\xa1\xff").as_deref(), Ok(r#"{"$base64":"/w=="}"#));
        for length in [32, 255, 256, 65_535, 65_536] {
            let text = format!("\"{}\"", "x".repeat(length));
            assert_eq!(bytes(&text).and_then(|raw| shown(&raw)), Ok(text));
            let list = format!("[{}0]", "0,".repeat(length));
            assert_eq!(bytes(&list).and_then(|raw| shown(&raw)), Ok(list));
        }
        assert!(shown(&nested(100)).is_ok() && shown(&nested(101)).is_err());
    }

    #[test]
    fn what_is_wrong() {
        for bad in [
            b"".as_slice(),
            b"\xc1",
            b"\x92\x01",
            b"\xdd\xff\xff\xff\xff",
            b"\xdf\xff\xff\xff\xff\xa1a\x01",
            b"\xc6\xff\xff\xff\xff",
            b"\x01\x02",
            b"\x81\xa1a",
            b"\xa2a",
        ] {
            assert!(shown(bad).is_err(), "{bad:x?}");
        }
        for bad in [
            "",
            "18446744073709551616",
            "1e999",
            "{\"$base64\":7}",
            "{\"$base64\":\"!\"}",
            "{\"$map\":[[1]]}",
            "{\"$timestamp\":\"x\"}",
            "{\"$ext\":[1]}",
            "{\"$ext\":[128,\"\"]}",
            "[1] 2",
            "{\"$float\":\"x\"}",
        ] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
        assert_eq!(bytes(r#"{"a":[1,{"b":1e999}]}"#).expect_err("too large"), "a[1].b: the number is too large");
    }
}
