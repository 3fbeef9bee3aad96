//! `amqp publish`.

mod account;
mod overrides;

use futures_util::StreamExt;
use lapin::Event;

use self::account::Account;
use self::overrides::{Mandatory, Overrides, PropertyArgs};
use super::client::{Client, Events, Limits, Outcome, Outgoing, Publisher, fault};
use super::settings::{self, Settings};
use crate::cli::args::{RecordArgs, source};
use crate::context::Context;
use crate::error::{Error, Kind, Result};
use crate::message::Field;
use crate::message::input::{Decoder, Input, Mode, Source, Step};
use crate::output::Progress;
use crate::values::{Delimiter, delimiter};

/// RabbitMQ takes no message above this, whatever its `max_message_size` says (rabbit.app, `?MAX_MSG_SIZE`).
const MAX_MESSAGE: (usize, &str) = (512 * 1024 * 1024, "RabbitMQ's largest message");

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Exchange to publish to; the default exchange if not given (or amq.default), where the routing key names a queue
    #[arg(short, long, value_name = "EXCHANGE")]
    exchange: Option<String>,
    /// Routing key; without -e it names a queue, also for an envelope that names an exchange
    #[arg(short = 'k', long, value_name = "KEY")]
    routing_key: Option<String>,
    /// What separates the routing key from the body, where each message begins with its own, with the escapes \n \t \xNN
    #[arg(short = 'K', long, value_name = "TEXT", value_parser = delimiter, conflicts_with = "routing_key")]
    key_delimiter: Option<Delimiter>,
    /// The data.
    #[command(flatten)]
    records: RecordArgs,
    /// Properties and headers.
    #[command(flatten)]
    properties: PropertyArgs,
    /// Fail for messages that no queue wants, instead of letting the broker drop them: the default where the message names
    /// a queue (no exchange, or the default one)
    #[arg(long)]
    mandatory: bool,
    /// Let the broker drop what no queue wants, also where the message names a queue
    #[arg(long, conflicts_with = "mandatory")]
    no_mandatory: bool,
    /// Do not ask the broker to confirm: faster, and nobody knows what arrived
    #[arg(long)]
    no_confirm: bool,
    /// How many messages may wait for their confirm
    #[arg(long, value_name = "COUNT", default_value_t = 2048, value_parser = clap::value_parser!(u32).range(1..))]
    window: u32,
    /// The connection.
    #[command(flatten)]
    settings: Settings,
}

/// Publishes.
///
/// # Errors
/// `Kind::Usage` for bad data, once what stands before it is confirmed; `Kind::Refused` for nacks, returns and an exchange
/// that is not there; `Kind::Partial` when the fate of a message is unknown; as [`Client::connect`].
pub async fn run(args: Args, cx: &Context) -> Result<()> {
    let mandatory = match args {
        Args { mandatory: true, .. } => Mandatory::Always,
        Args { no_mandatory: true, .. } => Mandatory::Never,
        _ => Mandatory::Queues,
    };
    let overrides = Overrides::new(args.exchange, args.routing_key, mandatory, args.properties)?;
    let own_keys = args.key_delimiter.is_some() || args.records.input == Some(Mode::Json);
    if overrides.lacks_destination() && !own_keys {
        return Err(Error::usage("neither an exchange nor a routing key: nothing says where to publish to")
            .hint("add -k QUEUE to publish to a queue, or -e EXCHANGE"));
    }
    if let (Some(delimiter), Some(text)) = (&args.key_delimiter, &args.records.data.data)
        && let Source::Text(text) = source(text)
        && memchr::memmem::find(&text, &delimiter.0).is_none()
    {
        return Err(Error::usage(format!("--data: {}", no_key(delimiter))));
    }
    let endpoint = settings::endpoint(&cx.settings(&args.settings)?)?;
    let input = args.records.open(args.key_delimiter.as_ref(), MAX_MESSAGE)?;
    let client = Client::connect(&endpoint, &cx.policy, &cx.shutdown).await?;
    let events = client.events();
    let window = usize::try_from(args.window).unwrap_or(usize::MAX);
    let publisher = cx.shutdown.or_stop(Publisher::open(&client, !args.no_confirm, window)).await?;
    let mut work = Work {
        client: &client,
        limits: Limits::of(&client),
        confirm: !args.no_confirm,
        window,
        stashed: None,
        outlived: None,
        decoder: Decoder::of(&input),
        progress: Progress::writer(&cx.terminal, "published", input.size()),
        input,
        overrides,
        key_delimiter: args.key_delimiter,
        publisher,
        account: Account::default(),
        failure: None,
        events,
        blocked: false,
        cx,
    };
    work.publish().await;
    if args.no_confirm && work.failure.is_none() {
        work.failure = cx.shutdown.or_stop(work.barrier()).await.err();
    }
    let Work { account, failure, progress, .. } = work;
    drop(progress);
    // Before the goodbye, which a broker that is silent does not answer.
    let concluded = conclude(account, failure, !args.no_confirm, cx);
    client.close(&cx.shutdown).await;
    concluded
}

/// Prints the account, and says how it all ended.
fn conclude(account: Account, failure: Option<Error>, confirm: bool, cx: &Context) -> Result<()> {
    let summary = account.summary(confirm);
    match account.is_well() && failure.is_none() {
        true => cx.terminal.note(summary),
        false => cx.terminal.warn(summary),
    }
    let failure = failure.map(|failure| match failure.kind() {
        Kind::Connect if account.has_confirmed() => failure.with_kind(Kind::Partial),
        _ => failure,
    });
    match (failure, account.error()) {
        (None, None) => Ok(()),
        (None, Some(error)) | (Some(error), None) => Err(error),
        (Some(failure), Some(unknown)) => {
            // What ended the work is the lesser news.
            if matches!(failure.kind(), Kind::Connect | Kind::Refused | Kind::Auth) && unknown.kind() == Kind::Partial {
                return Err(unknown.because(failure));
            }
            if unknown.kind() == Kind::Partial {
                cx.terminal.warn(unknown.chain());
            }
            Err(failure)
        }
    }
}

struct Work<'a> {
    client: &'a Client,
    limits: Limits,
    confirm: bool,
    window: usize,
    /// A message that has to wait for those before it.
    stashed: Option<(u64, Outgoing)>,
    /// The error of a channel that another one took the place of.
    outlived: Option<String>,
    input: Input,
    decoder: Decoder,
    overrides: Overrides,
    key_delimiter: Option<Delimiter>,
    publisher: Publisher,
    account: Account,
    progress: Progress,
    /// What ended the reading of the input.
    failure: Option<Error>,
    events: Events,
    blocked: bool,
    cx: &'a Context,
}

impl Work<'_> {
    async fn publish(&mut self) {
        let mut ended = false;
        loop {
            let full = ended || self.fill(&mut ended);
            self.progress.set(self.account.settled(), self.input.consumed());
            self.tell(false);
            if ended && self.publisher.is_empty() {
                break;
            }
            let (account, publisher) = (&mut self.account, &mut self.publisher);
            let mut report = |line, outcome| account.settle(line, outcome);
            tokio::select! {
                biased;
                reason = self.cx.shutdown.stopped() => {
                    self.failure = Some(reason.error());
                    return self.drain().await;
                }
                settled = publisher.settled(&mut report) => {
                    if let Err(error) = settled
                        && !self.go_on(&error).await
                    {
                        self.lost(error).await;
                        break;
                    }
                }
                Some(event) = self.events.next() => if self.happened(event).await { break },
                more = self.input.more(), if !full => {
                    if let Err(error) = more {
                        (self.failure, ended) = (Some(error), true);
                    } else {
                        self.tell(true);
                    }
                }
            }
        }
        self.tell(true);
    }

    /// Submits what is there, as far as the window allows. True when no more input is wanted now.
    fn fill(&mut self, ended: &mut bool) -> bool {
        loop {
            if let Some((line, message)) = self.stashed.take_if(|(_, message)| self.publisher.has_room_for(message)) {
                self.publisher.submit(line, message);
            }
            if self.stashed.is_some() || !self.publisher.has_room() {
                return true;
            }
            match self.next() {
                Ok(Next::Taken) => {}
                Ok(Next::NeedMore) => return false,
                Ok(Next::End) => {
                    *ended = true;
                    return true;
                }
                Err(error) => {
                    (self.failure, *ended) = (Some(error), true);
                    return true;
                }
            }
        }
    }

    fn next(&mut self) -> Result<Next> {
        let record = match self.input.step()? {
            Step::Record(record) => record,
            Step::NeedMore => return Ok(Next::NeedMore),
            Step::End => return Ok(Next::End),
        };
        let message = self.decoder.message(record)?;
        if let (Some(delimiter), Field::Absent) = (&self.key_delimiter, &message.key) {
            return Err(self.decoder.fault(record, no_key(delimiter)));
        }
        let outgoing = self.overrides.apply(message).map_err(|e| self.decoder.fault(record, e))?;
        self.account.submitted();
        if let Some(refused) = self.limits.refusal(&outgoing) {
            self.account.settle(record.line, refused);
        } else if self.publisher.has_room_for(&outgoing) {
            self.publisher.submit(record.line, outgoing);
        } else {
            self.stashed = Some((record.line, outgoing));
        }
        Ok(Next::Taken)
    }

    /// After an error of the channel: true when it was about one message, and another channel has taken its place.
    async fn go_on(&mut self, error: &lapin::Error) -> bool {
        if !self.publisher.outlives() {
            return false;
        }
        let opened = self.cx.shutdown.or_stop(Publisher::open(self.client, self.confirm, self.window)).await;
        if let Ok(publisher) = opened {
            (self.publisher, self.outlived) = (publisher, Some(error.to_string()));
            return true;
        }
        false
    }

    /// Something about the whole connection. True when it is over.
    async fn happened(&mut self, event: Event) -> bool {
        let terminal = &self.cx.terminal;
        match event {
            Event::ConnectionBlocked(reason) => {
                self.blocked = true;
                self.progress.suspend(|| terminal.warn(format!("the broker takes no messages for now: {reason}")));
            }
            Event::ConnectionUnblocked => {
                self.blocked = false;
                self.progress.suspend(|| terminal.note("the broker takes messages again"));
            }
            Event::Error(error) if self.outlived.take_if(|outlived| *outlived == error.to_string()).is_some() => {}
            Event::Error(error) if !self.publisher.tells_errors() => {
                self.lost(error).await;
                return true;
            }
            // With messages in flight, each of them gets the error, too.
            _ => {}
        }
        false
    }

    /// Without confirms: waits until the broker has looked at everything.
    async fn barrier(&mut self) -> Result<()> {
        match self.publisher.barrier().await {
            Ok(()) => Ok(()),
            Err(error) => Err(fault(&self.client.cause(error, &mut self.events).await, "cannot publish")),
        }
    }

    async fn lost(&mut self, error: lapin::Error) {
        let error = self.client.cause(error, &mut self.events).await;
        if let Some(earlier) = self.failure.replace(fault(&error, "cannot publish")) {
            self.progress.suspend(|| self.cx.terminal.warn(earlier.chain()));
        }
        let account = &mut self.account;
        self.publisher.abandon(&mut |line, outcome| account.settle(line, outcome));
        self.drop_stashed();
    }

    /// Nobody will send it.
    fn drop_stashed(&mut self) {
        if let Some((line, _)) = self.stashed.take() {
            self.account.settle(line, Outcome::Failed);
        }
    }

    /// Waits for the confirms of what is in flight, as long as draining may take.
    async fn drain(&mut self) {
        let until = tokio::time::Instant::now() + self.cx.shutdown.drain_left();
        // A blocked broker reads nothing: it would be waiting for nothing.
        while !self.blocked && !self.publisher.is_empty() {
            let account = &mut self.account;
            let mut report = |line, outcome| account.settle(line, outcome);
            match tokio::time::timeout_at(until, self.publisher.settled(&mut report)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    // The signal stays the reason of the end; what the broker said is told beside it.
                    let error = self.client.cause(error, &mut self.events).await;
                    let told = fault(&error, "cannot publish").chain();
                    self.progress.suspend(|| self.cx.terminal.warn(told));
                    break;
                }
                Err(_) => break,
            }
        }
        self.publisher.abandon(&mut |line, outcome| self.account.settle(line, outcome));
        self.drop_stashed();
        self.tell(true);
    }

    fn tell(&mut self, all: bool) {
        for line in self.account.news(all) {
            self.progress.suspend(|| self.cx.terminal.warn(line));
        }
    }
}

/// What is wrong with a message that does not begin with its routing key.
fn no_key(delimiter: &Delimiter) -> String {
    let shown = String::from_utf8_lossy(&delimiter.0);
    format!("no `{}` separates a routing key from the body", shown.escape_debug())
}

enum Next {
    Taken,
    NeedMore,
    End,
}
