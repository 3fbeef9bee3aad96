//! Fuzzes the sandbox's AMQP broker: connections that do what clients do, and what none should, in any order.
//!
//! It must not panic; what it answers must be frames; and when all is gone it must hold nothing, which is seen by its
//! blocking nobody.

#![no_main]

#[path = "../../src/sandbox/amqp/broker/mod.rs"]
mod broker;
#[path = "../../src/cursor.rs"]
mod cursor;

use std::time::{Duration, Instant};

use amq_protocol::frame::parse_frame;
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

use broker::{Broker, ConnectionId, Limits};

const CLIENTS: usize = 3;
/// Little, so that publishers are blocked now and then.
const MEMORY: usize = 16 << 10;

/// Names that are few, so that they meet.
#[derive(Debug, Clone, Copy, Arbitrary)]
enum Name {
    Empty,
    A,
    B,
    C,
    Topic,
    Fanout,
    Headers,
    ReplyTo,
}

impl Name {
    fn text(self) -> &'static [u8] {
        match self {
            Name::Empty => b"",
            Name::A => b"a",
            Name::B => b"b",
            Name::C => b"c.d",
            Name::Topic => b"amq.topic",
            Name::Fanout => b"amq.fanout",
            Name::Headers => b"amq.headers",
            Name::ReplyTo => b"amq.rabbitmq.reply-to",
        }
    }
}

/// Arguments and headers.
#[derive(Debug, Arbitrary)]
enum Entry {
    Int(Key, i32),
    Text(Key, Name),
    Bool(Key, bool),
    Texts(Key, Vec<Name>),
    Raw(u8, Vec<u8>),
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum Key {
    Ttl,
    Expires,
    MaxLength,
    MaxBytes,
    MaxPriority,
    Overflow,
    DeadLetterExchange,
    DeadLetterKey,
    SingleActive,
    Type,
    DeliveryLimit,
    Alternate,
    Match,
    Cc,
    Bcc,
    Death,
    Priority,
    A,
}

impl Key {
    fn text(self) -> &'static [u8] {
        match self {
            Key::Ttl => b"x-message-ttl",
            Key::Expires => b"x-expires",
            Key::MaxLength => b"x-max-length",
            Key::MaxBytes => b"x-max-length-bytes",
            Key::MaxPriority => b"x-max-priority",
            Key::Overflow => b"x-overflow",
            Key::DeadLetterExchange => b"x-dead-letter-exchange",
            Key::DeadLetterKey => b"x-dead-letter-routing-key",
            Key::SingleActive => b"x-single-active-consumer",
            Key::Type => b"x-queue-type",
            Key::DeliveryLimit => b"x-delivery-limit",
            Key::Alternate => b"alternate-exchange",
            Key::Match => b"x-match",
            Key::Cc => b"CC",
            Key::Bcc => b"BCC",
            Key::Death => b"x-death",
            Key::Priority => b"x-priority",
            Key::A => b"a",
        }
    }
}

#[derive(Debug, Arbitrary)]
enum Step {
    ChannelOpen,
    ChannelClose,
    ExchangeDeclare {
        name: Name,
        kind: u8,
        bits: u8,
        arguments: Vec<Entry>,
    },
    ExchangeDelete {
        name: Name,
        bits: u8,
    },
    ExchangeBind {
        to: Name,
        from: Name,
        key: Name,
        arguments: Vec<Entry>,
        undo: bool,
    },
    QueueDeclare {
        name: Name,
        bits: u8,
        arguments: Vec<Entry>,
    },
    QueueBind {
        queue: Name,
        exchange: Name,
        key: Name,
        arguments: Vec<Entry>,
        undo: bool,
    },
    QueuePurge {
        name: Name,
    },
    QueueDelete {
        name: Name,
        bits: u8,
    },
    Qos {
        count: u8,
        global: bool,
    },
    Consume {
        queue: Name,
        tag: Name,
        bits: u8,
        arguments: Vec<Entry>,
    },
    Cancel {
        tag: Name,
    },
    Publish {
        exchange: Name,
        key: Name,
        bits: u8,
        headers: Vec<Entry>,
        expiration: Option<u8>,
        priority: Option<u8>,
        reply: bool,
        body: u8,
    },
    Get {
        queue: Name,
        no_ack: bool,
    },
    Ack {
        tag: u8,
        multiple: bool,
    },
    Nack {
        tag: u8,
        bits: u8,
    },
    Recover,
    Confirm,
    /// A frame of anything.
    Frame {
        kind: u8,
        payload: Vec<u8>,
    },
    /// No frame at all.
    Bytes(Vec<u8>),
    Heartbeat,
    Reconnect,
    Wait(u16),
    Block(bool),
}

struct World {
    broker: Broker,
    clients: [ConnectionId; CLIENTS],
    unread: [Vec<u8>; CLIENTS],
    now: Instant,
    /// Something may have been made that nobody knows the name of.
    unknown: bool,
}

fuzz_target!(|steps: Vec<(u8, u8, bool, Step)>| {
    let limits = Limits { users: vec![("guest".into(), "guest".into())], vhosts: vec!["/".into()], memory: MEMORY };
    let mut broker = Broker::new(limits);
    let clients = [(); CLIENTS].map(|()| broker.connect());
    let mut world = World { broker, clients, unread: Default::default(), now: Instant::now(), unknown: false };
    (0..CLIENTS).for_each(|client| world.log_in(client));
    for (client, channel, reads, step) in steps {
        let client = usize::from(client) % CLIENTS;
        world.step(client, u16::from(channel % 3), step);
        if reads {
            world.broker.take_touched();
            (0..CLIENTS).for_each(|client| world.read(client));
        }
    }
    world.end();
});

impl World {
    fn log_in(&mut self, client: usize) {
        self.send(client, b"AMQP\x00\x00\x09\x01");
        let mut start =
            long(b"\x0ccapabilitiesF\x00\x00\x00\x2e\x16consumer_cancel_notifyt\x01\x12connection.blockedt\x01");
        short(&mut start, b"PLAIN");
        start.extend(long(b"\0guest\0guest"));
        short(&mut start, b"en_US");
        self.method(client, 0, (10, 11), &start);
        let mut tune = 2047u16.to_be_bytes().to_vec();
        tune.extend(4096u32.to_be_bytes());
        tune.extend(60u16.to_be_bytes());
        self.method(client, 0, (10, 31), &tune);
        self.method(client, 0, (10, 40), b"\x01/\x00\x00");
        self.method(client, 1, (20, 10), &[0]);
        self.method(client, 2, (20, 10), &[0]);
    }

    fn send(&mut self, client: usize, bytes: &[u8]) {
        let unread = &mut self.unread[client];
        unread.extend_from_slice(bytes);
        let used = self.broker.receive(self.clients[client], unread, self.now);
        unread.drain(..used);
    }

    fn frame(&mut self, client: usize, kind: u8, channel: u16, payload: &[u8]) {
        let mut frame = vec![kind];
        frame.extend(channel.to_be_bytes());
        frame.extend(u32::try_from(payload.len()).expect("short").to_be_bytes());
        frame.extend(payload);
        frame.push(0xce);
        self.send(client, &frame);
    }

    fn method(&mut self, client: usize, channel: u16, (class, method): (u16, u16), fields: &[u8]) {
        let payload = [&class.to_be_bytes()[..], &method.to_be_bytes(), fields].concat();
        self.frame(client, 1, channel, &payload);
    }

    /// Takes what waits for a client: frames, and nothing but.
    fn read(&mut self, client: usize) {
        let id = self.clients[client];
        let mut out = Vec::new();
        self.broker.take_output(id, &mut out);
        let mut rest = out.as_slice();
        while !rest.is_empty() {
            let Ok((after, _)) = parse_frame(rest) else {
                // What a client may say in bytes, the parser's strings cannot hold.
                assert!(std::str::from_utf8(&out).is_err(), "no frames: {out:?}");
                break;
            };
            rest = after;
        }
        self.broker.drained(id, self.now);
        if self.broker.status(id).ended {
            self.reconnect(client);
        }
    }

    fn reconnect(&mut self, client: usize) {
        self.broker.disconnect(self.clients[client], self.now);
        self.unread[client].clear();
        self.clients[client] = self.broker.connect();
        self.log_in(client);
    }

    fn step(&mut self, client: usize, channel: u16, step: Step) {
        let mut fields = vec![0, 0];
        match step {
            Step::ChannelOpen => self.method(client, channel, (20, 10), &[0]),
            Step::ChannelClose => self.method(client, channel, (20, 40), &[0, 200, 0, 0, 0, 0, 0]),
            Step::ExchangeDeclare { name, kind, bits, arguments } => {
                short(&mut fields, name.text());
                short(&mut fields, [&b"direct"[..], b"fanout", b"topic", b"headers", b"odd"][usize::from(kind % 5)]);
                fields.push(bits & 0x1f);
                fields.extend(table(&arguments));
                self.method(client, channel, (40, 10), &fields);
            }
            Step::ExchangeDelete { name, bits } => {
                short(&mut fields, name.text());
                fields.push(bits & 3);
                self.method(client, channel, (40, 20), &fields);
            }
            Step::ExchangeBind { to, from, key, arguments, undo } => {
                [to, from, key].iter().for_each(|name| short(&mut fields, name.text()));
                fields.push(0);
                fields.extend(table(&arguments));
                self.method(client, channel, (40, if undo { 40 } else { 30 }), &fields);
            }
            Step::QueueDeclare { name, bits, arguments } => {
                self.unknown |= matches!(name, Name::Empty);
                short(&mut fields, name.text());
                fields.push(bits & 0x1f);
                fields.extend(table(&arguments));
                self.method(client, channel, (50, 10), &fields);
            }
            Step::QueueBind { queue, exchange, key, arguments, undo } => {
                [queue, exchange, key].iter().for_each(|name| short(&mut fields, name.text()));
                if !undo {
                    fields.push(0);
                }
                fields.extend(table(&arguments));
                self.method(client, channel, (50, if undo { 50 } else { 20 }), &fields);
            }
            Step::QueuePurge { name } => {
                short(&mut fields, name.text());
                fields.push(0);
                self.method(client, channel, (50, 30), &fields);
            }
            Step::QueueDelete { name, bits } => {
                short(&mut fields, name.text());
                fields.push(bits & 7);
                self.method(client, channel, (50, 40), &fields);
            }
            Step::Qos { count, global } => {
                self.method(client, channel, (60, 10), &[0, 0, 0, 0, 0, count, u8::from(global)]);
            }
            Step::Consume { queue, tag, bits, arguments } => {
                [queue, tag].iter().for_each(|name| short(&mut fields, name.text()));
                fields.push(bits & 0xf);
                fields.extend(table(&arguments));
                self.method(client, channel, (60, 20), &fields);
            }
            Step::Cancel { tag } => {
                let mut fields = Vec::new();
                short(&mut fields, tag.text());
                fields.push(0);
                self.method(client, channel, (60, 30), &fields);
            }
            Step::Publish { exchange, key, bits, headers, expiration, priority, reply, body } => {
                [exchange, key].iter().for_each(|name| short(&mut fields, name.text()));
                fields.push(bits & 1);
                self.method(client, channel, (60, 40), &fields);
                let mut flags = 0x2000u16;
                let mut properties = table(&headers);
                if let Some(priority) = priority {
                    flags |= 0x800;
                    properties.push(priority);
                }
                if reply {
                    flags |= 0x200;
                    short(&mut properties, Name::ReplyTo.text());
                }
                if let Some(expiration) = expiration {
                    flags |= 0x100;
                    short(&mut properties, expiration.to_string().as_bytes());
                }
                let body = vec![b'x'; usize::from(body)];
                let mut header = vec![0, 60, 0, 0];
                header.extend((body.len() as u64).to_be_bytes());
                header.extend(flags.to_be_bytes());
                header.extend(properties);
                self.frame(client, 2, channel, &header);
                if !body.is_empty() {
                    self.frame(client, 3, channel, &body);
                }
            }
            Step::Get { queue, no_ack } => {
                short(&mut fields, queue.text());
                fields.push(u8::from(no_ack));
                self.method(client, channel, (60, 70), &fields);
            }
            Step::Ack { tag, multiple } => {
                self.method(client, channel, (60, 80), &[0, 0, 0, 0, 0, 0, 0, tag, u8::from(multiple)]);
            }
            Step::Nack { tag, bits } => {
                self.method(client, channel, (60, 120), &[0, 0, 0, 0, 0, 0, 0, tag, bits & 3]);
            }
            Step::Recover => self.method(client, channel, (60, 110), &[1]),
            Step::Confirm => self.method(client, channel, (85, 10), &[0]),
            Step::Frame { kind, payload } => {
                self.unknown = true;
                self.frame(client, kind % 10, channel, &payload);
            }
            Step::Bytes(bytes) => {
                self.unknown = true;
                self.send(client, &bytes);
            }
            Step::Heartbeat => {
                self.broker.heartbeat(self.clients[client]);
                self.frame(client, 8, channel, b"");
            }
            Step::Reconnect => self.reconnect(client),
            Step::Wait(millis) => {
                self.now += Duration::from_millis(millis.into());
                // A chain of dead letters is gone along in pieces.
                for _ in 0..100 {
                    self.broker.tick(self.now);
                }
                assert!(self.broker.next_wake().is_none_or(|at| at > self.now), "something is due and not done");
            }
            Step::Block(blocked) => self.broker.set_blocked(blocked),
        }
    }

    fn end(mut self) {
        self.broker.set_blocked(false);
        for client in 0..CLIENTS {
            self.read(client);
            self.broker.disconnect(self.clients[client], self.now);
        }
        self.clients = [(); CLIENTS].map(|()| self.broker.connect());
        self.unread = Default::default();
        self.log_in(0);
        for name in [Name::A, Name::B, Name::C, Name::Topic, Name::Fanout, Name::Headers] {
            self.step(0, 1, Step::QueueDelete { name, bits: 0 });
        }
        self.step(
            0,
            1,
            Step::Publish {
                exchange: Name::Fanout,
                key: Name::A,
                bits: 0,
                headers: Vec::new(),
                expiration: None,
                priority: None,
                reply: false,
                body: 1,
            },
        );
        let status = self.broker.status(self.clients[0]);
        assert!(self.unknown || status.open && !status.blocked, "something is left: {status:?}");
    }
}

fn short(out: &mut Vec<u8>, text: &[u8]) {
    out.push(u8::try_from(text.len()).expect("short"));
    out.extend_from_slice(text);
}

fn long(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).expect("short").to_be_bytes()[..], bytes].concat()
}

fn table(entries: &[Entry]) -> Vec<u8> {
    let mut out = Vec::new();
    for entry in entries.iter().take(8) {
        match entry {
            Entry::Int(key, number) => {
                short(&mut out, key.text());
                out.push(b'I');
                out.extend(number.to_be_bytes());
            }
            Entry::Text(key, name) => {
                short(&mut out, key.text());
                out.push(b'S');
                let text: &[u8] = match (key, name) {
                    (Key::Overflow, Name::A) => b"reject-publish",
                    (Key::Overflow, Name::B) => b"reject-publish-dlx",
                    (Key::Type, Name::A) => b"quorum",
                    (Key::Match, Name::A) => b"any",
                    _ => name.text(),
                };
                out.extend(long(text));
            }
            Entry::Bool(key, value) => {
                short(&mut out, key.text());
                out.extend([b't', u8::from(*value)]);
            }
            Entry::Texts(key, names) => {
                short(&mut out, key.text());
                out.push(b'A');
                let items: Vec<u8> =
                    names.iter().take(4).flat_map(|n| [b"S".to_vec(), long(n.text())].concat()).collect();
                out.extend(long(&items));
            }
            Entry::Raw(kind, bytes) => {
                short(&mut out, b"raw");
                out.push(*kind);
                out.extend(bytes.iter().take(64));
            }
        }
    }
    long(&out)
}
