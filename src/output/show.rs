//! What a reading verb does with what it reads.

use super::{MessageWriter, OutputArgs, Progress, Report, ReportTo, Shows, Stdout, Terminal};
use crate::error::Result;
use crate::flow::{self, Flow, Reader, Reporter, Stage, Writer};
use crate::message::HeaderForms;
use crate::shutdown::Shutdown;

/// Standard output, and what is told beside it.
pub(crate) struct Show {
    stdout: Stdout,
    report: Report,
}

impl Show {
    /// Opens them, before anything is connected. `noun` is what progress counts.
    ///
    /// # Errors
    /// As [`MessageWriter::new`] and [`Report::new`].
    pub(crate) fn new(
        args: &OutputArgs,
        to: Option<&ReportTo>,
        terminal: Terminal,
        noun: &'static str,
    ) -> Result<Show> {
        let stdout = Stdout::new(MessageWriter::new(args, &terminal)?);
        let report = Report::new(terminal, Progress::reader(&terminal, noun), Shows::Read, to)?;
        Ok(Show { stdout, report })
    }

    /// Tells in which trace all is that was sent, if it is in one.
    pub(crate) fn of_trace(&mut self, id: Option<String>) {
        self.report.of_trace(id);
    }

    /// Shows the headers of Kafka in these forms.
    #[must_use]
    pub(crate) fn with_headers(mut self, forms: HeaderForms) -> Show {
        self.stdout.set_headers(forms);
        self
    }

    /// Writes what is read until there is a reason to stop.
    ///
    /// # Errors
    /// As [`flow::run`].
    pub(crate) async fn run(mut self, reader: Reader, shutdown: &Shutdown) -> Result<()> {
        if reader.relay.is_some() {
            // Commands may write where it would be drawn.
            self.report.end();
        }
        self.run_through(Vec::new(), reader, shutdown).await
    }

    /// The same of what the reader's relay answers, as it comes, and through these stages.
    ///
    /// # Errors
    /// As [`flow::run`].
    pub(crate) async fn run_through(
        mut self,
        stages: Vec<Box<dyn Stage>>,
        reader: Reader,
        shutdown: &Shutdown,
    ) -> Result<()> {
        if reader.relay.is_some() {
            self.stdout.shows_answers();
        }
        let manner = reader.manner;
        let writer = Writer { stages, ..Writer::plain(Box::new(self.stdout)) };
        flow::run(Flow::new(reader, writer, manner, shutdown), &mut self.report).await
    }
}
