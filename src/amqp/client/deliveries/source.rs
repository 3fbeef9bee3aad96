//! What a flow asks of a queue.

use std::future::Future;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use futures_util::FutureExt;
use lapin::options::BasicNackOptions;

use super::{BATCH, BATCH_BYTES, Deliveries, MOST, Over, Settle, TICK};
use crate::amqp::client::{fault, incoming};
use crate::error::{Error, Kind, Result, counted};
use crate::flow::{Bad, Done, Event, Filled, Lane, LaneName, Place, Settling, Source, Unfit, Work};
use crate::message::Message;

impl Source for Deliveries {
    fn settling(&self) -> Settling {
        match self.with.settle {
            Settle::Ack | Settle::Nack => Settling::Each,
            Settle::Requeue | Settle::OnArrival => Settling::Never,
        }
    }

    fn serve(&mut self) -> Result<Option<Event>> {
        Ok(None)
    }

    fn fill(&mut self, most: usize) -> Result<Filled> {
        for delivery in self.batch.drain(..) {
            self.meter.consumed(delivery.data.len());
        }
        let before = self.bytes;
        while self.over.is_none() {
            if self.is_reached() {
                self.over = Some(Over::Reached);
                break;
            }
            let bytes = usize::try_from(self.bytes - before).unwrap_or(usize::MAX);
            if self.batch.len() >= most.min(BATCH) || bytes >= BATCH_BYTES {
                break;
            }
            let turn = match self.next.take() {
                Some(turn) => turn,
                None => match self.intake.poll_next(&mut Context::from_waker(Waker::noop()), self.read + 1) {
                    Poll::Ready(turn) => turn,
                    Poll::Pending => break,
                },
            };
            if !self.take(turn) {
                break;
            }
        }
        if self.batch.is_empty() {
            self.meter.drained();
            return self.ended();
        }
        self.came = true;
        if self.with.settle == Settle::OnArrival {
            self.done = self.read;
            self.settle_in_batches();
        }
        Ok(Filled::Batch(self.batch.len()))
    }

    fn place(&self, at: usize) -> Place {
        Place { lane: 0, mark: self.batch.get(at).map_or(0, |delivery| delivery.delivery_tag) }
    }

    fn get(&self, at: usize) -> Result<Message<'_>, Bad> {
        Ok(self.batch.get(at).map_or_else(Message::default, |delivery| incoming(delivery, &self.with.queue)))
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>, wanted: bool) -> Poll<()> {
        if let Poll::Ready(Err(error)) = self.poll_answers(cx) {
            self.over = Some(Over::Error(Some(self.cannot_settle(&error))));
        }
        if let Some((at, target)) = self.settle_due()
            && Instant::now() >= at
        {
            self.settle_up_to(target);
        }
        if let Err(error) = self.intake.poll_opening(cx) {
            self.over = Some(Over::Failed(error));
        }
        if self.over.is_some() {
            return if wanted { Poll::Ready(()) } else { Poll::Pending };
        }
        if wanted {
            if std::mem::take(&mut self.came) {
                self.last_came = Instant::now();
                self.pause = self.pace.dry();
            }
            if let Some(pause) = &mut self.pause {
                if pause.poll_unpin(cx).is_pending() {
                    return Poll::Pending;
                }
                self.pause = None;
                self.pace.rested();
            }
            if self.next.is_none()
                && let Poll::Ready(turn) = self.intake.poll_next(cx, self.read + 1)
            {
                self.next = Some(turn);
            }
            if self.next.is_some() {
                return Poll::Ready(());
            }
            if Instant::now() >= self.next_tick {
                self.next_tick = Instant::now() + TICK;
                if self.is_silent(TICK) {
                    self.intake.stalled(&self.with.channel, &self.with.consuming);
                }
                self.tick();
            }
            if let Some(question) = &mut self.question
                && let Poll::Ready(answer) = question.poll_unpin(cx)
            {
                self.question = None;
                match answer {
                    // Others may have taken what was there at the start.
                    Ok(0) if self.with.limit.is_some() && self.is_silent(TICK) => self.over = Some(Over::Reached),
                    Ok(_) => {}
                    Err(error) => self.over = Some(Over::Error(Some(error))),
                }
            }
            if self.over.is_some() {
                return Poll::Ready(());
            }
        }
        let Some(due) = self.due(wanted) else { return Poll::Pending };
        let due = tokio::time::Instant::from_std(due);
        if self.timer.deadline() != due {
            self.timer.as_mut().reset(due);
        }
        if self.timer.as_mut().poll(cx).is_ready() { Poll::Ready(()) } else { Poll::Pending }
    }

    fn idle_since(&self) -> Option<Instant> {
        Some(self.heard())
    }

    fn window(&self) -> usize {
        self.together()
    }

    fn ahead(&self) -> Option<usize> {
        let most = if self.with.keeps_rest { MOST } else { u64::from(self.with.prefetch) };
        (self.settling() == Settling::Each).then(|| usize::try_from(most).unwrap_or(usize::MAX))
    }

    fn keeps_rest(&self) -> bool {
        self.with.keeps_rest
    }

    fn held(&mut self, count: u64) {
        self.held = count;
        if self.with.keeps_rest && self.over.is_none() {
            self.intake.held(count, &self.with.channel, &self.with.consuming);
        }
    }

    fn settle(&mut self, _lane: Lane, done: Done) -> Result<()> {
        self.freed = Instant::now();
        match done {
            Done::Through(tag) => {
                self.done = tag;
                self.settle_in_batches();
            }
            Done::One(tag) => {
                self.settle_up_to(self.done);
                self.tell(tag, false);
            }
        }
        Ok(())
    }

    fn reject(&mut self, place: Place, requeue: bool) -> Result<()> {
        // The broker closes the channel for a tag that it knows no more.
        if self.with.settle == Settle::OnArrival {
            return Ok(());
        }
        self.freed = Instant::now();
        let channel = self.with.channel.clone();
        let options = BasicNackOptions { multiple: false, requeue };
        self.send(Box::pin(async move { channel.basic_nack(place.mark, options).await }));
        Ok(())
    }

    fn finish(&mut self) -> Work<'_> {
        Box::pin(async move {
            let lost = |e: &lapin::Error| fault(e, "the connection ended");
            let finished = async {
                match self.over {
                    // There is nobody left to tell anything to.
                    Some(Over::Failed(_) | Over::Error(_)) => return Ok(()),
                    Some(Over::Cancelled) => {}
                    _ => {
                        let channel = self.with.channel.clone();
                        self.intake.cancel(&channel).await.map_err(|e| lost(&e))?;
                    }
                }
                self.settle_up_to(self.done);
                std::future::poll_fn(|cx| self.poll_answers(cx)).await.map_err(|e| self.cannot_settle(&e))?;
                // The broker works in order: its answer to this means that it has settled.
                self.with.channel.close(200, "OK".into()).await.map_err(|e| lost(&e))
            };
            finished.await.map_err(|error: Error| self.with.client.explain(error))
        })
    }

    fn close(self: Box<Self>) -> Work<'static, ()> {
        Box::pin(async move { self.with.client.close(&self.with.shutdown).await })
    }

    fn lane_name(&self, _lane: Lane) -> LaneName {
        LaneName::of(format!("queue `{}`, message", self.with.queue))
    }

    fn hole(&self, _lane: Lane, _done: Option<u64>) -> Option<String> {
        Some(format!("what was not taken goes back to queue `{}`", self.with.queue))
    }

    fn fault(&self, at: usize, unfit: Unfit) -> Error {
        let number = self.place(at).mark;
        Error::usage(format!("message {number} of queue `{}`: {}", self.with.queue, unfit.why))
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn unmet(&self, came: u64, count: u64, _why: &str) -> Error {
        let came = counted(came, "message");
        Error::new(Kind::Unmet, format!("{came} came from queue `{}`, fewer than {count}", self.with.queue))
    }
}
