//! What a call gets and gives: its requests, each logged when it is read, and its responses.

use std::sync::Arc;

use futures_util::stream::BoxStream;
use http::HeaderMap;
use tonic::metadata::MetadataMap;
use tonic::{Response, Status, Streaming};

use super::log::CallLog;
use crate::proto::dynamic::DynamicMessage;

/// The responses of a call, and the status that is not plain OK.
pub(crate) type Responses = BoxStream<'static, Result<DynamicMessage, Status>>;

/// The requests of a call; each is logged when it is read.
pub(crate) struct Inbox {
    pub(super) requests: Streaming<DynamicMessage>,
    pub(super) log: Option<Arc<CallLog>>,
}

impl Inbox {
    /// The next request, or `None` at the end.
    ///
    /// # Errors
    /// The status of a request that is none, or of a call that broke off.
    pub(crate) async fn message(&mut self) -> Result<Option<DynamicMessage>, Status> {
        let message = self.requests.message().await?;
        if let (Some(message), Some(log)) = (&message, &self.log) {
            log.message(message);
        }
        Ok(message)
    }

    /// The one request of a method that takes one.
    ///
    /// # Errors
    /// As [`Inbox::message`], and INVALID_ARGUMENT when there is none.
    pub(crate) async fn first(&mut self) -> Result<DynamicMessage, Status> {
        self.message().await?.ok_or_else(|| Status::invalid_argument("no request message"))
    }

    /// Reads to the end: the first so many requests, and how many there were.
    ///
    /// # Errors
    /// As [`Inbox::message`].
    pub(crate) async fn all(&mut self, kept: usize) -> Result<(Vec<DynamicMessage>, usize), Status> {
        let (mut requests, mut count) = (Vec::new(), 0);
        while let Some(request) = self.message().await? {
            if count < kept {
                requests.push(request);
            }
            count += 1;
        }
        Ok((requests, count))
    }
}

/// A response that begins with these headers.
pub(crate) fn with_headers(headers: &HeaderMap, responses: Responses) -> Response<Responses> {
    let mut response = Response::new(responses);
    *response.metadata_mut() = MetadataMap::from_headers(headers.clone());
    response
}
