//! `kafka topic list`.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::metadata::{Metadata, MetadataPartition, MetadataTopic};
use serde_json::{Value, json};

use crate::context::Context;
use crate::error::{Error, Result, counted};
use crate::kafka::client::{CLOSE, Marks, Partition, administer, connect, drop_within, marks};
use crate::kafka::ffi::{Owner, Setting};
use crate::kafka::pattern::{Pattern, is_internal};
use crate::kafka::settings::Settings;
use crate::kafka::shared::{self, AdminClient};
use crate::output::{Table, TableLayout, WideArgs};

/// List the topics
#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    /// Only these topics; what begins with ^ is a regular expression, as '^orders-'
    #[arg(value_name = "TOPIC", value_parser = shared::topic_pattern)]
    topics: Vec<Pattern>,
    /// The cluster's own topics too
    #[arg(long)]
    internal: bool,
    /// Names, partitions and replicas alone: nothing more is asked for
    #[arg(long)]
    brief: bool,
    /// How to show the list
    #[arg(short, long, value_name = "LAYOUT", value_enum)]
    output: Option<TableLayout>,
    #[command(flatten)]
    wide: WideArgs,
    #[command(flatten)]
    settings: Settings,
}

/// What is shown of a topic.
pub(crate) const TOPIC: [&str; 6] = ["topic", "partitions", "replicas", "messages", "retention", "cleanup"];

/// The settings that are shown.
const KEEPING: [&str; 3] = ["retention.ms", "retention.bytes", "cleanup.policy"];

/// Lists the topics.
///
/// # Errors
/// The connection's and the output's; `Kind::Refused` for a topic that is named and not there.
pub(crate) async fn list(args: ListArgs, cx: &Context) -> Result<()> {
    let columns = &TOPIC[..if args.brief { 3 } else { TOPIC.len() }];
    args.wide.check(columns)?;
    let setup = shared::setup(&args.settings, cx)?;
    let consumer = setup.consumer(&[("isolation.level", "read_uncommitted")])?;
    let metadata = connect(&consumer, &setup, None, &cx.policy, &cx.shutdown).await?;
    let matches = if args.internal { Pattern::matches } else { Pattern::matches_topic };
    let (mut names, failed) = shared::topics_meant(&args.topics, &consumer, &metadata, matches, cx).await?;
    if args.topics.is_empty() {
        let all = metadata.topics().iter().map(MetadataTopic::name);
        names = all.filter(|name| args.internal || !is_internal(name)).map(str::to_owned).collect();
    }
    names.sort();
    let (inner, brief) = (cx.clone(), args.brief);
    let rows = shared::on_thread(move || {
        let rows = rows(&consumer, &metadata, &names, brief, &inner);
        drop_within(consumer, CLOSE);
        rows
    })
    .await?;
    let mut table = Table::new(columns);
    rows.into_iter().for_each(|row| table.row(row));
    table.arranged(&args.wide).print(args.output, &cx.terminal)?;
    Error::each(failed)
}

fn rows(
    consumer: &AdminClient,
    metadata: &Metadata,
    names: &[String],
    brief: bool,
    cx: &Context,
) -> Result<Vec<Vec<Value>>> {
    let by_name = shared::topics_by_name(metadata);
    let topics: Vec<&MetadataTopic> = names.iter().filter_map(|name| by_name.get(name.as_str()).copied()).collect();
    let (mut messages, mut keeping) = (BTreeMap::new(), BTreeMap::new());
    if !brief {
        messages = counts(consumer, &topics, cx.policy.connect_timeout)?;
        keeping = kept(consumer, names, cx)?;
    }
    let rows = topics.into_iter().map(|topic| {
        let name = topic.name();
        let replicas = topic.partitions().iter().map(|p| shared::ids(p, MetadataPartition::replicas).len()).max();
        let mut row = vec![json!(name), json!(topic.partitions().len()), json!(replicas.unwrap_or(0))];
        if !brief {
            let (retention, cleanup) = keeping.remove(name).unwrap_or_default();
            row.extend([json!(messages.get(name).copied().flatten()), json!(retention), json!(cleanup)]);
        }
        row
    });
    Ok(rows.collect())
}

/// How many messages each topic holds at most: between begin and end there are gaps. `None` where a partition does not tell.
fn counts<'t>(
    consumer: &AdminClient,
    topics: &[&'t MetadataTopic],
    limit: Duration,
) -> Result<BTreeMap<&'t str, Option<i64>>> {
    let mut counts: BTreeMap<&str, Option<i64>> = topics.iter().map(|topic| (topic.name(), Some(0))).collect();
    let mut led = Vec::new();
    for topic in topics {
        for partition in topic.partitions() {
            match partition.leader() {
                0.. => led.push(Partition { topic: topic.name().to_owned(), number: partition.id() }),
                _ => drop(counts.insert(topic.name(), None)),
            }
        }
    }
    let Marks { lows, highs } = marks(consumer, &led, limit)?;
    for ((partition, low), high) in led.iter().zip(lows).zip(highs) {
        if let Some(count) = counts.get_mut(partition.topic.as_str()) {
            *count = count.zip(low.zip(high)).map(|(count, (low, high))| count + (high - low).max(0));
        }
    }
    Ok(counts)
}

/// How long records are kept, and what becomes of old ones, in words.
type Keeping = (Option<String>, Option<String>);

/// As [`Keeping`] says it, of the topics that tell.
fn kept(consumer: &AdminClient, names: &[String], cx: &Context) -> Result<BTreeMap<String, Keeping>> {
    let mut kept = BTreeMap::new();
    if names.is_empty() {
        return Ok(kept);
    }
    let owners: Vec<Owner> = names.iter().map(|name| Owner::Topic(name.clone())).collect();
    let what = "cannot read the topics' settings";
    let ask = |admin: &crate::kafka::ffi::Admin<'_>| admin.settings(&owners, &KEEPING);
    let answer = administer(&**consumer, cx.policy.connect_timeout, &cx.shutdown, what, ask)?;
    let mut silent: u64 = 0;
    for found in answer {
        match found.result {
            Ok(settings) => drop(kept.insert(found.name, keeping(&settings))),
            Err(_) => silent += 1,
        }
    }
    if silent > 0 {
        cx.terminal.note(format!("the settings of {} may not be read", counted(silent, "topic")));
    }
    Ok(kept)
}

fn keeping(settings: &[Setting]) -> Keeping {
    let value = |name: &str| settings.iter().find(|s| s.name == name).and_then(|s| s.value.as_deref());
    let number = |name: &str| value(name).and_then(|value| value.parse::<i64>().ok());
    let policy = value("cleanup.policy");
    let deletes = policy.is_none_or(|policy| policy.split(',').any(|one| one.trim() == "delete"));
    let retention = retention(number("retention.ms"), number("retention.bytes")).filter(|_| deletes);
    (retention, policy.map(str::to_owned))
}

/// The time and the size up to which records are kept; negative is without a limit.
fn retention(millis: Option<i64>, bytes: Option<i64>) -> Option<String> {
    let time = |millis| humantime::format_duration(Duration::from_millis(millis)).to_string();
    let limits = [
        millis.and_then(|millis| u64::try_from(millis).ok()).map(time),
        bytes.and_then(|bytes| u64::try_from(bytes).ok()).map(crate::values::sized),
    ];
    match limits {
        [None, None] => millis.or(bytes).map(|_| "forever".to_owned()),
        limits => Some(limits.into_iter().flatten().collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_records_are_kept() {
        for (millis, bytes, words) in [
            (Some(604_800_000), Some(-1), Some("7days")),
            (Some(5_400_000), Some(1 << 30), Some("1h 30m, 1 GiB")),
            (Some(-1), Some(1500), Some("1.5 KiB")),
            (Some(-1), Some(-1), Some("forever")),
            (None, None, None),
        ] {
            assert_eq!(retention(millis, bytes).as_deref(), words, "{millis:?} {bytes:?}");
        }
    }
}
