//! A channel: its state, the content that is coming in, and which method is handled where.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use amq_protocol::protocol::constants::{FRAME_BODY, FRAME_HEADER, FRAME_METHOD};
use amq_protocol::protocol::{AMQPClass, access, basic, channel as wire_channel, confirm};

use super::decode;
use super::fault::{Code, Fault, MethodId};
use super::message::Properties;
use super::method::Method;
use super::queue::{Back, Entry};
use super::wire::{self, Frame};
use super::{Broker, ConnectionId, QueueId};
use crate::cursor::Cursor;

/// `basic.publish`, which content belongs to.
pub(crate) const PUBLISH: MethodId = (60, 40);

/// RabbitMQ's default limit of a message's body.
const LARGEST_BODY: usize = 128 << 20;

/// A consumer of a channel.
#[derive(Debug)]
pub(crate) struct Consumer {
    /// Its queue.
    pub queue: QueueId,
    /// It does not ack.
    pub no_ack: bool,
    /// How many messages it may hold; 0 for any number.
    pub prefetch: u16,
    /// How many it holds.
    pub held: u32,
}

/// A message that was delivered and not yet acked.
#[derive(Debug)]
pub(crate) struct Held {
    /// Where it came from.
    pub queue: QueueId,
    /// The consumer that holds it; none after `basic.get`.
    pub consumer: Option<Rc<str>>,
    /// The message.
    pub entry: Entry,
}

/// The consumer of `amq.rabbitmq.reply-to`.
#[derive(Debug)]
pub(crate) struct ReplyConsumer {
    /// Its tag.
    pub tag: Rc<str>,
    /// The name that its requests are given.
    pub name: Rc<str>,
}

/// A publish whose content is not complete.
#[derive(Debug)]
pub(crate) struct Incoming {
    /// The exchange.
    pub exchange: Rc<str>,
    /// The routing key.
    pub key: Box<[u8]>,
    /// It is to come back when it goes nowhere.
    pub mandatory: bool,
    /// It may only go to a consumer that is ready.
    pub immediate: bool,
    /// Properties, and how much of the body is missing; none until the header has come.
    pub header: Option<(Properties, usize)>,
    /// The body, as far as it has come.
    pub body: Vec<u8>,
}

/// What a channel in confirm mode still has to tell.
#[derive(Debug, Default)]
pub(crate) struct Confirms {
    /// Messages published since the mode was chosen.
    pub published: u64,
    /// The last that is to be acked.
    pub acked: u64,
    /// How many are to be acked; they follow each other.
    pub count: u64,
}

/// A channel.
#[derive(Debug, Default)]
pub(crate) struct Channel {
    /// It was told to close: all but the answer is ignored.
    pub closing: bool,
    /// The content that is coming in.
    pub incoming: Option<Incoming>,
    /// The last delivery tag.
    pub last_tag: u64,
    /// What was delivered and is not acked, by delivery tag.
    pub held: BTreeMap<u64, Held>,
    /// How many of those the consumers hold.
    pub held_by_consumers: u32,
    /// Its consumers by tag.
    pub consumers: HashMap<Rc<str>, Consumer>,
    /// The consumer of `amq.rabbitmq.reply-to`.
    pub reply: Option<ReplyConsumer>,
    /// How many messages the consumers that come next may hold; 0 for any number.
    pub prefetch: u16,
    /// How many messages all consumers together may hold; 0 for any number.
    pub prefetch_all: u16,
    /// Confirm mode.
    pub confirms: Option<Confirms>,
    /// The queue that was declared last, which the empty name stands for.
    pub last_queue: Option<Rc<str>>,
}

impl Broker {
    /// A channel, while it is open.
    pub(super) fn channel(&mut self, id: ConnectionId, number: u16) -> Option<&mut Channel> {
        self.connections.get_mut(&id)?.channels.get_mut(&number).filter(|channel| !channel.closing)
    }

    /// Writes a method to a channel.
    pub(super) fn say(&mut self, id: ConnectionId, number: u16, method: AMQPClass) {
        if let Some(connection) = self.connections.get_mut(&id) {
            wire::method(&mut connection.out, number, method);
            self.touched.push(id);
        }
    }

    pub(super) fn channel_frame(&mut self, id: ConnectionId, frame: Frame<'_>) {
        let at = if frame.kind == FRAME_METHOD { decode::method_id(frame.payload) } else { PUBLISH };
        let Some(connection) = self.connections.get(&id) else { return };
        let handled = match connection.channels.get(&frame.channel) {
            Some(channel) if channel.closing => return self.closing_frame(id, frame.channel, at),
            None if at == (20, 10) => self.open(id, frame),
            None if frame.kind == FRAME_METHOD => Err(Fault::new(Code::ChannelError, "expected 'channel.open'")),
            None => Err(no_method()),
            Some(_) => self.channel_content(id, frame),
        };
        if let Err(fault) = handled {
            if fault.code.is_hard() {
                return self.fail(id, &fault, at);
            }
            self.flush_confirms(id);
            self.end_channel(id, frame.channel);
            let (class_id, method_id) = fault.method.unwrap_or(at);
            let close = wire_channel::Close {
                reply_code: fault.code.number(),
                reply_text: fault.reply_text().into(),
                class_id,
                method_id,
            };
            self.say(id, frame.channel, AMQPClass::Channel(wire_channel::AMQPMethod::Close(close)));
            if let Some(connection) = self.connections.get_mut(&id) {
                connection.channels.insert(frame.channel, Channel { closing: true, ..Channel::default() });
            }
        }
    }

    fn open(&mut self, id: ConnectionId, frame: Frame<'_>) -> Result<(), Fault> {
        decode::method(frame)?;
        self.open_channel(id, frame.channel)?;
        let ok = wire_channel::AMQPMethod::OpenOk(wire_channel::OpenOk {});
        self.say(id, frame.channel, AMQPClass::Channel(ok));
        Ok(())
    }

    /// A frame for a channel that was told to close.
    fn closing_frame(&mut self, id: ConnectionId, number: u16, at: MethodId) {
        match at {
            (20, 41) => {
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.channels.remove(&number);
                }
            }
            // It closes at the same time.
            (20, 40) => self.say_closed(id, number),
            _ => {}
        }
    }

    fn say_closed(&mut self, id: ConnectionId, number: u16) {
        let ok = wire_channel::AMQPMethod::CloseOk(wire_channel::CloseOk {});
        self.say(id, number, AMQPClass::Channel(ok));
    }

    /// Methods, and the headers and bodies that belong to a publish.
    fn channel_content(&mut self, id: ConnectionId, frame: Frame<'_>) -> Result<(), Fault> {
        let limit = LARGEST_BODY.min(self.limits.memory);
        let Some(channel) = self.channel(id, frame.channel) else { return Ok(()) };
        match (&mut channel.incoming, frame.kind) {
            (None, FRAME_METHOD) => return self.channel_method(id, frame),
            (None, _) => {
                return Err(no_method());
            }
            (Some(Incoming { header: None, .. }), kind) if kind != FRAME_HEADER => {
                let text = "expected content header for class 60, got non content header frame instead";
                return Err(Fault { code: Code::UnexpectedFrame, text: text.to_owned(), method: Some(PUBLISH) });
            }
            (Some(Incoming { header: header @ None, .. }), _) => {
                let (properties, size) = content_header(frame.payload)?;
                if size > limit {
                    let text = format!("message size {size} is larger than configured max size {limit}");
                    return Err(Fault::new(Code::PreconditionFailed, text));
                }
                *header = Some((properties, size));
            }
            (Some(Incoming { header: Some(_), .. }), kind) if kind != FRAME_BODY => {
                let text = "expected content body, got non content body frame instead";
                return Err(Fault { code: Code::UnexpectedFrame, text: text.to_owned(), method: Some(PUBLISH) });
            }
            (Some(Incoming { header: Some((_, left)), body, .. }), _) => {
                let Some(rest) = left.checked_sub(frame.payload.len()) else {
                    let text = format!("the body is {} bytes longer than its header says", frame.payload.len() - *left);
                    return Err(Fault { code: Code::FrameError, text, method: Some(PUBLISH) });
                };
                *left = rest;
                body.extend_from_slice(frame.payload);
                self.incoming += frame.payload.len();
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.incoming += frame.payload.len();
                    if connection.incoming > limit {
                        let text = format!("more than {limit} bytes of messages without their end on one connection");
                        return Err(Fault::new(Code::PreconditionFailed, text));
                    }
                }
            }
        }
        let whole = |incoming: &mut Incoming| incoming.header.as_ref().is_some_and(|(_, left)| *left == 0);
        let Some(channel) = self.channel(id, frame.channel) else { return Ok(()) };
        match channel.incoming.take_if(whole) {
            Some(incoming) => {
                self.forget_incoming(id, incoming.body.len());
                self.publish(id, frame.channel, incoming)
            }
            None => Ok(()),
        }
    }

    /// Bytes that came are of a message that is complete, or will never be.
    fn forget_incoming(&mut self, id: ConnectionId, bytes: usize) {
        self.incoming = self.incoming.saturating_sub(bytes);
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.incoming = connection.incoming.saturating_sub(bytes);
        }
    }

    fn channel_method(&mut self, id: ConnectionId, frame: Frame<'_>) -> Result<(), Fault> {
        let number = frame.channel;
        let not_implemented = |text: String| Err(Fault::new(Code::NotImplemented, text));
        match decode::method(frame)? {
            Method::Publish { exchange, key, mandatory, immediate } => {
                self.begin_publish(id, number, exchange, key, mandatory, immediate)
            }
            Method::Ack { tag, multiple } => self.ack(id, number, tag, multiple),
            Method::Nack { tag, multiple, requeue } => self.reject(id, number, tag, multiple, requeue),
            Method::Reject { tag, requeue } => self.reject(id, number, tag, false, requeue),
            Method::Get { queue, no_ack } => self.get(id, number, queue, no_ack),
            Method::Recover { requeue: true, is_async } => {
                self.recover(id, number);
                if !is_async {
                    let ok = basic::AMQPMethod::RecoverOk(basic::RecoverOk {});
                    self.say(id, number, AMQPClass::Basic(ok));
                }
                Ok(())
            }
            Method::Recover { requeue: false, .. } => not_implemented("requeue=false".to_owned()),
            Method::Qos { size, .. } if size != 0 => not_implemented(format!("prefetch_size!=0 ({size})")),
            Method::Qos { count, global, .. } => {
                self.set_prefetch(id, number, count, global);
                self.say(id, number, AMQPClass::Basic(basic::AMQPMethod::QosOk(basic::QosOk {})));
                Ok(())
            }
            Method::ConfirmSelect { nowait } => {
                if let Some(channel) = self.channel(id, number) {
                    channel.confirms.get_or_insert_default();
                }
                if !nowait {
                    let ok = confirm::AMQPMethod::SelectOk(confirm::SelectOk {});
                    self.say(id, number, AMQPClass::Confirm(ok));
                }
                Ok(())
            }
            Method::Flow { active: true } => {
                let ok = wire_channel::AMQPMethod::FlowOk(wire_channel::FlowOk { active: true });
                self.say(id, number, AMQPClass::Channel(ok));
                Ok(())
            }
            Method::Flow { active: false } => not_implemented("active=false".to_owned()),
            Method::AccessRequest => {
                let ok = access::AMQPMethod::RequestOk(access::RequestOk {});
                self.say(id, number, AMQPClass::Access(ok));
                Ok(())
            }
            Method::ChannelOpen => Err(Fault::new(Code::ChannelError, "second 'channel.open' seen")),
            Method::ChannelClose => {
                self.flush_confirms(id);
                self.end_channel(id, number);
                self.say_closed(id, number);
                Ok(())
            }
            Method::Tx => not_implemented("the sandbox has no transactions".to_owned()),
            other => self.topology_method(id, number, other),
        }
    }

    /// Tells a connection's publishers what was taken: an ack for as many as possible.
    pub(super) fn flush_confirms(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        for (number, channel) in &mut connection.channels {
            flush_confirms(&mut connection.out, *number, channel);
        }
    }

    /// Forgets a channel: its consumers go, and what they hold goes back.
    pub(super) fn end_channel(&mut self, id: ConnectionId, number: u16) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let Some(mut channel) = connection.channels.remove(&number) else { return };
        if let Some(incoming) = channel.incoming.take() {
            self.forget_incoming(id, incoming.body.len());
        }
        for (tag, consumer) in channel.consumers.drain() {
            self.leave_queue(id, number, &tag, consumer.queue);
            // RabbitMQ turns to the next consumer when a channel ends, and not when a consumer is cancelled.
            self.due.push(consumer.queue);
        }
        let held = std::mem::take(&mut channel.held);
        self.requeue(held, Back::Left);
    }
}

/// Content that no publish announced.
fn no_method() -> Fault {
    Fault::of_frame(Code::UnexpectedFrame, "expected method frame, got non method frame instead")
}

/// See [`Broker::flush_confirms`], for one channel.
pub(super) fn flush_confirms(out: &mut Vec<u8>, number: u16, channel: &mut Channel) {
    let Some(confirms) = &mut channel.confirms else { return };
    if confirms.count == 0 {
        return;
    }
    let ack = basic::Ack { delivery_tag: confirms.acked, multiple: confirms.count > 1 };
    confirms.count = 0;
    wire::method(out, number, AMQPClass::Basic(basic::AMQPMethod::Ack(ack)));
}

/// Properties and the size of the body.
fn content_header(payload: &[u8]) -> Result<(Properties, usize), Fault> {
    let mut cursor = Cursor(payload);
    let (class, _weight, size) = (cursor.u16(), cursor.u16(), cursor.u64());
    if let Some(class) = class.filter(|class| *class != PUBLISH.0) {
        let text = format!("expected content header for class 60, got one for class {class} instead");
        return Err(Fault { code: Code::UnexpectedFrame, text, method: Some(PUBLISH) });
    }
    let malformed =
        || Fault { code: Code::SyntaxError, text: "malformed content header".into(), method: Some(PUBLISH) };
    let size = size.ok_or_else(malformed)?;
    let properties = Properties::parse(cursor.0).ok_or_else(malformed)?;
    // A size that no address reaches is above any limit as well.
    Ok((properties, usize::try_from(size).unwrap_or(usize::MAX)))
}
