//! RabbitMQ (AMQP 0-9-1).

mod bind;
mod check;
mod client;
mod consume;
mod exchange;
mod get;
mod import;
mod moving;
mod publish;
mod queue;
mod request;
mod respond;
pub(crate) mod settings;
mod shared;
mod tap;

pub use client::incoming;

pub(crate) use self::check::{PreparedCheck, check, prepare_check};
pub(crate) use self::consume::{Asks, Prepared as PreparedReader, ReadingArgs, prepare_carried as prepare_reader};
pub(crate) use self::import::import;
pub(crate) use self::publish::{Prepared as PreparedWriter, PublishingArgs, prepare as prepare_writer};
pub(crate) use self::respond::{Args as RespondArgs, Via, run as respond};
pub(crate) use self::tap::{ReadingArgs as TapArgs, prepare as prepare_tap};
use crate::args::Deferred;
use crate::context::Context;
use crate::error::Result;

/// The verbs.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Publish messages from an argument, a file or standard input
    Publish(Deferred<publish::Args>),
    /// Read messages from a queue, settling each once it was written
    Consume(Deferred<consume::Args>),
    /// Look at the first messages of a queue and put them back; a quorum queue counts each look as a delivery
    ///
    /// A quorum queue with a delivery limit drops or dead-letters a message that came back more often than that, and so after as
    /// many looks. RabbitMQ 4 has a limit of 20 where nothing else is set.
    Get(Deferred<get::Args>),
    /// Move messages from one queue to another, or dead letters back to where they came from
    ///
    /// Each is taken out of its queue once the broker has confirmed it where it goes, with all its properties and headers, and a
    /// header mscomm-moves that counts how often that was. A header CC, which would send copies to other queues again, is left
    /// out. What is refused stays where it is.
    Move(Deferred<moving::Args>),
    /// Watch what goes through exchanges, without touching anybody's queues
    ///
    /// A queue of its own is bound to them, which is gone when the connection is. The broker keeps so many messages for it as
    /// --max-length says, and drops the oldest when they are read too slowly; how many that were at least is told at the end.
    Tap(Deferred<tap::Args>),
    /// Ask through a queue or an exchange, and write the answers
    ///
    /// Each request has a correlation id, and says where its answer is awaited: straight on this connection (direct reply-to), or
    /// in a queue. A request that no queue wants is refused at once, and one that nobody answers in time is exit 7.
    Request(Deferred<request::Args>),
    /// Declare, delete, purge and inspect queues
    #[command(subcommand)]
    Queue(Deferred<queue::Command>),
    /// Declare and delete exchanges
    #[command(subcommand)]
    Exchange(Deferred<exchange::Command>),
    /// Bind a queue, or an exchange, to an exchange
    Bind(Deferred<bind::Args>),
    /// Remove a binding; all that identifies it must be the same
    Unbind(Deferred<bind::Args>),
}

impl Command {
    /// Whether a command is started for each message.
    pub(crate) fn starts_commands(&self) -> bool {
        match self {
            Command::Consume(Deferred(args)) => args.starts_commands(),
            Command::Tap(Deferred(args)) => args.starts_commands(),
            _ => false,
        }
    }
}

/// Runs a verb.
///
/// # Errors
/// The verb's.
pub(crate) async fn run(command: Command, cx: &Context) -> Result<()> {
    match command {
        Command::Publish(Deferred(args)) => publish::run(*args, cx).await,
        Command::Consume(Deferred(args)) => consume::run(*args, cx).await,
        Command::Get(Deferred(args)) => get::run(*args, cx).await,
        Command::Move(Deferred(args)) => moving::run(*args, cx).await,
        Command::Tap(Deferred(args)) => tap::run(*args, cx).await,
        Command::Request(Deferred(args)) => request::run(*args, cx).await,
        Command::Queue(Deferred(command)) => queue::run(*command, cx).await,
        Command::Exchange(Deferred(command)) => exchange::run(*command, cx).await,
        Command::Bind(Deferred(args)) => bind::bind(*args, cx).await,
        Command::Unbind(Deferred(args)) => bind::unbind(*args, cx).await,
    }
}
