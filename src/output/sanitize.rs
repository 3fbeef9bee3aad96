//! Control characters and characters that reorder text, made visible: what a stranger wrote must not drive the terminal.

use std::borrow::Cow;
use std::fmt::Write;

pub(crate) use crate::message::json::escape as escape_json;
use crate::message::json::is_unsafe;

/// For bodies and error texts: newline and tab stay, bytes that are not UTF-8 are shown as `\xNN`.
pub(crate) fn escape_text(text: &str) -> Cow<'_, str> {
    escape(text, |c| is_unsafe(c) && !matches!(c, '\n' | '\t'))
}

/// For keys, headers and names, which are one line: newline and tab are escaped too.
pub(crate) fn escape_line(text: &str) -> Cow<'_, str> {
    escape(text, is_unsafe)
}

fn escape(text: &str, bad: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(&bad) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            c if !bad(c) => out.push(c),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            // Writing to a String cannot fail.
            c if u32::from(c) < 0x100 => drop(write!(out, "\\x{:02x}", u32::from(c))),
            c => drop(write!(out, "\\u{{{:x}}}", u32::from(c))),
        }
    }
    Cow::Owned(out)
}

/// Appends bytes as [`escape_text`] does, each byte that is not UTF-8 as `\xNN`.
pub(crate) fn push_bytes(out: &mut Vec<u8>, bytes: &[u8], line: bool) {
    for chunk in bytes.utf8_chunks() {
        let text = chunk.valid();
        let text = if line { escape_line(text) } else { escape_text(text) };
        out.extend_from_slice(text.as_bytes());
        for byte in chunk.invalid() {
            out.extend_from_slice(format!("\\x{byte:02x}").as_bytes());
        }
    }
}

/// Appends JSON as [`escape_json`] does.
pub(crate) fn push_json(out: &mut Vec<u8>, json: &[u8]) {
    let from = out.len();
    out.extend_from_slice(json);
    escape_json(out, from);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_unsafe_gets_through() {
        assert_eq!(escape_text("a\u{1b}[31m\n\t\r\u{202e}\u{9b}"), "a\\x1b[31m\n\t\\r\\u{202e}\\x9b");
        assert_eq!(escape_line("a\nb\tä"), "a\\nb\\tä");
        let mut out = Vec::new();
        push_bytes(&mut out, b"\xffa\x1b", true);
        assert_eq!(out, b"\\xffa\\x1b");
    }
}
