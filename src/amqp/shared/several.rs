//! Verbs over several queues or exchanges: one that is refused keeps no other from its turn.

use lapin::options::{ExchangeDeclareOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Channel, ErrorKind, ExchangeKind};

use crate::amqp::client::{Client, fault, short_string};
use crate::error::{Error, Kind, Result};
use crate::values::distinct;

/// What the broker answers of what is not there.
const NOT_FOUND: u16 = 404;

/// Works on one name after the other, each on a channel of its own: what is refused closes its channel. Gives what was refused.
///
/// # Errors
/// That of the first which is no refusal.
pub(crate) async fn each(
    client: &Client,
    names: Vec<String>,
    mut work: impl AsyncFnMut(&Channel, &str) -> Result<()>,
) -> Result<Vec<Error>> {
    let mut refused = Vec::new();
    for name in distinct(names) {
        let channel = client.channel().await?;
        match work(&channel, &name).await {
            // Channels are few.
            Ok(()) => drop(channel.close(200, "".into()).await),
            Err(error) if matches!(error.kind(), Kind::Refused | Kind::Auth) => {
                refused.push(error);
                client.forget_refusals();
            }
            Err(error) => return Err(error),
        }
    }
    Ok(refused)
}

/// What a name is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Named {
    /// A queue.
    Queue,
    /// An exchange.
    Exchange,
}

impl Named {
    /// The word for it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Named::Queue => "queue",
            Named::Exchange => "exchange",
        }
    }

    /// Whether it is there, by a declaration that creates nothing. What the broker refuses to tell counts as there: what is to be
    /// done with it is refused by its own words then.
    ///
    /// # Errors
    /// The connection's.
    pub(crate) async fn is_there(self, client: &Client, name: &str) -> Result<bool> {
        let (channel, name) = (client.channel().await?, short_string(name).map_err(Error::usage)?);
        let asked = match self {
            Named::Queue => {
                let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
                channel.queue_declare(name.clone(), options, FieldTable::default()).await.map(drop)
            }
            Named::Exchange => {
                let options = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
                channel.exchange_declare(name.clone(), ExchangeKind::Direct, options, FieldTable::default()).await
            }
        };
        match asked.as_ref().map_err(lapin::Error::kind) {
            Ok(()) => drop(channel.close(200, "".into()).await),
            Err(ErrorKind::ProtocolError(answer)) => {
                let is_missing = answer.get_id() == NOT_FOUND;
                client.forget_refusals();
                return Ok(!is_missing);
            }
            Err(_) => {}
        }
        asked.map(|()| true).map_err(|e| fault(&e, format!("cannot look at {} `{name}`", self.word())))
    }

    /// The error for one that is to be deleted and is not there; `None` where it is there, or `if_exists` says that this is as well.
    ///
    /// # Errors
    /// As [`Named::is_there`].
    pub(crate) async fn missing(self, client: &Client, name: &str, if_exists: bool) -> Result<Option<Error>> {
        if if_exists || self.is_there(client, name).await? {
            return Ok(None);
        }
        let word = self.word();
        let error = Error::refused(format!("there is no {word} `{name}`"));
        Ok(Some(error.hint("check the name; with --if-exists it is as good that there is none")))
    }
}

/// The names in a question: queue `a`, or queues `a`, `b`.
pub(crate) fn in_words(word: &str, names: &[String]) -> String {
    let all: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    format!("{word}{} {}", if names.len() == 1 { "" } else { "s" }, all.join(", "))
}
