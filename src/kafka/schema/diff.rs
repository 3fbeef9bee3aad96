//! `kafka schema diff`.

use std::path::PathBuf;

use anstyle::{AnsiColor, Style};
use similar::algorithms::{Capture, Compact, Replace, myers};
use similar::udiff::UnifiedHunkHeader;
use similar::{DiffOp, DiffTag};

use super::named::{Version, Versioned};
use super::text::{of_file, readable};
use crate::context::Context;
use crate::error::{Error, Kind, Result};
use crate::kafka::registry::{Api, no_version};
use crate::kafka::settings::Registry;
use crate::kafka::shared;
use crate::output::{Printer, escape_text};

/// Show what differs between two versions of a subject, or a version and a file
///
/// Without another one the latest is compared: with the version that is named, or with the one before it. JSON is compared with a
/// line for each member, whatever its white space is.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The subject, and the version to start from
    #[arg(value_name = "SUBJECT[:VERSION]")]
    subject: Versioned,
    /// What it is compared with: another version of the subject, or a file (- for standard input)
    #[arg(value_name = "VERSION|FILE", value_parser = other)]
    other: Option<Other>,
    /// How many lines to show around each that differs
    #[arg(long, value_name = "COUNT", default_value = "3")]
    context: usize,
    #[command(flatten)]
    registry: Registry,
}

/// What a version is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Other {
    Version(Version),
    File(PathBuf),
}

fn other(text: &str) -> Result<Other, String> {
    Ok(match Version::read(text) {
        Some(version) => Other::Version(version),
        None => Other::File(PathBuf::from(text)),
    })
}

/// A text, and what it is called.
struct Side {
    name: String,
    text: String,
}

/// Prints the difference; nothing where there is none.
///
/// # Errors
/// `Kind::Refused` for what is not there, `Kind::Unmet` where there is but one version; those of the file and the registry.
pub(crate) async fn run(args: Args, cx: &Context) -> Result<()> {
    let file = match &args.other {
        Some(Other::File(path)) => Some(Side { name: path.display().to_string(), text: of_file(path, cx)? }),
        _ => None,
    };
    let api = shared::registry(&args.registry, cx)?;
    let subject = &args.subject.subject;
    let (from, to) = match (file, args.other) {
        (Some(file), _) => (of_version(&api, subject, args.subject.number()).await?, file),
        (None, other) => {
            let from = match (args.subject.version, &other) {
                (Some(version), _) => version.number(),
                (None, Some(_)) => None,
                (None, None) => Some(before_latest(&api, subject).await?),
            };
            let to = match other {
                Some(Other::Version(version)) => version.number(),
                _ => None,
            };
            (of_version(&api, subject, from).await?, of_version(&api, subject, to).await?)
        }
    };
    let text = unified(&from, &to, args.context, cx.terminal.color_stdout);
    if text.is_empty() {
        cx.terminal.note(format!("{} and {} are the same", from.name, to.name));
    }
    Printer::print(text)
}

async fn of_version(api: &Api, subject: &str, version: Option<u32>) -> Result<Side> {
    let entry = match api.version(subject, version).await {
        Ok(entry) => entry,
        Err(declined) => return Err(no_version(api, subject, version, declined).await),
    };
    let version = entry.version.map_or_else(|| "latest".to_owned(), |version| version.to_string());
    Ok(Side { name: format!("{subject}:{version}"), text: entry.schema })
}

async fn before_latest(api: &Api, subject: &str) -> Result<u32> {
    let mut versions = match api.versions(subject).await {
        Ok(versions) => versions,
        Err(declined) => return Err(no_version(api, subject, None, declined).await),
    };
    versions.sort_unstable();
    versions.pop();
    versions.pop().ok_or_else(|| {
        Error::new(Kind::Unmet, format!("subject `{subject}` has one version, and nothing to compare it with"))
            .hint(format!("name a file, as `mscomm kafka schema diff {subject} FILE`"))
    })
}

/// The difference as `diff -u` writes it.
fn unified(from: &Side, to: &Side, context: usize, color: bool) -> String {
    let text = |side: &Side| String::from_utf8_lossy(&readable(&side.text, false)).into_owned();
    let (old, new) = (text(from), text(to));
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let mut lines = Vec::new();
    for hunk in hunks(&old, &new, context) {
        lines.push(UnifiedHunkHeader::new(&hunk).to_string());
        for change in hunk.iter().flat_map(|op| op.iter_changes(old.as_slice(), new.as_slice())) {
            lines.push(format!("{}{}", change.tag(), change.value()));
        }
    }
    if !lines.is_empty() {
        lines.splice(0..0, [format!("--- {}", from.name), format!("+++ {}", to.name)]);
    }
    lines.iter().map(|line| colored(line, color)).collect()
}

/// What differs, with what stands around it. The algorithm is called by its name: similar's one call for all of them brings
/// every one of them, half a megabyte.
fn hunks(old: &[&str], new: &[&str], context: usize) -> Vec<Vec<DiffOp>> {
    let mut found = Compact::new(Replace::new(Capture::new()), old, new);
    let Ok(()) = myers::diff(&mut found, old, 0..old.len(), new, 0..new.len());
    let found = found.into_inner().into_inner().into_grouped_ops(context);
    found.into_iter().filter(|hunk| hunk.iter().any(|op| op.tag() != DiffTag::Equal)).collect()
}

/// A line of the difference for a person.
fn colored(line: &str, color: bool) -> String {
    let style = match line.as_bytes() {
        _ if !color => Style::new(),
        [b'-', b'-', b'-', b' ', ..] | [b'+', b'+', b'+', b' ', ..] => Style::new().bold(),
        [b'-', ..] => AnsiColor::Red.on_default(),
        [b'+', ..] => AnsiColor::Green.on_default(),
        [b'@', b'@', ..] => AnsiColor::Cyan.on_default(),
        _ => Style::new(),
    };
    format!("{style}{}{style:#}\n", escape_text(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(name: &str, text: &str) -> Side {
        Side { name: name.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn white_space_is_no_difference() {
        let (a, b) = (side("s:1", r#"{"a":1,"b":[2]}"#), side("f", "{ \"a\": 1,\n\"b\": [2 ] }\n"));
        assert_eq!(unified(&a, &b, 3, false), "");
        let c = side("f", r#"{"a":1,"b":[3]}"#);
        let expected = "--- s:1\n+++ f\n@@ -1,6 +1,6 @@\n {\n   \"a\":1,\n   \"b\":[\n-    2\n+    3\n   ]\n }\n";
        assert_eq!(unified(&a, &c, 3, false).replace("\": ", "\":"), expected);
    }
}
