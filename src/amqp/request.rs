//! `amqp request`: asks through a queue, and waits for the answer.

use std::sync::Arc;

use lapin::types::ShortString;

use super::client::{Client, Line, RequestOptions, Requesting};
use super::publish::{MAX_MESSAGE, Mandatory, Overrides, PropertyArgs};
use super::settings::{self, Settings};
use super::shared::arguments::full_name;
use super::shared::kind::QueueKind;
use crate::args::{ANSWER_FILTER, ANSWER_MAP, AskingArgs, DataArgs, REQUEST_INPUT, RecordArgs, ReportArgs};
use crate::codec::{DecodeArgs, DecodeKeyArgs, EncodeArgs, EncodeKeyArgs, Encoding, FormArgs, SchemaArgs};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flow::{Limits, Manner, Reader};
use crate::jq::JqArgs;
use crate::message::input::Mode;
use crate::output::{OutputArgs, Show};
use crate::traceparent::Trace;
use crate::values::Delimiter;

const CORRELATION_ID: &str = "Id that the answer is recognised by, for the one request; a random UUID if not given";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(mut_arg("correlation_id", |arg| arg.help(CORRELATION_ID)))]
#[command(mut_arg("reply_to", |arg| arg.hide(true)))]
#[command(mut_arg("filter", |arg| arg.help(ANSWER_FILTER).long_help(ANSWER_FILTER)))]
#[command(mut_arg("map", |arg| arg.help(ANSWER_MAP).long_help(ANSWER_MAP)))]
pub(crate) struct Args {
    /// Exchange to publish to; the default exchange if not given, where the routing key names a queue
    #[arg(short, long, value_name = "EXCHANGE")]
    exchange: Option<String>,
    /// Routing key; without -e it names the queue that is asked
    #[arg(short = 'k', long = "key", visible_alias = "routing-key", value_name = "KEY")]
    routing_key: Option<String>,
    /// How long, and how many at a time.
    #[command(flatten)]
    asking: AskingArgs,
    /// Let answers come to this queue, which has to be there, instead of straight to this connection (direct reply-to); answers
    /// to others go back to it at the end
    #[arg(long, value_name = "QUEUE", hide_short_help = true)]
    reply_queue: Option<String>,
    /// The data.
    #[command(flatten)]
    data: DataArgs,
    /// How to read the data.
    #[arg(long, value_name = "MODE", value_enum, hide_short_help = true, help = REQUEST_INPUT)]
    input: Option<Mode>,
    /// Properties and headers.
    #[command(flatten)]
    properties: PropertyArgs,
    /// What requests are made into.
    #[command(flatten)]
    encode: EncodeArgs,
    /// What answers are.
    #[command(flatten)]
    decode: DecodeArgs,
    /// And how both are described.
    #[command(flatten)]
    form: FormArgs,
    /// Programs over each answer.
    #[command(flatten)]
    jq: JqArgs,
    /// How answers are written.
    #[command(flatten)]
    output: OutputArgs,
    /// What is told at the end.
    #[command(flatten)]
    report: ReportArgs,
    /// The connection.
    #[command(flatten)]
    settings: Settings,
}

/// Whether a queue for answers counts what goes back to it.
///
/// # Errors
/// `Kind::Usage` for one that no answer can be taken out of.
async fn counts(client: &Client, queue: &ShortString) -> Result<bool> {
    match QueueKind::of(client, queue).await {
        QueueKind::Stream => {
            Err(Error::usage(format!("`{queue}` is a stream, which keeps its messages whoever reads them"))
                .hint("name another queue for the answers, or leave --reply-queue out"))
        }
        kind => Ok(kind == QueueKind::Quorum),
    }
}

/// Asks, and writes the answers.
///
/// # Errors
/// `Kind::Usage`; `Kind::Deadline` when an answer did not come in time; `Kind::Refused` when a request was returned, or a queue
/// is not there; `Kind::Partial` when it is unknown what became of a request; as [`Client::connect`].
pub(crate) async fn run(args: Args, cx: &Context) -> Result<()> {
    if args.properties.has_reply_to() {
        return Err(Error::usage("--reply-to is said by this command itself")
            .hint("--reply-queue QUEUE names a queue for the answers"));
    }
    args.properties.doubt().iter().for_each(|doubt| cx.terminal.warn(doubt));
    let mut trace = args.properties.trace(&cx.terminal);
    let overrides = Overrides::new(args.exchange, args.routing_key, Mandatory::Always, args.properties)?;
    if overrides.lacks_destination() && args.input != Some(Mode::Json) {
        return Err(Error::usage("neither an exchange nor a routing key: nothing says whom to ask")
            .hint("add -k QUEUE to ask through a queue, or -e EXCHANGE"));
    }
    if let Some(target) = args.decode.target() {
        return Err(Error::usage(format!(
            "--decode-error dead:{target} is for messages of a queue, and answers are of none"
        ))
        .hint("choose raw, stop or skip"));
    }
    let form = args.form.for_both(&args.decode, &args.encode)?;
    let mut stages = args.decode.stages(&DecodeKeyArgs::default(), &form, None)?;
    stages.extend(args.jq.stages()?);
    let (none, schema) = (EncodeKeyArgs::default(), SchemaArgs::default());
    let encoding = args.encode.prepare(&none, &schema, &form, "", None)?;
    let reply_queue = args.reply_queue.as_deref().map(|queue| full_name("queue", queue)).transpose()?;
    let endpoint = settings::endpoint(&cx.settings(&args.settings)?)?;
    let records = RecordArgs { data: args.data, input: args.input, delimiter: Delimiter(b"\n".to_vec()) };
    let input = records.open_checked(None, MAX_MESSAGE, |decoder, record, message| {
        let checked = encoding.as_ref().map_or(Ok(()), |encoding| encoding.check(&message));
        checked.map_err(|unfit| decoder.member_fault(record, unfit.member.unwrap_or_default(), unfit.why))
    })?;
    let mut show = Show::new(&args.output, args.report.report.as_ref(), cx.terminal, "answered")?;
    show.of_trace(trace.as_mut().map(Trace::join));
    let overrides = overrides.traced(trace);
    let client = Arc::new(Client::connect(&endpoint, &cx.policy, &cx.shutdown).await?);
    let options = RequestOptions {
        client: client.clone(),
        line: Line { endpoint, policy: cx.policy, shutdown: cx.shutdown.clone() },
        make: Box::new(move |message| overrides.apply(message)),
        reply_queue: None,
        asking: args.asking.asking(),
    };
    let opened = async {
        let reply_queue = match reply_queue {
            Some(queue) => Some((queue.clone(), counts(&client, &queue).await?)),
            None => None,
        };
        Requesting::open(RequestOptions { reply_queue, ..options }).await
    };
    let relay = match cx.shutdown.or_stop(opened).await {
        Ok(relay) => relay,
        Err(error) => {
            client.close(&cx.shutdown).await;
            return Err(error);
        }
    };
    records.prompt(&cx.terminal);
    let reader = Reader::of_input(input, Limits::default());
    let encoding = encoding.map(Encoding::stage).into_iter().collect();
    let reader = reader.through(encoding, Some(Box::new(relay)));
    show.run_through(stages, Reader { manner: Manner::Answered, ..reader }, &cx.shutdown).await
}
