//! What `check` asks of a RabbitMQ server.

use std::time::Instant;

use super::client::{Client, look_at};
use super::settings::{self, Endpoint, Settings};
use super::shared::several::on_own_channel;
use crate::context::Context;
use crate::error::{Kind, Result, counted};
use crate::net::{Policy, step};

/// How to connect; nothing was sent yet.
pub(crate) struct PreparedCheck(Endpoint);

/// Reads the settings.
///
/// # Errors
/// As [`settings::endpoint`].
pub(crate) fn prepare_check(flags: &Settings, cx: &Context) -> Result<PreparedCheck> {
    settings::endpoint(&cx.settings(flags)?).map(PreparedCheck)
}

/// Goes the whole way to a server: to its virtual host, and to these queues.
///
/// # Errors
/// Those of the first step that fails.
pub(crate) async fn check(prepared: PreparedCheck, queues: &[String], cx: &Context) -> Result<()> {
    let (started, PreparedCheck(endpoint)) = (Instant::now(), prepared);
    let client = Client::connect(&endpoint, &cx.policy, &cx.shutdown).await?;
    if queues.is_empty() {
        client.close(&cx.shutdown).await;
        return Ok(());
    }
    let mut open = Some(client);
    let once = Policy { wait: None, ..cx.policy };
    let looked = cx.policy.until_ready(&cx.shutdown, started, async || {
        let client = match open.take() {
            Some(client) => client,
            // It was lost while it was waited for the queues.
            None => Client::connect(&endpoint, &once, &cx.shutdown).await?,
        };
        let looked = step(cx.policy.say, "queues", look(&client, queues), String::clone).await.map(drop);
        let looked = looked.map_err(|error| client.explain(error));
        if !looked.as_ref().is_err_and(|error| error.kind() == Kind::Connect) {
            open = Some(client);
        }
        looked
    });
    let looked = looked.await;
    if let Some(client) = open {
        client.close(&cx.shutdown).await;
    }
    looked
}

/// What the queues hold, in words.
async fn look(client: &Client, queues: &[String]) -> Result<String> {
    let mut found = Vec::new();
    for queue in queues {
        let seen = on_own_channel(client, async |channel| look_at(channel, queue).await).await;
        let seen = seen.inspect_err(|_| client.forget_refusals())?;
        let (messages, consumers) = (seen.message_count(), seen.consumer_count());
        found.push(format!("{queue}: {}, {}", counted(messages, "message"), counted(consumers, "consumer")));
    }
    Ok(found.join("; "))
}
