//! The data of a call, made into request messages as the call takes them.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use tokio::sync::{mpsc, oneshot};
use tonic::Code;

use super::format::{MessageFormat, RequestFormat};
use crate::error::{Error, Kind, Result};
use crate::message::input::{DataSource, Input, Mode, NextRecord, Options};
use crate::output::Terminal;
use crate::proto::dynamic::DynamicMessage;
use crate::proto::rpc;
use crate::proto::schema::{MessageType, Schema};

/// The largest text of one message: bounds the memory.
const LIMIT: (usize, &str) = (256 << 20, "a request message");

/// How long a method that takes one message waits for the first byte on a standard input that nobody named.
const PATIENCE: Duration = Duration::from_secs(10);
/// When it says what it waits for.
const NOTE: Duration = Duration::from_secs(1);

/// A question for the type of an `Any` that no known schema has, and where the answer goes: the types that are known then.
pub(crate) type TypeQuestion = (String, oneshot::Sender<Types>);

/// Where the types inside of `Any` are found: the server may define one otherwise than a given file.
pub(crate) type Types = Vec<Schema>;

/// Request messages in a source.
pub(crate) struct Requests {
    input: Input,
    reading: RequestFormat,
    of: MessageType,
    /// It grows as types are asked for.
    types: Types,
    ask: mpsc::UnboundedSender<TypeQuestion>,
    max_send: Option<usize>,
    count: u64,
}

/// How the messages of a method are read.
#[derive(Clone)]
pub(crate) struct RequestShape {
    /// Their form.
    pub reading: RequestFormat,
    /// Their type.
    pub of: MessageType,
    /// Whether there can be any number of them.
    pub is_stream: bool,
    /// The largest message that is sent, in bytes.
    pub max_send: Option<usize>,
    /// Who knows more types.
    pub ask: mpsc::UnboundedSender<TypeQuestion>,
}

impl Requests {
    /// Opens the source.
    ///
    /// # Errors
    /// As [`Input::open`].
    pub(crate) fn open(source: DataSource, shape: RequestShape) -> Result<Requests> {
        let RequestShape { reading, of, is_stream, max_send, ask } = shape;
        let mode = match (reading.format, is_stream) {
            (MessageFormat::Json, _) => Mode::Json,
            (MessageFormat::Text, true) => Mode::Text,
            (MessageFormat::Binary, true) => Mode::Delimited,
            (MessageFormat::Text | MessageFormat::Binary, false) => Mode::Raw,
        };
        let options = Options { mode, delimiter: Vec::new(), key_delimiter: None, limit: LIMIT };
        let input = Input::open(source, options)?;
        let input = if reading.format == MessageFormat::Text { input.as_text() } else { input };
        Ok(Requests { input, reading, types: vec![of.schema()], of, ask, max_send, count: 0 })
    }

    /// The next message, encoded, or `None` at the end.
    ///
    /// # Errors
    /// `Kind::Usage` with the place of a fault, `Kind::Io` when the source cannot be read.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>> {
        let mut asked = Vec::new();
        loop {
            match self.input.step()? {
                NextRecord::Record(record) => loop {
                    let known = (&self.types, rpc::Common);
                    let fault = match self.reading.request(&self.of, record.bytes, &known) {
                        Ok(message) => {
                            self.count += 1;
                            if let Some(limit) = self.max_send.filter(|limit| message.len() > *limit) {
                                let (number, size) = (self.count, message.len());
                                self.count -= 1;
                                let text =
                                    format!("request {number} has {size} bytes, over the limit of --max-send, {limit}");
                                return Err(Error::usage(text).hint("raise --max-send, or leave it out"));
                            }
                            return Ok(Some(message));
                        }
                        Err(fault) => fault,
                    };
                    if let Some(name) = fault.unresolved.filter(|name| !asked.contains(name)) {
                        let (answer, answered) = oneshot::channel();
                        // Nobody answers once the call is over.
                        let _ = self.ask.send((name.clone(), answer));
                        if let Ok(types) = answered.await {
                            self.types = types;
                        }
                        asked.push(name);
                        continue;
                    }
                    let (number, line, before) = (record.number, record.line, record.column);
                    let source = self.input.source();
                    let place = match self.reading.format {
                        MessageFormat::Binary => format!("{source}, message {number}"),
                        MessageFormat::Json | MessageFormat::Text => {
                            let line = line + (fault.line as u64).saturating_sub(1);
                            let column = if fault.line == 1 { before + fault.column } else { fault.column };
                            format!("{source}, line {line}, column {column}")
                        }
                    };
                    return Err(Error::usage(format!("{place}: {}", fault.message)));
                },
                NextRecord::NeedMore => {}
                NextRecord::End => return Ok(None),
            }
            self.input.more().await?;
        }
    }

    /// The one message of a method that takes one; an empty one when the source has none.
    ///
    /// # Errors
    /// As [`Requests::next`]; `Kind::Usage` for a second message.
    pub(crate) async fn single(&mut self) -> Result<Bytes> {
        let Some(message) = self.next().await? else { return empty(&self.of) };
        match self.next().await? {
            None => Ok(message),
            Some(_) => Err(Error::usage("a second message for a method that takes one")
                .hint("call it once for each message, or pass one with -d")),
        }
    }

    /// Reads to the end.
    ///
    /// # Errors
    /// As [`Requests::next`].
    pub(crate) async fn check(&mut self) -> Result<()> {
        while self.next().await?.is_some() {}
        Ok(())
    }

    /// Waits for the first bytes, but not for ever: a script's standard input may stay open and silent.
    ///
    /// # Errors
    /// `Kind::Usage` when nothing came, as [`Requests::next`] otherwise.
    pub(crate) async fn wait_for_first(&mut self, terminal: &Terminal) -> Result<()> {
        if let Ok(read) = tokio::time::timeout(NOTE, self.input.more()).await {
            return read;
        }
        terminal.note("waiting for the request on standard input; -d '{}' sends an empty one");
        match tokio::time::timeout(PATIENCE - NOTE, self.input.more()).await {
            Ok(read) => read,
            Err(_) => {
                let waited = humantime::format_duration(PATIENCE);
                Err(Error::usage(format!("nothing came on standard input within {waited}"))
                    .hint("pass the request with -d, as -d '{}' for an empty one, or -d @- to wait for standard input"))
            }
        }
    }

    /// The messages as a stream for the wire, and how that went: the number of messages, or the fault. After a fault
    /// the stream neither goes on nor ends, so that the server does not take what it has for the whole.
    ///
    /// With a terminal that somebody types at, a faulty request is said and left out.
    pub(crate) fn into_stream(
        self,
        typed: Option<Terminal>,
    ) -> (impl Stream<Item = Bytes> + Send + 'static, oneshot::Receiver<Result<u64>>) {
        let (report, reported) = oneshot::channel();
        let messages = stream::unfold((self, Some(report)), move |(mut requests, mut report)| async move {
            let outcome = loop {
                match (requests.next().await, typed) {
                    (Ok(Some(message)), _) => return Some((message, (requests, report))),
                    (Ok(None), _) => break Ok(requests.count),
                    (Err(error), Some(terminal)) if error.kind() == Kind::Usage => {
                        terminal.warn(format!("{}; it was not sent", error.chain()));
                    }
                    (Err(error), _) => break Err(behind(error, requests.count)),
                }
            };
            let failed = outcome.is_err();
            if let Some(report) = report.take() {
                // Nobody listens any more once the call is over.
                let _ = report.send(outcome);
            }
            if failed {
                std::future::pending::<()>().await;
            }
            None
        });
        (messages.fuse(), reported)
    }
}

/// A fault behind messages that were sent.
fn behind(error: Error, sent: u64) -> Error {
    if sent == 0 {
        return error;
    }
    let (kind, fix) = (error.kind(), error.fix().map(str::to_owned));
    let told = Error::new(kind, format!("{}; the {sent} before it were sent", error.chain()));
    // What the server is told.
    let told = told.status(Code::Cancelled);
    fix.into_iter().fold(told, Error::hint)
}

/// An empty message.
///
/// # Errors
/// `Kind::Usage` when it cannot be empty.
pub(crate) fn empty(of: &MessageType) -> Result<Bytes> {
    match DynamicMessage::new(of.clone()).missing_required() {
        None => Ok(Bytes::new()),
        Some(path) => Err(Error::usage(format!("`{path}` of {} is required, and there is no data", of.full_name()))
            .hint("pass the request with -d")),
    }
}

/// One message for the wire.
pub(crate) fn once(message: Bytes) -> impl Stream<Item = Bytes> + Send + 'static {
    stream::once(std::future::ready(message))
}
