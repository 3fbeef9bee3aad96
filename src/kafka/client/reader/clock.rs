//! What a reader does beside reading: it takes up what librdkafka tells, and looks now and then whether all is well.

use std::sync::{MutexGuard, PoisonError};
use std::task::Context;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::fault::fault;
use super::gaps::{AGAIN, Gaps};
use super::roster::{gone, missed};
use super::until::Until;
use super::watch::{ASK, Watch};
use super::{Consequence, PartitionReader};
use crate::error::Result;
use crate::flow::Event;
use crate::kafka::ffi::What;
use crate::shutdown;

/// How often it is looked while nothing comes.
const LOOK: Duration = Duration::from_millis(100);

impl PartitionReader {
    /// What an event means.
    pub(super) fn told(&mut self, what: What) -> Result<()> {
        match what {
            What::Fault { code, text, place, fatal } => {
                let topic = place.as_ref().map(|place| place.topic.as_str()).or_else(|| missed(&text));
                if self.roster.excuses(code, topic) {
                    return Ok(());
                }
                let step = fault(&self.events, code, text, place, fatal, self.group.is_some())?;
                self.mean(step);
            }
            What::Rebalance(true, places) => {
                self.assign(&places)?;
                self.given(places.len());
            }
            What::Rebalance(false, places) => {
                self.told.push_back(Event::Trace(format!("the group takes back {} partitions", places.len())));
                self.told.extend(self.went(&places, ASK).iter().map(|topic| gone(topic)));
                let is = |part: &&super::Part| places.iter().any(|place| part.is_at(place));
                let lanes = self.parts.iter().filter(is).map(|part| part.lane).collect();
                self.revoking = places;
                self.told.push_back(Event::Revoked(lanes));
            }
            What::Committed(result) => self.told_of_commit(result)?,
            What::Log(line) => self.events.log_line(&line),
            What::Other => {}
        }
        Ok(())
    }

    /// The group has given so many partitions.
    fn given(&mut self, count: usize) {
        self.told.push_back(Event::Trace(format!("the group gave {count} partitions")));
        self.since.get_or_insert_with(Instant::now);
    }

    /// Does what something that went wrong asks for.
    pub(super) fn mean(&mut self, step: Consequence) {
        match step {
            Consequence::Nothing => {}
            Consequence::Stalled(text) => self.told.push_back(Event::Warn(format!(
                "nothing was read for too long, and the group gave the partitions to others; joining again, some records \
                 will come twice ({text})"
            ))),
            Consequence::Down => self.recover(),
        }
    }

    /// No broker is reachable: looks for the way back.
    fn recover(&mut self) {
        self.watch.lost();
        self.roster.lost();
        if self.recovering.is_some() {
            return;
        }
        let (link, consumer, warnings) = (self.link.clone(), self.feed.consumer().clone(), self.warnings.clone());
        self.recovering = Some(Box::pin(async move {
            let warn = |text| warnings.lock().unwrap_or_else(PoisonError::into_inner).push(text);
            link.recover(&consumer, &warn).await
        }));
    }

    fn said(&self) -> MutexGuard<'_, Vec<String>> {
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn warnings(&self) -> Vec<String> {
        std::mem::take(&mut *self.said())
    }

    pub(super) fn has_warnings(&self) -> bool {
        !self.said().is_empty()
    }

    /// True when it is time to look.
    pub(super) fn ticks(&mut self, cx: &mut Context<'_>) -> bool {
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(LOOK)));
        if timer.as_mut().poll(cx).is_pending() {
            return false;
        }
        timer.as_mut().reset(tokio::time::Instant::now() + LOOK);
        self.due = true;
        true
    }

    /// Looks at what nobody tells.
    pub(super) fn by_the_clock(&mut self) -> Result<()> {
        let due = std::mem::take(&mut self.due);
        // Nothing came since the last time.
        let lull = due && !std::mem::take(&mut self.came);
        if self.events.take_doubt() {
            self.watch.doubt();
            self.roster.doubt();
        }
        if due {
            self.look_for_bounds()?;
            self.look_for_news()?;
        }
        // The event of the end is asked for where that is the end at the start, and nobody minds it.
        let is_told = self.until == Until::End && self.group.is_none();
        if self.gaps.is_some() || lull && self.until.ends() && !is_told {
            self.look_for_gaps()?;
        }
        if self.looking.is_none()
            && let Some(topics) = self.watch.wants(&self.events, lull)
        {
            self.look(topics)?;
        }
        if due {
            self.commit_if_due();
        }
        if lull && !self.assigned && self.revoking.is_empty() && self.has_joined_for_nothing() {
            self.assigned = true;
            self.given(0);
        }
        Ok(())
    }

    /// Looks whether topics are still there, on a thread, since the call blocks.
    fn look(&mut self, topics: Vec<String>) -> Result<()> {
        let (sender, looking) = oneshot::channel();
        let (consumer, partitions) = (self.feed.consumer().clone(), self.watch.partitions().to_vec());
        shutdown::spawn("kafka-watch", move || {
            let found = Watch::gone(&consumer, &topics, &partitions);
            // The consumer is let go first: who leaves a group waits for this.
            drop(consumer);
            let _ = sender.send(found);
        })?;
        self.looking = Some(looking);
        Ok(())
    }

    /// Looks whether partitions that were not read up to their end have anything left.
    fn look_for_gaps(&mut self) -> Result<()> {
        if let Some(gaps) = &mut self.gaps {
            for ended in gaps.look() {
                self.parts.iter_mut().filter(|part| part.of == ended).for_each(|part| part.at_end = true);
            }
            if gaps.is_done() || gaps.since.elapsed() > self.limit {
                self.gaps = None;
                self.gaps_due = Instant::now() + AGAIN;
            }
            return Ok(());
        }
        if Instant::now() < self.gaps_due {
            return Ok(());
        }
        let open = self.parts.iter().filter(|part| !part.is_done());
        let open: Vec<_> = open.filter_map(|part| Some((part.of.clone(), part.next, part.end?))).collect();
        if !open.is_empty() {
            self.gaps = Some(Gaps::new(&self.link.setup, self.isolation, open, &self.bell)?);
        }
        Ok(())
    }
}
