//! What several verbs use.

use std::collections::BTreeMap;
use std::sync::Arc;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::metadata::{Metadata, MetadataPartition, MetadataTopic};

use super::client::{ConnectionEvents, Setup, Tells, connect, fault_of_topic};
use super::pattern::{Pattern, expand};
use super::registry::{Api, Registry};
use super::settings::{REGISTRY_PREFIX, Registry as Named, Settings};
use crate::codec::{AsksRegistry, Schemas};
use crate::config::Resolved;
use crate::context::Context;
use crate::error::{Error, Kind, Result};
use crate::message::When;
use crate::shutdown;

/// The settings of a verb, ready for clients.
///
/// # Errors
/// As [`Context::settings`] and [`Setup::new`].
pub(crate) fn setup(flags: &Settings, cx: &Context) -> Result<Setup> {
    setup_of(cx.settings_of(flags, &|key| !key.starts_with(REGISTRY_PREFIX))?, cx)
}

/// The same of settings that are looked up already.
///
/// # Errors
/// As [`Setup::new`].
pub(crate) fn setup_of(resolved: Resolved<Settings>, cx: &Context) -> Result<Setup> {
    let terminal = cx.terminal;
    let tells =
        Tells { trace: Arc::new(move |line| terminal.trace(line)), warn: Arc::new(move |text| terminal.warn(text)) };
    Setup::new(resolved, tells, cx.policy, &cx.shutdown)
}

/// The schema registry of a verb: of the settings nothing else is looked at.
///
/// # Errors
/// As [`Context::settings`] and [`Api::new`]; `Kind::Config` where none is named.
pub(crate) fn registry(flags: &Named, cx: &Context) -> Result<Api> {
    let flags = Settings { registry: flags.clone(), ..Settings::default() };
    let resolved = cx.settings_of(&flags, &|key| key.starts_with(REGISTRY_PREFIX))?;
    Api::new(Named::server(&resolved)?, cx.policy, cx.shutdown.clone())
}

/// The same for who reads and writes messages by schemas: it is asked from where one may block, and only once there is
/// something to ask. `None` where nobody asks, or who asks can do without.
///
/// # Errors
/// As [`registry`].
pub(crate) fn schemas(flags: &Named, asks: AsksRegistry, cx: &Context) -> Result<Option<Arc<dyn Schemas>>> {
    let flags = Settings { registry: flags.clone(), ..Settings::default() };
    let resolved = match asks {
        AsksRegistry::Never => return Ok(None),
        AsksRegistry::IfNamed | AsksRegistry::Always => {
            cx.settings_of(&flags, &|key| key.starts_with(REGISTRY_PREFIX))?
        }
    };
    if asks == AsksRegistry::IfNamed && !resolved.settings.registry.is_named() {
        return Ok(None);
    }
    let api = Api::new(Named::server(&resolved)?, cx.policy, cx.shutdown.clone())?;
    Ok(Some(Arc::new(Registry::new(api)?)))
}

/// The name of a topic on the command line.
///
/// # Errors
/// When it is empty.
pub(crate) fn topic_name(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("a topic has a name; list them with `mscomm kafka topic list`".to_owned());
    }
    Ok(text.to_owned())
}

/// The name of one topic on the command line, where others take several.
///
/// # Errors
/// When it is empty, or an expression.
pub(crate) fn one_topic(text: &str) -> Result<String, String> {
    match text.starts_with('^') {
        true => Err("this is about one topic, whose name cannot begin with `^`".to_owned()),
        false => topic_name(text),
    }
}

/// A topic on the command line, or several by a regular expression.
///
/// # Errors
/// When it is empty, or no expression.
pub(crate) fn topic_pattern(text: &str) -> Result<Pattern, String> {
    topic_name(text).and_then(|name| Pattern::read(&name))
}

/// A client for admin requests.
pub(crate) type AdminClient = Arc<BaseConsumer<ConnectionEvents>>;

/// A client for admin requests, and what the cluster says of a topic, or of all topics.
///
/// # Errors
/// The connection's.
pub(crate) async fn admin(flags: &Settings, topic: Option<&str>, cx: &Context) -> Result<(AdminClient, Arc<Metadata>)> {
    let setup = setup(flags, cx)?;
    // With the other isolation level an open transaction's first record would be taken for the end.
    let consumer = setup.consumer(&[("isolation.level", "read_uncommitted")])?;
    let metadata = connect(&consumer, &setup, topic, &cx.policy, &cx.shutdown).await?;
    Ok((consumer, metadata))
}

/// The topics that are meant and there, by what the metadata of all topics says; and why the others are not.
///
/// # Errors
/// The reason to stop.
pub(crate) async fn topics_meant(
    patterns: &[Pattern],
    client: &AdminClient,
    metadata: &Metadata,
    matches: fn(&Pattern, &str) -> bool,
    cx: &Context,
) -> Result<(Vec<String>, Vec<Error>)> {
    let by_name = topics_by_name(metadata);
    let there: Vec<&str> = by_name.keys().copied().collect();
    let (mut names, without) = expand(patterns, &there, matches);
    let mut missing = Vec::new();
    names.retain(|topic| {
        let is_good = by_name.get(topic.as_str()).is_some_and(|found| found.error().is_none());
        if !is_good {
            missing.push(topic.clone());
        }
        is_good
    });
    let faults: Vec<Option<Error>> = missing.iter().map(|topic| fault_of_topic(metadata, topic)).collect();
    let forbidden = match missing.is_empty() {
        true => Vec::new(),
        false => forbidden(client.clone(), missing, cx).await?,
    };
    let mut forbidden = forbidden.into_iter();
    let mut failed: Vec<Error> = faults.into_iter().filter_map(|fault| forbidden.next().flatten().or(fault)).collect();
    failed.extend(without.into_iter().map(no_match));
    Ok((names, failed))
}

/// Which of these topics may not be seen: among all topics they do not appear.
async fn forbidden(client: AdminClient, topics: Vec<String>, cx: &Context) -> Result<Vec<Option<Error>>> {
    let limit = cx.policy.connect_timeout;
    let one = move |topic: &String| {
        let metadata = client.fetch_metadata(Some(topic), limit).ok()?;
        let fault = fault_of_topic(&metadata, topic).filter(|fault| fault.kind() == Kind::Auth)?;
        Some(fault.hint("it takes the operation describe on the topic, as `mscomm kafka acl add` allows it"))
    };
    on_thread(move || Ok(topics.iter().map(one).collect())).await
}

/// What the metadata says of each topic.
pub(crate) fn topics_by_name(metadata: &Metadata) -> BTreeMap<&str, &MetadataTopic> {
    metadata.topics().iter().map(|topic| (topic.name(), topic)).collect()
}

/// The brokers of a partition. rdkafka makes a slice of a null pointer where there are none.
pub(crate) fn ids(partition: &MetadataPartition, of: impl Fn(&MetadataPartition) -> &[i32]) -> Vec<i32> {
    of(partition).to_vec()
}

/// The error of an expression that no topic matches.
pub(crate) fn no_match(pattern: &Pattern) -> Error {
    Error::refused(format!("no topic matches `{}`", pattern.text()))
        .hint("list what is there: `mscomm kafka topic list`; what begins with ^ is a regular expression")
}

/// The milliseconds of a time that Kafka has.
///
/// # Errors
/// A sentence: it has none before 1970.
pub(crate) fn kafka_millis(when: When) -> Result<i64, String> {
    match when.time.millis() {
        Some(millis) if millis >= 0 => Ok(millis),
        Some(_) => Err("Kafka has no times before 1970".to_owned()),
        None => Err("that is too far away".to_owned()),
    }
}

/// Runs a verb's work on a thread of its own, because librdkafka's calls block.
///
/// # Errors
/// Those of the work.
pub(crate) async fn on_thread<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let (sender, done) = tokio::sync::oneshot::channel();
    shutdown::spawn("kafka", move || {
        // The receiver waits below, unless the process is leaving already.
        let _ = sender.send(work());
    })?;
    done.await.unwrap_or_else(|_| Err(Error::new(Kind::Io, "the Kafka thread ended early")))
}
