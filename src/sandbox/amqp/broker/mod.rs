//! The broker without its sockets: bytes and the time come in, bytes go out. All of its state lives here, on one thread,
//! so that whatever it is sent it answers in one order, and can be tried without a network.
//!
//! Nothing outside of this folder is used but amq-protocol and `cursor`: the fuzz target compiles it alone.

mod arguments;
mod bind;
mod channel;
mod connection;
mod consume;
mod deadletter;
mod decode;
mod deliver;
mod exchange;
mod fault;
mod handshake;
mod message;
mod method;
pub(crate) mod overview;
mod publish;
mod queue;
mod settle;
mod table;
mod topology;
mod vhost;
mod wire;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;
use std::time::Instant;

use self::connection::Connection;
use self::deadletter::Letters;
use self::message::Scale;
use self::queue::{ConsumerId, Queue};
use self::vhost::Vhost;

/// The number of a connection, never used again.
pub(crate) type ConnectionId = u64;

/// The number of a queue, never used again.
pub(crate) type QueueId = u64;

/// Most that may wait to be written to a client before it is given no more messages.
const FULL: usize = 1 << 20;

/// How many lots of dead letters are published before the others have their turn.
const AT_ONCE: usize = 64;

/// Stands for what is due without being a queue's: the numbers begin above it.
const NO_QUEUE: QueueId = 0;

/// What the broker is told at its start.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    /// Names and passwords of who may log in.
    pub users: Vec<(String, String)>,
    /// The virtual hosts.
    pub vhosts: Vec<String>,
    /// Most bytes of messages; above it publishers are blocked.
    pub memory: usize,
}

/// The broker.
#[derive(Debug)]
pub(crate) struct Broker {
    limits: Limits,
    connections: HashMap<ConnectionId, Connection>,
    vhosts: HashMap<Rc<str>, Vhost>,
    queues: HashMap<QueueId, Queue>,
    last_id: u64,
    /// What messages weigh.
    scale: Scale,
    /// Bytes of messages that have not come to their end, of connections that are not blocked.
    incoming: usize,
    /// Publishers are blocked because somebody asked for it.
    blocked: bool,
    /// How many connections are blocked.
    blocked_connections: usize,
    /// When queues are to be looked at.
    wakes: BTreeSet<(Instant, QueueId)>,
    /// Messages that queues have given up. One dead letter makes another, along any chain: not by recursion.
    letters: VecDeque<Letters>,
    /// Queues that may have something to deliver, once what is being handled was answered.
    due: Vec<QueueId>,
    /// Consumers whose queue is gone, to be told after that as well.
    cancelled: Vec<ConsumerId>,
    /// Connections to which something has happened since they were last asked for.
    touched: Vec<ConnectionId>,
    now: Instant,
}

impl Broker {
    /// An empty broker.
    pub(crate) fn new(limits: Limits) -> Broker {
        let vhosts = limits.vhosts.iter().map(|name| (Rc::from(name.as_str()), Vhost::new(name))).collect();
        Broker {
            limits,
            connections: HashMap::new(),
            vhosts,
            queues: HashMap::new(),
            last_id: 0,
            scale: Scale::default(),
            incoming: 0,
            blocked: false,
            blocked_connections: 0,
            wakes: BTreeSet::new(),
            letters: VecDeque::new(),
            due: Vec::new(),
            cancelled: Vec::new(),
            touched: Vec::new(),
            now: Instant::now(),
        }
    }

    /// A client has connected.
    pub(crate) fn connect(&mut self) -> ConnectionId {
        let id = self.next_id();
        self.connections.insert(id, Connection::default());
        id
    }

    /// A client has sent something. Says how much of it was used: the rest is to be given again, with what follows.
    pub(crate) fn receive(&mut self, id: ConnectionId, bytes: &[u8], now: Instant) -> usize {
        self.now = now;
        let used = self.frames(id, bytes);
        self.flush_confirms(id);
        self.watch_memory();
        used
    }

    /// A client is gone, or is to be forgotten.
    pub(crate) fn disconnect(&mut self, id: ConnectionId, now: Instant) {
        self.now = now;
        self.drop_connection(id);
        self.after();
        self.watch_memory();
    }

    /// Does what is due.
    pub(crate) fn tick(&mut self, now: Instant) {
        self.now = now;
        // What is found to be due meanwhile waits for the next time, when the others have had their turn.
        let later = self.wakes.split_off(&(now, QueueId::MAX));
        for (_, id) in std::mem::replace(&mut self.wakes, later) {
            self.wake_queue(id);
        }
        self.after();
        self.watch_memory();
    }

    /// When something is due.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        self.wakes.first().map(|(at, _)| *at)
    }

    /// Takes what is to be written to a client, by swapping it for an empty buffer.
    pub(crate) fn take_output(&mut self, id: ConnectionId, out: &mut Vec<u8>) {
        out.clear();
        // What a large message needed is given back.
        if out.capacity() > 2 * FULL {
            *out = Vec::new();
        }
        if let Some(connection) = self.connections.get_mut(&id) {
            std::mem::swap(&mut connection.out, out);
        }
    }

    /// Everything taken was written: who was given no more messages goes on.
    pub(crate) fn drained(&mut self, id: ConnectionId, now: Instant) {
        self.now = now;
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if connection.out.is_empty() {
            connection.replies.clear();
        }
        if std::mem::take(&mut connection.stalled) {
            self.due.extend(connection.consumed_queues());
            self.after();
        }
        self.watch_memory();
    }

    /// The state of a connection, for who reads and writes its socket.
    pub(crate) fn status(&self, id: ConnectionId) -> ConnectionState {
        match self.connections.get(&id) {
            None => ConnectionState { ended: true, ..ConnectionState::default() },
            Some(connection) => connection.status(),
        }
    }

    /// Puts a heartbeat into what is to be written.
    pub(crate) fn heartbeat(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.out.extend_from_slice(&connection::HEARTBEAT);
        }
    }

    /// Blocks all publishers, or lets them go on, whatever the memory.
    pub(crate) fn set_blocked(&mut self, blocked: bool) {
        self.blocked = blocked;
        self.watch_memory();
    }

    /// The connections to which something happened since the last time.
    pub(crate) fn take_touched(&mut self) -> Vec<ConnectionId> {
        std::mem::take(&mut self.touched)
    }

    /// Whether a connection may begin a message: there is room, beside what it has begun itself. Its own does not count,
    /// for blocked it could not come to its end, and nobody would ever go on.
    fn has_room(&self, own: usize) -> bool {
        !self.blocked && self.scale.bytes() + self.incoming.saturating_sub(own) <= self.limits.memory
    }

    /// Lets publishers go on when there is room again: a tenth, so that they do not come and go with each message.
    fn watch_memory(&mut self) {
        if self.blocked_connections == 0 || self.blocked {
            return;
        }
        if self.scale.bytes() + self.incoming > self.limits.memory / 10 * 9 {
            return;
        }
        self.blocked_connections = 0;
        for (id, connection) in &mut self.connections {
            if connection.unblock() {
                self.incoming += connection.incoming;
                self.touched.push(*id);
            }
        }
    }

    /// What follows from what was handled, behind the answer to it: RabbitMQ's queues are processes of their own.
    fn after(&mut self) {
        loop {
            for _ in 0..AT_ONCE {
                let Some(letters) = self.letters.pop_front() else { break };
                self.bury(letters);
            }
            for consumer in std::mem::take(&mut self.cancelled) {
                self.say_cancelled(&consumer);
            }
            let mut due = std::mem::take(&mut self.due);
            due.sort_unstable();
            due.dedup();
            due.into_iter().for_each(|queue| self.deliver(queue));
            if self.due.is_empty() && self.cancelled.is_empty() {
                break;
            }
        }
        if !self.letters.is_empty() {
            self.wakes.insert((self.now, NO_QUEUE));
        }
    }

    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }
}

/// The state of a connection, for who reads and writes its socket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ConnectionState {
    /// It is open: the handshake is over.
    pub open: bool,
    /// It is over once what waits was written.
    pub ended: bool,
    /// Nothing is read from it.
    pub blocked: bool,
    /// Bytes that wait to be taken and written.
    pub queued: usize,
    /// Seconds between heartbeats; 0 for none.
    pub heartbeat: u16,
}

/// A name nobody else has: RabbitMQ's kind, a prefix and 22 characters.
fn unique(prefix: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut name = prefix.to_owned();
    for count in [11, 11] {
        // A fresh state is seeded by the system's randomness.
        let mut random = RandomState::new().hash_one(&name);
        for _ in 0..count {
            let index = usize::try_from(random & 63).unwrap_or_default();
            name.extend(LETTERS.get(index).map(|b| char::from(*b)));
            random >>= 6;
        }
    }
    name
}
