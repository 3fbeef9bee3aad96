//! The layers of a protocol's settings, merged key by key, each value with where it came from.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;

use super::entry::{DEFAULTS, Entry, Origin};
use super::file::{File, unknown};
use super::profile::Chosen;
use super::sections::{Again, KeyKind, Resolved, Section, SectionInfo, nest};
use super::shown::{readable_by_others, shows_secret};
use crate::error::{Error, Result, counted};
use crate::net::{Say, Step, Told};
use crate::secret::{self, Place, Reach, Secret};

/// How references are looked up.
#[derive(Clone, Copy)]
pub(crate) struct How<'a> {
    /// When it has to be done.
    pub deadline: Option<Instant>,
    /// How far to go.
    pub reach: Reach,
    /// When it was begun.
    pub started: Instant,
    /// Who is told of the steps.
    pub say: &'a Say,
    /// The keys that are asked for: no other is looked up or checked.
    pub wants: &'a (dyn Fn(&str) -> bool + Sync),
}

/// Merges all layers into a protocol's settings.
///
/// # Errors
/// See [`super::ConfigSource::resolve`].
pub(crate) fn resolve<T: Section>(flags: &T, chosen: &Chosen, how: How<'_>) -> Result<Resolved<T>> {
    let info = SectionInfo::of::<T>();
    let mut entries = flag_entries(flags, &info)?;
    entries.extend(environment_entries(&info)?);
    entries.extend(chosen.entries(&info)?);
    let mut entries = merge(entries);
    entries.retain(|entry| (how.wants)(&entry.key));
    let entries = exclude::<T>(entries)?;

    let mut merged = Value::Object(serde_json::Map::new());
    let (mut origins, mut live, mut warnings) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    let done = |name, found, started: Instant| (how.say)(Told::Done(&Step { name, found, took: started.elapsed() }));
    done("configuration", format!("profile `{}`", chosen.name), how.started);
    let secrets = entries.iter().filter(|entry| looks_up(entry, &info)).count();
    let started = Instant::now();
    if secrets > 0 {
        (how.say)(Told::Begins("secret"));
    }
    for entry in entries {
        warnings.extend(readable_by_others(&entry, &info, chosen.file.as_ref()));
        let value = look_up(&entry, &info, chosen.file.as_ref(), how)?;
        if let Some(again) = again(&entry, &info, chosen.file.as_ref()) {
            live.insert(entry.key.clone(), again);
        }
        (info.accepts)(&entry.key, &value)
            .map_err(|e| Error::config(format!("{}.{} from {}: {e}", info.name, entry.key, entry.origin)))?;
        insert(&mut merged, nest(&entry.key, value));
        origins.insert(entry.key, entry.origin);
    }
    if secrets > 0 {
        done("secret", format!("looked up {}", counted(secrets as u64, "reference")), started);
    }
    let settings =
        serde_json::from_value(merged).map_err(|e| Error::config(format!("{} settings", info.name)).because(e))?;
    let mut resolved = Resolved { settings, profile: chosen.name.clone(), origins, live, warnings };
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
pub(crate) fn merge(entries: Vec<Entry>) -> Vec<Entry> {
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
    for (a, b) in T::EXCLUSIVE.iter().copied().flatten() {
        let at = |key: &str| entries.iter().position(|e| e.key == *key && !e.is_off());
        let (Some(i), Some(j)) = (at(a), at(b)) else { continue };
        let (left, right) = (&entries[i], &entries[j]);
        let weaker = match left.origin.rank().cmp(&right.origin.rank()) {
            std::cmp::Ordering::Less => i,
            std::cmp::Ordering::Greater => j,
            std::cmp::Ordering::Equal => {
                let (a, b) = (a.replace(['_', '.'], "-"), b.replace(['_', '.'], "-"));
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
            // The beginning of all of them.
            if info.name == DEFAULTS {
                continue;
            }
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
pub(crate) fn typed(info: &SectionInfo, key: &str, text: String) -> Value {
    let as_text = Value::String(text);
    if (info.accepts)(key, &as_text).is_ok() {
        return as_text;
    }
    // As variables are often switched on and off.
    let switch = match as_text.as_str() {
        Some("1") => Some(Value::Bool(true)),
        Some("0") => Some(Value::Bool(false)),
        _ => None,
    };
    if let Some(switch) = switch.filter(|switch| (info.accepts)(key, switch).is_ok()) {
        return switch;
    }
    match as_text.as_str().map(serde_json::from_str::<Value>) {
        Some(Ok(value)) if (info.accepts)(key, &value).is_ok() => value,
        _ => as_text,
    }
}

/// Whether a value may have references in it: one of a file, but for what flags are that are not typed.
fn refers(entry: &Entry, info: &SectionInfo) -> bool {
    info.name != DEFAULTS && matches!(entry.origin, Origin::Profile { .. })
}

/// Whether something has to be looked up for it.
fn looks_up(entry: &Entry, info: &SectionInfo) -> bool {
    let may_refer = refers(entry, info);
    let has_reference = |text: &str| {
        may_refer && text.contains("${") || info.secrets.contains(&entry.key.as_str()) && secret::is_reference(text)
    };
    match &entry.value {
        Value::String(text) => has_reference(text),
        Value::Array(items) => items.iter().filter_map(Value::as_str).any(has_reference),
        _ => false,
    }
}

/// Looks up the references in a value.
fn look_up(entry: &Entry, info: &SectionInfo, file: Option<&File>, how: How<'_>) -> Result<Value> {
    let text = match &entry.value {
        Value::String(text) => text,
        Value::Array(items) => {
            let each = items.iter().map(|item| {
                let entry = Entry { value: item.clone(), ..entry.clone() };
                look_up(&entry, info, file, how)
            });
            return each.collect::<Result<_>>().map(Value::Array);
        }
        other => return Ok(other.clone()),
    };
    let what = format!("{}.{}", info.name, entry.key);
    let from_file = file.filter(|_| refers(entry, info));
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
    let How { deadline, reach, .. } = how;
    // What a profile agrees to is what stands in it.
    let reach = match (reach, from_file) {
        (Reach::Unasked, None) => Reach::Unrun,
        (reach, _) => reach,
    };
    let lines = info.live.contains(&entry.key.as_str());
    let place = Place { base, strict: from_file.is_some(), deadline, reach, lines };
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

/// How a value is looked up once more, where that may give something else. Nobody is asked for it then.
fn again(entry: &Entry, info: &SectionInfo, file: Option<&File>) -> Option<Again> {
    let text = entry.value.as_str().filter(|text| secret::may_change(text))?;
    let is_live = info.live.contains(&entry.key.as_str());
    let refers_as_a_whole = refers(entry, info) || secret::is_reference(text);
    (is_live && refers_as_a_whole).then(|| {
        let (entry, info, file) = (entry.clone(), info.clone(), file.cloned());
        Again(Arc::new(move || {
            let how =
                How { deadline: None, reach: Reach::Anywhere, started: Instant::now(), say: &|_| (), wants: &|_| true };
            match look_up(&entry, &info, file.as_ref(), how)? {
                Value::String(text) => Ok(Secret::new(text)),
                _ => Err(Error::config(format!("{}.{} is no text", info.name, entry.key))),
            }
        }))
    })
}

/// All entries of a section as `profile show` lists them: environment over profile over default, unresolved.
///
/// # Errors
/// `Kind::Config`.
pub(crate) fn listed(info: &SectionInfo, chosen: &Chosen) -> Result<Vec<Entry>> {
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
