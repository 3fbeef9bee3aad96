//! One call: its requests, who answers it, and what is logged of it.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, Stream, StreamExt};
use http::HeaderMap;
use tonic::metadata::MetadataMap;
use tonic::server::StreamingService;
use tonic::{Request, Response, Status, Streaming};

use super::log::{CallLog, Log};
use super::stub::Stubs;
use super::wire::Fault;
use super::{play, services};
use crate::proto::dynamic::Message;
use crate::proto::schema::Method;

/// The responses of a call, and the status that is not plain OK.
pub type Responses = BoxStream<'static, Result<Message, Status>>;

/// The requests of a call; each is logged when it is read.
pub struct Inbox {
    requests: Streaming<Message>,
    log: Option<Arc<CallLog>>,
}

impl Inbox {
    /// The next request, or `None` at the end.
    ///
    /// # Errors
    /// The status of a request that is none, or of a call that broke off.
    pub async fn message(&mut self) -> Result<Option<Message>, Status> {
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
    pub async fn first(&mut self) -> Result<Message, Status> {
        self.message().await?.ok_or_else(|| Status::invalid_argument("no request message"))
    }

    /// Reads to the end: the first so many requests, and how many there were.
    ///
    /// # Errors
    /// As [`Inbox::message`].
    pub async fn all(&mut self, kept: usize) -> Result<(Vec<Message>, usize), Status> {
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

/// Who answers a call.
pub enum Answerer {
    /// The sandbox's own code.
    BuiltIn,
    /// The user's stubs.
    Stubs(Arc<Stubs>),
    /// Nobody: there is no stub.
    Nobody,
}

/// Answers the calls of one method.
pub struct Handler {
    /// The method.
    pub method: Method,
    /// Who answers.
    pub answerer: Answerer,
    /// Where it is logged.
    pub log: Option<Arc<Log>>,
    /// Where a reset is asked for.
    pub fault: Fault,
}

impl StreamingService<Message> for Handler {
    type Response = Message;
    type ResponseStream = Responses;
    type Future = BoxFuture<'static, Result<Response<Responses>, Status>>;

    fn call(&mut self, request: Request<Streaming<Message>>) -> Self::Future {
        let (metadata, _, requests) = request.into_parts();
        let method = self.method.clone();
        let name = method.full_name();
        let headers = metadata.clone().into_headers();
        let log = self.log.clone().map(|log| Arc::new(CallLog::start(log, name.clone(), &headers)));
        let inbox = Inbox { requests, log: log.clone() };
        let fault = self.fault.clone();
        let answer = match &self.answerer {
            Answerer::BuiltIn => built_in(method, metadata, inbox).boxed(),
            Answerer::Stubs(stubs) => play::answer(stubs.clone(), headers, inbox, fault.clone()).boxed(),
            Answerer::Nobody => async move {
                let message = format!("the sandbox has no stub of {name}; give one with --stub FILE");
                Err(Status::unimplemented(message))
            }
            .boxed(),
        };
        async move {
            match answer.await {
                Ok(response) => Ok(response.map(|responses| logged(responses, log, fault).boxed())),
                Err(status) => {
                    if let Some(log) = log {
                        log.status(&status);
                    }
                    Err(status)
                }
            }
        }
        .boxed()
    }
}

async fn built_in(method: Method, metadata: MetadataMap, inbox: Inbox) -> Result<Response<Responses>, Status> {
    services::answer(&method, metadata, inbox).await.map(Response::new)
}

/// The responses, with their end in the log.
fn logged(
    responses: Responses,
    log: Option<Arc<CallLog>>,
    fault: Fault,
) -> impl Stream<Item = Result<Message, Status>> + Send {
    let ended = futures_util::stream::once(async { None });
    responses.map(Some).chain(ended).filter_map(move |item| {
        if let Some(log) = &log {
            match (&item, fault.get()) {
                (Some(Ok(_)), _) => {}
                (Some(Err(_)), Some(reset)) => log.reset(*reset),
                (Some(Err(status)), None) => log.status(status),
                (None, _) => log.status(&Status::ok("")),
            }
        }
        std::future::ready(item)
    })
}

/// A response that begins with these headers.
pub fn with_headers(headers: &HeaderMap, responses: Responses) -> Response<Responses> {
    let mut response = Response::new(responses);
    *response.metadata_mut() = MetadataMap::from_headers(headers.clone());
    response
}
