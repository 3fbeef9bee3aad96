//! Frames that go to the socket past lapin, which spends some microseconds on each message that it publishes. They are
//! written between lapin's own frames, by its own thread: [`super::runtime::Transport`] takes them up.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// What waits to be written, and how far that has come. Sizes are in bytes.
#[derive(Debug, Default)]
pub(crate) struct Outbox(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    waiting: Vec<u8>,
    /// All that was ever put in, and what of it was written.
    put: u64,
    written: u64,
    closed: bool,
    /// Wakes the thread that writes.
    writer: Option<Waker>,
    /// Wakes whoever waits for what is written.
    sender: Option<Waker>,
}

impl Outbox {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds whole frames, and says how much was put in by now: once so much is written, so are they.
    pub(crate) fn put(&self, frames: &[u8]) -> u64 {
        let mut state = self.state();
        state.waiting.extend_from_slice(frames);
        state.put += frames.len() as u64;
        if let Some(writer) = &state.writer {
            writer.wake_by_ref();
        }
        state.put
    }

    /// How much was written by now, once it is more than `known`.
    pub(crate) fn poll_written(&self, cx: &Context<'_>, known: u64) -> Poll<u64> {
        let mut state = self.state();
        if state.written > known || state.closed {
            return Poll::Ready(state.written);
        }
        state.sender = Some(cx.waker().clone());
        Poll::Pending
    }

    /// How much was written by now.
    pub(crate) fn written(&self) -> u64 {
        self.state().written
    }

    /// True once nothing more will be written.
    pub(crate) fn is_closed(&self) -> bool {
        self.state().closed
    }

    /// Drops what nobody has begun to write.
    pub(crate) fn clear(&self) {
        self.state().waiting.clear();
    }

    /// Remembers how to wake the thread that writes.
    pub(super) fn writer(&self, cx: &Context<'_>) {
        let mut state = self.state();
        match &mut state.writer {
            Some(writer) => writer.clone_from(cx.waker()),
            None => state.writer = Some(cx.waker().clone()),
        }
    }

    /// Moves what waits into an empty buffer.
    pub(super) fn take(&self, into: &mut Vec<u8>) {
        std::mem::swap(&mut self.state().waiting, into);
    }

    /// Wakes the thread that writes when there is something for it again.
    pub(super) fn remind(&self) {
        let state = self.state();
        if let (false, Some(writer)) = (state.waiting.is_empty(), &state.writer) {
            writer.wake_by_ref();
        }
    }

    /// So much was written.
    pub(super) fn wrote(&self, bytes: usize) {
        let mut state = self.state();
        state.written += bytes as u64;
        if let Some(sender) = state.sender.take() {
            sender.wake();
        }
    }

    /// Nothing more will be written.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        if let Some(sender) = state.sender.take() {
            sender.wake();
        }
    }
}
