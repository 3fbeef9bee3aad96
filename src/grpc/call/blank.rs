//! `grpc call --template` and `--example`: requests to begin with.

use super::events::OutputForm;
use super::format::{FormatArgs, MessageFormat};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::grpc::settings::Settings;
use crate::grpc::shared::lookup::Lookup;
use crate::grpc::shared::methods;
use crate::output::{Printer, escape_json, escape_text};
use crate::proto::template::{Style, template};
use crate::proto::{JsonStyle, Layout, example, rpc, write_json, write_text};

/// A request that nobody has written yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Blank {
    /// With every field, to fill in; else a random one.
    pub template: bool,
    /// What the random one is made from.
    pub seed: Option<u64>,
    /// How it is laid out.
    pub form: Option<OutputForm>,
}

impl Blank {
    /// Prints it.
    ///
    /// # Errors
    /// As [`Lookup::open`] and [`methods::find`]; `Kind::Usage` for a binary template.
    pub(crate) async fn print(
        self,
        method: &str,
        format: &FormatArgs,
        connection: &Settings,
        cx: &Context,
    ) -> Result<()> {
        let found = cx.shutdown.or_stop(async {
            let mut lookup = Lookup::open(connection, cx).await?;
            let mut catalog = lookup.catalog(cx);
            methods::find(&mut catalog, method).await
        });
        let (of, style, format) = (found.await?.input, format.style(), format.reading().format);
        let message = || example(&of, self.seed.unwrap_or_else(|| fastrand::u64(..)));
        let known = (&of.schema(), rpc::Common);
        let is_raw = self.form == Some(OutputForm::Raw);
        let layout = if is_raw { Layout::Compact } else { Layout::Pretty };
        let mut out = Vec::new();
        match (self.template, format) {
            (true, MessageFormat::Binary) => {
                return Err(Error::usage("a template is JSON or text").hint("leave --format binary out"));
            }
            (true, MessageFormat::Text) => out.extend_from_slice(template(&of, Style::Text).as_bytes()),
            (true, MessageFormat::Json) if is_raw => out.extend_from_slice(template(&of, Style::PlainJson).as_bytes()),
            (true, MessageFormat::Json) => out.extend_from_slice(template(&of, Style::Json).as_bytes()),
            (false, MessageFormat::Json) => {
                drop(write_json(&mut out, &message(), JsonStyle { layout, ..style }, &known))
            }
            (false, MessageFormat::Text) => write_text(&mut out, &message(), layout, &known),
            (false, MessageFormat::Binary) => message().encode(&mut out),
        }
        if format != MessageFormat::Binary && !out.ends_with(b"\n") {
            out.push(b'\n');
        }
        match (cx.terminal.stdout, format) {
            // Its comments, too: they are the server's words.
            (true, MessageFormat::Json) => escape_json(&mut out, 0),
            (true, _) => out = escape_text(&String::from_utf8_lossy(&out)).into_owned().into_bytes(),
            (false, _) => {}
        }
        let mut printer = Printer::stdout()?;
        printer.record(|to| to.extend_from_slice(&out))?;
        printer.flush()
    }
}
