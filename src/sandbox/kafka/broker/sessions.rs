//! Fetch sessions (KIP-227): what a client fetches is remembered, so that it only tells what is new, and is only told that.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::time::{Duration, Instant};

use kafka_protocol::error::ResponseError;
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

/// Most sessions, and most partitions of them all. Past it a client has to tell everything with each request.
const MOST: usize = 1000;
const MOST_PARTITIONS: usize = 500_000;

/// Most partitions of one request. There are not so many; who names some again and again is not to fill the memory.
pub(crate) const MOST_ASKED: usize = 100_000;

/// A session may be forgotten for another when it was not used for so long.
const IDLE: Duration = Duration::from_secs(120);

/// A partition as a request names it: by its topic's id, or before version 13 by its name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub name: StrBytes,
    pub id: Uuid,
    pub partition: i32,
}

/// What is asked for a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asked {
    pub offset: i64,
    pub most: i32,
    /// The leader epoch that the client knows, -1 for none.
    pub leader_epoch: i32,
    /// That of the record before, -1 for none.
    pub last_epoch: i32,
}

/// What was told last of a partition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Told {
    pub high_watermark: i64,
    pub last_stable: i64,
    pub log_start: i64,
}

/// Nothing.
const NEVER: Told = Told { high_watermark: -1, last_stable: -1, log_start: -1 };

#[derive(Debug)]
struct Session {
    /// That of the next request.
    epoch: i32,
    /// Its topics have ids.
    by_id: bool,
    used: Instant,
    /// In the order in which they are asked for next: those that had records go to the end.
    order: BTreeMap<u64, (Place, Asked, Told)>,
    turns: HashMap<Place, u64>,
    next: u64,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    by_number: HashMap<i32, Session>,
    partitions: usize,
    /// Partitions of requests that wait: each keeps its own, whatever their sessions are.
    waiting: Rc<Cell<usize>>,
}

/// That a request waits, for as long as it is kept.
#[derive(Debug)]
pub(crate) struct Waits {
    all: Rc<Cell<usize>>,
    partitions: usize,
}

impl Drop for Waits {
    fn drop(&mut self) {
        self.all.set(self.all.get().saturating_sub(self.partitions));
    }
}

/// What a request has for its session.
#[derive(Debug)]
pub(crate) struct Change {
    pub session: i32,
    pub epoch: i32,
    pub by_id: bool,
    pub asked: Vec<(Place, Asked)>,
    pub forgotten: Vec<Place>,
}

/// What is to be fetched.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Its session, 0 for none.
    pub session: i32,
    /// Only what has changed is answered.
    pub incremental: bool,
    pub asked: Vec<(Place, Asked)>,
}

impl Session {
    fn put(&mut self, place: Place, asked: Asked) {
        if let Some((_, known, _)) = self.turns.get(&place).and_then(|turn| self.order.get_mut(turn)) {
            *known = asked;
            return;
        }
        self.turns.insert(place.clone(), self.next);
        self.order.insert(self.next, (place, asked, NEVER));
        self.next += 1;
    }

    fn forget(&mut self, place: &Place) {
        if let Some(turn) = self.turns.remove(place) {
            self.order.remove(&turn);
        }
    }
}

impl Sessions {
    /// Takes a request in: what it fetches.
    ///
    /// # Errors
    /// The error of the whole request.
    pub(crate) fn take(&mut self, change: Change, now: Instant) -> Result<Plan, ResponseError> {
        if change.epoch > 0 {
            return self.go_on(change, now);
        }
        if change.epoch < -1 {
            return Err(ResponseError::InvalidFetchSessionEpoch);
        }
        self.close(change.session);
        let creates = change.epoch == 0 && !change.asked.is_empty();
        let session = if creates { self.begin(&change, now) } else { 0 };
        Ok(Plan { session, incremental: false, asked: change.asked })
    }

    fn begin(&mut self, change: &Change, now: Instant) -> i32 {
        let is_full = |sessions: &Sessions| {
            sessions.by_number.len() >= MOST || sessions.partitions + change.asked.len() > MOST_PARTITIONS
        };
        if is_full(self) {
            let is_idle = |(_, session): &(&i32, &Session)| now.saturating_duration_since(session.used) >= IDLE;
            let oldest = self.by_number.iter().filter(is_idle).min_by_key(|(_, session)| session.used);
            if let Some(number) = oldest.map(|(number, _)| *number) {
                self.close(number);
            }
            if is_full(self) {
                return 0;
            }
        }
        let random = || i32::from_be_bytes(*Uuid::new_v4().as_bytes().first_chunk().unwrap_or(&[1; 4])) & i32::MAX;
        let is_free = |number: &i32| *number > 0 && !self.by_number.contains_key(number);
        let Some(number) = std::iter::repeat_with(random).find(is_free) else { return 0 };
        let by_id = change.by_id;
        let mut session =
            Session { epoch: 1, by_id, used: now, order: BTreeMap::new(), turns: HashMap::new(), next: 0 };
        for (place, asked) in &change.asked {
            session.put(place.clone(), *asked);
        }
        self.partitions += session.order.len();
        self.by_number.insert(number, session);
        number
    }

    fn go_on(&mut self, change: Change, now: Instant) -> Result<Plan, ResponseError> {
        let session = self.by_number.get_mut(&change.session).ok_or(ResponseError::FetchSessionIdNotFound)?;
        if session.epoch != change.epoch {
            return Err(ResponseError::InvalidFetchSessionEpoch);
        }
        if session.by_id != change.by_id {
            return Err(ResponseError::FetchSessionTopicIdError);
        }
        session.used = now;
        session.epoch = session.epoch.checked_add(1).unwrap_or(1);
        let before = session.order.len();
        for (place, asked) in change.asked {
            session.put(place, asked);
        }
        for place in &change.forgotten {
            session.forget(place);
        }
        self.partitions = self.partitions.saturating_sub(before) + session.order.len();
        let asked: Vec<_> = session.order.values().map(|(place, asked, _)| (place.clone(), *asked)).collect();
        if asked.is_empty() {
            self.close(change.session);
            return Ok(Plan { session: 0, incremental: false, asked });
        }
        Ok(Plan { session: change.session, incremental: true, asked })
    }

    /// Lets a request wait for so many partitions. None when others wait for too many: it is answered with what there is.
    pub(crate) fn wait(&self, partitions: usize) -> Option<Waits> {
        let waiting = self.waiting.get().saturating_add(partitions);
        if waiting > MOST_PARTITIONS {
            return None;
        }
        self.waiting.set(waiting);
        Some(Waits { all: self.waiting.clone(), partitions })
    }

    fn close(&mut self, number: i32) {
        if let Some(session) = self.by_number.remove(&number) {
            self.partitions = self.partitions.saturating_sub(session.order.len());
        }
    }

    /// Whether a partition is to be told in the answer, and remembers that it was.
    pub(crate) fn tell(&mut self, plan: &Plan, place: &Place, told: Option<Told>, has_records: bool) -> bool {
        let Some(session) = self.by_number.get_mut(&plan.session) else { return true };
        let Some(turn) = session.turns.get_mut(place) else { return true };
        let Some((_, _, known)) = session.order.get_mut(turn) else { return true };
        // An error is told as long as it is one.
        let is_new = told.is_none_or(|told| told != *known) || has_records;
        *known = told.unwrap_or(NEVER);
        if has_records {
            if let Some(entry) = session.order.remove(turn) {
                session.order.insert(session.next, entry);
            }
            *turn = session.next;
            session.next += 1;
        }
        is_new || !plan.incremental
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(partition: i32) -> Place {
        Place { name: StrBytes::from_static_str("t"), id: Uuid::nil(), partition }
    }

    fn change(session: i32, epoch: i32, partitions: &[i32], forgotten: &[i32]) -> Change {
        let asked = Asked { offset: 0, most: 1, leader_epoch: -1, last_epoch: -1 };
        let forgotten = forgotten.iter().copied().map(place).collect();
        let asked = partitions.iter().map(|partition| (place(*partition), asked)).collect();
        Change { session, epoch, by_id: false, asked, forgotten }
    }

    #[test]
    fn a_session_is_told_what_is_new() {
        let (mut sessions, now) = (Sessions::default(), Instant::now());
        let plan = sessions.take(change(0, 0, &[0, 1, 2], &[]), now).unwrap();
        assert!(plan.session > 0 && !plan.incremental && plan.asked.len() == 3);
        let told = Told { high_watermark: 5, last_stable: 5, log_start: 0 };
        for partition in 0..3 {
            assert!(sessions.tell(&plan, &place(partition), Some(told), partition == 0));
        }
        let error = sessions.take(change(plan.session, 2, &[], &[]), now).unwrap_err();
        assert_eq!(error, ResponseError::InvalidFetchSessionEpoch);
        let error = sessions.take(change(plan.session ^ 1, 1, &[], &[]), now).unwrap_err();
        assert_eq!(error, ResponseError::FetchSessionIdNotFound);
        let next = sessions.take(change(plan.session, 1, &[3], &[1]), now).unwrap();
        let order: Vec<i32> = next.asked.iter().map(|(place, _)| place.partition).collect();
        assert!(next.incremental && order == [2, 0, 3], "who had records comes last: {order:?}");
        assert!(!sessions.tell(&next, &place(2), Some(told), false));
        assert!(sessions.tell(&next, &place(2), Some(Told { high_watermark: 6, ..told }), false));
        assert!(sessions.tell(&next, &place(0), None, false) && sessions.tell(&next, &place(0), None, false));
        let last = sessions.take(change(plan.session, -1, &[0], &[]), now).unwrap();
        assert!(last.session == 0 && sessions.by_number.is_empty() && sessions.partitions == 0);
        let plan = sessions.take(change(0, 0, &[0], &[]), now).unwrap();
        let empty = sessions.take(change(plan.session, 1, &[], &[0]), now).unwrap();
        assert!(empty.session == 0 && sessions.by_number.is_empty());
    }

    #[test]
    fn there_are_only_so_many() {
        let (mut sessions, now) = (Sessions::default(), Instant::now());
        for _ in 0..MOST {
            assert!(sessions.take(change(0, 0, &[0], &[]), now).unwrap().session > 0);
        }
        assert_eq!(sessions.take(change(0, 0, &[0], &[]), now).unwrap().session, 0);
        assert!(sessions.take(change(0, 0, &[0], &[]), now + IDLE).unwrap().session > 0);
        assert_eq!((sessions.by_number.len(), sessions.partitions), (MOST, MOST));
    }

    #[test]
    fn only_so_many_partitions_are_waited_for() {
        let sessions = Sessions::default();
        let first = sessions.wait(MOST_PARTITIONS - 1).unwrap();
        let second = sessions.wait(1);
        assert!(second.is_some() && sessions.wait(1).is_none());
        drop(first);
        assert!(sessions.wait(MOST_PARTITIONS - 1).is_some());
    }
}
