//! `kafka broker`: list and describe brokers, and change their settings.

mod config;
mod describe;
mod list;

use crate::context::Context;
use crate::error::Result;

/// Brokers
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List the brokers
    List(list::ListArgs),
    /// Show what brokers hold, and their settings that are not the default
    Describe(describe::DescribeArgs),
    /// Change settings of brokers while they run
    Config(config::ConfigArgs),
}

/// Runs a verb.
///
/// # Errors
/// The verb's.
pub(crate) async fn run(command: Command, cx: &Context) -> Result<()> {
    match command {
        Command::List(args) => list::list(args, cx).await,
        Command::Describe(args) => describe::describe(args, cx).await,
        Command::Config(args) => config::config(args, cx).await,
    }
}
