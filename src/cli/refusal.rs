//! What clap refuses, told without what may be a secret.
//!
//! clap shows what was typed, and what was typed wrongly may be a password: in a URI, behind a forgotten colon, in a word
//! too many. Flags that take secrets have a parser that does not repeat them ([`crate::values::Unechoed`]); here is the
//! rest, whatever the flag: only what looks like a plain word is shown.

use std::ffi::OsString;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::secret::{MASK, url_password};

/// The flags that may hold a secret. The words behind one of them may be the rest of it, where quotes were forgotten.
const SECRET_FLAGS: &[&str] = &[
    "--password",
    "--server",
    "--url",
    "--brokers",
    "--header",
    "--header-json",
    "--reflect-header",
    "--property",
    "--amqp-user",
    "--sasl-token",
    "--sasl-client-secret",
    "--registry-password",
    "--registry-token",
    "-s",
    "-b",
    "-H",
    "-X",
];

/// The values that are times.
const TIMES: &[&str] = &["<WHERE>", "<@TIME>", "<TIME>", "<OFFSET>"];

/// A date, a time of day or both: no secret has letters so few.
fn looks_like_time(typed: &str) -> bool {
    let rest = typed.strip_prefix('@').unwrap_or(typed);
    rest.len() <= 40 && rest.chars().all(|c| c.is_ascii_digit() || matches!(c, '-' | ':' | '.' | '+' | ' ' | 'T' | 'Z'))
}

/// The error with everything masked that may be a secret. Its tips are those of [`super::habits`], which repeat nothing.
pub(crate) fn masked(mut error: clap::Error, argv: &[OsString]) -> clap::Error {
    let unknown = error.kind() == ErrorKind::UnknownArgument;
    for kind in [ContextKind::InvalidSubcommand, ContextKind::InvalidArg] {
        // The others of `InvalidArg` are the names of flags that there are.
        if kind == ContextKind::InvalidArg && !unknown {
            continue;
        }
        let Some(ContextValue::String(typed)) = error.get(kind).cloned() else { continue };
        let shown = word(&typed, argv);
        if shown != typed {
            error.insert(kind, ContextValue::String(shown));
            if typed.contains("://") {
                let tip = StyledStr::from("a server is given with --server");
                error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
            }
        }
    }
    // A time may have a blank in it.
    let is_time = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(flag)) => TIMES.iter().any(|name| flag.ends_with(name)),
        _ => false,
    };
    if let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidValue).cloned()
        && may_be_secret_value(&typed)
        && !(is_time && looks_like_time(&typed))
    {
        error = without_value(error, &typed);
    }
    error
}

/// An argument that nobody asked for, as it may be shown.
fn word(typed: &str, argv: &[OsString]) -> String {
    if let Some(flag) = typed.strip_prefix("--") {
        // A flag whose `=` was forgotten: the value hangs on its name.
        let known = SECRET_FLAGS.iter().filter_map(|known| known.strip_prefix("--"));
        let known = known.filter(|known| flag.len() > known.len() && flag.starts_with(known)).map(str::len).max();
        let end = flag.find(|c: char| !(c.is_ascii_lowercase() || c == '-')).unwrap_or(flag.len());
        // `--headers` and the like are misspelt flags.
        let end = known.filter(|known| flag.len() > known + 1).map_or(end, |known| known.min(end));
        return if end < flag.len() { format!("--{}…", &flag[..end]) } else { typed.to_owned() };
    }
    if let Some((scheme, _)) = typed.split_once("://").filter(|(scheme, _)| crate::values::is_scheme(scheme)) {
        return if typed.contains(['@', '=']) { format!("{scheme}://{MASK}") } else { typed.to_owned() };
    }
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | ',');
    match typed.chars().all(plain) && !follows_secret_flag(typed, argv) {
        true => typed.to_owned(),
        false => MASK.to_owned(),
    }
}

/// Whether the word stands behind a flag that may hold a secret, with no other flag between.
fn follows_secret_flag(typed: &str, argv: &[OsString]) -> bool {
    let argv: Vec<_> = argv.iter().map(|arg| arg.to_string_lossy()).collect();
    let places = argv.iter().enumerate().filter(|(_, arg)| *arg == typed).map(|(at, _)| at);
    let flag_before = |at: usize| argv.iter().take(at).rev().find(|arg| arg.starts_with('-'));
    let mut flags = places.filter_map(flag_before);
    flags.any(|arg| {
        let name = arg.split_once('=').map_or(&**arg, |(name, _)| name);
        SECRET_FLAGS.iter().any(|flag| match flag.starts_with("--") {
            true => *flag == name,
            // The value may hang on it.
            false => name.starts_with(flag),
        })
    })
}

/// What stands in a text that is more than a value: `name=value`, JSON.
const NAMES_A_VALUE: [char; 3] = ['=', '{', '"'];

/// Whether a value that a flag does not take may be a secret: one with a password in it, or with a name before it.
fn may_be_secret_value(typed: &str) -> bool {
    let spread = typed.contains(char::is_whitespace);
    spread
        || typed.contains(NAMES_A_VALUE)
        || url_password(typed).is_some()
        || typed.contains("://") && typed.contains('@')
}

/// The same error without the value, and with the parser's reason only where that says nothing of it.
fn without_value(error: clap::Error, typed: &str) -> clap::Error {
    let flag = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(flag)) => format!("'{flag}'"),
        _ => "an argument".to_owned(),
    };
    let reason = std::error::Error::source(&error).map(ToString::to_string);
    let between = |c: char| match typed.contains(NAMES_A_VALUE) || typed.contains('@') {
        true => !c.is_alphanumeric(),
        // Several words and no more.
        false => c.is_whitespace(),
    };
    let mut pieces = typed.split(between).filter(|piece| piece.len() > 2);
    // What is wrong with a format string is a token of two characters.
    let reason = reason.filter(|reason| flag.ends_with("<FORMAT>'") || !pieces.any(|piece| reason.contains(piece)));
    let allowed = match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(values)) if !values.is_empty() => {
            Some(format!("possible values: {}", values.join(", ")))
        }
        _ => None,
    };
    let reason = reason.or(allowed).unwrap_or_else(|| "it is not shown, for it may hold a secret".to_owned());
    clap::Error::raw(error.kind(), format!("invalid value for {flag}: {reason}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_words_are_shown() {
        let argv = |text: &str| text.split(' ').map(OsString::from).collect::<Vec<_>>();
        for (typed, behind, shown) in [
            ("queue", "amqp get q queue", "queue"),
            ("--nosuch", "amqp get q --nosuch", "--nosuch"),
            ("--headers", "amqp publish --headers", "--headers"),
            ("--passwordhunter", "amqp get q --passwordhunter", "--password…"),
            ("--passwdHUNTER2", "amqp get q --passwdHUNTER2", "--passwd…"),
            ("amqp://h/v", "amqp get amqp://h/v", "amqp://h/v"),
            ("amqp://u:hunter2@h/v", "amqp get q amqp://u:hunter2@h/v", "amqp://********"),
            ("u:hunter2@h", "kafka tail u:hunter2@h", MASK),
            ("password=hunter2", "kafka tail t password=hunter2", MASK),
            ("hunter2==", "kafka tail t hunter2==", MASK),
            ("hunter2", "grpc call -H authorization: Bearer hunter2", MASK),
            ("hunter2", "amqp get q --password correct hunter2", MASK),
            ("hunter2", "amqp get q --password=correct hunter2", MASK),
            ("more", "amqp get q --password pw -n 3 more", "more"),
        ] {
            assert_eq!(word(typed, &argv(behind)), shown, "{typed}");
        }
        for value in ["5", "-1s", "1.5x", "@2020-01-01T00:00:00Z", "amqp://h/v", "-10"] {
            assert!(!may_be_secret_value(value), "{value}");
        }
        for value in ["amqp://u:p@h", "https://token@h", "u:p@h", "a=b", "a b", "{\"a\":1}"] {
            assert!(may_be_secret_value(value), "{value}");
        }
    }
}
