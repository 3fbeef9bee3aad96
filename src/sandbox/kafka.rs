//! Kafka for trying and for hermetic tests: librdkafka's mock cluster, on free ports of 127.0.0.1.
//!
//! It knows Produce, Fetch, ListOffsets, Metadata, groups and commits, and it makes a topic of four partitions when one is
//! first used. It does not know: creating, deleting and describing topics (the requests time out), settings of topics,
//! ACLs, TLS and SASL; `--from @TIME` finds the end, always; it keeps some 5 MB of each partition; what an aborted
//! transaction wrote is read all the same. It is librdkafka on both sides, and so no proof against a real broker.

use std::sync::mpsc;

use rdkafka::mocking::MockCluster;

use crate::error::{Error, Kind, Result};
use crate::shutdown;

/// What the command line says of the Kafka cluster.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How many brokers the Kafka cluster has
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=16))]
    pub kafka_brokers: u16,
}

/// A running mock cluster; it ends when this is dropped.
#[derive(Debug)]
pub struct Mock {
    bootstrap: String,
    /// The cluster may not leave its thread, which waits until this end is gone.
    _alive: mpsc::Sender<()>,
}

impl Mock {
    /// Starts so many brokers.
    ///
    /// # Errors
    /// `Kind::Io` when a port cannot be had.
    pub fn start(brokers: u16) -> Result<Mock> {
        let failed = || Error::new(Kind::Io, "cannot start the mock Kafka cluster");
        let (alive, end) = mpsc::channel::<()>();
        let (tell, started) = mpsc::channel();
        shutdown::spawn("kafka-sandbox", move || {
            let cluster = match MockCluster::new(i32::from(brokers)) {
                Ok(cluster) => cluster,
                Err(e) => return drop(tell.send(Err(e))),
            };
            let told = tell.send(Ok(cluster.bootstrap_servers()));
            // Nothing is ever sent: it returns when the other end is dropped.
            if told.is_ok() {
                let _ = end.recv();
            }
        })?;
        let bootstrap = started.recv().map_err(|e| failed().because(e))?.map_err(|e| failed().because(e))?;
        Ok(Mock { bootstrap, _alive: alive })
    }

    /// The bootstrap list, usable by other processes of this machine.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }
}
