//! The call itself: requests go up, responses come down, and types that turn up on the way are asked for.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::poll_immediate;
use futures_util::{Stream, StreamExt};
use prost_reflect::MessageDescriptor;
use tokio::sync::{mpsc, oneshot};
use tonic::Code;

use super::Args;
use super::data::{self, Ready, Sent};
use crate::cli::args::DataArgs;
use crate::context::Context;
use crate::error::{Error, Kind, Result, counted};
use crate::grpc::catalog::Found;
use crate::grpc::client::{Broken, Call, CallOptions, Status, start};
use crate::grpc::events::Events;
use crate::grpc::requests::{Question, Requests, Shape, Types, once};
use crate::grpc::session::{Prepared, Session, millis};
use crate::grpc::settings::Settings;
use crate::grpc::trace;
use crate::output::Terminal;
use crate::proto::dynamic::Message;
use crate::proto::schema::Method;
use crate::proto::{Files, rpc, unresolved};
use crate::shutdown::Reason;

/// How often a silent call looks whether somebody still reads its output.
const LOOK: Duration = Duration::from_millis(250);

/// A call, from its first request to its status.
pub struct Calling<'a> {
    path: String,
    method: Method,
    shape: Shape,
    files: Files,
    /// Where the types inside of `Any` are found; it grows as they turn up.
    types: Types,
    has_any: bool,
    /// Types that were asked for, whether the server knew them or not.
    asked: Vec<String>,
    events: Events,
    /// What the requests want to know.
    questions: mpsc::UnboundedReceiver<Question>,
    /// A second connection to answer them: the first one is busy with the call.
    side: Option<Session>,
    connection: &'a Settings,
    /// Whether the server is asked about itself.
    asks_server: bool,
    /// How many responses have no canonical JSON.
    odd: u64,
    /// `--count`.
    count: Option<u64>,
    started: Instant,
    /// Ends the requests when it is dropped.
    ending: Option<oneshot::Sender<()>>,
    cx: &'a Context,
}

impl<'a> Calling<'a> {
    /// Nothing is sent yet.
    pub fn new(
        args: &'a Args,
        (method, files): (Method, Files),
        mut events: Events,
        with: &Prepared,
        cx: &'a Context,
    ) -> Calling<'a> {
        let (ask, questions) = mpsc::unbounded_channel();
        events.of(&method);
        Calling {
            path: format!("/{}", method.full_name()),
            shape: Shape {
                reading: args.format.reading(),
                of: method.input.clone(),
                is_stream: method.descriptor.is_client_streaming(),
                max_send: with.max_send,
                ask,
            },
            types: vec![method.input.schema()],
            has_any: reaches_any(&method.descriptor.output()),
            asked: Vec::new(),
            method,
            files,
            events,
            questions,
            side: None,
            count: args.count,
            started: Instant::now(),
            ending: None,
            connection: &args.connection,
            asks_server: with.asks_server(),
            odd: 0,
            cx,
        }
    }

    /// Adds types that may stand inside of an `Any`.
    pub fn know(&mut self, types: Types) {
        self.types.extend(types);
    }

    /// Writes what is left of the output.
    ///
    /// # Errors
    /// How the call ended; as [`Events::flush`].
    pub async fn end(mut self, ended: Result<()>) -> Result<()> {
        let ended = self.events.end(ended).await;
        if self.odd > 1 {
            self.cx.terminal.warn(format!("{} have no canonical JSON", counted(self.odd, "response")));
        }
        // The process ends with the call: giving the types back one by one would be a tenth of its time.
        std::mem::forget((self.method, self.types, self.files));
        ended
    }

    /// Reads the request of a method that takes one, and checks what there is of a stream.
    ///
    /// # Errors
    /// As [`data::read`].
    pub async fn prepare(&mut self, data: &DataArgs) -> Result<Ready> {
        let reading = data::read(&self.shape, &self.method.descriptor.input(), data, self.cx.terminal)?;
        self.answering(reading).await
    }

    /// Sends the requests and prints the responses.
    ///
    /// # Errors
    /// As the verb.
    pub async fn run(&mut self, mut session: Session, requests: Ready) -> Result<()> {
        let ended = match requests {
            Ready::One(message) => self.one(&mut session, message).await,
            Ready::Stream(requests, typed) => self.stream(&mut session, *requests, typed).await,
        };
        if self.count.is_some() && ended.is_ok() {
            session.connection.close().await;
        }
        ended
    }

    async fn stream(&mut self, session: &mut Session, requests: Requests, typed: Option<Terminal>) -> Result<()> {
        let (requests, sent) = requests.into_stream(typed);
        let (ending, ended) = oneshot::channel();
        self.ending = Some(ending);
        let requests = requests.take_until(ended);
        let mut sent = Sent(Some(sent));
        let options = self.options(session);
        let call = self.open(session, requests, &options, &mut sent).await?.map_err(Error::from)?;
        self.converse(session, call, sent).await
    }

    async fn one(&mut self, session: &mut Session, message: Bytes) -> Result<()> {
        let cx = self.cx;
        let mut sent = Sent(None);
        let options = self.options(session);
        let call = match self.open(session, once(message.clone()), &options, &mut sent).await? {
            Err(broken) if broken.unprocessed => {
                cx.terminal.trace(format!("{}; calling once more", broken.error.chain()));
                session.reconnect(cx).await?;
                let options = self.options(session);
                self.open(session, once(message), &options, &mut sent).await?
            }
            opened => opened,
        };
        self.converse(session, call.map_err(Error::from)?, sent).await
    }

    /// Does the work, and answers its questions.
    async fn answering<T>(&mut self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let mut work = std::pin::pin!(work);
        loop {
            let question = tokio::select! {
                biased;
                reason = self.cx.shutdown.stopped() => return Err(reason.error()),
                done = &mut work => return done,
                question = self.questions.recv() => question,
            };
            self.answer(question).await;
        }
    }

    async fn answer(&mut self, question: Option<Question>) {
        // The other end is kept in `shape`: there is always one.
        let Some((name, answer)) = question else { return };
        if !self.asks_server {
            // The files are all there is, and they are known.
            let _ = answer.send(self.types.clone());
            return;
        }
        let names = vec![name];
        let side = match self.side.take() {
            None => self.open_side(&names).await,
            side => side,
        };
        if let Some(mut side) = side {
            if !self.asked.contains(&names[0]) {
                self.learn_by(&mut side, names).await;
            }
            self.side = Some(side);
        }
        // Who asked may have gone.
        let _ = answer.send(self.types.clone());
    }

    fn options(&mut self, session: &Session) -> CallOptions {
        self.started = Instant::now();
        let observer = self.cx.terminal.is_verbose().then(|| trace::observer(self.cx.terminal));
        CallOptions { observer, ..session.options(self.cx) }
    }

    /// Starts the call; the outer error is not the wire's.
    async fn open(
        &mut self,
        session: &mut Session,
        requests: impl Stream<Item = Bytes> + Send + 'static,
        options: &CallOptions,
        sent: &mut Sent,
    ) -> Result<Result<Call, Broken>> {
        let path = self.path.clone();
        let mut call = std::pin::pin!(start(&mut session.connection, &path, requests, options));
        loop {
            let question = tokio::select! {
                biased;
                reason = self.cx.shutdown.stopped() => return Err(reason.error()),
                error = sent.fault() => return Err(error),
                call = &mut call => return Ok(call),
                question = self.questions.recv() => question,
            };
            self.answer(question).await;
        }
    }

    /// Prints what comes until the server ends the call, whether the requests have ended or not.
    async fn converse(&mut self, session: &mut Session, mut call: Call, mut sent: Sent) -> Result<()> {
        let first = self.started.elapsed();
        let trailers = !call.headers.is_empty();
        if trailers {
            self.events.headers(&call.headers);
        }
        let listened = self.listen(session, &mut call, &mut sent).await;
        if self.method.descriptor.is_server_streaming() && self.cx.shutdown.reason().is_some() {
            let received = call.received();
            self.cx.terminal.note(format!("{} came", counted(received, "response")));
        }
        listened?;
        let received = call.received();
        self.cx.terminal.trace(format!(
            "{}; first byte {}, total {}",
            counted(received, "response"),
            millis(first),
            millis(self.started.elapsed())
        ));
        if self.is_enough(received) && self.method.descriptor.is_server_streaming() {
            // Without requests to come, dropping the call cancels it.
            self.ending = None;
            return self.events.flush().await;
        }
        let Some(status) = call.status() else {
            return Err(Error::new(Kind::Partial, "the call ended without a status"));
        };
        self.finish(session, &status, received, trailers).await
    }

    fn is_enough(&self, received: u64) -> bool {
        self.count.is_some_and(|count| received >= count)
    }

    async fn listen(&mut self, session: &mut Session, call: &mut Call, sent: &mut Sent) -> Result<()> {
        let mut look = tokio::time::interval(LOOK);
        loop {
            self.cx.shutdown.check()?;
            sent.check()?;
            let next = {
                let mut next = std::pin::pin!(call.message(&mut session.connection));
                match poll_immediate(&mut next).await {
                    Some(next) => next,
                    None => {
                        // Nothing more for now: what came is shown at once.
                        self.events.flush().await?;
                        loop {
                            tokio::select! {
                                biased;
                                reason = self.cx.shutdown.stopped() => return Err(reason.error()),
                                error = sent.fault() => return Err(error),
                                next = &mut next => break next,
                                question = self.questions.recv() => self.answer(question).await,
                                _ = look.tick() => if self.events.is_closed() {
                                    return Err(Error::new(Kind::ClosedPipe, "nobody reads standard output"));
                                },
                            }
                        }
                    }
                }
            };
            match next.map_err(Error::from)? {
                Some(message) => {
                    self.message(session, &message, call.received()).await?;
                    // The one response of a call that has one is followed by its status, which counts.
                    if self.is_enough(call.received()) && self.method.descriptor.is_server_streaming() {
                        return Ok(());
                    }
                }
                None => return Ok(()),
            }
        }
    }

    async fn message(&mut self, session: &mut Session, bytes: &Bytes, number: u64) -> Result<()> {
        if number > 1 && !self.method.descriptor.is_server_streaming() {
            let error = Error::new(Kind::Partial, "the server sent a second response to a call that has one");
            return Err(error.status(Code::Unimplemented));
        }
        let message = Message::decode(self.method.output.clone(), bytes.clone()).map_err(|e| {
            let name = self.method.output.full_name();
            Error::new(Kind::Partial, format!("response {number} is no {name}")).because(e)
        })?;
        if self.has_any {
            let names = unresolved(&message, &(&self.types, rpc::Common));
            self.learn(session, names).await;
        }
        if let Some(odd) = self.events.message(bytes, &message, &(&self.types, rpc::Common)) {
            self.odd += 1;
            if self.odd == 1 {
                self.cx.terminal.warn(format!("response {number} has no canonical JSON: {odd}"));
            }
        }
        if self.events.is_full() { self.events.flush().await } else { Ok(()) }
    }

    /// Asks the server for types that turned up inside of an `Any`. One that it does not tell is shown in base64.
    ///
    /// The connection of the call does, unless the server takes one call at a time: it would answer behind its end.
    async fn learn(&mut self, session: &mut Session, mut names: Vec<String>) {
        names.retain(|name| !self.asked.contains(name));
        if names.is_empty() {
            return;
        }
        if self.side.is_none() && session.connection.takes_one_call() {
            self.side = self.open_side(&names).await;
        }
        let mut side = self.side.take();
        self.learn_by(side.as_mut().unwrap_or(session), names).await;
        self.side = side;
    }

    /// A connection beside that of the call.
    async fn open_side(&self, names: &[String]) -> Option<Session> {
        match self.cx.shutdown.or_stop(Session::open(self.connection, self.cx)).await {
            Ok(side) => Some(side),
            Err(error) => {
                self.cx.terminal.trace(format!("no description of {}: {}", names.join(", "), error.chain()));
                None
            }
        }
    }

    async fn learn_by(&mut self, session: &mut Session, names: Vec<String>) {
        let mut catalog = session.catalog(self.cx, self.files.clone());
        for name in names {
            match self.cx.shutdown.or_stop(catalog.fetch(&name)).await {
                Ok(Found::Yes | Found::No) => {}
                Ok(Found::Unusable(error) | Found::Refused(error)) | Err(error) => {
                    self.cx.terminal.trace(format!("no description of `{name}`: {}", error.chain()));
                }
            }
            self.asked.push(name);
        }
        if let Ok(types) = catalog.schemas() {
            self.files = catalog.into_files();
            self.types = types;
        }
    }

    async fn finish(&mut self, session: &mut Session, status: &Status, received: u64, trailers: bool) -> Result<()> {
        trace::status(&self.cx.terminal, status, trailers);
        if status.is_ok() && received == 0 && !self.method.descriptor.is_server_streaming() {
            let error =
                Error::new(Kind::Partial, "the server said OK, but sent no response").status(Code::Unimplemented);
            self.events.failed(&error, &status.metadata);
            return Err(error);
        }
        let names = rpc::unresolved(&status.details, &self.types);
        self.learn(session, names).await;
        self.events.status(status, &self.types);
        self.events.flush().await?;
        if !status.is_ok() {
            // The server's timer may be the faster one by a hair: it is the same deadline.
            if status.exit_status() == Code::DeadlineExceeded as u8 {
                self.cx.shutdown.check()?;
                if self.cx.shutdown.remaining().is_some_and(|left| left.is_zero()) {
                    return Err(Reason::Timeout.error());
                }
            }
            return Err(status.error(&format!("{} failed", self.method.full_name()), &self.types));
        }
        match self.count.filter(|count| received < *count) {
            Some(count) => Err(Error::new(Kind::Unmet, format!("{received} of {count} responses came"))),
            None => Ok(()),
        }
    }
}

/// Whether an `Any` can stand somewhere in a message of this type.
fn reaches_any(root: &MessageDescriptor) -> bool {
    let mut open = vec![root.clone()];
    let mut known = HashSet::new();
    while let Some(message) = open.pop() {
        if message.full_name() == "google.protobuf.Any" {
            return true;
        }
        if known.insert(message.full_name().to_owned()) {
            let fields = message.fields().map(|f| f.kind()).chain(message.extensions().map(|e| e.kind()));
            open.extend(fields.filter_map(|kind| kind.as_message().cloned()));
        }
    }
    false
}
