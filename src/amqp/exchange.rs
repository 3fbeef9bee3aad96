//! `amqp exchange declare` and `amqp exchange delete`.

use lapin::options::{ExchangeDeclareOptions, ExchangeDeleteOptions};
use lapin::{Channel, ExchangeKind};

use super::client::fault;
use super::settings::Settings;
use super::shared::arguments::{ArgumentArgs, full_name, name, text};
use super::shared::connection::on_channel;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::output::YesArgs;
use crate::values;

/// The verbs.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Create an exchange; one that is there must be the same
    Declare(Box<DeclareArgs>),
    /// Delete an exchange
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
    /// Name of the exchange
    #[arg(value_name = "EXCHANGE")]
    exchange: String,
    /// Only when nothing is bound to it
    #[arg(long)]
    if_unused: bool,
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
/// As [`on_channel`] and [`fault`].
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
    on_channel(&args.settings, cx, async |channel: &Channel| {
        let declared = channel.exchange_declare(exchange, kind, options, arguments).await;
        declared
            .map_err(|e| args.arguments.typed(fault(&e, format!("cannot declare exchange `{}`", args.exchange)), &e))
    })
    .await?;
    cx.terminal.note(format!("exchange `{}` is declared", args.exchange));
    Ok(())
}

async fn delete(args: DeleteArgs, cx: &Context) -> Result<()> {
    let exchange = full_name("exchange", &args.exchange)?;
    let options = ExchangeDeleteOptions { if_unused: args.if_unused, ..ExchangeDeleteOptions::default() };
    args.yes.confirmed(format!("delete exchange `{}` and its bindings", args.exchange), &cx.shutdown).await?;
    on_channel(&args.settings, cx, async |channel: &Channel| {
        let deleted = channel.exchange_delete(exchange, options).await;
        deleted.map_err(|e| fault(&e, format!("cannot delete exchange `{}`", args.exchange)))
    })
    .await?;
    cx.terminal.note(format!("exchange `{}` is gone", args.exchange));
    Ok(())
}
