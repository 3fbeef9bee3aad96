//! What is known of a method's types while it is called, and who is asked for more of them.

use std::collections::HashSet;

use bytes::Bytes;
use http::HeaderValue;
use prost_reflect::MessageDescriptor;
use tokio::sync::mpsc;
use tonic::Code;

use super::data::{self, Ready};
use super::format::RequestFormat;
use super::requests::{RequestShape, TypeQuestion, Types, once};
use super::trace;
use crate::args::DataArgs;
use crate::context::Context;
use crate::error::{Error, Kind, Result};
use crate::grpc::client::{Broken, Call, CallOptions, Status, start};
use crate::grpc::settings::Settings;
use crate::grpc::shared::catalog::Found;
use crate::grpc::shared::session::{Connecting, Session};
use crate::proto::dynamic::DynamicMessage;
use crate::proto::schema::Method;
use crate::proto::{Files, rpc, unresolved};
use crate::shutdown::Reason;
use crate::traceparent::{NAME, Trace};

/// A method, its types, and those that turn up inside of an `Any`.
pub(crate) struct KnownMethod {
    /// The method.
    pub method: Method,
    /// Where the types inside of `Any` are found; it grows as they turn up.
    pub types: Types,
    files: Files,
    has_any: bool,
    /// Types that were asked for, whether the server knew them or not.
    asked: Vec<String>,
    ask: mpsc::UnboundedSender<TypeQuestion>,
    /// What the requests want to know.
    questions: mpsc::UnboundedReceiver<TypeQuestion>,
    /// A second connection to answer them: the first one is busy with the call.
    side: Option<Session>,
    connection: Settings,
    /// Whether the server is asked about itself.
    asks_server: bool,
    max_send: Option<usize>,
    /// What is sent where no metadata says another one.
    traceparent: Option<HeaderValue>,
    cx: Context,
}

impl KnownMethod {
    /// A method with all the files that describe it.
    pub(crate) fn new(
        (method, files): (Method, Files),
        connection: &Settings,
        with: &Connecting,
        cx: &Context,
    ) -> KnownMethod {
        let (ask, questions) = mpsc::unbounded_channel();
        KnownMethod {
            types: vec![method.input.schema()],
            has_any: reaches_any(&method.descriptor.output()),
            method,
            files,
            asked: Vec::new(),
            ask,
            questions,
            side: None,
            connection: connection.clone(),
            asks_server: with.asks_server(),
            max_send: with.max_send,
            traceparent: None,
            cx: cx.clone(),
        }
    }

    /// Sends calls in a trace, unless their metadata says another one.
    pub(crate) fn trace(&mut self, trace: &Trace) {
        self.traceparent = HeaderValue::from_str(&trace.parent()).ok();
    }

    /// Adds types that may stand inside of an `Any`.
    pub(crate) fn know(&mut self, types: Types) {
        self.types.extend(types);
    }

    /// The path of a call.
    pub(crate) fn path(&self) -> String {
        format!("/{}", self.method.full_name())
    }

    /// How its requests are read.
    fn shape(&self, reading: RequestFormat) -> RequestShape {
        RequestShape {
            reading,
            of: self.method.input.clone(),
            is_stream: self.method.descriptor.is_client_streaming(),
            max_send: self.max_send,
            ask: self.ask.clone(),
        }
    }

    /// Reads the request of a method that takes one, and checks what there is of a stream.
    ///
    /// # Errors
    /// As [`data::read`]; the reason to stop.
    pub(crate) async fn requests(&mut self, reading: RequestFormat, data: &DataArgs) -> Result<Ready> {
        let shape = self.shape(reading);
        let requests = data::read(&shape, &self.method.descriptor.input(), data, self.cx.terminal)?;
        self.during(std::future::pending(), requests).await?
    }

    /// What is sent with a call that begins now.
    pub(crate) fn options(&self, session: &Session) -> CallOptions {
        let observer = self.cx.terminal.is_verbose().then(|| trace::observer(self.cx.terminal));
        let mut options = CallOptions { observer, ..session.options(&self.cx) };
        if let Some(traceparent) = &self.traceparent {
            options.metadata.entry(NAME).or_insert_with(|| traceparent.clone());
        }
        options
    }

    /// Does the work, and answers its questions. It ends early with a fault, and when it has to stop.
    ///
    /// # Errors
    /// The fault; the reason to stop.
    pub(crate) async fn during<T>(
        &mut self,
        fault: impl Future<Output = Error>,
        work: impl Future<Output = T>,
    ) -> Result<T> {
        let (mut fault, mut work) = (std::pin::pin!(fault), std::pin::pin!(work));
        loop {
            let question = tokio::select! {
                biased;
                reason = self.cx.shutdown.stopped() => return Err(reason.error()),
                error = &mut fault => return Err(error),
                done = &mut work => return Ok(done),
                // One sender is kept here: there is always a next one.
                Some(question) = self.questions.recv() => question,
            };
            let (name, answer) = question;
            self.ask(name).await;
            // Who asked may have gone.
            let _ = answer.send(self.types.clone());
        }
    }

    /// Makes a call with one request; once more when the server surely did not look at the first.
    ///
    /// # Errors
    /// As [`start`]; the reason to stop.
    pub(crate) async fn call_once(&mut self, session: &mut Session, message: Bytes) -> Result<Call> {
        match self.try_once(session, message.clone()).await? {
            Err(broken) if broken.unprocessed => {
                self.cx.terminal.trace(format!("{}; calling once more", broken.error.chain()));
                session.reconnect(&self.cx).await?;
                Ok(self.try_once(session, message).await??)
            }
            opened => Ok(opened?),
        }
    }

    async fn try_once(&mut self, session: &mut Session, message: Bytes) -> Result<Result<Call, Broken>> {
        let (path, options) = (self.path(), self.options(session));
        self.during(std::future::pending(), start(&mut session.connection, &path, once(message), &options)).await
    }

    /// Reads a response, and asks for the types inside of it that nobody knows yet.
    ///
    /// # Errors
    /// [`Kind::Partial`]: it is none.
    pub(crate) async fn response(
        &mut self,
        session: &mut Session,
        bytes: &Bytes,
        number: u64,
    ) -> Result<DynamicMessage> {
        if number > 1 && !self.method.descriptor.is_server_streaming() {
            let error = Error::new(Kind::Partial, "the server sent a second response to a call that has one");
            return Err(error.status(Code::Unimplemented));
        }
        let message = DynamicMessage::decode(self.method.output.clone(), bytes.clone()).map_err(|e| {
            let name = self.method.output.full_name();
            Error::new(Kind::Partial, format!("response {number} is no {name}")).because(e)
        })?;
        if self.has_any {
            let names = unresolved(&message, &(&self.types, rpc::Common));
            self.learn(session, names).await;
        }
        Ok(message)
    }

    /// The error of a call that ended with a status other than OK.
    pub(crate) fn failure(&self, status: &Status) -> Error {
        let is_late = status.exit_status() == Code::DeadlineExceeded as u8;
        match self.cx.shutdown.reason().filter(|_| is_late) {
            Some(reason) => reason.error(),
            // The server's timer may be the faster one by a hair: it is the same deadline.
            None if is_late && self.cx.shutdown.remaining().is_some_and(|left| left.is_zero()) => {
                Reason::Timeout.error()
            }
            None => status.error(&format!("{} failed", self.method.full_name()), &self.types),
        }
    }

    /// Asks the server for types that turned up inside of an `Any`. One that it does not tell is shown in base64.
    ///
    /// The connection of the call does, unless the server takes one call at a time: it would answer behind its end.
    pub(crate) async fn learn(&mut self, session: &mut Session, mut names: Vec<String>) {
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

    /// Asks the server for the type of an `Any` in a request, beside the call.
    pub(crate) async fn ask(&mut self, name: String) {
        // The files are all there is, and they are known.
        if !self.asks_server || self.asked.contains(&name) {
            return;
        }
        let names = vec![name];
        let side = match self.side.take() {
            None => self.open_side(&names).await,
            side => side,
        };
        if let Some(mut side) = side {
            self.learn_by(&mut side, names).await;
            self.side = Some(side);
        }
    }

    /// A connection beside that of the call.
    async fn open_side(&self, names: &[String]) -> Option<Session> {
        match self.cx.shutdown.or_stop(Session::open(&self.connection, &self.cx)).await {
            Ok(side) => Some(side),
            Err(error) => {
                self.cx.terminal.trace(format!("no description of {}: {}", names.join(", "), error.chain()));
                None
            }
        }
    }

    async fn learn_by(&mut self, session: &mut Session, names: Vec<String>) {
        let mut catalog = session.catalog(&self.cx, self.files.clone());
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
