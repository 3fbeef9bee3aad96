//! Requests that wait for their answers: which there are, in which order their outcomes are told, and when each has waited
//! long enough. Whoever makes them is a relay, which publishes them and hears the answers.

mod ids;
mod latency;

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::hash::Hash;
use std::pin::Pin;
use std::task::Context;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::time::Sleep;

pub(crate) use self::ids::{Ids, new_uuid, uuid_of, uuid_text};
use self::latency::Latency;
use super::Ticket;
use super::refusal::Refusal;
use super::sink::{Heard, Outcome};
use crate::error::Kind;
use crate::message::Message;
use crate::shutdown::Shutdown;

/// How many requests there may be of which the answer waits for one that was asked before, for each that is under way; and how
/// many at least, and how many bytes.
const AHEAD: usize = 4;
const AHEAD_AT_LEAST: usize = 256;
const AHEAD_BYTES: usize = 64 << 20;

/// How many entries there may be about when requests have waited long enough, beside those that are needed.
const DUES: usize = 1024;

/// How requests are made, and their answers told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asking {
    /// How many may be under way at a time.
    pub jobs: usize,
    /// How long each waits for its answer.
    pub timeout: Duration,
    /// Answers go on as they come.
    pub is_unordered: bool,
}

/// A request whose outcome was not told.
struct Open<K> {
    id: K,
    since: Instant,
    /// The broker has it.
    is_taken: bool,
    outcome: Option<Outcome>,
    bytes: usize,
}

/// Requests, each by what its answer is recognised by.
pub(crate) struct Questions<K> {
    asking: Asking,
    shutdown: Shutdown,
    open: HashMap<Ticket, Open<K>>,
    /// Those that have no outcome.
    asked: HashMap<K, Ticket>,
    /// In the order in which they were asked.
    order: VecDeque<Ticket>,
    /// Those whose outcome is known, where they go on as they come.
    ended: Vec<Ticket>,
    /// When each has waited long enough.
    dues: VecDeque<(Instant, Ticket)>,
    /// The bytes of answers that wait.
    bytes: usize,
    timer: Pin<Box<Sleep>>,
    latency: Latency,
}

impl<K: Clone + Eq + Hash> Questions<K> {
    /// Nothing is asked yet.
    pub(crate) fn new(asking: Asking, shutdown: Shutdown) -> Questions<K> {
        Questions {
            asking,
            shutdown,
            open: HashMap::new(),
            asked: HashMap::new(),
            order: VecDeque::new(),
            ended: Vec::new(),
            dues: VecDeque::new(),
            bytes: 0,
            timer: Box::pin(tokio::time::sleep(asking.timeout)),
            latency: Latency::default(),
        }
    }

    /// How many more may be asked now.
    pub(crate) fn room(&self) -> usize {
        let ahead = AHEAD_AT_LEAST.max(self.asking.jobs.saturating_mul(AHEAD));
        if self.bytes >= AHEAD_BYTES || self.open.len() >= ahead {
            return 0;
        }
        self.asking.jobs.saturating_sub(self.asked.len())
    }

    /// True when every outcome was told.
    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// A request is made.
    pub(crate) fn ask(&mut self, ticket: Ticket, id: K) {
        let now = Instant::now();
        self.asked.insert(id.clone(), ticket);
        self.open.insert(ticket, Open { id, since: now, is_taken: false, outcome: None, bytes: 0 });
        if !self.asking.is_unordered {
            self.order.push_back(ticket);
        }
        if let Some(due) = now.checked_add(self.asking.timeout) {
            self.dues.push_back((due, ticket));
        }
    }

    /// The request that waits for an answer with this id.
    pub(crate) fn waiting(&self, id: &K) -> Option<Ticket> {
        self.asked.get(id).copied()
    }

    /// One of those that wait.
    pub(crate) fn any(&self) -> Option<Ticket> {
        self.asked.values().next().copied()
    }

    /// The broker has it.
    pub(crate) fn taken(&mut self, ticket: Ticket) {
        if let Some(open) = self.open.get_mut(&ticket) {
            open.is_taken = true;
        }
    }

    /// Those that wait, and that the broker has.
    pub(crate) fn all_taken(&self) -> Vec<Ticket> {
        let is_taken = |ticket: &Ticket| self.open.get(ticket).is_some_and(|open| open.is_taken);
        self.asked.values().copied().filter(is_taken).collect()
    }

    /// The outcome of a request is known; the first one counts.
    pub(crate) fn end(&mut self, ticket: Ticket, outcome: Outcome) {
        let Some(open) = self.open.get_mut(&ticket).filter(|open| open.outcome.is_none()) else { return };
        self.asked.remove(&open.id);
        if let Outcome::Answered(message) = &outcome {
            open.bytes = message.value.bytes().map_or(0, <[u8]>::len);
            self.bytes += open.bytes;
            self.latency.add(open.since.elapsed());
        }
        open.outcome = Some(outcome);
        if self.asking.is_unordered {
            self.ended.push(ticket);
        }
    }

    /// The first that has waited long enough, as long as it has no outcome.
    pub(crate) fn due(&mut self, cx: &mut Context<'_>) -> Option<Ticket> {
        if self.dues.len() > 2 * self.open.len() + DUES {
            let open = &self.open;
            self.dues.retain(|(_, ticket)| waits(open, ticket));
        }
        while let Some((due, ticket)) = self.dues.front().copied() {
            if waits(&self.open, &ticket) {
                let due = tokio::time::Instant::from_std(due);
                if self.timer.deadline() != due {
                    self.timer.as_mut().reset(due);
                }
                return self.timer.as_mut().poll(cx).is_ready().then_some(ticket);
            }
            self.dues.pop_front();
        }
        None
    }

    /// Why such a one is given up.
    pub(crate) fn late(&self) -> Refusal {
        let waited = humantime::format_duration(self.asking.timeout);
        Refusal { kind: Kind::Deadline, ..Refusal::new(format!("no answer came within {waited}")) }
    }

    /// Tells the outcomes whose turn it is.
    pub(crate) fn tell(&mut self, heard: &mut Heard) {
        let is_known =
            |open: &HashMap<Ticket, Open<K>>, ticket: &Ticket| open.get(ticket).is_some_and(|o| o.outcome.is_some());
        let Questions { order, open, .. } = self;
        let told: Vec<Ticket> = match (self.asking.is_unordered, self.shutdown.reason()) {
            (true, _) => std::mem::take(&mut self.ended),
            (false, None) => {
                let known = order.iter().take_while(|ticket| is_known(open, ticket)).count();
                order.drain(..known).collect()
            }
            // Nothing is waited for any more but what may still come.
            (false, Some(_)) => {
                let (told, kept): (Vec<_>, Vec<_>) = order.drain(..).partition(|ticket| is_known(open, ticket));
                order.extend(kept);
                told
            }
        };
        for ticket in told {
            if let Some(Open { outcome: Some(outcome), bytes, .. }) = self.open.remove(&ticket) {
                self.bytes -= bytes;
                heard.outcome(ticket, outcome);
            }
        }
    }

    /// Gives up waiting.
    pub(crate) fn abandon(&mut self, heard: &mut Heard) {
        let mut open: Vec<_> = self.open.drain().collect();
        open.sort_unstable_by_key(|(ticket, _)| *ticket);
        for (ticket, Open { outcome, .. }) in open {
            heard.outcome(ticket, outcome.unwrap_or(Outcome::Unknown));
        }
        self.order.clear();
        self.ended.clear();
        self.asked.clear();
        self.dues.clear();
        self.bytes = 0;
    }

    /// How long answers took, for the report.
    pub(crate) fn report(&self) -> Option<(&'static str, Value)> {
        Some(("seconds_to_answer", self.latency.json()?))
    }
}

fn waits<K>(open: &HashMap<Ticket, Open<K>>, ticket: &Ticket) -> bool {
    open.get(ticket).is_some_and(|open| open.outcome.is_none())
}

/// The outcome of a request for which this came: nothing of it goes on where it is the status with which a gRPC service
/// refused the request (`respond --via grpc call`).
pub(crate) fn answered(message: Message<'_>) -> Outcome {
    match status(&message) {
        Some(refusal) => Outcome::Refused(Box::new(refusal)),
        None => Outcome::Answered(Box::new(message.into_owned())),
    }
}

fn status(message: &Message<'_>) -> Option<Refusal> {
    let text = |name: &str| message.headers.text(name).map(|text| String::from_utf8_lossy(text).into_owned());
    let code = text("grpc-status")?.parse().ok().filter(|code| *code != 0)?;
    let said = text("grpc-message").map(|said| format!(": {said}")).unwrap_or_default();
    let why = format!("the service answered with gRPC status {code}{said}");
    Some(Refusal { kind: Kind::GrpcStatus(code), ..Refusal::new(why) })
}
