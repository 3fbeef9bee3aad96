//! `kafka group list`.

use std::collections::BTreeMap;

use serde_json::json;

use super::cluster::{Cluster, Told};
use super::view;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::kafka::ffi::{GroupKind, GroupListing, GroupState};
use crate::kafka::pattern::Pattern;
use crate::kafka::settings::Settings;
use crate::kafka::shared;
use crate::output::{Table, TableLayout, WideArgs};

/// List the groups, with their state and how many members they have
///
/// The type says how a group shares out its work: classic, consumer (KIP-848), or unknown for what librdkafka has no name
/// for, as share groups. The protocol is what the members are: consumer, or another one as connect.
#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    /// Only these groups; what begins with ^ is a regular expression
    #[arg(value_name = "GROUP", value_parser = Pattern::read)]
    groups: Vec<Pattern>,
    /// Only groups in one of these states
    #[arg(long, value_name = "STATES", value_enum, value_delimiter = ',')]
    state: Vec<State>,
    /// Only groups of one of these types
    #[arg(long = "type", value_name = "TYPES", value_enum, value_delimiter = ',')]
    kind: Vec<Kind>,
    /// How to show the list
    #[arg(short, long, value_name = "LAYOUT", value_enum)]
    output: Option<TableLayout>,
    #[command(flatten)]
    wide: WideArgs,
    #[command(flatten)]
    settings: Settings,
}

/// What a group is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum State {
    /// The members work
    Stable,
    /// There are no members
    Empty,
    /// Members come or go
    PreparingRebalance,
    /// The assignment is waited for
    CompletingRebalance,
    /// Partitions move (KIP-848)
    Reconciling,
    /// It is being removed
    Dead,
    /// Nobody tells
    Unknown,
}

/// How a group shares out its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    /// Among its members
    Classic,
    /// By the broker (KIP-848)
    Consumer,
    /// librdkafka has no name for it
    Unknown,
}

/// What is shown of a group.
pub(crate) const COLUMNS: [&str; 5] = ["group", "type", "protocol", "state", "members"];

/// A line of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    name: String,
    kind: GroupKind,
    protocol: Option<String>,
    state: GroupState,
    /// `None` for those that only a description tells, or nobody.
    members: Option<usize>,
}

/// Lists the groups.
///
/// # Errors
/// The connection's and the output's; `Kind::Refused` for one that is not there.
pub(crate) async fn list(args: ListArgs, cx: &Context) -> Result<()> {
    args.wide.check(&COLUMNS)?;
    let cluster = Cluster::open(&args.settings, &[], cx).await?;
    let (groups, states, kinds) = (args.groups, args.state, args.kind);
    let narrowed = !states.is_empty() || !kinds.is_empty();
    let (lines, failed) = shared::on_thread(move || {
        let told = cluster.told()?;
        let mut lines = lines(cluster.listed()?, told);
        let failed = narrow(&mut lines, &groups);
        lines.retain(|line| is_meant(&states, view::state(line.kind, line.state)));
        lines.retain(|line| is_meant(&kinds, line.kind.name()));
        count_members(&cluster, &mut lines)?;
        cluster.close();
        Ok((lines, failed))
    })
    .await?;
    let mut table = Table::new(COLUMNS);
    for Line { name, kind, protocol, state, members } in lines {
        let state = view::state(kind, state);
        table.row([json!(name), json!(kind.name()), json!(protocol), json!(state), json!(members)]);
    }
    if table.is_empty() && failed.is_empty() {
        cx.terminal.note(if narrowed { "no group is as asked for" } else { super::fault::NONE });
    }
    if !table.is_empty() || failed.is_empty() {
        table.arranged(&args.wide).print(args.output, &cx.terminal)?;
    }
    Error::each(failed)
}

/// Whether a word is among those of a flag, or there are none.
fn is_meant<T: clap::ValueEnum>(wanted: &[T], name: &str) -> bool {
    let is_it = |one: &T| one.to_possible_value().is_some_and(|value| value.get_name() == name);
    wanted.is_empty() || wanted.iter().any(is_it)
}

/// All groups by name, from what is told of consumers and what is told of all.
fn lines(listed: Vec<GroupListing>, told: BTreeMap<String, Told>) -> Vec<Line> {
    let mut lines: BTreeMap<String, Line> = BTreeMap::new();
    for (name, Told { protocol, state, members }) in told {
        // To the classic protocol a group of another one is dead.
        let is_classic = state != GroupState::Dead;
        let line = Line {
            name: name.clone(),
            kind: if is_classic { GroupKind::Classic } else { GroupKind::Unknown },
            protocol: Some(protocol).filter(|protocol| !protocol.is_empty()),
            state: if is_classic { state } else { GroupState::Unknown },
            members: is_classic.then_some(members),
        };
        lines.insert(name, line);
    }
    for GroupListing { name, kind, state } in listed {
        let new = Line { name: name.clone(), kind, protocol: None, state, members: None };
        let line = lines.entry(name).or_insert(new);
        // Old brokers tell neither.
        if kind != GroupKind::Unknown {
            line.kind = kind;
        }
        if state != GroupState::Unknown {
            line.state = state;
        }
        if kind == GroupKind::Consumer {
            line.protocol = Some("consumer".to_owned());
        }
    }
    lines.into_values().collect()
}

/// Leaves what is meant; the errors of what is not there.
fn narrow(lines: &mut Vec<Line>, groups: &[Pattern]) -> Vec<Error> {
    if groups.is_empty() {
        return Vec::new();
    }
    let names: Vec<String> = lines.iter().map(|line| line.name.clone()).collect();
    let has_none = |pattern: &&Pattern| !names.iter().any(|name| pattern.matches(name));
    let fault = |pattern: &Pattern| match pattern.is_regex() {
        true => super::fault::no_match(pattern),
        false => super::fault::missing(pattern.text(), &names),
    };
    let failed = groups.iter().filter(has_none).map(fault).collect();
    lines.retain(|line| groups.iter().any(|pattern| pattern.matches(&line.name)));
    failed
}

/// Counts the members of groups of the newer protocol.
fn count_members(cluster: &Cluster, lines: &mut [Line]) -> Result<()> {
    let is_open = |line: &Line| line.kind == GroupKind::Consumer && line.members.is_none();
    let names: Vec<String> = lines.iter().filter(|line| is_open(line)).map(|line| line.name.clone()).collect();
    let described = cluster.descriptions(&names)?;
    for (line, described) in lines.iter_mut().filter(|line| is_open(line)).zip(described) {
        // Whoever may list a group may describe it; one that is gone meanwhile has none.
        line.members = described.ok().map(|about| about.members.len());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_in_two_ways_is_one_list() {
        let told = [
            ("classic", "consumer", GroupState::Stable, 2),
            ("simple", "", GroupState::Empty, 0),
            ("connect", "connect", GroupState::Stable, 1),
            ("newer", "", GroupState::Dead, 0),
            ("share", "", GroupState::Dead, 0),
        ];
        let told = told.into_iter().map(|(name, protocol, state, members)| {
            (name.to_owned(), Told { protocol: protocol.to_owned(), state, members })
        });
        let listing = |name: &str, kind, state| GroupListing { name: name.to_owned(), kind, state };
        let listed = vec![
            listing("newer", GroupKind::Consumer, GroupState::Unknown),
            listing("classic", GroupKind::Classic, GroupState::Stable),
            listing("simple", GroupKind::Unknown, GroupState::Unknown),
            listing("late", GroupKind::Classic, GroupState::Empty),
        ];
        let found: Vec<_> = lines(listed, told.collect())
            .into_iter()
            .map(|line| (line.name, line.kind.name(), line.protocol, view::state(line.kind, line.state), line.members))
            .collect();
        let line = |name: &str, kind, protocol: &str, state, members| {
            (name.to_owned(), kind, Some(protocol.to_owned()).filter(|p| !p.is_empty()), state, members)
        };
        assert_eq!(
            found,
            [
                line("classic", "classic", "consumer", "stable", Some(2)),
                line("connect", "classic", "connect", "stable", Some(1)),
                line("late", "classic", "", "empty", None),
                line("newer", "consumer", "consumer", "reconciling", None),
                line("share", "unknown", "", "unknown", None),
                line("simple", "classic", "", "empty", Some(0)),
            ]
        );
    }

    #[test]
    fn states_and_types_are_called_as_they_are_shown() {
        for kind in [GroupKind::Classic, GroupKind::Consumer, GroupKind::Unknown] {
            assert!(is_meant(&[Kind::Classic, Kind::Consumer, Kind::Unknown], kind.name()));
            for state in ["Stable", "Empty", "PreparingRebalance", "CompletingRebalance", "Dead", "Reconciling"] {
                let all = <State as clap::ValueEnum>::value_variants();
                assert!(is_meant(all, view::state(kind, GroupState::named(state))), "{state}");
            }
        }
        assert!(is_meant::<State>(&[], "stable") && !is_meant(&[State::Dead], "stable"));
    }
}
