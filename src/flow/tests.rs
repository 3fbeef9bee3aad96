//! The loop between a source and a sink that do whatever they may.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::*;
use crate::error::{Error, Kind, Result};
use crate::message::{Field, Message};
use crate::shutdown::{Reason, Shutdown};

type Id = (Lane, u64);

/// What both sides know.
#[derive(Debug, Default)]
struct World {
    given: BTreeSet<Id>,
    outcomes: BTreeMap<Id, Outcome>,
    settled: BTreeSet<Id>,
    rejected: BTreeSet<Id>,
    released: BTreeSet<Lane>,
    /// How many parts of a message were written; it is with the last of them.
    parts: BTreeMap<Id, usize>,
}

type Shared = Rc<RefCell<World>>;

struct Fake {
    world: Shared,
    settling: Settling,
    random: fastrand::Rng,
    /// What is still to come.
    lanes: BTreeMap<Lane, VecDeque<u64>>,
    batch: Vec<(Id, String)>,
    revoked: Option<Vec<Lane>>,
    next_lane: Lane,
    ahead: Option<usize>,
    ended: bool,
}

impl Source for Fake {
    fn settling(&self) -> Settling {
        self.settling
    }

    fn serve(&mut self) -> Result<Option<Event>> {
        if self.settling != Settling::Prefix || self.revoked.is_some() || self.random.u8(..) > 4 {
            return Ok(None);
        }
        let Some(lane) = self.lanes.keys().next().copied() else { return Ok(None) };
        self.revoked = Some(vec![lane]);
        Ok(Some(Event::Revoked(vec![lane])))
    }

    fn fill(&mut self, most: usize) -> Result<Filled> {
        assert!(most > 0);
        self.batch.clear();
        if self.random.u8(..) < 60 {
            return Ok(Filled::Dry);
        }
        let lanes: Vec<Lane> =
            self.lanes.iter().filter(|(_, marks)| !marks.is_empty()).map(|(lane, _)| *lane).collect();
        if lanes.is_empty() {
            self.ended = true;
            return Ok(Filled::End);
        }
        for _ in 0..self.random.usize(1..=most.min(20)) {
            let lane = lanes[self.random.usize(..lanes.len())];
            if let Some(mark) = self.lanes.get_mut(&lane).and_then(VecDeque::pop_front) {
                self.batch.push(((lane, mark), format!("{lane}:{mark}")));
            }
        }
        Ok(if self.batch.is_empty() { Filled::Dry } else { Filled::Batch(self.batch.len()) })
    }

    fn place(&self, at: usize) -> Place {
        let (lane, mark) = self.batch[at].0;
        Place { lane, mark }
    }

    fn get(&self, at: usize) -> Result<Message<'_>, Bad> {
        Ok(Message { value: Field::borrowed(self.batch[at].1.as_bytes()), ..Message::default() })
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>, wanted: bool) -> Poll<()> {
        assert!(!(self.ended && wanted), "more is wanted behind the end");
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn idle_since(&self) -> Option<Instant> {
        None
    }

    fn window(&self) -> usize {
        7
    }

    fn ahead(&self) -> Option<usize> {
        self.ahead
    }

    fn settle(&mut self, lane: Lane, done: Done) -> Result<()> {
        let mut world = self.world.borrow_mut();
        assert!(!world.released.contains(&lane), "settled behind its release");
        let is_before = |mark, (of, at): &Id| *of == lane && *at <= mark;
        let new: Vec<Id> = match done {
            // What was rejected is not there any more.
            Done::Through(mark) => {
                let before = world.given.difference(&world.rejected).filter(|id| is_before(mark, id));
                before.copied().collect()
            }
            Done::One(mark) => vec![(lane, mark)],
        };
        for id in new {
            let good = matches!(world.outcomes.get(&id), Some(Outcome::Confirmed | Outcome::Written));
            assert!(good, "{id:?} was settled with {:?}", world.outcomes.get(&id));
            let fresh = world.settled.insert(id);
            assert!(fresh || matches!(done, Done::Through(_)), "{id:?} was settled twice");
        }
        Ok(())
    }

    fn reject(&mut self, place: Place) -> Result<bool> {
        assert!(self.world.borrow_mut().rejected.insert((place.lane, place.mark)));
        Ok(true)
    }

    fn release(&mut self, lanes: &[Lane]) -> Result<()> {
        for lane in lanes {
            assert!(self.world.borrow_mut().released.insert(*lane));
            // What was not given comes again, in another lane.
            if let Some(mut marks) = self.lanes.remove(lane) {
                let world = self.world.borrow();
                let of_lane = self.batch.iter().map(|(id, _)| *id).filter(|(of, _)| of == lane);
                of_lane.filter(|id| !world.given.contains(id)).for_each(|(_, mark)| marks.push_back(mark));
                marks.make_contiguous().sort_unstable();
                self.lanes.insert(self.next_lane, marks);
                self.next_lane += 1;
            }
        }
        self.revoked = None;
        Ok(())
    }

    fn lane_name(&self, lane: Lane) -> LaneName {
        LaneName::of(format!("lane {lane} mark"))
    }

    fn fault(&self, _at: usize, unfit: Unfit) -> Error {
        Error::usage(unfit.why)
    }

    fn bytes(&self) -> u64 {
        0
    }
}

struct Wild {
    world: Shared,
    random: fastrand::Rng,
    bulk: bool,
    under_way: Vec<(Ticket, Id)>,
    written: bool,
    refuses: bool,
    /// Of how many parts a message is.
    parts: usize,
}

/// Makes so many of one.
struct Copies(usize);

impl Stage for Copies {
    fn apply<'b>(&'b self, message: Message<'b>) -> std::result::Result<Passed<'b>, Unfit> {
        Ok(Passed::Many(vec![message; self.0]))
    }
}

fn id(message: &Message<'_>) -> Id {
    let text = String::from_utf8_lossy(message.value.bytes().expect("a value")).into_owned();
    let (lane, mark) = text.split_once(':').expect("an id");
    (lane.parse().expect("a lane"), mark.parse().expect("a mark"))
}

impl Sink for Wild {
    fn is_bulk(&self) -> bool {
        self.bulk
    }

    fn room(&self) -> usize {
        32usize.saturating_sub(self.under_way.len())
    }

    fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }

    fn submit<'b>(&mut self, next: &mut Next<'_, 'b>) -> Result<(), Declined> {
        let mut message = Message::default();
        while self.room() > 0 {
            let Some(ticket) = next(&mut message) else { return Ok(()) };
            let id = id(&message);
            self.world.borrow_mut().given.insert(id);
            self.under_way.push((ticket, id));
        }
        Ok(())
    }

    fn flush(&mut self, _last: bool) -> Result<()> {
        self.written = self.bulk;
        Ok(())
    }

    fn poll(&mut self, cx: &mut Context<'_>, heard: &mut Heard) -> Poll<Result<()>> {
        if self.bulk {
            if !self.written && self.room() > 0 {
                return Poll::Pending;
            }
            self.written = false;
            let mut world = self.world.borrow_mut();
            for (_, id) in self.under_way.drain(..) {
                let parts = world.parts.entry(id).or_default();
                *parts += 1;
                if *parts == self.parts {
                    world.outcomes.insert(id, Outcome::Written);
                }
            }
            heard.all = true;
            return Poll::Ready(Ok(()));
        }
        if self.under_way.is_empty() || self.random.u8(..) < 100 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let (ticket, id) = self.under_way.swap_remove(self.random.usize(..self.under_way.len()));
        let outcome = match self.random.u8(..) {
            0..20 if self.refuses => Outcome::Refused(Box::new(Refusal::new("bad"))),
            20..25 if self.refuses => Outcome::Unknown,
            _ => Outcome::Confirmed,
        };
        self.world.borrow_mut().outcomes.insert(id, outcome.clone());
        heard.outcome(ticket, outcome);
        Poll::Ready(Ok(()))
    }

    fn abandon(&mut self, heard: &mut Heard) {
        for (ticket, id) in self.under_way.drain(..).filter(|_| !self.bulk) {
            self.world.borrow_mut().outcomes.insert(id, Outcome::Unknown);
            heard.outcome(ticket, Outcome::Unknown);
        }
    }
}

#[derive(Default)]
struct Silent {
    account: Map<String, Value>,
    warned: Vec<String>,
}

impl Reporter for Silent {
    fn progress(&mut self, _: &Account, _: usize, _: u64) {}
    fn warn(&mut self, text: String) {
        self.warned.push(text);
    }
    fn note(&mut self, _: String) {}
    fn trace(&mut self, _: String) {}
    fn end(&mut self) {}
    fn report(&mut self, account: Map<String, Value>) -> Result<()> {
        self.account = account;
        Ok(())
    }
}

struct Case {
    seed: u64,
    settling: Settling,
    bulk: bool,
    refuses: bool,
    on_refusal: OnRefusal,
    parts: usize,
}

impl Case {
    async fn run(&self, limits: Limits, shutdown: Shutdown) -> (Shared, Silent, Result<()>) {
        let world = Shared::default();
        let lanes: BTreeMap<Lane, VecDeque<u64>> =
            (0..4).map(|lane| (lane, (0..100).map(|n| n * 2 + u64::from(lane)).collect())).collect();
        let random = fastrand::Rng::with_seed(self.seed);
        let source = Fake {
            world: world.clone(),
            settling: self.settling,
            random: random.clone(),
            lanes,
            batch: Vec::new(),
            revoked: None,
            next_lane: 4,
            ahead: None,
            ended: false,
        };
        let sink = Wild {
            world: world.clone(),
            random,
            bulk: self.bulk,
            under_way: Vec::new(),
            written: false,
            refuses: self.refuses,
            parts: self.parts,
        };
        let stages: Vec<Box<dyn Stage>> = match self.parts {
            1 => Vec::new(),
            parts => vec![Box::new(Copies(parts))],
        };
        let flow = Flow {
            source: Box::new(source),
            stages,
            sink: Box::new(sink),
            limits,
            on_refusal: self.on_refusal,
            dead: None,
            manner: Manner::Carried,
            names: None,
            shutdown,
        };
        let mut reporter = Silent::default();
        let ended = run(flow, &mut reporter).await;
        (world, reporter, ended)
    }
}

fn cases() -> impl Iterator<Item = Case> {
    (0..240).map(|seed| Case {
        seed,
        settling: [Settling::Prefix, Settling::Each, Settling::Never][seed as usize % 3],
        bulk: seed % 4 == 0,
        refuses: seed % 5 == 0,
        on_refusal: OnRefusal::Continue,
        parts: 1,
    })
}

#[tokio::test(start_paused = true)]
async fn what_is_done_is_settled_and_nothing_else() {
    for case in cases() {
        let (world, reporter, ended) = case.run(Limits::default(), Shutdown::new(None)).await;
        let world = world.borrow();
        let seed = case.seed;
        let good = |id: &Id| matches!(world.outcomes.get(id), Some(Outcome::Confirmed | Outcome::Written));
        let expected: BTreeSet<Id> = match case.settling {
            Settling::Never => BTreeSet::new(),
            Settling::Each => world.given.iter().filter(|id| good(id)).copied().collect(),
            Settling::Prefix => {
                let lanes: BTreeSet<Lane> = world.given.iter().map(|(lane, _)| *lane).collect();
                let of =
                    |lane| world.given.iter().filter(move |(of, _)| *of == lane).take_while(|id| good(id)).copied();
                lanes.into_iter().flat_map(of).collect()
            }
        };
        assert_eq!(world.settled, expected, "seed {seed}");
        let count = |wanted: fn(&Outcome) -> bool| world.outcomes.values().filter(|o| wanted(o)).count() as u64;
        let refused = count(|o| matches!(o, Outcome::Refused(_)));
        let unknown = count(|o| *o == Outcome::Unknown);
        assert_eq!(reporter.account["read"], json!(world.given.len()), "seed {seed}");
        assert_eq!(reporter.account["refused"], json!(refused));
        assert_eq!(reporter.account["unknown"], json!(unknown));
        let done = count(|o| matches!(o, Outcome::Confirmed | Outcome::Written));
        assert_eq!(
            reporter.account["confirmed"].as_u64().zip(reporter.account["written"].as_u64()).map(|(a, b)| a + b),
            Some(done)
        );
        let kind = ended.err().map(|error| error.kind());
        let expected = match (unknown, refused) {
            (0, 0) => None,
            (0, _) => Some(Kind::Refused),
            (_, _) => Some(Kind::Partial),
        };
        assert_eq!(kind, expected, "seed {seed}");
        assert_eq!(world.given.len(), 400, "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_of_several_parts_is_written_with_the_last_of_them() {
    for case in cases().filter(|case| case.bulk) {
        let case = Case { parts: 3, ..case };
        let (world, _, ended) = case.run(Limits::default(), Shutdown::new(None)).await;
        assert!(ended.is_ok() && world.borrow().outcomes.len() == 400, "seed {}", case.seed);
    }
}

/// Whether the first of them is ever answered or not: it holds the notes of all behind it.
#[test]
fn notes_are_bounded() {
    let mut ledger = ledger::Ledger::new(Settling::Prefix, false);
    let first = ledger.enter(Place { lane: 0, mark: 0 }, 1);
    let mut mark = 0;
    while ledger.room() > 0 {
        mark += 1;
        assert!(mark < 1_000_000, "no end");
        let ticket = ledger.enter(Place { lane: 0, mark }, 1);
        ledger.outcome(ticket, ledger::Fate::Done);
    }
    ledger.outcome(first, ledger::Fate::Done);
    assert_eq!(ledger.under_way(), 0);
    assert!(ledger.room() as u64 > mark);
}

#[tokio::test(start_paused = true)]
async fn a_count_is_kept_and_a_stop_settles_what_is_done() {
    for case in cases() {
        let limits = Limits { count: Some(123), idle: None };
        let (world, _, ended) = case.run(limits, Shutdown::new(None)).await;
        assert_eq!(world.borrow().given.len(), 123, "seed {}", case.seed);
        assert!(case.refuses || ended.is_ok());

        let shutdown = Shutdown::new(None);
        shutdown.stop(Reason::Interrupt);
        let (_, _, ended) = case.run(Limits::default(), shutdown).await;
        assert_eq!(ended.map_err(|error| error.kind()), Err(Kind::Interrupted));
        let more = Limits { count: Some(500), idle: Some(Duration::from_secs(1)) };
        let (_, _, ended) = case.run(more, Shutdown::new(None)).await;
        assert!(case.refuses || ended.is_err_and(|error| error.kind() == Kind::Unmet));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_skipped_rejected_or_the_end() {
    for case in cases().filter(|case| case.refuses && !case.bulk) {
        let case = Case { on_refusal: OnRefusal::Reject, ..case };
        let (world, _, _) = case.run(Limits::default(), Shutdown::new(None)).await;
        let refused = |world: &World| -> BTreeSet<Id> {
            let refused = |outcome: &Outcome| matches!(outcome, Outcome::Refused(_));
            world.outcomes.iter().filter(|(_, outcome)| refused(outcome)).map(|(id, _)| *id).collect()
        };
        {
            let world = world.borrow();
            let is_each = case.settling != Settling::Prefix;
            assert_eq!(world.rejected, if is_each { refused(&world) } else { BTreeSet::new() });
        }
        let case = Case { on_refusal: OnRefusal::Stop, ..case };
        let (world, _, ended) = case.run(Limits::default(), Shutdown::new(None)).await;
        assert!(ended.is_err() && world.borrow().given.len() < 400);
    }
}
