//! A virtual host: its exchanges, the names of its queues, and where messages go.

use std::collections::HashMap;
use std::rc::Rc;

use super::QueueId;
use super::exchange::{Binding, Destination, Exchange, ExchangeKind};
use super::message::Message;
use super::method::ExchangeFlags;
use super::table::Table;

/// How many answers of the routing are remembered.
const REMEMBERED: usize = 1024;

/// An exchange and a routing key.
type Route = (Rc<str>, Box<[u8]>);

/// A virtual host.
#[derive(Debug)]
pub(crate) struct Vhost {
    /// Its name.
    pub name: Rc<str>,
    /// Its exchanges by name; the default exchange is none of them.
    pub exchanges: HashMap<Rc<str>, Exchange>,
    /// Its queues by name.
    pub queues: HashMap<Rc<str>, QueueId>,
    /// The exchanges that lead to a destination, and by how many bindings each.
    sources: HashMap<Destination, HashMap<Rc<str>, usize>>,
    /// Where the keys of an exchange led to, where keys alone decide.
    routes: HashMap<Route, Rc<[QueueId]>>,
}

impl Vhost {
    /// A virtual host with the exchanges that are always there.
    pub(crate) fn new(name: &str) -> Vhost {
        let flags = ExchangeFlags { durable: true, auto_delete: false, internal: false };
        let mut exchanges = HashMap::new();
        for (name, kind) in [
            ("amq.direct", ExchangeKind::Direct),
            ("amq.fanout", ExchangeKind::Fanout),
            ("amq.topic", ExchangeKind::Topic),
            ("amq.headers", ExchangeKind::Headers),
            ("amq.match", ExchangeKind::Headers),
        ] {
            exchanges.insert(Rc::from(name), Exchange::new(name, kind, flags, Table::default()));
        }
        let internal = ExchangeFlags { internal: true, ..flags };
        let trace = "amq.rabbitmq.trace";
        exchanges.insert(Rc::from(trace), Exchange::new(trace, ExchangeKind::Topic, internal, Table::default()));
        Vhost { name: name.into(), exchanges, queues: HashMap::new(), sources: HashMap::new(), routes: HashMap::new() }
    }

    /// Forgets where keys led to: exchanges, queues or bindings have changed.
    pub(crate) fn forget_routes(&mut self) {
        self.routes.clear();
    }

    /// Adds a binding to an exchange.
    pub(crate) fn bind(&mut self, source: &Rc<str>, binding: Binding) {
        let Some(exchange) = self.exchanges.get_mut(source) else { return };
        let destination = binding.destination.clone();
        if exchange.bindings.insert(binding) {
            *self.sources.entry(destination).or_default().entry(source.clone()).or_default() += 1;
            self.forget_routes();
        }
    }

    /// Removes a binding; an exchange that deletes itself goes with its last one.
    pub(crate) fn unbind(&mut self, source: &str, binding: &Binding) {
        let Some(exchange) = self.exchanges.get_mut(source) else { return };
        if !exchange.bindings.remove(binding) {
            return;
        }
        let (name, is_unused) = (exchange.name.clone(), exchange.is_unused());
        self.forget_source(&binding.destination, &name);
        self.forget_routes();
        if is_unused {
            self.remove_exchange(&name);
        }
    }

    fn forget_source(&mut self, destination: &Destination, source: &Rc<str>) {
        let Some(sources) = self.sources.get_mut(destination) else { return };
        if let Some(count) = sources.get_mut(source) {
            *count -= 1;
            if *count == 0 {
                sources.remove(source);
            }
        }
        if sources.is_empty() {
            self.sources.remove(destination);
        }
    }

    /// Removes an exchange with the bindings from it and to it, and those that delete themselves then.
    pub(crate) fn remove_exchange(&mut self, name: &str) {
        if let Some(exchange) = self.exchanges.remove(name) {
            for binding in &exchange.bindings {
                self.forget_source(&binding.destination, &exchange.name);
            }
            self.remove_destination(&Destination::Exchange(exchange.name));
        }
    }

    /// Removes the bindings to what is no more, and the exchanges that delete themselves then: along chains of any length,
    /// and so not by recursion.
    pub(crate) fn remove_destination(&mut self, destination: &Destination) {
        self.forget_routes();
        let mut gone = vec![destination.clone()];
        while let Some(destination) = gone.pop() {
            for source in self.sources.remove(&destination).unwrap_or_default().into_keys() {
                let Some(exchange) = self.exchanges.get_mut(&source) else { continue };
                exchange.bindings.retain(|binding| binding.destination != destination);
                // It has none left, and so leads to nothing that would have to forget it.
                if exchange.is_unused() && self.exchanges.remove(&source).is_some() {
                    gone.push(Destination::Exchange(source));
                }
            }
        }
    }

    /// The queues that a message goes to, each once.
    pub(crate) fn route(&mut self, message: &Message) -> Rc<[QueueId]> {
        let selected = !message.copies.is_empty();
        if message.exchange.is_empty() && !selected {
            return std::str::from_utf8(&message.routing_key)
                .ok()
                .and_then(|name| self.queues.get(name))
                .map_or_else(|| Rc::from([]), |queue| Rc::from([*queue]));
        }
        let remembered = (message.exchange.clone(), message.routing_key.clone());
        if !selected && let Some(route) = self.routes.get(&remembered) {
            return route.clone();
        }
        let (keys, headers) = (message.keys(), message.properties.headers());
        let mut walk = Walk { keys: &keys, headers: &headers, by_headers: false, seen: Vec::new(), queues: Vec::new() };
        self.walk(&message.exchange, &mut walk);
        let route: Rc<[QueueId]> = walk.queues.into();
        if !selected && !walk.by_headers {
            if self.routes.len() == REMEMBERED {
                self.routes.clear();
            }
            self.routes.insert(remembered, route.clone());
        }
        route
    }

    /// Follows bindings from exchange to exchange, each once, however they are tied.
    fn walk(&self, first: &Rc<str>, walk: &mut Walk<'_>) {
        let mut open = vec![first.clone()];
        while let Some(name) = open.pop() {
            if walk.seen.contains(&name) {
                continue;
            }
            walk.seen.push(name.clone());
            if name.is_empty() {
                let named = |key: &Vec<u8>| self.queues.get(std::str::from_utf8(key).ok()?).copied();
                walk.keys.iter().filter_map(named).for_each(|queue| walk.queues.push(queue));
                continue;
            }
            let Some(exchange) = self.exchanges.get(&name) else { continue };
            walk.by_headers |= exchange.kind == ExchangeKind::Headers;
            let mut found = false;
            for destination in exchange.destinations(walk.keys, walk.headers) {
                found = true;
                match destination {
                    Destination::Queue(queue) => walk.queues.push(*queue),
                    Destination::Exchange(name) => open.push(name.clone()),
                }
            }
            if !found && let Some(alternate) = exchange.alternate() {
                open.push(alternate.into());
            }
        }
        walk.queues.sort_unstable();
        walk.queues.dedup();
    }
}

/// One message on its way.
struct Walk<'a> {
    keys: &'a [Vec<u8>],
    headers: &'a Table,
    by_headers: bool,
    seen: Vec<Rc<str>>,
    queues: Vec<QueueId>,
}
