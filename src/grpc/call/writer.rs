//! A call for each message as the sink of a flow: what of `grpc call` writes, wherever messages come from.

use std::pin::Pin;
use std::task::{Context as Waking, Poll};

use futures_util::FutureExt;

use super::answers::Answers;
use super::format::{MessageFormat, RequestArgs, RequestFormat};
use super::known::KnownMethod;
use super::line::Line;
use super::metadata::Metadata;
use super::requests::Types;
use crate::args::RefusalArgs;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flow::{
    Dead, Declined, Heard, Lane, Manner, Next, OrderingKey, Outcome, Refusal, Sink, Ticket, Told, Work, Writer,
};
use crate::grpc::client::{Giving, Job, Unary, Way};
use crate::grpc::settings::Settings;
use crate::grpc::shared::methods;
use crate::grpc::shared::session::Connecting;
use crate::message::{Field, Message};
use crate::proto::rpc;
use crate::proto::schema::MessageType;
use crate::traceparent::{Trace, TraceArgs};

const ON_REFUSAL: &str = "What happens when a message is refused for what it is (the server answers that with its status): \
                          continue (the others go on, and it stays where it came from), stop, skip (it counts as done), \
                          reject (its queue is told, which drops it or dead-letters it), or dead:METHOD (that method is \
                          called with it, and it counts as done once that answered OK)";

/// What is called for each message, wherever they come from.
#[derive(Debug, clap::Args)]
#[command(mut_arg("request_format", |arg| arg.help("Form of the bodies: json (the default), text or binary")))]
#[command(mut_arg("on_refusal", |arg| arg.help(ON_REFUSAL)))]
#[command(mut_arg("allow_unknown_fields", |arg| arg.help("Skip fields in the bodies that the schema does not have")))]
pub(crate) struct WritingArgs {
    /// The method, which takes one message and has one response; its end is enough while it is the only one
    #[arg(value_name = "METHOD")]
    method: String,
    /// How many calls may be under way at a time; messages of one Kafka key (without a key, of one partition) stay in order
    #[arg(short, long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: u16,
    /// What becomes of a message that is refused.
    #[command(flatten)]
    refusal: RefusalArgs,
    /// The form of the requests.
    #[command(flatten)]
    requests: RequestArgs,
    /// Whether they are traced.
    #[command(flatten)]
    trace: TraceArgs,
    /// Connection.
    #[command(flatten)]
    connection: Settings,
}

/// What was typed is good, and nothing was sent yet.
pub(crate) struct Prepared {
    args: WritingArgs,
    connecting: Connecting,
    /// For the method that what was refused goes to.
    dead: Option<Connecting>,
    giving: Giving,
    trace: Option<Trace>,
}

/// Checks what was typed.
///
/// # Errors
/// `Kind::Usage`; `Kind::Config`; as [`Connecting::of`].
pub(crate) fn prepare(args: WritingArgs, cx: &Context) -> Result<Prepared> {
    methods::typed(&args.method)?;
    args.requests.check(MessageFormat::Json)?;
    args.refusal.target().map(methods::typed).transpose()?;
    let connecting = Connecting::of(&args.connection, cx)?;
    let dead = args.refusal.target().map(|_| Connecting::of(&args.connection, cx)).transpose()?;
    let trace = args.trace.trace(|text| cx.terminal.warn(text));
    Ok(Prepared { args, connecting, dead, giving: Giving::Nothing, trace })
}

/// The same for a sink that answers; with `gives_status` what the server refuses is answered with its status.
///
/// # Errors
/// As [`prepare`].
pub(crate) fn prepare_answering(args: WritingArgs, gives_status: bool, cx: &Context) -> Result<Prepared> {
    let giving = if gives_status { Giving::Statuses } else { Giving::Responses };
    Ok(Prepared { giving, ..prepare(args, cx)? })
}

impl Prepared {
    /// Connects, and is ready to call.
    ///
    /// # Errors
    /// `Kind::Usage` for a method that streams; as [`Connecting::connect`] and reflection.
    pub(crate) async fn open(self, cx: &Context) -> Result<Writer> {
        let Prepared { args, connecting, dead, giving, trace } = self;
        let sink = args.sink(&args.method, connecting, giving, trace, cx).await?;
        let dead = match (dead, args.refusal.target()) {
            (Some(connecting), Some(method)) => {
                Some(Dead::new(Vec::new(), Box::new(args.sink(method, connecting, Giving::Nothing, None, cx).await?)))
            }
            _ => None,
        };
        let on_refusal = args.refusal.policy();
        Ok(Writer { stages: Vec::new(), sink: Box::new(sink), on_refusal, dead, manner: Manner::Confirmed })
    }
}

impl WritingArgs {
    /// What becomes of a message that is refused.
    pub(crate) fn refusal(&self) -> &RefusalArgs {
        &self.refusal
    }

    /// How many calls may be under way at a time.
    pub(crate) fn jobs(&self) -> u16 {
        self.jobs
    }

    async fn sink(
        &self,
        method: &str,
        connecting: Connecting,
        giving: Giving,
        trace: Option<Trace>,
        cx: &Context,
    ) -> Result<Calls> {
        let max_send = connecting.max_send;
        let (known, line) = Line::find(connecting, method, &self.connection, cx).await?;
        let descriptor = &known.method.descriptor;
        if descriptor.is_client_streaming() || descriptor.is_server_streaming() {
            return Err(Error::usage(format!("{} streams", known.method.full_name()))
                .hint("to be called for each message, a method takes one request and has one response"));
        }
        let session = line.connect(cx).await?;
        let options = known.options(&session);
        let metadata = Metadata::beside(&options.metadata, trace).hiding_asker(giving != Giving::Nothing);
        let way = Way {
            dialer: session.dialer(),
            connection: session.connection,
            policy: cx.policy,
            shutdown: cx.shutdown.clone(),
            path: known.path().into(),
            options,
            jobs: usize::from(self.jobs),
        };
        let reading = self.requests.reading(MessageFormat::Json);
        let answers = (giving != Giving::Nothing)
            .then(|| Answers::new(known.method.output.clone(), reading.format, giving == Giving::Statuses));
        Ok(Calls {
            unary: Unary::new(way),
            of: known.method.input.clone(),
            reading,
            answers,
            max_send,
            types: known.types.clone(),
            known: Some(known),
            asking: None,
            refused: Vec::new(),
            metadata,
            is_last: false,
        })
    }
}

/// Calls for messages.
struct Calls {
    unary: Unary,
    of: MessageType,
    reading: RequestFormat,
    /// Where calls give something back.
    answers: Option<Answers>,
    max_send: Option<usize>,
    types: Types,
    /// Away while the server is asked.
    known: Option<KnownMethod>,
    asking: Option<Asking>,
    /// Refused before they were sent.
    refused: Vec<(Ticket, Outcome)>,
    metadata: Metadata,
    /// Nothing more comes.
    is_last: bool,
}

/// The server is asked for a type inside of an `Any`, and all waits for it.
struct Asking {
    answer: Pin<Box<dyn Future<Output = KnownMethod>>>,
    asked: Vec<String>,
    /// What becomes a call then.
    body: Vec<u8>,
    job: Job,
}

/// Why a body is no request.
enum Unread {
    /// A sentence.
    Bad(String),
    /// The type of an `Any` is not known.
    Unknown(String, String),
}

impl Calls {
    /// A request in the place of a body.
    fn read(&self, body: &[u8], job: &mut Job) -> Result<(), Unread> {
        let request = self.reading.request(&self.of, body, &(&self.types, rpc::Common)).map_err(|fault| {
            let place = match self.reading.format {
                MessageFormat::Binary => String::new(),
                MessageFormat::Json | MessageFormat::Text => format!("line {}, column {}: ", fault.line, fault.column),
            };
            let why = format!("{place}{}", fault.message);
            match fault.unresolved {
                Some(name) => Unread::Unknown(name, why),
                None => Unread::Bad(why),
            }
        })?;
        if let Some(limit) = self.max_send.filter(|limit| request.len() > *limit) {
            let size = request.len();
            return Err(Unread::Bad(format!("the request has {size} bytes, over the limit of --max-send, {limit}")));
        }
        job.request = request;
        Ok(())
    }

    /// Takes a message whose types are known, as far as they can be; what is wrong with it otherwise.
    fn take(&mut self, body: &[u8], mut job: Job, asked: Vec<String>) -> Result<(), (Ticket, String)> {
        match self.read(body, &mut job) {
            Ok(()) => self.unary.submit(job),
            Err(Unread::Bad(why)) => return Err((job.ticket, why)),
            Err(Unread::Unknown(name, why)) if asked.contains(&name) => return Err((job.ticket, why)),
            Err(Unread::Unknown(name, why)) => match self.known.take() {
                None => return Err((job.ticket, why)),
                Some(mut known) => {
                    let mut asked = asked;
                    asked.push(name.clone());
                    let answer = Box::pin(async move {
                        known.ask(name).await;
                        known
                    });
                    self.asking = Some(Asking { answer, asked, body: body.to_vec(), job });
                }
            },
        }
        Ok(())
    }

    /// Takes up the answer to a question.
    fn poll_asking(&mut self, cx: &mut Waking<'_>) {
        while let Some(asking) = &mut self.asking {
            let Poll::Ready(known) = asking.answer.poll_unpin(cx) else { return };
            self.types.clone_from(&known.types);
            self.known = Some(known);
            let Some(Asking { asked, body, job, .. }) = self.asking.take() else { return };
            if let Err((ticket, why)) = self.take(&body, job, asked) {
                let why = format!("no {}: {why}", self.of.full_name());
                let answer = self.answers.as_mut().and_then(|answers| answers.unfit(ticket, &why));
                let outcome = answer.unwrap_or_else(|| Outcome::Refused(Box::new(Refusal::new(why))));
                self.refused.push((ticket, outcome));
            }
        }
    }

    /// Outcomes from there on are the server's: what it gave goes on.
    fn answer(&mut self, from: usize, heard: &mut Heard) {
        let Some(answers) = &mut self.answers else { return };
        for (ticket, outcome) in heard.outcomes.split_off(from) {
            let outcome = answers.outcome(ticket, outcome, &self.types, heard);
            heard.outcome(ticket, outcome);
        }
    }

    fn tell_left_out(&mut self, heard: &mut Heard) {
        if let Some(text) = self.metadata.left_out() {
            heard.told.push(Told::Warn(text));
        }
    }
}

impl Sink for Calls {
    fn room(&self) -> usize {
        if self.asking.is_some() { 0 } else { self.unary.room() }
    }

    fn is_empty(&self) -> bool {
        self.asking.is_none() && self.refused.is_empty() && self.unary.is_empty()
    }

    fn submit<'b>(&mut self, next: &mut Next<'_, 'b>) -> Result<(), Declined> {
        let mut message = Message::default();
        while self.room() > 0 {
            let Some(ticket) = next(&mut message) else { return Ok(()) };
            let taken = match &message.value {
                Field::Bytes(body) => {
                    let of = if self.answers.is_some() { OrderingKey::of_request } else { OrderingKey::of };
                    let (order, metadata) = (of(&message), self.metadata.of(&message.headers));
                    let giving = self.answers.as_ref().map_or(Giving::Nothing, |answers| answers.giving(&message));
                    let job = Job { ticket, order, request: bytes::Bytes::new(), metadata, giving };
                    self.take(body, job, Vec::new()).map_err(|(_, why)| format!("no {}: {why}", self.of.full_name()))
                }
                Field::Null | Field::Absent => Err("it has no body, and a request is made of one".to_owned()),
            };
            if let Some(answers) = &mut self.answers {
                answers.ask(ticket, std::mem::take(&mut message));
            }
            let Err(why) = taken else { continue };
            match self.answers.as_mut().and_then(|answers| answers.unfit(ticket, &why)) {
                Some(answer) => self.refused.push((ticket, answer)),
                None => return Err(Declined::unfit(why)),
            }
        }
        Ok(())
    }

    fn flush(&mut self, last: bool) -> Result<()> {
        self.is_last |= last;
        Ok(())
    }

    fn poll(&mut self, cx: &mut Waking<'_>, heard: &mut Heard) -> Poll<Result<()>> {
        self.poll_asking(cx);
        heard.outcomes.append(&mut self.refused);
        let known = heard.outcomes.len();
        if self.is_last && self.is_empty() {
            self.tell_left_out(heard);
        }
        let polled = self.unary.poll(cx, heard);
        self.answer(known, heard);
        match polled {
            Poll::Pending if !heard.is_empty() => Poll::Ready(Ok(())),
            polled => polled,
        }
    }

    fn recall(&mut self, lanes: Option<&[Lane]>) -> Vec<Ticket> {
        let recalled = self.unary.recall(lanes);
        if let Some(answers) = &mut self.answers {
            recalled.iter().for_each(|ticket| answers.forget(*ticket));
        }
        recalled
    }

    fn abandon(&mut self, heard: &mut Heard) {
        heard.outcomes.append(&mut self.refused);
        if let Some(asking) = self.asking.take() {
            heard.outcome(asking.job.ticket, Outcome::Unsent);
        }
        self.unary.abandon(heard);
        self.tell_left_out(heard);
    }

    fn close(self: Box<Self>) -> Work<'static, ()> {
        Box::pin(self.unary.close())
    }
}
