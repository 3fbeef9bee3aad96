//! The wire below the calls: the caller's deadline, a stream that is reset, a connection that is cut.

use std::net::Shutdown;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tonic::body::Body;
use tonic::transport::server::Connected;

use super::stub::Reset;

/// The `grpc-timeout` of a request; one that is none does not count.
pub(crate) fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u64 = digits.parse().ok().filter(|_| digits.len() <= 8)?;
    match unit {
        "H" => Some(Duration::from_secs(number * 3600)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

/// What was sent before a reset must be on the wire first, for HTTP/2 drops what it has queued.
const GRACE: Duration = Duration::from_millis(100);

/// A client's connection, which can be cut from inside of a call.
pub(crate) struct Socket(TcpStream, Cutter);

/// Cuts a connection.
#[derive(Clone)]
pub(crate) struct Cutter(Arc<Option<std::net::TcpStream>>);

impl Socket {
    /// Takes an accepted connection.
    pub(crate) fn new(stream: TcpStream) -> Socket {
        // Small frames must not wait for each other. A connection that refuses is slower, no more.
        let _ = stream.set_nodelay(true);
        let twin = stream.as_fd().try_clone_to_owned().ok().map(std::net::TcpStream::from);
        Socket(stream, Cutter(Arc::new(twin)))
    }
}

impl Cutter {
    fn cut(&self) {
        if let Some(stream) = &*self.0 {
            // It may be gone already, which is what was wanted.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Connected for Socket {
    type ConnectInfo = Cutter;

    fn connect_info(&self) -> Cutter {
        self.1.clone()
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// How a call is to be broken off, once that is known.
pub(crate) type BreakOff = Arc<OnceLock<Reset>>;

/// A response's body: where the fault is set, it breaks instead of ending.
pub(crate) struct Breakable {
    body: Body,
    fault: BreakOff,
    cut: Option<Cutter>,
    grace: Option<BoxFuture<'static, ()>>,
}

impl Breakable {
    /// Wraps a body. `cut` is the call's connection.
    pub(crate) fn wrap(body: Body, fault: BreakOff, cut: Option<Cutter>) -> Body {
        Body::new(Breakable { body, fault, cut, grace: None })
    }
}

impl http_body::Body for Breakable {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.grace.is_none() {
            let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
            match &frame {
                Some(Ok(frame)) if frame.is_trailers() && self.fault.get().is_some() => {
                    self.grace = Some(tokio::time::sleep(GRACE).boxed());
                }
                _ => return Poll::Ready(frame.map(|frame| frame.map_err(Into::into))),
            }
        }
        if let Some(grace) = &mut self.grace {
            ready!(grace.poll_unpin(cx));
        }
        if let (Some(Reset::Connection), Some(cut)) = (self.fault.get(), &self.cut) {
            cut.cut();
        }
        Poll::Ready(Some(Err(h2::Error::from(h2::Reason::INTERNAL_ERROR).into())))
    }

    fn is_end_stream(&self) -> bool {
        self.fault.get().is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_have_eight_digits_and_a_unit() {
        let of =
            |text: &str| timeout(&HeaderMap::from_iter([("grpc-timeout".parse().unwrap(), text.parse().unwrap())]));
        assert_eq!(of("1501m"), Some(Duration::from_millis(1501)));
        assert_eq!(of("2H"), Some(Duration::from_secs(7200)));
        for bad in ["", "1", "m", "1x", "-1S", "123456789S"] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }
}
