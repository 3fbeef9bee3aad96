//! The records of an input as a source.

use std::task::{Context, Poll};
use std::time::Instant;

use super::refusal::{Refusal, Unfit};
use super::source::{Bad, Filled, Lane, LaneName, Place, Settling, Source};
use crate::error::{Error, Result};
use crate::message::Message;
use crate::message::input::{Decoder, Input, Mark, NextRecord};

/// How many records are taken together: what is wrong behind good ones is told once these are sent.
const BATCH: usize = 1024;

/// The records of an input.
pub(crate) struct Records {
    input: Input,
    decoder: Decoder,
    marks: Vec<Mark>,
    /// What came behind the records of the batch.
    behind: Option<Result<Filled>>,
    since: Instant,
    /// Somebody types them, and may type a faulty one again.
    is_typed: bool,
}

impl Records {
    /// Those of this input.
    pub(crate) fn new(input: Input) -> Records {
        let (decoder, is_typed) = (Decoder::of(&input), input.is_typed());
        Records { input, decoder, is_typed, marks: Vec::with_capacity(BATCH), behind: None, since: Instant::now() }
    }
}

impl Source for Records {
    fn settling(&self) -> Settling {
        Settling::Never
    }

    fn fill(&mut self, most: usize) -> Result<Filled> {
        self.marks.clear();
        if let Some(behind) = self.behind.take() {
            return behind;
        }
        while self.marks.len() < most.min(BATCH) {
            let behind = match self.input.mark() {
                Ok(NextRecord::Record(mark)) => {
                    self.marks.push(mark);
                    continue;
                }
                // The place of the records changes with the next chunk.
                Ok(NextRecord::NeedMore) => Ok(Filled::Dry),
                Ok(NextRecord::End) => Ok(Filled::End),
                Err(error) => Err(error),
            };
            if self.marks.is_empty() {
                return behind;
            }
            self.behind = Some(behind);
            break;
        }
        self.since = Instant::now();
        Ok(Filled::Batch(self.marks.len()))
    }

    fn place(&self, at: usize) -> Place {
        Place { lane: 0, mark: self.marks.get(at).map_or(0, Mark::line) }
    }

    fn get(&self, at: usize) -> Result<Message<'_>, Bad> {
        match self.marks.get(at) {
            Some(mark) if mark.is_too_large() => Err(Bad::Refused(Refusal::new(self.input.limit()))),
            Some(mark) => self.decoder.message(self.input.record(*mark)).map_err(|error| match self.is_typed {
                true => Bad::Refused(Refusal::new(error.chain())),
                false => Bad::Broken(error),
            }),
            None => Ok(Message::default()),
        }
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>, wanted: bool) -> Poll<()> {
        if !wanted {
            return Poll::Pending;
        }
        match self.input.poll_more(cx) {
            Poll::Ready(Ok(())) => Poll::Ready(()),
            // Asked for the next record, it is told again.
            Poll::Ready(Err(error)) => {
                self.behind = Some(Err(error));
                Poll::Ready(())
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn idle_since(&self) -> Option<Instant> {
        Some(self.since)
    }

    fn window(&self) -> usize {
        BATCH
    }

    fn lane_name(&self, _lane: Lane) -> LaneName {
        LaneName::of(if self.decoder.counts_lines() { "input line" } else { "input record" })
    }

    fn fault(&self, at: usize, unfit: Unfit) -> Error {
        let Some(mark) = self.marks.get(at) else { return Error::usage(unfit.why) };
        let record = self.input.record(*mark);
        match unfit.member {
            Some(member) => self.decoder.member_fault(record, member, unfit.why),
            None => self.decoder.fault(record, unfit.why),
        }
    }

    fn is_input(&self) -> bool {
        true
    }

    fn bytes(&self) -> u64 {
        self.input.consumed()
    }
}
