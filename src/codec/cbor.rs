//! CBOR (RFC 8949): bytes to JSON and back.
//!
//! What JSON lacks has a tag, by which it is read back: `{"$base64": "…"}` bytes, `{"$map": [[key, value], …]}` a map whose
//! keys are not all strings, `{"$tag": [number, value]}`, `{"$simple": number}`, `{"$float": "NaN"}`. Whole numbers are exact,
//! those with more than 64 bits, too (tags 2 and 3).

use num_bigint::BigInt;

use super::fault::{Fault, MAX_DEPTH, deeper, within};
use super::tagged::{Number, Sink, Tag};
use super::text::write_float;
use crate::message::json;
use crate::proto::Bad;

/// The largest whole number that is written as digits, in bytes.
const LARGEST: usize = 4096;

/// The tag of what says itself that it is CBOR.
const ITSELF: u64 = 55_799;

/// Appends a value as JSON.
///
/// # Errors
/// It is none, or it is too large or nested too deep. What was appended is of no use then.
pub(crate) fn decode(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    // Its mark says nothing else.
    let bytes = bytes.strip_prefix(&[0xd9, 0xd9, 0xf7]).unwrap_or(bytes);
    let mut reader = Reader { rest: bytes, out };
    reader.value(MAX_DEPTH)?;
    match reader.rest.len() {
        0 => Ok(()),
        left => Err(Fault::new(format!("{left} bytes are left behind the value"))),
    }
}

/// The first byte of a value, and what it announces.
#[derive(Clone, Copy)]
struct Head {
    /// 0 to 7.
    major: u8,
    /// `None` where no length is said.
    argument: Option<u64>,
    /// How many bytes the argument had of its own.
    width: u8,
}

impl Head {
    /// The end of what has no length.
    fn is_break(self) -> bool {
        self.major == 7 && self.argument.is_none()
    }
}

struct Reader<'r, 'o> {
    rest: &'r [u8],
    out: &'o mut Vec<u8>,
}

impl<'r> Reader<'r, '_> {
    fn head(&mut self) -> Result<Head, Fault> {
        let [first] = self.array()?;
        let major = first >> 5;
        let (argument, width) = match first & 31 {
            small @ 0..=23 => (Some(u64::from(small)), 0),
            24 => (Some(u8::from_be_bytes(self.array()?).into()), 1),
            25 => (Some(u16::from_be_bytes(self.array()?).into()), 2),
            26 => (Some(u32::from_be_bytes(self.array()?).into()), 4),
            27 => (Some(u64::from_be_bytes(self.array()?)), 8),
            31 if matches!(major, 2..=5 | 7) => (None, 0),
            _ => return Err(Fault::new(format!("{first:#04x} begins no value"))),
        };
        Ok(Head { major, argument, width })
    }

    fn value(&mut self, depth: usize) -> Result<(), Fault> {
        let head = self.head()?;
        self.behind(head, depth)
    }

    /// A value whose first byte was taken.
    fn behind(&mut self, head: Head, depth: usize) -> Result<(), Fault> {
        let argument = head.argument.unwrap_or_default();
        match head.major {
            0 => self.number(argument.into()),
            1 => self.number(-1 - i128::from(argument)),
            2 => {
                let bytes = self.string(head)?;
                json::base64_object(self.out, "$base64", &bytes);
            }
            3 => {
                let bytes = self.string(head)?;
                let text = std::str::from_utf8(&bytes).map_err(|_| Fault::new("a text is not UTF-8"))?;
                json::string(self.out, text);
            }
            4 => self.items(head.argument, deeper(depth)?)?,
            5 => self.map(head.argument, deeper(depth)?)?,
            6 => self.tagged(argument, deeper(depth)?)?,
            _ if head.is_break() => return Err(Fault::new("something ends that did not begin")),
            _ => self.simple(head, argument),
        }
        Ok(())
    }

    fn number(&mut self, number: i128) {
        self.out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    }

    fn simple(&mut self, head: Head, argument: u64) {
        let number = match (head.width, argument) {
            (2, bits) => half(bits as u16),
            (4, bits) => {
                let number = f32::from_bits(bits as u32);
                if number.is_finite() {
                    return write_float(self.out, number);
                }
                number.into()
            }
            (8, bits) => f64::from_bits(bits),
            (_, 20) => return self.out.extend_from_slice(b"false"),
            (_, 21) => return self.out.extend_from_slice(b"true"),
            (_, 22) => return self.out.extend_from_slice(b"null"),
            (_, other) => {
                self.out.extend_from_slice(b"{\"$simple\":");
                self.number(other.into());
                return self.out.push(b'}');
            }
        };
        if number.is_finite() {
            return write_float(self.out, number);
        }
        self.out.extend_from_slice(b"{\"$float\":");
        write_float(self.out, number);
        self.out.push(b'}');
    }

    /// Bytes or text, whole or in pieces.
    fn string(&mut self, head: Head) -> Result<std::borrow::Cow<'r, [u8]>, Fault> {
        if let Some(length) = head.argument {
            return self.take(length).map(Into::into);
        }
        let mut whole = Vec::new();
        loop {
            let piece = self.head()?;
            match piece.argument {
                _ if piece.is_break() => return Ok(whole.into()),
                Some(length) if piece.major == head.major => whole.extend_from_slice(self.take(length)?),
                _ => return Err(Fault::new("a piece of a text is none")),
            }
        }
    }

    /// Whether another item follows, and its first byte where that is known.
    fn next(&mut self, left: &mut Option<u64>) -> Result<Option<Head>, Fault> {
        match left {
            Some(0) => return Ok(None),
            Some(left) => *left -= 1,
            None => {}
        }
        let head = self.head()?;
        if left.is_none() && head.is_break() { Ok(None) } else { Ok(Some(head)) }
    }

    fn items(&mut self, mut left: Option<u64>, depth: usize) -> Result<(), Fault> {
        self.out.push(b'[');
        let mut number = 0u64;
        while let Some(head) = self.next(&mut left)? {
            if number > 0 {
                self.out.push(b',');
            }
            self.behind(head, depth).map_err(|fault| fault.inside(|| format!("[{number}]")))?;
            number += 1;
            within(self.out)?;
        }
        self.out.push(b']');
        Ok(())
    }

    fn map(&mut self, count: Option<u64>, depth: usize) -> Result<(), Fault> {
        let is_plain = self.is_plain(count)?;
        self.out.extend_from_slice(if is_plain { b"{" } else { b"{\"$map\":[" });
        let (mut left, mut is_first) = (count, true);
        while let Some(head) = self.next(&mut left)? {
            if !is_first {
                self.out.push(b',');
            }
            is_first = false;
            if !is_plain {
                self.out.push(b'[');
            }
            let from = self.out.len();
            self.behind(head, depth)?;
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

    /// Whether a map is an object of JSON: its keys are strings, and it does not look like a tag.
    fn is_plain(&mut self, count: Option<u64>) -> Result<bool, Fault> {
        let here = self.rest;
        let (mut left, mut keys, mut is_tag, mut is_plain) = (count, 0u64, false, true);
        while let Some(head) = self.next(&mut left)? {
            if head.major != 3 {
                is_plain = false;
                break;
            }
            let key = self.string(head)?;
            is_tag |= std::str::from_utf8(&key).is_ok_and(Tag::is_one);
            keys += 1;
            self.skip(MAX_DEPTH)?;
        }
        self.rest = here;
        Ok(is_plain && (keys != 1 || !is_tag))
    }

    /// Passes over a value.
    fn skip(&mut self, depth: usize) -> Result<(), Fault> {
        let head = self.head()?;
        self.skip_behind(head, depth)
    }

    fn skip_behind(&mut self, head: Head, depth: usize) -> Result<(), Fault> {
        let mut left = head.argument;
        match head.major {
            2 | 3 => drop(self.string(head)?),
            4 => {
                let depth = deeper(depth)?;
                while let Some(head) = self.next(&mut left)? {
                    self.skip_behind(head, depth)?;
                }
            }
            5 => {
                let depth = deeper(depth)?;
                while let Some(head) = self.next(&mut left)? {
                    self.skip_behind(head, depth)?;
                    self.skip(depth)?;
                }
            }
            6 => self.skip(deeper(depth)?)?,
            _ if head.is_break() => return Err(Fault::new("something ends that did not begin")),
            _ => {}
        }
        Ok(())
    }

    fn tagged(&mut self, number: u64, depth: usize) -> Result<(), Fault> {
        let here = self.rest;
        let head = self.head()?;
        if matches!(number, 2 | 3) && head.major == 2 {
            let bytes = self.string(head)?;
            // One that fits without a tag would not come back with it.
            if (9..=LARGEST).contains(&bytes.len()) && bytes.first() != Some(&0) {
                let size = BigInt::from_bytes_be(num_bigint::Sign::Plus, &bytes);
                let whole = if number == 2 { size } else { -size - 1 };
                self.out.extend_from_slice(whole.to_string().as_bytes());
                return Ok(());
            }
        }
        self.rest = here;
        self.out.extend_from_slice(b"{\"$tag\":[");
        self.number(number.into());
        self.out.push(b',');
        self.value(depth)?;
        self.out.extend_from_slice(b"]}");
        Ok(())
    }

    fn take(&mut self, count: u64) -> Result<&'r [u8], Fault> {
        let left = self.rest.len();
        let split = usize::try_from(count).ok().and_then(|count| self.rest.split_at_checked(count));
        let (taken, rest) = split.ok_or_else(|| Fault::new(format!("{count} bytes are announced, {left} are left")))?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or_else(Fault::cut_off)?;
        self.rest = rest;
        Ok(*taken)
    }
}

/// A float of 16 bits.
fn half(bits: u16) -> f64 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 0x3ff));
    let number = match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        exponent => (fraction + 1024.0) * 2f64.powi(exponent - 25),
    };
    if bits & 0x8000 == 0 { number } else { -number }
}

/// Appends the bytes of a value in JSON.
///
/// # Errors
/// It is no JSON, or nothing that CBOR can say.
pub(crate) fn encode(text: &[u8], out: &mut Vec<u8>) -> Result<(), Bad> {
    super::tagged::walk(text, &mut Writer { out })
}

struct Writer<'o> {
    out: &'o mut Vec<u8>,
}

impl Writer<'_> {
    fn head(&mut self, major: u8, argument: u64) {
        let major = major << 5;
        match (u8::try_from(argument), u16::try_from(argument), u32::try_from(argument)) {
            (Ok(small @ 0..=23), ..) => self.out.push(major | small),
            (Ok(byte), ..) => self.out.extend([major | 24, byte]),
            (_, Ok(short), _) => {
                self.out.push(major | 25);
                self.out.extend(short.to_be_bytes());
            }
            (_, _, Ok(word)) => {
                self.out.push(major | 26);
                self.out.extend(word.to_be_bytes());
            }
            _ => {
                self.out.push(major | 27);
                self.out.extend(argument.to_be_bytes());
            }
        }
    }

    fn large(&mut self, whole: &BigInt) {
        let negative = whole.sign() == num_bigint::Sign::Minus;
        let size = if negative { -whole - 1 } else { whole.clone() };
        let (_, bytes) = size.to_bytes_be();
        self.head(6, if negative { 3 } else { 2 });
        self.head(2, bytes.len() as u64);
        self.out.extend_from_slice(&bytes);
    }
}

impl Sink for Writer<'_> {
    fn null(&mut self) {
        self.out.push(0xf6);
    }

    fn truth(&mut self, truth: bool) {
        self.out.push(if truth { 0xf5 } else { 0xf4 });
    }

    fn number(&mut self, number: Number<'_>) -> Result<(), String> {
        match number {
            Number::Float(number) => {
                self.out.push(0xfb);
                self.out.extend(number.to_be_bytes());
            }
            Number::Int(number) => match (u64::try_from(number), u64::try_from(-1 - number)) {
                (Ok(number), _) => self.head(0, number),
                (_, Ok(number)) => self.head(1, number),
                _ => self.large(&number.into()),
            },
            Number::Large(text) if text.len() <= 2 * LARGEST => {
                self.large(&text.parse().map_err(|_| "it is no number".to_owned())?);
            }
            Number::Large(_) => return Err("the number is too large".to_owned()),
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), String> {
        self.head(3, text.len() as u64);
        self.out.extend_from_slice(text.as_bytes());
        Ok(())
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.head(2, bytes.len() as u64);
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    fn array(&mut self, count: usize) -> Result<(), String> {
        self.head(4, count as u64);
        Ok(())
    }

    fn map(&mut self, count: usize) -> Result<(), String> {
        self.head(5, count as u64);
        Ok(())
    }

    fn tags(&self) -> &'static [Tag] {
        &[Tag::Base64, Tag::Map, Tag::Float, Tag::Tagged, Tag::Simple]
    }

    fn tagged(&mut self, number: i128) -> Result<(), String> {
        let number = u64::try_from(number).ok().filter(|number| *number != ITSELF);
        self.head(6, number.ok_or("a tag is a number from 0 to 18446744073709551615")?);
        Ok(())
    }

    fn simple(&mut self, number: i128) -> Result<(), String> {
        match u8::try_from(number) {
            Ok(number @ (0..=19 | 23)) => self.out.push(0xe0 | number),
            Ok(number @ 32..) => self.out.extend([0xf8, number]),
            _ => return Err("a simple value is a number from 0 to 19, 23, or one from 32 to 255".to_owned()),
        }
        Ok(())
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
        for (raw, text) in [
            (b"\xf6".as_slice(), "null"),
            (b"\xf5", "true"),
            (b"\x17", "23"),
            (b"\x18\x18", "24"),
            (b"\x20", "-1"),
            (b"\x39\x03\xe7", "-1000"),
            (b"\x1a\x00\x0f\x42\x40", "1000000"),
            (b"\x1b\xff\xff\xff\xff\xff\xff\xff\xff", "18446744073709551615"),
            (b"\x3b\xff\xff\xff\xff\xff\xff\xff\xff", "-18446744073709551616"),
            (b"\xc2\x49\x01\x00\x00\x00\x00\x00\x00\x00\x00", "18446744073709551616"),
            (b"\xc3\x49\x01\x00\x00\x00\x00\x00\x00\x00\x00", "-18446744073709551617"),
            (
                b"\xc2\x51\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
                "340282366920938463463374607431768211456",
            ),
            (b"\xfb\x3f\xf8\x00\x00\x00\x00\x00\x00", "1.5"),
            (b"\xfb\x7f\xf0\x00\x00\x00\x00\x00\x00", r#"{"$float":"Infinity"}"#),
            (b"\x61a", "\"a\""),
            (b"\x41\xff", r#"{"$base64":"/w=="}"#),
            (b"\x82\x01\x80", "[1,[]]"),
            (b"\xa2\x61a\x01\x61b\xa0", r#"{"a":1,"b":{}}"#),
            (b"\xa1\x01\x61a", r#"{"$map":[[1,"a"]]}"#),
            (b"\xa1\x64$tag\x01", r#"{"$map":[["$tag",1]]}"#),
            (b"\xc0\x61x", r#"{"$tag":[0,"x"]}"#),
            (b"\xc2\x41\x01", r#"{"$tag":[2,{"$base64":"AQ=="}]}"#),
            (b"\xf7", r#"{"$simple":23}"#),
            (b"\xf8\xff", r#"{"$simple":255}"#),
        ] {
            assert_eq!(shown(raw).as_deref(), Ok(text), "{raw:x?}");
            assert_eq!(bytes(text).as_deref(), Ok(raw), "{text}");
        }
        for (raw, text) in [
            (b"\xf9\x3c\x00".as_slice(), "1.0"),
            (b"\xf9\x00\x01", "5.960464477539063e-8"),
            (b"\xf9\xfb\xff", "-65504.0"),
            (b"\xf9\x7e\x00", r#"{"$float":"NaN"}"#),
            (b"\xfa\x3d\xcc\xcc\xcd", "0.1"),
            (b"\x9f\x01\x02\xff", "[1,2]"),
            (b"\xbf\x61a\x01\xff", r#"{"a":1}"#),
            (b"\x7f\x61a\x61b\xff", "\"ab\""),
            (b"\x5f\x41\xff\xff", r#"{"$base64":"/w=="}"#),
            (b"\xd9\xd9\xf7\x01", "1"),
        ] {
            assert_eq!(shown(raw).as_deref(), Ok(text), "{raw:x?}");
        }
        let nested = |count: usize| [vec![0x81; count], vec![0xf6]].concat();
        assert!(shown(&nested(100)).is_ok() && shown(&nested(101)).is_err());
        assert!(shown(&[vec![0xc0; 100_000], vec![0xf6]].concat()).is_err());
    }

    #[test]
    fn what_is_wrong() {
        for bad in [
            b"".as_slice(),
            b"\x1c",
            b"\x82\x01",
            b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\x5b\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\x01\x02",
            b"\xff",
            b"\x9f\x01",
            b"\x7f\x41a\xff",
            b"\x61\xff",
            b"\xbf\x61a\xff",
            b"\x1f",
            b"\xa1\x61a",
        ] {
            assert!(shown(bad).is_err(), "{bad:x?}");
        }
        for bad in ["", "1e999", "{\"$tag\":[-1,0]}", "{\"$tag\":7}", "{\"$simple\":22}", "{\"$base64\":\"!\"}"] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
        assert!(bytes(&"9".repeat(100_000)).is_err());
    }
}
