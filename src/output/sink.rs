//! The only writer to standard output: write, flush, and only then may the caller settle.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::os::fd::AsFd;
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pipe::PIPE_BUF;

use crate::closed::stdout_was_closed;
use crate::error::{Error, Result};

/// How much is gathered before it is written without being asked to.
const LIMIT: usize = 64 * 1024;

/// Standard output with one reused buffer.
///
/// A record counts as written only after [`Sink::flush`] returned: whoever settles before that can lose messages.
#[derive(Debug)]
pub struct Sink {
    out: Arc<File>,
    is_file: bool,
    buffer: Vec<u8>,
}

impl Sink {
    /// Standard output.
    ///
    /// # Errors
    /// `Kind::Io` when standard output is closed.
    pub fn stdout() -> Result<Sink> {
        if stdout_was_closed() {
            return Err(Error::io("cannot write to standard output", rustix::io::Errno::BADF.into()));
        }
        let out = std::io::stdout()
            .as_fd()
            .try_clone_to_owned()
            .map_err(|e| Error::io("cannot write to standard output", e))?;
        let out = File::from(out);
        let is_file = out.metadata().is_ok_and(|metadata| metadata.is_file());
        Ok(Sink { out: Arc::new(out), is_file, buffer: Vec::with_capacity(LIMIT + 4096) })
    }

    /// Appends one record. Writes when enough is gathered.
    ///
    /// # Errors
    /// As [`Sink::flush`].
    pub fn record(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
        self.gather(write);
        if self.is_full() { self.flush() } else { Ok(()) }
    }

    /// Appends one record, for who writes with [`Sink::drain`] when [`Sink::is_full`] says so.
    pub fn gather(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.buffer);
    }

    /// True when enough is gathered.
    pub fn is_full(&self) -> bool {
        self.buffer.len() >= LIMIT
    }

    /// True when something waits for [`Sink::flush`].
    pub fn is_dirty(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// Writes everything. What was gathered is gone after an error, too: it must not be settled.
    ///
    /// # Errors
    /// `Kind::ClosedPipe` when the reader is gone, `Kind::Io` for everything else, a full disk for example.
    pub fn flush(&mut self) -> Result<()> {
        let written = write_all(&self.out, &self.buffer);
        self.written(written)
    }

    /// As [`Sink::flush`], for who shares its thread with others: a reader that takes its time does not hold them up. What
    /// was gathered is gone when this is dropped before its end.
    ///
    /// # Errors
    /// As [`Sink::flush`].
    pub async fn drain(&mut self) -> Result<()> {
        if self.takes_at_once() {
            return self.flush();
        }
        let (out, buffer) = (self.out.clone(), std::mem::take(&mut self.buffer));
        let writing = tokio::task::spawn_blocking(move || {
            let written = write_all(&out, &buffer);
            (buffer, written)
        });
        let (buffer, written) = writing.await.map_err(|e| Error::io("cannot write to standard output", e.into()))?;
        self.buffer = buffer;
        self.written(written)
    }

    /// True when writing what was gathered cannot block: pipe(7) has room for `PIPE_BUF` bytes when it has any.
    fn takes_at_once(&self) -> bool {
        self.is_file || self.buffer.len() <= PIPE_BUF && self.ready(PollFlags::OUT).contains(PollFlags::OUT)
    }

    /// Forgets what was gathered, since it went out or is lost.
    fn written(&mut self, written: std::io::Result<()>) -> Result<()> {
        self.buffer.clear();
        // One large message must not hold its memory for ever.
        if self.buffer.capacity() > 16 * LIMIT {
            self.buffer.shrink_to(LIMIT);
        }
        written.map_err(|e| Error::io("cannot write to standard output", e))
    }

    /// True when the reader at the other end of the pipe is gone, so that nothing more need be fetched for it.
    pub fn is_closed(&self) -> bool {
        self.ready(PollFlags::empty()).contains(PollFlags::ERR)
    }

    /// What standard output is ready for now.
    fn ready(&self, wanted: PollFlags) -> PollFlags {
        let mut fds = [PollFd::new(&*self.out, wanted)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        match poll(&mut fds, Some(&now)) {
            Ok(1..) => fds[0].revents(),
            _ => PollFlags::empty(),
        }
    }
}

/// As `Write::write_all`, but it also waits where standard output is non-blocking (a terminal or pipe that another program
/// left so).
fn write_all(mut out: &File, mut rest: &[u8]) -> std::io::Result<()> {
    while !rest.is_empty() {
        match out.write(rest) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(n) => rest = &rest[n..],
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) if e.kind() == ErrorKind::WouldBlock => match poll(&mut [PollFd::new(out, PollFlags::OUT)], None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            },
            Err(e) => return Err(e),
        }
    }
    Ok(())
}
