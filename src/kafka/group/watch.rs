//! `kafka group describe --watch`: the lag's trend.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::cluster::Cluster;
use super::snapshot::{self, GroupNow, Snapshot};
use super::view;
use crate::context::Context;
use crate::error::{Error, Kind, Result};
use crate::kafka::pattern::Pattern;
use crate::kafka::shared;
use crate::message::Time;
use crate::output::{Printer, Table, TableLayout, WideArgs};

/// How many rounds a trend shows.
const ROUNDS: usize = 30;

/// What is watched, and how it is shown.
pub(super) struct Watching {
    /// The groups.
    pub groups: Vec<Pattern>,
    /// All of them.
    pub all: bool,
    /// The lag in time too.
    pub time: bool,
    /// From the beginning of a round to that of the next.
    pub every: Duration,
    /// How many rounds; for ever if there is none.
    pub count: Option<u64>,
    /// The layout: a table on a terminal, an object a round in a pipe.
    pub output: Option<TableLayout>,
    /// Which columns of the partitions.
    pub wide: WideArgs,
}

/// What was shown so far.
#[derive(Default)]
struct Shown {
    /// The lag of each group, the oldest first.
    lags: BTreeMap<String, VecDeque<Option<i64>>>,
    /// How many lines of the terminal are drawn anew.
    lines: usize,
    /// What was told once.
    told: BTreeSet<String>,
}

/// Looks again and again.
///
/// # Errors
/// What is wrong in the first round; later why the cluster did not come back in time, or that no group is left; the reason to
/// stop; the output's.
pub(super) async fn watch(watching: Watching, cluster: Cluster, cx: &Context) -> Result<()> {
    let (mut cluster, mut shown, mut round) = (cluster, Shown::default(), 0);
    let mut lost: Option<Instant> = None;
    let mut next = tokio::time::Instant::now();
    loop {
        let (given_back, looked) = look(cluster, &watching).await?;
        cluster = given_back;
        let looked = looked.and_then(|mut snapshot| {
            // Later the others go on.
            if snapshot.groups.is_empty() || round == 0 {
                Error::each(std::mem::take(&mut snapshot.failed))?;
            }
            Ok(snapshot)
        });
        match looked {
            Ok(Snapshot { groups, failed, notes }) => {
                lost = None;
                let is_new = |text: &String, shown: &mut Shown| shown.told.insert(text.clone());
                let failed = failed.iter().map(Error::chain).filter(|text| is_new(text, &mut shown));
                failed.collect::<Vec<_>>().iter().for_each(|text| cx.terminal.warn(text));
                let notes = notes.into_iter().filter(|text| is_new(text, &mut shown));
                notes.collect::<Vec<_>>().iter().for_each(|text| cx.terminal.note(text));
                show(&groups, &watching, &mut shown, cx)?;
            }
            Err(error) if round > 0 && matches!(error.kind(), Kind::Connect | Kind::Deadline) => {
                cx.shutdown.check()?;
                if lost.is_none() {
                    cx.terminal.warn(format!("the connection was lost, trying again: {}", error.chain()));
                    shown.lines = 0;
                }
                let since = *lost.get_or_insert_with(Instant::now);
                if cx.policy.patience().is_some_and(|patience| since.elapsed() > patience) {
                    return Err(error);
                }
            }
            Err(error) => return Err(error),
        }
        round += 1;
        if watching.count.is_some_and(|count| round >= count) {
            return shared::on_thread(move || {
                cluster.close();
                Ok(())
            })
            .await;
        }
        // A round that took longer is not made up for.
        next = (next + watching.every).max(tokio::time::Instant::now());
        let pause = async {
            tokio::time::sleep_until(next).await;
            Ok(())
        };
        cx.shutdown.or_stop(pause).await?;
    }
}

/// One look, and the cluster back.
async fn look(mut cluster: Cluster, watching: &Watching) -> Result<(Cluster, Result<Snapshot>)> {
    let (groups, all, time) = (watching.groups.clone(), watching.all, watching.time);
    shared::on_thread(move || {
        let looked = cluster.meant(&groups, all).and_then(|names| snapshot::take(&mut cluster, names, time));
        Ok((cluster, looked))
    })
    .await
}

fn show(groups: &[GroupNow], watching: &Watching, shown: &mut Shown, cx: &Context) -> Result<()> {
    let terminal = &cx.terminal;
    for group in groups {
        let lags = shown.lags.entry(group.name.clone()).or_default();
        lags.push_back(group.lag());
        if lags.len() > ROUNDS {
            lags.pop_front();
        }
    }
    let default = if terminal.stdout { TableLayout::Table } else { TableLayout::Json };
    if watching.output.unwrap_or(default) == TableLayout::Json {
        let mut table = Table::new(["time", "lag", "groups"]);
        let total = groups.iter().filter_map(GroupNow::lag).reduce(i64::saturating_add);
        table.row([json!(now()), json!(total), Value::Array(view::objects(groups, watching.time))]);
        return table.print(Some(TableLayout::Json), terminal);
    }
    let mut text = with_trend(view::groups(groups, watching.time), groups, shown).boxed(terminal);
    let partitions = view::partitions(groups, watching.time, TableLayout::Table, &watching.wide);
    if !partitions.is_empty() {
        text.push_str(&partitions.boxed(terminal));
    }
    let Some(rows) = terminal.redraws().then(|| terminal.rows()).flatten() else {
        return Printer::print(format!("{text}\n"));
    };
    let frame = frame(&text, rows, shown.lines);
    shown.lines = frame.matches('\n').count();
    Printer::print(frame)
}

/// The table of the groups with the trend of each one's lag in place of what does not change.
fn with_trend(table: Table, groups: &[GroupNow], shown: &Shown) -> Table {
    let trends = groups.iter().map(|group| json!(shown.lags.get(&group.name).map(trend)));
    table.without(&["type", "assignor", "coordinator"]).with("trend", trends)
}

/// The clock, as a script reads it.
fn now() -> String {
    let mut text = Vec::new();
    Time::ago(Duration::ZERO).write_rfc3339(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// A lag's trend, a block a round: the highest of them is a full one.
fn trend(lags: &VecDeque<Option<i64>>) -> String {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let highest = lags.iter().flatten().copied().max().unwrap_or(0).max(1);
    let block = |lag: i64| {
        // Any lag is more than none.
        let (lag, highest) = (u128::from(lag.max(0).unsigned_abs()), u128::from(highest.unsigned_abs()));
        let steps = (lag * 7).div_ceil(highest);
        usize::try_from(steps).ok().and_then(|at| BLOCKS.get(at)).copied().unwrap_or('█')
    };
    lags.iter().map(|lag| lag.map_or(' ', block)).collect()
}

/// What draws a text in the place of so many lines above, cut to what a terminal of so many rows shows at once: what has
/// scrolled out of it cannot be drawn over.
fn frame(text: &str, rows: usize, above: usize) -> String {
    // No line goes on in the next row: it would be one more than is counted.
    const BEGIN: &str = "\u{1b}[?7l";
    const END: &str = "\u{1b}[?7h";
    let up = if above > 0 { format!("\u{1b}[{above}A\r\u{1b}[J") } else { String::new() };
    let lines: Vec<&str> = text.lines().collect();
    // The cursor stands below.
    let room = rows.saturating_sub(1).max(2);
    let mut frame = format!("{up}{BEGIN}");
    let shown = if lines.len() > room { room - 1 } else { lines.len() };
    for line in lines.iter().take(shown) {
        frame.push_str(line);
        frame.push('\n');
    }
    if lines.len() > shown {
        frame.push_str(&format!("({} more lines)\n", lines.len() - shown));
    }
    frame.push_str(END);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trend_has_a_block_a_round() {
        let of = |lags: &[Option<i64>]| trend(&lags.iter().copied().collect());
        assert_eq!(of(&[Some(0), Some(1), Some(50), Some(100)]), "▁▂▅█");
        assert_eq!(of(&[Some(0), Some(0)]), "▁▁");
        assert_eq!(of(&[None, Some(7), Some(-3)]), " █▁");
        assert_eq!(of(&[Some(i64::MAX), Some(i64::MAX / 2)]), "█▅");
        assert_eq!(of(&[]), "");
    }

    #[test]
    fn a_frame_fits_and_is_drawn_over() {
        let bare = |text: &str| text.replace("\u{1b}[?7l", "").replace("\u{1b}[?7h", "");
        assert_eq!(bare(&frame("a\nb\n", 24, 0)), "a\nb\n");
        assert_eq!(bare(&frame("a\nb\n", 24, 3)), "\u{1b}[3A\r\u{1b}[Ja\nb\n");
        assert_eq!(bare(&frame("a\nb\nc\nd\ne\n", 4, 0)), "a\nb\n(3 more lines)\n");
        assert_eq!(bare(&frame("a\nb\nc\n", 4, 0)), "a\nb\nc\n");
        assert_eq!(frame("a\nb\nc\nd\n", 1, 0).matches('\n').count(), 2);
    }
}
