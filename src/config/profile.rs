//! Which profile is in force, and the values it gives: its own, those of the profiles it extends, or a built-in's.

use std::path::Path;

use serde_json::Value;
use toml_edit::{Item, TableLike};

use super::ConfigSource;
use super::built_in::{LOCAL, SANDBOX, sandbox_key_var, sandbox_var};
use super::defaults::all;
use super::entry::{DEFAULTS, Entry, Origin};
use super::file::{File, unknown, validate_name};
use super::sections::{KeyKind, Problem, SectionInfo};
use crate::error::{Error, Result};

/// The key of a profile that says whether Tab may run its commands.
pub(crate) const COMPLETE: &str = "complete";

/// The profile in force.
#[derive(Debug)]
pub(crate) struct Chosen {
    /// Its name.
    pub name: String,
    /// What named it.
    pub by: String,
    /// Nothing did.
    pub is_fallback: bool,
    /// The file it was looked for in.
    pub file: Option<File>,
    /// The names of the chain: the profile, then what it extends, and so on. Empty for a built-in.
    chain: Vec<String>,
}

impl Chosen {
    /// Finds the profile: `--profile`, then `MSCOMM_PROFILE`, then the file's `default`, then `local`.
    ///
    /// # Errors
    /// `Kind::Config`: the file is bad, the profile is not there, or its `extends` leads nowhere or in a circle.
    pub(crate) fn load(source: &ConfigSource) -> Result<Chosen> {
        let asked = source.asked()?;
        // A sandbox needs no file, whatever is wrong with it.
        if asked.as_ref().is_some_and(|(name, _)| is_running_sandbox(name)) {
            return Ok(Chosen {
                name: SANDBOX.to_owned(),
                by: SANDBOX.to_owned(),
                is_fallback: false,
                file: None,
                chain: Vec::new(),
            });
        }
        let (path, file) = source.file()?;
        Chosen::find(&path, file, asked)
    }

    /// A profile by its name, whatever is asked for elsewhere.
    ///
    /// # Errors
    /// As [`Chosen::load`].
    pub(crate) fn named(source: &ConfigSource, name: &str) -> Result<Chosen> {
        let (path, file) = source.file()?;
        Chosen::of(&path, file, name)
    }

    /// A profile that has nothing.
    pub(crate) fn nothing() -> Chosen {
        Chosen { name: LOCAL.to_owned(), by: String::new(), is_fallback: true, file: None, chain: Vec::new() }
    }

    /// Whether this is a profile of the file that is, or extends, another one.
    pub(crate) fn extends(&self, name: &str) -> bool {
        self.chain.iter().any(|link| link == name)
    }

    /// Whether what it says may be used to complete a word, although a command has to be run for it (`complete = true`): its
    /// own word, or that of the nearest that it extends.
    ///
    /// # Errors
    /// As [`profile_table`].
    pub(crate) fn may_complete(&self) -> Result<bool> {
        for name in &self.chain {
            let table = self.file.as_ref().map(|file| profile_table(file, name)).transpose()?.flatten();
            if let Some(says) = table.and_then(|table| table.get(COMPLETE)).and_then(Item::as_bool) {
                return Ok(says);
            }
        }
        Ok(false)
    }

    /// A profile by its name, in a file that was read: from a pipe that works only once.
    ///
    /// # Errors
    /// As [`Chosen::load`].
    pub(crate) fn of(path: &Path, file: Option<File>, name: &str) -> Result<Chosen> {
        validate_name(name)?;
        Chosen::find(path, file, Some((name.to_owned(), "name")))
    }

    fn find(path: &Path, file: Option<File>, asked: Option<(String, &str)>) -> Result<Chosen> {
        let (name, by) = match (&asked, file.as_ref().and_then(File::default_profile)) {
            (Some((name, by)), _) => (name.clone(), (*by).to_owned()),
            (None, Some(name)) => (name.to_owned(), format!("`default` in {}", path.display())),
            (None, None) => (LOCAL.to_owned(), "nothing else was named".to_owned()),
        };
        let is_fallback = asked.is_none() && file.as_ref().and_then(File::default_profile).is_none();
        let names = file.as_ref().map(profile_names).unwrap_or_default();
        let in_file = names.iter().any(|n| *n == name);
        let sandbox = is_running_sandbox(&name);
        let chain = match &file {
            Some(file) if in_file && !sandbox => chain(file, &name)?,
            _ if name == LOCAL || sandbox => Vec::new(),
            _ if name == SANDBOX => {
                return Err(Error::config("no sandbox is running")
                    .hint("the profile `sandbox` exists inside `mscomm sandbox -- COMMAND`"));
            }
            _ => {
                let error =
                    Error::config(format!("there is no profile `{name}` in {} (asked for by {by})", path.display()));
                let known = names.into_iter().chain([LOCAL]);
                return Err(unknown(error, &name, known.collect::<Vec<_>>()));
            }
        };
        Ok(Chosen { name, by, is_fallback, file, chain })
    }

    /// The values of one section, nearest profile first; built-ins give only a server.
    ///
    /// # Errors
    /// `Kind::Config`: unknown keys (with the nearest known one), wrong types.
    pub(crate) fn entries(&self, info: &SectionInfo) -> Result<Vec<Entry>> {
        let of_file = self.file.as_ref().filter(|_| info.name == DEFAULTS || !self.chain.is_empty());
        let Some(file) = of_file else {
            return Ok(self.built_in(info));
        };
        let mut entries: Vec<Entry> = Vec::new();
        for (depth, name) in self.chain.iter().enumerate() {
            for entry in section_entries(file, name, info, depth)? {
                if !entries.iter().any(|nearer| nearer.key == entry.key) {
                    entries.push(entry);
                }
            }
        }
        if info.name == DEFAULTS {
            let table = file.document.get(DEFAULTS).and_then(Item::as_table_like);
            let walk = Walk { file, profile: None, info, depth: 0 };
            let mut own = Vec::new();
            table.map(|table| walk.table("", table, &mut own)).transpose()?;
            own.retain(|entry| !entries.iter().any(|nearer| nearer.key == entry.key));
            entries.extend(own);
        }
        Ok(entries)
    }

    fn built_in(&self, info: &SectionInfo) -> Vec<Entry> {
        if info.name == DEFAULTS {
            return Vec::new();
        }
        let entry = |key: &str, value, origin| Entry { key: key.to_owned(), value: Value::String(value), origin };
        if self.name != SANDBOX {
            return vec![entry("server", info.local.to_owned(), Origin::Default)];
        }
        let Ok(server) = std::env::var(sandbox_var(info.name)) else { return Vec::new() };
        let mut entries = vec![entry("server", server, Origin::Sandbox)];
        // A certificate, a login: what the sandbox was told to ask for.
        for key in info.keys.keys() {
            let variable = sandbox_key_var(info.name, key);
            if let Ok(value) = std::env::var(&variable) {
                let value = if info.is_secret(key) { format!("env:{variable}") } else { value };
                entries.push(entry(key, value, Origin::Sandbox));
            }
        }
        entries
    }
}

fn is_running_sandbox(name: &str) -> bool {
    name == SANDBOX && std::env::var_os(sandbox_var("pid")).is_some()
}

/// The names of the profiles in a file.
pub(crate) fn profile_names(file: &File) -> Vec<&str> {
    file.profiles().map(|p| p.iter().map(|(name, _)| name).collect()).unwrap_or_default()
}

/// The table of a profile, checked for its own keys.
///
/// # Errors
/// `Kind::Config`.
pub(crate) fn profile_table<'a>(file: &'a File, name: &str) -> Result<Option<&'a dyn TableLike>> {
    let Some((key, item)) = file.profiles().and_then(|p| p.get_key_value(name)) else {
        return Ok(None);
    };
    if let Err(e) = validate_name(name) {
        let error = file.error(key.span(), e.chain());
        return Err(match e.fix() {
            Some(fix) => error.hint(fix),
            None => error,
        });
    }
    let table = item.as_table_like().ok_or_else(|| {
        file.error(item.span().or(key.span()), format!("profile `{name}` must be a table"))
            .hint(format!("write [profiles.{name}.amqp] with `server = …` below it"))
    })?;
    let infos = all(file.sections);
    for (key, item) in table.iter() {
        let at = || table.get_key_value(key).and_then(|(k, _)| k.span()).or(item.span());
        if key == "extends" {
            if !item.is_str() {
                return Err(file.error(at(), "`extends` must be the name of a profile, as a string"));
            }
        } else if key == COMPLETE {
            if !item.is_bool() {
                return Err(file.error(at(), format!("`{COMPLETE}` must be true or false")));
            }
        } else if !infos.iter().any(|info| info.name == key) {
            let known: Vec<&str> = infos.iter().map(|i| i.name).chain(["extends", COMPLETE]).collect();
            let error = file.error(at(), format!("unknown key `{key}` in profile `{name}`"));
            return Err(unknown(error, key, known));
        } else if !item.is_table_like() {
            return Err(file.error(at(), format!("`{key}` must be a table, for example {key} = {{ server = \"…\" }}")));
        }
    }
    Ok(Some(table))
}

/// Follows `extends` from a profile to its root.
fn chain(file: &File, name: &str) -> Result<Vec<String>> {
    let mut chain: Vec<String> = Vec::new();
    let mut next = name.to_owned();
    let mut span = None;
    loop {
        if chain.contains(&next) {
            chain.push(next);
            return Err(file
                .error(span, format!("`extends` goes in a circle: {}", chain.join(" → ")))
                .hint("remove one of these `extends`"));
        }
        let Some(table) = profile_table(file, &next)? else {
            let error = file.error(span, format!("`extends` names a profile that is not there: `{next}`"));
            return Err(unknown(error, &next, profile_names(file)));
        };
        chain.push(next);
        match table.get("extends").and_then(|item| item.as_str().map(|s| (s, item.span()))) {
            Some((base, at)) => (next, span) = (base.to_owned(), at),
            None => return Ok(chain),
        }
    }
}

/// The values that one profile of the file gives to one section.
fn section_entries(file: &File, profile: &str, info: &SectionInfo, depth: usize) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    if let Some(item) = profile_table(file, profile)?.and_then(|t| t.get(info.name))
        && let Some(table) = item.as_table_like()
    {
        let walk = Walk { file, profile: Some(profile), info, depth };
        walk.table("", table, &mut entries)?;
    }
    Ok(entries)
}

/// Checks a whole profile, every section of it and of what it extends.
///
/// # Errors
/// `Kind::Config`, the first fault.
pub(crate) fn check_profile(file: &File, name: &str) -> Result<()> {
    for profile in chain(file, name)? {
        for info in all(file.sections) {
            let entries = section_entries(file, &profile, &info, 0)?;
            // What a reference gives is known only when the profile is used.
            let is_open = |entry: &&Entry| entry.value.as_str().is_some_and(|text| text.contains("${"));
            entries.iter().filter(|entry| !is_open(entry)).try_for_each(|entry| check_entry(&info, entry))?;
        }
    }
    Ok(())
}

fn check_entry(info: &SectionInfo, Entry { key, value, origin }: &Entry) -> Result<()> {
    match value.as_str().map(|text| (info.check_value)(key, text)) {
        Some(Err(Problem { message, fix })) => {
            Err(Error::config(message).hint(fix).context(format!("{}.{key} in {origin}", info.name)))
        }
        _ => Ok(()),
    }
}

/// Checks the file's own table of what flags are that are not typed.
///
/// # Errors
/// `Kind::Config`, the first fault.
pub(crate) fn check_defaults(file: &File) -> Result<()> {
    let chosen = Chosen { file: Some(file.clone()), ..Chosen::nothing() };
    for info in all(file.sections).iter().filter(|info| info.name == DEFAULTS) {
        chosen.entries(info)?.iter().try_for_each(|entry| check_entry(info, entry))?;
    }
    Ok(())
}

struct Walk<'a> {
    file: &'a File,
    /// None for the file's own defaults.
    profile: Option<&'a str>,
    info: &'a SectionInfo,
    depth: usize,
}

impl Walk<'_> {
    fn table(&self, prefix: &str, table: &dyn TableLike, entries: &mut Vec<Entry>) -> Result<()> {
        for (name, item) in table.iter() {
            let key = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
            let span = table.get_key_value(name).and_then(|(k, _)| k.span()).or(item.span());
            match self.info.keys.get(&key) {
                Some(KeyKind::Scalar) => entries.push(self.leaf(key, item, span)?),
                Some(KeyKind::Map) => self.map(&key, item, span, entries)?,
                None if self.info.keys.keys().any(|k| k.starts_with(&format!("{key}."))) => {
                    let Some(inner) = item.as_table_like() else {
                        return Err(self.file.error(span, format!("`{}.{key}` must be a table", self.info.name)));
                    };
                    self.table(&key, inner, entries)?;
                }
                None => {
                    let error = self.file.error(span, format!("unknown key `{}.{key}`", self.info.name));
                    return Err(unknown(error, &key, self.info.keys.keys().map(String::as_str).collect::<Vec<_>>()));
                }
            }
        }
        Ok(())
    }

    fn map(
        &self,
        key: &str,
        item: &Item,
        span: Option<std::ops::Range<usize>>,
        entries: &mut Vec<Entry>,
    ) -> Result<()> {
        let Some(inner) = item.as_table_like() else {
            return Err(self
                .file
                .error(span, format!("`{}.{key}` must be a table of names and strings", self.info.name)));
        };
        for (name, item) in inner.iter() {
            // Unquoted dotted names nest in TOML; librdkafka's property names have dots.
            if item.is_table_like() {
                self.map(&format!("{key}.{name}"), item, item.span(), entries)?;
                continue;
            }
            let span = inner.get_key_value(name).and_then(|(k, _)| k.span());
            entries.push(self.leaf(format!("{key}.{name}"), item, span)?);
        }
        Ok(())
    }

    fn leaf(&self, key: String, item: &Item, span: Option<std::ops::Range<usize>>) -> Result<Entry> {
        let what = format!("{}.{key}", self.info.name);
        let value = item
            .as_value()
            .and_then(to_json)
            .ok_or_else(|| self.file.error(span.clone(), format!("`{what}` must be a single value")))?;
        // A reference is looked up only when the protocol is used; any text may come out of it.
        let open = self.info.name != DEFAULTS && value.as_str().is_some_and(|v| v.contains("${"));
        if !open && self.info.secrets.contains(&key.as_str()) && !value.is_string() {
            // The deserialiser's own words would hold the value.
            return Err(self.file.error(span, format!("`{what}` must be a string, in quotes")));
        }
        if !open {
            (self.info.accepts)(&key, &value).map_err(|e| self.file.error(span.clone(), format!("`{what}`: {e}")))?;
        }
        let line = self.file.line(span);
        let origin = match self.profile {
            Some(profile) => Origin::Profile { name: profile.to_owned(), depth: self.depth, line },
            None => Origin::Defaults { line },
        };
        Ok(Entry { key, value, origin })
    }
}

fn to_json(value: &toml_edit::Value) -> Option<Value> {
    Some(match value {
        toml_edit::Value::String(s) => Value::String(s.value().clone()),
        toml_edit::Value::Integer(n) => Value::from(*n.value()),
        toml_edit::Value::Float(n) => Value::from(*n.value()),
        toml_edit::Value::Boolean(b) => Value::Bool(*b.value()),
        toml_edit::Value::Datetime(d) => Value::String(d.value().to_string()),
        toml_edit::Value::Array(items) => Value::Array(items.iter().map(to_json).collect::<Option<_>>()?),
        toml_edit::Value::InlineTable(_) => return None,
    })
}
