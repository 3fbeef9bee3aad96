//! The loop between a source and a sink that do whatever they may.

mod sealing;
mod world;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use serde_json::json;

use self::world::{Copies, Fake, Grave, Id, Shared, Sieve, Silent, Wild, World};
use super::*;
use crate::error::{Kind, Result};
use crate::shutdown::{Reason, Shutdown};

struct Case {
    seed: u64,
    settling: Settling,
    bulk: bool,
    refuses: bool,
    on_refusal: OnRefusal,
    parts: usize,
    /// What was refused goes to a [`Grave`] with so much room.
    grave: Option<usize>,
    /// One that answers stands before the sink.
    relay: bool,
    /// The sink is a [`Grave`] with so much room.
    ends: Option<usize>,
    /// A stage leaves some out; whether the source keeps these.
    keeps: Option<bool>,
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
            keeps: self.keeps == Some(true),
            ended: false,
        };
        let wild = |random, bulk, answers| {
            let (world, refuses, parts) = (world.clone(), self.refuses, self.parts);
            Wild { world, random, bulk, under_way: Vec::new(), written: false, refuses, parts, answers }
        };
        let relay = wild(random.clone(), false, true);
        let sink: Box<dyn Sink> = match self.ends {
            Some(room) => Box::new(Grave { world: world.clone(), room, taken: Vec::new() }),
            None => Box::new(wild(random, self.bulk, false)),
        };
        let sink = match self.relay {
            true => Box::new(relay::Relayed::new(Box::new(relay), Vec::new(), sink)),
            false => sink,
        };
        let mut stages: Vec<Box<dyn Stage>> = match self.parts {
            1 => Vec::new(),
            parts => vec![Box::new(Copies(parts))],
        };
        if self.keeps.is_some() {
            stages.insert(0, Box::new(Sieve(world.clone())));
        }
        let flow = Flow {
            source: Box::new(source),
            stages,
            sink,
            limits,
            on_refusal: self.on_refusal,
            dead: self.grave.map(|room| {
                let grave = Grave { world: world.clone(), room, taken: Vec::new() };
                dead::Dead::new(Vec::new(), Box::new(grave))
            }),
            manner: Manner::Carried,
            names: None,
            shutdown,
            held: None,
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
        grave: None,
        relay: false,
        ends: None,
        keeps: None,
    })
}

#[tokio::test(start_paused = true)]
async fn what_is_done_is_settled_and_nothing_else() {
    let with_relay = cases().map(|case| Case { relay: true, ..case });
    for case in cases().chain(with_relay) {
        let (world, reporter, ended) = case.run(Limits::default(), Shutdown::new(None)).await;
        let world = world.borrow();
        let seed = case.seed;
        let good = |id: &Id| matches!(world.outcomes.get(id), Some(Outcome::Confirmed | Outcome::Written));
        let expected: BTreeSet<Id> = match case.settling {
            Settling::Never => BTreeSet::new(),
            Settling::Each => world.given.iter().filter(|id| good(id)).copied().collect(),
            Settling::Prefix => {
                let lanes: BTreeSet<Lane> = world.given.iter().map(|(lane, _)| *lane).collect();
                let all: BTreeSet<Id> = world.given.union(&world.recalled).copied().collect();
                let of = |lane| {
                    let of_lane = all.iter().filter(move |(of, _)| *of == lane).copied();
                    of_lane.take_while(|id| good(id)).collect::<Vec<Id>>()
                };
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
        // What goes to others when all is ending, and had not begun, comes again to them.
        let given = world.given.len();
        assert!(given == 400 || (case.relay && given + world.recalled.len() >= 400), "seed {seed}: {given}");
    }
}

/// What a relay has begun with is waited for, what it has not comes back, and nothing is settled that did not get through.
#[tokio::test(start_paused = true)]
async fn a_relay_ends_what_it_has_begun_when_the_sink_behind_it_fails() {
    for case in cases().filter(|case| !case.bulk && !case.refuses) {
        let case = Case { relay: true, ends: Some(5), ..case };
        let (world, reporter, ended) = case.run(Limits::default(), Shutdown::new(None)).await;
        let (world, seed) = (world.borrow(), case.seed);
        // Some were confirmed.
        assert_eq!(ended.map_err(|error| error.kind()), Err(Kind::Partial), "seed {seed}");
        assert!(world.outcomes.is_empty(), "seed {seed}: none was given up");
        assert_eq!(world.buried.len(), 5, "seed {seed}");
        assert_eq!(reporter.account["read"], json!(world.given.len()), "seed {seed}");
        assert_eq!(reporter.account["unsent"], json!(world.given.len() - 5), "seed {seed}");
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

/// It is settled although no sink tells of it, or stays where it is, whatever is done around it.
#[tokio::test(start_paused = true)]
async fn what_a_stage_leaves_out_is_settled_or_kept() {
    for case in cases().filter(|case| !case.refuses) {
        let seed = case.seed;
        let keeps = seed % 2 == 0 && case.settling == Settling::Each;
        let case = Case { keeps: Some(keeps), relay: seed % 7 == 0, ..case };
        // As many as were asked for pass, and nothing behind them is given.
        let (world, _, _) = case.run(Limits { count: Some(50), idle: None }, Shutdown::new(None)).await;
        // What was taken back counts no more.
        let given = world.borrow().given.difference(&world.borrow().recalled).count();
        assert!(given == 50 || case.relay && given < 50, "seed {seed}: {given}");
        let (world, reporter, _) = case.run(Limits::default(), Shutdown::new(None)).await;
        let world = world.borrow();
        assert!(world.given.iter().all(|id| !Sieve::leaves_out(*id)), "seed {seed}");
        assert_eq!(reporter.account["filtered"], json!(world.left_out.len()), "seed {seed}");
        let settled = world.settled.intersection(&world.left_out).count();
        let good = |id: &&Id| matches!(world.outcomes.get(id), Some(Outcome::Confirmed | Outcome::Written));
        match (case.settling, keeps) {
            (Settling::Never, _) | (_, true) => assert_eq!(settled, 0, "seed {seed}"),
            (Settling::Each, false) => assert_eq!(settled, world.left_out.len(), "seed {seed}"),
            // Behind what is not known to be done, nothing is.
            (Settling::Prefix, false) if world.given.iter().all(|id| good(&id)) && world.recalled.is_empty() => {
                assert_eq!(settled, world.left_out.len(), "seed {seed}");
            }
            (Settling::Prefix, false) => {}
        }
        if case.settling == Settling::Each {
            assert_eq!(world.settled.len() - settled, world.given.iter().filter(good).count(), "seed {seed}");
        }
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

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_settled_where_it_goes_and_the_rest_is_waited_for_when_it_cannot() {
    let is_refused = |outcome: &Outcome| matches!(outcome, Outcome::Refused(_));
    for case in cases().filter(|case| case.refuses && !case.bulk && case.settling == Settling::Each) {
        for room in [0, 3, 400] {
            let case = Case { grave: Some(room), ..case };
            let (world, _, ended) = case.run(Limits::default(), Shutdown::new(None)).await;
            let (world, seed) = (world.borrow(), case.seed);
            let good = world.outcomes.values().filter(|outcome| **outcome == Outcome::Confirmed).count();
            assert_eq!(world.settled.len(), good + world.buried.len(), "seed {seed}, room {room}");
            assert_eq!(world.outcomes.len(), world.given.len(), "seed {seed}: each was waited for");
            let refused = world.outcomes.values().filter(|outcome| is_refused(outcome)).count();
            assert_eq!(world.buried.len(), refused.min(room), "seed {seed}, room {room}");
            assert!(ended.is_err() && (room < 400 || world.given.len() == 400), "seed {seed}");
        }
    }
}
