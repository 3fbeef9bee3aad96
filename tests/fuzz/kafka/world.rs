//! The brokers, their clients, and what has to be true of both.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Buf, Bytes};
use kafka_protocol::messages::{
    ApiKey, FetchResponse, OffsetCommitResponse, ProduceResponse, ResponseHeader, ResponseKind, TransactionalId,
};
use kafka_protocol::protocol::{Decodable, StrBytes};
use uuid::Uuid;

use crate::asks::{GROUPS, TOPICS};
use crate::broker::api;
use crate::broker::auth::login::{Login, Next};
use crate::broker::cluster::{Cluster, Node};
use crate::broker::time::Now;
use crate::broker::topic::Partition;
use crate::broker::wire::Answer;
use crate::broker::wire::reply::Reply;
use crate::broker::{Broker, Caller, Options, Shared};
use crate::records;

pub(crate) const CLIENTS: usize = 3;

/// Little, so that the oldest records go now and then.
const MEMORY: usize = 32 << 10;

/// A partition.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    topic: String,
    partition: i32,
}

impl Place {
    pub(crate) fn new(topic: &str, partition: i32) -> Place {
        Place { topic: topic.to_owned(), partition }
    }
}

/// What a request is about, as far as that matters when it is answered.
#[derive(Debug, Clone)]
pub(crate) enum About {
    /// `is_fine` says that the batch is in order.
    Produce {
        place: Place,
        number: u32,
        count: usize,
        is_fine: bool,
    },
    Commit {
        group: u8,
        place: Place,
        offset: i64,
    },
    Join(u8),
    Consume(u8),
    Init,
    End,
    Other,
}

type Waiting = Pin<Box<dyn Future<Output = Answer>>>;

pub(crate) struct Client {
    caller: Caller,
    login: Login,
    waiting: Option<(ApiKey, i16, About, Waiting)>,
    pub producer: (i64, i16),
    pub sequences: HashMap<(i64, Place), i32>,
    /// The last Produce: topic, partition, acks, transaction, the batch, and what is known of it.
    pub last: Option<(u8, u8, i8, Option<TransactionalId>, Bytes, About)>,
    /// Its id and generation, or epoch, by group.
    pub members: HashMap<u8, (StrBytes, i32)>,
    pub owned: BTreeMap<Uuid, Vec<i32>>,
    pub session: (i32, i32),
}

pub(crate) struct World {
    shared: Shared,
    pub clients: Vec<Client>,
    nodes: i32,
    logs_in: bool,
    /// What has been written where: numbers of records.
    written: HashMap<(Uuid, i32), BTreeMap<i64, u32>>,
    numbers: u32,
    /// Something was sent that may have written records that nobody knows of.
    unknown: bool,
    /// How much later it is than the clock says, in milliseconds.
    later: i64,
}

impl World {
    pub(crate) fn new(three: bool, users: bool, acl: bool, topics: u8) -> World {
        let nodes = if three { 3 } else { 1 };
        let node = |id| Node { id, host: StrBytes::from_static_str("h"), port: 9092, alive: true };
        let cluster =
            Cluster { id: StrBytes::from_static_str("sandboxsandboxsandboxs"), nodes: (1..=nodes).map(node).collect() };
        let users = if users { vec![("u".to_owned(), "p".to_owned())] } else { Vec::new() };
        let logs_in = !users.is_empty();
        let options = Options { memory: MEMORY, users, acl, ..Options::default() };
        let shared: Shared = Rc::new(RefCell::new(Broker::with(cluster, options)));
        let mut world = World {
            shared,
            clients: Vec::new(),
            nodes,
            logs_in,
            written: HashMap::new(),
            numbers: 0,
            unknown: false,
            later: 0,
        };
        for client in 0..CLIENTS {
            let client = world.connect(client);
            world.clients.push(client);
        }
        for topic in TOPICS.iter().take(topics.into()) {
            world.create(topic);
        }
        world
    }

    /// Metadata, version 4, which makes the topic.
    fn create(&mut self, topic: &str) {
        let mut bytes = b"\0\x03\0\x04\0\0\0\x07\0\0\0\0\0\x01\0".to_vec();
        bytes.push(u8::try_from(topic.len()).expect("short"));
        bytes.extend_from_slice(topic.as_bytes());
        bytes.push(1);
        self.send(0, &bytes.into(), About::Other);
    }

    /// A new connection, which has logged in if that is asked for; the last client leaves that to chance.
    fn connect(&self, client: usize) -> Client {
        let node = i32::try_from(client).expect("few") % self.nodes + 1;
        let mut login = Login::new(self.shared.borrow().security.login);
        let mut principal = StrBytes::from_static_str("User:ANONYMOUS");
        if self.logs_in && client < CLIENTS - 1 {
            for frame in [b"\0\x11\0\x01\0\0\0\0\0\0\0\x05PLAIN".as_slice(), b"\0\x24\0\0\0\0\0\0\0\0\0\0\0\x04\0u\0p"]
            {
                let security = &mut self.shared.borrow_mut().security;
                let next = login.take(security, &Bytes::from_static(frame), Now::get());
                assert!(matches!(next, Ok(Next::Answer { ends: false, .. })), "{next:?}");
            }
            principal = login.principal().expect("logged in").clone();
        }
        let client_id = StrBytes::default();
        let host = StrBytes::from_static_str("/127.0.0.1");
        Client {
            caller: Caller { node, client_id, host, principal, faults: None, behind: Rc::default() },
            login,
            waiting: None,
            producer: (-1, -1),
            sequences: HashMap::new(),
            last: None,
            members: HashMap::new(),
            owned: BTreeMap::new(),
            session: (0, 0),
        }
    }

    pub(crate) fn reconnect(&mut self, client: usize) {
        let new = self.connect(client);
        let old = &mut self.clients[client];
        old.waiting = None;
        (old.caller, old.login) = (new.caller, new.login);
    }

    pub(crate) fn set_alive(&mut self, node: u8, alive: bool) {
        self.shared.borrow_mut().set_alive(i32::from(node) % self.nodes + 1, alive);
    }

    /// Numbers for so many records; the first.
    pub(crate) fn next_number(&mut self, count: usize) -> u32 {
        let number = self.numbers;
        self.numbers += u32::try_from(count).expect("few");
        number
    }

    pub(crate) fn topic_id(&self, name: &str) -> Uuid {
        self.shared.borrow().topics.get(name).map_or(Uuid::from_u128(7), |topic| topic.id)
    }

    /// Sends what may be anything.
    pub(crate) fn strange(&mut self, client: usize, bytes: &Bytes) {
        // Only what is a Produce, or ends in the middle of one, writes.
        self.unknown |= bytes.starts_with(b"\0\0");
        self.send(client, bytes, About::Other);
    }

    /// Sends a frame, unless the client still waits for an answer. It may get it at once.
    pub(crate) fn send(&mut self, client: usize, bytes: &Bytes, about: About) {
        if self.clients[client].waiting.is_some() {
            return;
        }
        let before = self.end_of(&about);
        let one = &mut self.clients[client];
        let next = one.login.take(&mut self.shared.borrow_mut().security, bytes, Now::get());
        let frame = match next {
            Ok(Next::Pass(frame)) => frame,
            Ok(Next::Answer { ends, .. }) => {
                one.caller.principal = one.login.principal().cloned().unwrap_or(one.caller.principal.clone());
                if ends {
                    self.reconnect(client);
                }
                return;
            }
            Err(_) => return self.reconnect(client),
        };
        one.caller.client_id = frame.client_id.clone().unwrap_or_default();
        let (shared, caller, key, version) = (self.shared.clone(), one.caller.clone(), frame.key, frame.version);
        let answer = Box::pin(async move { api::answer(&shared, &caller, &frame).await });
        one.waiting = Some((key, version, about.clone(), answer));
        self.go_on(client);
        self.see_written(&about, before);
    }

    /// Looks whether those who wait have got something.
    pub(crate) fn settle(&mut self) {
        (0..CLIENTS).for_each(|client| self.go_on(client));
    }

    fn go_on(&mut self, client: usize) {
        let Some((key, version, about, mut answer)) = self.clients[client].waiting.take() else { return };
        match answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => self.clients[client].waiting = Some((key, version, about, answer)),
            Poll::Ready(Ok(Some(reply))) => self.answered(client, key, version, about, reply),
            Poll::Ready(Ok(None)) => assert_eq!(key, ApiKey::Produce),
            Poll::Ready(Err(_)) => self.reconnect(client),
        }
    }

    /// Reads an answer, and takes what the client needs of it.
    fn answered(&mut self, client: usize, key: ApiKey, version: i16, about: About, mut reply: Reply) {
        let mut bytes = reply.copy_to_bytes(reply.remaining());
        let size = usize::try_from(bytes.get_i32()).expect("a size");
        assert_eq!(size, bytes.len());
        // Whoever asks for a version of ApiVersions that is not there is answered in the first.
        let version = if key == ApiKey::ApiVersions && !(0..=4).contains(&version) { 0 } else { version };
        ResponseHeader::decode(&mut bytes, key.response_header_version(version)).expect("a header");
        let answer = ResponseKind::decode(key, &mut bytes, version).expect("an answer of its version");
        assert!(bytes.is_empty(), "something is behind {answer:?}: {bytes:?}");
        match answer {
            ResponseKind::Fetch(answer) => self.see_fetched(client, &answer, version),
            ResponseKind::OffsetCommit(answer) => self.see_committed(&answer, &about),
            ResponseKind::Produce(answer) => self.see_produced(client, &answer, &about),
            ResponseKind::JoinGroup(answer) => {
                if let About::Join(group) = about
                    && !answer.member_id.is_empty()
                {
                    self.clients[client].members.insert(group % 3, (answer.member_id, answer.generation_id));
                }
            }
            ResponseKind::ConsumerGroupHeartbeat(answer) => {
                if let (About::Consume(group), Some(id)) = (about, answer.member_id) {
                    self.clients[client].members.insert(group % 3, (id, answer.member_epoch));
                    if let Some(assigned) = answer.assignment {
                        let owned = assigned.topic_partitions.into_iter().map(|it| (it.topic_id, it.partitions));
                        self.clients[client].owned = owned.collect();
                    }
                }
            }
            ResponseKind::InitProducerId(answer) if answer.error_code == 0 => {
                assert!(answer.producer_id.0 >= 0 && answer.producer_epoch >= 0);
                self.clients[client].producer = (answer.producer_id.0, answer.producer_epoch);
                let id = answer.producer_id.0;
                self.clients[client].sequences.retain(|(other, _), _| *other != id);
            }
            ResponseKind::EndTxn(answer) if answer.error_code == 0 && version >= 5 => {
                if matches!(about, About::End) {
                    self.clients[client].producer = (answer.producer_id.0, answer.producer_epoch);
                    self.clients[client].sequences.clear();
                }
            }
            _ => {}
        }
    }

    fn end_of(&self, about: &About) -> i64 {
        let About::Produce { place, .. } = about else { return 0 };
        self.shared.borrow().topics.partition(&place.topic, place.partition).map_or(0, |it| it.log.high_watermark())
    }

    /// Whatever a batch has been answered with: if it was written, its numbers are known.
    fn see_written(&mut self, about: &About, before: i64) {
        let About::Produce { place, number, count, is_fine } = about else { return };
        let id = self.topic_id(&place.topic);
        let grown = usize::try_from(self.end_of(about) - before).expect("a log does not shrink");
        if grown == 0 {
            return;
        }
        if !is_fine {
            // By chance it is in order all the same.
            self.unknown = true;
            return;
        }
        assert_eq!(grown, *count, "records of {about:?}");
        let written = self.written.entry((id, place.partition)).or_default();
        for index in 0..u32::try_from(*count).expect("few") {
            written.insert(before + i64::from(index), number + index);
        }
    }

    fn see_produced(&mut self, client: usize, answer: &ProduceResponse, about: &About) {
        let About::Produce { place, count, .. } = about else { return };
        let one = &answer.responses[0].partition_responses[0];
        if one.error_code == 0 {
            let shared = self.shared.borrow();
            let log = &shared.topics.partition(&place.topic, place.partition).expect("it is there").log;
            let count = i32::try_from(*count).expect("few");
            assert!(one.base_offset >= 0 && one.base_offset + i64::from(count) <= log.high_watermark(), "{answer:?}");
            let one = &mut self.clients[client];
            *one.sequences.entry((one.producer.0, place.clone())).or_default() += count;
        }
    }

    fn see_fetched(&mut self, client: usize, answer: &FetchResponse, version: i16) {
        if answer.error_code == 0 && version >= 7 {
            let before = self.clients[client].session;
            let epoch = if before.0 == answer.session_id { before.1 + 1 } else { 1 };
            self.clients[client].session = (answer.session_id, epoch);
        }
        for topic in &answer.responses {
            let id = if version >= 13 { topic.topic_id } else { self.topic_id(&topic.topic) };
            for partition in &topic.partitions {
                if partition.error_code != 0 || partition.diverging_epoch.epoch >= 0 {
                    continue;
                }
                let (start, stable, end) =
                    (partition.log_start_offset, partition.last_stable_offset, partition.high_watermark);
                assert!(start <= stable && stable <= end, "{partition:?}");
                let read = records::read(partition.records.as_deref().unwrap_or_default());
                let none = BTreeMap::new();
                let written = self.written.get(&(id, partition.partition_index)).unwrap_or(&none);
                for (offset, number) in read {
                    assert!(offset < end, "{offset} of {partition:?}");
                    let known = written.get(&offset);
                    assert!(
                        self.unknown || known.is_some_and(|known| number.is_none_or(|number| number == *known)),
                        "{number:?} at {offset} where {known:?} was written"
                    );
                }
            }
        }
    }

    /// What has been committed is there.
    fn see_committed(&self, answer: &OffsetCommitResponse, about: &About) {
        let About::Commit { group, place, offset } = about else { return };
        if answer.topics[0].partitions[0].error_code == 0 {
            let shared = self.shared.borrow();
            let group = shared.groups.get(GROUPS[usize::from(*group) % 3]).expect("a group that was committed to");
            let stored = group.offsets.get(&place.topic, place.partition).expect("an offset that was committed");
            assert_eq!(stored.offset, *offset);
        }
    }

    /// Time goes on.
    pub(crate) async fn wait(&mut self, more: Duration) {
        tokio::time::advance(more).await;
        self.later += i64::try_from(more.as_millis()).expect("not for ever");
        let now = Now::get();
        let now = Now { wall: now.wall + self.later, ..now };
        for _ in 0..100 {
            let due = self.shared.borrow().next_wake();
            if due.is_none_or(|at| at > now.mono) {
                break;
            }
            self.shared.borrow_mut().tick(now);
        }
        let due = self.shared.borrow().next_wake();
        assert!(due.is_none_or(|at| at > now.mono), "something is due and not done");
        self.look();
    }

    /// What is true at any time.
    fn look(&self) {
        let shared = self.shared.borrow();
        assert!(shared.topics.memory().used() <= MEMORY + (8 << 10), "{:?}", shared.topics.memory());
        let all = shared.topics.iter().flat_map(|topic| &topic.partitions);
        let in_order = |it: &Partition| {
            it.log.start_offset() <= it.log.last_stable_offset()
                && it.log.last_stable_offset() <= it.log.high_watermark()
        };
        all.for_each(|it| assert!(in_order(it), "{it:?}"));
    }

    /// When all is gone, nothing is left.
    pub(crate) async fn end(mut self) {
        self.look();
        // Whoever waits has something by now, at the latest.
        for node in 0..self.nodes {
            self.set_alive(u8::try_from(node).expect("few"), true);
        }
        // Longer than a request can say.
        for _ in 0..2 {
            self.wait(Duration::from_secs(26 * 24 * 3600)).await;
            self.settle();
        }
        for client in &self.clients {
            assert!(client.waiting.is_none(), "{:?} is not answered", client.waiting.as_ref().map(|it| (it.0, it.1)));
        }
        let names: Vec<String> = self.shared.borrow().topics.iter().map(|topic| topic.name.to_string()).collect();
        for name in names {
            self.shared.borrow_mut().topics.delete(&name);
        }
        assert_eq!(self.shared.borrow().topics.memory().used(), 0);
    }
}
