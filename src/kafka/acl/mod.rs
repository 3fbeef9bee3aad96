//! `kafka acl`: list, add and remove access control lists.

mod add;
mod list;
mod remove;
mod rules;

pub(crate) use self::rules::ACL;
use crate::context::Context;
use crate::error::Result;

/// Access control lists
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List the rules of who may do what
    List(list::ListArgs),
    /// Allow or forbid something
    Add(Box<add::AddArgs>),
    /// Remove rules
    Remove(remove::RemoveArgs),
}

/// Runs a verb.
///
/// # Errors
/// The verb's.
pub(crate) async fn run(command: Command, cx: &Context) -> Result<()> {
    match command {
        Command::List(args) => list::list(args, cx).await,
        Command::Add(args) => add::add(*args, cx).await,
        Command::Remove(args) => remove::remove(args, cx).await,
    }
}
