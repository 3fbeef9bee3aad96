//! Control characters and characters that reorder text, made visible: what a stranger wrote must not drive the terminal.

use std::borrow::Cow;
use std::fmt::Write;

/// Characters that move the cursor, colour, or change the direction of the text around them (Unicode TR 36, section 2.5).
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// For bodies and error texts: newline and tab stay, bytes that are not UTF-8 are shown as `\xNN`.
pub fn escape_text(text: &str) -> Cow<'_, str> {
    escape(text, |c| is_unsafe(c) && !matches!(c, '\n' | '\t'))
}

/// For keys, headers and names, which are one line: newline and tab are escaped too.
pub fn escape_line(text: &str) -> Cow<'_, str> {
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
pub fn push_bytes(out: &mut Vec<u8>, bytes: &[u8], line: bool) {
    for chunk in bytes.utf8_chunks() {
        let text = chunk.valid();
        let text = if line { escape_line(text) } else { escape_text(text) };
        out.extend_from_slice(text.as_bytes());
        for byte in chunk.invalid() {
            out.extend_from_slice(format!("\\x{byte:02x}").as_bytes());
        }
    }
}

/// Escapes the rest of the unsafe characters of a JSON text from `from` on, the JSON way: it stays the same JSON.
pub fn escape_json(out: &mut Vec<u8>, from: usize) {
    let Ok(text) = std::str::from_utf8(&out[from..]) else { return };
    let bad = |c: char| is_unsafe(c) && !matches!(c, '\n' | '\t');
    if !text.chars().any(bad) {
        return;
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match bad(c) {
            // All of them lie in the basic plane, so one escape each. Writing to a String cannot fail.
            true => drop(write!(escaped, "\\u{:04x}", u32::from(c))),
            false => escaped.push(c),
        }
    }
    out.truncate(from);
    out.extend_from_slice(escaped.as_bytes());
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

    #[test]
    fn json_stays_the_same_json() {
        let mut out = "\"\u{202e}\u{9b}ä\"".as_bytes().to_vec();
        escape_json(&mut out, 0);
        assert_eq!(out, r#""\u202e\u009bä""#.as_bytes());
    }
}
