//! The Kafka connection: its flags, environment variables and profile keys.

mod registry;
mod sasl;

pub(crate) use self::registry::{PREFIX as REGISTRY_PREFIX, Registry, RegistryServer};
pub(crate) use self::sasl::{
    GSSAPI, MECHANISMS, OAUTHBEARER, Sasl, TokenFrom, TokenServer, TokenSettings, known_mechanism,
};

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::config::{Pairs, Problem, Resolved, Section};
use crate::error::Result;
use crate::net::tls::{self, CONNECTION, TlsSettings};
use crate::values;

/// Settings of a Kafka connection.
#[derive(Debug, Clone, Default, clap::Args, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    /// Bootstrap brokers: host:port, separated by commas
    #[arg(short, long, visible_aliases = ["brokers", "url"], visible_short_alias = 'b', value_name = "BROKERS", help_heading = CONNECTION, hide_short_help = true)]
    pub server: Option<String>,
    /// SASL.
    #[command(flatten)]
    pub sasl: Sasl,
    /// TLS.
    #[command(flatten)]
    #[serde(flatten)]
    pub tls: TlsSettings,
    /// Any librdkafka property, as client.rack=a. May be repeated
    #[arg(short = 'X', long = "property", value_name = "KEY=VALUE", value_parser = values::Unechoed(property), help_heading = CONNECTION, hide_short_help = true)]
    #[serde(serialize_with = "write_properties", deserialize_with = "read_properties")]
    pub extra: Vec<(String, String)>,
    /// The schema registry, whose flags only those verbs have that ask it.
    #[arg(skip)]
    pub registry: Registry,
}

fn property(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write KEY=VALUE, as client.rack=a")?;
    if name.is_empty() {
        return Err("the property has no name; write KEY=VALUE".to_owned());
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// As a map: what a profile has. The last of a repeated name counts, as in librdkafka.
fn write_properties<S: Serializer>(properties: &[(String, String)], serializer: S) -> Result<S::Ok, S::Error> {
    let map: BTreeMap<&str, &str> = properties.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    map.serialize(serializer)
}

/// librdkafka takes only text; numbers and booleans of a profile are written as such.
fn read_properties<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, String)>, D::Error> {
    use serde::de::Error;
    let map = BTreeMap::<String, serde_json::Value>::deserialize(deserializer)?;
    map.into_iter()
        .map(|(name, value)| match value {
            serde_json::Value::String(text) => Ok((name, text)),
            serde_json::Value::Number(_) | serde_json::Value::Bool(_) => Ok((name, value.to_string())),
            _ => Err(D::Error::custom(format!("`{name}` must be a string, a number or a boolean"))),
        })
        .collect()
}

impl Section for Settings {
    const NAME: &'static str = "kafka";
    const SECRETS: &'static [&'static str] =
        &["sasl.password", "sasl.token", "sasl.client_secret", "registry.password", "registry.token"];
    const LIVE: &'static [&'static str] = &["sasl.token"];
    const PATHS: &'static [&'static str] = &[
        "tls_ca",
        "tls_cert",
        "tls_key",
        "sasl.token_tls_ca",
        "registry.tls_ca",
        "registry.tls_cert",
        "registry.tls_key",
    ];
    const EXCLUSIVE: &'static [Pairs] = &[tls::EXCLUSIVE, sasl::EXCLUSIVE, registry::EXCLUSIVE];
    const LOCAL: &'static str = "localhost:9092";

    fn check_value(key: &str, value: &str) -> Result<(), Problem> {
        match key {
            "server" => brokers(value).map(drop),
            _ if key.starts_with("sasl.") => sasl::check_value(key, value),
            "registry.url" => registry::check_url(value),
            _ => key.strip_prefix("extra.").map_or(Ok(()), not_reserved),
        }
    }

    fn said_by_server(key: &str, address: &str) -> bool {
        registry::said_by_url(key, address)
    }

    fn in_the_clear(resolved: &Resolved<Self>) -> Option<&'static str> {
        let Settings { tls, sasl, .. } = &resolved.settings;
        let secret = match sasl.mechanism() {
            Some("PLAIN") => "the password goes",
            Some(OAUTHBEARER) => "the token goes",
            _ => return None,
        };
        (tls.plaintext == Some(true)).then_some(secret)
    }

    fn check(resolved: &Resolved<Self>) -> Result<()> {
        let settings = &resolved.settings;
        resolved.check_tls(&settings.tls)?;
        if settings.tls.server_name.is_some() {
            return Err(resolved.fault(&["server_name"], "server_name does not work with Kafka").hint(
                "brokers are checked against the names that they advertise; name them so, or use --insecure in a test",
            ));
        }
        if let Some(server) = &settings.server {
            brokers(server).map_err(|p| resolved.fault(&["server"], p.message).hint(p.fix))?;
        }
        settings.sasl.check(resolved)?;
        for (name, _) in &settings.extra {
            not_reserved(name).map_err(|p| resolved.fault(&[&format!("extra.{name}")], p.message).hint(p.fix))?;
        }
        sasl::check_property(resolved)?;
        Registry::check(resolved)
    }
}

/// Properties that a flag sets, or that a promise of the tool hangs on, and what to use instead.
const RESERVED: &[(&str, &str)] = &[
    ("bootstrap.servers", "use --server"),
    ("metadata.broker.list", "use --server"),
    ("group.id", "use --group"),
    ("enable.auto.commit", "offsets are committed after the output was written, never on a timer"),
    ("enable.auto.offset.store", "offsets are committed after the output was written, never on a timer"),
    ("enable.partition.eof", "use --until-end"),
];

fn not_reserved(name: &str) -> Result<(), Problem> {
    if name == "transactional.id" {
        return Err(Problem::new(
            "the property transactional.id is mscomm's own",
            "use `kafka produce --transactional ID`",
        ));
    }
    match RESERVED.iter().find(|(reserved, _)| *reserved == name) {
        Some((_, fix)) => Err(Problem::new(format!("the property {name} is mscomm's own"), *fix)),
        None => Ok(()),
    }
}

/// One entry of the bootstrap list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broker {
    /// Name or address, an IPv6 address without its brackets.
    pub host: String,
    /// Port, 9092 where none is written.
    pub port: u16,
}

impl fmt::Display for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// Reads a bootstrap list.
///
/// # Errors
/// What is wrong with it, and the fix.
pub(crate) fn brokers(list: &str) -> Result<Vec<Broker>, Problem> {
    let form = || "write host:port, several separated by commas, as k1:9092,k2:9092".to_owned();
    // Before anything is named in an error: a comma in a password would make an entry of each half.
    if list.contains('@') {
        return Err(Problem::new(
            "credentials do not belong into the list of brokers",
            "use --username NAME, --password env:NAME and --sasl-mechanism (in a profile: kafka.sasl); and only host:port \
             here",
        ));
    }
    let named = |(message, fix): (String, Option<String>)| Problem { message, fix: fix.unwrap_or_else(form) };
    list.split(',').map(|entry| broker(entry.trim(), list).map_err(named)).collect()
}

fn broker(entry: &str, list: &str) -> Result<Broker, (String, Option<String>)> {
    if entry.is_empty() {
        return Err((format!("an empty entry in the list of brokers `{list}`"), None));
    }
    if let Some((scheme, rest)) = entry.split_once("://") {
        let fix = match scheme.to_ascii_uppercase().as_str() {
            "PLAINTEXT" => format!("write {rest}"),
            "SSL" | "SASL_SSL" => format!("write {rest} and add --tls"),
            "SASL_PLAINTEXT" => format!("write {rest} and add --sasl-mechanism"),
            _ => return Err((format!("`{scheme}://` is no way to name a broker"), None)),
        };
        return Err((format!("a broker is named without a scheme: `{entry}`"), Some(fix)));
    }
    let (host, port) = match entry.strip_prefix('[') {
        Some(rest) => {
            let (host, behind) =
                rest.split_once(']').ok_or_else(|| (format!("`[` without its `]` in `{entry}`"), None))?;
            if host.parse::<std::net::Ipv6Addr>().is_err() {
                return Err((format!("`{host}` is no IPv6 address"), None));
            }
            match behind.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if behind.is_empty() => (host, None),
                None => return Err((format!("`{behind}` behind the address in `{entry}`"), None)),
            }
        }
        None if entry.matches(':').count() > 1 => {
            return Err((
                format!("`{entry}`: an IPv6 address stands in brackets"),
                Some("write [::1]:9092".to_owned()),
            ));
        }
        None => match entry.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (entry, None),
        },
    };
    let bad = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '/' | '@' | '?' | '#' | '\\');
    if host.is_empty() || host.contains(bad) {
        return Err((format!("`{entry}` has no valid host name"), None));
    }
    let port = match port {
        None => 9092,
        Some(text) => text.parse().ok().filter(|port| *port > 0).ok_or_else(|| {
            (format!("`{text}` in `{entry}` is no port"), Some("a port is a number from 1 to 65535".to_owned()))
        })?,
    };
    Ok(Broker { host: host.to_owned(), port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bootstrap_lists() {
        let shown = |text: &str| brokers(text).expect(text).iter().map(Broker::to_string).collect::<Vec<_>>();
        assert_eq!(shown("a, b:1,[::1]:2,[::1]"), ["a:9092", "b:1", "[::1]:2", "[::1]:9092"]);
        for (text, says) in [
            ("", "empty entry"),
            ("a:1,,b:2", "empty entry"),
            ("a:0", "no port"),
            ("a:70000", "no port"),
            ("a:", "no port"),
            ("::1:9092", "brackets"),
            ("[::1", "without its"),
            ("[x]:1", "no IPv6"),
            ("SSL://a:1", "without a scheme"),
            ("http://a:1", "no way to name"),
            (":9092", "no valid host"),
            ("a b:1", "no valid host"),
        ] {
            let Problem { message, fix } = brokers(text).expect_err(text);
            assert!(message.contains(says) && !fix.is_empty(), "{text}: {message}");
        }
        for text in ["u:SECRET@h:9092", "k:1,u:SECRET@h", "u:SEC,RET@h", "SASL_SSL://u:SECRET@h", "u:SEC://RET@h"] {
            let Problem { message, fix } = brokers(text).expect_err(text);
            assert!(message.contains("credentials") && !format!("{message}{fix}").contains("SEC"), "{text}");
        }
    }
}
