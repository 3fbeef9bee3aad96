//! Kafka for trying and for hermetic tests: librdkafka's mock cluster, on free ports of 127.0.0.1.
//!
//! It knows Produce, Fetch, ListOffsets, Metadata, groups, commits and transactions, and it makes a topic of four partitions
//! when one is first used. It does not know: creating, changing and deleting topics by a client, settings, ACLs, lists of
//! groups, TLS and SASL; a time as an offset is the end, always; it keeps some 5 MB of each partition; what an aborted
//! transaction wrote is read all the same. A member that joins or leaves a group makes the next one wait for almost a session.
//!
//! It trusts its clients. What is no request of Kafka closes its connection, but a request with a null or an impossible number
//! where its field may not have one ends the process, by an assertion of librdkafka or worse. And it is librdkafka on both
//! sides for mscomm and kcat, and so no proof against a real broker.

use std::net::TcpListener;
use std::sync::mpsc;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, Producer};

use super::rebalance::set_initial_delay;
use super::service::{Service, listener};
use crate::error::{Error, Kind, Result};
use crate::shutdown;

/// What the command line says of the Kafka cluster.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(crate) struct Args {
    /// Port that leads to the first Kafka broker; 0 is its own, a free one
    ///
    /// The mock cluster itself takes free ports only: a client begins at this port and is told the others.
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_short_help = true)]
    pub kafka_port: u16,
    /// How many brokers the Kafka cluster has
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=16), hide_short_help = true)]
    pub kafka_brokers: u16,
    /// Kafka topic to create at the start, with 4 partitions if not given. May be repeated
    #[arg(long = "topic", value_name = "NAME[:PARTITIONS]", value_parser = topic)]
    pub topics: Vec<Topic>,
}

/// A topic to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Topic {
    name: String,
    partitions: i32,
}

/// What the mock gives a topic that is made on its first use.
const PARTITIONS: i32 = 4;

/// More would be a mistake of the keyboard.
const MOST_PARTITIONS: i32 = 1000;

/// How long a new group waits for more members: those that start together share its first generation. Later ones wait almost
/// as long as a session lasts, which is not to be changed.
const GROUP_DELAY: Duration = Duration::from_millis(500);

fn topic(text: &str) -> Result<Topic, String> {
    let (name, partitions) = match text.split_once(':') {
        None => (text, PARTITIONS),
        Some((name, number)) => match number.parse() {
            Ok(number) if (1..=MOST_PARTITIONS).contains(&number) => (name, number),
            _ => return Err(format!("the number of partitions is 1 to {MOST_PARTITIONS}")),
        },
    };
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if name.is_empty() || name.len() > 249 || matches!(name, "." | "..") || !name.bytes().all(allowed) {
        return Err("a topic's name is 1 to 249 of the characters a-z A-Z 0-9 . _ -".to_owned());
    }
    Ok(Topic { name: name.to_owned(), partitions })
}

/// A cluster to start. Its fixed port is taken already.
pub(crate) struct Options {
    brokers: u16,
    topics: Vec<Topic>,
    front: Option<TcpListener>,
}

impl Args {
    /// The cluster that these describe.
    ///
    /// # Errors
    /// `Kind::Usage` for a topic that is named twice, `Kind::Io` for a port that cannot be had.
    pub(crate) fn options(&self) -> Result<Options> {
        let named = |i: usize, topic: &Topic| self.topics.iter().take(i).any(|other| other.name == topic.name);
        if let Some((_, twice)) = self.topics.iter().enumerate().find(|(i, topic)| named(*i, topic)) {
            return Err(Error::usage(format!("--topic {} is given twice", twice.name)));
        }
        let front = (self.kafka_port != 0).then(|| listener(Service::Kafka, self.kafka_port)).transpose()?;
        Ok(Options { brokers: self.kafka_brokers, topics: self.topics.clone(), front })
    }
}

/// A running mock cluster; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Mock {
    bootstrap: String,
    /// The cluster may not leave its thread, which waits until this end is gone.
    _alive: mpsc::Sender<()>,
}

impl Mock {
    /// Starts a cluster.
    ///
    /// # Errors
    /// `Kind::Io` when a port cannot be had.
    pub(crate) async fn start(options: Options) -> Result<Mock> {
        let failed = || Error::new(Kind::Io, "cannot start the mock Kafka cluster");
        let (alive, end) = mpsc::channel::<()>();
        let (tell, started) = tokio::sync::oneshot::channel();
        let (brokers, topics) = (options.brokers, options.topics);
        shutdown::spawn("kafka-sandbox", move || match host(brokers) {
            Err(e) => drop(tell.send(Err(e))),
            Ok(host) => {
                let told = tell.send(prepare(&host, brokers, &topics));
                // Nothing is ever sent: it returns when the other end is dropped.
                if told.is_ok() {
                    let _ = end.recv();
                }
            }
        })?;
        let bootstrap = started.await.map_err(|e| failed().because(e))?.map_err(|e| failed().because(e))?;
        let Some(front) = options.front else { return Ok(Mock { bootstrap, _alive: alive }) };
        let address = front.local_addr().map_err(|e| failed().because(e))?;
        let front = tokio::net::TcpListener::from_std(front).map_err(|e| failed().because(e))?;
        let first = bootstrap.split(',').next().unwrap_or_default().to_owned();
        tokio::spawn(forward(front, first));
        Ok(Mock { bootstrap: address.to_string(), _alive: alive })
    }

    /// The bootstrap list, usable by other processes of this machine.
    pub(crate) fn bootstrap(&self) -> &str {
        &self.bootstrap
    }
}

/// A client that has a cluster inside.
fn host(brokers: u16) -> KafkaResult<BaseProducer> {
    ClientConfig::new().set("test.mock.num.brokers", brokers.to_string()).create()
}

/// Sets the cluster up, and gives its bootstrap list.
fn prepare(host: &BaseProducer, brokers: u16, topics: &[Topic]) -> KafkaResult<String> {
    let cluster = host.client().mock_cluster().ok_or(KafkaError::MockCluster(RDKafkaErrorCode::Fail))?;
    set_initial_delay(host.client(), GROUP_DELAY);
    for topic in topics {
        // As many replicas as a topic gets that is made on its first use.
        cluster.create_topic(&topic.name, topic.partitions, i32::from(brokers.min(3)))?;
    }
    Ok(cluster.bootstrap_servers())
}

/// Copies what comes to a port to a broker and back, for as long as the process lives.
async fn forward(front: tokio::net::TcpListener, broker: String) {
    loop {
        let Ok((mut client, _)) = front.accept().await else {
            // Too many open files, for example: it passes.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let broker = broker.clone();
        tokio::spawn(async move {
            if let Ok(mut server) = tokio::net::TcpStream::connect(broker).await {
                // Either end may leave when it likes.
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_have_a_name_and_partitions() {
        assert_eq!(topic("a.b"), Ok(Topic { name: "a.b".to_owned(), partitions: 4 }));
        assert_eq!(topic("a:12"), Ok(Topic { name: "a".to_owned(), partitions: 12 }));
        for bad in ["", ":1", "a:", "a:0", "a:-1", "a:1001", "a:x", "a:1:1", "..", "a b", "ä"] {
            assert!(topic(bad).is_err(), "{bad}");
        }
    }
}
