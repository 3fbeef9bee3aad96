//! The servers that the tests call.

use std::convert::Infallible;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::task::{Context, Poll};

use futures_util::{StreamExt, stream};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use mscomm::testing::sandbox::grpc::{Args, Sandbox};
use mscomm::testing::{ColorWhen, Terminal};

use tokio_stream::wrappers::TcpListenerStream;
use tonic::body::Body;
use tower_service::Service;

use crate::support::test_env;

/// Runs a future on a runtime of its own, for as long as the test process lives.
pub(crate) fn background<F: Future<Output = ()> + 'static>(work: impl FnOnce() -> F + Send + 'static) {
    std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async { work().await });
    });
}

/// A listener on a free port for tokio, and its address.
pub(crate) fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    listener.set_nonblocking(true).expect("non-blocking");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

/// The sandbox's built-in services.
pub(crate) fn services() -> Sandbox {
    let terminal = Terminal::detect(ColorWhen::Never, true, false);
    Sandbox::new(&Args::default(), terminal).expect("a sandbox")
}

/// The sandbox's server, one for all tests.
pub(crate) fn sandbox() -> &'static str {
    static ADDRESS: OnceLock<String> = OnceLock::new();
    ADDRESS.get_or_init(|| {
        let (listener, address) = listener();
        background(move || async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            services().serve(listener, std::future::pending()).await.expect("serves");
        });
        address.to_string()
    })
}

/// A server of grpc-go, which ends with the test.
pub(crate) struct Interop {
    child: Child,
    pub address: String,
}

impl Interop {
    pub(crate) fn start(args: &[&str]) -> Interop {
        let mut child = Command::new(test_env("INTEROP"))
            .args(args)
            .arg("--until-eof")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the interop server starts");
        let mut address = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut address).expect("an address");
        Interop { child, address: address.trim().to_owned() }
    }
}

impl Drop for Interop {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        drop(self.child.wait());
    }
}

/// Passes bytes on between clients and a server until it is cut.
pub(crate) struct Proxy {
    pub address: String,
    connections: Arc<Mutex<Vec<TcpStream>>>,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Proxy {
    /// Cuts by itself once a client sent `trigger`.
    pub(crate) fn start(server: &str, trigger: Option<&'static [u8]>) -> Proxy {
        Proxy::with(server, trigger, false)
    }

    /// Writes down what clients say.
    pub(crate) fn listening(server: &str) -> Proxy {
        Proxy::with(server, None, true)
    }

    /// What all clients have said so far.
    pub(crate) fn heard(&self) -> Vec<u8> {
        self.heard.lock().expect("not poisoned").clone()
    }

    fn with(server: &str, trigger: Option<&'static [u8]>, listens: bool) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
        let address = listener.local_addr().expect("an address").to_string();
        let connections = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (server, all, ears) = (server.to_owned(), connections.clone(), heard.clone());
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = TcpStream::connect(&server).expect("the server is there");
                let copy = |stream: &TcpStream| stream.try_clone().expect("clones");
                all.lock().expect("not poisoned").extend([copy(&client), copy(&server)]);
                let (from_server, to_client) = (copy(&server), copy(&client));
                std::thread::spawn(move || pass(from_server, to_client, None, None));
                let ears = listens.then(|| ears.clone());
                std::thread::spawn(move || pass(client, server, trigger, ears));
            }
        });
        Proxy { address, connections, heard }
    }

    pub(crate) fn cut(&self) {
        for stream in self.connections.lock().expect("not poisoned").drain(..) {
            drop(stream.shutdown(std::net::Shutdown::Both));
        }
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, trigger: Option<&[u8]>, ears: Option<Arc<Mutex<Vec<u8>>>>) {
    let mut chunk = [0; 4096];
    while let Ok(n) = from.read(&mut chunk) {
        let bytes = &chunk[..n];
        if let Some(ears) = &ears {
            ears.lock().expect("not poisoned").extend_from_slice(bytes);
        }
        let done = n == 0 || to.write_all(bytes).is_err();
        if done || trigger.is_some_and(|t| bytes.windows(t.len()).any(|w| w == t)) {
            drop((from.shutdown(std::net::Shutdown::Both), to.shutdown(std::net::Shutdown::Both)));
            return;
        }
    }
}

/// A server that does what it is told with each connection.
pub(crate) fn raw(answer: impl Fn(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let address = listener.local_addr().expect("an address").to_string();
    std::thread::spawn(move || listener.incoming().map_while(Result::ok).for_each(answer));
    address
}

/// A server that takes connections and says nothing.
pub(crate) fn black_hole() -> String {
    let (keep, kept) = mpsc::channel();
    // The connections stay open for as long as the test process lives.
    std::thread::spawn(move || kept.into_iter().collect::<Vec<TcpStream>>());
    raw(move |stream| drop(keep.send(stream)))
}

/// A server whose every method gives its requests back, byte for byte.
#[derive(Clone)]
struct Echo;

impl Service<Request<Body>> for Echo {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let trailers = [("grpc-status".parse().expect("a name"), "0".parse().expect("a value"))].into_iter().collect();
        let data = request.into_body().into_data_stream().map(|data| data.map(Frame::data));
        let body = StreamBody::new(data.chain(stream::once(async { Ok(Frame::trailers(trailers)) })));
        let response = Response::builder().header("content-type", "application/grpc").body(Body::new(body));
        std::future::ready(Ok(response.expect("a response")))
    }
}

/// The server that gives everything back, one for all tests.
pub(crate) fn echo() -> &'static str {
    static ADDRESS: OnceLock<String> = OnceLock::new();
    ADDRESS.get_or_init(|| {
        let (listener, address) = listener();
        background(move || async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            let incoming = TcpListenerStream::new(listener);
            tonic::transport::Server::builder().serve_with_incoming(Echo, incoming).await.expect("serves");
        });
        address.to_string()
    })
}
