//! `kafka produce`: records from data, each of them accounted for.

mod shape;

use std::cell::Cell;
use std::sync::Arc;

use rdkafka::metadata::Metadata;
use rdkafka::producer::BaseProducer;

pub(crate) use self::shape::OldTimes;
use self::shape::{Shape, timestamp};
use super::client::{
    Connected, ConnectionEvents, Intake, Producer, ProducerOptions, Setup, TransactionOptions, Transactions,
    begin_work, connect, settled_topic,
};
use super::headers::HeaderArgs;
use super::settings::{Registry, Settings};
use super::transactional::{Origin, Transacting, TransactionArgs};
use crate::args::{RecordArgs, RefusalArg, RefusalArgs, ReportArgs};
use crate::codec::{EncodeArgs, EncodeKeyArgs, Encoding, FormArgs, MakesEvents, SchemaArgs, WriteEventsArgs};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flow::{self, Dead, Flow, Limits, Manner, OnRefusal, Reader, Sink, Stage, Unfit, Writer};
use crate::message::input::{DataSource, Input, Mode};
use crate::message::{KafkaHeader, Message, When};
use crate::output::Report;
use crate::shutdown;
use crate::traceparent::{self, TraceArgs};
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
    trace: TraceArgs,
    #[command(flatten)]
    events: WriteEventsArgs,
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
    #[command(flatten)]
    pub(super) headers: HeaderArgs,
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
            trace: TraceArgs::default(),
            events: WriteEventsArgs::default(),
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

/// Sends the records.
///
/// # Errors
/// The connection's; `Kind::Usage` for a bad record; `Kind::Refused` for those that were refused; `Kind::Partial` when the
/// outcome of some is unknown.
pub(crate) async fn run(args: Args, cx: &Context) -> Result<()> {
    let Args { producing, records, key_delimiter, report } = args;
    producing.refusal.check(false)?;
    let is_json = records.input == Some(Mode::Json);
    let mut prepared = prepare(producing, is_json, OldTimes::Refused, Origin::Ending, cx)?.looked_up().await?;
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
    report.of_trace(prepared.shape.join_trace());
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
    events: Option<MakesEvents>,
    encoding: Option<Encoding>,
}

/// What a producer is made from.
struct With {
    args: ProducingArgs,
    also: Vec<KafkaHeader<'static>>,
    setup: Setup,
    transacting: Option<Transacting>,
    /// Somebody waits for each record.
    is_hurried: bool,
    /// There is one record, which shares its batch with no other.
    is_single: bool,
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
    let also = args.each.headers.headers()?;
    let trace = args.trace.trace(|text| cx.terminal.warn(text));
    let trace = trace.filter(|_| !args.each.headers.names().any(traceparent::is_name));
    let shape = Shape::new(&args, convert, old_times, trace);
    args.timestamp.and_then(When::doubt).iter().for_each(|doubt| cx.terminal.warn(doubt));
    let asks = args.encode.asks_registry(&args.encode_key);
    let schemas = super::shared::schemas(&args.registry, asks, cx)?;
    let encoding = args.encode.prepare(&args.encode_key, &args.schema, &args.form, &args.topic, schemas.as_ref())?;
    let events = args.events.prepare(&args.encode, args.each.headers.names())?;
    let with = With { args, also, setup, transacting, is_hurried: false, is_single: false };
    Ok(Prepared { with, shape, events, encoding })
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
    pub(super) fn open_input(&mut self, records: &RecordArgs, key_delimiter: Option<&Delimiter>) -> Result<Input> {
        let limit = self.with.setup.max_record();
        // An envelope is longer than its record, by the escapes of JSON at the most.
        let limit = if records.input == Some(Mode::Json) { limit.saturating_mul(8) } else { limit };
        let limit = (limit, "message.max.bytes (-X message.max.bytes=N raises it)");
        let checked = Cell::new(0_u64);
        let input = records.open_checked(key_delimiter, limit, |decoder, record, message| {
            checked.set(checked.get() + 1);
            self.check(message).map_err(|unfit| match unfit.is_general {
                true => unfit.error(),
                false => decoder.member_fault(record, unfit.member.unwrap_or_default(), unfit.why),
            })
        })?;
        // What is looked at is all there is.
        self.with.is_single = checked.get() == 1;
        Ok(input)
    }

    /// Looks whether a message can be a record.
    fn check(&self, message: Message<'_>) -> Result<(), Unfit> {
        let message = self.shape.shape(message)?;
        let message = match &self.events {
            Some(events) => events.event(message)?,
            None => message,
        };
        self.encoding.as_ref().map_or(Ok(()), |encoding| encoding.check(&message))
    }

    /// Connects, and is ready to send records that somebody waits for: what happens to each before, and who sends it.
    ///
    /// # Errors
    /// As [`Prepared::open`].
    pub(super) async fn open_hurried(self, cx: &Context) -> Result<(Vec<Box<dyn Stage>>, Producer)> {
        let Prepared { with, shape, events, encoding } = self.looked_up().await?;
        let with = Arc::new(With { is_hurried: true, ..with });
        let (producer, _) = open(&with.args.topic, with.args.each.partition, &with, Manner::Confirmed, cx).await?;
        Ok((stages(shape, events, encoding), producer))
    }

    /// Connects, and is ready to send.
    ///
    /// # Errors
    /// The connection's; `Kind::Refused` for a topic or a partition that is not there.
    pub(crate) async fn open(self, cx: &Context) -> Result<Writer> {
        let Prepared { with, shape, events, encoding } = self.looked_up().await?;
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
        Ok(Writer { stages: stages(shape, events, encoding), sink, on_refusal, dead, manner })
    }
}

/// What happens to a record before it is sent.
fn stages(shape: Shape, events: Option<MakesEvents>, encoding: Option<Encoding>) -> Vec<Box<dyn Stage>> {
    let mut stages: Vec<Box<dyn Stage>> = vec![Box::new(shape)];
    let [events, structured] = MakesEvents::stages(events);
    stages.extend(events.into_iter().chain(encoding.map(Encoding::stage)).chain(structured));
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
        let With { setup, .. } = &*with;
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
        let intake = if with.is_single { Intake::default() } else { Intake::of(&*wire, &topic, &cx.shutdown) };
        let (wire, transaction) = with.proper(wire, &intake, &metadata, &cx)?;
        let options = ProducerOptions {
            also: with.also.clone(),
            topic,
            intake,
            partitions: i32::try_from(partitions.len()).unwrap_or(i32::MAX),
            confirms: manner == Manner::Confirmed,
            is_atomic: transaction.is_some(),
            max_record: setup.max_record(),
            room: setup.room(),
            patience: cx.policy.patience(),
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
