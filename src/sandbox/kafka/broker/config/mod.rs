//! Settings: what can be set for topics and brokers, what has been set, and where a value comes from.

pub(crate) mod brokers;
pub(crate) mod effective;
pub(crate) mod others;
pub(crate) mod table;
pub(crate) mod topics;

use std::collections::BTreeMap;

use self::brokers::BROKER;
use self::table::{Check, Setting, find};
use self::topics::TOPIC;

pub(crate) use self::effective::TopicConfig;

/// Names and values.
pub(crate) type Values = BTreeMap<String, String>;

/// Where a value comes from; the numbers are those of DescribeConfigs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Topic = 1,
    Broker = 2,
    DefaultBroker = 3,
    Static = 4,
    Default = 5,
    ClientMetrics = 7,
    Group = 8,
}

/// A value, with its name and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Valued {
    pub name: &'static str,
    pub value: String,
    pub source: Source,
}

/// What has been set for the brokers, groups and metrics. What has been set for a topic is with the topic.
#[derive(Debug, Default)]
pub(crate) struct Configs {
    /// What the brokers were started with, the same for all.
    pub fixed: BTreeMap<&'static str, String>,
    /// What was set for all brokers.
    pub all: Values,
    /// What was set for a broker.
    pub by_broker: BTreeMap<i32, Values>,
    /// What was set for a group.
    pub by_group: BTreeMap<String, Values>,
    /// Subscriptions to clients' metrics. Nothing asks for them.
    pub by_metrics: BTreeMap<String, Values>,
}

/// Whether a topic may have this setting with this value.
///
/// # Errors
/// If not: why, as Kafka says it, for INVALID_CONFIG.
pub(crate) fn validate(name: &str, value: &str) -> Result<(), String> {
    let setting = find(TOPIC, name).ok_or_else(|| format!("Unknown topic config name: {name}"))?;
    setting.validate(value)?;
    let why =
        "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.";
    let remote = name == "remote.storage.enable" && value.trim().eq_ignore_ascii_case("true");
    if remote { Err(why.to_owned()) } else { Ok(()) }
}

/// Whether a broker's setting may have this value. What it shares with topics is checked as there.
///
/// # Errors
/// If not: why, as Kafka says it.
pub(crate) fn validate_broker(setting: &Setting, value: &str) -> Result<(), String> {
    let shared = TOPIC.iter().find(|topic| topic.synonyms.first() == Some(&setting.name));
    setting.validate_with(value, shared.map_or(Check::Any, |topic| topic.check))
}

/// The settings of a broker that mean the same in other units, the one that counts most first.
fn family(name: &'static str) -> &'static [&'static str] {
    const ROLL: &[&str] = &["log.roll.ms", "log.roll.hours"];
    const JITTER: &[&str] = &["log.roll.jitter.ms", "log.roll.jitter.hours"];
    const FLUSH: &[&str] = &["log.flush.interval.ms", "log.flush.scheduler.interval.ms"];
    const RETENTION: &[&str] = &["log.retention.ms", "log.retention.minutes", "log.retention.hours"];
    match name {
        "log.roll.ms" | "log.roll.hours" => ROLL,
        "log.roll.jitter.ms" | "log.roll.jitter.hours" => JITTER,
        "log.flush.interval.ms" => FLUSH,
        "log.retention.ms" | "log.retention.minutes" | "log.retention.hours" => RETENTION,
        _ => &[],
    }
}

impl Configs {
    /// As a new cluster has it. Kafka 4.1 sets `min.insync.replicas` for all brokers (KIP-966).
    pub(crate) fn at_start() -> Configs {
        let mut configs = Configs::default();
        configs.all.insert("min.insync.replicas".to_owned(), "1".to_owned());
        configs
    }

    /// Changes what a setting of all brokers is at their start. A name that is none of the table does nothing.
    pub(crate) fn fix(&mut self, name: &str, value: impl Into<String>) {
        if let Some(setting) = find(BROKER, name) {
            self.fixed.insert(setting.name, value.into());
        }
    }

    /// A broker's setting: where it is set, what counts first. Several names when it is one of a family.
    pub(crate) fn synonyms(&self, node: i32, name: &'static str) -> Vec<Valued> {
        let own = [name];
        let names = match family(name) {
            [] => own.as_slice(),
            names => names,
        };
        let broker = self.by_broker.get(&node);
        let mut out = Vec::new();
        let sources = [Source::Broker, Source::DefaultBroker, Source::Static, Source::Default];
        for source in sources {
            for name in names {
                let value = match source {
                    Source::Broker => broker.and_then(|values| values.get(*name)).cloned(),
                    Source::DefaultBroker => self.all.get(*name).cloned(),
                    Source::Static => self.fixed.get(name).cloned(),
                    _ => find(BROKER, name).and_then(|setting| setting.default).map(str::to_owned),
                };
                out.extend(value.map(|value| Valued { name, value, source }));
            }
        }
        // As Kafka: what comes before the name that was asked for belongs to another.
        let first = out.iter().position(|valued| valued.name == name).unwrap_or(out.len());
        out.split_off(first)
    }

    /// What a setting of a broker is; none when it has no value.
    pub(crate) fn of_broker(&self, node: i32, name: &str) -> Option<Valued> {
        let setting = find(BROKER, name)?;
        self.synonyms(node, setting.name).into_iter().find(|valued| valued.name == setting.name)
    }

    /// What a setting of a broker is as a number; none when it has no value.
    pub(crate) fn number(&self, node: i32, name: &str) -> Option<i64> {
        self.of_broker(node, name)?.value.trim().parse().ok()
    }

    /// What a setting of a broker is as a flag. False when it has no value.
    pub(crate) fn flag(&self, node: i32, name: &str) -> bool {
        self.of_broker(node, name).is_some_and(|valued| valued.value.trim().eq_ignore_ascii_case("true"))
    }

    /// What is set for one of the brokers. They share their logs, so that it counts for all of them.
    fn of_some_broker(&self, name: &str) -> Option<&String> {
        self.by_broker.values().find_map(|values| values.get(name))
    }

    /// What a topic's setting is when nothing is set for the topic.
    pub(crate) fn topic_default(&self, setting: &Setting) -> String {
        let default = || setting.default.unwrap_or_default().to_owned();
        for name in setting.synonyms {
            let set =
                self.of_some_broker(name).or_else(|| self.all.get(*name)).or_else(|| self.fixed.get(name)).cloned();
            let scale = match name.rsplit('.').next() {
                Some("minutes") => 60_000,
                Some("hours") => 3_600_000,
                _ => 1,
            };
            match (set, scale) {
                (Some(value), 1) => return value,
                (Some(value), scale) => {
                    let number = value.trim().parse::<i64>().ok();
                    return number.map_or_else(default, |number| number.saturating_mul(scale).to_string());
                }
                (None, _) => {}
            }
        }
        default()
    }

    /// A topic's setting: its value, and where that comes from.
    pub(crate) fn of_topic(&self, set: &Values, setting: &Setting) -> (String, Source) {
        if let Some(value) = set.get(setting.name) {
            return (value.clone(), Source::Topic);
        }
        let first = setting.synonyms.first();
        let source = match first {
            Some(name) if self.of_some_broker(name).is_some() => Source::Broker,
            Some(name) if self.all.contains_key(*name) => Source::DefaultBroker,
            Some(name) if self.fixed.contains_key(name) => Source::Static,
            _ => Source::Default,
        };
        (self.topic_default(setting), source)
    }
}
