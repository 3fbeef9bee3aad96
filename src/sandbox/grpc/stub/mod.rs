//! Stubs: what the sandbox answers for a service that is not there.

mod file;
mod matching;
mod members;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::HeaderMap;
use serde_json::Value;
use tonic::Status;

pub(crate) use self::file::load;
pub(crate) use self::matching::canonical;
use self::matching::{MetadataPattern, Pattern};
use crate::proto::dynamic::DynamicMessage;
use crate::proto::schema::Schema;

/// When a method with a stream of requests is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum When {
    /// When the first request is in.
    First,
    /// At every request, as it comes.
    Each,
    /// When all requests are in.
    End,
}

/// What is broken off instead of answering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Reset {
    /// The call alone, by RST_STREAM.
    Stream,
    /// The client's connection, with all calls on it.
    Connection,
}

impl Reset {
    /// As it is written.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Reset::Stream => "stream",
            Reset::Connection => "connection",
        }
    }
}

/// How a call ends after the responses.
#[derive(Debug)]
pub(crate) enum End {
    /// With this status and its trailers, OK too.
    Status(Box<Status>),
    /// Without any.
    Reset(Reset),
}

/// One answer.
#[derive(Debug)]
pub(crate) struct Stub {
    /// Where it stands: `FILE:LINE`.
    place: String,
    request: Asked,
    metadata: MetadataPattern,
    /// How many more times it answers.
    times: Option<AtomicU64>,
    chance: Option<Chance>,
    /// What goes out before the first response.
    pub headers: HeaderMap,
    /// In their order.
    pub responses: Vec<DynamicMessage>,
    /// How long to wait before anything goes out.
    pub delay: Duration,
    /// How long to wait between two responses.
    pub interval: Duration,
    /// How the call ends.
    pub end: End,
}

/// What is asked of the requests.
#[derive(Debug)]
enum Asked {
    Anything,
    /// Of the first one.
    First(Pattern),
    /// Of each, and that there are no others.
    All(Vec<Pattern>),
}

impl Asked {
    fn difference(&self, requests: &[Value], count: usize) -> Option<String> {
        match self {
            Asked::Anything => None,
            Asked::First(pattern) => pattern.difference(requests.first()),
            Asked::All(patterns) if patterns.len() != count => {
                Some(format!("{} requests are asked for, {count} came", patterns.len()))
            }
            Asked::All(patterns) => patterns
                .iter()
                .zip(requests)
                .enumerate()
                .find_map(|(i, (pattern, request))| Some((i, pattern.difference(Some(request))?)))
                .map(|(i, difference)| format!("request {}: {difference}", i + 1)),
        }
    }
}

/// A chance that falls alike in every run.
#[derive(Debug)]
struct Chance {
    probability: f64,
    count: AtomicU64,
}

impl Chance {
    fn falls(&self) -> bool {
        // splitmix64 of the count: well spread, and the same in every run.
        let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let mut z = count.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64 <= self.probability
    }
}

impl Stub {
    /// Why it does not answer these requests.
    fn refusal(&self, requests: &[Value], count: usize, headers: &HeaderMap) -> Option<String> {
        let difference = self.request.difference(requests, count).or_else(|| self.metadata.difference(headers));
        difference.or_else(|| self.claim().err().map(str::to_owned))
    }

    /// Uses it up once, if it can be.
    fn claim(&self) -> Result<(), &'static str> {
        if !self.chance.as_ref().is_none_or(Chance::falls) {
            return Err("chance was against it");
        }
        let take = |times: &AtomicU64| {
            times.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
        };
        match self.times.as_ref().is_none_or(take) {
            true => Ok(()),
            false => Err("it has answered as often as it may"),
        }
    }

    /// True when the call is over after the responses, whatever else is asked.
    pub(crate) fn is_last(&self) -> bool {
        match &self.end {
            End::Status(status) => status.code() != tonic::Code::Ok,
            End::Reset(_) => true,
        }
    }
}

/// The stubs of one method, in their order.
#[derive(Debug)]
pub(crate) struct Stubs {
    /// `pkg.Service/Method`.
    method: String,
    /// When they answer.
    pub when: When,
    stubs: Vec<Arc<Stub>>,
    types: Schema,
}

/// All stubs, by the path of their method.
pub(crate) type ByPath = HashMap<String, Arc<Stubs>>;

/// The most stubs whose differences are told.
const TOLD: usize = 4;

impl Stubs {
    /// How many requests have to be kept until the stub is chosen.
    pub(crate) fn kept(&self) -> usize {
        let listed = |stub: &Arc<Stub>| match &stub.request {
            Asked::All(patterns) => patterns.len(),
            Asked::Anything | Asked::First(_) => 1,
        };
        self.stubs.iter().map(listed).max().unwrap_or(1)
    }

    /// The first stub that matches. `count` says how many requests came, of which the first are here.
    ///
    /// # Errors
    /// UNIMPLEMENTED, and in what the stubs differ.
    pub(crate) fn choose(
        &self,
        requests: &[DynamicMessage],
        count: usize,
        headers: &HeaderMap,
    ) -> Result<Arc<Stub>, Status> {
        let requests: Vec<Value> = requests.iter().map(|message| canonical(message, &self.types)).collect();
        let mut text = format!("no stub of {} matches this request", self.method);
        for (i, stub) in self.stubs.iter().enumerate() {
            match stub.refusal(&requests, count, headers) {
                None => return Ok(stub.clone()),
                Some(refusal) if i < TOLD => text.push_str(&format!("; {}: {refusal}", stub.place)),
                Some(_) => {}
            }
        }
        if self.stubs.len() > TOLD {
            text.push_str(&format!("; and {} more", self.stubs.len() - TOLD));
        }
        Err(Status::unimplemented(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chances_are_the_same_in_every_run_and_about_right() {
        let falls = |probability| {
            let chance = Chance { probability, count: AtomicU64::new(0) };
            (0..1000).map(|_| chance.falls()).collect::<Vec<_>>()
        };
        assert_eq!(falls(0.1), falls(0.1));
        let often = falls(0.1).into_iter().filter(|f| *f).count();
        assert!((70..130).contains(&often), "{often}");
        assert!(falls(1.0).into_iter().all(|f| f));
    }
}
