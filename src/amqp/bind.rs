//! `amqp bind` and `amqp unbind`.

use lapin::Channel;
use lapin::options::{ExchangeBindOptions, ExchangeUnbindOptions, QueueBindOptions};
use lapin::types::{FieldTable, ShortString};

use super::client::fault;
use super::settings::Settings;
use super::shared::arguments::{ArgumentArgs, full_name, name};
use super::shared::connection::on_channel;
use crate::context::Context;
use crate::error::Result;

/// Arguments of both verbs.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Exchange that the messages come from
    #[arg(value_name = "EXCHANGE")]
    source: String,
    /// Queue that they go to; an exchange with --to-exchange
    #[arg(value_name = "DESTINATION")]
    destination: String,
    /// Routing key or pattern, empty if not given. May be repeated
    #[arg(short = 'k', long = "key", visible_alias = "routing-key", value_name = "KEY")]
    routing_keys: Vec<String>,
    /// The destination is an exchange
    #[arg(long)]
    to_exchange: bool,
    /// Arguments, as x-match=all and header values of a headers exchange.
    #[command(flatten)]
    arguments: ArgumentArgs,
    /// The connection.
    #[command(flatten)]
    settings: Settings,
}

/// What identifies one binding.
struct Binding {
    source: ShortString,
    destination: ShortString,
    key: ShortString,
    arguments: FieldTable,
}

impl Args {
    fn bindings(&self) -> Result<Vec<Binding>> {
        let arguments = self.arguments.table(Vec::new())?;
        let keys = if self.routing_keys.is_empty() { &[String::new()][..] } else { &self.routing_keys };
        keys.iter()
            .map(|key| {
                Ok(Binding {
                    source: full_name("exchange", &self.source)?,
                    destination: full_name(if self.to_exchange { "exchange" } else { "queue" }, &self.destination)?,
                    key: name(key)?,
                    arguments: arguments.clone(),
                })
            })
            .collect()
    }

    fn doing(&self, verb: &str) -> String {
        format!("cannot {verb} {} and exchange `{}`", self.bound(), self.source)
    }

    /// What is bound.
    fn bound(&self) -> String {
        let kind = if self.to_exchange { "exchange" } else { "queue" };
        format!("{kind} `{}`", self.destination)
    }
}

/// Binds.
///
/// # Errors
/// As [`on_channel`] and [`fault`].
pub(crate) async fn bind(args: Args, cx: &Context) -> Result<()> {
    let bindings = args.bindings()?;
    on_channel(&args.settings, cx, async |channel: &Channel| {
        for Binding { source, destination, key, arguments } in bindings {
            let bound = if args.to_exchange {
                channel.exchange_bind(destination, source, key, ExchangeBindOptions::default(), arguments).await
            } else {
                channel.queue_bind(destination, source, key, QueueBindOptions::default(), arguments).await
            };
            bound.map_err(|e| fault(&e, args.doing("bind")))?;
        }
        Ok(())
    })
    .await?;
    cx.terminal.note(format!("{} is bound to exchange `{}`", args.bound(), args.source));
    Ok(())
}

/// Removes bindings.
///
/// # Errors
/// As [`on_channel`] and [`fault`].
pub(crate) async fn unbind(args: Args, cx: &Context) -> Result<()> {
    let bindings = args.bindings()?;
    on_channel(&args.settings, cx, async |channel: &Channel| {
        for Binding { source, destination, key, arguments } in bindings {
            let unbound = if args.to_exchange {
                channel.exchange_unbind(destination, source, key, ExchangeUnbindOptions::default(), arguments).await
            } else {
                channel.queue_unbind(destination, source, key, arguments).await
            };
            unbound.map_err(|e| fault(&e, args.doing("unbind")))?;
        }
        Ok(())
    })
    .await?;
    cx.terminal.note(format!("{} is no longer bound to exchange `{}`", args.bound(), args.source));
    Ok(())
}
