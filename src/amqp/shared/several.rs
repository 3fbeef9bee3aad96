//! Verbs over several queues or exchanges: one that is refused keeps no other from its turn.

use lapin::types::ShortString;
use lapin::{Channel, ErrorKind};

use super::arguments::full_name;
use crate::amqp::client::{Client, NOT_FOUND, fault, passive, passive_exchange, short_string};
use crate::error::{Error, Kind, Result, counted};
use crate::output::Terminal;
use crate::values::{distinct, quoted};

/// Works on one name after the other. Gives what was refused.
///
/// # Errors
/// That of the first which is no refusal.
pub(crate) async fn each(
    client: &Client,
    names: Vec<String>,
    mut work: impl AsyncFnMut(&str) -> Result<()>,
) -> Result<Vec<Error>> {
    let mut refused = Vec::new();
    for name in distinct(names) {
        match work(&name).await {
            Ok(()) => {}
            Err(error) if matches!(error.kind(), Kind::Refused | Kind::Auth) => {
                refused.push(error);
                client.forget_refusals();
            }
            Err(error) => return Err(error),
        }
    }
    Ok(refused)
}

/// Works on a channel of its own, for what is refused closes it; there may be few of them.
///
/// # Errors
/// Those of the work; as [`Client::channel`].
pub(crate) async fn on_own_channel<T>(client: &Client, work: impl AsyncFnOnce(&Channel) -> Result<T>) -> Result<T> {
    let channel = client.channel().await?;
    let done = work(&channel).await?;
    drop(channel.close(200, "".into()).await);
    Ok(done)
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
            Named::Queue => passive(&channel, name.as_str()).await.map(drop),
            Named::Exchange => passive_exchange(&channel, name.clone()).await,
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

    /// Whether one that is to be deleted is there; where it is not, that is an error, unless `if_exists` says that it is as good.
    ///
    /// # Errors
    /// As [`Named::is_there`]; `Kind::Refused`.
    pub(crate) async fn is_there_or(self, client: &Client, name: &str, if_exists: bool) -> Result<bool> {
        let is_there = self.is_there(client, name).await?;
        if is_there || if_exists {
            return Ok(is_there);
        }
        let error = Error::refused(format!("there is no {} `{name}`", self.word()));
        Err(error.hint("check the name; with --if-exists it is as good that there is none"))
    }
}

/// Deletes what is there of these, one after the other, and says so; gives what was refused. `delete` gives how many messages went
/// with it.
///
/// # Errors
/// As [`each`].
pub(crate) async fn delete_each(
    of: Named,
    client: &Client,
    names: Vec<String>,
    if_exists: bool,
    terminal: &Terminal,
    mut delete: impl AsyncFnMut(&Channel, ShortString) -> lapin::Result<u32>,
) -> Result<Vec<Error>> {
    let word = of.word();
    each(client, names, async |name: &str| {
        // The broker says the same of one that was not there.
        if !of.is_there_or(client, name, if_exists).await? {
            terminal.note(format!("{word} `{name}` is not there"));
            return Ok(());
        }
        let full = full_name(word, name)?;
        let messages = on_own_channel(client, async |channel: &Channel| {
            let deleted = delete(channel, full).await;
            deleted.map_err(|e| fault(&e, format!("cannot delete {word} `{name}`")))
        })
        .await?;
        let with = if messages == 0 { String::new() } else { format!(", with {}", counted(messages, "message")) };
        terminal.note(format!("{word} `{name}` is gone{with}"));
        Ok(())
    })
    .await
}

/// The names in a question: queue `a`, or queues `a`, `b`.
pub(crate) fn in_words(word: &str, names: &[String]) -> String {
    format!("{word}{} {}", if names.len() == 1 { "" } else { "s" }, quoted(names))
}
