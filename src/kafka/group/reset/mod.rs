//! `kafka group reset`.

mod file;
mod goal;
mod plan;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::types::RDKafkaErrorCode as Code;
use serde_json::json;

use self::goal::{Goal, PLACES, Place};
use self::plan::{Aim, Step};
use super::cluster::Cluster;
use super::fault::{group_refused, missing, named, partitions_refused};
use crate::context::Context;
use crate::error::{Error, Kind, Result, counted};
use crate::kafka::client::Partition;
use crate::kafka::ffi::{Committed, GroupMember, GroupState, OffsetOutcome, Said};
use crate::kafka::meant::Meant;
use crate::kafka::settings::Settings;
use crate::kafka::shared;
use crate::output::{Table, TableLayout, Terminal};
use crate::shutdown::Shutdown;
use crate::values::{self, Offering};

/// How often it is looked whether a group has members left.
const LOOK: Duration = Duration::from_millis(500);

/// Set the offsets of a group, or only show them before and after, without --yes
///
/// Prints topic, partition, and the offset before and after. Without --yes nothing is set, and nobody is asked. An offset outside of
/// what a partition keeps becomes its begin or its end, and is told. While a group has members the broker refuses to set its
/// offsets: stop them, or wait for that with --when-empty.
#[derive(Debug, clap::Args)]
pub(crate) struct ResetArgs {
    /// The group
    #[arg(value_name = "GROUP", value_parser = group_name)]
    group: String,
    /// Only this topic, or some of its partitions, as orders:0,2; what begins with ^ is a regular expression. May be repeated
    ///
    /// Without it, all partitions that the group has committed offsets for, or those of the FILE.
    #[arg(long = "topic", value_name = "TOPIC[:PARTITIONS]", value_parser = Meant::read)]
    topics: Vec<Meant>,
    /// Where to: begin, end, last, an OFFSET, -N for the newest N of each partition, +N for N behind what is committed, @TIME
    /// (as @1h), or a FILE of `group export` (- for standard input)
    #[arg(long, value_name = "WHERE", allow_hyphen_values = true, hide_possible_values = true, required_unless_present = "shift_by",
          value_parser = Offering(Goal::read, PLACES))]
    to: Option<Goal>,
    /// So many offsets on from what is committed, or back with a minus, as -100
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true, conflicts_with = "to")]
    shift_by: Option<i64>,
    /// Do it; without it, it is only shown
    #[arg(short, long)]
    yes: bool,
    /// Wait so long for the last member to leave, instead of refusing (exit 8)
    #[arg(long, value_name = "DURATION", requires = "yes", value_parser = values::duration)]
    when_empty: Option<Duration>,
    /// How to show it
    #[arg(short, long, value_name = "LAYOUT", value_enum)]
    output: Option<TableLayout>,
    #[command(flatten)]
    settings: Settings,
}

fn group_name(text: &str) -> Result<String, String> {
    match text {
        "" => Err("a group has a name; list them with `mscomm kafka group list`".to_owned()),
        _ => Ok(text.to_owned()),
    }
}

/// Sets offsets, or shows what would be set.
///
/// # Errors
/// The connection's; `Kind::Refused` for a group with members, for topics and partitions that are not there; `Kind::Auth`.
pub(crate) async fn reset(args: ResetArgs, cx: &Context) -> Result<()> {
    let ResetArgs { group, topics, to, shift_by, yes, when_empty, output, settings } = args;
    let goal = match (to, shift_by) {
        (Some(goal), _) => goal,
        (None, by) => Goal::Place(Place::Shift(by.unwrap_or_default())),
    };
    let aim = match &goal {
        Goal::Place(place) => {
            if let Place::Time(_, when) = place {
                when.doubt().into_iter().for_each(|doubt| cx.terminal.warn(doubt));
            }
            Aim::Place(*place)
        }
        _ => {
            let (kept, other) = file::of_group(file::read(&goal)?, &group)?;
            other.iter().for_each(|other| cx.terminal.note(format!("these are the offsets of group `{other}`")));
            Aim::Kept(kept)
        }
    };
    let cluster = Cluster::open(&settings, &[], cx).await?;
    let work = Work { group, topics, aim, yes, when_empty, terminal: cx.terminal, shutdown: cx.shutdown.clone() };
    let (group, done) = (work.group.clone(), shared::on_thread(move || work.run(cluster)).await?);
    let Done { steps, failed } = done;
    let mut table = Table::new(["topic", "partition", "before", "after"]);
    for Step { partition, before, after, .. } in &steps {
        table.row([json!(partition.topic), json!(partition.number), json!(before), json!(after)]);
    }
    if !table.is_empty() {
        table.print(output, &cx.terminal)?;
    }
    let count = counted(steps.len() as u64, "offset");
    match (yes, steps.is_empty()) {
        (_, true) => {}
        (true, false) => cx.terminal.note(format!("set {count} of group `{group}`")),
        (false, false) => cx.terminal.note("nothing was done; --yes sets what is shown"),
    }
    Error::each(failed)
}

/// What is to be done.
struct Work {
    group: String,
    topics: Vec<Meant>,
    aim: Aim,
    yes: bool,
    when_empty: Option<Duration>,
    terminal: Terminal,
    shutdown: Shutdown,
}

/// What was done, or would be, and what was refused.
struct Done {
    steps: Vec<Step>,
    failed: Vec<Error>,
}

impl Work {
    /// Looks, and with `yes` sets; blocks.
    fn run(&self, cluster: Cluster) -> Result<Done> {
        let is_there = self.await_empty(&cluster)?;
        let committed = if is_there { self.committed(&cluster)? } else { Vec::new() };
        let (mut partitions, gone) = match &self.aim {
            Aim::Kept(kept) => (in_file(&cluster, kept, &self.topics)?, Vec::new()),
            Aim::Place(_) => plan::meant(&cluster, &self.topics, &committed)?,
        };
        for topic in gone {
            self.terminal.note(format!("topic `{topic}` is not there any more: its offsets stay as they are"));
        }
        partitions.dedup();
        if partitions.is_empty() {
            return Err(Error::refused(format!("group `{}` has committed nothing that could be set", self.group))
                .hint("name topics with --topic"));
        }
        let steps = plan::steps(&cluster, &self.aim, &partitions, &committed)?;
        if let Some(moved) = plan::moved(&steps) {
            self.terminal.warn(moved);
        }
        let done = if self.yes { self.set(&cluster, steps)? } else { Done { steps, failed: Vec::new() } };
        cluster.close();
        Ok(done)
    }

    /// Waits until the group has no members, where that is wanted. False when the group is not there.
    fn await_empty(&self, cluster: &Cluster) -> Result<bool> {
        let started = Instant::now();
        let mut told = false;
        loop {
            let described = cluster.descriptions(std::slice::from_ref(&self.group))?;
            let about = match described.into_iter().next() {
                Some(Ok(about)) => about,
                Some(Err(said)) => return Err(group_refused("describe", &self.group, "Describe", &said)),
                None => return Ok(false),
            };
            if about.members.is_empty() {
                if about.state == GroupState::Dead {
                    self.new_group(cluster)?;
                    return Ok(false);
                }
                return Ok(true);
            }
            match self.when_empty {
                None if self.yes => return Err(self.has_members(&about.members)),
                None => {
                    self.terminal.warn(format!("--yes would be refused: {}", self.has_members(&about.members).head()));
                    return Ok(true);
                }
                Some(limit) if started.elapsed() >= limit => {
                    let waited = format!("waited {} for the members to leave", humantime::format_duration(limit));
                    return Err(self.has_members(&about.members).with_kind(Kind::Deadline).context(waited));
                }
                Some(_) => {}
            }
            if !std::mem::replace(&mut told, true) {
                self.terminal.status(format!("waiting for its members to leave: {}", named(&about.members)));
            }
            self.shutdown.check()?;
            std::thread::sleep(LOOK);
        }
    }

    fn has_members(&self, members: &[GroupMember]) -> Error {
        let count = counted(members.len() as u64, "member");
        Error::refused(format!("group `{}` has {count}: {}", self.group, named(members)))
            .hint("stop them first, or wait for that with --when-empty 1m; one that was killed is gone after its session timeout")
    }

    /// A group that is not there gets what is set. That needs topics, and a name that is meant.
    fn new_group(&self, cluster: &Cluster) -> Result<()> {
        let all: Vec<String> = cluster.listed().unwrap_or_default().into_iter().map(|group| group.name).collect();
        let missing = missing(&self.group, &all);
        if self.topics.is_empty() && matches!(self.aim, Aim::Place(_)) {
            return Err(missing);
        }
        let fix =
            missing.fix().filter(|fix| fix.starts_with("did you")).map(|fix| format!("; {fix}")).unwrap_or_default();
        self.terminal.warn(format!("{}: setting offsets makes it{fix}", missing.head()));
        Ok(())
    }

    /// What the group has committed.
    fn committed(&self, cluster: &Cluster) -> Result<Vec<Committed>> {
        let committed = cluster.committed(std::slice::from_ref(&self.group))?;
        let committed = committed.into_iter().next().unwrap_or_else(|| Ok(Vec::new()));
        committed.map_err(|said| group_refused("read the offsets of", &self.group, "Describe", &said))
    }

    /// Sets them. What is refused is told, and the others are set.
    fn set(&self, cluster: &Cluster, steps: Vec<Step>) -> Result<Done> {
        let offsets: Vec<_> = steps.iter().map(Step::new_offset).collect();
        let refused = |said: &Said| {
            let error = group_refused("set the offsets of", &self.group, "Read", said);
            match error.kind() {
                // It was sent, maybe, and done.
                Kind::Deadline | Kind::Connect => error.context("nobody knows what was set").with_kind(Kind::Partial),
                _ => error,
            }
        };
        let outcomes = cluster.attempt(|admin| admin.commit(&self.group, &offsets))?.map_err(|said| refused(&said))?;
        let mut failed: BTreeMap<Partition, Said> = BTreeMap::new();
        for OffsetOutcome { place, result } in outcomes {
            failed.extend(result.err().map(|said| (Partition { topic: place.topic, number: place.partition }, said)));
        }
        let done = steps.into_iter().filter(|step| !failed.contains_key(&step.partition)).collect();
        // What the broker says of the group it says of each partition.
        let is_of_group =
            |said: &&Said| !matches!(said.code, Code::TopicAuthorizationFailed | Code::UnknownTopicOrPartition);
        let failed = match failed.values().find(is_of_group) {
            Some(said) => vec![refused(said)],
            None => partitions_refused("set", "Read", failed.into_iter().collect()),
        };
        Ok(Done { steps: done, failed })
    }
}

/// The partitions of a file that are meant.
///
/// # Errors
/// `Kind::Refused` for those that are not there.
fn in_file(cluster: &Cluster, kept: &[file::Kept], topics: &[Meant]) -> Result<Vec<Partition>> {
    let is_meant = |p: &Partition| topics.is_empty() || topics.iter().any(|meant| meant.has(&p.topic, p.number));
    let mut partitions: Vec<Partition> =
        kept.iter().map(|kept| kept.partition.clone()).filter(|partition| is_meant(partition)).collect();
    partitions.sort();
    let known = cluster.partitions();
    let is_gone = |p: &&Partition| !known.contains_key(&(p.topic.as_str(), p.number));
    let gone = partitions.iter().filter(is_gone).map(|p| {
        Error::refused(format!("there is no partition {}[{}]", p.topic, p.number))
            .hint("leave it out of the file, or choose others with --topic")
    });
    Error::each(gone.collect::<Vec<_>>())?;
    if partitions.is_empty() {
        return Err(Error::usage("the file has no offsets of these topics").hint("leave --topic out, or name others"));
    }
    Ok(partitions)
}
