//! One call: its requests, who answers it, and what is logged of it.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, Stream, StreamExt};
use tonic::metadata::MetadataMap;
use tonic::server::StreamingService;
use tonic::{Request, Response, Status, Streaming};

use super::inbox::{Inbox, Responses};
use super::log::{CallLog, Log};
use super::stub::Stubs;
use super::wire::BreakOff;
use super::{play, services};
use crate::proto::dynamic::DynamicMessage;
use crate::proto::schema::Method;

/// Who answers a call.
pub(crate) enum Answerer {
    /// The sandbox's own code.
    BuiltIn,
    /// The user's stubs.
    Stubs(Arc<Stubs>),
    /// Nobody: there is no stub.
    Nobody,
}

/// Answers the calls of one method.
pub(crate) struct Handler {
    /// The method.
    pub method: Method,
    /// Who answers.
    pub answerer: Answerer,
    /// Where it is logged.
    pub log: Option<Arc<Log>>,
    /// Where a reset is asked for.
    pub fault: BreakOff,
}

impl StreamingService<DynamicMessage> for Handler {
    type Response = DynamicMessage;
    type ResponseStream = Responses;
    type Future = BoxFuture<'static, Result<Response<Responses>, Status>>;

    fn call(&mut self, request: Request<Streaming<DynamicMessage>>) -> Self::Future {
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
    fault: BreakOff,
) -> impl Stream<Item = Result<DynamicMessage, Status>> + Send {
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
