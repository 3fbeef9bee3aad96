//! `kafka user`: list, add and remove the users that log in by SCRAM.

mod add;
mod list;
mod remove;
mod scram;

use crate::context::Context;
use crate::error::Result;

/// Users that log in by SCRAM
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List the users, with how they log in
    List(list::ListArgs),
    /// Add a user, or give one another password
    Add(add::AddArgs),
    /// Remove users
    Remove(remove::RemoveArgs),
}

/// Runs a verb.
///
/// # Errors
/// The verb's.
pub(crate) async fn run(command: Command, cx: &Context) -> Result<()> {
    match command {
        Command::List(args) => list::list(args, cx).await,
        Command::Add(args) => add::add(args, cx).await,
        Command::Remove(args) => remove::remove(args, cx).await,
    }
}
