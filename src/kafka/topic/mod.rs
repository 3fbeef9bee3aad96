//! `kafka topic`: list, describe, create, alter, truncate and delete topics.

mod alter;
mod assignment;
mod change;
mod describe;
mod list;
mod truncate;

pub(crate) use self::describe::PARTITION;
pub(crate) use self::list::TOPIC;
use crate::context::Context;
use crate::error::Result;

/// Topics
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List the topics, with how much they hold and for how long
    List(list::ListArgs),
    /// Show partitions, leaders, replicas, watermarks and the settings that are not the default
    Describe(describe::DescribeArgs),
    /// Create topics
    Create(change::CreateArgs),
    /// Change the settings of topics, or add partitions
    Alter(Box<alter::AlterArgs>),
    /// Delete the records before an offset or a time
    Truncate(truncate::TruncateArgs),
    /// Delete topics and all their records
    Delete(change::DeleteArgs),
}

/// Runs a verb.
///
/// # Errors
/// The verb's.
pub(crate) async fn run(command: Command, cx: &Context) -> Result<()> {
    match command {
        Command::List(args) => list::list(args, cx).await,
        Command::Describe(args) => describe::describe(args, cx).await,
        Command::Create(args) => change::create(args, cx).await,
        Command::Alter(args) => alter::alter(*args, cx).await,
        Command::Truncate(args) => truncate::truncate(args, cx).await,
        Command::Delete(args) => change::delete(args, cx).await,
    }
}
