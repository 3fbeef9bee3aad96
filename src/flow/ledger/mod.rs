//! From outcomes in any order to settlements in the order of the source.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};

use super::Ticket;
use super::source::{Done, Lane, Place, Settling};

/// How many bits of a ticket are the number within its lane. It wraps: only what is under way is told apart by it.
const NUMBER: u32 = 40;
const NUMBERS: u64 = (1 << NUMBER) - 1;

impl Ticket {
    /// The lane of the message.
    pub(crate) fn lane(self) -> Lane {
        Lane::try_from(self.0 >> NUMBER).unwrap_or(Lane::MAX)
    }
}

/// What became of a message, as far as its source is concerned.
/// Of a message of several parts, the last of these that any of them has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fate {
    /// It may be settled.
    Done,
    /// Its source is told by itself that it was refused.
    Rejected,
    /// It must not be settled, and nobody need be told.
    Recalled,
    /// The same, and as long as it is held its peer sends the less ahead.
    Kept,
    /// It must not be settled.
    Held,
}

/// How many messages may be under way. One that takes its time holds the notes of all behind it, whatever room there is in
/// the sink.
const MOST: usize = 256 * 1024;

/// A message under way.
#[derive(Debug, Clone, Copy)]
struct Slot {
    mark: u64,
    /// How many of its parts have no outcome yet.
    left: u32,
    fate: Fate,
}

impl Slot {
    fn new(mark: u64, parts: u32) -> Slot {
        Slot { mark, left: parts, fate: Fate::Done }
    }
}

/// A lane.
#[derive(Debug, Default)]
struct State {
    /// The number of the first slot.
    base: u64,
    /// What is under way, and what is done behind the first that is.
    slots: VecDeque<Slot>,
    /// With a bulk sink: the last that was entered, and how many were since all was done.
    entered: Option<u64>,
    open: usize,
    /// Through here all is done that was not held, and told or not.
    done: Option<u64>,
    told: Option<u64>,
    /// Something before this must not be settled,
    hole: bool,
    /// and the user has to know.
    named: bool,
    dirty: bool,
}

impl State {
    /// Which of the slots is a message's.
    fn index(&self, ticket: Ticket) -> Option<usize> {
        usize::try_from((ticket.0 & NUMBERS).wrapping_sub(self.base) & NUMBERS).ok()
    }
}

/// What is under way, lane by lane.
#[derive(Debug)]
pub(crate) struct Ledger {
    settling: Settling,
    /// The sink reports everything together: two numbers a lane are enough.
    bulk: bool,
    lanes: HashMap<Lane, usize>,
    states: Vec<State>,
    free: Vec<usize>,
    /// The lane of the last message: the next one is most often of the same.
    last: (Lane, usize),
    dirty: Vec<(Lane, usize)>,
    /// Done behind a hole, one by one.
    singles: Vec<Place>,
    under_way: usize,
    /// Of a bulk sink's, those that were entered since all was done.
    open: usize,
    held: u64,
}

impl Ledger {
    /// Of nothing yet.
    pub(crate) fn new(settling: Settling, bulk: bool) -> Ledger {
        Ledger {
            settling,
            bulk,
            lanes: HashMap::new(),
            states: Vec::new(),
            free: Vec::new(),
            last: (0, usize::MAX),
            dirty: Vec::new(),
            singles: Vec::new(),
            under_way: 0,
            open: 0,
            held: 0,
        }
    }

    /// Takes a message up that is submitted now in `parts` parts; none is done at once. Its ticket.
    pub(crate) fn enter(&mut self, place: Place, parts: u32) -> Ticket {
        let at = self.state(place.lane);
        let Some(state) = self.states.get_mut(at) else { return Ticket(0) };
        if self.bulk {
            match (state.hole, self.settling) {
                (false, _) => state.entered = Some(place.mark),
                (true, Settling::Each) => state.slots.push_back(Slot::new(place.mark, parts)),
                (true, _) => {}
            }
            if !state.dirty {
                state.dirty = true;
                self.dirty.push((place.lane, at));
            }
            state.open += 1;
            self.open += 1;
            return Ticket((u64::from(place.lane) << NUMBER) | (place.mark & NUMBERS));
        }
        let number = state.base.wrapping_add(state.slots.len() as u64) & NUMBERS;
        state.slots.push_back(Slot::new(place.mark, parts));
        self.under_way += 1;
        if parts == 0 {
            self.advance(place.lane, at);
        }
        Ticket((u64::from(place.lane) << NUMBER) | number)
    }

    /// Takes a message up that does not go to a bulk sink, and is not done.
    pub(crate) fn hold(&mut self, place: Place) {
        let at = self.state(place.lane);
        if let Some(state) = self.states.get_mut(at) {
            (state.hole, state.named) = (true, true);
            self.held += 1;
        }
    }

    /// Takes a message up that goes nowhere, and stays in its source.
    pub(crate) fn keep(&mut self, place: Place) {
        let at = self.state(place.lane);
        let Some(state) = self.states.get_mut(at) else { return };
        if self.bulk {
            state.hole = true;
            self.held += 1;
        } else {
            state.slots.push_back(Slot { mark: place.mark, left: 0, fate: Fate::Kept });
            self.under_way += 1;
            self.advance(place.lane, at);
        }
    }

    fn state(&mut self, lane: Lane) -> usize {
        self.find(lane).unwrap_or_else(|| {
            let at = self.free.pop().unwrap_or_else(|| {
                self.states.push(State::default());
                self.states.len() - 1
            });
            self.lanes.insert(lane, at);
            self.last = (lane, at);
            at
        })
    }

    fn find(&mut self, lane: Lane) -> Option<usize> {
        if self.last.0 != lane || self.last.1 == usize::MAX {
            self.last = (lane, *self.lanes.get(&lane)?);
        }
        Some(self.last.1)
    }

    /// A part of a message has its outcome. Where the message stands, and its fate when that was the last of its parts;
    /// `None` for a ticket that is not under way.
    pub(crate) fn outcome(&mut self, ticket: Ticket, fate: Fate) -> Option<(Place, Option<Fate>)> {
        let lane = ticket.lane();
        if self.bulk {
            let place = self.place(ticket)?;
            if fate == Fate::Held {
                self.hold(place);
            }
            return Some((place, Some(fate)));
        }
        let at = self.find(lane)?;
        let state = self.states.get_mut(at)?;
        let index = state.index(ticket)?;
        let slot = state.slots.get_mut(index).filter(|slot| slot.left > 0)?;
        slot.left -= 1;
        slot.fate = slot.fate.max(fate);
        let (mark, whole) = (slot.mark, (slot.left == 0).then_some(slot.fate));
        if index == 0 && whole.is_some() {
            self.advance(lane, at);
        }
        Some((Place { lane, mark }, whole))
    }

    /// Where a message stands that is under way.
    pub(crate) fn place(&self, ticket: Ticket) -> Option<Place> {
        let lane = ticket.lane();
        let state = self.states.get(*self.lanes.get(&lane)?)?;
        if self.bulk {
            // The last with these bits that was entered.
            let number = ticket.0 & NUMBERS;
            let entered = state.entered?;
            return Some(Place { lane, mark: entered.wrapping_sub(entered.wrapping_sub(number) & NUMBERS) });
        }
        state.slots.get(state.index(ticket)?).map(|slot| Place { lane, mark: slot.mark })
    }

    /// Takes from the front of a lane what has all its outcomes.
    fn advance(&mut self, lane: Lane, at: usize) {
        let Some(state) = self.states.get_mut(at) else { return };
        while let Some(slot) = state.slots.front().copied().filter(|slot| slot.left == 0) {
            state.slots.pop_front();
            state.base = state.base.wrapping_add(1) & NUMBERS;
            self.under_way -= 1;
            match (slot.fate, state.hole) {
                (fate @ (Fate::Held | Fate::Kept), _) => {
                    state.hole = true;
                    state.named |= fate == Fate::Held;
                    self.held += 1;
                }
                (Fate::Recalled, _) => state.hole = true,
                // It is not there any more, and what is done behind it may be settled together with what is before it.
                (Fate::Rejected, _) => {}
                (Fate::Done, false) => state.done = Some(slot.mark),
                (Fate::Done, true) if self.settling == Settling::Each => {
                    self.singles.push(Place { lane, mark: slot.mark });
                }
                (Fate::Done, true) => {}
            }
        }
        if state.done != state.told && !state.dirty {
            state.dirty = true;
            self.dirty.push((lane, at));
        }
    }

    /// With a bulk sink: the last that was entered of each lane in which not all is done, unless something before it must not
    /// be settled.
    pub(crate) fn entered(&self) -> Vec<(Lane, u64)> {
        let entered = |(lane, at): &(Lane, usize)| {
            let state = self.states.get(*at).filter(|state| !state.hole && state.entered != state.done)?;
            state.entered.map(|mark| (*lane, mark))
        };
        self.dirty.iter().filter_map(entered).collect()
    }

    /// Everything that was entered is done (a bulk sink).
    pub(crate) fn all(&mut self) {
        for (lane, at) in &self.dirty {
            if let Some(state) = self.states.get_mut(*at) {
                self.open -= std::mem::take(&mut state.open);
                state.done = state.entered.or(state.done);
                self.singles.extend(state.slots.drain(..).map(|slot| Place { lane: *lane, mark: slot.mark }));
            }
        }
    }

    /// Nothing that was entered since all was done is done, or will be (a bulk sink).
    pub(crate) fn none(&mut self) {
        for (_, at) in &self.dirty {
            if let Some(state) = self.states.get_mut(*at) {
                self.open -= std::mem::take(&mut state.open);
                state.entered = state.done;
                state.hole = true;
                state.slots.clear();
            }
        }
    }

    /// Gives what may be settled and was not told yet: first what is done up to a place, then what is done by itself.
    ///
    /// # Errors
    /// Those of `settle`; what it was given is told all the same.
    pub(crate) fn settle<E>(&mut self, mut settle: impl FnMut(Lane, Done) -> Result<(), E>) -> Result<(), E> {
        let mut ended = Ok(());
        // What a bulk sink has not written yet stays in the list.
        let mut kept = 0;
        for index in 0..self.dirty.len() {
            let Some((lane, at)) = self.dirty.get(index).copied() else { break };
            let Some(state) = self.states.get_mut(at) else { continue };
            if self.settling != Settling::Never
                && ended.is_ok()
                && state.done != state.told
                && let Some(mark) = state.done
            {
                ended = settle(lane, Done::Through(mark));
            }
            state.told = state.done;
            state.dirty = self.bulk && (state.entered != state.done || !state.slots.is_empty());
            if state.dirty
                && let Some(slot) = self.dirty.get_mut(kept)
            {
                *slot = (lane, at);
                kept += 1;
            }
        }
        self.dirty.truncate(kept);
        for Place { lane, mark } in self.singles.drain(..) {
            if ended.is_ok() {
                ended = settle(lane, Done::One(mark));
            }
        }
        ended
    }

    /// Messages that were entered and have not all their outcomes; not those of a bulk sink.
    pub(crate) fn under_way(&self) -> usize {
        self.under_way
    }

    /// Messages that were entered and may not be settled yet.
    pub(crate) fn unsettled(&self) -> usize {
        self.under_way + self.open
    }

    /// How many more may be entered; a bulk sink needs no notes.
    pub(crate) fn room(&self) -> usize {
        MOST.saturating_sub(self.under_way)
    }

    /// How many messages are held.
    pub(crate) fn held(&self) -> u64 {
        self.held
    }

    /// The lanes in which something is held, and the mark up to which all before it was done.
    pub(crate) fn holes(&self) -> Vec<(Lane, Option<u64>)> {
        let is_hole = |(lane, at): (&Lane, &usize)| {
            self.states.get(*at).filter(|state| state.named).map(|state| (*lane, state.done))
        };
        let mut holes: Vec<_> = self.lanes.iter().filter_map(is_hole).collect();
        holes.sort_unstable();
        holes
    }

    /// True when nothing of this lane is under way.
    pub(crate) fn is_clear(&self, lane: Lane) -> bool {
        let state = self.lanes.get(&lane).and_then(|at| self.states.get(*at));
        state.is_none_or(|state| state.slots.is_empty() && (!self.bulk || state.entered == state.done))
    }

    /// Forgets a lane. What of it is still under way has no place any more: its outcome is `None`.
    pub(crate) fn release(&mut self, lane: Lane) {
        let Some(at) = self.lanes.remove(&lane) else { return };
        if let Some(state) = self.states.get_mut(at) {
            if !self.bulk {
                self.under_way -= state.slots.len();
            }
            self.open -= state.open;
            *state = State::default();
        }
        self.dirty.retain(|(of, _)| *of != lane);
        self.singles.retain(|place| place.lane != lane);
        self.last = (0, usize::MAX);
        self.free.push(at);
    }
}
