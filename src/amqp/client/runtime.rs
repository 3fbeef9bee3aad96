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

use super::outbox::Outbox;
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

/// A connected socket, how far it may be read, what of it lapin may see, and what goes out past lapin.
pub struct Transport {
    socket: Socket,
    meter: Arc<Meter>,
    outbox: Arc<Outbox>,
    /// What was taken from the outbox, and how much of it was written.
    sending: Vec<u8>,
    sent: usize,
    /// Where lapin stands between its frames.
    own: Scanner,
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
    /// A socket whose reading the meter holds back, and which takes the frames of the outbox.
    pub fn new(socket: Socket, meter: Arc<Meter>, outbox: Arc<Outbox>) -> Transport {
        Transport {
            socket,
            meter,
            outbox,
            sending: Vec::new(),
            sent: 0,
            own: Scanner::default(),
            scanner: Scanner::default(),
            refused: None,
        }
    }

    fn poll_socket(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.socket {
            Socket::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Socket::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    /// Writes what is in the outbox, unless lapin stands in the middle of a frame. What is put in meanwhile has to wait for
    /// its turn behind lapin's reading.
    fn poll_outbox(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.own.is_between() {
            return Poll::Ready(Ok(()));
        }
        if self.sending.is_empty() {
            self.outbox.take(&mut self.sending);
        }
        while self.sent < self.sending.len() {
            let sending = std::mem::take(&mut self.sending);
            let wrote = self.poll_socket(cx, sending.get(self.sent..).unwrap_or_default());
            self.sending = sending;
            match ready!(wrote)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                bytes => {
                    self.sent += bytes;
                    self.outbox.wrote(bytes);
                }
            }
        }
        self.sending.clear();
        self.sent = 0;
        self.outbox.remind();
        Poll::Ready(Ok(()))
    }
}

impl Drop for Transport {
    fn drop(&mut self) {
        self.outbox.close();
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
        TcpStream::connect(address).map_ok(|s| Transport::new(Socket::Plain(s), Arc::default(), Arc::default()))
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
        // Of lapin's two wakers only that of its reading makes it look at the outbox for certain: without anything of its
        // own to write, the other one may be for nothing.
        self.outbox.writer(cx);
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
        ready!(self.poll_outbox(cx))?;
        let wrote = ready!(self.poll_socket(cx, bytes))?;
        self.own.follow(bytes.get(..wrote).unwrap_or_default());
        Poll::Ready(Ok(wrote))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_outbox(cx))?;
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
