//! Looks at the first bytes that a server sends, and keeps the error that ended the connection: hyper tells neither.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;

use crate::net::tls::is_record;

/// The length of an HTTP/2 frame's head.
const FRAME_HEAD: usize = 9;

/// As much of the first SETTINGS frame is looked at.
const MAX_SETTINGS: usize = 20 * 6;

/// What the first bytes were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sniffed {
    /// An HTTP/2 SETTINGS frame, as it must be.
    Settings,
    /// A TLS record.
    Tls,
    /// An answer in HTTP/1.
    Http1,
    /// Something else.
    Other,
    /// The end, or an error.
    Closed,
}

/// What is known of the bytes that came in.
#[derive(Debug)]
pub(crate) struct Seen {
    first: watch::Sender<Option<Sniffed>>,
    failure: Mutex<Option<io::Error>>,
    max_streams: OnceLock<u32>,
    /// True once nobody reads or writes any more.
    gone: watch::Sender<bool>,
}

impl Seen {
    /// Waits for the server's first frame.
    pub(crate) async fn first(&self) -> Sniffed {
        let mut changed = self.first.subscribe();
        loop {
            if let Some(sniffed) = *changed.borrow_and_update() {
                return sniffed;
            }
            if changed.changed().await.is_err() {
                return Sniffed::Closed;
            }
        }
    }

    /// How many streams the server's first SETTINGS let be open at a time, when they say so.
    pub(crate) fn max_streams(&self) -> Option<u32> {
        self.max_streams.get().copied()
    }

    /// Waits until the connection is let go of: everything that was to be written is.
    pub(crate) async fn gone(&self) {
        // The sender is in `self`.
        let _ = self.gone.subscribe().wait_for(|gone| *gone).await;
    }

    /// The error that reading or writing ended with.
    pub(crate) fn failure(&self) -> Option<io::Error> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(copy)
    }

    fn fail(&self, error: &io::Error) {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| copy(error));
        self.decide(Sniffed::Closed);
    }

    fn decide(&self, sniffed: Sniffed) {
        self.first.send_if_modified(|first| {
            let new = first.is_none();
            first.get_or_insert(sniffed);
            new
        });
    }
}

/// `io::Error` cannot be cloned; what is looked at later is only whether it came from rustls, and its text.
fn copy(error: &io::Error) -> io::Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(tls) => io::Error::new(error.kind(), tls.clone()),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

/// A stream that is looked at.
#[derive(Debug)]
pub(crate) struct Sniff<T> {
    io: T,
    head: Vec<u8>,
    decided: bool,
    seen: Arc<Seen>,
}

impl<T> Sniff<T> {
    /// Wraps a stream nothing was read from.
    pub(crate) fn new(io: T) -> (Sniff<T>, Arc<Seen>) {
        let seen = Arc::new(Seen {
            first: watch::channel(None).0,
            failure: Mutex::new(None),
            max_streams: OnceLock::new(),
            gone: watch::channel(false).0,
        });
        (Sniff { io, head: Vec::with_capacity(FRAME_HEAD), decided: false, seen: seen.clone() }, seen)
    }

    fn look(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            self.decided = true;
            self.ended();
            return;
        }
        let missing = FRAME_HEAD + MAX_SETTINGS - self.head.len();
        self.head.extend_from_slice(&bytes[..bytes.len().min(missing)]);
        let Some(sniffed) = judge(&self.head[..self.head.len().min(FRAME_HEAD)]) else { return };
        self.seen.decide(sniffed);
        let Some((frame, settings)) = self.head.split_at_checked(FRAME_HEAD).filter(|_| sniffed == Sniffed::Settings)
        else {
            self.decided = true;
            return;
        };
        let length = frame[..3].iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        if settings.len() < length.min(MAX_SETTINGS) {
            return;
        }
        self.decided = true;
        // RFC 9113, section 6.5.1: six bytes each; 3 is SETTINGS_MAX_CONCURRENT_STREAMS, and the last one counts.
        for setting in settings[..length.min(MAX_SETTINGS)].chunks_exact(6).rev() {
            if let [0, 3, a, b, c, d] = *setting {
                self.seen.max_streams.get_or_init(|| u32::from_be_bytes([a, b, c, d]));
            }
        }
    }

    /// Nothing more comes: what came was too short to be anything.
    fn ended(&self) {
        self.seen.decide(if self.head.is_empty() { Sniffed::Closed } else { Sniffed::Other });
    }
}

impl<T> Drop for Sniff<T> {
    fn drop(&mut self) {
        self.ended();
        self.seen.gone.send_replace(true);
    }
}

fn judge(head: &[u8]) -> Option<Sniffed> {
    match head {
        _ if is_record(head) => Some(Sniffed::Tls),
        [b'H', b'T', b'T', b'P', b'/', ..] => Some(Sniffed::Http1),
        [_, _, _, kind, ..] if *kind != 4 => Some(Sniffed::Other),
        _ if head.len() < FRAME_HEAD => None,
        // RFC 9113, section 3.4: the server's first frame is SETTINGS, type 4, on stream 0.
        [_, _, _, 4, _, 0, 0, 0, 0] => Some(Sniffed::Settings),
        _ => Some(Sniffed::Other),
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Sniff<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = std::task::ready!(Pin::new(&mut self.io).poll_read(cx, buf));
        match &read {
            Err(e) => self.seen.fail(e),
            Ok(()) if !self.decided => {
                let bytes = buf.filled().get(before..).unwrap_or_default();
                self.look(bytes);
            }
            Ok(()) => {}
        }
        Poll::Ready(read)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Sniff<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = std::task::ready!(Pin::new(&mut self.io).poll_write(cx, bytes));
        if let Err(e) = &written {
            self.seen.fail(e);
        }
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = std::task::ready!(Pin::new(&mut self.io).poll_write_vectored(cx, bufs));
        if let Err(e) = &written {
            self.seen.fail(e);
        }
        Poll::Ready(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes() {
        assert_eq!(judge(&[0, 0, 6, 4, 0, 0, 0, 0, 0]), Some(Sniffed::Settings));
        assert_eq!(judge(&[0x15, 3, 3]), Some(Sniffed::Tls));
        assert_eq!(judge(b"HTTP/"), Some(Sniffed::Http1));
        assert_eq!((judge(b"AMQ"), judge(b"AMQP")), (None, Some(Sniffed::Other)));
        assert_eq!(judge(b"220 smtp "), Some(Sniffed::Other));
        assert_eq!(judge(b"22"), None);
    }
}
