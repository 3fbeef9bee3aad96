//! What happens in a call, as it is written to standard output.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use tonic::Code;

use super::format::{FormatArgs, MessageFormat};
use crate::error::{Error, Kind, Result};
use crate::grpc::client::Status;
use crate::jq::Envelope;
use crate::message::grpc::{write_event, write_metadata, write_status};
use crate::message::json::{Object, base64_object, string};
use crate::output::{Printer, Terminal, escape_json, escape_text, push_indented};
use crate::proto::dynamic::DynamicMessage;
use crate::proto::dynamic::wire::put_varint;
use crate::proto::schema::Method;
use crate::proto::{JsonStyle, Layout, Resolver, rpc, write_json, write_text};

/// How often a silent call looks whether somebody still reads its output.
const LOOK: Duration = Duration::from_millis(250);

/// `-o` of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum OutputForm {
    /// Each response as indented JSON, the default on a terminal
    Pretty,
    /// Each response as one line of JSON, the default in a pipe
    Raw,
    /// An envelope a line for headers, each response, and the status, which a call that failed always has
    Json,
}

impl OutputForm {
    /// The form that was asked for, or the one for where standard output goes.
    ///
    /// # Errors
    /// `Kind::Usage` for bytes on a terminal.
    pub(crate) fn of(asked: Option<OutputForm>, format: MessageFormat, terminal: &Terminal) -> Result<OutputForm> {
        let form = asked.unwrap_or(if terminal.stdout { OutputForm::Pretty } else { OutputForm::Raw });
        match (format, form) {
            (MessageFormat::Binary, OutputForm::Pretty | OutputForm::Raw) if terminal.stdout => {
                Err(Error::usage("binary responses would garble the terminal")
                    .hint("send standard output to a file or a pipe, or use -o json, which has them in base64"))
            }
            _ => Ok(form),
        }
    }
}

/// What hostile characters become on a terminal.
enum Escape {
    Json,
    Text,
}

/// The status that gRPC's libraries give to an error that is none of the server's (grpc/doc/statuscodes.md). Bad input has
/// none: nothing was sent of it.
fn code_of(error: &Error) -> Option<Code> {
    Some(match (error.code(), error.kind()) {
        (Some(code), _) => code,
        (None, Kind::Usage | Kind::Config | Kind::ClosedPipe) => return None,
        (None, Kind::GrpcStatus(code)) => Code::from_i32(i32::from(code)),
        (None, Kind::Connect | Kind::Tls) => Code::Unavailable,
        (None, Kind::Auth) => Code::Unauthenticated,
        (None, Kind::Deadline) => Code::DeadlineExceeded,
        // It was given up here.
        (None, Kind::Interrupted | Kind::Terminated | Kind::Io | Kind::Child(_)) => Code::Cancelled,
        (None, Kind::Refused | Kind::Partial | Kind::Unmet) => Code::Internal,
    })
}

/// Writes the events of one call.
pub(crate) struct EventWriter {
    printer: Printer,
    form: OutputForm,
    format: MessageFormat,
    style: JsonStyle,
    /// Whether there can be any number of responses.
    is_stream: bool,
    escape: bool,
    color: bool,
    method: String,
    /// Whether the status was written.
    has_ended: bool,
}

impl EventWriter {
    /// Opens standard output. `method` is what the call is named by until [`EventWriter::of`] says more.
    ///
    /// # Errors
    /// As [`Printer::stdout`].
    pub(crate) fn new(form: OutputForm, format: &FormatArgs, method: &str, terminal: &Terminal) -> Result<EventWriter> {
        Ok(EventWriter {
            printer: Printer::stdout()?,
            form,
            format: format.responses(),
            style: format.style(),
            is_stream: false,
            escape: terminal.stdout,
            color: terminal.color_stdout,
            method: method.to_owned(),
            has_ended: false,
        })
    }

    /// Says which method is called.
    pub(crate) fn of(&mut self, method: &Method) {
        self.method = method.full_name();
        self.is_stream = method.descriptor.is_server_streaming();
    }

    /// The response headers.
    pub(crate) fn headers(&mut self, headers: &HeaderMap) {
        if self.form == OutputForm::Json {
            self.event("headers", |event| write_metadata(event.member("metadata"), headers));
        }
    }

    /// A response message, as it came and as it was read. Gives what in it has no canonical JSON, when it is JSON.
    pub(crate) fn message(&mut self, raw: &Bytes, message: &DynamicMessage, resolver: &dyn Resolver) -> Option<String> {
        let (format, style, is_stream) = (self.format, self.style, self.is_stream);
        let pretty = |layout| JsonStyle { layout, ..style };
        let mut odd = None;
        match (self.form, format) {
            (OutputForm::Json, _) => self.event("message", |event| {
                let out = event.member("value");
                match format {
                    MessageFormat::Json => odd = write_json(out, message, style, resolver),
                    MessageFormat::Text => {
                        let mut text = Vec::new();
                        write_text(&mut text, message, Layout::Compact, resolver);
                        string(out, &String::from_utf8_lossy(&text));
                    }
                    MessageFormat::Binary => base64_object(out, "$base64", raw),
                }
            }),
            (OutputForm::Pretty, MessageFormat::Json) => {
                self.line(|out| odd = write_json(out, message, pretty(Layout::Pretty), resolver));
            }
            (OutputForm::Raw, MessageFormat::Json) => self.line(|out| odd = write_json(out, message, style, resolver)),
            (OutputForm::Raw, MessageFormat::Text) => {
                self.line(|out| write_text(out, message, Layout::Compact, resolver))
            }
            // Its lines are ended; one more sets the messages of a stream apart.
            (OutputForm::Pretty, MessageFormat::Text) if is_stream => {
                self.line(|out| write_text(out, message, Layout::Pretty, resolver))
            }
            (OutputForm::Pretty, MessageFormat::Text) => {
                self.record(|out| write_text(out, message, Layout::Pretty, resolver))
            }
            (OutputForm::Pretty | OutputForm::Raw, MessageFormat::Binary) => self.record(|out| {
                if is_stream {
                    put_varint(out, raw.len() as u64);
                }
                out.extend_from_slice(raw);
            }),
        }
        odd
    }

    /// The envelope of a response.
    pub(crate) fn envelope(&self, message: &DynamicMessage, resolver: &dyn Resolver) -> Vec<u8> {
        let mut out = Vec::new();
        write_event(&mut out, &self.method, None, "message", |event| {
            // What has no canonical JSON is not told of here: it is not what is printed.
            let _ = write_json(event.member("value"), message, self.style, resolver);
        });
        out
    }

    /// What a program made of a response.
    pub(crate) fn mapped(&mut self, envelope: &Envelope) {
        let form = self.form;
        self.line(|out| {
            out.extend_from_slice(match form {
                OutputForm::Json => &envelope.whole,
                OutputForm::Raw => &envelope.value,
                OutputForm::Pretty => &envelope.pretty,
            });
        });
    }

    /// The status that ended the call.
    pub(crate) fn status(&mut self, status: &Status, resolver: &dyn Resolver) {
        self.has_ended = true;
        if self.form == OutputForm::Json {
            self.event("status", |event| {
                let details = rpc::details(&status.details, Layout::Compact, resolver);
                write_status(event, status.code, &status.message, &details, &status.metadata);
                if status.is_local {
                    event.truth("local", true);
                }
            });
        }
    }

    /// The status of a call that ended without one from the server, unless nothing was tried. `metadata` is what there was of
    /// it.
    pub(crate) fn failed(&mut self, error: &Error, metadata: &HeaderMap) {
        let Some(code) = code_of(error).filter(|_| !self.has_ended) else { return };
        let metadata = metadata.clone();
        let status =
            Status { code: code as i32, message: error.chain(), details: Bytes::new(), metadata, is_local: true };
        self.status(&status, &rpc::Common);
    }

    /// Writes what is left, and the status when there was none.
    ///
    /// # Errors
    /// How the call ended; as [`EventWriter::flush`].
    pub(crate) async fn end(&mut self, ended: Result<()>) -> Result<()> {
        if let Err(error) = &ended {
            self.failed(error, &HeaderMap::new());
        }
        // What came before a failure is worth having, whatever the failure.
        let flushed = self.flush().await;
        ended.and(flushed)
    }

    /// See [`Printer::is_full`].
    pub(crate) fn is_full(&self) -> bool {
        self.printer.is_full()
    }

    /// See [`Printer::drain`].
    ///
    /// # Errors
    /// As [`Printer::drain`].
    pub(crate) async fn flush(&mut self) -> Result<()> {
        if self.printer.is_dirty() { self.printer.drain().await } else { Ok(()) }
    }

    /// Waits until nobody reads standard output any more.
    pub(crate) async fn unread(&self) -> Error {
        loop {
            tokio::time::sleep(LOOK).await;
            if self.printer.reader_is_gone() {
                return Error::new(Kind::ClosedPipe, "nobody reads standard output");
            }
        }
    }

    fn event(&mut self, name: &str, members: impl FnOnce(&mut Object<'_>)) {
        let method = std::mem::take(&mut self.method);
        self.line(|out| write_event(out, &method, None, name, members));
        self.method = method;
    }

    fn line(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.record(|out| {
            write(out);
            out.push(b'\n');
        });
    }

    fn record(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let is_colored = self.color && self.form == OutputForm::Pretty && self.format == MessageFormat::Json;
        let escape = match (self.escape, self.form, self.format) {
            (false, ..) => None,
            (true, OutputForm::Pretty | OutputForm::Raw, MessageFormat::Text) => Some(Escape::Text),
            (true, ..) => Some(Escape::Json),
        };
        self.printer.gather(|out| {
            let from = out.len();
            write(out);
            match escape {
                Some(Escape::Json) => escape_json(out, from),
                Some(Escape::Text) => {
                    let text = String::from_utf8_lossy(&out[from..]).into_owned();
                    out.truncate(from);
                    out.extend_from_slice(escape_text(&text).as_bytes());
                }
                None => {}
            }
            if is_colored {
                let plain = out.split_off(from);
                push_indented(out, &plain, 0, true);
                out.push(b'\n');
            }
        });
    }
}
