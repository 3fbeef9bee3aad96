//! The loop of `kafka tail`, on a thread of its own: poll, write, flush, and only then commit.

use std::time::{Duration, Instant};

use super::Args;
use super::link::Link;
use crate::error::{Error, Kind, Result};
use crate::kafka::client::{Reader, Step, drop_within};
use crate::message::Message;
use crate::output::{MessageWriter, Progress};

/// How long nothing may come before the surroundings are looked at.
const LOOK: Duration = Duration::from_millis(100);

/// What was written waits for its flush no longer than this, and no longer than so many records.
const FLUSH_AFTER: Duration = Duration::from_millis(20);
const FLUSH_RECORDS: u64 = 4096;

/// The work.
pub struct Job {
    reader: Reader,
    writer: MessageWriter,
    link: Link,
    count: Option<u64>,
    idle_timeout: Option<Duration>,
    progress: Progress,
    records: u64,
    bytes: u64,
    /// Records that were not flushed yet.
    pending: u64,
    flush_due: Instant,
    /// Since when nothing came; a group's clock starts when it has given partitions, or none.
    idle_since: Option<Instant>,
}

/// Why reading ended well.
enum Ended {
    Count,
    AtEnd,
    Idle(Duration),
}

impl Job {
    /// Ready to run.
    pub fn new(args: &Args, reader: Reader, writer: MessageWriter, link: Link) -> Job {
        let assigned = reader.is_assigned();
        let progress = Progress::reader(&link.cx.terminal, "records");
        Job {
            reader,
            writer,
            link,
            count: args.count,
            idle_timeout: args.idle_timeout,
            progress,
            records: 0,
            bytes: 0,
            pending: 0,
            flush_due: Instant::now(),
            idle_since: Some(Instant::now()).filter(|_| assigned),
        }
    }

    /// Reads to the end, and settles what was written.
    ///
    /// # Errors
    /// What stopped it; `Kind::Unmet`; `Kind::Partial` when the offsets of a group were not committed.
    pub fn run(mut self) -> Result<()> {
        let ended = self.pump();
        // After a failed write nothing more is written or settled: what came last is read again.
        let flushed = match &ended {
            Err(e) if matches!(e.kind(), Kind::Io | Kind::ClosedPipe) => Ok(()),
            _ => self.flush(),
        };
        self.progress.clear();
        if self.link.cx.shutdown.reason().is_some() {
            self.link.cx.terminal.note(format!("read {}", self.records));
        }
        let committed = self.reader.finish(self.link.cx.shutdown.drain_left());
        if let (Some(_), Err(error)) = (self.link.cx.shutdown.reason(), &committed) {
            // Why it was asked to stop stays the reason of its end.
            self.link.cx.terminal.warn(error.chain());
        }
        drop_within(self.reader, self.link.cx.shutdown.goodbye(crate::kafka::CLOSE));
        let end = match (ended, flushed) {
            (Err(e), _) | (Ok(_), Err(e)) => return Err(e),
            (Ok(end), Ok(())) => end,
        };
        committed?;
        match (self.count, end) {
            (Some(count), Ended::AtEnd) if self.records < count => Err(unmet(count, self.records, "then came the end")),
            (Some(count), Ended::Idle(limit)) if self.records < count => {
                let limit = humantime::format_duration(limit);
                Err(unmet(count, self.records, &format!("then nothing for {limit}")))
            }
            _ => Ok(()),
        }
    }

    fn pump(&mut self) -> Result<Ended> {
        if self.count == Some(0) {
            return Ok(Ended::Count);
        }
        loop {
            if self.reader.is_done() {
                return Ok(Ended::AtEnd);
            }
            self.link.cx.shutdown.check()?;
            let timeout = if self.pending > 0 { Duration::ZERO } else { self.wait_for()? };
            let writer = &mut self.writer;
            let most = self.count.map_or(u64::MAX, |count| count - self.records);
            let step = self.reader.step(timeout, most, &mut |message: &Message<'_>| writer.write(message))?;
            match step {
                Step::Records(records, bytes) => {
                    self.took(records, bytes)?;
                    if self.count == Some(self.records) {
                        return Ok(Ended::Count);
                    }
                }
                Step::Dry if self.pending > 0 => self.flush()?,
                Step::Dry => {
                    self.reader.commit_if_due();
                    if let (Some(limit), Some(since)) = (self.idle_timeout, self.idle_since)
                        && since.elapsed() >= limit
                    {
                        return Ok(Ended::Idle(limit));
                    }
                    if self.writer.is_closed() {
                        return Err(Error::new(Kind::ClosedPipe, "standard output was closed"));
                    }
                }
                Step::Nothing => {}
                other => self.react(other)?,
            }
        }
    }

    /// How long to wait for the next record.
    fn wait_for(&self) -> Result<Duration> {
        let left = self.idle_timeout.zip(self.idle_since).map(|(limit, since)| limit.saturating_sub(since.elapsed()));
        // Rounded up to librdkafka's milliseconds, so that the last one is not spent in a busy loop.
        Ok(left.map_or(LOOK, |left| left.min(LOOK).max(Duration::from_millis(1))))
    }

    fn took(&mut self, records: u64, bytes: u64) -> Result<()> {
        self.records += records;
        self.bytes += bytes;
        self.pending += records;
        let now = Instant::now();
        self.idle_since = Some(now);
        self.progress.set(self.records, self.bytes);
        if self.pending == records {
            self.flush_due = now + FLUSH_AFTER;
        } else if now >= self.flush_due || self.pending >= FLUSH_RECORDS {
            return self.flush();
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.writer.flush()?;
        self.pending = 0;
        self.reader.written();
        Ok(())
    }

    /// What seldom happens.
    fn react(&mut self, step: Step) -> Result<()> {
        let terminal = self.link.cx.terminal;
        match step {
            Step::Assigned(count) => {
                terminal.trace(format!("the group gave {count} partitions"));
                self.idle_since.get_or_insert_with(Instant::now);
            }
            Step::Revoke(places) => {
                self.flush()?;
                terminal.trace(format!("the group takes back {} partitions", places.len()));
                self.reader.revoke(&places)?;
                if !self.reader.is_assigned() {
                    self.idle_since = None;
                }
            }
            Step::Stalled(text) => self.progress.suspend(|| {
                terminal.warn(format!(
                    "the output stood still for too long, and the group gave the partitions to others; joining again, \
                     some records will come twice ({text})"
                ));
            }),
            Step::Down => return self.recover(),
            Step::Records(..) | Step::Dry | Step::Nothing => {}
        }
        Ok(())
    }

    /// No broker is reachable: what came before is out when it waits for them.
    fn recover(&mut self) -> Result<()> {
        self.flush()?;
        let Job { link, reader, progress, .. } = self;
        link.recover(reader.consumer(), &|text| progress.suspend(|| link.cx.terminal.warn(text)))
    }
}

fn unmet(count: u64, got: u64, why: &str) -> Error {
    Error::new(Kind::Unmet, format!("{got} of {count} records came, {why}"))
}
