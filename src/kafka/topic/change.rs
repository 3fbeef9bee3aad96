//! `kafka topic create` and `delete`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::admin::{NewTopic, TopicReplication, TopicResult};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::types::RDKafkaErrorCode as Code;

use super::{admin, options};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::kafka::client::{
    Events, Lack, connect, drop_within, error_of, kind_of, refuse_mock, refuse_sandbox, topic_error,
};
use crate::kafka::ffi::words;
use crate::kafka::settings::Settings;

/// How long the brokers may take to tell each other.
const SPREAD: Duration = Duration::from_secs(5);

/// Create topics
#[derive(Debug, clap::Args)]
pub struct CreateArgs {
    /// The topics
    #[arg(value_name = "TOPIC", required = true)]
    topics: Vec<String>,
    /// Number of partitions, the broker's default if not given
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(i32).range(1..))]
    partitions: Option<i32>,
    /// Number of replicas of each partition, the broker's default if not given
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(i32).range(1..))]
    replication_factor: Option<i32>,
    /// Setting of the topic, as cleanup.policy=compact. May be repeated
    #[arg(long = "set", visible_alias = "topic-config", value_name = "KEY=VALUE", value_parser = setting)]
    configs: Vec<(String, String)>,
    #[command(flatten)]
    settings: Settings,
}

/// Delete topics and all their records, without asking
#[derive(Debug, clap::Args)]
pub struct DeleteArgs {
    /// The topics
    #[arg(value_name = "TOPIC", required = true)]
    topics: Vec<String>,
    #[command(flatten)]
    settings: Settings,
}

fn setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE, as cleanup.policy=compact".to_owned()),
    }
}

/// Creates topics, and returns when every broker that is asked knows them.
///
/// # Errors
/// `Kind::Refused`: it exists, a bad name or setting, too few brokers.
pub async fn create(args: CreateArgs, cx: &Context) -> Result<()> {
    let setup = crate::kafka::setup(&args.settings, cx)?;
    refuse_sandbox(&setup, Lack::Admin)?;
    let consumer = setup.consumer(&[])?;
    connect(&consumer, &setup, args.topics.first().map(String::as_str), &cx.policy, &cx.shutdown).await?;
    refuse_mock(&*consumer, Lack::Admin)?;
    let admin = admin(&setup)?;
    // -1 is the broker's default.
    let (partitions, replicas) = (args.partitions.unwrap_or(-1), args.replication_factor.unwrap_or(-1));
    let new: Vec<NewTopic<'_>> = args
        .topics
        .iter()
        .map(|name| {
            let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(replicas));
            args.configs.iter().fold(topic, |topic, (name, value)| topic.set(name, value))
        })
        .collect();
    let asked = admin.create_topics(&new, &options(cx));
    let done = cx.shutdown.or_stop(async { asked.await.map_err(|e| error_of("cannot create topics", &e)) }).await?;
    outcome("create", &args.topics, done)?;
    spread(consumer, args.topics.clone(), true, cx).await?;
    drop_within(admin, super::super::CLOSE);
    cx.terminal.note(format!("created {}", args.topics.join(", ")));
    Ok(())
}

/// Deletes topics.
///
/// # Errors
/// `Kind::Refused` for one that is not there.
pub async fn delete(args: DeleteArgs, cx: &Context) -> Result<()> {
    let setup = crate::kafka::setup(&args.settings, cx)?;
    refuse_sandbox(&setup, Lack::Admin)?;
    let consumer = setup.consumer(&[])?;
    connect(&consumer, &setup, args.topics.first().map(String::as_str), &cx.policy, &cx.shutdown).await?;
    refuse_mock(&*consumer, Lack::Admin)?;
    let admin = admin(&setup)?;
    let names: Vec<&str> = args.topics.iter().map(String::as_str).collect();
    let asked = admin.delete_topics(&names, &options(cx));
    let done = cx.shutdown.or_stop(async { asked.await.map_err(|e| error_of("cannot delete topics", &e)) }).await?;
    outcome("delete", &args.topics, done)?;
    spread(consumer, args.topics.clone(), false, cx).await?;
    drop_within(admin, super::super::CLOSE);
    cx.terminal.note(format!("deleted {}", args.topics.join(", ")));
    Ok(())
}

/// The error of the topics that were not changed, with those that were.
fn outcome(verb: &str, topics: &[String], done: Vec<TopicResult>) -> Result<()> {
    let done_names: Vec<String> = done.iter().filter_map(|r| r.as_ref().ok().cloned()).collect();
    let Some((name, code)) = done.into_iter().find_map(Result::err) else { return Ok(()) };
    let error = match code {
        Code::TopicAlreadyExists => Error::refused(format!("topic `{name}` exists already")),
        // There is nothing to create here.
        Code::UnknownTopicOrPartition => {
            Error::refused(format!("there is no topic `{name}`")).hint("list what is there: `mscomm kafka topic list`")
        }
        Code::InvalidTopic => topic_error(&name, code),
        Code::InvalidReplicationFactor => Error::refused(format!("cannot {verb} topic `{name}`"))
            .because(words(code))
            .hint("there must be as many brokers as replicas"),
        _ => Error::new(kind_of(code), format!("cannot {verb} topic `{name}`")).because(words(code)),
    };
    if done_names.is_empty() || topics.len() == 1 {
        return Err(error);
    }
    let kind = error.kind();
    Err(error
        .context(format!("only {} of {} done: {}", done_names.len(), topics.len(), done_names.join(", ")))
        .with_kind(kind))
}

/// Waits until the brokers know what was changed, so that the next command finds it so.
async fn spread(consumer: Arc<BaseConsumer<Events>>, topics: Vec<String>, there: bool, cx: &Context) -> Result<()> {
    let shutdown = cx.shutdown.clone();
    super::super::on_thread(move || {
        let until = Instant::now() + SPREAD;
        for topic in &topics {
            while Instant::now() < until {
                shutdown.check()?;
                let metadata = consumer
                    .fetch_metadata(Some(topic), SPREAD)
                    .map_err(|e| error_of(format!("cannot read the metadata of topic `{topic}`"), &e))?;
                let known = metadata.topics().iter().any(|t| {
                    t.name() == topic && t.error().is_none() && t.partitions().iter().all(|p| p.leader() >= 0)
                });
                if known == there {
                    break;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        drop_within(consumer, super::super::CLOSE);
        Ok(())
    })
    .await
}
