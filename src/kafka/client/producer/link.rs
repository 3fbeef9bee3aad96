//! What a producer does by the clock while records are under way: it hurries the first confirmation, and looks how long
//! brokers have been away.

use std::future::Future;
use std::task::Context;
use std::time::{Duration, Instant};

use super::super::connected::Connected;
use super::Producer;
use crate::error::{Error, Kind};
use crate::flow::Heard;
use crate::shutdown;

/// How late the first confirmation is before it is hurried again, twice as late each time; and how often at the most.
const HURRY: Duration = Duration::from_millis(8);
const HURRIES: u32 = 8;

/// How often it is looked how long brokers have been away.
const LOOK: Duration = Duration::from_millis(100);

/// What is waited for.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    /// How many records had their answer when it was last looked.
    done: u64,
    /// Since when none came, although something is wrong.
    since: Option<Instant>,
    /// How often the first confirmation was hurried.
    hurried: u32,
}

impl Producer {
    /// True when it is time to look.
    pub(super) fn is_due(&mut self, cx: &mut Context<'_>) -> bool {
        if self.under_way == 0 {
            return false;
        }
        let after = match self.waiting.hurried.checked_sub(1) {
            // At once: the first record may be the only one.
            None if self.hurries() => return true,
            Some(before) if self.hurries() => HURRY * 2u32.pow(before),
            _ => LOOK,
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(after)));
        if timer.as_mut().poll(cx).is_pending() {
            return false;
        }
        timer.as_mut().reset(tokio::time::Instant::now() + after);
        true
    }

    fn hurries(&self) -> bool {
        !self.confirmed && self.waiting.hurried < HURRIES
    }

    /// Looks what there is to do by the clock.
    pub(super) fn look(&mut self, heard: &mut Heard) {
        if self.hurries() {
            self.hurry();
        }
        if let Some(failure) = self.too_long() {
            self.failure.get_or_insert(failure);
            self.purge(heard);
        }
    }

    /// Without its id an idempotent producer sends nothing. librdkafka asks for it whenever metadata comes in, and else only
    /// every 500 ms; the first time it may ask on the connection to the bootstrap server, which it is just giving up, in vain
    /// (`rd_kafka_idemp_pid_fsm`, and `rd_kafka_metadata_decommission_unavailable_brokers`, new in 2.11). So metadata is
    /// asked for with the first record, and again while no confirmation comes.
    fn hurry(&mut self) {
        self.waiting.hurried += 1;
        let (wire, topic) = (self.wire().clone(), self.to.topic.clone());
        // It comes or it does not: the confirmation is what counts. The call blocks.
        let ask = move || drop(Connected::client(&*wire).fetch_metadata(Some(&topic), HURRY * 8));
        let _ = shutdown::spawn("kafka-hurry", ask);
    }

    /// The error of brokers that have been away too long while records wait for them.
    fn too_long(&mut self) -> Option<Error> {
        let events = self.events();
        events.trouble()?;
        if self.done > self.waiting.done {
            self.waiting.done = self.done;
            self.waiting.since = None;
            events.recovered();
            return None;
        }
        let since = *self.waiting.since.get_or_insert_with(Instant::now);
        let patience = self.to.patience.filter(|patience| since.elapsed() > *patience)?;
        let reasons: Vec<String> = events.faults().into_iter().map(|f| f.text).collect();
        let limit = humantime::format_duration(patience);
        let error = Error::new(Kind::Connect, format!("no broker took the records within {limit}"));
        Some(error.because(reasons.join("; ")))
    }
}
