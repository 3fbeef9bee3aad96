//! `amqp exchange declare` and `amqp exchange delete`.

use lapin::options::{ExchangeDeclareOptions, ExchangeDeleteOptions};
use lapin::{Channel, ExchangeKind};

use super::client::{Client, fault};
use super::settings::Settings;
use super::shared::arguments::{ArgumentArgs, full_name, name, text};
use super::shared::connection::on_client;
use super::shared::several::{Named, delete_each, in_words};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::output::YesArgs;
use crate::values;

/// The verbs.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Create an exchange; one that is there must be the same
    Declare(Box<DeclareArgs>),
    /// Delete exchanges
    Delete(Box<DeleteArgs>),
}

/// RabbitMQ's own types.
const TYPES: &[(&str, &str)] =
    &[("direct", "by routing key"), ("fanout", "to all"), ("topic", "by pattern"), ("headers", "by headers")];

/// Arguments of `declare`.
#[derive(Debug, clap::Args)]
pub(crate) struct DeclareArgs {
    /// Name of the exchange
    #[arg(value_name = "EXCHANGE")]
    exchange: String,
    /// Type: direct, fanout, topic, headers, or a plugin's, as x-delayed-message
    #[arg(short = 't', long = "type", value_name = "TYPE", default_value = "direct", hide_possible_values = true,
          value_parser = values::Offering(clap::builder::StringValueParser::new(), TYPES))]
    kind: String,
    /// Whether it outlives a restart of the broker
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true", value_name = "BOOL", action = clap::ArgAction::Set)]
    durable: bool,
    /// Leave one that is there as it is, whatever it is
    #[arg(long)]
    if_not_exists: bool,
    /// Delete it when the last binding from it is removed
    #[arg(long)]
    auto_delete: bool,
    /// Only other exchanges may send to it
    #[arg(long)]
    internal: bool,
    /// Exchange for messages that this one cannot route
    #[arg(long, value_name = "EXCHANGE")]
    alternate_exchange: Option<String>,
    /// Arguments without a flag.
    #[command(flatten)]
    arguments: ArgumentArgs,
    /// The connection.
    #[command(flatten)]
    settings: Settings,
}

/// Arguments of `delete`.
#[derive(Debug, clap::Args)]
pub(crate) struct DeleteArgs {
    /// Names of the exchanges
    #[arg(value_name = "EXCHANGE", required = true)]
    exchanges: Vec<String>,
    /// Only when nothing is bound to it
    #[arg(long)]
    if_unused: bool,
    /// Take it for done where there is no such exchange, instead of refusing (exit 8)
    #[arg(long)]
    if_exists: bool,
    /// Whether somebody is asked.
    #[command(flatten)]
    yes: YesArgs,
    /// The connection.
    #[command(flatten)]
    settings: Settings,
}

/// Runs a verb.
///
/// # Errors
/// As [`on_client`] and [`fault`].
pub(crate) async fn run(command: Command, cx: &Context) -> Result<()> {
    match command {
        Command::Declare(args) => declare(*args, cx).await,
        Command::Delete(args) => delete(*args, cx).await,
    }
}

async fn declare(args: DeclareArgs, cx: &Context) -> Result<()> {
    if args.exchange.is_empty() {
        return Err(Error::usage("the default exchange is always there").hint("give the exchange a name"));
    }
    let exchange = name(&args.exchange)?;
    // lapin puts the name into a short string, too.
    name(&args.kind)?;
    let kind = match args.kind.as_str() {
        "direct" => ExchangeKind::Direct,
        "fanout" => ExchangeKind::Fanout,
        "topic" => ExchangeKind::Topic,
        "headers" => ExchangeKind::Headers,
        other => ExchangeKind::Custom(other.to_owned()),
    };
    let options = ExchangeDeclareOptions {
        durable: args.durable,
        auto_delete: args.auto_delete,
        internal: args.internal,
        ..ExchangeDeclareOptions::default()
    };
    let arguments = args.arguments.table(vec![("alternate-exchange", text(&args.alternate_exchange))])?;
    let is_new = on_client(&args.settings, cx, async |client: &Client| {
        if args.if_not_exists && Named::Exchange.is_there(client, &args.exchange).await? {
            return Ok(false);
        }
        let channel = client.channel().await?;
        let declared = channel.exchange_declare(exchange, kind, options, arguments).await;
        declared
            .map(|()| true)
            .map_err(|e| args.arguments.typed(fault(&e, format!("cannot declare exchange `{}`", args.exchange)), &e))
    })
    .await?;
    cx.terminal.note(match is_new {
        true => format!("exchange `{}` is declared", args.exchange),
        false => format!("exchange `{}` is there already, and stays as it is", args.exchange),
    });
    Ok(())
}

async fn delete(args: DeleteArgs, cx: &Context) -> Result<()> {
    args.exchanges.iter().try_for_each(|exchange| full_name("exchange", exchange).map(drop))?;
    let options = ExchangeDeleteOptions { if_unused: args.if_unused, ..ExchangeDeleteOptions::default() };
    args.yes
        .confirmed(format!("delete {} with all bindings", in_words("exchange", &args.exchanges)), &cx.shutdown)
        .await?;
    let failed = on_client(&args.settings, cx, async |client: &Client| {
        let (of, names) = (Named::Exchange, args.exchanges.clone());
        delete_each(of, client, names, args.if_exists, &cx.terminal, async |channel: &Channel, name| {
            channel.exchange_delete(name, options).await.map(|()| 0)
        })
        .await
    })
    .await?;
    Error::each(failed)
}
