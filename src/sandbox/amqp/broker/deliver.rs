//! Giving messages of queues to consumers, and ending those that have lived long enough.

use std::borrow::Cow;

use super::channel::Held;
use super::connection::Connection;
use super::deadletter::DeathReason;
use super::message::{Message, Properties};
use super::queue::{ConsumerId, Entry};
use super::table::Value;
use super::wire::{put_content, put_short};
use super::{Broker, ConnectionId, FULL, QueueId};

impl Broker {
    /// Gives a queue's messages to its consumers, as far as these take any.
    pub(super) fn deliver(&mut self, id: QueueId) {
        self.expire(id);
        while self.queues.get(&id).is_some_and(|queue| !queue.is_empty()) {
            let Some(consumer) = self.ready_consumer(id) else { break };
            let Some(entry) = self.queues.get_mut(&id).and_then(super::queue::Queue::pop) else { break };
            self.hand_over(id, consumer, entry);
            // The next one may be too old, although the first was not.
            self.expire(id);
        }
        self.schedule(id);
    }

    /// The consumer whose turn it is among those that take a message, by its place among the queue's.
    pub(super) fn ready_consumer(&mut self, id: QueueId) -> Option<usize> {
        let queue = self.queues.get_mut(&id)?;
        if queue.settings.single_active && queue.active.is_none() {
            queue.active = queue.consumers.first().map(|(consumer, _)| consumer.clone());
        }
        for (index, (consumer, _)) in queue.consumers.iter().enumerate() {
            if queue.active.as_ref().is_some_and(|active| active != consumer) {
                continue;
            }
            match self.connections.get_mut(&consumer.connection) {
                Some(connection) if connection.out.len() >= FULL => connection.stalled = true,
                Some(connection) if has_room(connection, consumer) => return Some(index),
                _ => {}
            }
        }
        None
    }

    /// Gives an entry to the consumer at a place of its queue.
    pub(super) fn hand_over(&mut self, id: QueueId, index: usize, entry: Entry) {
        let Some(queue) = self.queues.get_mut(&id) else { return };
        let Some((consumer, _)) = queue.consumers.get(index).cloned() else { return };
        if !queue.settings.single_active {
            queue.rotate(index);
        }
        let counts_returns = queue.settings.quorum;
        let Some(connection) = self.connections.get_mut(&consumer.connection) else { return };
        let Some(channel) = connection.channels.get_mut(&consumer.channel) else { return };
        let Some(state) = channel.consumers.get_mut(&consumer.tag) else { return };
        channel.last_tag += 1;
        let tag = channel.last_tag;
        let delivery = Delivery { consumer: &consumer.tag, tag, redelivered: entry.redelivered };
        let properties = told_properties(&entry, counts_returns && entry.returns > 0);
        let frame_max = connection.frame_max;
        put_deliver(&mut connection.out, consumer.channel, frame_max, delivery, &entry.message, &properties);
        if !state.no_ack {
            state.held += 1;
            channel.held_by_consumers += 1;
            channel.held.insert(tag, Held { queue: id, consumer: Some(consumer.tag), entry });
        }
        if self.touched.last() != Some(&consumer.connection) {
            self.touched.push(consumer.connection);
        }
    }

    /// Gives a reply to the channel that waits for it.
    pub(super) fn hand_over_reply(&mut self, id: ConnectionId, number: u16, message: &Message) {
        let weight = self.scale.message(&message.properties, &message.body);
        let Some(connection) = self.connections.get_mut(&id) else { return };
        // No queue holds it: it weighs until it is written.
        connection.replies.push(weight);
        let Some(channel) = connection.channels.get_mut(&number) else { return };
        let Some(consumer) = channel.reply.as_ref().map(|reply| reply.tag.clone()) else { return };
        // RabbitMQ does not count it.
        let tag = channel.last_tag + 1;
        let delivery = Delivery { consumer: &consumer, tag, redelivered: false };
        put_deliver(&mut connection.out, number, connection.frame_max, delivery, message, &message.properties);
        self.touched.push(id);
    }

    /// Ends the messages at the front of a queue whose time is over.
    pub(super) fn expire(&mut self, id: QueueId) {
        let now = self.now;
        let Some(queue) = self.queues.get_mut(&id) else { return };
        let mut expired = Vec::new();
        while let Some(entry) = queue.pop_expired(now) {
            expired.push(entry);
        }
        if !expired.is_empty() {
            self.dead_letter(id, expired, DeathReason::Expired);
        }
    }

    /// Does what is due in a queue.
    pub(super) fn wake_queue(&mut self, id: QueueId) {
        let now = self.now;
        let Some(queue) = self.queues.get_mut(&id) else { return };
        queue.wake = None;
        if queue.expires_unused().is_some_and(|at| at <= now) {
            self.remove_queue(id);
            return;
        }
        self.expire(id);
        self.schedule(id);
    }

    /// Sees to it that a queue is looked at when something in it is due.
    pub(super) fn schedule(&mut self, id: QueueId) {
        let Some(queue) = self.queues.get_mut(&id) else { return };
        let Some(next) = [queue.next_expiry(), queue.expires_unused()].into_iter().flatten().min() else { return };
        if queue.wake.is_none_or(|at| next < at) {
            if let Some(later) = queue.wake.replace(next) {
                self.wakes.remove(&(later, id));
            }
            self.wakes.insert((next, id));
        }
    }
}

/// Whether a consumer may hold another message.
fn has_room(connection: &Connection, consumer: &ConsumerId) -> bool {
    let Some(channel) = connection.channels.get(&consumer.channel) else { return false };
    let Some(state) = channel.consumers.get(&consumer.tag) else { return false };
    let room = |limit: u16, held: u32| limit == 0 || held < u32::from(limit);
    state.no_ack || room(state.prefetch, state.held) && room(channel.prefetch_all, channel.held_by_consumers)
}

/// What a delivery says beside the message.
struct Delivery<'a> {
    consumer: &'a str,
    tag: u64,
    redelivered: bool,
}

fn put_deliver(
    out: &mut Vec<u8>,
    channel: u16,
    frame_max: usize,
    delivery: Delivery<'_>,
    message: &Message,
    properties: &Properties,
) {
    put_content(out, channel, frame_max, properties.bytes(), &message.body, |out| {
        out.extend_from_slice(&[0, 60, 0, 60]);
        put_short(out, delivery.consumer.as_bytes());
        out.extend_from_slice(&delivery.tag.to_be_bytes());
        out.push(u8::from(delivery.redelivered));
        put_short(out, message.exchange.as_bytes());
        put_short(out, &message.routing_key);
    });
}

/// The properties that are told, with how often the message came back where a quorum queue tells that: to `basic.get`
/// always, to a consumer once it is more than never.
pub(crate) fn told_properties(entry: &Entry, with_count: bool) -> Cow<'_, Properties> {
    let properties = &entry.message.properties;
    if !with_count {
        return Cow::Borrowed(properties);
    }
    let mut headers = properties.headers();
    headers.push("x-delivery-count", Value::long(i64::from(entry.returns)));
    Cow::Owned(properties.with_headers(&headers))
}
