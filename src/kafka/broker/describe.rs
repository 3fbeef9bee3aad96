//! `kafka broker describe`.

use rdkafka::metadata::{Metadata, MetadataPartition};
use serde_json::{Value, json};

use super::list::{BROKER, cluster, row};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::kafka::changes;
use crate::kafka::client::{CLOSE, administer, connect, drop_within, said_error};
use crate::kafka::ffi::{Cluster, Owner};
use crate::kafka::settings::Settings;
use crate::kafka::shared::{self, AdminClient};
use crate::output::{Table, TableLayout};

/// Show what brokers hold, and their settings that are not the default
#[derive(Debug, clap::Args)]
pub(crate) struct DescribeArgs {
    /// The brokers, by their ids; all if none is named
    #[arg(value_name = "ID", value_parser = clap::value_parser!(i32).range(0..))]
    brokers: Vec<i32>,
    /// All settings, those at their default too
    #[arg(long)]
    all: bool,
    /// How to show them
    #[arg(short, long, value_name = "LAYOUT", value_enum)]
    output: Option<TableLayout>,
    #[command(flatten)]
    settings: Settings,
}

/// What a broker holds.
struct Held {
    /// Partitions that it leads.
    leads: usize,
    /// Partitions of which it has a replica.
    replicas: usize,
    /// Those of them whose replica is behind.
    behind: usize,
}

/// What is shown of it beside the broker.
const HELD: [&str; 3] = ["leads", "replicas", "behind"];

/// Describes brokers; those that are not there do not hide the others.
///
/// # Errors
/// The connection's; `Kind::Refused` for a broker that is not there.
pub(super) async fn describe(args: DescribeArgs, cx: &Context) -> Result<()> {
    let DescribeArgs { brokers, all, output, settings } = args;
    let setup = shared::setup(&settings, cx)?;
    let consumer = setup.consumer(&[])?;
    let metadata = connect(&consumer, &setup, None, &cx.policy, &cx.shutdown).await?;
    let inner = cx.clone();
    let (rows, configs, failed) = shared::on_thread(move || {
        let cluster = cluster(&consumer, &inner)?;
        let (ids, failed) = meant(&brokers, &cluster);
        let is_meant = |node: &&crate::kafka::ffi::Node| ids.contains(&node.id);
        let rows = cluster.brokers.iter().filter(is_meant).map(|node| {
            let Held { leads, replicas, behind } = held(&metadata, node.id);
            row(node, &cluster).into_iter().chain([json!(leads), json!(replicas), json!(behind)]).collect::<Vec<_>>()
        });
        let rows: Vec<Vec<Value>> = rows.collect();
        let configs = configs(&consumer, &ids, all, &inner)?;
        drop_within(consumer, CLOSE);
        Ok((rows, configs, failed))
    })
    .await?;
    let mut failed = failed;
    if !rows.is_empty() {
        let mut table = Table::new([&BROKER[..], &HELD].concat());
        rows.into_iter().for_each(|row| table.row(row));
        table.print(output, &cx.terminal)?;
    }
    failed.extend(changes::print_settings("broker", configs, output, &cx.terminal)?);
    Error::each(failed)
}

/// The brokers that are meant and there, and what is wrong with the others.
pub(super) fn meant(wanted: &[i32], cluster: &Cluster) -> (Vec<i32>, Vec<Error>) {
    let there: Vec<i32> = cluster.brokers.iter().map(|node| node.id).collect();
    let missing = wanted.iter().filter(|id| !there.contains(id));
    let names: Vec<String> = there.iter().map(ToString::to_string).collect();
    let error = |id: &i32| {
        Error::refused(format!("there is no broker {id}")).hint(format!("the brokers are {}", names.join(", ")))
    };
    let failed = missing.map(error).collect();
    (there.into_iter().filter(|id| wanted.is_empty() || wanted.contains(id)).collect(), failed)
}

fn held(metadata: &Metadata, id: i32) -> Held {
    let mut held = Held { leads: 0, replicas: 0, behind: 0 };
    for partition in metadata.topics().iter().flat_map(|topic| topic.partitions()) {
        let has = |of: fn(&MetadataPartition) -> &[i32]| shared::ids(partition, of).contains(&id);
        held.leads += usize::from(partition.leader() == id);
        if has(MetadataPartition::replicas) {
            held.replicas += 1;
            held.behind += usize::from(!has(MetadataPartition::isr));
        }
    }
    held
}

/// The settings of brokers, by broker and name; or why they cannot be read.
fn configs(consumer: &AdminClient, ids: &[i32], all: bool, cx: &Context) -> Result<Vec<Result<[Value; 4]>>> {
    let mut configs = Vec::new();
    for id in ids {
        let what = format!("cannot read the settings of broker {id}");
        let ask = |admin: &crate::kafka::ffi::Admin<'_>| admin.settings(&[Owner::Broker(*id)], &[]);
        for found in administer(&**consumer, cx.policy.connect_timeout, &cx.shutdown, what.clone(), ask)? {
            match found.result {
                Err(said) => configs.push(Err(said_error(what.clone(), &said))),
                Ok(settings) => configs.extend(changes::rows(&json!(id), settings, all).into_iter().map(Ok)),
            }
        }
    }
    Ok(configs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::ffi::Node;

    #[test]
    fn brokers_that_are_meant() {
        let node = |id| Node { id, host: String::new(), port: 1, rack: None };
        let cluster = Cluster { controller: None, brokers: vec![node(1), node(3)], rights: None };
        assert_eq!(meant(&[], &cluster).0, [1, 3]);
        let (ids, failed) = meant(&[3, 2], &cluster);
        assert_eq!(ids, [3]);
        assert_eq!(failed.iter().map(Error::head).collect::<Vec<_>>(), ["there is no broker 2"]);
        assert_eq!(failed[0].fix(), Some("the brokers are 1, 3"));
    }
}
