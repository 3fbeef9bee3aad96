//! `--log`: what comes in, as envelopes, one line an event.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use http::HeaderMap;
use tonic::Status;

use super::stub::Reset;
use crate::error::{Error, Result};
use crate::message::grpc::{write_event, write_metadata, write_status};
use crate::message::json::Object;
use crate::output::Terminal;
use crate::proto::dynamic::DynamicMessage;
use crate::proto::schema::Schema;
use crate::proto::{Layout, rpc, write_json};

/// The file, and the count of calls.
pub(crate) struct Log {
    path: PathBuf,
    file: Mutex<File>,
    calls: AtomicU64,
    /// A full disk is said once.
    failed: AtomicBool,
    terminal: Terminal,
    types: Schema,
}

impl Log {
    /// Opens the file, empty, for its owner alone: requests may hold secrets. Each line goes to its end, so that a script
    /// may empty it between two steps.
    ///
    /// # Errors
    /// `Kind::Io`.
    pub(crate) fn create(path: &Path, types: Schema, terminal: Terminal) -> Result<Log> {
        let failed = |e| Error::io(format!("cannot write the log {}", path.display()), e);
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path).map_err(failed)?;
        if file.metadata().map_err(failed)?.is_file() {
            file.set_len(0).map_err(failed)?;
        }
        Ok(Log {
            path: path.to_owned(),
            file: Mutex::new(file),
            calls: AtomicU64::new(0),
            failed: AtomicBool::new(false),
            terminal,
            types,
        })
    }

    fn line(&self, line: &[u8]) {
        // One write a line: whoever reads the file sees whole lines only.
        let written = self.file.lock().unwrap_or_else(PoisonError::into_inner).write_all(line);
        if let Err(e) = written
            && !self.failed.swap(true, Ordering::Relaxed)
        {
            self.terminal.warn(format!("cannot write the log {}: {e}", self.path.display()));
        }
    }
}

/// The events of one call. When it ends without any other end, the caller has left.
pub(crate) struct CallLog {
    log: Arc<Log>,
    method: String,
    call: u64,
    ended: AtomicBool,
}

impl CallLog {
    /// Begins with the headers of the request.
    pub(crate) fn start(log: Arc<Log>, method: String, headers: &HeaderMap) -> CallLog {
        let call = log.calls.fetch_add(1, Ordering::Relaxed) + 1;
        let log = CallLog { log, method, call, ended: AtomicBool::new(false) };
        log.event("headers", |event| write_metadata(event.member("metadata"), headers));
        log
    }

    /// A request message.
    pub(crate) fn message(&self, message: &DynamicMessage) {
        self.event("message", |event| {
            write_json(event.member("value"), message, Layout::Compact, &self.log.types);
        });
    }

    /// The status that was answered. Only the first end counts.
    pub(crate) fn status(&self, status: &Status) {
        if self.is_first_end() {
            self.event("status", |event| {
                let details = rpc::details(status.details(), Layout::Compact, &self.log.types);
                let metadata = status.metadata().clone().into_headers();
                write_status(event, status.code() as i32, status.message(), &details, &metadata);
            });
        }
    }

    /// The call was broken off.
    pub(crate) fn reset(&self, what: Reset) {
        if self.is_first_end() {
            self.event("reset", |event| event.text("what", what.name()));
        }
    }

    fn is_first_end(&self) -> bool {
        !self.ended.swap(true, Ordering::Relaxed)
    }

    fn event(&self, name: &str, members: impl FnOnce(&mut Object<'_>)) {
        let mut line = Vec::new();
        write_event(&mut line, &self.method, Some(self.call), name, members);
        line.push(b'\n');
        self.log.line(&line);
    }
}

impl Drop for CallLog {
    fn drop(&mut self) {
        if self.is_first_end() {
            self.event("cancelled", |_| {});
        }
    }
}
