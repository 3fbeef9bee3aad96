//! Runs a scenario, on both servers.

use std::collections::HashMap;
use std::net::SocketAddr;

use super::servers;
use super::trace::Trace;
use super::wire::Wire;
use crate::support::unique;

/// A clock: a message that expires in the queue `$clock` is then delivered to the consumer `tock`.
pub(crate) const TOCK: &str = "1 queue.declare queue=$tock exclusive
    1 basic.consume queue=$tock consumer_tag=tock no_ack
    1 queue.declare queue=$clock exclusive arguments={x-dead-letter-exchange=S:\"\" x-dead-letter-routing-key=S:$tock}";

/// One run of a scenario on one server.
pub(crate) struct Session {
    server: SocketAddr,
    trace: Trace,
    wires: HashMap<String, Wire>,
}

/// Runs a script on both servers; their answers must be equal.
#[track_caller]
pub(crate) fn same(script: &str) {
    same_steps(|session| session.script(script));
}

/// As [`same`], for steps that a script has no words for.
#[track_caller]
pub(crate) fn same_steps(steps: impl Fn(&mut Session)) {
    let traces = servers::both().map(|(name, server)| (name, run(server, &steps)));
    servers::compare(&traces);
}

/// Runs steps on the sandbox alone, for their trace.
pub(crate) fn on_sandbox(steps: impl Fn(&mut Session)) -> String {
    run(servers::sandbox(), &steps)
}

/// Runs steps on a server, for their trace.
pub(crate) fn run(server: SocketAddr, steps: &impl Fn(&mut Session)) -> String {
    let trace = Trace::new(format!("{}-", unique("s")));
    let mut session = Session { server, trace: trace.clone(), wires: HashMap::new() };
    steps(&mut session);
    trace.text()
}

impl Session {
    /// Runs a script.
    pub(crate) fn script(&mut self, text: &str) {
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            self.step(line);
        }
    }

    /// What was recorded last.
    pub(crate) fn last(&self) -> String {
        self.trace.text().lines().last().unwrap_or_default().to_owned()
    }

    /// One line of a script.
    pub(crate) fn step(&mut self, line: &str) {
        self.trace.record(&format!("> {line}"));
        let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
        let (name, rest) = if first.parse::<u16>().is_ok() || is_word(first) { ("a", line) } else { (first, rest) };
        let (sends, rest) = rest.strip_prefix("send ").map_or((false, rest), |rest| (true, rest));
        match rest.split_once(' ').unwrap_or((rest, "")) {
            ("drop", _) => return drop(self.wires.remove(name)),
            ("dial", _) => return self.dial(name),
            ("shut-down", _) => return self.wire(name).shut_down(),
            ("raw", bytes) => return self.wire(name).raw(&unescaped(bytes)),
            _ => {}
        }
        let mut words = rest.split(' ');
        let channel: u16 = words.next().and_then(|w| w.parse().ok()).unwrap_or_else(|| panic!("no channel in: {line}"));
        let words: Vec<&str> = words.collect();
        let number = |n: usize| words.get(n).and_then(|w| w.parse::<u64>().ok()).unwrap_or(1);
        let is_method = words[0].contains('.');
        if !sends && (is_method || words[0] == "queue" || words[0] == "gone") {
            self.make_ready(name, channel);
        }
        let wire = self.wire(name);
        match words[0] {
            "next" => (0..number(1)).for_each(|_| wire.next()),
            "confirms" => wire.confirms(channel, number(1)),
            "sync" => drop(wire.sync(channel)),
            "end" => wire.end(),
            "gone" => wire.gone(channel, words[1]),
            "queue" => wire.settled(channel, words[1], (number(2), number(3))),
            _ if !is_method => panic!("no such step: {line}"),
            _ => {
                let (_, message) = wire.outgoing(rest);
                if !sends && message.method.is_answered() && !message.has_bit("nowait") {
                    wire.call(rest);
                } else {
                    wire.send(rest);
                }
            }
        }
    }

    /// The connection of this name; it is made and logs in when it is new.
    pub(crate) fn wire(&mut self, name: &str) -> &mut Wire {
        let (server, trace) = (self.server, self.trace.clone());
        self.wires.entry(name.to_owned()).or_insert_with(|| {
            let mut wire = Wire::dial(name, server, trace);
            wire.log_in();
            wire
        })
    }

    /// A connection that says nothing yet.
    fn dial(&mut self, name: &str) {
        let wire = Wire::dial(name, self.server, self.trace.clone());
        self.wires.insert(name.to_owned(), wire);
    }

    fn make_ready(&mut self, name: &str, channel: u16) {
        if self.wires.get(name).is_some_and(|wire| wire.ended) {
            self.wires.remove(name);
        }
        let wire = self.wire(name);
        if wire.is_closed(channel) {
            wire.reopen(channel);
        }
    }
}

/// The steps that need no channel.
fn is_word(word: &str) -> bool {
    matches!(word, "drop" | "dial" | "raw" | "send" | "shut-down")
}

/// `\xNN` for a byte, other characters for themselves.
fn unescaped(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some(digits) = rest.strip_prefix("\\x") {
            out.push(u8::from_str_radix(&digits[..2], 16).expect("two hexadecimal digits"));
            rest = &digits[2..];
        } else {
            out.push(first as u8);
            rest = &rest[1..];
        }
    }
    out
}
