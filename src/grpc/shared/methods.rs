//! Methods by their names, as people type them.

use super::catalog::{Catalog, Found, ends, unknown};
use crate::error::{Error, Result, nearest};
use crate::proto::schema::{Method, Schema};

/// Splits `pkg.Service/Method` or `pkg.Service.Method`; a method alone has an empty service.
///
/// # Errors
/// `Kind::Usage`.
fn split_method(text: &str) -> Result<(&str, &str)> {
    let name = text.trim_start_matches(['/', '.']);
    let split = name.rsplit_once('/').or_else(|| name.rsplit_once('.')).unwrap_or(("", name));
    let good = |part: &str| part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'));
    let (service, method) = split;
    match good(service) && good(method) && !method.is_empty() && !method.contains('.') && !name.starts_with('/') {
        true => Ok(split),
        false => Err(Error::usage(format!("`{text}` is no method"))
            .hint("write package.Service/Method; `mscomm grpc list` names the services")),
    }
}

/// The name of a method as it was typed, whole or abbreviated, in the form of [`Method::full_name`].
///
/// # Errors
/// `Kind::Usage` when it is none.
pub(crate) fn typed(text: &str) -> Result<String> {
    let (service, method) = split_method(text)?;
    Ok(if service.is_empty() { method.to_owned() } else { format!("{service}/{method}") })
}

/// Finds a method, with the types that its messages can hold. Its name may lack what stands before it, up to the package,
/// the service or a part of it, while only one method ends so.
///
/// # Errors
/// `Kind::Refused` when there is no such service or method, with the nearest that there is; `Kind::Usage` when there are
/// several.
pub(crate) async fn find(catalog: &mut Catalog<'_>, text: &str) -> Result<Method> {
    match find_known(catalog, text).await {
        // The server may have learned since.
        Err(_) if catalog.forget() => find_known(catalog, text).await,
        found => found,
    }
}

async fn find_known(catalog: &mut Catalog<'_>, text: &str) -> Result<Method> {
    let (service, name) = split_method(text)?;
    let known = if service.is_empty() { Found::No } else { catalog.fetch(service).await? };
    let full = match known {
        Found::Yes => (service.to_owned(), name.to_owned()),
        Found::No => abbreviated(catalog, service, name, None).await?,
        Found::Refused(error) => abbreviated(catalog, service, name, Some(error)).await?,
        Found::Unusable(error) => return Err(error),
    };
    let method = method_in(&catalog.schema_of(&full.0)?, &full.0, &full.1)?;
    let extended = catalog.fetch_extensions(&[method.descriptor.input(), method.descriptor.output()]).await?;
    if !extended {
        return Ok(method);
    }
    // A descriptor that was taken earlier knows nothing of what came later.
    method_in(&catalog.schema_of(&full.0)?, &full.0, &full.1)
}

/// The one method whose full name ends like this. One service that cannot be described hides no other; `fault` is the
/// server's reason not to describe that of this name.
async fn abbreviated(
    catalog: &mut Catalog<'_>,
    service: &str,
    name: &str,
    mut fault: Option<Error>,
) -> Result<(String, String)> {
    let services = catalog.services().await?;
    let mut methods = Vec::new();
    // All are fetched before the first is linked, for the types are linked as a whole.
    let mut fetched = Vec::new();
    for full in services.iter().filter(|full| ends(full, service)) {
        fetched.push((full, catalog.fetch(full).await?));
    }
    for (full, found) in fetched {
        // One that its server lists and does not describe has no methods to choose from.
        let schema = match found {
            Found::Yes => catalog.schema_of(full),
            Found::No => continue,
            Found::Unusable(error) | Found::Refused(error) => Err(error),
        };
        match schema {
            Ok(schema) => {
                let found = schema.pool().get_service_by_name(full);
                let names = found.iter().flat_map(|found| found.methods()).map(|m| m.name().to_owned());
                methods.extend(names.map(|name| (full.clone(), name)));
            }
            Err(error) => drop(fault.get_or_insert(error)),
        }
    }
    if methods.is_empty() {
        return Err(fault.unwrap_or_else(|| catalog.unknown("service", service, services.iter().map(String::as_str))));
    }
    let mut found: Vec<_> = methods.iter().filter(|(_, method)| method == name).cloned().collect();
    match (found.pop(), found.as_slice()) {
        (Some(only), []) => Ok(only),
        (Some(last), others) => {
            let all = others.iter().chain([&last]).map(|(service, method)| format!("{service}/{method}"));
            Err(Error::usage(format!("`{name}` is a method of several services"))
                .hint(format!("write one of {}", all.collect::<Vec<_>>().join(", "))))
        }
        (None, _) => {
            let names: Vec<String> = methods.iter().map(|(service, method)| format!("{service}/{method}")).collect();
            // The method alone is what is near.
            let near = nearest(name, methods.iter().map(|(_, method)| method.as_str()));
            let error = catalog.unknown("method", name, std::iter::empty());
            Err(match near.and_then(|near| names.iter().find(|full| full.ends_with(&format!("/{near}")))) {
                Some(full) => error.hint(format!("did you mean `{full}`?")),
                None if fault.is_some() => fault.unwrap_or(error),
                None => error.hint("`mscomm grpc list` names the services"),
            })
        }
    }
}

fn method_in(schema: &Schema, service: &str, name: &str) -> Result<Method> {
    let services: Vec<String> = schema.pool().services().map(|s| s.full_name().to_owned()).collect();
    let found = schema
        .pool()
        .get_service_by_name(service)
        .ok_or_else(|| unknown("the server has no", "service", service, services.iter().map(String::as_str)))?;
    let names: Vec<String> = found.methods().map(|m| m.name().to_owned()).collect();
    let method = found
        .methods()
        .find(|m| m.name() == name)
        .ok_or_else(|| unknown(&format!("`{service}` has no"), "method", name, names.iter().map(String::as_str)))?;
    schema.method(&method).ok_or_else(|| Error::refused("the types of the method are not there"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_end_at_dots() {
        for (full, end, ends_so) in [
            ("a.b.C", "C", true),
            ("a.b.C", "b.C", true),
            ("a.b.C", "a.b.C", true),
            ("a.b.CC", "C", false),
            ("C", "", true),
        ] {
            assert_eq!(ends(full, end), ends_so, "{full} {end}");
        }
    }

    #[test]
    fn methods_with_a_slash_or_a_dot() {
        for text in ["a.B/C", "a.B.C", "/a.B/C", ".a.B.C"] {
            assert_eq!(split_method(text).expect(text), ("a.B", "C"), "{text}");
        }
        assert_eq!(split_method("C").expect("alone"), ("", "C"));
        for text in ["", "a.B/", "a b/C", "a.B/C.D", "a/B/C", "a.B/C d"] {
            assert!(split_method(text).is_err(), "{text}");
        }
    }
}
