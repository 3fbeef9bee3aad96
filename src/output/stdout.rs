//! Standard output as the sink of a flow.

use std::task::{Context, Poll, ready};

use super::MessageWriter;
use crate::error::{Error, Kind, Result};
use crate::flow::{self, Declined, Heard, Next, Outcome};
use crate::message::{HeaderForms, Message};

/// Standard output: what was flushed is written.
pub(crate) struct Stdout {
    writer: MessageWriter,
    /// Something was written that is not reported.
    owes: bool,
}

impl Stdout {
    /// Messages go out in this form.
    pub(crate) fn new(writer: MessageWriter) -> Stdout {
        Stdout { writer, owes: false }
    }

    /// Shows the headers of Kafka in these forms.
    pub(crate) fn set_headers(&mut self, forms: HeaderForms) {
        self.writer.set_headers(forms);
    }

    /// Bodies are answers, mostly of commands, which end their last line themselves.
    pub(crate) fn shows_answers(&mut self) {
        self.writer.ends_once();
    }
}

impl flow::Sink for Stdout {
    fn is_bulk(&self) -> bool {
        true
    }

    fn reads_headers(&self) -> bool {
        self.writer.shows_headers()
    }

    fn room(&self) -> usize {
        if self.writer.is_stuck() { 0 } else { usize::MAX }
    }

    fn is_empty(&self) -> bool {
        !self.owes
    }

    fn submit<'b>(&mut self, next: &mut Next<'_, 'b>) -> Result<(), Declined> {
        let mut message = Message::default();
        while next(&mut message).is_some() {
            self.owes = true;
            self.writer.gather(&message);
            if self.writer.printer().is_full() && !self.writer.printer().try_flush()? {
                break;
            }
        }
        Ok(())
    }

    fn flush(&mut self, _last: bool) -> Result<()> {
        self.writer.printer().try_flush().map(drop)
    }

    fn poll(&mut self, cx: &mut Context<'_>, heard: &mut Heard) -> Poll<Result<()>> {
        if self.writer.is_stuck() {
            ready!(self.writer.printer().poll_flush(cx))?;
        }
        if self.owes && !self.writer.printer().is_dirty() {
            self.owes = false;
            heard.rest = Some(Outcome::Written);
            return Poll::Ready(Ok(()));
        }
        Poll::Pending
    }

    fn abandon(&mut self, _heard: &mut Heard) {}

    fn check(&mut self) -> Result<()> {
        match self.writer.reader_is_gone() {
            true => Err(Error::new(Kind::ClosedPipe, "nobody reads standard output any more")),
            false => Ok(()),
        }
    }
}
