//! The Kafka connection: its flags, environment variables and profile keys.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::config::{Resolved, Section};
use crate::error::Result;
use crate::secret::Secret;
use crate::tls::{self, CONNECTION, TlsSettings};

/// Settings of a Kafka connection.
#[derive(Debug, Clone, Default, clap::Args, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Bootstrap brokers: host:port, separated by commas
    #[arg(short, long, visible_aliases = ["brokers", "url"], visible_short_alias = 'b', value_name = "BROKERS", help_heading = CONNECTION)]
    pub server: Option<String>,
    /// SASL.
    #[command(flatten)]
    pub sasl: Sasl,
    /// TLS.
    #[command(flatten)]
    #[serde(flatten)]
    pub tls: TlsSettings,
    /// Any librdkafka property, as client.rack=a. May be repeated
    #[arg(short = 'X', long = "property", value_name = "KEY=VALUE", value_parser = property, help_heading = CONNECTION)]
    #[serde(serialize_with = "write_properties", deserialize_with = "read_properties")]
    pub extra: Vec<(String, String)>,
}

/// SASL settings: the table `sasl` of a profile.
#[derive(Debug, Clone, Default, clap::Args, Serialize, Deserialize)]
#[serde(default)]
pub struct Sasl {
    /// SASL mechanism: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512
    #[arg(long = "sasl-mechanism", value_name = "MECHANISM", help_heading = CONNECTION)]
    pub mechanism: Option<String>,
    /// SASL user name
    #[arg(long, value_name = "NAME", help_heading = CONNECTION)]
    pub username: Option<String>,
    /// SASL password: env:NAME, file:PATH, cmd:COMMAND, prompt:, or the password itself, which other users of the machine can see
    #[arg(long, value_name = "SECRET", help_heading = CONNECTION)]
    pub password: Option<Secret>,
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
    const SECRETS: &'static [&'static str] = &["sasl.password"];
    const EXCLUSIVE: &'static [(&'static str, &'static str)] = tls::EXCLUSIVE;
    const LOCAL: &'static str = "localhost:9092";

    fn check(resolved: &Resolved<Self>) -> Result<()> {
        resolved.check_tls(&resolved.settings.tls)
    }
}
