//! gRPC: call methods and look at services, by what the server says of itself.

mod cache;
mod call;
mod check;
pub(crate) mod client;
mod describe;
mod export;
mod health;
mod known;
mod list;
pub(crate) mod settings;
mod shared;

pub(crate) use self::call::{
    PreparedReader, PreparedWriter, ReadingArgs, WritingArgs, prepare_answering, prepare_reader, prepare_writer,
};
pub(crate) use self::check::{PreparedCheck, check, prepare_check};
pub(crate) use self::known::{fields, methods, services, symbols};
use crate::args::Deferred;
use crate::context::Context;
use crate::error::Result;

/// The verbs.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List the services of a server, or the methods of a service
    List(Deferred<list::Args>),
    /// Show a service, method, message or enum as Protobuf source
    Describe(Deferred<describe::Args>),
    /// Ask a server for its health, by the standard health service
    ///
    /// Exit code 0 is SERVING, 8 any other state, 69 (64 + NOT_FOUND) a service that the server does not know. With --wait
    /// (or --wait=1m) SERVING is waited for; with --watch only the server is.
    Health(Deferred<health::Args>),
    /// Show or drop the descriptions of servers that --descriptor-cache keeps
    #[command(subcommand)]
    Cache(Deferred<cache::Command>),
    /// Write what describes services, as a descriptor set or as .proto files
    Export(Deferred<export::Args>),
    /// Call a method: JSON in, JSON out
    ///
    /// The data is a stream of JSON values, a message each. A method that takes one message is sent an empty one when
    /// there is none; on a standard input that stays silent it waits 10 seconds for one, unless -d @- says that it will
    /// come. A failed call prints code, message and details on standard error and exits with 64 + code. With -o json its
    /// last line is always a status; one with "local":true is none of the server's, but what gRPC's libraries say of such
    /// a failure.
    Call(Deferred<call::Args>),
}

/// Runs a verb.
///
/// # Errors
/// The verb's.
pub(crate) async fn run(command: Command, cx: &Context) -> Result<()> {
    match command {
        Command::List(Deferred(args)) => list::run(*args, cx).await,
        Command::Describe(Deferred(args)) => describe::run(*args, cx).await,
        Command::Health(Deferred(args)) => health::run(*args, cx).await,
        Command::Cache(Deferred(command)) => cache::run(*command, cx),
        Command::Export(Deferred(args)) => export::run(*args, cx).await,
        Command::Call(Deferred(args)) => call::run(*args, cx).await,
    }
}
