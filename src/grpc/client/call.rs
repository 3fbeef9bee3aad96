//! One call: the request goes in as it is made, messages come out as they arrive, and the end is told apart from a
//! connection that broke.
//!
//! tonic's codec frames the requests; the status is read here, because tonic's client panics on a bad
//! `grpc-status-details-bin` and gives its own faults out as a status of the server.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Version};
use http_body::Body as _;
use tonic::Code;
use tonic::body::Body;
use tonic::codec::{CompressionEncoding, EncodeBody};

use super::body::{Raw, SentBody};
use super::broken::{Broken, CallProgress, broken, is_over, over};
use super::messages::{BadMessage, Encoding, Messages, NextMessage};
use super::status::Status;
use super::trace::{Observer, Sizes, WireEvent};
use super::transport::Connection;
use crate::error::{Error, Kind, Result};
use crate::grpc::settings::Compression;

/// What every call of a command shares.
#[derive(Clone)]
pub(crate) struct CallOptions {
    /// Request metadata.
    pub metadata: HeaderMap,
    /// What is left of the deadline, for `grpc-timeout`.
    pub timeout: Option<Duration>,
    /// The largest message taken, in bytes, compressed or not.
    pub max_recv: usize,
    /// How requests are compressed.
    pub compress: Option<Compression>,
    /// `user-agent`, when it is not ours.
    pub user_agent: Option<HeaderValue>,
    /// Who is told what goes over the wire.
    pub observer: Option<Observer>,
}

/// What is taken in responses.
const ACCEPTED: HeaderValue = HeaderValue::from_static("identity,gzip,deflate,zstd");

/// A call that the server has answered with headers.
pub(crate) struct Call {
    /// The response headers. Empty when the server answered with a status alone.
    pub headers: HeaderMap,
    ended: Option<Status>,
    messages: Option<Messages>,
    max_recv: usize,
    received: u64,
}

/// Starts a call and waits for the response headers. `requests` is drawn from while this waits: a server may withhold
/// its headers until it has the first message.
///
/// # Errors
/// The connection broke, or what came is no gRPC.
pub(crate) async fn start(
    connection: &mut Connection,
    path: &str,
    requests: impl Stream<Item = Bytes> + Send + 'static,
    options: &CallOptions,
) -> Result<Call, Broken> {
    let request = request(connection, path, requests, options).map_err(Broken::alone)?;
    if let Err(cause) = connection.requests.ready().await {
        return Err(broken(connection, cause, CallProgress::Asked).await);
    }
    let response = match connection.requests.send_request(request).await {
        Ok(response) => response,
        Err(cause) => return Err(broken(connection, cause, CallProgress::Asked).await),
    };
    let (head, body) = response.into_parts();
    if let Some(observer) = &options.observer {
        observer(WireEvent::Response(head.status, &head.headers));
    }
    if is_over(&head.headers, connection.max_headers) {
        return Err(Broken::alone(over(connection, "response headers")));
    }
    let content_type = head.headers.get("content-type");
    let grpc = content_type.is_some_and(|t| t.as_bytes().starts_with(b"application/grpc"));
    let is_foreign = content_type.is_some() && !grpc;
    let mut call =
        Call { headers: HeaderMap::new(), ended: None, messages: None, max_recv: options.max_recv, received: 0 };
    // The status stands in the head only where nothing follows it (gRPC over HTTP2, "Trailers-Only"): what has a body or
    // trailers says there how it ended.
    let alone = if body.is_end_stream() { Status::take(head.headers.clone()) } else { None };
    let is_http_ok = head.status == StatusCode::OK;
    match alone {
        // No answer that HTTP calls a failure is a success, and no page for people.
        Some(status) if !status.is_ok() || is_http_ok && !is_foreign => call.ended = Some(status),
        _ if !is_http_ok || !grpc => call.ended = Some(Status::of_http(head.status, head.headers, body).await),
        _ => {
            let encoding = Encoding::of(&head.headers);
            call.headers = head.headers;
            call.messages = Some(Messages::new(body, encoding, options.max_recv, options.observer.clone()));
        }
    }
    Ok(call)
}

fn encoding_of(compression: Compression) -> CompressionEncoding {
    match compression {
        Compression::Gzip => CompressionEncoding::Gzip,
        Compression::Deflate => CompressionEncoding::Deflate,
        Compression::Zstd => CompressionEncoding::Zstd,
    }
}

fn request(
    connection: &Connection,
    path: &str,
    requests: impl Stream<Item = Bytes> + Send + 'static,
    options: &CallOptions,
) -> Result<Request<Body>> {
    let target = &connection.target;
    let scheme = if target.tls { "https" } else { "http" };
    let bad = |e: http::Error| Error::usage(format!("cannot ask for `{path}`")).because(e);
    let uri = http::Uri::builder()
        .scheme(scheme)
        .authority(target.authority.clone())
        .path_and_query(format!("{}{path}", target.prefix))
        .build()
        .map_err(bad)?;
    let encoding = options.compress.map(encoding_of);
    let body = match &options.observer {
        None => Body::new(EncodeBody::new_client(Raw, requests.map(Ok), encoding, Some(usize::MAX))),
        Some(observer) => {
            let sizes = Arc::<Sizes>::default();
            let counted = sizes.clone();
            let requests = requests.inspect(move |message| counted.plain(message.len()));
            let body = EncodeBody::new_client(Raw, requests.map(Ok), encoding, Some(usize::MAX));
            Body::new(SentBody { body: Box::pin(body), sizes, observer: observer.clone() })
        }
    };
    let mut request =
        Request::builder().method(Method::POST).version(Version::HTTP_2).uri(uri).body(body).map_err(bad)?;
    let headers = request.headers_mut();
    let own = || HeaderValue::from_static(concat!("mscomm/", env!("CARGO_PKG_VERSION")));
    headers.insert("user-agent", options.user_agent.clone().unwrap_or_else(own));
    headers.insert("content-type", HeaderValue::from_static("application/grpc"));
    headers.insert("te", HeaderValue::from_static("trailers"));
    headers.insert("grpc-accept-encoding", ACCEPTED);
    if let Some(compression) = options.compress {
        headers.insert("grpc-encoding", HeaderValue::from_static(compression.name()));
    }
    if let Some(timeout) = options.timeout
        && let Ok(value) = HeaderValue::from_str(&grpc_timeout(timeout))
    {
        headers.insert("grpc-timeout", value);
    }
    for (name, value) in &options.metadata {
        match name.as_str() {
            // Ours makes way.
            "user-agent" => drop(headers.insert(name, value.clone())),
            _ => drop(headers.append(name, value.clone())),
        }
    }
    if let Some(observer) = &options.observer {
        observer(WireEvent::Request(request.uri().path(), target.authority.as_str(), request.headers()));
    }
    Ok(request)
}

/// At most eight digits and a unit, never less than what is left: our own timer is to be the first.
fn grpc_timeout(timeout: Duration) -> String {
    let millis = timeout.as_millis().saturating_add(1);
    match millis {
        0..100_000_000 => format!("{millis}m"),
        _ => format!("{}S", timeout.as_secs().saturating_add(1).min(99_999_999)),
    }
}

impl Call {
    /// The next message, or `None` at the end: then [`Call::status`] has the status. Dropping the future loses nothing.
    ///
    /// # Errors
    /// The connection or the stream broke before a status came, or a message was over the limit.
    pub(crate) async fn message(&mut self, connection: &Connection) -> Result<Option<Bytes>, Broken> {
        let Some(messages) = &mut self.messages else { return Ok(None) };
        let (trailers, cut) = match messages.next().await {
            NextMessage::Message(message) => {
                self.received += 1;
                return Ok(Some(message));
            }
            NextMessage::End(trailers, cut) => (trailers, cut),
            NextMessage::Bad(bad) => {
                self.messages = None;
                return Err(self.unreadable(bad));
            }
            NextMessage::Lost(cause) => {
                self.messages = None;
                return Err(broken(connection, cause, CallProgress::Answered(self.received)).await);
            }
        };
        self.messages = None;
        if trailers.as_ref().is_some_and(|trailers| is_over(trailers, connection.max_headers)) {
            let error = over(connection, "trailers");
            let status = trailers.and_then(Status::take).map(|status| status.name());
            let error = match status {
                Some(status) => error.context(format!("the call ended with {status}, without its message")),
                None => error,
            };
            return Err(Broken::alone(error));
        }
        let status = trailers.and_then(Status::take);
        if let Some(bad) = cut
            && status.as_ref().is_none_or(Status::is_ok)
        {
            return Err(self.unreadable(bad));
        }
        if status.is_none() {
            let mut text = "the answer ended without a status: it may have been cut short".to_owned();
            if self.headers.contains_key("grpc-status") {
                text.push_str(" (a grpc-status in its head counts only where nothing follows the head)");
            }
            let error = Error::new(Kind::Partial, text).status(Code::Internal);
            return Err(Broken::alone(error));
        }
        self.ended = status;
        Ok(None)
    }

    /// How the server ended the call, once it has.
    pub(crate) fn status(self) -> Option<Status> {
        self.ended
    }

    /// How many messages came.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    fn unreadable(&self, bad: BadMessage) -> Broken {
        let number = self.received + 1;
        let error = match bad {
            BadMessage::Large => {
                Error::refused(format!("message {number} is over {} bytes, the limit of --max-recv", self.max_recv))
                    .hint("raise --max-recv, as --max-recv 256M")
                    .status(Code::ResourceExhausted)
            }
            BadMessage::Encoding(name) => {
                let text =
                    format!("message {number} is compressed with `{name}`, which the server was not told to use");
                Error::new(Kind::Partial, text)
                    .hint("what is taken: gzip, deflate, zstd, and no compression")
                    .status(Code::Internal)
            }
            BadMessage::Broken(what) => {
                Error::new(Kind::Partial, format!("message {number} is no gRPC: {what}")).status(Code::Internal)
            }
        };
        Broken::alone(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_have_at_most_eight_digits() {
        assert_eq!(grpc_timeout(Duration::from_millis(1500)), "1501m");
        assert_eq!(grpc_timeout(Duration::from_secs(200_000)), "200001S");
        assert_eq!(grpc_timeout(Duration::MAX), "99999999S");
    }
}
