//! A connection: its handshake, its end, and what it passes on to its channels.

use std::collections::HashMap;
use std::rc::Rc;

use amq_protocol::protocol::constants::{FRAME_BODY, FRAME_END, FRAME_HEADER, FRAME_HEARTBEAT, FRAME_METHOD};
use amq_protocol::protocol::{AMQPClass, connection as wire_connection};

use super::channel::{Channel, PUBLISH};
use super::decode;
use super::fault::{Code, Fault, MethodId};
use super::handshake::{Capabilities, GREETING, greeting, negotiated};
use super::message::Weight;
use super::method::Method;
use super::table::{Table, Value};
use super::wire::{self, AROUND, Frame, next_frame};
use super::{Broker, ConnectionId, ConnectionState, QueueId};

/// A heartbeat's frame.
pub(crate) const HEARTBEAT: [u8; AROUND] = [FRAME_HEARTBEAT, 0, 0, 0, 0, 0, 0, FRAME_END];

/// Largest frame, and the least that must be possible (section 4.2.3).
const FRAME_MAX: u32 = 131_072;
const FRAME_MIN: u32 = 4096;

/// Most channels of a connection.
const CHANNEL_MAX: u16 = 2047;

/// Seconds between heartbeats that are proposed.
const HEARTBEAT_SECONDS: u16 = 60;

/// How far a connection is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Phase {
    /// The greeting is awaited.
    #[default]
    Greeting,
    /// `start-ok` is awaited.
    Starting,
    /// `tune-ok` is awaited.
    Tuning,
    /// `open` is awaited.
    Opening,
    /// It is open.
    Running,
    /// It was told to close: all but the answer is ignored.
    Closing,
    /// It is over.
    Ended,
}

/// A connection.
#[derive(Debug, Default)]
pub(crate) struct Connection {
    phase: Phase,
    /// What is to be written to the client.
    pub out: Vec<u8>,
    /// Its virtual host.
    pub vhost: Rc<str>,
    /// Who has logged in.
    pub user: String,
    can: Capabilities,
    /// Largest frame; what was agreed.
    pub frame_max: usize,
    channel_max: u16,
    heartbeat: u16,
    /// Its open channels, and those that wait for the answer to their end.
    pub channels: HashMap<u16, Channel>,
    /// It publishes no more until the alarm is over.
    blocked: bool,
    /// Bytes of messages on its channels that have not come to their end.
    pub incoming: usize,
    /// Replies that wait to be written.
    pub replies: Vec<Weight>,
    /// It was given no more messages, because too much waits to be written.
    pub stalled: bool,
}

impl Connection {
    /// The state of the connection.
    pub(crate) fn status(&self) -> ConnectionState {
        ConnectionState {
            open: self.phase == Phase::Running,
            ended: self.phase == Phase::Ended,
            blocked: self.blocked,
            queued: self.out.len(),
            heartbeat: self.heartbeat,
        }
    }

    /// True when it can be told that a consumer was cancelled.
    pub(crate) fn can_be_cancelled(&self) -> bool {
        self.can.cancel
    }

    /// The queues that its consumers read.
    pub(crate) fn consumed_queues(&self) -> impl Iterator<Item = QueueId> {
        self.channels.values().flat_map(|channel| channel.consumers.values().map(|c| c.queue))
    }

    /// Reads nothing more from a publisher.
    fn block(&mut self) {
        self.blocked = true;
        if self.can.blocked {
            let blocked = wire_connection::Blocked { reason: "low on memory".into() };
            self.method(wire_connection::AMQPMethod::Blocked(blocked));
        }
    }

    /// Lets a publisher go on. False when it was not blocked.
    pub(crate) fn unblock(&mut self) -> bool {
        let was = std::mem::take(&mut self.blocked);
        if was && self.can.blocked && self.phase == Phase::Running {
            self.method(wire_connection::AMQPMethod::Unblocked(wire_connection::Unblocked {}));
        }
        was
    }

    fn method(&mut self, method: wire_connection::AMQPMethod) {
        wire::method(&mut self.out, 0, AMQPClass::Connection(method));
    }

    fn close(&mut self, fault: &Fault, method: MethodId) {
        let (class_id, method_id) = fault.method.unwrap_or(method);
        let close = wire_connection::Close {
            reply_code: fault.code.number(),
            reply_text: fault.reply_text().into(),
            class_id,
            method_id,
        };
        self.method(wire_connection::AMQPMethod::Close(close));
    }

    /// Largest payload of a frame that comes now.
    fn payload_limit(&self) -> usize {
        let frame = match self.phase {
            Phase::Running | Phase::Closing => self.frame_max,
            _ => usize::try_from(FRAME_MIN).unwrap_or_default(),
        };
        frame.saturating_sub(AROUND)
    }

    fn start(&mut self) {
        let mut capabilities = Table::default();
        for name in [
            "publisher_confirms",
            "exchange_exchange_bindings",
            "basic.nack",
            "consumer_cancel_notify",
            "connection.blocked",
            "consumer_priorities",
            "authentication_failure_close",
            "per_consumer_qos",
            "direct_reply_to",
        ] {
            capabilities.push(name, Value::bool(true));
        }
        let mut properties = Table::default();
        properties.push("capabilities", Value::table(&capabilities));
        properties.push("information", Value::text("for trying and for tests: nothing is stored"));
        properties.push("platform", Value::text("Rust"));
        properties.push("product", Value::text("mscomm sandbox"));
        properties.push("version", Value::text(env!("CARGO_PKG_VERSION")));
        // By hand: amq-protocol sorts tables, and some clients show this one.
        wire::put_frame(&mut self.out, FRAME_METHOD, 0, |out| {
            out.extend_from_slice(&[0, 10, 0, 10, 0, 9]);
            wire::put_long(out, &properties.bytes());
            wire::put_long(out, b"PLAIN AMQPLAIN");
            wire::put_long(out, b"en_US");
        });
    }
}

impl Broker {
    /// Takes the frames that are complete, and says how long they were.
    pub(super) fn frames(&mut self, id: ConnectionId, bytes: &[u8]) -> usize {
        let mut used = 0;
        loop {
            let rest = bytes.get(used..).unwrap_or_default();
            let Some(connection) = self.connections.get_mut(&id) else { return bytes.len() };
            if connection.blocked || rest.is_empty() {
                return used;
            }
            match connection.phase {
                Phase::Ended => return bytes.len(),
                Phase::Greeting => match greeting(rest) {
                    None => return used,
                    Some(true) => {
                        connection.phase = Phase::Starting;
                        connection.start();
                        used += GREETING.len();
                    }
                    Some(false) => {
                        // The answer to another protocol is ours (section 4.2.2).
                        connection.out.extend_from_slice(GREETING);
                        connection.phase = Phase::Ended;
                    }
                },
                _ => match next_frame(rest, connection.payload_limit()) {
                    Ok(None) => return used,
                    Ok(Some((frame, size))) => {
                        if self.must_wait(id, frame) {
                            return used;
                        }
                        used += size;
                        self.frame(id, frame);
                    }
                    Err(fault) => {
                        self.fail(id, &fault, (0, 0));
                        // Where the next frame would begin, nobody knows.
                        if let Some(connection) = self.connections.get_mut(&id) {
                            connection.phase = Phase::Ended;
                        }
                        return bytes.len();
                    }
                },
            }
        }
    }

    /// Whether a frame begins a message while there is no room for any. Its publisher is told, and goes on from there.
    fn must_wait(&mut self, id: ConnectionId, frame: Frame<'_>) -> bool {
        if frame.kind != FRAME_METHOD || decode::method_id(frame.payload) != PUBLISH {
            return false;
        }
        let own = self.connections.get(&id).map_or(0, |connection| connection.incoming);
        if self.has_room(own) {
            return false;
        }
        let Some(connection) = self.connections.get_mut(&id) else { return false };
        if connection.channels.get(&frame.channel).is_none_or(|channel| channel.closing) {
            return false;
        }
        if connection.phase != Phase::Running {
            return false;
        }
        connection.block();
        self.incoming -= connection.incoming;
        self.blocked_connections += 1;
        true
    }

    fn frame(&mut self, id: ConnectionId, frame: Frame<'_>) {
        let Some(connection) = self.connections.get(&id) else { return };
        let at = if frame.kind == FRAME_METHOD { decode::method_id(frame.payload) } else { (0, 0) };
        let handled = match (frame.kind, frame.channel, connection.phase) {
            (FRAME_METHOD, 0, _) => self.connection_method(id, frame),
            (_, _, Phase::Closing) => Ok(()),
            (FRAME_HEARTBEAT, 0, _) if frame.payload.is_empty() => Ok(()),
            (FRAME_METHOD | FRAME_HEADER | FRAME_BODY, 1.., Phase::Running) => {
                self.channel_frame(id, frame);
                Ok(())
            }
            (FRAME_METHOD, 1.., _) | (FRAME_HEADER | FRAME_BODY, ..) => Err(wire::unexpected_frame(frame)),
            (FRAME_HEARTBEAT, 1.., _) if frame.payload.is_empty() => Err(wire::unexpected_frame(frame)),
            _ => Err(wire::unknown_frame(frame)),
        };
        if let Err(fault) = handled {
            self.fail(id, &fault, at);
        }
        self.after();
    }

    /// Ends a connection for a fault in it.
    pub(super) fn fail(&mut self, id: ConnectionId, fault: &Fault, method: MethodId) {
        self.flush_confirms(id);
        self.end_channels(id);
        let Some(connection) = self.connections.get_mut(&id) else { return };
        match connection.phase {
            _ if fault.code == Code::Unreadable => connection.phase = Phase::Ended,
            Phase::Running | Phase::Closing => {
                connection.close(fault, method);
                connection.phase = Phase::Closing;
            }
            // In the handshake there is no word of why, unless it is one that a client asked for.
            Phase::Greeting | Phase::Starting | Phase::Tuning
                if fault.code != Code::AccessRefused || !connection.can.authentication_failure =>
            {
                connection.phase = Phase::Ended;
            }
            _ => {
                connection.close(fault, method);
                connection.phase = Phase::Ended;
            }
        }
    }

    fn connection_method(&mut self, id: ConnectionId, frame: Frame<'_>) -> Result<(), Fault> {
        let Some(connection) = self.connections.get_mut(&id) else { return Ok(()) };
        if connection.phase == Phase::Closing {
            match decode::method_id(frame.payload) {
                (10, 51) => connection.phase = Phase::Ended,
                // It closes at the same time.
                (10, 50) => connection.method(wire_connection::AMQPMethod::CloseOk(wire_connection::CloseOk {})),
                _ => {}
            }
            return Ok(());
        }
        match (connection.phase, decode::method(frame)?) {
            (Phase::Starting, Method::StartOk { properties, mechanism, response }) => {
                connection.can = Capabilities::of(&properties);
                let user = self.limits.login(mechanism, response)?;
                connection.user = user;
                connection.phase = Phase::Tuning;
                connection.method(wire_connection::AMQPMethod::Tune(wire_connection::Tune {
                    channel_max: CHANNEL_MAX,
                    frame_max: FRAME_MAX,
                    heartbeat: HEARTBEAT_SECONDS,
                }));
            }
            (Phase::Tuning, Method::TuneOk { channel_max, frame_max, heartbeat }) => {
                negotiated("frame_max", frame_max, FRAME_MIN, FRAME_MAX)?;
                negotiated("channel_max", u32::from(channel_max), 0, u32::from(CHANNEL_MAX))?;
                connection.frame_max = usize::try_from(frame_max).unwrap_or(usize::MAX);
                connection.channel_max = channel_max;
                connection.heartbeat = heartbeat;
                connection.phase = Phase::Opening;
            }
            (Phase::Opening, Method::Open { vhost }) => {
                let Some(vhost) = self.vhosts.get(vhost) else {
                    return Err(Fault::new(Code::NotAllowed, format!("vhost {vhost} not found")));
                };
                connection.vhost = vhost.name.clone();
                connection.phase = Phase::Running;
                connection.method(wire_connection::AMQPMethod::OpenOk(wire_connection::OpenOk {}));
            }
            (Phase::Running, Method::UpdateSecret) => {
                // The passwords of the sandbox do not run out.
                connection.method(wire_connection::AMQPMethod::UpdateSecretOk(wire_connection::UpdateSecretOk {}));
            }
            (Phase::Running, Method::Close) => {
                self.flush_confirms(id);
                self.end_channels(id);
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.method(wire_connection::AMQPMethod::CloseOk(wire_connection::CloseOk {}));
                    connection.phase = Phase::Ended;
                }
            }
            (phase, _) => {
                let text = format!("unexpected method in connection state {}", phase.name());
                let code = if phase == Phase::Running { Code::ChannelError } else { Code::CommandInvalid };
                return Err(Fault::new(code, text));
            }
        }
        Ok(())
    }

    /// Opens a channel.
    ///
    /// # Errors
    /// When there are as many as was agreed.
    pub(super) fn open_channel(&mut self, id: ConnectionId, number: u16) -> Result<(), Fault> {
        let Some(connection) = self.connections.get_mut(&id) else { return Ok(()) };
        let (open, max) = (connection.channels.len(), connection.channel_max);
        if max > 0 && open >= usize::from(max) {
            let text = format!("number of channels opened ({open}) has reached the negotiated channel_max ({max})");
            return Err(Fault::of_frame(Code::NotAllowed, text));
        }
        connection.channels.insert(number, Channel::default());
        Ok(())
    }

    /// Forgets a connection and what belongs to it.
    pub(super) fn drop_connection(&mut self, id: ConnectionId) {
        self.end_channels(id);
        self.connections.remove(&id);
    }

    fn end_channels(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        // An alarm is no matter of a connection that ends.
        if std::mem::take(&mut connection.blocked) {
            self.blocked_connections -= 1;
            self.incoming += connection.incoming;
        }
        let mut numbers: Vec<u16> = connection.channels.keys().copied().collect();
        numbers.sort_unstable();
        for number in numbers {
            self.end_channel(id, number);
        }
        let owned: Vec<QueueId> = self.queues.values().filter(|q| q.owner == Some(id)).map(|q| q.id).collect();
        for queue in owned {
            self.remove_queue(queue);
        }
    }
}

impl Phase {
    /// RabbitMQ's word for it.
    fn name(self) -> &'static str {
        match self {
            Phase::Greeting | Phase::Starting => "starting",
            Phase::Tuning => "tuning",
            Phase::Opening => "opening",
            Phase::Running => "running",
            Phase::Closing => "closing",
            Phase::Ended => "closed",
        }
    }
}
