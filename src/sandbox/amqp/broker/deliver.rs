//! Giving messages of queues to consumers, and ending those that have lived long enough.

use std::rc::Rc;

use super::channel::Held;
use super::connection::Connection;
use super::deadletter::Reason;
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
        let message = entry.message.clone();
        let counted = counts_returns.then(|| with_returns(&message, entry.returns)).flatten();
        let properties = counted.as_ref().unwrap_or(&message.properties);
        put_content(
            &mut connection.out,
            consumer.channel,
            connection.frame_max,
            properties.bytes(),
            &message.body,
            |out| {
                out.extend_from_slice(&[0, 60, 0, 60]);
                put_short(out, consumer.tag.as_bytes());
                out.extend_from_slice(&tag.to_be_bytes());
                out.push(u8::from(entry.redelivered));
                put_short(out, message.exchange.as_bytes());
                put_short(out, &message.routing_key);
            },
        );
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
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let Some(channel) = connection.channels.get_mut(&number) else { return };
        let Some(consumer) = channel.reply.as_ref().map(|reply| reply.tag.clone()) else { return };
        // RabbitMQ does not count it.
        let tag = channel.last_tag + 1;
        let (properties, body) = (message.properties.bytes(), &message.body);
        put_content(&mut connection.out, number, connection.frame_max, properties, body, |out| {
            out.extend_from_slice(&[0, 60, 0, 60]);
            put_short(out, consumer.as_bytes());
            out.extend_from_slice(&tag.to_be_bytes());
            out.push(0);
            put_short(out, message.exchange.as_bytes());
            put_short(out, &message.routing_key);
        });
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
            self.dead_letter(id, expired, Reason::Expired);
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

/// Quorum queues tell how often a message came back.
pub fn with_returns(message: &Rc<Message>, returns: u32) -> Option<Properties> {
    if returns == 0 {
        return None;
    }
    let mut headers = message.properties.headers();
    headers.push("x-delivery-count", Value::long(i64::from(returns)));
    Some(message.properties.with_headers(&headers))
}
