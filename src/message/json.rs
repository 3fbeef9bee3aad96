//! The pieces of JSON that the envelope is written with, straight into an output buffer.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// How many bytes are looked at together: without a branch between them it is a few instructions.
const BLOCK: usize = 16;

fn is_escaped(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\') | (byte == 0x7f)
}

/// How many bytes at the front of a string stand as they are.
fn plain(bytes: &[u8]) -> usize {
    let (blocks, _) = bytes.as_chunks::<BLOCK>();
    let whole = |block: &&[u8; BLOCK]| !block.iter().fold(false, |any, &byte| any | is_escaped(byte));
    let at = blocks.iter().take_while(whole).count() * BLOCK;
    at + bytes[at..].iter().take_while(|byte| !is_escaped(**byte)).count()
}

/// Appends a JSON string. Control characters are escaped, everything else stands as it is.
pub(crate) fn string(out: &mut Vec<u8>, text: &str) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    let mut bytes = text.as_bytes();
    loop {
        let (stands, rest) = bytes.split_at(plain(bytes));
        out.extend_from_slice(stands);
        let Some((&byte, rest)) = rest.split_first() else { break };
        bytes = rest;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            // Writing to a Vec cannot fail.
            _ => drop(write!(out, "\\u{byte:04x}")),
        }
    }
    out.push(b'"');
}

/// Pairs of hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Reads pairs of hexadecimal digits.
///
/// # Errors
/// A sentence that says so.
pub(crate) fn decode_hex(text: &str) -> Result<Vec<u8>, String> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let read = |[high, low]: &[u8; 2]| u8::try_from(digit(*high)? * 16 + digit(*low)?).ok();
    let bytes: Option<Vec<u8>> = pairs.iter().map(read).collect();
    bytes.filter(|_| rest.is_empty()).ok_or_else(|| "bad hex: write two digits for each byte".to_owned())
}

/// Appends bytes: a JSON string when they are UTF-8, else `{"$base64": "…"}`.
pub(crate) fn bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => string(out, text),
        Err(_) => base64_object(out, "$base64", bytes),
    }
}

/// Appends `{"tag": "base64 of the bytes"}`.
pub(crate) fn base64_object(out: &mut Vec<u8>, tag: &str, bytes: &[u8]) {
    out.push(b'{');
    string(out, tag);
    out.extend_from_slice(b":\"");
    base64(out, bytes);
    out.extend_from_slice(b"\"}");
}

/// Appends standard base64 with padding.
pub(crate) fn base64(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let written = STANDARD.encode_slice(bytes, &mut out[start..]).unwrap_or(0);
    out.truncate(start + written);
}

/// Reads base64 of either alphabet, padded or not.
///
/// # Errors
/// A sentence that says so.
pub(crate) fn decode_base64(text: &str) -> Result<Vec<u8>, String> {
    use base64::alphabet::STANDARD as STD;
    use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
    const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    const ENGINE: GeneralPurpose = GeneralPurpose::new(&STD, LENIENT);
    let decoded = match text.contains(['-', '_', '\r', '\n']) {
        false => ENGINE.decode(text),
        true => ENGINE.decode(text.replace('-', "+").replace('_', "/").replace(['\r', '\n'], "")),
    };
    decoded.map_err(|e| format!("bad base64: {e}"))
}

/// Characters that move the cursor, colour, or change the direction of the text around them (Unicode TR 36, section 2.5).
pub(crate) fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Escapes the unsafe characters of a JSON text from `from` on, the JSON way: it stays the same JSON.
pub(crate) fn escape(out: &mut Vec<u8>, from: usize) {
    let text = String::from_utf8_lossy(&out[from..]);
    let bad = |c: char| is_unsafe(c) && !matches!(c, '\n' | '\t');
    if !text.chars().any(bad) {
        return;
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match bad(c) {
            // All of them lie in the basic plane, so one escape each. Writing to a String cannot fail.
            true => drop(std::fmt::Write::write_fmt(&mut escaped, format_args!("\\u{:04x}", u32::from(c)))),
            false => escaped.push(c),
        }
    }
    out.truncate(from);
    out.extend_from_slice(escaped.as_bytes());
}

/// Appends JSON without the blanks between its tokens.
pub(crate) fn compact(out: &mut Vec<u8>, mut json: &[u8]) {
    // Most of a text are strings, and most of these are plain.
    while let Some(at) = json.iter().position(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'"')) {
        let (front, rest) = json.split_at(at);
        out.extend_from_slice(front);
        let taken = if rest.first() == Some(&b'"') { quoted(rest) } else { 0 };
        out.extend_from_slice(&rest[..taken]);
        json = &rest[taken.max(1)..];
    }
    out.extend_from_slice(json);
}

/// How long the string is that a text begins with, with its quotes.
fn quoted(text: &[u8]) -> usize {
    let mut at = 1;
    while let Some(found) = text.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += found + 1;
        match text.get(at - 1) {
            Some(b'\\') => at += 1,
            _ => return at,
        }
    }
    text.len()
}

/// Writes the members of one JSON object, with the commas between them.
pub(crate) struct Object<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl<'a> Object<'a> {
    /// Opens the object.
    pub(crate) fn open(out: &'a mut Vec<u8>) -> Object<'a> {
        out.push(b'{');
        Object { out, first: true }
    }

    /// Appends the name of the next member, whatever is in it, and gives the buffer for its value.
    pub(crate) fn entry(&mut self, name: &str) -> &mut Vec<u8> {
        self.comma();
        string(self.out, name);
        self.out.push(b':');
        self.out
    }

    fn comma(&mut self) {
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
    }

    /// The same for a name of ours, in which there is nothing to escape.
    #[inline]
    pub(crate) fn member(&mut self, name: &'static str) -> &mut Vec<u8> {
        self.comma();
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    /// A member with a string.
    #[inline]
    pub(crate) fn text(&mut self, name: &'static str, value: &str) {
        string(self.member(name), value);
    }

    /// A member with an integer.
    #[inline]
    pub(crate) fn number(&mut self, name: &'static str, value: impl itoa::Integer) {
        self.member(name).extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }

    /// A member that is true or false.
    pub(crate) fn truth(&mut self, name: &'static str, value: bool) {
        self.member(name).extend_from_slice(if value { b"true" } else { b"false" });
    }

    /// Closes the object.
    pub(crate) fn close(self) {
        self.out.push(b'}');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_what_serde_reads() {
        let text = "a\"b\\c\n\u{1}\u{7f}ä\u{2028}😀";
        let mut out = Vec::new();
        string(&mut out, text);
        assert_eq!(serde_json::from_slice::<String>(&out).expect("JSON"), text);
    }

    #[test]
    fn whatever_is_escaped_is_found_wherever_it_stands() {
        for length in 0..3 * BLOCK {
            for at in 0..length {
                for odd in ['"', '\\', '\u{1f}', '\u{7f}', '\n', '\u{80}', ' '] {
                    let text: String = (0..length).map(|i| if i == at { odd } else { 'x' }).collect();
                    let mut out = Vec::new();
                    string(&mut out, &text);
                    assert_eq!(serde_json::from_slice::<String>(&out).expect("JSON"), text);
                    let stands = !matches!(odd, '"' | '\\') && !odd.is_ascii_control();
                    assert_eq!(out.len() == text.len() + 2, stands, "{text:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_escaped_stays_the_same_json() {
        let mut out = "\"\u{202e}\u{9b}ä\"".as_bytes().to_vec();
        escape(&mut out, 0);
        assert_eq!(out, r#""\u202e\u009bä""#.as_bytes());
    }

    #[test]
    fn blanks_go_between_tokens_alone() {
        for (text, left) in [
            (" { \"a b\" : [ 1 ,\n2 ] , \"c\\\" d\":\t\"\\\\\" }\r\n", "{\"a b\":[1,2],\"c\\\" d\":\"\\\\\"}"),
            ("7", "7"),
            ("", ""),
            ("\"open", "\"open"),
            ("\"open\\", "\"open\\"),
        ] {
            let mut out = Vec::new();
            compact(&mut out, text.as_bytes());
            assert_eq!(String::from_utf8_lossy(&out), left, "{text}");
        }
    }

    #[test]
    fn base64_of_both_alphabets() {
        for text in ["+/8=", "-_8", "-_8=", "+/8"] {
            assert_eq!(decode_base64(text), Ok(vec![0xfb, 0xff]), "{text}");
        }
        assert!(decode_base64("!").is_err());
    }
}
