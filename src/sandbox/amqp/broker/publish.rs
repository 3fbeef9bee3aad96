//! Publishing: what is checked, where a message goes, and what its publisher is told.

use std::rc::Rc;
use std::time::Duration;

use super::arguments::{LONGEST, Overflow};
use super::channel::{Incoming, flush_confirms};
use super::deadletter::DeathReason;
use super::exchange::no_exchange;
use super::fault::{Code, Fault};
use super::message::{Message, Properties, Property};
use super::topology::REPLY_TO;
use super::wire::{put_content, put_short};
use super::{Broker, ConnectionId, QueueId};

impl Broker {
    /// `basic.publish`: the content comes in the frames behind it.
    pub(super) fn begin_publish(
        &mut self,
        id: ConnectionId,
        number: u16,
        exchange: &str,
        key: &[u8],
        mandatory: bool,
        immediate: bool,
    ) -> Result<(), Fault> {
        let Some(connection) = self.connections.get_mut(&id) else { return Ok(()) };
        // The exchange's own name is shared, so that a message costs no copy of it.
        let known = self.vhosts.get(&connection.vhost).and_then(|vhost| vhost.exchanges.get(exchange));
        let exchange = known.map_or_else(|| Rc::from(exchange), |exchange| exchange.name.clone());
        if let Some(channel) = connection.channels.get_mut(&number) {
            let key = key.into();
            channel.incoming = Some(Incoming { exchange, key, mandatory, immediate, header: None, body: Vec::new() });
        }
        Ok(())
    }

    /// A message is complete.
    pub(super) fn publish(&mut self, id: ConnectionId, number: u16, incoming: Incoming) -> Result<(), Fault> {
        let Incoming { exchange, key, mandatory, immediate, header, body } = incoming;
        let Some((properties, _)) = header else { return Ok(()) };
        if immediate {
            return Err(Fault::new(Code::NotImplemented, "immediate=true"));
        }
        self.check_exchange(id, &exchange)?;
        if !properties.is_finite() {
            return Err(Fault::of_frame(Code::InternalError, ""));
        }
        let ttl = self.check_properties(id, &properties)?;
        let properties = self.with_reply_name(id, number, properties)?;
        let (properties, copies) = copies(properties)?;
        let weight = self.scale.message(&properties, &body);
        let message = Message { exchange, routing_key: key, copies, properties, body, _weight: weight };
        let confirmed = self.next_confirm(id, number);
        let route = self.route(id, &message);
        // A reply comes back as well as it arrives: who waits for it is no queue.
        if route.is_empty() && mandatory {
            self.give_back(id, number, &message);
        }
        self.deliver_reply(&message);
        let taken = self.spread(&route, message, ttl);
        if let Some(tag) = confirmed {
            self.confirm(id, number, tag, taken);
        }
        Ok(())
    }

    fn check_exchange(&self, id: ConnectionId, name: &str) -> Result<(), Fault> {
        let Some(vhost) = self.connections.get(&id).and_then(|c| self.vhosts.get(&c.vhost)) else { return Ok(()) };
        match vhost.exchanges.get(name) {
            None if name.is_empty() => Ok(()),
            None => Err(no_exchange(name, &vhost.name)),
            Some(exchange) if exchange.flags.internal => {
                let text = format!("cannot publish to internal exchange '{name}' in vhost '{}'", vhost.name);
                Err(Fault::new(Code::AccessRefused, text))
            }
            Some(_) => Ok(()),
        }
    }

    /// Checks who a message says it is from, and how long it says it lives.
    fn check_properties(&self, id: ConnectionId, properties: &Properties) -> Result<Option<Duration>, Fault> {
        let refused = |text: String| Err(Fault::new(Code::PreconditionFailed, text));
        let user = self.connections.get(&id).map(|c| c.user.as_str()).unwrap_or_default();
        if let Some(said) = properties.get(Property::UserId).filter(|said| *said != user.as_bytes()) {
            let said = String::from_utf8_lossy(said);
            return refused(format!("user_id property set to '{said}' but authenticated user was '{user}'"));
        }
        if let Some([mode @ (0 | 3..)]) = properties.get(Property::DeliveryMode) {
            return refused(format!("invalid message: {{delivery_mode_unknown,{mode}}}"));
        }
        let Some(expiration) = properties.get(Property::Expiration) else { return Ok(None) };
        match lifetime(expiration) {
            Ok(ttl) => Ok(Some(ttl)),
            Err(why) => refused(format!("invalid expiration '{}': {why}", String::from_utf8_lossy(expiration))),
        }
    }

    /// Requests that ask for a reply to the pseudo-queue get the name of the requester's own consumer.
    fn with_reply_name(&mut self, id: ConnectionId, number: u16, properties: Properties) -> Result<Properties, Fault> {
        if properties.get(Property::ReplyTo) != Some(REPLY_TO.as_bytes()) {
            return Ok(properties);
        }
        match self.channel(id, number).and_then(|channel| channel.reply.as_ref()) {
            Some(reply) => Ok(properties.with(Property::ReplyTo, Some(reply.name.as_bytes()))),
            None => Err(Fault::new(Code::PreconditionFailed, "fast reply consumer does not exist")),
        }
    }

    /// Delivers a message to who waits for it under the name of a reply consumer.
    fn deliver_reply(&mut self, message: &Message) {
        if !message.exchange.is_empty() {
            return;
        }
        for key in std::iter::once(&*message.routing_key).chain(message.copies.iter().map(Vec::as_slice)) {
            let name = if key.starts_with(REPLY_TO.as_bytes()) { std::str::from_utf8(key).ok() } else { None };
            if let Some((id, number)) = name.and_then(|name| self.reply_consumer(name)) {
                self.hand_over_reply(id, number, message);
            }
        }
    }

    /// The channel whose consumer waits for replies under a name.
    pub(super) fn reply_consumer(&self, name: &str) -> Option<(ConnectionId, u16)> {
        // The name holds where it is, as in RabbitMQ.
        let mut place = name.strip_prefix(REPLY_TO)?.strip_prefix('.')?.splitn(3, '.');
        let (id, number) = (place.next()?.parse().ok()?, place.next()?.parse().ok()?);
        let reply = self.connections.get(&id)?.channels.get(&number)?.reply.as_ref()?;
        (*reply.name == *name).then_some((id, number))
    }

    /// The queues that a message goes to.
    pub(super) fn route(&mut self, id: ConnectionId, message: &Message) -> Rc<[QueueId]> {
        let vhost = self.connections.get(&id).map(|c| c.vhost.clone()).unwrap_or_default();
        self.route_in(&vhost, message)
    }

    /// The queues of a virtual host that a message goes to.
    pub(super) fn route_in(&mut self, vhost: &str, message: &Message) -> Rc<[QueueId]> {
        self.vhosts.get_mut(vhost).map_or_else(|| Rc::from([]), |vhost| vhost.route(message))
    }

    /// Puts a message into queues. False when one of them did not take it.
    pub(super) fn spread(&mut self, route: &[QueueId], message: Message, ttl: Option<Duration>) -> bool {
        let message = Rc::new(message);
        let mut taken = true;
        for queue in route {
            taken &= self.enqueue(*queue, &message, ttl);
        }
        taken
    }

    fn enqueue(&mut self, id: QueueId, message: &Rc<Message>, ttl: Option<Duration>) -> bool {
        let now = self.now;
        let place = self.scale.place();
        let Some(queue) = self.queues.get_mut(&id) else { return true };
        if queue.rejects(message.body.len()) {
            if queue.settings.overflow == Overflow::RejectDeadLetter {
                let refused = queue.entry(message.clone(), ttl, now, place);
                self.dead_letter(id, vec![refused], DeathReason::MaxLength);
            }
            return false;
        }
        let entry = queue.entry(message.clone(), ttl, now, place);
        // With nothing before it, it goes to who waits for it, even when it would not live to stand in line.
        let mut entry = Some(entry);
        if queue.is_empty()
            && let Some(consumer) = self.ready_consumer(id)
            && let Some(entry) = entry.take()
        {
            self.hand_over(id, consumer, entry);
            return true;
        }
        let (Some(queue), Some(entry)) = (self.queues.get_mut(&id), entry) else { return true };
        queue.put(entry);
        self.trim(id);
        self.expire(id);
        self.schedule(id);
        true
    }

    /// Drops what a queue has above its limits, from its head.
    pub(super) fn trim(&mut self, id: QueueId) {
        let Some(queue) = self.queues.get_mut(&id) else { return };
        let mut dropped = Vec::new();
        while queue.is_over() {
            dropped.extend(queue.pop());
        }
        if !dropped.is_empty() {
            self.dead_letter(id, dropped, DeathReason::MaxLength);
        }
    }

    /// Returns a message that no queue takes.
    fn give_back(&mut self, id: ConnectionId, number: u16, message: &Message) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        // What was taken before is told before.
        if let Some(channel) = connection.channels.get_mut(&number) {
            flush_confirms(&mut connection.out, number, channel);
        }
        let (properties, body) = (message.properties.bytes(), &message.body);
        put_content(&mut connection.out, number, connection.frame_max, properties, body, |out| {
            out.extend_from_slice(&[0, 60, 0, 50]);
            out.extend_from_slice(&312u16.to_be_bytes());
            put_short(out, b"NO_ROUTE");
            put_short(out, message.exchange.as_bytes());
            put_short(out, &message.routing_key);
        });
    }
}

/// The keys in the headers CC and BCC (RabbitMQ's sender-selected distribution), and the properties without BCC: who else
/// gets it is not told.
fn copies(properties: Properties) -> Result<(Properties, Vec<Vec<u8>>), Fault> {
    if properties.get(Property::Headers).is_none() {
        return Ok((properties, Vec::new()));
    }
    let mut headers = properties.headers();
    let mut copies = Vec::new();
    for name in ["CC", "BCC"] {
        let Some(value) = headers.get(name) else { continue };
        let keys = value.as_array().ok_or_else(|| {
            let kind = value.type_name();
            let text = format!("invalid message: {{unacceptable_type_in_header,\"{name}\",{kind}}}");
            Fault::new(Code::PreconditionFailed, text)
        })?;
        copies.extend(keys.iter().filter_map(|key| key.as_text().map(<[u8]>::to_vec)));
    }
    if headers.get("BCC").is_none() {
        return Ok((properties, copies));
    }
    headers.remove("BCC");
    Ok((properties.with_headers(&headers), copies))
}

/// The milliseconds of an expiration; the error is the term that RabbitMQ shows.
fn lifetime(text: &[u8]) -> Result<Duration, String> {
    let signed = usize::from(matches!(text.first(), Some(b'-' | b'+')));
    let length = text.iter().skip(signed).take_while(|b| b.is_ascii_digit()).count();
    let (number, rest) = text.split_at(if length == 0 { 0 } else { length + signed });
    if number.is_empty() {
        return Err("no_integer".to_owned());
    }
    if !rest.is_empty() {
        let shown = String::from_utf8_lossy(rest).replace('\\', "\\\\").replace('"', "\\\"");
        return Err(format!("{{leftover_string,\"{shown}\"}}"));
    }
    let number = String::from_utf8_lossy(number);
    match number.trim_start_matches('+').parse::<i128>() {
        Ok(n) if n < 0 => Err(format!("{{value_negative,{n}}}")),
        Ok(n) if n <= LONGEST => Ok(Duration::from_millis(u64::try_from(n).unwrap_or_default())),
        _ => Err(format!("{{value_too_large,{number}}}")),
    }
}
