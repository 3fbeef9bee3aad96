//! stub

pub mod grpc;
pub mod kafka;

use crate::context::Context;
use crate::error::Result;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs.
///
/// # Errors
/// none
pub async fn run(_args: Args, _cx: &Context) -> Result<()> {
    Ok(())
}
