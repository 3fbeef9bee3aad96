//! Questions on the wire: the version of reflection that a server has, streams and connections that end between two
//! questions, and servers that stay silent.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::Code;

use super::super::Broken;
use super::super::call::{Call, CallOptions, start};
use super::super::status::Status;
use super::super::transport::{Connection, Dial};
use crate::error::{Error, Kind, Result};
use crate::proto::rpc;

const V1: &str = "grpc.reflection.v1.ServerReflection";
const V1ALPHA: &str = "grpc.reflection.v1alpha.ServerReflection";

/// How long the first answer may take before the question is put another way.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long any answer may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);

/// Asks one server, over one stream that stays open while the server lets it.
pub(crate) struct Asking<'a> {
    pub connection: &'a mut Connection,
    dial: Dial<'a>,
    options: CallOptions,
    service: &'static str,
    /// Whether this version has answered anything.
    is_settled: bool,
    has_tried_older: bool,
    stream: Option<Stream>,
    /// Whether an answer has come on an open stream.
    has_answered: bool,
    /// Each question on a stream of its own.
    one_by_one: bool,
    /// How long the slowest answer took.
    slowest: Duration,
}

struct Stream {
    requests: mpsc::UnboundedSender<Bytes>,
    call: Call,
}

/// What a question came to.
pub(crate) enum Reply {
    Answer(Bytes),
    /// The server knows no such thing.
    NotFound,
    /// The server answers other questions, perhaps, but not this one.
    Refused(Error),
}

/// How one exchange ended.
enum ExchangeEnd {
    Answer(Bytes),
    /// The stream ended with this status, which may be OK, or without one.
    Ended(Option<Status>),
    Broken(Broken),
}

impl ExchangeEnd {
    fn is(&self, code: Code) -> bool {
        matches!(self, ExchangeEnd::Ended(Some(status)) if status.code == code as i32)
    }
}

impl<'a> Asking<'a> {
    /// Nothing is asked yet. `options` are sent with every question.
    pub(crate) fn new(connection: &'a mut Connection, dial: Dial<'a>, options: CallOptions) -> Asking<'a> {
        Asking {
            connection,
            dial,
            options,
            service: V1,
            is_settled: false,
            has_tried_older: false,
            stream: None,
            has_answered: false,
            one_by_one: false,
            slowest: Duration::ZERO,
        }
    }

    /// How long the answer to a question may take that is of less weight, by those that came.
    pub(crate) fn patience(&self) -> Duration {
        (self.slowest * 10).clamp(PATIENCE, LIMIT)
    }

    /// Puts one question, whose answer may take so long.
    ///
    /// # Errors
    /// The server has no reflection, or stays silent, or cannot be reached any more.
    pub(crate) async fn ask(&mut self, request: Bytes, limit: Duration) -> Result<Reply> {
        let (had_answers, asked) = (self.stream.is_some(), Instant::now());
        let outcome = match self.exchange(request.clone(), limit).await? {
            answer @ ExchangeEnd::Answer(_) => {
                self.slowest = self.slowest.max(asked.elapsed());
                answer
            }
            // A proxy may refuse what it does not know in any way: with UNAVAILABLE, a reset, HTTP 401 (grpcurl#434).
            failed if !self.is_settled && !failed.is(Code::NotFound) => {
                return self.ask_older(request, failed, limit).await;
            }
            failed if self.is_settled && is_stale(&failed, had_answers) => self.ask_again(request, limit).await?,
            outcome => outcome,
        };
        self.said(outcome)
    }

    /// Asks in the version that was there before, once.
    async fn ask_older(&mut self, request: Bytes, failed: ExchangeEnd, limit: Duration) -> Result<Reply> {
        if self.has_tried_older {
            return self.said(failed);
        }
        (self.has_tried_older, self.service) = (true, V1ALPHA);
        // What refused the one may have left with it.
        let older = match self.ask_again(request, limit).await {
            Err(_) if !failed.is(Code::Unimplemented) => {
                self.service = V1;
                return self.said(failed);
            }
            outcome => outcome?,
        };
        match &older {
            ExchangeEnd::Answer(_) => self.said(older),
            older if older.is(Code::NotFound) => Ok(Reply::NotFound),
            older if older.is(Code::Unimplemented) || !failed.is(Code::Unimplemented) => {
                self.service = V1;
                self.said(failed)
            }
            _ => self.said(older),
        }
    }

    /// Asks once more on a new stream, and if need be on a new connection: one that is old may go away at any time.
    async fn ask_again(&mut self, request: Bytes, limit: Duration) -> Result<ExchangeEnd> {
        self.revive(false).await?;
        match self.exchange(request.clone(), limit).await? {
            ExchangeEnd::Broken(_) => {
                self.dial.again(self.connection).await.map_err(|e| e.context(CANNOT_ASK))?;
                self.exchange(request, limit).await
            }
            outcome => Ok(outcome),
        }
    }

    /// Connects anew when the connection is gone, or lost and does not know it yet.
    pub(crate) async fn revive(&mut self, is_lost: bool) -> Result<()> {
        self.stream = None;
        match is_lost || self.connection.is_closed() {
            true => self.dial.again(self.connection).await.map_err(|e| e.context(CANNOT_ASK)),
            false => Ok(()),
        }
    }

    fn said(&mut self, outcome: ExchangeEnd) -> Result<Reply> {
        match outcome {
            ExchangeEnd::Answer(answer) => {
                self.is_settled = true;
                Ok(Reply::Answer(answer))
            }
            // tonic ends the whole stream where the protocol has an answer that says so.
            outcome if outcome.is(Code::NotFound) => Ok(Reply::NotFound),
            ExchangeEnd::Ended(Some(status)) if status.code == Code::Unimplemented as i32 && !self.is_settled => {
                Err(no_reflection(&status))
            }
            ExchangeEnd::Ended(Some(status)) if !status.is_ok() => {
                Ok(Reply::Refused(status.error("the server did not describe itself", &rpc::Common)))
            }
            ExchangeEnd::Ended(_) => Ok(Reply::Refused(nonsense())),
            ExchangeEnd::Broken(broken) => {
                let error = broken.error.context(CANNOT_ASK);
                // Nothing was changed by asking, so the outcome of nothing is unknown.
                Err(if error.kind() == Kind::Partial { error.with_kind(Kind::Connect) } else { error })
            }
        }
    }

    /// One question, one answer.
    ///
    /// The stream stays open for more questions. Some proxies pass nothing on before a request has ended (grpcurl#189): when
    /// nothing comes, each question gets a stream of its own, which ends with it; the same for a server that ends the stream
    /// behind each answer.
    async fn exchange(&mut self, request: Bytes, limit: Duration) -> Result<ExchangeEnd> {
        if !self.one_by_one {
            let had_answers = self.stream.is_some();
            let patience = if self.has_answered { limit } else { PATIENCE };
            match timeout(patience, self.on_open_stream(request.clone())).await {
                Ok(outcome) => {
                    self.has_answered |= matches!(outcome, ExchangeEnd::Answer(_));
                    let is_over =
                        matches!(&outcome, ExchangeEnd::Ended(status) if status.as_ref().is_none_or(Status::is_ok));
                    self.one_by_one |= is_over && had_answers;
                    return Ok(outcome);
                }
                Err(_) => {
                    // A late answer must not be taken for that to the next question.
                    self.stream = None;
                    if self.has_answered {
                        return Err(silent(limit));
                    }
                    self.one_by_one = true;
                }
            }
        }
        timeout(limit, self.on_own_stream(request)).await.map_err(|_| silent(limit))
    }

    async fn on_open_stream(&mut self, request: Bytes) -> ExchangeEnd {
        let stream = match &mut self.stream {
            Some(stream) => {
                // A closed channel shows as the end of the stream.
                let _ = stream.requests.send(request);
                stream
            }
            None => {
                let (requests, receiver) = mpsc::unbounded_channel();
                let _ = requests.send(request);
                let path = format!("/{}/ServerReflectionInfo", self.service);
                let body = UnboundedReceiverStream::new(receiver);
                match start(self.connection, &path, body, &self.options).await {
                    Ok(call) => self.stream.insert(Stream { requests, call }),
                    Err(broken) => return ExchangeEnd::Broken(broken),
                }
            }
        };
        match stream.call.message(self.connection).await {
            Ok(Some(answer)) => ExchangeEnd::Answer(answer),
            Ok(None) => ExchangeEnd::Ended(self.stream.take().and_then(|stream| stream.call.status())),
            Err(broken) => {
                self.stream = None;
                ExchangeEnd::Broken(broken)
            }
        }
    }

    async fn on_own_stream(&mut self, request: Bytes) -> ExchangeEnd {
        let path = format!("/{}/ServerReflectionInfo", self.service);
        let stream = futures_util::stream::once(std::future::ready(request));
        let mut call = match start(self.connection, &path, stream, &self.options).await {
            Ok(call) => call,
            Err(broken) => return ExchangeEnd::Broken(broken),
        };
        match call.message(self.connection).await {
            Ok(Some(answer)) => ExchangeEnd::Answer(answer),
            Ok(None) => ExchangeEnd::Ended(call.status()),
            Err(broken) => ExchangeEnd::Broken(broken),
        }
    }
}

const CANNOT_ASK: &str = "cannot ask the server about itself";

/// Whether the failure may be about the stream, and not about the question.
fn is_stale(failed: &ExchangeEnd, had_answers: bool) -> bool {
    let is_final = |status: &Status| {
        let finals = [Code::NotFound, Code::Unimplemented, Code::InvalidArgument];
        finals.iter().any(|code| status.code == *code as i32)
    };
    match failed {
        ExchangeEnd::Answer(_) => false,
        ExchangeEnd::Broken(_) => true,
        ExchangeEnd::Ended(Some(status)) if !status.is_ok() => {
            status.code == Code::Unavailable as i32 || had_answers && !is_final(status)
        }
        ExchangeEnd::Ended(_) => true,
    }
}

fn silent(limit: Duration) -> Error {
    let waited = humantime::format_duration(limit);
    Error::new(Kind::Deadline, format!("the server did not answer a question about itself within {waited}")).hint(
        "describe the services with --proto FILE or --descriptor-set FILE, and leave it alone with --reflection off",
    )
}

fn no_reflection(status: &Status) -> Error {
    match status.message.as_str() {
        "" => Error::refused("the server has no reflection here"),
        said => Error::refused(format!("the server has no reflection: {said}")),
    }
    .status(Code::Unimplemented)
    .hint("register grpc.reflection.v1.ServerReflection in the server, or describe the services with --proto FILE or --descriptor-set FILE")
}

/// What was answered is no answer.
pub(crate) fn nonsense() -> Error {
    Error::refused("the server's answer about itself makes no sense")
}
