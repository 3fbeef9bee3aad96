//! The schema registry: its flags, environment variables and profile keys, the table `registry` of Kafka's section.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Settings;
use crate::config::{Problem, Resolved};
use crate::error::Result;
use crate::net::http::{Endpoint, Login, UserInfo};
use crate::net::tls::{CONNECTION, TlsSettings};
use crate::secret::Secret;

/// Settings of a schema registry: the table `registry` of a profile.
#[derive(Debug, Clone, Default, clap::Args, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Registry {
    /// Schema registry: http://host:port or https://host, with the path of Confluent's API where it has one
    #[arg(id = "registry", long = "registry", value_name = "URL", help_heading = CONNECTION, hide_short_help = true)]
    pub url: Option<String>,
    /// User name for the schema registry (Confluent Cloud: the API key)
    #[arg(id = "registry_username", long = "registry-username", value_name = "NAME", help_heading = CONNECTION, hide_short_help = true)]
    pub username: Option<String>,
    /// Password for the schema registry: env:NAME, file:PATH, cmd:COMMAND, prompt:, or the password itself
    #[arg(id = "registry_password", long = "registry-password", value_name = "SECRET", help_heading = CONNECTION, hide_short_help = true)]
    pub password: Option<Secret>,
    /// Bearer token for the schema registry, in place of a user and a password
    #[arg(id = "registry_token", long = "registry-token", value_name = "SECRET", help_heading = CONNECTION, hide_short_help = true)]
    pub token: Option<Secret>,
    /// PEM file of the certificate authorities to trust for the schema registry
    #[arg(id = "registry_tls_ca", long = "registry-tls-ca", value_name = "FILE", help_heading = CONNECTION, hide_short_help = true)]
    pub tls_ca: Option<PathBuf>,
    /// PEM file of the client certificate for the schema registry
    #[arg(id = "registry_tls_cert", long = "registry-tls-cert", value_name = "FILE", help_heading = CONNECTION, hide_short_help = true)]
    pub tls_cert: Option<PathBuf>,
    /// PEM file of that certificate's private key
    #[arg(id = "registry_tls_key", long = "registry-tls-key", value_name = "FILE", help_heading = CONNECTION, hide_short_help = true)]
    pub tls_key: Option<PathBuf>,
    /// Do not check the schema registry's certificate: for tests only
    #[arg(id = "registry_insecure", long = "registry-insecure", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", help_heading = CONNECTION, hide_short_help = true)]
    pub insecure: Option<bool>,
}

/// What the keys of all sections begin with that are about the registry.
pub(crate) const PREFIX: &str = "registry.";

/// The pairs of keys that contradict each other.
pub(super) const EXCLUSIVE: &[(&str, &str)] = &[
    ("registry.token", "registry.username"),
    ("registry.token", "registry.password"),
    ("registry.insecure", "registry.tls_ca"),
];

/// A registry, and how it is asked.
#[derive(Debug, Clone)]
pub(crate) struct RegistryServer {
    /// Where it is.
    pub endpoint: Endpoint,
    /// Who asks.
    pub login: Login,
    /// How TLS is made, where it is.
    pub tls: TlsSettings,
}

/// Reads an address.
///
/// # Errors
/// What is wrong with it, and the fix.
pub(super) fn check_url(text: &str) -> Result<(), Problem> {
    parse(text).map(drop)
}

fn parse(text: &str) -> Result<(Endpoint, Option<UserInfo>), Problem> {
    let (endpoint, user) = Endpoint::parse(text).map_err(|(what, fix)| Problem::new(what, fix))?;
    match endpoint.query {
        None => Ok((endpoint, user)),
        Some(_) => Err(Problem::new("the URL of a schema registry has no `?`", "write it as https://host/path")),
    }
}

/// Whether the address says itself what this key says.
pub(super) fn said_by_url(key: &str, url: &str) -> bool {
    let user = parse(url).ok().and_then(|(_, user)| user);
    match key {
        "registry.username" => user.is_some(),
        "registry.password" => user.is_some_and(|user| user.password.is_some()),
        _ => false,
    }
}

impl Registry {
    /// Whether one is named.
    pub(crate) fn is_named(&self) -> bool {
        self.url.is_some()
    }

    /// Puts the address and the other keys together.
    ///
    /// # Errors
    /// `Kind::Config` when none is named; `Kind::Usage` or `Kind::Config`, by where the value came from: no URL, a user
    /// without a password, TLS keys without TLS.
    pub(crate) fn server(resolved: &Resolved<Settings>) -> Result<RegistryServer> {
        let own = &resolved.settings.registry;
        let url = own.url.as_deref().ok_or_else(|| resolved.lacks("registry.url", "--registry"))?;
        let (endpoint, user) = parse(url).map_err(|p| resolved.fault(&["registry.url"], p.message).hint(p.fix))?;
        let tls = own.tls(resolved, &endpoint)?;
        Ok(RegistryServer { endpoint, login: own.login(resolved, user)?, tls })
    }

    /// What can be told without knowing the others.
    pub(super) fn check(resolved: &Resolved<Settings>) -> Result<()> {
        match resolved.settings.registry.is_named() {
            true => Registry::server(resolved).map(drop),
            false => Ok(()),
        }
    }

    /// What the URL says gives way to a key from the same or a stronger layer.
    fn login(&self, resolved: &Resolved<Settings>, user: Option<UserInfo>) -> Result<Login> {
        let counts = |key: &str, in_url: bool| !in_url || resolved.counts_beside(key, "registry.url");
        let has_user = user.is_some();
        if let Some(token) = self.token.clone().filter(|_| counts("registry.token", has_user)) {
            return Ok(Login::Bearer(token));
        }
        let (in_url, password_in_url) = user.map_or((None, None), |user| (Some(user.username), user.password));
        let username = self.username.clone().filter(|_| counts("registry.username", has_user)).or(in_url);
        let password = self.password.clone();
        let password = password.filter(|_| counts("registry.password", password_in_url.is_some())).or(password_in_url);
        match (username, password) {
            (None, None) => Ok(Login::Nobody),
            (Some(username), Some(password)) if !username.contains(':') => Ok(Login::Basic(username, password)),
            (Some(_), Some(_)) => Err(resolved
                .fault(&["registry.url", "registry.username"], "a user name with a `:` cannot log in over HTTP")
                .hint("the name ends before the `:`; the password is --registry-password")),
            (Some(_), None) => Err(resolved
                .fault(&["registry.url", "registry.username"], "a user of the schema registry without a password")
                .hint("add --registry-password env:NAME, file:PATH or prompt:")),
            (None, Some(_)) => Err(resolved
                .fault(&["registry.password"], "a password for the schema registry without a user")
                .hint("add --registry-username NAME")),
        }
    }

    fn tls(&self, resolved: &Resolved<Settings>, endpoint: &Endpoint) -> Result<TlsSettings> {
        let (tls_ca, tls_cert, tls_key) = (self.tls_ca.clone(), self.tls_cert.clone(), self.tls_key.clone());
        let tls = TlsSettings { tls_ca, tls_cert, tls_key, insecure: self.insecure, ..TlsSettings::default() };
        let keys = ["registry.url", "registry.tls_ca", "registry.tls_cert", "registry.tls_key", "registry.insecure"];
        if let Some(fault) = tls.fault() {
            let fix = fault.hint.replace("--tls-", "--registry-tls-");
            return Err(resolved.fault(&keys, format!("schema registry: {}", fault.message)).hint(fix));
        }
        match tls.is_used() && !endpoint.tls {
            true => Err(resolved
                .fault(&keys, format!("TLS settings, but {endpoint} is asked without TLS"))
                .hint("write https://")),
            false => Ok(tls),
        }
    }
}
