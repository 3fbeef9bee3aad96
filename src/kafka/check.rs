//! What `check` asks of a Kafka cluster.

use std::sync::Arc;
use std::time::Instant;

use rdkafka::consumer::{BaseConsumer, Consumer};

use super::client::{CLOSE, ConnectionEvents, Setup, connect, drop_within, error_of, fault_of_topic, likely, probe};
use super::registry::Api;
use super::settings::{Registry, Settings};
use super::shared::{on_thread, setup_of};
use crate::context::Context;
use crate::error::{Error, Result, counted};
use crate::net::step;

/// How to connect; nothing was sent yet.
pub(crate) struct PreparedCheck {
    /// To the cluster, unless a schema registry is all that is named.
    cluster: Option<Setup>,
    registry: Option<Api>,
}

/// Reads the settings.
///
/// # Errors
/// As [`setup_of`] and [`Api::new`].
pub(crate) fn prepare_check(flags: &Settings, cx: &Context) -> Result<PreparedCheck> {
    let resolved = cx.settings(flags)?;
    let is_named = resolved.settings.registry.is_named();
    let server = is_named.then(|| Registry::server(&resolved)).transpose()?;
    let registry = server.map(|server| Api::new(server, cx.policy, cx.shutdown.clone())).transpose()?;
    let is_alone = registry.is_some() && resolved.settings.server.is_none();
    let cluster = if is_alone { None } else { Some(setup_of(resolved, cx)?) };
    Ok(PreparedCheck { cluster, registry })
}

/// Goes the whole way to a cluster: to its brokers, its metadata, and these topics; and to the schema registry, where one is
/// named.
///
/// # Errors
/// Those of the first step that fails.
pub(crate) async fn check(prepared: PreparedCheck, topics: &[String], cx: &Context) -> Result<()> {
    let PreparedCheck { cluster, registry } = prepared;
    match cluster {
        Some(setup) => check_cluster(setup, topics, cx).await?,
        None if topics.is_empty() => {}
        None => return Err(Error::config("the profile names a schema registry, and no Kafka server")),
    }
    match registry {
        Some(api) => check_registry(&api, cx).await,
        None => Ok(()),
    }
}

async fn check_registry(api: &Api, cx: &Context) -> Result<()> {
    let started = Instant::now();
    api.open().await?;
    let subjects = async || {
        let subjects = api.subjects(false).await.map_err(|declined| declined.error("cannot list the subjects"))?;
        Ok(format!("{}: {}", api.endpoint(), counted(subjects.len() as u64, "subject")))
    };
    let asked = cx.policy.until_ready(&cx.shutdown, started, async || {
        step(cx.policy.say, "registry", subjects(), String::clone).await.map(drop)
    });
    asked.await
}

async fn check_cluster(setup: Setup, topics: &[String], cx: &Context) -> Result<()> {
    let started = Instant::now();
    cx.policy.connect(&cx.shutdown, |limit| probe(&setup, limit, cx.policy.say)).await?;
    let consumer = setup.consumer(&[])?;
    let topic = topics.first().map(String::as_str);
    let connected = connect(&consumer, &setup, topic, &cx.policy, &cx.shutdown).await;
    let looked = match connected {
        Err(error) => Err(error),
        Ok(_) if topics.is_empty() => Ok(()),
        Ok(_) => {
            let asked = cx.policy.until_ready(&cx.shutdown, started, async || {
                step(cx.policy.say, "topics", look(&consumer, topics, cx), String::clone).await.map(drop)
            });
            asked.await
        }
    };
    close(consumer).await?;
    looked
}

async fn close(consumer: Arc<BaseConsumer<ConnectionEvents>>) -> Result<()> {
    on_thread(move || {
        drop_within(consumer, CLOSE);
        Ok(())
    })
    .await
}

/// What the topics are, in words.
async fn look(consumer: &Arc<BaseConsumer<ConnectionEvents>>, topics: &[String], cx: &Context) -> Result<String> {
    let (consumer, topics, limit) = (consumer.clone(), topics.to_vec(), cx.policy.connect_timeout);
    on_thread(move || {
        let mut found = Vec::new();
        for topic in &topics {
            let metadata = consumer
                .fetch_metadata(Some(topic), limit)
                .map_err(|e| error_of(format!("cannot read the metadata of topic `{topic}`"), &e))?;
            if let Some(fault) = fault_of_topic(&metadata, topic) {
                return Err(likely(consumer.client(), topic, fault));
            }
            let partitions = metadata.topics().iter().filter(|t| t.name() == topic).flat_map(|t| t.partitions());
            let headless: Vec<String> =
                partitions.clone().filter(|p| p.leader() < 0).map(|p| p.id().to_string()).collect();
            if !headless.is_empty() {
                let numbers = headless.join(", ");
                return Err(Error::refused(format!("topic `{topic}` has partitions without a leader: {numbers}")));
            }
            found.push(format!("{topic}: {}", counted(partitions.count() as u64, "partition")));
        }
        Ok(found.join("; "))
    })
    .await
}
