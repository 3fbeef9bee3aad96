//! Declaring and deleting exchanges and queues.

use std::rc::Rc;

use amq_protocol::protocol::{AMQPClass, basic, exchange as wire_exchange, queue as wire_queue};

use super::arguments::{check, check_argument, check_equal, check_field};
use super::bind::End;
use super::connection::Connection;
use super::exchange::{Destination, Exchange, ExchangeKind, no_exchange, not_default};
use super::fault::{Code, Fault};
use super::method::{ExchangeFlags, Method, QueueFlags};
use super::queue::{ConsumerId, Queue};
use super::table::Table;
use super::vhost::Vhost;
use super::{Broker, ConnectionId, QueueId, unique};

/// What queues of RabbitMQ's own begin with.
const RESERVED: &str = "amq.";

/// The queue that stands for the requester's own consumer.
pub(crate) const REPLY_TO: &str = "amq.rabbitmq.reply-to";

impl Broker {
    /// Methods of the classes exchange and queue, and what is left for consumers.
    pub(super) fn topology_method(&mut self, id: ConnectionId, number: u16, method: Method<'_>) -> Result<(), Fault> {
        use wire_exchange::AMQPMethod as X;
        use wire_queue::AMQPMethod as Q;
        let (answer, nowait) = match method {
            Method::ExchangeDeclare { name, kind, passive, flags, nowait, arguments } => {
                let name = plain(name);
                match passive {
                    true => self.exchange_exists(id, &name)?,
                    false => self.declare_exchange(id, &name, kind, flags, arguments)?,
                }
                (AMQPClass::Exchange(X::DeclareOk(wire_exchange::DeclareOk {})), nowait)
            }
            Method::ExchangeDelete { name, if_unused, nowait } => {
                self.delete_exchange(id, name, if_unused)?;
                (AMQPClass::Exchange(X::DeleteOk(wire_exchange::DeleteOk {})), nowait)
            }
            Method::ExchangeBind { destination, source, key, nowait, arguments } => {
                self.bind(id, source, End::Exchange(destination), key, arguments)?;
                (AMQPClass::Exchange(X::BindOk(wire_exchange::BindOk {})), nowait)
            }
            Method::ExchangeUnbind { destination, source, key, nowait, arguments } => {
                self.unbind(id, source, End::Exchange(destination), key, arguments)?;
                (AMQPClass::Exchange(X::UnbindOk(wire_exchange::UnbindOk {})), nowait)
            }
            Method::QueueDeclare { name, passive, flags, nowait, arguments } => {
                let ok = self.declare_queue(id, number, name, passive, flags, arguments)?;
                (AMQPClass::Queue(Q::DeclareOk(ok)), nowait)
            }
            Method::QueueBind { queue, exchange, key, nowait, arguments } => {
                let name = self.queue_name(id, number, queue)?;
                // Without any name it is the last queue, under its own name.
                let key = if queue.is_empty() && key.is_empty() { name.as_bytes() } else { key };
                self.bind(id, exchange, End::Queue(&name), key, arguments)?;
                (AMQPClass::Queue(Q::BindOk(wire_queue::BindOk {})), nowait)
            }
            Method::QueueUnbind { queue, exchange, key, arguments } => {
                let name = self.queue_name(id, number, queue)?;
                let key = if queue.is_empty() && key.is_empty() { name.as_bytes() } else { key };
                self.unbind(id, exchange, End::Queue(&name), key, arguments)?;
                (AMQPClass::Queue(Q::UnbindOk(wire_queue::UnbindOk {})), false)
            }
            Method::QueuePurge { queue, nowait } => {
                let name = self.queue_name(id, number, queue)?;
                let queue = self.usable_queue(id, &name)?;
                let count = self.queues.get_mut(&queue).map_or(0, Queue::purge);
                (AMQPClass::Queue(Q::PurgeOk(wire_queue::PurgeOk { message_count: counted(count) })), nowait)
            }
            Method::QueueDelete { queue, if_unused, if_empty, nowait } => {
                let name = self.queue_name(id, number, queue)?;
                let message_count = self.delete_queue(id, &name, if_unused, if_empty)?;
                (AMQPClass::Queue(Q::DeleteOk(wire_queue::DeleteOk { message_count })), nowait)
            }
            other => return self.consumer_method(id, number, other),
        };
        if !nowait {
            self.say(id, number, answer);
        }
        Ok(())
    }

    pub(super) fn vhost_of(&mut self, id: ConnectionId) -> Option<&mut Vhost> {
        let name = self.connections.get(&id)?.vhost.clone();
        self.vhosts.get_mut(&name)
    }

    fn exchange_exists(&mut self, id: ConnectionId, name: &str) -> Result<(), Fault> {
        not_default(name)?;
        let Some(vhost) = self.vhost_of(id) else { return Ok(()) };
        if vhost.exchanges.contains_key(name) { Ok(()) } else { Err(no_exchange(name, &vhost.name)) }
    }

    fn declare_exchange(
        &mut self,
        id: ConnectionId,
        name: &str,
        kind: &str,
        flags: ExchangeFlags,
        arguments: Table,
    ) -> Result<(), Fault> {
        let kind = ExchangeKind::named(kind)?;
        not_default(name)?;
        let Some(vhost) = self.vhost_of(id) else { return Ok(()) };
        let shown = format!("exchange '{name}' in vhost '{}'", vhost.name);
        let Some(exchange) = vhost.exchanges.get(name) else {
            not_reserved("exchange", name)?;
            let alternate = "alternate-exchange";
            if let Some(value) = arguments.get(alternate).filter(|v| v.as_text().is_none()) {
                let text = format!("invalid type '{}' for arg '{alternate}' in {shown}", value.type_name());
                return Err(Fault::new(Code::PreconditionFailed, text));
            }
            vhost.exchanges.insert(name.into(), Exchange::new(name, kind, flags, arguments));
            vhost.forget_routes();
            return Ok(());
        };
        check_field(&shown, "type", exchange.kind.name(), kind.name())?;
        check_field(&shown, "durable", exchange.flags.durable, flags.durable)?;
        check_field(&shown, "auto_delete", exchange.flags.auto_delete, flags.auto_delete)?;
        check_field(&shown, "internal", exchange.flags.internal, flags.internal)?;
        let alternate = "alternate-exchange";
        check_argument(&shown, alternate, exchange.arguments.get(alternate), arguments.get(alternate))
    }

    fn delete_exchange(&mut self, id: ConnectionId, name: &str, if_unused: bool) -> Result<(), Fault> {
        not_default(name)?;
        let Some(vhost) = self.vhost_of(id) else { return Ok(()) };
        let shown = format!("exchange '{name}' in vhost '{}'", vhost.name);
        if name.starts_with(RESERVED) {
            return Err(Fault::new(Code::AccessRefused, format!("deletion of system {shown} not allowed")));
        }
        let in_use = vhost.exchanges.get(name).is_some_and(|exchange| !exchange.bindings.is_empty());
        if if_unused && in_use {
            return Err(Fault::new(Code::PreconditionFailed, format!("{shown} in use")));
        }
        vhost.remove_exchange(name);
        Ok(())
    }

    /// The name of a queue as a method gives it: the empty one is the last that the channel declared.
    pub(super) fn queue_name(&mut self, id: ConnectionId, number: u16, name: &str) -> Result<Rc<str>, Fault> {
        if !name.is_empty() {
            return Ok(name.into());
        }
        let last = self.channel(id, number).and_then(|channel| channel.last_queue.clone());
        last.ok_or_else(|| Fault::new(Code::NotFound, "no previously declared queue"))
    }

    /// The queue of a name, if this connection may use it.
    ///
    /// # Errors
    /// There is none, or it belongs to another connection.
    pub(super) fn usable_queue(&mut self, id: ConnectionId, name: &str) -> Result<QueueId, Fault> {
        let Some(vhost) = self.vhost_of(id) else { return Err(no_queue(name, "")) };
        let Some(queue) = vhost.queues.get(name).copied() else { return Err(no_queue(name, &vhost.name)) };
        match self.queues.get(&queue) {
            Some(found) if found.owner.is_some_and(|owner| owner != id) => Err(locked(&found.shown())),
            _ => Ok(queue),
        }
    }

    fn declare_queue(
        &mut self,
        id: ConnectionId,
        number: u16,
        name: &str,
        passive: bool,
        flags: QueueFlags,
        arguments: Table,
    ) -> Result<wire_queue::DeclareOk, Fault> {
        if name.starts_with(REPLY_TO) {
            return self.declare_reply_queue(id, name);
        }
        let name = plain(name);
        let name = name.as_str();
        if passive {
            let queue = self.usable_queue(id, name)?;
            return Ok(self.declared(id, number, queue));
        }
        let is_quorum = arguments.get("x-queue-type").and_then(|v| v.as_text()) == Some(b"quorum");
        let name: Rc<str> = match name {
            "" if is_quorum => {
                let text = "Cannot declare a server-named queue for type rabbit_quorum_queue";
                return Err(Fault::new(Code::PreconditionFailed, text));
            }
            "" => unique("amq.gen-").into(),
            name => {
                not_reserved("queue", name)?;
                name.into()
            }
        };
        let owner = flags.exclusive.then_some(id);
        // What goes with its connection would not survive a restart.
        let flags = QueueFlags { durable: flags.durable && !flags.exclusive, ..flags };
        let Some(vhost) = self.vhost_of(id) else { return Err(no_queue(&name, "")) };
        let shown = format!("queue '{name}' in vhost '{}'", vhost.name);
        let vhost_name = vhost.name.clone();
        if let Some(queue) = vhost.queues.get(&name).copied()
            && let Some(found) = self.queues.get_mut(&queue)
        {
            if found.owner != owner {
                return Err(locked(&shown));
            }
            check_field(&shown, "durable", found.flags.durable, flags.durable)?;
            check_field(&shown, "auto_delete", found.flags.auto_delete, flags.auto_delete)?;
            check_equal(&shown, &found.arguments, &arguments)?;
            return Ok(self.declared(id, number, queue));
        }
        let dead_letters = "x-dead-letter-exchange";
        if let Some(value) = arguments.get(dead_letters).filter(|v| v.as_text().is_none()) {
            let text = format!("invalid type '{}' for arg '{dead_letters}' in {shown}", value.type_name());
            return Err(Fault::new(Code::PreconditionFailed, text));
        }
        check(&shown, flags, &arguments)?;
        let queue_id = self.next_id();
        let mut queue = Queue::new(queue_id, name.clone(), vhost_name, flags, arguments, self.now);
        queue.owner = owner;
        self.queues.insert(queue_id, queue);
        if let Some(vhost) = self.vhost_of(id) {
            vhost.queues.insert(name, queue_id);
            vhost.forget_routes();
        }
        Ok(self.declared(id, number, queue_id))
    }

    /// The answer to a declaration, which counts as using the queue.
    fn declared(&mut self, id: ConnectionId, number: u16, queue: QueueId) -> wire_queue::DeclareOk {
        let now = self.now;
        self.expire(queue);
        let (name, messages, consumers) = match self.queues.get_mut(&queue) {
            Some(queue) => {
                queue.unused_since = now;
                (queue.name.clone(), queue.len(), queue.consumers.len())
            }
            None => (Rc::from(""), 0, 0),
        };
        self.schedule(queue);
        if let Some(channel) = self.channel(id, number) {
            channel.last_queue = Some(name.clone());
        }
        wire_queue::DeclareOk {
            queue: (*name).into(),
            message_count: counted(messages),
            consumer_count: counted(consumers),
        }
    }

    /// Whether somebody waits for replies under this name.
    fn declare_reply_queue(&mut self, id: ConnectionId, name: &str) -> Result<wire_queue::DeclareOk, Fault> {
        let exists = name == REPLY_TO || self.reply_consumer(name).is_some();
        if exists {
            return Ok(wire_queue::DeclareOk { queue: name.into(), message_count: 0, consumer_count: 1 });
        }
        let vhost = self.vhost_of(id).map(|vhost| vhost.name.clone()).unwrap_or_default();
        Err(no_queue(name, &vhost))
    }

    fn delete_queue(&mut self, id: ConnectionId, name: &str, if_unused: bool, if_empty: bool) -> Result<u32, Fault> {
        let Some(queue) = self.vhost_of(id).and_then(|vhost| vhost.queues.get(name).copied()) else { return Ok(0) };
        self.usable_queue(id, name)?;
        self.expire(queue);
        let Some(found) = self.queues.get(&queue) else { return Ok(0) };
        let refused = |what: &str| Err(Fault::new(Code::PreconditionFailed, format!("{} {what}", found.shown())));
        if if_unused && !found.consumers.is_empty() {
            return refused("in use");
        }
        if if_empty && !found.is_empty() {
            return refused("not empty");
        }
        Ok(counted(self.remove_queue(queue)))
    }

    /// Removes a queue with its bindings, and tells its consumers. Says how many messages were ready in it.
    pub(super) fn remove_queue(&mut self, id: QueueId) -> usize {
        let Some(mut queue) = self.queues.remove(&id) else { return 0 };
        if let Some(at) = queue.wake {
            self.wakes.remove(&(at, id));
        }
        if let Some(vhost) = self.vhosts.get_mut(&queue.vhost) {
            vhost.queues.remove(&queue.name);
            vhost.remove_destination(&Destination::Queue(id));
        }
        for (consumer, _) in queue.consumers.drain(..) {
            if let Some(channel) = self.channel(consumer.connection, consumer.channel) {
                channel.consumers.remove(&consumer.tag);
                self.cancelled.push(consumer);
            }
        }
        queue.len()
    }

    /// Tells a consumer that its queue is gone, if its client wants to know.
    pub(super) fn say_cancelled(&mut self, consumer: &ConsumerId) {
        if self.connections.get(&consumer.connection).is_some_and(Connection::can_be_cancelled)
            && self.channel(consumer.connection, consumer.channel).is_some()
        {
            let cancel = basic::Cancel { consumer_tag: (*consumer.tag).into(), nowait: true };
            let cancel = AMQPClass::Basic(basic::AMQPMethod::Cancel(cancel));
            self.say(consumer.connection, consumer.channel, cancel);
        }
    }
}

/// A name as RabbitMQ takes it: without carriage returns and line feeds.
fn plain(name: &str) -> String {
    name.replace(['\r', '\n'], "")
}

fn not_reserved(what: &str, name: &str) -> Result<(), Fault> {
    match name.starts_with(RESERVED) {
        true => Err(Fault::new(Code::AccessRefused, format!("{what} name '{name}' contains reserved prefix 'amq.*'"))),
        false => Ok(()),
    }
}

fn no_queue(name: &str, vhost: &str) -> Fault {
    Fault::new(Code::NotFound, format!("no queue '{name}' in vhost '{vhost}'"))
}

fn locked(shown: &str) -> Fault {
    let text = format!(
        "cannot obtain exclusive access to locked {shown}. It could be originally declared on another connection or the \
         exclusive property value does not match that of the original declaration."
    );
    Fault::new(Code::ResourceLocked, text)
}

/// A number of messages or consumers on the wire.
pub(crate) fn counted(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
