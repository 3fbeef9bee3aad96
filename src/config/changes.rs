//! What the verbs of `profile` do to the file: each reads it under its lock, and writes it whole or not at all.

use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, Item, Table as TomlTable};

use super::assign::{absolute, assign, profiles};
use super::defaults::all;
use super::file::{self, File, unknown};
use super::profile::{check_defaults, check_profile, profile_names};
use super::sections::Sections;
use super::{ConfigSource, LOCAL, validate_name};
use crate::error::{Error, Result};
use crate::output::Terminal;
use crate::secret;
use crate::values::quoted;

/// Adds a profile.
///
/// # Errors
/// `Kind::Config` for one that is there already, and a bad value; `Kind::Usage` for what is no KEY=VALUE.
pub(crate) fn add(source: &ConfigSource, name: &str, values: &[String], terminal: &Terminal) -> Result<()> {
    validate_name(name)?;
    let path = change(source, |path, document, existing| {
        insert(source, path, document, existing, name, values)?;
        Ok(name.to_owned())
    })?;
    terminal.note(format!("added profile `{name}` to {}", path.display()));
    Ok(())
}

/// The file as it would be with one more profile.
///
/// # Errors
/// As [`add`].
pub(crate) fn with_profile(source: &ConfigSource, name: &str, values: &[String]) -> Result<File> {
    validate_name(name)?;
    let (path, _) = source.path()?;
    let file = File::load(&path, false, source)?;
    let mut document = file.as_ref().map(|f| f.document.clone().into_mut()).unwrap_or_default();
    let existing = file.as_ref().map(profile_names).unwrap_or_default();
    insert(source, &path, &mut document, &existing, name, values)?;
    let file = File::parsed(&path, document.to_string(), source.sections)?;
    check_profile(&file, name)?;
    Ok(file)
}

fn insert(
    source: &ConfigSource,
    path: &Path,
    document: &mut DocumentMut,
    existing: &[&str],
    name: &str,
    values: &[String],
) -> Result<()> {
    if existing.contains(&name) {
        return Err(Error::config(format!("profile `{name}` exists already in {}", path.display()))
            .hint(format!("change it with `mscomm profile edit {name} KEY=VALUE`")));
    }
    profiles(document)?.insert(name, Item::Table(TomlTable::new()));
    assign(document, name, values, &[], &all(source.sections))
}

/// Adds what another tool's settings say to a profile, which is made where there is none.
///
/// # Errors
/// `Kind::Usage` for a text that nobody knows; `Kind::Config` for a profile that has that section already, and a bad value.
pub(crate) fn import(source: &ConfigSource, name: &str, text: &str, terminal: &Terminal) -> Result<()> {
    validate_name(name)?;
    let infos = (source.sections)();
    let found = infos.iter().find_map(|info| Some((info, (info.import)(text)?)));
    let Some((info, imported)) = found else {
        return Err(Error::usage("this is no settings file of a tool that is known here").hint(
            "what is read: kcat.conf, client.properties of Java's Kafka client, and an AMQP URI, as amqps://user@host/vhost",
        ));
    };
    let imported = imported.map_err(|p| Error::usage(p.message).hint(p.fix))?;
    let mut values = Vec::new();
    for (key, value) in &imported.values {
        let value = &if info.paths.contains(&key.as_str()) { absolute(value) } else { value.clone() };
        // Nothing in it is a reference, whatever it looks like.
        let value = match info.secrets.contains(&key.as_str()) {
            true => secret::literal(value),
            false => value.replace("${", "$${"),
        };
        values.push(format!("{}.{key}={value}", info.name));
    }
    let path = change(source, |path, document, existing| {
        let all_profiles = profiles(document)?;
        if !existing.contains(&name) {
            all_profiles.insert(name, Item::Table(TomlTable::new()));
        }
        if all_profiles.get(name).is_some_and(|profile| profile.get(info.name).is_some()) {
            return Err(Error::config(format!("profile `{name}` in {} has {} already", path.display(), info.name))
                .hint("choose another name, or change it with `mscomm profile edit`"));
        }
        assign(document, name, &values, &[], &all(source.sections))?;
        Ok(name.to_owned())
    })?;
    let (shown, section) = (path.display(), info.name);
    terminal
        .note(format!("added {section} to profile `{name}` in {shown}: `mscomm check {section} -p {name}` tries it"));
    for left_out in &imported.left_out {
        terminal.warn(format!("left out {left_out}"));
    }
    for (key, _) in imported.values.iter().filter(|(key, _)| info.is_secret(key)) {
        terminal.note(format!(
            "{section}.{key} stands in the file in the clear, which nobody else can read; keep it elsewhere with `mscomm profile \
             edit {name} {section}.{key}=env:NAME` (or file:PATH, cmd:COMMAND)"
        ));
    }
    Ok(())
}

/// Gives a profile another name, also where others extend it, and where it is the default.
///
/// # Errors
/// `Kind::Config` for one that is not there, and a name that is taken.
pub(crate) fn rename(source: &ConfigSource, old: &str, new: &str, terminal: &Terminal) -> Result<()> {
    validate_name(new)?;
    let path = change(source, |path, document, existing| {
        require(path, existing, old)?;
        if existing.contains(&new) {
            return Err(Error::config(format!("profile `{new}` exists already in {}", path.display()))
                .hint("choose another name, or remove that one first"));
        }
        let all = profiles(document)?;
        if let Some(profile) = all.remove(old) {
            all.insert(new, profile);
        }
        for (_, profile) in all.iter_mut() {
            if let Some(base) = profile.as_table_like_mut().and_then(|profile| profile.get_mut("extends"))
                && base.as_str() == Some(old)
            {
                *base = toml_edit::value(new);
            }
        }
        if document.get("default").and_then(Item::as_str) == Some(old) {
            document.insert("default", toml_edit::value(new));
        }
        Ok(new.to_owned())
    })?;
    terminal.note(format!("profile `{old}` is called `{new}` now, in {}", path.display()));
    Ok(())
}

/// Removes all of them, or none.
pub(crate) fn remove(source: &ConfigSource, names: &[String], terminal: &Terminal) -> Result<()> {
    let mut was_default = false;
    let path = change(source, |path, document, existing| {
        names.iter().try_for_each(|name| require(path, existing, name))?;
        for name in names {
            let stays = existing.iter().map(|other| (*other).to_owned()).filter(|other| !names.contains(other));
            let extends = |other: &String| {
                let of =
                    profiles(document).ok().and_then(|p| p.get(other)?.get("extends")?.as_str().map(str::to_owned));
                of.as_ref() == Some(name)
            };
            let users: Vec<String> = stays.filter(extends).collect();
            if !users.is_empty() {
                return Err(Error::config(format!("profile `{name}` is extended by {}", quoted(&users)))
                    .hint("remove those first, or give them another `extends`"));
            }
        }
        for name in names {
            profiles(document)?.remove(name);
        }
        was_default =
            document.get("default").and_then(Item::as_str).is_some_and(|name| names.iter().any(|n| n == name));
        if was_default {
            document.remove("default");
        }
        Ok(String::new())
    })?;
    terminal.note(format!("removed profile {} from {}", quoted(names), path.display()));
    if was_default {
        terminal.note("it was the default profile; now there is none");
    }
    Ok(())
}

/// # Errors
/// `Kind::Config` for a profile that is not there.
pub(crate) fn require(path: &Path, existing: &[&str], name: &str) -> Result<()> {
    if existing.contains(&name) {
        return Ok(());
    }
    let error = Error::config(format!("there is no profile `{name}` in {}", path.display()));
    Err(match existing.is_empty() {
        true => error.hint(format!("add it with `mscomm profile add {name} KEY=VALUE`")),
        false => unknown(error, name, existing.iter().copied()),
    })
}

/// Reads the file under its lock, lets `apply` change it, checks the profile that `apply` names, and writes it.
pub(crate) fn change(
    source: &ConfigSource,
    apply: impl FnOnce(&Path, &mut DocumentMut, &[&str]) -> Result<String>,
) -> Result<PathBuf> {
    // A file that was named and is not there yet is made: that is what `add` is for.
    let (path, _) = source.path()?;
    let _lock = file::lock(&path)?;
    let file = File::load(&path, false, source)?;
    let mut document = file.as_ref().map(|f| f.document.clone().into_mut()).unwrap_or_default();
    let names = file.as_ref().map(profile_names).unwrap_or_default();
    let changed = apply(&path, &mut document, &names)?;
    // The built-in one stands in no file.
    let is_there = |document: &DocumentMut| {
        document.get("profiles").and_then(Item::as_table_like).is_some_and(|profiles| profiles.contains_key(&changed))
    };
    if !changed.is_empty() && (changed != LOCAL || is_there(&document)) {
        check_text(&path, &document.to_string(), source.sections, Some(&changed))?;
    }
    file::write(&path, &document)?;
    Ok(path)
}

/// Checks a text as the configuration file would be: one profile, or all of them.
pub(crate) fn check_text(path: &Path, text: &str, sections: Sections, profile: Option<&str>) -> Result<()> {
    let file = File::parsed(path, text.to_owned(), sections)?;
    match profile {
        Some(name) => check_profile(&file, name),
        None => {
            check_defaults(&file)?;
            profile_names(&file).into_iter().try_for_each(|name| check_profile(&file, name))
        }
    }
}
