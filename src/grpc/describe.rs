//! `grpc describe`: what the server has, as Protobuf source.

use super::catalog::{Catalog, Lookup};
use super::settings::Settings;
use crate::context::Context;
use crate::error::Result;
use crate::output::{Sink, escape_text};
use crate::proto::schema::Schema;
use crate::proto::{Element, find};

/// Describes an element of the schema.
#[derive(Debug, clap::Args)]
pub struct Args {
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
pub async fn run(args: Args, cx: &Context) -> Result<()> {
    let elements = cx.shutdown.or_stop(elements(&args, cx)).await?;
    let mut sink = Sink::stdout()?;
    for (element, schema) in elements {
        let text = format!("{} is {}:\n{}", element.full_name(), element.kind(), element.source(&schema));
        let text = if cx.terminal.stdout { escape_text(&text) } else { text.as_str().into() };
        sink.record(|out| out.extend_from_slice(text.as_bytes()))?;
    }
    sink.flush()
}

async fn elements(args: &Args, cx: &Context) -> Result<Vec<(Element, Schema)>> {
    let mut lookup = Lookup::open(&args.connection, cx).await?;
    let mut catalog = lookup.catalog(cx);
    if let Some(symbol) = &args.symbol {
        return element(&mut catalog, symbol).await.map(|element| vec![element]);
    }
    let mut elements = Vec::new();
    for service in catalog.services().await? {
        elements.push(element(&mut catalog, &service).await?);
    }
    Ok(elements)
}

/// Servers know different things as symbols: some only services and messages, so the names around it are tried too.
pub async fn element(catalog: &mut Catalog<'_>, symbol: &str) -> Result<(Element, Schema)> {
    let dotted = symbol.trim_start_matches(['.', '/']).replace('/', ".");
    let mut name = dotted.as_str();
    loop {
        if catalog.fetch(name).await? {
            let schema = catalog.schema_with_options().await?;
            if let Some(element) = find(schema.pool(), &dotted) {
                return Ok((element, schema));
            }
            if let Some(service) = schema.pool().get_service_by_name(name) {
                let methods: Vec<String> = service.methods().map(|m| m.full_name().to_owned()).collect();
                return Err(catalog.unknown("symbol", symbol, methods.iter().map(String::as_str)));
            }
        }
        match name.rsplit_once('.') {
            // Two steps reach an enum value inside of a message.
            Some((parent, _)) if dotted[parent.len()..].matches('.').count() <= 2 => name = parent,
            _ => break,
        }
    }
    // The end of a service's name is enough, and so is that of a method's behind it.
    let (service, method) = match catalog.service_named(&dotted).await? {
        Some(service) => (Some(service), None),
        None => match dotted.rsplit_once('.') {
            Some((service, method)) => (catalog.service_named(service).await?, Some(method)),
            None => (None, None),
        },
    };
    if let Some(service) = service {
        let full = method.map_or(service.clone(), |method| format!("{service}.{method}"));
        let schema = catalog.schema_with_options().await?;
        if let Some(element) = find(schema.pool(), &full) {
            return Ok((element, schema));
        }
    }
    let services = catalog.services().await?;
    Err(catalog.unknown("symbol", symbol, services.iter().map(String::as_str)))
}
