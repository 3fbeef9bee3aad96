//! A sink that makes many true together, with where their source stands.

use std::collections::{BTreeMap, VecDeque};
use std::task::{Context, Poll};

use super::world::{Fake, Id, Shared, Sieve, Silent, id};
use crate::error::{Kind, Result};
use crate::flow::*;
use crate::message::Message;
use crate::shutdown::{Reason, Shutdown};

/// Seals after so many, or when it is asked to; and refuses the one of this number.
struct Seals {
    world: Shared,
    random: fastrand::Rng,
    every: usize,
    inside: Vec<(Ticket, Id)>,
    asked: bool,
    is_sealed: bool,
    is_off: bool,
    left: usize,
    refused: Option<Ticket>,
}

impl Seals {
    /// All that is inside has this outcome.
    fn ends(&mut self, outcome: Outcome, heard: &mut Heard) {
        let mut world = self.world.borrow_mut();
        for (_, id) in self.inside.drain(..) {
            if outcome == Outcome::Confirmed {
                assert!(world.sealed.get(&id.0).is_some_and(|mark| *mark >= id.1), "{id:?} without its place");
                world.outcomes.insert(id, Outcome::Confirmed);
            }
        }
        (self.is_sealed, self.asked) = (false, false);
        heard.rest = Some(outcome);
    }
}

impl Sink for Seals {
    fn is_bulk(&self) -> bool {
        true
    }

    fn room(&self) -> usize {
        if self.is_sealed || self.refused.is_some() || self.is_off { 0 } else { self.every - self.inside.len() }
    }

    fn is_empty(&self) -> bool {
        self.inside.is_empty()
    }

    fn submit<'b>(&mut self, next: &mut Next<'_, 'b>) -> Result<(), Declined> {
        let mut message = Message::default();
        while self.room() > 0 {
            let Some(ticket) = next(&mut message) else { return Ok(()) };
            let id = id(&message);
            self.world.borrow_mut().given.insert(id);
            self.inside.push((ticket, id));
            self.left = self.left.saturating_sub(1);
            if self.left == 0 {
                (self.refused, self.left) = (Some(ticket), usize::MAX);
            }
        }
        Ok(())
    }

    fn flush(&mut self, last: bool) -> Result<()> {
        self.asked |= last && !self.inside.is_empty();
        Ok(())
    }

    fn poll(&mut self, cx: &mut Context<'_>, heard: &mut Heard) -> Poll<Result<()>> {
        if !self.inside.is_empty() && (self.is_off || self.refused.is_some()) {
            if let Some(ticket) = self.refused.take() {
                heard.outcome(ticket, Outcome::Refused(Box::new(Refusal::new("bad"))));
                self.is_off = true;
            }
            self.ends(Outcome::Unsent, heard);
            return Poll::Ready(Ok(()));
        }
        if self.is_sealed && self.random.u8(..) > 60 {
            self.ends(Outcome::Confirmed, heard);
            return Poll::Ready(Ok(()));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn wants_seal(&self) -> bool {
        let is_full = self.inside.len() == self.every;
        !self.is_sealed && !self.is_off && self.refused.is_none() && (is_full || self.asked)
    }

    fn seal(&mut self) {
        assert!(!self.inside.is_empty());
        self.is_sealed = true;
    }

    fn call_off(&mut self) {
        self.is_off = true;
    }

    fn abandon(&mut self, heard: &mut Heard) {
        self.ends(Outcome::Unsent, heard);
    }
}

async fn run_with(seed: u64, refuses: bool, shutdown: Shutdown) -> (Shared, Silent, Result<()>) {
    let (world, random) = (Shared::default(), fastrand::Rng::with_seed(seed));
    let lanes: BTreeMap<Lane, VecDeque<u64>> =
        (0..4).map(|lane| (lane, (0..100).map(|n| n * 2 + u64::from(lane)).collect())).collect();
    let source = Fake {
        world: world.clone(),
        settling: Settling::Prefix,
        random: random.clone(),
        lanes,
        batch: Vec::new(),
        revoked: None,
        next_lane: 4,
        ahead: None,
        keeps: false,
        ended: false,
    };
    let mut random_of = random;
    let (every, left) = (random_of.usize(1..60), if refuses { random_of.usize(1..200) } else { usize::MAX });
    let (asked, is_sealed, is_off, refused) = (false, false, false, None);
    let (inside, random) = (Vec::new(), random_of);
    let sink = Seals { world: world.clone(), random, every, inside, asked, is_sealed, is_off, left, refused };
    let stages: Vec<Box<dyn Stage>> =
        if seed.is_multiple_of(2) { vec![Box::new(Sieve(world.clone()))] } else { Vec::new() };
    let flow = Flow {
        source: Box::new(source),
        stages,
        sink: Box::new(sink),
        limits: Limits::default(),
        on_refusal: OnRefusal::Stop,
        dead: None,
        manner: Manner::Carried,
        names: None,
        shutdown,
        held: None,
    };
    let mut reporter = Silent::default();
    let ended = run(flow, &mut reporter).await;
    (world, reporter, ended)
}

#[tokio::test(start_paused = true)]
async fn what_is_sealed_is_settled_and_nothing_else() {
    for seed in 0..300 {
        let refuses = seed % 3 == 0;
        let (world, reporter, ended) = run_with(seed, refuses, Shutdown::new(None)).await;
        let world = world.borrow();
        // That nothing is settled but what was confirmed or left out, the source holds itself.
        let settled = world.settled.difference(&world.left_out).count();
        assert_eq!(settled, world.outcomes.len(), "seed {seed}");
        assert_eq!(reporter.account["confirmed"], world.outcomes.len(), "seed {seed}");
        if refuses {
            assert_eq!(ended.map_err(|error| error.kind()), Err(Kind::Refused), "seed {seed}");
            let failed = world.given.len() - world.outcomes.len();
            assert_eq!(reporter.account["refused"], 1, "seed {seed}");
            assert_eq!(reporter.account["unsent"], failed - 1, "seed {seed}");
        } else {
            assert!(ended.is_ok(), "seed {seed}");
            // What was left out of a batch whose lane is taken away comes once more.
            assert!(world.settled.len() >= 400, "seed {seed}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_not_sealed_is_undone_by_a_stop() {
    for seed in 0..50 {
        let shutdown = Shutdown::new(None);
        shutdown.stop(Reason::Interrupt);
        let (world, reporter, ended) = run_with(seed, false, shutdown).await;
        assert_eq!(ended.map_err(|error| error.kind()), Err(Kind::Interrupted));
        assert_eq!(reporter.account["confirmed"], world.borrow().outcomes.len());
    }
}
