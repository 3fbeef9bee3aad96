//! `kafka topic truncate`.

use std::collections::BTreeMap;

use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::metadata::Metadata;
use serde_json::{Value, json};

use crate::context::Context;
use crate::error::{Error, Result, counted};
use crate::kafka::client::{
    CLOSE, Marks, Partition, administer, at_time, drop_within, marks, partitions_of, said_error,
};
use crate::kafka::ffi::{Said, TopicPartitionOffset};
use crate::kafka::meant::Meant;
use crate::kafka::pattern::Pattern;
use crate::kafka::settings::Settings;
use crate::kafka::shared::{self, AdminClient, kafka_millis};
use crate::message::{Beginning, Unit, When};
use crate::output::{Table, TableLayout, YesArgs};
use crate::values::{Offering, quoted};

/// Delete the records before an offset or a time
///
/// What is before it is gone at once, whatever the topic's retention says; the topic and its offsets stay. Prints the low
/// watermark of each partition, the offset of its oldest record.
#[derive(Debug, clap::Args)]
pub(crate) struct TruncateArgs {
    /// The topics, some with some of their partitions, as orders:0,2; what begins with ^ is a regular expression
    #[arg(value_name = "TOPIC[:PARTITIONS]", required = true, value_parser = Meant::read)]
    topics: Vec<Meant>,
    /// Up to where: an OFFSET, which stays, @TIME (as @7d for a week ago), or end for all that is there
    #[arg(long, value_name = "WHERE", required = true, allow_hyphen_values = true, hide_possible_values = true,
          value_parser = Offering(Before::read, PLACES))]
    before: Before,
    #[command(flatten)]
    yes: YesArgs,
    /// How to show what is left
    #[arg(short, long, value_name = "LAYOUT", value_enum)]
    output: Option<TableLayout>,
    #[command(flatten)]
    settings: Settings,
}

/// Where records may be deleted up to, as far as words say it.
const PLACES: &[(&str, &str)] = &[("end", "all that is there"), ("@", "a time, or a duration ago")];

/// Up to where records are deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Offset(i64),
    Time(When, i64),
    End,
}

impl Before {
    /// # Errors
    /// The forms.
    fn read(text: &str) -> Result<Before, String> {
        match Beginning::read(text, Unit::Millis)? {
            Beginning::End => Ok(Before::End),
            Beginning::Offset(offset) => Ok(Before::Offset(offset)),
            Beginning::Time(when) => kafka_millis(when).map(|millis| Before::Time(when, millis)),
            Beginning::Begin | Beginning::Last | Beginning::Newest(_) => {
                Err("write an offset, @TIME, or end for all that is there".to_owned())
            }
        }
    }
}

/// What is shown of a partition.
const LEFT: [&str; 5] = ["topic", "partition", "deleted", "low", "high"];

/// A partition, and up to where its records go.
struct Cut {
    of: Partition,
    low: i64,
    high: i64,
    before: i64,
}

/// Deletes records.
///
/// # Errors
/// `Kind::Refused` for an offset that is not there, and for what the broker refuses; `Kind::Unmet` when somebody says no.
pub(crate) async fn truncate(args: TruncateArgs, cx: &Context) -> Result<()> {
    let TruncateArgs { topics, before, yes, output, settings } = args;
    if let Before::Time(when, _) = before {
        when.doubt().into_iter().for_each(|doubt| cx.terminal.warn(doubt));
    }
    let (consumer, metadata) = shared::admin(&settings, None, cx).await?;
    let (partitions, mut failed) = partitions(&topics, &consumer, &metadata, cx).await?;
    let (asked, limit) = (consumer.clone(), cx.policy.connect_timeout);
    let (cuts, errors) = shared::on_thread(move || cuts(&asked, partitions, before, limit)).await?;
    failed.extend(errors);
    // An offset that one partition has not is likely to be no good for the others.
    Error::each(failed)?;
    let goes = |cut: &&Cut| cut.before > cut.low;
    let records: i64 = cuts.iter().filter(goes).map(|cut| cut.before - cut.low).sum();
    let mut names: Vec<String> = cuts.iter().filter(goes).map(|cut| cut.of.topic.clone()).collect();
    names.dedup();
    if records > 0 {
        let records = counted(u64::try_from(records).unwrap_or(0), "record");
        let partitions = counted(cuts.iter().filter(goes).count() as u64, "partition");
        yes.confirmed(format!("delete up to {records} in {partitions} of {}", quoted(&names)), &cx.shutdown).await?;
    }
    let inner = cx.clone();
    let (rows, failed) = shared::on_thread(move || {
        let deleted = delete(&consumer, &cuts, &inner);
        drop_within(consumer, CLOSE);
        deleted
    })
    .await?;
    let mut table = Table::new(LEFT);
    rows.into_iter().for_each(|row| table.row(row));
    table.print(output, &cx.terminal)?;
    Error::each(failed)
}

/// The partitions that are meant, and what is wrong with the others.
async fn partitions(
    topics: &[Meant],
    client: &AdminClient,
    metadata: &Metadata,
    cx: &Context,
) -> Result<(Vec<Partition>, Vec<Error>)> {
    let (mut all, mut failed) = (Vec::new(), Vec::new());
    for Meant { topic, partitions } in topics {
        let (names, missing) =
            shared::topics_meant(std::slice::from_ref(topic), client, metadata, Pattern::matches_topic, cx).await?;
        failed.extend(missing);
        for name in names {
            match partitions_of(metadata, &name, partitions) {
                Ok(found) => all.extend(found),
                Err(error) => failed.push(error),
            }
        }
    }
    all.sort();
    all.dedup();
    Ok((all, failed))
}

/// Where each partition is cut, and which have not what was asked for.
fn cuts(
    consumer: &AdminClient,
    of: Vec<Partition>,
    before: Before,
    limit: std::time::Duration,
) -> Result<(Vec<Cut>, Vec<Error>)> {
    let Marks { lows, highs } = marks(consumer, &of, limit)?;
    let times = match before {
        Before::Time(_, millis) => at_time(consumer, &of, millis, limit)?,
        _ => Vec::new(),
    };
    let (mut cuts, mut errors) = (Vec::new(), Vec::new());
    for (at, ((of, low), high)) in of.into_iter().zip(lows).zip(highs).enumerate() {
        let Partition { topic, number } = &of;
        let Some((low, high)) = low.zip(high) else {
            errors.push(
                Error::refused(format!("{topic}[{number}] does not tell its offsets"))
                    .hint(format!("look at it: `mscomm kafka topic describe {topic}`")),
            );
            continue;
        };
        let before = match before {
            Before::End => high,
            Before::Offset(offset) => offset,
            Before::Time(..) => times.get(at).copied().unwrap_or(low),
        };
        if before > high {
            errors.push(
                Error::refused(format!("{topic}[{number}] has no offset {before}: it has {low} to {high}"))
                    .hint("choose one of these, or end; or the partition, as TOPIC:0"),
            );
            continue;
        }
        cuts.push(Cut { of, low, high, before });
    }
    Ok((cuts, errors))
}

/// Deletes what is before the cuts, and tells of all partitions what is left of them.
fn delete(consumer: &AdminClient, cuts: &[Cut], cx: &Context) -> Result<(Vec<[Value; 5]>, Vec<Error>)> {
    let goes = cuts.iter().filter(|cut| cut.before > cut.low).map(|cut| TopicPartitionOffset {
        topic: cut.of.topic.clone(),
        partition: cut.of.number,
        offset: cut.before,
    });
    let goes: Vec<TopicPartitionOffset> = goes.collect();
    let mut lows = BTreeMap::new();
    let mut failed = Vec::new();
    if !goes.is_empty() {
        let limit = cx.policy.connect_timeout;
        let ask = |admin: &crate::kafka::ffi::Admin<'_>| admin.delete_records(&goes);
        for deleted in administer(&**consumer, limit, &cx.shutdown, "cannot delete records", ask)? {
            match deleted.result {
                Ok(low) => drop(lows.insert(Partition { topic: deleted.topic, number: deleted.partition }, Some(low))),
                Err(said) => {
                    failed.push(refused(&deleted.topic, deleted.partition, &said));
                    lows.insert(Partition { topic: deleted.topic, number: deleted.partition }, None);
                }
            }
        }
    }
    let row = |cut: &Cut| {
        let low = lows.get(&cut.of).copied().unwrap_or(Some(cut.low))?;
        let Partition { topic, number } = &cut.of;
        Some([json!(topic), json!(number), json!((low - cut.low).max(0)), json!(low), json!(cut.high)])
    };
    Ok((cuts.iter().filter_map(row).collect(), failed))
}

fn refused(topic: &str, number: i32, said: &Said) -> Error {
    let error = said_error(format!("cannot delete records of {topic}[{number}]"), said);
    match said.code {
        Code::PolicyViolation => error.hint(format!(
            "a compacted topic keeps the newest record of each key; it has to delete, too: \
             `mscomm kafka topic alter {topic} --add cleanup.policy=delete`"
        )),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_with_partitions() {
        let read = |text: &str| Meant::read(text).map(|t| (t.topic.text().to_owned(), t.partitions));
        let named = |topic: &str, partitions: &[i32]| Ok((topic.to_owned(), partitions.to_vec()));
        assert_eq!(read("orders"), named("orders", &[]));
        assert_eq!(read("orders:0,2"), named("orders", &[0, 2]));
        assert_eq!(read("^o:1"), named("^o", &[1]));
        assert_eq!(read("^(?:a|b)"), named("^(?:a|b)", &[]));
        for bad in ["", ":1", "orders:", "orders:x", "orders:1,", "orders:9999999999", "a:b:1x", "^("] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn places() {
        assert_eq!(Before::read("end"), Ok(Before::End));
        assert_eq!(Before::read("42"), Ok(Before::Offset(42)));
        assert!(matches!(Before::read("@1h"), Ok(Before::Time(..))));
        for bad in ["begin", "last", "-5", "x", "@1969-01-01"] {
            assert!(Before::read(bad).is_err(), "{bad}");
        }
    }
}
