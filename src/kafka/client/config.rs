//! librdkafka's configuration, made from the settings and checked before anything is sent.

use std::sync::Arc;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::KafkaError;
use rdkafka::producer::BaseProducer;

use super::connected::Connected;
use super::events::{ConnectionEvents, Tells};
use super::token::Tokens;
use crate::config::{Resolved, SectionInfo};
use crate::error::{Error, Kind, Result, nearest};
use crate::kafka::ffi;
use crate::kafka::settings::{Broker, GSSAPI, OAUTHBEARER, Settings, brokers};
use crate::net::{Policy, Say};
use crate::secret::MASK;
use crate::shutdown::Shutdown;

/// Memory for fetched records that were not written yet, in KiB. A reader is as fast with it as with the 64 MiB of librdkafka,
/// and beside the queue of a writer whose broker stands still there is room for both.
const FETCHED_KBYTES: &str = "32768";

/// How much one answer of a broker may bring: four partitions' share, so that it is no less than it was for few of them, and
/// for hundreds no more than for these.
const ANSWER_BYTES: &str = "4194304";

/// Memory for records that were not sent yet, in KiB; and how many, for each costs some 250 bytes of its own, which
/// librdkafka does not count. So few that small ones are still in the processor's cache when they are confirmed: with 100,000
/// the same work takes a fifth to a half more CPU.
const QUEUE_KBYTES: &str = "32768";
const QUEUE_RECORDS: &str = "30000";

/// How old what is known of topics and partitions may be, in milliseconds: librdkafka's five minutes are long to wait for.
const REFRESH_MILLIS: i64 = 30_000;

/// librdkafka's `batch.size` when nobody says otherwise.
const BATCH_BYTES: usize = 1_000_000;

/// Everything that a client of any kind is made from.
pub(crate) struct Setup {
    config: ClientConfig,
    resolved: Resolved<Settings>,
    tells: Tells,
    /// What it logs in with, where that is a token.
    tokens: Option<Arc<Tokens>>,
    /// The bootstrap list.
    pub brokers: Vec<Broker>,
}

impl Setup {
    /// Checks the settings and makes a configuration of them.
    ///
    /// # Errors
    /// No server; an unknown or bad property, with librdkafka's words; `Kind::Tls` for the files.
    pub(crate) fn new(
        resolved: Resolved<Settings>,
        tells: Tells,
        policy: Policy,
        shutdown: &Shutdown,
    ) -> Result<Setup> {
        let settings = &resolved.settings;
        let server = settings.server.as_deref().ok_or_else(|| resolved.no_server())?;
        let brokers = brokers(server).map_err(|p| resolved.fault(&["server"], p.message).hint(p.fix))?;
        let list: Vec<String> = brokers.iter().map(Broker::to_string).collect();
        ffi::begin();
        let mut config = ClientConfig::new();
        // Nothing is printed of it without -v, but some failures are told nowhere else.
        config.set_log_level(RDKafkaLogLevel::Info);
        config
            .set("bootstrap.servers", list.join(","))
            .set("client.id", "mscomm")
            // A broker that comes back is found at once, and one that is away is not hammered.
            .set("reconnect.backoff.ms", "10")
            .set("reconnect.backoff.max.ms", "500")
            .set("allow.auto.create.topics", "false")
            // KIP-714: what somebody else measures, with tables for each broker and a request of its own.
            .set("enable.metrics.push", "false");
        security(&mut config, settings)?;
        for (name, value) in &settings.extra {
            check_property(&resolved, name, value)?;
            config.set(name, value);
        }
        let tokens = settings.sasl.tokens(&resolved)?;
        let again = resolved.live("sasl.token");
        let tokens = tokens.map(|tokens| Tokens::new(tokens, again, tells.clone(), policy, shutdown)).transpose()?;
        Ok(Setup { config, resolved, tells, tokens, brokers })
    }

    /// A consumer without a group: for named partitions, metadata and watermarks.
    ///
    /// # Errors
    /// What librdkafka says of the properties together.
    pub(crate) fn consumer(&self, more: &[(&str, &str)]) -> Result<Arc<BaseConsumer<ConnectionEvents>>> {
        let mut config = self.reading();
        for (name, value) in more {
            config.set(*name, *value);
        }
        self.apply_extra(&mut config);
        let made = config.create_with_context(self.events()).map(Arc::new).map_err(|e| self.refused(&e))?;
        Ok(self.with_token(made))
    }

    fn reading(&self) -> ClientConfig {
        let mut config = self.config.clone();
        config
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            // Only for whoever finds the end by it, and never in a group: see `reader::gaps`.
            .set("enable.partition.eof", "false")
            // An offset that is gone is an error, never a silent jump.
            .set("auto.offset.reset", "error")
            .set("queued.max.messages.kbytes", FETCHED_KBYTES)
            // An answer holds up to 1 MiB of each partition, whatever is queued already.
            .set("fetch.max.bytes", ANSWER_BYTES)
            // A full queue is empty again in milliseconds, not after the second that fetching would pause.
            .set("fetch.queue.backoff.ms", "10")
            // At the end of a partition a broker answers no later than this.
            .set("fetch.wait.max.ms", "100")
            .set("topic.metadata.refresh.fast.interval.ms", "50")
            // A topic that is deleted meanwhile is missed soon.
            .set("topic.metadata.propagation.max.ms", "3000");
        config
    }

    /// A producer. `more` are properties of the command's flags; a batch has no more bytes than `largest`, unless one record
    /// has more.
    ///
    /// # Errors
    /// What librdkafka says of the properties together.
    pub(crate) fn producer(
        &self,
        more: &[(&str, &str)],
        largest: Option<usize>,
    ) -> Result<Arc<BaseProducer<ConnectionEvents>>> {
        let mut config = self.config.clone();
        config
            .set("enable.idempotence", "true")
            // The Java clients' partitioner: the same key lands on the same partition whoever wrote it.
            .set("partitioner", "murmur2_random")
            .set("queue.buffering.max.kbytes", QUEUE_KBYTES)
            .set("queue.buffering.max.messages", QUEUE_RECORDS);
        for (name, value) in more {
            config.set(*name, *value);
        }
        // Fewer acks than all are a choice against idempotence, also as a property.
        if self.acks().is_some_and(|acks| !matches!(acks, "all" | "-1")) {
            config.set("enable.idempotence", "false");
        }
        self.apply_extra(&mut config);
        if let Some(largest) = largest {
            config.set("batch.size", largest.max(1).to_string());
        }
        let made = config.create_with_context(self.events()).map(Arc::new).map_err(|e| self.refused(&e))?;
        Ok(self.with_token(made))
    }

    /// A client that was just made has the token as soon as there is one.
    fn with_token<W: Connected>(&self, wire: Arc<W>) -> Arc<W> {
        if let Some(tokens) = &self.tokens {
            tokens.serve(&wire);
        }
        wire
    }

    /// Sees to it that there is a token, where one is logged in with.
    ///
    /// # Errors
    /// As [`Tokens::obtain`].
    pub(crate) async fn obtain_token(&self, say: &Say, shutdown: &Shutdown) -> Result<()> {
        match &self.tokens {
            Some(tokens) => tokens.obtain(say, shutdown).await,
            None => Ok(()),
        }
    }

    /// The property `acks` of the user, under either of its names: stronger than a flag.
    pub(crate) fn acks(&self) -> Option<&str> {
        self.extra("acks").or(self.extra("request.required.acks"))
    }

    /// The size of the largest record that a producer takes, in bytes.
    pub(crate) fn max_record(&self) -> usize {
        self.config.get("message.max.bytes").and_then(|v| v.parse().ok()).unwrap_or(1_000_000)
    }

    /// How many bytes a batch of a producer may have.
    pub(crate) fn max_batch(&self) -> usize {
        self.extra("batch.size").and_then(|v| v.parse().ok()).unwrap_or(BATCH_BYTES)
    }

    /// How many records, and bytes of them, a producer keeps until they are confirmed.
    pub(crate) fn room(&self) -> (usize, usize) {
        let number = |name: &str, default: &str| self.extra(name).unwrap_or(default).parse().unwrap_or(usize::MAX);
        let records = match number("queue.buffering.max.messages", QUEUE_RECORDS) {
            // As many as there are.
            0 => usize::MAX,
            records => records,
        };
        (records, number("queue.buffering.max.kbytes", QUEUE_KBYTES).saturating_mul(1024))
    }

    /// How often it is looked for new topics and partitions, in milliseconds; negative is never.
    pub(crate) fn refresh_millis(&self) -> i64 {
        let number = |name| self.extra(name).and_then(|value| value.parse::<i64>().ok());
        let (interval, age) = (number("topic.metadata.refresh.interval.ms"), number("metadata.max.age.ms"));
        match (interval, age) {
            (Some(interval), Some(age)) if interval > 0 => interval.min(age),
            (interval, age) => interval.or(age).unwrap_or(REFRESH_MILLIS),
        }
    }

    /// True when a topic that is not there is to be made by the broker.
    pub(crate) fn creates_topics(&self) -> bool {
        self.config.get("allow.auto.create.topics") == Some("true")
    }

    /// What the user chose for a property, if anything.
    pub(crate) fn extra(&self, name: &str) -> Option<&str> {
        self.resolved.settings.extra.iter().rev().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The settings from all layers.
    pub(crate) fn settings(&self) -> &Settings {
        &self.resolved.settings
    }

    /// The bootstrap list, for messages.
    pub(crate) fn names(&self) -> String {
        let names: Vec<String> = self.brokers.iter().map(Broker::to_string).collect();
        names.join(", ")
    }

    /// True when properties of the user say more of TLS than the settings that all protocols have.
    pub(crate) fn has_tls_properties(&self) -> bool {
        let mut names = self.resolved.settings.extra.iter().map(|(name, _)| name.as_str());
        names.any(|name| name.starts_with("ssl.") || name.starts_with("enable.ssl"))
    }

    /// True when the connection is to be TLS.
    pub(crate) fn is_tls(&self) -> bool {
        self.config.get("security.protocol").is_some_and(|p| p.to_ascii_lowercase().ends_with("ssl"))
    }

    /// True when the connection authenticates with SASL.
    pub(crate) fn is_sasl(&self) -> bool {
        self.config.get("security.protocol").is_some_and(|p| p.to_ascii_lowercase().starts_with("sasl"))
    }

    /// The SASL mechanism, where one is used.
    pub(crate) fn mechanism(&self) -> Option<&str> {
        self.config.get("sasl.mechanism").or(self.config.get("sasl.mechanisms")).filter(|_| self.is_sasl())
    }

    /// Tells who looks closely (`-v`).
    pub(crate) fn say(&self, text: &str) {
        (self.tells.trace)(text);
    }

    fn events(&self) -> ConnectionEvents {
        ConnectionEvents::new(self.tells.trace.clone(), self.brokers.clone())
    }

    /// What the user wrote wins over what a command sets.
    fn apply_extra(&self, config: &mut ClientConfig) {
        for (name, value) in &self.resolved.settings.extra {
            config.set(name, value);
        }
    }

    fn refused(&self, error: &KafkaError) -> Error {
        let keys: Vec<String> = self.resolved.settings.extra.iter().map(|(name, _)| format!("extra.{name}")).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let text = match error {
            KafkaError::ClientConfig(_, text, _, _) | KafkaError::ClientCreation(text) => text.clone(),
            other => other.to_string(),
        };
        self.resolved.fault(&keys, "these settings do not go together").because(text)
    }
}

/// The security part: TLS and SASL.
fn security(config: &mut ClientConfig, settings: &Settings) -> Result<()> {
    let (tls, sasl) = (&settings.tls, &settings.sasl);
    let with_tls = tls.choice().unwrap_or(tls.is_used());
    let protocol = match (with_tls, sasl.is_used()) {
        (false, false) => "plaintext",
        (true, false) => "ssl",
        (false, true) => "sasl_plaintext",
        (true, true) => "sasl_ssl",
    };
    config.set("security.protocol", protocol);
    if with_tls {
        if tls.tls_ca.is_some() || tls.tls_cert.is_some() {
            tls.check_files()?;
        }
        let path = |path: &std::path::Path| {
            path.to_str().map(str::to_owned).ok_or_else(|| {
                Error::new(Kind::Tls, format!("the path {} is not UTF-8, which librdkafka needs", path.display()))
            })
        };
        let ca = tls.tls_ca.as_deref().map(path).transpose()?;
        // Without it the OpenSSL inside would look in the folder of the machine that it was built on.
        config.set("ssl.ca.location", ca.as_deref().unwrap_or("probe"));
        if let (Some(cert), Some(key)) = (&tls.tls_cert, &tls.tls_key) {
            config.set("ssl.certificate.location", path(cert)?).set("ssl.key.location", path(key)?);
        }
        if tls.is_insecure() {
            config
                .set("enable.ssl.certificate.verification", "false")
                .set("ssl.endpoint.identification.algorithm", "none");
        }
    }
    match (sasl.mechanism(), &sasl.username, &sasl.password) {
        (Some(mechanism @ (OAUTHBEARER | GSSAPI)), ..) => {
            config.set("sasl.mechanism", mechanism);
            // Without a keytab the ticket is the user's own: librdkafka cannot renew it, and refuses to begin if it is to.
            let renews = ["sasl.kerberos.keytab", "sasl.kerberos.kinit.cmd"];
            if mechanism == GSSAPI && !settings.extra.iter().any(|(name, _)| renews.contains(&name.as_str())) {
                config.set("sasl.kerberos.min.time.before.relogin", "0");
            }
        }
        (Some(mechanism), Some(user), Some(password)) => {
            config.set("sasl.mechanism", mechanism).set("sasl.username", user).set("sasl.password", password.expose());
        }
        _ => {}
    }
    Ok(())
}

/// Names that librdkafka takes beside its own, and does not list.
const ALIASES: &[&str] =
    &["acks", "compression.type", "delivery.timeout.ms", "linger.ms", "max.in.flight", "sasl.mechanism"];

/// Whether librdkafka takes this property with this value.
pub(crate) fn is_property(name: &str, value: &str) -> bool {
    ClientConfig::new().set(name, value).create_native_config().is_ok()
}

/// The names of librdkafka's properties, with what else some of them are called.
fn property_names() -> Vec<String> {
    let mut names = ffi::property_names();
    names.extend(ALIASES.iter().map(|name| (*name).to_owned()));
    names
}

/// librdkafka's own opinion of one property.
fn check_property(resolved: &Resolved<Settings>, name: &str, value: &str) -> Result<()> {
    let key = format!("extra.{name}");
    let mut alone = ClientConfig::new();
    alone.set(name, value);
    let text = match alone.create_native_config() {
        Ok(_) => return Ok(()),
        Err(KafkaError::ClientConfig(_, text, _, _)) => text,
        Err(other) => other.to_string(),
    };
    let names = property_names();
    let secret = SectionInfo::of::<Settings>().is_secret(&key) && !value.is_empty();
    let text = if secret { text.replace(value, MASK) } else { text };
    let fault = resolved.fault(&[&key], format!("-X {name}")).because(text);
    Err(match nearest(name, names.iter().map(String::as_str)).filter(|_| !names.iter().any(|n| n == name)) {
        Some(near) => fault.hint(format!("did you mean `{near}`?")),
        None => fault.hint("the properties are listed in librdkafka's CONFIGURATION.md"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn property_names_are_there() {
        let names = ffi::property_names();
        for name in ["client.rack", "message.max.bytes", "request.required.acks", "compression.codec"] {
            assert!(names.iter().any(|n| n == name), "{name}");
        }
    }
}
