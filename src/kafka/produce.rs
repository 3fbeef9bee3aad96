//! `kafka produce`: records from data, each of them accounted for.

use std::cell::Cell;
use std::sync::Arc;

use rdkafka::metadata::Metadata;
use rdkafka::producer::BaseProducer;

use super::client::{
    Connected, ConnectionEvents, Intake, Producer, ProducerOptions, Setup, TransactionOptions, Transactions,
    begin_work, connect, settled_topic,
};
use super::settings::{Registry, Settings};
use super::transactional::{Origin, Transacting, TransactionArgs};
use crate::args::{RecordArgs, RefusalArg, RefusalArgs, ReportArgs};
use crate::codec::{EncodeArgs, EncodeKeyArgs, Encoding, FormArgs, SchemaArgs};
use crate::context::Context;
use crate::error::{Error, Result, counted};
use crate::flow::{self, Dead, Flow, Limits, Manner, OnRefusal, Passed, Reader, Sink, Stage, Unfit, Writer};
use crate::message::convert;
use crate::message::input::{DataSource, Input, Mode};
use crate::message::{Field, KafkaHeader, Message, Protocol, Time, Unit, When};
use crate::output::Report;
use crate::shutdown;
use crate::values::{self, Delimiter};

/// Send records to a topic
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    producing: ProducingArgs,
    #[command(flatten)]
    records: RecordArgs,
    /// What separates the key from the value in each record: split at the first one, no key without one
    #[arg(short = 'K', long, value_name = "TEXT", value_parser = values::delimiter, conflicts_with = "message_key")]
    key_delimiter: Option<Delimiter>,
    #[command(flatten)]
    report: ReportArgs,
}

/// Where to and how, wherever records come from.
#[derive(Debug, clap::Args)]
pub(crate) struct ProducingArgs {
    /// The topic
    #[arg(value_name = "TOPIC", value_parser = super::shared::topic_name)]
    topic: String,
    #[command(flatten)]
    pub(super) each: EachArgs,
    /// Send each record to the partition that its envelope names
    #[arg(long, conflicts_with = "partition")]
    keep_partition: bool,
    /// Timestamp of every record, as now, '2026-11-28 10:00', RFC 3339, or ms since 1970; it wins over an envelope's
    #[arg(long, value_name = "TIME", value_parser = timestamp, allow_hyphen_values = true)]
    timestamp: Option<When>,
    /// Send an empty key or value as null: an empty record becomes a tombstone
    #[arg(short = 'Z', long)]
    empty_as_null: bool,
    /// Compression
    #[arg(long, value_name = "CODEC", value_parser = ["none", "gzip", "snappy", "lz4", "zstd"], hide_short_help = true)]
    compression: Option<String>,
    /// Which replicas must have a record before it counts as confirmed; all, the default, is idempotent too
    #[arg(long, value_name = "ACKS", value_parser = ["0", "1", "all"], hide_short_help = true)]
    acks: Option<String>,
    #[command(flatten)]
    transaction: TransactionArgs,
    #[command(flatten)]
    refusal: RefusalArgs,
    #[command(flatten)]
    pub(super) encode: EncodeArgs,
    #[command(flatten)]
    pub(super) encode_key: EncodeKeyArgs,
    #[command(flatten)]
    pub(super) schema: SchemaArgs,
    #[command(flatten)]
    pub(super) form: FormArgs,
    #[command(flatten)]
    pub(super) registry: Registry,
    #[command(flatten)]
    settings: Settings,
}

/// What each record has.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct EachArgs {
    /// Key of every record; it wins over an envelope's
    #[arg(short = 'k', long = "key", visible_alias = "message-key", value_name = "KEY", allow_hyphen_values = true)]
    message_key: Option<String>,
    /// Header of every record, as trace=42 or 'trace: 42', behind an envelope's own. May be repeated, also with the same name
    #[arg(short = 'H', long = "header", value_name = "NAME=VALUE", value_parser = values::Unechoed(header))]
    pub(super) headers: Vec<(String, String)>,
    /// Partition of every record, instead of the one that its key decides
    #[arg(long = "partitions", visible_alias = "partition", value_name = "NUMBER", value_parser = clap::value_parser!(i32).range(0..))]
    partition: Option<i32>,
}

impl ProducingArgs {
    /// Records as they are.
    pub(super) fn plain(topic: String, settings: Settings) -> ProducingArgs {
        ProducingArgs {
            topic,
            each: EachArgs::default(),
            keep_partition: false,
            timestamp: None,
            empty_as_null: false,
            compression: None,
            acks: None,
            transaction: TransactionArgs::default(),
            refusal: RefusalArgs { on_refusal: RefusalArg::Policy(OnRefusal::Continue) },
            encode: EncodeArgs::default(),
            encode_key: EncodeKeyArgs::default(),
            schema: SchemaArgs::default(),
            form: FormArgs::default(),
            registry: Registry::default(),
            settings,
        }
    }

    /// What becomes of a record that is refused.
    pub(crate) fn refusal(&self) -> &RefusalArgs {
        &self.refusal
    }
}

/// A record waits for no others to go with it.
pub(super) const HURRIED: (&str, &str) = ("linger.ms", "0");

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = values::header(text, true)?;
    if name.contains('\0') {
        return Err("a header's name cannot hold a zero byte".to_owned());
    }
    Ok((name.to_owned(), value.to_owned()))
}

fn timestamp(text: &str) -> Result<When, String> {
    let when = When::read(text, Unit::Millis)?;
    check_time(when.time)?;
    Ok(when)
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

/// What becomes of a timestamp that librdkafka cannot send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OldTimes {
    /// The record is not fit to be sent.
    Refused,
    /// It goes out with the present time; that is counted and told.
    Replaced,
}

/// What the flags make of each record.
struct Shape {
    key: Option<Vec<u8>>,
    partition: Option<i32>,
    keep_partition: bool,
    timestamp: Option<Time>,
    empty_as_null: bool,
    convert: bool,
    old_times: OldTimes,
    /// How many timestamps were replaced, and whether that was told.
    replaced: Cell<u64>,
    is_told: Cell<bool>,
}

impl Shape {
    fn new(args: &ProducingArgs, convert: bool, old_times: OldTimes) -> Shape {
        Shape {
            key: args.each.message_key.clone().map(String::into_bytes),
            partition: args.each.partition,
            keep_partition: args.keep_partition,
            timestamp: args.timestamp.map(|when| when.time),
            empty_as_null: args.empty_as_null,
            convert,
            old_times,
            replaced: Cell::new(0),
            is_told: Cell::new(false),
        }
    }

    /// As it came, in the shape of Kafka.
    fn plain() -> Shape {
        Shape {
            key: None,
            partition: None,
            keep_partition: false,
            timestamp: None,
            empty_as_null: false,
            convert: true,
            old_times: OldTimes::Replaced,
            replaced: Cell::new(0),
            is_told: Cell::new(true),
        }
    }

    /// The record that a message becomes.
    fn shape<'a>(&'a self, message: Message<'a>) -> Result<Message<'a>, Unfit> {
        let mut message = if self.convert { convert::to(Protocol::Kafka, message, None)? } else { message };
        if let Some(key) = &self.key {
            message.key = Field::borrowed(key);
        }
        if self.empty_as_null {
            for field in [&mut message.key, &mut message.value] {
                if field.bytes().is_some_and(<[u8]>::is_empty) {
                    *field = Field::Null;
                }
            }
        }
        if !self.keep_partition {
            message.partition = self.partition;
        }
        message.timestamp = self.timestamp.or(message.timestamp);
        if let Some(Err(why)) = message.timestamp.map(check_time) {
            if self.old_times == OldTimes::Refused {
                return Err(Unfit::of_member("timestamp", why));
            }
            message.timestamp = None;
            self.replaced.set(self.replaced.get() + 1);
        }
        Ok(message)
    }
}

impl Stage for Shape {
    fn apply<'b>(&'b self, message: Message<'b>) -> Result<Passed<'b>, Unfit> {
        self.shape(message).map(Passed::One)
    }

    fn told(&self) -> Vec<String> {
        let is_new = self.replaced.get() > 0 && !self.is_told.replace(true);
        let text = is_new.then(|| {
            "records of 1970-01-01T00:00:00Z or before go out with the present time, since librdkafka sends no such \
             timestamp; with --keep-timestamp they are refused"
                .to_owned()
        });
        text.into_iter().collect()
    }

    fn account(&self) -> Option<String> {
        let replaced = self.replaced.get();
        (replaced > 0).then(|| format!("{} went out with the present time", counted(replaced, "record")))
    }
}

/// Sends the records.
///
/// # Errors
/// The connection's; `Kind::Usage` for a bad record; `Kind::Refused` for those that were refused; `Kind::Partial` when the
/// outcome of some is unknown.
pub(crate) async fn run(args: Args, cx: &Context) -> Result<()> {
    let Args { producing, records, key_delimiter, report } = args;
    producing.refusal.check(false)?;
    let is_json = records.input == Some(Mode::Json);
    let prepared = prepare(producing, is_json, OldTimes::Refused, Origin::Ending, cx)?.looked_up().await?;
    // Before the client is made, which begins to connect at once.
    let input = prepared.open_input(&records, key_delimiter.as_ref())?;
    let is_typed = records.data.is_typed();
    let is_said = matches!(records.data.source(), DataSource::Text(_));
    let transacting = prepared.with.transacting.as_ref().filter(|_| !is_said);
    transacting
        .and_then(|transacting| transacting.forewarning(input.size()))
        .iter()
        .for_each(|text| cx.terminal.note(text));
    let mut report = Report::of_writer(cx.terminal, "sent", input.size(), is_typed, report.report.as_ref())?;
    let writer = prepared.open(cx).await?;
    records.prompt(&cx.terminal);
    let manner = writer.manner;
    let flow = Flow::new(Reader::of_input(input, Limits::default()), writer, manner, &cx.shutdown);
    flow::run(flow, &mut report).await
}

/// What was typed is good, and nothing was sent yet.
pub(crate) struct Prepared {
    with: With,
    shape: Shape,
    encoding: Option<Encoding>,
}

/// What a producer is made from.
struct With {
    args: ProducingArgs,
    setup: Setup,
    transacting: Option<Transacting>,
    /// Somebody waits for each record.
    is_hurried: bool,
}

/// Checks what was typed. `convert` says that messages may come from another system, or with members of their own.
///
/// # Errors
/// `Kind::Usage`; `Kind::Config`.
pub(crate) fn prepare(
    args: ProducingArgs,
    convert: bool,
    old_times: OldTimes,
    from: Origin,
    cx: &Context,
) -> Result<Prepared> {
    let transacting = args.transaction.prepare(&args.refusal, from)?;
    let setup = super::shared::setup(&args.settings, cx)?;
    let shape = Shape::new(&args, convert, old_times);
    args.timestamp.and_then(When::doubt).iter().for_each(|doubt| cx.terminal.warn(doubt));
    let asks = args.encode.asks_registry(&args.encode_key);
    let schemas = super::shared::schemas(&args.registry, asks, cx)?;
    let encoding = args.encode.prepare(&args.encode_key, &args.schema, &args.form, &args.topic, schemas.as_ref())?;
    Ok(Prepared { with: With { args, setup, transacting, is_hurried: false }, shape, encoding })
}

/// A writer that sends records to a topic as they are.
///
/// # Errors
/// As [`prepare`].
pub(crate) fn prepare_plain(topic: String, settings: Settings, cx: &Context) -> Result<Prepared> {
    let topic = super::shared::topic_name(&topic).map_err(Error::usage)?;
    let args = ProducingArgs::plain(topic, settings);
    let prepared = prepare(args, true, OldTimes::Replaced, Origin::Ending, cx)?;
    Ok(Prepared { shape: Shape::plain(), ..prepared })
}

impl Prepared {
    /// Asks the registry for the schemas that all records need.
    ///
    /// # Errors
    /// The registry's; `Kind::Refused`: a schema is not there.
    pub(crate) async fn looked_up(self) -> Result<Prepared> {
        if let Some(encoding) = &self.encoding {
            encoding.look_up()?;
        }
        Ok(self)
    }

    /// Opens the input, whose records are looked at as far as they are here.
    ///
    /// # Errors
    /// As [`RecordArgs::open_checked`].
    pub(super) fn open_input(&self, records: &RecordArgs, key_delimiter: Option<&Delimiter>) -> Result<Input> {
        let limit = self.with.setup.max_record();
        // An envelope is longer than its record, by the escapes of JSON at the most.
        let limit = if records.input == Some(Mode::Json) { limit.saturating_mul(8) } else { limit };
        let limit = (limit, "message.max.bytes (-X message.max.bytes=N raises it)");
        records.open_checked(key_delimiter, limit, |decoder, record, message| {
            let checked = self.shape.shape(message).and_then(|message| self.check(&message));
            checked.map_err(|unfit| match unfit.is_general {
                true => unfit.error(),
                false => decoder.member_fault(record, unfit.member.unwrap_or_default(), unfit.why),
            })
        })
    }

    /// Looks whether a record can be encoded.
    fn check(&self, message: &Message<'_>) -> Result<(), Unfit> {
        self.encoding.as_ref().map_or(Ok(()), |encoding| encoding.check(message))
    }

    /// Connects, and is ready to send records that somebody waits for: what happens to each before, and who sends it.
    ///
    /// # Errors
    /// As [`Prepared::open`].
    pub(super) async fn open_hurried(self, cx: &Context) -> Result<(Vec<Box<dyn Stage>>, Producer)> {
        let Prepared { with, shape, encoding } = self.looked_up().await?;
        let with = Arc::new(With { is_hurried: true, ..with });
        let (producer, _) = open(&with.args.topic, with.args.each.partition, &with, Manner::Confirmed, cx).await?;
        Ok((stages(shape, encoding), producer))
    }

    /// Connects, and is ready to send.
    ///
    /// # Errors
    /// The connection's; `Kind::Refused` for a topic or a partition that is not there.
    pub(crate) async fn open(self, cx: &Context) -> Result<Writer> {
        let Prepared { with, shape, encoding } = self.looked_up().await?;
        let With { args, setup, .. } = &with;
        let manner = match setup.acks().or(args.acks.as_deref()) {
            Some("0") => Manner::Unconfirmed("acks=0"),
            _ => Manner::Confirmed,
        };
        let on_refusal = if with.transacting.is_some() { OnRefusal::Stop } else { args.refusal.policy() };
        let dead = args.refusal.target().map(str::to_owned);
        let with = Arc::new(with);
        let (records, transaction) = open(&with.args.topic, with.args.each.partition, &with, manner, cx).await?;
        let sink: Box<dyn Sink> = match transaction {
            Some(options) => Box::new(Transactions::new(records, options)),
            None => Box::new(records),
        };
        let dead = match dead {
            None => None,
            Some(topic) => {
                let (sink, _) = open(&topic, None, &with, manner, cx).await?;
                Some(Dead::new(vec![Box::new(Shape::plain())], Box::new(sink)))
            }
        };
        Ok(Writer { stages: stages(shape, encoding), sink, on_refusal, dead, manner })
    }
}

/// What happens to a record before it is sent.
fn stages(shape: Shape, encoding: Option<Encoding>) -> Vec<Box<dyn Stage>> {
    let mut stages: Vec<Box<dyn Stage>> = vec![Box::new(shape)];
    stages.extend(encoding.map(Encoding::stage));
    stages
}

/// A producer to a topic, and what its transactions are made with, if there are any.
async fn open(
    topic: &str,
    partition: Option<i32>,
    with: &Arc<With>,
    manner: Manner,
    cx: &Context,
) -> Result<(Producer, Option<TransactionOptions>)> {
    let wire = with.setup.producer(&with.properties(), None)?;
    let first = connect(&wire, &with.setup, Some(topic), &cx.policy, &cx.shutdown).await?;
    let (cx, topic, with) = (cx.clone(), topic.to_owned(), with.clone());
    super::shared::on_thread(move || {
        let With { args, setup, .. } = &*with;
        let patient = setup.creates_topics();
        let metadata = settled_topic(&wire, &topic, first, patient, &cx.shutdown)?;
        let found = metadata.topics().iter().find(|t| t.name() == topic);
        let partitions = found.map(|t| t.partitions()).unwrap_or_default();
        check_partition(&topic, partition, partitions.len())?;
        let headless: Vec<String> = partitions.iter().filter(|p| p.leader() < 0).map(|p| p.id().to_string()).collect();
        if !headless.is_empty() {
            let numbers = headless.join(", ");
            cx.terminal
                .warn(format!("partitions without a leader: {numbers}; their records wait up to message.timeout.ms"));
        }
        let intake = Intake::of(&*wire, &topic, &cx.shutdown);
        let (wire, transaction) = with.proper(wire, &intake, &metadata, &cx)?;
        let options = ProducerOptions {
            also: kafka_headers(&args.each.headers),
            topic,
            intake,
            partitions: i32::try_from(partitions.len()).unwrap_or(i32::MAX),
            confirms: manner == Manner::Confirmed,
            is_atomic: transaction.is_some(),
            max_record: setup.max_record(),
            room: setup.room(),
            patience: cx.policy.patience(),
            shutdown: cx.shutdown,
        };
        Ok((Producer::new(wire, options)?, transaction))
    })
    .await
}

/// A client that sends records.
type Wire = Arc<BaseProducer<ConnectionEvents>>;

impl With {
    /// The client that sends the records: this one, unless what was found out with it asks for another one; blocks.
    fn proper(
        &self,
        wire: Wire,
        intake: &Intake,
        metadata: &Metadata,
        cx: &Context,
    ) -> Result<(Wire, Option<TransactionOptions>)> {
        let With { setup, transacting, .. } = self;
        let largest = intake.largest.filter(|largest| *largest < setup.max_batch());
        let broker = metadata.brokers().first().map(|broker| broker.id());
        let transaction = transacting.as_ref().map(|transacting| transacting.options(&*wire, broker, setup, cx));
        if largest.is_none() && transaction.is_none() {
            return Ok((wire, None));
        }
        let mut properties = self.properties();
        let timeout = transaction.as_ref().map(|options| options.timeout.as_millis().to_string());
        if let (Some(options), Some(timeout)) = (&transaction, &timeout) {
            properties.extend([("transactional.id", options.id.as_str()), ("transaction.timeout.ms", timeout)]);
        }
        let proper = setup.producer(&properties, largest)?;
        // Nothing was sent with the other one.
        shutdown::spawn("kafka-close", move || drop(wire))?;
        if let Some(options) = &transaction {
            begin_work(&proper, &options.id, options.patience, &cx.shutdown)?;
            if let Some(handover) = &options.handover {
                handover.of_cluster(Connected::client(&*proper).fetch_cluster_id(cx.policy.connect_timeout));
            }
        }
        Ok((proper, transaction))
    }

    /// librdkafka's properties for the flags.
    fn properties(&self) -> Vec<(&'static str, &str)> {
        let mut properties = if self.is_hurried { vec![HURRIED] } else { Vec::new() };
        if let Some(codec) = &self.args.compression {
            properties.push(("compression.codec", codec.as_str()));
        }
        if let Some(acks) = &self.args.acks {
            properties.push(("acks", acks.as_str()));
            if acks != "all" {
                properties.push(("enable.idempotence", "false"));
            }
        }
        properties
    }
}

fn check_partition(topic: &str, partition: Option<i32>, partitions: usize) -> Result<()> {
    match partition {
        Some(number) if usize::try_from(number).is_ok_and(|n| n >= partitions) => {
            let last = partitions.saturating_sub(1);
            Err(Error::refused(format!("topic `{topic}` has no partition {number}"))
                .hint(format!("its partitions are 0 to {last}")))
        }
        _ => Ok(()),
    }
}

/// The headers of the flags, in the message's own shape.
pub(super) fn kafka_headers(headers: &[(String, String)]) -> Vec<KafkaHeader<'static>> {
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
