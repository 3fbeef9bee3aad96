//! `kafka schema register` and `check`.

use serde_json::json;

use super::draft::DraftArgs;
use super::named::{Versioned, subject_name};
use crate::context::Context;
use crate::error::{Error, Kind, Result};
use crate::kafka::registry::no_version;
use crate::kafka::settings::Registry;
use crate::kafka::shared;
use crate::output::{Table, TableLayout};

/// Register a schema in a subject
#[derive(Debug, clap::Args)]
pub(crate) struct RegisterArgs {
    /// The subject, as orders-value for the bodies of the topic orders
    #[arg(value_name = "SUBJECT", value_parser = subject_name)]
    subject: String,
    #[command(flatten)]
    draft: DraftArgs,
    /// How to show what it became
    #[arg(short, long, value_name = "LAYOUT", value_enum)]
    output: Option<TableLayout>,
    #[command(flatten)]
    registry: Registry,
}

/// Check whether a schema could be registered in a subject; exit 1 when it is not compatible
#[derive(Debug, clap::Args)]
pub(crate) struct CheckArgs {
    /// The subject, and the version to check against: those that its compatibility asks for if none is given
    #[arg(value_name = "SUBJECT[:VERSION]")]
    subject: Versioned,
    #[command(flatten)]
    draft: DraftArgs,
    /// How to show the outcome
    #[arg(short, long, value_name = "LAYOUT", value_enum)]
    output: Option<TableLayout>,
    #[command(flatten)]
    registry: Registry,
}

/// Registers a schema; one that is there already stays what it is.
///
/// # Errors
/// `Kind::Refused`: it is not compatible, or no schema at all.
pub(crate) async fn register(args: RegisterArgs, cx: &Context) -> Result<()> {
    let read = args.draft.read(cx)?;
    let api = shared::registry(&args.registry, cx)?;
    let draft = args.draft.draft(read, &api).await?;
    let entry = api.registered(&args.subject, &draft, args.draft.kind.normalize).await?;
    let mut table = Table::new(["subject", "version", "id", "type"]);
    table.row([json!(args.subject), json!(entry.version), json!(entry.id), json!(draft.kind)]);
    table.print(args.output, &cx.terminal)
}

/// Checks a schema against those that are there.
///
/// # Errors
/// `Kind::Unmet` when it is not compatible; `Kind::Refused` where there is no such subject.
pub(crate) async fn check(args: CheckArgs, cx: &Context) -> Result<()> {
    let CheckArgs { subject: named, draft: own, output, registry } = args;
    let read = own.read(cx)?;
    let api = shared::registry(&registry, cx)?;
    let draft = own.draft(read, &api).await?;
    let subject = &named.subject;
    // The latest has a number, too, which the answer is about.
    let version = match named.version {
        None => None,
        Some(_) => match api.version(subject, named.number()).await {
            Ok(entry) => entry.version,
            Err(declined) => return Err(no_version(&api, subject, named.number(), declined).await),
        },
    };
    let outcome = match api.compatible(subject, version, &draft, own.kind.normalize).await {
        Ok(outcome) => outcome,
        Err(declined) if declined.is_absent() => return Err(no_version(&api, subject, version, declined).await),
        Err(declined) => return Err(declined.error(format!("cannot check the schema against subject `{subject}`"))),
    };
    let level = api.config(Some(subject)).await.ok().and_then(|config| config.compatibility);
    let row = [json!(named.to_string()), json!(outcome.is_compatible), json!(level)];
    let mut table = match output {
        Some(TableLayout::Json) => Table::new(["subject", "compatible", "compatibility", "messages"]),
        _ => Table::new(["subject", "compatible", "compatibility"]),
    };
    let messages = (output == Some(TableLayout::Json)).then(|| json!(outcome.messages));
    table.row(row.into_iter().chain(messages));
    table.print(output, &cx.terminal)?;
    if outcome.is_compatible {
        return Ok(());
    }
    let error = Error::new(Kind::Unmet, format!("the schema is not compatible with subject `{named}`"));
    Err(match outcome.messages.as_slice() {
        [] => error.hint("the registry does not say why; `mscomm kafka schema diff` shows what differs"),
        messages => error.below(indented(messages)),
    })
}

/// What the registry says, none of which can pass for a line of ours.
fn indented(messages: &[String]) -> String {
    let lines = messages.iter().flat_map(|message| message.lines()).filter(|line| !line.trim().is_empty());
    lines.map(|line| format!("  {line}\n")).collect()
}
