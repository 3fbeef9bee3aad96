//! Bodies as people read them: JSON indented and coloured, each character as it came but for the white space between them.

use anstyle::{AnsiColor, Style};
use serde::de::IgnoredAny;

use super::sanitize::push_json;

/// What the parts of JSON look like, on a dark and on a light screen.
struct Colors {
    name: Style,
    string: Style,
    number: Style,
    word: Style,
}

const NONE: Colors = Colors { name: Style::new(), string: Style::new(), number: Style::new(), word: Style::new() };

const COLORS: Colors = Colors {
    name: AnsiColor::Blue.on_default().bold(),
    string: AnsiColor::Green.on_default(),
    number: AnsiColor::Cyan.on_default(),
    word: AnsiColor::Magenta.on_default(),
};

/// How deep JSON may be that is indented: the blanks before its lines are many more than it has bytes.
const DEEPEST: usize = 128;

/// Whether a body is an object or an array of JSON that can be indented.
pub(crate) fn is_json(body: &[u8]) -> bool {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    matches!(first, Some(b'{' | b'['))
        && std::str::from_utf8(body).is_ok()
        && serde_json::from_slice::<IgnoredAny>(body).is_ok()
        && depth(body) <= DEEPEST
}

/// How deep JSON is.
fn depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest, mut rest) = (0usize, 0, json);
    while let [first, ..] = rest {
        match first {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
        let length = if *first == b'"' { token(rest) } else { 1 };
        rest = rest.get(length..).unwrap_or_default();
    }
    deepest
}

/// Appends JSON with a line for each member and element, all behind so many blanks. What would move the cursor is escaped, the
/// JSON way.
pub(crate) fn push_indented(out: &mut Vec<u8>, json: &[u8], margin: usize, color: bool) {
    let colors = if color { &COLORS } else { &NONE };
    let mut depth = 0;
    let mut rest = json.trim_ascii();
    let line = |out: &mut Vec<u8>, depth: usize| {
        out.push(b'\n');
        out.extend(std::iter::repeat_n(b' ', margin + 2 * depth));
    };
    out.extend(std::iter::repeat_n(b' ', margin));
    while let [first, behind @ ..] = rest {
        match first {
            b' ' | b'\t' | b'\r' | b'\n' => rest = behind,
            b'{' | b'[' => {
                out.push(*first);
                rest = behind.trim_ascii_start();
                match rest.first() {
                    Some(close @ (b'}' | b']')) => {
                        out.push(*close);
                        rest = rest.get(1..).unwrap_or_default();
                    }
                    _ => {
                        depth += 1;
                        line(out, depth);
                    }
                }
            }
            b'}' | b']' => {
                depth -= 1;
                line(out, depth);
                out.push(*first);
                rest = behind;
            }
            b',' => {
                out.push(b',');
                line(out, depth);
                rest = behind;
            }
            b':' => {
                out.extend_from_slice(b": ");
                rest = behind;
            }
            _ => {
                let (token, behind) = rest.split_at(token(rest));
                let is_name = behind.trim_ascii_start().first() == Some(&b':');
                let style = match first {
                    b'"' if is_name => colors.name,
                    b'"' => colors.string,
                    b'-' | b'0'..=b'9' => colors.number,
                    _ => colors.word,
                };
                out.extend_from_slice(style.render().to_string().as_bytes());
                push_json(out, token);
                out.extend_from_slice(style.render_reset().to_string().as_bytes());
                rest = behind;
            }
        }
    }
}

/// How long the string, number or word is that a text begins with.
fn token(text: &[u8]) -> usize {
    if text.first() != Some(&b'"') {
        let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b',' | b':' | b'}' | b']' | b'"');
        return text.iter().position(ends).unwrap_or(text.len()).max(1);
    }
    let mut at = 1;
    loop {
        match text.get(at) {
            Some(b'\\') => at += 2,
            Some(b'"') => return at + 1,
            Some(_) => at += 1,
            None => return text.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn indented(json: &str, margin: usize, color: bool) -> String {
        let mut out = Vec::new();
        push_indented(&mut out, json.as_bytes(), margin, color);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn every_digit_stays() {
        let json = "{ \"a\":1.50,\"b\":[12345678901234567890,-0, 1E400],\n\"c\":{},\"d\":[ ],\"a\":\"x\\\" {:,}\\u0041\" , \"e\":null}";
        let lines = [
            "  {",
            "    \"a\": 1.50,",
            "    \"b\": [",
            "      12345678901234567890,",
            "      -0,",
            "      1E400",
            "    ],",
            "    \"c\": {},",
            "    \"d\": [],",
            "    \"a\": \"x\\\" {:,}\\u0041\",",
            "    \"e\": null",
            "  }",
        ];
        assert_eq!(indented(json, 2, false), lines.join("\n"));
    }

    #[test]
    fn colours_stand_around_what_is_escaped() {
        assert_eq!(
            indented("{\"\u{202e}\":true}", 0, true),
            "{\n  \u{1b}[1m\u{1b}[34m\"\\u202e\"\u{1b}[0m: \u{1b}[35mtrue\u{1b}[0m\n}"
        );
    }

    #[test]
    fn what_is_taken_for_json() {
        for (body, is) in [
            ("{}", true),
            (" [1]\n", true),
            ("1", false),
            ("\"a\"", false),
            ("{", false),
            ("{} x", false),
            ("", false),
            ("[\"[[[\"]", true),
        ] {
            assert_eq!(is_json(body.as_bytes()), is, "{body}");
        }
        assert!(!is_json(b"[\"\xff\"]"));
        for (deep, is) in [(128, true), (129, false), (100_000, false)] {
            assert_eq!(is_json(format!("{}{}", "[".repeat(deep), "]".repeat(deep)).as_bytes()), is, "{deep}");
        }
    }
}
