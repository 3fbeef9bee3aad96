//! The configuration file: reading it with positions, and writing it so that it is never half there.

use std::io::Write;
use std::ops::Range;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use toml_edit::{Document, DocumentMut, Item};

use super::entry::DEFAULTS;
use super::{ConfigSource, Sections};
use crate::error::{Error, Result, nearest};
use crate::secret::read_within;
use crate::values::{CONVERT, TextStart, text_start};

/// The schema that this version writes and reads.
const VERSION: i64 = 1;

/// The most bytes that are taken for a configuration.
const SIZE_LIMIT: usize = 16 << 20;

/// The configuration file as it was read.
#[derive(Debug, Clone)]
pub(crate) struct File {
    /// Where it is.
    pub path: PathBuf,
    /// The parsed text, with the positions of every key.
    pub document: Document<String>,
    /// What its profiles can have.
    pub sections: Sections,
    /// Unix permission bits.
    mode: u32,
    /// Whether the owner is this user or root.
    own: bool,
}

impl File {
    /// Reads the file, a pipe until the deadline; `None` when it is not there and was not named.
    ///
    /// # Errors
    /// `Kind::Config`: missing although named, unreadable, a folder, not UTF-8, bad TOML, an unknown top-level key.
    pub(crate) fn load(path: &Path, named: bool, source: &ConfigSource) -> Result<Option<File>> {
        let shown = path.display();
        let metadata = match std::fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && !named => return Ok(None),
            Err(e) => {
                return Err(Error::config(format!("cannot read the configuration file {shown}")).because(e).hint(
                    "name an existing file with --config or MSCOMM_CONFIG, or make one with `mscomm profile add`",
                ));
            }
        };
        if metadata.is_dir() {
            return Err(Error::config(format!("the configuration file {shown} is a folder"))
                .hint(format!("name a file, for example {}", path.join("config.toml").display())));
        }
        let bytes = read_within(path, SIZE_LIMIT, source.deadline).map_err(|e| {
            Error::config(format!("cannot read the configuration file {shown}"))
                .because(e)
                .hint("name a file that you can read with --config or MSCOMM_CONFIG")
        })?;
        if let TextStart::Foreign(name) = text_start(&bytes, true) {
            return Err(Error::config(format!("{shown} is {name} and not UTF-8")).hint(CONVERT));
        }
        let text = String::from_utf8(bytes).map_err(|e| {
            let line = e.as_bytes()[..e.utf8_error().valid_up_to()].iter().filter(|b| **b == b'\n').count() + 1;
            Error::config(format!("{shown}:{line}: not UTF-8")).hint("save the file as UTF-8")
        })?;
        let mut file = File::parsed(path, text, source.sections)?;
        file.own = metadata.uid() == rustix::process::geteuid().as_raw() || metadata.uid() == 0;
        file.mode = metadata.mode();
        Ok(Some(file))
    }

    /// A text as if it were the file's.
    ///
    /// # Errors
    /// As [`File::load`].
    pub(crate) fn parsed(path: &Path, text: String, sections: Sections) -> Result<File> {
        // A byte order mark, which toml_edit does not know.
        let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
        let document = parse(path, text)?;
        let file = File { path: path.to_owned(), document, sections, mode: 0o600, own: true };
        file.check_top()?;
        Ok(file)
    }

    fn check_top(&self) -> Result<()> {
        for (key, item) in self.document.as_table() {
            match key {
                "version" => match item.as_integer() {
                    Some(version) if version <= VERSION => {}
                    Some(version) => {
                        return Err(self
                            .error(
                                item.span(),
                                format!("schema version {version} is newer than this mscomm knows ({VERSION})"),
                            )
                            .hint("upgrade mscomm"));
                    }
                    None => return Err(self.error(item.span(), "`version` must be a whole number")),
                },
                "default" if item.is_str() => {}
                "default" => {
                    return Err(self.error(item.span(), "`default` must be the name of a profile, as a string"));
                }
                "profiles" | DEFAULTS if item.is_table_like() => {}
                DEFAULTS => return Err(self.error(item.span(), "`defaults` must be a table, as [defaults]")),
                "profiles" => return Err(self.error(item.span(), "`profiles` must be a table")),
                _ => {
                    let known = ["version", "default", DEFAULTS, "profiles"];
                    return Err(unknown(self.error(self.key_span(key), format!("unknown key `{key}`")), key, known));
                }
            }
        }
        Ok(())
    }

    fn key_span(&self, key: &str) -> Option<Range<usize>> {
        self.document.as_table().get_key_value(key).and_then(|(key, _)| key.span())
    }

    /// The table of profiles, when there is one.
    pub(crate) fn profiles(&self) -> Option<&dyn toml_edit::TableLike> {
        self.document.get("profiles").and_then(Item::as_table_like)
    }

    /// The profile that is used when none is named.
    pub(crate) fn default_profile(&self) -> Option<&str> {
        self.document.get("default").and_then(Item::as_str)
    }

    /// Line (from 1) of a position.
    pub(crate) fn line(&self, span: Option<Range<usize>>) -> Option<usize> {
        span.map(|span| position(self.document.raw(), span.start).0)
    }

    /// An error at a position of this file.
    pub(crate) fn error(&self, span: Option<Range<usize>>, message: impl std::fmt::Display) -> Error {
        Error::config(format!("{}: {message}", place(&self.path, self.document.raw(), span)))
    }

    /// Fails when others can read the file: for secrets that stand in it.
    ///
    /// # Errors
    /// `Kind::Config`, with the `chmod` that mends it.
    pub(crate) fn require_private(&self, key: &str) -> Result<()> {
        if self.mode & 0o077 == 0 {
            return Ok(());
        }
        let (path, mode) = (self.path.display(), self.mode & 0o777);
        Err(Error::config(format!("{path} holds a secret ({key}) and others can read it (mode {mode:03o})"))
            .hint(format!("chmod 600 {path}, or keep the secret elsewhere with env:, file: or cmd:")))
    }

    /// Fails when someone else could have written the file: for commands that stand in it.
    ///
    /// # Errors
    /// `Kind::Config`.
    pub(crate) fn require_own(&self, key: &str) -> Result<()> {
        if self.own && self.mode & 0o022 == 0 {
            return Ok(());
        }
        let path = self.path.display();
        Err(Error::config(format!("{path} names a command ({key}) and others can write the file"))
            .hint(format!("own the file and chmod 600 {path}")))
    }
}

/// Adds "did you mean", or else the allowed names.
pub(crate) fn unknown<'a>(error: Error, name: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> Error {
    /// What else keys are called, by other tools and other protocols.
    const OTHERS: &[(&[&str], &str)] = &[
        (&["url", "uri", "host", "hosts", "address", "broker", "brokers", "bootstrap", "bootstrap_servers"], "server"),
        (&["ca", "cacert", "ca_cert", "tls.ca"], "tls_ca"),
        (&["cert", "tls.cert"], "tls_cert"),
        (&["key", "tls.key"], "tls_key"),
        (&["mechanism", "sasl_mechanism"], "sasl.mechanism"),
        (&["username", "user"], "sasl.username"),
        (&["password"], "sasl.password"),
        (&["user", "sasl.username"], "username"),
        (&["sasl.password"], "password"),
    ];
    // `amqp.ca`, `ca` and `MSCOMM_AMQP_CA` are one key.
    let variable = |key: &str| key.replace('.', "_").to_uppercase();
    let ours = OTHERS.iter().flat_map(|(theirs, ours)| theirs.iter().map(move |theirs| (*theirs, *ours))).find_map(
        |(theirs, ours)| {
            let as_key = name.strip_suffix(theirs).map(|section| format!("{section}{ours}"));
            let is = as_key.or_else(|| Some(format!("{}{}", name.strip_suffix(&variable(theirs))?, variable(ours))))?;
            known.clone().into_iter().find(|key| *key == is)
        },
    );
    match ours.or_else(|| nearest(name, known.clone())) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => {
            let known: Vec<&str> = known.into_iter().collect();
            error.hint(format!("allowed: {}", known.join(", ")))
        }
    }
}

fn parse(path: &Path, text: String) -> Result<Document<String>> {
    Document::parse(text.clone()).map_err(|e| {
        Error::config(format!("{}: {}", place(path, &text, e.span()), e.message().trim().replace('\n', "; ")))
            .hint("the file is TOML: see the configuration section of `man mscomm` for an example")
    })
}

fn place(path: &Path, text: &str, span: Option<Range<usize>>) -> String {
    match span {
        Some(span) => {
            let (line, column) = position(text, span.start);
            format!("{}:{line}:{column}", path.display())
        }
        None => path.display().to_string(),
    }
}

/// Line and column, both from 1, of a byte offset.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(offset)];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
    (line, column)
}

/// Fails for a profile name that could be taken for something else: empty, a path, control characters.
///
/// # Errors
/// `Kind::Config`, with the allowed characters.
pub(crate) fn validate_name(name: &str) -> Result<()> {
    let ok = !name.is_empty()
        && !name.starts_with(['-', '.'])
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if ok {
        return Ok(());
    }
    Err(Error::config(format!("bad profile name {name:?}"))
        .hint("use letters, digits, `-`, `_` and `.`, beginning with none of `-` and `.`"))
}

/// Writes the document to the file: a temporary file beside it, fsync, rename; readable by the owner alone.
///
/// # Errors
/// `Kind::Io`, and `Kind::Config` when the new text is not one that could be read again.
pub(crate) fn write(path: &Path, document: &DocumentMut) -> Result<()> {
    let text = document.to_string();
    parse(path, text.clone())?;
    // Through a symbolic link, the file it points to is replaced, and not the link.
    let linked = || Some(path.parent()?.join(std::fs::read_link(path).ok()?));
    let target = std::fs::canonicalize(path).ok().or_else(linked).unwrap_or_else(|| path.to_owned());
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    let failed = |e| Error::io(format!("cannot write {}", path.display()), e);
    if !folder.exists() {
        use std::os::unix::fs::DirBuilderExt;
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(failed)?;
    }
    let mut temporary = tempfile::Builder::new()
        .prefix(".config")
        .permissions(std::fs::Permissions::from_mode(0o600))
        .tempfile_in(&folder)
        .map_err(failed)?;
    temporary.write_all(text.as_bytes()).map_err(failed)?;
    temporary.as_file().sync_all().map_err(failed)?;
    temporary.persist(&target).map_err(|e| failed(e.error))?;
    // The rename itself is on disk only once the folder is.
    std::fs::File::open(&folder).and_then(|f| f.sync_all()).map_err(failed)
}

/// Takes the lock that keeps two writers of one configuration apart; dropped with the returned file.
///
/// # Errors
/// `Kind::Io`.
pub(crate) fn lock(path: &Path) -> Result<std::fs::File> {
    let failed = |e| Error::io(format!("cannot lock {}", path.display()), e);
    let folder = path.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.exists() {
        use std::os::unix::fs::DirBuilderExt;
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    }
    let file = std::fs::OpenOptions::new().read(true).mode(0o600).open(folder).map_err(failed)?;
    file.lock().map_err(failed)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["a", "eu-west.1", "A_b"] {
            assert!(validate_name(good).is_ok(), "{good}");
        }
        for bad in ["", "../x", "a/b", "-p", ".x", "a\u{7}", "a b", "ä"] {
            assert!(validate_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn positions_count_characters() {
        assert_eq!(position("ä = 1\nbb", 0), (1, 1));
        assert_eq!(position("ä = 1\nbb", 8), (2, 2));
    }
}
