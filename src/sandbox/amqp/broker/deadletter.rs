//! Dead letters: messages that a queue gives up go to its dead-letter exchange, with a record of their deaths.

use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::message::{Message, Property};
use super::queue::Entry;
use super::table::{Table, Value};
use super::{Broker, QueueId};

/// Why a message is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeathReason {
    /// A consumer did not want it.
    Rejected,
    /// Its time was over.
    Expired,
    /// There was no room for it.
    MaxLength,
    /// It came back too often.
    DeliveryLimit,
}

/// Messages that a queue has given up.
#[derive(Debug)]
pub(crate) struct Letters {
    exchange: String,
    key: Option<Vec<u8>>,
    queue: Rc<str>,
    vhost: Rc<str>,
    entries: Vec<Entry>,
    reason: DeathReason,
}

impl DeathReason {
    fn name(self) -> &'static str {
        match self {
            DeathReason::Rejected => "rejected",
            DeathReason::Expired => "expired",
            DeathReason::MaxLength => "maxlen",
            DeathReason::DeliveryLimit => "delivery_limit",
        }
    }
}

impl Broker {
    /// Gives messages of a queue up: they are dead-lettered once what is being done has been done.
    pub(super) fn dead_letter(&mut self, id: QueueId, entries: Vec<Entry>, reason: DeathReason) {
        let Some(queue) = self.queues.get(&id) else { return };
        let Some(exchange) = queue.settings.dead_letter_exchange.clone() else { return };
        let (key, queue, vhost) = (queue.settings.dead_letter_key.clone(), queue.name.clone(), queue.vhost.clone());
        self.letters.push_back(Letters { exchange, key, queue, vhost, entries, reason });
    }

    /// Publishes dead letters.
    pub(super) fn bury(&mut self, letters: Letters) {
        let Letters { exchange, key, queue: name, vhost, entries, reason } = letters;
        for entry in entries {
            let known =
                self.vhosts.get(&vhost).is_some_and(|v| exchange.is_empty() || v.exchanges.contains_key(&*exchange));
            if !known {
                return;
            }
            let letter = self.letter(&entry.message, &exchange, key.as_deref(), &name, reason);
            let route = self.route_in(&vhost, &letter);
            let deaths = deaths(&letter.properties.headers());
            let route: Vec<QueueId> = route
                .iter()
                .copied()
                .filter(|queue| reason == DeathReason::Rejected || !self.is_cycle(*queue, &deaths))
                .collect();
            self.spread(&route, letter, None);
        }
    }

    /// The message as it is published to the dead-letter exchange.
    fn letter(
        &self,
        message: &Message,
        exchange: &str,
        key: Option<&[u8]>,
        queue: &str,
        reason: DeathReason,
    ) -> Message {
        let mut headers = message.properties.headers();
        // Those that BCC named are not told here either.
        let told = headers.get("CC").and_then(Value::as_array).unwrap_or_default();
        let told = told.iter().filter_map(|key| key.as_text().map(<[u8]>::to_vec));
        let keys: Vec<Vec<u8>> = std::iter::once(message.routing_key.to_vec()).chain(told).collect();
        let copies = if key.is_some() { Vec::new() } else { message.copies.clone() };
        if key.is_some() {
            headers.remove("CC");
        }
        let expiration = message.properties.get(Property::Expiration);
        record(&mut headers, message, &keys, queue, reason, expiration);
        let properties = message.properties.with(Property::Expiration, None).with_headers(&headers);
        let body = message.body.clone();
        let weight = self.scale.message(&properties, &body);
        let routing_key = key.unwrap_or(&message.routing_key).into();
        Message { exchange: exchange.into(), routing_key, copies, properties, body, _weight: weight }
    }

    /// Whether a message came to a queue before, without anybody having rejected it since.
    fn is_cycle(&self, queue: QueueId, deaths: &[Table]) -> bool {
        let Some(name) = self.queues.get(&queue).map(|queue| &queue.name) else { return false };
        let text = |death: &Table, name: &str, is: &[u8]| death.get(name).and_then(Value::as_text) == Some(is);
        match deaths.iter().position(|death| text(death, "queue", name.as_bytes())) {
            Some(at) => deaths.iter().take(at + 1).all(|death| !text(death, "reason", b"rejected")),
            None => false,
        }
    }
}

/// The deaths of a message, the last one first.
fn deaths(headers: &Table) -> Vec<Table> {
    let deaths = headers.get("x-death").and_then(Value::as_array).unwrap_or_default();
    deaths.iter().filter_map(Value::as_table).collect()
}

/// Writes a death into the headers: deaths of the same kind in the same queue are counted.
fn record(
    headers: &mut Table,
    message: &Message,
    keys: &[Vec<u8>],
    queue: &str,
    reason: DeathReason,
    expiration: Option<&[u8]>,
) {
    let mut all = deaths(headers);
    let is_first = headers.get("x-death").is_none();
    let same = |death: &Table| {
        let text = |name| death.get(name).and_then(Value::as_text);
        text("queue") == Some(queue.as_bytes()) && text("reason") == Some(reason.name().as_bytes())
    };
    let mut death = match all.iter().position(same) {
        Some(at) => {
            let mut death = all.remove(at);
            let count = death.get("count").and_then(Value::as_int).and_then(|n| i64::try_from(n).ok());
            death.replace("count", Value::long(count.unwrap_or_default().saturating_add(1)));
            death
        }
        None => {
            let mut death = Table::default();
            death.push("count", Value::long(1));
            death.push("reason", Value::text(reason.name()));
            death.push("queue", Value::text(queue));
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            death.push("time", Value::timestamp(now.as_secs()));
            death.push("exchange", Value::text(&*message.exchange));
            death.push("routing-keys", Value::array(&keys.iter().map(Value::text).collect::<Vec<_>>()));
            death
        }
    };
    if let Some(expiration) = expiration {
        death.push("original-expiration", Value::text(expiration));
    }
    if !is_first {
        // As RabbitMQ does where it merges.
        death.sort();
    }
    all.insert(0, death);
    headers.replace("x-death", Value::array(&all.iter().map(Value::table).collect::<Vec<_>>()));
    if is_first {
        headers.push("x-first-death-exchange", Value::text(&*message.exchange));
        headers.push("x-first-death-queue", Value::text(queue));
        headers.push("x-first-death-reason", Value::text(reason.name()));
    }
}
