//! A server of HTTP/2 that describes files, gives everything back, and breaks habits as a test says.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Bytes, BytesMut};
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Request, Response};
use prost::Message;
use prost_types::FileDescriptorProto;
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest as Ask;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse as Answer;
use tonic_reflection::pb::v1::{
    ErrorResponse, FileDescriptorResponse, ListServiceResponse, ServerReflectionRequest, ServerReflectionResponse,
    ServiceResponse,
};

use super::hostile::prefixed;
use super::servers::{background, listener};
use crate::support::test_env;

/// What a server does with a question.
pub(crate) enum Reply {
    /// Answers.
    Answer(Answer),
    /// Answers, and ends the stream with OK.
    Last(Answer),
    /// Leaves the connection (GOAWAY) without an answer.
    Leave,
    /// Ends the stream with this status.
    Status(u32),
    /// Resets the stream.
    Reset(Reason),
    /// Says so in plain HTTP.
    Http(u16),
    /// Never answers.
    Silence,
}

/// A question, and where it stands.
pub(crate) struct Asked<'a> {
    /// `v1` or `v1alpha`.
    pub version: &'a str,
    pub question: &'a Ask,
    /// How many the server was asked before.
    pub before: usize,
}

/// What a call of a method comes to: messages, and a status with its encoded details.
pub(crate) struct Called {
    pub messages: Vec<Vec<u8>>,
    pub status: u32,
    pub details: Vec<u8>,
    /// The last message waits until the server was asked for this symbol.
    pub waits: Option<&'static str>,
}

type Rule = Box<dyn Fn(&Server, &Asked<'_>) -> Reply + Send + Sync>;

/// A file as protoc wrote it, and as far as it can be looked into.
#[derive(Clone)]
pub(crate) struct Compiled {
    pub raw: Vec<u8>,
    pub parsed: FileDescriptorProto,
}

impl From<FileDescriptorProto> for Compiled {
    fn from(parsed: FileDescriptorProto) -> Compiled {
        Compiled { raw: parsed.encode_to_vec(), parsed }
    }
}

pub(crate) struct Server {
    pub files: Vec<Compiled>,
    pub services: Vec<String>,
    rule: Rule,
    calls: Vec<(&'static str, Called)>,
    one_stream: bool,
    asked: AtomicUsize,
    /// The symbols that were asked for.
    symbols: watch::Sender<Vec<String>>,
}

impl Server {
    pub(crate) fn of(files: &[Compiled]) -> Server {
        let of = |file: &FileDescriptorProto| -> Vec<String> {
            let full = |name: &str| if file.package().is_empty() { name.to_owned() } else { joined(file, name) };
            file.service.iter().map(|s| full(s.name())).collect()
        };
        Server {
            files: files.to_vec(),
            services: files.iter().flat_map(|file| of(&file.parsed)).collect(),
            rule: Box::new(|server, asked| Reply::Answer(server.answer(asked.question))),
            calls: Vec::new(),
            one_stream: false,
            asked: AtomicUsize::new(0),
            symbols: watch::channel(Vec::new()).0,
        }
    }

    pub(crate) fn rule(self, rule: impl Fn(&Server, &Asked<'_>) -> Reply + Send + Sync + 'static) -> Server {
        Server { rule: Box::new(rule), ..self }
    }

    /// Lists these services as well.
    pub(crate) fn lists(mut self, names: &[&str]) -> Server {
        self.services.extend(names.iter().map(|name| (*name).to_owned()));
        self
    }

    pub(crate) fn call(mut self, path: &'static str, called: Called) -> Server {
        self.calls.push((path, called));
        self
    }

    /// One stream at a time, on any connection.
    pub(crate) fn one_stream(self) -> Server {
        Server { one_stream: true, ..self }
    }

    /// Starts it; gives its address.
    pub(crate) fn start(self) -> String {
        let (listener, address) = listener();
        let server = Arc::new(self);
        background(move || async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(connection(stream, server.clone()));
            }
        });
        address.to_string()
    }

    /// As a server without quirks answers.
    pub(crate) fn answer(&self, question: &Ask) -> Answer {
        let found = match question {
            Ask::ListServices(_) => {
                let service = self.services.iter().map(|name| ServiceResponse { name: name.clone() }).collect();
                return Answer::ListServicesResponse(ListServiceResponse { service });
            }
            Ask::FileByFilename(name) => self.files.iter().find(|file| file.parsed.name() == name),
            Ask::FileContainingSymbol(symbol) => self.files.iter().find(|file| defines(&file.parsed, symbol)),
            Ask::AllExtensionNumbersOfType(_) | Ask::FileContainingExtension(_) => None,
        };
        found.map_or_else(|| error(5), |file| files([file.raw.clone()]))
    }
}

fn joined(file: &FileDescriptorProto, name: &str) -> String {
    format!("{}.{name}", file.package())
}

fn defines(file: &FileDescriptorProto, symbol: &str) -> bool {
    let names = file.message_type.iter().map(|m| m.name()).chain(file.service.iter().map(|s| s.name()));
    let mut names = names.chain(file.enum_type.iter().map(|e| e.name())).map(|name| joined(file, name));
    names.any(|name| symbol == name || symbol.starts_with(&format!("{name}.")))
}

pub(crate) fn files(raw: impl IntoIterator<Item = Vec<u8>>) -> Answer {
    Answer::FileDescriptorResponse(FileDescriptorResponse { file_descriptor_proto: raw.into_iter().collect() })
}

pub(crate) fn error(code: i32) -> Answer {
    Answer::ErrorResponse(ErrorResponse { error_code: code, error_message: "no".to_owned() })
}

async fn connection(stream: TcpStream, server: Arc<Server>) {
    let mut builder = h2::server::Builder::new();
    if server.one_stream {
        builder.max_concurrent_streams(1);
    }
    let Ok(mut connection) = builder.handshake::<_, Bytes>(stream).await else { return };
    let leave = Arc::new(Notify::new());
    loop {
        tokio::select! {
            accepted = connection.accept() => {
                let Some(Ok((request, respond))) = accepted else { return };
                tokio::spawn(exchange(request, respond, server.clone(), leave.clone()));
            }
            () = leave.notified() => {
                connection.abrupt_shutdown(Reason::NO_ERROR);
            }
        }
    }
}

async fn exchange(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    server: Arc<Server>,
    leave: Arc<Notify>,
) {
    let path = request.uri().path().to_owned();
    let mut body = Messages { body: request.into_body(), buffer: BytesMut::new() };
    match path.strip_prefix("/grpc.reflection.").and_then(|path| path.split_once(".ServerReflection/")) {
        Some((version, _)) => reflect(version, &mut body, respond, &server, &leave).await,
        None => {
            let called = server.calls.iter().find(|(called, _)| *called == path).map(|(_, called)| called);
            let mut sender = respond.send_response(head(200), false).expect("sends");
            let Some(called) = called else {
                while let Some(message) = body.next().await {
                    send(&mut sender, &message);
                }
                return end(&mut sender, 0, &[]);
            };
            for (at, message) in (1..).zip(&called.messages) {
                if let Some(awaited) = called.waits.filter(|_| at == called.messages.len()) {
                    let mut symbols = server.symbols.subscribe();
                    symbols.wait_for(|all| all.iter().any(|symbol| symbol == awaited)).await.expect("it is kept");
                }
                send(&mut sender, message);
            }
            end(&mut sender, called.status, &called.details);
        }
    }
}

async fn reflect(
    version: &str,
    body: &mut Messages,
    mut respond: SendResponse<Bytes>,
    server: &Server,
    leave: &Notify,
) {
    let mut sender: Option<SendStream<Bytes>> = None;
    while let Some(message) = body.next().await {
        let question = ServerReflectionRequest::decode(message).expect("a question").message_request.expect("one");
        let asked = Asked { version, question: &question, before: server.asked.fetch_add(1, Ordering::SeqCst) };
        let reply = (server.rule)(server, &asked);
        if let Ask::FileContainingSymbol(symbol) = &question {
            server.symbols.send_modify(|all| all.push(symbol.clone()));
        }
        if let Reply::Http(status) = reply {
            respond.send_response(head(status), true).expect("sends");
            return;
        }
        if let Reply::Reset(reason) = reply {
            return respond.send_reset(reason);
        }
        let mut open = || respond.send_response(head(200), false).expect("sends");
        let sender = sender.get_or_insert_with(&mut open);
        match reply {
            Reply::Answer(answer) => send(sender, &encoded(answer)),
            Reply::Last(answer) => {
                send(sender, &encoded(answer));
                return end(sender, 0, &[]);
            }
            Reply::Leave => return leave.notify_one(),
            Reply::Status(code) => return end(sender, code, &[]),
            Reply::Silence | Reply::Http(_) | Reply::Reset(_) => {}
        }
    }
    if let Some(sender) = &mut sender {
        end(sender, 0, &[]);
    }
}

fn encoded(answer: Answer) -> Vec<u8> {
    ServerReflectionResponse { message_response: Some(answer), ..Default::default() }.encode_to_vec()
}

fn head(status: u16) -> Response<()> {
    let content_type = if status == 200 { "application/grpc" } else { "text/plain" };
    Response::builder().status(status).header("content-type", content_type).body(()).expect("a head")
}

fn send(sender: &mut SendStream<Bytes>, message: &[u8]) {
    // The client may have gone.
    let _ = sender.send_data(prefixed(0, message).into(), false);
}

fn end(sender: &mut SendStream<Bytes>, status: u32, details: &[u8]) {
    use base64::Engine;
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", status.into());
    if !details.is_empty() {
        let text = base64::engine::general_purpose::STANDARD.encode(details);
        trailers.insert("grpc-status-details-bin", text.parse().expect("a value"));
    }
    let _ = sender.send_trailers(trailers);
}

/// The messages in a request.
struct Messages {
    body: RecvStream,
    buffer: BytesMut,
}

impl Messages {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(length) = self.buffer.get(1..5) {
                let length = 5 + u32::from_be_bytes(length.try_into().expect("four bytes")) as usize;
                if self.buffer.len() >= length {
                    return Some(self.buffer.split_to(length).freeze().slice(5..));
                }
            }
            let data = self.body.data().await?.ok()?;
            let _ = self.body.flow_control().release_capacity(data.len());
            self.buffer.extend_from_slice(&data);
        }
    }
}

/// Sources by name in a folder.
pub(crate) fn folder(sources: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in sources {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, text).expect("writes");
    }
    folder
}

/// What protoc makes of sources; `None` when it refuses them.
pub(crate) fn compiled(sources: &[(&str, &str)]) -> Option<Vec<Compiled>> {
    let names: Vec<&str> = sources.iter().map(|(name, _)| *name).collect();
    compiled_in(folder(sources).path(), &names)
}

/// As [`compiled`], of sources in a folder.
pub(crate) fn compiled_in(folder: &Path, names: &[&str]) -> Option<Vec<Compiled>> {
    const COMPILE: &str = "import os, sys, grpc_tools; from grpc_tools import protoc\n\
        sys.exit(protoc.main(['protoc', '-I.', '-I' + os.path.join(os.path.dirname(grpc_tools.__file__), '_proto'), \
        '--include_imports', '-oout.binpb'] + sys.argv[1:]))";
    let mut protoc = Command::new(test_env("PYTHON"));
    let done = protoc.args(["-B", "-c", COMPILE]).args(names).current_dir(folder).output().expect("Python runs");
    let set = done.status.success().then(|| std::fs::read(folder.join("out.binpb")).expect("a set"))?;
    Some(in_set(&set))
}

/// The files of a descriptor set.
pub(crate) fn in_set(set: &[u8]) -> Vec<Compiled> {
    let files = Set::decode(set).expect("a set").file.into_iter();
    files.map(|raw| Compiled { parsed: FileDescriptorProto::decode(&*raw).expect("a file"), raw }).collect()
}

/// A descriptor set of files.
pub(crate) fn set_of(files: &[Compiled]) -> Vec<u8> {
    Set { file: files.iter().map(|file| file.raw.clone()).collect() }.encode_to_vec()
}

/// `google.protobuf.FileDescriptorSet`, whose files stay as they are: editions are not in the types of `prost_types`.
#[derive(Clone, PartialEq, Message)]
struct Set {
    #[prost(bytes = "vec", repeated, tag = "1")]
    file: Vec<Vec<u8>>,
}
