//! Calls that end without a status of the server.

use h2::Reason;
use http::HeaderMap;
use tonic::Code;

use super::transport::Connection;
use crate::error::{Error, Kind, counted};

/// How a call failed without a status of the server.
#[derive(Debug)]
pub struct Broken {
    /// The error to report.
    pub error: Error,
    /// True when the server surely did not see the call: it may be made again.
    pub unprocessed: bool,
    /// True when the connection is gone, or going: the next call needs another one.
    pub is_last: bool,
}

impl Broken {
    /// A call that failed by itself: the server may have seen it, and the connection goes on.
    pub fn alone(error: Error) -> Broken {
        Broken { error, unprocessed: false, is_last: false }
    }
}

impl From<Broken> for Error {
    fn from(broken: Broken) -> Error {
        broken.error
    }
}

/// How far a call had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallProgress {
    /// No answer of any kind.
    Asked,
    /// The head of the response, and so many messages.
    Answered(u64),
}

/// What ended a call that got no status, and whether the server may have acted on it.
///
/// | what came | kind |
/// |---|---|
/// | REFUSED_STREAM, or GOAWAY below our stream, before any answer | `Connect`, and the call may be made again |
/// | RST_STREAM, GOAWAY or the end of the connection, later or of another sort | `Partial` |
/// | a breach of HTTP/2 that was noticed here: whatever it is, the server may have done its work | `Partial` |
/// | headers over the limit (see [`over`]) | `Refused` |
/// | a message over the limit (see [`super::Call::message`]) | `Refused` |
/// | the end without a status, no message or two where one belongs, bytes that are no message | `Partial` |
/// | a status, or the HTTP code of what is no gRPC | `GrpcStatus` |
pub(crate) async fn broken(connection: &Connection, cause: hyper::Error, progress: CallProgress) -> Broken {
    let h2 = find::<h2::Error>(&cause);
    let reason = h2.and_then(h2::Error::reason);
    let is_remote = h2.is_some_and(h2::Error::is_remote);
    let (is_reset, is_go_away) = h2.map_or((false, false), |e| (e.is_reset(), e.is_go_away()));
    // None was looked at by the server (RFC 9113, sections 6.8 and 8.7). h2 gives the server's GOAWAY to those streams alone
    // that are above its last one; the others end with the connection. What hyper cancelled, or had no channel for any more, did
    // not even go out.
    let unsent = cause.is_canceled() || cause.is_closed();
    let refused = unsent || is_remote && (is_go_away || reason == Some(Reason::REFUSED_STREAM));
    if refused && progress == CallProgress::Asked {
        let error = match reason {
            Some(reason) => {
                Error::new(Kind::Connect, format!("the server refused the call ({reason:?}) before it looked at it"))
            }
            None => connection.lost().await.context("the call was not sent"),
        };
        return Broken { error, unprocessed: true, is_last: true };
    }
    let is_noticed_here = !is_remote && (is_reset || is_go_away);
    let done = match progress {
        CallProgress::Asked => "the outcome of the call is unknown".to_owned(),
        CallProgress::Answered(n) => format!("the call broke off after {}", counted(n, "message")),
    };
    let partial = |text: String| Error::new(Kind::Partial, format!("{done}: {text}"));
    let error = match reason {
        Some(reason) if is_noticed_here => partial(breach(reason, is_reset)).status(Code::Internal),
        Some(reason) if is_reset => partial(format!("the server reset it ({reason:?})")).status(code_of(reason)),
        Some(reason) if is_go_away => {
            partial(format!("the server is going away ({reason:?})")).status(Code::Unavailable)
        }
        _ => connection.lost().await.context(done).with_kind(Kind::Partial).status(Code::Unavailable),
    };
    Broken { error, unprocessed: false, is_last: !is_reset }
}

/// What h2 ended a stream or a connection for. It does not say what it met; these are all the things that it can be.
fn breach(reason: Reason, is_stream: bool) -> String {
    let may_be = match reason {
        Reason::PROTOCOL_ERROR if is_stream => {
            ": its answer has what HTTP/2 forbids, as a header `connection` or one in upper case, a content-length that is \
             not the body's, or a head behind the head, or headers over 16 MiB"
        }
        Reason::PROTOCOL_ERROR => ": it sent a frame that HTTP/2 forbids",
        Reason::ENHANCE_YOUR_CALM => ": it sent an answer in more pieces than is taken",
        _ => "",
    };
    format!("the server broke the rules of HTTP/2 ({reason:?}){may_be}")
}

/// The status that a reset stands for (gRPC over HTTP2, "Errors").
fn code_of(reason: Reason) -> Code {
    match reason {
        Reason::REFUSED_STREAM => Code::Unavailable,
        Reason::CANCEL => Code::Cancelled,
        Reason::ENHANCE_YOUR_CALM => Code::ResourceExhausted,
        Reason::INADEQUATE_SECURITY => Code::PermissionDenied,
        // Those that RFC 9113, section 7, knows.
        reason if u32::from(reason) <= u32::from(Reason::HTTP_1_1_REQUIRED) => Code::Internal,
        _ => Code::Unknown,
    }
}

fn find<'a, T: std::error::Error + 'static>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// Whether headers are over the limit, by the measure of RFC 9113, section 6.5.2.
pub(crate) fn is_over(headers: &HeaderMap, limit: u32) -> bool {
    // One more name than this would have been dropped (http, `HeaderMap::try_append`).
    const NAMES: usize = 24_576;
    let size: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum();
    size as u64 > u64::from(limit) || headers.keys_len() >= NAMES
}

/// The error for headers over the limit.
pub(crate) fn over(connection: &Connection, what: &str) -> Error {
    Error::refused(format!("the {what} are over {} bytes, the limit of --max-header-list", connection.max_headers))
        .hint("raise --max-header-list, as --max-header-list 8M")
        .status(Code::ResourceExhausted)
}
