//! The loop of `amqp consume`: read, write, flush, and only then settle.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicNackOptions};
use lapin::{Channel, Consumer};
use tokio::time::{Instant, sleep_until};

use super::{OFFSET, Settle, verdict};
use crate::amqp::client::{Client, Meter, Pace, fault, incoming};
use crate::amqp::queue::look_at;
use crate::context::Context;
use crate::error::{Error, Kind, Result, counted};
use crate::output::{MessageWriter, Progress};
use crate::shutdown::{Reason, Shutdown};

/// How many messages are settled together, at most.
const BATCH: u64 = 256;

/// How long a written message waits for others to be settled with.
const SETTLE_AFTER: Duration = Duration::from_millis(5);

/// The same where settling would let the broker send more than will be read.
const HOLD: Duration = Duration::from_secs(1);

/// How often a dry reader looks whether it is still wanted.
const TICK: Duration = Duration::from_millis(200);

/// How long a stream may send nothing before `--until-end` takes it for read; likewise a queue that says it holds messages
/// and sends none.
const DRY: Duration = Duration::from_secs(1);

/// Why reading ended.
#[derive(Debug)]
pub enum End {
    /// `--count` or the end was reached.
    Reached,
    /// `--idle-timeout`.
    Idle,
    /// The queue sent no more, although it still holds messages of those that there were at the start: how many that were.
    Silent(u64),
    /// A signal or `--timeout`.
    Stopped(Reason),
    /// The broker ended the consumer.
    Cancelled,
    /// The channel or the connection failed.
    Failed(lapin::Error),
}

/// A question about the queue.
type Question<'a> = Pin<Box<dyn Future<Output = Result<u64>> + Send + 'a>>;

/// A consumer and what was done so far. Delivery tags count from 1 on a fresh channel: the n-th message has tag n.
pub struct Reader<'a> {
    pub client: &'a Client,
    pub queue: &'a str,
    pub channel: Channel,
    pub consumer: Consumer,
    /// Told what is consumed, so that memory stays bounded.
    pub meter: Arc<Meter>,
    pub pace: Pace,
    /// For questions about the queue.
    pub probe: Option<Channel>,
    /// The one that is not answered yet: how many messages are ready.
    pub question: Option<Question<'a>>,
    /// How many messages there were at the start, with `--until-end`.
    pub limit: Option<u64>,
    /// The same where the queue was taken for a stream, which not every broker refuses to what is none.
    pub unless_stream: Option<u64>,
    pub count: Option<u64>,
    pub idle: Option<Duration>,
    pub prefetch: u64,
    pub settle: Settle,
    pub writer: MessageWriter,
    pub progress: Progress,
    pub read: u64,
    pub settled: u64,
    pub bytes: u64,
    pub cx: &'a Context,
}

impl Reader<'_> {
    /// Reads until there is a reason to stop.
    ///
    /// # Errors
    /// The writer's: what it could not write must not be settled. `Kind::Connect` when settling failed.
    pub async fn read_all(&mut self) -> Result<End> {
        let mut last_came = Instant::now();
        let mut next_tick = last_came + TICK;
        let mut came = false;
        while !self.is_done() {
            if let Some(next) = self.consumer.next().now_or_never() {
                if let Some(end) = self.take(next).await? {
                    return Ok(end);
                }
                came = true;
                if self.read.is_multiple_of(BATCH)
                    && let Some(reason) = self.cx.shutdown.reason()
                {
                    return Ok(End::Stopped(reason));
                }
                continue;
            }
            // Dry: what was read appears at once.
            self.writer.flush()?;
            self.meter.drained();
            if std::mem::take(&mut came) {
                last_came = Instant::now();
                self.pace.dry().await;
            }
            let free = self.may_settle();
            let (target, after) = if free > self.settled { (free, SETTLE_AFTER) } else { (self.read, HOLD) };
            let settle_at = last_came + after;
            let unsettled = self.settled < self.read && self.settle != Settle::Requeue;
            let heard = self.heard(last_came);
            let idle_at = self.idle.map(|idle| heard + idle);
            let question = &mut self.question;
            let answer = async {
                match question {
                    Some(question) => question.await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                reason = self.cx.shutdown.stopped() => return Ok(End::Stopped(reason)),
                next = self.consumer.next() => {
                    if let Some(end) = self.take(next).await? {
                        return Ok(end);
                    }
                    came = true;
                }
                () = sleep_until(settle_at), if unsettled => self.settle_up_to(target).await?,
                () = sleep_until(idle_at.unwrap_or(last_came)), if idle_at.is_some() => {
                    // A part of a message may have come meanwhile.
                    if self.heard(last_came) <= heard {
                        return Ok(End::Idle);
                    }
                }
                ready = answer => {
                    self.question = None;
                    // Others may have taken what was there at the start.
                    if ready? == 0 && self.limit.is_some() && self.is_silent(last_came, TICK) {
                        return Ok(End::Reached);
                    }
                }
                () = sleep_until(next_tick) => {
                    next_tick = Instant::now() + TICK;
                    if let Some(end) = self.tick(last_came)? {
                        return Ok(end);
                    }
                }
            }
        }
        Ok(End::Reached)
    }

    /// When the last part of a message came. A large one may be under way for longer than any limit here.
    fn heard(&self, last_came: Instant) -> Instant {
        self.meter.part().came.map_or(last_came, |came| last_came.max(Instant::from_std(came)))
    }

    /// Whether for so long nothing of a message came, and nothing has to come.
    fn is_silent(&self, last_came: Instant, time: Duration) -> bool {
        !self.meter.part().is_amid && self.heard(last_came).elapsed() > time
    }

    fn is_done(&self) -> bool {
        let held = self.settle == Settle::Requeue && self.read >= self.prefetch;
        held || self.count.is_some_and(|n| self.read >= n) || self.limit.is_some_and(|n| self.read >= n)
    }

    /// One turn of the consumer.
    async fn take(&mut self, next: Option<lapin::Result<Delivery>>) -> Result<Option<End>> {
        let mut delivery = match next {
            Some(Ok(delivery)) => delivery,
            Some(Err(error)) => return Ok(Some(End::Failed(error))),
            None => return Ok(Some(End::Cancelled)),
        };
        self.client.restore(&mut delivery.properties);
        if let Some(limit) = self.unless_stream.take()
            && !is_of_stream(&delivery)
        {
            self.limit = Some(limit);
        }
        self.read += 1;
        self.bytes += delivery.data.len() as u64;
        if self.settle == Settle::OnArrival {
            self.settle_in_batches().await?;
        }
        self.writer.write(&incoming(&delivery, self.queue))?;
        self.progress.set(self.read, self.bytes);
        self.meter.consumed(delivery.data.len());
        if self.settle != Settle::OnArrival {
            self.settle_in_batches().await?;
        }
        Ok(None)
    }

    async fn settle_in_batches(&mut self) -> Result<()> {
        let target = self.may_settle();
        let batch = BATCH.min(self.prefetch.div_ceil(2));
        if target >= self.settled + batch { self.settle_up_to(target).await } else { Ok(()) }
    }

    /// How many messages may be settled without the broker sending more than are wanted.
    fn may_settle(&self) -> u64 {
        match (self.settle, self.count) {
            (Settle::Requeue, _) => 0,
            (_, Some(count)) => self.read.min(count.saturating_sub(self.prefetch)),
            (_, None) => self.read,
        }
    }

    /// Settles the first `target` messages, all of which were written.
    async fn settle_up_to(&mut self, target: u64) -> Result<()> {
        if self.settle != Settle::OnArrival {
            self.writer.flush()?;
        }
        if target <= self.settled {
            return Ok(());
        }
        // Once: the broker knows a tag that was settled no more, and closes the channel for it.
        self.settled = target;
        let done = match self.settle {
            Settle::Ack | Settle::OnArrival => self.channel.basic_ack(target, BasicAckOptions { multiple: true }).await,
            Settle::Nack => self.channel.basic_nack(target, BasicNackOptions { multiple: true, requeue: false }).await,
            // They go back with the channel: put back by a nack, a quorum queue would set them at its end.
            Settle::Requeue => Ok(()),
        };
        done.map_err(|e| fault(&e, format!("cannot settle messages of queue `{}`", self.queue)))
    }

    /// What a dry reader does now and then, and whether nothing more is to be waited for with `--until-end`.
    fn tick(&mut self, last_came: Instant) -> Result<Option<End>> {
        if self.writer.is_closed() {
            return Err(Error::new(Kind::ClosedPipe, "the reader of standard output is gone"));
        }
        // What was sent before an answer is here before it: with none, the connection is slow, and not the queue silent.
        let (Some(probe), None) = (&self.probe, &self.question) else { return Ok(None) };
        if self.is_silent(last_came, DRY) {
            return Ok(Some(self.limit.map_or(End::Reached, End::Silent)));
        }
        let (probe, queue) = (probe.clone(), self.queue);
        let ask = async move { look_at(&probe, queue).await.map(|found| u64::from(found.message_count())) };
        self.question = Some(Box::pin(ask));
        Ok(None)
    }

    /// Stops the deliveries, settles what was written and nothing else, and says how it ended.
    ///
    /// # Errors
    /// See [`super::run`].
    pub async fn conclude(mut self, ended: Result<End>) -> Result<()> {
        let end = match ended {
            // Nothing may be settled past the last full write; what is not settled goes back with the connection.
            Err(error) => return Err(error),
            Ok(End::Failed(error)) => {
                self.writer.flush()?;
                return verdict(End::Failed(error), self.read, self.count, self.queue);
            }
            Ok(end) => end,
        };
        let shutdown = &self.cx.shutdown;
        let settled = shutdown.within(shutdown.drain_left(), Shutdown::drain_left, self.finish(&end)).await;
        self.progress.clear();
        let settled = match settled.map(|done| done.map_err(|e| self.client.explain(e))) {
            // What was not written is not settled either.
            Some(Err(error)) if matches!(error.kind(), Kind::Io | Kind::ClosedPipe) => return Err(error),
            settled => settled,
        };
        let stopped = match end {
            End::Stopped(reason) => Some(reason),
            // It had to stop while the broker was waited for.
            _ => self.cx.shutdown.reason().filter(|_| settled.is_none()),
        };
        if let Some(reason) = stopped {
            return self.account(reason, settled);
        }
        match settled {
            Some(Ok(())) => verdict(end, self.read, self.count, self.queue),
            Some(Err(error)) if error.kind() != Kind::Connect => Err(error),
            unsure => {
                let error = Error::new(Kind::Partial, self.unsure()).hint("they may come again");
                Err(match unsure {
                    Some(Err(cause)) => error.because(cause),
                    _ => error.because("the broker did not answer in time"),
                })
            }
        }
    }

    /// What was done until it had to stop, which stays the reason of the end.
    fn account(&self, reason: Reason, settled: Option<Result<()>>) -> Result<()> {
        let terminal = &self.cx.terminal;
        match settled {
            Some(Ok(())) => terminal.note(format!("read {}, settled {}", self.read, self.settled)),
            _ if self.read == 0 => terminal.note("read 0"),
            Some(Err(error)) => terminal.warn(format!("{}: {}", self.unsure(), error.chain())),
            None => terminal.warn(format!("{}: the broker did not answer in time", self.unsure())),
        }
        Err(reason.error())
    }

    /// What was asked for without an answer is not settled for certain.
    fn unsure(&self) -> String {
        format!("written: {}; it is unknown whether the broker has taken the settlement", counted(self.read, "message"))
    }

    async fn finish(&mut self, end: &End) -> Result<()> {
        self.writer.flush()?;
        let lost = |e: &lapin::Error| fault(e, "the connection ended");
        if !matches!(end, End::Cancelled) {
            let tag = self.consumer.tag();
            self.channel.basic_cancel(tag, BasicCancelOptions::default()).await.map_err(|e| lost(&e))?;
        }
        self.settle_up_to(self.read).await?;
        // The broker works in order: its answer to this means that it has settled.
        self.channel.close(200, "OK".into()).await.map_err(|e| lost(&e))
    }
}

/// Whether it says where in a stream it stands.
fn is_of_stream(delivery: &Delivery) -> bool {
    delivery.properties.headers().as_ref().is_some_and(|headers| headers.contains_key(OFFSET))
}
