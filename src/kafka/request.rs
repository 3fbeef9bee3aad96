//! `kafka request`: asks through a topic, and waits for the answer in another one.

use super::client::{RequestOptions, Requesting};
use super::pattern::Pattern;
use super::produce::{self, EachArgs, OldTimes, ProducingArgs};
use super::reading::{self, ReadingArgs};
use super::settings::{Registry, Settings};
use super::transactional::Origin;
use crate::args::{ANSWER_FILTER, ANSWER_MAP, AskingArgs, DataArgs, REQUEST_INPUT, RecordArgs, ReportArgs};
use crate::codec::{DecodeArgs, DecodeKeyArgs, EncodeArgs, EncodeKeyArgs, FormArgs, SchemaArgs};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flow::{Limits, Manner, Reader};
use crate::jq::JqArgs;
use crate::message::KafkaHeader;
use crate::message::asker::{CORRELATION_ID, REPLY_PARTITION, REPLY_TOPIC};
use crate::message::input::Mode;
use crate::output::{OutputArgs, Show};
use crate::values::{self, Delimiter};

const HEADER: &str = "Header of every request, as trace=42 or 'trace: 42'";
const HEADER_LONG: &str = "Header of every request, as trace=42 or 'trace: 42'. May be repeated\n\n\
                           kafka_correlationId=ID is what the answer to the one request is recognised by, instead of the 16 \
                           bytes of a random UUID";

/// What is asked, and where answers come.
#[derive(Debug, clap::Args)]
#[command(mut_arg("headers", |arg| arg.help(HEADER).long_help(HEADER_LONG)))]
#[command(mut_arg("partition", |arg| arg.hide_short_help(true)))]
#[command(mut_arg("filter", |arg| arg.help(ANSWER_FILTER).long_help(ANSWER_FILTER)))]
#[command(mut_arg("map", |arg| arg.help(ANSWER_MAP).long_help(ANSWER_MAP)))]
pub(crate) struct Args {
    /// The topic that is asked through
    #[arg(value_name = "TOPIC", value_parser = super::shared::one_topic)]
    topic: String,
    /// The topic for answers, which has to be there
    #[arg(long, value_name = "TOPIC", value_parser = super::shared::one_topic)]
    reply_topic: String,
    /// Let answers come to this partition of it, and read no other
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i32).range(0..), hide_short_help = true)]
    reply_partition: Option<i32>,
    #[command(flatten)]
    asking: AskingArgs,
    #[command(flatten)]
    each: EachArgs,
    #[command(flatten)]
    data: DataArgs,
    /// How to read the data.
    #[arg(long, value_name = "MODE", value_enum, hide_short_help = true, help = REQUEST_INPUT)]
    input: Option<Mode>,
    /// What separates the key from the value in each request: split at the first one, no key without one
    #[arg(short = 'K', long, value_name = "TEXT", value_parser = values::delimiter, conflicts_with = "message_key", hide_short_help = true)]
    key_delimiter: Option<Delimiter>,
    #[command(flatten)]
    encode: EncodeArgs,
    #[command(flatten)]
    encode_key: EncodeKeyArgs,
    #[command(flatten)]
    schema: SchemaArgs,
    #[command(flatten)]
    decode: DecodeArgs,
    #[command(flatten)]
    decode_key: DecodeKeyArgs,
    #[command(flatten)]
    form: FormArgs,
    #[command(flatten)]
    jq: JqArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    report: ReportArgs,
    #[command(flatten)]
    registry: Registry,
    #[command(flatten)]
    settings: Settings,
}

/// What was typed and cannot be meant.
fn check(args: &Args) -> Result<()> {
    let (topic, reply_topic) = (&args.topic, &args.reply_topic);
    if topic == reply_topic {
        return Err(Error::usage(format!(
            "`{topic}` is asked through, and cannot be where answers come: who answers would \
                                         take them for requests"
        ))
        .hint("name another topic with --reply-topic"));
    }
    let flag = |name: &str| match name {
        REPLY_TOPIC => Some("--reply-topic TOPIC"),
        REPLY_PARTITION => Some("--reply-partition NUMBER"),
        _ => None,
    };
    if let Some((name, flag)) = args.each.headers.names().find_map(|name| Some((name, flag(name)?))) {
        return Err(Error::usage(format!("the header {name} is said by this command itself"))
            .hint(format!("it is what {flag} says")));
    }
    let is_empty =
        |(name, value): &KafkaHeader<'_>| name == CORRELATION_ID && value.as_ref().is_none_or(|value| value.is_empty());
    if let Some((name, _)) = args.each.headers.headers()?.into_iter().find(is_empty) {
        return Err(Error::usage(format!("the header {name} is empty, and no answer could be recognised by it"))
            .hint("give it a value, or leave it out"));
    }
    match args.decode.target() {
        Some(target) => Err(Error::usage(format!(
            "--decode-error dead:{target} is for messages that are consumed, and answers are read by whoever asked"
        ))
        .hint("choose raw, stop or skip")),
        None => Ok(()),
    }
}

/// Asks, and writes the answers.
///
/// # Errors
/// `Kind::Usage`; `Kind::Deadline` when an answer did not come in time; `Kind::Refused` when a request was refused, or a topic
/// is not there; `Kind::Partial` when it is unknown what became of a request; the connection's.
pub(crate) async fn run(args: Args, cx: &Context) -> Result<()> {
    check(&args)?;
    let Args { topic, reply_topic, reply_partition, asking, mut each, data, input, key_delimiter, .. } = args;
    let Args { encode, encode_key, schema, decode, decode_key, form, jq, output, report, registry, settings, .. } =
        args;
    let form = form.for_both(&decode, &encode)?;
    let shown = jq.stages()?;
    let also = std::mem::take(&mut each.headers).headers()?;
    let records = RecordArgs { data, input, delimiter: Delimiter(b"\n".to_vec()) };
    let mut reading = ReadingArgs::plain(Pattern::read(&reply_topic).map_err(Error::usage)?, settings.clone());
    reading.partitions.extend(reply_partition);
    (reading.decode, reading.decode_key) = (decode, decode_key);
    (reading.form, reading.registry) = (form.clone(), registry.clone());
    let reading = reading::prepare(reading, None, cx)?.saying(None);
    let mut producing = ProducingArgs::plain(topic.clone(), settings);
    producing.each = each;
    (producing.encode, producing.encode_key, producing.schema) = (encode, encode_key, schema);
    (producing.form, producing.registry) = (form, registry);
    let is_json = input == Some(Mode::Json);
    let mut prepared = produce::prepare(producing, is_json, OldTimes::Refused, Origin::Ending, cx)?;
    let input = prepared.open_input(&records, key_delimiter.as_ref())?;
    let show = Show::new(&output, report.report.as_ref(), cx.terminal, "answered")?;
    // Nothing is sent before it is known where answers begin.
    let of_replies =
        async { reading.open(cx).await.map_err(|error| error.context("the topic for answers".to_owned())) };
    let (replies, (stages, publishing)) = tokio::try_join!(of_replies, prepared.open_hurried(cx))?;
    let relay = Requesting::new(RequestOptions {
        publishing,
        replies: replies.source,
        also,
        reply_topic,
        reply_partition,
        asking: asking.asking(),
        hint: format!(
            "--reply-timeout says how long each request waits; who reads `{topic}`: `mscomm kafka group list`"
        ),
        shutdown: cx.shutdown.clone(),
    });
    records.prompt(&cx.terminal);
    let reader = Reader::of_input(input, Limits::default()).through(stages, Some(Box::new(relay)));
    let shown = replies.stages.into_iter().chain(shown).collect();
    show.run_through(shown, Reader { manner: Manner::Answered, ..reader }, &cx.shutdown).await
}
