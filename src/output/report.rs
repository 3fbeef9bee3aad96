//! What a flow tells, on standard error, and its account for scripts.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use serde_json::{Map, Value};

use super::{Progress, Terminal};
use crate::error::{Error, Result};
use crate::flow::{Account, Reporter};

/// Where the account goes as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ReportTo {
    /// A line on standard error.
    Stderr,
    /// A file, which is made anew.
    File(PathBuf),
}

impl std::str::FromStr for ReportTo {
    type Err = String;

    fn from_str(text: &str) -> Result<ReportTo, String> {
        match text.split_once('=') {
            None if text == "json" => Ok(ReportTo::Stderr),
            Some(("json", path)) if !path.is_empty() => Ok(ReportTo::File(path.into())),
            _ => Err("write json, or json=FILE".to_owned()),
        }
    }
}

/// Which numbers progress shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shows {
    /// What was read.
    Read,
    /// What was settled of what was sent.
    Sent,
    /// Both, and what is under way.
    Carried,
    /// No numbers: what became of each message that somebody types, in a word.
    Typed,
}

/// Tells what a flow has to tell.
pub(crate) struct Report {
    terminal: Terminal,
    progress: Progress,
    shows: Shows,
    file: Option<(PathBuf, File)>,
    to_stderr: bool,
    /// Of how many messages it was told that they are confirmed, and that they are not.
    told: (u64, u64),
    /// Some were refused, and it was not told why.
    is_untold: bool,
    /// The trace that all is in.
    trace: Option<String>,
}

impl Report {
    /// Opens the file, where the account goes to one.
    ///
    /// # Errors
    /// [`Kind::Io`](crate::error::Kind::Io).
    pub(crate) fn new(terminal: Terminal, progress: Progress, shows: Shows, to: Option<&ReportTo>) -> Result<Report> {
        let file = match to {
            Some(ReportTo::File(path)) => {
                let file = File::create(path).map_err(|e| Error::io(format!("cannot write {}", path.display()), e))?;
                Some((path.clone(), file))
            }
            _ => None,
        };
        Ok(Report {
            terminal,
            progress,
            shows,
            file,
            to_stderr: to == Some(&ReportTo::Stderr),
            told: (0, 0),
            is_untold: false,
            trace: None,
        })
    }
}

impl Report {
    /// Tells the progress of a writer, or in its place each outcome where somebody types the messages.
    ///
    /// # Errors
    /// As [`Report::new`].
    pub(crate) fn of_writer(
        terminal: Terminal,
        verb: &'static str,
        size: Option<u64>,
        is_typed: bool,
        to: Option<&ReportTo>,
    ) -> Result<Report> {
        match is_typed {
            true => Report::new(terminal, Progress::none(), Shows::Typed, to),
            false => Report::new(terminal, Progress::writer(&terminal, verb, size), Shows::Sent, to),
        }
    }

    /// Tells in which trace all is, if it is in one.
    pub(crate) fn of_trace(&mut self, id: Option<String>) {
        id.iter().for_each(|id| self.terminal.note(format!("trace {id}")));
        self.trace = id;
    }

    fn tell(&mut self, account: &Account) {
        let (done, failed) = (account.done(), account.failed());
        if done > self.told.0 {
            self.terminal.note(if account.has_confirmed() { "confirmed" } else { "sent" });
        }
        match account.latest_refusal() {
            Some(why) if failed > self.told.1 => self.terminal.warn(format!("refused: {why}")),
            _ => self.is_untold |= failed > self.told.1,
        }
        self.told = (done, failed);
    }
}

impl Reporter for Report {
    fn progress(&mut self, account: &Account, under_way: usize, bytes: u64) {
        let settled = account.done() + account.failed() + account.unknown();
        match self.shows {
            Shows::Read => self.progress.set(account.read(), bytes),
            Shows::Sent => self.progress.set(settled, bytes),
            Shows::Typed => self.tell(account),
            Shows::Carried => self.progress.set_both(account.read(), account.done(), under_way, bytes),
        }
    }

    fn warn(&mut self, text: String) {
        self.progress.suspend(|| self.terminal.warn(text));
    }

    fn refused(&mut self, text: String) {
        // Who types them was told at once.
        if self.shows != Shows::Typed || std::mem::take(&mut self.is_untold) {
            self.warn(text);
        }
    }

    fn note(&mut self, text: String) {
        self.progress.suspend(|| self.terminal.note(text));
    }

    fn trace(&mut self, text: String) {
        self.progress.suspend(|| self.terminal.trace(text));
    }

    fn end(&mut self) {
        self.progress.clear();
    }

    fn report(&mut self, mut account: Map<String, Value>) -> Result<()> {
        account.extend(self.trace.take().map(|id| ("trace".to_owned(), Value::String(id))));
        let mut line = Value::Object(account).to_string();
        if self.to_stderr {
            self.terminal.json(&line);
        }
        if let Some((path, file)) = &mut self.file {
            line.push('\n');
            let written = file.write_all(line.as_bytes());
            written.map_err(|e| Error::io(format!("cannot write {}", path.display()), e))?;
        }
        Ok(())
    }
}
