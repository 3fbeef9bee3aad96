//! `kafka schema list`.

use futures_util::stream::{StreamExt, TryStreamExt, iter};
use serde_json::{Value, json};

use crate::context::Context;
use crate::error::Result;
use crate::kafka::registry::{Api, Asked, Declined};
use crate::kafka::settings::Registry;
use crate::kafka::shared;
use crate::output::{Table, TableLayout};

/// How many subjects are asked for side by side.
const ABREAST: usize = 8;

/// List the subjects
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// With the versions of each, and the latest one's id and type: two requests a subject
    #[arg(long)]
    versions: bool,
    /// Those too that are deleted, but not for good
    #[arg(long, conflicts_with = "versions")]
    deleted: bool,
    /// How to show the list
    #[arg(short, long, value_name = "LAYOUT", value_enum)]
    output: Option<TableLayout>,
    #[command(flatten)]
    registry: Registry,
}

/// Lists the subjects.
///
/// # Errors
/// The registry's and the output's.
pub(crate) async fn run(args: Args, cx: &Context) -> Result<()> {
    let api = shared::registry(&args.registry, cx)?;
    let cannot = |declined: Declined| declined.error("cannot list the subjects");
    let subjects = api.subjects(args.deleted).await.map_err(cannot)?;
    let mut table = match args.versions {
        true => Table::new(["subject", "versions", "id", "type"]),
        false => Table::new(["subject"]),
    };
    if args.versions {
        let rows = iter(subjects).map(|subject| row(&api, subject)).buffered(ABREAST);
        let rows: Vec<Option<[Value; 4]>> = rows.try_collect().await.map_err(cannot)?;
        rows.into_iter().flatten().for_each(|row| table.row(row));
    } else {
        subjects.into_iter().for_each(|subject| table.row([Value::String(subject)]));
    }
    table.print(args.output, &cx.terminal)
}

/// `None` for a subject that is gone meanwhile.
async fn row(api: &Api, subject: String) -> Asked<Option<[Value; 4]>> {
    let found = async {
        let versions = api.versions(&subject).await?;
        Ok::<_, Declined>((versions, api.version(&subject, None).await?))
    };
    match found.await {
        Ok((versions, latest)) => Ok(Some([json!(subject), json!(versions), json!(latest.id), json!(latest.kind())])),
        Err(declined) if declined.is_absent() => Ok(None),
        Err(declined) => Err(declined),
    }
}
