//! The loop of `amqp consume`: read, write, flush, and only then settle.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicNackOptions};
use lapin::{Channel, Consumer};
use tokio::time::{Instant, sleep_until};

use super::{Settle, verdict};
use crate::amqp::client::{Meter, Pace, fault, incoming};
use crate::amqp::queue::look_at;
use crate::context::Context;
use crate::error::{Error, Kind, Result, counted};
use crate::output::{MessageWriter, Progress};
use crate::shutdown::Reason;

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

/// How long settling may take once `--timeout` ran out.
const AFTER_DEADLINE: Duration = Duration::from_millis(700);

/// Why reading ended.
#[derive(Debug)]
pub enum End {
    /// `--count` or the end was reached.
    Reached,
    /// `--idle-timeout`.
    Idle,
    /// A signal or `--timeout`.
    Stopped(Reason),
    /// The broker ended the consumer.
    Cancelled,
    /// The channel or the connection failed.
    Failed(lapin::Error),
}

/// A consumer and what was done so far. Delivery tags count from 1 on a fresh channel: the n-th message has tag n.
pub struct Reader<'a> {
    pub queue: &'a str,
    pub channel: Channel,
    pub consumer: Consumer,
    /// Told what is consumed, so that memory stays bounded.
    pub meter: Arc<Meter>,
    pub pace: Pace,
    /// For questions about the queue.
    pub probe: Option<Channel>,
    /// How many messages there were at the start, with `--until-end`.
    pub limit: Option<u64>,
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
            let idle_at = self.idle.map(|idle| last_came + idle);
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
                () = sleep_until(idle_at.unwrap_or(last_came)), if idle_at.is_some() => return Ok(End::Idle),
                () = sleep_until(next_tick) => {
                    next_tick = Instant::now() + TICK;
                    if self.tick(last_came).await? {
                        return Ok(End::Reached);
                    }
                }
            }
        }
        Ok(End::Reached)
    }

    fn is_done(&self) -> bool {
        let held = self.settle == Settle::Requeue && self.read >= self.prefetch;
        held || self.count.is_some_and(|n| self.read >= n) || self.limit.is_some_and(|n| self.read >= n)
    }

    /// One turn of the consumer.
    async fn take(&mut self, next: Option<lapin::Result<Delivery>>) -> Result<Option<End>> {
        let delivery = match next {
            Some(Ok(delivery)) => delivery,
            Some(Err(error)) => return Ok(Some(End::Failed(error))),
            None => return Ok(Some(End::Cancelled)),
        };
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
        let done = match self.settle {
            Settle::Ack | Settle::OnArrival => self.channel.basic_ack(target, BasicAckOptions { multiple: true }).await,
            Settle::Nack => self.channel.basic_nack(target, BasicNackOptions { multiple: true, requeue: false }).await,
            // They go back with the channel: put back by a nack, a quorum queue would set them at its end.
            Settle::Requeue => Ok(()),
        };
        done.map_err(|e| fault(&e, format!("cannot settle messages of queue `{}`", self.queue)))?;
        self.settled = target;
        Ok(())
    }

    /// What a dry reader does now and then. True when `--until-end` is fulfilled.
    async fn tick(&mut self, last_came: Instant) -> Result<bool> {
        if self.writer.is_closed() {
            return Err(Error::new(Kind::ClosedPipe, "the reader of standard output is gone"));
        }
        let Some(probe) = &self.probe else { return Ok(false) };
        if last_came.elapsed() > DRY {
            return Ok(true);
        }
        if self.limit.is_none() {
            return Ok(false);
        }
        // Others may have taken what was there at the start.
        let ready = look_at(probe, self.queue).await?.message_count();
        Ok(ready == 0 && last_came.elapsed() > TICK)
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
        let limit = match end {
            End::Stopped(Reason::Timeout) => self.cx.shutdown.drain_left().min(AFTER_DEADLINE),
            _ => self.cx.shutdown.drain_left(),
        };
        let settled = tokio::time::timeout(limit, self.finish(&end)).await;
        self.progress.clear();
        if let End::Stopped(_) = end {
            // What was asked for without an answer is not settled for certain.
            let account = match &settled {
                Ok(Ok(())) => format!("read {}, settled {}", self.read, self.settled),
                _ => format!("read {}", self.read),
            };
            self.cx.terminal.note(account);
        }
        match settled {
            Ok(Ok(())) => verdict(end, self.read, self.count, self.queue),
            Ok(Err(error)) if error.kind() != Kind::Connect => Err(error),
            unsure => {
                let read = counted(self.read, "message");
                let message = format!("written: {read}; it is unknown whether the broker has taken the settlement");
                let error = Error::new(Kind::Partial, message).hint("they may come again");
                Err(match unsure {
                    Ok(Err(cause)) => error.because(cause),
                    _ => error.because("the broker did not answer in time"),
                })
            }
        }
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
