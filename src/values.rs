//! Parsers of single values that flags, environment variables and profile keys share.

use std::time::Duration;

/// Reads a duration: a number and a unit, as `500ms`, `30s`, `2m`, `1h30m`.
///
/// # Errors
/// A sentence that names what is allowed: more than a hundred years, a bare number, a sign and a fraction are refused, for they read differently
/// in every tool.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    // A century: what is added to the clock must not leave its range.
    const LONGEST: Duration = Duration::from_secs(100 * 365 * 86_400);
    const FIX: &str = "write a whole number and its unit, as 500ms, 30s, 2m or 1h30m";
    if text.starts_with('-') {
        return Err(format!("a duration cannot be negative; {FIX}"));
    }
    if !text.is_empty() && text.chars().all(|c| c.is_ascii_digit()) {
        return Err(format!("a duration needs a unit; did you mean `{text}s`? {FIX}"));
    }
    if text.contains('.') {
        return Err(format!("a duration has no fraction; {FIX}"));
    }
    match humantime::parse_duration(text) {
        Ok(duration) if duration > LONGEST => Err(format!("a duration is at most 36500d (a hundred years); {FIX}")),
        read => read.map_err(|e| format!("{e}; {FIX}")),
    }
}

/// A time for people who look closely.
pub(crate) fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

/// True for what can stand before `://`: a word, so that a password with these characters in it is not taken for one.
pub(crate) fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.' | '_'))
}

/// How a text begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextStart {
    /// It is UTF-8 behind so many bytes: those of a byte order mark, which editors on Windows write.
    Here(usize),
    /// It is in another encoding.
    Foreign(&'static str),
    /// More bytes have to come first.
    NeedMore,
}

/// Looks at the first bytes of what should be UTF-8; `ended` says that nothing will follow. JSON and the like begin with an
/// ASCII character, so that other encodings show without a mark, too (RFC 4627, section 3).
pub(crate) fn text_start(bytes: &[u8], ended: bool) -> TextStart {
    match bytes {
        [0xef, 0xbb, 0xbf, ..] => TextStart::Here(3),
        [] | [_] | [0xef, 0xbb] | [0xff | 0, _] | [0xff | 0, _, _] | [_, 0] | [_, 0, _] if !ended => {
            TextStart::NeedMore
        }
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] | [0, 0, 0, _, ..] | [_, 0, 0, 0, ..] => {
            TextStart::Foreign("UTF-32")
        }
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, _, ..] | [_, 0, ..] => TextStart::Foreign("UTF-16"),
        _ => TextStart::Here(0),
    }
}

/// What to do about a text in another encoding.
pub(crate) const CONVERT: &str = "save it as UTF-8, or convert it, as `iconv -f UTF-16 -t UTF-8`";

/// A whole text without its byte order mark.
///
/// # Errors
/// What it is instead of UTF-8.
pub(crate) fn text(mut bytes: Vec<u8>) -> Result<String, String> {
    match text_start(&bytes, true) {
        TextStart::Foreign(name) => Err(format!("it is {name} and not UTF-8")),
        TextStart::Here(skipped) => {
            bytes.drain(..skipped);
            String::from_utf8(bytes).map_err(|e| e.utf8_error().to_string())
        }
        TextStart::NeedMore => Ok(String::new()),
    }
}

/// Reads a size in bytes: a number, alone or with `k`, `M` or `G` (powers of 1024, an optional `B` or `iB` behind).
///
/// # Errors
/// A sentence that names what is allowed.
pub(crate) fn size(text: &str) -> Result<usize, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let fix = "write a whole number of bytes, or one with k, M or G, as 64M";
    let number: usize = text[..digits].parse().map_err(|_| fix.to_owned())?;
    let shift = match text[digits..].trim_end_matches('B').trim_end_matches('i') {
        "" => 0,
        "k" | "K" => 10,
        "m" | "M" => 20,
        "g" | "G" => 30,
        _ => return Err(fix.to_owned()),
    };
    number.checked_mul(1 << shift).ok_or_else(|| "that size is too large".to_owned())
}

/// A size for people: in the largest unit of which there is one, with a decimal where it is no whole number of these.
pub(crate) fn sized(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let unit = (bytes.max(1).ilog2() / 10) as usize;
    let one = 1_u64 << (10 * unit);
    let name = units.get(unit).copied().unwrap_or_default();
    match bytes % one {
        0 => format!("{} {name}", bytes / one),
        _ => format!("{:.1} {name}", bytes as f64 / one as f64),
    }
}

/// Reads a byte sequence with the escapes `\n \r \t \0 \\ \xNN`, as delimiters are given.
///
/// # Errors
/// A sentence that names the bad escape.
pub(crate) fn escaped(text: &str) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        out.push(match bytes.next() {
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'0') => 0,
            Some(b'\\') => b'\\',
            Some(b'x') => {
                let digits = [bytes.next(), bytes.next()].map(|d| d.and_then(|d| char::from(d).to_digit(16)));
                match digits {
                    [Some(high), Some(low)] => (high * 16 + low) as u8,
                    _ => return Err(r"`\x` needs two hexadecimal digits, as \x1f".to_owned()),
                }
            }
            Some(other) => {
                return Err(format!(r"unknown escape `\{}`; allowed: \n \r \t \0 \\ \xNN", char::from(other)));
            }
            None => return Err(r"a lone `\` at the end; write \\ for the character itself".to_owned()),
        });
    }
    Ok(out)
}

/// Reads a delimiter: [`escaped`], and not empty.
///
/// # Errors
/// As [`escaped`].
pub(crate) fn delimiter(text: &str) -> Result<Delimiter, String> {
    let bytes = escaped(text)?;
    if bytes.is_empty() {
        return Err(r"a delimiter cannot be empty; write for example \n, \0 or \t".to_owned());
    }
    Ok(Delimiter(bytes))
}

/// Splits a header as it is typed for any protocol, `name: value` or `name=value`, at whichever comes first.
///
/// A bare `:` counts only where `strict` is off: in Kafka it may be part of a name.
///
/// # Errors
/// A sentence with the allowed forms.
pub(crate) fn header(text: &str, strict: bool) -> Result<(&str, &str), String> {
    let colon = if strict { text.find(": ") } else { text.find(':') };
    let (name, value) = match (colon, text.find('=')) {
        (Some(colon), equals) if equals.is_none_or(|equals| colon < equals) => {
            (text[..colon].trim(), text[colon + 1..].trim())
        }
        (_, Some(equals)) => (&text[..equals], &text[equals + 1..]),
        _ => return Err("write 'NAME: VALUE' or NAME=VALUE, as 'trace: 42'".to_owned()),
    };
    Ok((name, value))
}

/// A flag's parser whose error does not repeat the value, as clap's own do: for values that may hold a secret.
#[derive(Clone)]
pub(crate) struct Unechoed<T>(pub fn(&str) -> Result<T, String>);

impl<T: Clone + Send + Sync + 'static> clap::builder::TypedValueParser for Unechoed<T> {
    type Value = T;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<T, clap::Error> {
        let parsed = value.to_str().ok_or_else(|| "it is not UTF-8".to_owned()).and_then(self.0);
        parsed.map_err(|why| {
            let flag = arg.map_or_else(|| "an argument".to_owned(), |arg| format!("'{arg}'"));
            clap::Error::raw(clap::error::ErrorKind::ValueValidation, format!("invalid value for {flag}: {why}\n"))
                .with_cmd(command)
        })
    }
}

/// A parser that takes these values among others: completion offers them. The help names them itself, since they are not all.
#[derive(Clone)]
pub(crate) struct Offering<P>(pub P, pub &'static [(&'static str, &'static str)]);

impl<P: clap::builder::TypedValueParser> clap::builder::TypedValueParser for Offering<P> {
    type Value = P::Value;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<P::Value, clap::Error> {
        self.0.parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = clap::builder::PossibleValue> + '_>> {
        Some(Box::new(self.1.iter().map(|(name, help)| clap::builder::PossibleValue::new(*name).help(*help))))
    }
}

/// What a flag is when it is not typed, as it would be typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FlagDefault {
    /// The flag's name with underscores, as clap knows it.
    pub flag: String,
    /// Its value.
    pub value: String,
    /// Whether it says how results look: what is meant for one verb may be none of another's.
    pub is_output: bool,
}

/// Names in a sentence.
pub(crate) fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Each once, in their order.
pub(crate) fn distinct(names: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::BTreeSet::new();
    names.into_iter().filter(|name| seen.insert(name.clone())).collect()
}

/// The bytes between two records, or between a key and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delimiter(pub Vec<u8>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        for bad in ["5", "-1s", "1.5x", "1.5s", "", "s"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
        assert_eq!(duration("36500d"), Ok(Duration::from_secs(3_153_600_000)));
        for long in ["36500d1ms", "36501d", "500000000000y", "18446744073709551615s"] {
            assert!(duration(long).is_err_and(|e| e.contains("36500d")), "{long}");
        }
    }

    #[test]
    fn texts_begin_with_marks_or_without() {
        let utf16 = |text: &str, big: bool| -> Vec<u8> {
            let unit = |u: u16| if big { u.to_be_bytes() } else { u.to_le_bytes() };
            text.encode_utf16().flat_map(unit).collect()
        };
        for (bytes, start) in [
            (b"{}".to_vec(), TextStart::Here(0)),
            (b"\xef\xbb\xbf{}".to_vec(), TextStart::Here(3)),
            (b"\xef\xbb".to_vec(), TextStart::Here(0)),
            (Vec::new(), TextStart::Here(0)),
            (utf16("\u{feff}{}", false), TextStart::Foreign("UTF-16")),
            (utf16("\u{feff}{}", true), TextStart::Foreign("UTF-16")),
            (utf16("{}", false), TextStart::Foreign("UTF-16")),
            (utf16("{}", true), TextStart::Foreign("UTF-16")),
            (b"{\0\0\0}\0\0\0".to_vec(), TextStart::Foreign("UTF-32")),
            (b"\xff\xfe\0\0{\0\0\0".to_vec(), TextStart::Foreign("UTF-32")),
            ("ä".as_bytes().to_vec(), TextStart::Here(0)),
        ] {
            assert_eq!(text_start(&bytes, true), start, "{bytes:?}");
            // In pieces it is the same, and is told at the fourth byte at the latest.
            let pieces = (0..bytes.len()).map(|n| text_start(&bytes[..n], false));
            let told = pieces.into_iter().find(|told| *told != TextStart::NeedMore);
            assert!(told.is_none_or(|told| told == start), "{bytes:?}: {told:?}");
            assert!(bytes.len() < 4 || text_start(&bytes[..4], false) == start, "{bytes:?}");
        }
    }

    #[test]
    fn escapes() {
        assert_eq!(escaped(r"a\n\x00\\"), Ok(b"a\n\0\\".to_vec()));
        for bad in [r"\q", r"\x1", "\\"] {
            assert!(escaped(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn headers_of_either_form() {
        for strict in [false, true] {
            assert_eq!(header("trace: 4=2", strict), Ok(("trace", "4=2")));
            assert_eq!(header("time=12:30", strict), Ok(("time", "12:30")));
            assert!(header("trace", strict).is_err());
        }
        assert_eq!(header("a:b", false), Ok(("a", "b")));
        assert_eq!(header("ns:a=b", true), Ok(("ns:a", "b")));
    }

    #[test]
    fn sizes_for_people() {
        for (bytes, words) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1 KiB"),
            (1536, "1.5 KiB"),
            (64 << 20, "64 MiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(sized(bytes), words);
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(size("64M"), Ok(64 << 20));
        assert_eq!(size("10KiB"), Ok(10 << 10));
        for bad in ["", "M", "1.5M", "-1", "99999999999999999999"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }
}
