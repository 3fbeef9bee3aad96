//! How much was read that nobody has consumed, and a stop where it is too much.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

/// How much may be read ahead of the one who consumes it.
const AHEAD: usize = 48 * 1024 * 1024;

/// Holds the reading back while too much waits to be consumed: lapin queues deliveries without limit, and AMQP's prefetch
/// counts messages, not bytes.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    armed: AtomicBool,
    ahead: AtomicUsize,
    /// What is kept apart from lapin.
    kept: AtomicUsize,
    waiting: Mutex<Option<Waker>>,
    part: Mutex<Part>,
}

/// The last part of a message that came in.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Part {
    /// When that was.
    pub came: Option<Instant>,
    /// More of its message has to come.
    pub is_amid: bool,
}

impl Meter {
    /// Begins to hold back; from now on what is consumed must be told.
    pub(crate) fn arm(&self) {
        self.armed.store(true, Ordering::SeqCst);
    }

    /// So many bytes were read.
    pub(crate) fn came(&self, bytes: usize) {
        self.ahead.fetch_add(bytes, Ordering::SeqCst);
    }

    /// So many bytes are kept apart from lapin.
    pub(crate) fn kept(&self, bytes: usize) {
        self.kept.fetch_add(bytes, Ordering::SeqCst);
    }

    /// So many of these are no more.
    pub(crate) fn released(&self, bytes: usize) {
        self.kept.fetch_sub(bytes, Ordering::SeqCst);
        self.wake();
    }

    /// So many bytes were consumed.
    pub(crate) fn consumed(&self, bytes: usize) {
        let less = |ahead: usize| Some(ahead.saturating_sub(bytes));
        // The closure never says no.
        let _ = self.ahead.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
        self.wake();
    }

    /// All that was read is consumed, but for what makes no whole message yet.
    pub(crate) fn drained(&self) {
        self.ahead.store(0, Ordering::SeqCst);
        self.wake();
    }

    /// A part of a message came in.
    pub(crate) fn heard(&self, is_amid: bool) {
        *self.part.lock().unwrap_or_else(PoisonError::into_inner) = Part { came: Some(Instant::now()), is_amid };
    }

    /// The last part of a message that came in, whether or not it is consumed.
    pub(crate) fn part(&self) -> Part {
        *self.part.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_full(&self) -> bool {
        let all = || self.ahead.load(Ordering::SeqCst).saturating_add(self.kept.load(Ordering::SeqCst));
        self.armed.load(Ordering::SeqCst) && all() >= AHEAD
    }

    fn wake(&self) {
        if !self.is_full()
            && let Some(waker) = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take()
        {
            waker.wake();
        }
    }

    /// Ready while there is room.
    pub(crate) fn poll_room(&self, cx: &Context<'_>) -> Poll<()> {
        if !self.is_full() {
            return Poll::Ready(());
        }
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
        // Room that was made in between woke nobody.
        if self.is_full() { Poll::Pending } else { Poll::Ready(()) }
    }
}
