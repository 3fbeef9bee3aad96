//! The status that ends a call, read from headers or trailers without trusting them.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body::Body as _;
use hyper::body::Incoming;
use tonic::Code;

use crate::error::{Error, Kind};
use crate::message::grpc::code_name;
use crate::message::json::{decode_base64, escape};
use crate::proto::{Layout, Resolver, rpc};

/// What the server said at the end of a call.
#[derive(Debug, Clone)]
pub(crate) struct Status {
    /// As it was sent: not only 0 to 16.
    pub code: i32,
    /// `grpc-message`, decoded.
    pub message: String,
    /// An encoded `google.rpc.Status`; empty when there was none.
    pub details: Bytes,
    /// The other trailers, in order.
    pub metadata: HeaderMap,
    /// True when the server gave none, and this is what its answer stands for.
    pub is_local: bool,
}

/// The headers that carry the status itself.
const OWN: [&str; 3] = ["grpc-status", "grpc-message", "grpc-status-details-bin"];

impl Status {
    /// Takes the status out of trailers, or of the headers of an answer without a body. `None` when there is none.
    pub(crate) fn take(mut headers: HeaderMap) -> Option<Status> {
        let code = headers.get(OWN[0])?;
        // Whatever is no number is UNKNOWN (gRPC over HTTP2, "Responses").
        let code = code.to_str().ok().and_then(|c| c.parse().ok()).unwrap_or(Code::Unknown as i32);
        let message = headers.get(OWN[1]).map(|m| percent_decoded(m.as_bytes())).unwrap_or_default();
        // What is no base64 is no status either, and is shown as the bytes that it is.
        let details = headers.get(OWN[2]).map(HeaderValue::as_bytes);
        let details =
            details.map(|d| std::str::from_utf8(d).ok().and_then(|d| decode_base64(d).ok()).unwrap_or(d.to_vec()));
        for name in OWN {
            headers.remove(name);
        }
        Some(Status { code, message, details: details.unwrap_or_default().into(), metadata: headers, is_local: false })
    }

    /// The status that an answer in HTTP stands for (grpc/doc/http-grpc-status-mapping.md), with what it says. One that is
    /// gRPC in all but its HTTP status may still say how it ended.
    pub(crate) async fn of_http(http: StatusCode, headers: HeaderMap, body: Incoming) -> Status {
        let code = match http.as_u16() {
            400 => Code::Internal,
            401 => Code::Unauthenticated,
            403 => Code::PermissionDenied,
            404 => Code::Unimplemented,
            429 | 502..=504 => Code::Unavailable,
            _ => Code::Unknown,
        };
        let content_type = headers.get("content-type").map(|t| String::from_utf8_lossy(t.as_bytes()).into_owned());
        let (said, trailers) = beginning(body).await;
        if let Some(status) = trailers.and_then(Status::take).filter(|status| !status.is_ok()) {
            return status;
        }
        let is_grpc = content_type.as_ref().is_some_and(|t| t.starts_with("application/grpc"));
        let mut message = match &content_type {
            Some(_) if is_grpc => format!("the server answered HTTP {http}"),
            Some(content_type) => format!("the answer is no gRPC, but HTTP {http}, {content_type}"),
            None => format!("the answer is no gRPC, but HTTP {http}"),
        };
        if !is_grpc && !said.is_empty() && !headers.contains_key("content-encoding") {
            message.push_str(&format!(": {said}"));
        }
        Status { code: code as i32, message, details: Bytes::new(), metadata: headers, is_local: true }
    }

    /// True for OK.
    pub(crate) fn is_ok(&self) -> bool {
        self.code == Code::Ok as i32
    }

    /// The code as one of the sixteen errors; a code that the standard does not know is UNKNOWN.
    pub(crate) fn exit_status(&self) -> u8 {
        u8::try_from(self.code).ok().filter(|c| (1..=16).contains(c)).unwrap_or(Code::Unknown as u8)
    }

    /// The error that a call with this status ends with, laid out as grpcurl does.
    pub(crate) fn error(&self, what: &str, resolver: &dyn Resolver) -> Error {
        let mut text = format!("  Code: {}\n  Message: {}", self.name(), continued(&self.message));
        let details = rpc::details(&self.details, Layout::Pretty, resolver);
        if !details.is_empty() {
            text.push_str("\n  Details:");
        }
        if !rpc::is_status(&self.details) {
            text.push_str(" (these bytes are no google.rpc.Status)");
        }
        for (i, mut detail) in details.into_iter().enumerate() {
            // It stays JSON whatever is in it.
            escape(&mut detail, 0);
            let detail = String::from_utf8_lossy(&detail).replace('\n', "\n     ");
            text.push_str(&format!("\n  {}) {detail}", i + 1));
        }
        Error::new(Kind::GrpcStatus(self.exit_status()), what).below(text)
    }

    /// The code's name as grpcurl prints it: `NotFound`.
    pub(crate) fn name(&self) -> String {
        code_name(self.code)
    }
}

/// A text of several lines, in which none of them can pass for one of ours.
fn continued(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\n', "\n           | ")
}

/// The beginning of a body that is for people, what a proxy has to say, and the trailers if it is short.
async fn beginning(mut body: Incoming) -> (String, Option<HeaderMap>) {
    const BYTES: usize = 4096;
    const SHOWN: usize = 300;
    // It may never end.
    const PATIENCE: Duration = Duration::from_millis(500);
    let (mut bytes, mut trailers) = (Vec::new(), None);
    let read = async {
        while let Some(Ok(frame)) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            match frame.into_data() {
                Ok(data) => bytes.extend_from_slice(&data),
                Err(frame) => trailers = frame.into_trailers().ok(),
            }
            if bytes.len() >= BYTES {
                break;
            }
        }
    };
    // What came until then is shown.
    let _ = tokio::time::timeout(PATIENCE, read).await;
    bytes.truncate(BYTES);
    let text = String::from_utf8_lossy(&bytes).split_whitespace().collect::<Vec<_>>().join(" ");
    let text = match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    };
    (text, trailers)
}

/// Undoes percent-encoding; a bad escape stays as it is, bytes that are not UTF-8 are replaced.
fn percent_decoded(bytes: &[u8]) -> String {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&byte, after)) = rest.split_first() {
        let digit = |at: usize| after.get(at).and_then(|d| char::from(*d).to_digit(16));
        match (byte, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                out.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(n, v)| ((*n).parse().expect("a name"), (*v).parse().expect("a value"))).collect()
    }

    #[test]
    fn nothing_that_a_server_sends_is_trusted() {
        assert!(Status::take(headers(&[("a", "b")])).is_none());
        let status = Status::take(headers(&[
            ("grpc-status", "5"),
            ("grpc-message", "100%25 gr%C3%BCn %zz %f"),
            ("grpc-status-details-bin", "not base64!"),
            ("x", "y"),
        ]))
        .expect("a status");
        assert_eq!((status.code, status.message.as_str()), (5, "100% grün %zz %f"));
        assert_eq!(status.details, "not base64!");
        assert_eq!(status.metadata.len(), 1);
        for (sent, exit, name) in [("16", 16, "Unauthenticated"), ("17", 2, "Code(17)"), ("-1", 2, "Code(-1)")] {
            let status = Status::take(headers(&[("grpc-status", sent)])).expect("a status");
            assert_eq!((status.exit_status(), status.name().as_str()), (exit, name));
        }
        assert_eq!(Status::take(headers(&[("grpc-status", "x")])).expect("a status").code, 2);
    }
}
