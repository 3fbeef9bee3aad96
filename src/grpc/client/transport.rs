//! The connection: resolve, connect, TLS, HTTP/2, each with an error of its own. All that is known of the wire is here.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tonic::body::Body;

use super::sniff::{Seen, Sniff, Sniffed};
use crate::error::{Error, Kind, Result};
use crate::grpc::settings::{Address, HostPort, Http2, Target};
use crate::net::tls::{Schemes, behind};
use crate::net::{
    Policy, Say, Tls, TlsSettings, Ways, asked_without, connected_to, dial, in_words, resolve, speaks_tls, step,
};
use crate::shutdown::Shutdown;

/// What is said of TLS.
const WAYS: Ways = Ways {
    schemes: Some(Schemes { tls: "https://", plain: "http://" }),
    misnamed: None,
    alpn: Some("the server offers no HTTP/2, which gRPC needs"),
};

/// The flow-control window of a stream: what a fast server may send ahead of a slow reader.
const STREAM_WINDOW: u32 = 1 << 20;
/// That of the connection bounds nothing beyond the few streams in it. But h2 ends a connection whose small DATA frames wait
/// unread once each byte that they lack to 256 adds up to half of this (h2, `record_data_frame`): a stream window full of
/// empty messages, of 5 bytes each, has to fit.
const CONNECTION_WINDOW: u32 = 128 << 20;

/// A byte stream of any kind.
trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// An open HTTP/2 connection. It ends when this and all its clones are dropped; calls by each of them go on side by side.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    /// Where requests go in.
    pub requests: http2::SendRequest<Body>,
    /// The server.
    pub target: Target,
    /// The largest header list taken, in bytes.
    pub max_headers: u32,
    seen: Arc<Seen>,
    driver: Arc<Driver>,
}

/// What moves the bytes. It ends when this is dropped.
#[derive(Debug)]
struct Driver {
    task: JoinHandle<()>,
    /// Once it has ended: with what.
    ended: watch::Receiver<Option<End>>,
}

/// With what a connection ended.
type End = Result<(), Arc<hyper::Error>>;

impl Driver {
    fn spawn(driver: impl Future<Output = hyper::Result<()>> + Send + 'static) -> Arc<Driver> {
        let (tell, ended) = watch::channel(None);
        let task = tokio::spawn(async move {
            tell.send_replace(Some(driver.await.map_err(Arc::new)));
        });
        Arc::new(Driver { task, ended })
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// How to connect. All files are read, and nothing is sent yet.
#[derive(Debug, Clone)]
pub(crate) struct Dialer {
    /// The server.
    pub target: Target,
    tls: Option<Tls>,
    http2: Http2,
}

impl Dialer {
    /// Reads what TLS needs.
    ///
    /// # Errors
    /// As [`Tls::new`].
    pub(crate) fn new(target: Target, tls: &TlsSettings, http2: Http2) -> Result<Dialer> {
        let tls = match target.tls {
            true => Some(Tls::new(tls, &target.server_name, &[b"h2"], &WAYS)?),
            false => None,
        };
        Ok(Dialer { target, tls, http2 })
    }

    /// Connects as `--connect-timeout` and `--wait` say.
    ///
    /// # Errors
    /// `Kind::Connect` (name, route, refused, cut off), `Kind::Tls`, `Kind::Deadline`.
    pub(crate) async fn connect(&self, policy: &Policy, shutdown: &Shutdown) -> Result<Connection> {
        policy.connect_to(&self.target.address, shutdown, |limit| self.attempt(limit, policy.say)).await
    }

    async fn attempt(&self, limit: Duration, say: &Say) -> Result<Connection> {
        let Dialer { target, tls, http2: settings } = self;
        let how = if tls.is_some() { "" } else { ", without TLS" };
        let io = open(&target.address, limit, say, how).await?;
        let spoken = |_: &Connection| "HTTP/2".to_owned();
        let Some(tls) = tls else {
            return match step(say, "HTTP/2", http2(io, target, *settings), spoken).await {
                // A TLS server that gets plain HTTP/2 just hangs up: ask it again, in TLS.
                Err(error) if error.kind() == Kind::Connect && self.speaks_tls().await => Err(asked_without(&WAYS)),
                done => done,
            };
        };
        let io = step(say, "TLS", tls.encrypt(io), |stream| tls.described(stream)).await?;
        let opened = step(say, "HTTP/2", http2(Box::new(io), target, *settings), spoken).await;
        opened.map_err(|error| tls.suspect(error))
    }

    async fn speaks_tls(&self) -> bool {
        let Target { server_name, address, .. } = &self.target;
        speaks_tls(server_name, async |limit| open(address, limit, &|_| (), "").await).await
    }
}

async fn open(address: &Address, limit: Duration, say: &Say, how: &str) -> Result<Box<dyn Io>> {
    let (all, path) = match address {
        Address::Tcp(all) => (all.as_slice(), None),
        Address::Unix(path) => (&[][..], Some(path.clone())),
        // So tokio, and the system, tell a name from a path (unix(7)).
        Address::UnixAbstract(name) => (&[][..], Some(PathBuf::from(format!("\0{name}")))),
    };
    if let Some(path) = path {
        let connect = async {
            UnixStream::connect(path).await.map_err(|e| Error::new(Kind::Connect, address.to_string()).because(e))
        };
        let stream = step(say, "connection", connect, |_| format!("connected to {address}{how}")).await?;
        return Ok(Box::new(stream));
    }
    let find = async {
        let mut found = Vec::new();
        for HostPort { host, port } in all {
            found.extend(resolve(host, *port).await?);
        }
        Ok::<_, Error>(found)
    };
    let found = step(say, "name", find, |found| in_words(found)).await?;
    let stream = step(say, "connection", dial(&found, limit), |stream| connected_to(stream) + how).await?;
    Ok(Box::new(stream))
}

/// The largest header list, in bytes, that HTTP/2 itself takes. It cuts longer trailers short without a word (h2,
/// frame/headers.rs), so the limit that a user sets is checked behind it.
const WIRE_HEADERS: u32 = 16 << 20;

/// Starts HTTP/2, and waits for the server's first frame: only then is somebody there (a port forwarder accepts
/// connections for a server that does not run yet), and with TLS 1.3 only then has the server taken our certificate.
async fn http2(io: Box<dyn Io>, target: &Target, settings: Http2) -> Result<Connection> {
    let (io, seen) = Sniff::new(io);
    let handshake = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(settings.max_headers.max(WIRE_HEADERS))
        .keep_alive_interval(settings.keepalive)
        .keep_alive_timeout(settings.keepalive_timeout)
        .keep_alive_while_idle(true)
        .handshake(TokioIo::new(io))
        .await;
    let (requests, driver) = handshake.map_err(|e| Error::new(Kind::Connect, "no HTTP/2").because(e))?;
    let connection = Connection {
        requests,
        target: target.clone(),
        max_headers: settings.max_headers,
        seen: seen.clone(),
        driver: Driver::spawn(driver),
    };
    let error = match seen.first().await {
        Sniffed::Settings => return Ok(connection),
        Sniffed::Tls => asked_without(&WAYS),
        Sniffed::Http1 => Error::new(Kind::Connect, "the server speaks HTTP/1.1, and gRPC needs HTTP/2"),
        Sniffed::Other => Error::new(Kind::Connect, "the server does not speak HTTP/2"),
        Sniffed::Closed => connection.lost().await.context("the server broke off the HTTP/2 handshake"),
    };
    Err(error)
}

/// How a connection is made once more.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dial<'a> {
    /// Where to, and how.
    pub dialer: &'a Dialer,
    /// `--connect-timeout` and `--wait`.
    pub policy: &'a Policy,
    /// The token that ends the attempts.
    pub shutdown: &'a Shutdown,
}

impl Dial<'_> {
    /// Replaces a connection by a new one.
    ///
    /// # Errors
    /// As [`Dialer::connect`].
    pub(crate) async fn again(&self, connection: &mut Connection) -> Result<()> {
        *connection = self.dialer.connect(self.policy, self.shutdown).await?;
        Ok(())
    }
}

/// How long a connection may take to say goodbye.
const GOODBYE: Duration = Duration::from_millis(500);

impl Connection {
    /// Whether it is gone.
    pub(crate) fn is_closed(&self) -> bool {
        self.requests.is_closed()
    }

    /// Whether the server takes one call at a time (`SETTINGS_MAX_CONCURRENT_STREAMS`): a second one would wait for the end
    /// of the first.
    pub(crate) fn takes_one_call(&self) -> bool {
        self.seen.max_streams().is_some_and(|max| max <= 1)
    }

    /// Closes it once everything is written: a call that was cancelled is told to the server as that.
    pub(crate) async fn close(self) {
        let Connection { requests, seen, driver: _driver, .. } = self;
        // Without anybody who could ask for more, it ends by itself. hyper's own future is ready before that.
        drop(requests);
        // What cannot be said in time is left to the end of the process.
        let _ = tokio::time::timeout(GOODBYE, seen.gone()).await;
    }

    /// Why the connection ended, for the error of a call that it took with it. `Kind::Tls` for a TLS alert, else
    /// `Kind::Connect`.
    pub(crate) async fn lost(&self) -> Error {
        if let Some(error) = self.seen.failure() {
            return behind(&error, &WAYS)
                .unwrap_or_else(|| Error::new(Kind::Connect, "the connection was lost").because(error));
        }
        let lost = Error::new(Kind::Connect, "the server closed the connection");
        // The driver ends at once when the connection has; a connection that still lives has nothing to tell.
        let mut ended = self.driver.ended.clone();
        match tokio::time::timeout(Duration::from_millis(100), ended.wait_for(Option::is_some)).await {
            Ok(Ok(end)) => match &*end {
                Some(Err(cause)) => lost.because(cause.clone()),
                _ => lost,
            },
            _ => lost,
        }
    }
}
