//! `amqp consume`.

use std::sync::Arc;

use lapin::options::BasicConsumeOptions;
use lapin::types::{AMQPValue, ShortString};
use lapin::{Channel, Consumer};

use super::client::{Client, ConsumerOptions, Consuming, Deliveries, OFFSET, Settle, fault, look_at};
use super::publish::{self, PublishingArgs};
use super::settings::{self, Endpoint, Settings};
use super::shared::arguments::{ArgumentArgs, full_name, name};
use super::shared::kind::{QueueKind, counts_looks};
use crate::args::{LimitArgs, Ready, ReadyArgs, ReportArgs};
use crate::codec::{DecodeArgs, DecodeKeyArgs, FormArgs, one_target};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::exec::{ExecArgs, Gives, OfQueue};
use crate::flow::{Manner, Reader, Stage, Work};
use crate::jq::{JqArgs, LeavesOut};
use crate::message::{Beginning, Unit, When};
use crate::output::{OutputArgs, Show};
use crate::values;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What is read.
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

/// What is read, wherever it goes.
#[derive(Debug, clap::Args)]
#[command(mut_arg("count", |arg| arg.help("Stop after so many messages; only these are taken")))]
#[command(mut_arg("until_end", |arg| arg.help(UNTIL_END)))]
pub(crate) struct ReadingArgs {
    /// Name of the queue
    #[arg(value_name = "QUEUE")]
    queue: String,
    /// When to stop.
    #[command(flatten)]
    limits: LimitArgs,
    /// Who is told that it reads.
    #[command(flatten)]
    ready: ReadyArgs,
    /// How many messages the broker may send ahead of their acknowledgement, 1 to 65535
    ///
    /// The default is 1000 (in a bridge 2000), and 20 for a quorum queue: it counts how often a message came back, and what was
    /// sent ahead and not read when the command ends comes back. What kind of queue it is, is found out by a declaration that
    /// can never create one; where the user may not declare the queue, the default is 20 as well. With this flag nothing is
    /// found out.
    #[arg(long, value_name = "COUNT", value_parser = prefetch_count, hide_short_help = true)]
    prefetch: Option<u16>,
    /// What happens to a message that was written.
    #[command(flatten)]
    settle: SettleArgs,
    /// Take out of the queue what --filter leaves out, too, as it does with what is written
    ///
    /// Without this flag the queue keeps it: it is held until the end, up to 65535 messages, and goes back then, so that there
    /// has to be an end (--count, --until-end, --idle-timeout or --timeout).
    #[arg(long, hide_short_help = true)]
    drop_rest: bool,
    /// Refuse to share the queue with other consumers
    #[arg(long, hide_short_help = true)]
    exclusive: bool,
    /// Name of this consumer at the broker
    #[arg(long, value_name = "TAG", default_value = "", hide_default_value = true, hide_short_help = true)]
    consumer_tag: String,
    /// Where to begin in a stream: begin (first), end (next), last (the newest piece that is stored), an OFFSET, or @TIME (as @5m
    /// for five minutes ago, @yesterday, RFC 3339, seconds since 1970)
    #[arg(long, value_name = "WHERE", allow_hyphen_values = true, hide_possible_values = true, value_parser = values::Offering(beginning, PLACES), hide_short_help = true)]
    from: Option<Beginning>,
    /// What bodies are.
    #[command(flatten)]
    decode: DecodeArgs,
    /// And how they are described.
    #[command(flatten)]
    form: FormArgs,
    /// Arguments of the consumer, as x-priority=10.
    #[command(flatten)]
    arguments: ArgumentArgs,
    /// The connection.
    #[command(flatten)]
    settings: Settings,
}

impl ReadingArgs {
    /// Messages of a queue, each of which is acked once it is where it goes.
    pub(crate) fn of(queue: String, limits: LimitArgs, settings: Settings) -> ReadingArgs {
        ReadingArgs {
            queue,
            limits,
            ready: ReadyArgs::default(),
            settings,
            prefetch: None,
            settle: SettleArgs { ack: true, nack: false, requeue: false, no_ack: false },
            drop_rest: false,
            exclusive: false,
            consumer_tag: String::new(),
            from: None,
            decode: DecodeArgs::default(),
            form: FormArgs::default(),
            arguments: ArgumentArgs::default(),
        }
    }

    /// What bodies are.
    #[must_use]
    pub(crate) fn decoding(self, decode: DecodeArgs, form: FormArgs) -> ReadingArgs {
        ReadingArgs { decode, form, ..self }
    }

    /// Who is told that it reads.
    #[must_use]
    pub(crate) fn ready(self, ready: ReadyArgs) -> ReadingArgs {
        ReadingArgs { ready, ..self }
    }

    /// What it does with a queue, in words.
    fn waits(&self, is_carried: bool) -> String {
        let then = match (self.settle.mode(), is_carried) {
            (Settle::Ack, true) => "each is acked once it is there",
            (Settle::Ack, false) => "each is acked once it was written\n(`mscomm amqp get` only looks)",
            (Settle::Nack, _) => "each is rejected once it was written",
            (Settle::Requeue, _) => "all go back at the end",
            (Settle::OnArrival, _) => "each is taken out as it arrives",
        };
        format!("waiting for messages of queue `{}`; {then}", self.queue)
    }

    /// The broker sends so many ahead.
    #[must_use]
    pub(crate) fn ahead(self, prefetch: Option<u16>) -> ReadingArgs {
        ReadingArgs { prefetch, ..self }
    }

    /// Whether it matters what kind of queue it is.
    fn asks_for_kind(&self) -> bool {
        let ahead =
            self.prefetch.is_none() && self.limits.count.is_none_or(|count| count > u64::from(PREFETCH_COUNTED));
        ahead || self.limits.until_end || self.settle.mode() == Settle::Requeue
    }
}

/// Exactly one way to settle.
#[derive(Debug, Clone, Copy, clap::Args)]
#[group(multiple = false)]
struct SettleArgs {
    /// Take each message out of the queue once it was written (the default)
    #[arg(long, hide_short_help = true)]
    ack: bool,
    /// Reject each message once it was written: it is dropped, or goes to the dead-letter exchange
    #[arg(long)]
    nack: bool,
    /// Put all messages back at the end: each is read once, up to 65535; a quorum queue counts it as a delivery
    #[arg(long)]
    requeue: bool,
    /// Take each message out as it arrives, before it is written: it is lost when writing fails
    #[arg(long, hide_short_help = true)]
    no_ack: bool,
}

impl SettleArgs {
    fn mode(self) -> Settle {
        match self {
            SettleArgs { nack: true, .. } => Settle::Nack,
            SettleArgs { requeue: true, .. } => Settle::Requeue,
            SettleArgs { no_ack: true, .. } => Settle::OnArrival,
            SettleArgs { ack: _, .. } => Settle::Ack,
        }
    }
}

/// Where reading a stream begins, as far as words say it.
const PLACES: &[(&str, &str)] = &[
    ("begin", "the oldest message"),
    ("end", "what comes from now on"),
    ("last", "the newest piece that is stored"),
    ("@", "a time, or a duration ago"),
];

fn beginning(text: &str) -> Result<Beginning, String> {
    let beginning = Beginning::read(text, Unit::Seconds)?;
    match beginning {
        Beginning::Newest(_) => Err("a stream does not count from its end; `last` begins at the newest piece that is \
                                     stored, an offset or a time anywhere"
            .to_owned()),
        Beginning::Time(when) if when.time.seconds().is_none() => Err("there is no offset before 1970".to_owned()),
        _ => Ok(beginning),
    }
}

/// The value of x-stream-offset (<https://www.rabbitmq.com/docs/streams#consuming>).
fn offset(beginning: Beginning) -> Option<AMQPValue> {
    Some(match beginning {
        Beginning::Begin => AMQPValue::LongString("first".into()),
        Beginning::End => AMQPValue::LongString("next".into()),
        Beginning::Last => AMQPValue::LongString("last".into()),
        Beginning::Offset(offset) => AMQPValue::LongLongInt(offset),
        Beginning::Time(when) => AMQPValue::Timestamp(when.time.seconds()?),
        Beginning::Newest(_) => return None,
    })
}

/// A number of messages that are sent ahead.
pub(crate) fn prefetch_count(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(0) => {
            Err("0 is no limit to the broker, which would send all that there is at once; write 1 to 65535".to_owned())
        }
        Ok(count) => Ok(count),
        Err(_) => Err("write a number from 1 to 65535".to_owned()),
    }
}

const UNTIL_END: &str = "Stop when the messages that were there at the start are read, which of a stream are all, unless \
                         --from says where to begin";

/// How many messages are sent ahead of their acknowledgement.
const PREFETCH: u16 = 1000;

/// The same where what is read goes on to another broker, which takes its time to confirm it.
const PREFETCH_CARRIED: u16 = 2000;

/// The same of a queue that counts what comes back. RabbitMQ 4 gives a message up after 20 deliveries.
const PREFETCH_COUNTED: u16 = 20;

/// How many messages are here for each command that may run.
const WAITING: u16 = 5;

/// Reads a queue.
///
/// # Errors
/// `Kind::Unmet` for fewer messages than `--count`, or than a queue still holds of those that `--until-end` asks for; `Kind::Refused` when the queue is not there or is deleted meanwhile;
/// `Kind::Partial` when it is unknown whether the last messages were settled; the writer's; as [`Client::connect`].
pub(crate) async fn run(args: Args, cx: &Context) -> Result<()> {
    let stages = args.jq.stages()?;
    let relay = args.exec.prepare(true)?.map(|exec| exec.relay(Gives::Output, &cx.shutdown));
    let prepared = prepare(args.reading, Asks::of(&args.exec, &args.jq)?, PREFETCH, cx)?;
    let show = Show::new(&args.output, args.report.report.as_ref(), cx.terminal, "read")?;
    show.run(prepared.open(cx).await?.through(stages, relay), &cx.shutdown).await
}

/// What is done with the messages before they are written.
#[derive(Debug, Clone)]
pub(crate) struct Asks {
    /// What commands ask of the queue, where each message has one.
    pub exec: Option<OfQueue>,
    /// Where messages go whose commands failed.
    pub dead: Option<String>,
    /// How much of the queue is left out.
    pub leaves_out: LeavesOut,
    /// What is done with them makes no sense where they stay all the same.
    pub takes_out: bool,
}

impl Asks {
    /// Of commands and programs, where messages are written or go on.
    ///
    /// # Errors
    /// As [`ExecArgs::target`].
    pub(crate) fn of(exec: &ExecArgs, jq: &JqArgs) -> Result<Asks> {
        let dead = exec.target()?.map(str::to_owned);
        Ok(Asks { exec: exec.of_queue(), dead, leaves_out: jq.of_queue(), takes_out: false })
    }
}

/// What that asks of their queue.
#[derive(Debug, Clone, Copy)]
struct Needs {
    /// How many are sent ahead of their acknowledgement when nothing is said,
    ahead: u16,
    /// and by a queue that counts what comes back.
    counted: u16,
    /// Messages are requeued or rejected, by themselves.
    gives_back: bool,
    /// They must not stay.
    takes_out: bool,
    /// Not all that is read is wanted.
    leaves_out: bool,
    /// What is left out is held until the end, so that more and more have to be sent ahead.
    keeps_rest: bool,
}

/// A queue of our own.
pub(crate) struct OwnQueue {
    /// Its name.
    pub name: ShortString,
    /// What happens to each of its messages first.
    pub stages: Vec<Box<dyn Stage>>,
}

/// Declares a queue of our own, a classic one.
pub(crate) type Declare = Box<dyn for<'c> FnOnce(&'c Client) -> Work<'c, Result<OwnQueue>>>;

/// What was typed is good, and nothing was sent yet.
pub(crate) struct Prepared {
    args: ReadingArgs,
    needs: Needs,
    queue: ShortString,
    tag: ShortString,
    endpoint: Endpoint,
    dead: Option<publish::Prepared>,
    dead_queue: Option<String>,
    /// The queue is one of our own, which is yet to be declared.
    own: Option<Declare>,
    /// What happens to each message before anything else.
    decoding: Vec<Box<dyn Stage>>,
    ready: Ready,
    /// What it waits for, in words; nothing where it ends by itself.
    waits: Option<String>,
}

/// Checks what was typed, for a bridge.
///
/// # Errors
/// As [`prepare`].
pub(crate) fn prepare_carried(args: ReadingArgs, asks: Asks, cx: &Context) -> Result<Prepared> {
    prepare(args, asks, PREFETCH_CARRIED, cx)
}

/// Checks what was typed, for a queue of our own.
///
/// # Errors
/// As [`prepare`].
pub(crate) fn prepare_own(
    limits: LimitArgs,
    settings: Settings,
    own: Declare,
    ready: ReadyArgs,
    (decode, form): (DecodeArgs, FormArgs),
    asks: Asks,
    cx: &Context,
) -> Result<Prepared> {
    let args = ReadingArgs::of("queue of its own".to_owned(), limits, settings).ready(ready).decoding(decode, form);
    let args = ReadingArgs { drop_rest: asks.leaves_out != LeavesOut::Nothing, ..args };
    Ok(Prepared { own: Some(own), ..prepare(args, asks, PREFETCH, cx)? })
}

/// Checks what was typed. `ahead` is how many messages are sent ahead of their acknowledgement when nothing else is said.
///
/// # Errors
/// `Kind::Usage`; `Kind::Config`.
fn prepare(args: ReadingArgs, asks: Asks, ahead: u16, cx: &Context) -> Result<Prepared> {
    let asks = with_decoding(&args, asks)?;
    let decoding = args.decode.stages(&DecodeKeyArgs::default(), &args.form, None)?;
    check_rest(&args, asks.leaves_out, cx)?;
    if asks.dead.as_ref() == Some(&args.queue) {
        return Err(Error::usage(format!(
            "dead:{} is the queue that is read: what failed would come again",
            args.queue
        ))
        .hint("name another queue, or have its queue take it back with requeue"));
    }
    let dead_queue = asks.dead.clone();
    let leaves_out = asks.leaves_out != LeavesOut::Nothing;
    let keeps_rest = leaves_out && !args.drop_rest;
    let exec = asks.exec;
    let gives_back = exec.is_some_and(|exec| exec.gives_back);
    match args.settle.mode() {
        Settle::OnArrival if exec.is_some() => {
            return Err(Error::usage("--no-ack takes each message out before its command has run")
                .hint("leave --no-ack out: with --exec a message is taken out once its command exits with 0"));
        }
        Settle::Requeue if gives_back => {
            return Err(Error::usage("--requeue puts all messages back at the end, and none before")
                .hint("leave --requeue out, or choose --on-failure stop, hold or skip"));
        }
        _ => {}
    }
    let waits = (!args.limits.until_end).then(|| args.waits(ahead == PREFETCH_CARRIED));
    let ready = args.ready.prepare()?;
    let queue = full_name("queue", &args.queue)?;
    let tag = name(&args.consumer_tag)?;
    args.arguments.table(vec![(OFFSET, args.from.and_then(offset))])?;
    args.from.and_then(Beginning::when).and_then(When::doubt).iter().for_each(|doubt| cx.terminal.warn(doubt));
    let endpoint = settings::endpoint(&cx.settings(&args.settings)?)?;
    let needs =
        Needs { ahead, counted: PREFETCH_COUNTED, gives_back, takes_out: asks.takes_out, leaves_out, keeps_rest };
    let needs = match exec.and_then(|exec| exec.jobs) {
        // So many that the next one is here when a command ends; but each that comes back without having had a command would
        // count as one more delivery.
        Some(jobs) => Needs { ahead: jobs.saturating_mul(WAITING), counted: jobs, ..needs },
        None => needs,
    };
    let dead = asks.dead.map(|target| {
        let to = PublishingArgs::to_queue(target, args.settings.clone());
        publish::prepare(to, false, None, cx)
    });
    let dead = dead.transpose()?;
    Ok(Prepared { args, needs, queue, tag, endpoint, dead, dead_queue, own: None, decoding, ready, waits })
}

/// What is asked of the queue where some messages cannot be decoded, too.
fn with_decoding(args: &ReadingArgs, asks: Asks) -> Result<Asks> {
    let dead = one_target(asks.dead.as_deref(), args.decode.target())?;
    let leaves_out = match asks.leaves_out {
        LeavesOut::Nothing if args.decode.leaves_out() => LeavesOut::Some,
        leaves_out => leaves_out,
    };
    Ok(Asks { dead, leaves_out, ..asks })
}

/// What was typed about messages that are left out of the queue, and cannot be meant.
fn check_rest(args: &ReadingArgs, leaves_out: LeavesOut, cx: &Context) -> Result<()> {
    let ends = args.limits.count.is_some() || args.limits.until_end || args.limits.idle_timeout.is_some();
    match (leaves_out, args.drop_rest, args.settle.mode()) {
        (LeavesOut::Nothing, true, _) => {
            Err(Error::usage("--drop-rest is about what --filter or --map leaves out").hint("add one of them, or leave it out"))
        }
        (_, true, Settle::Requeue) => {
            Err(Error::usage("--requeue puts all messages back, and --drop-rest takes some out").hint("leave one of them out"))
        }
        (LeavesOut::Some | LeavesOut::Most, true, Settle::OnArrival) if args.limits.count.is_some() => {
            Err(Error::usage("--no-ack takes messages out as they arrive: with a program, more than --count of them")
                .hint("leave --no-ack out, or --count"))
        }
        (LeavesOut::Nothing, ..) | (_, true, _) => Ok(()),
        (_, false, Settle::OnArrival) => {
            Err(Error::usage("--no-ack takes messages out as they arrive, and so what a program leaves out, too")
                .hint("leave --no-ack out, or say that this is meant with --drop-rest"))
        }
        // A stream keeps what it has, whoever reads it.
        (LeavesOut::Most, false, _) if !ends && args.from.is_none() && cx.shutdown.remaining().is_none() => {
            Err(Error::usage(format!("what --filter leaves out of `{}` would be held, and there is no end to that", args.queue))
                .hint("say when to end (--count, --until-end, --idle-timeout or --timeout), or take the rest out with --drop-rest"))
        }
        _ => Ok(()),
    }
}

impl Prepared {
    /// It says of itself what it does, in these words.
    #[must_use]
    pub(crate) fn saying(self, waits: String) -> Prepared {
        Prepared { waits: Some(waits), ..self }
    }

    /// Begins to read.
    ///
    /// # Errors
    /// As [`Client::connect`]; `Kind::Refused` when the queue is not there, or does not want to be read so.
    pub(crate) async fn open(self, cx: &Context) -> Result<Reader> {
        let Prepared { mut args, needs, mut queue, tag, endpoint, dead, dead_queue, own, decoding, ready, waits } =
            self;
        let settle = args.settle.mode();
        // Nothing is taken before there is somewhere to put it.
        let dead = match dead {
            Some(dead) => Some(dead.open(cx).await?.bury()),
            None => None,
        };
        let client = Arc::new(Client::connect(&endpoint, &cx.policy, &cx.shutdown).await?);
        let mut stages: Vec<Box<dyn Stage>> = Vec::new();
        let opened = async {
            if let Some(queue) = dead_queue.filter(|_| endpoint.channel_max != 1) {
                look_at(&client.channel().await?, &queue).await?;
            }
            let mut kind = (endpoint.channel_max == 1).then_some(QueueKind::Unknown);
            if let Some(declare) = own {
                let own = declare(&client).await?;
                (args.queue, queue, kind) = (own.name.to_string(), own.name, Some(QueueKind::Classic));
                stages = own.stages;
            }
            open(&args, needs, cx, &client, &queue, &tag, kind).await
        };
        let opened = cx.shutdown.or_stop(opened);
        let Opened { channel, consumer, consuming, probe, limit, unless_stream, prefetch, keeps_rest } =
            match opened.await {
                Ok(opened) => opened,
                Err(error) => {
                    client.close(&cx.shutdown).await;
                    if let Some(dead) = dead {
                        dead.close().await;
                    }
                    return Err(error);
                }
            };
        let limits = args.limits.limits();
        let with = ConsumerOptions {
            client,
            shutdown: cx.shutdown.clone(),
            queue: args.queue,
            channel,
            consuming,
            probe,
            limit,
            unless_stream,
            count: limits.count.filter(|_| !needs.leaves_out),
            keeps_rest,
            prefetch,
            settle,
        };
        let source = Deliveries::new(with, consumer);
        let manner = if settle == Settle::Requeue { Manner::Read } else { Manner::Settled };
        let held = ready.tell(&cx.terminal, waits.as_deref())?;
        stages.extend(decoding);
        Ok(Reader { stages, dead, held, ..Reader::of(Box::new(source), limits, manner) })
    }
}

/// A consumer, and what is known of its queue. The other fields are those of [`ConsumerOptions`].
struct Opened {
    channel: Channel,
    consumer: Consumer,
    consuming: Consuming,
    probe: Option<Channel>,
    limit: Option<u64>,
    unless_stream: Option<u64>,
    prefetch: u16,
    keeps_rest: bool,
}

async fn open(
    args: &ReadingArgs,
    needs: Needs,
    cx: &Context,
    client: &Client,
    queue: &ShortString,
    tag: &ShortString,
    known: Option<QueueKind>,
) -> Result<Opened> {
    let mut channel = client.channel().await?;
    let is_placed = args.from.is_some() || args.arguments.has(OFFSET);
    let kind = match is_placed {
        true => QueueKind::Stream,
        // A question that was refused may hold its channel for a moment, and there may be no other.
        false
            if known.is_none() && (args.asks_for_kind() || needs.gives_back || needs.keeps_rest || needs.takes_out) =>
        {
            QueueKind::of(client, queue).await
        }
        false => known.unwrap_or(QueueKind::Unknown),
    };
    if kind == QueueKind::Stream && needs.takes_out {
        let message = format!("`{}` is a stream, which keeps its messages whoever reads them", args.queue);
        return Err(Error::usage(message).hint("copy them with `mscomm bridge amqp consume … --to amqp publish …`"));
    }
    if kind == QueueKind::Stream && needs.gives_back {
        return Err(Error::usage(format!(
            "`{}` is a stream, which keeps its messages and takes none back",
            args.queue
        ))
        .hint("choose --on-failure stop, hold or skip"));
    }
    let settle = args.settle.mode();
    // A stream keeps what it has, whoever reads it.
    let keeps_rest = needs.keeps_rest && kind != QueueKind::Stream;
    if kind == QueueKind::Quorum && (settle == Settle::Requeue || keeps_rest) {
        cx.terminal.warn(counts_looks(&args.queue));
    }
    let prefetch = prefetch(args, needs, settle, kind);
    // A channel of its own, because a refused question closes it.
    let probe = if args.limits.until_end { Some(client.channel().await?) } else { None };
    let mut limit = match &probe {
        // What a stream says of itself lags behind.
        Some(probe) if kind != QueueKind::Stream => Some(u64::from(look_at(probe, &args.queue).await?.message_count())),
        _ => None,
    };
    let mut unless_stream = None;
    let consuming = Consuming {
        queue: queue.clone(),
        // What others are named after cannot be left to the broker.
        tag: if needs.keeps_rest && tag.as_str().is_empty() { "mscomm".into() } else { tag.clone() },
        options: BasicConsumeOptions { exclusive: args.exclusive, ..BasicConsumeOptions::default() },
        arguments: args.arguments.table(Vec::new())?,
    };
    let begin = async |channel: &Channel, offset: Option<AMQPValue>| -> Result<lapin::Result<Consumer>> {
        let arguments = args.arguments.table(vec![(OFFSET, offset)])?;
        Ok(Consuming { arguments, ..consuming.clone() }.begin(channel, prefetch).await)
    };
    // All that is there begins with the first.
    let first = Some(AMQPValue::LongString("first".into()));
    let consumer = match kind {
        QueueKind::Stream if args.limits.until_end && !is_placed => begin(&channel, first).await?,
        // Whether it is a stream, the answer to this tells.
        QueueKind::Unknown if args.limits.until_end => match begin(&channel, first).await? {
            Err(error) if is_no_stream(&error) => {
                channel = client.channel_again().await?;
                begin(&channel, None).await?
            }
            begun => {
                unless_stream = limit.take();
                begun
            }
        },
        _ => begin(&channel, args.from.and_then(offset)).await?,
    };
    let consumer = consumer.map_err(|e| refusal(&e, args))?;
    Ok(Opened { channel, consumer, consuming, probe, limit, unless_stream, prefetch, keeps_rest })
}

/// Whether the broker refused to begin at an offset that every stream has. With a long name the answer is cut behind that.
fn is_no_stream(error: &lapin::Error) -> bool {
    let text = "invalid arg 'x-stream-offset'";
    matches!(error.kind(), lapin::ErrorKind::ProtocolError(answer) if answer.get_message().as_str().contains(text))
}

/// The broker need not send more than will be read; what is put back at the end has to be held until then.
fn prefetch(args: &ReadingArgs, needs: Needs, settle: Settle, kind: QueueKind) -> u16 {
    let most = match (settle, args.prefetch, kind) {
        (Settle::Requeue, ..) => u16::MAX,
        // There can be no second consumer beside it.
        _ if needs.keeps_rest && args.exclusive => u16::MAX,
        (_, Some(prefetch), _) => prefetch,
        (_, None, QueueKind::Classic | QueueKind::Stream) => needs.ahead,
        (_, None, QueueKind::Quorum | QueueKind::Unknown) => needs.counted,
    };
    let count = args.limits.count.filter(|_| !needs.leaves_out);
    count.map_or(most, |n| u16::try_from(n).unwrap_or(u16::MAX).min(most))
}

fn refusal(error: &lapin::Error, args: &ReadingArgs) -> Error {
    let fault = fault(error, format!("cannot consume from queue `{}`", args.queue));
    let text = fault.chain();
    if args.from.is_some() && text.contains("invalid arg 'x-stream-offset'") && text.contains("of queue type") {
        return fault.hint("only a stream is read from an offset; of this queue leave --from out");
    }
    args.arguments.typed(fault, error)
}
