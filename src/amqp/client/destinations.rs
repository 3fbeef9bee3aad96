//! Whether the exchange that a message is to go to is there: publishing to one that is not ends the channel, and with it what
//! is known of all that is under way.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use lapin::options::ExchangeDeclareOptions;
use lapin::types::FieldTable;
use lapin::{ErrorKind, ExchangeKind};

use super::{Client, fault, short_string};
use crate::error::{Error, Kind, Result};
use crate::flow::{Declined, Heard, Lane, Next, Outcome, Refusal, Sink, Ticket, Work};
use crate::message::Message;
use crate::shutdown::Shutdown;

/// What the broker answers of an exchange that is not there.
const NOT_FOUND: u16 = 404;

/// How many messages may wait for an answer about their exchange.
const WAITING: usize = 256;

type Asking = Pin<Box<dyn Future<Output = Result<bool>> + Send>>;

/// A relay that lets those messages through whose exchange is there.
pub(crate) struct Exchanges {
    client: Arc<Client>,
    shutdown: Shutdown,
    known: HashMap<String, bool>,
    asking: Option<(String, Asking)>,
    waiting: VecDeque<(Ticket, Message<'static>)>,
}

impl Exchanges {
    /// Asks on this connection, once about each exchange. What is not there closes a channel, which whoever publishes on the
    /// same one would take for its own.
    pub(crate) fn new(client: Client, shutdown: Shutdown) -> Exchanges {
        let client = Arc::new(client);
        // The default exchange is always there.
        let known = HashMap::from([(String::new(), true)]);
        Exchanges { client, shutdown, known, asking: None, waiting: VecDeque::new() }
    }

    /// What is known of the exchange of the first that waits.
    fn first(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool>> {
        let Some((_, message)) = self.waiting.front() else { return Poll::Pending };
        let exchange = message.exchange.as_deref().unwrap_or_default();
        if let Some(is_there) = self.known.get(exchange) {
            return Poll::Ready(Ok(*is_there));
        }
        let (client, name) = (self.client.clone(), exchange.to_owned());
        let (name, asking) = self.asking.get_or_insert_with(|| (name.clone(), Box::pin(is_there(client, name))));
        let is_there = std::task::ready!(asking.poll_unpin(cx))?;
        self.known.insert(std::mem::take(name), is_there);
        self.asking = None;
        Poll::Ready(Ok(is_there))
    }
}

/// Asks the broker.
async fn is_there(client: Arc<Client>, exchange: String) -> Result<bool> {
    let options = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
    let name = short_string(&exchange).map_err(Error::usage)?;
    let asked =
        client.channel().await?.exchange_declare(name, ExchangeKind::Direct, options, FieldTable::default()).await;
    client.forget_refusals();
    match asked {
        Ok(()) => Ok(true),
        // Whatever else it says, of the exchange that says nothing.
        Err(error) => match error.kind() {
            ErrorKind::ProtocolError(answer) if answer.get_id() == NOT_FOUND => Ok(false),
            _ => match fault(&error, "cannot ask for an exchange") {
                lost if lost.kind() == Kind::Connect => Err(lost),
                _ => Ok(true),
            },
        },
    }
}

impl Sink for Exchanges {
    fn room(&self) -> usize {
        WAITING.saturating_sub(self.waiting.len())
    }

    fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    fn submit<'b>(&mut self, next: &mut Next<'_, 'b>) -> Result<(), Declined> {
        let mut message = Message::default();
        while self.room() > 0 {
            let Some(ticket) = next(&mut message) else { break };
            self.waiting.push_back((ticket, std::mem::take(&mut message).into_owned()));
        }
        Ok(())
    }

    fn flush(&mut self, _last: bool) -> Result<()> {
        Ok(())
    }

    fn poll(&mut self, cx: &mut Context<'_>, heard: &mut Heard) -> Poll<Result<()>> {
        while let Poll::Ready(is_there) = self.first(cx) {
            let is_there = match is_there {
                Ok(is_there) => is_there,
                Err(error) => {
                    self.abandon(heard);
                    return Poll::Ready(Err(error));
                }
            };
            let Some((ticket, message)) = self.waiting.pop_front() else { break };
            let outcome = match is_there {
                true => Outcome::Answered(Box::new(message)),
                false => {
                    let exchange = message.exchange.unwrap_or_default();
                    Outcome::Refused(Box::new(Refusal::new(format!("its exchange `{exchange}` is not there any more"))))
                }
            };
            heard.outcome(ticket, outcome);
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
        Box::pin(async move { self.client.close(&self.shutdown).await })
    }
}
