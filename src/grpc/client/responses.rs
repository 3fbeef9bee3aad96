//! The responses of a call as the source of a flow.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use futures_util::{FutureExt, Stream, StreamExt};

use super::transport::Connection;
use crate::error::{Error, Result};
use crate::flow::{Bad, Event, Filled, Lane, LaneName, Place, Settling, Source, Unfit, Work};
use crate::message::{Field, Message};

/// How many responses are taken together at most, and how many bytes of them.
const BATCH: usize = 256;
const BATCH_BYTES: usize = 1 << 20;

/// A response as it goes on.
#[derive(Debug)]
pub(crate) struct Response {
    /// The body of the message.
    pub value: Vec<u8>,
    /// What has to be said of it.
    pub warning: Option<String>,
}

/// Responses as they come: what is not asked for is not read, and so the server is held back by the window of the stream. An
/// error is the last.
pub(crate) type ResponseStream = Pin<Box<dyn Stream<Item = Result<Response>>>>;

/// The responses of one call.
pub(crate) struct Responses {
    incoming: ResponseStream,
    connection: Connection,
    few: fn(u64, u64) -> Error,
    batch: Vec<Vec<u8>>,
    /// The number of the first response of the batch.
    first: u64,
    /// Came while it was waited for.
    next: Option<Option<Result<Response>>>,
    /// What came behind the responses of the batch.
    behind: Option<Result<Filled>>,
    warning: Option<String>,
    since: Instant,
    bytes: u64,
}

impl Responses {
    /// Those of this call, over this connection. `few` is the error of fewer than were asked for: so many of so many.
    pub(crate) fn new(incoming: ResponseStream, connection: Connection, few: fn(u64, u64) -> Error) -> Responses {
        Responses {
            incoming,
            connection,
            few,
            batch: Vec::new(),
            first: 1,
            next: None,
            behind: None,
            warning: None,
            since: Instant::now(),
            bytes: 0,
        }
    }
}

impl Source for Responses {
    fn settling(&self) -> Settling {
        Settling::Never
    }

    fn serve(&mut self) -> Result<Option<Event>> {
        Ok(self.warning.take().map(Event::Warn))
    }

    fn fill(&mut self, most: usize) -> Result<Filled> {
        self.first += self.batch.len() as u64;
        self.batch.clear();
        if let Some(behind) = self.behind.take() {
            return behind;
        }
        let before = self.bytes;
        while self.batch.len() < most.min(BATCH) && self.bytes - before < BATCH_BYTES as u64 {
            let next = self.next.take().or_else(|| self.incoming.next().now_or_never());
            let behind = match next {
                Some(Some(Ok(Response { value, warning }))) => {
                    self.bytes += value.len() as u64;
                    self.batch.push(value);
                    self.warning = self.warning.take().or(warning);
                    continue;
                }
                Some(Some(Err(error))) => Err(error),
                Some(None) => Ok(Filled::End),
                None => break,
            };
            if self.batch.is_empty() {
                return behind;
            }
            self.behind = Some(behind);
            break;
        }
        if self.batch.is_empty() {
            return Ok(Filled::Dry);
        }
        self.since = Instant::now();
        Ok(Filled::Batch(self.batch.len()))
    }

    fn place(&self, at: usize) -> Place {
        Place { lane: 0, mark: self.first + at as u64 }
    }

    fn get(&self, at: usize) -> Result<Message<'_>, Bad> {
        let value = self.batch.get(at).map_or(Field::Absent, |value| Field::borrowed(value));
        Ok(Message { value, ..Message::default() })
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>, wanted: bool) -> Poll<()> {
        if !wanted {
            return Poll::Pending;
        }
        if self.next.is_none() && self.behind.is_none() {
            let next = std::task::ready!(self.incoming.poll_next_unpin(cx));
            self.next = Some(next);
        }
        Poll::Ready(())
    }

    fn idle_since(&self) -> Option<Instant> {
        Some(self.since)
    }

    fn window(&self) -> usize {
        BATCH
    }

    fn close(self: Box<Self>) -> Work<'static, ()> {
        let Responses { incoming, connection, .. } = *self;
        Box::pin(async move {
            // A call that is not over is cancelled by this.
            drop(incoming);
            connection.close().await;
        })
    }

    fn lane_name(&self, _lane: Lane) -> LaneName {
        LaneName::of("response")
    }

    fn fault(&self, at: usize, unfit: Unfit) -> Error {
        Error::usage(format!("response {}: {}", self.place(at).mark, unfit.why))
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn unmet(&self, came: u64, count: u64, _why: &str) -> Error {
        (self.few)(came, count)
    }
}
