//! What the verbs have in common: settings to a connection, and names that the server does not know.

use std::time::Duration;

use http::HeaderValue;

use super::cache::Cache;
use super::catalog::{Catalog, Found, GivenFiles, unknown};
use crate::config::Resolved;
use crate::context::Context;
use crate::error::{Error, Result, nearest};
use crate::grpc::client::{CallOptions, Connection, Dial, Dialer, Reflection, Target, Timings, encode_metadata};
use crate::grpc::settings::{Compression, Settings};
use crate::proto::Files;
use crate::proto::schema::{Method, Schema};

/// The largest answer about itself taken from a server.
const REFLECTION_LIMIT: usize = 64 << 20;

/// All that a connection needs. Everything in the settings is checked, and nothing is sent yet.
pub struct Connecting {
    dialer: Dialer,
    metadata: http::HeaderMap,
    /// What only reflection gets.
    reflect_metadata: http::HeaderMap,
    given: GivenFiles,
    cache: Option<Cache>,
    compress: Option<Compression>,
    user_agent: Option<HeaderValue>,
    max_recv: usize,
    /// The largest request message, in bytes.
    pub max_send: Option<usize>,
}

impl Connecting {
    /// Reads the settings and the user's files.
    ///
    /// # Errors
    /// As [`Context::settings`] and [`Connecting::with`].
    pub fn of(settings: &Settings, cx: &Context) -> Result<Connecting> {
        let resolved = cx.settings(settings)?;
        let given = GivenFiles::load(&resolved)?;
        Connecting::with(&resolved, given)
    }

    /// The same with the user's files read already.
    ///
    /// # Errors
    /// As [`Target::of`] and [`Dialer::new`]; bad metadata.
    pub fn with(resolved: &Resolved<Settings>, given: GivenFiles) -> Result<Connecting> {
        let target = Target::of(resolved)?;
        let settings = &resolved.settings;
        let metadata = encode_metadata(&settings.headers).map_err(|e| resolved.fault(&["headers"], e))?;
        let reflect_metadata =
            encode_metadata(&settings.reflect_headers).map_err(|e| resolved.fault(&["reflect_headers"], e))?;
        let cache = settings.descriptor_cache.map(|age| Cache::of(&target, age.0)).transpose()?;
        Ok(Connecting {
            dialer: Dialer::new(target, &settings.tls, settings.http2())?,
            metadata,
            reflect_metadata,
            given,
            cache,
            compress: settings.compress,
            // It was checked when it was read.
            user_agent: settings.user_agent.as_deref().and_then(|text| HeaderValue::from_str(text).ok()),
            max_recv: settings.max_recv(),
            max_send: settings.max_send.map(|size| size.0),
        })
    }

    /// What is known before anybody is asked: where the server is not to be asked, all there is to know.
    pub fn offline(&self, cx: &Context) -> Option<Catalog<'_>> {
        (!self.given.asks_server()).then(|| Catalog::new(&self.given, None, cx.terminal))
    }

    /// Whether the server is asked about itself.
    pub fn asks_server(&self) -> bool {
        self.given.asks_server()
    }

    fn dial<'a>(&'a self, cx: &'a Context) -> Dial<'a> {
        Dial { dialer: &self.dialer, policy: &cx.policy, shutdown: &cx.shutdown }
    }

    /// Connects.
    ///
    /// # Errors
    /// As [`Dialer::connect`].
    pub async fn connect(self, cx: &Context) -> Result<Session> {
        let target = &self.dialer.target;
        let how = if target.tls { "TLS" } else { "no TLS" };
        cx.terminal.trace(format!("connecting to {} with {how}", target.address));
        let connection = self.dialer.connect(&cx.policy, &cx.shutdown).await?;
        cx.terminal.trace(connected(&connection.timings));
        Ok(Session { connection, with: self })
    }
}

/// An open connection and what is sent with every call.
pub struct Session {
    /// The connection.
    pub connection: Connection,
    /// What it was opened with.
    pub with: Connecting,
}

impl Session {
    /// Connects.
    ///
    /// # Errors
    /// As [`Connecting::of`] and [`Connecting::connect`].
    pub async fn open(settings: &Settings, cx: &Context) -> Result<Session> {
        Connecting::of(settings, cx)?.connect(cx).await
    }

    /// What is sent with a call that begins now.
    pub fn options(&self, cx: &Context) -> CallOptions {
        CallOptions {
            metadata: self.with.metadata.clone(),
            timeout: cx.shutdown.remaining(),
            max_recv: self.with.max_recv,
            compress: self.with.compress,
            user_agent: self.with.user_agent.clone(),
            observer: None,
        }
    }

    /// How another connection is opened.
    pub fn dialer(&self) -> Dialer {
        self.with.dialer.clone()
    }

    /// What the server and the user's files say; `known` is what the server has told already.
    pub fn catalog<'a>(&'a mut self, cx: &'a Context, known: Files) -> Catalog<'a> {
        // A small --max-recv is meant for the responses of the call.
        let mut options = CallOptions { max_recv: REFLECTION_LIMIT, compress: None, ..self.options(cx) };
        let Connecting { given, cache, reflect_metadata, .. } = &self.with;
        for (name, value) in reflect_metadata {
            options.metadata.append(name, value.clone());
        }
        let cache = cache.clone().filter(|_| given.asks_server());
        let kept = cache.as_ref().and_then(Cache::load);
        let (services, known) = match kept {
            Some((services, files)) if known.is_empty() => (Some(services), files),
            _ => (None, known),
        };
        let asks = given.asks_server();
        let reflection = asks.then(|| Reflection::new(&mut self.connection, self.with.dial(cx), options, known));
        Catalog::new(given, reflection, cx.terminal).with_cache(cache, services)
    }

    /// Connects anew.
    ///
    /// # Errors
    /// As [`Dialer::connect`].
    pub async fn reconnect(&mut self, cx: &Context) -> Result<()> {
        self.with.dial(cx).again(&mut self.connection).await
    }
}

/// How long connecting took, phase by phase.
fn connected(timings: &Timings) -> String {
    let mut phases = Vec::new();
    let mut phase = |name: &str, time: Option<Duration>| phases.extend(time.map(|t| format!("{name} {}", millis(t))));
    phase("name", timings.name);
    phase("connection", Some(timings.connect));
    phase("TLS", timings.tls);
    phase("HTTP/2", Some(timings.http2));
    format!("connected: {}", phases.join(", "))
}

/// A time for people.
pub fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

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
pub fn typed_method(text: &str) -> Result<String> {
    let (service, method) = split_method(text)?;
    Ok(if service.is_empty() { method.to_owned() } else { format!("{service}/{method}") })
}

/// Finds a method, with the types that its messages can hold. Its name may lack what stands before it, up to the package,
/// the service or a part of it, while only one method ends so.
///
/// # Errors
/// `Kind::Refused` when there is no such service or method, with the nearest that there is; `Kind::Usage` when there are
/// several.
pub async fn method(catalog: &mut Catalog<'_>, text: &str) -> Result<Method> {
    match method_as_known(catalog, text).await {
        // The server may have learned since.
        Err(_) if catalog.forget() => method_as_known(catalog, text).await,
        found => found,
    }
}

async fn method_as_known(catalog: &mut Catalog<'_>, text: &str) -> Result<Method> {
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

/// Whether a full name ends like this, at a dot.
pub fn ends(full: &str, end: &str) -> bool {
    end.is_empty() || full.strip_suffix(end).is_some_and(|before| before.is_empty() || before.ends_with('.'))
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
