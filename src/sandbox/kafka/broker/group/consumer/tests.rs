use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use uuid::Uuid;

use super::super::Catalogue;
use super::super::assign::Assigned;
use super::super::classic::member::Join;
use super::super::classic::{Classic, Credentials};
use super::super::subscription;
use super::Consumer;
use super::member::{Beat, Told};

#[derive(Default)]
struct Topics(BTreeMap<String, (Uuid, i32)>, u64);

impl Topics {
    fn set(&mut self, name: &str, id: u128, partitions: i32) {
        self.0.insert(name.to_owned(), (Uuid::from_u128(id), partitions));
        self.1 += 1;
    }
}

impl Catalogue for Topics {
    fn changes(&self) -> u64 {
        self.1
    }

    fn find(&self, name: &str) -> Option<(Uuid, i32)> {
        self.0.get(name).copied()
    }

    fn each(&self, see: &mut dyn FnMut(&str, Uuid, i32)) {
        self.0.iter().for_each(|(name, (id, partitions))| see(name, *id, *partitions));
    }
}

fn topics() -> Topics {
    let mut topics = Topics::default();
    topics.set("t", 1, 4);
    topics
}

fn joins(id: &str) -> Beat {
    Beat {
        member_id: id.to_owned(),
        rebalance_timeout: Some(Duration::from_secs(60)),
        topics: Some(vec!["t".to_owned()]),
        owned: Some(Assigned::new()),
        ..Beat::default()
    }
}

fn stays(id: &str, epoch: i32) -> Beat {
    Beat { member_id: id.to_owned(), epoch, ..Beat::default() }
}

fn has(partitions: &[i32]) -> Assigned {
    Assigned::from([(Uuid::from_u128(1), partitions.iter().copied().collect())])
}

fn beat(group: &mut Consumer, beat: &Beat, topics: &Topics, now: Instant) -> Told {
    group.heartbeat("g", beat, topics, now).unwrap()
}

fn refused(group: &mut Consumer, beat: &Beat, topics: &Topics, now: Instant) -> ResponseError {
    group.heartbeat("g", beat, topics, now).unwrap_err().error
}

#[test]
fn partitions_are_given_up_before_others_get_them() {
    let (mut group, topics, now) = (Consumer::new(), topics(), Instant::now());
    let a = beat(&mut group, &joins("a"), &topics, now);
    assert_eq!((a.epoch, a.assignment), (1, Some(has(&[0, 1, 2, 3]))));
    assert_eq!(group.state(), "Stable");
    let b = beat(&mut group, &joins("b"), &topics, now);
    assert_eq!((b.epoch, b.assignment), (2, Some(Assigned::new())));
    // The first learns that it is to give up two, and stays in its epoch until it has.
    let a = beat(&mut group, &stays("a", 1), &topics, now);
    assert_eq!((a.epoch, a.assignment), (1, Some(has(&[0, 1]))));
    assert_eq!(group.state(), "Reconciling");
    let b = beat(&mut group, &stays("b", 2), &topics, now);
    assert_eq!((b.epoch, b.assignment), (2, None));
    let a = beat(&mut group, &Beat { owned: Some(has(&[0, 1, 2])), ..stays("a", 1) }, &topics, now);
    assert_eq!((a.epoch, a.assignment), (1, None));
    let a = beat(&mut group, &Beat { owned: Some(has(&[0, 1])), ..stays("a", 1) }, &topics, now);
    assert_eq!((a.epoch, a.assignment), (2, None));
    let b = beat(&mut group, &stays("b", 2), &topics, now);
    assert_eq!((b.epoch, b.assignment), (2, Some(has(&[2, 3]))));
    assert_eq!(group.state(), "Stable");
    assert!(b.interval < Duration::from_millis(100));
}

#[test]
fn epochs_that_are_not_the_member_s_are_fenced() {
    let (mut group, topics, now) = (Consumer::new(), topics(), Instant::now());
    beat(&mut group, &joins("a"), &topics, now);
    beat(&mut group, &joins("b"), &topics, now);
    assert_eq!(refused(&mut group, &stays("a", 7), &topics, now), ResponseError::FencedMemberEpoch);
    assert_eq!(refused(&mut group, &stays("c", 1), &topics, now), ResponseError::UnknownMemberId);
    // One that has not heard of its last epoch may say the one before, with nothing that is not its own.
    let behind = Beat { owned: Some(Assigned::new()), ..stays("a", 0) };
    beat(&mut group, &behind, &topics, now);
    let too_much = Beat { owned: Some(has(&[0, 9])), ..stays("a", 0) };
    assert_eq!(refused(&mut group, &too_much, &topics, now), ResponseError::FencedMemberEpoch);
}

#[test]
fn who_is_silent_or_keeps_what_it_is_to_give_up_is_taken_out() {
    let (mut group, topics, now) = (Consumer::new(), topics(), Instant::now());
    beat(&mut group, &joins("a"), &topics, now);
    beat(&mut group, &joins("b"), &topics, now);
    beat(&mut group, &Beat { rebalance_timeout: Some(Duration::from_secs(5)), ..stays("a", 1) }, &topics, now);
    assert_eq!(group.next_wake(), Some(now + Duration::from_secs(5)));
    group.tick(&topics, now + Duration::from_secs(5));
    assert!(!group.members.contains_key("a"));
    let b = beat(&mut group, &stays("b", 2), &topics, now + Duration::from_secs(5));
    assert_eq!((b.epoch, b.assignment), (3, Some(has(&[0, 1, 2, 3]))));
    group.tick(&topics, now + Duration::from_secs(50));
    assert_eq!(group.state(), "Empty");
}

#[test]
fn a_static_member_comes_back_to_what_it_had() {
    let (mut group, topics, now) = (Consumer::new(), topics(), Instant::now());
    let of = |beat: Beat| Beat { instance: Some("i".to_owned()), ..beat };
    beat(&mut group, &of(joins("a")), &topics, now);
    let other = of(joins("b"));
    assert_eq!(refused(&mut group, &other, &topics, now), ResponseError::UnreleasedInstanceId);
    beat(&mut group, &of(stays("a", -2)), &topics, now);
    let back = beat(&mut group, &other, &topics, now);
    assert_eq!((back.epoch, back.assignment), (1, Some(has(&[0, 1, 2, 3]))));
    assert_eq!(refused(&mut group, &of(stays("a", 1)), &topics, now), ResponseError::FencedInstanceId);
    assert_eq!(
        refused(&mut group, &Beat { instance: Some("j".into()), ..stays("a", 1) }, &topics, now),
        ResponseError::UnknownMemberId
    );
    beat(&mut group, &of(stays("b", -1)), &topics, now);
    assert_eq!(group.state(), "Empty");
}

#[test]
fn an_administrator_names_a_static_member_by_its_instance() {
    let (mut group, topics, now) = (Consumer::new(), topics(), Instant::now());
    beat(&mut group, &Beat { instance: Some("i".to_owned()), ..joins("a") }, &topics, now);
    assert_eq!(group.leaves_old("", Some("i")), Ok("a".to_owned()));
    assert_eq!(group.leaves_old("", Some("j")), Err(ResponseError::UnknownMemberId));
    assert_eq!(group.leaves_old("b", Some("i")), Err(ResponseError::FencedInstanceId));
    // It does not speak the protocol of this request, and leaves by its own.
    assert_eq!(group.leaves_old("a", None), Err(ResponseError::UnknownMemberId));
}

#[test]
fn topics_that_come_and_grow_are_shared_out() {
    let (mut group, mut topics, now) = (Consumer::new(), topics(), Instant::now());
    let by_pattern = Beat { topics: None, regex: Some("t|u.*".to_owned()), ..joins("a") };
    assert_eq!(beat(&mut group, &by_pattern, &topics, now).assignment, Some(has(&[0, 1, 2, 3])));
    topics.set("other", 2, 1);
    assert_eq!(beat(&mut group, &stays("a", 1), &topics, now).assignment, None);
    topics.set("u1", 3, 1);
    let more = beat(&mut group, &stays("a", 1), &topics, now);
    assert_eq!((more.epoch, more.assignment.unwrap().len()), (2, 2));
    topics.0.remove("u1");
    topics.set("t", 1, 5);
    // What is gone is to be given up first.
    let fewer = beat(&mut group, &stays("a", 2), &topics, now);
    assert_eq!((fewer.epoch, fewer.assignment), (2, Some(has(&[0, 1, 2, 3]))));
    let done = beat(&mut group, &Beat { owned: Some(has(&[0, 1, 2, 3])), ..stays("a", 2) }, &topics, now);
    assert_eq!((done.epoch, done.assignment), (3, Some(has(&[0, 1, 2, 3, 4]))));
    let nonsense = Beat { regex: Some("a(".to_owned()), ..joins("b") };
    assert_eq!(refused(&mut group, &nonsense, &topics, now), ResponseError::InvalidRegularExpression);
    assert!(group.subscribes("u2") && !group.subscribes("other"));
}

#[test]
fn a_group_moves_to_the_new_protocol_and_back_while_it_lives() {
    let (topics, now) = (topics(), Instant::now());
    // A subscription of version 1 to `t`, with partitions of it that the member has.
    let said = |owned: &[u8]| {
        let mut said = b"\0\x01\0\0\0\x01\0\x01t\xff\xff\xff\xff\0\0\0\x01\0\x01t\0\0\0".to_vec();
        said.push(u8::try_from(owned.len()).unwrap());
        owned.iter().for_each(|partition| said.extend([0, 0, 0, *partition]));
        Bytes::from(said)
    };
    let ask = |id: &str, owned: &[u8]| Join {
        member_id: id.to_owned(),
        instance: None,
        client_id: "c".to_owned(),
        host: String::new(),
        session_timeout: Duration::from_secs(10),
        rebalance_timeout: Duration::from_secs(60),
        protocol_type: "consumer".to_owned(),
        protocols: vec![("cooperative-sticky".to_owned(), said(owned))],
        asks_twice: true,
        may_skip: true,
    };
    let assignment = subscription::write_assignment(1, &[("t".to_owned(), vec![0, 1, 2, 3])]);
    let mut classic = Classic::of_members(7, vec![(ask("old", &[]), assignment)], now);
    let mut group = Consumer::from_classic(&mut classic, &topics, now).unwrap();
    assert!(group.is_old() && group.epoch == 7);
    beat(&mut group, &joins("new"), &topics, now);
    let who = |generation| Credentials { member_id: "old", instance: None, generation };
    assert_eq!(group.heartbeat_old(who(7), now), Err(ResponseError::RebalanceInProgress));
    let joined = group.join_old(&ask("old", &[0, 1, 2, 3]), &topics, now);
    assert_eq!((joined.error, joined.generation), (None, 7));
    let has = |partitions: &[i32]| subscription::write_assignment(1, &[("t".to_owned(), partitions.to_vec())]);
    let kept = group.sync_old(who(7), None, now).assignment;
    assert!(kept == has(&[0, 1]) || kept == has(&[2, 3]), "{kept:?}");
    let owned: &[u8] = if kept == has(&[0, 1]) { &[0, 1] } else { &[2, 3] };
    assert_eq!(group.join_old(&ask("old", owned), &topics, now).generation, 8);
    assert_eq!(group.heartbeat_old(who(8), now), Ok(()));
    assert_eq!(beat(&mut group, &stays("new", 8), &topics, now).assignment.unwrap().len(), 1);
    assert_eq!(group.state(), "Stable");
    beat(&mut group, &stays("new", -1), &topics, now);
    assert!(group.is_old() && group.epoch == 8);
    let mut classic = group.to_classic(now);
    assert_eq!(classic.heartbeat(who(8), now), Err(ResponseError::RebalanceInProgress));
}
