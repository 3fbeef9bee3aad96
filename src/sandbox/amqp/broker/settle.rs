//! Acks, rejections and what goes back to its queue; confirms to publishers.

use std::collections::BTreeMap;

use amq_protocol::protocol::{AMQPClass, basic};

use super::channel::{Channel, Held, flush_confirms};
use super::deadletter::DeathReason;
use super::fault::{Code, Fault};
use super::queue::{Back, Entry};
use super::wire;
use super::{Broker, ConnectionId, QueueId};

impl Channel {
    /// Takes what a tag stands for out of what is held.
    fn take_held(&mut self, tag: u64, multiple: bool) -> Result<BTreeMap<u64, Held>, Fault> {
        let taken = match (multiple, tag) {
            (true, 0) => std::mem::take(&mut self.held),
            (_, tag) if !self.held.contains_key(&tag) => {
                return Err(Fault::new(Code::PreconditionFailed, format!("unknown delivery tag {tag}")));
            }
            (true, tag) => {
                let kept = self.held.split_off(&(tag + 1));
                std::mem::replace(&mut self.held, kept)
            }
            (false, tag) => self.held.remove_entry(&tag).into_iter().collect(),
        };
        for held in taken.values() {
            let Some(tag) = &held.consumer else { continue };
            self.held_by_consumers = self.held_by_consumers.saturating_sub(1);
            if let Some(consumer) = self.consumers.get_mut(tag) {
                consumer.held = consumer.held.saturating_sub(1);
            }
        }
        Ok(taken)
    }
}

/// A message that came back once more.
fn returned(entry: Entry) -> Entry {
    Entry { redelivered: true, returns: entry.returns.saturating_add(1), ..entry }
}

/// By what a quorum queue orders who gives back: RabbitMQ keeps consumers by their tags, and each `basic.get` is a consumer
/// of its own, named by its delivery tag; a channel that refuses counts those as numbers, which stand before all texts.
fn holder(tag: u64, held: &Held, back: Back) -> (bool, String) {
    match (&held.consumer, back) {
        (Some(consumer), _) => (true, consumer.to_string()),
        (None, Back::Refused) => (false, String::new()),
        (None, Back::Left) => (true, tag.to_string()),
    }
}

impl Broker {
    /// `basic.ack`
    pub(super) fn ack(&mut self, id: ConnectionId, number: u16, tag: u64, multiple: bool) -> Result<(), Fault> {
        let Some(channel) = self.channel(id, number) else { return Ok(()) };
        let taken = channel.take_held(tag, multiple)?;
        self.deliver_more(id, number, taken.values().map(|held| held.queue));
        Ok(())
    }

    /// `basic.nack` and `basic.reject`
    pub(super) fn reject(
        &mut self,
        id: ConnectionId,
        number: u16,
        tag: u64,
        multiple: bool,
        requeue: bool,
    ) -> Result<(), Fault> {
        let Some(channel) = self.channel(id, number) else { return Ok(()) };
        let taken = channel.take_held(tag, multiple)?;
        self.deliver_more(id, number, taken.values().map(|held| held.queue));
        if requeue {
            self.requeue(taken, Back::Refused);
        } else {
            for held in taken.into_values() {
                self.dead_letter(held.queue, vec![held.entry], DeathReason::Rejected);
            }
        }
        Ok(())
    }

    /// `basic.recover`: all that is held goes back.
    pub(super) fn recover(&mut self, id: ConnectionId, number: u16) {
        let Some(channel) = self.channel(id, number) else { return };
        let Ok(taken) = channel.take_held(0, true) else { return };
        self.deliver_more(id, number, taken.values().map(|held| held.queue));
        self.requeue(taken, Back::Refused);
    }

    /// Puts messages back to where they stood, those of a quorum queue to where it takes them back.
    pub(super) fn requeue(&mut self, held: BTreeMap<u64, Held>, back: Back) {
        let (mut queues, mut counting) = (Vec::new(), Vec::new());
        // From the last to the first, so that each finds its place at the front.
        for (tag, held) in held.into_iter().rev() {
            let Some(queue) = self.queues.get_mut(&held.queue) else { continue };
            if queue.settings.quorum {
                counting.push((tag, held));
                continue;
            }
            queue.put(returned(held.entry));
            queues.push(held.queue);
        }
        counting.sort_by_cached_key(|(tag, held)| (holder(*tag, held, back), *tag));
        let mut spent = Vec::new();
        for (_, Held { queue: id, entry, .. }) in counting {
            let Some(queue) = self.queues.get_mut(&id) else { continue };
            let entry = returned(entry);
            if queue.settings.delivery_limit.is_some_and(|limit| entry.returns > limit) {
                spent.push((id, entry));
                continue;
            }
            queue.take_back(entry, back);
            queues.push(id);
        }
        for (id, entry) in spent {
            self.dead_letter(id, vec![entry], DeathReason::DeliveryLimit);
        }
        queues.sort_unstable();
        queues.dedup();
        for id in queues {
            self.trim(id);
            self.due.push(id);
        }
    }

    /// A channel's consumers may take more: those of these queues, and with a common limit all of them.
    fn deliver_more(&mut self, id: ConnectionId, number: u16, queues: impl Iterator<Item = QueueId>) {
        let before = self.due.len();
        for queue in queues {
            // Acks come for one queue after another, as a rule for the same.
            if self.due.get(before..).and_then(<[QueueId]>::last) != Some(&queue) {
                self.due.push(queue);
            }
        }
        let Some(channel) = self.connections.get(&id).and_then(|c| c.channels.get(&number)) else { return };
        if channel.prefetch_all > 0 {
            self.due.extend(channel.consumers.values().map(|consumer| consumer.queue));
        }
    }

    /// The number of a message in confirm mode.
    pub(super) fn next_confirm(&mut self, id: ConnectionId, number: u16) -> Option<u64> {
        let confirms = self.channel(id, number)?.confirms.as_mut()?;
        confirms.published += 1;
        Some(confirms.published)
    }

    /// Tells a publisher what became of a message: acks are gathered, a nack is told at once.
    pub(super) fn confirm(&mut self, id: ConnectionId, number: u16, tag: u64, taken: bool) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let Some(channel) = connection.channels.get_mut(&number) else { return };
        if taken {
            if let Some(confirms) = &mut channel.confirms {
                confirms.acked = tag;
                confirms.count += 1;
            }
            return;
        }
        flush_confirms(&mut connection.out, number, channel);
        let nack = basic::Nack { delivery_tag: tag, multiple: false, requeue: false };
        wire::method(&mut connection.out, number, AMQPClass::Basic(basic::AMQPMethod::Nack(nack)));
    }
}
