//! DescribeClientQuotas and AlterClientQuotas.

use std::collections::BTreeMap;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_client_quotas_response::{EntityData, EntryData, ValueData};
use kafka_protocol::messages::{
    AlterClientQuotasRequest, AlterClientQuotasResponse, DescribeClientQuotasRequest, DescribeClientQuotasResponse,
    alter_client_quotas_request as asked, alter_client_quotas_response as altered,
};
use kafka_protocol::protocol::StrBytes;

use super::super::auth::{Operation, Resource};
use super::super::quota::{Entity, Match, check};
use super::super::time::Now;
use super::super::{Broker, Caller};
use super::configs::{Refusal, refusal};

pub(crate) fn describe(
    broker: &mut Broker,
    caller: &Caller,
    request: DescribeClientQuotasRequest,
    _version: i16,
    _now: Now,
) -> DescribeClientQuotasResponse {
    let answer = DescribeClientQuotasResponse::default();
    let wanted = if broker.allowed(caller, Operation::DescribeConfigs, Resource::Cluster) {
        wanted(&request)
    } else {
        refusal(ResponseError::ClusterAuthorizationFailed, "Cluster authorization failed.")
    };
    match wanted {
        Ok(wanted) => {
            let found = broker.quotas.matching(&wanted, request.strict).map(|(entity, values)| {
                let entity = entity.iter().map(|(kind, name)| {
                    EntityData::default()
                        .with_entity_type(StrBytes::from_string(kind.clone()))
                        .with_entity_name(name.clone().map(StrBytes::from_string))
                });
                let values = values.iter().map(|(key, value)| {
                    ValueData::default().with_key(StrBytes::from_string(key.clone())).with_value(*value)
                });
                EntryData::default().with_entity(entity.collect()).with_values(values.collect())
            });
            answer.with_entries(Some(found.collect()))
        }
        Err((error, why)) => {
            answer.with_error_code(error.code()).with_error_message(why.map(StrBytes::from_string)).with_entries(None)
        }
    }
}

fn wanted(request: &DescribeClientQuotasRequest) -> Result<BTreeMap<String, Match>, Refusal> {
    let mut wanted = BTreeMap::new();
    for component in &request.components {
        let kind = component.entity_type.to_string();
        let invalid = |why: String| refusal(ResponseError::InvalidRequest, why);
        if kind.is_empty() {
            return invalid("Invalid empty entity type.".to_owned());
        }
        if !["user", "client-id", "ip"].contains(&kind.as_str()) {
            let why = format!("Unsupported entity type {kind}");
            return refusal(ResponseError::UnsupportedVersion, why);
        }
        let is = match (component.match_type, &component._match) {
            (0, Some(name)) => Match::Exact(name.to_string()),
            (0, None) => {
                return invalid("Request specified MATCH_TYPE_EXACT, but set match string to null.".to_owned());
            }
            (1, None) => Match::Default,
            (2, None) => Match::Any,
            (1 | 2, Some(_)) => {
                return invalid(
                    "Request specified MATCH_TYPE_DEFAULT or MATCH_TYPE_SPECIFIED, but also a match string.".to_owned(),
                );
            }
            (other, _) => return invalid(format!("Unknown match type {other}")),
        };
        if wanted.insert(kind.clone(), is).is_some() {
            return invalid(format!("Entity type {kind} cannot appear more than once in the filter."));
        }
    }
    let mixed = wanted.contains_key("ip") && wanted.len() > 1;
    if mixed {
        let why = "Invalid entity filter component combination. IP filter component should not be used with user or \
                   clientId filter component.";
        return refusal(ResponseError::InvalidRequest, why);
    }
    Ok(wanted)
}

pub(crate) fn alter(
    broker: &mut Broker,
    caller: &Caller,
    request: AlterClientQuotasRequest,
    _version: i16,
    _now: Now,
) -> AlterClientQuotasResponse {
    let allowed = broker.allowed(caller, Operation::AlterConfigs, Resource::Cluster);
    let entries = request.entries.iter().map(|entry| {
        let done = if allowed {
            change(broker, entry, request.validate_only)
        } else {
            refusal(ResponseError::ClusterAuthorizationFailed, "Cluster authorization failed.")
        };
        let entity = entry.entity.iter().map(|part| {
            altered::EntityData::default()
                .with_entity_type(part.entity_type.clone())
                .with_entity_name(part.entity_name.clone())
        });
        let result = altered::EntryData::default().with_entity(entity.collect());
        match done {
            Ok(()) => result.with_error_message(None),
            Err((error, why)) => {
                result.with_error_code(error.code()).with_error_message(why.map(StrBytes::from_string))
            }
        }
    });
    AlterClientQuotasResponse::default().with_entries(entries.collect())
}

fn change(broker: &mut Broker, entry: &asked::EntryData, validate_only: bool) -> Result<(), Refusal> {
    let mut entity = Entity::new();
    for part in &entry.entity {
        let (kind, name) = (part.entity_type.to_string(), part.entity_name.as_ref().map(ToString::to_string));
        entity.insert(kind, name);
    }
    let keys = entry.ops.iter().map(|op| op.key.as_str());
    check(&entity, keys).or_else(|why| refusal(ResponseError::InvalidRequest, why))?;
    for op in entry.ops.iter().filter(|op| !op.remove) {
        let (key, value) = (op.key.as_str(), op.value);
        if value.is_nan() || value <= 0.0 {
            return refusal(ResponseError::InvalidRequest, format!("Quota {key} must be greater than 0"));
        }
        let whole = !["request_percentage", "controller_mutation_rate"].contains(&key);
        if whole && (value.fract() > 1e-6 || value > 9.2e18) {
            let why = format!("{key} cannot be a fractional value.");
            return refusal(ResponseError::InvalidRequest, why);
        }
    }
    if validate_only {
        return Ok(());
    }
    let changes = entry.ops.iter().map(|op| (op.key.to_string(), (!op.remove).then_some(op.value)));
    if broker.quotas.alter(entity, changes) {
        return Ok(());
    }
    refusal(ResponseError::PolicyViolation, "There are too many quotas")
}
