//! The short connection that a verb asks its questions on.

use std::time::Duration;

use futures_util::StreamExt;
use lapin::protocol::AMQPErrorKind;
use lapin::{Channel, ErrorKind, Event};

use crate::amqp::client::{Client, EventStream, fault};
use crate::amqp::settings::{self, Settings};
use crate::context::Context;
use crate::error::Result;

/// How long a question may take to hear that the connection or the channel failed.
const GRACE: Duration = Duration::from_millis(500);

/// Resolves once the connection failed. What is refused on one channel is heard by who asked there, and ends no other.
async fn lost(events: &mut EventStream) -> lapin::Error {
    loop {
        match events.next().await {
            Some(Event::Error(error)) if !is_of_a_channel(&error) => return error,
            Some(_) => {}
            // The listener lives as long as the connection.
            None => std::future::pending().await,
        }
    }
}

/// Whether the broker closed a channel alone (a soft error, AMQP 0-9-1, section 1.2).
fn is_of_a_channel(error: &lapin::Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(answer) if matches!(answer.kind(), AMQPErrorKind::Soft(_)))
}

/// Connects, works on one channel until that ends or the command has to stop, and says goodbye.
///
/// # Errors
/// As [`Client::connect`], and those of `work`.
pub(crate) async fn on_channel<T>(
    settings: &Settings,
    cx: &Context,
    work: impl AsyncFnOnce(&Channel) -> Result<T>,
) -> Result<T> {
    on_connection(settings, cx, async |_: &Client, channel: &Channel| work(channel).await).await
}

/// As [`on_channel`], for who needs the connection, too.
///
/// # Errors
/// As [`on_channel`].
pub(crate) async fn on_connection<T>(
    settings: &Settings,
    cx: &Context,
    work: impl AsyncFnOnce(&Client, &Channel) -> Result<T>,
) -> Result<T> {
    on_client(settings, cx, async |client: &Client| {
        let channel = client.channel().await?;
        work(client, &channel).await
    })
    .await
}

/// As [`on_channel`], for who opens channels by itself.
///
/// # Errors
/// As [`on_channel`].
pub(crate) async fn on_client<T>(
    settings: &Settings,
    cx: &Context,
    work: impl AsyncFnOnce(&Client) -> Result<T>,
) -> Result<T> {
    let endpoint = settings::endpoint(&cx.settings(settings)?)?;
    let client = Client::connect(&endpoint, &cx.policy, &cx.shutdown).await?;
    let done = cx
        .shutdown
        .or_stop(async {
            let mut events = client.events();
            let work = work(&client);
            tokio::pin!(work);
            tokio::select! {
                biased;
                done = &mut work => done,
                error = lost(&mut events) => {
                    // Most questions hear of it, too; but lapin forgets a `basic.get` whose message came in part.
                    let late = |_| Err(fault(&error, "the connection ended"));
                    tokio::time::timeout(GRACE, work).await.unwrap_or_else(late)
                }
            }
        })
        .await
        .map_err(|e| client.explain(e));
    client.close(&cx.shutdown).await;
    done
}
