//! What became of the messages: counted, and told by where they stand in their source.

use std::time::Instant;

use serde_json::{Map, Value, json};

use super::ranges::Ranges;
use super::refusal::Refusal;
use super::sink::Outcome;
use super::source::LaneName;
use crate::error::{Error, Kind, counted};

/// How the last line of an account counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// A reader whose source cannot be settled.
    Read,
    /// A reader that settles.
    Settled,
    /// A writer whose peer confirms each message.
    Confirmed,
    /// A writer that nobody confirms anything to, because of this flag.
    Unconfirmed(&'static str),
    /// From one peer to another.
    Carried,
    /// Requests that are made: each is answered.
    Answered,
    /// Requests that come: each is answered.
    Answering,
}

/// Messages by their place, source by source.
#[derive(Debug, Default)]
struct Named(Vec<(LaneName, Ranges)>);

impl Named {
    fn push(&mut self, lane: &LaneName, mark: u64) {
        match self.0.iter_mut().rev().find(|(of, _)| of == lane) {
            Some((_, ranges)) => ranges.push(mark),
            None => {
                let mut ranges = Ranges::default();
                ranges.push(mark);
                self.0.push((lane.clone(), ranges));
            }
        }
    }

    fn count(&self) -> u64 {
        self.0.iter().map(|(_, ranges)| ranges.count()).sum()
    }

    fn json(&self) -> Value {
        let of = |(lane, ranges): &(LaneName, Ranges)| {
            let mut named = json!({ "of": lane.one, "ranges": ranges.merged() });
            if let (Value::Object(named), more @ 1..) = (&mut named, ranges.more()) {
                named.insert("more".to_owned(), more.into());
            }
            named
        };
        Value::Array(self.0.iter().map(of).collect())
    }
}

impl std::fmt::Display for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, (lane, ranges)) in self.0.iter().enumerate() {
            let (between, name) = (if i > 0 { "; " } else { "" }, name(lane, ranges));
            write!(f, "{between}{name} {ranges}")?;
        }
        Ok(())
    }
}

fn name<'o>(lane: &'o LaneName, ranges: &Ranges) -> &'o str {
    if ranges.count() == 1 { &lane.one } else { &lane.many }
}

/// Messages with the same bad outcome that stand beside one another, not told yet.
#[derive(Debug)]
struct Run {
    outcome: Outcome,
    lane: LaneName,
    marks: Ranges,
}

/// How many reasons are kept for the report, each with the messages that it is about.
const REASONS: usize = 64;

/// The account of one flow.
#[derive(Debug)]
pub(crate) struct Account {
    started: Instant,
    read: u64,
    sent: u64,
    confirmed: u64,
    written: u64,
    filtered: u64,
    /// Of what was refused, how many are where that goes.
    buried: u64,
    refused: Vec<(String, Named)>,
    refusals: u64,
    unsent: Named,
    unknown: Named,
    /// Of what became the same of everything that was under way, how many were not sent, and how many nobody knows of.
    rest_unsent: u64,
    rest_unknown: u64,
    /// The first refusal: its fix and its kind stand for all.
    first: Option<Refusal>,
    run: Option<Run>,
    untold: Vec<String>,
}

impl Default for Account {
    fn default() -> Account {
        Account {
            started: Instant::now(),
            read: 0,
            sent: 0,
            confirmed: 0,
            written: 0,
            filtered: 0,
            buried: 0,
            refused: Vec::new(),
            refusals: 0,
            unsent: Named::default(),
            unknown: Named::default(),
            rest_unsent: 0,
            rest_unknown: 0,
            first: None,
            run: None,
            untold: Vec::new(),
        }
    }
}

impl Account {
    /// A message was taken from the source, and goes on in so many parts.
    pub(super) fn took(&mut self, parts: u32) {
        self.read += 1;
        match parts {
            0 => self.filtered += 1,
            parts => self.sent += u64::from(parts),
        }
    }

    /// The last message was not fit to be sent.
    pub(super) fn untake(&mut self) {
        self.read -= 1;
        self.sent -= 1;
    }

    /// Enters what became of everything that has no outcome yet.
    pub(super) fn rest(&mut self, outcome: &Outcome) {
        let rest = self.sent - self.done() - self.failed() - self.unknown();
        match outcome {
            Outcome::Written => self.written += rest,
            Outcome::Confirmed | Outcome::Answered(_) => self.confirmed += rest,
            Outcome::Unsent | Outcome::Refused(_) => self.rest_unsent += rest,
            Outcome::Unknown => self.rest_unknown += rest,
        }
    }

    /// Enters what became of a message: where it stands is asked for only when it has to be named.
    pub(super) fn enter(&mut self, outcome: Outcome, place: impl FnOnce() -> (LaneName, u64)) {
        match &outcome {
            Outcome::Confirmed | Outcome::Answered(_) => return self.confirmed += 1,
            Outcome::Written => return self.written += 1,
            Outcome::Refused(_) | Outcome::Unsent | Outcome::Unknown => {}
        }
        let (lane, mark) = place();
        self.lost(&lane, mark, outcome);
    }

    fn lost(&mut self, lane: &LaneName, mark: u64, outcome: Outcome) {
        match &outcome {
            Outcome::Confirmed | Outcome::Written | Outcome::Answered(_) => return,
            Outcome::Unknown => return self.unknown.push(lane, mark),
            Outcome::Unsent => self.unsent.push(lane, mark),
            Outcome::Refused(refusal) => {
                self.refusals += 1;
                self.first.get_or_insert_with(|| Refusal::clone(refusal));
                self.refused_for(&refusal.why).push(lane, mark);
            }
        }
        match &mut self.run {
            Some(run) if run.outcome == outcome && run.lane == *lane && run.marks.goes_on_with(mark) => {
                run.marks.push(mark);
            }
            _ => {
                self.end_run();
                let mut marks = Ranges::default();
                marks.push(mark);
                self.run = Some(Run { outcome, lane: lane.clone(), marks });
            }
        }
    }

    fn refused_for(&mut self, why: &str) -> &mut Named {
        const OTHERS: &str = "for other reasons";
        let full = self.refused.len() >= REASONS;
        let at = self.refused.iter().position(|(of, _)| of == why);
        let at = at.or_else(|| self.refused.iter().position(|(of, _)| full && of == OTHERS)).unwrap_or_else(|| {
            let why = if full { OTHERS } else { why };
            self.refused.push((why.to_owned(), Named::default()));
            self.refused.len() - 1
        });
        &mut self.refused[at].1
    }

    fn end_run(&mut self) {
        let Some(Run { outcome, lane, marks }) = self.run.take() else { return };
        let what = match outcome {
            Outcome::Refused(refusal) => refusal.why,
            _ => "not sent".to_owned(),
        };
        self.untold.push(format!("{} {marks}: {what}", name(&lane, &marks)));
    }

    /// The failures that were not told yet; all of them with `all`, else the run that may still grow is kept.
    pub(super) fn news(&mut self, all: bool) -> Vec<String> {
        if all {
            self.end_run();
        }
        std::mem::take(&mut self.untold)
    }

    /// Why the last message was refused, while nothing else has happened since.
    pub(crate) fn latest_refusal(&self) -> Option<&str> {
        match &self.run.as_ref()?.outcome {
            Outcome::Refused(refusal) => Some(&refusal.why),
            _ => None,
        }
    }

    /// How many messages were taken from the source.
    pub(crate) fn read(&self) -> u64 {
        self.read
    }

    /// How many went on to the sink.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    /// How many have an outcome that is good.
    pub(crate) fn done(&self) -> u64 {
        self.confirmed + self.written
    }

    /// How many were certainly not taken.
    pub(crate) fn failed(&self) -> u64 {
        self.refusals + self.unsent.count() + self.rest_unsent
    }

    /// How many nobody knows of.
    pub(crate) fn unknown(&self) -> u64 {
        self.unknown.count() + self.rest_unknown
    }

    /// How many a stage left out.
    pub(crate) fn filtered(&self) -> u64 {
        self.filtered
    }

    /// A message that was refused is where that goes.
    pub(super) fn bury(&mut self) {
        self.buried += 1;
    }

    /// What became of those that were refused, in words.
    pub(super) fn burial(&self) -> Option<String> {
        (self.buried > 0)
            .then(|| format!("{} of the refused went where that goes (dead:TARGET)", counted(self.buried, "message")))
    }

    /// How many were asked for.
    pub(super) fn passed(&self) -> u64 {
        self.read - self.filtered
    }

    /// True when the peer has confirmed something.
    pub(crate) fn has_confirmed(&self) -> bool {
        self.confirmed > 0
    }

    /// True when nothing failed and everything is known.
    pub(crate) fn is_well(&self) -> bool {
        self.failed() == 0 && self.unknown() == 0
    }

    /// The account in a line. `settled` is how many the source has taken as done.
    pub(crate) fn sentence(&self, manner: Manner, settled: u64) -> String {
        let (read, sent, confirmed, failed, unknown) =
            (self.read, self.sent, self.confirmed, self.failed(), self.unknown());
        let left_out = if self.filtered > 0 { format!(", filtered {}", self.filtered) } else { String::new() };
        match manner {
            Manner::Read => format!("read {read}{left_out}"),
            Manner::Settled => format!("read {read}{left_out}, settled {settled}"),
            Manner::Confirmed => format!("sent {sent}, confirmed {confirmed}, failed {failed}, unknown {unknown}"),
            Manner::Unconfirmed(flag) => {
                format!("sent {sent}, none confirmed ({flag}), failed {failed}, unknown {unknown}")
            }
            Manner::Answered => {
                format!("sent {sent}, answered {}, failed {failed}, unknown {unknown}", self.done())
            }
            Manner::Answering => {
                let unasked = match self.written {
                    0 => String::new(),
                    written => format!(", without an answer {written}"),
                };
                format!("read {read}{left_out}, answered {confirmed}{unasked}, failed {failed}, unknown {unknown}")
            }
            Manner::Carried => {
                let done = match (confirmed, self.written) {
                    (0, written @ 1..) => format!("written {written}"),
                    (confirmed, 0) => format!("confirmed {confirmed}"),
                    (confirmed, written) => format!("confirmed {confirmed}, written {written}"),
                };
                format!("read {read}{left_out}, sent {sent}, {done}, failed {failed}, unknown {unknown}")
            }
        }
    }

    /// The error about what nobody knows of, if there is any.
    pub(super) fn unknown_error(&self) -> Option<Error> {
        (self.unknown() > 0).then(|| {
            let named = if self.unknown.count() > 0 { format!(" ({})", self.unknown) } else { String::new() };
            Error::new(Kind::Partial, format!("outcome unknown: {}{named}", self.unknown()))
                .hint("these messages may or may not have been taken; nothing was sent twice")
        })
    }

    /// The error about what was refused or not sent, if anything was.
    pub(super) fn refused_error(&self, manner: Manner) -> Option<Error> {
        let (not, noun) = match manner {
            Manner::Answered | Manner::Answering => ("answered", "request"),
            _ => ("taken", "message"),
        };
        let (failed, sent) = (self.failed(), counted(self.sent, noun));
        (failed > 0).then(|| {
            let kind = self.first.as_ref().map_or(Kind::Refused, |first| first.kind);
            let error = Error::new(kind, format!("not {not}: {failed} of {sent}"));
            match self.first.as_ref().and_then(|first| first.hint.clone()) {
                Some(hint) => error.hint(hint),
                None => error,
            }
        })
    }

    /// The account as an object: counts, and what was refused, not sent or is unknown, by where it stands in its source.
    pub(crate) fn json(&self) -> Map<String, Value> {
        let refused =
            |(why, named): &(String, Named)| json!({ "why": why, "count": named.count(), "messages": named.json() });
        let mut object = Map::new();
        let mut put = |name: &str, value: Value| object.insert(name.to_owned(), value);
        put("read", self.read.into());
        put("sent", self.sent.into());
        put("confirmed", self.confirmed.into());
        put("written", self.written.into());
        put("filtered", self.filtered.into());
        put("refused", self.refusals.into());
        put("dead", self.buried.into());
        put("unsent", (self.unsent.count() + self.rest_unsent).into());
        put("unknown", self.unknown().into());
        put("refusals", self.refused.iter().map(refused).collect());
        put("unsent_messages", self.unsent.json());
        put("unknown_messages", self.unknown.json());
        put("seconds", json!(self.started.elapsed().as_secs_f64()));
        object
    }
}
