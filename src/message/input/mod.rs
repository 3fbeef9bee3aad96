//! Data in: from an argument, a file or standard input, cut into records.
//!
//! A thread reads chunks ahead, so that a slow producer of input never holds up signals, confirms or heartbeats; the
//! records are slices of one reused buffer.

mod ahead;
mod decoder;
mod source;
mod split;
#[cfg(test)]
mod tests;

use std::io::IsTerminal;
use std::task::{Context, Poll, ready};

use self::ahead::{Ahead, Chunk, HEADROOM};
use self::split::{Cut, Splitter};
use crate::closed::check_stdin;
use crate::error::{Error, Kind, Result};
use crate::values::{CONVERT, TextStart, text_start};

pub use decoder::Decoder;
pub use source::DataSource;

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Mode {
    /// One message a line
    Lines,
    /// All of it is one message
    Raw,
    /// A stream of JSON envelopes
    Json,
    /// Protobuf text, with the record separator 0x1E between messages.
    #[value(skip)]
    Text,
    /// Binary messages, each behind its length as a varint.
    #[value(skip)]
    Delimited,
}

/// How the data is cut.
#[derive(Debug, Clone)]
pub struct Options {
    /// What a record is.
    pub mode: Mode,
    /// What ends a record of [`Mode::Lines`].
    pub delimiter: Vec<u8>,
    /// What separates a key from its value in [`Mode::Lines`] and [`Mode::Raw`].
    pub key_delimiter: Option<Vec<u8>>,
    /// The largest record in bytes, and the name of what sets it: bounds the memory.
    pub limit: (usize, &'static str),
}

/// One record of the input.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// Counted from 1.
    pub number: u64,
    /// The line that it begins on, from 1; in [`Mode::Lines`] the same as `number`.
    pub line: u64,
    /// How many characters stand before it on that line.
    pub column: usize,
    /// Its bytes, without the delimiter.
    pub bytes: &'a [u8],
}

/// What [`Input::step`] found.
#[derive(Debug)]
pub enum NextRecord<R> {
    /// A record.
    Record(R),
    /// Nothing whole: call [`Input::more`].
    NeedMore,
    /// The end.
    End,
}

/// Where a record stands, until the next [`Input::more`].
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    number: u64,
    line: u64,
    column: usize,
    start: usize,
    end: usize,
    too_large: bool,
}

impl Mark {
    /// True for a record over the limit: it is not here.
    pub fn is_too_large(&self) -> bool {
        self.too_large
    }

    /// The line that the record begins on, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }
}

/// The records of a source.
#[derive(Debug)]
pub struct Input {
    source: DataSource,
    options: Options,
    ahead: Ahead,
    splitter: Splitter,
    buffer: Vec<u8>,
    start: usize,
    ended: bool,
    /// What reading failed with.
    failure: Option<std::io::Error>,
    /// Whether the first bytes are still to be looked at: those of a text may be a byte order mark.
    fresh: bool,
    number: u64,
    line: u64,
    /// How many characters of that line were taken.
    column: usize,
    /// Where a record over the limit began, of which a part was let go.
    skimmed: Option<(u64, usize)>,
    bytes: u64,
    size: Option<u64>,
}

fn is_typed(source: &DataSource) -> bool {
    matches!(source, DataSource::Stdin) && std::io::stdin().is_terminal()
}

impl Input {
    /// Whether somebody types it.
    pub fn is_typed(&self) -> bool {
        is_typed(&self.source)
    }

    /// Opens the source and begins to read ahead.
    ///
    /// # Errors
    /// `Kind::Io` when the file cannot be opened, or there is no standard input.
    pub fn open(source: DataSource, options: Options) -> Result<Input> {
        let (ahead, reading) = ahead::new();
        let mut size = None;
        let mut buffer = Vec::new();
        let mut ended = false;
        match &source {
            DataSource::Text(text) => (buffer, ended) = (text.clone(), true),
            DataSource::Stdin => {
                check_stdin()?;
                crate::shutdown::spawn("stdin", move || reading.all(std::io::stdin()))?;
            }
            DataSource::File(path) => {
                let failed = |e| Error::io(format!("cannot read {}", path.display()), e);
                let file = std::fs::File::open(path).map_err(failed)?;
                let metadata = file.metadata().map_err(failed)?;
                if metadata.is_dir() {
                    return Err(failed(std::io::ErrorKind::IsADirectory.into()));
                }
                size = Some(metadata.len()).filter(|_| metadata.is_file());
                crate::shutdown::spawn("input", move || reading.all(file))?;
            }
        }
        let bytes = buffer.len() as u64;
        // Who types an envelope ends it with the line: the next one may be good.
        let by_line = options.mode == Mode::Json && !options.delimiter.is_empty() && is_typed(&source);
        let mode = if by_line { Mode::Lines } else { options.mode };
        let splitter = Splitter::new(mode, &options.delimiter);
        // Lines and raw data are bytes, whatever they begin with.
        let fresh = matches!(options.mode, Mode::Json | Mode::Text);
        Ok(Input {
            source,
            options,
            ahead,
            splitter,
            buffer,
            start: 0,
            ended,
            failure: None,
            fresh,
            number: 0,
            line: 1,
            column: 0,
            skimmed: None,
            bytes,
            size,
        })
    }

    /// The same input, all of it one text.
    #[must_use]
    pub fn as_text(self) -> Input {
        Input { fresh: true, ..self }
    }

    /// Passes over a byte order mark; false when it cannot be told yet.
    fn begin(&mut self) -> Result<bool> {
        match text_start(&self.buffer[self.start..], self.ended) {
            TextStart::NeedMore => return Ok(false),
            TextStart::Here(skipped) => self.start += skipped,
            TextStart::Foreign(name) => {
                return Err(Error::usage(format!("{} is {name} and not UTF-8", self.source)).hint(CONVERT));
            }
        }
        self.fresh = false;
        Ok(true)
    }

    /// Where the data comes from.
    pub fn source(&self) -> &DataSource {
        &self.source
    }

    /// The size of the source in bytes, when it has one.
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// How many bytes went into records so far.
    pub fn consumed(&self) -> u64 {
        self.bytes - (self.buffer.len() - self.start) as u64
    }

    /// The next record, if a whole one is here.
    ///
    /// # Errors
    /// `Kind::Refused` for a record over the limit, `Kind::Usage` for a length that is none, a record that is cut off, or
    /// a text that is not UTF-8.
    pub fn step(&mut self) -> Result<NextRecord<Record<'_>>> {
        Ok(match self.mark()? {
            NextRecord::Record(mark) if mark.too_large => return Err(self.too_large(mark.number)),
            NextRecord::Record(mark) => NextRecord::Record(self.record(mark)),
            NextRecord::NeedMore => NextRecord::NeedMore,
            NextRecord::End => NextRecord::End,
        })
    }

    /// The record of a mark that was made since the last [`Input::more`].
    pub fn record(&self, mark: Mark) -> Record<'_> {
        let Mark { number, line, column, start, end, too_large: _ } = mark;
        Record { number, line, column, bytes: self.buffer.get(start..end).unwrap_or_default() }
    }

    /// As [`Input::step`], for who wants to look at several records together. One over the limit is marked as that.
    ///
    /// # Errors
    /// As [`Input::step`].
    pub fn mark(&mut self) -> Result<NextRecord<Mark>> {
        if self.fresh && !self.begin()? {
            return Ok(NextRecord::NeedMore);
        }
        let rest = &self.buffer[self.start..];
        let cut = self.splitter.cut(rest, self.ended);
        let (limit, _) = self.options.limit;
        match cut {
            Cut::NeedMore if rest.len() > limit => self.skim().map(|()| NextRecord::NeedMore),
            Cut::NeedMore => Ok(NextRecord::NeedMore),
            Cut::Broken(what) => {
                let read = self.bytes - (self.buffer.len() - self.start) as u64;
                let number = self.number + 1;
                Err(Error::usage(format!("{}, message {number}, at byte {read}: {what}", self.source)))
            }
            Cut::End => {
                self.start = self.buffer.len();
                Ok(NextRecord::End)
            }
            Cut::Record { record, used } => {
                let from = self.start;
                self.start += used;
                self.number += 1;
                let skimmed = self.skimmed.take();
                let (line, column) = match (skimmed, self.options.mode) {
                    (_, Mode::Lines) => (self.number, 0),
                    (_, Mode::Raw | Mode::Delimited) => (1, 0),
                    (Some(place), Mode::Json | Mode::Text) => {
                        self.line += pass(&self.buffer[from..from + used], &mut self.column);
                        place
                    }
                    (None, Mode::Json | Mode::Text) => {
                        let start = from + record.start;
                        self.line += pass(&self.buffer[from..start], &mut self.column);
                        let place = (self.line, self.column);
                        self.line += pass(&self.buffer[start..from + used], &mut self.column);
                        place
                    }
                };
                let too_large = skimmed.is_some() || record.len() > limit;
                let (start, end) = (from + record.start, from + record.end);
                Ok(NextRecord::Record(Mark { number: self.number, line, column, start, end, too_large }))
            }
        }
    }

    /// Lets go of what is here of a record over the limit: only its end is looked for.
    fn skim(&mut self) -> Result<()> {
        let Some(tail) = self.splitter.tail() else { return Err(self.too_large(self.number + 1)) };
        let mut from = self.start;
        if let (None, Some(begin)) = (self.skimmed, self.splitter.begin()) {
            from += begin;
            self.line += pass(&self.buffer[self.start..from], &mut self.column);
            self.skimmed = Some((self.line, self.column));
        }
        let to = self.buffer.len().saturating_sub(tail).max(from);
        self.line += pass(&self.buffer[from..to], &mut self.column);
        self.splitter.forget(to - self.start);
        self.start = to;
        Ok(())
    }

    fn too_large(&self, number: u64) -> Error {
        Error::refused(format!("{}, record {number}: {}", self.source, self.limit()))
    }

    /// What is wrong with a record that is too large.
    pub fn limit(&self) -> String {
        let (limit, set_by) = self.options.limit;
        format!("over {limit} bytes, the limit of {set_by}")
    }

    /// Waits for more data or the end.
    ///
    /// # Errors
    /// `Kind::Io` when reading failed: an input cut short must never look like its end.
    pub async fn more(&mut self) -> Result<()> {
        let chunk = self.ahead.next().await;
        self.take(chunk)
    }

    /// As [`Input::more`].
    ///
    /// # Errors
    /// As [`Input::more`].
    pub fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let chunk = ready!(self.ahead.poll_next(cx));
        Poll::Ready(self.take(chunk))
    }

    fn take(&mut self, chunk: Option<Chunk>) -> Result<()> {
        match chunk {
            // Who asks again is told again.
            None if self.failure.is_some() => return Err(self.failed()),
            None => self.ended = true,
            Some(Ok(mut chunk)) => {
                self.bytes += (chunk.len() - HEADROOM) as u64;
                let rest = &self.buffer[self.start..];
                match HEADROOM.checked_sub(rest.len()) {
                    Some(start) => {
                        chunk[start..HEADROOM].copy_from_slice(rest);
                        std::mem::swap(&mut self.buffer, &mut chunk);
                        self.start = start;
                    }
                    // A record over several chunks.
                    None => {
                        self.buffer.drain(..self.start);
                        self.start = 0;
                        self.buffer.extend_from_slice(&chunk[HEADROOM..]);
                    }
                }
                self.ahead.give_back(chunk);
            }
            Some(Err(e)) => {
                self.failure = Some(e);
                return Err(self.failed());
            }
        }
        Ok(())
    }

    fn failed(&self) -> Error {
        let error = Error::new(Kind::Io, format!("cannot read {}", self.source));
        // `io::Error` cannot be cloned.
        match self.failure.as_ref().map(|e| e.raw_os_error().ok_or_else(|| e.to_string())) {
            Some(Ok(code)) => error.because(std::io::Error::from_raw_os_error(code)),
            Some(Err(text)) => error.because(text),
            None => error,
        }
    }
}

/// Goes over a text: how many lines end in it, and how many characters stand on the last one.
fn pass(text: &[u8], column: &mut usize) -> u64 {
    let last = memchr::memrchr(b'\n', text);
    if last.is_some() {
        *column = 0;
    }
    let rest = &text[last.map_or(0, |at| at + 1)..];
    // All but the continuation bytes of UTF-8.
    *column += rest.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
    memchr::memchr_iter(b'\n', text).count() as u64
}
