//! What Kafka has and this broker has not, answered so that clients know what to make of it: delegation tokens,
//! UpdateFeatures, UnregisterBroker.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{
    CreateDelegationTokenRequest, CreateDelegationTokenResponse, DescribeDelegationTokenRequest,
    DescribeDelegationTokenResponse, ExpireDelegationTokenRequest, ExpireDelegationTokenResponse,
    RenewDelegationTokenRequest, RenewDelegationTokenResponse, UnregisterBrokerRequest, UnregisterBrokerResponse,
    UpdateFeaturesRequest, UpdateFeaturesResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::super::auth::{Operation, Resource};
use super::super::time::Now;
use super::super::{Broker, Caller};

/// Without a login nobody may ask for tokens; with one, there are none.
fn no_tokens(broker: &Broker) -> i16 {
    let login = broker.security.login;
    let error = if login {
        ResponseError::DelegationTokenAuthDisabled
    } else {
        ResponseError::DelegationTokenRequestNotAllowed
    };
    error.code()
}

pub(crate) fn create_token(
    broker: &mut Broker,
    caller: &Caller,
    _request: CreateDelegationTokenRequest,
    version: i16,
    _now: Now,
) -> CreateDelegationTokenResponse {
    let (kind, name) = caller.principal.split_once(':').unwrap_or(("User", &caller.principal));
    let (kind, name) = (StrBytes::from_string(kind.to_owned()), StrBytes::from_string(name.to_owned()));
    let answer = CreateDelegationTokenResponse::default()
        .with_error_code(no_tokens(broker))
        .with_principal_type(kind.clone())
        .with_principal_name(name.clone())
        .with_issue_timestamp_ms(-1)
        .with_expiry_timestamp_ms(-1)
        .with_max_timestamp_ms(-1);
    if version < 3 {
        return answer;
    }
    answer.with_token_requester_principal_type(kind).with_token_requester_principal_name(name)
}

pub(crate) fn renew_token(
    broker: &mut Broker,
    _caller: &Caller,
    _request: RenewDelegationTokenRequest,
    _version: i16,
    _now: Now,
) -> RenewDelegationTokenResponse {
    RenewDelegationTokenResponse::default().with_error_code(no_tokens(broker)).with_expiry_timestamp_ms(-1)
}

pub(crate) fn expire_token(
    broker: &mut Broker,
    _caller: &Caller,
    _request: ExpireDelegationTokenRequest,
    _version: i16,
    _now: Now,
) -> ExpireDelegationTokenResponse {
    ExpireDelegationTokenResponse::default().with_error_code(no_tokens(broker)).with_expiry_timestamp_ms(-1)
}

pub(crate) fn describe_tokens(
    broker: &mut Broker,
    _caller: &Caller,
    _request: DescribeDelegationTokenRequest,
    _version: i16,
    _now: Now,
) -> DescribeDelegationTokenResponse {
    DescribeDelegationTokenResponse::default().with_error_code(no_tokens(broker))
}

pub(crate) fn update_features(
    broker: &mut Broker,
    caller: &Caller,
    request: UpdateFeaturesRequest,
    _version: i16,
    _now: Now,
) -> UpdateFeaturesResponse {
    let answer = UpdateFeaturesResponse::default();
    if !broker.allowed(caller, Operation::Alter, Resource::Cluster) {
        return answer.with_error_code(ResponseError::ClusterAuthorizationFailed.code());
    }
    let Some(first) = request.feature_updates.first() else { return answer };
    let why = format!(
        "The update failed for all features since the following feature had an error: Invalid update version {} for \
         feature {}. The features of this cluster cannot be changed.",
        first.max_version_level, first.feature
    );
    let code = ResponseError::InvalidUpdateVersion.code();
    answer.with_error_code(code).with_error_message(Some(StrBytes::from_string(why)))
}

pub(crate) fn unregister(
    broker: &mut Broker,
    caller: &Caller,
    request: UnregisterBrokerRequest,
    _version: i16,
    _now: Now,
) -> UnregisterBrokerResponse {
    let known = broker.cluster.nodes.iter().any(|node| node.id == request.broker_id.0);
    let id = request.broker_id.0;
    let (error, why) = match known {
        _ if !broker.allowed(caller, Operation::Alter, Resource::Cluster) => {
            (ResponseError::ClusterAuthorizationFailed, "Cluster authorization failed.".to_owned())
        }
        false => (ResponseError::BrokerIdNotRegistered, format!("Broker ID {id} is not currently registered")),
        true => (ResponseError::InvalidRequest, "The brokers of this cluster cannot be unregistered.".to_owned()),
    };
    UnregisterBrokerResponse::default()
        .with_error_code(error.code())
        .with_error_message(Some(StrBytes::from_string(why)))
}
