//! `kafka group`: consumer groups, their lag, and what they have committed.

mod cluster;
mod delete;
mod describe;
mod export;
mod fault;
mod list;
mod reset;
mod snapshot;
mod view;
mod watch;

pub(crate) use self::list::COLUMNS;
pub(crate) use self::view::PARTITIONS;

use crate::context::Context;
use crate::error::Result;

/// Consumer groups
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List the groups, with their state and how many members they have
    List(list::ListArgs),
    /// Show members, committed offsets and lag, once or again and again
    Describe(describe::DescribeArgs),
    /// Set the offsets of a group, or only show them before and after, without --yes
    Reset(reset::ResetArgs),
    /// Write the offsets of groups as JSON, for reset --to FILE
    Export(export::ExportArgs),
    /// Delete groups with all their offsets, or the offsets of some topics
    Delete(delete::DeleteArgs),
}

/// Runs a verb.
///
/// # Errors
/// The verb's.
pub(crate) async fn run(command: Command, cx: &Context) -> Result<()> {
    match command {
        Command::List(args) => list::list(args, cx).await,
        Command::Describe(args) => describe::describe(args, cx).await,
        Command::Reset(args) => reset::reset(args, cx).await,
        Command::Export(args) => export::export(args, cx).await,
        Command::Delete(args) => delete::delete(args, cx).await,
    }
}
