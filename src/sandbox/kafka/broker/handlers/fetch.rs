//! Fetch: batches are read, and waited for.

use std::rc::Rc;
use std::time::Duration;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::FetchRequest;
use kafka_protocol::protocol::StrBytes;
use tokio::sync::Notify;
use tokio::time::timeout_at;
use uuid::Uuid;

use super::super::auth::{Operation, Resource};
use super::super::sessions::{Asked, Change, MOST_ASKED, Place, Plan, Told};
use super::super::time::Now;
use super::super::topic::Partition;
use super::super::wire::{Answer, Frame};
use super::super::{Broker, Caller, Shared};
use super::fetch_answer::{self, Part, Read};

/// Kafka's `fetch.max.bytes` of a broker.
const MOST: usize = 55 << 20;

/// What a request says for all its partitions.
struct Terms {
    version: i16,
    committed_only: bool,
    most: usize,
    enough: usize,
}

/// Answers when there is enough, or the client has waited for long enough.
///
/// # Errors
/// When it is no such request.
pub(crate) async fn answer(shared: &Shared, caller: &Caller, frame: &Frame) -> Answer {
    let request = frame.request::<FetchRequest>()?;
    let terms = Terms {
        version: frame.version,
        committed_only: request.isolation_level == 1,
        most: usize::try_from(request.max_bytes).unwrap_or_default().min(MOST),
        enough: usize::try_from(request.min_bytes).unwrap_or_default().min(MOST),
    };
    let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or_default());
    let now = Now::get();
    let asked: usize = request.topics.iter().map(|topic| topic.partitions.len()).sum();
    if asked > MOST_ASKED {
        return fetch_answer::refused(frame, ResponseError::InvalidRequest);
    }
    let planned = shared.borrow_mut().fetches.take(change(request, frame.version), now.mono);
    let plan = match planned {
        Ok(plan) => plan,
        Err(error) => return fetch_answer::refused(frame, error),
    };
    let waits = shared.borrow().fetches.wait(plan.asked.len());
    let until = tokio::time::Instant::from_std(now.mono) + if waits.is_some() { wait } else { Duration::ZERO };
    let notify = Rc::new(Notify::new());
    let parts = loop {
        let (parts, is_done) = {
            let broker = shared.borrow();
            let parts = read_all(&broker, caller, &terms, &plan);
            let is_late = tokio::time::Instant::now() >= until || caller.behind.is_there();
            let is_done = is_late || is_enough(&parts, &terms);
            if !is_done {
                wait_for(&broker, &plan, &notify);
            }
            (parts, is_done)
        };
        if is_done {
            break parts;
        }
        drop(parts);
        // What comes in a row is looked at once.
        tokio::select! {
            _ = timeout_at(until, notify.notified()) => {}
            () = caller.behind.comes() => {}
        }
    };
    let mut broker = shared.borrow_mut();
    let told = |broker: &mut Broker, part: &Part| {
        let told = part.result.as_ref().ok().filter(|read| read.diverging.is_none()).map(|read| read.told);
        let has_records = part.result.as_ref().is_ok_and(|read| read.slice.size > 0);
        broker.fetches.tell(&plan, &part.place, told, has_records)
    };
    let parts: Vec<Part> = parts.into_iter().filter(|part| told(&mut broker, part)).collect();
    fetch_answer::frame(&broker, frame, plan.session, &parts)
}

/// What the request has for its session.
fn change(request: FetchRequest, version: i16) -> Change {
    let by_id = version >= 13;
    let place = |name: &StrBytes, id: Uuid, partition| Place {
        name: if by_id { StrBytes::default() } else { name.clone() },
        id: if by_id { id } else { Uuid::nil() },
        partition,
    };
    let mut asked = Vec::new();
    for topic in &request.topics {
        asked.extend(topic.partitions.iter().map(|partition| {
            let asked = Asked {
                offset: partition.fetch_offset,
                most: partition.partition_max_bytes,
                leader_epoch: partition.current_leader_epoch,
                last_epoch: partition.last_fetched_epoch,
            };
            (place(&topic.topic.0, topic.topic_id, partition.partition), asked)
        }));
    }
    let mut forgotten = Vec::new();
    for topic in &request.forgotten_topics_data {
        forgotten.extend(topic.partitions.iter().map(|index| place(&topic.topic.0, topic.topic_id, *index)));
    }
    // Before version 7 there are no sessions.
    let (session, epoch) = if version < 7 { (0, -1) } else { (request.session_id, request.session_epoch) };
    Change { session, epoch, by_id, asked, forgotten }
}

fn is_enough(parts: &[Part], terms: &Terms) -> bool {
    let mut size = 0_usize;
    for part in parts {
        match &part.result {
            Ok(read) if read.diverging.is_none() => size = size.saturating_add(read.slice.size),
            _ => return true,
        }
    }
    size >= terms.enough || parts.is_empty()
}

fn wait_for(broker: &Broker, plan: &Plan, notify: &Rc<Notify>) {
    for (place, _) in &plan.asked {
        let name = name_of(broker, place);
        if let Some(partition) = name.and_then(|name| broker.topics.partition(name, place.partition)) {
            partition.wait(notify);
        }
    }
}

fn name_of<'a>(broker: &'a Broker, place: &'a Place) -> Option<&'a StrBytes> {
    if place.id.is_nil() { Some(&place.name) } else { broker.topics.name_of(place.id) }
}

fn read_all(broker: &Broker, caller: &Caller, terms: &Terms, plan: &Plan) -> Vec<Part> {
    let mut room = terms.most.min(broker.unsent.room());
    let mut is_first = true;
    let mut parts = Vec::with_capacity(plan.asked.len());
    // The partitions of a topic come together, as a rule.
    let mut known: Option<(&Place, Result<&StrBytes, ResponseError>)> = None;
    for (place, asked) in &plan.asked {
        let same = known.as_ref().filter(|(last, _)| last.id == place.id && last.name == place.name);
        let topic = match same {
            Some((_, topic)) => *topic,
            None => topic(broker, caller, place),
        };
        known = Some((place, topic));
        let partition = topic.and_then(|name| {
            let unknown = ResponseError::UnknownTopicOrPartition;
            broker.topics.partition(name, place.partition).ok_or(unknown)
        });
        let result = partition.and_then(|partition| read(caller, terms, partition, asked, (room, is_first)));
        let is_elsewhere = matches!(result, Err(ResponseError::NotLeaderOrFollower | ResponseError::FencedLeaderEpoch));
        let leader = partition.ok().filter(|_| is_elsewhere).map(|it| (it.leader, it.leader_epoch));
        if let Ok(read) = &result
            && read.slice.size > 0
        {
            is_first = false;
            room = room.saturating_sub(read.slice.size);
        }
        parts.push(Part { place: place.clone(), result, leader });
    }
    parts
}

/// The name of a topic that may be read.
fn topic<'a>(broker: &'a Broker, caller: &Caller, place: &'a Place) -> Result<&'a StrBytes, ResponseError> {
    let name = name_of(broker, place).ok_or(ResponseError::UnknownTopicId)?;
    if let Some(error) = caller.fault(Some(name), None) {
        return Err(error);
    }
    let may = broker.allowed(caller, Operation::Read, Resource::Topic(name));
    if may { Ok(name) } else { Err(ResponseError::TopicAuthorizationFailed) }
}

/// Reads a partition, into what room there is.
fn read(
    caller: &Caller,
    terms: &Terms,
    partition: &Partition,
    asked: &Asked,
    (room, is_first): (usize, bool),
) -> Result<Read, ResponseError> {
    partition.check_epoch(asked.leader_epoch)?;
    // From version 11 on followers may be read, too (KIP-392).
    let may = partition.leader == caller.node || (terms.version >= 11 && partition.isr.contains(&caller.node));
    if !may || partition.leader == -1 {
        return Err(ResponseError::NotLeaderOrFollower);
    }
    let log = &partition.log;
    let told = Told {
        high_watermark: log.high_watermark(),
        last_stable: log.last_stable_offset(),
        log_start: log.start_offset(),
    };
    if asked.last_epoch >= 0 {
        let (epoch, end) = log.end_of_epoch(asked.last_epoch);
        if epoch == -1 {
            return Err(ResponseError::OffsetOutOfRange);
        }
        if epoch < asked.last_epoch || end < asked.offset {
            return Ok(Read { told, diverging: Some((epoch, end)), ..Read::default() });
        }
    }
    let most = usize::try_from(asked.most).unwrap_or_default().min(room);
    let to = log.readable_to(terms.committed_only);
    let slice = log.read(asked.offset, to, most, is_first).map_err(|refusal| refusal.error)?;
    let aborted = terms.committed_only.then(|| log.aborted(asked.offset, slice.end).collect());
    Ok(Read { told, slice, aborted, diverging: None })
}
