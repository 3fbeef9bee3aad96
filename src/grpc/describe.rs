//! `grpc describe`: what the server has, as Protobuf source.

use super::settings::Settings;
use super::shared::elements::{each, element};
use super::shared::lookup::Lookup;
use crate::context::Context;
use crate::error::Result;
use crate::output::{Printer, escape_text};
use crate::proto::Element;
use crate::proto::schema::Schema;

/// Describes an element of the schema.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A service, method, message, field, enum or extension by its full name; all services without it
    #[arg(value_name = "SYMBOL")]
    symbol: Option<String>,
    /// Connection.
    #[command(flatten)]
    connection: Settings,
}

/// Describes a symbol, or all services.
///
/// # Errors
/// As [`Lookup::open`] and reflection; `Kind::Refused` when there is no such symbol.
pub(crate) async fn run(args: Args, cx: &Context) -> Result<()> {
    let elements = cx.shutdown.or_stop(elements(&args, cx)).await?;
    let mut printer = Printer::stdout()?;
    for (element, schema) in elements {
        let text = format!("{} is {}:\n{}", element.full_name(), element.kind(), element.source(&schema));
        let text = if cx.terminal.stdout { escape_text(&text) } else { text.as_str().into() };
        printer.record(|out| out.extend_from_slice(text.as_bytes()))?;
    }
    printer.flush()
}

async fn elements(args: &Args, cx: &Context) -> Result<Vec<(Element, Schema)>> {
    let mut lookup = Lookup::open(&args.connection, cx).await?;
    let mut catalog = lookup.catalog(cx);
    if let Some(symbol) = &args.symbol {
        return element(&mut catalog, symbol).await.map(|element| vec![element]);
    }
    let services = catalog.services().await?;
    each(&mut catalog, &services).await?.or_warn(cx)
}
