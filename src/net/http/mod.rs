//! HTTP/1.1 for what is asked beside the protocols: schema registries, and servers that give tokens. Over the TCP and TLS of
//! all others; no proxy is used.

#[cfg(test)]
pub(crate) mod fake;
mod question;
#[cfg(test)]
mod tests;
mod url;

use std::error::Error as StdError;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, LOCATION, USER_AGENT};
use http::{Method, Request};
use http_body::Body;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

pub(crate) use self::question::{Answer, Ask, Login};
pub(crate) use self::url::{Endpoint, UserInfo, segment};
use super::dial::{connected_to, dial, in_words, reach, resolve};
use super::policy::{Policy, unanswered};
use super::steps::{Say, Told, step};
use super::tls::{Schemes, Tls, TlsSettings, Ways, asked_without, given_up, speaks_tls};
use crate::error::{Error, Kind, Result};
use crate::shutdown::Shutdown;
use crate::tls_words::plain;
use crate::values::millis;

/// What is said of TLS.
const WAYS: Ways = Ways {
    schemes: Some(Schemes { tls: "https://", plain: "http://" }),
    misnamed: Some("name the server as its certificate does"),
    alpn: None,
};

/// The most bytes of an answer.
const LARGEST: usize = 64 << 20;

/// How many redirects are followed.
const REDIRECTS: usize = 5;

/// How many connections are kept for what comes next.
const KEPT: usize = 8;

/// What a server is in steps, errors and their fixes.
#[derive(Debug)]
pub(crate) struct Peer {
    /// As `the schema registry`.
    pub name: &'static str,
    /// The names of the steps to it: finding it, connecting, TLS.
    pub steps: [&'static str; 3],
    /// What its flags about TLS begin with: `--registry-` where all others have `--`.
    pub flags: &'static str,
}

type Sender = http1::SendRequest<Full<Bytes>>;

/// A client of one server. It connects when it is asked for something, and keeps its connections.
pub(crate) struct Http {
    endpoint: Endpoint,
    tls: Option<Tls>,
    authorization: Option<HeaderValue>,
    peer: &'static Peer,
    policy: Policy,
    shutdown: Shutdown,
    idle: Mutex<Vec<Sender>>,
}

/// Why there is no answer.
enum Failure {
    /// The connection had been closed before it was used once more.
    Stale,
    /// For good.
    Error(Error),
}

impl Http {
    /// Reads the files of TLS; nothing is sent yet. `policy` says how long an attempt to connect may take, and each answer.
    ///
    /// # Errors
    /// `Kind::Tls` as [`Tls::new`]; `Kind::Config` for a token that cannot be sent.
    pub(crate) fn new(
        endpoint: Endpoint,
        tls: &TlsSettings,
        login: &Login,
        peer: &'static Peer,
        policy: Policy,
        shutdown: Shutdown,
    ) -> Result<Http> {
        let tls = match endpoint.tls {
            true => Some(Tls::new(tls, &endpoint.host, &[], &WAYS).map_err(|error| own_flags(error, peer))?),
            false => None,
        };
        let authorization = login.header()?;
        Ok(Http { endpoint, tls, authorization, peer, policy, shutdown, idle: Mutex::default() })
    }

    /// The server.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Connects, for what is asked next.
    ///
    /// # Errors
    /// `Kind::Connect`, `Kind::Tls`, `Kind::Deadline`; the reason to stop.
    pub(crate) async fn open(&self) -> Result<()> {
        let sender = self.connect().await.map_err(|error| own_flags(error, self.peer))?;
        self.keep(sender);
        Ok(())
    }

    /// Asks, and follows redirects of a GET to the same server.
    ///
    /// # Errors
    /// `Kind::Connect`, `Kind::Tls`; `Kind::Deadline` for an answer that does not come in time; `Kind::Refused` for one that is
    /// too large, or sends whoever asked elsewhere; the reason to stop. A bad status is an answer.
    pub(crate) async fn ask(&self, ask: &Ask) -> Result<Answer> {
        let mut path = format!("{}{}", self.endpoint.path, ask.path);
        if path.is_empty() {
            path.push('/');
        }
        for _ in 0..=REDIRECTS {
            let started = Instant::now();
            let asked = self.exchange(ask, &path).await;
            let answer = asked.map_err(|error| own_flags(given_up(error), self.peer))?;
            let took = millis(started.elapsed());
            let line = format!("{} {path}: {} ({took})", ask.method, answer.status.as_u16());
            (self.policy.say)(Told::Asked(&line));
            let Some(to) = answer.moved_to() else { return Ok(answer) };
            path = match self.endpoint.redirected(&path, to) {
                Ok(to) if ask.method == Method::GET => to,
                Ok(_) => return Ok(answer),
                // Nobody else gets the password.
                Err(to) => {
                    let message = format!("{} at {} redirects to {to}", self.peer.name, self.endpoint);
                    return Err(Error::refused(message).hint("name that server itself, if it is the one that is meant"));
                }
            };
        }
        Err(Error::refused(format!("{} at {} redirects in a circle", self.peer.name, self.endpoint)))
    }

    async fn exchange(&self, ask: &Ask, path: &str) -> Result<Answer> {
        if let Some(sender) = self.kept().await {
            match self.once(sender, ask, path, true).await {
                Ok(answer) => return Ok(answer),
                Err(Failure::Error(error)) => return Err(error),
                Err(Failure::Stale) => {}
            }
        }
        let sender = self.connect().await?;
        match self.once(sender, ask, path, false).await {
            Ok(answer) => Ok(answer),
            Err(Failure::Error(error)) => Err(error.context(self.unanswered())),
            Err(Failure::Stale) => Err(Error::new(Kind::Connect, self.unanswered())),
        }
    }

    fn unanswered(&self) -> String {
        format!("no answer of {} at {}", self.peer.name, self.endpoint)
    }

    /// A connection that is open still, as far as can be told.
    async fn kept(&self) -> Option<Sender> {
        loop {
            let mut sender = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
            if sender.ready().await.is_ok() {
                return Some(sender);
            }
        }
    }

    fn keep(&self, sender: Sender) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT {
            idle.push(sender);
        }
    }

    async fn connect(&self) -> Result<Sender> {
        let address = format!("{} at {}", self.peer.name, self.endpoint);
        self.policy.connect_to(address, &self.shutdown, |limit| self.attempt(limit, self.policy.say)).await
    }

    async fn attempt(&self, limit: Duration, say: &Say) -> Result<Sender> {
        let Endpoint { host, port, .. } = &self.endpoint;
        let [name, connection, tls] = self.peer.steps;
        let found = step(say, name, resolve(host, *port), |found| in_words(found)).await?;
        let how = if self.tls.is_some() { "" } else { ", without TLS" };
        let connected = |stream: &TcpStream| connected_to(stream) + how;
        let stream = step(say, connection, dial(&found, limit), connected).await?;
        match &self.tls {
            None => start(stream).await,
            Some(own) => start(step(say, tls, own.encrypt(stream), |stream| own.described(stream)).await?).await,
        }
    }

    /// Asks on one connection, and keeps it.
    async fn once(&self, mut sender: Sender, ask: &Ask, path: &str, is_kept: bool) -> Result<Answer, Failure> {
        let limit = self.policy.connect_timeout;
        let request = self.request(ask, path).map_err(Failure::Error)?;
        let work = async {
            let answered = sender.send_request(request).await;
            let (head, body) = answered.map_err(Broken::Http)?.into_parts();
            if body.size_hint().lower() > LARGEST as u64 {
                return Err(Broken::TooLarge);
            }
            let body = Limited::new(body, LARGEST).collect().await.map_err(Broken::of_body)?.to_bytes();
            let location = head.headers.get(LOCATION).and_then(|to| to.to_str().ok()).map(str::to_owned);
            Ok(Answer::new(head.status, body, location))
        };
        let work = async { Ok(tokio::time::timeout(limit, work).await) };
        match self.shutdown.or_stop(work).await {
            Err(stop) => Err(Failure::Error(stop)),
            Ok(Err(_)) => Err(Failure::Error(unanswered(limit))),
            Ok(Ok(Ok(answer))) => {
                self.keep(sender);
                Ok(answer)
            }
            Ok(Ok(Err(Broken::Http(error)))) if is_kept && !error.is_parse() => Err(Failure::Stale),
            Ok(Ok(Err(broken))) => Err(Failure::Error(self.broken(broken).await)),
        }
    }

    fn request(&self, ask: &Ask, path: &str) -> Result<Request<Full<Bytes>>> {
        let mut request = Request::builder()
            .method(&ask.method)
            .uri(path)
            .header(HOST, self.endpoint.authority())
            .header(USER_AGENT, concat!("mscomm/", env!("CARGO_PKG_VERSION")))
            .header(ACCEPT, ask.accept);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let body = match &ask.body {
            None => Bytes::new(),
            Some((kind, body)) => {
                request = request.header(CONTENT_TYPE, *kind);
                body.clone()
            }
        };
        request.body(Full::new(body)).map_err(|e| Error::usage("this cannot be asked for over HTTP").because(e))
    }

    /// The error of an exchange that ended early.
    async fn broken(&self, broken: Broken) -> Error {
        let error = match broken {
            Broken::TooLarge => return Error::refused(format!("the answer has more than {} MiB", LARGEST >> 20)),
            Broken::Other(error) => return Error::new(Kind::Connect, "the answer was cut short").because(error),
            Broken::Http(error) => error,
        };
        let io = error.source().and_then(|source| source.downcast_ref::<io::Error>());
        if let (Some(tls), Some(io)) = (&self.tls, io)
            && let Some(error) = tls.behind(io)
        {
            return error;
        }
        let Endpoint { host, port, .. } = &self.endpoint;
        if self.tls.is_none() && speaks_tls(host, async |limit| reach(host, *port, limit).await).await {
            return asked_without(&WAYS);
        }
        let lost = match io {
            _ if error.is_parse() => return Error::new(Kind::Connect, "what it answers is no HTTP").because(error),
            Some(io) => Error::new(Kind::Connect, "the connection was lost").because(plain(io)),
            None => Error::new(Kind::Connect, "the server closed the connection"),
        };
        match &self.tls {
            Some(tls) => tls.suspect(lost),
            None => lost,
        }
    }
}

/// What ended an exchange early.
enum Broken {
    Http(hyper::Error),
    TooLarge,
    Other(Box<dyn StdError + Send + Sync>),
}

impl Broken {
    fn of_body(error: Box<dyn StdError + Send + Sync>) -> Broken {
        if error.is::<LengthLimitError>() {
            return Broken::TooLarge;
        }
        match error.downcast::<hyper::Error>() {
            Ok(error) => Broken::Http(*error),
            Err(other) => Broken::Other(other),
        }
    }
}

/// Begins HTTP on a stream.
async fn start<S>(stream: S) -> Result<Sender>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    let started = http1::handshake(TokioIo::new(stream)).await;
    let (sender, driver) = started.map_err(|e| Error::new(Kind::Connect, "no HTTP").because(e))?;
    // It ends with its connection; what it fails with is told to whoever waits for an answer.
    tokio::spawn(driver);
    Ok(sender)
}

/// The same error with a fix that names this server's flags.
fn own_flags(error: Error, peer: &Peer) -> Error {
    let Some(fix) = error.fix() else { return error };
    let fix = fix
        .replace("pass --plaintext or write", "write")
        .replace("pass --tls or write", "write")
        .replace("--tls-", &format!("{}tls-", peer.flags))
        .replace("--insecure", &format!("{}insecure", peer.flags))
        .replace(", with --server-name", "");
    error.hint(fix)
}
