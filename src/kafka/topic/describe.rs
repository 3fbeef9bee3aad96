//! `kafka topic describe`.

use std::time::Duration;

use rdkafka::metadata::{Metadata, MetadataPartition};
use serde_json::{Value, json};

use crate::context::Context;
use crate::error::{Error, Result};
use crate::kafka::changes;
use crate::kafka::client::{CLOSE, Marks, Partition, administer, connect, drop_within, marks, said_error};
use crate::kafka::pattern::Pattern;
use crate::kafka::settings::Settings;
use crate::kafka::shared::{self, AdminClient};
use crate::output::{Table, TableLayout, WideArgs};

/// Show partitions, leaders, replicas, watermarks and the settings that are not the default
#[derive(Debug, clap::Args)]
pub(crate) struct DescribeArgs {
    /// The topics; what begins with ^ is a regular expression, as '^orders-'
    #[arg(value_name = "TOPIC", required = true, value_parser = shared::topic_pattern)]
    topics: Vec<Pattern>,
    /// All settings, those at their default too
    #[arg(long)]
    all: bool,
    /// How to show them
    #[arg(short, long, value_name = "LAYOUT", value_enum)]
    output: Option<TableLayout>,
    #[command(flatten)]
    wide: WideArgs,
    #[command(flatten)]
    settings: Settings,
}

/// What is shown of a partition.
pub(crate) const PARTITION: [&str; 8] = ["topic", "partition", "leader", "replicas", "isr", "low", "high", "trouble"];

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
    let (topics, mut failed) =
        shared::topics_meant(&args.topics, &consumer, &metadata, Pattern::matches_topic, cx).await?;
    if topics.is_empty() {
        return Error::each(failed);
    }
    let (inner, all) = (cx.clone(), args.all);
    let (rows, configs) = shared::on_thread(move || {
        let configs = configs(&consumer, &topics, all, &inner)?;
        let rows = partition_rows(&consumer, &metadata, &topics, inner.policy.connect_timeout)?;
        drop_within(consumer, CLOSE);
        Ok((rows, configs))
    })
    .await?;
    let mut partitions = Table::new(PARTITION).alarming("trouble");
    rows.into_iter().for_each(|row| partitions.row(row));
    partitions.arranged(&args.wide).print(args.output, &cx.terminal)?;
    failed.extend(changes::print_settings("topic", configs, args.output, &cx.terminal)?);
    Error::each(failed)
}

fn partition_rows(
    consumer: &AdminClient,
    metadata: &Metadata,
    topics: &[String],
    limit: Duration,
) -> Result<Vec<[Value; 8]>> {
    let (by_name, mut found) = (shared::topics_by_name(metadata), Vec::new());
    for topic in topics {
        let of = by_name.get(topic.as_str()).into_iter().flat_map(|t| t.partitions());
        let mut of: Vec<&MetadataPartition> = of.collect();
        of.sort_by_key(|p| p.id());
        found.extend(of.into_iter().map(|partition| (topic.as_str(), partition)));
    }
    // A partition without a leader has no watermarks to ask for, and is shown all the same.
    let led = found.iter().filter(|(_, p)| p.leader() >= 0);
    let led: Vec<Partition> = led.map(|(topic, p)| Partition { topic: (*topic).to_owned(), number: p.id() }).collect();
    let Marks { lows, highs } = marks(consumer, &led, limit)?;
    let mut marks = lows.into_iter().zip(highs);
    let rows = found.into_iter().map(|(topic, p)| {
        let leader = Some(p.leader()).filter(|l| *l >= 0);
        let (low, high) = leader.and_then(|_| marks.next()).unwrap_or_default();
        let (replicas, isr) = (shared::ids(p, MetadataPartition::replicas), shared::ids(p, MetadataPartition::isr));
        let trouble = trouble(leader, &replicas, &isr);
        [
            json!(topic),
            json!(p.id()),
            json!(leader),
            json!(replicas),
            json!(isr),
            json!(low),
            json!(high),
            json!(trouble),
        ]
    });
    Ok(rows.collect())
}

/// What is wrong with a partition.
fn trouble(leader: Option<i32>, replicas: &[i32], isr: &[i32]) -> Option<&'static str> {
    match leader {
        None => Some("no leader"),
        Some(_) if isr.len() < replicas.len() => Some("under-replicated"),
        Some(_) => None,
    }
}

/// The settings of topics, by topic and name; or why they cannot be read.
fn configs(consumer: &AdminClient, topics: &[String], all: bool, cx: &Context) -> Result<Vec<Result<[Value; 4]>>> {
    let what = "cannot read the topics' settings";
    let answer = administer(&**consumer, cx.policy.connect_timeout, &cx.shutdown, what, |a| a.topic_settings(topics))?;
    let mut configs = Vec::new();
    for found in answer {
        let topic = found.name;
        match found.result {
            Err(said) => configs.push(Err(said_error(format!("cannot read the settings of topic `{topic}`"), &said))),
            Ok(settings) => configs.extend(changes::rows(&json!(topic), settings, all).into_iter().map(Ok)),
        }
    }
    Ok(configs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_partition() {
        assert_eq!(trouble(Some(1), &[1, 2], &[2, 1]), None);
        assert_eq!(trouble(Some(1), &[1, 2], &[1]), Some("under-replicated"));
        assert_eq!(trouble(None, &[1, 2], &[]), Some("no leader"));
    }
}
