//! Requests as a relay: each is published, and its answer goes on.

mod ids;
mod lonely;

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use lapin::message::Delivery;
use lapin::types::ShortString;
use serde_json::Value;
use tokio::time::Sleep;

use self::ids::Ids;
use self::lonely::Lonely;
use super::latency::Latency;
use super::publishing::{MakeOutgoing, Publishing, PublishingOptions};
use super::replies::{Came, DirectReplies, Replies};
use super::{Client, Line, Outgoing, incoming};
use crate::error::{Kind, Result, counted};
use crate::flow::{Declined, Heard, Next, Outcome, Refusal, Sink, Ticket, Told, Work};
use crate::message::Message;
use crate::shutdown::Shutdown;
use crate::values;

/// How many requests there may be of which the answer waits for one that was asked before, for each that is under way; and how
/// many at least, and how many bytes.
const AHEAD: usize = 4;
const AHEAD_AT_LEAST: usize = 256;
const AHEAD_BYTES: usize = 64 << 20;

/// Of a request that came back: what was said to whoever publishes is about other flags.
const NOBODY: &str = "no queue has that name, so that nobody can answer: `mscomm amqp queue declare` makes one";

/// How many entries there may be about when requests have waited long enough, beside those that are needed.
const DUES: usize = 1024;

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
    /// How many may be under way at a time.
    pub jobs: usize,
    /// How long each waits for its answer.
    pub timeout: Duration,
    /// Answers go on as they come.
    pub is_unordered: bool,
}

/// A request whose outcome was not told.
struct Open {
    correlation_id: String,
    since: Instant,
    /// The broker has it.
    is_taken: bool,
    outcome: Option<Outcome>,
    bytes: usize,
}

/// Makes requests.
pub(crate) struct Requesting {
    client: Arc<Client>,
    shutdown: Shutdown,
    publishing: Publishing,
    replies: Replies,
    jobs: usize,
    timeout: Duration,
    is_unordered: bool,
    open: HashMap<Ticket, Open>,
    /// Those that have no outcome, by their correlation id.
    asked: HashMap<String, Ticket>,
    /// In the order in which they were asked.
    order: VecDeque<Ticket>,
    /// Those whose outcome is known, where they go on as they come.
    ended: Vec<Ticket>,
    /// When each has waited long enough.
    dues: VecDeque<(Instant, Ticket)>,
    /// The bytes of answers that wait.
    bytes: usize,
    /// The delivery tags of answers that go on.
    tags: HashMap<Ticket, u64>,
    /// What the publisher told, before it is sorted.
    heard: Heard,
    /// How many answers came that nobody waited for.
    strays: u64,
    ids: Ids,
    /// How many requests there were, and the queue that the last one went to.
    count: u64,
    queue: Option<String>,
    lonely: Lonely,
    timer: Pin<Box<Sleep>>,
    latency: Latency,
}

impl Requesting {
    /// Waits for answers, and is ready to ask.
    ///
    /// # Errors
    /// As [`Publishing::open`] and [`Replies::of_queue`].
    pub(crate) async fn open(with: RequestOptions) -> Result<Requesting> {
        let RequestOptions { client, line, make, reply_queue, jobs, timeout, is_unordered } = with;
        let shutdown = line.shutdown.clone();
        let direct = Arc::new(DirectReplies::default());
        let replies = match reply_queue {
            None => Replies::Direct(direct.clone(), None),
            Some((queue, counts)) => Replies::of_queue(&client, queue, counts).await?,
        };
        let options = PublishingOptions {
            replies: replies.queue().is_none().then_some(direct),
            ..PublishingOptions::confirmed(client.clone(), shutdown.clone(), jobs, make)
        };
        let publishing = Publishing::open(options).await?;
        Ok(Requesting {
            client,
            shutdown,
            publishing,
            replies,
            jobs,
            timeout,
            is_unordered,
            open: HashMap::new(),
            asked: HashMap::new(),
            order: VecDeque::new(),
            ended: Vec::new(),
            dues: VecDeque::new(),
            bytes: 0,
            tags: HashMap::new(),
            heard: Heard::default(),
            strays: 0,
            ids: Ids::default(),
            count: 0,
            queue: None,
            lonely: Lonely::Unasked(Some(Box::new(line))),
            timer: Box::pin(tokio::time::sleep(timeout)),
            latency: Latency::default(),
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
            Some(own) if self.ids.is_used(own.as_str()) => {
                return Err(format!("its correlation id `{own}` is that of an earlier request"));
            }
            Some(own) => own.to_string(),
            None => values::uuid(),
        };
        let properties = outgoing.properties.with_reply_to(address);
        outgoing.properties = properties.with_correlation_id(correlation_id.as_str().into());
        Ok((correlation_id, outgoing))
    }

    /// The outcome of a request is known.
    fn end(&mut self, ticket: Ticket, outcome: Outcome) {
        let Some(open) = self.open.get_mut(&ticket).filter(|open| open.outcome.is_none()) else { return };
        self.asked.remove(&open.correlation_id);
        if let Outcome::Answered(message) = &outcome {
            open.bytes = message.value.bytes().map_or(0, <[u8]>::len);
            self.bytes += open.bytes;
            self.latency.add(open.since.elapsed());
        }
        open.outcome = Some(outcome);
        if self.is_unordered {
            self.ended.push(ticket);
        }
    }

    /// Tells the outcomes whose turn it is.
    fn tell(&mut self, heard: &mut Heard) {
        let is_known =
            |open: &HashMap<Ticket, Open>, ticket: &Ticket| open.get(ticket).is_some_and(|open| open.outcome.is_some());
        let Requesting { order, open, .. } = self;
        let told: Vec<Ticket> = match (self.is_unordered, self.shutdown.reason()) {
            (true, _) => std::mem::take(&mut self.ended),
            (false, None) => {
                let known = order.iter().take_while(|ticket| is_known(open, ticket)).count();
                order.drain(..known).collect()
            }
            // Nothing is waited for any more but what may still come.
            (false, Some(_)) => {
                let (told, kept): (Vec<_>, Vec<_>) = order.drain(..).partition(|ticket| is_known(open, ticket));
                order.extend(kept);
                told
            }
        };
        for ticket in told {
            if let Some(Open { outcome: Some(outcome), bytes, .. }) = self.open.remove(&ticket) {
                self.bytes -= bytes;
                heard.outcome(ticket, outcome);
            }
        }
    }

    /// What the publisher told.
    fn sort(&mut self, heard: &mut Heard) {
        for (ticket, outcome) in std::mem::take(&mut self.heard.outcomes) {
            match outcome {
                Outcome::Confirmed | Outcome::Written | Outcome::Answered(_) => {
                    if let Some(open) = self.open.get_mut(&ticket) {
                        open.is_taken = true;
                    }
                }
                Outcome::Refused(mut refusal) => {
                    refusal.hint = refusal.hint.map(|_| NOBODY.to_owned());
                    self.end(ticket, Outcome::Refused(refusal));
                }
                outcome => self.end(ticket, outcome),
            }
        }
        heard.told.append(&mut self.heard.told);
    }

    /// An answer came.
    fn answer(&mut self, mut delivery: Delivery, heard: &mut Heard) {
        self.client.restore(&mut delivery.properties);
        let correlation_id = delivery.properties.correlation_id().as_ref().map(ToString::to_string);
        let ticket = match &correlation_id {
            Some(id) => self.asked.get(id).copied(),
            // To the one request that it can be about.
            None if self.replies.queue().is_none() && self.count == 1 => self.asked.values().next().copied(),
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
        let outcome = match status(&message) {
            // Nothing of it goes on.
            Some(refusal) => {
                self.replies.ack(delivery.delivery_tag);
                Outcome::Refused(Box::new(refusal))
            }
            None => {
                self.tags.insert(ticket, delivery.delivery_tag);
                Outcome::Answered(Box::new(message.into_owned()))
            }
        };
        self.end(ticket, outcome);
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
        let lost: Vec<_> = self
            .asked
            .values()
            .copied()
            .filter(|ticket| self.open.get(ticket).is_some_and(|open| open.is_taken))
            .collect();
        if !lost.is_empty() {
            let lost = counted(lost.len() as u64, "request");
            let text = format!("the channel on which answers come was closed: those to {lost} are lost");
            heard.told.push(Told::Warn(text));
        }
        for ticket in lost {
            self.end(ticket, Outcome::Unknown);
        }
    }

    /// Gives up those that have waited long enough.
    fn expire(&mut self, cx: &mut Context<'_>) -> bool {
        let mut any = false;
        while let Some((due, ticket)) = self.dues.front().copied() {
            if self.open.get(&ticket).is_some_and(|open| open.outcome.is_none()) {
                let due = tokio::time::Instant::from_std(due);
                if self.timer.deadline() != due {
                    self.timer.as_mut().reset(due);
                }
                if self.timer.as_mut().poll(cx).is_pending() {
                    break;
                }
                let waited = humantime::format_duration(self.timeout);
                let refusal =
                    Refusal { kind: Kind::Deadline, ..Refusal::new(format!("no answer came within {waited}")) };
                let Poll::Ready(hint) = self.lonely.hint(self.queue.as_deref(), cx) else { break };
                self.end(ticket, Outcome::Refused(Box::new(refusal.hint(hint))));
                any = true;
            }
            self.dues.pop_front();
        }
        if self.dues.len() > 2 * self.open.len() + DUES {
            let open = &self.open;
            self.dues.retain(|(_, ticket)| open.get(ticket).is_some_and(|open| open.outcome.is_none()));
        }
        any
    }
}

/// The status with which a gRPC service refused the request (`amqp respond --via grpc call`).
fn status(message: &Message<'_>) -> Option<Refusal> {
    let text = |name: &str| message.headers.text(name).map(|text| String::from_utf8_lossy(text).into_owned());
    let code = text("grpc-status")?.parse().ok().filter(|code| *code != 0)?;
    let said = text("grpc-message").map(|said| format!(": {said}")).unwrap_or_default();
    let why = format!("the service answered with gRPC status {code}{said}");
    Some(Refusal { kind: Kind::GrpcStatus(code), ..Refusal::new(why) })
}

impl Sink for Requesting {
    fn room(&self) -> usize {
        let ahead = AHEAD_AT_LEAST.max(self.jobs.saturating_mul(AHEAD));
        if self.bytes >= AHEAD_BYTES || self.open.len() >= ahead {
            return 0;
        }
        self.jobs.saturating_sub(self.asked.len()).min(self.publishing.room())
    }

    fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    fn submit<'b>(&mut self, next: &mut Next<'_, 'b>) -> Result<(), Declined> {
        while self.room() > 0 {
            let mut message = Message::default();
            let Some(ticket) = next(&mut message) else { return Ok(()) };
            let made = self.publishing.make(message).and_then(|outgoing| self.addressed(outgoing));
            let (correlation_id, outgoing) = made.map_err(Declined::unfit)?;
            let now = Instant::now();
            self.asked.insert(correlation_id.clone(), ticket);
            self.open.insert(ticket, Open { correlation_id, since: now, is_taken: false, outcome: None, bytes: 0 });
            self.count += 1;
            // Of an exchange nobody can tell who is asked.
            self.queue = Some(outgoing.routing_key.to_string()).filter(|_| outgoing.exchange.as_str().is_empty());
            if !self.is_unordered {
                self.order.push_back(ticket);
            }
            if let Some(due) = now.checked_add(self.timeout) {
                self.dues.push_back((due, ticket));
            }
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
            self.tell(heard);
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
        let mut open: Vec<_> = self.open.drain().collect();
        open.sort_unstable_by_key(|(ticket, _)| *ticket);
        for (ticket, Open { outcome, .. }) in open {
            heard.outcome(ticket, outcome.unwrap_or(Outcome::Unknown));
        }
        self.order.clear();
        self.ended.clear();
        self.asked.clear();
        self.dues.clear();
        self.bytes = 0;
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
        Some(("seconds_to_answer", self.latency.json()?))
    }

    fn close(self: Box<Self>) -> Work<'static, ()> {
        Box::pin(async move {
            let Requesting { replies, publishing, .. } = *self;
            replies.end().await;
            Box::new(publishing).close().await;
        })
    }
}
