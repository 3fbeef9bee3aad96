//! The layers of a protocol's settings, merged key by key, each value with where it came from.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Instant;

use serde_json::Value;

use super::file::{File, unknown};
use super::profile::Chosen;
use super::sections::{KeyKind, Section, SectionInfo, nest};
use super::shown::{readable_by_others, shows_secret};
use crate::error::{Error, Kind, Result};
use crate::secret::{self, Place};

/// Where a value came from. The order of the variants is their strength, weakest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The built-in default.
    Default,
    /// The running sandbox.
    Sandbox,
    /// A profile in the file.
    Profile {
        /// The profile's name.
        name: String,
        /// How many `extends` lie between it and the chosen one.
        depth: usize,
        /// Line in the file, from 1.
        line: Option<usize>,
    },
    /// An environment variable.
    Environment(String),
    /// A command-line flag.
    Flag,
}

impl Origin {
    /// Larger wins. The only order of the layers that there is: whoever weighs two values against each other asks here.
    pub(super) fn rank(&self) -> (u8, isize) {
        match self {
            Origin::Default => (0, 0),
            Origin::Sandbox => (1, 0),
            Origin::Profile { depth, .. } => (2, -isize::try_from(*depth).unwrap_or(isize::MAX)),
            Origin::Environment(_) => (3, 0),
            Origin::Flag => (4, 0),
        }
    }
}

impl Origin {
    /// The layer alone, without a place in it.
    pub fn layer(&self) -> String {
        match self {
            Origin::Profile { name, .. } => format!("profile {name}"),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::Sandbox => f.write_str("sandbox"),
            Origin::Profile { name, line: Some(line), .. } => write!(f, "profile {name}, line {line}"),
            Origin::Profile { name, line: None, .. } => write!(f, "profile {name}"),
            Origin::Environment(variable) => f.write_str(variable),
            Origin::Flag => f.write_str("flag"),
        }
    }
}

/// One key's value before references are looked up.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Dotted path inside the section.
    pub key: String,
    /// The value as it was written.
    pub value: Value,
    /// Where it came from.
    pub origin: Origin,
}

impl Entry {
    /// True for the values that switch nothing on, so that `tls = false` excludes nothing.
    fn is_off(&self) -> bool {
        matches!(self.value, Value::Bool(false))
    }
}

/// A protocol's settings with the origin of each.
#[derive(Debug)]
pub struct Resolved<T> {
    /// The merged settings, references looked up.
    pub settings: T,
    /// The profile in force.
    pub profile: String,
    origins: BTreeMap<String, Origin>,
    /// What the user should know of them, though nothing is wrong.
    pub warnings: Vec<String>,
}

impl<T: Section> Resolved<T> {
    /// An error about the values of some keys: `Kind::Usage` when one of them came from a flag, else `Kind::Config`.
    pub fn fault(&self, keys: &[&str], message: impl fmt::Display) -> Error {
        let origins: Vec<(&str, &Origin)> =
            keys.iter().filter_map(|key| self.origins.get(*key).map(|o| (*key, o))).collect();
        let kind = if origins.is_empty() || origins.iter().any(|(_, o)| **o == Origin::Flag) {
            Kind::Usage
        } else {
            Kind::Config
        };
        let from: Vec<String> = origins
            .iter()
            .filter(|(_, o)| **o != Origin::Flag)
            .map(|(key, o)| format!("{}.{key} from {o}", T::NAME))
            .collect();
        match from.is_empty() {
            true => Error::new(kind, message.to_string()),
            false => Error::new(kind, format!("{message} ({})", from.join(", "))),
        }
    }

    /// Settings as if they had been resolved.
    #[cfg(test)]
    pub fn of_layers<'a>(settings: T, origins: impl IntoIterator<Item = (&'a str, Origin)>) -> Resolved<T> {
        let origins = origins.into_iter().map(|(key, origin)| (key.to_owned(), origin)).collect();
        Resolved { settings, profile: "test".to_owned(), origins, warnings: Vec::new() }
    }

    /// Where a key's value came from.
    pub fn origin(&self, key: &str) -> Option<&Origin> {
        self.origins.get(key)
    }

    /// Whether a key counts although the server's address says the same thing itself (user, password, TLS): it comes from
    /// the layer that the server comes from, or a stronger one. What an address says has the rank of that address.
    pub fn counts_beside_server(&self, key: &str) -> bool {
        let rank = |key| self.origins.get(key).map(Origin::rank);
        rank(key) >= rank("server")
    }

    /// What the settings say about TLS, beside an address whose scheme says it: forced on, forced off, or nothing.
    ///
    /// A layer below the server's that switches TLS off is about its own, other server: it must not send a password
    /// over the wire in the clear that the address asks TLS for.
    pub fn tls_choice(&self, tls: &crate::net::tls::TlsSettings, scheme_says_tls: bool) -> Option<bool> {
        let key = if tls.tls.is_some() { "tls" } else { "plaintext" };
        tls.choice().filter(|on| *on || !scheme_says_tls || self.counts_beside_server(key))
    }

    /// Checks that the TLS keys fit together.
    ///
    /// # Errors
    /// As [`Resolved::fault`].
    pub fn check_tls(&self, tls: &crate::net::tls::TlsSettings) -> Result<()> {
        match tls.fault() {
            None => Ok(()),
            Some(fault) => Err(self.fault(fault.keys, fault.message).hint(fault.hint)),
        }
    }

    /// The error for a profile that names no server for this protocol: it must never mean localhost.
    pub fn no_server(&self) -> Error {
        let (profile, section) = (&self.profile, T::NAME);
        if profile == super::SANDBOX {
            return Error::config(format!("the sandbox serves no {section}")).hint("name a server with --server");
        }
        Error::config(format!("profile `{profile}` has no {section}.server"))
            .hint(format!("add it with `mscomm profile edit {profile} {section}.server=…`, or pass --server"))
    }
}

/// Merges all layers into a protocol's settings.
///
/// # Errors
/// See [`super::ConfigSource::resolve`].
pub fn resolve<T: Section>(flags: &T, chosen: &Chosen, deadline: Option<Instant>) -> Result<Resolved<T>> {
    let info = SectionInfo::of::<T>();
    let mut entries = flag_entries(flags, &info)?;
    entries.extend(environment_entries(&info)?);
    entries.extend(chosen.entries(&info)?);
    let entries = merge(entries);
    let entries = exclude::<T>(entries)?;

    let mut merged = Value::Object(serde_json::Map::new());
    let (mut origins, mut warnings) = (BTreeMap::new(), Vec::new());
    for entry in entries {
        warnings.extend(readable_by_others(&entry, &info, chosen.file.as_ref()));
        let value = look_up(&entry, &info, chosen.file.as_ref(), deadline)?;
        (info.accepts)(&entry.key, &value)
            .map_err(|e| Error::config(format!("{}.{} from {}: {e}", info.name, entry.key, entry.origin)))?;
        insert(&mut merged, nest(&entry.key, value));
        origins.insert(entry.key, entry.origin);
    }
    let settings =
        serde_json::from_value(merged).map_err(|e| Error::config(format!("{} settings", info.name)).because(e))?;
    let mut resolved = Resolved { settings, profile: chosen.name.clone(), origins, warnings };
    T::check(&resolved)?;
    if let Some(secret) = T::in_the_clear(&resolved) {
        let by = match resolved.origin("plaintext") {
            None => String::new(),
            Some(Origin::Flag) => " (--plaintext)".to_owned(),
            Some(origin) => format!(" ({origin})"),
        };
        resolved.warnings.push(format!("without TLS{by} {secret} over the network in the clear"));
    }
    Ok(resolved)
}

/// Keeps the strongest value of each key, in the order of the keys.
pub fn merge(entries: Vec<Entry>) -> Vec<Entry> {
    let mut best: BTreeMap<String, Entry> = BTreeMap::new();
    for entry in entries {
        match best.get(&entry.key) {
            Some(present) if present.origin.rank() >= entry.origin.rank() => {}
            _ => {
                best.insert(entry.key.clone(), entry);
            }
        }
    }
    best.into_values().collect()
}

/// Of two keys that exclude each other the stronger layer's stays; within one layer they are a contradiction.
fn exclude<T: Section>(mut entries: Vec<Entry>) -> Result<Vec<Entry>> {
    for (a, b) in T::EXCLUSIVE {
        let at = |key: &str| entries.iter().position(|e| e.key == *key && !e.is_off());
        let (Some(i), Some(j)) = (at(a), at(b)) else { continue };
        let (left, right) = (&entries[i], &entries[j]);
        let weaker = match left.origin.rank().cmp(&right.origin.rank()) {
            std::cmp::Ordering::Less => i,
            std::cmp::Ordering::Greater => j,
            std::cmp::Ordering::Equal => {
                let (a, b) = (a.replace('_', "-"), b.replace('_', "-"));
                return Err(match &left.origin {
                    Origin::Flag => Error::usage(format!("--{a} and --{b} exclude each other")),
                    origin => Error::config(format!(
                        "{0}.{1} and {0}.{2} exclude each other ({origin})",
                        T::NAME,
                        left.key,
                        right.key
                    )),
                }
                .hint(format!("keep one of {a} and {b}")));
            }
        };
        entries.remove(weaker);
    }
    Ok(entries)
}

fn flag_entries<T: Section>(flags: &T, info: &SectionInfo) -> Result<Vec<Entry>> {
    let value = serde_json::to_value(flags).map_err(|e| Error::usage("cannot read the flags").because(e))?;
    let mut entries = Vec::new();
    for (key, kind) in &info.keys {
        let found = key.split('.').try_fold(&value, |value, name| value.get(name));
        match (kind, found) {
            (_, None | Some(Value::Null)) => {}
            (KeyKind::Scalar, Some(value)) => {
                entries.push(Entry { key: key.clone(), value: value.clone(), origin: Origin::Flag });
            }
            (KeyKind::Map, Some(map)) => {
                let names = map.as_object().into_iter().flatten();
                entries.extend(names.map(|(name, value)| Entry {
                    key: format!("{key}.{name}"),
                    value: value.clone(),
                    origin: Origin::Flag,
                }));
            }
        }
    }
    Ok(entries)
}

fn environment_entries(info: &SectionInfo) -> Result<Vec<Entry>> {
    let prefix = info.variable("");
    let by_variable: BTreeMap<String, &str> = info.keys.keys().map(|key| (info.variable(key), key.as_str())).collect();
    let mut entries = Vec::new();
    for (variable, text) in std::env::vars_os() {
        let Some(variable) = variable.to_str().filter(|v| v.starts_with(&prefix)).map(str::to_owned) else { continue };
        let Some(key) = by_variable.get(&variable) else {
            let error = Error::config(format!("unknown environment variable {variable}"));
            return Err(unknown(error, &variable, by_variable.keys().map(String::as_str).collect::<Vec<_>>()));
        };
        let text = text.into_string().map_err(|_| Error::config(format!("{variable} is not UTF-8")))?;
        if text.is_empty() {
            continue;
        }
        let origin = Origin::Environment(variable);
        if info.keys.get(*key) == Some(&KeyKind::Map) {
            let wrong =
                || Error::config(format!("{origin} is not a JSON object of strings")).hint(r#"write {"name":"value"}"#);
            // What it is instead, serde would tell with the value in it.
            let map = match serde_json::from_str(&text).map_err(|e| wrong().because(e))? {
                Value::Object(map) => map,
                _ => return Err(wrong()),
            };
            entries.extend(map.into_iter().map(|(name, value)| Entry {
                key: format!("{key}.{name}"),
                value,
                origin: origin.clone(),
            }));
            continue;
        }
        entries.push(Entry { key: (*key).to_owned(), value: typed(info, key, text), origin });
    }
    Ok(entries)
}

/// The environment knows only text: numbers and booleans are read where the key does not take text.
pub fn typed(info: &SectionInfo, key: &str, text: String) -> Value {
    let as_text = Value::String(text);
    if (info.accepts)(key, &as_text).is_ok() {
        return as_text;
    }
    match as_text.as_str().map(serde_json::from_str::<Value>) {
        Some(Ok(value)) if (info.accepts)(key, &value).is_ok() => value,
        _ => as_text,
    }
}

/// Looks up the references in a value.
fn look_up(entry: &Entry, info: &SectionInfo, file: Option<&File>, deadline: Option<Instant>) -> Result<Value> {
    let text = match &entry.value {
        Value::String(text) => text,
        Value::Array(items) => {
            let each = items.iter().map(|item| {
                let entry = Entry { value: item.clone(), ..entry.clone() };
                look_up(&entry, info, file, deadline)
            });
            return each.collect::<Result<_>>().map(Value::Array);
        }
        other => return Ok(other.clone()),
    };
    let what = format!("{}.{}", info.name, entry.key);
    let from_file = file.filter(|_| matches!(entry.origin, Origin::Profile { .. }));
    let base = from_file.and_then(|f| f.path.parent());
    let secret_key = info.secrets.contains(&entry.key.as_str());
    if let Some(file) = from_file {
        if text.starts_with("cmd:") && secret_key || text.contains("${cmd:") {
            file.require_own(&what)?;
        }
        if shows_secret(info, &entry.key, text, true) {
            file.require_private(&what)?;
        }
    }
    let at = |e: Error| e.context(format!("{what} from {}", entry.origin));
    let place = Place { base, strict: from_file.is_some(), deadline };
    let text = match from_file {
        Some(_) if text.contains("${") => secret::interpolate(text, place).map_err(at)?,
        // What an interpolation gave is the value itself, never a second reference.
        _ if secret_key => secret::resolve(text, place).map_err(at)?.expose().to_owned(),
        _ => text.clone(),
    };
    // A path in the file starts where the file is, whatever folder the command runs in.
    match from_file {
        Some(_) if info.paths.contains(&entry.key.as_str()) => {
            Ok(Value::String(secret::expand(&text, base).to_string_lossy().into_owned()))
        }
        _ => Ok(Value::String(text)),
    }
}

/// All entries of a section as `profile show` lists them: environment over profile over default, unresolved.
///
/// # Errors
/// `Kind::Config`.
pub fn listed(info: &SectionInfo, chosen: &Chosen) -> Result<Vec<Entry>> {
    let mut entries = environment_entries(info)?;
    entries.extend(chosen.entries(info)?);
    Ok(merge(entries))
}

/// Deep-merges `value` into `into`; both are objects.
fn insert(into: &mut Value, value: Value) {
    match (into, value) {
        (Value::Object(into), Value::Object(value)) => {
            for (name, value) in value {
                match into.get_mut(&name) {
                    Some(present) => insert(present, value),
                    None => {
                        into.insert(name, value);
                    }
                }
            }
        }
        (into, value) => *into = value,
    }
}
