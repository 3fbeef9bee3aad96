//! What `check` asks of a RabbitMQ server.

use std::time::Instant;

use super::client::{Client, look_at};
use super::settings::{self, Settings};
use crate::context::Context;
use crate::error::{Result, counted};
use crate::net::step;

/// Goes the whole way to a server: to its virtual host, and to these queues.
///
/// # Errors
/// Those of the first step that fails.
pub(crate) async fn check(flags: &Settings, queues: &[String], cx: &Context) -> Result<()> {
    let started = Instant::now();
    let endpoint = settings::endpoint(&cx.settings(flags)?)?;
    let client = Client::connect(&endpoint, &cx.policy, &cx.shutdown).await?;
    let looked = match queues {
        [] => Ok(()),
        _ => {
            let look = || async { cx.shutdown.or_stop(look(&client, queues)).await };
            let asked = cx.policy.until_ready(&cx.shutdown, started, async || {
                step(cx.policy.say, "queues", look(), String::clone).await.map(drop)
            });
            asked.await.map_err(|error| client.explain(error))
        }
    };
    client.close(&cx.shutdown).await;
    looked
}

/// What the queues hold, in words.
async fn look(client: &Client, queues: &[String]) -> Result<String> {
    let mut found = Vec::new();
    for queue in queues {
        // A question that is refused closes its channel.
        let channel = client.channel().await?;
        let seen = look_at(&channel, queue).await.inspect_err(|_| client.forget_refusals())?;
        drop(channel.close(200, "".into()).await);
        let (messages, consumers) = (seen.message_count(), seen.consumer_count());
        found.push(format!("{queue}: {}, {}", counted(messages, "message"), counted(consumers, "consumer")));
    }
    Ok(found.join("; "))
}
