//! What is sent by itself: records that the broker may refuse for what they say, so that no other shares their batch, and
//! those that were not taken only because they had shared one.

use super::{Kept, Producer};
use crate::flow::{Outcome, Refusal, Told};

/// How many doubtful records are sent together: should one of them be refused, the others are sent again, in their order.
const DOUBTFUL: usize = 64;

impl Producer {
    /// True when nothing but doubtful records waits, so that another one may join them.
    pub(super) fn takes_doubtful(&self) -> bool {
        let waits = !self.alone && self.again.is_empty() && self.failure.is_none() && !self.failed;
        let is_doubtful = |(_, message): &Kept| self.to.intake.doubts(message);
        waits && self.stash.len() < DOUBTFUL && self.stash.back().is_some_and(is_doubtful)
    }

    /// Sends these again, each in a batch of its own; before all that wait to be, when they were sent so already.
    pub(super) fn send_again(&mut self, batches: [Vec<Kept>; 3]) {
        let batches = batches.into_iter().filter(|records| !records.is_empty());
        match self.alone {
            true => batches.rev().for_each(|records| self.again.push_front(records)),
            false => self.again.extend(batches),
        }
    }

    /// Sends what waits, as far as it may be sent now.
    pub(super) fn go_on(&mut self) {
        while self.failure.is_none() {
            if self.under_way == 0 {
                self.alone = false;
            }
            if !self.again.is_empty() {
                if self.under_way > 0 {
                    return;
                }
                let records = self.again.pop_front().unwrap_or_default();
                self.send_alone(records);
                continue;
            }
            if self.alone {
                return;
            }
            if self.overtaken > 0 {
                self.told.push(Told::Warn(Producer::out_of_order(std::mem::take(&mut self.overtaken))));
            }
            let Some((ticket, message)) = self.stash.front() else { return };
            if !self.to.intake.doubts(message) {
                let ticket = *ticket;
                let Some((_, message)) = self.stash.pop_front() else { return };
                if !self.send(ticket, &message, false) {
                    self.stash.push_front((ticket, message));
                    if self.under_way > 0 {
                        return;
                    }
                    self.larger_than_the_queue();
                }
                continue;
            }
            if self.under_way > 0 {
                return;
            }
            let doubtful = self.stash.iter().take_while(|(_, message)| self.to.intake.doubts(message)).count();
            let doubtful = self.stash.drain(..doubtful).collect();
            self.send_alone(doubtful);
        }
    }

    /// Nothing is under way, and still there is no room for the first that waits.
    fn larger_than_the_queue(&mut self) {
        if let Some((ticket, _)) = self.stash.pop_front() {
            let refusal =
                Refusal::new("larger than librdkafka's queue").hint("raise queue.buffering.max.kbytes with -X");
            self.outcomes.push((ticket, Outcome::Refused(Box::new(refusal))));
        }
    }

    fn send_alone(&mut self, records: Vec<Kept>) {
        let mut records = records.into_iter();
        while let Some((ticket, message)) = records.next() {
            if !self.send(ticket, &message, false) {
                // They had room together before.
                let mut rest = vec![(ticket, message)];
                rest.extend(records);
                match self.under_way {
                    0 => {
                        rest.into_iter().rev().for_each(|kept| self.stash.push_front(kept));
                        self.larger_than_the_queue();
                    }
                    _ => self.again.push_front(rest),
                }
                break;
            }
        }
        self.alone = self.under_way > 0;
        self.send_now();
    }

    /// What lingers goes out.
    pub(super) fn send_now(&self) {
        self.topic.send_now();
    }
}
