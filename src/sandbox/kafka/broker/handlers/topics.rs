//! CreateTopics, DeleteTopics, CreatePartitions.

use std::collections::{HashMap, HashSet};

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult};
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::{
    BrokerId, CreatePartitionsRequest, CreatePartitionsResponse, CreateTopicsRequest, CreateTopicsResponse,
    DeleteTopicsRequest, DeleteTopicsResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::super::auth::{Operation, Resource};
use super::super::config::topics::TOPIC;
use super::super::config::{Source, Values};
use super::super::creation::Wanted;
use super::super::log::Refusal;
use super::super::time::Now;
use super::super::{Broker, Caller};

/// How often each name is there.
fn count<'a>(names: impl Iterator<Item = &'a StrBytes>) -> HashMap<StrBytes, usize> {
    let mut counts = HashMap::new();
    for name in names {
        *counts.entry(name.clone()).or_default() += 1;
    }
    counts
}

pub(crate) fn create(
    broker: &mut Broker,
    caller: &Caller,
    request: CreateTopicsRequest,
    _version: i16,
    now: Now,
) -> CreateTopicsResponse {
    let counts = count(request.topics.iter().map(|topic| &topic.name.0));
    let mut results = Vec::new();
    let mut told = HashSet::new();
    for topic in &request.topics {
        let name = &topic.name.0;
        let is_twice = counts.get(name).is_some_and(|count| *count > 1);
        if is_twice && !told.insert(name.clone()) {
            continue;
        }
        let made = if is_twice {
            Err(Refusal::new(ResponseError::InvalidRequest, "Duplicate topic name."))
        } else {
            create_one(broker, caller, topic, request.validate_only, now)
        };
        results.push(made.unwrap_or_else(|refusal| {
            CreatableTopicResult::default()
                .with_name(topic.name.clone())
                .with_error_code(refusal.error.code())
                .with_error_message(words(refusal))
                .with_configs(Some(Vec::new()))
                .with_num_partitions(-1)
                .with_replication_factor(-1)
        }));
    }
    CreateTopicsResponse::default().with_topics(results)
}

/// What is said of a refusal; without words of its own, those that Kafka has for the error.
fn words(refusal: Refusal) -> Option<StrBytes> {
    let common = match refusal.error {
        ResponseError::UnknownTopicOrPartition => Some("This server does not host this topic-partition."),
        ResponseError::UnknownTopicId => Some("This server does not host this topic ID."),
        ResponseError::TopicAuthorizationFailed => Some("Topic authorization failed."),
        _ => None,
    };
    refusal.message.map(StrBytes::from_string).or(common.map(StrBytes::from_static_str))
}

fn create_one(
    broker: &mut Broker,
    caller: &Caller,
    topic: &CreatableTopic,
    validate_only: bool,
    now: Now,
) -> Result<CreatableTopicResult, Refusal> {
    let name = &topic.name.0;
    if let Some(error) = caller.fault(Some(name), None) {
        return Err(Refusal::bare(error));
    }
    let may = broker.allowed(caller, Operation::Create, Resource::Cluster)
        || broker.allowed(caller, Operation::Create, Resource::Topic(name));
    if !may {
        return Err(Refusal::new(ResponseError::TopicAuthorizationFailed, "Authorization failed."));
    }
    if name.as_str() == "__cluster_metadata" {
        let text = "Creation of internal topic __cluster_metadata is prohibited.";
        return Err(Refusal::new(ResponseError::InvalidRequest, text));
    }
    let assignments = topic
        .assignments
        .iter()
        .map(|assignment| (assignment.partition_index, assignment.broker_ids.iter().map(|id| id.0).collect()));
    let wanted = Wanted {
        name: name.clone(),
        partitions: topic.num_partitions,
        factor: topic.replication_factor,
        assignments: assignments.collect(),
        config: topic.configs.iter().map(|config| (config.name.clone(), config.value.clone())).collect(),
    };
    let plan = broker.plan(&wanted)?;
    let partitions = i32::try_from(plan.0.len()).unwrap_or(i32::MAX);
    let factor = plan.0.first().map_or(0, Vec::len);
    let sees = broker.allowed(caller, Operation::DescribeConfigs, Resource::Topic(name));
    let result = CreatableTopicResult::default().with_name(topic.name.clone()).with_error_message(None);
    let result = if sees {
        result
            .with_configs(Some(effective(broker, &plan.1)))
            .with_num_partitions(partitions)
            .with_replication_factor(i16::try_from(factor).unwrap_or(i16::MAX))
    } else {
        result
            .with_topic_config_error_code(ResponseError::TopicAuthorizationFailed.code())
            .with_configs(Some(Vec::new()))
            .with_num_partitions(-1)
            .with_replication_factor(-1)
    };
    let id = if validate_only { Uuid::nil() } else { broker.create(name.clone(), plan, now) };
    Ok(result.with_topic_id(id))
}

/// All settings of a topic for which some were set.
fn effective(broker: &Broker, set: &Values) -> Vec<CreatableTopicConfigs> {
    let configs = TOPIC.iter().map(|setting| {
        let (value, source) = broker.configs.of_topic(set, setting);
        CreatableTopicConfigs::default()
            .with_name(StrBytes::from_static_str(setting.name))
            .with_value(Some(StrBytes::from_string(value)))
            .with_config_source(if source == Source::Topic { 1 } else { source as i8 })
    });
    configs.collect()
}

pub(crate) fn delete(
    broker: &mut Broker,
    caller: &Caller,
    request: DeleteTopicsRequest,
    version: i16,
    _now: Now,
) -> DeleteTopicsResponse {
    let mut results = Vec::new();
    let names = request.topic_names.into_iter().map(|name| (Some(name), Uuid::nil()));
    let topics = request.topics.into_iter().map(|topic| (topic.name, topic.topic_id));
    let asked: Vec<_> = if version < 6 { names.collect() } else { topics.collect() };
    let counts = count(asked.iter().filter_map(|(name, _)| name.as_ref().map(|name| &name.0)));
    let mut told = HashSet::new();
    for (name, id) in asked {
        let is_twice = name.as_ref().is_some_and(|name| counts.get(&name.0).is_some_and(|count| *count > 1));
        if is_twice && name.as_ref().is_some_and(|name| !told.insert(name.0.clone())) {
            continue;
        }
        let result = DeletableTopicResult::default();
        let done = match &name {
            Some(_) if !id.is_nil() => {
                let text = "You may not specify both topic name and topic id.";
                Err(Refusal::new(ResponseError::InvalidRequest, text))
            }
            None if id.is_nil() => {
                Err(Refusal::new(ResponseError::InvalidRequest, "Neither topic name nor id were specified."))
            }
            Some(_) if is_twice => Err(Refusal::new(ResponseError::InvalidRequest, "Duplicate topic name.")),
            _ => delete_one(broker, caller, name.as_ref(), id),
        };
        results.push(match done {
            Ok((name, id)) => result.with_name(Some(name)).with_topic_id(id),
            Err(refusal) => {
                // Before version 5 there are no words, and a name there is always.
                let name = if version < 6 { Some(name.unwrap_or_default()) } else { name };
                let id = if version < 6 { Uuid::nil() } else { id };
                let code = refusal.error.code();
                let words = words(refusal).filter(|_| version >= 5);
                result.with_name(name).with_topic_id(id).with_error_code(code).with_error_message(words)
            }
        });
        if let Some(last) = results.last_mut()
            && version < 6
        {
            last.topic_id = Uuid::nil();
        }
    }
    DeleteTopicsResponse::default().with_responses(results)
}

fn delete_one(
    broker: &mut Broker,
    caller: &Caller,
    name: Option<&TopicName>,
    id: Uuid,
) -> Result<(TopicName, Uuid), Refusal> {
    let unknown = if name.is_some() { ResponseError::UnknownTopicOrPartition } else { ResponseError::UnknownTopicId };
    let found = name.map(|name| name.0.clone()).or_else(|| broker.topics.name_of(id).cloned());
    let Some(name) = found else { return Err(Refusal::bare(unknown)) };
    if let Some(error) = caller.fault(Some(&name), None) {
        return Err(Refusal::bare(error));
    }
    let described = broker.allowed(caller, Operation::Describe, Resource::Topic(&name));
    if !broker.allowed(caller, Operation::Delete, Resource::Topic(&name)) {
        // Who may not know its name is not told it.
        let error = if id.is_nil() || described { ResponseError::TopicAuthorizationFailed } else { unknown };
        return Err(Refusal::bare(error));
    }
    let topic = broker.topics.delete(&name).ok_or_else(|| Refusal::bare(unknown))?;
    Ok((TopicName(name), topic.id))
}

pub(crate) fn add_partitions(
    broker: &mut Broker,
    caller: &Caller,
    request: CreatePartitionsRequest,
    _version: i16,
    now: Now,
) -> CreatePartitionsResponse {
    let counts = count(request.topics.iter().map(|topic| &topic.name.0));
    let mut results = Vec::new();
    let mut told = HashSet::new();
    for topic in request.topics {
        let name = &topic.name.0;
        let is_twice = counts.get(name).is_some_and(|count| *count > 1);
        if is_twice && !told.insert(name.clone()) {
            continue;
        }
        let ids = |ids: &[BrokerId]| ids.iter().map(|id| id.0).collect::<Vec<_>>();
        let assignments = topic.assignments.as_ref().map(|all| all.iter().map(|one| ids(&one.broker_ids)).collect());
        let planned = if is_twice {
            Err(Refusal::new(ResponseError::InvalidRequest, "Duplicate topic name."))
        } else if let Some(error) = caller.fault(Some(name), None) {
            Err(Refusal::bare(error))
        } else if !broker.allowed(caller, Operation::Alter, Resource::Topic(name)) {
            Err(Refusal::bare(ResponseError::TopicAuthorizationFailed))
        } else {
            broker.plan_more(name, topic.count, assignments)
        };
        let result = CreatePartitionsTopicResult::default().with_name(topic.name.clone());
        results.push(match planned {
            Ok(replicas) => {
                if !request.validate_only {
                    broker.topics.extend(name, replicas, &broker.cluster, now);
                }
                result.with_error_message(None)
            }
            Err(refusal) => {
                let message = refusal.message.map(StrBytes::from_string);
                result.with_error_code(refusal.error.code()).with_error_message(message)
            }
        });
    }
    CreatePartitionsResponse::default().with_results(results)
}
