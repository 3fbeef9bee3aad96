//! lapin's view of the process: tokio, with a transport of ours in place of tokio's sockets, so that TLS is the crate's own.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use async_rs::traits::Reactor;
use async_rs::util::RuntimeParts;
use async_rs::{Runtime, Tokio};
use futures_util::io::{AsyncRead, AsyncWrite};
use futures_util::{Stream, TryFutureExt};
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::inlet::{Inlet, InletStep};
use super::large::Large;
use super::meter::Meter;
use super::outbox::Outbox;
use super::quiet::Quiet;
use super::scan::{FrameRefusal, Scanner};
use super::words::Words;

/// How much of a frame that lapin may not see as it is is read at a time.
const PIECE: usize = 16 * 1024;

/// What a transport shares with the one who uses the connection.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    pub meter: Arc<Meter>,
    pub outbox: Arc<Outbox>,
    pub large: Arc<Large>,
    pub words: Arc<Words>,
}

/// A connected socket, how far it may be read, what of it lapin may see, and what goes out past lapin.
pub(crate) struct Transport {
    socket: Socket,
    meter: Arc<Meter>,
    outbox: Arc<Outbox>,
    /// What was taken from the outbox, and how much of it was written.
    sending: Vec<u8>,
    sent: usize,
    /// Where lapin stands between its frames.
    own: Scanner,
    inlet: Inlet,
    refused: Option<Refused>,
    /// There are to be no heartbeats.
    quiet: Option<Quiet>,
}

/// There is a frame that lapin may not see.
enum Refused {
    /// What was read before it is not worked off yet.
    Next(FrameRefusal),
    /// Nothing else is left.
    Now(FrameRefusal),
}

impl Transport {
    /// A socket whose reading the meter holds back, and which takes the frames of the outbox. `frame_max` is what the broker
    /// will be asked for.
    pub(crate) fn new(socket: Socket, wire: &Wire, frame_max: u32) -> Transport {
        let scanner = Scanner::new(frame_max, wire.words.clone());
        Transport {
            socket,
            meter: wire.meter.clone(),
            outbox: wire.outbox.clone(),
            sending: Vec::new(),
            sent: 0,
            own: Scanner::default(),
            inlet: Inlet::new(scanner, wire.large.clone(), wire.meter.clone()),
            refused: None,
            quiet: None,
        }
    }

    /// There are to be no heartbeats; asked for before anything was read.
    pub(crate) fn quiet(&mut self) {
        self.quiet = Some(Quiet::default());
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(buffer);
        ready!(match &mut self.socket {
            Socket::Plain(stream) => Pin::new(stream).poll_read(cx, &mut buffer),
            Socket::Tls(stream) => Pin::new(stream).poll_read(cx, &mut buffer),
        })?;
        Poll::Ready(Ok(buffer.filled().len()))
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
        if self.own.open() > 0 {
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
pub(crate) enum Socket {
    /// Plain TCP.
    Plain(TcpStream),
    /// TLS; boxed, because its state is large.
    Tls(Box<TlsStream<TcpStream>>),
}

/// The runtime that lapin is given.
pub(crate) fn runtime() -> Runtime<RuntimeParts<Tokio, Sockets>> {
    Runtime::new(RuntimeParts::new(Tokio::current(), Sockets(Tokio::current())))
}

/// tokio's reactor, but for the type of its streams.
#[derive(Debug, Clone)]
pub(crate) struct Sockets(Tokio);

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
        TcpStream::connect(address).map_ok(|s| Transport::new(Socket::Plain(s), &Wire::default(), 0))
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
        if self.inlet.pauses() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        loop {
            ready!(self.poll_refused(cx))?;
            ready!(self.meter.poll_room(cx));
            match self.inlet.step(buffer) {
                Err(refusal) => self.refused = Some(Refused::Next(refusal)),
                Ok(InletStep::Gave(count)) => {
                    self.meter.came(count);
                    return Poll::Ready(Ok(count));
                }
                Ok(InletStep::Hold(most)) => {
                    let mut piece = [0; PIECE];
                    let piece = &mut piece[..most.min(PIECE)];
                    let count = ready!(self.poll_receive(cx, piece))?;
                    self.inlet.hold(piece.get(..count).unwrap_or_default());
                }
                Ok(InletStep::Read) => {
                    let count = ready!(self.poll_receive(cx, buffer))?;
                    if let Some(quiet) = &mut self.quiet {
                        quiet.pass(buffer.get_mut(..count).unwrap_or_default());
                    }
                    let visible = self.inlet.came(buffer.get(..count).unwrap_or_default());
                    if visible > 0 || count == 0 {
                        self.meter.came(visible);
                        return Poll::Ready(Ok(visible));
                    }
                }
            }
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_outbox(cx))?;
        // What was put into the outbox before lapin's next frame has to go before it.
        let open = match self.own.open() {
            0 => bytes,
            open => bytes.get(..open).unwrap_or(bytes),
        };
        let wrote = ready!(self.poll_socket(cx, open))?;
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
