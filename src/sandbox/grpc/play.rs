//! Plays a stub: waits, sends, and ends the call as the stub says.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use http::HeaderMap;
use tonic::{Code, Response, Status};

use super::inbox::{Inbox, Responses, with_headers};
use super::stub::{End, Stub, Stubs, When};
use super::wire::BreakOff;
use crate::proto::dynamic::DynamicMessage;

/// Answers a call from stubs.
///
/// # Errors
/// The stub's status when nothing else goes out, UNIMPLEMENTED when none matches, and as [`Inbox::message`].
pub(crate) async fn answer(
    stubs: Arc<Stubs>,
    headers: HeaderMap,
    mut inbox: Inbox,
    fault: BreakOff,
) -> Result<Response<Responses>, Status> {
    let (requests, count) = match stubs.when {
        When::First => (vec![inbox.first().await?], 1),
        When::End => inbox.all(stubs.kept()).await?,
        When::Each => match inbox.message().await? {
            Some(request) => (vec![request], 1),
            // Without any request there is nothing to answer.
            None => return Ok(Response::new(stream::empty().boxed())),
        },
    };
    let stub = stubs.choose(&requests, count, &headers)?;
    wait(stub.delay).await;
    let ends_here = stub.is_last() && stub.responses.is_empty() && stub.headers.is_empty();
    if let (true, End::Status(status)) = (ends_here, &stub.end) {
        return Err(Status::clone(status));
    }
    let first_headers = stub.headers.clone();
    let more = (stubs.when == When::Each).then_some(More { stubs, headers });
    let play = Play { stub, sent: 0, inbox, more, fault, over: false };
    let responses = stream::unfold(play, |mut play| async move { Some((play.next().await?, play)) });
    Ok(with_headers(&first_headers, responses.boxed()))
}

/// Even a timer of nothing takes up to a millisecond.
async fn wait(duration: Duration) {
    if !duration.is_zero() {
        tokio::time::sleep(duration).await;
    }
}

/// How the requests behind the first one are answered.
struct More {
    stubs: Arc<Stubs>,
    headers: HeaderMap,
}

struct Play {
    stub: Arc<Stub>,
    /// How many responses of the stub went out.
    sent: usize,
    /// Kept even when nothing is read from it any more: a client may go on sending until it has its answer.
    inbox: Inbox,
    more: Option<More>,
    fault: BreakOff,
    over: bool,
}

impl Play {
    /// The next response; an error is the end that is not plain OK.
    async fn next(&mut self) -> Option<Result<DynamicMessage, Status>> {
        if self.over {
            return None;
        }
        loop {
            if let Some(response) = self.stub.responses.get(self.sent) {
                if self.sent > 0 {
                    wait(self.stub.interval).await;
                }
                self.sent += 1;
                return Some(Ok(response.clone()));
            }
            match self.another().await {
                Ok(true) => {}
                Ok(false) => return self.end(),
                Err(status) => {
                    self.over = true;
                    return Some(Err(status));
                }
            }
        }
    }

    /// Goes on with the answer to the next request. False when the call is to end.
    async fn another(&mut self) -> Result<bool, Status> {
        let (Some(more), false) = (&self.more, self.stub.is_last()) else { return Ok(false) };
        let Some(request) = self.inbox.message().await? else { return Ok(false) };
        self.stub = more.stubs.choose(&[request], 1, &more.headers)?;
        self.sent = 0;
        wait(self.stub.delay).await;
        Ok(true)
    }

    fn end(&mut self) -> Option<Result<DynamicMessage, Status>> {
        self.over = true;
        match &self.stub.end {
            // With trailers, OK has to be said.
            End::Status(status) if status.code() == Code::Ok && status.metadata().is_empty() => None,
            End::Status(status) => Some(Err(Status::clone(status))),
            End::Reset(reset) => {
                // Nobody else sets it.
                let _ = self.fault.set(*reset);
                Some(Err(Status::aborted("reset by the stub")))
            }
        }
    }
}
