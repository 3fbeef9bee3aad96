//! Server reflection: the server's own description of its services. Version 1, and v1alpha where that is all there is.

use std::collections::HashSet;
use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use prost_reflect::MessageDescriptor;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::Code;
// Both versions are the same on the wire but for the name of the service.
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest as Ask;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse as Answer;
use tonic_reflection::pb::v1::{ErrorResponse, ExtensionRequest, ServerReflectionRequest, ServerReflectionResponse};

use super::call::{Call, CallOptions, start};
use super::status::Status;
use super::transport::Connection;
use crate::error::{Error, Kind, Result};
use crate::proto::{Files, rpc};

const V1: &str = "grpc.reflection.v1.ServerReflection";
const V1ALPHA: &str = "grpc.reflection.v1alpha.ServerReflection";

/// How many files one server may hand out.
const MAX_FILES: usize = 20_000;

/// How long the first answer may take before the question is put another way.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long any answer may take.
const LIMIT: Duration = Duration::from_secs(10);

/// Asks one server about itself, over one stream that stays open.
pub struct Reflection<'a> {
    connection: &'a mut Connection,
    options: CallOptions,
    service: &'static str,
    session: Option<Session>,
    files: Files,
    /// Types that were asked for by name, because no file came that defines them.
    asked: HashSet<String>,
    count: usize,
    /// Whether an answer has come on the open stream.
    has_answered: bool,
    /// Each question on a stream of its own.
    one_by_one: bool,
}

struct Session {
    requests: mpsc::UnboundedSender<Bytes>,
    call: Call,
}

/// What a question came to.
enum Asked {
    Answer(Answer),
    /// The server knows no such thing.
    NotFound,
}

impl<'a> Reflection<'a> {
    /// Nothing is asked yet. `options` are sent with every question, `files` is what is known already.
    pub fn new(connection: &'a mut Connection, options: CallOptions, files: Files) -> Reflection<'a> {
        Reflection {
            connection,
            options,
            service: V1,
            session: None,
            files,
            asked: HashSet::new(),
            count: 0,
            has_answered: false,
            one_by_one: false,
        }
    }

    /// Forgets what is known.
    pub fn forget(&mut self) {
        self.files = Files::default();
    }

    /// What is known now.
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// What is known now.
    pub fn into_files(self) -> Files {
        self.files
    }

    /// The names of all services, sorted.
    ///
    /// # Errors
    /// As every question: `Kind::Refused` when the server has no reflection or answers nonsense, its status otherwise,
    /// `Kind::Connect` when the connection broke.
    pub async fn services(&mut self) -> Result<Vec<String>> {
        let Asked::Answer(Answer::ListServicesResponse(list)) = self.ask(Ask::ListServices("*".to_owned())).await?
        else {
            return Err(nonsense());
        };
        let mut names: Vec<String> = list.service.into_iter().map(|s| s.name).collect();
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// Fetches what defines a symbol, with all that it needs. False when the server knows no such symbol.
    ///
    /// # Errors
    /// As [`Reflection::services`], and as [`Files::add`].
    pub async fn fetch(&mut self, symbol: &str) -> Result<bool> {
        match self.ask(Ask::FileContainingSymbol(symbol.to_owned())).await? {
            Asked::NotFound => return Ok(false),
            Asked::Answer(answer) => self.add(answer)?,
        }
        self.fetch_imports().await?;
        Ok(true)
    }

    /// Fetches the extensions of every extendable message that can stand in one of these. True when there were any, so
    /// that the types taken before are out of date.
    ///
    /// # Errors
    /// As [`Reflection::services`].
    pub async fn fetch_extensions(&mut self, roots: &[MessageDescriptor]) -> Result<bool> {
        let mut found = false;
        for name in extendable(roots) {
            let Asked::Answer(Answer::AllExtensionNumbersResponse(numbers)) =
                self.ask(Ask::AllExtensionNumbersOfType(name.clone())).await?
            else {
                continue;
            };
            for extension_number in numbers.extension_number {
                let extension = ExtensionRequest { containing_type: name.clone(), extension_number };
                if let Asked::Answer(answer) = self.ask(Ask::FileContainingExtension(extension)).await? {
                    self.add(answer)?;
                    found = true;
                }
            }
        }
        self.fetch_imports().await?;
        Ok(found)
    }

    /// Fetches what the options of the known files are described by: calls need nothing of it.
    ///
    /// # Errors
    /// As [`Reflection::services`].
    pub async fn fetch_options(&mut self) -> Result<()> {
        loop {
            let missing = self.files.missing_for_options();
            if missing.is_empty() {
                return Ok(());
            }
            self.fetch_files(missing).await?;
            self.fetch_imports().await?;
        }
    }

    async fn fetch_imports(&mut self) -> Result<()> {
        loop {
            let missing = self.files.missing();
            if missing.is_empty() {
                // A file may be registered by another name than the one that it is imported by.
                let Some(name) = self.files.undefined().into_iter().find(|name| !self.asked.contains(name)) else {
                    self.files.mend();
                    return Ok(());
                };
                if let Asked::Answer(answer) = self.ask(Ask::FileContainingSymbol(name.clone())).await? {
                    self.add(answer)?;
                }
                self.asked.insert(name);
                continue;
            }
            self.fetch_files(missing).await?;
        }
    }

    async fn fetch_files(&mut self, names: Vec<String>) -> Result<()> {
        for name in names {
            match self.ask(Ask::FileByFilename(name.clone())).await? {
                Asked::Answer(answer) => self.add(answer)?,
                Asked::NotFound => {}
            }
            // A server that answers with something else must not be asked for ever.
            self.files.give_up(name);
        }
        Ok(())
    }

    fn add(&mut self, answer: Answer) -> Result<()> {
        let Answer::FileDescriptorResponse(files) = answer else { return Err(nonsense()) };
        for raw in files.file_descriptor_proto {
            self.files.add(&raw).map_err(unusable)?;
            self.count += 1;
            if self.count > MAX_FILES {
                return Err(Error::refused(format!("the server's reflection does not end: over {MAX_FILES} files")));
            }
        }
        Ok(())
    }

    async fn ask(&mut self, question: Ask) -> Result<Asked> {
        let host = self.connection.target.authority.as_str().to_owned();
        let request = ServerReflectionRequest { host, message_request: Some(question) };
        let request = Bytes::from(request.encode_to_vec());
        let answer = match self.exchange(request.clone()).await? {
            Ok(answer) => answer,
            // As grpcurl: some servers and proxies say UNAVAILABLE of a service that is not there.
            Err(status) if self.service == V1 && may_be_older(&status) => {
                self.service = V1ALPHA;
                match self.exchange(request).await? {
                    Ok(answer) => answer,
                    Err(older) if is(&older, Code::NotFound) => return Ok(Asked::NotFound),
                    Err(older) if is(&older, Code::Unimplemented) => return Err(failed(&status)),
                    Err(older) => return Err(failed(&older)),
                }
            }
            // tonic ends the whole stream where the protocol has an answer that says so.
            Err(status) if is(&status, Code::NotFound) => return Ok(Asked::NotFound),
            Err(status) => return Err(failed(&status)),
        };
        let answer = ServerReflectionResponse::decode(answer)
            .map_err(|e| Error::refused("the server's answer about itself does not decode").because(e))?;
        match answer.message_response {
            Some(Answer::ErrorResponse(ErrorResponse { error_code, error_message })) => {
                match Code::from_i32(error_code) {
                    Code::NotFound | Code::InvalidArgument | Code::Unimplemented => Ok(Asked::NotFound),
                    code => {
                        Err(Error::refused(format!("the server cannot describe itself: {code:?}: {error_message}")))
                    }
                }
            }
            Some(answer) => Ok(Asked::Answer(answer)),
            None => Err(nonsense()),
        }
    }

    /// One question, one answer. The inner error is the status that the server ended the stream with instead.
    ///
    /// The stream stays open for more questions. Some proxies pass nothing on before a request has ended (grpcurl#189): when
    /// nothing comes, each question gets a stream of its own, which ends with it.
    async fn exchange(&mut self, request: Bytes) -> Result<Result<Bytes, Status>> {
        if !self.one_by_one {
            let limit = if self.has_answered { LIMIT } else { PATIENCE };
            match timeout(limit, self.on_open_stream(request.clone())).await {
                Ok(answer) => {
                    self.has_answered = true;
                    return answer;
                }
                Err(_) if self.has_answered => return Err(silent()),
                Err(_) => (self.session, self.one_by_one) = (None, true),
            }
        }
        timeout(LIMIT, self.on_own_stream(request)).await.unwrap_or_else(|_| Err(silent()))
    }

    async fn on_open_stream(&mut self, request: Bytes) -> Result<Result<Bytes, Status>> {
        let session = match &mut self.session {
            Some(session) => {
                // A closed channel shows as the end of the stream.
                let _ = session.requests.send(request);
                session
            }
            None => {
                let (requests, receiver) = mpsc::unbounded_channel();
                let _ = requests.send(request);
                let path = format!("/{}/ServerReflectionInfo", self.service);
                let stream = UnboundedReceiverStream::new(receiver);
                let call = start(self.connection, &path, stream, &self.options).await.map_err(broken)?;
                self.session.insert(Session { requests, call })
            }
        };
        if let Some(answer) = session.call.message(self.connection).await.map_err(broken)? {
            return Ok(Ok(answer));
        }
        ended(self.session.take().and_then(|s| s.call.status()))
    }

    async fn on_own_stream(&mut self, request: Bytes) -> Result<Result<Bytes, Status>> {
        let path = format!("/{}/ServerReflectionInfo", self.service);
        let stream = futures_util::stream::once(std::future::ready(request));
        let mut call = start(self.connection, &path, stream, &self.options).await.map_err(broken)?;
        match call.message(self.connection).await.map_err(broken)? {
            Some(answer) => Ok(Ok(answer)),
            None => ended(call.status()),
        }
    }
}

/// A stream that ended without an answer.
fn ended(status: Option<Status>) -> Result<Result<Bytes, Status>> {
    match status {
        Some(status) if !status.is_ok() => Ok(Err(status)),
        _ => Err(nonsense()),
    }
}

fn broken(broken: super::Broken) -> Error {
    let error = broken.error.context("cannot ask the server about itself");
    // Nothing was changed by asking, so the outcome of nothing is unknown.
    if error.kind() == Kind::Partial { error.with_kind(Kind::Connect) } else { error }
}

fn silent() -> Error {
    let waited = humantime::format_duration(LIMIT);
    Error::new(Kind::Deadline, format!("the server did not answer a question about itself within {waited}")).hint(
        "describe the services with --proto FILE or --descriptor-set FILE, and leave it alone with --reflection off",
    )
}

fn is(status: &Status, code: Code) -> bool {
    status.code == code as i32
}

fn may_be_older(status: &Status) -> bool {
    is(status, Code::Unimplemented) || is(status, Code::Unavailable)
}

fn failed(status: &Status) -> Error {
    match is(status, Code::Unimplemented) {
        true => match status.message.as_str() {
            "" => Error::refused("the server has no reflection here"),
            said => Error::refused(format!("the server has no reflection: {said}")),
        }
            .status(Code::Unimplemented)
            .hint("register grpc.reflection.v1.ServerReflection in the server, or describe the services with --proto FILE or --descriptor-set FILE"),
        false => status.error("the server did not describe itself", &rpc::Common),
    }
}

fn unusable(error: Error) -> Error {
    error.context("the server's description of itself cannot be used")
}

fn nonsense() -> Error {
    Error::refused("the server's answer about itself makes no sense")
}

/// The extendable messages that can be reached.
fn extendable(roots: &[MessageDescriptor]) -> Vec<String> {
    let mut seen: Vec<MessageDescriptor> = roots.to_vec();
    let mut names = std::collections::BTreeSet::new();
    let mut known: std::collections::HashSet<String> = roots.iter().map(|m| m.full_name().to_owned()).collect();
    while let Some(message) = seen.pop() {
        // Options are extended everywhere, and are not what is called.
        if message.extension_ranges().len() > 0 && message.package_name() != "google.protobuf" {
            names.insert(message.full_name().to_owned());
        }
        for inner in message.fields().filter_map(|f| f.kind().as_message().cloned()) {
            if known.insert(inner.full_name().to_owned()) {
                seen.push(inner);
            }
        }
    }
    names.into_iter().collect()
}
