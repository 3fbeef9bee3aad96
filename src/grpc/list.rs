//! `grpc list`: services, or the methods of one.

use serde_json::Value;

use super::settings::Settings;
use super::shared::lookup::Lookup;
use crate::context::Context;
use crate::error::Result;
use crate::output::{Table, TableLayout};

/// Lists services or methods.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The service whose methods to list; all services without it
    #[arg(value_name = "SERVICE")]
    service: Option<String>,
    /// table, tsv or json; in a pipe names alone, one a line
    #[arg(short, long, value_name = "LAYOUT", value_enum)]
    output: Option<TableLayout>,
    /// Connection.
    #[command(flatten)]
    connection: Settings,
}

/// Lists services, or the methods of one.
///
/// # Errors
/// As [`Lookup::open`] and reflection; `Kind::Refused` when there is no such service.
pub(crate) async fn run(args: Args, cx: &Context) -> Result<()> {
    let table = cx.shutdown.or_stop(table(&args, cx)).await?;
    table.print(args.output, &cx.terminal)
}

async fn table(args: &Args, cx: &Context) -> Result<Table> {
    let mut lookup = Lookup::open(&args.connection, cx).await?;
    let mut catalog = lookup.catalog(cx);
    let Some(service) = &args.service else {
        let mut table = Table::new(["service"]);
        for name in catalog.services().await? {
            table.row([Value::String(name)]);
        }
        catalog.keep();
        return Ok(table);
    };
    let found = match catalog.service_named(service).await? {
        Some(full) => catalog.schema_of(&full)?.pool().get_service_by_name(&full),
        None => None,
    };
    let Some(found) = found else {
        let services = catalog.services().await?;
        return Err(catalog.unknown("service", service, services.iter().map(String::as_str)));
    };
    catalog.keep();
    // For scripts the names alone, as grpcurl has them.
    let default = if cx.terminal.stdout { TableLayout::Table } else { TableLayout::Tsv };
    let layout = args.output.unwrap_or(default);
    let tsv = layout == TableLayout::Tsv;
    let mut table = Table::new(if tsv { vec!["method"] } else { vec!["method", "kind", "request", "response"] });
    let mut methods: Vec<_> = found.methods().collect();
    methods.sort_by(|a, b| a.full_name().cmp(b.full_name()));
    for method in methods {
        let kind = match (method.is_client_streaming(), method.is_server_streaming()) {
            (false, false) => "unary",
            (true, false) => "client streaming",
            (false, true) => "server streaming",
            (true, true) => "bidirectional",
        };
        let (input, output) = (method.input(), method.output());
        // The service stands in the question; beside the types there is no room for it.
        let name = if layout == TableLayout::Table { method.name() } else { method.full_name() };
        let cells = [name, kind, input.full_name(), output.full_name()];
        table.row(cells.into_iter().take(if tsv { 1 } else { 4 }).map(|c| Value::String(c.to_owned())));
    }
    Ok(table)
}
