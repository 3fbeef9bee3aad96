//! What the sink tells, and what follows from it.

use std::task::{Context, Poll};

use super::{End, Runner};
use crate::error::Result;
use crate::flow::dead::Taken;
use crate::flow::ledger::Fate;
use crate::flow::limits::OnRefusal;
use crate::flow::sink::{Heard, Outcome, Told};
use crate::flow::source::{LaneName, Place, Settling};

impl Runner<'_> {
    /// What the sink reported.
    pub(super) fn take_up(&mut self, polled: Result<()>) -> Result<(), End> {
        let mut stops = false;
        for told in self.heard.told.drain(..) {
            match told {
                Told::Warn(text) => self.reporter.warn(text),
                Told::Note(text) => self.reporter.note(text),
            }
        }
        let rest = self.heard.rest.take();
        let mut outcomes = std::mem::take(&mut self.heard.outcomes);
        for (ticket, outcome) in outcomes.drain(..) {
            let then = match &outcome {
                Outcome::Refused(refusal) => Some(refusal.then.unwrap_or(self.on_refusal)),
                _ => None,
            };
            stops |= then == Some(OnRefusal::Stop);
            let fate = match (&outcome, then) {
                (Outcome::Confirmed | Outcome::Written | Outcome::Answered(_), _) | (_, Some(OnRefusal::Skip)) => {
                    Fate::Done
                }
                // What is settled by a prefix cannot be told of one alone.
                (_, Some(OnRefusal::Reject | OnRefusal::Requeue)) if self.source.settling() != Settling::Prefix => {
                    Fate::Rejected
                }
                _ => Fate::Held,
            };
            let taken = self.dead.as_mut().map_or(Taken::Nothing, |dead| dead.takes(ticket, &outcome));
            let place = match taken {
                // It is settled when it is where it goes now.
                Taken::Whole => self.ledger.place(ticket).map(|place| (place, None)),
                Taken::Again => self.ledger.outcome(ticket, Fate::Done),
                Taken::Nothing => self.ledger.outcome(ticket, fate),
            };
            if let Some((place, Some(Fate::Rejected))) = place {
                self.source.reject(place, then == Some(OnRefusal::Requeue)).map_err(End::Source)?;
            }
            let Runner { account, lane_names, source, .. } = self;
            account.enter(outcome, || match place {
                Some((Place { lane, mark }, _)) => {
                    (lane_names.entry(lane).or_insert_with(|| source.lane_name(lane)).clone(), mark)
                }
                // It was taken away meanwhile.
                None => (LaneName::of("message that was given to others, number"), ticket.0),
            });
        }
        self.heard.outcomes = outcomes;
        if let Some(outcome) = rest {
            self.take_up_rest(&outcome);
        }
        self.tell(false);
        self.progress();
        polled.map_err(End::Sink)?;
        if let Some(error) = self.heard.over.take() {
            return Err(End::Relay(error));
        }
        self.settle().map_err(End::Source)?;
        if stops { Err(End::Refused) } else { Ok(()) }
    }

    /// What became of everything that was submitted to a bulk sink.
    fn take_up_rest(&mut self, outcome: &Outcome) {
        if matches!(outcome, Outcome::Written | Outcome::Confirmed | Outcome::Answered(_)) {
            // A message of which a part waits for room is not written.
            if !self.leftover.is_empty() {
                return;
            }
            self.ledger.all();
        } else {
            self.ledger.none();
        }
        self.account.rest(outcome);
    }

    /// Takes up what became of messages that were refused and go elsewhere. When they cannot any more, that is the end, but
    /// not that of the sink proper: it is left in [`Runner::unburied`].
    ///
    /// # Errors
    /// Those of the source, when what is done elsewhere is settled.
    pub(super) fn bury(&mut self, cx: &mut Context<'_>) -> Result<()> {
        while let Some(dead) = &mut self.dead {
            let mut heard = Heard::default();
            let Poll::Ready(polled) = dead.poll(cx, &mut heard) else { break };
            self.buried(heard);
            self.settle()?;
            if let Err(error) = polled {
                self.unburied = Some(error);
            }
        }
        Ok(())
    }

    pub(super) fn buried(&mut self, heard: Heard) {
        for (ticket, outcome) in heard.outcomes {
            let fate = match outcome {
                Outcome::Confirmed | Outcome::Written | Outcome::Answered(_) => {
                    self.account.bury();
                    Fate::Done
                }
                _ => Fate::Held,
            };
            self.ledger.outcome(ticket, fate);
            if let Outcome::Refused(refusal) = outcome {
                self.reporter.warn(format!(
                    "what was refused was refused by the place for it (dead:TARGET), too: {}",
                    refusal.why
                ));
            }
        }
    }

    pub(super) fn tell(&mut self, all: bool) {
        for line in self.account.news(all) {
            self.reporter.refused(line);
        }
    }

    pub(super) fn progress(&mut self) {
        self.reporter.progress(&self.account, self.ledger.under_way(), self.source.bytes());
    }
}
