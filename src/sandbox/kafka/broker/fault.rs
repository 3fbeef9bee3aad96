//! Faults on demand: rules of the owner, by which requests are answered with an error, late, or not at all.
//!
//! An error stands where Kafka would put it: handlers ask [`Caller::fault`] where they ask whether something is
//! allowed. What a rule is about (a topic, a group) is known there only, so whether it has been used is known when the
//! answer is made; then it is delayed, or the connection closed instead. What was asked for has been done by then,
//! unless there is an error.

use std::cell::Cell;
use std::time::Duration;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::ApiKey;
use serde::Deserialize;

use super::announced::VERSIONS;
use super::{Broker, Caller};

/// A rule as it is written. One that has no filter but its API is about each of its requests.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// The API by its name, as `Produce`, or by its number.
    pub api: Text,
    #[serde(default)]
    pub topic: Option<String>,
    #[serde(default)]
    pub group: Option<String>,
    #[serde(default)]
    pub client_id: Option<String>,
    /// A code by its name, as `NOT_LEADER_OR_FOLLOWER`, or by its number.
    #[serde(default)]
    pub error: Option<Text>,
    /// How late the answer is, as `50ms`.
    #[serde(default)]
    pub delay: Option<String>,
    /// The connection is closed instead of an answer.
    #[serde(default)]
    pub close: bool,
    /// So many requests; all, if it is not said.
    #[serde(default)]
    pub times: Option<u64>,
    /// With this chance, from 0 to 1; always, if it is not said.
    #[serde(default)]
    pub probability: Option<f64>,
}

/// A name or a number.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum Text {
    Number(i64),
    Name(String),
}

impl Default for Text {
    fn default() -> Text {
        Text::Name(String::new())
    }
}

/// The APIs whose answers can have an error of a rule in them: those with a place for it that a handler asks about,
/// and what the rules for them can be about.
const ERRORS: &[(ApiKey, &str)] = &[
    (ApiKey::Produce, "topic"),
    (ApiKey::Fetch, "topic"),
    (ApiKey::ListOffsets, "topic"),
    (ApiKey::Metadata, "topic"),
    (ApiKey::OffsetCommit, "group"),
    (ApiKey::OffsetFetch, "group"),
    (ApiKey::FindCoordinator, "group"),
    (ApiKey::JoinGroup, "group"),
    (ApiKey::Heartbeat, "group"),
    (ApiKey::LeaveGroup, "group"),
    (ApiKey::SyncGroup, "group"),
    (ApiKey::DescribeGroups, "group"),
    (ApiKey::CreateTopics, "topic"),
    (ApiKey::DeleteTopics, "topic"),
    (ApiKey::DeleteRecords, "topic"),
    (ApiKey::InitProducerId, ""),
    (ApiKey::OffsetForLeaderEpoch, "topic"),
    (ApiKey::AddPartitionsToTxn, "topic"),
    (ApiKey::AddOffsetsToTxn, "group"),
    (ApiKey::EndTxn, ""),
    (ApiKey::TxnOffsetCommit, "group"),
    (ApiKey::DescribeConfigs, "topic"),
    (ApiKey::AlterConfigs, "topic"),
    (ApiKey::CreatePartitions, "topic"),
    (ApiKey::DeleteGroups, "group"),
    (ApiKey::IncrementalAlterConfigs, "topic"),
    (ApiKey::OffsetDelete, "group"),
    (ApiKey::ConsumerGroupHeartbeat, "group"),
    (ApiKey::ConsumerGroupDescribe, "group"),
];

/// A rule as it is used.
#[derive(Debug, Clone)]
struct Rule {
    api: ApiKey,
    topic: Option<String>,
    group: Option<String>,
    client_id: Option<String>,
    error: Option<ResponseError>,
    delay: Duration,
    close: bool,
    left: Option<u64>,
    chance: f64,
}

/// All rules.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults {
    rules: Vec<Rule>,
}

/// The rules that may be about a request, while it is answered.
#[derive(Debug, Clone)]
pub(crate) struct Active {
    rules: Vec<(usize, Rule)>,
    /// The one that is, by its place among all.
    used: Cell<Option<usize>>,
}

/// What is to be done with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct After {
    pub delay: Duration,
    pub close: bool,
}

impl Faults {
    /// Takes rules as a file of JSON has them: an array.
    ///
    /// # Errors
    /// Where it is none, or as [`Faults::new`].
    pub(crate) fn of_json(text: &str) -> Result<Faults, String> {
        Faults::new(serde_json::from_str(text).map_err(|why| why.to_string())?)
    }

    /// Takes rules as they are written.
    ///
    /// # Errors
    /// Which rule is none, and what would be one.
    pub(crate) fn new(specs: Vec<Spec>) -> Result<Faults, String> {
        let rules =
            specs.into_iter().enumerate().map(|(at, spec)| rule(spec).map_err(|why| format!("rule {}: {why}", at + 1)));
        Ok(Faults { rules: rules.collect::<Result<_, _>>()? })
    }

    /// Those that may be about a request. None if there are none.
    pub(crate) fn about(&self, api: ApiKey, client_id: &str) -> Option<Active> {
        let fits = |rule: &Rule| {
            rule.api == api
                && rule.left != Some(0)
                && rule.client_id.as_deref().is_none_or(|wanted| wanted == client_id)
                && (rule.chance >= 1.0 || fastrand::f64() < rule.chance)
        };
        let rules: Vec<_> = self.rules.iter().cloned().enumerate().filter(|(_, rule)| fits(rule)).collect();
        (!rules.is_empty()).then(|| Active { rules, used: Cell::new(None) })
    }

    /// A request has been answered: what was used is counted. None when no rule was.
    pub(crate) fn answered(&mut self, active: &Active) -> Option<After> {
        let free = |rule: &Rule| rule.topic.is_none() && rule.group.is_none() && rule.error.is_none();
        // What needs no place in an answer holds for any.
        let unasked = || active.rules.iter().find(|(_, rule)| free(rule)).map(|(at, _)| *at);
        let rule = self.rules.get_mut(active.used.get().or_else(unasked)?)?;
        rule.left = rule.left.map(|left| left.saturating_sub(1));
        Some(After { delay: rule.delay, close: rule.close })
    }
}

impl Active {
    fn find(&self, topic: Option<&str>, group: Option<&str>) -> Option<ResponseError> {
        let fits = |wanted: &Option<String>, is: Option<&str>| wanted.is_none() || wanted.as_deref() == is;
        // A request has one rule only, or their counts would be mixed up.
        let used = self.used.get();
        let rules = self.rules.iter().filter(|(at, _)| used.is_none_or(|used| used == *at));
        let (at, rule) = rules.into_iter().find(|(_, rule)| fits(&rule.topic, topic) && fits(&rule.group, group))?;
        self.used.set(Some(*at));
        rule.error
    }
}

impl Caller {
    /// The error that the owner wants for something that a request is about.
    pub(crate) fn fault(&self, topic: Option<&str>, group: Option<&str>) -> Option<ResponseError> {
        self.faults.as_ref()?.find(topic, group)
    }
}

impl Broker {
    /// Gives other rules.
    pub(crate) fn set_faults(&mut self, faults: Faults) {
        self.faults = faults;
    }
}

fn rule(spec: Spec) -> Result<Rule, String> {
    let api = api(&spec.api)?;
    let error = spec.error.as_ref().map(error).transpose()?;
    let place = ERRORS.iter().find(|(key, _)| *key == api).map(|(_, place)| *place);
    if error.is_some() && place.is_none() {
        let known: Vec<String> = ERRORS.iter().map(|(key, _)| format!("{key:?}")).collect();
        return Err(format!("`error`: answers to {api:?} have none; they can have it for {}", known.join(", ")));
    }
    for (field, value) in [("topic", &spec.topic), ("group", &spec.group)] {
        if value.is_some() && place != Some(field) {
            let known = ERRORS.iter().filter(|(_, place)| *place == field);
            let known: Vec<String> = known.map(|(key, _)| format!("{key:?}")).collect();
            return Err(format!(
                "`{field}`: requests of {api:?} are not told apart by it; it is for {}",
                known.join(", ")
            ));
        }
    }
    if error.is_none() && spec.delay.is_none() && !spec.close {
        return Err("nothing happens by it: it needs `error`, `delay` or `close`".to_owned());
    }
    let delay = spec.delay.as_deref().map(|text| {
        humantime::parse_duration(text).map_err(|why| format!("`delay`: `{text}` is no time, as 50ms: {why}"))
    });
    let chance = spec.probability.unwrap_or(1.0);
    if !(0.0..=1.0).contains(&chance) {
        return Err(format!("`probability`: {chance} is not from 0 to 1"));
    }
    Ok(Rule {
        api,
        topic: spec.topic,
        group: spec.group,
        client_id: spec.client_id,
        error,
        delay: delay.transpose()?.unwrap_or_default(),
        close: spec.close,
        left: spec.times,
        chance,
    })
}

/// A name without what may be written in more than one way.
fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

fn api(text: &Text) -> Result<ApiKey, String> {
    // A login is answered before any of these.
    let known = || {
        VERSIONS
            .iter()
            .map(|(key, ..)| *key)
            .filter(|key| !matches!(key, ApiKey::SaslHandshake | ApiKey::SaslAuthenticate))
    };
    let found = match text {
        Text::Number(number) => known().find(|key| i64::from(*key as i16) == *number),
        Text::Name(name) => known().find(|key| plain(&format!("{key:?}")) == plain(name)),
    };
    found.ok_or_else(|| {
        let all: Vec<String> = known().map(|key| format!("{key:?}")).collect();
        format!("`api`: there is no {}; there are {}", shown(text), all.join(", "))
    })
}

/// The last code that Kafka 4.1 has.
const LAST_CODE: i16 = 133;

fn error(text: &Text) -> Result<ResponseError, String> {
    let known = || (-1..=LAST_CODE).filter_map(ResponseError::try_from_code).filter(is_named);
    let found = match text {
        Text::Number(number) => known().find(|error| i64::from(error.code()) == *number),
        Text::Name(name) => known().find(|error| plain(&format!("{error:?}")) == plain(name)),
    };
    found.ok_or_else(|| {
        format!("`error`: there is no {}; there are Kafka's, as NOT_LEADER_OR_FOLLOWER or 6", shown(text))
    })
}

fn is_named(error: &ResponseError) -> bool {
    !matches!(error, ResponseError::Unknown(_))
}

fn shown(text: &Text) -> String {
    match text {
        Text::Number(number) => number.to_string(),
        Text::Name(name) => format!("`{name}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_used_as_often_as_it_says_and_for_what_it_says() {
        let text = r#"[{"api": "produce", "topic": "a", "error": "NOT_LEADER_OR_FOLLOWER", "times": 2},
            {"api": 3, "delay": "5ms"}]"#;
        let mut faults = Faults::of_json(text).unwrap();
        let mut ask = |api, topic: &str| {
            let active = faults.about(api, "c")?;
            let error = active.find(Some(topic), None);
            Some((error, faults.answered(&active)))
        };
        let used =
            Some((Some(ResponseError::NotLeaderOrFollower), Some(After { delay: Duration::ZERO, close: false })));
        assert_eq!(ask(ApiKey::Produce, "b"), Some((None, None)));
        assert_eq!(ask(ApiKey::Produce, "a"), used);
        assert_eq!(ask(ApiKey::Produce, "a"), used);
        assert_eq!(ask(ApiKey::Produce, "a"), None);
        let late = Some(After { delay: Duration::from_millis(5), close: false });
        assert_eq!(ask(ApiKey::Metadata, "a"), Some((None, late)));
        assert_eq!(ask(ApiKey::Fetch, "a"), None);
    }

    #[test]
    fn what_is_no_rule_is_told() {
        let why = |text: &str| Faults::of_json(text).unwrap_err();
        assert!(
            why(r#"[{"api": "Fetch", "close": true}, {"api": "Nope"}]"#)
                .starts_with("rule 2: `api`: there is no `Nope`; there are ")
        );
        assert!(why(r#"[{"api": "Fetch", "eror": 1}]"#).contains("unknown field `eror`"));
        assert!(why(r#"[{"api": "Fetch", "error": "NOPE"}]"#).contains("there is no `NOPE`"));
        assert!(why(r#"[{"api": "ApiVersions", "error": 35}]"#).contains("answers to ApiVersions have none"));
        assert!(why(r#"[{"api": "Fetch", "group": "g", "close": true}]"#).contains("`group`: requests of Fetch"));
        assert!(why(r#"[{"api": "Fetch"}]"#).contains("nothing happens"));
        assert!(why(r#"[{"api": "Fetch", "close": true, "probability": 2}]"#).contains("not from 0 to 1"));
    }
}
