//! `-o`: how a message is shown, and the writer that shows it.

use super::format::{Format, tokens};
use super::pretty::{self, Look};
use super::sanitize::{escape_json, push_bytes};
use super::{Printer, Terminal};
use crate::error::Result;
use crate::message::{BytesForm, HeaderForms, Message, envelope};
use crate::values::{Delimiter, Offering, delimiter};

/// `-o/--output` of the commands that read messages.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Output {
    Pretty,
    Raw,
    Json,
    Format(Format),
}

const FORMS: &[(&str, &str)] = &[("pretty", "for people"), ("raw", "bodies only"), ("json", "one envelope a line")];

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
    #[arg(short, long, value_name = "FORMAT", long_help = long_help(), hide_possible_values = true,
          value_parser = Offering(output, FORMS))]
    output: Option<Output>,
    /// What ends each message of -o raw, with the escapes \n \r \t \0 \xNN
    #[arg(long, value_name = "TEXT", value_parser = delimiter, default_value = "\\n", hide_short_help = true)]
    delimiter: Delimiter,
    /// How bodies and keys are written that may be bytes: auto (text where they are UTF-8), base64, hex, or text (what is not UTF-8
    /// is replaced)
    ///
    /// With -o json, auto writes a string where the bytes are UTF-8, else {"$base64": …}; base64 and hex always write {"$base64": …} or
    /// {"$hex": …}, which --input json reads as well, and text always writes a string. Elsewhere it is the text itself.
    #[arg(long, value_name = "FORM", value_enum, default_value_t, hide_short_help = true)]
    bytes: BytesForm,
    /// With -o pretty: bodies as they came, neither indented nor coloured
    #[arg(long, hide_short_help = true)]
    raw_body: bool,
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
    look: Look,
    /// How headers of Kafka are shown.
    headers: HeaderForms,
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
            look: Look { color: terminal.color_stdout, raw_body: args.raw_body, bytes: args.bytes },
            headers: HeaderForms::default(),
        })
    }

    /// Shows the headers of Kafka in these forms.
    pub(crate) fn set_headers(&mut self, forms: HeaderForms) {
        self.headers = forms;
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
        let (escape, look, headers) = (self.escape, self.look, &self.headers);
        match &self.output {
            Output::Raw => self.printer.gather(|out| {
                let mut value = message.value.bytes().unwrap_or_default();
                if self.once {
                    value = value.strip_suffix(&*self.delimiter).unwrap_or(value);
                }
                let value = look.form_of(message.schema.is_some()).of(value);
                match escape {
                    true => push_bytes(out, &value, false),
                    false => out.extend_from_slice(&value),
                }
                out.extend_from_slice(&self.delimiter);
            }),
            Output::Json => self.printer.gather(|out| {
                let from = out.len();
                envelope::write_as(out, message, look.bytes, headers);
                if escape {
                    escape_json(out, from);
                }
                out.push(b'\n');
            }),
            Output::Format(format) => {
                self.printer.gather(|out| format.write(out, message, look.bytes, headers, escape))
            }
            Output::Pretty => self.printer.gather(|out| pretty::push(out, message, look, headers)),
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
