//! `kafka topic`: list, describe, create and delete topics.

mod change;
mod show;

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::config::FromClientConfigAndContext;

use super::client::{Events, Setup, error_of};
use crate::context::Context;
use crate::error::Result;

/// Topics
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List the topics
    List(show::ListArgs),
    /// Show partitions, leaders, replicas, watermarks and the settings that are not the default
    Describe(show::DescribeArgs),
    /// Create topics
    Create(change::CreateArgs),
    /// Delete topics and all their records, without asking
    Delete(change::DeleteArgs),
}

/// Runs a verb.
///
/// # Errors
/// The verb's.
pub async fn run(command: Command, cx: &Context) -> Result<()> {
    match command {
        Command::List(args) => show::list(args, cx).await,
        Command::Describe(args) => show::describe(args, cx).await,
        Command::Create(args) => change::create(args, cx).await,
        Command::Delete(args) => change::delete(args, cx).await,
    }
}

/// A client for what only the admin interface can do.
fn admin(setup: &Setup) -> Result<AdminClient<Events>> {
    let (config, events) = setup.admin();
    AdminClient::from_config_and_context(&config, events).map_err(|e| error_of("cannot set up the client", &e))
}

/// Every request may take as long as a connection.
fn options(cx: &Context) -> AdminOptions {
    let limit = cx.shutdown.remaining().map_or(cx.policy.connect_timeout, |left| left.min(cx.policy.connect_timeout));
    AdminOptions::new().request_timeout(Some(limit)).operation_timeout(Some(limit))
}
