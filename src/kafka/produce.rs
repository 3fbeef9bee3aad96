//! `kafka produce`: records from data, each of them accounted for.

mod job;

use std::time::Duration;

use super::client::{Producer, connect, settled_topic};
use super::settings::Settings;
use crate::cli::args::RecordArgs;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::message::input::Mode;
use crate::message::{KafkaHeader, Time};
use crate::values::{self, Delimiter};

/// Send records to a topic
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The topic
    #[arg(value_name = "TOPIC")]
    topic: String,
    #[command(flatten)]
    records: RecordArgs,
    /// Key of every record; it wins over an envelope's
    #[arg(short = 'k', long, value_name = "KEY", allow_hyphen_values = true)]
    message_key: Option<String>,
    /// What separates the key from the value in each record: split at the first one, no key without one
    #[arg(short = 'K', long, value_name = "TEXT", value_parser = values::delimiter, conflicts_with = "message_key")]
    key_delimiter: Option<Delimiter>,
    /// Header of every record, as trace=42 or 'trace: 42', behind an envelope's own. May be repeated, also with the same name
    #[arg(short = 'H', long = "header", value_name = "NAME=VALUE", value_parser = header)]
    headers: Vec<(String, String)>,
    /// Partition of every record, instead of the one that its key decides
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i32).range(0..))]
    partition: Option<i32>,
    /// Send each record to the partition that its envelope names
    #[arg(long, conflicts_with = "partition")]
    keep_partition: bool,
    /// Timestamp of every record: RFC 3339 or ms since 1970; it wins over an envelope's
    #[arg(long, value_name = "TIME", value_parser = timestamp)]
    timestamp: Option<Time>,
    /// Send an empty key or value as null: an empty record becomes a tombstone
    #[arg(short = 'Z', long)]
    empty_as_null: bool,
    /// Compression
    #[arg(long, value_name = "CODEC", value_parser = ["none", "gzip", "snappy", "lz4", "zstd"])]
    compression: Option<String>,
    /// Which replicas must have a record before it counts as confirmed; all, the default, is idempotent too
    #[arg(long, value_name = "ACKS", value_parser = ["0", "1", "all"])]
    acks: Option<String>,
    #[command(flatten)]
    settings: Settings,
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = values::header(text, true)?;
    if name.contains('\0') {
        return Err("a header's name cannot hold a zero byte".to_owned());
    }
    Ok((name.to_owned(), value.to_owned()))
}

fn timestamp(text: &str) -> Result<Time, String> {
    match text.parse::<i64>() {
        Ok(millis) if millis > 0 => Ok(Time::Millis(millis)),
        Ok(_) => Err("a timestamp is after 1970".to_owned()),
        Err(_) => Time::parse(text),
    }
}

/// Sends the records.
///
/// # Errors
/// The connection's; `Kind::Usage` for a bad record; `Kind::Refused` for one that was refused; `Kind::Partial` when the
/// outcome of some is unknown.
pub async fn run(args: Args, cx: &Context) -> Result<()> {
    let setup = super::setup(&args.settings, cx)?;
    let wire = setup.producer(&properties(&args))?;
    let limit = setup.max_record();
    // An envelope is longer than its record, by the escapes of JSON at the most.
    let limit = if args.records.input == Some(Mode::Json) { limit.saturating_mul(8) } else { limit };
    let input = args
        .records
        .open(args.key_delimiter.as_ref(), (limit, "message.max.bytes (-X message.max.bytes=N raises it)"))?;

    let first = connect(&wire, &setup, Some(&args.topic), &cx.policy, &cx.shutdown).await?;
    let cx = cx.clone();
    let runtime = tokio::runtime::Handle::current();
    super::on_thread(move || {
        let patient = setup.creates_topics();
        let metadata = settled_topic(&wire, &args.topic, first, patient, &cx.shutdown)?;
        let topic = metadata.topics().iter().find(|t| t.name() == args.topic);
        let partitions = topic.map(|t| t.partitions()).unwrap_or_default();
        check_partition(&args, partitions.len())?;
        let headless: Vec<String> = partitions.iter().filter(|p| p.leader() < 0).map(|p| p.id().to_string()).collect();
        if !headless.is_empty() {
            let numbers = headless.join(", ");
            cx.terminal
                .warn(format!("partitions without a leader: {numbers}; their records wait up to message.timeout.ms"));
        }
        let producer = Producer::new(wire, &args.topic, setup.max_record(), patience(&cx))?;
        let plan = job::Plan::new(&args, setup.acks().or(args.acks.as_deref()));
        job::Job::new(plan, producer, input, cx, runtime).run()
    })
    .await
}

/// How long brokers may be away in the middle: one connection timeout, or as long as `--wait` says.
fn patience(cx: &Context) -> Option<Duration> {
    match cx.policy.wait {
        None => Some(cx.policy.connect_timeout),
        Some(limit) => limit,
    }
}

fn properties(args: &Args) -> Vec<(&'static str, &str)> {
    let mut properties = Vec::new();
    if let Some(codec) = &args.compression {
        properties.push(("compression.codec", codec.as_str()));
    }
    if let Some(acks) = &args.acks {
        properties.push(("acks", acks.as_str()));
        if acks != "all" {
            properties.push(("enable.idempotence", "false"));
        }
    }
    properties
}

fn check_partition(args: &Args, partitions: usize) -> Result<()> {
    match args.partition {
        Some(number) if usize::try_from(number).is_ok_and(|n| n >= partitions) => {
            let last = partitions.saturating_sub(1);
            Err(Error::refused(format!("topic `{}` has no partition {number}", args.topic))
                .hint(format!("its partitions are 0 to {last}")))
        }
        _ => Ok(()),
    }
}

/// The headers of the flags, in the message's own shape.
fn kafka_headers(headers: &[(String, String)]) -> Vec<KafkaHeader<'static>> {
    headers.iter().map(|(name, value)| (name.clone().into(), Some(value.clone().into_bytes().into()))).collect()
}
