//! The AMQP connection: its flags, environment variables and profile keys.

use serde::{Deserialize, Serialize};

use crate::config::{Resolved, Section};
use crate::error::Result;
use crate::secret::Secret;
use crate::tls::{self, CONNECTION, TlsSettings};

/// Settings of an AMQP connection.
#[derive(Debug, Clone, Default, clap::Args, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Server as an AMQP URI: amqp://user:password@host:5672/vhost or amqps://…
    #[arg(short, long, visible_alias = "url", value_name = "URI", help_heading = CONNECTION)]
    pub server: Option<String>,
    /// User name, when it is not in the URI
    #[arg(long, value_name = "NAME", help_heading = CONNECTION)]
    pub username: Option<String>,
    /// Password: env:NAME, file:PATH, cmd:COMMAND, prompt:, or the password itself, which other users of the machine can see
    #[arg(long, value_name = "SECRET", help_heading = CONNECTION)]
    pub password: Option<Secret>,
    /// Virtual host, when it is not in the URI
    #[arg(long, value_name = "NAME", help_heading = CONNECTION)]
    pub vhost: Option<String>,
    /// TLS.
    #[command(flatten)]
    #[serde(flatten)]
    pub tls: TlsSettings,
}

impl Section for Settings {
    const NAME: &'static str = "amqp";
    const SECRETS: &'static [&'static str] = &["password"];
    const EXCLUSIVE: &'static [(&'static str, &'static str)] = tls::EXCLUSIVE;
    const LOCAL: &'static str = "amqp://guest:guest@localhost:5672/";

    fn check(resolved: &Resolved<Self>) -> Result<()> {
        resolved.check_tls(&resolved.settings.tls)
    }
}
