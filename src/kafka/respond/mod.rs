//! `kafka respond`: answers what is asked through a topic.

mod answer;

use self::answer::{Answerable, Answers};
use super::client::{Replying, ReplyingOptions, connect};
use super::pattern::Pattern;
use super::produce::HURRIED;
use super::reading::{self, ReadingArgs};
use super::settings::{Registry, Settings};
use crate::args::{ANSWER_BY_EXEC, ANSWER_BY_MAP, ANSWER_UNTIL_END, LimitArgs, ReadyArgs, ReportArgs};
use crate::codec::{DecodeArgs, EncodeArgs, EncodeKeyArgs, Encoding, FormArgs, SchemaArgs};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::exec::{ExecArgs, Gives};
use crate::flow::{Answerer, Keeps, Reporter, Sink, Work, Writer};
use crate::jq::MapArgs;
use crate::output::{Progress, Report, Shows};

/// What is answered, and by what, where that is no other system.
#[derive(Debug, clap::Args)]
#[command(mut_arg("until_end", |arg| arg.help(ANSWER_UNTIL_END)))]
#[command(mut_arg("map", |arg| arg.help(ANSWER_BY_MAP).long_help(ANSWER_BY_MAP)))]
#[command(mut_arg("exec", |arg| arg.help(ANSWER_BY_EXEC)))]
pub(crate) struct Args {
    /// The topic
    #[arg(value_name = "TOPIC", value_parser = super::shared::one_topic)]
    topic: String,
    /// The consumer group: each of its members answers a part of the requests
    ///
    /// A partition without an offset is read from its begin, or as -X auto.offset.reset says. The group's offset is committed once
    /// the answers are there: killed before, requests come again.
    #[arg(short, long, value_name = "GROUP")]
    group: String,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    ready: ReadyArgs,
    /// Answer to this topic alone; what begins with ^ is a regular expression. May be repeated
    ///
    /// The topic for an answer is said by whoever asks. A request that names another one is refused before anything is done for it;
    /// without this flag any topic is good but those that begin with __.
    #[arg(long, value_name = "TOPIC", value_parser = super::shared::topic_pattern, hide_short_help = true)]
    allow_reply_to: Vec<Pattern>,
    #[command(flatten)]
    decode: DecodeArgs,
    #[command(flatten)]
    encode: EncodeArgs,
    #[command(flatten)]
    schema: SchemaArgs,
    #[command(flatten)]
    form: FormArgs,
    #[command(flatten)]
    map: MapArgs,
    #[command(flatten)]
    exec: ExecArgs,
    #[command(flatten)]
    report: ReportArgs,
    #[command(flatten)]
    registry: Registry,
    #[command(flatten)]
    settings: Settings,
}

impl Args {
    /// Whether a command is started for each request.
    pub(crate) fn starts_commands(&self) -> bool {
        self.exec.is_used()
    }
}

/// Answers requests: the group passes over each once its answer is confirmed. `via` opens what answers and is none of what
/// Kafka's part knows: a sink that answers with messages that say who asked.
///
/// # Errors
/// As `kafka tail`; `Kind::Refused` when an answer has no place; those of what answers.
pub(crate) async fn run(args: Args, via: Option<Work<'_, Result<Writer>>>, cx: &Context) -> Result<()> {
    let Args { topic, group, limits, ready, allow_reply_to, decode, encode, schema, form, .. } = args;
    let Args { map, exec, report, registry, settings, .. } = args;
    let form = form.for_both(&decode, &encode)?;
    let none = EncodeKeyArgs::default();
    let schemas = super::shared::schemas(&registry, encode.asks_registry(&none), cx)?;
    let encoding = encode.prepare(&none, &schema, &form, "", schemas.as_ref())?;
    let command = exec.prepare(false)?;
    let program = map.stage()?;
    let keeps = match (&program, &via) {
        (Some(_), _) => Keeps::All,
        (None, Some(_)) => Keeps::Headers,
        (None, None) => Keeps::Body,
    };
    let told = format!("what is asked through topic `{topic}` is answered, as a member of group `{group}`");
    let pattern = Pattern::read(&topic).map_err(Error::usage)?;
    let mut reading = ReadingArgs::plain(pattern, settings);
    reading.group = Some(group);
    (reading.limits, reading.ready) = (limits, ready);
    (reading.decode, reading.form, reading.registry) = (decode, form, registry);
    let reader = reading::prepare(reading, exec.target()?.map(str::to_owned), cx)?.saying(Some(told));
    let progress = Progress::writer(&cx.terminal, "answered", None);
    let mut report = Report::new(cx.terminal, progress, Shows::Carried, report.report.as_ref())?;
    if command.is_some() {
        // Commands may write where it would be drawn.
        report.end();
    }
    if let Some(encoding) = &encoding {
        encoding.look_up()?;
    }
    let sink = answers(&reader, &topic, cx).await?;
    let answerer = Answerer {
        program,
        command: command.map(|command| command.relay(Gives::Answers, &cx.shutdown)),
        via,
        first: vec![Box::new(Answerable { topic, allowed: allow_reply_to })],
        last: encoding.map(Encoding::stage),
        sink,
    };
    answerer.run(Answers { keeps }, reader.open(cx), &cx.shutdown, &mut report).await
}

/// Where answers go.
async fn answers(reader: &reading::Prepared, topic: &str, cx: &Context) -> Result<Box<dyn Sink>> {
    let setup = reader.setup();
    let wire = setup.producer(&[HURRIED], None)?;
    connect(&wire, &setup, Some(topic), &cx.policy, &cx.shutdown).await?;
    let (patience, shutdown) = (cx.policy.patience(), cx.shutdown.clone());
    Ok(Box::new(Replying::new(ReplyingOptions { wire, setup, topic: topic.to_owned(), patience, shutdown })?))
}
