//! Records of topics as a source: for `kafka tail`, `bridge`, and both ends of a request.

mod args;

use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::metadata::Metadata;

pub(crate) use self::args::ReadingArgs;
use self::args::{Isolation, begin, check, waits};
use super::client::{
    self, ConnectionEvents, Handover, Link, Member, Partition, PartitionReader, ReaderOptions, Setup, Start, Until,
    Wanted, connect, may_guess, partitions_of, settled_topic,
};
use super::pattern::{Pattern, is_internal};
use super::produce;
use super::transactional::{Once, Origin};
use crate::args::Ready;
use crate::codec::one_target;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flow::{self, Manner, Stage};
use crate::message::When;
use crate::output::Terminal;

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
        let options = ReaderOptions { link, isolation, until, wanted, guesses: false, limit, handover };
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
            // librdkafka may be told to jump, without a word, where an offset is not there.
            let guesses = link.setup.extra("auto.offset.reset").is_none() && may_guess(&partitions, &first);
            let options = ReaderOptions { guesses, ..options };
            PartitionReader::of_partitions(options, consumer, partitions, begin(&args), &link.shutdown, &mut recover)
        })
        .await?;
        let held = ready.tell(&cx.terminal, waits.as_deref())?;
        Ok(flow::Reader { dead, held, stages, ..flow::Reader::of(Box::new(source), limits, manner) })
    }
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
