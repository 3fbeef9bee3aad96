//! Publishing as the sink of a flow.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::{FutureExt, StreamExt};
use lapin::Event;

use super::replies::DirectReplies;
use super::{Client, EventStream, FrameLimit, Outgoing, PublishOutcome, Publisher, fault};
use crate::error::Result;
use crate::flow::{Declined, Heard, Next, OnRefusal, Outcome, Refusal, Sink, Ticket, Told, Work};
use crate::message::Message;
use crate::shutdown::Shutdown;

/// Makes what goes out of a message, or says why it cannot.
pub(crate) type MakeOutgoing = Box<dyn Fn(Message<'_>) -> Result<Outgoing, String> + Send>;

/// How messages are published.
pub(crate) struct PublishingOptions {
    /// The connection.
    pub client: Arc<Client>,
    /// Bounds the goodbye.
    pub shutdown: Shutdown,
    /// Whether the broker is asked to confirm each message.
    pub confirm: bool,
    /// How many messages may wait for their confirm.
    pub window: usize,
    /// What goes out of a message.
    pub make: MakeOutgoing,
    /// What happens to a message that came back, whatever the flow does about others.
    pub on_return: Option<OnRefusal>,
    /// Where answers to what is published come, if they come on its channel.
    pub replies: Option<Arc<DirectReplies>>,
}

impl PublishingOptions {
    /// Messages are confirmed; what comes back is treated as what is refused for another reason.
    pub(crate) fn confirmed(
        client: Arc<Client>,
        shutdown: Shutdown,
        window: usize,
        make: MakeOutgoing,
    ) -> PublishingOptions {
        PublishingOptions { client, shutdown, confirm: true, window, make, on_return: None, replies: None }
    }

    /// A channel for publishing.
    fn publisher(&self) -> impl Future<Output = Result<Publisher>> + Send + use<> {
        let (client, confirm, window) = (self.client.clone(), self.confirm, self.window);
        let replies = self.replies.clone();
        async move {
            let publisher = Publisher::open(&client, confirm, window).await?;
            if let Some(replies) = replies {
                replies.come_on(publisher.channel()).await?;
            }
            Ok(publisher)
        }
    }
}

/// Another channel in place of one that is gone, and what is waited for in the meantime.
type Doing<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What the sink waits for beside confirms.
enum Waiting {
    /// Another channel, after this error of the one before.
    Channel(Doing<Result<Publisher>>, lapin::Error),
    /// The reason behind an error, and whether it ends the work.
    Cause(Doing<lapin::Error>),
}

/// Publishes messages.
pub(crate) struct Publishing {
    with: PublishingOptions,
    limit: FrameLimit,
    publisher: Publisher,
    /// A message that has to wait for those before it.
    stashed: Option<(Ticket, Outgoing)>,
    /// What was refused before it was sent.
    refused: Vec<(Ticket, PublishOutcome)>,
    waiting: Option<Waiting>,
    /// The error of a channel that another one took the place of.
    outlived: Option<String>,
    events: EventStream,
    blocked: bool,
    /// Nothing goes out any more.
    over: bool,
}

impl Publishing {
    /// Opens a channel.
    ///
    /// # Errors
    /// As [`fault()`].
    pub(crate) async fn open(with: PublishingOptions) -> Result<Publishing> {
        let events = with.client.events();
        let publisher = with.publisher().await?;
        Ok(Publishing {
            limit: FrameLimit::of(&with.client),
            publisher,
            stashed: None,
            refused: Vec::new(),
            waiting: None,
            outlived: None,
            events,
            blocked: false,
            over: false,
            with,
        })
    }

    /// What goes out of a message.
    ///
    /// # Errors
    /// A sentence: there is nothing that could.
    pub(crate) fn make(&self, message: Message<'_>) -> Result<Outgoing, String> {
        (self.with.make)(message)
    }

    /// Publishes, where there is room.
    pub(crate) fn put(&mut self, ticket: Ticket, outgoing: Outgoing) {
        if let Some(refused) = self.limit.refusal(&outgoing) {
            self.refused.push((ticket, refused));
        } else if self.publisher.has_room_for(&outgoing) {
            self.publisher.submit(ticket.0, outgoing);
        } else {
            self.stashed = Some((ticket, outgoing));
        }
    }

    /// Looks for the reason behind an error that ends the work.
    fn lose(&mut self, error: lapin::Error) {
        let client = self.with.client.clone();
        let mut events = std::mem::replace(&mut self.events, client.events());
        self.over = true;
        self.waiting = Some(Waiting::Cause(Box::pin(async move { client.cause(error, &mut events).await })));
    }

    fn poll_waiting(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        match &mut self.waiting {
            None => Poll::Ready(Ok(())),
            Some(Waiting::Channel(opening, _)) => {
                let opened = std::task::ready!(opening.poll_unpin(cx));
                let before = self.waiting.take();
                match (opened, before) {
                    (Ok(publisher), Some(Waiting::Channel(_, error))) => {
                        (self.publisher, self.outlived) = (publisher, Some(error.to_string()));
                        Poll::Ready(Ok(()))
                    }
                    (_, Some(Waiting::Channel(_, error))) => {
                        self.lose(error);
                        self.poll_waiting(cx)
                    }
                    (Err(error), _) => Poll::Ready(Err(error)),
                    (Ok(_), _) => Poll::Ready(Ok(())),
                }
            }
            Some(Waiting::Cause(cause)) => {
                let cause = std::task::ready!(cause.poll_unpin(cx));
                self.waiting = None;
                Poll::Ready(Err(fault(&cause, "cannot publish")))
            }
        }
    }

    /// What happens to the connection as a whole.
    fn poll_events(&mut self, cx: &mut Context<'_>, heard: &mut Heard) -> Poll<()> {
        match std::task::ready!(self.events.poll_next_unpin(cx)) {
            Some(Event::ConnectionBlocked(reason)) => {
                self.blocked = true;
                heard.told.push(Told::Warn(format!("the broker takes no messages for now: {reason}")));
            }
            Some(Event::ConnectionUnblocked) => {
                self.blocked = false;
                heard.told.push(Told::Note("the broker takes messages again".to_owned()));
            }
            Some(Event::Error(error)) if self.outlived.take_if(|outlived| *outlived == error.to_string()).is_some() => {
            }
            // With messages in flight, each of them gets the error, too.
            Some(Event::Error(error)) if !self.publisher.tells_errors() => self.lose(error),
            _ => {}
        }
        Poll::Ready(())
    }
}

impl Sink for Publishing {
    fn room(&self) -> usize {
        let has_room = !self.over && self.stashed.is_none() && self.waiting.is_none() && self.publisher.has_room();
        if has_room { usize::MAX } else { 0 }
    }

    fn is_empty(&self) -> bool {
        self.stashed.is_none() && self.refused.is_empty() && self.waiting.is_none() && self.publisher.is_empty()
    }

    fn submit<'b>(&mut self, next: &mut Next<'_, 'b>) -> Result<(), Declined> {
        while self.room() > 0 {
            // A new one each time: taken out of one that stays, it would be copied once more.
            let mut message = Message::default();
            let Some(ticket) = next(&mut message) else { return Ok(()) };
            let outgoing = self.make(message).map_err(Declined::unfit)?;
            self.put(ticket, outgoing);
        }
        Ok(())
    }

    fn flush(&mut self, _last: bool) -> Result<()> {
        Ok(())
    }

    fn poll(&mut self, cx: &mut Context<'_>, heard: &mut Heard) -> Poll<Result<()>> {
        let on_return = self.with.on_return;
        heard.outcomes.extend(self.refused.drain(..).map(|(ticket, fate)| (ticket, outcome(fate, on_return))));
        if !heard.is_empty() {
            return Poll::Ready(Ok(()));
        }
        if self.waiting.is_some() {
            return self.poll_waiting(cx);
        }
        let settled = {
            let mut report = |ticket, fate| heard.outcome(Ticket(ticket), outcome(fate, on_return));
            let settled = std::pin::pin!(self.publisher.settled(&mut report));
            settled.poll(cx)
        };
        match settled {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error)) if self.publisher.outlives() => {
                let opening = Box::pin(self.with.publisher());
                self.waiting = Some(Waiting::Channel(opening, error));
                return Poll::Ready(Ok(()));
            }
            Poll::Ready(Err(error)) => {
                self.lose(error);
                return Poll::Ready(Ok(()));
            }
            Poll::Pending => return self.poll_events(cx, heard).map(Ok),
        }
        if let Some((ticket, message)) = self.stashed.take_if(|(_, message)| self.publisher.has_room_for(message)) {
            self.publisher.submit(ticket.0, message);
        }
        Poll::Ready(Ok(()))
    }

    fn finish(&mut self) -> Work<'_> {
        Box::pin(async move {
            match self.publisher.barrier().await {
                Ok(()) => Ok(()),
                Err(error) => Err(fault(&self.with.client.cause(error, &mut self.events).await, "cannot publish")),
            }
        })
    }

    fn abandon(&mut self, heard: &mut Heard) {
        let on_return = self.with.on_return;
        heard.outcomes.extend(self.refused.drain(..).map(|(ticket, fate)| (ticket, outcome(fate, on_return))));
        self.publisher.abandon(&mut |ticket, fate| heard.outcome(Ticket(ticket), outcome(fate, on_return)));
        if let Some((ticket, _)) = self.stashed.take() {
            heard.outcome(ticket, Outcome::Unsent);
        }
    }

    fn is_blocked(&self) -> bool {
        self.blocked
    }

    fn close(self: Box<Self>) -> Work<'static, ()> {
        Box::pin(async move { self.with.client.close(&self.with.shutdown).await })
    }
}

fn outcome(of: PublishOutcome, on_return: Option<OnRefusal>) -> Outcome {
    let refused = |why: String| Outcome::Refused(Box::new(Refusal::new(why)));
    match of {
        PublishOutcome::Confirmed => Outcome::Confirmed,
        PublishOutcome::Written => Outcome::Written,
        PublishOutcome::Nacked => refused("not accepted by the broker (nack)".to_owned()),
        PublishOutcome::Returned(text) => {
            let refusal = Refusal { then: on_return, ..Refusal::new(format!("returned by the broker: {text}")) };
            // To the default exchange a routing key is the name of a queue.
            Outcome::Refused(Box::new(match text.contains("the default exchange") && on_return.is_none() {
                true => refusal.hint(
                    "no queue has that name: `mscomm amqp queue declare` makes one; when publishing, --no-mandatory lets the \
                     broker drop such messages",
                ),
                false => refusal,
            }))
        }
        PublishOutcome::Refused(why) => refused(format!("not published: {why}")),
        PublishOutcome::Failed => Outcome::Unsent,
        PublishOutcome::Unknown => Outcome::Unknown,
    }
}
