//! One connection to a broker: it writes what a script says, or any bytes, and takes down every answer.

use std::collections::{BTreeSet, HashMap};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::codec::{self, Message};
use super::confirms::Confirms;
use super::text;
use super::trace::Trace;

/// How long one answer may take.
const PATIENCE: Duration = crate::support::DEADLINE;

/// What is taken down when it takes longer.
pub(crate) const NO_ANSWER: &str = "NO ANSWER";

/// A connection, named by a letter or a word.
pub(crate) struct Wire {
    name: String,
    stream: TcpStream,
    buffer: Vec<u8>,
    trace: Trace,
    /// What a content lacks: its method and header have come, its body has not.
    partial: HashMap<u16, (Message, u64)>,
    confirms: HashMap<u16, Confirms>,
    closed_channels: BTreeSet<u16>,
    frame_max: usize,
    /// Whether the end of the connection has come.
    pub ended: bool,
    /// Whether a close is answered, as it should be.
    pub polite: bool,
    /// Whether every body frame is taken down with its length.
    pub shows_frames: bool,
    /// Whether heartbeats are taken down.
    pub shows_heartbeats: bool,
    /// Whether every octet is written by itself.
    pub trickles: bool,
}

/// What came in.
pub(crate) enum Item {
    /// A method, on its channel; it has been taken down.
    Method(u16, Message),
    /// Anything else that was taken down.
    Other,
    /// Nothing to take down: a part of a content, a confirm, a heartbeat.
    Nothing,
}

impl Wire {
    /// Connects, and says nothing yet.
    pub(crate) fn dial(name: &str, server: SocketAddr, trace: Trace) -> Wire {
        let stream = TcpStream::connect(server).expect("connects");
        stream.set_nodelay(true).expect("sets an option");
        Wire {
            name: name.to_owned(),
            stream,
            buffer: Vec::new(),
            trace,
            partial: HashMap::new(),
            confirms: HashMap::new(),
            closed_channels: BTreeSet::new(),
            frame_max: 131_072,
            ended: false,
            polite: true,
            shows_frames: false,
            shows_heartbeats: false,
            trickles: false,
        }
    }

    /// Logs in as guest with a client's usual capabilities, and opens the channel 1; nothing of this is taken down.
    pub(crate) fn log_in(&mut self) {
        self.trace.pause();
        self.raw(b"AMQP\0\0\x09\x01");
        self.next();
        self.call(START_OK);
        self.send("0 connection.tune-ok channel_max=2047 frame_max=131072");
        let opened = self.call("0 connection.open vhost=/");
        assert!(opened, "logs in: {}", self.trace.text());
        self.call("1 channel.open");
        self.trace.resume();
    }

    // ------------------------------------------------------------ out

    /// Writes a line of a script, `CHANNEL METHOD …`.
    pub(crate) fn send(&mut self, line: &str) {
        let (channel, message) = self.outgoing(line);
        if message.method.name == "connection.tune-ok" {
            self.frame_max = message.number("frame_max").filter(|n| *n > 8).unwrap_or(131_072) as usize;
        }
        let bytes = codec::encode(channel, &message, self.frame_max);
        self.write(&bytes);
    }

    /// Writes it, and waits for its answer: `false` when the channel or the connection ended instead.
    pub(crate) fn call(&mut self, line: &str) -> bool {
        let (channel, _) = self.outgoing(line);
        self.send(line);
        loop {
            match self.next_item() {
                Item::Method(_, message) if message.method.name == "connection.close" => {
                    return false;
                }
                Item::Method(on, message) if on == channel => match message.method.name {
                    "channel.close" => return false,
                    "basic.deliver" | "basic.return" | "basic.cancel" => {}
                    _ => return true,
                },
                _ if self.ended => return false,
                _ => {}
            }
        }
    }

    /// The channel and the message of a line.
    pub(crate) fn outgoing(&self, line: &str) -> (u16, Message) {
        let line = self.trace.expanded(line);
        let (channel, rest) = line.split_once(' ').expect("CHANNEL METHOD …");
        (channel.parse().expect("a channel"), text::parse(rest))
    }

    /// Writes bytes as they are.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.write(bytes);
    }

    /// Writes bytes; false when they are not taken in this time.
    pub(crate) fn try_raw(&mut self, bytes: &[u8], patience: Duration) -> bool {
        self.stream.set_write_timeout(Some(patience)).expect("a limit");
        self.stream.write_all(bytes).is_ok()
    }

    /// A broker that has closed the connection need not read on.
    fn write(&mut self, bytes: &[u8]) {
        let size = if self.trickles { 1 } else { bytes.len().max(1) };
        for piece in bytes.chunks(size) {
            if let Err(error) = self.stream.write_all(piece) {
                assert!(matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "writes: {error}");
                return;
            }
        }
    }

    /// Writes the same bytes many times and reads nothing, until the broker takes no more.
    pub(crate) fn flood(&mut self, bytes: &[u8], times: usize) {
        self.stream.set_write_timeout(Some(Duration::from_secs(1))).expect("sets an option");
        for _ in 0..times {
            if self.stream.write_all(bytes).is_err() {
                return;
            }
        }
    }

    /// Reads to the end of the connection, whatever comes.
    pub(crate) fn drain(&mut self) {
        while self.fill(self.buffer.len() + 1).is_some() {}
        self.ended = true;
    }

    /// Ends its direction of the stream.
    pub(crate) fn shut_down(&mut self) {
        // It may be gone already.
        drop(self.stream.shutdown(Shutdown::Write));
    }

    // ------------------------------------------------------------ in

    /// Waits for one thing to take down.
    pub(crate) fn next(&mut self) {
        while !self.ended {
            if !matches!(self.next_item(), Item::Nothing) {
                return;
            }
        }
    }

    /// Waits for the end of the connection.
    pub(crate) fn end(&mut self) {
        while !self.ended {
            self.next_item();
        }
    }

    /// Waits until so many publishes of a channel have been confirmed since the last time, and takes down which.
    pub(crate) fn confirms(&mut self, channel: u16, count: u64) {
        let missing = |wire: &mut Wire| wire.confirms.entry(channel).or_default().unshown() < count;
        while missing(self) && !self.ended && !self.closed_channels.contains(&channel) {
            self.next_item();
        }
        for line in self.confirms.entry(channel).or_default().show() {
            self.record(&format!("{channel} {line}"));
        }
    }

    /// Proves that nothing is on its way from the channel: a round trip that changes nothing. What does come is taken down.
    pub(crate) fn sync(&mut self, channel: u16) -> bool {
        self.send(&format!("{channel} channel.flow active"));
        self.hidden_answer(channel, "channel.flow-ok").is_some()
    }

    /// As [`Wire::sync`], through a queue, with whatever it has to deliver: messages and consumers.
    pub(crate) fn queue(&mut self, channel: u16, queue: &str) -> Option<(u64, u64)> {
        self.send(&format!("{channel} queue.declare passive queue={queue}"));
        let counts = self.hidden_answer(channel, "queue.declare-ok")?;
        self.sync(channel);
        Some((counts.number("messages")?, counts.number("consumers")?))
    }

    /// Waits until a queue has so many messages and consumers, and takes that down.
    pub(crate) fn settled(&mut self, channel: u16, queue: &str, wanted: (u64, u64)) {
        let started = Instant::now();
        loop {
            let Some(counts) = self.queue(channel, queue) else {
                return;
            };
            if counts == wanted || started.elapsed() > PATIENCE {
                return self.record(&format!("{channel} queue {queue} messages={} consumers={}", counts.0, counts.1));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until a queue is gone. It asks with a message, because a declaration would be a use of the queue.
    pub(crate) fn gone(&mut self, channel: u16, queue: &str) {
        let started = Instant::now();
        self.trace.pause();
        let mut returned = false;
        while !returned && started.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(20));
            self.send(&format!("{channel} basic.publish routing_key={queue} mandatory"));
            self.send(&format!("{channel} channel.flow active"));
            while let Item::Method(_, message) = self.next_item() {
                match message.method.name {
                    "basic.return" => returned = true,
                    "channel.flow-ok" => break,
                    _ => {}
                }
            }
        }
        self.trace.resume();
        self.record(&format!("{channel} queue {queue} {}", if returned { "is gone" } else { "stays" }));
    }

    /// The answer of a probe, which is itself not taken down; `None` when the channel or the connection ended.
    fn hidden_answer(&mut self, channel: u16, name: &'static str) -> Option<Message> {
        loop {
            match self.receive(Some((channel, name)))? {
                Item::Method(on, message) if on == channel && message.method.name == name => {
                    return Some(message);
                }
                Item::Method(on, message) if on == channel && message.method.name == "channel.close" => {
                    return None;
                }
                _ => {}
            }
        }
    }

    fn next_item(&mut self) -> Item {
        self.receive(None).unwrap_or(Item::Other)
    }

    /// The next frame; `None` at the end of the connection.
    fn receive(&mut self, hidden: Option<(u16, &'static str)>) -> Option<Item> {
        if self.ended {
            return None;
        }
        let Some((kind, channel, payload)) = self.frame() else {
            if !self.ended {
                self.ended = true;
                self.record("closed");
            }
            return None;
        };
        Some(match kind {
            b'A' => {
                self.record(&format!("header AMQP {payload:?}"));
                Item::Other
            }
            1 => self.method(channel, &payload, hidden),
            2 => {
                let (message, size) = self.partial.get_mut(&channel).expect("a header after its method");
                let (body, content) = codec::decode_header(&payload).expect("a header that can be read");
                *size = body;
                message.content = Some(content);
                self.finish(channel)
            }
            3 => {
                if self.shows_frames {
                    self.record(&format!("{channel} body frame of {}", payload.len()));
                }
                let (message, _) = self.partial.get_mut(&channel).expect("a body after its method");
                message.content.as_mut().expect("a body after its header").body.extend(payload);
                self.finish(channel)
            }
            8 if self.shows_heartbeats => {
                self.record(&format!("{channel} heartbeat"));
                Item::Other
            }
            8 => Item::Nothing,
            _ => {
                self.record(&format!("{channel} frame of type {kind}"));
                Item::Other
            }
        })
    }

    fn method(&mut self, channel: u16, payload: &[u8], hidden: Option<(u16, &'static str)>) -> Item {
        let message = codec::decode_method(payload).unwrap_or_else(|| panic!("cannot be read: {payload:?}"));
        if message.method.has_content() {
            self.partial.insert(channel, (message, 0));
            return Item::Nothing;
        }
        match message.method.name {
            "basic.ack" | "basic.nack" => {
                self.confirms.entry(channel).or_default().settle(&message);
                return Item::Nothing;
            }
            "confirm.select-ok" => {
                self.confirms.insert(channel, Confirms::default());
            }
            // A memory alarm, for whatever reason, is no part of a scenario.
            "connection.blocked" | "connection.unblocked" => return Item::Nothing,
            name if hidden == Some((channel, name)) => return Item::Method(channel, message),
            _ => {}
        }
        self.record(&format!("{channel} {}", shown(&message)));
        match message.method.name {
            "channel.close" => {
                self.closed_channels.insert(channel);
                if self.polite {
                    self.send(&format!("{channel} channel.close-ok"));
                }
            }
            "channel.open-ok" => {
                self.closed_channels.remove(&channel);
                self.confirms.remove(&channel);
            }
            "connection.close" if self.polite => {
                self.send("0 connection.close-ok");
                self.end();
            }
            _ => {}
        }
        Item::Method(channel, message)
    }

    fn finish(&mut self, channel: u16) -> Item {
        let whole = self.partial.get(&channel).is_some_and(|(message, size)| {
            message.content.as_ref().is_some_and(|content| content.body.len() as u64 >= *size)
        });
        if !whole {
            return Item::Nothing;
        }
        let (message, _) = self.partial.remove(&channel).expect("was looked at");
        self.record(&format!("{channel} {}", text::render(&message)));
        Item::Method(channel, message)
    }

    /// One frame: its type, channel and payload. A protocol header has the type `A`.
    fn frame(&mut self) -> Option<(u8, u16, Vec<u8>)> {
        self.fill(7)?;
        if self.buffer.starts_with(b"AMQP") {
            self.fill(8)?;
            return Some((b'A', 0, self.buffer.drain(..8).skip(4).collect()));
        }
        let length = u32::from_be_bytes(self.buffer[3..7].try_into().expect("four bytes")) as usize;
        self.fill(length + 8)?;
        let frame: Vec<u8> = self.buffer.drain(..length + 8).collect();
        assert_eq!(frame[length + 7], 0xce, "the end of a frame");
        Some((frame[0], u16::from_be_bytes([frame[1], frame[2]]), frame[7..length + 7].to_vec()))
    }

    /// Reads until there are so many bytes; `None` at the end of the stream.
    fn fill(&mut self, count: usize) -> Option<()> {
        let deadline = Instant::now() + PATIENCE;
        let mut chunk = vec![0; 64 * 1024];
        while self.buffer.len() < count {
            let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            self.stream.set_read_timeout(Some(left)).expect("sets an option");
            match self.stream.read(&mut chunk) {
                Ok(0) => return None,
                Ok(n) => self.buffer.extend_from_slice(&chunk[..n]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                Err(_) => {
                    // The rest of the scenario is lost; its trace shows where.
                    self.ended = true;
                    self.record(NO_ANSWER);
                    return None;
                }
            }
        }
        Some(())
    }

    fn record(&self, line: &str) {
        self.trace.record(&format!("{} {line}", self.name));
    }

    /// Whether a line needs another connection first, or another channel.
    pub(crate) fn is_closed(&self, channel: u16) -> bool {
        self.closed_channels.contains(&channel)
    }

    /// Opens a channel that the broker has closed, and says nothing of it.
    pub(crate) fn reopen(&mut self, channel: u16) {
        self.trace.pause();
        self.call(&format!("{channel} channel.open"));
        self.trace.resume();
    }
}

/// What a client answers to the start: a login as guest.
pub(crate) const START_OK: &str = "0 connection.start-ok mechanism=PLAIN response=\"\\x00guest\\x00guest\" locale=en_US \
     client_properties={product=S:script capabilities=F:{publisher_confirms=t:1 basic.nack=t:1 consumer_cancel_notify=t:1 \
     exchange_exchange_bindings=t:1 connection.blocked=t:1 authentication_failure_close=t:1}}";

/// The greeting names the product, its version, its node: none of them is a promise.
fn shown(message: &Message) -> String {
    let text = text::render(message);
    if message.method.name != "connection.start" {
        return text;
    }
    let capabilities =
        text.split_once("capabilities=F:{").and_then(|(_, rest)| rest.split_once('}')).unwrap_or_default();
    let (_, rest) = text.rsplit_once(" mechanisms=").unwrap_or_default();
    format!("{} capabilities={{{}}} mechanisms={rest}", message.method.name, capabilities.0)
}
