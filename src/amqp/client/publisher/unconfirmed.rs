//! Without confirms: messages become frames at once, and go to the socket by the buffer.

use std::collections::VecDeque;
use std::sync::Arc;

use amq_protocol::frame::{AMQPContentHeader, AMQPFrame, WriteContext, gen_frame};
use amq_protocol::protocol::constants::{FRAME_BODY, FRAME_END};
use amq_protocol::protocol::{AMQPClass, basic};
use lapin::options::BasicQosOptions;
use lapin::types::{ChannelId, FrameSize, ShortString};
use lapin::{BasicProperties, Channel, ChannelState};

use super::Outcome;
use crate::amqp::client::Outgoing;
use crate::amqp::client::outbox::Outbox;

/// How much is gathered before the writing thread gets it; what is there when the input runs dry goes at once.
const CHUNK: usize = 64 * 1024;

/// How much may wait to be written. One message may be larger, alone.
const LIMIT: u64 = 1024 * 1024;

/// The class that messages are of (AMQP 0-9-1, section 1.8).
const BASIC: u16 = 60;

/// Where the size of the body stands in the frame of a header: behind type, channel, size, class and weight.
const SIZE_AT: std::ops::Range<usize> = 11..19;

/// Type, channel and size before a payload, and one byte behind it.
const AROUND: usize = 8;

/// Messages whose frames were put into the outbox together.
#[derive(Debug)]
struct Chunk {
    /// Written once the outbox has written so much.
    end: u64,
    lines: Vec<u64>,
}

/// What stands before every body for one destination and one set of properties.
#[derive(Debug, Default)]
struct Head {
    exchange: ShortString,
    routing_key: ShortString,
    properties: BasicProperties,
    /// The frames of the method and of the header, for a body of no bytes.
    frames: Vec<u8>,
    header_at: usize,
}

/// A channel for publishing without confirms.
#[derive(Debug)]
pub struct Unconfirmed {
    channel: Channel,
    outbox: Arc<Outbox>,
    /// The largest part of a body in one frame.
    part: usize,
    head: Option<Box<Head>>,
    frames: Vec<u8>,
    lines: Vec<u64>,
    chunks: VecDeque<Chunk>,
    put: u64,
    written: u64,
}

impl Unconfirmed {
    /// Publishes on this channel, with frames of at most `frame_max` bytes.
    pub fn new(channel: Channel, outbox: Arc<Outbox>, frame_max: FrameSize) -> Unconfirmed {
        let part = usize::try_from(frame_max).unwrap_or(usize::MAX).saturating_sub(AROUND).max(1);
        let written = outbox.written();
        Unconfirmed {
            channel,
            outbox,
            part,
            head: None,
            frames: Vec::new(),
            lines: Vec::new(),
            chunks: VecDeque::new(),
            put: written,
            written,
        }
    }

    /// See [`super::Publisher::barrier`].
    ///
    /// # Errors
    /// lapin's.
    pub async fn barrier(&self) -> lapin::Result<()> {
        // Any question on the same channel does: they are answered in order.
        self.channel.basic_qos(0, BasicQosOptions::default()).await
    }

    /// True when another message may be submitted.
    pub fn has_room(&self) -> bool {
        self.put - self.written < LIMIT
    }

    /// True when everything was written.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.chunks.is_empty()
    }

    /// Makes frames of a message.
    pub fn submit(&mut self, line: u64, message: &Outgoing) {
        let same = |head: &Head| {
            head.exchange == message.exchange
                && head.routing_key == message.routing_key
                && head.properties == message.properties
        };
        if !self.head.as_deref().is_some_and(same) {
            self.head = Some(Box::new(Head::of(self.channel.id(), message)));
        }
        if let Some(head) = &self.head {
            head.write(&mut self.frames, message.body.len());
        }
        for part in message.body.chunks(self.part) {
            self.frames.push(FRAME_BODY);
            self.frames.extend_from_slice(&self.channel.id().to_be_bytes());
            self.frames.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            self.frames.extend_from_slice(part);
            self.frames.push(FRAME_END);
        }
        self.lines.push(line);
        if self.frames.len() >= CHUNK {
            self.put();
        }
    }

    /// Hands over what was gathered.
    fn put(&mut self) {
        if self.lines.is_empty() {
            return;
        }
        self.put = self.outbox.put(&self.frames);
        self.frames.clear();
        // A large message must not hold its memory for ever.
        self.frames.shrink_to(2 * CHUNK);
        self.chunks.push_back(Chunk { end: self.put, lines: std::mem::take(&mut self.lines) });
    }

    /// See [`super::Publisher::settled`].
    ///
    /// # Errors
    /// lapin's: the connection ended.
    pub async fn settled(&mut self, report: &mut impl FnMut(u64, Outcome)) -> lapin::Result<()> {
        self.put();
        if self.chunks.is_empty() {
            return std::future::pending().await;
        }
        let known = self.written;
        self.written = std::future::poll_fn(|cx| self.outbox.poll_written(cx, known)).await;
        self.report_written(report);
        if self.outbox.is_closed() {
            self.abandon(report);
            return Err(lapin::ErrorKind::InvalidChannelState(ChannelState::Error, "the connection ended").into());
        }
        Ok(())
    }

    fn report_written(&mut self, report: &mut impl FnMut(u64, Outcome)) {
        let written = self.chunks.iter().take_while(|chunk| chunk.end <= self.written).count();
        for chunk in self.chunks.drain(..written) {
            chunk.lines.into_iter().for_each(|line| report(line, Outcome::Written));
        }
    }

    /// See [`super::Publisher::abandon`].
    pub fn abandon(&mut self, report: &mut impl FnMut(u64, Outcome)) {
        self.outbox.clear();
        self.written = self.outbox.written();
        self.report_written(report);
        for chunk in self.chunks.drain(..) {
            chunk.lines.into_iter().for_each(|line| report(line, Outcome::Unknown));
        }
        self.lines.drain(..).for_each(|line| report(line, Outcome::Failed));
        self.frames.clear();
    }
}

impl Head {
    fn of(channel: ChannelId, message: &Outgoing) -> Head {
        let Outgoing { exchange, routing_key, properties, .. } = message.clone();
        let publish = basic::Publish {
            exchange: exchange.clone(),
            routing_key: routing_key.clone(),
            mandatory: false,
            immediate: false,
        };
        let mut frames = encode(&AMQPFrame::Method(channel, AMQPClass::Basic(basic::AMQPMethod::Publish(publish))));
        let header_at = frames.len();
        let header = AMQPContentHeader { class_id: BASIC, body_size: 0, properties: properties.clone() };
        frames.extend(encode(&AMQPFrame::Header(channel, header)));
        Head { exchange, routing_key, properties, frames, header_at }
    }

    fn write(&self, out: &mut Vec<u8>, body: usize) {
        let at = out.len() + self.header_at;
        out.extend_from_slice(&self.frames);
        if let Some(size) = out.get_mut(at + SIZE_AT.start..at + SIZE_AT.end) {
            size.copy_from_slice(&(body as u64).to_be_bytes());
        }
    }
}

fn encode(frame: &AMQPFrame) -> Vec<u8> {
    // Writing to a Vec cannot fail.
    gen_frame(frame)(WriteContext::from(Vec::new())).map(|written| written.write).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use amq_protocol::frame::parse_frame;

    #[test]
    fn heads_are_what_the_protocol_says() {
        let message = Outgoing {
            exchange: "e".into(),
            routing_key: "key".into(),
            properties: BasicProperties::default().with_delivery_mode(2).with_type("t".into()),
            body: vec![1; 70_000],
        };
        let mut out = Vec::new();
        Head::of(7, &message).write(&mut out, message.body.len());
        let (rest, method) = parse_frame(out.as_slice()).expect("a method");
        let (rest, header) = parse_frame(rest).expect("a header");
        assert!(rest.is_empty());
        let AMQPFrame::Method(7, AMQPClass::Basic(basic::AMQPMethod::Publish(publish))) = method else {
            panic!("{method:?}")
        };
        assert_eq!((publish.exchange, publish.routing_key), (message.exchange, message.routing_key));
        let AMQPFrame::Header(7, header) = header else { panic!("{header:?}") };
        assert_eq!((header.class_id, header.body_size), (60, 70_000));
        assert_eq!(header.properties, message.properties);
    }
}
