//! Kafka: produce to topics, tail them, and look after them.

mod acl;
mod broker;
mod changes;
mod check;
mod client;
#[expect(unsafe_code, reason = "calls of librdkafka that rdkafka has no safe ones for")]
mod ffi;
mod group;
mod headers;
mod import;
mod known;
mod meant;
mod pattern;
mod produce;
mod reading;
mod registry;
mod request;
mod respond;
mod schema;
pub(crate) mod settings;
mod shared;
mod tail;
mod topic;
mod transactional;
mod user;

pub(crate) use self::acl::ACL as ACL_COLUMNS;
pub(crate) use self::check::{PreparedCheck, check, prepare_check};
pub(crate) use self::group::{COLUMNS as GROUP_COLUMNS, PARTITIONS as LAG_COLUMNS};
pub(crate) use self::import::import;
pub(crate) use self::known::{groups, subjects, topics};
pub(crate) use self::produce::{OldTimes, Prepared as PreparedWriter, ProducingArgs, prepare as prepare_writer};
pub(crate) use self::reading::{Prepared as PreparedReader, ReadingArgs, prepare as prepare_reader};
pub(crate) use self::respond::{Args as RespondArgs, run as respond};
pub(crate) use self::shared::topic_name;
pub(crate) use self::topic::{PARTITION as PARTITION_COLUMNS, TOPIC as TOPIC_COLUMNS};
pub(crate) use self::transactional::{Once, Origin};
use crate::args::Deferred;
use crate::context::Context;
use crate::error::Result;
use crate::flow::Work;

/// Has librdkafka, and the OpenSSL in it that it begins with whether there is TLS or not, make its tables while the command line
/// is read: a tenth of what comes before the first byte to a broker. Whoever makes a client waits for the end of it.
pub(crate) fn begin() {
    // Without a thread it is done there.
    let _ = crate::shutdown::spawn("kafka-tables", ffi::begin);
}

/// The verbs.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Send records to a topic
    Produce(Deferred<produce::Args>),
    /// Read records of topics, and follow them
    Tail(Deferred<tail::Args>),
    /// Ask through a topic, and print the answer
    ///
    /// As Spring's ReplyingKafkaTemplate does it: a request says in its headers kafka_replyTopic and kafka_correlationId where its answer
    /// is to go, and how that is recognised. Answers are read from what is the end of the reply topic before the first request is sent,
    /// without a group; those to others are left alone.
    Request(Deferred<request::Args>),
    /// List, describe, create, alter, truncate and delete topics
    #[command(subcommand)]
    Topic(Deferred<topic::Command>),
    /// List and describe consumer groups, and set their offsets
    #[command(subcommand)]
    Group(Deferred<group::Command>),
    /// List, print, register and check schemas of a schema registry
    #[command(subcommand)]
    Schema(Deferred<schema::Command>),
    /// List and describe brokers, and change their settings
    #[command(subcommand)]
    Broker(Deferred<broker::Command>),
    /// List, add and remove rules of who may do what
    #[command(subcommand)]
    Acl(Deferred<acl::Command>),
    /// List, add and remove users that log in by SCRAM
    #[command(subcommand)]
    User(Deferred<user::Command>),
}

/// Runs a verb.
///
/// # Errors
/// The verb's.
pub(crate) async fn run(command: Command, cx: &Context) -> Result<()> {
    // Each in a box of its own: else every verb would begin with the stack that the largest of them needs.
    let work: Work<'_> = match command {
        Command::Produce(Deferred(args)) => Box::pin(produce::run(*args, cx)),
        Command::Tail(Deferred(args)) => Box::pin(tail::run(*args, cx)),
        Command::Request(Deferred(args)) => Box::pin(request::run(*args, cx)),
        Command::Topic(Deferred(command)) => Box::pin(topic::run(*command, cx)),
        Command::Group(Deferred(command)) => Box::pin(group::run(*command, cx)),
        Command::Schema(Deferred(command)) => Box::pin(schema::run(*command, cx)),
        Command::Broker(Deferred(command)) => Box::pin(broker::run(*command, cx)),
        Command::Acl(Deferred(command)) => Box::pin(acl::run(*command, cx)),
        Command::User(Deferred(command)) => Box::pin(user::run(*command, cx)),
    };
    work.await
}
