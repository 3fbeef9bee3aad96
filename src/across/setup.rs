//! `profile add` at a terminal: asks for servers, tries them, and writes the profile.

use super::check;
use crate::config::{ConfigSource, absolute};
use crate::context::Context;
use crate::error::{Error, Kind, Result};
use crate::output::{is_yes, question};
use crate::secret::{is_reference, literal, typed_secret};

/// A profile as it is typed.
struct Setup<'a> {
    name: &'a str,
    cx: &'a Context,
    values: Vec<String>,
}

/// Asks, tries and writes.
///
/// # Errors
/// `Kind::Config` for a name that is taken; `Kind::Unmet` when nothing was to be written; the reason to stop.
pub(crate) async fn run(name: &str, cx: &Context) -> Result<()> {
    let mut setup = Setup { name, cx, values: Vec::new() };
    // A name that is taken, before anything is asked.
    setup.tried(&[])?;
    cx.terminal.note(format!("profile `{name}`: an empty answer leaves a system out"));
    if setup.server("grpc", "gRPC server (host:port, or https://host)").await?.is_some() {
        setup.trusted("grpc", false).await?;
    }
    if let Some(server) = setup.server("amqp", "RabbitMQ (host:port, or amqps://host/vhost)").await? {
        if !server.contains("://") {
            setup.encrypted("amqp", server.ends_with(":5671")).await?;
        } else if server.starts_with("amqps") {
            setup.trusted("amqp", true).await?;
        }
        if !server.contains('@') {
            setup.user("amqp.", "user name (empty: guest)").await?;
        }
    }
    if let Some(server) = setup.server("kafka", "Kafka (host:port, several with commas)").await? {
        setup.encrypted("kafka", server.contains(":9093")).await?;
        let is_one =
            setup.answer("  SASL mechanism (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512; empty: none)", "kafka.sasl.mechanism");
        if is_one.await?.is_some() {
            setup.user("kafka.sasl.", "user name").await?;
        }
    }
    setup.finish().await
}

impl Setup<'_> {
    /// The configuration with this profile in it, and with more of it.
    fn tried(&self, more: &[String]) -> Result<ConfigSource> {
        let values: Vec<String> = self.values.iter().chain(more).cloned().collect();
        self.cx.config.trial(self.name, &values)
    }

    /// Asks until the answer is empty or a good value of the key.
    async fn answer(&mut self, text: &str, key: &str) -> Result<Option<String>> {
        loop {
            let typed = question(text, &self.cx.shutdown).await?;
            if typed.is_empty() {
                return Ok(None);
            }
            let is_file = key.ends_with(".tls_ca");
            if is_file && !std::path::Path::new(&typed).is_file() {
                self.cx.terminal.error(&Error::config(format!("there is no file {typed}")));
                continue;
            }
            let typed = if is_file { absolute(&typed) } else { typed };
            let pair = format!("{key}={typed}");
            match self.tried(std::slice::from_ref(&pair)) {
                Ok(_) => {
                    self.values.push(pair);
                    return Ok(Some(typed));
                }
                Err(error) => self.cx.terminal.error(&error),
            }
        }
    }

    async fn server(&mut self, section: &str, text: &str) -> Result<Option<String>> {
        self.answer(text, &format!("{section}.server")).await
    }

    /// Whether TLS is used, and whom it trusts.
    async fn encrypted(&mut self, section: &str, is_likely: bool) -> Result<()> {
        let offered = if is_likely { "[Y/n]" } else { "[y/N]" };
        let typed = question(&format!("  TLS? {offered}"), &self.cx.shutdown).await?;
        let is_on = if typed.is_empty() { is_likely } else { is_yes(&typed) };
        if is_on {
            self.values.push(format!("{section}.tls=true"));
            self.trusted(section, true).await?;
        }
        Ok(())
    }

    async fn trusted(&mut self, section: &str, is_tls: bool) -> Result<()> {
        let text = match is_tls {
            true => "  PEM file of the certificate authority (empty: the system's)",
            false => "  PEM file of the certificate authority (empty: the system's, or no TLS)",
        };
        self.answer(text, &format!("{section}.tls_ca")).await.map(drop)
    }

    async fn user(&mut self, prefix: &str, text: &str) -> Result<()> {
        if self.answer(&format!("  {text}"), &format!("{prefix}username")).await?.is_none() {
            return Ok(());
        }
        let key = format!("{prefix}password");
        let reference = "  password, as env:NAME, file:PATH or cmd:COMMAND (empty: type it next)";
        if !self.reference(reference, &key).await? {
            let typed = typed_secret("  password", &self.cx.shutdown).await?;
            self.values.push(format!("{key}={}", literal(typed.expose())));
        }
        Ok(())
    }

    /// Asks for a reference to a secret; false when there is none.
    async fn reference(&mut self, text: &str, key: &str) -> Result<bool> {
        loop {
            let typed = question(text, &self.cx.shutdown).await?;
            if typed.is_empty() {
                return Ok(false);
            }
            if is_reference(&typed) {
                self.values.push(format!("{key}={typed}"));
                return Ok(true);
            }
            // It stands on the screen now, and belongs into no error.
            self.cx.terminal.error(&Error::config("this is none of env:NAME, file:PATH and cmd:COMMAND"));
        }
    }

    /// Tries all of it, and writes it; if something fails, when that is wanted.
    async fn finish(self) -> Result<()> {
        let nothing = || Error::new(Kind::Unmet, "nothing was done");
        if self.values.is_empty() {
            return Err(nothing());
        }
        let trial = self.tried(&[])?;
        let cx = Context { config: trial, ..self.cx.clone() };
        if let Err(error) = check::run(check::Args::default(), &cx).await {
            self.cx.shutdown.check()?;
            self.cx.terminal.error(&error);
            let typed = question("add the profile all the same? [y/N]", &self.cx.shutdown).await?;
            if !is_yes(&typed) {
                return Err(nothing());
            }
        }
        self.cx.config.add(self.name, &self.values, &self.cx.terminal)?;
        let name = self.name;
        self.cx.terminal.note(format!("-p {name} uses it, `mscomm profile use {name}` makes it the default"));
        Ok(())
    }
}
