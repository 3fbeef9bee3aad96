//! `kafka group delete`.

use std::collections::BTreeSet;

use rdkafka::types::RDKafkaErrorCode as Code;

use super::cluster::{Cluster, Names, is_gone};
use super::fault::{group_refused, missing, named, partitions_refused};
use crate::context::Context;
use crate::error::{Error, Result, counted};
use crate::kafka::client::Partition;
use crate::kafka::ffi::{OffsetOutcome, Said, TopicPartitionOffset};
use crate::kafka::meant::Meant;
use crate::kafka::pattern::Pattern;
use crate::kafka::settings::Settings;
use crate::kafka::shared;
use crate::output::{Terminal, YesArgs};
use crate::values::quoted;

/// Delete groups with all their offsets, or the offsets of some topics
///
/// A group with members is refused; so are the offsets of a topic that they read.
#[derive(Debug, clap::Args)]
pub(crate) struct DeleteArgs {
    /// The groups; what begins with ^ is a regular expression
    #[arg(value_name = "GROUP", required = true, value_parser = Pattern::read)]
    groups: Vec<Pattern>,
    /// Only the offsets of this topic, or of some of its partitions, as orders:0,2; what begins with ^ is a regular expression.
    /// May be repeated
    #[arg(long = "topic", value_name = "TOPIC[:PARTITIONS]", value_parser = Meant::read)]
    topics: Vec<Meant>,
    /// Take it for done where there is no such group, or it has no such offsets, instead of refusing (exit 8)
    #[arg(long)]
    if_exists: bool,
    #[command(flatten)]
    yes: YesArgs,
    #[command(flatten)]
    settings: Settings,
}

/// Deletes groups, or offsets of them.
///
/// # Errors
/// `Kind::Refused` for one that is not there, or has members; `Kind::Auth`.
pub(crate) async fn delete(args: DeleteArgs, cx: &Context) -> Result<()> {
    let DeleteArgs { groups, topics, if_exists, yes, settings } = args;
    let what = |names: &[String]| match topics.is_empty() {
        true => format!("delete {} with all offsets", quoted(names)),
        false => format!("delete offsets of {} for {}", quoted(names), topics_named(&topics)),
    };
    let by_name = |groups: &[Pattern]| crate::values::distinct(groups.iter().map(|p| p.text().to_owned()).collect());
    let has_regex = groups.iter().any(Pattern::is_regex);
    if !has_regex {
        yes.confirmed(what(&by_name(&groups)), &cx.shutdown).await?;
    }
    let cluster = Cluster::open(&settings, &[], cx).await?;
    let (cluster, Names { all: names, named, mut failed }) = shared::on_thread(move || {
        let meant = cluster.meant(&groups, false)?;
        Ok((cluster, meant))
    })
    .await?;
    if if_exists {
        // What an expression matches none of is as good as gone.
        failed.clear();
    }
    // Only now it is known whom an expression means.
    if has_regex && !names.is_empty() {
        yes.confirmed(what(&names), &cx.shutdown).await?;
    }
    if names.is_empty() {
        return Error::each(failed);
    }
    let terminal = cx.terminal;
    failed.extend(
        shared::on_thread(move || {
            let work = Work { cluster: &cluster, terminal, named, if_exists };
            let failed = if topics.is_empty() { work.groups(&names)? } else { work.offsets(&names, &topics)? };
            cluster.close();
            Ok(failed)
        })
        .await?,
    );
    Error::each(failed)
}

fn topics_named(topics: &[Meant]) -> String {
    let name = |meant: &Meant| {
        let partitions: Vec<String> = meant.partitions.iter().map(i32::to_string).collect();
        match partitions.is_empty() {
            true => meant.topic.text().to_owned(),
            false => format!("{}:{}", meant.topic.text(), partitions.join(",")),
        }
    };
    quoted(&topics.iter().map(name).collect::<Vec<_>>())
}

struct Work<'c> {
    cluster: &'c Cluster,
    terminal: Terminal,
    /// Those whose absence counts.
    named: BTreeSet<String>,
    if_exists: bool,
}

impl Work<'_> {
    /// Deletes groups; why some are still there.
    fn groups(&self, names: &[String]) -> Result<Vec<Error>> {
        let outcomes = self.cluster.ask_of("cannot delete consumer groups", names, |admin, names| {
            // librdkafka gives them in the order in which they are answered.
            let outcomes = admin.delete_groups(names)?;
            let of = |name: &String| outcomes.iter().find(|one| one.name == *name).map(|one| one.result.clone());
            Ok(names.iter().map(|name| of(name).unwrap_or_else(|| Err(Said::plain(Code::Fail)))).collect())
        })?;
        let (mut done, mut failed) = (Vec::new(), Vec::new());
        for (name, result) in names.iter().cloned().zip(outcomes) {
            match result {
                Ok(()) => done.push(name),
                Err(said) if said.code == Code::GroupIdNotFound && (self.if_exists || !self.named.contains(&name)) => {
                    self.terminal.note(format!("group `{name}` is not there"));
                }
                Err(said) => failed.push(self.refused("delete", &name, &said)),
            }
        }
        if !done.is_empty() {
            self.terminal.note(format!("deleted {}", done.join(", ")));
        }
        Ok(failed)
    }

    /// Deletes offsets of groups; why some are still there.
    fn offsets(&self, names: &[String], topics: &[Meant]) -> Result<Vec<Error>> {
        let committed = self.cluster.committed(names)?;
        let mut failed = Vec::new();
        for (name, committed) in names.iter().zip(committed) {
            let committed = match committed {
                Ok(committed) => committed,
                Err(said) => {
                    failed.push(group_refused("read the offsets of", name, "Describe", &said));
                    continue;
                }
            };
            let places = committed.into_iter().filter(|c| c.place.offset >= 0).map(|c| c.place);
            let is_meant = |p: &TopicPartitionOffset| topics.iter().any(|meant| meant.has(&p.topic, p.partition));
            let places: Vec<TopicPartitionOffset> = places.filter(is_meant).collect();
            if places.is_empty() {
                match self.named.contains(name) {
                    true if self.if_exists => self.terminal.note(format!("group `{name}` has no such offsets")),
                    true => failed.push(self.nothing(name)?),
                    false => {}
                }
                continue;
            }
            match self.cluster.attempt(|admin| admin.forget_offsets(name, &places))? {
                Err(said) => failed.push(self.refused("delete offsets of", name, &said)),
                Ok(outcomes) => {
                    let (done, refused): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(|one| one.result.is_ok());
                    if !done.is_empty() {
                        let count = counted(done.len() as u64, "offset");
                        self.terminal.note(format!("deleted {count} of group {name}"));
                    }
                    let refused = refused.into_iter().filter_map(|one| {
                        let OffsetOutcome { place, result } = one;
                        Some((Partition { topic: place.topic, number: place.partition }, result.err()?))
                    });
                    failed.extend(partitions_refused("delete", "Read", refused.collect()));
                }
            }
        }
        Ok(failed)
    }

    /// The error of a group that has no offsets of the topics.
    fn nothing(&self, name: &String) -> Result<Error> {
        let described = self.cluster.descriptions(std::slice::from_ref(name))?;
        let is_gone = described.first().is_some_and(|described| described.as_ref().is_ok_and(is_gone));
        let gone = if is_gone { self.cluster.gone(std::slice::from_ref(name)).pop() } else { None };
        Ok(match gone {
            Some(error) => error,
            None => Error::refused(format!("group `{name}` has no offsets of these topics")).hint(format!(
                "see `mscomm kafka group describe {name}`; with --if-exists it is as good that there are none"
            )),
        })
    }

    /// The error of a group, with the names of its members where these are in the way.
    fn refused(&self, what: &str, name: &String, said: &Said) -> Error {
        match said.code {
            Code::GroupIdNotFound => {
                let all = self.cluster.listed().unwrap_or_default().into_iter().map(|group| group.name);
                let error = missing(name, &all.collect::<Vec<_>>());
                let fix =
                    format!("{}; with --if-exists it is as good that there is none", error.fix().unwrap_or_default());
                error.hint(fix)
            }
            Code::NonEmptyGroup => {
                let described = self.cluster.descriptions(std::slice::from_ref(name)).unwrap_or_default();
                match described.into_iter().next() {
                    Some(Ok(about)) if !about.members.is_empty() => {
                        let count = counted(about.members.len() as u64, "member");
                        let has = format!("cannot {what} group `{name}`: it has {count}: {}", named(&about.members));
                        Error::refused(has)
                            .hint("stop them first; one that was killed is gone after its session timeout")
                    }
                    _ => group_refused(what, name, "Delete", said),
                }
            }
            _ => group_refused(what, name, "Delete", said),
        }
    }
}
