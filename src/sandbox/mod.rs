//! `mscomm sandbox`: throw-away servers inside this process, for trying and for hermetic tests. Never a way to run a
//! broker: nothing is stored, nothing is protected, everything ends with the process.

mod command;
pub mod grpc;
mod kafka;
mod servers;
mod tour;

use std::ffi::OsString;

use serde_json::json;

use self::servers::Servers;
use crate::context::Context;
use crate::error::Result;
use crate::output::{Layout, Table};

/// Arguments of `mscomm sandbox`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The sandbox serves gRPC (a Greeter, an echo of all four call kinds, reflection, health) and Kafka \
    (librdkafka's mock cluster: produce, fetch, groups; topics are made on first use; no admin calls, no SASL or TLS). \
    It is for trying and for hermetic tests, and is no way to run a broker."
)]
pub struct Args {
    /// Show what mscomm does with real calls to the sandbox, step by step
    #[arg(long, conflicts_with = "command")]
    tour: bool,
    #[command(flatten)]
    kafka: kafka::Args,
    /// Command to run with MSCOMM_PROFILE=sandbox; its exit code is passed on. Without one the sandbox runs until Ctrl-C
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Starts the servers, and then the tour, the command, or nothing until the user stops it.
///
/// # Errors
/// `Kind::Io` when a server or the command cannot be started, `Kind::Child` with the command's own exit code.
pub async fn run(args: Args, cx: &Context) -> Result<()> {
    let servers = Servers::start(&args).await?;
    if args.tour {
        return tour::run(&servers, cx).await;
    }
    match args.command.split_first() {
        None => {
            let mut table = Table::new(&["protocol", "server"]);
            for server in servers.running() {
                table.row([json!(server.service.name()), json!(server.address)]);
            }
            table.print(cx.terminal.stdout.then_some(Layout::Table), &cx.terminal)?;
            cx.terminal.note("press Ctrl-C to end the sandbox; `mscomm sandbox -- COMMAND` runs a command in one");
            Err(cx.shutdown.stopped().await.error())
        }
        Some((program, rest)) => command::run(&servers, program, rest, cx).await,
    }
}
