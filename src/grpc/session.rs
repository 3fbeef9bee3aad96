//! What the verbs have in common: settings to a connection, and names that the server does not know.

use prost_reflect::{DescriptorPool, MethodDescriptor};

use super::client::{self, CallOptions, Connection, Reflection, Target, encode_metadata};
use super::settings::Settings;
use crate::context::Context;
use crate::error::{Error, Result, nearest};
use crate::proto::Files;
use crate::tls::TlsSettings;

/// The largest answer about itself taken from a server.
const REFLECTION_LIMIT: usize = 64 << 20;

/// An open connection and what is sent with every call.
pub struct Session {
    /// The connection.
    pub connection: Connection,
    tls: TlsSettings,
    metadata: http::HeaderMap,
    max_recv: usize,
}

impl Session {
    /// Connects. Everything in the settings is checked before.
    ///
    /// # Errors
    /// As [`Context::settings`], [`Target::of`] and [`client::connect`].
    pub async fn open(settings: &Settings, cx: &Context) -> Result<Session> {
        let resolved = cx.settings(settings)?;
        let target = Target::of(&resolved)?;
        let settings = &resolved.settings;
        let metadata = encode_metadata(&settings.headers).map_err(|e| resolved.fault(&["headers"], e))?;
        let max_recv = settings.max_recv();
        let how = if target.tls { "TLS" } else { "no TLS" };
        cx.terminal.trace(format!("connecting to {} with {how}", target.address));
        let connection = client::connect(&target, &settings.tls, &cx.policy, &cx.shutdown).await?;
        cx.terminal.trace("connected");
        Ok(Session { connection, tls: settings.tls.clone(), metadata, max_recv })
    }

    /// What is sent with a call that begins now.
    pub fn options(&self, cx: &Context) -> CallOptions {
        CallOptions { metadata: self.metadata.clone(), timeout: cx.shutdown.remaining(), max_recv: self.max_recv }
    }

    /// Asks the server about itself.
    pub fn reflection(&mut self, cx: &Context, known: Files) -> Reflection<'_> {
        // A small --max-recv is meant for the responses of the call.
        let options = CallOptions { max_recv: REFLECTION_LIMIT, ..self.options(cx) };
        Reflection::new(&mut self.connection, options, known)
    }

    /// Connects anew.
    ///
    /// # Errors
    /// As [`client::connect`].
    pub async fn reconnect(&mut self, cx: &Context) -> Result<()> {
        let target = self.connection.target.clone();
        self.connection = client::connect(&target, &self.tls, &cx.policy, &cx.shutdown).await?;
        Ok(())
    }
}

/// Fetches a symbol and gives the pool that it is in.
///
/// # Errors
/// `Kind::Refused` when the server does not know it, with the nearest service that it does know.
pub async fn fetch(reflection: &mut Reflection<'_>, symbol: &str, what: &str) -> Result<DescriptorPool> {
    if reflection.fetch(symbol).await? {
        return reflection.pool();
    }
    let services = reflection.services().await?;
    Err(unknown("the server", what, symbol, services.iter().map(String::as_str)))
}

/// The error for a name that the server does not know.
pub fn unknown<'a>(who: &str, what: &str, name: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> Error {
    let error = Error::refused(format!("{who} has no {what} `{name}`"));
    match nearest(name, known.clone()) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => {
            let all: Vec<&str> = known.into_iter().collect();
            match all.is_empty() {
                true => error,
                false => error.hint(format!("it has {}", all.join(", "))),
            }
        }
    }
}

/// Splits `pkg.Service/Method` or `pkg.Service.Method`.
///
/// # Errors
/// `Kind::Usage`.
pub fn split_method(text: &str) -> Result<(&str, &str)> {
    let name = text.trim_start_matches(['/', '.']);
    let split = name.rsplit_once('/').or_else(|| name.rsplit_once('.'));
    let good =
        |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'));
    split.filter(|(service, method)| good(service) && good(method) && !method.contains('.')).ok_or_else(|| {
        Error::usage(format!("`{text}` is no method"))
            .hint("write package.Service/Method; `mscomm grpc list` names the services")
    })
}

/// Finds a method by reflection.
///
/// # Errors
/// `Kind::Refused` when there is no such service or method, with the nearest that there is.
pub async fn method(reflection: &mut Reflection<'_>, service: &str, method: &str) -> Result<MethodDescriptor> {
    let pool = fetch(reflection, service, "service").await?;
    method_in(&pool, service, method)
}

/// Finds a method in a pool.
///
/// # Errors
/// As [`method`].
pub fn method_in(pool: &DescriptorPool, service: &str, method: &str) -> Result<MethodDescriptor> {
    let services: Vec<String> = pool.services().map(|s| s.full_name().to_owned()).collect();
    let found = pool
        .get_service_by_name(service)
        .ok_or_else(|| unknown("the server", "service", service, services.iter().map(String::as_str)))?;
    let names: Vec<String> = found.methods().map(|m| m.name().to_owned()).collect();
    found
        .methods()
        .find(|m| m.name() == method)
        .ok_or_else(|| unknown(&format!("`{service}`"), "method", method, names.iter().map(String::as_str)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_with_a_slash_or_a_dot() {
        for text in ["a.B/C", "a.B.C", "/a.B/C", ".a.B.C"] {
            assert_eq!(split_method(text).expect(text), ("a.B", "C"), "{text}");
        }
        for text in ["", "C", "a.B/", "/C", "a b/C", "a.B/C.D", "a/B/C"] {
            assert!(split_method(text).is_err(), "{text}");
        }
    }
}
