//! `kafka topic list` and `describe`.

use std::sync::Arc;

use rdkafka::admin::{ConfigSource, ResourceSpecifier};
use rdkafka::consumer::BaseConsumer;
use rdkafka::metadata::{Metadata, MetadataPartition, MetadataTopic};
use serde_json::{Value, json};

use super::{admin, options};
use crate::context::Context;
use crate::error::Result;
use crate::kafka::client::{
    Events, Partition, Setup, begins, connect, drop_within, ends, error_of, is_mock, topic_error,
};
use crate::kafka::settings::Settings;
use crate::output::{Layout, Table};

/// List the topics
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// The cluster's own topics too
    #[arg(long)]
    internal: bool,
    /// How to show the list
    #[arg(short, long, value_name = "LAYOUT", value_enum)]
    output: Option<Layout>,
    #[command(flatten)]
    settings: Settings,
}

/// Show partitions, leaders, replicas, watermarks and the settings that are not the default
#[derive(Debug, clap::Args)]
pub struct DescribeArgs {
    /// The topics
    #[arg(value_name = "TOPIC", required = true)]
    topics: Vec<String>,
    /// How to show them
    #[arg(short, long, value_name = "LAYOUT", value_enum)]
    output: Option<Layout>,
    #[command(flatten)]
    settings: Settings,
}

/// The topics that Kafka and its usual companions keep for themselves begin so.
fn is_internal(name: &str) -> bool {
    name.starts_with("__")
}

/// Lists the topics.
///
/// # Errors
/// The connection's and the output's.
pub async fn list(args: ListArgs, cx: &Context) -> Result<()> {
    let setup = crate::kafka::setup(&args.settings, cx)?;
    let consumer = setup.consumer(&[])?;
    let metadata = connect(&consumer, &setup, None, &cx.policy, &cx.shutdown).await?;
    let mut topics: Vec<&MetadataTopic> =
        metadata.topics().iter().filter(|t| args.internal || !is_internal(t.name())).collect();
    topics.sort_by_key(|t| t.name());
    let mut table = Table::new(&["topic", "partitions", "replicas"]);
    for topic in topics {
        let replicas = topic.partitions().iter().map(|p| ids(p, MetadataPartition::replicas).len()).max();
        table.row([json!(topic.name()), json!(topic.partitions().len()), json!(replicas.unwrap_or(0))]);
    }
    drop_within(consumer, super::super::CLOSE);
    table.print(args.output, &cx.terminal)
}

/// rdkafka makes a slice of a null pointer where there is none.
fn ids(partition: &MetadataPartition, of: impl Fn(&MetadataPartition) -> &[i32]) -> Vec<i32> {
    of(partition).to_vec()
}

/// Describes topics.
///
/// # Errors
/// The connection's; `Kind::Refused` for a topic that is not there.
pub async fn describe(args: DescribeArgs, cx: &Context) -> Result<()> {
    let setup = crate::kafka::setup(&args.settings, cx)?;
    let consumer = setup.consumer(&[])?;
    let metadata = connect(&consumer, &setup, None, &cx.policy, &cx.shutdown).await?;
    let configs = changed_configs(&setup, &consumer, &args.topics, &metadata, cx).await?;
    let (limit, topics) = (cx.policy.connect_timeout, args.topics.clone());
    let rows = super::super::on_thread(move || {
        let mut rows = Vec::new();
        for topic in &topics {
            rows.extend(partition_rows(&consumer, &metadata, topic, limit)?);
        }
        drop_within(consumer, super::super::CLOSE);
        Ok(rows)
    })
    .await?;
    let mut partitions = Table::new(&["topic", "partition", "leader", "replicas", "isr", "low", "high"]);
    for row in rows {
        partitions.row(row);
    }
    partitions.print(args.output, &cx.terminal)?;
    if configs.is_empty() {
        return Ok(());
    }
    let mut table = Table::new(&["topic", "config", "value"]);
    for (topic, name, value) in configs {
        table.row([json!(topic), json!(name), json!(value)]);
    }
    table.print(args.output, &cx.terminal)
}

fn partition_rows(
    consumer: &Arc<BaseConsumer<Events>>,
    metadata: &Metadata,
    topic: &str,
    limit: std::time::Duration,
) -> Result<Vec<[Value; 7]>> {
    let mut found: Vec<&MetadataPartition> =
        metadata.topics().iter().filter(|t| t.name() == topic).flat_map(|t| t.partitions()).collect();
    found.sort_by_key(|p| p.id());
    // A partition without a leader has no watermarks to ask for, and is shown all the same.
    let led: Vec<Partition> = found
        .iter()
        .filter(|p| p.leader() >= 0)
        .map(|p| Partition { topic: topic.to_owned(), number: p.id() })
        .collect();
    let (lows, highs) = (begins(consumer, &led, limit)?, ends(consumer, &led, limit)?);
    let mark = |marks: &[i64], id: i32| led.iter().position(|p| p.number == id).and_then(|i| marks.get(i).copied());
    Ok(found
        .iter()
        .map(|p| {
            let leader = Some(p.leader()).filter(|l| *l >= 0);
            [
                json!(topic),
                json!(p.id()),
                json!(leader),
                json!(ids(p, MetadataPartition::replicas)),
                json!(ids(p, MetadataPartition::isr)),
                json!(mark(&lows, p.id())),
                json!(mark(&highs, p.id())),
            ]
        })
        .collect())
}

/// The settings of the topics themselves that are not the broker's default, by topic and name.
async fn changed_configs(
    setup: &Setup,
    consumer: &BaseConsumer<Events>,
    topics: &[String],
    metadata: &Metadata,
    cx: &Context,
) -> Result<Vec<(String, String, Option<String>)>> {
    for topic in topics {
        match metadata.topics().iter().find(|t| t.name() == topic).map(|t| t.error()) {
            Some(None) => {}
            Some(Some(code)) => return Err(topic_error(topic, code.into())),
            None => return Err(topic_error(topic, rdkafka::types::RDKafkaErrorCode::UnknownTopicOrPartition)),
        }
    }
    if is_mock(consumer) {
        cx.terminal.note("the sandbox's Kafka cluster keeps no settings of topics");
        return Ok(Vec::new());
    }
    let admin = admin(setup)?;
    let specifiers: Vec<ResourceSpecifier<'_>> = topics.iter().map(|t| ResourceSpecifier::Topic(t)).collect();
    let asked = admin.describe_configs(&specifiers, &options(cx));
    let answer = cx
        .shutdown
        .or_stop(async { asked.await.map_err(|e| error_of("cannot read the topics' settings", &e)) })
        .await?;
    let mut configs = Vec::new();
    for (topic, resource) in topics.iter().zip(answer) {
        let resource = resource
            .map_err(|code| topic_error(topic, code).context(format!("cannot read the settings of `{topic}`")))?;
        let own = resource.entries.into_iter().filter(|e| e.source == ConfigSource::DynamicTopic);
        let mut own: Vec<_> = own.map(|e| (topic.clone(), e.name, e.value)).collect();
        own.sort();
        configs.extend(own);
    }
    drop_within(admin, super::super::CLOSE);
    Ok(configs)
}
