//! stub

pub mod settings;

use crate::context::Context;
use crate::error::Result;

/// The verbs.
#[derive(Debug, clap::Subcommand)]
pub enum Command {}

/// Runs a verb.
///
/// # Errors
/// The verb's.
pub async fn run(command: Command, _cx: &Context) -> Result<()> {
    match command {}
}
