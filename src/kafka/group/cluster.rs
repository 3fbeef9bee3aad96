//! A cluster that is asked about its groups.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::metadata::Metadata;
use rdkafka::types::RDKafkaErrorCode as Code;

use super::fault::{is_passing, missing, no_match};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::kafka::client::{
    CLOSE, ConnectionEvents, OffsetSpec, Partition, administer, connect, drop_within, error_of, find, first_times,
    said_error,
};
use crate::kafka::ffi::{Admin, Committed, GroupDescription, GroupListing, GroupState, Said};
use crate::kafka::pattern::{Pattern, expand};
use crate::kafka::settings::Settings;
use crate::kafka::shared;
use crate::output::Terminal;
use crate::shutdown::Shutdown;

/// A broker that becomes a group's coordinator reads the group first: asked again for so long.
const SETTLE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(50);

/// A connection, and what is known of the cluster.
pub(super) struct Cluster {
    consumer: Arc<BaseConsumer<ConnectionEvents>>,
    /// Of all topics.
    metadata: Arc<Metadata>,
    limit: Duration,
    shutdown: Shutdown,
    terminal: Terminal,
}

/// What the metadata says of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// It can be asked for.
    Led,
    /// It is there, and nobody leads it now.
    Leaderless,
}

impl Cluster {
    /// Connects.
    ///
    /// # Errors
    /// The connection's.
    pub(super) async fn open(flags: &Settings, properties: &[(&str, &str)], cx: &Context) -> Result<Cluster> {
        let setup = shared::setup(flags, cx)?;
        // With the other isolation level an open transaction's first record would be taken for the end.
        let properties = [&[("isolation.level", "read_uncommitted")], properties].concat();
        let consumer = setup.consumer(&properties)?;
        let metadata = connect(&consumer, &setup, None, &cx.policy, &cx.shutdown).await?;
        let limit = cx.policy.connect_timeout;
        Ok(Cluster { consumer, metadata, limit, shutdown: cx.shutdown.clone(), terminal: cx.terminal })
    }

    /// Ends the connection; blocks for a moment.
    pub(super) fn close(self) {
        drop_within(self.consumer, CLOSE);
    }

    /// One or several admin requests; blocks, as all below it.
    ///
    /// # Errors
    /// As [`administer`].
    pub(super) fn ask<T>(&self, what: impl Into<String>, ask: impl FnOnce(&Admin<'_>) -> Result<T, Said>) -> Result<T> {
        administer(&*self.consumer, self.limit, &self.shutdown, what, ask)
    }

    /// As [`Cluster::ask`], for who has words of his own for a refusal.
    ///
    /// # Errors
    /// The reason to stop.
    pub(super) fn attempt<T>(&self, ask: impl FnOnce(&Admin<'_>) -> Result<T, Said>) -> Result<Result<T, Said>> {
        let asked = self.ask("cannot ask", |admin| Ok(ask(admin)))?;
        if asked.is_err() {
            self.shutdown.check()?;
        }
        Ok(asked)
    }

    /// Asks about groups, each of which has its own outcome, in their order. What a coordinator refuses that has just begun to
    /// be one is asked again.
    ///
    /// # Errors
    /// As [`Cluster::ask`].
    pub(super) fn ask_of<T>(
        &self,
        what: &str,
        groups: &[String],
        ask: impl Fn(&Admin<'_>, &[String]) -> Result<Vec<Result<T, Said>>, Said>,
    ) -> Result<Vec<Result<T, Said>>> {
        let passes = |one: &Result<T, Said>| one.as_ref().is_err_and(|said| is_passing(said.code));
        let started = Instant::now();
        if groups.is_empty() {
            return Ok(Vec::new());
        }
        let mut found = self.ask(what, |admin| ask(admin, groups))?;
        while found.iter().any(passes) && started.elapsed() < SETTLE.min(self.limit) {
            self.shutdown.check()?;
            std::thread::sleep(PAUSE);
            let open: Vec<usize> = (0..groups.len()).filter(|at| found.get(*at).is_some_and(passes)).collect();
            let again: Vec<String> = open.iter().filter_map(|at| groups.get(*at).cloned()).collect();
            let answers = self.ask(what, |admin| ask(admin, &again))?;
            for (at, answer) in open.into_iter().zip(answers) {
                if let Some(found) = found.get_mut(at) {
                    *found = answer;
                }
            }
        }
        Ok(found)
    }

    /// What groups have committed.
    ///
    /// # Errors
    /// As [`Cluster::ask_of`].
    pub(super) fn committed(&self, groups: &[String]) -> Result<Vec<Result<Vec<Committed>, Said>>> {
        self.ask_of("cannot read the groups' offsets", groups, |admin, groups| admin.committed(groups))
    }

    /// The description of groups, one that is not there being dead.
    ///
    /// # Errors
    /// As [`Cluster::ask_of`].
    pub(super) fn descriptions(&self, groups: &[String]) -> Result<Vec<Result<GroupDescription, Said>>> {
        self.ask_of("cannot describe consumer groups", groups, |admin, groups| admin.describe_groups(groups))
    }

    /// The metadata of all topics, as it was read last.
    pub(super) fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Reads it again.
    ///
    /// # Errors
    /// librdkafka's.
    pub(super) fn refresh(&mut self) -> Result<()> {
        let metadata = self.consumer.fetch_metadata(None, self.limit);
        self.metadata = Arc::new(metadata.map_err(|e| error_of("cannot read the cluster's metadata", &e))?);
        Ok(())
    }

    /// What is known of all partitions that are there.
    pub(super) fn partitions(&self) -> HashMap<(&str, i32), Known> {
        let topics = self.metadata.topics().iter().filter(|topic| topic.error().is_none());
        let partitions = topics.flat_map(|topic| topic.partitions().iter().map(move |p| (topic.name(), p)));
        let known = |leader: i32| if leader < 0 { Known::Leaderless } else { Known::Led };
        partitions.map(|(topic, p)| ((topic, p.id()), known(p.leader()))).collect()
    }

    /// What the cluster says against a topic alone, which the metadata of all topics leaves out where nobody may see it.
    ///
    /// # Errors
    /// librdkafka's.
    pub(super) fn fault_of(&self, topic: &str) -> Result<Option<Code>> {
        let metadata = self.consumer.fetch_metadata(Some(topic), self.limit);
        let metadata = metadata.map_err(|e| error_of(format!("cannot read the metadata of topic `{topic}`"), &e))?;
        let found = metadata.topics().iter().find(|found| found.name() == topic);
        Ok(found.map_or(Some(Code::UnknownTopicOrPartition), |found| found.error().map(Into::into)))
    }

    /// Finds offsets, each with its own outcome.
    ///
    /// # Errors
    /// As [`find`].
    pub(super) fn offsets(&self, of: &[(&Partition, OffsetSpec)]) -> Result<Vec<Result<i64, Said>>> {
        find(&self.consumer, of, self.limit, &self.shutdown)
    }

    /// The times of first records, in ms since 1970. The consumer has to be one for it.
    ///
    /// # Errors
    /// As [`first_times`].
    pub(super) fn times(&self, of: &[(&Partition, i64)]) -> Result<Vec<Option<i64>>> {
        first_times(&self.consumer, of, self.limit, &self.shutdown)
    }

    /// The consumer groups, by name.
    ///
    /// # Errors
    /// When no broker told any.
    pub(super) fn listed(&self) -> Result<Vec<GroupListing>> {
        let mut listed = self.ask("cannot list the consumer groups", |admin| admin.list_groups())?;
        for said in &listed.faults {
            let error = said_error("cannot list the consumer groups of one broker", said);
            if listed.groups.is_empty() {
                return Err(error);
            }
            self.terminal.warn(error.chain());
        }
        listed.groups.sort_by(|a, b| a.name.cmp(&b.name));
        listed.groups.dedup_by(|a, b| a.name == b.name);
        Ok(listed.groups)
    }

    /// All groups, also those of other clients, with the protocol that they speak among themselves and how many members they
    /// have where it is the classic one: one request a broker, or two.
    ///
    /// # Errors
    /// librdkafka's.
    pub(super) fn told(&self) -> Result<BTreeMap<String, Told>> {
        let told = self.consumer.fetch_group_list(None, self.limit);
        let told = told.map_err(|e| error_of("cannot list the groups", &e))?;
        let groups = told.groups().iter().map(|group| {
            let told = Told {
                protocol: group.protocol_type().to_owned(),
                state: GroupState::named(group.state()),
                members: group.members().len(),
            };
            (group.name().to_owned(), told)
        });
        Ok(groups.collect())
    }

    /// The groups that are meant. Names alone are not looked for.
    ///
    /// # Errors
    /// As [`Cluster::listed`].
    pub(super) fn meant(&self, patterns: &[Pattern], all: bool) -> Result<Names> {
        let there: Vec<String> = match all || patterns.iter().any(Pattern::is_regex) {
            true => self.listed()?.into_iter().map(|group| group.name).collect(),
            false => Vec::new(),
        };
        let named = patterns.iter().filter(|pattern| !pattern.is_regex()).map(|pattern| pattern.text().to_owned());
        let named = named.collect();
        if all {
            return Ok(Names { all: there, named, failed: Vec::new() });
        }
        let there: Vec<&str> = there.iter().map(String::as_str).collect();
        let (all, without) = expand(patterns, &there, Pattern::matches);
        Ok(Names { all, named, failed: without.into_iter().map(no_match).collect() })
    }

    /// The errors of groups that are not there, each with one that is called much like it.
    pub(super) fn gone(&self, groups: &[String]) -> Vec<Error> {
        if groups.is_empty() {
            return Vec::new();
        }
        let others = self.others();
        let all: Vec<String> = others.keys().cloned().collect();
        let error = |group: &String| match others.get(group) {
            Some(false) => Error::refused(format!("`{group}` is no consumer group"))
                .hint("share groups and others are only listed: `mscomm kafka group list`"),
            _ => missing(group, &all),
        };
        groups.iter().map(error).collect()
    }

    /// All groups, and whether each is one of consumers: what somebody may have meant.
    fn others(&self) -> BTreeMap<String, bool> {
        // Without them the error says less.
        let mut others: BTreeMap<String, bool> =
            self.told().unwrap_or_default().into_keys().map(|name| (name, false)).collect();
        others.extend(self.listed().unwrap_or_default().into_iter().map(|group| (group.name, true)));
        others
    }
}

/// Groups by their names.
pub(super) struct Names {
    /// All that are meant, each once.
    pub all: Vec<String>,
    /// Those that were named, be they there or not; the others were there when they were listed.
    pub named: BTreeSet<String>,
    /// Why some mean none.
    pub failed: Vec<Error>,
}

/// Whether a description is that of a group that is not there.
pub(super) fn is_gone(about: &GroupDescription) -> bool {
    about.state == GroupState::Dead && about.members.is_empty()
}

/// What the classic protocol tells of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    /// What its members speak, `consumer` or `connect`; empty where nobody knows.
    pub protocol: String,
    /// What it is doing; dead where the protocol is another one.
    pub state: GroupState,
    /// How many members it has.
    pub members: usize,
}
