//! `kafka topic create` and `delete`.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::types::RDKafkaErrorCode as Code;

use super::assignment::{Assignment, assignment};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::kafka::changes;
use crate::kafka::client::{CLOSE, ConnectionEvents, administer, drop_within, error_of, said_error, topic_refused};
use crate::kafka::ffi::{Admin, AdminOutcome, NewTopic, Said};
use crate::kafka::pattern::Pattern;
use crate::kafka::settings::Settings;
use crate::kafka::shared::{self, AdminClient};
use crate::output::YesArgs;
use crate::values::{distinct, quoted};

/// How long the brokers may take to tell each other.
const SPREAD: Duration = Duration::from_secs(5);

/// Create topics
#[derive(Debug, clap::Args)]
pub(crate) struct CreateArgs {
    /// The topics
    #[arg(value_name = "TOPIC", required = true, value_parser = shared::topic_name)]
    topics: Vec<String>,
    /// Number of partitions, the broker's default if not given
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(i32).range(1..))]
    partitions: Option<i32>,
    /// Number of replicas of each partition, the broker's default if not given
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(i32).range(1..))]
    replication_factor: Option<i32>,
    /// Which brokers have the partitions, as 1:2,2:3: partition 0 on 1, which leads it, and 2; partition 1 on 2 and 3
    #[arg(long, visible_alias = "assignment", value_name = "ASSIGNMENT", value_parser = assignment,
          conflicts_with_all = ["partitions", "replication_factor"])]
    replica_assignment: Option<Assignment>,
    /// Setting of the topic, as cleanup.policy=compact. May be repeated
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = changes::setting)]
    configs: Vec<(String, String)>,
    /// Leave a topic that is there as it is
    #[arg(long)]
    if_not_exists: bool,
    #[command(flatten)]
    settings: Settings,
}

/// Delete topics and all their records
#[derive(Debug, clap::Args)]
pub(crate) struct DeleteArgs {
    /// The topics; what begins with ^ is a regular expression, as '^test-'
    #[arg(value_name = "TOPIC", required = true, value_parser = shared::topic_pattern)]
    topics: Vec<Pattern>,
    /// Take it for done where there is no such topic, instead of refusing (exit 8)
    #[arg(long)]
    if_exists: bool,
    #[command(flatten)]
    yes: YesArgs,
    #[command(flatten)]
    settings: Settings,
}

/// Creates topics, and returns when every broker that is asked knows them.
///
/// # Errors
/// `Kind::Refused`: it exists, a bad name or setting, too few brokers.
pub(crate) async fn create(args: CreateArgs, cx: &Context) -> Result<()> {
    let CreateArgs { topics, partitions, replication_factor, replica_assignment, configs, if_not_exists, settings } =
        args;
    let topics = distinct(topics);
    let (consumer, _) = shared::admin(&settings, topics.first().map(String::as_str), cx).await?;
    let assignment = replica_assignment.map(|Assignment(brokers)| brokers).unwrap_or_default();
    change(Verb::Create, if_not_exists, topics, consumer, cx, move |admin, topics| {
        let new = |name| NewTopic {
            name,
            partitions,
            replicas: replication_factor,
            assignment: &assignment,
            settings: &configs,
        };
        let new: Vec<NewTopic<'_>> = topics.iter().map(|name| new(name)).collect();
        admin.create_topics(&new)
    })
    .await
}

/// Deletes topics.
///
/// # Errors
/// `Kind::Refused` for one that is not there.
pub(crate) async fn delete(args: DeleteArgs, cx: &Context) -> Result<()> {
    let DeleteArgs { topics, if_exists, yes, settings } = args;
    let ask = |names: &[String]| format!("delete {} and all records", quoted(names));
    let (names, missing, consumer) = if topics.iter().any(Pattern::is_regex) {
        let (consumer, metadata) = shared::admin(&settings, None, cx).await?;
        let (names, mut missing) =
            shared::topics_meant(&topics, &consumer, &metadata, Pattern::matches_topic, cx).await?;
        if if_exists {
            missing.drain(..).for_each(|error| cx.terminal.note(error.head()));
        }
        if !names.is_empty() {
            yes.confirmed(ask(&names), &cx.shutdown).await?;
        }
        (names, missing, consumer)
    } else {
        let names = distinct(topics.iter().map(|topic| topic.text().to_owned()).collect());
        yes.confirmed(ask(&names), &cx.shutdown).await?;
        let (consumer, _) = shared::admin(&settings, names.first().map(String::as_str), cx).await?;
        (names, Vec::new(), consumer)
    };
    let deleted = match names.is_empty() {
        true => Ok(()),
        false => {
            change(Verb::Delete, if_exists, names, consumer, cx, |admin, topics| admin.delete_topics(topics)).await
        }
    };
    Error::each(missing.into_iter().chain(deleted.err()))
}

/// What is done to the topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Create,
    Delete,
}

impl Verb {
    fn name(self) -> &'static str {
        match self {
            Verb::Create => "create",
            Verb::Delete => "delete",
        }
    }

    /// Whether the broker refused because things are already as they should be.
    fn is_done(self, code: Code) -> bool {
        match self {
            Verb::Create => code == Code::TopicAlreadyExists,
            Verb::Delete => code == Code::UnknownTopicOrPartition,
        }
    }
}

/// Changes topics, and tells of each what became of it.
async fn change(
    verb: Verb,
    is_tolerant: bool,
    topics: Vec<String>,
    consumer: AdminClient,
    cx: &Context,
    ask: impl FnOnce(&Admin<'_>, &[String]) -> Result<Vec<AdminOutcome>, Said> + Send + 'static,
) -> Result<()> {
    let cx = cx.clone();
    shared::on_thread(move || {
        let what = format!("cannot {} topics", verb.name());
        let limit = cx.policy.connect_timeout;
        let outcomes = administer(&*consumer, limit, &cx.shutdown, what, |admin| ask(admin, &topics))?;
        let (mut done, mut failed) = (Vec::new(), Vec::new());
        for AdminOutcome { name, result } in outcomes {
            match result {
                Ok(()) => done.push(name),
                Err(said) if is_tolerant && verb.is_done(said.code) => {
                    let is = if verb == Verb::Create { "is there already, and stays as it is" } else { "is not there" };
                    cx.terminal.note(format!("topic `{name}` {is}"));
                }
                Err(said) => failed.push(failure(verb, &name, &said)),
            }
        }
        spread(&consumer, &done, verb == Verb::Create, &cx)?;
        drop_within(consumer, CLOSE);
        if !done.is_empty() {
            cx.terminal.note(format!("{}d {}", verb.name(), done.join(", ")));
        }
        Error::each(failed)
    })
    .await
}

/// Why one topic was not changed.
fn failure(verb: Verb, name: &str, said: &Said) -> Error {
    match said.code {
        Code::TopicAlreadyExists => Error::refused(format!("topic `{name}` exists already"))
            .because(said.words.clone())
            .hint("with --if-not-exists it may be there already"),
        // There is nothing to create here.
        Code::UnknownTopicOrPartition => Error::refused(format!("there is no topic `{name}`"))
            .hint("list what is there: `mscomm kafka topic list`; with --if-exists it is as good that there is none"),
        Code::InvalidTopic => topic_refused(name, said),
        Code::InvalidReplicationFactor => said_error(format!("cannot {} topic `{name}`", verb.name()), said)
            .hint("there must be as many brokers as replicas"),
        _ => said_error(format!("cannot {} topic `{name}`", verb.name()), said),
    }
}

/// Waits until the brokers know what was changed, so that the next command finds it so.
fn spread(consumer: &BaseConsumer<ConnectionEvents>, topics: &[String], there: bool, cx: &Context) -> Result<()> {
    let until = Instant::now() + SPREAD;
    for topic in topics {
        while Instant::now() < until {
            cx.shutdown.check()?;
            let metadata = consumer
                .fetch_metadata(Some(topic), SPREAD)
                .map_err(|e| error_of(format!("cannot read the metadata of topic `{topic}`"), &e))?;
            let known = metadata
                .topics()
                .iter()
                .any(|t| t.name() == topic && t.error().is_none() && t.partitions().iter().all(|p| p.leader() >= 0));
            if known == there {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    Ok(())
}
