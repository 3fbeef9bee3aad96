//! Without confirms: messages become frames at once, and go to the socket by the buffer.
//!
//! What may come back is known once the broker has answered a question that was asked behind it: it works off a channel in
//! order. There is one question at a time, and nobody waits for it but for the end.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use amq_protocol::frame::{AMQPContentHeader, AMQPFrame};
use amq_protocol::protocol::constants::{FRAME_BODY, FRAME_END};
use amq_protocol::protocol::{AMQPClass, basic};
use lapin::options::BasicQosOptions;
use lapin::types::{ChannelId, FrameSize, ShortString};
use lapin::{BasicProperties, Channel, ChannelState};

use super::outcome::{ALONE, PublishOutcome, refused_alone};
use super::returns::{digest, digest_of_returned, words};
use crate::amqp::client::Outgoing;
use crate::amqp::client::message::encode;
use crate::amqp::client::outbox::Outbox;

/// How much is gathered before the writing thread gets it; what is there when the input runs dry goes at once.
const CHUNK: usize = 64 * 1024;

/// How much may wait to be written. One message may be larger, alone.
const LIMIT: u64 = 1024 * 1024;

/// How many messages may wait for the answer to a question, and how many bytes: lapin keeps what comes back until it is
/// asked for.
const WATCHED: usize = 256 * 1024;
const WATCHED_BYTES: usize = 32 * 1024 * 1024;

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

/// A message that may come back.
#[derive(Debug)]
struct Watched {
    line: u64,
    bytes: usize,
    digest: u64,
    /// Written once the outbox has written so much; `None` while it is gathered.
    end: Option<u64>,
    returned: Option<Box<str>>,
}

type Question = Pin<Box<dyn Future<Output = lapin::Result<()>> + Send>>;

/// What became known.
enum News {
    /// The outbox has written so much.
    Written(u64),
    /// The broker has looked at what was sent before the question.
    Answer(lapin::Result<()>),
}

/// What stands before every body for one destination and one set of properties.
#[derive(Debug, Default)]
struct Head {
    exchange: ShortString,
    routing_key: ShortString,
    properties: BasicProperties,
    mandatory: bool,
    /// The frames of the method and of the header, for a body of no bytes.
    frames: Vec<u8>,
    header_at: usize,
}

/// A channel for publishing without confirms.
pub(crate) struct Unconfirmed {
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
    watched: VecDeque<Watched>,
    watched_bytes: usize,
    /// The question, and how many of the watched messages stand before it.
    asked: Option<(Question, usize)>,
    outlived: bool,
}

impl Unconfirmed {
    /// Publishes on this channel, with frames of at most `frame_max` bytes.
    pub(crate) fn new(channel: Channel, outbox: Arc<Outbox>, frame_max: FrameSize) -> Unconfirmed {
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
            watched: VecDeque::new(),
            watched_bytes: 0,
            asked: None,
            outlived: false,
        }
    }

    /// See [`super::Publisher::channel`].
    pub(crate) fn channel(&self) -> &Channel {
        &self.channel
    }

    /// See [`super::Publisher::outlives`].
    pub(crate) fn outlives(&self) -> bool {
        self.outlived
    }

    /// True while the broker is asked: its answer tells of the end of the channel, too.
    pub(crate) fn is_asking(&self) -> bool {
        self.asked.is_some()
    }

    /// See [`super::Publisher::barrier`].
    ///
    /// # Errors
    /// lapin's.
    pub(crate) async fn barrier(&self) -> lapin::Result<()> {
        // Any question on the same channel does: they are answered in order.
        self.channel.basic_qos(0, BasicQosOptions::default()).await
    }

    /// True when another message may be submitted.
    pub(crate) fn has_room(&self) -> bool {
        let is_alone = self.watched.front().is_some_and(|message| message.bytes >= ALONE);
        let may_watch = self.watched.len() < WATCHED && self.watched_bytes < WATCHED_BYTES;
        self.put - self.written < LIMIT && may_watch && !is_alone
    }

    /// True when everything was written, and what may come back was looked at.
    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty() && self.chunks.is_empty() && self.watched.is_empty()
    }

    /// Makes frames of a message.
    pub(crate) fn submit(&mut self, line: u64, message: &Outgoing) {
        let same = |head: &Head| {
            head.exchange == message.exchange
                && head.routing_key == message.routing_key
                && head.properties == message.properties
                && head.mandatory == message.mandatory
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
        let bytes = message.body.len();
        if message.mandatory || bytes >= ALONE {
            let digest = if message.mandatory { digest(message) } else { 0 };
            self.watched.push_back(Watched { line, bytes, digest, end: None, returned: None });
            self.watched_bytes += bytes;
        } else {
            self.lines.push(line);
        }
        if self.frames.len() >= CHUNK {
            self.put();
        }
    }

    /// Hands over what was gathered.
    fn put(&mut self) {
        if self.frames.is_empty() {
            return;
        }
        self.put = self.outbox.put(&self.frames);
        self.frames.clear();
        // A large message must not hold its memory for ever.
        self.frames.shrink_to(2 * CHUNK);
        for message in self.watched.iter_mut().rev().take_while(|message| message.end.is_none()) {
            message.end = Some(self.put);
        }
        self.chunks.push_back(Chunk { end: self.put, lines: std::mem::take(&mut self.lines) });
    }

    /// Asks behind what was put.
    fn ask(&mut self) {
        if self.asked.is_none() && !self.watched.is_empty() {
            let channel = self.channel.clone();
            let question = async move { channel.basic_qos(0, BasicQosOptions::default()).await };
            self.asked = Some((Box::pin(question), self.watched.len()));
        }
    }

    fn poll_news(&mut self, cx: &mut Context<'_>) -> Poll<News> {
        if let Some((question, _)) = &mut self.asked
            && let Poll::Ready(answer) = question.as_mut().poll(cx)
        {
            return Poll::Ready(News::Answer(answer));
        }
        match self.chunks.is_empty() {
            true => Poll::Pending,
            false => self.outbox.poll_written(cx, self.written).map(News::Written),
        }
    }

    /// See [`super::Publisher::settled`].
    ///
    /// # Errors
    /// lapin's: the connection ended.
    pub(crate) async fn settled(&mut self, report: &mut impl FnMut(u64, PublishOutcome)) -> lapin::Result<()> {
        self.put();
        self.ask();
        match std::future::poll_fn(|cx| self.poll_news(cx)).await {
            News::Written(written) => {
                self.written = written;
                self.report_written(report);
                if self.outbox.is_closed() {
                    self.abandon(report);
                    return Err(
                        lapin::ErrorKind::InvalidChannelState(ChannelState::Error, "the connection ended").into()
                    );
                }
            }
            News::Answer(answer) => {
                let asked = self.asked.take().map_or(0, |(_, count)| count);
                if let Err(error) = answer {
                    self.refuse(&error, report);
                    return Err(error);
                }
                self.collect_returns();
                for message in self.watched.drain(..asked) {
                    self.watched_bytes -= message.bytes;
                    report(message.line, message.outcome(PublishOutcome::Written));
                }
            }
        }
        Ok(())
    }

    /// The channel is gone, maybe for a message that is in flight alone.
    fn refuse(&mut self, error: &lapin::Error, report: &mut impl FnMut(u64, PublishOutcome)) {
        let alone = self.watched.len() == 1 && self.watched.front().is_some_and(|message| message.bytes >= ALONE);
        if let Some(outcome) = refused_alone(error).filter(|_| alone)
            && let Some(message) = self.watched.pop_front()
        {
            self.outlived = true;
            report(message.line, outcome);
        }
        self.abandon(report);
    }

    /// Finds the messages of the returns that came: both are in the order in which the messages were published.
    fn collect_returns(&mut self) {
        let returns = std::pin::pin!(self.channel.wait_for_confirms()).poll(&mut Context::from_waker(Waker::noop()));
        let Poll::Ready(Ok(returns)) = returns else { return };
        let mut from = 0;
        for returned in returns {
            let digest = digest_of_returned(&returned);
            let fits = |message: &Watched| message.digest == digest && message.returned.is_none();
            let behind = self.watched.iter().skip(from).position(fits).map(|at| from + at);
            if let Some(at) = behind.or_else(|| self.watched.iter().position(fits))
                && let Some(message) = self.watched.get_mut(at)
            {
                message.returned = Some(words(&returned).into());
                from = at + 1;
            }
        }
    }

    fn report_written(&mut self, report: &mut impl FnMut(u64, PublishOutcome)) {
        let written = self.chunks.iter().take_while(|chunk| chunk.end <= self.written).count();
        for chunk in self.chunks.drain(..written) {
            chunk.lines.into_iter().for_each(|line| report(line, PublishOutcome::Written));
        }
    }

    /// See [`super::Publisher::abandon`].
    pub(crate) fn abandon(&mut self, report: &mut impl FnMut(u64, PublishOutcome)) {
        self.outbox.clear();
        self.written = self.outbox.written();
        self.report_written(report);
        let mut left: Vec<(u64, PublishOutcome)> = Vec::new();
        left.extend(self.chunks.drain(..).flat_map(|chunk| chunk.lines).map(|line| (line, PublishOutcome::Unknown)));
        self.collect_returns();
        self.asked = None;
        self.watched_bytes = 0;
        for message in self.watched.drain(..) {
            // Written or not: the broker has not said that it got so far.
            let sent = if message.end.is_some() { PublishOutcome::Unknown } else { PublishOutcome::Failed };
            left.push((message.line, message.outcome(sent)));
        }
        left.extend(self.lines.drain(..).map(|line| (line, PublishOutcome::Failed)));
        left.sort_by_key(|(line, _)| *line);
        left.into_iter().for_each(|(line, outcome)| report(line, outcome));
        self.frames.clear();
    }
}

impl Watched {
    fn outcome(self, otherwise: PublishOutcome) -> PublishOutcome {
        self.returned.map_or(otherwise, |words| PublishOutcome::Returned(words.into()))
    }
}

impl std::fmt::Debug for Unconfirmed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unconfirmed").field("put", &self.put).field("written", &self.written).finish_non_exhaustive()
    }
}

impl Head {
    fn of(channel: ChannelId, message: &Outgoing) -> Head {
        let (exchange, routing_key) = (message.exchange.clone(), message.routing_key.clone());
        let (properties, mandatory) = (message.properties.clone(), message.mandatory);
        let publish = basic::Publish {
            exchange: exchange.clone(),
            routing_key: routing_key.clone(),
            mandatory,
            immediate: false,
        };
        let mut frames = encode(&AMQPFrame::Method(channel, AMQPClass::Basic(basic::AMQPMethod::Publish(publish))));
        let header_at = frames.len();
        let header = AMQPContentHeader { class_id: BASIC, body_size: 0, properties: properties.clone() };
        frames.extend(encode(&AMQPFrame::Header(channel, header)));
        Head { exchange, routing_key, properties, mandatory, frames, header_at }
    }

    fn write(&self, out: &mut Vec<u8>, body: usize) {
        let at = out.len() + self.header_at;
        out.extend_from_slice(&self.frames);
        if let Some(size) = out.get_mut(at + SIZE_AT.start..at + SIZE_AT.end) {
            size.copy_from_slice(&(body as u64).to_be_bytes());
        }
    }
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
            mandatory: true,
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
        assert!(publish.mandatory);
        let AMQPFrame::Header(7, header) = header else { panic!("{header:?}") };
        assert_eq!((header.class_id, header.body_size), (60, 70_000));
        assert_eq!(header.properties, message.properties);
    }
}
