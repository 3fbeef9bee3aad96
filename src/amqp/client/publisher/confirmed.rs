//! With confirms: a bounded window of messages that wait for theirs.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use lapin::message::BasicReturnMessage;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::protocol::AMQPError;
use lapin::{BasicProperties, Channel, Confirmation};

use super::outcome::{ALONE, PublishOutcome, refused_alone};
use super::returns::{self, digest, digest_of_returned};
use crate::amqp::client::fault::Cause;
use crate::amqp::client::words::Words;
use crate::amqp::client::{Outgoing, fault};
use crate::error::Result;

/// The limit of the bodies in flight together. One message may be larger, alone.
const WINDOW_BYTES: usize = 32 * 1024 * 1024;

type Answer = lapin::Result<Confirmation>;

enum State {
    Waiting(Pin<Box<dyn Future<Output = Answer> + Send>>),
    Acked,
    Nacked,
    Failed(Box<lapin::Error>),
}

struct InFlight {
    line: u64,
    bytes: usize,
    state: State,
    /// It failed before anything was written.
    unsent: bool,
    /// A return that lapin hung on this confirm, whosever it is.
    hung: Option<Box<BasicReturnMessage>>,
    /// Kept for mandatory messages only: what a return is recognised by.
    sent: Option<Sent>,
    returned: Option<String>,
}

struct Sent {
    digest: u64,
    properties: BasicProperties,
}

/// A channel for publishing with confirms.
pub(crate) struct Confirmed {
    channel: Channel,
    /// One of the messages was mandatory.
    mandatory: bool,
    window: usize,
    in_flight: VecDeque<InFlight>,
    bytes: usize,
    /// The broker has answered a message.
    proven: bool,
    /// The channel was closed for a message that was in flight alone, and for nothing else.
    outlived: bool,
    /// Knows how many messages came back; so many found theirs.
    words: Arc<Words>,
    found: u64,
}

impl Confirmed {
    /// Prepares the channel. `window` is how many messages may wait for their confirm.
    ///
    /// # Errors
    /// As [`fault()`].
    pub(crate) async fn new(channel: Channel, window: usize, words: Arc<Words>) -> Result<Confirmed> {
        channel
            .confirm_select(ConfirmSelectOptions::default())
            .await
            .map_err(|e| fault(&e, "cannot ask for publisher confirms"))?;
        Ok(Confirmed {
            channel,
            mandatory: false,
            window,
            in_flight: VecDeque::new(),
            bytes: 0,
            proven: false,
            outlived: false,
            found: words.returns(),
            words,
        })
    }

    /// See [`super::Publisher::channel`].
    pub(crate) fn channel(&self) -> &Channel {
        &self.channel
    }

    /// See [`super::Publisher::outlives`].
    pub(crate) fn outlives(&self) -> bool {
        self.outlived
    }

    /// True when another message may be submitted. The first one goes alone: refused with others in flight, as for an
    /// exchange that is not there, it could not be told from one that was taken before the exchange went away.
    pub(crate) fn has_room(&self) -> bool {
        let window = if self.proven { self.window } else { 1 };
        let is_alone = self.in_flight.front().is_some_and(|message| message.bytes >= ALONE);
        self.in_flight.len() < window && self.bytes < WINDOW_BYTES && !is_alone
    }

    /// True when nothing is in flight.
    pub(crate) fn is_empty(&self) -> bool {
        self.in_flight.is_empty()
    }

    /// Hands a message to the connection; its fate comes from [`Confirmed::settled`].
    pub(crate) fn submit(&mut self, line: u64, message: Outgoing) {
        let mandatory = message.mandatory;
        let sent = mandatory.then(|| Sent { digest: digest(&message), properties: message.properties.clone() });
        self.mandatory |= mandatory;
        let bytes = message.body.len();
        let channel = self.channel.clone();
        let options = BasicPublishOptions { mandatory, immediate: false };
        let work = async move {
            let Outgoing { exchange, routing_key, properties, body, mandatory: _ } = message;
            channel.basic_publish(exchange, routing_key, options, &body, properties).await?.await
        };
        let state = State::Waiting(Box::pin(work));
        let mut message = InFlight { line, bytes, state, unsent: false, hung: None, sent, returned: None };
        // The first poll puts the frames into lapin's queue, in this order; nobody needs to be woken for it yet.
        message.unsent = message.is_done() && matches!(message.state, State::Failed(_));
        self.bytes += bytes;
        self.in_flight.push_back(message);
    }

    /// Waits until the oldest message is settled, and reports it with all that are settled behind it. Losing the future
    /// loses nothing.
    ///
    /// # Errors
    /// lapin's, when the channel or the connection ended; the fate of everything in flight is reported all the same.
    pub(crate) async fn settled(&mut self, report: &mut impl FnMut(u64, PublishOutcome)) -> lapin::Result<()> {
        std::future::poll_fn(|cx| match self.in_flight.front_mut() {
            Some(head) => head.poll(cx),
            None => Poll::Pending,
        })
        .await;
        let settled = self.in_flight.iter_mut().map(InFlight::is_done).take_while(|done| *done).count();
        if self.mandatory {
            self.collect_returns();
        }
        // Those that are settled only now may lack a return.
        for _ in 0..settled {
            if let Some(State::Failed(error)) = self.in_flight.front().map(|m| &m.state) {
                let error = lapin::Error::clone(error);
                self.fail_all(&error, report);
                return Err(error);
            }
            if let Some(head) = self.in_flight.pop_front() {
                self.bytes -= head.bytes;
                self.proven = true;
                report(head.line, head.outcome());
            }
        }
        Ok(())
    }

    /// Gives up waiting: what is settled by now is reported as such, the rest as unknown.
    pub(crate) fn abandon(&mut self, report: &mut impl FnMut(u64, PublishOutcome)) {
        let certain = self.last_words();
        for (message, certain) in self.in_flight.drain(..).zip(certain) {
            let line = message.line;
            report(line, if certain { message.outcome() } else { PublishOutcome::Unknown });
        }
        self.bytes = 0;
    }

    /// Looks at everything in flight once more: of which messages the fate is certain.
    fn last_words(&mut self) -> Vec<bool> {
        let (mandatory, mut gap) = (self.mandatory, false);
        let answered = |message: &mut InFlight| {
            let answered = message.is_done() && !matches!(message.state, State::Failed(_));
            // The return of a message behind the gap may hang on the confirm that is missing.
            gap |= mandatory && !answered;
            answered && !gap
        };
        let certain = self.in_flight.iter_mut().map(answered).collect();
        if mandatory {
            self.collect_returns();
        }
        certain
    }

    /// Finds the message of each return that came. lapin hangs a return on any confirm, and a confirm of many messages is
    /// handed out in no order; but once the oldest message is confirmed, its return hangs on one that is confirmed too,
    /// as soon as lapin has worked off the frame that confirmed it.
    fn collect_returns(&mut self) {
        if self.words.returns() == self.found {
            return;
        }
        // This takes the lock under which lapin works off such a frame.
        drop(std::pin::pin!(self.channel.wait_for_confirms()).poll(&mut Context::from_waker(Waker::noop())));
        let mut returns = Vec::new();
        for message in &mut self.in_flight {
            if message.is_done() {
                returns.extend(message.hung.take());
            }
        }
        for returned in returns {
            self.found += 1;
            self.mark_returned(&returned);
        }
    }

    /// The oldest message with the same content: returns come in the order in which the messages were published.
    fn mark_returned(&mut self, returned: &BasicReturnMessage) {
        let digest = digest_of_returned(returned);
        let fits = |m: &InFlight| m.returned.is_none() && m.sent.as_ref().is_some_and(|s| s.digest == digest);
        let same = |m: &InFlight| m.sent.as_ref().is_some_and(|s| s.properties == returned.properties);
        // RabbitMQ takes some headers out (`BCC`), so that the properties only decide between equal bodies.
        let at =
            self.in_flight.iter().position(|m| fits(m) && same(m)).or_else(|| self.in_flight.iter().position(fits));
        if let Some(message) = at.and_then(|at| self.in_flight.get_mut(at)) {
            message.returned = Some(returns::words(returned));
        }
    }

    /// The channel is gone. Which message it was closed for is certain only of one that is in flight alone; of several,
    /// each may have been taken without its confirm.
    fn fail_all(&mut self, error: &lapin::Error, report: &mut impl FnMut(u64, PublishOutcome)) {
        let alone = self.in_flight.len() == 1 && is_about_a_message(error);
        let refused = refused_alone(error).filter(|_| alone);
        self.outlived = refused.is_some();
        let certain = self.last_words();
        for (message, certain) in self.in_flight.drain(..).zip(certain) {
            let line = message.line;
            let outcome = match certain {
                true => message.outcome(),
                false if message.unsent || alone => refused.clone().unwrap_or(PublishOutcome::Failed),
                false => PublishOutcome::Unknown,
            };
            report(line, outcome);
        }
        self.bytes = 0;
    }
}

impl InFlight {
    /// Looks without asking to be woken: true once there is an answer.
    fn is_done(&mut self) -> bool {
        self.poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let State::Waiting(work) = &mut self.state {
            self.state = match ready!(work.as_mut().poll(cx)) {
                Ok(Confirmation::Ack(hung)) => {
                    self.hung = hung.map(Box::new);
                    State::Acked
                }
                Ok(Confirmation::Nack(hung)) => {
                    self.hung = hung.map(Box::new);
                    State::Nacked
                }
                Ok(Confirmation::NotRequested) => State::Acked,
                Err(error) => State::Failed(Box::new(error)),
            };
        }
        Poll::Ready(())
    }

    fn outcome(self) -> PublishOutcome {
        match (self.returned, self.state) {
            (Some(text), _) => PublishOutcome::Returned(text),
            (None, State::Acked) => PublishOutcome::Confirmed,
            (None, State::Nacked) => PublishOutcome::Nacked,
            (None, State::Failed(_) | State::Waiting(_)) => PublishOutcome::Unknown,
        }
    }
}

/// Codes below 500 close a channel for what was asked on it; all others are about the connection or the broker.
fn is_about_a_message(error: &lapin::Error) -> bool {
    let soft = |answer: &AMQPError| answer.get_id() < 500;
    Cause::of(error) == Cause::Answer && matches!(error.kind(), lapin::ErrorKind::ProtocolError(e) if soft(e))
}

impl std::fmt::Debug for Confirmed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Confirmed").field("in_flight", &self.in_flight.len()).field("bytes", &self.bytes).finish()
    }
}
