//! The standard health service (<https://grpc.io/docs/guides/health-checking/>): what a server says of itself.

use bytes::Bytes;
use futures_util::stream;
use prost::Message;
use tonic::Code;

use super::call::{Call, CallOptions, start};
use super::transport::Connection;
use crate::error::{Error, Result};
use crate::proto::rpc;

const CHECK: &str = "/grpc.health.v1.Health/Check";
const WATCH: &str = "/grpc.health.v1.Health/Watch";

#[derive(Clone, PartialEq, Message)]
struct HealthCheckRequest {
    #[prost(string, tag = "1")]
    service: String,
}

#[derive(Clone, PartialEq, Message)]
struct HealthCheckResponse {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// What a server says of one of its services, or of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Health {
    /// It is not known yet.
    Unknown,
    /// It serves.
    Serving,
    /// It does not.
    NotServing,
    /// There is no such service, as it is watched.
    ServiceUnknown,
}

impl Health {
    /// Its name in the protocol.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Health::Unknown => "UNKNOWN",
            Health::Serving => "SERVING",
            Health::NotServing => "NOT_SERVING",
            Health::ServiceUnknown => "SERVICE_UNKNOWN",
        }
    }

    fn of(message: &Bytes) -> Result<Health> {
        let answer = HealthCheckResponse::decode(message.clone())
            .map_err(|e| Error::refused("the health service answered something else").because(e))?;
        Ok(match answer.status {
            1 => Health::Serving,
            2 => Health::NotServing,
            3 => Health::ServiceUnknown,
            _ => Health::Unknown,
        })
    }
}

/// What a question for health came to.
#[derive(Debug)]
pub(crate) enum Asked {
    /// An answer.
    Answer(Health),
    /// The server has no health service.
    NoService,
    /// It knows nothing of that service.
    NotFound(Error),
}

impl Asked {
    /// What is said of the service that was meant.
    ///
    /// # Errors
    /// `Kind::Refused` where there is no health service; the status of a service that is not known.
    pub(crate) fn answer(self) -> Result<Health> {
        match self {
            Asked::Answer(health) => Ok(health),
            Asked::NoService => Err(no_service()),
            Asked::NotFound(error) => Err(error),
        }
    }
}

/// Asks once. An empty name is the server's own.
///
/// # Errors
/// The connection's, and the status of a call that failed otherwise.
pub(crate) async fn check(connection: &mut Connection, service: &str, options: &CallOptions) -> Result<Asked> {
    let mut call = begin(connection, CHECK, service, options).await?;
    let answer = call.message(connection).await.map_err(|broken| broken.error)?;
    if let Some(answer) = answer {
        return Health::of(&answer).map(Asked::Answer);
    }
    ended(call, service)
}

/// Health as it changes.
pub(crate) struct Watch {
    call: Call,
    service: String,
}

impl Watch {
    /// Begins to watch. An empty name is the server's own.
    ///
    /// # Errors
    /// The connection's.
    pub(crate) async fn begin(connection: &mut Connection, service: &str, options: &CallOptions) -> Result<Watch> {
        let call = begin(connection, WATCH, service, options).await?;
        Ok(Watch { call, service: service.to_owned() })
    }

    /// The next state, or `None` once the server has ended the call.
    ///
    /// # Errors
    /// The connection's, and the status of a call that failed.
    pub(crate) async fn next(&mut self, connection: &Connection) -> Result<Option<Health>> {
        let message = self.call.message(connection).await.map_err(|broken| broken.error)?;
        message.as_ref().map(Health::of).transpose()
    }

    /// How it ended.
    ///
    /// # Errors
    /// The status of a call that failed.
    pub(crate) fn end(self) -> Result<()> {
        ended(self.call, &self.service)?.answer().map(drop)
    }
}

/// The error of a server without a health service.
fn no_service() -> Error {
    Error::refused("the server has no health service (grpc.health.v1.Health)")
        .hint("`mscomm check grpc` says whether it can be reached and has reflection")
}

async fn begin(connection: &mut Connection, path: &str, service: &str, options: &CallOptions) -> Result<Call> {
    let request = HealthCheckRequest { service: service.to_owned() }.encode_to_vec();
    let request = stream::iter([Bytes::from(request)]);
    start(connection, path, request, options).await.map_err(|broken| broken.error)
}

fn ended(call: Call, service: &str) -> Result<Asked> {
    let status = call.status().ok_or_else(|| Error::refused("the health service gave no answer"))?;
    let what = if service.is_empty() {
        "cannot tell the server's health".to_owned()
    } else {
        format!("cannot tell the health of {service}")
    };
    match Code::from_i32(status.code) {
        Code::Unimplemented => Ok(Asked::NoService),
        Code::Ok => Ok(Asked::Answer(Health::Unknown)),
        Code::NotFound => Ok(Asked::NotFound(status.error(&what, &rpc::Common))),
        _ => Err(status.error(&what, &rpc::Common)),
    }
}
