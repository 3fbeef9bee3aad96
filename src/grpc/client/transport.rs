//! The connection: resolve, connect, TLS, HTTP/2, each with an error of its own. All that is known of the wire is here.

use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{UnixStream, lookup_host};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tonic::body::Body;

use super::sniff::{Seen, Sniff, Sniffed};
use super::target::{Address, HostPort, PLAINTEXT_HINT, TLS_HINT, Target};
use super::trace::{Timings, timed};
use crate::connect::{Asked, Policy, dial, suspect};
use crate::error::{Error, Kind, Result};
use crate::shutdown::Shutdown;
use crate::tls::{self, TlsSettings};

/// The flow-control window of a stream: what a fast server may send ahead of a slow reader.
const STREAM_WINDOW: u32 = 1 << 20;
/// That of the connection bounds nothing beyond the few streams in it. But h2 ends a connection whose small DATA frames wait
/// unread once each byte that they lack to 256 adds up to half of this (h2, `record_data_frame`): a stream window full of
/// empty messages, of 5 bytes each, has to fit.
const CONNECTION_WINDOW: u32 = 128 << 20;

/// A byte stream of any kind.
trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// What is asked of HTTP/2.
#[derive(Debug, Clone, Copy)]
pub struct Http2 {
    /// The largest header list taken, in bytes.
    pub max_headers: u32,
    /// How often the server is asked for a sign of life.
    pub keepalive: Option<Duration>,
    /// How long it may take to give one.
    pub keepalive_timeout: Duration,
}

impl Default for Http2 {
    fn default() -> Http2 {
        // Servers put whole stack traces into `grpc-message`, and hyper's 16 KiB make a hang of them (tonic#1834).
        Http2 { max_headers: 1 << 20, keepalive: None, keepalive_timeout: Duration::from_secs(20) }
    }
}

/// An open HTTP/2 connection. It ends when this is dropped.
#[derive(Debug)]
pub struct Connection {
    /// How long it took to open.
    pub timings: Timings,
    /// Where requests go in.
    pub requests: http2::SendRequest<Body>,
    /// The server.
    pub target: Target,
    /// The largest header list taken, in bytes.
    pub max_headers: u32,
    seen: Arc<Seen>,
    driver: Driver,
}

/// What moves the bytes. It ends when this is dropped.
#[derive(Debug)]
struct Driver(JoinHandle<Option<hyper::Error>>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// How to connect. All files are read, and nothing is sent yet.
#[derive(Debug, Clone)]
pub struct Dialer {
    /// The server.
    pub target: Target,
    tls: Option<Arc<rustls::ClientConfig>>,
    http2: Http2,
    asked: Arc<Asked>,
}

impl Dialer {
    /// Reads what TLS needs.
    ///
    /// # Errors
    /// As [`TlsSettings::client_config`].
    pub fn new(target: Target, tls: &TlsSettings, http2: Http2) -> Result<Dialer> {
        let (tls, asked) = match target.tls {
            true => {
                let mut config = tls.client_config(&[b"h2"])?;
                let asked = Asked::watch(&mut config);
                (Some(Arc::new(config)), asked)
            }
            false => Default::default(),
        };
        Ok(Dialer { target, tls, http2, asked })
    }

    /// Connects as `--connect-timeout` and `--wait` say.
    ///
    /// # Errors
    /// `Kind::Connect` (name, route, refused, cut off), `Kind::Tls`, `Kind::Deadline`.
    pub async fn connect(&self, policy: &Policy, shutdown: &Shutdown) -> Result<Connection> {
        let Dialer { target, tls, http2, asked } = self;
        policy.connect(shutdown, |limit| attempt(target, tls.clone(), *http2, asked, limit)).await
    }
}

async fn attempt(
    target: &Target,
    tls: Option<Arc<rustls::ClientConfig>>,
    settings: Http2,
    asked: &Asked,
    limit: Duration,
) -> Result<Connection> {
    let mut timings = Timings::default();
    let io = open(&target.address, limit, &mut timings).await?;
    match tls {
        Some(config) => {
            asked.reset();
            let (encrypted, time) = timed(encrypt(target, config, io)).await;
            timings.tls = Some(time);
            let done = match encrypted {
                Ok(encrypted) => http2(encrypted, target, settings, timings).await,
                Err(error) => Err(error),
            };
            done.map_err(|error| match error.kind() {
                Kind::Connect if asked.in_vain() => suspect(error),
                _ => error,
            })
        }
        None => match http2(io, target, settings, timings).await {
            // A TLS server that gets plain HTTP/2 just hangs up: ask it again, in TLS.
            Err(error) if error.kind() == Kind::Connect && speaks_tls(target, limit).await => {
                Err(Error::new(Kind::Tls, format!("{} speaks TLS, and was asked without", target.address))
                    .hint("pass --tls or write https://"))
            }
            done => done,
        },
    }
}

async fn open(address: &Address, limit: Duration, timings: &mut Timings) -> Result<Box<dyn Io>> {
    let (all, path) = match address {
        Address::Tcp(all) => (all.as_slice(), None),
        Address::Unix(path) => (&[][..], Some(path.clone())),
        // So tokio, and the system, tell a name from a path (unix(7)).
        Address::UnixAbstract(name) => (&[][..], Some(PathBuf::from(format!("\0{name}")))),
    };
    if let Some(path) = path {
        let (stream, time) = timed(UnixStream::connect(path)).await;
        timings.connect = time;
        let failed = |e| Error::new(Kind::Connect, format!("cannot connect to {address}")).because(e);
        return Ok(Box::new(stream.map_err(failed)?));
    }
    let (found, time) = timed(find(all)).await;
    timings.name = Some(time);
    let found = found?;
    let (stream, time) = timed(dial(&found, limit)).await;
    timings.connect = time;
    Ok(Box::new(stream.map_err(|e| e.context(format!("cannot connect to {address}")))?))
}

/// The addresses of all hosts.
async fn find(all: &[HostPort]) -> Result<Vec<SocketAddr>> {
    let mut found = Vec::new();
    for HostPort { host, port } in all {
        let zoned = host.split_once('%').and_then(|(ip, zone)| Some((ip.parse().ok()?, zone)));
        // The resolver knows a zone by its name for addresses of a link alone.
        let name = zoned.map_or_else(|| host.clone(), |(_, zone): (Ipv6Addr, _)| format!("fe80::1%{zone}"));
        let addresses = lookup_host((name, *port)).await.map_err(|e| {
            let error = Error::new(Kind::Connect, format!("cannot resolve `{host}`")).because(e);
            if zoned.is_some() { error.hint("what follows the `%` is the name of a network interface") } else { error }
        })?;
        found.extend(addresses.map(|mut address| {
            if let Some((ip, _)) = zoned {
                address.set_ip(ip.into());
            }
            address
        }));
    }
    Ok(found)
}

async fn encrypt(target: &Target, config: Arc<rustls::ClientConfig>, io: Box<dyn Io>) -> Result<Box<dyn Io>> {
    let address = &target.address;
    let name = ServerName::try_from(target.server_name.clone()).map_err(|e| {
        Error::new(Kind::Tls, format!("`{}` cannot be the name in a certificate", target.server_name))
            .because(e)
            .hint("name the server with --server-name")
    })?;
    let failed = |e: std::io::Error| {
        let cause = e.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match cause {
            Some(rustls::Error::InvalidMessage(_)) => {
                Error::new(Kind::Tls, format!("{address} does not speak TLS")).because(e).hint(PLAINTEXT_HINT)
            }
            Some(_) => tls_failed(address, e),
            None => Error::new(Kind::Connect, format!("{address} broke off the TLS handshake"))
                .because(e)
                .hint(PLAINTEXT_HINT),
        }
    };
    let stream = TlsConnector::from(config).connect(name, io).await.map_err(failed)?;
    Ok(Box::new(stream))
}

fn tls_failed(address: &Address, cause: std::io::Error) -> Error {
    let words = tls::of_error(&cause);
    let no_http2 = matches!(
        cause.get_ref().and_then(|inner| inner.downcast_ref()),
        Some(rustls::Error::AlertReceived(rustls::AlertDescription::NoApplicationProtocol))
    );
    let hint = match no_http2 {
        true => Some("the server offers no HTTP/2, which gRPC needs"),
        false => words.and_then(|words| words.fix),
    };
    let error = Error::new(Kind::Tls, format!("TLS with {address} failed")).because(cause);
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// The largest header list, in bytes, that HTTP/2 itself takes. It cuts longer trailers short without a word (h2,
/// frame/headers.rs), so the limit that a user sets is checked behind it.
const WIRE_HEADERS: u32 = 16 << 20;

/// Starts HTTP/2, and waits for the server's first frame: only then is somebody there (a port forwarder accepts
/// connections for a server that does not run yet), and with TLS 1.3 only then has the server taken our certificate.
async fn http2(io: Box<dyn Io>, target: &Target, settings: Http2, mut timings: Timings) -> Result<Connection> {
    let address = &target.address;
    let (io, seen) = Sniff::new(io);
    let started = Instant::now();
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
    let (requests, driver) =
        handshake.map_err(|e| Error::new(Kind::Connect, format!("no HTTP/2 with {address}")).because(e))?;
    let driver = Driver(tokio::spawn(async move { driver.await.err() }));
    let mut connection = Connection {
        timings,
        requests,
        target: target.clone(),
        max_headers: settings.max_headers,
        seen: seen.clone(),
        driver,
    };
    let error = match seen.first().await {
        Sniffed::Settings => {
            timings.http2 = started.elapsed();
            connection.timings = timings;
            return Ok(connection);
        }
        Sniffed::Tls => Error::new(Kind::Tls, format!("{address} speaks TLS, and was asked without")).hint(TLS_HINT),
        Sniffed::Http1 => Error::new(Kind::Connect, format!("{address} speaks HTTP/1.1, and gRPC needs HTTP/2")),
        Sniffed::Other => Error::new(Kind::Connect, format!("{address} does not speak HTTP/2")),
        Sniffed::Closed => connection.lost().await.context(format!("{address} broke off the HTTP/2 handshake")),
    };
    Err(error)
}

/// Whether the server answers a TLS handshake, in whatever way.
async fn speaks_tls(target: &Target, limit: Duration) -> bool {
    let settings = TlsSettings { insecure: Some(true), ..TlsSettings::default() };
    let (Ok(config), Ok(name)) = (settings.client_config(&[b"h2"]), ServerName::try_from(target.server_name.clone()))
    else {
        return false;
    };
    let Ok(io) = open(&target.address, limit, &mut Timings::default()).await else { return false };
    match TlsConnector::from(Arc::new(config)).connect(name, io).await {
        Ok(_) => true,
        Err(e) => matches!(
            e.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()),
            Some(cause) if !matches!(cause, rustls::Error::InvalidMessage(_))
        ),
    }
}

/// How a connection is made once more.
#[derive(Debug, Clone, Copy)]
pub struct Dial<'a> {
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
    pub async fn again(&self, connection: &mut Connection) -> Result<()> {
        *connection = self.dialer.connect(self.policy, self.shutdown).await?;
        Ok(())
    }
}

/// How long a connection may take to say goodbye.
const GOODBYE: Duration = Duration::from_millis(500);

impl Connection {
    /// Whether it is gone.
    pub fn is_closed(&self) -> bool {
        self.requests.is_closed()
    }

    /// Whether the server takes one call at a time (`SETTINGS_MAX_CONCURRENT_STREAMS`): a second one would wait for the end
    /// of the first.
    pub fn takes_one_call(&self) -> bool {
        self.seen.max_streams().is_some_and(|max| max <= 1)
    }

    /// Closes it once everything is written: a call that was cancelled is told to the server as that.
    pub async fn close(self) {
        let Connection { requests, seen, driver: _driver, .. } = self;
        // Without anybody who could ask for more, it ends by itself. hyper's own future is ready before that.
        drop(requests);
        // What cannot be said in time is left to the end of the process.
        let _ = tokio::time::timeout(GOODBYE, seen.gone()).await;
    }

    /// Why the connection ended, for the error of a call that it took with it. `Kind::Tls` for a TLS alert, else
    /// `Kind::Connect`.
    pub async fn lost(&mut self) -> Error {
        if let Some(error) = self.seen.failure() {
            let is_tls = error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>());
            return match is_tls {
                true => tls_failed(&self.target.address, error),
                false => Error::new(Kind::Connect, "the connection was lost").because(error),
            };
        }
        let lost = Error::new(Kind::Connect, "the server closed the connection");
        // The driver ends at once when the connection has; a connection that still lives has nothing to tell.
        match tokio::time::timeout(Duration::from_millis(100), &mut self.driver.0).await {
            Ok(Ok(Some(cause))) => lost.because(cause),
            _ => lost,
        }
    }
}
