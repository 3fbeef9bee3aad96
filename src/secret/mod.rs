//! Secrets: a string that never prints itself, and the references that say where a secret is kept.

mod in_url;
mod keyring;
mod reading;

use std::fmt;
use std::io::IsTerminal;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

pub(crate) use in_url::{url_password, without_password, without_passwords};
pub(crate) use reading::read_within;
use reading::{READ_LIMIT, Reading, closed};

use crate::error::{Error, Kind, Result};
use crate::shutdown::Shutdown;

/// What is shown in place of a secret.
pub(crate) const MASK: &str = "********";

/// The most bytes that are taken for a secret.
const SIZE_LIMIT: usize = 64 * 1024;

/// The references that [`resolve`] knows.
const SCHEMES: &str =
    "env:NAME, file:PATH, cmd:COMMAND, keyring:NAME, prompt:TEXT, or literal:VALUE for a value that itself begins so";

/// A password or token. `Debug` and `Display` print [`MASK`]; [`Secret::expose`] is the only way in.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub(crate) fn new(value: impl Into<String>) -> Secret {
        Secret(value.into())
    }

    /// The secret itself, for the wire only.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(value: &str) -> Result<Self, Self::Err> {
        Ok(Secret::new(value))
    }
}

/// Where a reference stands: decides how relative paths and unknown schemes are read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    /// The folder that relative `file:` paths start from; the working directory without one.
    pub base: Option<&'a Path>,
    /// Whether `abc:def` is an unknown scheme (in the configuration file) or just a password (elsewhere).
    pub strict: bool,
    /// When a `cmd:` or `file:` has to be done, besides the limit of its own.
    pub deadline: Option<Instant>,
    /// How far to go for it.
    pub reach: Reach,
    /// Whether it may have several lines: a document with the secret in it.
    pub lines: bool,
}

/// How far to go for a secret.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Wherever the reference leads.
    #[default]
    Anywhere,
    /// Nobody is asked.
    Unasked,
    /// Nobody is asked, and nothing is run.
    Unrun,
}

/// A reference by its scheme.
enum Reference<'a> {
    Env(&'a str),
    File(&'a str),
    Cmd(&'a str),
    Keyring(&'a str),
    Prompt(&'a str),
    Literal(&'a str),
}

impl<'a> Reference<'a> {
    fn split(text: &'a str) -> Option<Reference<'a>> {
        let (scheme, rest) = text.split_once(':')?;
        Some(match scheme {
            "env" => Reference::Env(rest),
            "file" => Reference::File(rest),
            "cmd" => Reference::Cmd(rest),
            "keyring" => Reference::Keyring(rest),
            "prompt" => Reference::Prompt(rest),
            "literal" => Reference::Literal(rest),
            _ => return None,
        })
    }

    fn read(&self, place: Place<'_>) -> Result<String> {
        match (self, place.reach) {
            // A keyring that is locked opens a dialog.
            (Reference::Prompt(_) | Reference::Keyring(_), Reach::Unasked | Reach::Unrun)
            | (Reference::Cmd(_), Reach::Unrun) => {
                return Err(Error::config("this secret has to be asked for"));
            }
            _ => {}
        }
        match self {
            Reference::Env(name) => from_env(name),
            Reference::File(path) => from_file(path, place),
            Reference::Cmd(line) => from_command(line, place),
            Reference::Keyring(name) => keyring::read(name, place.deadline),
            Reference::Prompt(text) => from_prompt(text),
            Reference::Literal(value) => Ok((*value).to_owned()),
        }
    }
}

/// True for a value that only says where the secret is, so that it may be shown.
pub(crate) fn is_reference(value: &str) -> bool {
    matches!(Reference::split(value), Some(r) if !matches!(r, Reference::Literal(_)))
}

/// The parts of a value that stand in the text itself, as ranges of bytes: all but its `${…}` references.
///
/// What only looks like a reference, an unknown one or `${literal:…}`, is text.
pub(crate) fn outside_references(value: &str) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let (mut from, mut at) = (0, 0);
    while let Some(found) = value[at..].find("${") {
        let start = at + found;
        at = start + 2;
        let escaped = value[from..start].ends_with('$');
        let end = value[at..].find('}').map(|length| at + length);
        if let Some(end) = end.filter(|end| !escaped && is_reference(&value[at..*end])) {
            parts.push(from..start);
            (from, at) = (end + 1, end + 1);
        }
    }
    parts.push(from..value.len());
    parts.retain(|part| !part.is_empty());
    parts
}

/// Whether a value is or holds a reference that may give something else the next time, without anybody being asked.
pub(crate) fn may_change(value: &str) -> bool {
    let inside = ["${cmd:", "${file:"].iter().any(|reference| value.contains(reference));
    inside || matches!(Reference::split(value), Some(Reference::Cmd(_) | Reference::File(_)))
}

/// A file that a value names, and that others can read; with its permission bits, and whether this user may change them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OpenFile {
    /// The file.
    pub path: PathBuf,
    /// Its permission bits.
    pub mode: u32,
    /// It is this user's own.
    pub own: bool,
}

/// The secret files of a value that others can read. `whole` says that the value may be a reference as a whole.
///
/// A group may read what somebody else made readable for it, as a service's administrator does; a user's own file is meant
/// for nobody else.
pub(crate) fn open_files(value: &str, whole: bool, base: Option<&Path>) -> Vec<OpenFile> {
    let mut paths = Vec::new();
    match Reference::split(value) {
        Some(Reference::File(path)) if whole => paths.push(path),
        _ => paths.extend(value.split("${file:").skip(1).filter_map(|rest| Some(rest.split_once('}')?.0))),
    }
    let open = |path: &str| {
        let path = expand(path, base);
        let metadata = std::fs::metadata(&path).ok().filter(std::fs::Metadata::is_file)?;
        let own = metadata.uid() == rustix::process::geteuid().as_raw();
        let readers = if own { 0o044 } else { 0o004 };
        (metadata.mode() & readers != 0).then(|| OpenFile { path, mode: metadata.mode() & 0o777, own })
    };
    paths.into_iter().filter_map(open).collect()
}

/// Reads a secret key's value: a reference to where it is kept, or the secret itself.
///
/// # Errors
/// `Kind::Config` when the reference is unknown or leads nowhere; the text names the fix, never the secret.
pub(crate) fn resolve(value: &str, place: Place<'_>) -> Result<Secret> {
    if let Some(reference) = Reference::split(value) {
        return reference.read(place).map(Secret);
    }
    if let (true, Some((scheme, _))) = (place.strict, value.split_once(':')) {
        let name = scheme.starts_with(|c: char| c.is_ascii_lowercase())
            && scheme.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        if name {
            // The word may be the beginning of the password itself.
            return Err(Error::config(
                "unknown secret scheme: the value begins with a word and a colon, which is none of the known ones",
            )
            .hint(format!("write {SCHEMES}")));
        }
    }
    Ok(Secret(value.to_owned()))
}

/// Replaces each `${env:NAME}`, `${file:PATH}` and `${cmd:COMMAND}` in a value; `$$` before `{` stands for one `$`.
///
/// # Errors
/// `Kind::Config`, as [`resolve`].
pub(crate) fn interpolate(value: &str, place: Place<'_>) -> Result<String> {
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = rest.find("${") {
        if at > 0 && rest.as_bytes()[at - 1] == b'$' {
            out.push_str(&rest[..at - 1]);
            out.push_str("${");
            rest = &rest[at + 2..];
            continue;
        }
        out.push_str(&rest[..at]);
        let inner = &rest[at + 2..];
        let end = inner.find('}').ok_or_else(|| {
            Error::config("`${` without its `}`").hint("write ${env:NAME}, or $${ for the characters themselves")
        })?;
        let reference = Reference::split(&inner[..end]).ok_or_else(|| {
            Error::config("unknown reference in `${…}`")
                .hint("write ${env:NAME}, ${file:PATH} or ${cmd:COMMAND}, or $${ for the characters themselves")
        })?;
        out.push_str(&reference.read(place)?);
        rest = &inner[end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

fn from_env(name: &str) -> Result<String> {
    let fix = format!("set it: export {name}=…");
    match std::env::var(name) {
        Ok(value) if value.is_empty() => Err(Error::config(format!("environment variable {name} is empty")).hint(fix)),
        Ok(value) => Ok(value),
        Err(std::env::VarError::NotPresent) => {
            Err(Error::config(format!("environment variable {name} is not set")).hint(fix))
        }
        Err(std::env::VarError::NotUnicode(_)) => {
            Err(Error::config(format!("environment variable {name} is not UTF-8")))
        }
    }
}

fn from_file(path: &str, place: Place<'_>) -> Result<String> {
    let file = expand(path, place.base);
    let fix = "write the secret alone on one line of that file, readable by you only";
    let failed = || Error::config(format!("cannot read the secret file {}", file.display())).hint(fix);
    let bytes = read_within(&file, SIZE_LIMIT, place.deadline).map_err(|e| failed().because(e))?;
    let text = crate::values::text(bytes).map_err(|e| failed().because(e))?;
    one_line(&text, &format!("the secret file {}", file.display()), place.lines).map_err(|e| e.hint(fix))
}

/// `~/` is the home folder; relative paths start at `base`.
pub(crate) fn expand(path: &str, base: Option<&Path>) -> PathBuf {
    if let (Some(rest), Ok(home)) = (path.strip_prefix("~/"), etcetera::home_dir()) {
        return home.join(rest);
    }
    base.map_or_else(|| PathBuf::from(path), |base| base.join(path))
}

/// Runs the command without a shell, so that nothing in a value is expanded twice.
fn from_command(line: &str, place: Place<'_>) -> Result<String> {
    let words = shlex::split(line).filter(|words| !words.is_empty()).ok_or_else(|| {
        Error::config("the secret command is empty or has an open quote").hint("write cmd:PROGRAM ARG…")
    })?;
    let program = &words[0];
    let fix = "the command must print the secret alone on one line and exit with 0";
    let mut child = Command::new(program)
        .args(&words[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| Error::config(format!("cannot run the secret command `{program}`")).because(e).hint(fix))?;
    let unread = |e| Error::config(format!("cannot read from the secret command `{program}`")).because(e);
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let out = Reading::start(move || stdout.ok_or_else(closed), SIZE_LIMIT).map_err(unread)?;
    let err = Reading::start(move || stderr.ok_or_else(closed), SIZE_LIMIT).map_err(unread)?;
    let started = Instant::now();
    let until = place.deadline.map_or(started + READ_LIMIT, |deadline| deadline.min(started + READ_LIMIT));
    let status = loop {
        let ended = child
            .try_wait()
            .map_err(|e| Error::config(format!("cannot wait for the secret command `{program}`")).because(e))?;
        if let Some(status) = ended {
            break status;
        }
        if Instant::now() > until {
            // It is our own child, and its answer no longer matters.
            let _ = child.kill();
            let _ = child.wait();
            let limit = started.elapsed().as_secs();
            return Err(Error::config(format!("the secret command `{program}` did not end within {limit} s")).hint(fix));
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    // What it started and left behind may hold the pipes for ever.
    let grace = until.min(Instant::now() + Duration::from_millis(500));
    let (out, err) = (out.collect(grace).0, err.collect(grace).0);
    // First, for such a command may have died of our not reading on.
    if out.len() > SIZE_LIMIT {
        return Err(Error::config(format!("the secret command `{program}` printed more than a secret")).hint(fix));
    }
    if !status.success() {
        let said = String::from_utf8_lossy(&err);
        let last = said.lines().rfind(|l| !l.trim().is_empty()).unwrap_or("it printed nothing on stderr");
        return Err(Error::config(format!("the secret command `{program}` failed ({status}): {last}")).hint(fix));
    }
    let text = String::from_utf8(out)
        .map_err(|_| Error::config(format!("the secret command `{program}` printed something that is not UTF-8")))?;
    one_line(&text, &format!("the secret command `{program}`"), place.lines).map_err(|e| e.hint(fix))
}

fn from_prompt(text: &str) -> Result<String> {
    if !std::io::stderr().is_terminal() {
        return Err(Error::config("a secret must be typed, and there is no terminal")
            .hint("use env:NAME, file:PATH or cmd:COMMAND in scripts"));
    }
    let text = if text.is_empty() { "Password" } else { text };
    rpassword::prompt_password(format!("{text}: ")).map_err(|e| match e.kind() {
        std::io::ErrorKind::Interrupted => Error::new(Kind::Interrupted, "interrupted"),
        _ => Error::config("cannot read the secret from the terminal").because(e),
    })
}

/// A value of a secret key that stands for itself, whatever it looks like.
pub(crate) fn literal(value: &str) -> String {
    // What is interpolated is no reference.
    if value.contains("${") {
        return value.replace("${", "$${");
    }
    let is_word = |scheme: &str| scheme.chars().all(|c| c.is_ascii_alphanumeric());
    match value.split_once(':') {
        Some((scheme, _)) if is_word(scheme) => format!("literal:{value}"),
        _ => value.to_owned(),
    }
}

/// A secret that somebody types and nobody sees.
///
/// # Errors
/// `Kind::Config` where there is no terminal; the reason to stop.
pub(crate) async fn typed_secret(text: &'static str, shutdown: &Shutdown) -> Result<Secret> {
    let saved = rustix::termios::tcgetattr(std::io::stdin()).ok();
    let typed = tokio::task::spawn_blocking(move || from_prompt(text));
    let failed = |_| Err(Error::config("cannot read the secret from the terminal"));
    let typed = shutdown.or_stop(async { typed.await.unwrap_or_else(failed) }).await;
    if let (Err(_), Some(saved)) = (&typed, saved) {
        // Whoever still waits for a key has switched the echo off.
        let _ = rustix::termios::tcsetattr(std::io::stdin(), rustix::termios::OptionalActions::Now, &saved);
    }
    typed.map(Secret::new)
}

fn one_line(text: &str, what: &str, lines: bool) -> Result<String> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(Error::config(format!("{what} gave nothing")));
    }
    if text.contains('\n') && !lines {
        return Err(Error::config(format!("{what} gave several lines")));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: Place<'static> =
        Place { base: None, strict: true, deadline: None, reach: Reach::Anywhere, lines: false };

    fn fails(value: &str) -> String {
        resolve(value, FILE).expect_err(value).chain()
    }

    #[test]
    fn never_prints_itself() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?}"), format!("{MASK} {MASK}"));
    }

    #[test]
    fn references() {
        let get = |v| resolve(v, FILE).expect(v).expose().to_owned();
        assert_eq!(get("pw"), "pw");
        assert_eq!(get("literal:env:X"), "env:X");
        assert_eq!(get("cmd:printf 'a b'"), "a b");
        assert!(fails("vault:x").contains("unknown secret scheme"));
        assert!(!fails("hunter2:secretpart").contains("hunter2"));
        assert!(fails("env:MSCOMM_NOT_SET_ANYWHERE").contains("is not set"));
        assert!(fails("cmd:false").contains("failed"));
        assert!(fails("cmd:true").contains("gave nothing"));
        assert!(fails("cmd:printf 'a\\nb'").contains("several lines"));
        let document = resolve("cmd:printf '{\\n}\\n'", Place { lines: true, ..FILE }).expect("a document");
        assert_eq!(document.expose(), "{\n}");
        assert!(may_change("cmd:x") && may_change("${file:x}") && !may_change("env:X") && !may_change("prompt:"));
        assert!(fails("cmd:no-such-program-here").contains("cannot run"));
        assert!(fails("file:/no/such/file").contains("/no/such/file"));
        let loose = Place { strict: false, ..FILE };
        assert_eq!(resolve("ab:cd", loose).expect("a password").expose(), "ab:cd");
    }

    #[test]
    fn how_far_to_go() {
        for (reach, value, is_read) in [
            (Reach::Unrun, "literal:pw", true),
            (Reach::Unrun, "cmd:echo pw", false),
            (Reach::Unrun, "prompt:", false),
            (Reach::Unasked, "cmd:echo pw", true),
            (Reach::Unasked, "prompt:", false),
        ] {
            let place = Place { reach, ..FILE };
            assert_eq!(resolve(value, place).is_ok(), is_read, "{value} {reach:?}");
            let inside = format!("${{{value}}}");
            assert_eq!(interpolate(&inside, place).is_ok(), is_read, "{inside} {reach:?}");
        }
    }

    #[test]
    fn interpolation() {
        assert_eq!(interpolate("Bearer ${cmd:echo x}!", FILE).expect("text"), "Bearer x!");
        assert_eq!(interpolate("$${env:X}", FILE).expect("text"), "${env:X}");
        assert!(interpolate("${env:X", FILE).is_err());
        let unknown = interpolate("${nope:X}", FILE).expect_err("unknown").chain();
        assert!(!unknown.contains("nope"), "{unknown}");
    }

    #[test]
    fn what_stands_in_the_text_itself() {
        let outside = |text: &str| -> Vec<String> {
            outside_references(text).into_iter().map(|part| text[part].to_owned()).collect()
        };
        assert_eq!(outside("${env:X}${file:y}"), Vec::<String>::new());
        assert_eq!(outside("Bearer ${env:X}"), ["Bearer "]);
        assert_eq!(outside("${env:X}hunter2}"), ["hunter2}"]);
        for text in ["", "plain", "${literal:pw}", "${pw}", "$${env:X}", "${env:X"] {
            assert_eq!(outside(text).concat(), text);
        }
    }
}
