//! The frame of an answer. Records that are long are not copied into it, but written from where they are.

use std::cell::Cell;
use std::collections::VecDeque;
use std::io::IoSlice;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::sync::Notify;
use tokio::time::timeout;

/// What is shorter is copied: that costs less than another piece.
const WORTH_A_PIECE: usize = 4 << 10;

/// Most bytes of answers that wait to be written, before no more is read for others at once.
const MOST_UNSENT: usize = 128 << 20;

/// Most pieces of short answers that are written together, and most bytes.
const MOST_TOGETHER: usize = 16;
const MOST_BYTES_TOGETHER: usize = 64 << 10;

/// A frame in pieces, or several frames, which are read from the front.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    pieces: VecDeque<Bytes>,
    /// How much of it is a copy.
    copied: usize,
}

/// How much of all answers waits to be written, and is there for that only.
#[derive(Debug, Default)]
pub(crate) struct Unsent {
    bytes: Cell<usize>,
    freed: Notify,
}

/// What one answer has of it.
pub(crate) struct Counted<'a>(&'a Unsent, usize);

impl Unsent {
    /// Counts so many bytes for a while.
    pub(crate) fn count(&self, bytes: usize) -> Counted<'_> {
        self.bytes.set(self.bytes.get().saturating_add(bytes));
        Counted(self, bytes)
    }

    /// How much there may be more.
    pub(crate) fn room(&self) -> usize {
        MOST_UNSENT.saturating_sub(self.bytes.get())
    }

    /// True when clients have to take theirs soon.
    pub(crate) fn is_much(&self) -> bool {
        self.room() < MOST_UNSENT / 2
    }

    /// True when there may be no more.
    pub(crate) fn is_full(&self) -> bool {
        self.room() == 0
    }

    /// Returns when there may be more, or after so long.
    pub(crate) async fn wait_for_room(&self, patience: Duration) {
        let freed = async {
            while self.is_full() {
                self.freed.notified().await;
            }
        };
        let _ = timeout(patience, freed).await;
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.bytes.set(self.0.bytes.get().saturating_sub(self.1));
        self.0.freed.notify_waiters();
    }
}

impl Reply {
    /// How much of it is there for the answer only.
    pub(crate) fn copied(&self) -> usize {
        self.copied
    }

    /// True when no more should be put behind it before it is written.
    pub(crate) fn is_long(&self) -> bool {
        self.pieces.len() >= MOST_TOGETHER || self.remaining() >= MOST_BYTES_TOGETHER
    }

    /// Puts another behind it.
    pub(crate) fn append(&mut self, mut other: Reply) {
        self.pieces.append(&mut other.pieces);
        self.copied = self.copied.saturating_add(other.copied);
    }
}

/// A frame that is being made.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    pieces: VecDeque<Bytes>,
    /// What is written here comes behind all that was pushed before.
    pub tail: BytesMut,
    copied: usize,
}

impl Builder {
    pub(crate) fn push(&mut self, bytes: &Bytes) {
        if bytes.len() < WORTH_A_PIECE {
            self.tail.extend_from_slice(bytes);
            return;
        }
        self.close();
        self.pieces.push_back(bytes.clone());
    }

    fn close(&mut self) {
        if !self.tail.is_empty() {
            self.copied += self.tail.len();
            self.pieces.push_back(self.tail.split().freeze());
        }
    }

    /// The frame, its size at its beginning. None when it is too large for that.
    pub(crate) fn finish(mut self) -> Option<Reply> {
        self.close();
        let size = i32::try_from(self.pieces.iter().map(Bytes::len).sum::<usize>()).ok()?;
        self.pieces.push_front(Bytes::copy_from_slice(&size.to_be_bytes()));
        Some(Reply { pieces: self.pieces, copied: self.copied })
    }
}

impl From<BytesMut> for Reply {
    fn from(bytes: BytesMut) -> Reply {
        let copied = bytes.len();
        Reply { pieces: VecDeque::from([bytes.freeze()]), copied }
    }
}

impl Buf for Reply {
    fn remaining(&self) -> usize {
        self.pieces.iter().map(Bytes::len).sum()
    }

    fn chunk(&self) -> &[u8] {
        self.pieces.front().map(Bytes::as_ref).unwrap_or_default()
    }

    fn chunks_vectored<'a>(&'a self, to: &mut [IoSlice<'a>]) -> usize {
        let mut filled = 0;
        for (slice, piece) in to.iter_mut().zip(&self.pieces) {
            *slice = IoSlice::new(piece);
            filled += 1;
        }
        filled
    }

    fn advance(&mut self, mut count: usize) {
        while let Some(first) = self.pieces.front_mut() {
            if count < first.len() {
                first.advance(count);
                return;
            }
            count -= first.len();
            self.pieces.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn there_is_room_again_when_something_has_been_written() {
        let unsent = Unsent::default();
        let counted = unsent.count(MOST_UNSENT);
        let begun = tokio::time::Instant::now();
        unsent.wait_for_room(Duration::from_secs(10)).await;
        assert!(unsent.is_much() && begun.elapsed() >= Duration::from_secs(10));
        tokio::join!(unsent.wait_for_room(Duration::MAX), async { drop(counted) });
        assert!(!unsent.is_much());
        let long = Reply::from(BytesMut::zeroed(MOST_BYTES_TOGETHER));
        assert!(long.is_long());
    }

    #[test]
    fn pieces_are_read_one_after_the_other() {
        let mut frame = Builder::default();
        frame.tail.extend_from_slice(b"ab");
        frame.push(&Bytes::from(vec![b'x'; WORTH_A_PIECE]));
        frame.push(&Bytes::from_static(b"cd"));
        frame.tail.extend_from_slice(b"ef");
        let mut reply = frame.finish().unwrap();
        assert_eq!(reply.remaining(), 4 + 6 + WORTH_A_PIECE);
        let mut slices = [IoSlice::new(&[]); 8];
        assert_eq!(reply.chunks_vectored(&mut slices), 4);
        reply.advance(5);
        assert_eq!(reply.chunk(), b"b");
        reply.advance(WORTH_A_PIECE);
        assert_eq!(reply.copy_to_bytes(2), b"xc".as_slice());
        reply.append(BytesMut::from("gh".as_bytes()).into());
        assert_eq!(reply.copy_to_bytes(reply.remaining()), b"defgh".as_slice());
    }
}
