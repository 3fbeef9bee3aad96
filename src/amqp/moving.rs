//! `amqp move`: messages from one queue to another, or back to where they came from.

use std::cell::Cell;
use std::sync::Arc;

use super::client::{Client, Destination, Destinations, Line, Outgoing, Publishing, PublishingOptions, look_at};
use super::consume::{self, Asks, ReadingArgs};
use super::settings::{self, Settings};
use super::shared::arguments::full_name;
use crate::args::{LimitArgs, ReportArgs};
use crate::context::Context;
use crate::error::{Error, Result, counted};
use crate::flow::{self, Flow, Manner, Names, OnRefusal, Passed, Sink, Stage, Unfit, Writer};
use crate::jq::{JqArgs, LeavesOut};
use crate::message::{Headers, Message, Table, Value};
use crate::output::{Progress, Report, Shows};

/// The header that counts how often a message was moved. RabbitMQ 4 does not count on in `x-death` of what was published again.
const MOVES: &str = "mscomm-moves";

/// Where and why a message was dead-lettered, the last time first
/// ([RabbitMQ](https://www.rabbitmq.com/docs/dlx#effects)).
const DEATHS: &str = "x-death";

/// More queues that a message is to go to: it was there already.
const COPIES: &str = "CC";

/// How many messages may wait for their confirm.
const WINDOW: usize = 2048;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The queue to take messages out of
    #[arg(value_name = "SRC")]
    source: String,
    /// The queue that they go to
    #[arg(value_name = "DST", required_unless_present = "to_origin")]
    target: Option<String>,
    /// Send each to the exchange and with the routing key by which it had come to the queue that dead-lettered it (x-death); one
    /// that was never dead-lettered stays
    #[arg(long, conflicts_with = "target")]
    to_origin: bool,
    /// Stop after so many messages; only these are moved, and fewer are exit 1
    #[arg(short = 'n', long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Go on with what comes, instead of stopping at what was there at the start
    #[arg(long)]
    follow: bool,
    /// Leave a message where it is that came back so often already: by the count of this command (mscomm-moves), or because
    /// its queue dead-lettered it more often than that (x-death)
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(i64).range(0..))]
    max_moves: Option<i64>,
    /// Programs over each message.
    #[command(flatten)]
    jq: JqArgs,
    /// What is told at the end.
    #[command(flatten)]
    report: ReportArgs,
    /// The connection.
    #[command(flatten)]
    settings: Settings,
}

impl Args {
    /// What cannot be meant.
    fn check(&self, cx: &Context) -> Result<()> {
        if self.target.as_ref() == Some(&self.source) {
            return Err(Error::usage(format!("`{}` is both the source and the target", self.source))
                .hint("name another queue, or send messages back to where they came from with --to-origin"));
        }
        let ends = self.count.is_some() || cx.shutdown.remaining().is_some();
        if self.follow && !ends && self.jq.of_queue() == LeavesOut::Most {
            let message =
                format!("what --filter leaves out of `{}` would be held, and there is no end to that", self.source);
            return Err(Error::usage(message).hint("say when to end (--count or --timeout), or leave --follow out"));
        }
        Ok(())
    }
}

/// Moves messages: each is taken out of its queue once the broker has confirmed it where it goes.
///
/// # Errors
/// `Kind::Usage`; `Kind::Refused` when one of the queues is not there, and for what was refused, which stays; `Kind::Unmet`
/// for fewer messages than asked for; as [`Client::connect`].
pub(crate) async fn run(args: Args, cx: &Context) -> Result<()> {
    args.check(cx)?;
    full_name("queue", &args.source)?;
    let target = args.target.as_deref().map(|target| full_name("queue", target).map(|_| target)).transpose()?;
    let mut stages = args.jq.stages()?;
    stages.push(Box::new(Routing::new(target, args.max_moves)));
    let stays = args.to_origin || args.max_moves.is_some();
    let leaves_out = match args.jq.of_queue() {
        // What is held while there is an end, or was checked here.
        LeavesOut::Nothing if !stays => LeavesOut::Nothing,
        _ => LeavesOut::Some,
    };
    let limits = LimitArgs { count: args.count, idle_timeout: None, until_end: !args.follow };
    let reading = ReadingArgs::of(args.source.clone(), limits, args.settings.clone());
    let reader = consume::prepare_carried(reading, Asks { exec: None, dead: None, leaves_out, takes_out: true }, cx)?;
    let endpoint = settings::endpoint(&cx.settings(&args.settings)?)?;
    let progress = Progress::writer(&cx.terminal, "moved", None);
    let mut report = Report::new(cx.terminal, progress, Shows::Carried, args.report.report.as_ref())?;
    let client = Arc::new(Client::connect(&endpoint, &cx.policy, &cx.shutdown).await?);
    let opened = async {
        if let Some(target) = target {
            look_at(&client.channel().await?, target).await?;
        }
        let make = |message: Message<'_>| {
            Outgoing::new(message).map(|mut outgoing| {
                outgoing.mandatory = true;
                outgoing
            })
        };
        let (client, shutdown) = (client.clone(), cx.shutdown.clone());
        Publishing::open(PublishingOptions::confirmed(client, shutdown, WINDOW, Box::new(make))).await
    };
    let sink = match cx.shutdown.or_stop(opened).await {
        Ok(sink) => sink,
        Err(error) => {
            client.close(&cx.shutdown).await;
            return Err(error);
        }
    };
    let writer = Writer {
        stages: Vec::new(),
        sink: Box::new(sink),
        on_refusal: OnRefusal::Continue,
        dead: None,
        manner: Manner::Confirmed,
    };
    let reader = match reader.open(cx).await {
        Ok(reader) => reader,
        Err(error) => {
            writer.sink.close().await;
            return Err(error);
        }
    };
    let names = Names { source: "the source", sink: "the target" };
    // A target is there; where messages came from need not be.
    let relay: Option<Box<dyn Sink>> = match args.to_origin {
        true => {
            let line = Line { endpoint, policy: cx.policy, shutdown: cx.shutdown.clone() };
            Some(Box::new(Destinations::open(Destination::Exchange, line).await?))
        }
        false => None,
    };
    let flow = Flow::new(reader.through(stages, relay), writer, Manner::Carried, &cx.shutdown);
    flow::run(Flow { names: Some(names), ..flow }, &mut report).await
}

/// Says where each message goes, and counts how often it did.
struct Routing {
    target: Option<String>,
    max_moves: Option<i64>,
    /// How many stay: without a place to go to, and moved often enough.
    homeless: Cell<u64>,
    tired: Cell<u64>,
}

impl Routing {
    fn new(target: Option<&str>, max_moves: Option<i64>) -> Routing {
        let target = target.map(str::to_owned);
        Routing { target, max_moves, homeless: Cell::new(0), tired: Cell::new(0) }
    }

    /// Exchange and routing key.
    fn route(&self, headers: &Table<'_>) -> Option<(String, String)> {
        match &self.target {
            Some(target) => Some((String::new(), target.clone())),
            None => origin(headers),
        }
    }
}

impl Stage for Routing {
    fn apply<'b>(&'b self, mut message: Message<'b>) -> Result<Passed<'b>, Unfit> {
        let mut headers = message.headers.into_table().unwrap_or_default();
        let Some((exchange, routing_key)) = self.route(&headers) else {
            self.homeless.set(self.homeless.get() + 1);
            return Ok(Passed::None);
        };
        let moves = moves(&headers);
        if self.max_moves.is_some_and(|most| moves >= most) {
            self.tired.set(self.tired.get() + 1);
            return Ok(Passed::None);
        }
        headers.insert(MOVES, Value::I64(moves.saturating_add(1)));
        headers.remove(COPIES);
        message.headers = Headers::Amqp(headers);
        (message.exchange, message.routing_key) = (Some(exchange.into()), Some(routing_key.into()));
        Ok(Passed::One(message))
    }

    fn leaves_out(&self) -> bool {
        self.target.is_none() || self.max_moves.is_some()
    }

    fn account(&self) -> Option<String> {
        let (homeless, tired) = (self.homeless.get(), self.tired.get());
        let mut told = Vec::new();
        if homeless > 0 {
            told.push(format!("{} stayed: never dead-lettered (no x-death)", counted(homeless, "message")));
        }
        if tired > 0 {
            told.push(format!("{} stayed: came back often enough (--max-moves)", counted(tired, "message")));
        }
        (!told.is_empty()).then(|| told.join("; "))
    }
}

/// The last time that a message was dead-lettered.
fn last_death<'h, 'v>(headers: &'h Table<'v>) -> Option<&'h Table<'v>> {
    match headers.get(DEATHS)? {
        Value::Array(deaths) => match deaths.first()? {
            Value::Table(death) => Some(death),
            _ => None,
        },
        _ => None,
    }
}

/// Exchange and routing key by which a message had come to the queue that dead-lettered it.
fn origin(headers: &Table<'_>) -> Option<(String, String)> {
    let death = last_death(headers)?;
    let text = |value: &Value<'_>| match value {
        Value::Text(text) => String::from_utf8(text.to_vec()).ok(),
        _ => None,
    };
    let exchange = death.get("exchange").and_then(text)?;
    let routing_key = match death.get("routing-keys")? {
        Value::Array(keys) => text(keys.first()?)?,
        _ => return None,
    };
    Some((exchange, routing_key))
}

/// How often a message was moved, as far as it says so: by its own count, or by how often its queue had it back.
fn moves(headers: &Table<'_>) -> i64 {
    let own = headers.get(MOVES).and_then(Value::integer).unwrap_or(0);
    let deaths = last_death(headers).and_then(|death| death.get("count")).and_then(Value::integer).unwrap_or(1);
    own.max(deaths.saturating_sub(1)).max(0)
}
