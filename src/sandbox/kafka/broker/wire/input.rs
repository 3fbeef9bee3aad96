//! Frames as they come. A connection that says nothing takes no room; one that sends takes as much as has come, and all of them
//! together not more than there is for it.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout, timeout_at};

/// Kafka's `socket.request.max.bytes`.
const MOST: usize = 100 << 20;

/// What is read of a connection before it is known what it is.
const CHUNK: usize = 32 << 10;

/// A frame that is not larger is not counted.
const SMALL: usize = 4 << 10;

/// Most bytes of frames that have not come as a whole.
const ROOM: usize = 64 << 20;

/// Room is taken in pieces of at least that.
const PIECE: usize = 64 << 10;

/// How long a large frame may take when others wait for its room, or may have no byte at all.
const PATIENCE: Duration = Duration::from_secs(30);

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Room {
    scratch: RefCell<Box<[u8]>>,
    used: Cell<usize>,
    waiting: Cell<usize>,
    /// Someone may go past the bounds: else all might wait for each other with half a frame each.
    is_past: Cell<bool>,
    freed: Notify,
}

/// What a connection has of it.
#[derive(Debug)]
struct Share {
    room: Rc<Room>,
    bytes: usize,
    /// It may go past the bounds, until then.
    past: Option<Instant>,
}

impl Room {
    pub(crate) fn new() -> Rc<Room> {
        Rc::new(Room {
            scratch: RefCell::new(vec![0; CHUNK].into_boxed_slice()),
            used: Cell::new(0),
            waiting: Cell::new(0),
            is_past: Cell::new(false),
            freed: Notify::new(),
        })
    }
}

impl Share {
    /// Takes room for more bytes, once there is some.
    async fn take(&mut self, bytes: usize) {
        let room = self.room.clone();
        while self.past.is_none() && room.used.get().saturating_add(bytes) > ROOM {
            if !room.is_past.replace(true) {
                self.past = Some(Instant::now() + PATIENCE);
                break;
            }
            let _waits = Waits::new(&room);
            room.freed.notified().await;
        }
        self.bytes = self.bytes.saturating_add(bytes);
        room.used.set(room.used.get().saturating_add(bytes));
    }

    fn give_back(&mut self) {
        if self.bytes > 0 {
            self.room.used.set(self.room.used.get().saturating_sub(self.bytes));
            self.bytes = 0;
            if self.past.take().is_some() {
                self.room.is_past.set(false);
            }
            self.room.freed.notify_waiters();
        }
    }

    /// Until when something has to come. None when nobody waits for its room.
    fn patience(&self) -> Option<Instant> {
        self.past.filter(|_| self.room.waiting.get() > 0)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// Counts who waits.
struct Waits<'a>(&'a Room);

impl Waits<'_> {
    fn new(room: &Room) -> Waits<'_> {
        room.waiting.set(room.waiting.get() + 1);
        Waits(room)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.waiting.set(self.0.waiting.get().saturating_sub(1));
    }
}

/// The reading side of a connection.
#[derive(Debug)]
pub(crate) struct Input {
    pending: BytesMut,
    /// Most bytes of a frame.
    most: usize,
    share: Share,
}

impl Input {
    pub(crate) fn new(room: &Rc<Room>) -> Input {
        Input { pending: BytesMut::new(), most: MOST, share: Share { room: room.clone(), bytes: 0, past: None } }
    }

    /// From now on, no frame may be larger than that, whatever else it may be.
    pub(crate) fn bound(&mut self, most: usize) {
        self.most = most.min(MOST);
    }

    /// The next frame, without its size. None at the end, and when no frame is so large.
    ///
    /// # Errors
    /// When it cannot be read, or does not come while others wait.
    pub(crate) async fn frame(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Bytes>> {
        // What came before has been answered.
        self.share.give_back();
        loop {
            let size = self.pending.first_chunk().map(|size| i32::from_be_bytes(*size));
            let rest = match size {
                None => 0,
                Some(size) => {
                    let Some(size) = usize::try_from(size).ok().filter(|size| *size <= self.most) else { return Ok(None) };
                    match size.saturating_add(4).saturating_sub(self.pending.len()) {
                        0 => return Ok(Some(self.take(size))),
                        rest => rest,
                    }
                }
            };
            let count = if self.pending.len().saturating_add(rest) > SMALL && rest > 0 {
                self.read_large(stream, rest).await?
            } else {
                self.read(stream).await?
            };
            if count == 0 {
                return Ok(None);
            }
        }
    }

    /// Takes a frame that is there.
    fn take(&mut self, size: usize) -> Bytes {
        self.pending.advance(4);
        let frame = self.pending.split_to(size).freeze();
        if self.pending.is_empty() {
            self.pending = BytesMut::new();
        }
        frame
    }

    /// Reads what there is, without having room for it before.
    async fn read(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> io::Result<usize> {
        let room = self.share.room.clone();
        std::future::poll_fn(|context| {
            let mut scratch = room.scratch.borrow_mut();
            let mut buffer = ReadBuf::new(&mut scratch);
            match Pin::new(&mut *stream).poll_read(context, &mut buffer) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Err(e)) => Poll::Ready(Err(e)),
                Poll::Ready(Ok(())) => {
                    self.pending.extend_from_slice(buffer.filled());
                    Poll::Ready(Ok(buffer.filled().len()))
                }
            }
        })
        .await
    }

    /// Reads a part of a large frame of which so much has not come. Its room grows with what has come.
    async fn read_large(&mut self, stream: &mut (impl AsyncRead + Unpin), rest: usize) -> io::Result<usize> {
        if self.pending.capacity() == self.pending.len() || self.share.bytes < self.pending.len() {
            let more = rest.min(self.pending.len().max(PIECE));
            self.share.take(more).await;
            self.pending.reserve(more);
        }
        let late = || io::Error::from(io::ErrorKind::TimedOut);
        loop {
            let mut part = (&mut *stream).take(rest as u64);
            let read = part.read_buf(&mut self.pending);
            let read = match self.share.patience() {
                Some(until) => timeout_at(until, read).await.map_err(|_| late()),
                None => timeout(PATIENCE, read).await.map_err(|_| late()),
            };
            match read {
                Ok(count) => return count,
                Err(late) if self.share.room.waiting.get() > 0 => return Err(late),
                Err(_) => {}
            }
        }
    }

    /// Returns when the client has gone. What it sends in the meantime is kept, up to a bound.
    pub(crate) async fn gone(&mut self, stream: &mut (impl AsyncRead + Unpin)) {
        while self.pending.len() < CHUNK {
            match self.read(stream).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
        std::future::pending().await
    }
}
