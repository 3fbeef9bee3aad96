//! A sink that tells of everything at once, made into one that tells of each.

use std::task::{Context, Poll};

use serde_json::Value;

use super::Ticket;
use super::sink::{Declined, Heard, Next, Outcome, Sink};
use super::source::Work;
use crate::error::Result;

/// After how many messages what was written is flushed.
const WINDOW: usize = 4096;

/// A bulk sink that keeps a note of each message: for what is refused before it and goes elsewhere, which is done by itself.
pub(crate) struct Singly {
    sink: Box<dyn Sink>,
    unwritten: Vec<Ticket>,
}

impl Singly {
    /// Of this sink.
    pub(crate) fn new(sink: Box<dyn Sink>) -> Singly {
        Singly { sink, unwritten: Vec::new() }
    }
}

impl Sink for Singly {
    fn reads_headers(&self) -> bool {
        self.sink.reads_headers()
    }

    fn room(&self) -> usize {
        self.sink.room()
    }

    fn is_empty(&self) -> bool {
        self.unwritten.is_empty() && self.sink.is_empty()
    }

    fn submit<'b>(&mut self, next: &mut Next<'_, 'b>) -> Result<(), Declined> {
        let unwritten = &mut self.unwritten;
        self.sink.submit(&mut |into| {
            let ticket = next(into)?;
            unwritten.push(ticket);
            Some(ticket)
        })?;
        // Nobody else asks for it while more comes.
        if self.unwritten.len() >= WINDOW {
            self.sink.flush(false)?;
        }
        Ok(())
    }

    fn flush(&mut self, last: bool) -> Result<()> {
        self.sink.flush(last)
    }

    fn poll(&mut self, cx: &mut Context<'_>, heard: &mut Heard) -> Poll<Result<()>> {
        let mut told = Heard::default();
        let polled = self.sink.poll(cx, &mut told);
        for (ticket, _) in &told.outcomes {
            if let Some(at) = self.unwritten.iter().position(|unwritten| unwritten == ticket) {
                self.unwritten.swap_remove(at);
            }
        }
        heard.outcomes.append(&mut told.outcomes);
        if let Some(outcome) = told.rest.take() {
            heard.outcomes.extend(self.unwritten.drain(..).map(|ticket| (ticket, outcome.clone())));
        }
        heard.told.append(&mut told.told);
        match polled {
            // What stands there already is taken up first.
            Poll::Pending if !heard.is_empty() => Poll::Ready(Ok(())),
            polled => polled,
        }
    }

    fn press(&mut self) {
        self.sink.press();
    }

    fn wants_seal(&self) -> bool {
        self.sink.wants_seal()
    }

    fn seal(&mut self) {
        self.sink.seal();
    }

    fn call_off(&mut self) {
        self.sink.call_off();
    }

    fn finish(&mut self) -> Work<'_> {
        self.sink.finish()
    }

    fn abandon(&mut self, heard: &mut Heard) {
        let mut told = Heard::default();
        self.sink.abandon(&mut told);
        heard.outcomes.append(&mut told.outcomes);
        let outcome = told.rest.unwrap_or(Outcome::Unknown);
        heard.outcomes.extend(self.unwritten.drain(..).map(|ticket| (ticket, outcome.clone())));
    }

    fn is_blocked(&self) -> bool {
        self.sink.is_blocked()
    }

    fn account(&self) -> Vec<String> {
        self.sink.account()
    }

    fn report(&self) -> Option<(&'static str, Value)> {
        self.sink.report()
    }

    fn check(&mut self) -> Result<()> {
        self.sink.check()
    }

    fn close(self: Box<Self>) -> Work<'static, ()> {
        self.sink.close()
    }
}
