//! What a thread reads ahead of who cuts it.

use std::io::Read;
use std::task::{Context, Poll};

use tokio::sync::mpsc;

/// How much is read at a time.
pub(crate) const CHUNK: usize = 256 * 1024;

/// How many chunks are read ahead.
const AHEAD: usize = 4;

/// The room before a chunk for what is left of the one before it, so that the chunk itself need not be copied.
pub(crate) const HEADROOM: usize = 8 * 1024;

/// A chunk of the source: its bytes stand behind [`HEADROOM`].
pub(crate) type Chunk = std::io::Result<Vec<u8>>;

/// The chunks that were read.
#[derive(Debug)]
pub(crate) struct Ahead {
    chunks: mpsc::Receiver<Chunk>,
    /// Takes back what was used up.
    spare: std::sync::mpsc::Sender<Vec<u8>>,
}

/// The other end, for the thread that reads.
#[derive(Debug)]
pub(crate) struct Reading {
    chunks: mpsc::Sender<Chunk>,
    spares: std::sync::mpsc::Receiver<Vec<u8>>,
}

/// Both ends.
pub(crate) fn new() -> (Ahead, Reading) {
    let (sender, chunks) = mpsc::channel(AHEAD);
    let (spare, spares) = std::sync::mpsc::channel();
    (Ahead { chunks, spare }, Reading { chunks: sender, spares })
}

impl Ahead {
    /// Waits for the next chunk; `None` is the end, or what follows an error.
    pub(crate) async fn next(&mut self) -> Option<Chunk> {
        self.chunks.recv().await
    }

    /// As [`Ahead::next`].
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Chunk>> {
        self.chunks.poll_recv(cx)
    }

    /// Gives back what a chunk was in.
    pub(crate) fn give_back(&self, chunk: Vec<u8>) {
        // The thread that would fill it again may be through.
        let _ = self.spare.send(chunk);
    }
}

impl Reading {
    /// Reads to the end or until nobody listens.
    pub(crate) fn all(self, mut source: impl Read) {
        loop {
            // One that grew with a large record is not kept.
            let spare = self.spares.try_iter().find(|spare| spare.capacity() <= 2 * CHUNK);
            let mut chunk = spare.unwrap_or_default();
            chunk.resize(HEADROOM + CHUNK, 0);
            match source.read(&mut chunk[HEADROOM..]) {
                Ok(0) => return,
                Ok(n) => {
                    chunk.truncate(HEADROOM + n);
                    if self.chunks.blocking_send(Ok(chunk)).is_err() {
                        return;
                    }
                }
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => {
                    // Nobody listening any more is as good as told.
                    let _ = self.chunks.blocking_send(Err(e));
                    return;
                }
            }
        }
    }
}
