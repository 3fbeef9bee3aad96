//! Reading what may never end: pipes, devices, the output of commands.

use std::io::Read;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How long a `cmd:` and a file that is a pipe may take.
pub(super) const READ_LIMIT: Duration = Duration::from_secs(10);

/// Something that is read on a thread of its own, so that nobody waits longer than he wants to: a pipe can be left open
/// by anyone, and the mere opening of a named one can last for ever.
pub(super) struct Reading(mpsc::Receiver<std::io::Result<Vec<u8>>>);

impl Reading {
    /// Begins to read, up to one byte more than `limit`.
    pub(super) fn start<R: Read>(
        open: impl FnOnce() -> std::io::Result<R> + Send + 'static,
        limit: usize,
    ) -> std::io::Result<Reading> {
        let (sender, receiver) = mpsc::channel();
        let read = move || {
            let mut source = match open() {
                Ok(source) => source.take(limit as u64 + 1),
                Err(e) => return drop(sender.send(Err(e))),
            };
            loop {
                let mut chunk = vec![0; 8 * 1024];
                let read = match source.read(&mut chunk) {
                    Ok(0) => return,
                    Ok(length) => {
                        chunk.truncate(length);
                        Ok(chunk)
                    }
                    Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
                    Err(e) => Err(e),
                };
                let last = read.is_err();
                if sender.send(read).is_err() || last {
                    return;
                }
            }
        };
        std::thread::Builder::new().name("secret".to_owned()).spawn(read)?;
        Ok(Reading(receiver))
    }

    /// What came until then, and how it ended: `TimedOut` when it has not.
    pub(super) fn collect(self, until: Instant) -> (Vec<u8>, std::io::Result<()>) {
        let mut bytes = Vec::new();
        loop {
            match self.0.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Ok(chunk)) => bytes.extend(chunk),
                Ok(Err(e)) => return (bytes, Err(e)),
                Err(mpsc::RecvTimeoutError::Disconnected) => return (bytes, Ok(())),
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    return (bytes, Err(std::io::ErrorKind::TimedOut.into()));
                }
            }
        }
    }
}

/// The error for a pipe that is not there.
pub(super) fn closed() -> std::io::Error {
    std::io::ErrorKind::BrokenPipe.into()
}

/// Reads a file, which may be a pipe, within 10 s and the deadline.
///
/// # Errors
/// As reading a file; also when it has more than `limit` bytes, or has no end in that time.
pub(crate) fn read_within(path: &Path, limit: usize, deadline: Option<Instant>) -> std::io::Result<Vec<u8>> {
    let (bytes, ended) = if path.is_file() {
        // It has an end, and needs no thread to be given up on.
        let mut bytes = Vec::new();
        let read = std::fs::File::open(path)?.take(limit as u64 + 1).read_to_end(&mut bytes);
        (bytes, read.map(drop))
    } else {
        let until = Instant::now() + READ_LIMIT;
        let owned = path.to_owned();
        let reading = Reading::start(move || std::fs::File::open(owned), limit)?;
        reading.collect(deadline.map_or(until, |deadline| deadline.min(until)))
    };
    match ended {
        _ if bytes.len() > limit => Err(std::io::Error::other(format!("it has more than {limit} bytes"))),
        Err(e) if e.kind() == std::io::ErrorKind::TimedOut => {
            Err(std::io::Error::other("it was not read to its end in time: is it a pipe that nobody writes?"))
        }
        ended => ended.map(|()| bytes),
    }
}
