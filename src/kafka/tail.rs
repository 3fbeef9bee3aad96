//! `kafka tail`: records of topics, from anywhere, to an end or for ever.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::metadata::Metadata;

use super::client::{
    self, ConnectionEvents, Handover, Link, Member, Partition, PartitionReader, ReaderOptions, Setup, Start, Until,
    Wanted, connect, partitions_of, settled_topic,
};
use super::pattern::{Pattern, is_internal};
use super::produce;
use super::settings::{Registry, Settings};
use super::shared::kafka_millis;
use super::transactional::{Once, Origin};
use crate::args::{HeaderFormArgs, LimitArgs, Ready, ReadyArgs, ReportArgs};
use crate::codec::{DecodeArgs, DecodeKeyArgs, FormArgs, ReadEventsArgs, one_target};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::exec::{ExecArgs, Gives};
use crate::flow::{self, Manner, Stage};
use crate::jq::JqArgs;
use crate::message::{Beginning, Time, Unit, When};
use crate::output::{OutputArgs, Show, Terminal};
use crate::values;

/// Read records of topics, and follow them
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    reading: ReadingArgs,
    #[command(flatten)]
    jq: JqArgs,
    #[command(flatten)]
    exec: ExecArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    headers: HeaderFormArgs,
    #[command(flatten)]
    report: ReportArgs,
}

/// What is read, wherever it goes.
#[derive(Debug, clap::Args)]
pub(crate) struct ReadingArgs {
    /// The topics; what begins with ^ is a regular expression
    ///
    /// Topics whose names match later, and new partitions of any topic, are found within 30 seconds, or as -X
    /// topic.metadata.refresh.interval.ms or metadata.max.age.ms says, and read from their begin. A topic that matched and is deleted
    /// is told, and the others are read on; one that was named ends the command (exit 8). With --until-end it is what is there at the
    /// start. A group's expression is one of POSIX, without \d and the like.
    #[arg(value_name = "TOPIC", required = true, value_parser = super::shared::topic_pattern)]
    topics: Vec<Pattern>,
    /// Where to begin: begin (first), end (next), last, an OFFSET, -N for the newest N of all partitions together, or @TIME (as
    /// @1h for an hour ago, @yesterday, '@2026-11-28 10:00', RFC 3339, ms since 1970)
    ///
    /// The default is end, as `tail -f`; with --until-end or --until it is begin. For -N up to N records of each partition are looked at:
    /// those of up to 16 MiB are kept and come out in the order of time; more are read a second time, partition by partition,
    /// which takes up to 2.5 times as long.
    #[arg(long, value_name = "WHERE", allow_hyphen_values = true, hide_possible_values = true,
          value_parser = values::Offering(start, PLACES))]
    from: Option<From>,
    /// Only these partitions, as 0,2
    #[arg(long, visible_alias = "partition", value_name = "NUMBERS", value_delimiter = ',', value_parser = clap::value_parser!(i32).range(0..), hide_short_help = true)]
    pub(super) partitions: Vec<i32>,
    /// Read as a member of this consumer group: from its offsets on, which are committed once the output is written
    ///
    /// A partition without an offset is read from its begin, or as -X auto.offset.reset says. An offset that is not there (any
    /// more) is exit 8, unless -X auto.offset.reset=earliest or latest says where to go on. -X group.protocol=consumer joins by
    /// the newer protocol (KIP-848).
    #[arg(long, value_name = "GROUP", conflicts_with_all = ["from", "partitions"])]
    pub(super) group: Option<String>,
    #[command(flatten)]
    pub(super) limits: LimitArgs,
    #[command(flatten)]
    pub(super) ready: ReadyArgs,
    /// Stop before the first record that is not older than @TIME
    ///
    /// It is written as for --from: the upper bound of a replay. A partition ends at the first offset that the broker gives for that time, or where there is none at what is its end then;
    /// a time that is to come is waited for. Records below that offset with a later timestamp are left out, and a group stays
    /// before the first of them. What comes late, behind that offset, is not read, however old it is.
    #[arg(long, value_name = "@TIME", value_parser = until, allow_hyphen_values = true, conflicts_with = "until_end", hide_short_help = true)]
    until: Option<When>,
    /// Which records of transactions to read
    #[arg(long, value_name = "LEVEL", value_enum, default_value_t, hide_short_help = true)]
    isolation: Isolation,
    #[command(flatten)]
    events: ReadEventsArgs,
    #[command(flatten)]
    pub(super) decode: DecodeArgs,
    #[command(flatten)]
    pub(super) decode_key: DecodeKeyArgs,
    #[command(flatten)]
    pub(super) form: FormArgs,
    #[command(flatten)]
    pub(super) registry: Registry,
    #[command(flatten)]
    settings: Settings,
}

impl ReadingArgs {
    /// What comes into a topic from now on.
    pub(super) fn plain(topic: Pattern, settings: Settings) -> ReadingArgs {
        ReadingArgs {
            topics: vec![topic],
            from: None,
            partitions: Vec::new(),
            group: None,
            limits: LimitArgs { count: None, idle_timeout: None, until_end: false },
            ready: ReadyArgs::default(),
            until: None,
            isolation: Isolation::default(),
            events: ReadEventsArgs::default(),
            decode: DecodeArgs::default(),
            decode_key: DecodeKeyArgs::default(),
            form: FormArgs::default(),
            registry: Registry::default(),
            settings,
        }
    }
}

/// Which records of transactions are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum Isolation {
    /// Those of committed transactions
    #[default]
    ReadCommitted,
    /// Those of open and aborted transactions too
    ReadUncommitted,
}

/// Where reading begins, as far as words say it.
const PLACES: &[(&str, &str)] = &[
    ("begin", "the oldest record"),
    ("end", "what comes from now on"),
    ("last", "the newest record"),
    ("-", "the newest N"),
    ("@", "a time, or a duration ago"),
];

/// A place to begin at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct From {
    start: Start,
    /// The time that it is, where it is one.
    when: Option<When>,
}

fn until(text: &str) -> Result<When, String> {
    let when = When::read(text, Unit::Millis)?;
    kafka_millis(when).map(|_| when)
}

fn start(text: &str) -> Result<From, String> {
    let beginning = Beginning::read(text, Unit::Millis)?;
    let start = match beginning {
        Beginning::Begin => Start::Begin,
        Beginning::End => Start::End,
        Beginning::Last => Start::Last(1),
        Beginning::Offset(offset) => Start::Offset(offset),
        Beginning::Newest(count) => Start::Last(usize::try_from(count).map_err(|e| e.to_string())?),
        Beginning::Time(when) => Start::Time(kafka_millis(when)?),
    };
    Ok(From { start, when: beginning.when() })
}

/// Where reading begins by itself.
fn begin(args: &ReadingArgs) -> Start {
    let ends = args.limits.until_end || args.until.is_some();
    args.from.map_or(if ends { Start::Begin } else { Start::End }, |from| from.start)
}

/// What was typed and cannot be meant.
fn check(args: &ReadingArgs) -> Result<()> {
    let texts: Vec<&str> = args.topics.iter().map(Pattern::text).collect();
    let twice = texts.iter().enumerate().find(|(at, topic)| texts.iter().take(*at).any(|t| t == *topic));
    if let Some((_, topic)) = twice {
        return Err(Error::usage(format!("the topic `{topic}` is named twice")).hint("name each topic once"));
    }
    match (args.from.map(|from| from.start), args.until.and_then(|until| until.time.millis())) {
        (Some(Start::Last(_)), Some(_)) => {
            return Err(Error::usage("--from -N counts from the end, and --until ends before it")
                .hint("begin at an offset or at @TIME, or leave --until out"));
        }
        (Some(Start::Time(from)), Some(until)) if until <= from => {
            return Err(Error::usage("--until is not later than --from").hint("nothing stands between them; swap them"));
        }
        _ => {}
    }
    if args.group.as_ref().is_some_and(|group| group.trim().is_empty()) {
        return Err(Error::usage("the name of the group is empty").hint("name one with --group, or leave --group out"));
    }
    let beyond = |topic: &Pattern| Some((topic.text().to_owned(), topic.beyond_posix()?.to_owned()));
    if let (Some(_), Some((topic, what))) = (&args.group, args.topics.iter().find_map(beyond)) {
        return Err(Error::usage(format!("`{topic}`: a group's expression is one of POSIX, which has no `{what}`"))
            .hint("write [0-9] for \\d, [A-Za-z0-9_] for \\w and (…) for (?:…); or read without --group"));
    }
    Ok(())
}

/// True for a group by the newer protocol (KIP-848).
fn is_newer(setup: &Setup) -> bool {
    setup.extra("group.protocol").is_some_and(|protocol| protocol.eq_ignore_ascii_case("consumer"))
}

/// librdkafka's properties for these flags.
fn properties<'a>(
    args: &'a ReadingArgs,
    setup: &Setup,
    isolation: &'static str,
    refresh: &'a str,
) -> Vec<(&'static str, &'a str)> {
    let mut properties = vec![("isolation.level", isolation)];
    let Some(group) = &args.group else {
        if args.limits.until_end || matches!(begin(args), Start::Last(_)) {
            properties.push(("enable.partition.eof", "true"));
        }
        return properties;
    };
    properties.push(("group.id", group));
    if args.topics.iter().any(Pattern::is_regex) {
        properties.push(("topic.metadata.refresh.interval.ms", refresh));
        // As everywhere: they have to be meant by what begins as they do.
        if !args.topics.iter().any(|topic| is_internal(topic.text().trim_start_matches('^'))) {
            properties.push(("topic.blacklist", "^__"));
        }
    }
    // With the newer protocol the session is the broker's to set, and librdkafka refuses it (KIP-848).
    if is_newer(setup) {
        return properties;
    }
    // A member that was killed holds the group up for as long as the session lasts.
    properties.push(("session.timeout.ms", "10000"));
    properties
}

/// Reads until there is enough, the end is reached, or somebody stops it.
///
/// # Errors
/// The connection's; `Kind::Refused` for a topic, partition or offset that is not there; `Kind::Unmet` for fewer records
/// than asked for; the output's.
pub(crate) async fn run(args: Args, cx: &Context) -> Result<()> {
    let stages = args.jq.stages()?;
    let relay = args.exec.prepare(false)?.map(|exec| exec.relay(Gives::Output, &cx.shutdown));
    let dead = args.exec.target()?.map(str::to_owned);
    let prepared = prepare(args.reading, dead, cx)?;
    let show = Show::new(&args.output, args.report.report.as_ref(), cx.terminal, "records")?;
    let show = show.with_headers(args.headers.forms());
    show.run(prepared.open(cx).await?.through(stages, relay), &cx.shutdown).await
}

/// What was typed is good, and nothing was sent yet.
pub(crate) struct Prepared {
    args: ReadingArgs,
    setup: Arc<Setup>,
    dead: Option<produce::Prepared>,
    stages: Vec<Box<dyn Stage>>,
    ready: Ready,
    /// What it waits for, in words; nothing when it ends by itself.
    waits: Option<String>,
    handover: Option<Arc<Handover>>,
}

/// Checks what was typed. `dead` is the topic that records go to whose commands failed.
///
/// # Errors
/// `Kind::Usage`; `Kind::Config`.
pub(crate) fn prepare(args: ReadingArgs, dead: Option<String>, cx: &Context) -> Result<Prepared> {
    check(&args)?;
    let dead = one_target(dead.as_deref(), args.decode.target())?;
    let asks = args.decode.asks_registry(&args.decode_key);
    let schemas = super::shared::schemas(&args.registry, asks, cx)?;
    let stages = args.events.stages(&args.decode, &args.decode_key, &args.form, schemas.as_ref())?;
    let times = [args.from.and_then(|from| from.when), args.until];
    times.into_iter().flatten().filter_map(When::doubt).for_each(|doubt| cx.terminal.warn(doubt));
    let setup = Arc::new(super::shared::setup(&args.settings, cx)?);
    if let Some(topic) = dead.as_ref().filter(|dead| args.topics.iter().any(|topic| topic.matches_topic(dead))) {
        return Err(Error::usage(format!("dead:{topic} is a topic that is read: what failed would come again"))
            .hint("name another topic"));
    }
    let dead = dead.map(|topic| produce::prepare_plain(topic, args.settings.clone(), cx)).transpose()?;
    let waits = waits(&args);
    Ok(Prepared { ready: args.ready.prepare()?, args, setup, dead, stages, waits, handover: None })
}

impl Prepared {
    /// It says of itself what it does in these words, or in none.
    #[must_use]
    pub(super) fn saying(self, waits: Option<String>) -> Prepared {
        Prepared { waits, ..self }
    }

    /// The settings of its connection.
    pub(super) fn setup(&self) -> Arc<Setup> {
        self.setup.clone()
    }

    /// Where its group stands becomes part of the writer's transactions.
    ///
    /// # Errors
    /// `Kind::Usage`: there is no group.
    pub(crate) fn hand_over(&mut self) -> Result<Once> {
        let group = self.args.group.clone().ok_or_else(|| {
            Error::usage("--exactly-once is for a consumer group, whose offsets are committed with the records")
                .hint("name it behind `kafka tail` with --group")
        })?;
        if self.dead.is_some() {
            return Err(Error::usage("--exactly-once does not reach where failed records go (dead:TARGET)")
                .hint("let them stop it, or be left as they are"));
        }
        let handover = Arc::new(Handover::default());
        self.handover = Some(handover.clone());
        Ok(Once { handover, group, instance: self.setup.extra("group.instance.id").map(str::to_owned) })
    }

    /// How its records end, and are settled.
    pub(crate) fn origin(&self) -> Origin {
        if self.args.group.is_some() { Origin::Settled } else { Origin::Ending }
    }

    /// Begins to read.
    ///
    /// # Errors
    /// The connection's; `Kind::Refused` for a topic, partition or offset that is not there.
    pub(crate) async fn open(self, cx: &Context) -> Result<flow::Reader> {
        let Prepared { args, setup, dead, stages, ready, waits, handover } = self;
        let isolation = match args.isolation {
            Isolation::ReadCommitted => "read_committed",
            Isolation::ReadUncommitted => "read_uncommitted",
        };
        // Nothing is taken before there is somewhere to put it.
        let dead = match dead {
            Some(dead) => Some(dead.open(cx).await?.bury()),
            None => None,
        };
        let refresh = setup.refresh_millis();
        let consumer = setup.consumer(&properties(&args, &setup, isolation, &refresh.to_string()))?;
        let wanted = Arc::new(Wanted {
            topics: args.topics.clone(),
            partitions: args.partitions.clone(),
            // A group's members are told.
            every: u64::try_from(refresh).ok().filter(|_| args.group.is_none()).map(Duration::from_millis),
        });
        // What matches is found among all.
        let topic = args.topics.first().map(|topic| topic.text().to_owned()).filter(|_| !wanted.has_patterns());
        let first = connect(&consumer, &setup, topic.as_deref(), &cx.policy, &cx.shutdown).await?;
        let (limits, manner) = (args.limits.limits(), args.group.as_ref().map_or(Manner::Read, |_| Manner::Settled));
        let link = Arc::new(Link { setup, policy: cx.policy, shutdown: cx.shutdown.clone(), topic });
        let limit = cx.policy.connect_timeout;
        let until = match args.until.and_then(|until| until.time.millis()) {
            Some(millis) => Until::Time(millis),
            None if args.limits.until_end => Until::End,
            None => Until::Never,
        };
        let options = ReaderOptions { link, isolation, until, wanted, limit, handover };
        let (terminal, runtime) = (cx.terminal, tokio::runtime::Handle::current());
        let source = super::shared::on_thread(move || {
            let mut partitions = partitions(&args, &consumer, &first, &options, &terminal)?;
            if let Some(group) = &args.group {
                let setup = &options.link.setup;
                let member = Member::new(group, setup.extra("auto.offset.reset"), is_newer(setup));
                return PartitionReader::of_group(options, consumer, member);
            }
            partitions.sort();
            partitions.dedup();
            let link = options.link.clone();
            let warn = move |text: String| terminal.warn(text);
            let mut recover = |consumer: &_| runtime.block_on(link.recover(consumer, &warn));
            PartitionReader::of_partitions(options, consumer, partitions, begin(&args), &link.shutdown, &mut recover)
        })
        .await?;
        let held = ready.tell(&cx.terminal, waits.as_deref())?;
        Ok(flow::Reader { dead, held, stages, ..flow::Reader::of(Box::new(source), limits, manner) })
    }
}

/// What a reader waits for; nothing when it ends by itself.
fn waits(args: &ReadingArgs) -> Option<String> {
    let from = match (&args.group, begin(args)) {
        (Some(group), _) => format!("as a member of group `{group}`"),
        (None, Start::Begin) => "from the begin".to_owned(),
        (None, Start::End) => "from the end".to_owned(),
        (None, Start::Offset(offset)) => format!("from offset {offset}"),
        (None, Start::Last(count)) => format!("from the newest {count}"),
        (None, Start::Time(millis)) => {
            let mut time = Vec::new();
            Time::Millis(millis).write_rfc3339(&mut time);
            format!("from {}", String::from_utf8_lossy(&time))
        }
    };
    let ends = args.limits.until_end || args.until.is_some();
    let topics: Vec<&str> = args.topics.iter().map(Pattern::text).collect();
    (!ends).then(|| format!("waiting for records of {}, {from}", topics.join(", ")))
}

/// The partitions that are to be read, once all topics that were named are there; blocks.
fn partitions(
    args: &ReadingArgs,
    consumer: &Arc<BaseConsumer<ConnectionEvents>>,
    first: &Arc<Metadata>,
    options: &ReaderOptions,
    terminal: &Terminal,
) -> Result<Vec<Partition>> {
    let (patient, shutdown) = (options.link.setup.creates_topics(), &options.link.shutdown);
    let (mut partitions, mut failed) = (options.wanted.matched(first), Vec::new());
    for (index, topic) in options.wanted.names().enumerate() {
        let metadata = match index {
            0 => first.clone(),
            _ => Arc::new(
                consumer
                    .fetch_metadata(Some(topic), options.limit)
                    .map_err(|e| client::error_of(format!("cannot read the metadata of topic `{topic}`"), &e))?,
            ),
        };
        let settled = settled_topic(consumer, topic, metadata, patient, shutdown);
        match settled.and_then(|metadata| partitions_of(&metadata, topic, &args.partitions)) {
            Ok(found) => partitions.extend(found),
            Err(error) => {
                shutdown.check()?;
                failed.push(error);
            }
        }
    }
    for pattern in args.topics.iter().filter(|topic| topic.is_regex()) {
        if partitions.iter().any(|partition| pattern.matches_topic(&partition.topic)) {
            continue;
        }
        match options.until.is_known() {
            true => failed.push(super::shared::no_match(pattern)),
            false => terminal.note(format!("no topic matches `{}` yet", pattern.text())),
        }
    }
    Error::each(failed)?;
    Ok(partitions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts() {
        let place = |text| start(text).map(|from| from.start);
        assert_eq!(place("begin"), Ok(Start::Begin));
        assert_eq!(place("42"), Ok(Start::Offset(42)));
        assert_eq!(place("-10"), Ok(Start::Last(10)));
        assert_eq!(
            (place("first"), place("next"), place("last")),
            (Ok(Start::Begin), Ok(Start::End), Ok(Start::Last(1)))
        );
        assert_eq!(place("@1700000000000"), Ok(Start::Time(1_700_000_000_000)));
        for time in ["@2023-11-14T22:13:20.120Z", "2023-11-14T22:13:20.120Z"] {
            assert_eq!(place(time), Ok(Start::Time(1_700_000_000_120)));
        }
        for ago in ["@1h", "@-1h", "1h", "-1h", "yesterday", "@2023-11-28", "@2023-11-28 10:00"] {
            assert!(matches!(place(ago), Ok(Start::Time(t)) if t > 1_700_000_000_000), "{ago}");
        }
        for bad in ["", "x", "-", "-x", "@", "@x", "1.5", "--5", "@-1", "@1969-12-31T23:59:59Z"] {
            assert!(start(bad).is_err(), "{bad}");
        }
    }
}
