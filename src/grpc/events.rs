//! What happens in a call, as it is written to standard output.

use http::HeaderMap;

use super::client::Status;
use crate::error::Result;
use crate::message::grpc::{write_event, write_metadata, write_status};
use crate::message::json::Object;
use crate::output::{Sink, Terminal, escape_json};
use crate::proto::dynamic::Message;
use crate::proto::{Layout, Resolver, rpc, write_json};

/// `-o` of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// Each response as indented JSON, the default on a terminal
    Pretty,
    /// Each response as one line of JSON, the default in a pipe
    Raw,
    /// An envelope a line for headers, each response, and the status
    Json,
}

/// Writes the events of one call.
pub struct Events {
    sink: Sink,
    form: Form,
    escape: bool,
    method: String,
}

impl Events {
    /// Opens standard output. `method` is `pkg.Service/Method`.
    ///
    /// # Errors
    /// As [`Sink::stdout`].
    pub fn new(form: Option<Form>, method: String, terminal: &Terminal) -> Result<Events> {
        let default = if terminal.stdout { Form::Pretty } else { Form::Raw };
        Ok(Events { sink: Sink::stdout()?, form: form.unwrap_or(default), escape: terminal.stdout, method })
    }

    /// The response headers.
    ///
    /// # Errors
    /// As [`Sink::flush`].
    pub fn headers(&mut self, headers: &HeaderMap) -> Result<()> {
        if self.form != Form::Json {
            return Ok(());
        }
        self.event("headers", |event| write_metadata(event.member("metadata"), headers))
    }

    /// A response message.
    ///
    /// # Errors
    /// As [`Sink::flush`].
    pub fn message(&mut self, message: &Message, resolver: &dyn Resolver) -> Result<()> {
        let layout = match self.form {
            Form::Json => {
                return self.event("message", |event| {
                    write_json(event.member("value"), message, Layout::Compact, resolver);
                });
            }
            Form::Pretty => Layout::Pretty,
            Form::Raw => Layout::Compact,
        };
        self.line(|out| write_json(out, message, layout, resolver))
    }

    /// The status that ended the call.
    ///
    /// # Errors
    /// As [`Sink::flush`].
    pub fn status(&mut self, status: &Status, resolver: &dyn Resolver) -> Result<()> {
        if self.form != Form::Json {
            return Ok(());
        }
        self.event("status", |event| {
            let details = rpc::details(&status.details, Layout::Compact, resolver);
            write_status(event, status.code, &status.message, &details, &status.metadata);
        })
    }

    /// See [`Sink::flush`].
    ///
    /// # Errors
    /// As [`Sink::flush`].
    pub fn flush(&mut self) -> Result<()> {
        if self.sink.is_dirty() { self.sink.flush() } else { Ok(()) }
    }

    /// See [`Sink::is_closed`].
    pub fn is_closed(&self) -> bool {
        self.sink.is_closed()
    }

    fn event(&mut self, name: &str, members: impl FnOnce(&mut Object<'_>)) -> Result<()> {
        let method = std::mem::take(&mut self.method);
        let written = self.line(|out| write_event(out, &method, None, name, members));
        self.method = method;
        written
    }

    fn line(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
        let escape = self.escape;
        self.sink.record(|out| {
            let from = out.len();
            write(out);
            if escape {
                escape_json(out, from);
            }
            out.push(b'\n');
        })
    }
}
