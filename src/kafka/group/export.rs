//! `kafka group export`.

use serde_json::json;

use super::cluster::{Cluster, Names, is_gone};
use super::fault::{group_refused, partitions_refused};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::kafka::client::Partition;
use crate::kafka::ffi::Committed;
use crate::kafka::meant::Meant;
use crate::kafka::pattern::Pattern;
use crate::kafka::settings::Settings;
use crate::kafka::shared;
use crate::output::{Table, TableLayout};

/// Write the offsets of groups as JSON, for reset --to FILE
///
/// Each committed offset is an object on a line: group, topic, partition, offset, and metadata where the members wrote some
/// beside it.
#[derive(Debug, clap::Args)]
pub(crate) struct ExportArgs {
    /// The groups; what begins with ^ is a regular expression
    #[arg(value_name = "GROUP", required_unless_present = "all", value_parser = Pattern::read)]
    groups: Vec<Pattern>,
    /// All consumer groups
    #[arg(long, conflicts_with = "groups")]
    all: bool,
    /// Only this topic, or some of its partitions, as orders:0,2; what begins with ^ is a regular expression. May be repeated
    #[arg(long = "topic", value_name = "TOPIC[:PARTITIONS]", value_parser = Meant::read)]
    topics: Vec<Meant>,
    #[command(flatten)]
    settings: Settings,
}

/// Writes what groups have committed.
///
/// # Errors
/// The connection's and the output's; `Kind::Refused` for a group that is not there; `Kind::Auth`.
pub(crate) async fn export(args: ExportArgs, cx: &Context) -> Result<()> {
    let ExportArgs { groups, all, topics, settings } = args;
    let cluster = Cluster::open(&settings, &[], cx).await?;
    let terminal = cx.terminal;
    let (table, failed) = shared::on_thread(move || {
        let Names { all: names, named, mut failed } = cluster.meant(&groups, all)?;
        let committed = cluster.committed(&names)?;
        let mut table = Table::new(["group", "topic", "partition", "offset", "metadata"]);
        let mut without = Vec::new();
        for (name, committed) in names.into_iter().zip(committed) {
            let committed = match committed {
                Ok(committed) => committed,
                Err(said) => {
                    failed.push(group_refused("read the offsets of", &name, "Describe", &said));
                    continue;
                }
            };
            if committed.is_empty() {
                without.push(name.clone());
            }
            let (mut committed, mut refused) = (committed, Vec::new());
            committed.sort_by(|a, b| (&a.place.topic, a.place.partition).cmp(&(&b.place.topic, b.place.partition)));
            for Committed { place, metadata, fault } in committed {
                let is_meant = topics.is_empty() || topics.iter().any(|meant| meant.has(&place.topic, place.partition));
                match fault {
                    Some(said) => refused.push((Partition { topic: place.topic, number: place.partition }, said)),
                    None if is_meant && place.offset >= 0 => table.row([
                        json!(name),
                        json!(place.topic),
                        json!(place.partition),
                        json!(place.offset),
                        json!(metadata),
                    ]),
                    None => {}
                }
            }
            failed.extend(partitions_refused("read", "Describe", refused));
        }
        // One that is not there has committed nothing, either.
        let mut gone = Vec::new();
        for (name, described) in without.iter().zip(cluster.descriptions(&without)?) {
            match described {
                Ok(about) if is_gone(&about) => gone.extend(Some(name.clone()).filter(|name| named.contains(name))),
                Ok(_) => terminal.note(format!("group `{name}` has no offsets, or none of topics that you may see")),
                Err(said) => failed.push(group_refused("describe", name, "Describe", &said)),
            }
        }
        failed.extend(cluster.gone(&gone));
        cluster.close();
        Ok((table, failed))
    })
    .await?;
    table.print(Some(TableLayout::Json), &cx.terminal)?;
    Error::each(failed)
}
