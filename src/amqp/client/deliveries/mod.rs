//! The messages of a queue as the source of a flow.

mod intake;
mod source;

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicNackOptions};
use lapin::{Channel, Consumer};
use tokio::time::Sleep;

pub(crate) use self::intake::Consuming;
use self::intake::{Intake, MOST};
use super::{Client, Meter, Pace, fault, look_at};
use crate::error::{Error, Kind, Result, counted};
use crate::flow::Filled;
use crate::shutdown::Shutdown;

/// Where to begin in a stream; in the headers of a message, where it stands there.
pub(crate) const OFFSET: &str = "x-stream-offset";

/// How many messages are taken, and settled, together at most; and how many bytes of bodies.
const BATCH: usize = 256;
const BATCH_BYTES: usize = 1 << 20;

/// How long a message that is done waits for others to be settled with.
const SETTLE_AFTER: Duration = Duration::from_millis(5);

/// The same where settling would let the broker send more than will be read.
const HOLD: Duration = Duration::from_secs(1);

/// How often a dry reader looks whether there is more to come.
const TICK: Duration = Duration::from_millis(200);

/// How long a stream may send nothing before `--until-end` takes it for read; likewise a queue that says it holds messages
/// and sends none.
const DRY: Duration = Duration::from_secs(1);

/// What happens to a message, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settle {
    /// It leaves the queue once it is done.
    Ack,
    /// It is dropped, or goes to the dead-letter exchange, once it is done.
    Nack,
    /// It goes back at the end.
    Requeue,
    /// It leaves the queue as it arrives. Not the protocol's `no_ack`, under which the broker sends without limit, more than
    /// was asked for and more than there is memory for.
    OnArrival,
}

/// How a queue is read.
pub(crate) struct ConsumerOptions {
    /// The connection.
    pub client: Arc<Client>,
    /// Bounds the goodbye.
    pub shutdown: Shutdown,
    /// The queue.
    pub queue: String,
    /// The channel of the consumer, on which it is the only one: the n-th message has delivery tag n.
    pub channel: Channel,
    /// How the consumer was begun.
    pub consuming: Consuming,
    /// For questions about the queue, with `--until-end`.
    pub probe: Option<Channel>,
    /// How many messages there were at the start, with `--until-end`.
    pub limit: Option<u64>,
    /// The same where the queue was taken for a stream, which not every broker refuses to what is none.
    pub unless_stream: Option<u64>,
    /// How many messages are wanted: no more are to be taken from the queue.
    pub count: Option<u64>,
    /// What is left out is held until the end: it counts as sent ahead, and others are to come all the same.
    pub keeps_rest: bool,
    /// How many messages the broker sends ahead.
    pub prefetch: u16,
    /// What happens to a message.
    pub settle: Settle,
}

/// A question about the queue: how many messages are ready.
type Question = Pin<Box<dyn Future<Output = Result<u64>> + Send>>;

type Answer = Pin<Box<dyn Future<Output = lapin::Result<()>> + Send>>;

/// The messages of a queue.
pub(crate) struct Deliveries {
    with: ConsumerOptions,
    intake: Intake,
    /// Told what is consumed, so that memory stays bounded.
    meter: Arc<Meter>,
    pace: Pace,
    /// A stream is waited for a moment, so that more than one message comes.
    pause: Option<Pin<Box<Sleep>>>,
    batch: Vec<Delivery>,
    /// Came while it was waited for.
    next: Option<Option<lapin::Result<Delivery>>>,
    question: Option<Question>,
    read: u64,
    /// How many are held until the end.
    held: u64,
    bytes: u64,
    /// Through here all is done; through here it was settled.
    done: u64,
    settled: u64,
    answers: VecDeque<Answer>,
    last_came: Instant,
    came: bool,
    /// When something was done last: only then the broker may have had room to send more.
    freed: Instant,
    next_tick: Instant,
    timer: Pin<Box<Sleep>>,
    /// Why nothing more comes.
    over: Option<Over>,
}

/// Why nothing more comes.
enum Over {
    Reached,
    /// The queue sent no more, although it still holds messages of those that there were at the start: how many that were.
    Silent(u64),
    /// The broker ended the consumer.
    Cancelled,
    /// The channel or the connection failed.
    Failed(lapin::Error),
    /// A question failed, or a settlement.
    Error(Option<Error>),
}

impl Deliveries {
    /// Reads a queue.
    pub(crate) fn new(with: ConsumerOptions, consumer: Consumer) -> Deliveries {
        let now = Instant::now();
        Deliveries {
            meter: with.client.meter(),
            intake: Intake::new(consumer, with.prefetch),
            with,
            pace: Pace::default(),
            pause: None,
            batch: Vec::new(),
            next: None,
            question: None,
            read: 0,
            held: 0,
            bytes: 0,
            done: 0,
            settled: 0,
            answers: VecDeque::new(),
            last_came: now,
            came: false,
            freed: now,
            next_tick: now + TICK,
            timer: Box::pin(tokio::time::sleep(TICK)),
            over: None,
        }
    }

    /// Since when the broker could have sent something and did not: the last part of a message came then (a large one may be
    /// under way for longer than any limit here), or one was done.
    fn heard(&self) -> Instant {
        let last = self.last_came.max(self.freed);
        self.meter.part().came.map_or(last, |came| last.max(came))
    }

    /// Whether for so long nothing of a message came, and nothing has to come.
    fn is_silent(&self, time: Duration) -> bool {
        !self.meter.part().is_amid && self.heard().elapsed() > time
    }

    fn is_reached(&self) -> bool {
        let held = self.with.settle == Settle::Requeue && self.read >= u64::from(self.with.prefetch);
        held || self.with.limit.is_some_and(|limit| self.read >= limit)
    }

    /// Takes a turn of the consumer; false when it has ended.
    fn take(&mut self, turn: Option<lapin::Result<Delivery>>) -> bool {
        let mut delivery = match turn {
            Some(Ok(delivery)) => delivery,
            Some(Err(error)) => {
                self.over = Some(Over::Failed(error));
                return false;
            }
            None => {
                self.over = Some(Over::Cancelled);
                return false;
            }
        };
        self.with.client.restore(&mut delivery.properties);
        if let Some(limit) = self.with.unless_stream.take()
            && !is_of_stream(&delivery)
        {
            self.with.limit = Some(limit);
        }
        // Where nobody could ask what kind of queue it is.
        if self.with.keeps_rest && self.read == 0 && is_of_stream(&delivery) {
            self.with.keeps_rest = false;
        }
        self.read += 1;
        self.bytes += delivery.data.len() as u64;
        self.batch.push(delivery);
        true
    }

    fn ended(&mut self) -> Result<Filled> {
        let queue = &self.with.queue;
        let error = match &mut self.over {
            None => return Ok(Filled::Dry),
            Some(Over::Reached) => return Ok(Filled::End),
            Some(Over::Silent(held)) => {
                let (held, came) = (counted(*held, "message"), counted(self.read, "message"));
                let message =
                    format!("queue `{queue}` held {held} at the start, and {came} came before it sent no more");
                Error::new(Kind::Unmet, message).hint(
                    "it sends to another consumer as long as that one is its single active one, or has a higher priority",
                )
            }
            Some(Over::Cancelled) => {
                Error::refused(format!("queue `{queue}` was deleted, or the broker cancelled its consumer"))
            }
            Some(Over::Failed(error)) => {
                let next = self.read + 1;
                let fault =
                    fault(error, format!("cannot consume from queue `{queue}`, at message {next} of this reading"));
                match self.held > 0 && is_overdue(error) {
                    true => fault.with_kind(Kind::Partial).hint(format!(
                        "the broker waits only so long (consumer_timeout) for what becomes of a message: the {} that were held \
                         have gone back",
                        self.held
                    )),
                    false => fault,
                }
            }
            Some(Over::Error(error)) => {
                error.take().unwrap_or_else(|| Error::new(Kind::Connect, "the connection ended"))
            }
        };
        Err(self.with.client.explain(error))
    }

    /// How many messages may be settled without the broker sending more than are wanted.
    fn may_settle(&self) -> u64 {
        match (self.with.settle, self.with.count) {
            (Settle::Requeue, _) => 0,
            (_, Some(count)) => self.done.min(count.saturating_sub(u64::from(self.with.prefetch))),
            (_, None) => self.done,
        }
    }

    fn settle_in_batches(&mut self) {
        let target = self.may_settle();
        if target >= self.settled + self.together() as u64 {
            self.settle_up_to(target);
        }
    }

    fn together(&self) -> usize {
        BATCH.min(usize::from(self.with.prefetch).div_ceil(2)).max(1)
    }

    /// Settles the first `target` messages. Once: the broker knows a tag that was settled no more, and closes the channel for
    /// it.
    fn settle_up_to(&mut self, target: u64) {
        if target > self.settled {
            self.settled = target;
            self.tell(target, true);
        }
    }

    fn tell(&mut self, tag: u64, multiple: bool) {
        let (channel, settle) = (self.with.channel.clone(), self.with.settle);
        self.send(Box::pin(async move {
            match settle {
                Settle::Ack | Settle::OnArrival => channel.basic_ack(tag, BasicAckOptions { multiple }).await,
                Settle::Nack => channel.basic_nack(tag, BasicNackOptions { multiple, requeue: false }).await,
                // They go back with the channel: put back by a nack, a quorum queue would set them at its end.
                Settle::Requeue => Ok(()),
            }
        }));
    }

    fn send(&mut self, mut answer: Answer) {
        // The first poll hands it to the connection, in this order.
        if answer.poll_unpin(&mut Context::from_waker(Waker::noop())).is_pending() {
            self.answers.push_back(answer);
        }
    }

    /// Takes up whether settlements went out.
    fn poll_answers(&mut self, cx: &mut Context<'_>) -> Poll<lapin::Result<()>> {
        while let Some(answer) = self.answers.front_mut() {
            let answered = std::task::ready!(answer.poll_unpin(cx));
            self.answers.pop_front();
            answered?;
        }
        Poll::Ready(Ok(()))
    }

    fn cannot_settle(&self, error: &lapin::Error) -> Error {
        fault(error, format!("cannot settle messages of queue `{}`", self.with.queue))
    }

    /// What a dry reader does now and then.
    fn tick(&mut self) {
        // What was sent before an answer is here before it: with none, the connection is slow, and not the queue silent.
        let (Some(probe), None) = (&self.with.probe, &self.question) else { return };
        if self.is_silent(DRY) {
            self.over = Some(self.with.limit.map_or(Over::Reached, Over::Silent));
            return;
        }
        let (probe, queue) = (probe.clone(), self.with.queue.clone());
        self.question =
            Some(Box::pin(async move { look_at(&probe, &queue).await.map(|found| u64::from(found.message_count())) }));
    }

    /// When something is to be done by the clock.
    fn due(&self, wanted: bool) -> Option<Instant> {
        [wanted.then_some(self.next_tick), self.settle_due().map(|(at, _)| at)].into_iter().flatten().min()
    }

    /// When what is done is settled although nothing more comes, and up to where.
    fn settle_due(&self) -> Option<(Instant, u64)> {
        if self.settled >= self.done || self.with.settle == Settle::Requeue {
            return None;
        }
        let free = self.may_settle();
        let (target, after) = if free > self.settled { (free, SETTLE_AFTER) } else { (self.done, HOLD) };
        Some((self.last_came + after, target))
    }
}

/// Whether the broker ended the channel because a message was not settled for too long (RabbitMQ's consumer_timeout).
fn is_overdue(error: &lapin::Error) -> bool {
    let text = "delivery acknowledgement on channel";
    matches!(error.kind(), lapin::ErrorKind::ProtocolError(answer) if answer.get_message().as_str().contains(text))
}

/// Whether it says where in a stream it stands.
fn is_of_stream(delivery: &Delivery) -> bool {
    delivery.properties.headers().as_ref().is_some_and(|headers| headers.contains_key(OFFSET))
}
