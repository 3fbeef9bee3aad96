//! `kafka broker list`.

use serde_json::{Value, json};

use crate::context::Context;
use crate::error::Result;
use crate::kafka::client::{CLOSE, administer, connect, drop_within};
use crate::kafka::ffi::{Cluster, Node};
use crate::kafka::settings::Settings;
use crate::kafka::shared::{self, AdminClient};
use crate::output::{Table, TableLayout};

/// List the brokers
///
/// The controller is the broker that takes admin requests; with KRaft it is any of them, which passes them on.
#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    /// How to show the list
    #[arg(short, long, value_name = "LAYOUT", value_enum)]
    output: Option<TableLayout>,
    #[command(flatten)]
    settings: Settings,
}

/// What is shown of a broker.
pub(super) const BROKER: [&str; 5] = ["broker", "host", "port", "rack", "controller"];

/// Lists the brokers.
///
/// # Errors
/// The connection's and the output's.
pub(super) async fn list(args: ListArgs, cx: &Context) -> Result<()> {
    let setup = shared::setup(&args.settings, cx)?;
    let consumer = setup.consumer(&[])?;
    connect(&consumer, &setup, None, &cx.policy, &cx.shutdown).await?;
    let inner = cx.clone();
    let cluster = shared::on_thread(move || {
        let cluster = cluster(&consumer, &inner);
        drop_within(consumer, CLOSE);
        cluster
    })
    .await?;
    let mut table = Table::new(BROKER);
    cluster.brokers.iter().for_each(|node| table.row(row(node, &cluster)));
    table.print(args.output, &cx.terminal)
}

/// The brokers by their ids; blocks.
pub(super) fn cluster(consumer: &AdminClient, cx: &Context) -> Result<Cluster> {
    let limit = cx.policy.connect_timeout;
    let mut cluster =
        administer(&**consumer, limit, &cx.shutdown, "cannot list the brokers", |admin| admin.cluster(false))?;
    cluster.brokers.sort_by_key(|node| node.id);
    Ok(cluster)
}

pub(super) fn row(node: &Node, cluster: &Cluster) -> [Value; 5] {
    let Node { id, host, port, rack } = node;
    [json!(id), json!(host), json!(port), json!(rack), json!(cluster.controller == Some(*id))]
}
