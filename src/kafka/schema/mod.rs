//! `kafka schema`: the subjects of a schema registry, and their schemas.

mod config;
mod delete;
mod diff;
mod draft;
mod get;
mod list;
mod named;
mod register;
mod text;

use crate::context::Context;
use crate::error::Result;

/// Schemas of a registry
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List the subjects
    List(list::Args),
    /// Print a schema
    Get(get::Args),
    /// Register a schema in a subject
    Register(register::RegisterArgs),
    /// Check whether a schema could be registered in a subject; exit 1 when it is not compatible
    Check(register::CheckArgs),
    /// Show what differs between two versions of a subject, or a version and a file
    Diff(diff::Args),
    /// Delete subjects, or versions of them
    Delete(delete::Args),
    /// Show or change the settings of a subject, or those of all
    Config(config::Args),
}

/// Runs a verb.
///
/// # Errors
/// The verb's.
pub(crate) async fn run(command: Command, cx: &Context) -> Result<()> {
    match command {
        Command::List(args) => list::run(args, cx).await,
        Command::Get(args) => get::run(args, cx).await,
        Command::Register(args) => register::register(args, cx).await,
        Command::Check(args) => register::check(args, cx).await,
        Command::Diff(args) => diff::run(args, cx).await,
        Command::Delete(args) => delete::run(args, cx).await,
        Command::Config(args) => config::run(args, cx).await,
    }
}
