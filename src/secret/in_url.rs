//! Passwords in addresses: where they stand, and texts without them.

use std::borrow::Cow;
use std::ops::Range;

use super::{MASK, outside_references};
use crate::values::is_scheme;

/// Where the password stands in `user:password@host`, with a scheme or without, as a range of bytes.
///
/// A password with an unescaped `/`, `?`, `#`, `,` or `@` ends the authority early for every parser; it is a password
/// still. So all between the first colon and the last `@` counts, even where it could be read otherwise.
pub(crate) fn url_password(text: &str) -> Option<Range<usize>> {
    if text.starts_with("unix:/") {
        return None;
    }
    let start = match text.split_once("://") {
        Some((scheme, _)) if is_scheme(scheme) => scheme.len() + 3,
        _ => 0,
    };
    let end = start + text[start..].rfind('@')?;
    // A colon inside of a reference, as in `${env:NAME}`, separates nothing.
    let outside = outside_references(text);
    let colon = text[start..end]
        .match_indices(':')
        .map(|(at, _)| start + at)
        .find(|at| outside.iter().any(|range| range.contains(at)))?;
    Some(colon + 1..end)
}

/// The text with the password of its URL masked, for messages.
pub(crate) fn without_password(text: &str) -> String {
    match url_password(text) {
        Some(range) => format!("{}{}{}", &text[..range.start], MASK, &text[range.end..]),
        None => text.to_owned(),
    }
}

/// A text of ours or of somebody else's with every password of a URL in it masked, and every `user:password@host` without
/// a scheme: the last line of defence, for what is printed beside results.
pub(crate) fn without_passwords(text: &str) -> Cow<'_, str> {
    if !text.contains('@') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let begin = rest.find(|c: char| !is_between(c)).unwrap_or(rest.len());
        let quote = rest[..begin].chars().next_back().filter(|c| matches!(c, '`' | '"' | '\''));
        let (between, word) = rest.split_at(begin);
        // What is quoted may have spaces in it; else a word ends where a space does.
        let quoted = quote.and_then(|quote| word.find(quote)).filter(|end| url_password(&word[..*end]).is_some());
        let length = quoted.unwrap_or_else(|| word.find(is_between).unwrap_or(word.len()));
        out.push_str(between);
        match url_password(&word[..length]).map(|password| &word[password]) {
            // Our own examples say so.
            Some("password" | "PASSWORD") => out.push_str(&word[..length]),
            _ => out.push_str(&without_password(&word[..length])),
        }
        rest = &word[length..];
    }
    Cow::Owned(out)
}

/// What words of a message stand between.
fn is_between(c: char) -> bool {
    c.is_whitespace() || matches!(c, '`' | '"' | '\'' | '(' | ')' | '<' | '>')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_urls() {
        assert_eq!(without_password("amqp://u:p@h/v"), "amqp://u:********@h/v");
        assert_eq!(without_password("amqp://u:p@q:r@h"), "amqp://u:********@h");
        for secret in ["SE/CRET", "SE?CRET", "SE#CRET", "SE@CRET", "SE:CRET", "SE,CRET", "SE://CRET", "a${CRET"] {
            for (before, behind) in
                [("amqp://u:", "@h/v"), ("u:", "@h:9092"), ("SASL_SSL://u:", "@h:1,k:2"), ("unix:", "@h")]
            {
                let masked = format!("{before}********{behind}");
                assert_eq!(without_password(&format!("{before}{secret}{behind}")), masked);
            }
        }
        for none in ["amqp://u@h:5672/v", "unix:/run/a:b@c", "amqp://${env:U}@h", "k1:9092,k2:9092"] {
            assert_eq!(url_password(none), None, "{none}");
        }
        let text = "amqp://${env:U}:${env:P}@h";
        assert_eq!(url_password(text).map(|p| &text[p]), Some("${env:P}"));
        assert_eq!(without_password("localhost:9092"), "localhost:9092");
        for (text, masked) in [
            ("no queue 'amqp://u:p@h' in vhost '/'", "no queue 'amqp://u:********@h' in vhost '/'"),
            ("bad `amqp://u:p q@h`: no (u:p@h)", "bad `amqp://u:********@h`: no (u:********@h)"),
            ("it's u:p@h, it's", "it's u:********@h, it's"),
            ("amqp://u:p@h", "amqp://u:********@h"),
            ("write amqp://user:password@host, or", "write amqp://user:password@host, or"),
            ("at 12:30 to a@b, k:1 and x", "at 12:30 to a@b, k:1 and x"),
        ] {
            assert_eq!(without_passwords(text), masked);
        }
    }
}
