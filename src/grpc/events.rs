//! What happens in a call, as it is written to standard output.

use http::HeaderMap;
use prost_reflect::DynamicMessage;

use super::client::{Shown, Status, shown_metadata};
use crate::error::Result;
use crate::message::json::{Object, base64_object, string};
use crate::output::{Sink, Terminal, escape_json};
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
        self.event("headers", |event| metadata(event.member("metadata"), headers))
    }

    /// A response message.
    ///
    /// # Errors
    /// As [`Sink::flush`].
    pub fn message(&mut self, message: &DynamicMessage, resolver: &dyn Resolver) -> Result<()> {
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
            event.plain("code", status.code);
            event.text("name", &status.name());
            event.text("message", &status.message);
            let details = rpc::details(&status.details, Layout::Compact, resolver);
            let out = event.member("details");
            out.push(b'[');
            out.extend_from_slice(&details.join(&b','));
            out.push(b']');
            metadata(event.member("metadata"), &status.metadata);
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
        let written = self.line(|out| {
            let mut event = Object::open(out);
            event.text("protocol", "grpc");
            event.text("method", &method);
            event.text("event", name);
            members(&mut event);
            event.close();
        });
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

/// An array of pairs in their order.
fn metadata(out: &mut Vec<u8>, headers: &HeaderMap) {
    out.push(b'[');
    for (i, (name, value)) in shown_metadata(headers).enumerate() {
        out.extend_from_slice(if i > 0 { b",[" } else { b"[" });
        string(out, name);
        out.push(b',');
        match value {
            Shown::Text(text) => string(out, &text),
            Shown::Binary(bytes) => base64_object(out, "$base64", &bytes),
        }
        out.push(b']');
    }
    out.push(b']');
}
