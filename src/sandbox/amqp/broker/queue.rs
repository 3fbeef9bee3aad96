//! A queue: its messages in their order, and its limits.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::arguments::{Overflow, Settings};
use super::message::{Message, Weight};
use super::method::QueueFlags;
use super::table::Table;
use super::{ConnectionId, QueueId};

/// A message in a queue, or held by a consumer.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Its place among all that the queue was ever given.
    pub place: u64,
    /// The message.
    pub message: Rc<Message>,
    /// It was delivered before.
    pub redelivered: bool,
    /// How often it came back (quorum queues count it).
    pub returns: u32,
    /// When it expires.
    pub expires: Option<Instant>,
    /// Its place in the broker's memory.
    pub _place: Weight,
}

/// Why a message comes back to its queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Back {
    /// Whoever held it does not want it.
    Refused,
    /// Whoever held it is gone.
    Left,
}

/// A consumer of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConsumerId {
    /// Its connection.
    pub connection: ConnectionId,
    /// Its channel.
    pub channel: u16,
    /// Its tag.
    pub tag: Rc<str>,
}

/// A queue.
#[derive(Debug)]
pub(crate) struct Queue {
    /// Its number.
    pub id: QueueId,
    /// Its name.
    pub name: Rc<str>,
    /// Its virtual host.
    pub vhost: Rc<str>,
    /// What it was declared with.
    pub flags: QueueFlags,
    /// The connection that an exclusive queue belongs to.
    pub owner: Option<ConnectionId>,
    /// What it was declared with.
    pub arguments: Table,
    /// What its arguments say.
    pub settings: Settings,
    /// Its consumers with their priorities: the highest first, and among equals the one whose turn it is.
    pub consumers: Vec<(ConsumerId, i128)>,
    /// The one that gets messages where only one may.
    pub active: Option<ConsumerId>,
    /// A consumer has it for itself.
    pub exclusively_consumed: bool,
    /// Since when nobody used it.
    pub unused_since: Instant,
    /// When it is looked at next.
    pub wake: Option<Instant>,
    /// Ready messages by priority, lowest first; each level by place.
    levels: Vec<VecDeque<Entry>>,
    /// What a quorum queue was given back: it goes out before all that is ready, in the order of its coming.
    returns: VecDeque<Entry>,
    next_place: u64,
    ready: usize,
    bytes: usize,
}

impl Queue {
    /// An empty queue.
    pub(crate) fn new(
        id: QueueId,
        name: Rc<str>,
        vhost: Rc<str>,
        flags: QueueFlags,
        arguments: Table,
        now: Instant,
    ) -> Queue {
        let settings = Settings::of(&arguments);
        let levels = (0..=settings.max_priority).map(|_| VecDeque::new()).collect();
        Queue {
            id,
            name,
            vhost,
            flags,
            owner: None,
            arguments,
            settings,
            consumers: Vec::new(),
            active: None,
            exclusively_consumed: false,
            unused_since: now,
            wake: None,
            levels,
            returns: VecDeque::new(),
            next_place: 0,
            ready: 0,
            bytes: 0,
        }
    }

    /// How many messages are ready.
    pub(crate) fn len(&self) -> usize {
        self.ready
    }

    /// True without ready messages.
    pub(crate) fn is_empty(&self) -> bool {
        self.ready == 0
    }

    /// An entry for a message that comes now: at the end, with the shorter of the message's own time and the queue's.
    pub(crate) fn entry(
        &mut self,
        message: Rc<Message>,
        own_ttl: Option<Duration>,
        now: Instant,
        weight: Weight,
    ) -> Entry {
        let ttl = [own_ttl, self.settings.ttl].into_iter().flatten().min();
        let place = self.next_place;
        self.next_place += 1;
        Entry {
            place,
            message,
            redelivered: false,
            returns: 0,
            expires: ttl.and_then(|ttl| now.checked_add(ttl)),
            _place: weight,
        }
    }

    /// Puts an entry where it belongs: a new one at the end, one that comes back to its place.
    pub(crate) fn put(&mut self, entry: Entry) {
        let level = usize::from(entry.message.priority().min(self.settings.max_priority));
        let Some(level) = self.levels.get_mut(level) else { return };
        self.ready += 1;
        self.bytes += entry.message.body.len();
        if level.back().is_none_or(|last| last.place < entry.place) {
            level.push_back(entry);
            return;
        }
        let at = level.partition_point(|e| e.place < entry.place);
        level.insert(at, entry);
    }

    /// Takes back what a quorum queue gave, as RabbitMQ 3.10 does (rabbit_fifo): in front of what is ready and behind what came
    /// back earlier; but at the end, as if it came now, what a consumer refused where deliveries have no limit.
    pub(crate) fn take_back(&mut self, entry: Entry, back: Back) {
        if back == Back::Refused && self.settings.delivery_limit.is_none() {
            let place = self.next_place;
            self.next_place += 1;
            return self.put(Entry { place, ..entry });
        }
        self.ready += 1;
        self.bytes += entry.message.body.len();
        self.returns.push_back(entry);
    }

    /// Takes the message whose turn it is.
    pub(crate) fn pop(&mut self) -> Option<Entry> {
        self.pop_if(|_| true)
    }

    fn pop_if(&mut self, is_meant: impl Fn(&Entry) -> bool) -> Option<Entry> {
        let levels = self.levels.iter_mut().rev();
        let level = std::iter::once(&mut self.returns).chain(levels).find(|level| !level.is_empty())?;
        let entry = level.front().is_some_and(is_meant).then(|| level.pop_front())??;
        self.ready -= 1;
        self.bytes -= entry.message.body.len();
        Some(entry)
    }

    /// Takes the message whose turn it is if its time is over: what is behind it waits for its turn, as in RabbitMQ, be it
    /// of a lower priority.
    pub(crate) fn pop_expired(&mut self, now: Instant) -> Option<Entry> {
        self.pop_if(|entry| entry.expires.is_some_and(|at| at <= now))
    }

    /// When the message whose turn it is expires.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        std::iter::once(&self.returns).chain(self.levels.iter().rev()).find_map(VecDeque::front)?.expires
    }

    /// True when there is more than the limits allow, and the oldest is to go for that.
    pub(crate) fn is_over(&self) -> bool {
        let Settings { max_length, max_bytes, overflow, .. } = self.settings;
        if overflow != Overflow::DropHead {
            // It takes back what it gave, however full it is.
            return false;
        }
        max_length.is_some_and(|max| self.ready > max) || max_bytes.is_some_and(|max| self.bytes > max)
    }

    /// True when it takes no message of `size` bytes, because it is full and rejects instead of dropping.
    pub(crate) fn rejects(&self, size: usize) -> bool {
        if self.settings.overflow == Overflow::DropHead {
            return false;
        }
        let Settings { max_length, max_bytes, .. } = self.settings;
        max_length.is_some_and(|max| self.ready >= max) || max_bytes.is_some_and(|max| self.bytes + size > max)
    }

    /// Drops all that is ready, and says how many that were.
    pub(crate) fn purge(&mut self) -> usize {
        self.levels.iter_mut().for_each(VecDeque::clear);
        self.returns.clear();
        self.bytes = 0;
        std::mem::take(&mut self.ready)
    }

    /// Puts a consumer behind those of its priority.
    pub(crate) fn add_consumer(&mut self, consumer: ConsumerId, priority: i128) {
        let at = self.consumers.partition_point(|(_, p)| *p >= priority);
        self.consumers.insert(at, (consumer, priority));
    }

    /// Gives the turn to the next consumer of the same priority.
    pub(crate) fn rotate(&mut self, index: usize) {
        let Some((_, priority)) = self.consumers.get(index) else { return };
        let priority = *priority;
        let end = self.consumers.partition_point(|(_, p)| *p >= priority);
        if let Some(group) = self.consumers.get_mut(index..end) {
            group.rotate_left(1);
        }
    }

    /// How an error names it.
    pub(crate) fn shown(&self) -> String {
        format!("queue '{}' in vhost '{}'", self.name, self.vhost)
    }

    /// When it goes because nobody uses it.
    pub(crate) fn expires_unused(&self) -> Option<Instant> {
        if !self.consumers.is_empty() {
            return None;
        }
        self.settings.expires.and_then(|after| self.unused_since.checked_add(after))
    }
}
