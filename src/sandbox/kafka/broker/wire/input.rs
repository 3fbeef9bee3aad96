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
use tokio::time::timeout;

/// Kafka's `socket.request.max.bytes`.
const MOST: usize = 100 << 20;

/// What is read of a connection before it is known what it is.
const CHUNK: usize = 32 << 10;

/// A frame that is not larger is not counted.
const SMALL: usize = 4 << 10;

/// Most bytes of frames that have not come as a whole: one of the largest, and some.
const ROOM: usize = 128 << 20;

/// Room is taken in pieces of at least that.
const PIECE: usize = 64 << 10;

/// How long one waits for room before whoever has most of it is closed: it would not get on either, or does not want to.
const PATIENCE: Duration = Duration::from_secs(2);

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Room {
    scratch: RefCell<Box<[u8]>>,
    used: Cell<usize>,
    holders: RefCell<Vec<Rc<Holder>>>,
    freed: Notify,
}

/// Who has room.
#[derive(Debug, Default)]
struct Holder {
    bytes: Cell<usize>,
    /// It has to go.
    is_closed: Cell<bool>,
    closed: Notify,
}

/// What a connection has of it.
#[derive(Debug)]
struct Share {
    room: Rc<Room>,
    holder: Option<Rc<Holder>>,
}

impl Room {
    pub(crate) fn new() -> Rc<Room> {
        Rc::new(Room {
            scratch: RefCell::new(vec![0; CHUNK].into_boxed_slice()),
            used: Cell::new(0),
            holders: RefCell::default(),
            freed: Notify::new(),
        })
    }

    /// Closes whoever has most.
    fn close_largest(&self) {
        let holders = self.holders.borrow();
        let open = holders.iter().filter(|holder| !holder.is_closed.get());
        if let Some(largest) = open.max_by_key(|holder| holder.bytes.get()) {
            largest.is_closed.set(true);
            largest.closed.notify_one();
        }
    }
}

fn late() -> io::Error {
    io::ErrorKind::TimedOut.into()
}

impl Share {
    fn bytes(&self) -> usize {
        self.holder.as_ref().map_or(0, |holder| holder.bytes.get())
    }

    /// Takes room for more bytes, once there is some.
    async fn take(&mut self, bytes: usize) -> io::Result<()> {
        let room = self.room.clone();
        let holder = self.holder.get_or_insert_with(|| {
            let holder = Rc::new(Holder::default());
            room.holders.borrow_mut().push(holder.clone());
            holder
        });
        while room.used.get().saturating_add(bytes) > ROOM {
            tokio::select! {
                () = holder.closed.notified() => return Err(late()),
                freed = timeout(PATIENCE, room.freed.notified()) => {
                    if freed.is_err() {
                        room.close_largest();
                    }
                }
            }
        }
        holder.bytes.set(holder.bytes.get().saturating_add(bytes));
        room.used.set(room.used.get().saturating_add(bytes));
        Ok(())
    }

    fn give_back(&mut self) {
        let Some(holder) = self.holder.take() else { return };
        self.room.used.set(self.room.used.get().saturating_sub(holder.bytes.get()));
        self.room.holders.borrow_mut().retain(|other| !Rc::ptr_eq(other, &holder));
        self.room.freed.notify_waiters();
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.give_back();
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
        Input { pending: BytesMut::new(), most: MOST, share: Share { room: room.clone(), holder: None } }
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
                    let Some(size) = usize::try_from(size).ok().filter(|size| *size <= self.most) else {
                        return Ok(None);
                    };
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
        if self.pending.capacity() == self.pending.len() || self.share.bytes() < self.pending.len() {
            let more = rest.min(self.pending.len().max(PIECE));
            self.share.take(more).await?;
            self.pending.reserve(more);
        }
        let Some(holder) = &self.share.holder else { return Ok(0) };
        let mut part = (&mut *stream).take(rest as u64);
        tokio::select! {
            biased;
            read = part.read_buf(&mut self.pending) => read,
            () = holder.closed.notified() => Err(late()),
        }
    }

    /// What has come of the frames that have not been taken.
    pub(crate) fn pending(&self) -> &[u8] {
        &self.pending
    }

    /// Whether the next frame has come as a whole.
    pub(crate) fn has_frame(&self) -> bool {
        let size = self.pending.first_chunk().and_then(|size| usize::try_from(i32::from_be_bytes(*size)).ok());
        size.is_some_and(|size| self.pending.len() >= size.saturating_add(4))
    }

    /// Returns when the client has gone. What it sends in the meantime is kept, up to a bound, and `see` is told of it.
    pub(crate) async fn gone(&mut self, stream: &mut (impl AsyncRead + Unpin), see: impl Fn(&[u8])) {
        while self.pending.len() < CHUNK {
            match self.read(stream).await {
                Ok(0) | Err(_) => return,
                Ok(_) => see(&self.pending),
            }
        }
        std::future::pending().await
    }
}
