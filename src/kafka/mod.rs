//! Kafka: produce to topics, tail them, and look after them.

mod client;
#[expect(unsafe_code, reason = "calls of librdkafka that rdkafka has no safe ones for")]
mod ffi;
mod produce;
pub mod settings;
mod tail;
mod topic;

use std::sync::Arc;
use std::time::Duration;

pub use self::produce::{OldTimes, Prepared as PreparedWriter, ProducingArgs, prepare as prepare_writer};
pub use self::tail::{Prepared as PreparedReader, ReadingArgs, prepare as prepare_reader};

use self::client::{Setup, TraceFn};
use self::settings::Settings;
use crate::context::Context;
use crate::error::Result;

/// How long closing connections, and leaving a group, may take.
const CLOSE: Duration = Duration::from_secs(2);

/// The verbs.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Send records to a topic
    Produce(Box<produce::Args>),
    /// Read records of topics, and follow them
    Tail(Box<tail::Args>),
    /// List, describe, create and delete topics
    #[command(subcommand)]
    Topic(Box<topic::Command>),
}

/// Runs a verb.
///
/// # Errors
/// The verb's.
pub async fn run(command: Command, cx: &Context) -> Result<()> {
    match command {
        Command::Produce(args) => produce::run(*args, cx).await,
        Command::Tail(args) => tail::run(*args, cx).await,
        Command::Topic(command) => topic::run(*command, cx).await,
    }
}

/// The settings of a verb, ready for clients.
fn setup(flags: &Settings, cx: &Context) -> Result<Setup> {
    let terminal = cx.terminal;
    let trace: TraceFn = Arc::new(move |line| terminal.trace(line));
    Setup::new(cx.settings(flags)?, trace)
}

/// The name of a topic on the command line.
fn topic_name(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("a topic has a name; list them with `mscomm kafka topic list`".to_owned());
    }
    Ok(text.to_owned())
}

/// Runs a verb's work on a thread of its own, because librdkafka's calls block.
async fn on_thread<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let (sender, done) = tokio::sync::oneshot::channel();
    crate::shutdown::spawn("kafka", move || {
        // The receiver waits below, unless the process is leaving already.
        let _ = sender.send(work());
    })?;
    done.await.unwrap_or_else(|_| Err(crate::error::Error::new(crate::error::Kind::Io, "the Kafka thread ended early")))
}
