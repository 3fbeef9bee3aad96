//! `mscomm profile …`: look at profiles and change them.

use std::path::Path;

use serde_json::json;
use toml_edit::{DocumentMut, Item, value};

use super::assign::assign;
use super::changes::{self, change, check_text, require};
use super::defaults::all;
use super::file::{self, File};
use super::layers;
use super::profile::{Chosen, profile_names, profile_table};
use super::shown::{Inherited, inherited, shown};
use super::{CONFIG_EXAMPLE, ConfigSource, LOCAL};
use crate::error::{Error, Kind, Result};
use crate::output::{Printer, Table, TableLayout, Terminal, WideArgs, YesArgs};
use crate::secret::read_within;
use crate::values;

/// The most bytes that are taken for another tool's settings.
const SETTINGS_LIMIT: usize = 1 << 20;

/// Verbs of `mscomm profile`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List the profiles, with their servers
    List {
        /// table on a terminal, tsv in a pipe, or json
        #[arg(short, long, value_name = "FORMAT", value_enum)]
        output: Option<TableLayout>,
        /// What of it.
        #[command(flatten)]
        wide: WideArgs,
    },
    /// Show every value of a profile and where it came from, secrets masked
    Show {
        /// The profile; the one in force without a name
        #[arg(value_name = "PROFILE")]
        name: Option<String>,
        /// table on a terminal, tsv in a pipe, or json
        #[arg(short, long, value_name = "FORMAT", value_enum)]
        output: Option<TableLayout>,
    },
    /// Print the name of the profile in force
    Current,
    /// Add a profile; at a terminal without values it asks for them, and tries the connections
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
    /// Give a profile another name
    Rename {
        /// The profile
        #[arg(value_name = "PROFILE")]
        name: String,
        /// Its new name
        #[arg(value_name = "NEW")]
        new: String,
    },
    /// Add to a profile what another tool's settings say
    ///
    /// A file as kcat.conf (librdkafka's properties) or client.properties (Java's), or an AMQP URI with its query. What cannot be
    /// used is named.
    Import {
        /// The profile, which is made where there is none
        #[arg(value_name = "PROFILE")]
        name: String,
        /// A file, - for standard input, or an AMQP URI
        #[arg(value_name = "FILE|URI", allow_hyphen_values = true)]
        from: String,
    },
    /// Remove profiles
    Remove {
        /// The profiles
        #[arg(value_name = "PROFILE", required = true)]
        names: Vec<String>,
        /// Whether somebody is asked.
        #[command(flatten)]
        yes: YesArgs,
    },
    /// Make a profile the one that is used when none is named
    Use {
        /// The profile
        #[arg(value_name = "PROFILE")]
        name: String,
    },
}

impl Command {
    /// Whether it asks for what was not typed, and of which profile.
    pub(crate) fn asks(&self) -> Option<&str> {
        match self {
            Command::Add { name, values } if values.is_empty() => Some(name),
            _ => None,
        }
    }
}

/// Runs a verb.
///
/// # Errors
/// `Kind::Config` for the file and its profiles, `Kind::Usage` for arguments, `Kind::Io` when the file cannot be written.
pub(crate) fn run(command: Command, source: &ConfigSource, terminal: &Terminal) -> Result<()> {
    match command {
        Command::List { output, wide } => list(source, output, &wide, terminal),
        Command::Show { name, output } => show(source, name, output, terminal),
        Command::Current => current(source, terminal),
        Command::Add { name, values } => {
            changes::add(source, &name, &values, terminal)?;
            warn_of_inherited(source, Some(&name), terminal)
        }
        Command::Rename { name, new } => changes::rename(source, &name, &new, terminal),
        Command::Import { name, from } => {
            changes::import(source, &name, &settings_of(&from, source)?, terminal)?;
            warn_of_inherited(source, Some(&name), terminal)
        }
        Command::Edit { name: Some(name), values, unset } if !(values.is_empty() && unset.is_empty()) => {
            let path = change(source, |path, document, existing| {
                require(path, existing, &name)?;
                assign(document, &name, &values, &unset, &all(source.sections))?;
                Ok(name.clone())
            })?;
            terminal.note(format!("changed profile `{name}` in {}", path.display()));
            warn_of_inherited(source, Some(&name), terminal)
        }
        Command::Edit { .. } => edit(source, terminal),
        Command::Remove { names, yes } => {
            let names = values::distinct(names);
            yes.confirm(&format!("remove profile {}", values::quoted(&names)))?;
            changes::remove(source, &names, terminal)
        }
        Command::Use { name } => {
            let path = change(source, |path, document, existing| {
                if name != LOCAL {
                    require(path, existing, &name)?;
                }
                document.insert("default", value(&name));
                Ok(name.clone())
            })?;
            terminal.note(format!("`{name}` is the default profile now, in {}", path.display()));
            Ok(())
        }
    }
}

/// The text of other settings: a URI itself, or what a file holds.
fn settings_of(from: &str, source: &ConfigSource) -> Result<String> {
    if from.contains("://") {
        return Ok(from.to_owned());
    }
    let path = if from == "-" { Path::new("/dev/stdin") } else { Path::new(from) };
    let failed = || Error::new(Kind::Io, format!("cannot read {}", path.display()));
    let bytes = read_within(path, SETTINGS_LIMIT, source.deadline).map_err(|e| failed().because(e))?;
    values::text(bytes).map_err(|why| failed().because(why))
}

fn current(source: &ConfigSource, terminal: &Terminal) -> Result<()> {
    let chosen = Chosen::load(source)?;
    terminal.trace(format!("by {}", chosen.by));
    Printer::print(format!("{}\n", chosen.name))
}

fn list(source: &ConfigSource, output: Option<TableLayout>, wide: &WideArgs, terminal: &Terminal) -> Result<()> {
    let (path, file) = match source.path()? {
        // Whoever asks what there is need not have any.
        (path, true) if !path.exists() => {
            terminal.warn(format!("there is no file {}: `mscomm profile add NAME` makes it", path.display()));
            (path, None)
        }
        _ => source.file()?,
    };
    let infos = (source.sections)();
    let columns: Vec<&str> =
        ["name", "default", "extends"].into_iter().chain(infos.iter().map(|info| info.name)).collect();
    wide.check(&columns)?;
    let mut table = Table::new(columns);
    let default = file.as_ref().and_then(File::default_profile).unwrap_or(LOCAL).to_owned();
    let names: Vec<&str> = file.as_ref().map(profile_names).unwrap_or_default();
    let built_in = Some(LOCAL).filter(|local| !names.contains(local));
    for name in names.iter().copied().chain(built_in) {
        let chosen = Chosen::of(&path, file.clone(), name)?;
        let extends = file.as_ref().map(|f| profile_table(f, name)).transpose()?.flatten();
        let extends = extends.and_then(|t| t.get("extends")).and_then(Item::as_str).map(str::to_owned);
        let mut row = vec![json!(name), json!(name == default), json!(extends)];
        for info in &infos {
            let entries = chosen.entries(info)?;
            let server = entries.iter().find(|e| e.key == "server").map(|e| shown(info, e));
            row.push(json!(server));
        }
        table.row(row);
    }
    table.arranged(wide).print(output, terminal)
}

fn show(source: &ConfigSource, name: Option<String>, output: Option<TableLayout>, terminal: &Terminal) -> Result<()> {
    let chosen = match name {
        Some(name) => Chosen::named(source, &name)?,
        None => Chosen::load(source)?,
    };
    let mut table = Table::new(["key", "value", "origin"]).whole();
    for info in all(source.sections) {
        let entries = layers::listed(&info, &chosen)?;
        for entry in &entries {
            let key = format!("{}.{}", info.name, entry.key);
            let address = info.address_of(&entry.key);
            let server = entries.iter().find(|entry| entry.key == address);
            let mark = server.and_then(|server| Some((inherited(&info, entry, server)?, server)));
            let origin = match mark {
                None => entry.origin.to_string(),
                Some((Inherited::Credential, server)) => {
                    format!("{}; sent to the server of {}", entry.origin, server.origin.layer())
                }
                Some((Inherited::Unchecked, server)) => {
                    format!("{}; the server of {} is not checked", entry.origin, server.origin.layer())
                }
                Some((Inherited::Unused, server)) => {
                    format!("{}; not used, the server of {} has its own", entry.origin, server.origin.layer())
                }
            };
            table.row([json!(key), json!(shown(&info, entry)), json!(origin)]);
        }
    }
    terminal.trace(format!("profile `{}`", chosen.name));
    table.print(output, terminal)
}

/// Warns of users, secrets and an `insecure` that a changed profile (`None`: any may be), or one that extends it, inherits
/// for another server than that of the profile which they stand in. It is what `extends` is for, and may be meant.
fn warn_of_inherited(source: &ConfigSource, changed: Option<&str>, terminal: &Terminal) -> Result<()> {
    let (path, _) = source.path()?;
    let file = File::load(&path, false, source)?;
    for name in file.as_ref().map(profile_names).unwrap_or_default() {
        // What is wrong with another profile is no matter of this one.
        let Ok(chosen) = Chosen::of(&path, file.clone(), name) else { continue };
        if changed.is_some_and(|changed| !chosen.extends(changed)) {
            continue;
        }
        for info in (source.sections)() {
            let Ok(entries) = chosen.entries(&info) else { continue };
            for server in entries.iter().filter(|entry| info.addresses().any(|address| address == entry.key)) {
                let to = server.origin.layer();
                for (what, done) in [
                    (Inherited::Credential, format!("sends it to the server of {to}")),
                    (Inherited::Unchecked, format!("does not check the certificate of the server of {to}")),
                ] {
                    let about = entries.iter().filter(|e| info.address_of(&e.key) == server.key);
                    let found = about.filter(|e| inherited(&info, e, server) == Some(what));
                    let found: Vec<String> =
                        found.map(|e| format!("{}.{} of {}", info.name, e.key, e.origin.layer())).collect();
                    if !found.is_empty() {
                        terminal.warn(format!(
                            "profile `{name}` inherits {}, and {done}; give `{name}` its own where that is not meant",
                            found.join(", ")
                        ));
                    }
                }
            }
        }
    }
    Ok(())
}

/// Opens a copy of the file in the user's editor and puts it in place once it is a good one.
fn edit(source: &ConfigSource, terminal: &Terminal) -> Result<()> {
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
    if let Err(e) = check_text(&path, &new, source.sections, None) {
        return Err(keep(e));
    }
    let text = new.strip_prefix('\u{feff}').unwrap_or(&new);
    let document =
        text.parse::<DocumentMut>().map_err(|e| Error::config("bad TOML").because(e.message().to_owned()))?;
    file::write(&path, &document)?;
    terminal.note(format!("changed {}", path.display()));
    warn_of_inherited(source, None, terminal)
}

/// What a new file is edited from: the example, with nothing switched on.
fn template() -> String {
    let example: String = CONFIG_EXAMPLE
        .lines()
        .map(|line| if line.is_empty() { "\n".to_owned() } else { format!("# {line}\n") })
        .collect();
    format!("# mscomm's connection profiles. Secrets: env:NAME, file:PATH, cmd:COMMAND, prompt:TEXT\n\n{example}")
}
