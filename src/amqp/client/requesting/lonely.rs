//! What can be done about an answer that does not come.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::amqp::client::{Client, Line, look_at};

/// How long the question may take.
const LOOK: Duration = Duration::from_secs(1);

const SLOW: &str = "--reply-timeout says how long each request waits for its answer";

/// Whether anybody is there who answers.
pub(super) enum Lonely {
    /// Nobody has asked. The question has a connection of its own: where the queue is gone, the answer would end the channel of
    /// whoever publishes, or he would take it for that.
    Unasked(Option<Box<Line>>),
    /// It is asked.
    Asking(Pin<Box<dyn Future<Output = bool> + Send>>),
    /// Nobody was there then.
    Known(bool),
}

impl Lonely {
    /// The fix, by whether anybody consumed this queue when it was asked for, once.
    pub(super) fn hint(&mut self, queue: Option<&str>, cx: &mut Context<'_>) -> Poll<String> {
        // Of an exchange nobody can tell who is asked.
        let Some(queue) = queue else { return Poll::Ready(SLOW.to_owned()) };
        loop {
            *self = match self {
                Lonely::Unasked(line) => match line.take() {
                    Some(line) => Lonely::Asking(Box::pin(is_lonely(line, queue.to_owned()))),
                    None => Lonely::Known(false),
                },
                Lonely::Asking(asking) => Lonely::Known(ready!(asking.as_mut().poll(cx))),
                Lonely::Known(true) => {
                    return Poll::Ready(format!("nobody consumes queue `{queue}` now, and requests wait there"));
                }
                Lonely::Known(false) => return Poll::Ready(SLOW.to_owned()),
            };
        }
    }
}

async fn is_lonely(line: Box<Line>, queue: String) -> bool {
    let asked = async {
        let client = Client::connect(&line.endpoint, &line.policy, &line.shutdown).await?;
        let found = look_at(&client.channel().await?, &queue).await;
        client.close(&line.shutdown).await;
        found
    };
    matches!(tokio::time::timeout(LOOK, asked).await, Ok(Ok(found)) if found.consumer_count() == 0)
}
