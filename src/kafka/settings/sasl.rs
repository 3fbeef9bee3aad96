//! How one logs in: SASL's flags, environment variables and profile keys, the table `sasl` of Kafka's section.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Settings;
use crate::config::{Problem, Resolved};
use crate::error::{Result, nearest};
use crate::net::TlsSettings;
use crate::net::http::Endpoint;
use crate::net::tls::CONNECTION;
use crate::secret::Secret;
use crate::values;

/// SASL settings: the table `sasl` of a profile.
#[derive(Debug, Clone, Default, clap::Args, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Sasl {
    /// SASL mechanism: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER, or GSSAPI (Kerberos, in builds that have it)
    #[arg(long = "sasl-mechanism", value_name = "MECHANISM", help_heading = CONNECTION, hide_short_help = true, hide_possible_values = true,
          value_parser = values::Offering(clap::builder::StringValueParser::new(), OFFERED))]
    pub mechanism: Option<String>,
    /// SASL user name
    #[arg(long, value_name = "NAME", help_heading = CONNECTION, hide_short_help = true)]
    pub username: Option<String>,
    /// SASL password: env:NAME, file:PATH, cmd:COMMAND, prompt:, or the password itself, which other users of the machine can see
    #[arg(long, value_name = "SECRET", help_heading = CONNECTION, hide_short_help = true)]
    pub password: Option<Secret>,
    /// Token for OAUTHBEARER, alone or in the JSON that a cloud's command prints: cmd:COMMAND and file:PATH are asked again before it ends
    #[arg(id = "sasl_token", long = "sasl-token", value_name = "SECRET", help_heading = CONNECTION, hide_short_help = true)]
    pub token: Option<Secret>,
    /// Where OAUTHBEARER gets its tokens by client credentials (OIDC): the URL of a token endpoint
    #[arg(id = "sasl_token_url", long = "sasl-token-url", value_name = "URL", help_heading = CONNECTION, hide_short_help = true)]
    pub token_url: Option<String>,
    /// Client that gets the tokens
    #[arg(id = "sasl_client_id", long = "sasl-client-id", value_name = "NAME", help_heading = CONNECTION, hide_short_help = true)]
    pub client_id: Option<String>,
    /// Its secret: env:NAME, file:PATH, cmd:COMMAND, prompt:, or the secret itself
    #[arg(id = "sasl_client_secret", long = "sasl-client-secret", value_name = "SECRET", help_heading = CONNECTION, hide_short_help = true)]
    pub client_secret: Option<Secret>,
    /// Scope that the tokens are asked for, several separated by blanks
    #[arg(id = "sasl_scope", long = "sasl-scope", value_name = "TEXT", help_heading = CONNECTION, hide_short_help = true)]
    pub scope: Option<String>,
    /// PEM file of the certificate authorities to trust for --sasl-token-url, instead of the system's
    #[arg(id = "sasl_token_tls_ca", long = "sasl-token-tls-ca", value_name = "FILE", help_heading = CONNECTION, hide_short_help = true)]
    pub token_tls_ca: Option<PathBuf>,
    /// What is sent beside a token, as logicalCluster=lkc-1,identityPoolId=pool-1
    #[arg(id = "sasl_extensions", long = "sasl-extensions", value_name = "KEY=VALUE", help_heading = CONNECTION, hide_short_help = true)]
    pub extensions: Option<String>,
}

/// Logging in with a token.
pub(crate) const OAUTHBEARER: &str = "OAUTHBEARER";

/// Kerberos.
pub(crate) const GSSAPI: &str = "GSSAPI";

/// The SASL mechanisms that have flags of their own; others go through librdkafka's properties.
pub(crate) const MECHANISMS: &[&str] = &["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", OAUTHBEARER, GSSAPI];

const OFFERED: &[(&str, &str)] = &[
    ("PLAIN", "user name and password"),
    ("SCRAM-SHA-256", "the same, and the password stays here"),
    ("SCRAM-SHA-512", "the same, and the password stays here"),
    (OAUTHBEARER, "by a token"),
    (GSSAPI, "Kerberos"),
];

/// The pairs of keys that contradict each other.
pub(super) const EXCLUSIVE: &[(&str, &str)] = &[("sasl.token", "sasl.token_url")];

/// How a token is got.
const WAYS: &str = "--sasl-token cmd:COMMAND, or --sasl-token-url, --sasl-client-id and --sasl-client-secret";

/// Checks that there is a mechanism of this name, in this build.
///
/// # Errors
/// What is wrong with it, and the fix.
pub(crate) fn known_mechanism(mechanism: &str) -> Result<(), Problem> {
    if mechanism == GSSAPI && cfg!(not(feature = "gssapi")) {
        return Err(Problem::new(
            "this mscomm was built without Kerberos (GSSAPI)",
            "build it with `cargo build --release --features gssapi`: `mscomm help logins`",
        ));
    }
    if MECHANISMS.contains(&mechanism) {
        return Ok(());
    }
    let allowed = MECHANISMS.join(", ");
    let near = nearest(mechanism, MECHANISMS.iter().copied());
    let fix = near.map_or_else(|| format!("allowed: {allowed}"), |n| format!("did you mean {n}? allowed: {allowed}"));
    Err(Problem::new(format!("unknown SASL mechanism `{mechanism}`"), fix))
}

/// Checks one value.
///
/// # Errors
/// What is wrong with it.
pub(super) fn check_value(key: &str, value: &str) -> Result<(), Problem> {
    match key {
        "sasl.mechanism" => known_mechanism(value),
        "sasl.token_url" => token_endpoint(value).map(drop),
        "sasl.extensions" => extensions(value).map(drop),
        _ => Ok(()),
    }
}

fn token_endpoint(text: &str) -> Result<Endpoint, Problem> {
    match Endpoint::parse(text) {
        Ok((endpoint, None)) => Ok(endpoint),
        Ok((_, Some(_))) => Err(Problem::new(
            "credentials do not belong into the URL of a token server",
            "use --sasl-client-id and --sasl-client-secret",
        )),
        Err((what, fix)) => Err(Problem::new(what, fix)),
    }
}

/// What is sent beside a token.
///
/// # Errors
/// What is wrong with it, as RFC 7628, section 3.1, has it.
fn extensions(text: &str) -> Result<Vec<(String, String)>, Problem> {
    let wrong = |what: String| Problem::new(what, "write KEY=VALUE, as logicalCluster=lkc-1,identityPoolId=pool-1");
    let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (key, value) =
                pair.split_once('=').ok_or_else(|| wrong(format!("the extension `{pair}` has no value")))?;
            if key == "auth" || key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_alphabetic()) {
                return Err(wrong(format!(
                    "`{key}` is no name of an extension: it has letters alone, and is not auth"
                )));
            }
            match value.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
                true => Ok((key.to_owned(), value.to_owned())),
                false => Err(wrong(format!("the value of the extension `{key}` has other than ASCII characters"))),
            }
        })
        .collect()
}

/// How a token is got, and what is sent beside it.
#[derive(Debug, Clone)]
pub(crate) struct TokenSettings {
    /// From where.
    pub from: TokenFrom,
    /// What is sent beside it.
    pub extensions: Vec<(String, String)>,
}

/// Where tokens are from.
#[derive(Debug, Clone)]
pub(crate) enum TokenFrom {
    /// It is here, alone or in a document.
    Here(Secret),
    /// A server gives them to a client.
    Server(Box<TokenServer>),
}

/// A server that gives tokens for client credentials (RFC 6749, section 4.4).
#[derive(Debug, Clone)]
pub(crate) struct TokenServer {
    /// Its endpoint.
    pub endpoint: Endpoint,
    /// The client.
    pub client_id: String,
    /// Its secret.
    pub client_secret: Secret,
    /// What is asked for.
    pub scope: Option<String>,
    /// How TLS is made.
    pub tls: TlsSettings,
}

impl Sasl {
    /// True when the connection is to authenticate.
    pub(crate) fn is_used(&self) -> bool {
        self.mechanism.is_some() || self.username.is_some() || self.password.is_some() || self.has_token()
    }

    fn has_token(&self) -> bool {
        self.token.is_some() || self.token_url.is_some()
    }

    /// The mechanism; who has a token means the one for it.
    pub(crate) fn mechanism(&self) -> Option<&str> {
        let default = self.has_token().then_some(OAUTHBEARER);
        self.mechanism.as_deref().or(default.filter(|_| self.username.is_none()))
    }

    pub(super) fn check(&self, resolved: &Resolved<Settings>) -> Result<()> {
        let used = ["sasl.mechanism", "sasl.username", "sasl.password"];
        if !self.is_used() {
            return Ok(());
        }
        let Some(mechanism) = self.mechanism() else {
            return Err(resolved
                .fault(&used, "a user without a SASL mechanism")
                .hint(format!("add --sasl-mechanism with {}", MECHANISMS[..3].join(", "))));
        };
        known_mechanism(mechanism).map_err(|p| resolved.fault(&["sasl.mechanism"], p.message).hint(p.fix))?;
        match (mechanism, &self.username, &self.password) {
            (OAUTHBEARER, ..) => self.tokens(resolved).map(drop),
            // It has a ticket, by librdkafka's own properties.
            (GSSAPI, ..) => Ok(()),
            (_, Some(_), Some(_)) => Ok(()),
            (_, Some(_), None) => Err(resolved
                .fault(&["sasl.username"], "a user without a password")
                .hint("add --password env:NAME, file:PATH or prompt:")),
            (_, None, _) => {
                Err(resolved.fault(&used, format!("{mechanism} without a user")).hint("add --username NAME"))
            }
        }
    }

    /// How tokens are got, where these are what one logs in with.
    ///
    /// # Errors
    /// `Kind::Usage` or `Kind::Config`, by where the value came from: something is missing, or no URL.
    pub(crate) fn tokens(&self, resolved: &Resolved<Settings>) -> Result<Option<TokenSettings>> {
        if self.mechanism() != Some(OAUTHBEARER) {
            return Ok(None);
        }
        let fault = |key: &str, p: Problem| resolved.fault(&[key], p.message).hint(p.fix);
        let extensions = self.extensions.as_deref().map_or(Ok(Vec::new()), extensions);
        let extensions = extensions.map_err(|p| fault("sasl.extensions", p))?;
        let from = match (&self.token, &self.token_url) {
            (Some(token), None) => TokenFrom::Here(token.clone()),
            (_, Some(url)) => {
                let endpoint = token_endpoint(url).map_err(|p| fault("sasl.token_url", p))?;
                TokenFrom::Server(Box::new(self.server(endpoint, resolved)?))
            }
            (None, None) => {
                let keys = ["sasl.mechanism", "sasl.client_id"];
                return Err(resolved.fault(&keys, "OAUTHBEARER without a token").hint(format!("add {WAYS}")));
            }
        };
        Ok(Some(TokenSettings { from, extensions }))
    }

    fn server(&self, endpoint: Endpoint, resolved: &Resolved<Settings>) -> Result<TokenServer> {
        let lacks = |what: &str, flag: &str| {
            resolved.fault(&["sasl.token_url"], format!("a token server without {what}")).hint(format!("add {flag}"))
        };
        let client_id = self.client_id.clone().ok_or_else(|| lacks("a client", "--sasl-client-id NAME"))?;
        let client_secret = self.client_secret.clone();
        let client_secret = client_secret
            .ok_or_else(|| lacks("the client's secret", "--sasl-client-secret env:NAME, file:PATH or prompt:"))?;
        if self.token_tls_ca.is_some() && !endpoint.tls {
            let message = format!("an authority for TLS, but {endpoint} is asked without TLS");
            return Err(resolved.fault(&["sasl.token_tls_ca", "sasl.token_url"], message).hint("write https://"));
        }
        let tls = TlsSettings { tls_ca: self.token_tls_ca.clone(), ..TlsSettings::default() };
        Ok(TokenServer { endpoint, client_id, client_secret, scope: self.scope.clone(), tls })
    }
}

/// librdkafka waits for a token for ever, as if somebody were to bring it one: as a property alone the mechanism is of no use.
pub(super) fn check_property(resolved: &Resolved<Settings>) -> Result<()> {
    let Settings { extra, sasl, .. } = &resolved.settings;
    let mechanism = extra.iter().rev().find(|(name, _)| matches!(name.as_str(), "sasl.mechanism" | "sasl.mechanisms"));
    let Some((name, _)) = mechanism.filter(|(_, value)| value.eq_ignore_ascii_case(OAUTHBEARER)) else {
        return Ok(());
    };
    match sasl.mechanism() {
        Some(OAUTHBEARER) => Ok(()),
        _ => {
            let key = format!("extra.{name}");
            let message = "OAUTHBEARER needs a token, and librdkafka's properties alone bring none";
            Err(resolved.fault(&[&key], message).hint(format!("leave the property out, and use {WAYS}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_beside_a_token() {
        let read = extensions("logicalCluster=lkc-1, identityPoolId=pool-1,").map_err(|p| p.message);
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(read, Ok(vec![pair("logicalCluster", "lkc-1"), pair("identityPoolId", "pool-1")]));
        for bad in ["a", "auth=x", "=x", "a-b=x", "a=\u{e9}"] {
            assert!(extensions(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn who_has_a_token_needs_no_mechanism() {
        let token = || Some(Secret::new("t"));
        let mechanism = |sasl: Sasl| sasl.mechanism().map(str::to_owned);
        assert_eq!(mechanism(Sasl { token: token(), ..Sasl::default() }).as_deref(), Some(OAUTHBEARER));
        let user = Some("u".to_owned());
        assert_eq!(mechanism(Sasl { token: token(), username: user, ..Sasl::default() }), None);
        let plain = Sasl { token: token(), mechanism: Some("PLAIN".to_owned()), ..Sasl::default() };
        assert_eq!(mechanism(plain).as_deref(), Some("PLAIN"));
    }
}
