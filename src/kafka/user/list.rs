//! `kafka user list`.

use serde_json::json;

use super::scram::{find, mechanism_name, user_name};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::kafka::client::{CLOSE, drop_within};
use crate::kafka::settings::Settings;
use crate::kafka::shared;
use crate::output::{Table, TableLayout};
use crate::values::distinct;

/// List the users, with how they log in
#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    /// Only these users
    #[arg(value_name = "USER", value_parser = user_name)]
    users: Vec<String>,
    /// How to show the list
    #[arg(short, long, value_name = "LAYOUT", value_enum)]
    output: Option<TableLayout>,
    #[command(flatten)]
    settings: Settings,
}

/// Lists users.
///
/// # Errors
/// The connection's and the output's; `Kind::Refused` for a user that is named and not there; `Kind::Auth`.
pub(super) async fn list(args: ListArgs, cx: &Context) -> Result<()> {
    let (client, _) = shared::admin(&args.settings, None, cx).await?;
    let (inner, names) = (cx.clone(), distinct(args.users));
    let (found, failed) = shared::on_thread(move || {
        let found = find(&client, &names, &inner);
        drop_within(client, CLOSE);
        found
    })
    .await?;
    let mut table = Table::new(["user", "mechanism", "iterations"]);
    for user in found {
        for (scram, iterations) in user.result.into_iter().flatten() {
            table.row([json!(user.name), json!(mechanism_name(scram).unwrap_or("unknown")), json!(iterations)]);
        }
    }
    table.print(args.output, &cx.terminal)?;
    Error::each(failed)
}
