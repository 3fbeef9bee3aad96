//! The call itself: requests go up, and responses come down.

use std::time::Instant;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::poll_immediate;
use tokio::sync::oneshot;
use tonic::Code;

use super::data::{Ready, Sent};
use super::events::EventWriter;
use super::format::RequestFormat;
use super::known::KnownMethod;
use super::requests::Requests;
use super::trace;
use crate::args::DataArgs;
use crate::context::Context;
use crate::error::{Error, Kind, Result, counted};
use crate::grpc::client::{Call, Status, start};
use crate::grpc::shared::session::Session;
use crate::jq::{Given, Values};
use crate::output::Terminal;
use crate::proto::rpc;
use crate::values::millis;

/// A call, from its first request to its status.
pub(crate) struct Calling<'a> {
    known: KnownMethod,
    events: EventWriter,
    /// What is done with each response first.
    programs: Option<Values>,
    /// How many of them did not let pass.
    left_out: u64,
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
    pub(crate) fn new(
        known: KnownMethod,
        mut events: EventWriter,
        programs: Option<Values>,
        count: Option<u64>,
        cx: &'a Context,
    ) -> Calling<'a> {
        events.of(&known.method);
        Calling { known, events, programs, left_out: 0, odd: 0, count, started: Instant::now(), ending: None, cx }
    }

    /// Writes what is left of the output.
    ///
    /// # Errors
    /// How the call ended; as [`EventWriter::flush`].
    pub(crate) async fn end(mut self, ended: Result<()>) -> Result<()> {
        let ended = self.events.end(ended).await;
        if self.odd > 1 {
            self.cx.terminal.warn(format!("{} have no canonical JSON", counted(self.odd, "response")));
        }
        for text in self.programs.iter().flat_map(Values::account) {
            self.cx.terminal.warn(text);
        }
        // The process ends with the call: giving the types back one by one would be a tenth of its time.
        std::mem::forget(self.known);
        ended
    }

    /// As [`KnownMethod::requests`].
    ///
    /// # Errors
    /// As [`KnownMethod::requests`].
    pub(crate) async fn requests(&mut self, reading: RequestFormat, data: &DataArgs) -> Result<Ready> {
        self.known.requests(reading, data).await
    }

    /// Sends the requests and prints the responses.
    ///
    /// # Errors
    /// As the verb.
    pub(crate) async fn run(&mut self, mut session: Session, requests: Ready) -> Result<()> {
        self.started = Instant::now();
        let ended = match requests {
            Ready::One(message) => match self.known.call_once(&mut session, message).await {
                Ok(call) => self.converse(&mut session, call, Sent(None)).await,
                Err(error) => Err(error),
            },
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
        let (path, options) = (self.known.path(), self.known.options(session));
        let opening = start(&mut session.connection, &path, requests, &options);
        let call = self.known.during(sent.fault(), opening).await??;
        self.converse(session, call, sent).await
    }

    /// Prints what comes until the server ends the call, whether the requests have ended or not.
    async fn converse(&mut self, session: &mut Session, mut call: Call, mut sent: Sent) -> Result<()> {
        let first = self.started.elapsed();
        let trailers = !call.headers.is_empty();
        if trailers {
            self.events.headers(&call.headers);
        }
        let listened = self.listen(session, &mut call, &mut sent).await;
        let is_stream = self.known.method.descriptor.is_server_streaming();
        if is_stream && self.cx.shutdown.reason().is_some() {
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
        if self.is_enough(received) && is_stream {
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
        self.count.is_some_and(|count| received - self.left_out >= count)
    }

    async fn listen(&mut self, session: &mut Session, call: &mut Call, sent: &mut Sent) -> Result<()> {
        loop {
            self.cx.shutdown.check()?;
            sent.check()?;
            let next = {
                let mut next = std::pin::pin!(call.message(&session.connection));
                match poll_immediate(&mut next).await {
                    Some(next) => next,
                    None => {
                        // Nothing more for now: what came is shown at once.
                        self.events.flush().await?;
                        let events = &self.events;
                        let fault = async {
                            tokio::select! {
                                error = sent.fault() => error,
                                error = events.unread() => error,
                            }
                        };
                        self.known.during(fault, next).await?
                    }
                }
            };
            match next? {
                Some(message) => {
                    self.message(session, &message, call.received()).await?;
                    // The one response of a call that has one is followed by its status, which counts.
                    if self.is_enough(call.received()) && self.known.method.descriptor.is_server_streaming() {
                        return Ok(());
                    }
                }
                None => return Ok(()),
            }
        }
    }

    async fn message(&mut self, session: &mut Session, bytes: &Bytes, number: u64) -> Result<()> {
        let message = self.known.response(session, bytes, number).await?;
        if let Some(programs) = &self.programs {
            let given = programs.apply(&self.events.envelope(&message, &(&self.known.types, rpc::Common)));
            programs.told().into_iter().for_each(|text| self.cx.terminal.warn(text));
            let given = given.map_err(|why| Error::usage(format!("response {number}: {why}")))?;
            if let Given::These(given) = given {
                self.left_out += u64::from(given.is_empty());
                given.iter().for_each(|envelope| self.events.mapped(envelope));
                return if self.events.is_full() { self.events.flush().await } else { Ok(()) };
            }
        }
        if let Some(odd) = self.events.message(bytes, &message, &(&self.known.types, rpc::Common)) {
            self.odd += 1;
            if self.odd == 1 {
                self.cx.terminal.warn(format!("response {number} has no canonical JSON: {odd}"));
            }
        }
        if self.events.is_full() { self.events.flush().await } else { Ok(()) }
    }

    async fn finish(&mut self, session: &mut Session, status: &Status, received: u64, trailers: bool) -> Result<()> {
        trace::status(&self.cx.terminal, status, trailers);
        if status.is_ok() && received == 0 && !self.known.method.descriptor.is_server_streaming() {
            let error =
                Error::new(Kind::Partial, "the server said OK, but sent no response").status(Code::Unimplemented);
            self.events.failed(&error, &status.metadata);
            return Err(error);
        }
        let names = rpc::unresolved(&status.details, &self.known.types);
        self.known.learn(session, names).await;
        self.events.status(status, &self.known.types);
        self.events.flush().await?;
        if !status.is_ok() {
            return Err(self.known.failure(status));
        }
        let passed = received - self.left_out;
        match self.count.filter(|count| passed < *count) {
            Some(count) => Err(few(passed, count)),
            None => Ok(()),
        }
    }
}

/// The error of a call that gave fewer responses than were asked for.
pub(crate) fn few(received: u64, count: u64) -> Error {
    Error::new(Kind::Unmet, format!("{received} of {count} responses came"))
}
