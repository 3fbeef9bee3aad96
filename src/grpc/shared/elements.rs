//! Elements of the schema by their names, as people type them.

use super::catalog::{Catalog, Found};
use crate::context::Context;
use crate::error::{Error, Kind, Result, nearest};
use crate::proto::schema::Schema;
use crate::proto::{Element, find};

/// The elements of several names. All are fetched before the first is linked: the types are linked anew, as a whole, after
/// whatever came.
///
/// # Errors
/// Those that are about more than one of them.
pub(crate) async fn each(catalog: &mut Catalog<'_>, symbols: &[String]) -> Result<Each<(Element, Schema)>> {
    let mut fetched = Vec::with_capacity(symbols.len());
    for symbol in symbols {
        match catalog.fetch(&dotted(symbol)).await {
            Err(error) if !is_of_one(&error) => return Err(error),
            found => fetched.push((symbol, found)),
        }
    }
    let mut each = Each::default();
    for (symbol, found) in fetched {
        let element = match found {
            Ok(found) => element_of(catalog, symbol, found).await,
            Err(error) => Err(error),
        };
        each.take(symbol, element)?;
    }
    Ok(each)
}

/// Whether an error costs only the thing that it is about.
fn is_of_one(error: &Error) -> bool {
    matches!(error.kind(), Kind::Refused | Kind::Usage | Kind::GrpcStatus(_))
}

/// What was found of several things, of which one that cannot be described costs only itself.
pub(crate) struct Each<T> {
    found: Vec<T>,
    failed: Vec<(String, Error)>,
}

impl<T> Default for Each<T> {
    fn default() -> Each<T> {
        Each { found: Vec::new(), failed: Vec::new() }
    }
}

impl<T> Each<T> {
    /// Takes the next one.
    ///
    /// # Errors
    /// Those that are about more than this one.
    pub(crate) fn take(&mut self, name: &str, found: Result<T>) -> Result<()> {
        match found {
            Ok(found) => self.found.push(found),
            Err(error) if is_of_one(&error) => self.failed.push((name.to_owned(), error)),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// What was found, and the rest.
    pub(crate) fn split<U>(self) -> (Vec<T>, Each<U>) {
        (self.found, Each { found: Vec::new(), failed: self.failed })
    }

    /// What was found; the rest is said.
    ///
    /// # Errors
    /// The first fault, when nothing was found.
    pub(crate) fn or_warn(self, cx: &Context) -> Result<Vec<T>> {
        let is_empty = self.found.is_empty();
        let (found, each) = self.split::<()>();
        each.failed(is_empty, cx).map(|()| found)
    }

    /// Says what was not found.
    ///
    /// # Errors
    /// The first fault, when it is `fatal`; the others are said.
    pub(crate) fn failed(self, fatal: bool, cx: &Context) -> Result<()> {
        let mut failed = self.failed.into_iter();
        let first = if fatal { failed.next() } else { None };
        for (name, error) in failed {
            let fix = error.fix().map(|fix| format!("; {fix}")).unwrap_or_default();
            cx.terminal.warn(format!("`{name}` is left out: {}{fix}", error.chain()));
        }
        first.map_or(Ok(()), |(_, error)| Err(error))
    }
}

/// A symbol's full name.
fn dotted(symbol: &str) -> String {
    symbol.trim_start_matches(['.', '/']).replace('/', ".")
}

/// The element of a name.
///
/// # Errors
/// As [`Catalog::fetch`] and [`Catalog::schema_of`]; `Kind::Refused` when there is none.
pub(crate) async fn element(catalog: &mut Catalog<'_>, symbol: &str) -> Result<(Element, Schema)> {
    let found = catalog.fetch(&dotted(symbol)).await?;
    element_of(catalog, symbol, found).await
}

/// Servers know different things as symbols: some only services and messages, so the names around it are tried too. `found`
/// is what looking for the symbol itself came to.
async fn element_of(catalog: &mut Catalog<'_>, symbol: &str, mut found: Found) -> Result<(Element, Schema)> {
    let dotted = dotted(symbol);
    let mut name = dotted.as_str();
    let mut fault = None;
    loop {
        match found {
            Found::Yes => {
                let schema = catalog.schema_with_options(name).await?;
                if let Some(element) = find(schema.pool(), &dotted) {
                    return Ok((element, schema));
                }
                if let Some(service) = schema.pool().get_service_by_name(name) {
                    let methods: Vec<String> = service.methods().map(|m| m.full_name().to_owned()).collect();
                    return Err(catalog.unknown("symbol", symbol, methods.iter().map(String::as_str)));
                }
            }
            Found::Unusable(error) => return Err(error),
            Found::Refused(error) => drop(fault.get_or_insert(error)),
            Found::No => {}
        }
        match name.rsplit_once('.') {
            // Two steps reach an enum value inside of a message.
            Some((parent, _)) if dotted[parent.len()..].matches('.').count() <= 2 => {
                name = parent;
                found = catalog.fetch(name).await?;
            }
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
        let schema = catalog.schema_with_options(&full).await?;
        if let Some(element) = find(schema.pool(), &full) {
            return Ok((element, schema));
        }
    }
    let services = catalog.services().await?;
    if let Some(fault) = fault {
        return Err(fault);
    }
    let all = names(catalog, &services).await?;
    let known = match nearest(&dotted, all.iter().map(String::as_str)) {
        Some(near) => vec![near],
        None => services.iter().map(String::as_str).collect(),
    };
    Err(catalog.unknown("symbol", symbol, known))
}

/// How many services are looked into for a name that is called much like another one.
const LOOKED_INTO: usize = 32;

/// The names of services and of the types that they use.
async fn names(catalog: &mut Catalog<'_>, services: &[String]) -> Result<Vec<String>> {
    for service in services.iter().take(LOOKED_INTO) {
        catalog.fetch(service).await?;
    }
    let mut all = services.to_vec();
    for schema in catalog.schemas()? {
        all.extend(schema.pool().all_messages().map(|message| message.full_name().to_owned()));
        all.extend(schema.pool().all_enums().map(|found| found.full_name().to_owned()));
    }
    Ok(all)
}
