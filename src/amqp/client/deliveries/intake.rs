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

type Opening = Pin<Box<dyn Future<Output = lapin::Result<(Consumer, u64)>> + Send>>;

/// How many messages the broker may send ahead in all.
pub(super) const MOST: u64 = 65_535;

/// How many more at once, or a share of what there is.
const STEP: u64 = 1000;
const SHARE: u64 = 6;

/// A name has at most 255 bytes.
const LONGEST: usize = 248;

/// The consumers of one channel.
///
/// A message that is held counts as sent ahead until the end. So that others come all the same, and never more than there is
/// memory for, one more consumer of the same queue is begun when there is hardly any room left: what the broker sends ahead is
/// counted for each by itself, and cannot be changed for one that has begun. (RabbitMQ could for a whole channel, but not of a
/// quorum queue.) A quorum queue takes back what each of them held by itself, in the order of their names as long as there
/// are no more than 32.
///
/// A queue with a single active consumer sends nothing to the new one as long as there is the one before: that is ended when
/// nothing comes.
pub(super) struct Intake {
    consumers: Vec<One>,
    granted: u64,
    opening: Option<Opening>,
    /// How many were ever begun.
    begun: usize,
}

/// One consumer.
struct One {
    consumer: Consumer,
    /// What came of it and was not taken yet.
    came: Option<Turn>,
    /// How many messages it was sent of those that it may be.
    sent: u64,
    granted: u64,
    is_ended: bool,
}

impl One {
    fn new(consumer: Consumer, granted: u64) -> One {
        One { consumer, came: None, sent: 0, granted, is_ended: false }
    }
}

impl Intake {
    /// Of one consumer that is sent so many messages ahead.
    pub(super) fn new(consumer: Consumer, prefetch: u16) -> Intake {
        let granted = u64::from(prefetch);
        Intake { consumers: vec![One::new(consumer, granted)], granted, opening: None, begun: 1 }
    }

    /// The next message; `next` is its delivery tag.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>, next: u64) -> Poll<Turn> {
        // Of one that was ended here, that is no news.
        self.consumers.retain(|one| !(one.is_ended && matches!(one.came, Some(None))));
        let is_alone = self.consumers.len() == 1;
        let mut lowest: Option<(u64, usize)> = None;
        let mut all_came = true;
        for (at, one) in self.consumers.iter_mut().enumerate() {
            if one.came.is_none() {
                match Pin::new(&mut one.consumer).poll_next(cx) {
                    Poll::Ready(turn) => {
                        one.sent += 1;
                        one.came = Some(turn);
                    }
                    Poll::Pending => all_came = false,
                }
            }
            let tag = match &one.came {
                Some(Some(Ok(delivery))) if !is_alone => delivery.delivery_tag,
                Some(None) if one.is_ended => continue,
                Some(_) => 0,
                None => continue,
            };
            if tag <= next {
                return one.came.take().map_or(Poll::Pending, Poll::Ready);
            }
            if lowest.is_none_or(|(least, _)| tag < least) {
                lowest = Some((tag, at));
            }
        }
        // The one between comes from a consumer that has not given it yet.
        match lowest.filter(|_| all_came).and_then(|(_, at)| self.consumers.get_mut(at)?.came.take()) {
            Some(turn) => Poll::Ready(turn),
            None => Poll::Pending,
        }
    }

    /// So many messages are held until the end: asks for more where there is hardly any room beside them.
    pub(super) fn held(&mut self, count: u64, channel: &Channel, consuming: &Consuming) {
        let room = self.granted.saturating_sub(count);
        if room <= self.granted.min(2 * STEP) / 2 {
            self.open(Vec::new(), channel, consuming);
        }
    }

    /// Nothing came for a while: where that can be because the newest consumer waits for those to end that are sent no more, ends
    /// these.
    pub(super) fn stalled(&mut self, channel: &Channel, consuming: &Consuming) {
        let Some((newest, others)) = self.consumers.split_last_mut() else { return };
        if newest.sent > 0 || others.is_empty() || self.opening.is_some() {
            return;
        }
        let mut tags = Vec::new();
        // Any other may get something yet.
        for one in others.iter_mut().filter(|one| !one.is_ended && one.sent >= one.granted) {
            one.is_ended = true;
            tags.push(one.consumer.tag());
        }
        if tags.is_empty() {
            return;
        }
        // RabbitMQ 3.10 makes the next one the active one, and sends nothing to it before something else happens: one more.
        self.open(tags, channel, consuming);
    }

    /// Ends some consumers, and begins one more.
    fn open(&mut self, ended: Vec<ShortString>, channel: &Channel, consuming: &Consuming) {
        let more = self.granted.min(STEP).max(self.granted / SHARE).min(MOST - self.granted.min(MOST));
        let Some(prefetch) = u16::try_from(more).ok().filter(|more| *more > 0 && self.opening.is_none()) else {
            return;
        };
        self.granted += more;
        self.begun += 1;
        let mut consuming = consuming.clone();
        let name = consuming.tag.as_str();
        let name = name.get(..name.floor_char_boundary(LONGEST)).unwrap_or(name);
        consuming.tag = format!("{name}.{:02}", self.begun).into();
        let channel = channel.clone();
        self.opening = Some(Box::pin(async move {
            for tag in ended {
                channel.basic_cancel(tag, BasicCancelOptions::default()).await?;
            }
            Ok((consuming.begin(&channel, prefetch).await?, more))
        }));
    }

    /// Takes up whether one more consumer has begun.
    pub(super) fn poll_opening(&mut self, cx: &mut Context<'_>) -> lapin::Result<()> {
        if let Some(opening) = &mut self.opening
            && let Poll::Ready(opened) = opening.poll_unpin(cx)
        {
            self.opening = None;
            let (consumer, granted) = opened?;
            self.consumers.push(One::new(consumer, granted));
        }
        Ok(())
    }

    /// Ends them all.
    ///
    /// # Errors
    /// The connection's.
    pub(super) async fn cancel(&mut self, channel: &Channel) -> lapin::Result<()> {
        if let Some(opening) = self.opening.take() {
            let (consumer, granted) = opening.await?;
            self.consumers.push(One::new(consumer, granted));
        }
        for one in self.consumers.iter().filter(|one| !one.is_ended) {
            channel.basic_cancel(one.consumer.tag(), BasicCancelOptions::default()).await?;
        }
        Ok(())
    }
}
