//! IncrementalAlterConfigs and AlterConfigs: settings are changed, each resource for itself, all of its changes or
//! none.

use std::collections::BTreeSet;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::alter_configs_response::AlterConfigsResourceResponse as Old;
use kafka_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use kafka_protocol::messages::{
    AlterConfigsRequest, AlterConfigsResponse, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::super::config::table::elements;
use super::super::config::{Values, validate, validate_broker};
use super::super::creation::check_name;
use super::super::time::Now;
use super::super::{Broker, Caller};
use super::configs::{
    BROKERS, CLIENT_METRICS, GROUPS, LOGGERS, Refusal, TOPICS, broker_id, is_list, may, refusal, setting, type_name,
};

/// As many groups and metrics as may have settings.
const MOST: usize = 1000;

/// As many settings as anything may have; more than there are.
const MOST_SETTINGS: usize = 1000;

/// Longest name and value.
const LONGEST: usize = 4096;

/// One change of one setting.
struct Change<'a> {
    name: &'a str,
    /// 0 sets, 1 deletes, 2 appends, 3 subtracts.
    operation: i8,
    value: Option<&'a str>,
}

pub(crate) fn incremental(
    broker: &mut Broker,
    caller: &Caller,
    request: IncrementalAlterConfigsRequest,
    _version: i16,
    now: Now,
) -> IncrementalAlterConfigsResponse {
    let twice = twice(request.resources.iter().map(|r| (r.resource_type, r.resource_name.as_str())));
    let mut responses = Vec::new();
    for resource in &request.resources {
        let (kind, name) = (resource.resource_type, resource.resource_name.as_str());
        let changes: Vec<Change<'_>> = resource
            .configs
            .iter()
            .map(|c| Change { name: &c.name, operation: c.config_operation, value: c.value.as_deref() })
            .collect();
        let result = if twice.contains(&(kind, name)) {
            refusal(ResponseError::InvalidRequest, "Each resource must appear at most once.")
        } else {
            alter(broker, caller, (kind, name), &changes, request.validate_only)
        };
        let (code, text) = parts(result);
        let response = AlterConfigsResourceResponse::default()
            .with_error_code(code)
            .with_error_message(text)
            .with_resource_type(kind)
            .with_resource_name(resource.resource_name.clone());
        responses.push(response);
    }
    broker.settings_changed(now);
    IncrementalAlterConfigsResponse::default().with_responses(responses)
}

/// AlterConfigs: what is not named is as if it had never been set.
pub(crate) fn replace(
    broker: &mut Broker,
    caller: &Caller,
    request: AlterConfigsRequest,
    _version: i16,
    now: Now,
) -> AlterConfigsResponse {
    let twice = twice(request.resources.iter().map(|r| (r.resource_type, r.resource_name.as_str())));
    let mut responses = Vec::new();
    for resource in &request.resources {
        let (kind, name) = (resource.resource_type, resource.resource_name.as_str());
        let result = if twice.contains(&(kind, name)) {
            refusal(ResponseError::InvalidRequest, "Each resource must appear at most once.")
        } else if kind == LOGGERS {
            refusal(ResponseError::InvalidRequest, "Unknown resource type 8")
        } else {
            let named = |set: &str| resource.configs.iter().any(|c| c.name.as_str() == set);
            let gone: Vec<String> =
                values(broker, kind, name).into_iter().flat_map(Values::keys).filter(|n| !named(n)).cloned().collect();
            let sets = resource.configs.iter();
            let sets = sets.map(|c| Change { name: &c.name, operation: 0, value: c.value.as_deref() });
            let deletes = gone.iter().map(|name| Change { name, operation: 1, value: None });
            let changes: Vec<Change<'_>> = sets.chain(deletes).collect();
            alter(broker, caller, (kind, name), &changes, request.validate_only)
        };
        let (code, text) = parts(result);
        let response = Old::default()
            .with_error_code(code)
            .with_error_message(text)
            .with_resource_type(kind)
            .with_resource_name(resource.resource_name.clone());
        responses.push(response);
    }
    broker.settings_changed(now);
    AlterConfigsResponse::default().with_responses(responses)
}

/// Resources that are named more than once.
fn twice<'a>(resources: impl Iterator<Item = (i8, &'a str)>) -> BTreeSet<(i8, &'a str)> {
    let mut seen = BTreeSet::new();
    resources.filter(|resource| !seen.insert(*resource)).collect()
}

fn parts(result: Result<(), Refusal>) -> (i16, Option<StrBytes>) {
    match result {
        Ok(()) => (0, None),
        Err((error, text)) => (error.code(), text.map(StrBytes::from_string)),
    }
}

/// What is set for a resource.
fn values<'a>(broker: &'a Broker, kind: i8, name: &str) -> Option<&'a Values> {
    match kind {
        TOPICS => broker.topics.by_name.get(name).map(|topic| &topic.config),
        BROKERS if name.is_empty() => Some(&broker.configs.all),
        BROKERS => broker.configs.by_broker.get(&name.parse().ok()?),
        CLIENT_METRICS => broker.configs.by_metrics.get(name),
        GROUPS => broker.configs.by_group.get(name),
        _ => None,
    }
}

fn alter(
    broker: &mut Broker,
    caller: &Caller,
    (kind, name): (i8, &str),
    changes: &[Change<'_>],
    validate_only: bool,
) -> Result<(), Refusal> {
    let known = [TOPICS, BROKERS, LOGGERS, CLIENT_METRICS, GROUPS].contains(&kind);
    if !known {
        return refusal(ResponseError::InvalidRequest, format!("Unknown resource type {kind}"));
    }
    may(broker, caller, true, kind, name)?;
    check_resource(broker, caller, kind, name)?;
    if kind == LOGGERS {
        return loggers(changes);
    }
    let mut seen = BTreeSet::new();
    if changes.iter().any(|change| !seen.insert(change.name)) {
        return refusal(ResponseError::InvalidRequest, "Error due to duplicate config keys");
    }
    let nulls: Vec<&str> = changes.iter().filter(|c| c.operation != 1 && c.value.is_none()).map(|c| c.name).collect();
    if !nulls.is_empty() {
        return refusal(ResponseError::InvalidRequest, format!("Null value not supported for : {}", nulls.join(", ")));
    }
    let mut next = values(broker, kind, name).cloned().unwrap_or_default();
    for change in changes {
        apply(kind, &mut next, change)?;
    }
    let long = |(name, value): (&String, &String)| name.len() > LONGEST || value.len() > LONGEST;
    if name.len() > LONGEST || next.len() > MOST_SETTINGS || next.iter().any(long) {
        let text = format!("There are more than {MOST_SETTINGS} settings, or more than {LONGEST} bytes in one.");
        return refusal(ResponseError::PolicyViolation, text);
    }
    if kind == BROKERS {
        check_broker(changes, &next)?;
    } else {
        check_values(broker, kind, changes, &next)?;
    }
    if !validate_only {
        store(broker, kind, name, next)?;
    }
    Ok(())
}

/// Whether there is what is to be changed.
fn check_resource(broker: &Broker, caller: &Caller, kind: i8, name: &str) -> Result<(), Refusal> {
    let invalid = |text: &str| refusal(ResponseError::InvalidRequest, text);
    match kind {
        TOPICS if name.is_empty() => invalid("Default topic resources are not allowed."),
        TOPICS => {
            check_name(name).or_else(|text| refusal(ResponseError::InvalidTopicException, text))?;
            match broker.topics.by_name.contains_key(name) {
                true => Ok(()),
                false => refusal(ResponseError::UnknownTopicOrPartition, format!("The topic '{name}' does not exist.")),
            }
        }
        BROKERS if !name.is_empty() => match name.parse::<i32>() {
            Err(_) => invalid(&format!("Node id must be an integer, but it is: {name}")),
            Ok(id) if id != caller.node => {
                invalid(&format!("Unexpected broker id, expected {}, but received {name}", caller.node))
            }
            Ok(_) => Ok(()),
        },
        LOGGERS => match name.parse::<i32>() {
            Err(_) => invalid(&format!("Node id must be an integer, but it is: {name}")),
            Ok(id) if id != caller.node => {
                invalid(&format!("Unexpected node id. Expected {}, but received {name}", caller.node))
            }
            Ok(_) => Ok(()),
        },
        CLIENT_METRICS if name.is_empty() => invalid("Subscription name can't be empty"),
        GROUPS if name.is_empty() => invalid("Default group resources are not allowed."),
        _ => Ok(()),
    }
}

/// Nothing here has loggers; the root one may be set, to no effect, as scripts do.
fn loggers(changes: &[Change<'_>]) -> Result<(), Refusal> {
    for change in changes {
        let known = change.name == "root" || change.name == "org.apache.kafka";
        if !known {
            let text = format!("Logger {} does not exist!", change.name);
            return refusal(ResponseError::InvalidConfig, text);
        }
        if change.operation > 1 {
            let word = if change.operation == 2 { "APPEND" } else { "SUBTRACT" };
            let text = format!("{word} operation is not allowed for the BROKER_LOGGER resource");
            return refusal(ResponseError::InvalidRequest, text);
        }
        if change.operation == 1 && change.name == "root" {
            return refusal(ResponseError::InvalidRequest, "Removing the log level of the root logger is not allowed");
        }
        let levels = ["DEBUG", "ERROR", "FATAL", "INFO", "TRACE", "WARN"];
        if let Some(level) = change.value.filter(|level| change.operation == 0 && !levels.contains(level)) {
            let text =
                format!("Cannot set the log level of {} to {level} as it is not a supported log level. ", change.name);
            return refusal(ResponseError::InvalidConfig, format!("{text}Valid log levels are {}", levels.join(", ")));
        }
    }
    Ok(())
}

fn apply(kind: i8, next: &mut Values, change: &Change<'_>) -> Result<(), Refusal> {
    let value = change.value.unwrap_or_default();
    match change.operation {
        0 => drop(next.insert(change.name.to_owned(), value.to_owned())),
        1 => drop(next.remove(change.name)),
        2 | 3 => {
            let setting = setting(kind, change.name);
            if !setting.is_some_and(is_list) {
                let word = if change.operation == 2 { "APPEND" } else { "SUBTRACT" };
                let text = format!("Can't {word} to key {} because its type is not LIST.", change.name);
                return refusal(ResponseError::InvalidConfig, text);
            }
            let default = setting.and_then(|setting| setting.default).unwrap_or_default();
            let now = next.get(change.name).map_or(default, String::as_str);
            let mut list: Vec<&str> = elements(now).collect();
            for element in elements(value) {
                if change.operation == 3 {
                    list.retain(|there| *there != element);
                } else if !list.contains(&element) {
                    list.push(element);
                }
            }
            next.insert(change.name.to_owned(), list.join(","));
        }
        other => {
            let text = format!("Unknown operation type {other}");
            return refusal(ResponseError::InvalidRequest, text);
        }
    }
    Ok(())
}

/// What has changed for a topic, a group or metrics.
fn check_values(broker: &Broker, kind: i8, changes: &[Change<'_>], next: &Values) -> Result<(), Refusal> {
    for change in changes.iter().filter(|change| change.operation != 1) {
        let value = next.get(change.name).map_or("", String::as_str);
        let checked = match kind {
            TOPICS => validate(change.name, value),
            _ => match setting(kind, change.name) {
                Some(setting) => setting.validate(value),
                None if kind == GROUPS => Err(format!("Unknown group config name: {}", change.name)),
                None => Err(format!("Unknown client metrics configuration: {}", change.name)),
            },
        };
        let error = if kind == CLIENT_METRICS { ResponseError::InvalidRequest } else { ResponseError::InvalidConfig };
        checked.or_else(|text| refusal(error, text))?;
        if kind == GROUPS {
            check_bounds(broker, change.name, value).or_else(|text| refusal(error, text))?;
        }
    }
    Ok(())
}

/// A time of a group has to be within what the broker allows for all of them.
fn check_bounds(broker: &Broker, name: &str, value: &str) -> Result<(), String> {
    let Some((kind, time)) = name.split_once('.') else { return Ok(()) };
    let Ok(value) = value.trim().parse::<i64>() else { return Ok(()) };
    let bound = |which: &str| {
        let name = format!("group.{kind}.{which}.{time}");
        broker.configs.number(1, &name).map(|bound| (bound, name))
    };
    match (bound("min"), bound("max")) {
        (Some((min, bound)), _) if value < min => Err(format!("{name} must be greater than or equal to {bound}")),
        (_, Some((max, bound))) if value > max => Err(format!("{name} must be less than or equal to {bound}")),
        _ => Ok(()),
    }
}

/// What has changed for brokers. A name that Kafka does not know is kept, as there.
fn check_broker(changes: &[Change<'_>], next: &Values) -> Result<(), Refusal> {
    let fixed = |change: &&Change<'_>| setting(BROKERS, change.name).is_some_and(|setting| !setting.dynamic);
    let names: Vec<&str> = changes.iter().filter(fixed).map(|change| change.name).collect();
    if !names.is_empty() {
        let text = format!("Cannot update these configs dynamically: Set({})", names.join(", "));
        return refusal(ResponseError::InvalidRequest, text);
    }
    for change in changes.iter().filter(|change| change.operation != 1) {
        if let (Some(setting), Some(value)) = (setting(BROKERS, change.name), next.get(change.name)) {
            validate_broker(setting, value).or_else(|text| refusal(ResponseError::InvalidRequest, text))?;
        }
    }
    Ok(())
}

fn store(broker: &mut Broker, kind: i8, name: &str, next: Values) -> Result<(), Refusal> {
    let configs = &mut broker.configs;
    match kind {
        TOPICS => {
            broker.topics.set_config(name, next, &broker.configs);
        }
        BROKERS if name.is_empty() => {
            configs.all = next;
            broker.topics.reconfigure(configs);
        }
        BROKERS => {
            configs.by_broker.insert(broker_id(name)?, next);
            broker.topics.reconfigure(configs);
        }
        _ => {
            let of = if kind == GROUPS { &mut configs.by_group } else { &mut configs.by_metrics };
            if next.is_empty() {
                of.remove(name);
            } else if of.len() >= MOST && !of.contains_key(name) {
                let text = format!("No more than {MOST} resources of the type {} can be configured.", type_name(kind));
                return refusal(ResponseError::PolicyViolation, text);
            } else {
                of.insert(name.to_owned(), next);
            }
        }
    }
    Ok(())
}
