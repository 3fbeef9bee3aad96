//! The ledger against a model.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// What a lane has to look like, message by message.
#[derive(Debug, Default)]
struct Model {
    /// Marks in order, with what is known: `None` while something is missing.
    messages: Vec<(u64, Option<Fate>)>,
    settled: BTreeSet<u64>,
}

impl Model {
    fn settle(&mut self, done: Done) {
        let through = |mark| {
            let marks = self.messages.iter().take_while(move |(of, _)| *of <= mark);
            marks.map(|(mark, _)| *mark).collect::<Vec<_>>()
        };
        match done {
            Done::One(mark) => assert!(self.settled.insert(mark), "{mark} was settled twice"),
            Done::Through(mark) => {
                let new = through(mark).into_iter().filter(|mark| self.settled.insert(*mark)).count();
                assert!(new > 0, "{mark} was settled twice");
            }
        }
        for mark in &self.settled {
            let fate = self.messages.iter().find(|(of, _)| of == mark).and_then(|(_, fate)| *fate);
            assert_eq!(fate, Some(Fate::Done), "{mark} was settled before its outcome, or although it is held");
        }
    }

    /// What is settled when nothing is under way.
    fn must_be_settled(&self, settling: Settling) -> BTreeSet<u64> {
        let is_done = |(_, fate): &&(u64, Option<Fate>)| *fate == Some(Fate::Done);
        let messages = self.messages.iter();
        match settling {
            Settling::Never => BTreeSet::new(),
            Settling::Each => messages.filter(is_done).map(|(mark, _)| *mark).collect(),
            Settling::Prefix => messages.take_while(is_done).map(|(mark, _)| *mark).collect(),
        }
    }
}

struct Play {
    ledger: Ledger,
    models: BTreeMap<Lane, Model>,
    under_way: Vec<(Ticket, Place)>,
    /// Messages of which a part is held already.
    held: BTreeSet<Ticket>,
    next_lane: Lane,
    random: fastrand::Rng,
}

impl Play {
    fn new(settling: Settling, seed: u64) -> Play {
        let random = fastrand::Rng::with_seed(seed);
        let ledger = Ledger::new(settling, false);
        Play { ledger, models: BTreeMap::new(), under_way: Vec::new(), held: BTreeSet::new(), next_lane: 0, random }
    }

    fn enter(&mut self) {
        if self.models.is_empty() || self.random.u8(..) < 8 {
            self.models.insert(self.next_lane, Model::default());
            self.next_lane += 1;
        }
        let lanes: Vec<Lane> = self.models.keys().copied().collect();
        let lane = lanes[self.random.usize(..lanes.len())];
        let Some(model) = self.models.get_mut(&lane) else { return };
        for _ in 0..self.random.usize(1..9) {
            let mark = model.messages.last().map_or(0, |(mark, _)| mark + self.random.u64(1..4));
            let parts = if self.random.u8(..) < 200 { 1 } else { self.random.u32(0..4) };
            let ticket = self.ledger.enter(Place { lane, mark }, parts);
            model.messages.push((mark, (parts == 0).then_some(Fate::Done)));
            self.under_way.extend((0..parts).map(|_| (ticket, Place { lane, mark })));
        }
    }

    fn outcome(&mut self) {
        if self.under_way.is_empty() {
            return;
        }
        let (ticket, place) = self.under_way.swap_remove(self.random.usize(..self.under_way.len()));
        let fate = if self.random.u8(..) < 16 { Fate::Held } else { Fate::Done };
        let told = self.ledger.outcome(ticket, fate);
        let Some(model) = self.models.get_mut(&place.lane) else {
            assert_eq!(told, None, "the lane is gone");
            return;
        };
        let last = !self.under_way.iter().any(|(of, _)| *of == ticket);
        assert_eq!(told.map(|(place, whole)| (place, whole.is_some())), Some((place, last)));
        let Some((_, known)) = model.messages.iter_mut().find(|(mark, _)| *mark == place.mark) else { return };
        // A part that is held holds the message, whatever becomes of the others.
        let held = fate == Fate::Held || self.held.remove(&ticket);
        match (last, held) {
            (true, true) => *known = Some(Fate::Held),
            (true, false) => *known = Some(Fate::Done),
            (false, true) => drop(self.held.insert(ticket)),
            (false, false) => {}
        }
    }

    fn settle(&mut self) {
        let models = &mut self.models;
        let told: Result<(), ()> = self.ledger.settle(|lane, done| {
            models.get_mut(&lane).expect("a lane that is there").settle(done);
            Ok(())
        });
        assert!(told.is_ok());
    }

    fn release(&mut self) {
        let Some(lane) = self.models.keys().next().copied() else { return };
        self.settle();
        self.ledger.release(lane);
        self.models.remove(&lane);
    }
}

#[test]
fn settles_what_is_done_once_and_nothing_else() {
    for seed in 0..600 {
        let settling = [Settling::Prefix, Settling::Each, Settling::Never][seed as usize % 3];
        let mut play = Play::new(settling, seed);
        for _ in 0..400 {
            match play.random.u8(..100) {
                0..40 => play.enter(),
                40..85 => play.outcome(),
                85..99 => play.settle(),
                _ => play.release(),
            }
        }
        while !play.under_way.is_empty() {
            play.outcome();
        }
        play.settle();
        assert_eq!(play.ledger.under_way(), 0);
        for (lane, model) in &play.models {
            assert_eq!(model.settled, model.must_be_settled(settling), "lane {lane} of seed {seed}");
            assert!(play.ledger.is_clear(*lane));
        }
    }
}

#[test]
fn a_bulk_sink_settles_all_that_was_written_and_stops_at_a_hole() {
    for (settling, expected) in [
        (Settling::Prefix, vec![Done::Through(5)]),
        (Settling::Each, vec![Done::Through(5), Done::One(8), Done::One(9)]),
    ] {
        let mut ledger = Ledger::new(settling, true);
        let place = |mark| Place { lane: 3, mark };
        let told = |ledger: &mut Ledger| {
            let mut told = Vec::new();
            let settled: Result<(), ()> = ledger.settle(|_, done| {
                told.push(done);
                Ok(())
            });
            settled.map(|()| told).expect("settles")
        };
        for mark in [1, 2, 5] {
            ledger.enter(place(mark), 1);
        }
        assert!(told(&mut ledger).is_empty() && !ledger.is_clear(3));
        ledger.hold(place(7));
        for mark in [8, 9] {
            ledger.enter(place(mark), 1);
        }
        ledger.all();
        assert_eq!(told(&mut ledger), expected);
        ledger.all();
        assert!(told(&mut ledger).is_empty() && ledger.is_clear(3));
        assert_eq!(ledger.holes(), [(3, Some(5))]);
    }
}

#[test]
fn a_hole_takes_no_slots() {
    let mut ledger = Ledger::new(Settling::Prefix, false);
    for mark in 0..100_000 {
        let ticket = ledger.enter(Place { lane: 0, mark }, 1);
        ledger.outcome(ticket, if mark == 0 { Fate::Held } else { Fate::Done });
    }
    assert!(ledger.states.iter().all(|state| state.slots.capacity() < 16));
    assert_eq!((ledger.under_way(), ledger.held()), (0, 1));
}
