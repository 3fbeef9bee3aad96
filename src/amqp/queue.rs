//! `amqp queue declare`, `delete`, `purge` and `info`.

use std::time::Duration;

use lapin::options::{QueueDeclareOptions, QueueDeleteOptions, QueuePurgeOptions};
use lapin::types::{AMQPValue, FieldTable};
use serde_json::Value;

use super::client::{Client, fault, look_at};
use super::settings::Settings;
use super::shared::arguments::{ArgumentArgs, full_name, millis, name, number, text};
use super::shared::connection::{on_channel, on_client};
use super::shared::several::{Named, delete_each, each, in_words, on_own_channel};
use crate::context::Context;
use crate::error::{Error, Result, counted};
use crate::output::{Printer, Table, TableLayout, YesArgs};
use crate::values;
use lapin::Channel;

/// The verbs.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Create a queue; one that is there must be the same
    Declare(Box<DeclareArgs>),
    /// Delete queues with their messages
    Delete(Box<DeleteArgs>),
    /// Drop the messages of a queue that nobody is working on, and print how many they were
    Purge(Box<PurgeArgs>),
    /// Print how many messages are ready and how many consumers there are, of those queues that there are
    Info(Box<InfoArgs>),
}

const OVERFLOWS: &[(&str, &str)] = &[
    ("drop-head", "the oldest goes"),
    ("reject-publish", "the new one is refused"),
    ("reject-publish-dlx", "the new one is refused, and dead-lettered"),
];

/// Arguments of `declare`.
#[derive(Debug, clap::Args)]
pub(crate) struct DeclareArgs {
    /// Name of the queue; an empty one lets the broker make one up, which is printed
    #[arg(value_name = "QUEUE")]
    queue: String,
    /// Replicated queue
    #[arg(long, conflicts_with = "stream")]
    quorum: bool,
    /// Append-only log that can be read many times
    #[arg(long)]
    stream: bool,
    /// Whether it outlives a restart of the broker
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true", value_name = "BOOL", action = clap::ArgAction::Set)]
    durable: bool,
    /// Leave one that is there as it is, whatever it is
    #[arg(long)]
    if_not_exists: bool,
    /// Only for the connection that declares it, so that it is gone when this command ends
    #[arg(long)]
    exclusive: bool,
    /// Delete it when its last consumer is gone
    #[arg(long)]
    auto_delete: bool,
    /// Drop messages that are older, as 30s
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    ttl: Option<Duration>,
    /// Delete the queue when it was not used for so long
    #[arg(long, value_name = "DURATION", value_parser = values::duration, hide_short_help = true)]
    expires: Option<Duration>,
    /// How many messages it holds
    #[arg(long, value_name = "COUNT")]
    max_length: Option<u64>,
    /// How many bytes of messages it holds, as 64M
    #[arg(long, value_name = "SIZE", value_parser = values::size, hide_short_help = true)]
    max_length_bytes: Option<usize>,
    /// What happens at the limit: drop-head, reject-publish or reject-publish-dlx
    #[arg(long, value_name = "POLICY", hide_possible_values = true,
          value_parser = values::Offering(clap::builder::StringValueParser::new(), OVERFLOWS), hide_short_help = true)]
    overflow: Option<String>,
    /// Exchange for messages that are rejected, too old or too many
    #[arg(long, value_name = "EXCHANGE")]
    dead_letter_exchange: Option<String>,
    /// Their routing key there, instead of their own
    #[arg(long, value_name = "KEY", requires = "dead_letter_exchange")]
    dead_letter_routing_key: Option<String>,
    /// Highest priority that the queue tells apart, up to 255
    #[arg(long, value_name = "PRIORITY", hide_short_help = true)]
    max_priority: Option<u8>,
    /// Arguments without a flag.
    #[command(flatten)]
    arguments: ArgumentArgs,
    /// The connection.
    #[command(flatten)]
    settings: Settings,
}

impl DeclareArgs {
    fn table(&self) -> Result<FieldTable> {
        let kind = match (self.quorum, self.stream) {
            (true, _) => Some("quorum".to_owned()),
            (_, true) => Some("stream".to_owned()),
            _ => None,
        };
        self.arguments.table(vec![
            ("x-queue-type", text(&kind)),
            ("x-message-ttl", millis(self.ttl)?),
            ("x-expires", millis(self.expires)?),
            ("x-max-length", number(self.max_length)?),
            ("x-max-length-bytes", number(self.max_length_bytes.map(|n| n as u64))?),
            ("x-overflow", text(&self.overflow)),
            ("x-dead-letter-exchange", text(&self.dead_letter_exchange)),
            ("x-dead-letter-routing-key", text(&self.dead_letter_routing_key)),
            ("x-max-priority", self.max_priority.map(|n| AMQPValue::LongLongInt(i64::from(n)))),
        ])
    }
}

/// Arguments of `delete`.
#[derive(Debug, clap::Args)]
pub(crate) struct DeleteArgs {
    /// Names of the queues
    #[arg(value_name = "QUEUE", required = true)]
    queues: Vec<String>,
    /// Only when it has no consumers
    #[arg(long)]
    if_unused: bool,
    /// Only when it has no messages
    #[arg(long)]
    if_empty: bool,
    /// Take it for done where there is no such queue, instead of refusing (exit 8)
    #[arg(long)]
    if_exists: bool,
    /// Whether somebody is asked.
    #[command(flatten)]
    yes: YesArgs,
    /// The connection.
    #[command(flatten)]
    settings: Settings,
}

/// Arguments of `purge`.
#[derive(Debug, clap::Args)]
pub(crate) struct PurgeArgs {
    /// Name of the queue
    #[arg(value_name = "QUEUE")]
    queue: String,
    /// Whether somebody is asked.
    #[command(flatten)]
    yes: YesArgs,
    /// The connection.
    #[command(flatten)]
    settings: Settings,
}

/// Arguments of `info`.
#[derive(Debug, clap::Args)]
pub(crate) struct InfoArgs {
    /// Names of the queues
    #[arg(value_name = "QUEUE", required = true)]
    queues: Vec<String>,
    /// table (the default on a terminal), tsv (in a pipe) or json
    #[arg(short, long, value_name = "FORMAT", value_enum)]
    output: Option<TableLayout>,
    /// The connection.
    #[command(flatten)]
    settings: Settings,
}

/// Runs a verb.
///
/// # Errors
/// As [`on_channel`] and [`fault`].
pub(crate) async fn run(command: Command, cx: &Context) -> Result<()> {
    match command {
        Command::Declare(args) => declare(*args, cx).await,
        Command::Delete(args) => delete(*args, cx).await,
        Command::Purge(args) => purge(*args, cx).await,
        Command::Info(args) => info(*args, cx).await,
    }
}

async fn declare(args: DeclareArgs, cx: &Context) -> Result<()> {
    let (queue, arguments) = (name(&args.queue)?, args.table()?);
    let is_stream = arguments.inner().get("x-queue-type") == Some(&AMQPValue::LongString("stream".into()));
    let options = QueueDeclareOptions {
        durable: args.durable,
        exclusive: args.exclusive,
        auto_delete: args.auto_delete,
        ..QueueDeclareOptions::default()
    };
    let declared = on_client(&args.settings, cx, async |client: &Client| {
        if is_stream {
            name_of_stream(&client.vhost(), &args.queue)?;
        }
        if args.if_not_exists && !args.queue.is_empty() && Named::Queue.is_there(client, &args.queue).await? {
            return Ok(None);
        }
        let channel = client.channel().await?;
        let declared = channel.queue_declare(queue, options, arguments).await;
        declared
            .map(Some)
            .map_err(|e| args.arguments.typed(fault(&e, format!("cannot declare queue `{}`", args.queue)), &e))
    })
    .await?;
    let Some(declared) = declared else {
        cx.terminal.note(format!("queue `{}` is there already, and stays as it is", args.queue));
        return Ok(());
    };
    cx.terminal.note(format!(
        "queue `{}` is declared, with {}",
        declared.name(),
        counted(declared.message_count(), "message")
    ));
    match args.queue.is_empty() {
        true => Printer::print(format!("{}\n", declared.name())),
        false => Ok(()),
    }
}

/// How long a stream's name and its virtual host's may be, in bytes: RabbitMQ makes a folder's name of them, with two
/// underscores and a time of 19 digits, and file systems take 255. It does not look before it tries, and tries for ever.
const STREAM_NAME: usize = 255 - 2 - 19;

/// # Errors
/// `Kind::Usage` when the name is too long for a stream.
fn name_of_stream(vhost: &str, queue: &str) -> Result<()> {
    match vhost.len() + queue.len() {
        0..=STREAM_NAME => Ok(()),
        long => Err(Error::usage(format!(
            "the name is too long for a stream: with that of the virtual host it has {long} bytes, and the broker can \
             store no more than {STREAM_NAME}"
        ))),
    }
}

async fn delete(args: DeleteArgs, cx: &Context) -> Result<()> {
    args.queues.iter().try_for_each(|queue| full_name("queue", queue).map(drop))?;
    let options = QueueDeleteOptions { if_unused: args.if_unused, if_empty: args.if_empty, nowait: false };
    args.yes.confirmed(format!("delete {} with all messages", in_words("queue", &args.queues)), &cx.shutdown).await?;
    let failed = on_client(&args.settings, cx, async |client: &Client| {
        let (of, names) = (Named::Queue, args.queues.clone());
        delete_each(of, client, names, args.if_exists, &cx.terminal, async |channel: &Channel, name| {
            channel.queue_delete(name, options).await
        })
        .await
    })
    .await?;
    Error::each(failed)
}

async fn purge(args: PurgeArgs, cx: &Context) -> Result<()> {
    let queue = full_name("queue", &args.queue)?;
    args.yes.confirmed(format!("drop the messages of queue `{}`", args.queue), &cx.shutdown).await?;
    let messages = on_channel(&args.settings, cx, async |channel: &Channel| {
        let purged = channel.queue_purge(queue, QueuePurgeOptions::default()).await;
        purged.map_err(|e| fault(&e, format!("cannot purge queue `{}`", args.queue)))
    })
    .await?;
    Printer::print(format!("{messages}\n"))
}

async fn info(args: InfoArgs, cx: &Context) -> Result<()> {
    args.queues.iter().try_for_each(|queue| full_name("queue", queue).map(drop))?;
    let mut table = Table::new(["queue", "messages", "consumers"]);
    let failed = on_client(&args.settings, cx, async |client: &Client| {
        each(client, args.queues.clone(), async |queue: &str| {
            let found = on_own_channel(client, async |channel: &Channel| look_at(channel, queue).await).await?;
            let (messages, consumers) = (found.message_count(), found.consumer_count());
            table.row([Value::from(queue), Value::from(messages), Value::from(consumers)]);
            Ok(())
        })
        .await
    })
    .await?;
    if failed.len() < args.queues.len() {
        table.print(args.output, &cx.terminal)?;
    }
    Error::each(failed)
}
