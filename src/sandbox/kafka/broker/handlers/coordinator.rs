//! FindCoordinator: which broker looks after a group or a transaction.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::{BrokerId, FindCoordinatorRequest, FindCoordinatorResponse};
use kafka_protocol::protocol::StrBytes;

use super::super::auth::{Operation, Resource};
use super::super::time::Now;
use super::super::{Broker, Caller};

/// What Kafka says to a kind of key that it does not know (`Errors.INVALID_REQUEST`).
const INVALID: &str = "This most likely occurs because of a request being malformed by the client library or the message \
                       was sent to an incompatible broker. See the broker logs for more details.";

/// The kind of key of share groups, which are not there.
const SHARE: i8 = 2;

/// Most keys of a request that are answered.
const MOST: usize = 100_000;

pub(crate) fn find(
    broker: &mut Broker,
    caller: &Caller,
    request: FindCoordinatorRequest,
    version: i16,
    now: Now,
) -> FindCoordinatorResponse {
    match request.key_type {
        0 => broker.create_internal(&StrBytes::from_static_str("__consumer_offsets"), now),
        1 => broker.create_internal(&StrBytes::from_static_str("__transaction_state"), now),
        _ => {}
    }
    if version >= 4 {
        let keys = request.coordinator_keys.into_iter().take(MOST);
        let found = keys.map(|key| {
            let found = one(broker, caller, key, request.key_type);
            let tells = found.error_code != 0 && (request.key_type != SHARE || version < 6);
            if tells { found } else { found.with_error_message(Some(StrBytes::default())) }
        });
        let found = found.collect();
        return FindCoordinatorResponse::default().with_coordinators(found);
    }
    let found = one(broker, caller, request.key, request.key_type);
    FindCoordinatorResponse::default()
        .with_error_code(found.error_code)
        .with_error_message(found.error_message)
        .with_node_id(found.node_id)
        .with_host(found.host)
        .with_port(found.port)
}

fn one(broker: &Broker, caller: &Caller, key: StrBytes, key_type: i8) -> Coordinator {
    let fault = caller.fault(None, Some(&key));
    let found = match key_type {
        _ if fault.is_some() => Err(fault.unwrap_or(ResponseError::CoordinatorNotAvailable)),
        0 if !broker.allowed(caller, Operation::Describe, Resource::Group(&key)) => {
            Err(ResponseError::GroupAuthorizationFailed)
        }
        1 if !broker.allowed(caller, Operation::Describe, Resource::TransactionalId(&key)) => {
            Err(ResponseError::TransactionalIdAuthorizationFailed)
        }
        0 | 1 => broker.cluster.coordinator(&key).ok_or(ResponseError::CoordinatorNotAvailable),
        _ => Err(ResponseError::InvalidRequest),
    };
    let answer = Coordinator::default().with_key(key);
    match found {
        Ok(node) => answer
            .with_node_id(BrokerId(node.id))
            .with_host(node.host.clone())
            .with_port(node.port.into())
            .with_error_message(Some(StrBytes::from_static_str("NONE"))),
        Err(error) => answer.with_node_id(BrokerId(-1)).with_port(-1).with_error_code(error.code()).with_error_message(
            Some(StrBytes::from_static_str(match error {
                ResponseError::InvalidRequest => INVALID,
                ResponseError::GroupAuthorizationFailed => "Group authorization failed.",
                ResponseError::TransactionalIdAuthorizationFailed => "Transactional Id authorization failed.",
                _ => "The coordinator is not available.",
            })),
        ),
    }
}
