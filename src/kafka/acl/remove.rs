//! `kafka acl remove`.

use super::rules::{ACL, FilterArgs, find, refused, row};
use crate::context::Context;
use crate::error::{Error, Result, counted};
use crate::kafka::client::{CLOSE, administer, drop_within};
use crate::kafka::ffi::{Acl, Admin, Operation};
use crate::kafka::settings::Settings;
use crate::kafka::shared;
use crate::output::{Table, TableLayout, YesArgs};

/// Remove rules
///
/// Shows the rules that are found, and asks at a terminal whether they are to go.
#[derive(Debug, clap::Args)]
pub(crate) struct RemoveArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// All rules, where nothing else says which
    #[arg(long)]
    all: bool,
    /// Take it for done where there is no such rule, instead of refusing (exit 8)
    #[arg(long)]
    if_exists: bool,
    #[command(flatten)]
    yes: YesArgs,
    /// How to show the rules
    #[arg(short, long, value_name = "LAYOUT", value_enum)]
    output: Option<TableLayout>,
    #[command(flatten)]
    settings: Settings,
}

/// Removes rules.
///
/// # Errors
/// `Kind::Usage` when all are meant and nobody said so; `Kind::Auth`; `Kind::Refused` where there are none; `Kind::Unmet` when
/// somebody says no.
pub(super) async fn remove(args: RemoveArgs, cx: &Context) -> Result<()> {
    let RemoveArgs { filter, all, if_exists, yes, output, settings } = args;
    let filters = filter.filters();
    if filters == FilterArgs::default().filters() && !all {
        return Err(Error::usage("which rules are to go?")
            .hint("name a --principal, a --topic or the like as for `mscomm kafka acl list`, or give --all"));
    }
    let (client, _) = shared::admin(&settings, None, cx).await?;
    let (asked, inner) = (client.clone(), cx.clone());
    let found = shared::on_thread(move || find(&asked, &filters, &inner)).await?;
    if found.is_empty() {
        let none = "there is no such rule";
        return match if_exists {
            true => {
                cx.terminal.note(none);
                Ok(())
            }
            false => Err(Error::refused(none).hint(
                "list what is there: `mscomm kafka acl list`; with --if-exists it is as good that there is none",
            )),
        };
    }
    let mut table = Table::new(ACL);
    found.iter().for_each(|acl| table.row(row(acl)));
    table.print(output, &cx.terminal)?;
    let count = found.len() as u64;
    yes.confirmed(format!("remove {}", counted(count, "rule")), &cx.shutdown).await?;
    let inner = cx.clone();
    let outcomes = shared::on_thread(move || {
        let limit = inner.policy.connect_timeout;
        // Those that were shown, and no others: a rule is a filter that finds itself.
        let ask = |admin: &Admin<'_>| admin.delete_acls(&found);
        let outcomes = administer(&*client, limit, &inner.shutdown, "cannot remove rules", ask);
        drop_within(client, CLOSE);
        outcomes
    })
    .await?;
    let gone: u64 = outcomes.iter().flatten().map(|gone: &Vec<Acl>| gone.len() as u64).sum();
    let refused = |said| refused("cannot remove a rule", Operation::Alter, &said);
    let mut failed: Vec<Error> = outcomes.into_iter().filter_map(Result::err).map(refused).collect();
    failed.dedup_by(|a, b| a.chain() == b.chain());
    cx.terminal.note(format!("removed {}", counted(gone, "rule")));
    Error::each(failed)
}
