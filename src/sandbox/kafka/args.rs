//! What the command line says of the Kafka cluster.

use std::net::TcpListener;
use std::path::{Path, PathBuf};

use super::Options;
use super::broker::creation::check_name;
use super::broker::fault::Faults;
use crate::error::{Error, Result};
use crate::output::Terminal;
use crate::sandbox::amqp::user;
use crate::sandbox::service::{Service, listener};
use crate::values;

const HEADING: &str = "Kafka";

/// More would be a mistake of the keyboard.
const MOST_PARTITIONS: i32 = 1000;

/// Flags of the cluster.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(crate) struct Args {
    /// Port of the first Kafka broker; 0 is a free one. The others have free ones
    #[arg(long, value_name = "PORT", default_value_t = 0, help_heading = HEADING, hide_short_help = true)]
    pub kafka_port: u16,
    /// How many brokers the Kafka cluster has
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=16), help_heading = HEADING, hide_short_help = true)]
    pub kafka_brokers: u16,
    /// Kafka topic to create at the start, with one partition and Kafka's settings if not given. May be repeated
    ///
    /// As `--topic orders:12,retention.ms=60000,cleanup.policy=compact,delete`.
    #[arg(long = "topic", value_name = "NAME[:PARTITIONS][,SETTING=VALUE…]", value_parser = values::Unechoed(topic), help_heading = HEADING)]
    pub topics: Vec<Topic>,
    /// No topic is made because a client asks for it; whoever wants one has to create it
    #[arg(long, help_heading = HEADING, hide_short_help = true)]
    no_auto_create: bool,
    /// Most memory for records, 256MiB if not given; above it the oldest go, where their topic may lose any
    #[arg(long, value_name = "SIZE", value_parser = values::size, help_heading = HEADING, hide_short_help = true)]
    kafka_memory: Option<usize>,
    /// Speak TLS; KAFKA_CA is the file of the authority, KAFKA_CLIENT_CERT and KAFKA_CLIENT_KEY are a client's
    #[arg(long, help_heading = HEADING, hide_short_help = true)]
    kafka_tls: bool,
    /// A user who may log in by PLAIN or SCRAM, as NAME:PASSWORD. With one, all clients have to. May be repeated
    ///
    /// OAUTHBEARER takes any token: who it is for is its `sub`, or the token itself.
    #[arg(long = "kafka-user", value_name = "NAME:PASSWORD", value_parser = values::Unechoed(user), help_heading = HEADING, hide_short_help = true)]
    kafka_users: Vec<(String, String)>,
    /// Nobody may do what no access control list allows, but the first --kafka-user, or without users whoever comes
    #[arg(long, help_heading = HEADING, hide_short_help = true)]
    kafka_acl: bool,
    /// Rules by which requests are answered with an error, late or not at all, as JSON
    ///
    /// A list of objects with `api` (a name or number) and what happens: `error` (Kafka's name or number), `delay` (as 50ms), `close`; and
    /// which requests are meant: `topic`, `group`, `client_id`, `times` for how many of them, `probability`. The first that fits is used.
    #[arg(long, value_name = "FILE", help_heading = HEADING, hide_short_help = true)]
    kafka_fault: Option<PathBuf>,
}

/// A topic to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Topic {
    pub name: String,
    /// None for the default.
    pub partitions: Option<i32>,
    pub settings: Vec<(String, String)>,
}

fn topic(text: &str) -> std::result::Result<Topic, String> {
    let mut parts = text.split(',');
    let head = parts.next().unwrap_or_default();
    let (name, partitions) = match head.split_once(':') {
        None => (head, None),
        Some((name, number)) => match number.parse() {
            Ok(number) if (1..=MOST_PARTITIONS).contains(&number) => (name, Some(number)),
            _ => return Err(format!("the number of partitions is 1 to {MOST_PARTITIONS}")),
        },
    };
    check_name(name).map_err(|_| "a topic's name is 1 to 249 of the characters a-z A-Z 0-9 . _ -".to_owned())?;
    let mut settings: Vec<(String, String)> = Vec::new();
    for part in parts {
        match (part.split_once('='), settings.last_mut()) {
            (Some((key, value)), _) => settings.push((key.to_owned(), value.to_owned())),
            // A value may be a list: cleanup.policy=compact,delete.
            (None, Some((_, value))) => {
                value.push(',');
                value.push_str(part);
            }
            (None, None) => return Err(format!("`{part}` is no SETTING=VALUE, as retention.ms=60000")),
        }
    }
    for (key, value) in &settings {
        super::broker::config::validate(key, value)?;
    }
    Ok(Topic { name: name.to_owned(), partitions, settings })
}

/// The rules of a file.
fn read_faults(path: &Path) -> Result<Faults> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::io(format!("cannot read {}", path.display()), e))?;
    Faults::of_json(&text).map_err(|why| {
        Error::usage(format!("{}: {why}", path.display()))
            .hint(r#"a rule is an object, as {"api": "Produce", "topic": "orders", "error": "NOT_ENOUGH_REPLICAS"}"#)
    })
}

impl Args {
    /// True when anything but the port was given.
    pub(crate) fn is_given(&self) -> bool {
        !self.topics.is_empty()
            || self.no_auto_create
            || self.kafka_memory.is_some()
            || self.kafka_brokers > 1
            || self.kafka_tls
            || self.kafka_acl
            || self.kafka_fault.is_some()
            || !self.kafka_users.is_empty()
    }

    /// The cluster that these describe. Its ports are taken.
    ///
    /// # Errors
    /// `Kind::Usage` for a topic that is named twice, `Kind::Io` for a port that cannot be had.
    pub(crate) fn options(&self, terminal: Terminal) -> Result<Options> {
        let named = |i: usize, topic: &Topic| self.topics.iter().take(i).any(|other| other.name == topic.name);
        if let Some((_, twice)) = self.topics.iter().enumerate().find(|(i, topic)| named(*i, topic)) {
            return Err(Error::usage(format!("--topic {} is given twice", twice.name)));
        }
        let faults = self.kafka_fault.as_deref().map(read_faults).transpose()?.unwrap_or_default();
        let ports = std::iter::once(self.kafka_port).chain(std::iter::repeat(0));
        let listeners: Vec<TcpListener> =
            ports.take(self.kafka_brokers.into()).map(|port| listener(Service::Kafka, port)).collect::<Result<_>>()?;
        Ok(Options {
            listeners,
            topics: self.topics.clone(),
            auto_create: !self.no_auto_create,
            memory: self.kafka_memory,
            tls: self.kafka_tls,
            users: self.kafka_users.clone(),
            acl: self.kafka_acl,
            faults,
            terminal,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_have_a_name_partitions_and_settings() {
        let plain = |name: &str, partitions| Topic { name: name.to_owned(), partitions, settings: Vec::new() };
        assert_eq!(topic("a.b"), Ok(plain("a.b", None)));
        assert_eq!(topic("a:12"), Ok(plain("a", Some(12))));
        let set = topic("a:1,cleanup.policy=compact,delete,retention.ms=5").unwrap();
        let settings = [("cleanup.policy", "compact,delete"), ("retention.ms", "5")];
        assert_eq!(set.settings, settings.map(|(key, value)| (key.to_owned(), value.to_owned())));
        for bad in [
            "",
            ":1",
            "a:",
            "a:0",
            "a:-1",
            "a:1001",
            "a:x",
            "a:1:1",
            "..",
            "a b",
            "ä",
            "a,b",
            "a,nonsense=1",
            "a,retention.ms=x",
        ] {
            assert!(topic(bad).is_err(), "{bad}");
        }
    }
}
