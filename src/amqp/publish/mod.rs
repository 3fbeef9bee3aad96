//! `amqp publish`.

mod overrides;

use std::sync::Arc;

pub(crate) use self::overrides::{Mandatory, Overrides, PropertyArgs};
use super::client::{Client, MakeOutgoing, Publishing, PublishingOptions};
use super::settings::{self, Endpoint, Settings};
use crate::args::{RecordArgs, RefusalArg, RefusalArgs, ReportArgs, source};
use crate::codec::{EncodeArgs, EncodeKeyArgs, Encoding, FormArgs, SchemaArgs};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flow::{self, Dead, Flow, Limits, Manner, OnRefusal, Reader, Sink, Writer};
use crate::message::input::{DataSource, Mode};
use crate::message::{Field, Message};
use crate::output::Report;
use crate::traceparent::Trace;
use crate::values::{Delimiter, delimiter};

/// RabbitMQ takes no message above this, whatever its `max_message_size` says (rabbit.app, `?MAX_MSG_SIZE`).
pub(crate) const MAX_MESSAGE: (usize, &str) = (512 * 1024 * 1024, "RabbitMQ's largest message");

/// How many messages may wait for their confirm.
const WINDOW: u32 = 2048;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where to, and how.
    #[command(flatten)]
    publishing: PublishingArgs,
    /// What separates the routing key from the body, where each message begins with its own, with the escapes \n \t \xNN
    #[arg(short = 'K', long, value_name = "TEXT", value_parser = delimiter, conflicts_with = "routing_key", hide_short_help = true)]
    key_delimiter: Option<Delimiter>,
    /// The data.
    #[command(flatten)]
    records: RecordArgs,
    /// What is told at the end.
    #[command(flatten)]
    report: ReportArgs,
}

/// Where to and how, wherever messages come from.
#[derive(Debug, clap::Args)]
pub(crate) struct PublishingArgs {
    /// Exchange to publish to; the default exchange if not given (or amq.default), where the routing key names a queue
    #[arg(short, long, value_name = "EXCHANGE")]
    exchange: Option<String>,
    /// Routing key; without -e it names a queue, also for an envelope that names an exchange
    #[arg(short = 'k', long = "key", visible_alias = "routing-key", value_name = "KEY")]
    routing_key: Option<String>,
    /// Properties and headers.
    #[command(flatten)]
    properties: PropertyArgs,
    /// Fail for messages that no queue wants, instead of letting the broker drop them: the default where the message names
    /// a queue (no exchange, or the default one)
    #[arg(long, hide_short_help = true)]
    mandatory: bool,
    /// Let the broker drop what no queue wants, also where the message names a queue
    #[arg(long, conflicts_with = "mandatory", hide_short_help = true)]
    no_mandatory: bool,
    /// Do not ask the broker to confirm: faster, and nobody knows what arrived
    #[arg(long, hide_short_help = true)]
    no_confirm: bool,
    /// How many messages may wait for their confirm
    #[arg(long, value_name = "COUNT", default_value_t = WINDOW, value_parser = clap::value_parser!(u32).range(1..), hide_short_help = true)]
    window: u32,
    /// What becomes of a message that is refused.
    #[command(flatten)]
    refusal: RefusalArgs,
    /// What bodies are made into.
    #[command(flatten)]
    encode: EncodeArgs,
    /// And how they are described.
    #[command(flatten)]
    form: FormArgs,
    /// The connection.
    #[command(flatten)]
    settings: Settings,
}

impl PublishingArgs {
    /// To a queue, as they are.
    pub(crate) fn to_queue(queue: String, settings: Settings) -> PublishingArgs {
        PublishingArgs {
            exchange: None,
            routing_key: Some(queue),
            properties: PropertyArgs::default(),
            mandatory: false,
            no_mandatory: false,
            no_confirm: false,
            window: WINDOW,
            refusal: RefusalArgs { on_refusal: RefusalArg::Policy(OnRefusal::Continue) },
            encode: EncodeArgs::default(),
            form: FormArgs::default(),
            settings,
        }
    }

    /// True when it says to which exchange: then a message's own routing key is enough.
    pub(crate) fn names_exchange(&self) -> bool {
        self.exchange.is_some()
    }

    /// What becomes of a message that is refused.
    pub(crate) fn refusal(&self) -> &RefusalArgs {
        &self.refusal
    }
}

/// Publishes.
///
/// # Errors
/// `Kind::Usage` for bad data, once what stands before it is confirmed; `Kind::Refused` for nacks, returns and an exchange
/// that is not there; `Kind::Partial` when the fate of a message is unknown; as [`Client::connect`].
pub(crate) async fn run(args: Args, cx: &Context) -> Result<()> {
    let Args { publishing, key_delimiter, records, report } = args;
    publishing.refusal.check(false)?;
    if let (Some(delimiter), Some(text)) = (&key_delimiter, &records.data.data)
        && let DataSource::Text(text) = source(text)
        && memchr::memmem::find(&text, &delimiter.0).is_none()
    {
        return Err(Error::usage(format!("--data: {}", no_key(delimiter))));
    }
    let own_keys = key_delimiter.is_some() || records.input == Some(Mode::Json);
    let mut prepared = prepare(publishing, own_keys, key_delimiter.clone(), cx)?;
    let input = records.open_checked(key_delimiter.as_ref(), MAX_MESSAGE, |decoder, record, message| {
        let checked = prepared.encoding.as_ref().map_or(Ok(()), |encoding| encoding.check(&message));
        checked.map_err(|unfit| decoder.member_fault(record, unfit.member.unwrap_or_default(), unfit.why))
    })?;
    let is_typed = records.data.is_typed();
    let mut report = Report::of_writer(cx.terminal, "published", input.size(), is_typed, report.report.as_ref())?;
    report.of_trace(prepared.trace.as_mut().map(Trace::join));
    let writer = prepared.open(cx).await?;
    // Who cannot be connected types nothing.
    records.prompt(&cx.terminal);
    let manner = writer.manner;
    let flow = Flow::new(Reader::of_input(input, Limits::default()), writer, manner, &cx.shutdown);
    flow::run(flow, &mut report).await
}

/// What was typed is good, and nothing was sent yet.
pub(crate) struct Prepared {
    overrides: Overrides,
    trace: Option<Trace>,
    key_delimiter: Option<Delimiter>,
    endpoint: Endpoint,
    confirm: bool,
    window: u32,
    refusal: RefusalArgs,
    encoding: Option<Encoding>,
}

/// Checks what was typed. `own_keys` says that messages come with their own destination; with a `key_delimiter` each must have
/// begun with its routing key.
///
/// # Errors
/// `Kind::Usage`; `Kind::Config`.
pub(crate) fn prepare(
    args: PublishingArgs,
    own_keys: bool,
    key_delimiter: Option<Delimiter>,
    cx: &Context,
) -> Result<Prepared> {
    let mandatory = match args {
        PublishingArgs { mandatory: true, .. } => Mandatory::Always,
        PublishingArgs { no_mandatory: true, .. } => Mandatory::Never,
        _ => Mandatory::Queues,
    };
    args.properties.doubt().iter().for_each(|doubt| cx.terminal.warn(doubt));
    let trace = args.properties.trace(&cx.terminal);
    let overrides = Overrides::new(args.exchange, args.routing_key, mandatory, args.properties)?;
    if overrides.lacks_destination() && !own_keys {
        return Err(Error::usage("neither an exchange nor a routing key: nothing says where to publish to")
            .hint("add -k QUEUE to publish to a queue, or -e EXCHANGE"));
    }
    let endpoint = settings::endpoint(&cx.settings(&args.settings)?)?;
    let (none, schema) = (EncodeKeyArgs::default(), SchemaArgs::default());
    let encoding = args.encode.prepare(&none, &schema, &args.form, "", None)?;
    let (confirm, window, refusal) = (!args.no_confirm, args.window, args.refusal);
    Ok(Prepared { overrides, trace, key_delimiter, endpoint, confirm, window, refusal, encoding })
}

impl Prepared {
    /// Connects, and is ready to publish.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub(crate) async fn open(self, cx: &Context) -> Result<Writer> {
        let Prepared { overrides, trace, key_delimiter, endpoint, confirm, window, refusal, encoding } = self;
        let overrides = overrides.traced(trace);
        let client = Arc::new(Client::connect(&endpoint, &cx.policy, &cx.shutdown).await?);
        let open = async |make: MakeOutgoing, confirm| {
            let (client, shutdown) = (client.clone(), cx.shutdown.clone());
            let window = usize::try_from(window).unwrap_or(usize::MAX);
            let options = PublishingOptions { confirm, ..PublishingOptions::confirmed(client, shutdown, window, make) };
            cx.shutdown.or_stop(Publishing::open(options)).await
        };
        let make = move |message: Message<'_>| match (&key_delimiter, &message.key) {
            (Some(delimiter), Field::Absent) => Err(no_key(delimiter)),
            _ => overrides.apply(message),
        };
        let sink: Box<dyn Sink> = Box::new(open(Box::new(make), confirm).await?);
        let dead = match refusal.target() {
            None => None,
            Some(queue) => {
                // Confirmed, whatever the others are: it is settled by it.
                let to = Overrides::new(None, Some(queue.to_owned()), Mandatory::Queues, PropertyArgs::default())?;
                let sink = open(Box::new(move |message: Message<'_>| to.apply(message)), true).await?;
                Some(Dead::new(Vec::new(), Box::new(sink)))
            }
        };
        let manner = if confirm { Manner::Confirmed } else { Manner::Unconfirmed("--no-confirm") };
        let stages = encoding.into_iter().map(Encoding::stage).collect();
        Ok(Writer { sink, stages, on_refusal: refusal.policy(), dead, manner })
    }
}

/// What is wrong with a message that does not begin with its routing key.
fn no_key(delimiter: &Delimiter) -> String {
    let shown = String::from_utf8_lossy(&delimiter.0);
    format!("no `{}` separates a routing key from the body", shown.escape_debug())
}
