//! `kafka topic list` and `describe`.

use std::sync::Arc;

use rdkafka::consumer::BaseConsumer;
use rdkafka::metadata::{Metadata, MetadataPartition, MetadataTopic};
use serde_json::{Value, json};

use crate::context::Context;
use crate::error::{Error, Result};
use crate::kafka::client::{
    CLOSE, ConnectionEvents, Partition, administer, begins, connect, drop_within, ends, fault_of_topic, is_mock,
    said_error,
};
use crate::kafka::ffi::SetBy;
use crate::kafka::pattern::is_internal;
use crate::kafka::settings::Settings;
use crate::kafka::shared;
use crate::output::{Table, TableLayout, WideArgs};
use crate::values::distinct;

/// List the topics
#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    /// The cluster's own topics too
    #[arg(long)]
    internal: bool,
    /// How to show the list
    #[arg(short, long, value_name = "LAYOUT", value_enum)]
    output: Option<TableLayout>,
    #[command(flatten)]
    settings: Settings,
}

/// Show partitions, leaders, replicas, watermarks and the settings that are not the default
#[derive(Debug, clap::Args)]
pub(crate) struct DescribeArgs {
    /// The topics
    #[arg(value_name = "TOPIC", required = true, value_parser = crate::kafka::shared::topic_name)]
    topics: Vec<String>,
    /// How to show them
    #[arg(short, long, value_name = "LAYOUT", value_enum)]
    output: Option<TableLayout>,
    #[command(flatten)]
    wide: WideArgs,
    #[command(flatten)]
    settings: Settings,
}

/// What is shown of a partition.
pub(crate) const PARTITION: [&str; 7] = ["topic", "partition", "leader", "replicas", "isr", "low", "high"];

/// Lists the topics.
///
/// # Errors
/// The connection's and the output's.
pub(crate) async fn list(args: ListArgs, cx: &Context) -> Result<()> {
    let setup = shared::setup(&args.settings, cx)?;
    let consumer = setup.consumer(&[])?;
    let metadata = connect(&consumer, &setup, None, &cx.policy, &cx.shutdown).await?;
    let mut topics: Vec<&MetadataTopic> =
        metadata.topics().iter().filter(|t| args.internal || !is_internal(t.name())).collect();
    topics.sort_by_key(|t| t.name());
    let mut table = Table::new(["topic", "partitions", "replicas"]);
    for topic in topics {
        let replicas = topic.partitions().iter().map(|p| ids(p, MetadataPartition::replicas).len()).max();
        table.row([json!(topic.name()), json!(topic.partitions().len()), json!(replicas.unwrap_or(0))]);
    }
    drop_within(consumer, CLOSE);
    table.print(args.output, &cx.terminal)
}

/// rdkafka makes a slice of a null pointer where there is none.
fn ids(partition: &MetadataPartition, of: impl Fn(&MetadataPartition) -> &[i32]) -> Vec<i32> {
    of(partition).to_vec()
}

/// Describes topics; those that are not there do not hide the others.
///
/// # Errors
/// The connection's; `Kind::Refused` for a topic that is not there.
pub(crate) async fn describe(args: DescribeArgs, cx: &Context) -> Result<()> {
    args.wide.check(&PARTITION)?;
    let setup = shared::setup(&args.settings, cx)?;
    // With the other isolation level an open transaction's first record would be taken for the end.
    let consumer = setup.consumer(&[("isolation.level", "read_uncommitted")])?;
    let metadata = connect(&consumer, &setup, None, &cx.policy, &cx.shutdown).await?;
    let mut failed = Vec::new();
    let mut topics = distinct(args.topics);
    topics.retain(|topic| match fault_of_topic(&metadata, topic) {
        None => true,
        Some(fault) => {
            failed.push(fault);
            false
        }
    });
    if topics.is_empty() {
        return Error::each(failed);
    }
    let inner = cx.clone();
    let (rows, configs) = shared::on_thread(move || {
        let configs = changed_configs(&consumer, &topics, &inner)?;
        let mut rows = Vec::new();
        for topic in &topics {
            rows.extend(partition_rows(&consumer, &metadata, topic, inner.policy.connect_timeout)?);
        }
        drop_within(consumer, CLOSE);
        Ok((rows, configs))
    })
    .await?;
    let mut partitions = Table::new(PARTITION);
    for row in rows {
        partitions.row(row);
    }
    partitions.arranged(&args.wide).print(args.output, &cx.terminal)?;
    let mut table = Table::new(["topic", "config", "value"]);
    let mut any = false;
    for config in configs {
        match config {
            Ok((topic, name, value)) => {
                any = true;
                table.row([json!(topic), json!(name), json!(value)]);
            }
            Err(fault) => failed.push(fault),
        }
    }
    if any {
        table.print(args.output, &cx.terminal)?;
    }
    Error::each(failed)
}

fn partition_rows(
    consumer: &Arc<BaseConsumer<ConnectionEvents>>,
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

/// A topic, the name of a setting, its value.
type Config = (String, String, Option<String>);

/// The settings of the topics themselves that are not the broker's default, by topic and name; or why they cannot be read.
fn changed_configs(
    consumer: &BaseConsumer<ConnectionEvents>,
    topics: &[String],
    cx: &Context,
) -> Result<Vec<Result<Config>>> {
    if is_mock(consumer) {
        cx.terminal.note("the sandbox's Kafka cluster keeps no settings of topics");
        return Ok(Vec::new());
    }
    let what = "cannot read the topics' settings";
    let answer = administer(consumer, cx.policy.connect_timeout, &cx.shutdown, what, |a| a.topic_settings(topics))?;
    let mut configs = Vec::new();
    for found in answer {
        let topic = found.name;
        match found.result {
            Err(said) => configs.push(Err(said_error(format!("cannot read the settings of topic `{topic}`"), &said))),
            Ok(settings) => {
                let own = settings.into_iter().filter(|s| s.set_by == SetBy::Topic);
                let mut own: Vec<Config> = own.map(|s| (topic.clone(), s.name, s.value)).collect();
                own.sort();
                configs.extend(own.into_iter().map(Ok));
            }
        }
    }
    Ok(configs)
}
