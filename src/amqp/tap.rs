//! `amqp tap`: what goes through exchanges, without touching anybody's queues.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures_util::StreamExt;
use lapin::options::{BasicConsumeOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};

use super::client::{Client, fault};
use super::consume::{self, Asks, Declare, OwnQueue};
use super::settings::Settings;
use super::shared::arguments::{ArgumentArgs, argument, full_name, name, number};
use super::shared::kind::exchange_kind;
use crate::args::{LimitArgs, ReadyArgs, ReportArgs};
use crate::codec::{DecodeArgs, FormArgs};
use crate::context::Context;
use crate::error::{Error, Result, counted};
use crate::exec::{ExecArgs, Gives};
use crate::flow::{Passed, Stage, Unfit};
use crate::jq::{JqArgs, LeavesOut};
use crate::message::Message;
use crate::output::{OutputArgs, Show};
use crate::values::{duration, size};

/// Arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What is watched.
    #[command(flatten)]
    reading: ReadingArgs,
    /// Programs over each message.
    #[command(flatten)]
    jq: JqArgs,
    /// A command for each message.
    #[command(flatten)]
    exec: ExecArgs,
    /// How messages are written.
    #[command(flatten)]
    output: OutputArgs,
    /// What is told at the end.
    #[command(flatten)]
    report: ReportArgs,
}

impl Args {
    /// Whether a command is started for each message.
    pub(crate) fn starts_commands(&self) -> bool {
        self.exec.is_used()
    }
}

/// What is watched, wherever it goes.
#[derive(Debug, clap::Args)]
pub(crate) struct ReadingArgs {
    /// The exchanges, each with the routing key or pattern that is watched: EXCHANGE:KEY, as orders:eu.*
    ///
    /// Without a key, # is: all messages of a topic, fanout or headers exchange. Of a direct exchange name each key. Only topic
    /// and direct exchanges look at it.
    #[arg(value_name = "EXCHANGE[:KEY]", required = true)]
    exchanges: Vec<String>,
    /// Routing key or pattern for all of the exchanges, whose names may have a colon in them then. May be repeated
    #[arg(short = 'k', long = "key", visible_alias = "routing-key", value_name = "KEY")]
    routing_keys: Vec<String>,
    /// Of a headers exchange only messages with this header, as region=EU; the value is read as JSON where it is JSON, else as a
    /// string. May be repeated: all of them
    #[arg(long = "match", value_name = "NAME=VALUE", value_parser = argument)]
    matches: Vec<(ShortString, AMQPValue)>,
    /// One of the headers of --match is enough
    #[arg(long, requires = "matches", hide_short_help = true)]
    match_any: bool,
    /// Stop after so many messages
    #[arg(short = 'n', long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Stop when nothing came for so long, as 5s
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    idle_timeout: Option<std::time::Duration>,
    /// Who is told that it watches.
    #[command(flatten)]
    ready: ReadyArgs,
    /// How many messages may wait at the broker for whoever reads them here; beyond that it drops the oldest, which are counted
    #[arg(long, value_name = "COUNT", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..), hide_short_help = true)]
    max_length: u64,
    /// The same in bytes of their bodies
    #[arg(long, value_name = "SIZE", default_value = "64M", value_parser = some, hide_short_help = true)]
    max_length_bytes: usize,
    /// What bodies are.
    #[command(flatten)]
    decode: DecodeArgs,
    /// And how they are described.
    #[command(flatten)]
    form: FormArgs,
    /// The connection.
    #[command(flatten)]
    settings: Settings,
}

fn some(text: &str) -> Result<usize, String> {
    size(text).and_then(|bytes| if bytes > 0 { Ok(bytes) } else { Err("write 1 or more, as 64M".to_owned()) })
}

/// An exchange, and a key there.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Binding {
    exchange: String,
    key: String,
    /// Nobody named one.
    is_any: bool,
}

impl ReadingArgs {
    fn bindings(&self) -> Vec<Binding> {
        let with =
            |exchange: &str, key: &str| Binding { exchange: exchange.to_owned(), key: key.to_owned(), is_any: false };
        match self.routing_keys.as_slice() {
            [] => {
                let of = |typed: &String| match typed.split_once(':') {
                    Some((exchange, key)) => with(exchange, key),
                    None => Binding { is_any: true, ..with(typed, "#") },
                };
                self.exchanges.iter().map(of).collect()
            }
            keys => self.exchanges.iter().flat_map(|of| keys.iter().map(|key| with(of, key))).collect(),
        }
    }

    fn tap(&self) -> Result<Tap> {
        let bindings = self.bindings();
        for Binding { exchange, key, .. } in &bindings {
            if exchange.is_empty() {
                return Err(Error::usage("the default exchange cannot be watched: nothing can be bound to it").hint(
                    "name another exchange; what goes to a queue by its name is seen by `mscomm amqp get QUEUE` alone",
                ));
            }
            full_name("exchange", exchange)?;
            name(key)?;
        }
        let mut headers = FieldTable::default();
        if !self.matches.is_empty() {
            let how = if self.match_any { "any" } else { "all" };
            headers.insert("x-match".into(), AMQPValue::LongString(how.into()));
            for (name, value) in &self.matches {
                headers.insert(name.clone(), value.clone());
            }
        }
        let (length, bytes) = (number(Some(self.max_length))?, number(Some(self.max_length_bytes as u64))?);
        Ok(Tap { bindings, headers, length, bytes })
    }
}

/// Watches exchanges.
///
/// # Errors
/// As `amqp consume`; `Kind::Refused` when an exchange is not there.
pub(crate) async fn run(args: Args, cx: &Context) -> Result<()> {
    let stages = args.jq.stages()?;
    let relay = args.exec.prepare(true)?.map(|exec| exec.relay(Gives::Output, &cx.shutdown));
    let prepared = prepare(args.reading, Asks::of(&args.exec, &args.jq)?, cx)?;
    let show = Show::new(&args.output, args.report.report.as_ref(), cx.terminal, "seen")?;
    let reader = prepared.open(cx).await?;
    show.run(reader.through(stages, relay), &cx.shutdown).await
}

/// Checks what was typed.
///
/// # Errors
/// `Kind::Usage`; `Kind::Config`.
pub(crate) fn prepare(args: ReadingArgs, asks: Asks, cx: &Context) -> Result<consume::Prepared> {
    let tap = args.tap()?;
    let names: Vec<String> = args.exchanges.iter().map(|name| format!("`{name}`")).collect();
    let waits = format!("watching {}: what is published from now on is seen", names.join(", "));
    let limits = LimitArgs { count: args.count, idle_timeout: args.idle_timeout, until_end: false };
    let leaves_out = match asks.leaves_out {
        LeavesOut::Nothing if args.decode.leaves_out() => LeavesOut::Some,
        LeavesOut::Nothing => LeavesOut::Nothing,
        // Nobody else is to have what is left out.
        LeavesOut::Some | LeavesOut::Most => LeavesOut::Some,
    };
    let declare: Declare = Box::new(move |client| Box::pin(tap.open(client)));
    let (decoding, asks) = ((args.decode, args.form), Asks { leaves_out, ..asks });
    let prepared = consume::prepare_own(limits, args.settings, declare, args.ready, decoding, asks, cx)?;
    Ok(prepared.saying(waits))
}

/// Queues of our own, which are gone with the connection: one that is bound to the exchanges, and one for what is too much.
struct Tap {
    bindings: Vec<Binding>,
    headers: FieldTable,
    length: Option<AMQPValue>,
    bytes: Option<AMQPValue>,
}

impl Tap {
    /// Declares the queues, binds the first, and counts what comes into the other.
    ///
    /// # Errors
    /// As [`fault()`]: an exchange is not there, or may not be read.
    async fn open(self, client: &Client) -> Result<OwnQueue> {
        let channel = client.channel().await?;
        let declare = async |arguments: FieldTable| {
            let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
            let declared = channel.queue_declare("".into(), options, arguments).await;
            declared.map(|queue| queue.name().clone()).map_err(|e| fault(&e, "cannot declare a queue to watch with"))
        };
        let bounded = |length: Option<AMQPValue>| {
            let limits = vec![
                ("x-max-length", length),
                ("x-max-length-bytes", self.bytes.clone()),
                ("x-overflow", Some(AMQPValue::LongString("drop-head".into()))),
            ];
            ArgumentArgs::default().table(limits)
        };
        // They are taken from there as they come; what would be too much even so is not counted.
        let drops = declare(bounded(None)?).await?;
        let mut arguments = bounded(self.length.clone())?;
        arguments.insert("x-dead-letter-exchange".into(), AMQPValue::LongString("".into()));
        arguments.insert("x-dead-letter-routing-key".into(), AMQPValue::LongString(drops.as_str().into()));
        let queue = declare(arguments).await?;
        let dropped = Dropped::default();
        let options = BasicConsumeOptions { no_ack: true, exclusive: true, ..BasicConsumeOptions::default() };
        let counting = client.channel().await?.basic_consume(drops, "".into(), options, FieldTable::default()).await;
        let mut counting = counting.map_err(|e| fault(&e, "cannot count what is dropped"))?;
        let (count, meter) = (dropped.count.clone(), client.meter());
        tokio::spawn(async move {
            while let Some(Ok(delivery)) = counting.next().await {
                meter.consumed(delivery.data.len());
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        for binding in self.bindings {
            binding.check(client, !self.headers.inner().is_empty()).await?;
            let Binding { exchange, key, .. } = binding;
            let (from, key) = (full_name("exchange", &exchange)?, name(&key)?);
            let bound = channel.queue_bind(queue.clone(), from, key, QueueBindOptions::default(), self.headers.clone());
            bound.await.map_err(|e| fault(&e, format!("cannot watch exchange `{exchange}`")))?;
        }
        Ok(OwnQueue { name: queue, stages: vec![Box::new(dropped)] })
    }
}

impl Binding {
    /// Whether an exchange of its kind sends anything to it, as far as the broker tells its kind.
    ///
    /// # Errors
    /// `Kind::Usage`.
    async fn check(&self, client: &Client, has_headers: bool) -> Result<()> {
        let Binding { exchange, is_any, .. } = self;
        match exchange_kind(client, &full_name("exchange", exchange)?).await.as_deref() {
            Some(kind @ ("topic" | "direct" | "fanout")) if has_headers => {
                Err(Error::usage(format!("`{exchange}` is a {kind} exchange, which looks at no headers"))
                    .hint("leave --match out, or choose messages by --filter '.headers.NAME == \"VALUE\"'"))
            }
            Some("direct") if *is_any => {
                Err(Error::usage(format!("`{exchange}` is a direct exchange, which knows no patterns"))
                    .hint(format!("name each routing key, as {exchange}:KEY")))
            }
            _ => Ok(()),
        }
    }
}

/// How many messages the broker dropped because they were read too slowly.
#[derive(Debug, Default)]
struct Dropped {
    count: Arc<AtomicU64>,
    is_told: AtomicBool,
}

/// Only tells.
impl Stage for Dropped {
    fn apply<'b>(&'b self, message: Message<'b>) -> Result<Passed<'b>, Unfit> {
        Ok(Passed::One(message))
    }

    fn reads_headers(&self) -> bool {
        false
    }

    fn told(&self) -> Vec<String> {
        let is_new = self.count.load(Ordering::Relaxed) > 0 && !self.is_told.swap(true, Ordering::Relaxed);
        let text = "messages come faster than they are written: the broker drops the oldest (--max-length)";
        is_new.then(|| text.to_owned()).into_iter().collect()
    }

    fn account(&self) -> Option<String> {
        let dropped = self.count.load(Ordering::Relaxed);
        (dropped > 0).then(|| format!("at least {} dropped by the broker, not seen here", counted(dropped, "message")))
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, FromArgMatches};

    use super::*;

    #[test]
    fn what_is_watched() {
        let bindings = |words: &[&str]| -> Vec<(String, String)> {
            let command = ReadingArgs::augment_args(clap::Command::new("tap").no_binary_name(true));
            let matches = command.get_matches_from(words);
            let args = ReadingArgs::from_arg_matches(&matches).expect("arguments");
            args.bindings().into_iter().map(|binding| (binding.exchange, binding.key)).collect()
        };
        let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
        };
        assert_eq!(bindings(&["a", "b:k.#", "c:"]), pairs(&[("a", "#"), ("b", "k.#"), ("c", "")]));
        assert_eq!(bindings(&["a:b:c"]), pairs(&[("a", "b:c")]));
        assert_eq!(bindings(&["urn:a", "-k", "x", "-k", "y:z"]), pairs(&[("urn:a", "x"), ("urn:a", "y:z")]));
    }
}
