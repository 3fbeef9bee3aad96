//! A server that takes notes: it says how each ends, and remembers who came when.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Request, Response};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::grpc::servers::{background, listener};

/// What it serves. `Give` takes the text `COUNT CODE`: so many notes, and that status.
pub(crate) const SOURCE: &str = "syntax = \"proto3\";\npackage t;\nmessage Note { string text = 1; bytes more = 2; }\n\
    message Done {}\n\
    service Notes {\n  rpc Take(Note) returns (Done);\n  rpc Bury(Note) returns (Done);\n  \
    rpc Give(Note) returns (stream Note);\n  rpc Collect(stream Note) returns (Done);\n}\n";

/// How a note ends.
pub(crate) enum End {
    /// With this status.
    Status(u32, &'static str),
    /// Its stream is reset.
    Reset(Reason),
    /// The connection is cut.
    Cut,
    /// With OK, and no more come over this connection.
    Leave,
    /// Not at all.
    Never,
}

/// A note that came.
#[derive(Debug, Clone)]
pub(crate) struct Note {
    pub path: String,
    pub text: String,
    pub metadata: HeaderMap,
}

#[derive(Default)]
pub(crate) struct State {
    notes: Mutex<Vec<Note>>,
    /// Texts in the order in which their calls ended.
    ended: Mutex<Vec<String>>,
    under_way: AtomicUsize,
    most: AtomicUsize,
    given: AtomicUsize,
    connections: AtomicUsize,
}

type Rule = Box<dyn Fn(usize, &Note) -> End + Send + Sync>;

/// The server. It goes with the test process.
pub(crate) struct Notes {
    pub address: String,
    file: tempfile::NamedTempFile,
    state: Arc<State>,
}

impl Notes {
    /// `rule` says how a note ends, by how many came before it.
    pub(crate) fn start(rule: impl Fn(usize, &Note) -> End + Send + Sync + 'static) -> Notes {
        let (listener, address) = listener();
        let (state, rule): (Arc<State>, Arc<Rule>) = (Arc::default(), Arc::new(Box::new(rule)));
        let shared = state.clone();
        background(move || async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            while let Ok((stream, _)) = listener.accept().await {
                shared.connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(connection(stream, shared.clone(), rule.clone()));
            }
        });
        let file = tempfile::Builder::new().suffix(".proto").tempfile().expect("a file");
        std::fs::write(file.path(), SOURCE).expect("writes");
        Notes { address: address.to_string(), file, state }
    }

    /// Every note is taken.
    pub(crate) fn kind() -> Notes {
        Notes::start(|_, _| End::Status(0, ""))
    }

    /// `grpc call METHOD` with what leads to this server, and more flags.
    pub(crate) fn call(&self, method: &str, flags: &[&str]) -> Vec<String> {
        let file = self.file.path().to_str().expect("UTF-8");
        let words = ["grpc", "call", method, "-s", &self.address, "--reflection", "off", "--proto", file];
        words.iter().chain(flags).map(|word| (*word).to_owned()).collect()
    }

    pub(crate) fn notes(&self) -> Vec<Note> {
        self.state.notes.lock().expect("not poisoned").clone()
    }

    pub(crate) fn texts(&self) -> Vec<String> {
        self.notes().into_iter().map(|note| note.text).collect()
    }

    /// Texts in the order in which their calls ended.
    pub(crate) fn ended(&self) -> Vec<String> {
        self.state.ended.lock().expect("not poisoned").clone()
    }

    /// How many calls were under way at a time.
    pub(crate) fn most(&self) -> usize {
        self.state.most.load(Ordering::SeqCst)
    }

    /// How many notes were handed to the connection.
    pub(crate) fn given(&self) -> usize {
        self.state.given.load(Ordering::SeqCst)
    }

    pub(crate) fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }
}

async fn connection(stream: TcpStream, state: Arc<State>, rule: Arc<Rule>) {
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    let (leave, cut) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    loop {
        tokio::select! {
            biased;
            () = cut.notified() => return,
            () = leave.notified() => connection.graceful_shutdown(),
            accepted = connection.accept() => {
                let Some(Ok((request, respond))) = accepted else { return };
                tokio::spawn(exchange(request, respond, state.clone(), rule.clone(), leave.clone(), cut.clone()));
            }
        }
    }
}

async fn exchange(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    state: Arc<State>,
    rule: Arc<Rule>,
    leave: Arc<Notify>,
    cut: Arc<Notify>,
) {
    let (head, mut body) = request.into_parts();
    let mut bytes = Vec::new();
    while let Some(data) = body.data().await {
        // It was cut off on its way.
        let Ok(data) = data else { return };
        let _ = body.flow_control().release_capacity(data.len());
        bytes.extend_from_slice(&data);
    }
    let note = Note { path: head.uri.path().to_owned(), text: text(&bytes), metadata: head.headers };
    if note.path.ends_with("/Give") {
        return give(&note.text, &mut respond, &state).await;
    }
    let now = state.under_way.fetch_add(1, Ordering::SeqCst) + 1;
    state.most.fetch_max(now, Ordering::SeqCst);
    let before = {
        let mut notes = state.notes.lock().expect("not poisoned");
        notes.push(note.clone());
        notes.len() - 1
    };
    // Work of all lengths, so that whatever may overtake does.
    tokio::time::sleep(Duration::from_millis(fastrand::u64(..4))).await;
    state.under_way.fetch_sub(1, Ordering::SeqCst);
    state.ended.lock().expect("not poisoned").push(note.text.clone());
    match rule(before, &note) {
        End::Status(code, message) => answer(&mut respond, code, message),
        End::Reset(reason) => respond.send_reset(reason),
        End::Cut => cut.notify_one(),
        End::Never => std::future::pending().await,
        End::Leave => {
            answer(&mut respond, 0, "");
            leave.notify_one();
        }
    }
}

fn answer(respond: &mut SendResponse<Bytes>, code: u32, message: &str) {
    // The client may have gone.
    let Ok(mut sender) = respond.send_response(head(), false) else { return };
    if code == 0 {
        let _ = sender.send_data(Bytes::from_static(&[0; 5]), false);
    }
    end(&mut sender, code, message);
}

fn end(sender: &mut SendStream<Bytes>, code: u32, message: &str) {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", code.into());
    if !message.is_empty() {
        trailers.insert("grpc-message", message.parse().expect("a value"));
    }
    let _ = sender.send_trailers(trailers);
}

async fn give(asked: &str, respond: &mut SendResponse<Bytes>, state: &State) {
    let numbers: Vec<u32> = asked.split(' ').map(|word| word.parse().expect("a number")).collect();
    let [count, code, size] = *numbers else { panic!("{asked}") };
    let Ok(mut sender) = respond.send_response(head(), false) else { return };
    for number in 1..=count {
        let message = framed(&format!("note {number}"), size as usize);
        let mut sent = 0;
        while sent < message.len() {
            sender.reserve_capacity(message.len() - sent);
            let Some(Ok(room)) = std::future::poll_fn(|cx| sender.poll_capacity(cx)).await else { return };
            let next = message.len().min(sent + room);
            if sender.send_data(Bytes::copy_from_slice(&message[sent..next]), false).is_err() {
                return;
            }
            sent = next;
        }
        state.given.fetch_add(1, Ordering::SeqCst);
    }
    end(&mut sender, code, "no more of them");
}

fn head() -> Response<()> {
    Response::builder().header("content-type", "application/grpc").body(()).expect("a head")
}

/// A `Note` with so many more bytes, as it goes over the wire.
fn framed(text: &str, more: usize) -> Vec<u8> {
    let mut message = vec![0x0a, u8::try_from(text.len()).expect("short")];
    message.extend_from_slice(text.as_bytes());
    if more > 0 {
        message.push(0x12);
        prost::encoding::encode_varint(more as u64, &mut message);
        message.resize(message.len() + more, b'x');
    }
    let length = u32::try_from(message.len()).expect("short").to_be_bytes();
    [&[0], &length[..], &message].concat()
}

/// The text of a `Note` that came over the wire.
fn text(bytes: &[u8]) -> String {
    match bytes.get(5..) {
        Some([0x0a, length, rest @ ..]) => String::from_utf8_lossy(&rest[..usize::from(*length)]).into_owned(),
        _ => String::new(),
    }
}
