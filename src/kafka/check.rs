//! What `check` asks of a Kafka cluster.

use std::sync::Arc;
use std::time::Instant;

use rdkafka::consumer::{BaseConsumer, Consumer};

use super::client::{CLOSE, ConnectionEvents, Setup, connect, drop_within, error_of, fault_of_topic, likely, probe};
use super::settings::Settings;
use super::shared::{on_thread, setup};
use crate::context::Context;
use crate::error::{Error, Result, counted};
use crate::net::step;

/// How to connect; nothing was sent yet.
pub(crate) struct PreparedCheck(Setup);

/// Reads the settings.
///
/// # Errors
/// As [`setup`].
pub(crate) fn prepare_check(flags: &Settings, cx: &Context) -> Result<PreparedCheck> {
    setup(flags, cx).map(PreparedCheck)
}

/// Goes the whole way to a cluster: to its brokers, its metadata, and these topics.
///
/// # Errors
/// Those of the first step that fails.
pub(crate) async fn check(prepared: PreparedCheck, topics: &[String], cx: &Context) -> Result<()> {
    let (started, PreparedCheck(setup)) = (Instant::now(), prepared);
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
