//! A source and a sink that do whatever they may, and hold each other to the rules.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use serde_json::{Map, Value};

use crate::error::{Error, Kind, Result};
use crate::flow::*;
use crate::message::{Field, Message};

/// A lane, and a mark in it.
pub(crate) type Id = (Lane, u64);

/// What both sides know.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub given: BTreeSet<Id>,
    /// By a [`Sieve`].
    pub left_out: BTreeSet<Id>,
    /// What was given and taken back.
    pub recalled: BTreeSet<Id>,
    pub outcomes: BTreeMap<Id, Outcome>,
    pub settled: BTreeSet<Id>,
    pub rejected: BTreeSet<Id>,
    /// In the [`Grave`].
    pub buried: BTreeSet<Id>,
    pub released: BTreeSet<Lane>,
    /// Where lanes stand with what was sealed.
    pub sealed: BTreeMap<Lane, u64>,
    /// How many parts of a message were written; it is with the last of them.
    pub parts: BTreeMap<Id, usize>,
}

pub(crate) type Shared = Rc<RefCell<World>>;

/// A source that gives, and takes back, whatever it may.
pub(crate) struct Fake {
    pub world: Shared,
    pub settling: Settling,
    pub random: fastrand::Rng,
    /// What is still to come.
    pub lanes: BTreeMap<Lane, VecDeque<u64>>,
    pub batch: Vec<(Id, String)>,
    pub revoked: Option<Vec<Lane>>,
    pub next_lane: Lane,
    pub ahead: Option<usize>,
    /// What is left out stays here.
    pub keeps: bool,
    pub ended: bool,
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

    fn keeps_rest(&self) -> bool {
        self.keeps
    }

    fn settle(&mut self, lane: Lane, done: Done) -> Result<()> {
        let mut world = self.world.borrow_mut();
        assert!(!world.released.contains(&lane), "settled behind its release");
        let is_before = |mark, (of, at): &Id| *of == lane && *at <= mark;
        let new: Vec<Id> = match done {
            // What was rejected is not there any more.
            Done::Through(mark) => {
                let before = world.given.difference(&world.rejected).chain(&world.left_out);
                before.filter(|id| is_before(mark, id)).copied().collect()
            }
            Done::One(mark) => vec![(lane, mark)],
        };
        for id in new {
            let good = matches!(world.outcomes.get(&id), Some(Outcome::Confirmed | Outcome::Written))
                || world.buried.contains(&id)
                || (!self.keeps && world.left_out.contains(&id));
            assert!(good, "{id:?} was settled with {:?}", world.outcomes.get(&id));
            let fresh = world.settled.insert(id);
            assert!(fresh || matches!(done, Done::Through(_)), "{id:?} was settled twice");
        }
        Ok(())
    }

    fn seal(&mut self, lane: Lane, mark: u64) {
        let mut world = self.world.borrow_mut();
        assert!(!world.released.contains(&lane), "sealed behind its release");
        world.sealed.insert(lane, mark);
    }

    fn reject(&mut self, place: Place, _requeue: bool) -> Result<()> {
        assert!(self.world.borrow_mut().rejected.insert((place.lane, place.mark)));
        Ok(())
    }

    fn release(&mut self, lanes: &[Lane]) -> Result<()> {
        for lane in lanes {
            assert!(self.world.borrow_mut().released.insert(*lane));
            // What was not given comes again, in another lane.
            if let Some(mut marks) = self.lanes.remove(lane) {
                let world = self.world.borrow();
                let of_lane = self.batch.iter().map(|(id, _)| *id).filter(|(of, _)| of == lane);
                let is_here = |id: &Id| !world.given.contains(id) && !world.recalled.contains(id);
                of_lane.filter(is_here).for_each(|(_, mark)| marks.push_back(mark));
                marks.extend(world.recalled.iter().filter(|(of, _)| of == lane).map(|(_, mark)| mark));
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

/// A sink that answers in any order, and refuses what it likes.
pub(crate) struct Wild {
    pub world: Shared,
    pub random: fastrand::Rng,
    pub bulk: bool,
    pub under_way: Vec<(Ticket, Id)>,
    pub written: bool,
    pub refuses: bool,
    /// Of how many parts a message is.
    pub parts: usize,
    /// It is a relay: what another would confirm, it answers.
    pub answers: bool,
}

/// Makes so many of one.
pub(crate) struct Copies(pub usize);

impl Stage for Copies {
    fn apply<'b>(&'b self, message: Message<'b>) -> std::result::Result<Passed<'b>, Unfit> {
        Ok(Passed::Many(vec![message; self.0]))
    }
}

/// Leaves out every third one.
pub(crate) struct Sieve(pub Shared);

impl Sieve {
    pub(crate) fn leaves_out((_, mark): Id) -> bool {
        mark % 3 == 0
    }
}

impl Stage for Sieve {
    fn apply<'b>(&'b self, message: Message<'b>) -> std::result::Result<Passed<'b>, Unfit> {
        let id = id(&message);
        if Sieve::leaves_out(id) {
            self.0.borrow_mut().left_out.insert(id);
            return Ok(Passed::None);
        }
        Ok(Passed::One(message))
    }

    fn leaves_out(&self) -> bool {
        true
    }
}

/// What a message is, by its value.
pub(crate) fn id(message: &Message<'_>) -> Id {
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
            heard.rest = Some(Outcome::Written);
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
            _ if self.answers => {
                let value = Field::Bytes(format!("{}:{}", id.0, id.1).into_bytes().into());
                heard.outcome(ticket, Outcome::Answered(Box::new(Message { value, ..Message::default() })));
                return Poll::Ready(Ok(()));
            }
            _ => Outcome::Confirmed,
        };
        self.world.borrow_mut().outcomes.insert(id, outcome.clone());
        heard.outcome(ticket, outcome);
        Poll::Ready(Ok(()))
    }

    fn recall(&mut self, lanes: Option<&[Lane]>) -> Vec<Ticket> {
        // Half of them had not begun.
        let is_meant = |id: &Id| lanes.is_none_or(|lanes| lanes.contains(&id.0)) && id.1 % 4 > 1;
        let recalled: Vec<_> = self.under_way.extract_if(.., |(_, id)| self.answers && is_meant(id)).collect();
        let mut world = self.world.borrow_mut();
        for (_, id) in &recalled {
            assert!(world.given.remove(id) && world.recalled.insert(*id));
        }
        recalled.into_iter().map(|(ticket, _)| ticket).collect()
    }

    fn is_slow(&self) -> bool {
        self.answers
    }

    fn abandon(&mut self, heard: &mut Heard) {
        for (ticket, id) in self.under_way.drain(..).filter(|_| !self.bulk) {
            self.world.borrow_mut().outcomes.insert(id, Outcome::Unknown);
            heard.outcome(ticket, Outcome::Unknown);
        }
    }
}

/// Takes so many of what was refused, and fails with the next.
pub(crate) struct Grave {
    pub world: Shared,
    pub room: usize,
    pub taken: Vec<(Ticket, Id)>,
}

impl Sink for Grave {
    fn room(&self) -> usize {
        usize::from(self.taken.is_empty())
    }

    fn is_empty(&self) -> bool {
        self.taken.is_empty()
    }

    fn submit<'b>(&mut self, next: &mut Next<'_, 'b>) -> Result<(), Declined> {
        if self.room == 0 {
            return Err(Error::new(Kind::Connect, "the grave is gone").into());
        }
        self.room -= 1;
        let mut message = Message::default();
        self.taken.extend(next(&mut message).map(|ticket| (ticket, id(&message))));
        Ok(())
    }

    fn flush(&mut self, _last: bool) -> Result<()> {
        Ok(())
    }

    fn poll(&mut self, _: &mut Context<'_>, heard: &mut Heard) -> Poll<Result<()>> {
        for (ticket, id) in self.taken.drain(..) {
            assert!(self.world.borrow_mut().buried.insert(id));
            heard.outcome(ticket, Outcome::Confirmed);
        }
        if heard.is_empty() { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    fn abandon(&mut self, heard: &mut Heard) {
        heard.outcomes.extend(self.taken.drain(..).map(|(ticket, _)| (ticket, Outcome::Unknown)));
    }
}

/// Keeps what it is told.
#[derive(Default)]
pub(crate) struct Silent {
    pub account: Map<String, Value>,
    pub warned: Vec<String>,
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
