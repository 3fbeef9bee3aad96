//! `kafka topic`: list, describe, create and delete topics.

mod change;
mod show;

pub(crate) use self::show::PARTITION;

use crate::context::Context;
use crate::error::Result;

/// Topics
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List the topics
    List(show::ListArgs),
    /// Show partitions, leaders, replicas, watermarks and the settings that are not the default
    Describe(show::DescribeArgs),
    /// Create topics
    Create(change::CreateArgs),
    /// Delete topics and all their records
    Delete(change::DeleteArgs),
}

/// Runs a verb.
///
/// # Errors
/// The verb's.
pub(crate) async fn run(command: Command, cx: &Context) -> Result<()> {
    match command {
        Command::List(args) => show::list(args, cx).await,
        Command::Describe(args) => show::describe(args, cx).await,
        Command::Create(args) => change::create(args, cx).await,
        Command::Delete(args) => change::delete(args, cx).await,
    }
}
