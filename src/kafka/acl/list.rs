//! `kafka acl list`.

use super::rules::{ACL, FilterArgs, find, row};
use crate::context::Context;
use crate::error::Result;
use crate::kafka::client::{CLOSE, drop_within};
use crate::kafka::settings::Settings;
use crate::kafka::shared;
use crate::output::{Table, TableLayout, WideArgs};

/// List the rules of who may do what
#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// How to show the list
    #[arg(short, long, value_name = "LAYOUT", value_enum)]
    output: Option<TableLayout>,
    #[command(flatten)]
    wide: WideArgs,
    #[command(flatten)]
    settings: Settings,
}

/// Lists rules.
///
/// # Errors
/// The connection's and the output's; `Kind::Auth`; `Kind::Refused` where nothing is checked.
pub(super) async fn list(args: ListArgs, cx: &Context) -> Result<()> {
    let ListArgs { filter, output, wide, settings } = args;
    wide.check(&ACL)?;
    let (client, _) = shared::admin(&settings, None, cx).await?;
    let inner = cx.clone();
    let found = shared::on_thread(move || {
        let found = find(&client, &filter.filters(), &inner);
        drop_within(client, CLOSE);
        found
    })
    .await?;
    let mut table = Table::new(ACL);
    found.iter().for_each(|acl| table.row(row(acl)));
    table.arranged(&wide).print(output, &cx.terminal)
}
