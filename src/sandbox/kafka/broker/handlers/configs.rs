//! DescribeConfigs and ListConfigResources: what is set, and where it comes from.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use kafka_protocol::messages::list_config_resources_response::ConfigResource;
use kafka_protocol::messages::{
    DescribeConfigsRequest, DescribeConfigsResponse, ListConfigResourcesRequest, ListConfigResourcesResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::super::auth::{Operation, Resource};
use super::super::config::brokers::BROKER;
use super::super::config::others::{GROUP, METRICS};
use super::super::config::table::{Kind, Setting, find};
use super::super::config::topics::TOPIC;
use super::super::config::{Source, Valued, Values};
use super::super::creation::check_name;
use super::super::time::Now;
use super::super::{Broker, Caller};

pub(crate) const TOPICS: i8 = 2;
pub(crate) const BROKERS: i8 = 4;
pub(crate) const LOGGERS: i8 = 8;
pub(crate) const CLIENT_METRICS: i8 = 16;
pub(crate) const GROUPS: i8 = 32;

/// An error, and what Kafka says to it.
pub(crate) type Refusal = (ResponseError, Option<String>);

/// A refusal with a text.
pub(crate) fn refusal<T>(error: ResponseError, text: impl Into<String>) -> Result<T, Refusal> {
    Err((error, Some(text.into())))
}

/// What is told beside an error.
pub(super) fn text(text: impl Into<String>) -> Option<StrBytes> {
    Some(StrBytes::from_string(text.into()))
}

/// Whether the caller may look at, or change, the settings of this.
///
/// # Errors
/// If not: the error that goes with the resource.
pub(crate) fn may(broker: &Broker, caller: &Caller, alter: bool, kind: i8, name: &str) -> Result<(), Refusal> {
    let operation = if alter { Operation::AlterConfigs } else { Operation::DescribeConfigs };
    let (resource, error, text) = match kind {
        TOPICS => (Resource::Topic(name), ResponseError::TopicAuthorizationFailed, "Topic authorization failed."),
        GROUPS => (Resource::Group(name), ResponseError::GroupAuthorizationFailed, "Group authorization failed."),
        _ => (Resource::Cluster, ResponseError::ClusterAuthorizationFailed, "Cluster authorization failed."),
    };
    let topic = (kind == TOPICS).then_some(name);
    if let Some(error) = caller.fault(topic, None) {
        return Err((error, None));
    }
    if broker.allowed(caller, operation, resource) { Ok(()) } else { refusal(error, text) }
}

/// The id of a broker that a resource names.
///
/// # Errors
/// When it is no number.
pub(crate) fn broker_id(name: &str) -> Result<i32, Refusal> {
    let text = || format!("Broker id must be an integer, but it is: {name}");
    name.parse().or_else(|_| refusal(ResponseError::InvalidRequest, text()))
}

/// What goes into the answer.
struct Wanted<'a> {
    version: i16,
    synonyms: bool,
    docs: bool,
    keys: Option<&'a [StrBytes]>,
}

impl Wanted<'_> {
    fn has(&self, name: &str) -> bool {
        self.keys.is_none_or(|keys| keys.is_empty() || keys.iter().any(|key| key.as_str() == name))
    }

    fn entry(
        &self,
        setting: &Setting,
        value: Option<String>,
        source: Source,
        synonyms: Vec<Valued>,
    ) -> DescribeConfigsResourceResult {
        let mut entry = DescribeConfigsResourceResult::default()
            .with_name(StrBytes::from_static_str(setting.name))
            .with_value(value.map(StrBytes::from_string))
            .with_read_only(!setting.dynamic)
            .with_config_source(source as i8);
        if self.synonyms {
            let synonyms = synonyms.into_iter().map(|synonym| {
                DescribeConfigsSynonym::default()
                    .with_name(StrBytes::from_static_str(synonym.name))
                    .with_value(Some(StrBytes::from_string(synonym.value)))
                    .with_source(synonym.source as i8)
            });
            entry.synonyms = synonyms.collect();
        }
        if self.version >= 3 {
            entry.config_type = setting.kind as i8;
            entry.documentation = self.docs.then(|| StrBytes::from_static_str(setting.doc));
        }
        entry
    }
}

pub(crate) fn describe(
    broker: &mut Broker,
    caller: &Caller,
    request: DescribeConfigsRequest,
    version: i16,
    _now: Now,
) -> DescribeConfigsResponse {
    let results = request.resources.iter().map(|resource| {
        let wanted = Wanted {
            version,
            synonyms: request.include_synonyms,
            docs: request.include_documentation,
            keys: resource.configuration_keys.as_deref(),
        };
        let result = DescribeConfigsResult::default()
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name.clone());
        match configs(broker, caller, resource, &wanted) {
            Ok(configs) => result.with_configs(configs),
            Err((error, text)) => {
                result.with_error_code(error.code()).with_error_message(text.map(StrBytes::from_string))
            }
        }
    });
    DescribeConfigsResponse::default().with_results(results.collect())
}

fn configs(
    broker: &Broker,
    caller: &Caller,
    resource: &DescribeConfigsResource,
    wanted: &Wanted<'_>,
) -> Result<Vec<DescribeConfigsResourceResult>, Refusal> {
    let name = resource.resource_name.as_str();
    let kind = resource.resource_type;
    if ![TOPICS, BROKERS, LOGGERS, CLIENT_METRICS, GROUPS].contains(&kind) {
        let text = "This most likely occurs because of a request being malformed by the client library or the message \
                    was sent to an incompatible broker. See the broker logs for more details.";
        return refusal(ResponseError::InvalidRequest, text);
    }
    may(broker, caller, false, kind, name)?;
    match kind {
        TOPICS => of_topic(broker, caller, name, wanted),
        BROKERS if name.is_empty() => {
            let set = &broker.configs.all;
            let settings = BROKER.iter().filter(|setting| set.contains_key(setting.name) && wanted.has(setting.name));
            Ok(settings.map(|setting| of_all_brokers(set, setting, wanted)).collect())
        }
        BROKERS => of_broker(broker, caller, name, wanted),
        LOGGERS => {
            if name.is_empty() {
                return refusal(ResponseError::InvalidRequest, "Broker id must not be empty");
            }
            if broker_id(name)? != caller.node {
                let text = format!("Unexpected broker id, expected {} but received {name}", caller.node);
                return refusal(ResponseError::InvalidRequest, text);
            }
            // Nothing here has loggers that could be turned up.
            Ok(Vec::new())
        }
        CLIENT_METRICS if name.is_empty() => {
            refusal(ResponseError::InvalidRequest, "Client metrics subscription name must not be empty")
        }
        CLIENT_METRICS => {
            let none = Values::new();
            let set = broker.configs.by_metrics.get(name).unwrap_or(&none);
            let entry = |setting: &Setting| {
                let set = set.get(setting.name).cloned();
                let source = if set.is_some() { Source::ClientMetrics } else { Source::Default };
                wanted.entry(setting, set.or_else(|| setting.default.map(str::to_owned)), source, Vec::new())
            };
            Ok(METRICS.iter().filter(|setting| wanted.has(setting.name)).map(entry).collect())
        }
        _ if name.is_empty() => refusal(ResponseError::InvalidRequest, "Group name must not be empty"),
        _ => {
            let none = Values::new();
            let set = broker.configs.by_group.get(name).unwrap_or(&none);
            Ok(of_group(broker, caller, set, wanted))
        }
    }
}

fn of_topic(
    broker: &Broker,
    caller: &Caller,
    name: &str,
    wanted: &Wanted<'_>,
) -> Result<Vec<DescribeConfigsResourceResult>, Refusal> {
    check_name(name).or_else(|text| refusal(ResponseError::InvalidTopicException, text))?;
    let topic = broker.topics.by_name.get(name).ok_or((ResponseError::UnknownTopicOrPartition, Some(String::new())))?;
    let settings = TOPIC.iter().filter(|setting| wanted.has(setting.name));
    let entry = |setting: &Setting| {
        let (value, source) = broker.configs.of_topic(&topic.config, setting);
        let mut synonyms = Vec::new();
        if source == Source::Topic {
            synonyms.push(Valued { name: setting.name, value: value.clone(), source });
        }
        if let Some(first) = setting.synonyms.first() {
            synonyms.extend(broker.configs.synonyms(caller.node, first));
        }
        wanted.entry(setting, Some(value), source, synonyms)
    };
    Ok(settings.map(entry).collect())
}

fn of_broker(
    broker: &Broker,
    caller: &Caller,
    name: &str,
    wanted: &Wanted<'_>,
) -> Result<Vec<DescribeConfigsResourceResult>, Refusal> {
    if broker_id(name)? != caller.node {
        let text = format!("Unexpected broker id, expected {} or empty string, but received {name}", caller.node);
        return refusal(ResponseError::InvalidRequest, text);
    }
    let settings = BROKER.iter().filter(|setting| wanted.has(setting.name));
    let entry = |setting: &Setting| {
        let mut synonyms = broker.configs.synonyms(caller.node, setting.name);
        let own = match setting.name {
            "node.id" | "broker.id" => Some(caller.node.to_string()),
            "listeners" | "advertised.listeners" => listener(broker, caller.node),
            _ => None,
        };
        if let Some(value) = own {
            synonyms.insert(0, Valued { name: setting.name, value, source: Source::Static });
        }
        let (value, source) = match synonyms.first() {
            Some(first) => (Some(first.value.clone()), first.source),
            None => (None, Source::Default),
        };
        wanted.entry(setting, value, source, synonyms)
    };
    Ok(settings.map(entry).collect())
}

fn listener(broker: &Broker, id: i32) -> Option<String> {
    let node = broker.cluster.nodes.iter().find(|node| node.id == id)?;
    let protocol = match (broker.security.login, broker.options.tls.is_some()) {
        (false, false) => "PLAINTEXT",
        (false, true) => "SSL",
        (true, false) => "SASL_PLAINTEXT",
        (true, true) => "SASL_SSL",
    };
    Some(format!("{protocol}://{}:{}", node.host, node.port))
}

fn of_all_brokers(set: &Values, setting: &Setting, wanted: &Wanted<'_>) -> DescribeConfigsResourceResult {
    let value = set.get(setting.name).cloned().unwrap_or_default();
    let source = Source::DefaultBroker;
    let synonym = Valued { name: setting.name, value: value.clone(), source };
    wanted.entry(setting, Some(value), source, vec![synonym])
}

fn of_group(broker: &Broker, caller: &Caller, set: &Values, wanted: &Wanted<'_>) -> Vec<DescribeConfigsResourceResult> {
    let settings = GROUP.iter().filter(|setting| wanted.has(setting.name));
    let entry = |setting: &Setting| {
        let of_broker = broker.configs.of_broker(caller.node, &format!("group.{}", setting.name));
        let default = of_broker.map(|valued| valued.value).or_else(|| setting.default.map(str::to_owned));
        let synonyms = [(set.get(setting.name).cloned(), Source::Group), (default, Source::Default)].into_iter();
        let synonyms: Vec<Valued> =
            synonyms.filter_map(|(value, source)| Some(Valued { name: setting.name, value: value?, source })).collect();
        let (value, source) = synonyms.first().map_or((None, Source::Default), |v| (Some(v.value.clone()), v.source));
        wanted.entry(setting, value, source, synonyms)
    };
    settings.map(entry).collect()
}

/// A type of resource as Kafka calls it.
pub(crate) fn type_name(kind: i8) -> &'static str {
    match kind {
        TOPICS => "TOPIC",
        BROKERS => "BROKER",
        LOGGERS => "BROKER_LOGGER",
        CLIENT_METRICS => "CLIENT_METRICS",
        GROUPS => "GROUP",
        _ => "UNKNOWN",
    }
}

/// A setting of a kind of resource.
pub(crate) fn setting(kind: i8, name: &str) -> Option<&'static Setting> {
    let table = match kind {
        TOPICS => TOPIC,
        BROKERS => BROKER,
        CLIENT_METRICS => METRICS,
        GROUPS => GROUP,
        _ => return None,
    };
    find(table, name)
}

/// Whether a setting is a list, which can be appended to.
pub(crate) fn is_list(setting: &Setting) -> bool {
    setting.kind == Kind::List
}

pub(crate) fn list_resources(
    broker: &mut Broker,
    caller: &Caller,
    request: ListConfigResourcesRequest,
    version: i16,
    _now: Now,
) -> ListConfigResourcesResponse {
    let answer = ListConfigResourcesResponse::default();
    if !broker.allowed(caller, Operation::DescribeConfigs, Resource::Cluster) {
        return answer.with_error_code(ResponseError::ClusterAuthorizationFailed.code());
    }
    let all = [TOPICS, BROKERS, LOGGERS, CLIENT_METRICS, GROUPS];
    let kinds = match (version, request.resource_types.as_slice()) {
        (0, _) => vec![CLIENT_METRICS],
        (_, []) => all.to_vec(),
        (_, kinds) if kinds.iter().any(|kind| !all.contains(kind)) => {
            return answer.with_error_code(ResponseError::UnsupportedVersion.code());
        }
        (_, kinds) => all.into_iter().filter(|kind| kinds.contains(kind)).collect(),
    };
    let ids = || broker.cluster.alive().map(|node| node.id.to_string()).collect::<Vec<_>>();
    let named = |kind: i8| match kind {
        TOPICS => broker.topics.by_name.keys().cloned().collect(),
        BROKERS | LOGGERS => ids(),
        CLIENT_METRICS => broker.configs.by_metrics.keys().cloned().collect(),
        _ => broker.configs.by_group.keys().cloned().collect::<Vec<_>>(),
    };
    let resources = kinds.into_iter().flat_map(|kind| named(kind).into_iter().map(move |name| (kind, name)));
    let resources = resources.map(|(kind, name)| {
        ConfigResource::default().with_resource_type(kind).with_resource_name(StrBytes::from_string(name))
    });
    answer.with_config_resources(resources.collect())
}
