//! What a server knows, for who completes a word. Nothing is kept of it.

mod fields;

use super::settings::Settings;
use super::shared::catalog::{Catalog, Found};
use super::shared::lookup::Lookup;
use super::shared::methods;
use crate::context::Context;
use crate::error::Result;

/// A server's own services of this beginning are rarely meant.
const REFLECTION: &str = "grpc.reflection.";

/// The services.
///
/// # Errors
/// As [`Lookup::open`] and [`Catalog::services`].
pub(crate) async fn services(flags: &Settings, cx: &Context) -> Result<Vec<(String, String)>> {
    let mut lookup = Lookup::open(flags, cx).await?;
    let names = lookup.catalog(cx).services().await?;
    Ok(names.into_iter().map(|name| (name, String::new())).collect())
}

/// What a method's name may go on to: services with a slash while there are several, the methods of the only one. A service
/// is called as it was begun, whole or without what stands before its last dot.
///
/// # Errors
/// As [`services`], and the server's reason not to describe the service.
pub(crate) async fn methods(flags: &Settings, typed: &str, cx: &Context) -> Result<Vec<(String, String)>> {
    let mut lookup = Lookup::open(flags, cx).await?;
    let mut catalog = lookup.catalog(cx);
    if let Some((service, _)) = typed.split_once('/') {
        return match catalog.service_named(service).await? {
            Some(full) => of_service(&mut catalog, &full, service),
            None => Ok(Vec::new()),
        };
    }
    let all = catalog.services().await?;
    let called = |full: &String| {
        let last = full.rsplit('.').next().unwrap_or(full);
        match full.starts_with(typed) {
            true => Some(full.clone()),
            false => last.starts_with(typed).then(|| last.to_owned()),
        }
    };
    let is_meant = |full: &&String| !full.starts_with(REFLECTION) || typed.starts_with(REFLECTION);
    let mut found: Vec<(&String, String)> =
        all.iter().filter(is_meant).filter_map(|full| Some((full, called(full)?))).collect();
    match found.as_slice() {
        [(full, name)] => match catalog.fetch(full).await? {
            Found::Yes => of_service(&mut catalog, full, name),
            _ => Ok(Vec::new()),
        },
        _ => Ok(found.drain(..).map(|(_, name)| (format!("{name}/"), String::new())).collect()),
    }
}

fn of_service(catalog: &mut Catalog<'_>, full: &str, called: &str) -> Result<Vec<(String, String)>> {
    let schema = catalog.schema_of(full)?;
    let service = schema.pool().get_service_by_name(full);
    let stream = |is_streaming: bool| if is_streaming { "stream " } else { "" };
    Ok(service
        .iter()
        .flat_map(|service| service.methods())
        .map(|method| {
            let (takes, gives) = (stream(method.is_client_streaming()), stream(method.is_server_streaming()));
            let help = format!("{takes}{} → {gives}{}", method.input().name(), method.output().name());
            (format!("{called}/{}", method.name()), help)
        })
        .collect())
}

/// Services, messages and enums, each with what it is.
///
/// # Errors
/// As [`services`].
pub(crate) async fn symbols(flags: &Settings, cx: &Context) -> Result<Vec<(String, String)>> {
    let mut lookup = Lookup::open(flags, cx).await?;
    let mut catalog = lookup.catalog(cx);
    let services = catalog.services().await?;
    for service in services.iter().filter(|name| !name.starts_with(REFLECTION)) {
        // One that cannot be described hides no other.
        let _ = catalog.fetch(service).await;
    }
    let mut found: Vec<(String, String)> = services.into_iter().map(|name| (name, "service".to_owned())).collect();
    for schema in catalog.schemas()? {
        let pool = schema.pool();
        let messages = pool.all_messages().filter(|message| !schema.is_map_entry(message.full_name()));
        found.extend(messages.map(|message| (message.full_name().to_owned(), "message".to_owned())));
        found.extend(pool.all_enums().map(|one| (one.full_name().to_owned(), "enum".to_owned())));
    }
    found.retain(|(name, _)| !name.starts_with("google.protobuf."));
    found.sort();
    found.dedup_by(|a, b| a.0 == b.0);
    Ok(found)
}

/// What a request that was begun may go on to, each time the whole of it.
///
/// # Errors
/// As [`methods::find`].
pub(crate) async fn fields(flags: &Settings, method: &str, typed: &str, cx: &Context) -> Result<Vec<(String, String)>> {
    let Some(place) = fields::Place::find(typed) else { return Ok(Vec::new()) };
    let mut lookup = Lookup::open(flags, cx).await?;
    let method = methods::find(&mut lookup.catalog(cx), method).await?;
    let begun = typed.get(..place.from).unwrap_or_default();
    let found = fields::at(&method.input, &place);
    Ok(found.into_iter().map(|(text, help)| (format!("{begun}{text}"), help)).collect())
}
