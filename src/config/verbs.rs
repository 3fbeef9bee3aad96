//! `mscomm profile …`: look at profiles and change them.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use toml_edit::{DocumentMut, Item, Table as TomlTable, value};

use super::file::{self, File, unknown};
use super::layers::{self, Entry, Origin};
use super::profile::{Chosen, check_profile, profile_names, profile_table};
use super::sections::{SectionInfo, section_infos};
use super::{CONFIG_EXAMPLE, LOCAL, Source, validate_name};
use crate::error::{Error, Result};
use crate::output::{Layout, Table, Terminal};

/// Verbs of `mscomm profile`.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List the profiles, with their servers
    List {
        /// table on a terminal, tsv in a pipe, or json
        #[arg(short, long, value_name = "FORMAT", value_enum)]
        output: Option<Layout>,
    },
    /// Show every value of a profile and where it came from, secrets masked
    Show {
        /// The profile; the one in force without a name
        #[arg(value_name = "PROFILE")]
        name: Option<String>,
        /// table on a terminal, tsv in a pipe, or json
        #[arg(short, long, value_name = "FORMAT", value_enum)]
        output: Option<Layout>,
    },
    /// Add a profile
    Add {
        /// The new profile
        #[arg(value_name = "PROFILE")]
        name: String,
        /// Values, as amqp.server=amqps://app@mq/orders amqp.password=env:MQ_PASSWORD extends=base
        #[arg(value_name = "KEY=VALUE")]
        values: Vec<String>,
    },
    /// Change values of a profile, or open the file in $VISUAL or $EDITOR
    Edit {
        /// The profile; not needed to open the file
        #[arg(value_name = "PROFILE")]
        name: Option<String>,
        /// New values, as kafka.server=k1:9093,k2:9093
        #[arg(value_name = "KEY=VALUE", requires = "name")]
        values: Vec<String>,
        /// Remove a value. May be repeated
        #[arg(long, value_name = "KEY", requires = "name")]
        unset: Vec<String>,
    },
    /// Remove a profile
    Remove {
        /// The profile
        #[arg(value_name = "PROFILE")]
        name: String,
    },
    /// Make a profile the one that is used when none is named
    Use {
        /// The profile
        #[arg(value_name = "PROFILE")]
        name: String,
    },
}

/// Runs a verb.
///
/// # Errors
/// `Kind::Config` for the file and its profiles, `Kind::Usage` for arguments, `Kind::Io` when the file cannot be written.
pub fn run(command: Command, source: &Source, terminal: &Terminal) -> Result<()> {
    match command {
        Command::List { output } => list(source, output, terminal),
        Command::Show { name, output } => show(source, name, output, terminal),
        Command::Add { name, values } => {
            validate_name(&name)?;
            let path = change(source, |path, document, existing| {
                if existing.contains(&name.as_str()) {
                    return Err(Error::config(format!("profile `{name}` exists already in {}", path.display()))
                        .hint(format!("change it with `mscomm profile edit {name} KEY=VALUE`")));
                }
                profiles(document)?.insert(&name, Item::Table(TomlTable::new()));
                assign(document, &name, &values, &[])?;
                Ok(name.clone())
            })?;
            terminal.note(format!("added profile `{name}` to {}", path.display()));
            Ok(())
        }
        Command::Edit { name: Some(name), values, unset } if !(values.is_empty() && unset.is_empty()) => {
            change(source, |path, document, existing| {
                require(path, existing, &name)?;
                assign(document, &name, &values, &unset)?;
                Ok(name.clone())
            })?;
            Ok(())
        }
        Command::Edit { .. } => edit(source),
        Command::Remove { name } => remove(source, &name, terminal),
        Command::Use { name } => {
            change(source, |path, document, existing| {
                if name != LOCAL {
                    require(path, existing, &name)?;
                }
                document.insert("default", value(&name));
                Ok(name.clone())
            })?;
            Ok(())
        }
    }
}

fn require(path: &Path, existing: &[&str], name: &str) -> Result<()> {
    if existing.contains(&name) {
        return Ok(());
    }
    let error = Error::config(format!("there is no profile `{name}` in {}", path.display()));
    Err(match existing.is_empty() {
        true => error.hint(format!("add it with `mscomm profile add {name} KEY=VALUE`")),
        false => unknown(error, name, existing.iter().copied()),
    })
}

fn list(source: &Source, output: Option<Layout>, terminal: &Terminal) -> Result<()> {
    let (path, named) = source.path()?;
    let file = File::load(&path, named, source.deadline)?;
    let mut table = Table::new(&["name", "default", "extends", "grpc", "amqp", "kafka"]);
    let default = file.as_ref().and_then(File::default_profile).unwrap_or(LOCAL).to_owned();
    let names: Vec<&str> = file.as_ref().map(profile_names).unwrap_or_default();
    let built_in = Some(LOCAL).filter(|local| !names.contains(local));
    for name in names.iter().copied().chain(built_in) {
        let chosen = Chosen::of(&path, file.clone(), name)?;
        let extends = file.as_ref().map(|f| profile_table(f, name)).transpose()?.flatten();
        let extends = extends.and_then(|t| t.get("extends")).and_then(Item::as_str).map(str::to_owned);
        let mut row = vec![json!(name), json!(name == default), json!(extends)];
        for info in section_infos() {
            let entries = chosen.entries(&info)?;
            let server = entries.iter().find(|e| e.key == "server").map(|e| layers::shown(&info, e));
            row.push(json!(server));
        }
        table.row(row);
    }
    table.print(output, terminal)
}

fn show(source: &Source, name: Option<String>, output: Option<Layout>, terminal: &Terminal) -> Result<()> {
    let chosen = match name {
        Some(name) => Chosen::named(source, &name)?,
        None => Chosen::load(source)?,
    };
    let mut table = Table::new(&["key", "value", "origin"]);
    let mut row = |key: String, value: String, origin: &Origin| {
        table.row([json!(key), json!(value), json!(origin.to_string())]);
    };
    for info in section_infos() {
        for entry in layers::listed(&info, &chosen)? {
            let Entry { key, origin, .. } = &entry;
            row(format!("{}.{key}", info.name), layers::shown(&info, &entry), origin);
        }
    }
    terminal.trace(format!("profile `{}`", chosen.name));
    table.print(output, terminal)
}

fn remove(source: &Source, name: &str, terminal: &Terminal) -> Result<()> {
    let mut was_default = false;
    change(source, |path, document, existing| {
        require(path, existing, name)?;
        let users: Vec<String> = existing
            .iter()
            .filter(|other| {
                let extends =
                    profiles(document).ok().and_then(|p| p.get(other)?.get("extends")?.as_str().map(str::to_owned));
                extends.as_deref() == Some(name)
            })
            .map(|other| format!("`{other}`"))
            .collect();
        if !users.is_empty() {
            return Err(Error::config(format!("profile `{name}` is extended by {}", users.join(", ")))
                .hint("remove those first, or give them another `extends`"));
        }
        profiles(document)?.remove(name);
        was_default = document.get("default").and_then(Item::as_str) == Some(name);
        if was_default {
            document.remove("default");
        }
        Ok(String::new())
    })?;
    if was_default {
        terminal.note("it was the default profile; now there is none");
    }
    Ok(())
}

/// Reads the file under its lock, lets `apply` change it, checks the profile that `apply` names, and writes it.
fn change(source: &Source, apply: impl FnOnce(&Path, &mut DocumentMut, &[&str]) -> Result<String>) -> Result<PathBuf> {
    // A file that was named and is not there yet is made: that is what `add` is for.
    let (path, _) = source.path()?;
    let _lock = file::lock(&path)?;
    let file = File::load(&path, false, source.deadline)?;
    let mut document = file.as_ref().map(|f| f.document.clone().into_mut()).unwrap_or_default();
    let names = file.as_ref().map(profile_names).unwrap_or_default();
    let changed = apply(&path, &mut document, &names)?;
    if !changed.is_empty() && changed != LOCAL {
        check_text(&path, &document.to_string(), Some(&changed))?;
    }
    file::write(&path, &document)?;
    Ok(path)
}

/// Checks a text as the configuration file would be: one profile, or all of them.
fn check_text(path: &Path, text: &str, profile: Option<&str>) -> Result<()> {
    let file = File::parsed(path, text.to_owned())?;
    match profile {
        Some(name) => check_profile(&file, name),
        None => profile_names(&file).into_iter().try_for_each(|name| check_profile(&file, name)),
    }
}

fn profiles(document: &mut DocumentMut) -> Result<&mut dyn toml_edit::TableLike> {
    let item = document.entry("profiles").or_insert_with(|| {
        let mut table = TomlTable::new();
        table.set_implicit(true);
        Item::Table(table)
    });
    item.as_table_like_mut().ok_or_else(|| Error::config("`profiles` must be a table"))
}

/// Sets `section.key=value` pairs and removes keys.
fn assign(document: &mut DocumentMut, name: &str, values: &[String], unset: &[String]) -> Result<()> {
    let infos = section_infos();
    let profile = profiles(document)?
        .get_mut(name)
        .and_then(Item::as_table_like_mut)
        .ok_or_else(|| Error::config(format!("profile `{name}` must be a table")))?;
    for pair in values {
        let (key, text) = pair.split_once('=').ok_or_else(|| {
            // Not the argument itself: it may be a password whose `=` was forgotten.
            let shown = known_beginning(&infos, pair);
            let which = if shown.starts_with('…') { "an argument".to_owned() } else { format!("`{shown}`") };
            Error::usage(format!("{which} is no KEY=VALUE")).hint("write for example kafka.server=localhost:9092")
        })?;
        if key == "extends" {
            profile.insert("extends", value(text));
            continue;
        }
        let (info, path) = known_key(&infos, key)?;
        let new = match layers::typed(info, path, text.to_owned()) {
            Value::Bool(b) => value(b),
            Value::Number(n) if n.as_i64().is_some() => value(n.as_i64().unwrap_or_default()),
            _ => value(text),
        };
        let (table, leaf) = descend(profile, info.name, path, true)
            .ok_or_else(|| Error::config(format!("`{key}` lies in something that is no table")))?;
        table.insert(leaf, new);
    }
    for key in unset {
        if key == "extends" {
            profile.remove("extends");
            continue;
        }
        let (info, path) = known_key(&infos, key)?;
        let removed = descend(profile, info.name, path, false).and_then(|(table, leaf)| table.remove(leaf));
        if removed.is_none() {
            return Err(Error::config(format!("profile `{name}` has no {key} of its own to remove")));
        }
    }
    Ok(())
}

/// Splits `section.key`; the key may be a name inside a map.
fn known_key<'a, 'k>(infos: &'a [SectionInfo], key: &'k str) -> Result<(&'a SectionInfo, &'k str)> {
    let all =
        || infos.iter().flat_map(|info| info.keys.keys().map(|k| format!("{}.{k}", info.name))).collect::<Vec<_>>();
    let found = key.split_once('.').and_then(|(section, path)| {
        let info = infos.iter().find(|info| info.name == section)?;
        let in_map = path
            .split_once('.')
            .is_some_and(|(map, name)| info.keys.get(map) == Some(&super::sections::KeyKind::Map) && !name.is_empty());
        (in_map || info.keys.get(path) == Some(&super::sections::KeyKind::Scalar)).then_some((info, path))
    });
    found.ok_or_else(|| {
        let all = all();
        let shown = known_beginning(infos, key);
        // Of a name that begins as a secret key does, the rest may be the secret.
        let shown = if shown.starts_with('…') { key.to_owned() } else { shown };
        let error = Error::usage(format!("unknown key `{shown}`"));
        unknown(error, key, all.iter().map(String::as_str).collect::<Vec<_>>())
    })
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

/// Opens a copy of the file in the user's editor and puts it in place once it is a good one.
fn edit(source: &Source) -> Result<()> {
    use std::io::IsTerminal;
    if !std::io::stdin().is_terminal() {
        return Err(Error::usage("there is no terminal to edit on")
            .hint("give KEY=VALUE pairs, as mscomm profile edit NAME amqp.server=…"));
    }
    let editor = ["VISUAL", "EDITOR"].iter().find_map(|name| std::env::var(name).ok().filter(|v| !v.trim().is_empty()));
    let editor = editor.unwrap_or_else(|| "vi".to_owned());
    let words = shlex::split(&editor)
        .filter(|w| !w.is_empty())
        .ok_or_else(|| Error::config(format!("$VISUAL or $EDITOR is no command: {editor}")))?;
    let (path, _) = source.path()?;
    let _lock = file::lock(&path)?;
    let failed = |e| Error::io("cannot make a copy to edit", e);
    let old = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => template(),
        Err(e) => return Err(Error::io(format!("cannot read {}", path.display()), e)),
    };
    let copy = tempfile::Builder::new().prefix("mscomm-").suffix(".toml").tempfile().map_err(failed)?;
    std::fs::write(copy.path(), &old).map_err(failed)?;
    let status = std::process::Command::new(&words[0])
        .args(&words[1..])
        .arg(copy.path())
        .status()
        .map_err(|e| Error::io(format!("cannot start the editor `{editor}`"), e))?;
    if !status.success() {
        return Err(Error::config(format!("the editor `{editor}` failed ({status}); nothing was changed")));
    }
    let new = std::fs::read_to_string(copy.path()).map_err(failed)?;
    if new == old {
        return Ok(());
    }
    let keep = |e: Error| match copy.keep() {
        Ok((_, kept)) => e.context(format!("nothing was changed; your text is kept in {}", kept.display())),
        Err(_) => e.context("nothing was changed"),
    };
    if let Err(e) = check_text(&path, &new, None) {
        return Err(keep(e));
    }
    let document = new.parse::<DocumentMut>().map_err(|e| Error::config("bad TOML").because(e))?;
    file::write(&path, &document)
}

/// What a new file is edited from: the example, with nothing switched on.
fn template() -> String {
    let example: String = CONFIG_EXAMPLE
        .lines()
        .map(|line| if line.is_empty() { "\n".to_owned() } else { format!("# {line}\n") })
        .collect();
    format!("# mscomm's connection profiles. Secrets: env:NAME, file:PATH, cmd:COMMAND, prompt:TEXT\n\n{example}")
}
