//! Completion scripts and man pages, made from the command tree: what is committed is what this prints.

use std::collections::BTreeMap;
use std::path::Path;

use clap_complete::Shell;

use super::help::{TOPICS, Topic, examples, roff, topics_of};
use super::tree::{tree, visible};
use crate::config::CONFIG_EXAMPLE;
use crate::error::{Error, Result};
use crate::output::Printer;
use crate::sections::section_infos;

/// The shells with their scripts: the name of the file, and what it holds. Those of bash, zsh and fish are written by hand, and
/// ask [`super::complete`]; the others are made by [`all`]. A shell asks for its own each time that it starts, and making it
/// costs more than printing it.
const COMPLETIONS: [(Shell, &str, &[u8]); 5] = [
    (Shell::Bash, "mscomm.bash", include_bytes!("../../completions/mscomm.bash")),
    (Shell::Zsh, "_mscomm", include_bytes!("../../completions/_mscomm")),
    (Shell::Fish, "mscomm.fish", include_bytes!("../../completions/mscomm.fish")),
    (Shell::PowerShell, "_mscomm.ps1", include_bytes!("../../completions/_mscomm.ps1")),
    (Shell::Elvish, "mscomm.elv", include_bytes!("../../completions/mscomm.elv")),
];

/// Prints one shell's completion script.
///
/// # Errors
/// As [`Printer::flush`].
pub(crate) fn completions(shell: Shell) -> Result<()> {
    COMPLETIONS.iter().find(|(known, ..)| *known == shell).map_or(Ok(()), |(_, _, script)| Printer::print(script))
}

/// Prints the man page of a command.
///
/// # Errors
/// `Kind::Usage` when there is no such command; as [`Printer::flush`].
pub(crate) fn man(path: &[String]) -> Result<()> {
    if let [name] = path
        && let Some(topic) = Topic::named(name)
        && tree().find_subcommand(name).is_none()
    {
        return Printer::print(topic.man());
    }
    let root = tree();
    let mut command = &root;
    for name in path {
        command = command.find_subcommand(name).ok_or_else(|| {
            let known: Vec<&str> = visible(command).map(clap::Command::get_name).collect();
            Error::usage(format!("there is no command `{}`", path.join(" ")))
                .hint(format!("allowed: {}", known.join(", ")))
        })?;
    }
    Printer::print(page(command)?)
}

/// Writes `completions/` and `man/` below a folder, and removes what an earlier tree of commands left there.
///
/// # Errors
/// `Kind::Io`.
pub(crate) fn all(folder: &Path) -> Result<()> {
    let scripts = COMPLETIONS.map(|(shell, name, script)| {
        let made = matches!(shell, Shell::PowerShell | Shell::Elvish).then(|| completion(shell));
        (name.to_owned(), made.unwrap_or_else(|| script.to_vec()))
    });
    replace(&folder.join("completions"), scripts.into(), |name| name.contains("mscomm"))?;
    let root = tree();
    let mut rest = vec![&root];
    let mut pages = BTreeMap::new();
    for topic in TOPICS {
        pages.insert(format!("mscomm-{}.{}", topic.name, topic.section), topic.man());
    }
    while let Some(command) = rest.pop() {
        pages.insert(format!("{}.1", page_name(command)), page(command)?);
        rest.extend(visible(command));
    }
    replace(&folder.join("man"), pages, |name| {
        name.starts_with("mscomm") && [".1", ".5", ".7"].iter().any(|end| name.ends_with(end))
    })
}

/// Makes files by their names, and removes those beside them that are ours and not among them.
fn replace(folder: &Path, files: BTreeMap<String, Vec<u8>>, is_ours: fn(&str) -> bool) -> Result<()> {
    let failed = |path: &Path, e| Error::io(format!("cannot write {}", path.display()), e);
    std::fs::create_dir_all(folder).map_err(|e| failed(folder, e))?;
    for (name, bytes) in &files {
        let path = folder.join(name);
        std::fs::write(&path, bytes).map_err(|e| failed(&path, e))?;
    }
    for entry in std::fs::read_dir(folder).map_err(|e| failed(folder, e))? {
        let name = entry.map_err(|e| failed(folder, e))?.file_name();
        if name.to_str().is_some_and(|name| is_ours(name) && !files.contains_key(name)) {
            let path = folder.join(name);
            std::fs::remove_file(&path).map_err(|e| failed(&path, e))?;
        }
    }
    Ok(())
}

fn completion(shell: Shell) -> Vec<u8> {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut shown(&tree()), "mscomm", &mut out);
    out
}

/// A command with those below it that are not hidden.
fn shown(command: &clap::Command) -> clap::Command {
    let about = command.get_about().cloned().unwrap_or_default();
    // Those that every command has are put in again.
    let own = command.get_arguments().filter(|arg| arg.get_id() != "help" && arg.get_id() != "version");
    clap::Command::new(command.get_name().to_owned())
        .about(about)
        .disable_help_subcommand(true)
        .args(own.cloned())
        .subcommands(visible(command).map(shown))
}

/// `mscomm kafka tail` has the page `mscomm-kafka-tail`.
fn page_name(command: &clap::Command) -> String {
    command.get_bin_name().unwrap_or(command.get_name()).replace(' ', "-")
}

fn made(page: std::io::Result<()>) -> Result<()> {
    page.map_err(|e| Error::io("cannot make the man page", e))
}

fn page(command: &clap::Command) -> Result<Vec<u8>> {
    let name = page_name(command);
    let root = name == "mscomm";
    // Its sections say what the help text at the end says, in the form of a man page.
    let shown = if root { command.clone().after_long_help(None) } else { command.clone() };
    // What is left out of -h is in the manual.
    let shown = shown.mut_args(|arg| arg.hide_short_help(false));
    let usage = shown.clone().render_usage().to_string();
    let man = clap_mangen::Man::new(shown.name(name.clone()))
        .title(name.to_uppercase())
        .manual("mscomm manual")
        .source(format!("mscomm {}", env!("CARGO_PKG_VERSION")));
    let mut out = Vec::new();
    made(man.render_title(&mut out).and_then(|()| man.render_name_section(&mut out)))?;
    let usage = usage.trim_start_matches("Usage: ");
    out.extend_from_slice(format!(".SH SYNOPSIS\n.nf\n{}\n.fi\n", roff(usage)).as_bytes());
    made(man.render_description_section(&mut out).and_then(|()| man.render_options_section(&mut out)))?;
    if command.has_subcommands() {
        made(man.render_subcommands_section(&mut out))?;
    }
    if command.get_after_long_help().is_some() && !root {
        made(man.render_extra_section(&mut out))?;
    }
    let mut text = String::new();
    let path = command.get_bin_name().unwrap_or_default().trim_start_matches("mscomm").trim_start().to_owned();
    if let Some(examples) = examples(&path) {
        text.push_str(".SH EXAMPLES\n");
        text.push_str(&commented(examples));
    }
    text.push_str(".SH EXIT STATUS\n");
    for (code, meaning) in crate::exit::TABLE {
        text.push_str(&format!(".TP\n\\fB{}\\fR\n{}\n", roff(code), roff(meaning)));
    }
    if root {
        text.push_str(".SH CONFIGURATION\n");
        text.push_str(&roff(
            "Settings come from flags, then the environment (MSCOMM_<PROTOCOL>_<KEY>, as MSCOMM_KAFKA_SERVER), then the \
             profile, then the built-in profile `local`. Profiles stand in $XDG_CONFIG_HOME/mscomm/config.toml, or where \
             --config or MSCOMM_CONFIG says:",
        ));
        text.push_str("\n.PP\n.EX\n");
        for line in CONFIG_EXAMPLE.lines() {
            text.push_str(&format!("{}\n", roff(line)));
        }
        text.push_str(".EE\n.PP\n");
        text.push_str(&roff(
            "Secrets are references (env:NAME, file:PATH, cmd:COMMAND, prompt:TEXT), or the value itself in a file that \
             only you can read. ${env:NAME} stands for a variable inside any value. `mscomm profile show` prints each \
             value with where it came from.",
        ));
        text.push_str("\n.PP\nKeys of a profile's sections, each also a variable in capitals:\n");
        for info in section_infos() {
            let keys: Vec<&str> = info.keys.keys().map(String::as_str).collect();
            text.push_str(&format!(".TP\n\\fB{}\\fR\n{}\n", info.name, roff(&keys.join(", "))));
        }
    }
    let also: Vec<String> = topics_of(&path).map(|topic| format!("mscomm-{}({})", topic.name, topic.section)).collect();
    text.push_str(&format!(".SH SEE ALSO\n{}\n", roff(&also.join(", "))));
    out.extend_from_slice(text.as_bytes());
    Ok(out)
}

/// Examples, each behind what it does.
fn commented(examples: &str) -> String {
    let mut out = String::new();
    let mut is_open = false;
    for line in examples.lines() {
        match line.strip_prefix("# ") {
            Some(comment) => {
                out.push_str(if std::mem::take(&mut is_open) { ".EE\n.in\n" } else { "" });
                out.push_str(&format!(".PP\n{}:\n", roff(comment)));
            }
            None => {
                out.push_str(if std::mem::replace(&mut is_open, true) { "" } else { ".PP\n.in 4\n.EX\n" });
                out.push_str(&format!("{}\n", roff(line)));
            }
        }
    }
    out.push_str(if is_open { ".EE\n.in\n" } else { "" });
    out
}
