//! The only writer to standard output: write, flush, and only then may the caller settle.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::os::fd::AsFd;

use crate::error::{Error, Result};

/// How much is gathered before it is written without being asked to.
const LIMIT: usize = 64 * 1024;

/// Standard output with one reused buffer.
///
/// A record counts as written only after [`Sink::flush`] returned: whoever settles before that can lose messages.
#[derive(Debug)]
pub struct Sink {
    out: File,
    buffer: Vec<u8>,
}

impl Sink {
    /// Standard output.
    ///
    /// # Errors
    /// `Kind::Io` when standard output is closed.
    pub fn stdout() -> Result<Sink> {
        let out = std::io::stdout()
            .as_fd()
            .try_clone_to_owned()
            .map_err(|e| Error::io("cannot write to standard output", e))?;
        Ok(Sink { out: File::from(out), buffer: Vec::with_capacity(LIMIT + 4096) })
    }

    /// Appends one record. Writes when enough is gathered.
    ///
    /// # Errors
    /// As [`Sink::flush`].
    pub fn record(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
        write(&mut self.buffer);
        if self.buffer.len() >= LIMIT { self.flush() } else { Ok(()) }
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
        let written = self.write_all();
        self.buffer.clear();
        // One large message must not hold its memory for ever.
        if self.buffer.capacity() > 16 * LIMIT {
            self.buffer.shrink_to(LIMIT);
        }
        written.map_err(|e| Error::io("cannot write to standard output", e))
    }

    /// As `Write::write_all`, but it also waits where standard output is non-blocking (a terminal or pipe that another
    /// program left so).
    fn write_all(&mut self) -> std::io::Result<()> {
        let mut rest = &self.buffer[..];
        while !rest.is_empty() {
            match self.out.write(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(n) => rest = &rest[n..],
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    let mut fds = [rustix::event::PollFd::new(&self.out, rustix::event::PollFlags::OUT)];
                    match rustix::event::poll(&mut fds, None) {
                        Ok(_) | Err(rustix::io::Errno::INTR) => {}
                        Err(e) => return Err(e.into()),
                    }
                }
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// True when the reader at the other end of the pipe is gone, so that nothing more need be fetched for it.
    pub fn is_closed(&self) -> bool {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let mut fds = [PollFd::new(&self.out, PollFlags::empty())];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        matches!(poll(&mut fds, Some(&now)), Ok(n) if n > 0 && fds[0].revents().contains(PollFlags::ERR))
    }
}
