//! `kafka group describe`.

use std::time::Duration;

use super::cluster::Cluster;
use super::fault;
use super::snapshot::{self, Snapshot};
use super::view;
use super::watch::{self, Watching};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::kafka::client::FIRST;
use crate::kafka::pattern::Pattern;
use crate::kafka::settings::Settings;
use crate::kafka::shared;
use crate::output::{Table, TableLayout, Terminal, WideArgs};
use crate::values;

/// Show members, committed offsets and lag, once or again and again
///
/// On a terminal, and with -o table, there are three tables: the groups with their total lag, their members, their
/// partitions. In a pipe there are the partitions alone, tab-separated: group, topic, partition, committed, end, lag,
/// client_id, host, member (with --time lag_ms behind lag). With -o json each group is an object with all of it.
#[derive(Debug, clap::Args)]
pub(crate) struct DescribeArgs {
    /// The groups; what begins with ^ is a regular expression
    #[arg(value_name = "GROUP", required_unless_present = "all", value_parser = Pattern::read)]
    groups: Vec<Pattern>,
    /// All consumer groups
    #[arg(long, conflicts_with = "groups")]
    all: bool,
    /// Show the lag in time too: how old the first record is that is not committed
    ///
    /// One record is read of each partition that lags, which takes an ACL that allows Read on its topic. Where nothing lags there
    /// is no such time.
    #[arg(long)]
    time: bool,
    /// Look again every so often, as 2s, until Ctrl-C: a terminal is drawn anew, with the lag's trend; in a pipe each round is a
    /// JSON object on a line
    #[arg(long, value_name = "DURATION", value_parser = interval)]
    watch: Option<Duration>,
    /// With --watch, end after so many rounds
    #[arg(short = 'n', long, value_name = "COUNT", requires = "watch", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// How to show them
    #[arg(short, long, value_name = "LAYOUT", value_enum)]
    output: Option<TableLayout>,
    #[command(flatten)]
    wide: WideArgs,
    #[command(flatten)]
    settings: Settings,
}

fn interval(text: &str) -> Result<Duration, String> {
    match values::duration(text)? {
        short if short < Duration::from_millis(100) => {
            Err("look at most ten times a second, as every 100ms".to_owned())
        }
        interval => Ok(interval),
    }
}

/// Describes groups; those that are not there do not hide the others.
///
/// # Errors
/// The connection's; `Kind::Refused` for a group that is not there; `Kind::Auth`.
pub(crate) async fn describe(args: DescribeArgs, cx: &Context) -> Result<()> {
    let DescribeArgs { groups, all, time, watch, count, output, wide, settings } = args;
    wide.check(&view::columns(time))?;
    if watch.is_some() && output == Some(TableLayout::Tsv) {
        return Err(Error::usage("--watch has no tab-separated lines: nothing in them tells the rounds apart")
            .hint("leave -o out, or write -o json or -o table"));
    }
    let properties = if time { FIRST } else { &[] };
    let mut cluster = Cluster::open(&settings, properties, cx).await?;
    if let Some(every) = watch {
        return watch::watch(Watching { groups, all, time, every, count, output, wide }, cluster, cx).await;
    }
    let Snapshot { groups, failed, notes } = shared::on_thread(move || {
        let names = cluster.meant(&groups, all)?;
        let snapshot = snapshot::take(&mut cluster, names, time)?;
        cluster.close();
        Ok(snapshot)
    })
    .await?;
    notes.iter().for_each(|note| cx.terminal.note(note));
    if groups.is_empty() {
        if failed.is_empty() {
            cx.terminal.note(fault::NONE);
        }
        return Error::each(failed);
    }
    let layout = TableLayout::of(output, &cx.terminal);
    print(&tables(&groups, time, layout, &wide), layout, &cx.terminal)?;
    Error::each(failed)
}

/// All that is shown.
fn tables(groups: &[snapshot::GroupNow], time: bool, layout: TableLayout, wide: &WideArgs) -> Vec<Table> {
    match layout {
        TableLayout::Table => {
            let partitions = view::partitions(groups, time, layout, wide);
            vec![view::groups(groups, time), view::members(groups), partitions]
        }
        TableLayout::Tsv => vec![view::partitions(groups, time, layout, wide)],
        TableLayout::Json => vec![view::whole(groups, time)],
    }
}

/// What is empty is not shown, unless it is all there is.
fn print(tables: &[Table], layout: TableLayout, terminal: &Terminal) -> Result<()> {
    let is_shown = |table: &&Table| tables.len() == 1 || !table.is_empty();
    tables.iter().filter(is_shown).try_for_each(|table| table.print(Some(layout), terminal))
}
