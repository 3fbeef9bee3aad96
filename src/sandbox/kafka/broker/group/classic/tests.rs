use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use tokio::sync::oneshot::{self, Receiver};

use super::member::{Join, Joined, Synced};
use super::{Classic, Credentials, State};

fn ask(id: &str) -> Join {
    Join {
        member_id: id.to_owned(),
        instance: None,
        client_id: "c".to_owned(),
        host: "/127.0.0.1".to_owned(),
        session_timeout: Duration::from_secs(10),
        rebalance_timeout: Duration::from_secs(60),
        protocol_type: "consumer".to_owned(),
        protocols: vec![("range".to_owned(), Bytes::from_static(b"r"))],
        asks_twice: false,
        may_skip: true,
    }
}

fn of_instance(instance: &str) -> Join {
    Join { instance: Some(instance.to_owned()), ..ask("") }
}

fn join(group: &mut Classic, join: &Join, now: Instant) -> Receiver<Joined> {
    let (reply, answer) = oneshot::channel();
    group.join(join, now, reply);
    answer
}

fn sync(group: &mut Classic, who: &Joined, given: &[(&str, &'static str)], now: Instant) -> Receiver<Synced> {
    let (reply, answer) = oneshot::channel();
    let given = given.iter().map(|(id, given)| ((*id).to_owned(), Bytes::from_static(given.as_bytes()))).collect();
    group.sync(credentials(who), None, None, given, now, reply);
    answer
}

fn credentials(who: &Joined) -> Credentials<'_> {
    Credentials { member_id: &who.member_id, instance: None, generation: who.generation }
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Two members that have settled; the first leads.
fn two(now: Instant) -> (Classic, Joined, Joined) {
    let mut group = Classic::default();
    let (mut a, mut b) = (join(&mut group, &ask(""), now), join(&mut group, &ask(""), now + ms(10)));
    group.tick(now + ms(90));
    let (a, b) = (a.try_recv().unwrap(), b.try_recv().unwrap());
    let (leader, other) = if a.members.is_empty() { (b, a) } else { (a, b) };
    let mut waits = sync(&mut group, &other, &[], now + ms(91));
    assert!(waits.try_recv().is_err());
    let given = [(leader.member_id.as_str(), "one"), (other.member_id.as_str(), "two")];
    let mut leads = sync(&mut group, &leader, &given, now + ms(92));
    assert_eq!(leads.try_recv().unwrap().assignment, "one");
    assert_eq!(waits.try_recv().unwrap().assignment, "two");
    assert_eq!(group.state, State::Stable);
    (group, leader, other)
}

#[test]
fn the_first_generation_gathers_for_a_while_and_no_longer() {
    let now = Instant::now();
    let mut group = Classic::default();
    let mut a = join(&mut group, &ask(""), now);
    assert_eq!(group.next_wake(), Some(now + ms(40)));
    let mut b = join(&mut group, &ask(""), now + ms(30));
    group.tick(now + ms(40));
    assert!(a.try_recv().is_err());
    let mut c = join(&mut group, &ask(""), now + ms(70));
    group.tick(now + ms(80));
    group.tick(now + ms(85));
    let joined = [a.try_recv().unwrap(), b.try_recv().unwrap(), c.try_recv().unwrap()];
    assert!(
        joined.iter().all(|joined| joined.generation == 1 && joined.leader == joined_leader(&joined.leader, &group))
    );
    assert_eq!(joined.iter().map(|joined| joined.members.len()).sum::<usize>(), 3);
}

fn joined_leader(is: &str, group: &Classic) -> String {
    assert_eq!(group.leader.as_deref(), Some(is));
    is.to_owned()
}

#[test]
fn who_has_no_id_is_given_one_and_is_waited_for() {
    let now = Instant::now();
    let mut group = Classic::default();
    let first = join(&mut group, &Join { asks_twice: true, ..ask("") }, now).try_recv().unwrap();
    assert_eq!(first.error, Some(ResponseError::MemberIdRequired));
    assert!(first.member_id.starts_with("c-") && group.next_wake().is_some());
    let mut second = join(&mut group, &Join { asks_twice: true, ..ask(&first.member_id) }, now);
    group.tick(now + ms(40));
    assert_eq!(second.try_recv().unwrap().member_id, first.member_id);
    let unknown = join(&mut group, &ask("other"), now).try_recv().unwrap();
    assert_eq!(unknown.error, Some(ResponseError::UnknownMemberId));
}

#[test]
fn a_join_makes_all_members_join_again() {
    let now = Instant::now();
    let (mut group, leader, other) = two(now);
    let later = now + ms(1000);
    let mut new = join(&mut group, &ask(""), later);
    for member in [&leader, &other] {
        assert_eq!(group.heartbeat(credentials(member), later), Err(ResponseError::RebalanceInProgress));
    }
    let mut again = join(&mut group, &ask(&leader.member_id), later);
    assert!(new.try_recv().is_err());
    let mut last = join(&mut group, &ask(&other.member_id), later + ms(50));
    let generations = [&mut new, &mut again, &mut last].map(|answer| answer.try_recv().unwrap().generation);
    assert_eq!(generations, [2, 2, 2]);
    let old = group.heartbeat(credentials(&leader), later);
    assert_eq!(old, Err(ResponseError::IllegalGeneration));
}

#[test]
fn who_does_not_join_again_is_left_out() {
    let now = Instant::now();
    let (mut group, leader, other) = two(now);
    let mut again = join(&mut group, &ask(&leader.member_id), now + ms(1000));
    // Its session ends before the time to join again does.
    group.tick(now + ms(11_000));
    let joined = again.try_recv().unwrap();
    assert_eq!((joined.generation, joined.members.len()), (2, 1));
    assert_eq!(group.heartbeat(credentials(&other), now), Err(ResponseError::UnknownMemberId));
}

#[test]
fn a_group_that_all_have_left_is_empty() {
    let now = Instant::now();
    let (mut group, leader, other) = two(now);
    let who = [(leader.member_id.clone(), None), ("nobody".to_owned(), None), (other.member_id.clone(), None)];
    assert_eq!(group.leave(&who, now), [Ok(()), Err(ResponseError::UnknownMemberId), Ok(())]);
    assert_eq!((group.state, group.generation), (State::Empty, 2));
    assert!(group.next_wake().is_none());
    let nobody = Credentials { member_id: "", instance: None, generation: -1 };
    assert_eq!(group.check_commit(nobody, false), Ok(()));
}

#[test]
fn a_simple_consumer_may_not_commit_to_a_group_that_lives() {
    let now = Instant::now();
    let (mut group, leader, _) = two(now);
    let nobody = Credentials { member_id: "", instance: None, generation: -1 };
    assert_eq!(group.check_commit(nobody, false), Err(ResponseError::UnknownMemberId));
    assert_eq!(group.check_commit(nobody, true), Ok(()));
    assert_eq!(group.check_commit(credentials(&leader), false), Ok(()));
    let old = Credentials { generation: 0, ..credentials(&leader) };
    assert_eq!(group.check_commit(old, true), Err(ResponseError::IllegalGeneration));
    let _waits = join(&mut group, &ask(&leader.member_id), now);
    assert_eq!(group.check_commit(credentials(&leader), false), Ok(()));
}

#[test]
fn a_static_member_comes_back_without_a_rebalance_and_fences_who_was_it() {
    let now = Instant::now();
    let mut group = Classic::default();
    let mut first = join(&mut group, &of_instance("i"), now);
    group.tick(now + ms(40));
    let first = first.try_recv().unwrap();
    let who = Credentials { instance: Some("i"), ..credentials(&first) };
    let (reply, mut answer) = oneshot::channel();
    group.sync(who, None, None, vec![(first.member_id.clone(), Bytes::from_static(b"x"))], now, reply);
    assert_eq!(answer.try_recv().unwrap().assignment, "x");
    let second = join(&mut group, &of_instance("i"), now).try_recv().unwrap();
    assert_eq!((second.error, second.generation, second.skip_assignment), (None, 1, true));
    assert_ne!(second.member_id, first.member_id);
    assert_eq!((second.leader.as_str(), second.members.len()), (second.member_id.as_str(), 1));
    assert_eq!(group.heartbeat(who, now), Err(ResponseError::FencedInstanceId));
    let third = join(&mut group, &Join { may_skip: false, ..of_instance("i") }, now).try_recv().unwrap();
    assert_eq!((third.leader, third.members.len()), (second.member_id, 0));
    // Whoever knows the instance can take it out.
    assert_eq!(group.leave(&[(String::new(), Some("i".to_owned()))], now), [Ok(())]);
    assert_eq!(group.state, State::Empty);
}

#[test]
fn the_protocol_is_what_all_have_and_most_prefer() {
    let now = Instant::now();
    let said = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), Bytes::new())).collect::<Vec<_>>();
    let mut group = Classic::default();
    let mut all = Vec::new();
    for names in [&["a", "b", "c"][..], &["b", "c"], &["c", "b"]] {
        all.push(join(&mut group, &Join { protocols: said(names), ..ask("") }, now));
    }
    let other = join(&mut group, &Join { protocols: said(&["a"]), ..ask("") }, now).try_recv().unwrap();
    assert_eq!(other.error, Some(ResponseError::InconsistentGroupProtocol));
    group.tick(now + ms(85));
    assert!(all.into_iter().all(|mut one| one.try_recv().unwrap().protocol.as_deref() == Some("b")));
    let other = join(&mut group, &Join { protocol_type: "connect".into(), ..ask("") }, now).try_recv().unwrap();
    assert_eq!(other.error, Some(ResponseError::InconsistentGroupProtocol));
}

#[test]
fn who_does_not_ask_for_its_assignment_is_left_out() {
    let now = Instant::now();
    let mut group = Classic::default();
    let mut one = join(&mut group, &Join { session_timeout: Duration::from_secs(100), ..ask("") }, now);
    group.tick(now + ms(40));
    assert_eq!(one.try_recv().unwrap().generation, 1);
    group.tick(now + ms(60_041));
    assert_eq!(group.state, State::Empty);
}

#[test]
fn who_has_gone_before_its_first_generation_has_never_been_there() {
    let now = Instant::now();
    let mut group = Classic::default();
    let (mut a, b) = (join(&mut group, &ask(""), now), join(&mut group, &ask(""), now));
    drop(b);
    group.tick(now + ms(85));
    assert_eq!(a.try_recv().unwrap().members.len(), 1);
}
