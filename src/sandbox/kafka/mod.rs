//! Kafka for trying and for hermetic tests: a cluster in memory on ports of 127.0.0.1, with the protocol, the errors and the
//! words of Kafka 4.1.
//!
//! It stores nothing, and its brokers share their memory: nothing is replicated, however many replicas a topic says to have.
//! [`broker`] is the cluster itself, without sockets; [`server`] is its thread.

mod access;
mod args;
mod broker;
mod server;
mod shown;

use std::net::TcpListener;
use std::sync::mpsc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kafka_protocol::protocol::StrBytes;
use serde_json::{Map, Value};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;

use self::access::Access;
pub(crate) use self::access::Variable;
pub(crate) use self::args::Args;
use self::args::Topic;
use self::broker::cluster::{Cluster, Node};
use self::broker::creation::Wanted;
use self::broker::fault::Faults;
use self::broker::time::Now;
use self::server::Order;
use crate::error::{Error, Result};
use crate::output::Terminal;
use crate::shutdown;

/// A cluster to start.
pub(crate) struct Options {
    /// One for each broker, taken already; they do not block.
    listeners: Vec<TcpListener>,
    topics: Vec<Topic>,
    auto_create: bool,
    /// Most bytes of records.
    memory: Option<usize>,
    /// Clients speak TLS.
    tls: bool,
    /// Names and passwords. When there is one, clients have to log in.
    users: Vec<(String, String)>,
    /// Access control lists count.
    acl: bool,
    faults: Faults,
    /// Where is said what happens.
    terminal: Terminal,
}

/// A running cluster; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    bootstrap: String,
    access: Access,
    orders: UnboundedSender<Order>,
    /// Ends once the cluster's thread has: its ports are closed then.
    ended: mpsc::Receiver<()>,
}

impl Running {
    /// Starts a cluster.
    ///
    /// # Errors
    /// `Kind::Io`; `Kind::Usage` for a topic that cannot be made.
    pub(crate) async fn start(options: Options) -> Result<Running> {
        let failed = |e| Error::io("cannot start the Kafka cluster", e);
        let mut nodes = Vec::new();
        for (id, listener) in (1..).zip(&options.listeners) {
            let port = listener.local_addr().map_err(failed)?.port();
            nodes.push(Node { id, host: StrBytes::from_static_str("127.0.0.1"), port, alive: true });
        }
        let bootstrap: Vec<String> = nodes.iter().map(|node| format!("{}:{}", node.host, node.port)).collect();
        let access = Access::new(options.tls, options.users.first())?;
        let limits = broker::Options {
            memory: options.memory.unwrap_or(broker::Options::default().memory),
            users: options.users.clone(),
            acl: options.acl,
            tls: access.tls.clone(),
        };
        let id = URL_SAFE_NO_PAD.encode(uuid::Uuid::new_v4().as_bytes());
        let cluster = Cluster { id: StrBytes::from_string(id), nodes };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let (orders, taken) = tokio::sync::mpsc::unbounded_channel();
        let (tell, started) = oneshot::channel();
        let (alive, ended) = mpsc::channel();
        shutdown::spawn("kafka-sandbox", move || {
            runtime.block_on(tokio::task::LocalSet::new().run_until(host(options, (cluster, limits), tell, taken)));
            drop(runtime);
            drop(alive);
        })?;
        started.await.map_err(|e| failed(std::io::Error::other(e)))??;
        Ok(Running { bootstrap: bootstrap.join(","), access, orders, ended })
    }

    /// What a client needs beside the address.
    pub(crate) fn variables(&self) -> &[Variable] {
        &self.access.variables
    }

    /// What its owner can do with it.
    pub(crate) fn handle(&self) -> Handle {
        Handle(self.orders.clone())
    }

    /// The bootstrap list, usable by other processes of this machine.
    pub(crate) fn bootstrap(&self) -> &str {
        &self.bootstrap
    }
}

/// What the owner of a cluster can do with it that no client could.
#[derive(Debug, Clone)]
pub(crate) struct Handle(UnboundedSender<Order>);

impl Handle {
    /// Closes all connections.
    pub(crate) fn disconnect(&self) {
        // It may be gone, and they with it.
        let _ = self.0.send(Order::Disconnect);
    }

    /// Takes a broker away, or brings it back.
    ///
    /// # Errors
    /// When there is no such broker, in words.
    pub(crate) async fn set_alive(&self, id: i32, alive: bool) -> std::result::Result<(), String> {
        let count = self.with(|broker| broker.cluster.nodes.len()).await.unwrap_or_default();
        if !usize::try_from(id).is_ok_and(|id| (1..=count).contains(&id)) {
            return Err(format!("there is no broker {id}; they are 1 to {count} (--kafka-brokers N)"));
        }
        let _ = self.0.send(Order::Alive(id, alive));
        // Done once this is answered: one order after the other.
        self.with(|_| ()).await;
        Ok(())
    }

    /// Gives the cluster other rules by which requests fail, as JSON.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(crate) async fn set_faults(&self, json: &str) -> std::result::Result<(), String> {
        let faults = Faults::of_json(json)?;
        self.with(|broker| broker.set_faults(faults)).await;
        Ok(())
    }

    /// What is there, for a person or a script. None when the cluster is gone.
    pub(crate) async fn shown(&self) -> Option<Map<String, Value>> {
        self.with(shown::shown).await
    }

    async fn with<T: Send + 'static>(&self, work: impl FnOnce(&mut broker::Broker) -> T + Send + 'static) -> Option<T> {
        let (tell, told) = oneshot::channel();
        // Whoever asked may be gone.
        let _ = self.0.send(Order::With(Box::new(move |broker| drop(tell.send(work(broker))))));
        told.await.ok()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.orders.send(Order::End);
        // Nothing is ever sent: it returns once the other end is dropped.
        let _ = self.ended.recv();
    }
}

/// Serves a cluster until it is told to end.
async fn host(
    options: Options,
    (cluster, limits): (Cluster, broker::Options),
    tell: oneshot::Sender<Result<()>>,
    orders: UnboundedReceiver<Order>,
) {
    let broker = match prepare(&options, cluster, limits) {
        Ok(broker) => broker,
        Err(error) => return drop(tell.send(Err(error))),
    };
    // Whoever started it may be gone, and then it is told to stop.
    let _ = tell.send(Ok(()));
    server::run(options.listeners, broker, orders).await;
}

/// A cluster with its topics.
fn prepare(options: &Options, cluster: Cluster, limits: broker::Options) -> Result<broker::Broker> {
    let mut broker = broker::Broker::with(cluster, limits);
    broker.configs.fix("auto.create.topics.enable", options.auto_create.to_string());
    let terminal = options.terminal;
    broker.notes.tell_to(move |note| terminal.note(format!("kafka: {note}")));
    broker.set_faults(options.faults.clone());
    for topic in &options.topics {
        let text = |text: &String| StrBytes::from_string(text.clone());
        let wanted = Wanted {
            name: text(&topic.name),
            partitions: topic.partitions.unwrap_or(-1),
            factor: -1,
            config: topic.settings.iter().map(|(key, value)| (text(key), Some(text(value)))).collect(),
            ..Wanted::default()
        };
        let made = broker.plan(&wanted).map(|plan| broker.create(wanted.name.clone(), plan, Now::get()));
        made.map_err(|refusal| {
            Error::usage(format!("--topic {}: {}", topic.name, refusal.message.as_deref().unwrap_or("it is refused")))
        })?;
    }
    Ok(broker)
}
