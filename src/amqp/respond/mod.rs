//! `amqp respond`: answers what is asked through a queue.

mod answer;

use std::sync::Arc;

use self::answer::Answers;
use super::client::{
    Client, Destination, Destinations, Line, Outgoing, Publishing, PublishingOptions, is_direct_reply,
};
use super::consume::{self, Asks, ReadingArgs, prefetch_count};
use super::settings::{self, Endpoint, Settings};
use crate::args::{ANSWER_BY_EXEC, ANSWER_BY_MAP, ANSWER_UNTIL_END, LimitArgs, ReadyArgs, ReportArgs};
use crate::codec::{DecodeArgs, EncodeArgs, EncodeKeyArgs, Encoding, FormArgs, SchemaArgs};
use crate::context::Context;
use crate::error::Result;
use crate::exec::{ExecArgs, Gives, OfQueue};
use crate::flow::{self, Answerer, Keeps, OnRefusal, Relayed, Reporter, Sink, Writer};
use crate::jq::{LeavesOut, MapArgs};
use crate::message::{Message, Protocol, convert};
use crate::output::{Progress, Report, Shows};

/// How many answers may wait for their confirm.
const WINDOW: usize = 2048;

/// A program needs no more ahead than that it never waits.
const AHEAD: u16 = 50;

/// What is answered, and by what, where that is no other system.
#[derive(Debug, clap::Args)]
#[command(mut_arg("until_end", |arg| arg.help(ANSWER_UNTIL_END)))]
#[command(mut_arg("map", |arg| arg.help(ANSWER_BY_MAP).long_help(ANSWER_BY_MAP)))]
#[command(mut_arg("exec", |arg| arg.help(ANSWER_BY_EXEC)))]
pub(crate) struct Args {
    /// Name of the queue
    #[arg(value_name = "QUEUE")]
    queue: String,
    /// When to stop.
    #[command(flatten)]
    limits: LimitArgs,
    /// Who is told that it answers.
    #[command(flatten)]
    ready: ReadyArgs,
    /// How many requests the broker may send ahead of their answer, 1 to 65535: five for each that may be worked on, if not given
    #[arg(long, value_name = "COUNT", value_parser = prefetch_count)]
    prefetch: Option<u16>,
    /// MIME type of the answers; of --map and --via what they say, if not given
    #[arg(long, value_name = "TYPE", hide_short_help = true)]
    content_type: Option<String>,
    /// What requests are.
    #[command(flatten)]
    decode: DecodeArgs,
    /// What answers are made into.
    #[command(flatten)]
    encode: EncodeArgs,
    /// And how both are described.
    #[command(flatten)]
    form: FormArgs,
    /// A program that answers.
    #[command(flatten)]
    map: MapArgs,
    /// A command that answers.
    #[command(flatten)]
    exec: ExecArgs,
    /// What is told at the end.
    #[command(flatten)]
    report: ReportArgs,
    /// The connection.
    #[command(flatten)]
    settings: Settings,
}

impl Args {
    /// Whether a command is started for each request.
    pub(crate) fn starts_commands(&self) -> bool {
        self.exec.is_used()
    }
}

/// What answers, and is none of what RabbitMQ's part knows: it is opened beside the queue.
pub(crate) struct Via<'a> {
    /// How many requests it works on at a time.
    pub jobs: u16,
    /// Its refusals are told to the queue.
    pub rejects: bool,
    /// Opens it: a sink that answers with messages that have the request's properties.
    pub open: flow::Work<'a, Result<Writer>>,
}

/// Answers requests: each is taken out of the queue once the broker has confirmed its answer.
///
/// # Errors
/// As `amqp consume`; `Kind::Refused` when who asked has gone before his answer came; those of what answers.
pub(crate) async fn run(args: Args, via: Option<Via<'_>>, cx: &Context) -> Result<()> {
    let Args { queue, limits, ready, prefetch, content_type, decode, encode, form, map, exec, report, settings } = args;
    let form = form.for_both(&decode, &encode)?;
    let (none, schema) = (EncodeKeyArgs::default(), SchemaArgs::default());
    let encoding = encode.prepare(&none, &schema, &form, "", None)?;
    let command = exec.prepare(true)?;
    let program = map.stage()?;
    let keeps = match (&program, &via) {
        (Some(_), _) => Keeps::All,
        (None, Some(_)) => Keeps::Headers,
        (None, None) => Keeps::Body,
    };
    let other = match &via {
        Some(via) => OfQueue { jobs: Some(via.jobs), gives_back: via.rejects },
        None => OfQueue { jobs: Some(AHEAD), gives_back: false },
    };
    let asks = Asks {
        exec: Some(exec.of_queue().unwrap_or(other)),
        dead: exec.target()?.map(str::to_owned),
        leaves_out: LeavesOut::Nothing,
        takes_out: true,
    };
    let endpoint = settings::endpoint(&cx.settings(&settings)?)?;
    let reading = ReadingArgs::of(queue.clone(), limits, settings).ahead(prefetch).ready(ready);
    let reading = reading.decoding(decode, form);
    let told = format!("what is asked through queue `{queue}` is answered");
    let reader = consume::prepare_carried(reading, asks, cx)?.saying(told);
    let progress = Progress::writer(&cx.terminal, "answered", None);
    let mut report = Report::new(cx.terminal, progress, Shows::Carried, report.report.as_ref())?;
    if command.is_some() {
        // Commands may write where it would be drawn.
        report.end();
    }
    let sink = answers(endpoint, cx).await?;
    let answerer = Answerer {
        program,
        command: command.map(|command| command.relay(Gives::Answers, &cx.shutdown)),
        via: via.map(|via| via.open),
        first: Vec::new(),
        last: encoding.map(Encoding::stage),
        sink,
    };
    answerer.run(Answers { keeps, content_type }, reader.open(cx), &cx.shutdown, &mut report).await
}

/// Where answers go. One that nobody waits for any more is refused, and its request is done.
async fn answers(endpoint: Endpoint, cx: &Context) -> Result<Box<dyn Sink>> {
    let client = Arc::new(Client::connect(&endpoint, &cx.policy, &cx.shutdown).await?);
    let make = |message: Message<'_>| {
        let mut outgoing = Outgoing::new(convert::to(Protocol::Amqp, message, None)?)?;
        // RabbitMQ says of an answer on the asker's own channel that no queue wanted it, whether it arrived or not.
        outgoing.mandatory = !is_direct_reply(outgoing.routing_key.as_str());
        Ok(outgoing)
    };
    let options = PublishingOptions {
        on_return: Some(OnRefusal::Skip),
        ..PublishingOptions::confirmed(client.clone(), cx.shutdown.clone(), WINDOW, Box::new(make))
    };
    let opened = async {
        let sink = Publishing::open(options).await?;
        let line = Line { endpoint, policy: cx.policy, shutdown: cx.shutdown.clone() };
        Ok((sink, Destinations::open(Destination::Asker, line).await?))
    };
    match cx.shutdown.or_stop(opened).await {
        Ok((sink, asked)) => Ok(Box::new(Relayed::new(Box::new(asked), Vec::new(), Box::new(sink)))),
        Err(error) => {
            client.close(&cx.shutdown).await;
            Err(error)
        }
    }
}
