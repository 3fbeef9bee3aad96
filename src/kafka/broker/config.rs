//! `kafka broker config`.

use super::describe::meant;
use super::list::cluster;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::kafka::changes::{self, Altering, ChangeArgs, Told};
use crate::kafka::client::{CLOSE, drop_within};
use crate::kafka::ffi::Owner;
use crate::kafka::settings::Settings;
use crate::kafka::shared;
use crate::output::TableLayout;

/// Change settings of brokers while they run
///
/// Prints each change with what was before and what is after it. A broker changes all its settings or none; what only its file
/// can say is refused. A setting is each broker's own: one that joins later does not have it.
#[derive(Debug, clap::Args)]
pub(crate) struct ConfigArgs {
    /// The brokers, by their ids
    #[arg(value_name = "ID", required_unless_present = "all", value_parser = clap::value_parser!(i32).range(0..))]
    brokers: Vec<i32>,
    /// All brokers that are there
    #[arg(long, conflicts_with = "brokers")]
    all: bool,
    #[command(flatten)]
    changes: ChangeArgs,
    /// How to show what changes
    #[arg(short, long, value_name = "LAYOUT", value_enum)]
    output: Option<TableLayout>,
    #[command(flatten)]
    settings: Settings,
}

/// Changes settings of brokers.
///
/// # Errors
/// `Kind::Usage` for changes that contradict each other; `Kind::Refused` for what a broker refuses.
pub(super) async fn config(args: ConfigArgs, cx: &Context) -> Result<()> {
    let ConfigArgs { brokers, all: _, changes, output, settings } = args;
    let (dry_run, changes) = (changes.dry_run, changes.changes()?);
    if changes.is_empty() {
        return Err(Error::usage("nothing is to change").hint(
            "name settings with --set, --unset, --add or --remove; see them with `mscomm kafka broker describe`",
        ));
    }
    let (consumer, _) = shared::admin(&settings, None, cx).await?;
    let inner = cx.clone();
    let (rows, failed) = shared::on_thread(move || {
        let (ids, failed) = meant(&brokers, &cluster(&consumer, &inner)?);
        let mut told: Told = (Vec::new(), failed);
        let altering = Altering { client: &consumer, cx: &inner, changes: &changes, dry_run };
        // A request has room for one.
        for id in ids {
            altering.run(&[Owner::Broker(id)], &mut told)?;
        }
        drop_within(consumer, CLOSE);
        Ok(told)
    })
    .await?;
    changes::print("broker", rows, dry_run, output, &cx.terminal)?;
    Error::each(failed)
}
