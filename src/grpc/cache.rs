//! `grpc cache`: shows and drops what is kept of servers.

use std::time::Duration;

use serde_json::json;

use super::shared::cache;
use super::shared::catalog::unknown;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::output::{Table, TableLayout};

/// The verbs.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List the servers whose descriptions are kept
    List {
        /// table, tsv or json
        #[arg(short, long, value_name = "LAYOUT", value_enum)]
        output: Option<TableLayout>,
    },
    /// Drop what is kept of a server, or of all
    Clear {
        /// The server as `list` names it; all of them without it
        #[arg(value_name = "SERVER")]
        server: Option<String>,
    },
}

/// Shows or drops what is kept.
///
/// # Errors
/// `Kind::Refused` when nothing is kept of the server, `Kind::Io`.
pub(crate) fn run(command: Command, cx: &Context) -> Result<()> {
    let kept = cache::kept()?;
    match command {
        Command::List { output } => {
            let mut table = Table::new(["server", "age", "services", "files"]);
            for (path, content) in &kept {
                let age =
                    humantime::format_duration(Duration::from_secs(cache::age(path).unwrap_or_default().as_secs()));
                let counts = (content.services.len(), content.files.len());
                table.row([json!(content.server), json!(age.to_string()), json!(counts.0), json!(counts.1)]);
            }
            table.print(output, &cx.terminal)
        }
        Command::Clear { server } => {
            let chosen: Vec<_> = kept.iter().filter(|(_, c)| server.as_ref().is_none_or(|s| *s == c.server)).collect();
            if let (Some(server), []) = (&server, chosen.as_slice()) {
                let names = kept.iter().map(|(_, content)| content.server.as_str());
                return Err(unknown("the cache has no", "server", server, names));
            }
            for (path, _) in &chosen {
                std::fs::remove_file(path).map_err(|e| Error::io(format!("cannot remove {}", path.display()), e))?;
            }
            cx.terminal.note(format!("{} dropped", chosen.len()));
            Ok(())
        }
    }
}
