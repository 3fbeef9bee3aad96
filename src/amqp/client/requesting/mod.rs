//! Requests as a relay: each is published, and its answer goes on.

mod lonely;

use std::collections::HashMap;
use std::sync::Arc;
use std::task::{Context, Poll};

use lapin::message::Delivery;
use lapin::types::ShortString;
use serde_json::Value;

use self::lonely::Lonely;
use super::publishing::{MakeOutgoing, Publishing, PublishingOptions};
use super::replies::{Came, DirectReplies, Replies};
use super::{Client, Line, Outgoing, incoming};
use crate::error::{Result, counted};
use crate::flow::{
    Asking, Declined, Heard, Ids, Next, Outcome, Questions, Sink, Ticket, Told, Work, answered, new_uuid, uuid_text,
};
use crate::message::Message;

/// Of a request that came back: what was said to whoever publishes is about other flags.
const NOBODY: &str = "no queue has that name, so that nobody can answer: `mscomm amqp queue declare` makes one";

/// How requests are made.
pub(crate) struct RequestOptions {
    /// The connection.
    pub client: Arc<Client>,
    /// How another connection is made, for a question when an answer does not come.
    pub line: Line,
    /// What goes out of a message.
    pub make: MakeOutgoing,
    /// The queue that answers come to, and whether it counts what goes back; else they come on the channel that publishes.
    pub reply_queue: Option<(ShortString, bool)>,
    /// How many at a time, and how long each waits.
    pub asking: Asking,
}

/// Makes requests.
pub(crate) struct Requesting {
    client: Arc<Client>,
    publishing: Publishing,
    replies: Replies,
    /// By their correlation id.
    questions: Questions<String>,
    /// The delivery tags of answers that go on.
    tags: HashMap<Ticket, u64>,
    /// What the publisher told, before it is sorted.
    heard: Heard,
    /// How many answers came that nobody waited for.
    strays: u64,
    /// Those that requests came with.
    ids: Ids<String>,
    /// How many requests there were, and the queue that the last one went to.
    count: u64,
    queue: Option<String>,
    lonely: Lonely,
}

impl Requesting {
    /// Waits for answers, and is ready to ask.
    ///
    /// # Errors
    /// As [`Publishing::open`] and [`Replies::of_queue`].
    pub(crate) async fn open(with: RequestOptions) -> Result<Requesting> {
        let RequestOptions { client, line, make, reply_queue, asking } = with;
        let shutdown = line.shutdown.clone();
        let direct = Arc::new(DirectReplies::default());
        let replies = match reply_queue {
            None => Replies::Direct(direct.clone(), None),
            Some((queue, counts)) => Replies::of_queue(&client, queue, counts).await?,
        };
        let options = PublishingOptions {
            replies: replies.queue().is_none().then_some(direct),
            ..PublishingOptions::confirmed(client.clone(), shutdown.clone(), asking.jobs, make)
        };
        let publishing = Publishing::open(options).await?;
        Ok(Requesting {
            client,
            publishing,
            replies,
            questions: Questions::new(asking, shutdown),
            tags: HashMap::new(),
            heard: Heard::default(),
            strays: 0,
            ids: Ids::default(),
            count: 0,
            queue: None,
            lonely: Lonely::Unasked(Some(Box::new(line))),
        })
    }

    /// Gives a request its correlation id, and says where its answer is awaited.
    fn addressed(&mut self, mut outgoing: Outgoing) -> Result<(String, Outgoing), String> {
        let address = self.replies.address();
        if outgoing.exchange.as_str().is_empty() && outgoing.routing_key == address {
            return Err(format!(
                "it goes to queue `{address}`, to which its answer is to come: it would be taken for that"
            ));
        }
        let correlation_id = match outgoing.properties.correlation_id() {
            // What comes late or twice for the first would be taken for the answer to the second.
            Some(own) if self.ids.is_used(own.to_string()) => {
                return Err(format!("its correlation id `{own}` is that of an earlier request"));
            }
            Some(own) => own.to_string(),
            None => uuid_text(new_uuid()),
        };
        let properties = outgoing.properties.with_reply_to(address);
        outgoing.properties = properties.with_correlation_id(correlation_id.as_str().into());
        Ok((correlation_id, outgoing))
    }

    /// What the publisher told.
    fn sort(&mut self, heard: &mut Heard) {
        for (ticket, outcome) in std::mem::take(&mut self.heard.outcomes) {
            match outcome {
                Outcome::Confirmed | Outcome::Written | Outcome::Answered(_) => {
                    self.questions.taken(ticket);
                }
                Outcome::Refused(mut refusal) => {
                    refusal.hint = refusal.hint.map(|_| NOBODY.to_owned());
                    self.questions.end(ticket, Outcome::Refused(refusal));
                }
                outcome => self.questions.end(ticket, outcome),
            }
        }
        heard.told.append(&mut self.heard.told);
    }

    /// An answer came.
    fn answer(&mut self, mut delivery: Delivery, heard: &mut Heard) {
        self.client.restore(&mut delivery.properties);
        let correlation_id = delivery.properties.correlation_id().as_ref().map(ToString::to_string);
        let ticket = match &correlation_id {
            Some(id) => self.questions.waiting(id),
            // To the one request that it can be about.
            None if self.replies.queue().is_none() && self.count == 1 => self.questions.any(),
            None => None,
        };
        // A request that came here is no answer.
        let address = self.replies.address();
        let ticket = ticket.filter(|_| delivery.properties.reply_to().as_ref() != Some(&address));
        let Some(ticket) = ticket else { return self.stray(correlation_id, heard) };
        let mut message = incoming(&delivery, self.replies.queue().unwrap_or_default());
        if self.replies.queue().is_none() {
            // It came straight here: an address that is good for this connection says nothing.
            (message.exchange, message.routing_key, message.queue) = (None, None, None);
        }
        let outcome = answered(message);
        match &outcome {
            Outcome::Answered(_) => drop(self.tags.insert(ticket, delivery.delivery_tag)),
            // Nothing of it goes on.
            _ => self.replies.ack(delivery.delivery_tag),
        }
        self.questions.end(ticket, outcome);
    }

    /// Nobody here waits for it.
    fn stray(&mut self, correlation_id: Option<String>, heard: &mut Heard) {
        self.strays += 1;
        if self.strays > 1 {
            return;
        }
        let what = match correlation_id {
            Some(id) => format!("an answer with the correlation id `{id}` came, which no request here waits for"),
            None => "an answer came without a correlation id: it is unknown to which request".to_owned(),
        };
        heard.told.push(Told::Warn(match self.replies.queue() {
            Some(queue) if self.replies.counts() => {
                format!(
                    "{what}; it goes back to queue `{queue}` at the end, which counts that, and keeps it only so often"
                )
            }
            Some(queue) => format!("{what}; it goes back to queue `{queue}` at the end"),
            None => format!("{what}; it is left out"),
        }));
    }

    /// No answer can come any more to what was asked until now.
    fn lose(&mut self, heard: &mut Heard) {
        let lost = self.questions.all_taken();
        if !lost.is_empty() {
            let lost = counted(lost.len() as u64, "request");
            let text = format!("the channel on which answers come was closed: those to {lost} are lost");
            heard.told.push(Told::Warn(text));
        }
        for ticket in lost {
            self.questions.end(ticket, Outcome::Unknown);
        }
    }

    /// Gives up those that have waited long enough.
    fn expire(&mut self, cx: &mut Context<'_>) -> bool {
        let mut any = false;
        while let Some(ticket) = self.questions.due(cx) {
            let Poll::Ready(hint) = self.lonely.hint(self.queue.as_deref(), cx) else { break };
            self.questions.end(ticket, Outcome::Refused(Box::new(self.questions.late().hint(hint))));
            any = true;
        }
        any
    }
}

impl Sink for Requesting {
    fn room(&self) -> usize {
        self.questions.room().min(self.publishing.room())
    }

    fn is_empty(&self) -> bool {
        self.questions.is_empty()
    }

    fn submit<'b>(&mut self, next: &mut Next<'_, 'b>) -> Result<(), Declined> {
        while self.room() > 0 {
            let mut message = Message::default();
            let Some(ticket) = next(&mut message) else { return Ok(()) };
            let made = self.publishing.make(message).and_then(|outgoing| self.addressed(outgoing));
            let (correlation_id, outgoing) = made.map_err(Declined::unfit)?;
            self.questions.ask(ticket, correlation_id);
            self.count += 1;
            // Of an exchange nobody can tell who is asked.
            self.queue = Some(outgoing.routing_key.to_string()).filter(|_| outgoing.exchange.as_str().is_empty());
            self.publishing.put(ticket, outgoing);
        }
        Ok(())
    }

    fn flush(&mut self, last: bool) -> Result<()> {
        self.publishing.flush(last)
    }

    fn poll(&mut self, cx: &mut Context<'_>, heard: &mut Heard) -> Poll<Result<()>> {
        loop {
            let mut moved = false;
            if let Poll::Ready(polled) = self.publishing.poll(cx, &mut self.heard) {
                self.sort(heard);
                if let Err(error) = polled {
                    self.abandon(heard);
                    return Poll::Ready(Err(error));
                }
                moved = true;
            }
            match self.replies.poll_next(cx) {
                Poll::Ready(Ok(Came::Answer(delivery))) => {
                    self.answer(*delivery, heard);
                    moved = true;
                }
                Poll::Ready(Ok(Came::Lost)) => {
                    self.lose(heard);
                    moved = true;
                }
                Poll::Ready(Err(error)) => {
                    self.abandon(heard);
                    return Poll::Ready(Err(self.client.explain(error)));
                }
                Poll::Pending => {}
            }
            moved |= self.expire(cx);
            self.questions.tell(heard);
            if !heard.is_empty() {
                return Poll::Ready(Ok(()));
            }
            if !moved {
                return Poll::Pending;
            }
        }
    }

    fn passed_on(&mut self, ticket: Ticket, outcome: &Outcome) {
        if let (Some(tag), Outcome::Confirmed | Outcome::Written) = (self.tags.remove(&ticket), outcome) {
            self.replies.ack(tag);
        }
    }

    fn abandon(&mut self, heard: &mut Heard) {
        self.publishing.abandon(&mut self.heard);
        self.sort(heard);
        self.questions.abandon(heard);
    }

    fn is_blocked(&self) -> bool {
        self.publishing.is_blocked()
    }

    fn account(&self) -> Vec<String> {
        match self.strays {
            0 | 1 => Vec::new(),
            strays => vec![format!("{} came that no request here waited for", counted(strays, "answer"))],
        }
    }

    fn report(&self) -> Option<(&'static str, Value)> {
        self.questions.report()
    }

    fn close(self: Box<Self>) -> Work<'static, ()> {
        Box::pin(async move {
            let Requesting { replies, publishing, .. } = *self;
            replies.end().await;
            Box::new(publishing).close().await;
        })
    }
}
