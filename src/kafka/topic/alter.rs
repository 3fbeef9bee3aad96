//! `kafka topic alter`.

use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::metadata::Metadata;
use serde_json::{Value, json};

use super::assignment::{Assignment, assignment};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::kafka::changes::{self, Altering, ChangeArgs, Told};
use crate::kafka::client::{CLOSE, administer, drop_within, said_error};
use crate::kafka::ffi::{NewPartitions, Owner, Said};
use crate::kafka::pattern::Pattern;
use crate::kafka::settings::Settings;
use crate::kafka::shared::{self, AdminClient};
use crate::output::TableLayout;

/// Change the settings of topics, or add partitions
///
/// Prints each change with what was before and what is after it. A topic changes all its settings or none.
#[derive(Debug, clap::Args)]
pub(crate) struct AlterArgs {
    /// The topics; what begins with ^ is a regular expression, as '^orders-'
    #[arg(value_name = "TOPIC", required = true, value_parser = shared::topic_pattern)]
    topics: Vec<Pattern>,
    #[command(flatten)]
    changes: ChangeArgs,
    /// How many partitions there are to be: as many as there are, or more
    ///
    /// Kafka takes none away, since their records would be lost. With more of them new records of a key may go to another
    /// partition than the old ones did.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(i32).range(1..))]
    partitions: Option<i32>,
    /// Which brokers have the partitions, as 1:2,2:3; all of them, of which those that are there stay as they are
    #[arg(long, visible_alias = "assignment", value_name = "ASSIGNMENT", value_parser = assignment, requires = "partitions")]
    replica_assignment: Option<Assignment>,
    /// How to show what changes
    #[arg(short, long, value_name = "LAYOUT", value_enum)]
    output: Option<TableLayout>,
    #[command(flatten)]
    settings: Settings,
}

/// How long the brokers may take to tell each other.
const SPREAD: Duration = Duration::from_secs(5);

/// Alters topics.
///
/// # Errors
/// `Kind::Usage` for changes that contradict each other; `Kind::Refused` for what the broker refuses.
pub(crate) async fn alter(args: AlterArgs, cx: &Context) -> Result<()> {
    let AlterArgs { topics, changes, partitions, replica_assignment, output, settings } = args;
    let (dry_run, changes) = (changes.dry_run, changes.changes()?);
    if changes.is_empty() && partitions.is_none() {
        return Err(Error::usage("nothing is to change")
            .hint("name settings with --set, --unset, --add or --remove, or a number of --partitions"));
    }
    let assignment = replica_assignment.map(|Assignment(brokers)| brokers);
    if let (Some(count), Some(brokers)) = (partitions, &assignment)
        && usize::try_from(count).is_ok_and(|count| count != brokers.len())
    {
        return Err(Error::usage(format!("{count} partitions, and brokers of {}", brokers.len()))
            .hint("--replica-assignment names the brokers of all partitions, those that are there included"));
    }
    let (consumer, metadata) = shared::admin(&settings, None, cx).await?;
    let (names, mut failed) = shared::topics_meant(&topics, &consumer, &metadata, Pattern::matches_topic, cx).await?;
    let inner = cx.clone();
    let (rows, errors) = shared::on_thread(move || {
        let work = Work { consumer: &consumer, names: &names, dry_run, cx: &inner };
        let mut told: Told = (Vec::new(), Vec::new());
        if !changes.is_empty() && !names.is_empty() {
            let owners: Vec<Owner> = names.iter().map(|name| Owner::Topic(name.clone())).collect();
            Altering { client: &consumer, cx: &inner, changes: &changes, dry_run }.run(&owners, &mut told)?;
        }
        if let Some(count) = partitions
            && !names.is_empty()
        {
            let assignment = assignment.unwrap_or_default();
            work.partitions(&metadata, count, &assignment, &mut told)?;
        }
        drop_within(consumer, CLOSE);
        Ok(told)
    })
    .await?;
    changes::print("topic", rows, dry_run, output, &cx.terminal)?;
    failed.extend(errors);
    Error::each(failed)
}

/// Some topics that are altered.
struct Work<'w> {
    consumer: &'w AdminClient,
    names: &'w [String],
    dry_run: bool,
    cx: &'w Context,
}

impl Work<'_> {
    fn ask<T>(&self, what: &str, ask: impl FnOnce(&crate::kafka::ffi::Admin<'_>) -> Result<T, Said>) -> Result<T> {
        administer(&**self.consumer, self.cx.policy.connect_timeout, &self.cx.shutdown, what, ask)
    }

    /// Adds partitions.
    fn partitions(
        &self,
        metadata: &Metadata,
        count: i32,
        assignment: &[Vec<i32>],
        (rows, errors): &mut Told,
    ) -> Result<()> {
        let by_name = shared::topics_by_name(metadata);
        let wanted = usize::try_from(count).unwrap_or(0);
        let mut grow = Vec::new();
        for name in self.names {
            let now = by_name.get(name.as_str()).map_or(0, |topic| topic.partitions().len());
            match now.cmp(&wanted) {
                std::cmp::Ordering::Less => grow.push((name, now)),
                std::cmp::Ordering::Equal => rows.push(partitions_row(name, now, wanted)),
                std::cmp::Ordering::Greater => errors.push(
                    Error::refused(format!("topic `{name}` has {now} partitions, and Kafka takes none away"))
                        .hint("their records would be lost; create another topic, and copy them with `mscomm bridge`"),
                ),
            }
        }
        if grow.is_empty() {
            return Ok(());
        }
        let new = |(name, now): &(&String, usize)| (name.to_string(), assignment.get(*now..).unwrap_or_default());
        let new: Vec<(String, &[Vec<i32>])> = grow.iter().map(new).collect();
        let new = new.iter().map(|(name, assignment)| NewPartitions { name, count: wanted, assignment });
        let new: Vec<NewPartitions<'_>> = new.collect();
        for outcome in self.ask("cannot add partitions", |admin| admin.create_partitions(&new, self.dry_run))? {
            let Some((name, now)) = grow.iter().find(|(name, _)| **name == outcome.name) else { continue };
            match outcome.result {
                Ok(()) => {
                    rows.push(partitions_row(name, *now, wanted));
                    if !self.dry_run {
                        self.spread_partitions(name, wanted)?;
                    }
                }
                Err(said) => errors.push(no_partitions(name, &said)),
            }
        }
        Ok(())
    }

    /// Waits until they have leaders.
    fn spread_partitions(&self, name: &str, count: usize) -> Result<()> {
        use rdkafka::consumer::Consumer;
        let until = Instant::now() + SPREAD;
        while Instant::now() < until {
            self.cx.shutdown.check()?;
            let metadata = self.consumer.fetch_metadata(Some(name), SPREAD);
            let led = metadata.ok().map_or(0, |metadata| {
                let all = metadata.topics().iter().filter(|t| t.name() == name).flat_map(|t| t.partitions());
                all.filter(|partition| partition.leader() >= 0).count()
            });
            if led >= count {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

fn partitions_row(name: &str, before: usize, after: usize) -> [Value; 4] {
    [json!(name), json!("partitions"), json!(before), json!(after)]
}

fn no_partitions(name: &str, said: &Said) -> Error {
    let error = said_error(format!("cannot add partitions to topic `{name}`"), said);
    match said.code {
        Code::InvalidReplicaAssignment => error.hint("the brokers are in `mscomm kafka broker list`"),
        _ => error,
    }
}
