//! Consumers: `basic.consume`, `basic.cancel`, `basic.get` and `basic.qos`.

use std::rc::Rc;

use amq_protocol::protocol::{AMQPClass, basic};

use super::arguments::check_consumer;
use super::channel::{Consumer, Held, ReplyConsumer};
use super::deliver::told_properties;
use super::fault::{Code, Fault};
use super::method::Method;
use super::queue::ConsumerId;
use super::table::{Table, Value};
use super::topology::{REPLY_TO, counted};
use super::wire::{put_content, put_short};
use super::{Broker, ConnectionId, QueueId, unique};

/// What a consumer asks for.
struct Wish<'a> {
    queue: &'a str,
    tag: &'a str,
    no_ack: bool,
    exclusive: bool,
    nowait: bool,
    arguments: Table,
}

impl Broker {
    /// Methods about consumers.
    pub(super) fn consumer_method(&mut self, id: ConnectionId, number: u16, method: Method<'_>) -> Result<(), Fault> {
        match method {
            Method::Consume { queue, tag, no_ack, exclusive, nowait, arguments } => {
                self.consume(id, number, Wish { queue, tag, no_ack, exclusive, nowait, arguments })
            }
            Method::Cancel { tag, nowait } => {
                self.cancel(id, number, tag);
                if !nowait {
                    let ok = basic::AMQPMethod::CancelOk(basic::CancelOk { consumer_tag: tag.into() });
                    self.say(id, number, AMQPClass::Basic(ok));
                }
                Ok(())
            }
            // Methods of class connection, which belong on channel 0.
            _ => Err(Fault::new(Code::CommandInvalid, "unimplemented method")),
        }
    }

    fn consume(&mut self, id: ConnectionId, number: u16, wish: Wish<'_>) -> Result<(), Fault> {
        let in_use = |tag: &str| Err(Fault::new(Code::NotAllowed, format!("attempt to reuse consumer tag '{tag}'")));
        if wish.queue == REPLY_TO {
            return self.consume_replies(id, number, &wish);
        }
        let Some(channel) = self.channel(id, number) else { return Ok(()) };
        if !wish.tag.is_empty() && channel.consumers.contains_key(wish.tag) {
            return in_use(wish.tag);
        }
        let prefetch = channel.prefetch;
        let name = self.queue_name(id, number, wish.queue)?;
        let queue_id = self.usable_queue(id, &name)?;
        let tag: Rc<str> = if wish.tag.is_empty() { unique("amq.ctag-").into() } else { wish.tag.into() };
        let Some(queue) = self.queues.get_mut(&queue_id) else { return Ok(()) };
        let prefetch_all =
            self.connections.get(&id).and_then(|c| c.channels.get(&number)).map_or(0, |c| c.prefetch_all);
        check_consumer(&queue.shown(), queue.settings.quorum, &wish.arguments)?;
        if queue.settings.quorum && prefetch_all > 0 {
            return Err(Fault::new(Code::NotImplemented, format!("{} does not support global qos", queue.shown())));
        }
        if wish.exclusive && queue.settings.single_active
            || queue.exclusively_consumed
            || wish.exclusive && !queue.consumers.is_empty()
        {
            return Err(Fault::new(Code::AccessRefused, format!("{} in exclusive use", queue.shown())));
        }
        let priority = wish.arguments.get("x-priority").and_then(Value::as_int).unwrap_or_default();
        queue.exclusively_consumed = wish.exclusive;
        let consumer = ConsumerId { connection: id, channel: number, tag: tag.clone() };
        if queue.settings.single_active && queue.active.is_none() {
            queue.active = Some(consumer.clone());
        }
        queue.add_consumer(consumer, priority);
        if let Some(channel) = self.channel(id, number) {
            let consumer = Consumer { queue: queue_id, no_ack: wish.no_ack, prefetch, held: 0 };
            channel.consumers.insert(tag.clone(), consumer);
        }
        if !wish.nowait {
            self.say_consuming(id, number, &tag);
        }
        self.due.push(queue_id);
        Ok(())
    }

    /// The pseudo-queue for replies: its consumer is the channel's own.
    fn consume_replies(&mut self, id: ConnectionId, number: u16, wish: &Wish<'_>) -> Result<(), Fault> {
        let refused = |text: &str| Err(Fault::new(Code::PreconditionFailed, text));
        let Some(channel) = self.channel(id, number) else { return Ok(()) };
        if channel.reply.is_some() {
            return refused("reply consumer already set");
        }
        if !wish.no_ack {
            return refused("reply consumer cannot acknowledge");
        }
        let tag: Rc<str> = if wish.tag.is_empty() { unique("amq.ctag-").into() } else { wish.tag.into() };
        let name = unique(&format!("{REPLY_TO}.{id}.{number}.")).into();
        channel.reply = Some(ReplyConsumer { tag: tag.clone(), name });
        if !wish.nowait {
            self.say_consuming(id, number, &tag);
        }
        Ok(())
    }

    fn say_consuming(&mut self, id: ConnectionId, number: u16, tag: &str) {
        let ok = basic::AMQPMethod::ConsumeOk(basic::ConsumeOk { consumer_tag: tag.into() });
        self.say(id, number, AMQPClass::Basic(ok));
    }

    fn cancel(&mut self, id: ConnectionId, number: u16, tag: &str) {
        let Some(channel) = self.channel(id, number) else { return };
        if channel.reply.take_if(|reply| *reply.tag == *tag).is_some() {
            return;
        }
        if let Some((tag, consumer)) = channel.consumers.remove_entry(tag) {
            self.leave_queue(id, number, &tag, consumer.queue);
        }
    }

    /// Takes a consumer off its queue, which may have waited for that to go.
    pub(super) fn leave_queue(&mut self, id: ConnectionId, number: u16, tag: &Rc<str>, queue_id: QueueId) {
        let now = self.now;
        let Some(queue) = self.queues.get_mut(&queue_id) else { return };
        queue.consumers.retain(|(c, _)| c.connection != id || c.channel != number || c.tag != *tag);
        queue.exclusively_consumed = false;
        queue.active.take_if(|c| c.connection == id && c.channel == number && c.tag == *tag);
        if !queue.consumers.is_empty() {
            return;
        }
        queue.unused_since = now;
        if queue.flags.auto_delete {
            self.remove_queue(queue_id);
        } else {
            self.schedule(queue_id);
        }
    }

    /// `basic.get`
    pub(super) fn get(&mut self, id: ConnectionId, number: u16, queue: &str, no_ack: bool) -> Result<(), Fault> {
        let now = self.now;
        let name = self.queue_name(id, number, queue)?;
        let queue_id = self.usable_queue(id, &name)?;
        self.expire(queue_id);
        let Some(queue) = self.queues.get_mut(&queue_id) else { return Ok(()) };
        queue.unused_since = now;
        let entry = queue.pop();
        self.expire(queue_id);
        let Some(queue) = self.queues.get(&queue_id) else { return Ok(()) };
        let (left, is_quorum) = (queue.len(), queue.settings.quorum);
        self.schedule(queue_id);
        let Some(entry) = entry else {
            let empty = basic::AMQPMethod::GetEmpty(basic::GetEmpty {});
            self.say(id, number, AMQPClass::Basic(empty));
            return Ok(());
        };
        let Some(connection) = self.connections.get_mut(&id) else { return Ok(()) };
        let Some(channel) = connection.channels.get_mut(&number) else { return Ok(()) };
        channel.last_tag += 1;
        let tag = channel.last_tag;
        let (message, properties) = (&entry.message, told_properties(&entry, is_quorum));
        put_content(&mut connection.out, number, connection.frame_max, properties.bytes(), &message.body, |out| {
            out.extend_from_slice(&[0, 60, 0, 71]);
            out.extend_from_slice(&tag.to_be_bytes());
            out.push(u8::from(entry.redelivered));
            put_short(out, message.exchange.as_bytes());
            put_short(out, &message.routing_key);
            out.extend_from_slice(&counted(left).to_be_bytes());
        });
        if !no_ack {
            channel.held.insert(tag, Held { queue: queue_id, consumer: None, entry });
        }
        Ok(())
    }

    /// `basic.qos`: for the consumers that come next, or for all of the channel together.
    pub(super) fn set_prefetch(&mut self, id: ConnectionId, number: u16, count: u16, global: bool) {
        let Some(channel) = self.channel(id, number) else { return };
        match global {
            true => channel.prefetch_all = count,
            // A limit of its own for each consumer takes the place of the common one.
            false => (channel.prefetch, channel.prefetch_all) = (count, 0),
        }
        let queues: Vec<QueueId> = channel.consumers.values().map(|consumer| consumer.queue).collect();
        self.due.extend(queues);
    }
}
