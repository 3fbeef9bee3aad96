//! Whether that is there to which a message is to go. Publishing to an exchange that is not ends the channel, and with it what
//! is known of all that is under way; and what goes to somebody who waits for it on his own channel (direct reply-to), and
//! has gone, is dropped without a word.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use lapin::{Channel, ErrorKind};

use super::replies::is_direct_reply;
use super::{Client, NOT_FOUND, fault, passive, passive_exchange, short_string};
use crate::amqp::settings::Endpoint;
use crate::error::{Error, Kind, Result};
use crate::flow::{Declined, Heard, Lane, Next, OnRefusal, Outcome, Refusal, Sink, Ticket, Work, take_in};
use crate::message::Message;
use crate::net::Policy;
use crate::shutdown::Shutdown;

/// What RabbitMQ answers of an address for replies that it has never given to anybody, with which it ends the connection.
const INTERNAL_ERROR: u16 = 541;

/// How many messages may wait for an answer about where they go.
const WAITING: usize = 256;

/// How long an answer about who waits for a reply is good: they come and go. While replies go to him, he is asked for again
/// meanwhile, and nobody waits for that.
const FRESH: Duration = Duration::from_millis(200);
const STALE: Duration = Duration::from_millis(20);

/// How many answers are kept.
const KNOWN: usize = 10_000;

/// What is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Destination {
    /// The exchange.
    Exchange,
    /// Who waits for a reply on his own channel.
    Asker,
}

impl Destination {
    /// The name that is asked for, of a message; `None` where there is nothing to ask.
    fn of<'m>(self, message: &'m Message<'_>) -> Option<&'m str> {
        match self {
            // The default one is always there.
            Destination::Exchange => message.exchange.as_deref().filter(|name| !name.is_empty()),
            Destination::Asker => message.routing_key.as_deref().filter(|name| is_direct_reply(name)),
        }
    }

    fn is_older(self, since: Instant, age: Duration) -> bool {
        self == Destination::Asker && since.elapsed() >= age
    }

    fn refusal(self, name: &str) -> Refusal {
        match self {
            Destination::Exchange => Refusal::new(format!("its exchange `{name}` is not there any more")),
            Destination::Asker => Refusal::new("who asked has gone: nobody waits for the answer").then(OnRefusal::Skip),
        }
    }
}

/// A connection for questions, and its channel, as long as that is open.
struct Link(Arc<Client>, Option<Channel>);

/// Whether it is there, and the connection, as long as it is of use.
type Asking = Pin<Box<dyn Future<Output = (Result<bool>, Option<Link>)> + Send>>;

/// How to connect.
pub(crate) struct Line {
    /// The broker.
    pub endpoint: Endpoint,
    /// How often and how long a connection is tried.
    pub policy: Policy,
    /// Bounds the goodbye.
    pub shutdown: Shutdown,
}

/// A relay that lets those messages through whose destination is there.
pub(crate) struct Destinations {
    of: Destination,
    line: Arc<Line>,
    /// As long as it is of use.
    link: Option<Link>,
    known: HashMap<String, (bool, Instant)>,
    asking: Option<(String, Asking)>,
    waiting: VecDeque<(Ticket, Message<'static>)>,
}

impl Destinations {
    /// Asks on a connection of its own. What is not there closes a channel, which whoever publishes on the same one would take
    /// for its own.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub(crate) async fn open(of: Destination, line: Line) -> Result<Destinations> {
        let client = Client::connect(&line.endpoint, &line.policy, &line.shutdown).await?;
        let (line, link) = (Arc::new(line), Some(Link(Arc::new(client), None)));
        Ok(Destinations { of, line, link, known: HashMap::new(), asking: None, waiting: VecDeque::new() })
    }

    /// What is known of the destination of the first that waits.
    fn first(&mut self) -> Option<bool> {
        let (_, message) = self.waiting.front()?;
        let Some(name) = self.of.of(message) else { return Some(true) };
        let known = self.known.get(name).copied().filter(|(_, since)| !self.of.is_older(*since, FRESH));
        if known.is_none_or(|(_, since)| self.of.is_older(since, STALE)) && self.asking.is_none() {
            let (of, line, link, name) = (self.of, self.line.clone(), self.link.take(), name.to_owned());
            self.asking = Some((name.clone(), Box::pin(ask(of, line, link, name))));
        }
        known.map(|(is_there, _)| is_there)
    }

    /// Takes up the answer to a question; false when there is none.
    ///
    /// # Errors
    /// The connection's.
    fn answered(&mut self, cx: &mut Context<'_>) -> Result<bool> {
        let Some((name, asking)) = &mut self.asking else { return Ok(false) };
        let Poll::Ready((is_there, link)) = asking.poll_unpin(cx) else { return Ok(false) };
        let name = std::mem::take(name);
        (self.link, self.asking) = (link, None);
        if self.known.len() >= KNOWN {
            self.known.clear();
        }
        self.known.insert(name, (is_there?, Instant::now()));
        Ok(true)
    }
}

/// Asks the broker; on another connection where there is none, or no more.
async fn ask(of: Destination, line: Arc<Line>, mut link: Option<Link>, name: String) -> (Result<bool>, Option<Link>) {
    let Line { endpoint, policy, shutdown } = &*line;
    loop {
        let (mut asked, is_second) = match link.take() {
            Some(link) => (link, false),
            None => match Client::connect(endpoint, policy, shutdown).await {
                Ok(client) => (Link(Arc::new(client), None), true),
                // Who is asked to end connects no more: what is ready goes out.
                Err(_) if shutdown.reason().is_some() => return (Ok(true), None),
                Err(error) => return (Err(error), None),
            },
        };
        match is_there(of, &mut asked, name.clone()).await {
            Ok(Some(is_there)) => return (Ok(is_there), Some(asked)),
            Ok(None) => return (Ok(false), None),
            Err(error) if is_second || error.kind() != Kind::Connect => return (Err(error), None),
            // The connection lay idle for long enough to be lost.
            Err(_) => {}
        }
    }
}

/// Asks on a connection. `None` when it is not there, and neither is the connection any more.
async fn is_there(of: Destination, Link(client, open): &mut Link, name: String) -> Result<Option<bool>> {
    let channel = match open.take() {
        Some(channel) => channel,
        None => client.channel().await?,
    };
    let asked = match of {
        Destination::Exchange => passive_exchange(&channel, short_string(&name).map_err(Error::usage)?).await,
        Destination::Asker => passive(&channel, &name).await.map(drop),
    };
    client.forget_refusals();
    match asked {
        Ok(()) => {
            *open = Some(channel);
            Ok(Some(true))
        }
        // Whatever else it says, of the exchange that says nothing.
        Err(error) => match error.kind() {
            ErrorKind::ProtocolError(answer) if answer.get_id() == NOT_FOUND => Ok(Some(false)),
            ErrorKind::ProtocolError(answer) if answer.get_id() == INTERNAL_ERROR && of == Destination::Asker => {
                Ok(None)
            }
            _ => match fault(&error, "cannot ask where a message goes") {
                lost if lost.kind() == Kind::Connect => Err(lost),
                _ => Ok(Some(true)),
            },
        },
    }
}

impl Sink for Destinations {
    fn room(&self) -> usize {
        WAITING.saturating_sub(self.waiting.len())
    }

    fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    fn submit<'b>(&mut self, next: &mut Next<'_, 'b>) -> Result<(), Declined> {
        take_in(next, &mut self.waiting, WAITING);
        Ok(())
    }

    fn flush(&mut self, _last: bool) -> Result<()> {
        Ok(())
    }

    fn poll(&mut self, cx: &mut Context<'_>, heard: &mut Heard) -> Poll<Result<()>> {
        loop {
            while let Some(is_there) = self.first() {
                let Some((ticket, message)) = self.waiting.pop_front() else { break };
                let outcome = match is_there {
                    true => Outcome::Answered(Box::new(message)),
                    false => Outcome::Refused(Box::new(self.of.refusal(self.of.of(&message).unwrap_or_default()))),
                };
                heard.outcome(ticket, outcome);
            }
            match self.answered(cx) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    self.abandon(heard);
                    return Poll::Ready(Err(error));
                }
            }
        }
        if heard.is_empty() { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    fn recall(&mut self, lanes: Option<&[Lane]>) -> Vec<Ticket> {
        let is_wanted = |ticket: &Ticket| lanes.is_none_or(|lanes| lanes.contains(&ticket.lane()));
        let all = std::mem::take(&mut self.waiting);
        let (back, kept): (VecDeque<_>, VecDeque<_>) = all.into_iter().partition(|(ticket, _)| is_wanted(ticket));
        self.waiting = kept;
        back.into_iter().map(|(ticket, _)| ticket).collect()
    }

    fn abandon(&mut self, heard: &mut Heard) {
        self.asking = None;
        heard.outcomes.extend(self.waiting.drain(..).map(|(ticket, _)| (ticket, Outcome::Unsent)));
    }

    fn close(self: Box<Self>) -> Work<'static, ()> {
        Box::pin(async move {
            if let Some(Link(client, _)) = self.link {
                client.close(&self.line.shutdown).await;
            }
        })
    }
}
