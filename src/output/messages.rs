//! `-o`: how a message is shown, and the writer that shows it.

use anstyle::{AnsiColor, Style};

use super::format::{Format, tokens};
use super::sanitize::{escape_json, push_bytes, push_json};
use super::{Printer, Terminal};
use crate::error::Result;
use crate::message::{Field, Message, Shown, envelope};
use crate::values::{Delimiter, delimiter};

/// `-o/--output` of the commands that read messages.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Output {
    Pretty,
    Raw,
    Json,
    Format(Format),
}

fn output(text: &str) -> Result<Output, String> {
    match text {
        "pretty" => Ok(Output::Pretty),
        "raw" => Ok(Output::Raw),
        "json" => Ok(Output::Json),
        _ if text.contains(['%', '\\']) => Format::parse(text).map(Output::Format),
        _ => Err(format!("allowed: pretty, raw, json, or a format string with {}", tokens())),
    }
}

/// What `--help` says of `-o`, where `-h` has the first line of it.
fn long_help() -> String {
    format!(
        "pretty, raw (bodies only), json (one envelope a line), or a format string with kcat's tokens, as \
         '%t %p %o %k %s\\n'\n\nThe default is pretty on a terminal and raw in a pipe.\n\nTokens: {}; escapes \\n \\r \\t \
         \\0 \\xNN. What a system does not have is -1 or nothing.",
        tokens()
    )
}

/// How messages are written.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct OutputArgs {
    /// pretty, raw (bodies only), json (one envelope a line), or a format string with kcat's tokens, as '%t %p %o %k %s\n'
    #[arg(short, long, value_name = "FORMAT", value_parser = output, long_help = long_help())]
    output: Option<Output>,
    /// What ends each message of -o raw, with the escapes \n \r \t \0 \xNN
    #[arg(long, value_name = "TEXT", value_parser = delimiter, default_value = "\\n")]
    delimiter: Delimiter,
}

/// Writes messages to the [`Printer`] in the chosen form.
#[derive(Debug)]
pub(crate) struct MessageWriter {
    printer: Printer,
    output: Output,
    delimiter: Vec<u8>,
    /// A body that ends in the delimiter is not ended again.
    once: bool,
    /// Standard output is a terminal: what strangers wrote is escaped.
    escape: bool,
    color: bool,
}

impl MessageWriter {
    /// Opens standard output.
    ///
    /// # Errors
    /// As [`Printer::stdout`].
    pub(crate) fn new(args: &OutputArgs, terminal: &Terminal) -> Result<MessageWriter> {
        let default = if terminal.stdout { Output::Pretty } else { Output::Raw };
        Ok(MessageWriter {
            printer: Printer::stdout()?,
            output: args.output.clone().unwrap_or(default),
            delimiter: args.delimiter.0.clone(),
            once: false,
            escape: terminal.stdout,
            color: terminal.color_stdout,
        })
    }

    /// Appends one message. Writes when enough is gathered.
    ///
    /// # Errors
    /// As [`Printer::flush`].
    pub(crate) fn write(&mut self, message: &Message<'_>) -> Result<()> {
        self.gather(message);
        if self.printer.is_full() { self.printer.flush() } else { Ok(()) }
    }

    /// Appends one message, for who writes by [`MessageWriter::printer`].
    pub(crate) fn gather(&mut self, message: &Message<'_>) {
        let (escape, color) = (self.escape, self.color);
        match &self.output {
            Output::Raw => self.printer.gather(|out| {
                let mut value = message.value.bytes().unwrap_or_default();
                if self.once {
                    value = value.strip_suffix(&*self.delimiter).unwrap_or(value);
                }
                match escape {
                    true => push_bytes(out, value, false),
                    false => out.extend_from_slice(value),
                }
                out.extend_from_slice(&self.delimiter);
            }),
            Output::Json => self.printer.gather(|out| {
                let from = out.len();
                envelope::write(out, message);
                if escape {
                    escape_json(out, from);
                }
                out.push(b'\n');
            }),
            Output::Format(format) => self.printer.gather(|out| format.write(out, message, escape)),
            Output::Pretty => self.printer.gather(|out| pretty(out, message, color)),
        }
    }

    /// With [`Output::Raw`]: a body that ends in the delimiter is not ended again.
    pub(crate) fn ends_once(&mut self) {
        self.once = true;
    }

    /// True when a message's headers are shown.
    pub(crate) fn shows_headers(&self) -> bool {
        match &self.output {
            Output::Raw => false,
            Output::Format(format) => format.shows_headers(),
            Output::Json | Output::Pretty => true,
        }
    }

    /// Where it goes.
    pub(crate) fn printer(&mut self) -> &mut Printer {
        &mut self.printer
    }

    /// Writes everything: only after this may the messages be settled.
    ///
    /// # Errors
    /// As [`Printer::flush`].
    pub(crate) fn flush(&mut self) -> Result<()> {
        self.printer.flush()
    }

    /// See [`Printer::is_stuck`].
    pub(crate) fn is_stuck(&self) -> bool {
        self.printer.is_stuck()
    }

    /// See [`Printer::reader_is_gone`].
    pub(crate) fn reader_is_gone(&self) -> bool {
        self.printer.reader_is_gone()
    }
}

/// A line with where the message is from, a line for each header and property, and the body as it is.
fn pretty(out: &mut Vec<u8>, message: &Message<'_>, color: bool) {
    let paint = |style: Style| {
        if color { (style.render().to_string(), style.render_reset().to_string()) } else { Default::default() }
    };
    let (origin_on, origin_off) = paint(AnsiColor::Cyan.on_default().bold());
    let (dim_on, dim_off) = paint(Style::new().dimmed());

    out.extend_from_slice(origin_on.as_bytes());
    push_bytes(out, message.title().unwrap_or_default().as_bytes(), true);
    out.extend_from_slice(origin_off.as_bytes());
    out.extend_from_slice(dim_on.as_bytes());
    if let Some(route) = message.route() {
        push_bytes(out, format!("  {route}").as_bytes(), true);
    }
    match &message.key {
        Field::Absent => {}
        Field::Null => out.extend_from_slice(b"  key null"),
        Field::Bytes(key) => {
            out.extend_from_slice(b"  key ");
            push_bytes(out, key, true);
        }
    }
    if let Some(time) = message.timestamp {
        out.extend_from_slice(b"  ");
        time.write_rfc3339(out);
    }
    if message.redelivered == Some(true) {
        out.extend_from_slice(b"  redelivered");
    }
    out.push(b'\n');
    pretty_headers(out, message);
    out.extend_from_slice(dim_off.as_bytes());
    match &message.value {
        Field::Bytes(value) => push_bytes(out, value, false),
        Field::Null | Field::Absent => out.extend_from_slice(format!("{dim_on}null{dim_off}").as_bytes()),
    }
    out.push(b'\n');
}

fn pretty_headers(out: &mut Vec<u8>, message: &Message<'_>) {
    let mut line = |name: &str, value: &[u8], is_json: bool| {
        out.extend_from_slice(b"  ");
        push_bytes(out, name.as_bytes(), true);
        out.extend_from_slice(b": ");
        match is_json {
            true => push_json(out, value),
            false => push_bytes(out, value, true),
        }
        out.push(b'\n');
    };
    if let Some(properties) = &message.properties
        && let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(properties)
    {
        for (name, value) in fields {
            match value.as_str() {
                Some(text) => line(&name, text.as_bytes(), false),
                None => line(&name, value.to_string().as_bytes(), true),
            }
        }
    }
    for (name, value) in message.headers.iter() {
        match value {
            Shown::Null => line(name, b"null", false),
            Shown::Text(text) => line(name, text, false),
            Shown::Typed(value) => {
                let mut json = Vec::new();
                value.write_json(&mut json);
                line(name, &json, true);
            }
        }
    }
}
