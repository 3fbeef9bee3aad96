//! `kafka produce`: records from data, each of them accounted for.

mod job;

use super::client::{Intake, Producer, connect, settled_topic};
use super::settings::Settings;
use crate::cli::args::RecordArgs;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::message::input::Mode;
use crate::message::{KafkaHeader, Time};
use crate::shutdown;
use crate::values::{self, Delimiter};

/// Send records to a topic
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The topic
    #[arg(value_name = "TOPIC", value_parser = super::topic_name)]
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
    #[arg(short = 'H', long = "header", value_name = "NAME=VALUE", value_parser = values::Unechoed(header))]
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
    let time = text.parse().map(Time::Millis).or_else(|_| Time::parse(text))?;
    check_time(time)?;
    Ok(time)
}

/// librdkafka takes 0 for the present time in every call, and refuses what is before without saying why.
fn check_time(time: Time) -> Result<(), String> {
    match time.millis() {
        Some(millis) if millis > 0 => Ok(()),
        Some(_) => {
            Err("a record's timestamp is after 1970-01-01T00:00:00Z; give a later one, or none for the present time"
                .to_owned())
        }
        None => Err("a timestamp as far away as this is none in Kafka, which counts milliseconds".to_owned()),
    }
}

/// Sends the records.
///
/// # Errors
/// The connection's; `Kind::Usage` for a bad record; `Kind::Refused` for one that was refused; `Kind::Partial` when the
/// outcome of some is unknown.
pub async fn run(args: Args, cx: &Context) -> Result<()> {
    let setup = super::setup(&args.settings, cx)?;
    let limit = setup.max_record();
    // An envelope is longer than its record, by the escapes of JSON at the most.
    let limit = if args.records.input == Some(Mode::Json) { limit.saturating_mul(8) } else { limit };
    let limit = (limit, "message.max.bytes (-X message.max.bytes=N raises it)");
    let plan = job::Plan::new(&args, setup.acks().or(args.acks.as_deref()));
    // Before the client is made, which begins to connect at once.
    let input = args.records.open_checked(args.key_delimiter.as_ref(), limit, |decoder, record, message| {
        plan.apply(message).map(drop).map_err(|unfit| unfit.at(decoder, record))
    })?;
    let wire = setup.producer(&properties(&args), None)?;

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
        let intake = Intake::of(&*wire, &args.topic, &cx.shutdown);
        let wire = match intake.largest.filter(|largest| *largest < setup.max_batch()) {
            None => wire,
            Some(largest) => {
                let capped = setup.producer(&properties(&args), Some(largest))?;
                // Nothing was sent with the other one.
                shutdown::spawn("kafka-close", move || drop(wire))?;
                capped
            }
        };
        let producer = Producer::new(wire, &args.topic, setup.max_record(), cx.policy.patience())?;
        job::Job::new(plan.for_topic(intake), producer, input, cx, runtime).run()
    })
    .await
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_that_kafka_has() {
        for good in ["1", "1700000000123", "1970-01-01T00:00:00.001Z", "2023-11-14T22:13:20Z"] {
            assert!(timestamp(good).is_ok(), "{good}");
        }
        for bad in ["0", "-1", "1970-01-01T00:00:00Z", "1969-12-31T23:59:59.999Z", "1970-01-01T01:00:00+01:00", "x", ""]
        {
            assert!(timestamp(bad).is_err(), "{bad}");
        }
        assert!(check_time(Time::Seconds(u64::MAX)).is_err());
    }
}
