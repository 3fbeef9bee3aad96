//! `KEY=VALUE` of `profile add` and `profile edit`: what a key names, and its value put in place.

use serde_json::Value;
use toml_edit::{DocumentMut, Item, Table as TomlTable, value};

use super::file::unknown;
use super::layers;
use super::profile::COMPLETE;
use super::sections::{KeyKind, SectionInfo};
use crate::error::{Error, Result};

/// The table of all profiles, made where there is none.
///
/// # Errors
/// `Kind::Config`.
pub(crate) fn profiles(document: &mut DocumentMut) -> Result<&mut dyn toml_edit::TableLike> {
    let item = document.entry("profiles").or_insert_with(|| {
        let mut table = TomlTable::new();
        table.set_implicit(true);
        Item::Table(table)
    });
    item.as_table_like_mut().ok_or_else(|| Error::config("`profiles` must be a table"))
}

/// Sets `section.key=value` pairs and removes keys.
///
/// # Errors
/// `Kind::Usage` for an unknown key or a text that is no pair, `Kind::Config` for a profile that is no table.
pub(crate) fn assign(
    document: &mut DocumentMut,
    name: &str,
    values: &[String],
    unset: &[String],
    infos: &[SectionInfo],
) -> Result<()> {
    let profile = profiles(document)?
        .get_mut(name)
        .and_then(Item::as_table_like_mut)
        .ok_or_else(|| Error::config(format!("profile `{name}` must be a table")))?;
    for pair in values {
        let (key, text) = pair.split_once('=').ok_or_else(|| {
            // Not the argument itself: it may be a password whose `=` was forgotten.
            let shown = known_beginning(infos, pair);
            let which = if shown.starts_with('…') { "an argument".to_owned() } else { format!("`{shown}`") };
            Error::usage(format!("{which} is no KEY=VALUE")).hint("write for example kafka.server=localhost:9092")
        })?;
        if key == "extends" {
            profile.insert("extends", value(text));
            continue;
        }
        if key == COMPLETE {
            let says: bool = text.parse().map_err(|_| {
                Error::usage(format!("`{COMPLETE}` is true or false")).hint(format!("write {COMPLETE}=true"))
            })?;
            profile.insert(COMPLETE, value(says));
            continue;
        }
        let (info, path, kind) = known_key(infos, key)?;
        let new = match kind {
            Holds::Value => single(info, path, text),
            Holds::Table => table(text).ok_or_else(|| {
                // Not the text: there may be secrets in it.
                Error::usage(format!("`{key}` takes a table, as {key}='{{ name = \"value\" }}'"))
                    .hint(format!("or give one value at a time, as {key}.NAME=VALUE"))
            })?,
        };
        put(profile, info.name, path, new)
            .ok_or_else(|| Error::config(format!("`{key}` lies in something that is no table")))?;
    }
    for key in unset {
        if key == "extends" || key == COMPLETE {
            profile.remove(key);
            continue;
        }
        if let Some((cut, _)) = key.split_once('=')
            && (cut == "extends" || cut == COMPLETE || known_key(infos, cut).is_ok())
        {
            return Err(Error::usage(format!("`--unset` takes a key alone, and `{cut}` has a value behind it"))
                .hint(format!("write --unset {cut}")));
        }
        let (info, path, _) = known_key(infos, key)?;
        let removed = match path {
            "" => profile.remove(info.name),
            _ => descend(profile, info.name, path, false).and_then(|(table, leaf)| table.remove(leaf)),
        };
        if removed.is_none() {
            return Err(Error::config(format!("profile `{name}` has no {key} of its own to remove")));
        }
    }
    Ok(())
}

/// What stands under a key.
enum Holds {
    Value,
    Table,
}

/// A value as it is typed: text, or what else the key takes.
fn single(info: &SectionInfo, path: &str, text: &str) -> Item {
    // Several files; a path that begins with a bracket is not meant.
    if info.paths.contains(&path)
        && let Ok(list @ toml_edit::Value::Array(_)) = text.parse::<toml_edit::Value>()
    {
        return Item::Value(list);
    }
    // What is typed in a folder is meant there; in the file it would start at the file's own.
    let is_here =
        info.paths.contains(&path) && std::path::Path::new(text).is_relative() && std::path::Path::new(text).exists();
    let text = &if is_here { absolute(text) } else { text.to_owned() };
    match layers::typed(info, path, text.to_owned()) {
        Value::Bool(b) => value(b),
        Value::Number(n) if n.as_i64().is_some() => value(n.as_i64().unwrap_or_default()),
        _ => value(text),
    }
}

/// A path as it is meant in the present folder: in the file it starts at the file's own.
pub(crate) fn absolute(path: &str) -> String {
    match path.starts_with('~') {
        true => path.to_owned(),
        false => std::path::absolute(path).map_or_else(|_| path.to_owned(), |path| path.display().to_string()),
    }
}

/// A table as TOML or JSON writes it.
fn table(text: &str) -> Option<Item> {
    match text.parse::<toml_edit::Value>() {
        Ok(table @ toml_edit::Value::InlineTable(_)) => Some(Item::Value(table)),
        _ => serde_json::from_str(text).ok().filter(Value::is_object).and_then(|json| to_toml(&json)).map(Item::Value),
    }
}

/// JSON as TOML, which has no null.
fn to_toml(json: &Value) -> Option<toml_edit::Value> {
    Some(match json {
        Value::Null => return None,
        Value::Bool(b) => (*b).into(),
        Value::Number(n) => n.as_i64().map(Into::into).or_else(|| n.as_f64().map(Into::into))?,
        Value::String(text) => text.into(),
        Value::Array(items) => {
            toml_edit::Value::Array(items.iter().map(to_toml).collect::<Option<toml_edit::Array>>()?)
        }
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| Some((toml_edit::Key::new(name), to_toml(value)?)));
            toml_edit::Value::InlineTable(members.collect::<Option<toml_edit::InlineTable>>()?)
        }
    })
}

/// Puts a value in its place, a whole section too; `None` where something that is no table is in the way.
fn put(profile: &mut dyn toml_edit::TableLike, section: &str, path: &str, new: Item) -> Option<()> {
    if path.is_empty() {
        let section_table = new.into_table().ok()?;
        profile.insert(section, Item::Table(section_table));
        return Some(());
    }
    let (table, leaf) = descend(profile, section, path, true)?;
    table.insert(leaf, new);
    Some(())
}

/// Splits `section.key`; the key may be a name inside a map, or a table as a whole, up to the section.
fn known_key<'a, 'k>(infos: &'a [SectionInfo], key: &'k str) -> Result<(&'a SectionInfo, &'k str, Holds)> {
    let (section, path) = key.split_once('.').unwrap_or((key, ""));
    let found = infos.iter().find(|info| info.name == section).and_then(|info| {
        let is_map = |key: &str| info.keys.get(key) == Some(&KeyKind::Map);
        let in_map = path.split_once('.').is_some_and(|(map, name)| is_map(map) && !name.is_empty());
        let above = || info.keys.keys().any(|known| known.starts_with(&format!("{path}.")));
        if in_map || info.keys.get(path) == Some(&KeyKind::Scalar) {
            return Some((info, path, Holds::Value));
        }
        (key == section || is_map(path) || above()).then_some((info, path, Holds::Table))
    });
    found.ok_or_else(|| {
        // A whole pair where a key is asked for: what is behind its `=` may be a secret.
        let key = key.split('=').next().unwrap_or(key);
        let meant: Vec<&SectionInfo> = infos.iter().filter(|info| info.name == section).collect();
        let meant = if meant.is_empty() { infos.iter().collect() } else { meant };
        let all: Vec<String> =
            meant.iter().flat_map(|info| info.keys.keys().map(|k| format!("{}.{k}", info.name))).collect();
        // Of a name that begins as a secret key does, the rest may be the secret.
        let is_secret = |beginning: &str| {
            let key = beginning.trim_end_matches('…').split_once('.');
            key.is_some_and(|(section, key)| infos.iter().any(|info| info.name == section && holds_secrets(info, key)))
        };
        let beginning = known_beginning(infos, key);
        let shown = if is_secret(&beginning) { beginning } else { key.to_owned() };
        let error = Error::usage(format!("unknown key `{shown}`"));
        unknown(error, key, all.iter().map(String::as_str).collect::<Vec<_>>())
    })
}

/// Whether a key, or something in its table, may be a secret.
fn holds_secrets(info: &SectionInfo, key: &str) -> bool {
    info.is_secret(key) || info.keys.get(key) == Some(&KeyKind::Map)
}

/// The longest known key that the text begins with, an ellipsis for the rest.
fn known_beginning(infos: &[SectionInfo], text: &str) -> String {
    let keys = infos.iter().flat_map(|info| info.keys.keys().map(|key| format!("{}.{key}", info.name)));
    let longest = keys.filter(|key| text.starts_with(key.as_str())).max_by_key(String::len).unwrap_or_default();
    match text.len() > longest.len() {
        true => format!("{longest}…"),
        false => longest,
    }
}

/// The table that holds `section.path`, and the last name of it. Makes what is missing when `make` says so.
fn descend<'t, 'k>(
    profile: &'t mut dyn toml_edit::TableLike,
    section: &str,
    path: &'k str,
    make: bool,
) -> Option<(&'t mut dyn toml_edit::TableLike, &'k str)> {
    let section = step(profile, section, make, Item::Table(TomlTable::new()))?;
    match path.split_once('.') {
        None => Some((section, path)),
        Some((map, leaf)) => {
            let inline = value(toml_edit::InlineTable::new());
            step(section, map, make, inline).map(|table| (table, leaf))
        }
    }
}

fn step<'t>(
    table: &'t mut dyn toml_edit::TableLike,
    name: &str,
    make: bool,
    empty: Item,
) -> Option<&'t mut dyn toml_edit::TableLike> {
    if make && !table.contains_key(name) {
        table.insert(name, empty);
    }
    table.get_mut(name).and_then(Item::as_table_like_mut)
}
