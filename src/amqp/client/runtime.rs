//! lapin's view of the process: tokio, with a transport of ours in place of tokio's sockets, so that TLS is the crate's own.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use async_rs::traits::Reactor;
use async_rs::util::RuntimeParts;
use async_rs::{Runtime, Tokio};
use futures_util::io::{AsyncRead, AsyncWrite};
use futures_util::{Stream, TryFutureExt};
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::scan::{Refusal, Scanner};

/// How much may be read ahead of the one who consumes it.
const AHEAD: usize = 64 * 1024 * 1024;

/// Holds the reading back while too much waits to be consumed: lapin queues deliveries without limit, and AMQP's prefetch
/// counts messages, not bytes.
#[derive(Debug, Default)]
pub struct Meter {
    armed: AtomicBool,
    ahead: AtomicUsize,
    waiting: Mutex<Option<Waker>>,
}

impl Meter {
    /// Begins to hold back; from now on what is consumed must be told.
    pub fn arm(&self) {
        self.armed.store(true, Ordering::SeqCst);
    }

    /// So many bytes were consumed.
    pub fn consumed(&self, bytes: usize) {
        let less = |ahead: usize| Some(ahead.saturating_sub(bytes));
        // The closure never says no.
        let _ = self.ahead.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
        self.wake();
    }

    /// All that was read is consumed, but for what makes no whole message yet.
    pub fn drained(&self) {
        self.ahead.store(0, Ordering::SeqCst);
        self.wake();
    }

    fn is_full(&self) -> bool {
        self.armed.load(Ordering::SeqCst) && self.ahead.load(Ordering::SeqCst) >= AHEAD
    }

    fn wake(&self) {
        if !self.is_full()
            && let Some(waker) = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take()
        {
            waker.wake();
        }
    }

    fn poll_room(&self, cx: &Context<'_>) -> Poll<()> {
        if !self.is_full() {
            return Poll::Ready(());
        }
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
        // Room that was made in between woke nobody.
        if self.is_full() { Poll::Pending } else { Poll::Ready(()) }
    }
}

/// A connected socket, how far it may be read, and what of it lapin may see.
pub struct Transport {
    socket: Socket,
    meter: Arc<Meter>,
    scanner: Scanner,
    refused: Option<Refused>,
}

/// There is a frame that lapin may not see.
enum Refused {
    /// What was read before it is not worked off yet.
    Next(Refusal),
    /// Nothing else is left.
    Now(Refusal),
}

impl Transport {
    /// A socket whose reading the meter holds back.
    pub fn new(socket: Socket, meter: Arc<Meter>) -> Transport {
        Transport { socket, meter, scanner: Scanner::default(), refused: None }
    }
}

/// With or without TLS.
pub enum Socket {
    /// Plain TCP.
    Plain(TcpStream),
    /// TLS; boxed, because its state is large.
    Tls(Box<TlsStream<TcpStream>>),
}

/// The runtime that lapin is given.
pub fn runtime() -> Runtime<RuntimeParts<Tokio, Sockets>> {
    Runtime::new(RuntimeParts::new(Tokio::current(), Sockets(Tokio::current())))
}

/// tokio's reactor, but for the type of its streams.
#[derive(Debug, Clone)]
pub struct Sockets(Tokio);

impl Reactor for Sockets {
    type TcpStream = Transport;
    type Sleep = <Tokio as Reactor>::Sleep;

    fn register<H: Read + Write + AsFd + AsRawFd + Send + 'static>(
        &self,
        socket: H,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        self.0.register(socket)
    }

    fn sleep(&self, time: Duration) -> Self::Sleep {
        self.0.sleep(time)
    }

    fn interval(&self, time: Duration) -> impl Stream<Item = Instant> + Send + 'static {
        self.0.interval(time)
    }

    fn tcp_connect_addr(
        &self,
        address: SocketAddr,
    ) -> impl Future<Output = io::Result<Self::TcpStream>> + Send + 'static {
        TcpStream::connect(address).map_ok(|s| Transport::new(Socket::Plain(s), Arc::default()))
    }
}

impl Transport {
    /// Fails once a frame was refused: but lapin forgets what it has read when a read fails, so that it is first made to
    /// believe that there is no more for now, and works that off.
    fn poll_refused(&mut self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        match self.refused {
            None => Poll::Ready(Ok(())),
            Some(Refused::Next(refusal)) => {
                self.refused = Some(Refused::Now(refusal));
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Some(Refused::Now(refusal)) => Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, refusal))),
        }
    }
}

impl AsyncRead for Transport {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_refused(cx))?;
        ready!(self.meter.poll_room(cx));
        let mut buffer = ReadBuf::new(buffer);
        ready!(match &mut self.socket {
            Socket::Plain(stream) => Pin::new(stream).poll_read(cx, &mut buffer),
            Socket::Tls(stream) => Pin::new(stream).poll_read(cx, &mut buffer),
        })?;
        let mut read = buffer.filled().len();
        if let Err((refusal, before)) = self.scanner.look(buffer.filled()) {
            self.refused = Some(Refused::Next(refusal));
            if before == 0 {
                ready!(self.poll_refused(cx))?;
            }
            read = before;
        }
        self.meter.ahead.fetch_add(read, Ordering::SeqCst);
        Poll::Ready(Ok(read))
    }
}

impl AsyncWrite for Transport {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.socket {
            Socket::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Socket::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.socket {
            Socket::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Socket::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.socket {
            Socket::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Socket::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.socket {
            Socket::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Socket::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
