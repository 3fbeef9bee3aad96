//! Where answers to requests come from: the channel that published them, or a queue.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_util::{FutureExt, Stream};
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, Consumer};

use super::{Client, fault, look_at};
use crate::error::{Error, Result};

/// The queue that is none: an answer to it comes on the channel that published the request
/// ([RabbitMQ](https://www.rabbitmq.com/docs/direct-reply-to)).
const DIRECT_REPLY: &str = "amq.rabbitmq.reply-to";

/// Whether a routing key is an address of somebody who waits on his own channel.
pub(crate) fn is_direct_reply(routing_key: &str) -> bool {
    routing_key.starts_with(DIRECT_REPLY)
}

/// Hands the consumer of a channel that publishes to whoever waits for answers.
#[derive(Debug, Default)]
pub(crate) struct DirectReplies(Mutex<Option<Consumer>>);

impl DirectReplies {
    /// Answers to what is published on this channel come from now on.
    ///
    /// # Errors
    /// As [`fault()`].
    pub(super) async fn come_on(&self, channel: &Channel) -> Result<()> {
        let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
        let consumer = channel
            .basic_consume(DIRECT_REPLY.into(), ShortString::default(), options, FieldTable::default())
            .await
            .map_err(|e| fault(&e, "cannot wait for answers"))?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(consumer);
        Ok(())
    }

    /// The consumer, once.
    fn take(&self) -> Option<Consumer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// What came.
pub(super) enum Came {
    /// An answer.
    Answer(Box<Delivery>),
    /// What was published until now is answered to nobody any more.
    Lost,
}

/// Where answers come from.
pub(super) enum Replies {
    /// The channel that publishes.
    Direct(Arc<DirectReplies>, Option<Consumer>),
    /// A queue.
    Queue {
        /// Its name.
        name: ShortString,
        /// Its channel.
        channel: Channel,
        /// Its consumer.
        consumer: Consumer,
        /// It counts what goes back.
        counts: bool,
        /// What was acked and not yet told.
        acks: VecDeque<Pin<Box<dyn Future<Output = lapin::Result<()>> + Send>>>,
    },
}

impl Replies {
    /// Those that come to a queue.
    ///
    /// # Errors
    /// As [`look_at`].
    pub(super) async fn of_queue(client: &Client, name: ShortString, counts: bool) -> Result<Replies> {
        let channel = client.channel().await?;
        look_at(&channel, name.as_str()).await?;
        let consumer = channel
            .basic_consume(name.clone(), ShortString::default(), BasicConsumeOptions::default(), FieldTable::default())
            .await
            .map_err(|e| fault(&e, format!("cannot consume from queue `{name}`")))?;
        Ok(Replies::Queue { name, channel, consumer, counts, acks: VecDeque::new() })
    }

    /// What a request says of it.
    pub(super) fn address(&self) -> ShortString {
        match self {
            Replies::Direct(..) => DIRECT_REPLY.into(),
            Replies::Queue { name, .. } => name.clone(),
        }
    }

    /// True when the queue that keeps what nobody here waits for does so only for so long.
    pub(super) fn counts(&self) -> bool {
        matches!(self, Replies::Queue { counts: true, .. })
    }

    /// The queue that keeps what nobody here waits for.
    pub(super) fn queue(&self) -> Option<&str> {
        match self {
            Replies::Direct(..) => None,
            Replies::Queue { name, .. } => Some(name.as_str()),
        }
    }

    /// What comes next.
    ///
    /// # Errors
    /// No more will come.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Came>> {
        match self {
            Replies::Direct(next, consumer) => {
                if let Some(next) = next.take()
                    && consumer.replace(next).is_some()
                {
                    return Poll::Ready(Ok(Came::Lost));
                }
                let Some(current) = consumer else { return Poll::Pending };
                match std::task::ready!(Pin::new(current).poll_next(cx)) {
                    Some(Ok(delivery)) => Poll::Ready(Ok(Came::Answer(Box::new(delivery)))),
                    // Whoever publishes hears why.
                    Some(Err(_)) | None => {
                        *consumer = None;
                        Poll::Ready(Ok(Came::Lost))
                    }
                }
            }
            Replies::Queue { name, consumer, acks, .. } => {
                while let Some(ack) = acks.front_mut()
                    && ack.poll_unpin(cx).is_ready()
                {
                    acks.pop_front();
                }
                Poll::Ready(match std::task::ready!(Pin::new(consumer).poll_next(cx)) {
                    Some(Ok(delivery)) => Ok(Came::Answer(Box::new(delivery))),
                    Some(Err(error)) => Err(fault(&error, format!("cannot consume from queue `{name}`"))),
                    None => Err(Error::refused(format!(
                        "queue `{name}`, to which answers come, was deleted, or the broker cancelled its consumer"
                    ))),
                })
            }
        }
    }

    /// An answer is where it goes.
    pub(super) fn ack(&mut self, tag: u64) {
        if let Replies::Queue { channel, acks, .. } = self {
            let channel = channel.clone();
            let mut ack = Box::pin(async move { channel.basic_ack(tag, BasicAckOptions::default()).await });
            // The first poll hands it to the connection.
            if ack.poll_unpin(&mut Context::from_waker(Waker::noop())).is_pending() {
                acks.push_back(ack);
            }
        }
    }

    /// Waits until what was acked is on its way.
    pub(super) async fn end(self) {
        if let Replies::Queue { acks, .. } = self {
            for ack in acks {
                let _ = ack.await;
            }
        }
    }
}
