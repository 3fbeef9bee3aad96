//! The only writer to standard output: write, flush, and only then may the caller settle.

use std::fs::File;
use std::io::{ErrorKind, IsTerminal, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use tokio::task::JoinHandle;

use crate::closed::stdout_was_closed;
use crate::error::{Error, Result};

/// How much is gathered before it is written without being asked to.
const LIMIT: usize = 64 * 1024;

/// Standard output with one reused buffer.
///
/// A record counts as written only after [`Printer::flush`] returned: whoever settles before that can lose messages.
#[derive(Debug)]
pub(crate) struct Printer {
    out: File,
    /// The same pipe or terminal, opened once more so that writing to it never waits. To change the one that was given would
    /// change it for whoever else has it. Only who shares its thread with others needs it.
    aside: OnceLock<Option<Arc<File>>>,
    /// Waits for its readiness, on a thread of its own.
    waiting: Option<JoinHandle<()>>,
    buffer: Vec<u8>,
    /// How much of the buffer is written.
    written: usize,
    /// The reader took no more when it was written last.
    stuck: bool,
}

/// A pipe or a terminal opened once more, where the system has a way.
fn aside(out: &File) -> Option<Arc<File>> {
    // Whatever else there is takes everything at once.
    if !out.metadata().is_ok_and(|m| m.file_type().is_fifo()) && !out.is_terminal() {
        return None;
    }
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits();
    let path = format!("/proc/self/fd/{}", out.as_raw_fd());
    File::options().write(true).custom_flags(flags.cast_signed()).open(path).ok().map(Arc::new)
}

impl Printer {
    /// Standard output.
    ///
    /// # Errors
    /// `Kind::Io` when there was none at the start.
    pub(crate) fn stdout() -> Result<Printer> {
        if stdout_was_closed() {
            return Err(Error::io("cannot write to standard output", rustix::io::Errno::BADF.into()));
        }
        let out = std::io::stdout()
            .as_fd()
            .try_clone_to_owned()
            .map_err(|e| Error::io("cannot write to standard output", e))?;
        let out = File::from(out);
        Ok(Printer {
            aside: OnceLock::new(),
            waiting: None,
            out,
            buffer: Vec::with_capacity(LIMIT + 4096),
            written: 0,
            stuck: false,
        })
    }

    /// Writes one text to standard output, all that a command has to say.
    ///
    /// # Errors
    /// As [`Printer::stdout`] and [`Printer::flush`].
    pub(crate) fn print(text: impl AsRef<[u8]>) -> Result<()> {
        let mut printer = Printer::stdout()?;
        printer.record(|out| out.extend_from_slice(text.as_ref()))?;
        printer.flush()
    }

    /// Appends one record. Writes when enough is gathered.
    ///
    /// # Errors
    /// As [`Printer::flush`].
    pub(crate) fn record(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
        self.gather(write);
        if self.is_full() { self.flush() } else { Ok(()) }
    }

    /// Appends one record, for who writes with [`Printer::drain`] when [`Printer::is_full`] says so.
    pub(crate) fn gather(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.buffer);
    }

    /// True when enough is gathered.
    pub(crate) fn is_full(&self) -> bool {
        self.buffer.len() >= LIMIT
    }

    /// True when something waits for [`Printer::flush`].
    pub(crate) fn is_dirty(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// Writes everything. What was gathered is gone after an error, too: it must not be settled.
    ///
    /// # Errors
    /// `Kind::ClosedPipe` when the reader is gone, `Kind::Io` for everything else, a full disk for example.
    pub(crate) fn flush(&mut self) -> Result<()> {
        let written = write_all(&self.out, &self.buffer, &mut self.written);
        self.forget(written)
    }

    /// Writes what the reader takes now; true when that was everything. A reader that takes its time does not hold up what
    /// shares this thread.
    ///
    /// # Errors
    /// As [`Printer::flush`].
    pub(crate) fn try_flush(&mut self) -> Result<bool> {
        let Some(out) = self.aside.get_or_init(|| aside(&self.out)) else { return self.flush().map(|()| true) };
        let written = write_some(out, &self.buffer, &mut self.written);
        self.stuck = matches!(written, Ok(false));
        if self.stuck { Ok(false) } else { self.forget(written.map(drop)).map(|()| true) }
    }

    /// As [`Printer::try_flush`], and wakes the task when there is room again.
    ///
    /// # Errors
    /// As [`Printer::flush`].
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        loop {
            if let Some(waiting) = &mut self.waiting {
                // Whatever came of waiting: writing tells.
                let _ = ready!(Pin::new(waiting).poll(cx));
                self.waiting = None;
            }
            if self.try_flush()? {
                return Poll::Ready(Ok(()));
            }
            let Some(Some(out)) = self.aside.get().cloned() else { return Poll::Ready(Ok(())) };
            self.waiting = Some(tokio::task::spawn_blocking(move || {
                let _ = poll(&mut [PollFd::new(&*out, PollFlags::OUT)], None);
            }));
        }
    }

    /// As [`Printer::flush`], for who shares its thread with others.
    ///
    /// # Errors
    /// As [`Printer::flush`].
    pub(crate) async fn drain(&mut self) -> Result<()> {
        std::future::poll_fn(|cx| self.poll_flush(cx)).await
    }

    /// True while what was gathered waits for room: it goes out by [`Printer::poll_flush`].
    pub(crate) fn is_stuck(&self) -> bool {
        self.stuck
    }

    /// Forgets what was gathered, since it went out or is lost.
    fn forget(&mut self, written: std::io::Result<()>) -> Result<()> {
        self.buffer.clear();
        (self.written, self.stuck) = (0, false);
        // One large message must not hold its memory for ever.
        if self.buffer.capacity() > 16 * LIMIT {
            self.buffer.shrink_to(LIMIT);
        }
        written.map_err(|e| Error::io("cannot write to standard output", e))
    }

    /// True when the reader at the other end of the pipe is gone, so that nothing more need be fetched for it.
    pub(crate) fn reader_is_gone(&self) -> bool {
        self.ready(PollFlags::empty()).contains(PollFlags::ERR)
    }

    /// What standard output is ready for now.
    fn ready(&self, wanted: PollFlags) -> PollFlags {
        let mut fds = [PollFd::new(&self.out, wanted)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        match poll(&mut fds, Some(&now)) {
            Ok(1..) => fds[0].revents(),
            _ => PollFlags::empty(),
        }
    }
}

/// Writes what the reader takes, behind what was written; true when that was everything, false when it takes no more now.
fn write_some(mut out: &File, buffer: &[u8], written: &mut usize) -> std::io::Result<bool> {
    while let Some(rest) = buffer.get(*written..).filter(|rest| !rest.is_empty()) {
        match out.write(rest) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => *written += count,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(e) => return Err(e),
        }
    }
    Ok(true)
}

/// As `Write::write_all`, but it also waits where standard output is non-blocking (a terminal or pipe that another program
/// left so).
fn write_all(out: &File, buffer: &[u8], written: &mut usize) -> std::io::Result<()> {
    while !write_some(out, buffer, written)? {
        match poll(&mut [PollFd::new(out, PollFlags::OUT)], None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}
