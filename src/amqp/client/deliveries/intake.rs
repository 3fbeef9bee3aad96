//! The consumers of one channel, as one stream in the order of their delivery tags.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::{FutureExt, Stream};
use lapin::message::Delivery;
use lapin::options::{BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, Consumer};

/// How a consumer is begun.
#[derive(Clone)]
pub(crate) struct Consuming {
    /// The queue.
    pub queue: ShortString,
    /// The name of the consumer; the broker gives one to an empty name.
    pub tag: ShortString,
    /// Options of the consumer,
    pub options: BasicConsumeOptions,
    /// and its arguments.
    pub arguments: FieldTable,
}

impl Consuming {
    /// Begins one that is sent so many messages ahead of their acknowledgement.
    ///
    /// # Errors
    /// The broker's.
    pub(crate) async fn begin(self, channel: &Channel, prefetch: u16) -> lapin::Result<Consumer> {
        channel.basic_qos(prefetch, BasicQosOptions::default()).await?;
        channel.basic_consume(self.queue, self.tag, self.options, self.arguments).await
    }
}

/// What a consumer gives: `None` when the broker has ended it.
type Turn = Option<lapin::Result<Delivery>>;

type Opening = Pin<Box<dyn Future<Output = lapin::Result<Consumer>> + Send>>;

/// How many messages the broker may send ahead in all.
pub(super) const MOST: u64 = 65_535;

/// How many more at once, or a share of what there is.
const STEP: u64 = 1000;
const SHARE: u64 = 6;

/// The consumers of one channel.
///
/// A message that is held counts as sent ahead until the end. So that others come all the same, and never more than there is
/// memory for, one more consumer of the same queue is begun when there is hardly any room left: what the broker sends ahead is
/// counted for each by itself, and cannot be changed for one that has begun. (RabbitMQ could for a whole channel, but not of a
/// quorum queue.) A quorum queue takes back what each of them held by itself, in the order of their names as long as there
/// are no more than 32.
pub(super) struct Intake {
    consumers: Vec<(Consumer, Option<Turn>)>,
    granted: u64,
    opening: Option<Opening>,
}

impl Intake {
    /// Of one consumer that is sent so many messages ahead.
    pub(super) fn new(consumer: Consumer, prefetch: u16) -> Intake {
        Intake { consumers: vec![(consumer, None)], granted: u64::from(prefetch), opening: None }
    }

    /// The next message; `next` is its delivery tag.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>, next: u64) -> Poll<Turn> {
        let is_alone = self.consumers.len() == 1;
        let mut lowest: Option<(u64, usize)> = None;
        let mut all_came = true;
        for (at, (consumer, came)) in self.consumers.iter_mut().enumerate() {
            if came.is_none() {
                match Pin::new(consumer).poll_next(cx) {
                    Poll::Ready(turn) => *came = Some(turn),
                    Poll::Pending => all_came = false,
                }
            }
            let tag = match came {
                Some(Some(Ok(delivery))) if !is_alone => delivery.delivery_tag,
                Some(_) => 0,
                None => continue,
            };
            if tag <= next {
                return came.take().map_or(Poll::Pending, Poll::Ready);
            }
            if lowest.is_none_or(|(least, _)| tag < least) {
                lowest = Some((tag, at));
            }
        }
        // The one between comes from a consumer that has not given it yet.
        match lowest.filter(|_| all_came).and_then(|(_, at)| self.consumers.get_mut(at)?.1.take()) {
            Some(turn) => Poll::Ready(turn),
            None => Poll::Pending,
        }
    }

    /// So many messages are held until the end: asks for more where there is hardly any room beside them.
    pub(super) fn held(&mut self, count: u64, channel: &Channel, consuming: &Consuming) {
        let room = self.granted.saturating_sub(count);
        let more = self.granted.min(STEP).max(self.granted / SHARE).min(MOST - self.granted.min(MOST));
        if self.opening.is_some() || more == 0 || room > self.granted.min(2 * STEP) / 2 {
            return;
        }
        let Ok(prefetch) = u16::try_from(more) else { return };
        self.granted += more;
        let mut consuming = consuming.clone();
        consuming.tag = format!("{}.{:02}", consuming.tag, self.consumers.len() + 1).into();
        let channel = channel.clone();
        self.opening = Some(Box::pin(async move { consuming.begin(&channel, prefetch).await }));
    }

    /// Takes up whether one more consumer has begun.
    pub(super) fn poll_opening(&mut self, cx: &mut Context<'_>) -> lapin::Result<()> {
        if let Some(opening) = &mut self.opening
            && let Poll::Ready(opened) = opening.poll_unpin(cx)
        {
            self.opening = None;
            self.consumers.push((opened?, None));
        }
        Ok(())
    }

    /// Ends them all.
    ///
    /// # Errors
    /// The connection's.
    pub(super) async fn cancel(&mut self, channel: &Channel) -> lapin::Result<()> {
        if let Some(opening) = self.opening.take() {
            self.consumers.push((opening.await?, None));
        }
        for (consumer, _) in &self.consumers {
            channel.basic_cancel(consumer.tag(), BasicCancelOptions::default()).await?;
        }
        Ok(())
    }
}
