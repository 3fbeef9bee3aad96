//! The AMQP connection: its flags, environment variables and profile keys.

mod uri;

pub(crate) use self::uri::split as split_uri;

use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::uri::Uri;
use crate::config::{Pairs, Problem, Resolved, Section};
use crate::error::Result;
use crate::net::tls::{self, CONNECTION, TlsSettings};
use crate::secret::Secret;
use crate::values;

/// Settings of an AMQP connection.
#[derive(Debug, Clone, Default, clap::Args, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    /// Server: host:port, or an AMQP URI as amqp://user:password@host:5672/vhost or amqps://…
    #[arg(short, long, visible_alias = "url", value_name = "URI", help_heading = CONNECTION, hide_short_help = true)]
    pub server: Option<String>,
    /// User name, when it is not in the URI
    #[arg(long, value_name = "NAME", help_heading = CONNECTION, hide_short_help = true)]
    pub username: Option<String>,
    /// Password: env:NAME, file:PATH, cmd:COMMAND, prompt:, or the password itself, which other users of the machine can see
    #[arg(long, value_name = "SECRET", help_heading = CONNECTION, hide_short_help = true)]
    pub password: Option<Secret>,
    /// Virtual host, when it is not in the URI
    #[arg(long, value_name = "NAME", help_heading = CONNECTION, hide_short_help = true)]
    pub vhost: Option<String>,
    /// SASL.
    #[command(flatten)]
    pub sasl: Sasl,
    /// How often to ask for a sign of life, as 30s, or 0 for never; the broker's own interval when that is shorter
    #[arg(long, value_name = "DURATION", help_heading = CONNECTION, hide_short_help = true)]
    pub heartbeat: Option<String>,
    /// TLS.
    #[command(flatten)]
    #[serde(flatten)]
    pub tls: TlsSettings,
}

/// SASL settings: the table `sasl` of a profile.
#[derive(Debug, Clone, Default, clap::Args, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Sasl {
    /// How to log in: PLAIN, AMQPLAIN, or EXTERNAL (by the client certificate)
    #[arg(long = "sasl-mechanism", value_name = "MECHANISM", help_heading = CONNECTION, hide_short_help = true, hide_possible_values = true,
          value_parser = values::Offering(<Mechanism as FromStr>::from_str, MECHANISMS))]
    pub mechanism: Option<Mechanism>,
}

const MECHANISMS: &[(&str, &str)] = &[
    ("PLAIN", "user name and password"),
    ("AMQPLAIN", "the same in AMQP's own form"),
    ("EXTERNAL", "by the client certificate"),
];

/// How to log in (SASL).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum Mechanism {
    /// User name and password.
    #[default]
    Plain,
    /// User name and password in AMQP's own form.
    AmqPlain,
    /// By the client certificate.
    External,
}

impl FromStr for Mechanism {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.to_ascii_uppercase().as_str() {
            "PLAIN" => Ok(Mechanism::Plain),
            "AMQPLAIN" => Ok(Mechanism::AmqPlain),
            "EXTERNAL" => Ok(Mechanism::External),
            _ => Err(format!("unknown SASL mechanism `{text}`; allowed: PLAIN, AMQPLAIN, EXTERNAL")),
        }
    }
}

impl TryFrom<String> for Mechanism {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Mechanism> for &'static str {
    fn from(mechanism: Mechanism) -> Self {
        match mechanism {
            Mechanism::Plain => "PLAIN",
            Mechanism::AmqPlain => "AMQPLAIN",
            Mechanism::External => "EXTERNAL",
        }
    }
}

/// Where and how to connect, every default filled in.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    /// Host name or address, IPv6 without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// User name.
    pub username: String,
    /// Password.
    pub password: Secret,
    /// Virtual host.
    pub vhost: String,
    /// How to log in.
    pub mechanism: Mechanism,
    /// Heartbeat interval in seconds, 0 for none; `None` takes the broker's.
    pub heartbeat: Option<u16>,
    /// Limit of channels; 0 takes the broker's.
    pub channel_max: u16,
    /// Limit of a frame in bytes.
    pub frame_max: u32,
    /// The URI's own limit of one attempt to connect.
    pub connect_timeout: Option<Duration>,
    /// The TLS settings; `None` for a plain connection.
    pub tls: Option<TlsSettings>,
}

/// RabbitMQ's own default. Always asked for: lapin sizes its buffers by the answer, and "no limit" is more memory than
/// there is.
const FRAME_MAX: u32 = 131_072;

impl Endpoint {
    /// `host:port`, as errors name it.
    pub(crate) fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl Section for Settings {
    const NAME: &'static str = "amqp";
    const SECRETS: &'static [&'static str] = &["password"];
    const EXCLUSIVE: &'static [Pairs] = &[tls::EXCLUSIVE];
    const LOCAL: &'static str = "amqp://guest:guest@localhost:5672/";

    fn check_value(key: &str, value: &str) -> Result<(), Problem> {
        match key {
            "server" => uri::parse(value).map(drop),
            "heartbeat" => heartbeat_seconds(value).map(drop).map_err(|e| Problem::new(e, "as 30s")),
            _ => Ok(()),
        }
    }

    fn said_by_server(key: &str, server: &str) -> bool {
        uri::parse(server).is_ok_and(|uri| match key {
            "username" => uri.username.is_some(),
            "password" => uri.password.is_some(),
            "vhost" => uri.vhost.is_some(),
            "sasl.mechanism" => uri.mechanism.is_some(),
            "heartbeat" => uri.heartbeat.is_some(),
            _ => false,
        })
    }

    fn in_the_clear(resolved: &Resolved<Self>) -> Option<&'static str> {
        let asks_for_tls = resolved.settings.server.as_deref().is_some_and(|s| uri::parse(s).is_ok_and(|uri| uri.tls));
        let endpoint = endpoint(resolved).ok().filter(|_| asks_for_tls)?;
        (endpoint.tls.is_none() && endpoint.mechanism != Mechanism::External).then_some("the password goes")
    }

    fn check(resolved: &Resolved<Self>) -> Result<()> {
        resolved.check_tls(&resolved.settings.tls)?;
        match resolved.settings.server {
            Some(_) => endpoint(resolved).map(drop),
            None => Ok(()),
        }
    }
}

/// Puts the URI and the other keys together: what the URI says gives way to a key from the same or a stronger layer.
///
/// # Errors
/// `Kind::Usage` or `Kind::Config`, by where the value came from: no server, a bad URI, TLS keys without TLS, a user without
/// a password.
pub(crate) fn endpoint(resolved: &Resolved<Settings>) -> Result<Endpoint> {
    let settings = &resolved.settings;
    let server = settings.server.as_deref().ok_or_else(|| resolved.no_server())?;
    let uri = uri::parse(server).map_err(|p| resolved.fault(&["server"], p.message).hint(p.fix))?;
    let tls = tls_settings(resolved, &uri)?;
    let mechanism = settings.sasl.mechanism.filter(|_| counts(resolved, "sasl.mechanism", uri.mechanism.is_some()));
    let mechanism = mechanism.or(uri.mechanism).unwrap_or_default();
    let (username, password) = credentials(resolved, &uri, mechanism)?;
    let vhost = settings.vhost.clone().filter(|_| counts(resolved, "vhost", uri.vhost.is_some()));
    Ok(Endpoint {
        port: uri.port.unwrap_or(if tls.is_some() { 5671 } else { 5672 }),
        host: uri.host,
        username,
        password,
        vhost: vhost.or(uri.vhost).unwrap_or_else(|| "/".to_owned()),
        mechanism,
        heartbeat: heartbeat(resolved)?
            .filter(|_| counts(resolved, "heartbeat", uri.heartbeat.is_some()))
            .or(uri.heartbeat),
        channel_max: uri.channel_max.unwrap_or(0),
        frame_max: uri.frame_max.filter(|m| *m > 0).unwrap_or(FRAME_MAX),
        connect_timeout: uri.connection_timeout.filter(|t| !t.is_zero()),
        tls,
    })
}

/// Whether a key counts: the URI does not say the same thing, or came from a weaker layer, or the same.
fn counts(resolved: &Resolved<Settings>, key: &str, in_uri: bool) -> bool {
    !in_uri || resolved.counts_beside_server(key)
}

fn credentials(resolved: &Resolved<Settings>, uri: &Uri, mechanism: Mechanism) -> Result<(String, Secret)> {
    let settings = &resolved.settings;
    let username = settings.username.clone().filter(|_| counts(resolved, "username", uri.username.is_some()));
    let password = settings.password.clone().filter(|_| counts(resolved, "password", uri.password.is_some()));
    let username = username.or_else(|| uri.username.clone()).filter(|u| !u.is_empty());
    let password = password.or_else(|| uri.password.clone());
    match (username, password) {
        _ if mechanism == Mechanism::External => Ok((String::new(), Secret::default())),
        (Some(username), Some(password)) => Ok((username, password)),
        // What the URI specification says of a URI without a user.
        (None, None) => Ok(("guest".to_owned(), Secret::new("guest"))),
        (Some(username), None) => Err(resolved
            .fault(&["server", "username"], format!("the user `{username}` has no password"))
            .hint("add --password env:NAME, or write it into the profile as amqp.password")),
        (None, Some(_)) => Err(resolved
            .fault(&["server", "password"], "a password without a user name")
            .hint("add --username NAME, or write it into the URI")),
    }
}

fn heartbeat(resolved: &Resolved<Settings>) -> Result<Option<u16>> {
    let Some(text) = &resolved.settings.heartbeat else { return Ok(None) };
    let fault = |message: String| resolved.fault(&["heartbeat"], format!("heartbeat `{text}`: {message}"));
    heartbeat_seconds(text).map(Some).map_err(fault)
}

fn heartbeat_seconds(text: &str) -> Result<u16, String> {
    if text == "0" {
        return Ok(0);
    }
    let duration = values::duration(text)?;
    match u16::try_from(duration.as_secs()) {
        Ok(seconds) if duration.subsec_nanos() == 0 => Ok(seconds),
        _ => Err("write whole seconds, from 1s to 65535s, or 0 for none".to_owned()),
    }
}

/// The TLS settings when there is to be TLS, the URI's parameters filled in.
fn tls_settings(resolved: &Resolved<Settings>, uri: &Uri) -> Result<Option<TlsSettings>> {
    let mut tls = resolved.settings.tls.clone();
    if !resolved.tls_choice(&tls, uri.tls).unwrap_or(uri.tls) {
        let keys = ["tls_ca", "tls_cert", "server_name", "insecure"];
        let used: Vec<&str> =
            keys.into_iter().filter(|k| resolved.origin(k).is_some() && counts(resolved, k, true)).collect();
        // Keys of a weaker layer than the server's are for its own, other server.
        if tls.is_used() && tls.plaintext.is_none() && !used.is_empty() {
            let names = used.join("`, `").replace('_', "-");
            let message = format!("`{names}` needs TLS, and the server's scheme is amqp://");
            return Err(resolved.fault(&used, message).hint("write amqps://…, or add --tls"));
        }
        return Ok(None);
    }
    tls.server_name = tls.server_name.filter(|_| counts(resolved, "server_name", uri.server_name.is_some()));
    tls.server_name = tls.server_name.or_else(|| uri.server_name.clone());
    let (given, in_uri) = (tls.tls_cert.is_some() || tls.tls_key.is_some(), uri.cert.is_some() || uri.key.is_some());
    if in_uri && !(given && (counts(resolved, "tls_cert", true) || counts(resolved, "tls_key", true))) {
        (tls.tls_cert, tls.tls_key) = (uri.cert.clone(), uri.key.clone());
    }
    let set = |key| resolved.origin(key).is_some() && counts(resolved, key, true);
    if !set("insecure") && (uri.insecure.is_some() || uri.ca.is_some()) {
        tls.insecure = uri.insecure.filter(|_| !set("tls_ca"));
    }
    if !set("tls_ca") && (uri.ca.is_some() || tls.is_insecure()) {
        tls.tls_ca = uri.ca.clone().filter(|_| !tls.is_insecure());
    }
    if let Some(fault) = tls.fault() {
        return Err(resolved.fault(&["server"], fault.message).hint(fault.hint));
    }
    Ok(Some(tls))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Origin;

    fn profile(depth: usize) -> Origin {
        Origin::Profile { name: format!("p{depth}"), depth, line: None }
    }

    /// Each pair of layers: what the address says has the rank of the address.
    #[test]
    fn the_stronger_layer_says_who_logs_in() {
        let layers = || {
            let environment = Origin::Environment("MSCOMM_AMQP".to_owned());
            [Origin::Default, Origin::Sandbox, profile(2), profile(1), profile(0), environment, Origin::Flag]
        };
        for (i, server) in layers().into_iter().enumerate() {
            for (j, keys) in layers().into_iter().enumerate() {
                for (uri, user, password) in [
                    ("amqp://su:sp@h/sv", Some("su"), Some("sp")),
                    ("amqp://su@h/sv", Some("su"), None),
                    ("amqp://su:@h/sv", Some("su"), Some("")),
                    ("amqp://h/sv", None, None),
                ] {
                    let settings = Settings {
                        server: Some(uri.to_owned()),
                        username: Some("ku".to_owned()),
                        password: Some(Secret::new("kp")),
                        vhost: Some("kv".to_owned()),
                        heartbeat: Some("7s".to_owned()),
                        ..Settings::default()
                    };
                    let of_keys = ["username", "password", "vhost", "heartbeat"].map(|key| (key, keys.clone()));
                    let origins = of_keys.into_iter().chain([("server", server.clone())]);
                    let endpoint = endpoint(&Resolved::of_layers(settings, origins)).expect(uri);
                    let wins = j >= i;
                    let expected = (
                        user.filter(|_| !wins).unwrap_or("ku"),
                        password.filter(|_| !wins).unwrap_or("kp"),
                        if wins { "kv" } else { "sv" },
                    );
                    let found = (endpoint.username.as_str(), endpoint.password.expose(), endpoint.vhost.as_str());
                    assert_eq!(found, expected, "{uri} of {server}, keys of {keys}");
                    assert_eq!(endpoint.heartbeat, Some(7));
                }
            }
        }
    }

    #[test]
    fn tls_of_an_address_outranks_what_is_below_it() {
        let tls = |uri: &str, set: TlsSettings, keys: &[&str], origin: Origin| {
            let settings = Settings { server: Some(uri.to_owned()), tls: set, ..Settings::default() };
            let origins = keys.iter().map(|key| (*key, origin.clone())).chain([("server", profile(0))]);
            endpoint(&Resolved::of_layers(settings, origins)).expect(uri).tls
        };
        let plaintext = || TlsSettings { plaintext: Some(true), ..TlsSettings::default() };
        // A parent that uses none must not have the child's password sent in the clear.
        assert!(tls("amqps://h", plaintext(), &["plaintext"], profile(1)).is_some());
        assert!(tls("amqps://h", plaintext(), &["plaintext"], profile(0)).is_none());
        assert!(tls("amqps://h", plaintext(), &["plaintext"], Origin::Flag).is_none());
        let ca = || TlsSettings { tls_ca: Some("k".into()), ..TlsSettings::default() };
        let file = |set: Option<TlsSettings>| set.and_then(|set| set.tls_ca).map(|path| path.display().to_string());
        for (origin, with, without) in [(profile(1), "u", "k"), (profile(0), "k", "k"), (Origin::Flag, "k", "k")] {
            assert_eq!(file(tls("amqps://h?cacertfile=u", ca(), &["tls_ca"], origin.clone())).as_deref(), Some(with));
            assert_eq!(file(tls("amqps://h", ca(), &["tls_ca"], origin)).as_deref(), Some(without));
        }
        // A key for a server of TLS, and a child without.
        assert!(tls("amqp://h", ca(), &["tls_ca"], profile(1)).is_none());
        let insecure = || TlsSettings { insecure: Some(true), ..TlsSettings::default() };
        let checks = |uri: &str, origin| !tls(uri, insecure(), &["insecure"], origin).expect("TLS").is_insecure();
        assert!(checks("amqps://h?verify=verify_peer", profile(1)) && checks("amqps://h?cacertfile=u", profile(1)));
        assert!(!checks("amqps://h", profile(1)) && !checks("amqps://h?verify=verify_peer", Origin::Flag));
    }
}
