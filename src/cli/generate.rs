//! Completion scripts and man pages, made from the command tree: what is committed is what this prints.

use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;

use super::Cli;
use crate::config::{CONFIG_EXAMPLE, section_infos};
use crate::error::{Error, Result};
use crate::output::Sink;

/// The command tree, ready to be walked.
pub fn tree() -> clap::Command {
    let mut command = Cli::command();
    command.build();
    command
}

/// The shells with their scripts: the name of the file, and what it holds, as [`all`] wrote it. A shell asks for it each
/// time that it starts, and making it costs more than printing it.
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
/// As [`Sink::flush`].
pub fn completions(shell: Shell) -> Result<()> {
    match COMPLETIONS.iter().find(|(known, ..)| *known == shell) {
        Some((_, _, script)) => print(script),
        None => print(&completion(shell)),
    }
}

/// Prints the man page of a command.
///
/// # Errors
/// `Kind::Usage` when there is no such command; as [`Sink::flush`].
pub fn man(path: &[String]) -> Result<()> {
    let root = tree();
    let mut command = &root;
    for name in path {
        command = command.find_subcommand(name).ok_or_else(|| {
            let known: Vec<&str> = visible(command).map(clap::Command::get_name).collect();
            Error::usage(format!("there is no command `{}`", path.join(" ")))
                .hint(format!("allowed: {}", known.join(", ")))
        })?;
    }
    print(&page(command)?)
}

/// Writes `completions/` and `man/` below a folder.
///
/// # Errors
/// `Kind::Io`.
pub fn all(folder: &Path) -> Result<()> {
    let write = |name: String, bytes: &[u8]| {
        let path = folder.join(&name);
        let parent = path.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent)
            .and_then(|()| std::fs::write(&path, bytes))
            .map_err(|e| Error::io(format!("cannot write {}", path.display()), e))
    };
    for (shell, name, _) in COMPLETIONS {
        write(format!("completions/{name}"), &completion(shell))?;
    }
    let root = tree();
    let mut rest = vec![&root];
    while let Some(command) = rest.pop() {
        write(format!("man/{}.1", page_name(command)), &page(command)?)?;
        rest.extend(visible(command));
    }
    Ok(())
}

fn visible(command: &clap::Command) -> impl Iterator<Item = &clap::Command> {
    command.get_subcommands().filter(|c| !c.is_hide_set())
}

fn completion(shell: Shell) -> Vec<u8> {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "mscomm", &mut out);
    out
}

/// `mscomm kafka tail` has the page `mscomm-kafka-tail`.
fn page_name(command: &clap::Command) -> String {
    command.get_bin_name().unwrap_or(command.get_name()).replace(' ', "-")
}

fn page(command: &clap::Command) -> Result<Vec<u8>> {
    let name = page_name(command);
    let root = name == "mscomm";
    // Its sections say what the help text at the end says, in the form of a man page.
    let shown = if root { command.clone().after_long_help(None) } else { command.clone() };
    let mut out = Vec::new();
    clap_mangen::Man::new(shown.name(name.clone()))
        .title(name.to_uppercase())
        .manual("mscomm manual")
        .source(format!("mscomm {}", env!("CARGO_PKG_VERSION")))
        .render(&mut out)
        .map_err(|e| Error::io("cannot make the man page", e))?;
    let mut text = String::from(".SH EXIT STATUS\n");
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
    out.extend_from_slice(text.as_bytes());
    Ok(out)
}

/// Escapes a text for roff: hyphens as they are typed, no line taken for a request.
fn roff(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

fn print(bytes: &[u8]) -> Result<()> {
    let mut sink = Sink::stdout()?;
    sink.record(|out| out.extend_from_slice(bytes))?;
    sink.flush()
}
