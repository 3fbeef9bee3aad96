//! The servers that the tests call.

use std::convert::Infallible;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{OnceLock, mpsc};
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
