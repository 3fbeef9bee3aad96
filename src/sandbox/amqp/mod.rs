//! AMQP 0-9-1 for trying and for hermetic tests: a broker in memory on 127.0.0.1, with RabbitMQ's semantics and words.
//!
//! It stores nothing, has neither TLS nor permissions, policies, transactions, streams or a management API, and is alone.
//! Quorum queues are taken and count what comes back, but nothing is replicated. [`broker`] is the broker itself, without
//! sockets; [`server`] is its thread.

mod broker;
mod server;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::mpsc;

use serde_json::{Map, Value, json};
use tokio::sync::mpsc::UnboundedSender;

use self::broker::Limits;
use self::broker::overview::{Overview, QueueShown};
use self::server::Order;
use crate::error::{Error, Result};
use crate::shutdown;
use crate::values;

const HEADING: &str = "AMQP";

/// What the broker is started with.
#[derive(Debug, Clone)]
pub struct Options {
    /// Most bytes of messages; above it publishers are blocked.
    pub memory: usize,
    /// Names and passwords of who may log in.
    pub users: Vec<(String, String)>,
    /// The virtual hosts.
    pub vhosts: Vec<String>,
}

/// Flags of the broker.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
pub(crate) struct Args {
    /// Most memory for messages, 256MiB if not given; above it publishers are blocked until some are gone
    #[arg(long, value_name = "SIZE", value_parser = values::size, help_heading = HEADING, hide_short_help = true)]
    amqp_memory: Option<usize>,
    /// Another user who may log in beside guest, as NAME:PASSWORD
    #[arg(long = "amqp-user", value_name = "NAME:PASSWORD", value_parser = values::Unechoed(user), help_heading = HEADING, hide_short_help = true)]
    amqp_users: Vec<(String, String)>,
    /// Another virtual host beside /
    #[arg(long = "amqp-vhost", value_name = "NAME", help_heading = HEADING, hide_short_help = true)]
    amqp_vhosts: Vec<String>,
}

/// Reads a user from a flag.
pub(super) fn user(text: &str) -> std::result::Result<(String, String), String> {
    match text.split_once(':') {
        Some((name, password)) if !name.is_empty() => Ok((name.to_owned(), password.to_owned())),
        _ => Err("a user is NAME:PASSWORD, as `app:secret`".to_owned()),
    }
}

impl Default for Options {
    fn default() -> Options {
        Options {
            memory: 256 << 20,
            users: vec![("guest".to_owned(), "guest".to_owned())],
            vhosts: vec!["/".to_owned()],
        }
    }
}

impl Args {
    /// True when anything was given.
    pub(crate) fn is_given(&self) -> bool {
        self.amqp_memory.is_some() || !self.amqp_users.is_empty() || !self.amqp_vhosts.is_empty()
    }

    /// The options that the flags say.
    pub(crate) fn options(&self) -> Options {
        let mut options = Options::default();
        options.memory = self.amqp_memory.unwrap_or(options.memory);
        options.users.extend(self.amqp_users.iter().cloned());
        options.vhosts.extend(self.amqp_vhosts.iter().cloned());
        options
    }
}

/// A running broker; it ends when this is dropped.
#[derive(Debug)]
pub struct Broker {
    address: SocketAddr,
    orders: UnboundedSender<Order>,
    /// Ends once the broker's thread has: its ports are closed then.
    ended: mpsc::Receiver<()>,
}

impl Broker {
    /// Starts a broker on a free port.
    ///
    /// # Errors
    /// `Kind::Io`.
    pub fn start(options: &Options) -> Result<Broker> {
        let failed = |e| Error::io("cannot listen on 127.0.0.1", e);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        Broker::serve(listener, options)
    }

    /// Starts a broker on a listener that does not block.
    ///
    /// # Errors
    /// `Kind::Io`.
    pub fn serve(listener: TcpListener, options: &Options) -> Result<Broker> {
        let failed = |e| Error::io("cannot start the AMQP broker", e);
        let address = listener.local_addr().map_err(failed)?;
        let limits = Limits { users: options.users.clone(), vhosts: options.vhosts.clone(), memory: options.memory };
        let (orders, taken) = tokio::sync::mpsc::unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let (alive, ended) = mpsc::channel();
        shutdown::spawn("amqp-sandbox", move || {
            runtime.block_on(tokio::task::LocalSet::new().run_until(server::serve(listener, limits, taken)));
            drop(runtime);
            drop(alive);
        })?;
        Ok(Broker { address, orders, ended })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What its owner can do with it.
    pub fn handle(&self) -> Handle {
        Handle(self.orders.clone())
    }
}

/// What the owner of a broker can do with it that no client could.
#[derive(Debug, Clone)]
pub struct Handle(UnboundedSender<Order>);

impl Handle {
    fn with(&self, work: impl FnOnce(&mut broker::Broker) + Send + 'static) -> bool {
        self.0.send(Order::With(Box::new(work))).is_ok()
    }

    /// Closes all connections.
    pub(crate) fn disconnect(&self) {
        self.with(broker::Broker::disconnect_all);
    }

    /// What is there, for a person or a script. None when the broker is gone.
    pub(crate) async fn shown(&self) -> Option<Map<String, Value>> {
        let (tell, told) = tokio::sync::oneshot::channel();
        // Whoever asked may be gone.
        self.with(move |broker| drop(tell.send(broker.overview())));
        let Overview { connections, queues, exchanges, blocked } = told.await.ok()?;
        let queue = |queue: QueueShown| {
            json!({
                "vhost": queue.vhost,
                "name": queue.name,
                "type": if queue.quorum { "quorum" } else { "classic" },
                "ready": queue.ready,
                "unacked": queue.unacked,
                "consumers": queue.consumers,
            })
        };
        let exchange = |(vhost, name, kind)| json!({"vhost": vhost, "name": name, "type": kind});
        let shown = json!({
            "connections": connections,
            "blocked": blocked,
            "queues": queues.into_iter().map(queue).collect::<Vec<_>>(),
            "exchanges": exchanges.into_iter().map(exchange).collect::<Vec<_>>(),
        });
        shown.as_object().cloned()
    }

    /// Blocks all publishers as a broker does that is low on memory, or lets them go on. False when the broker is gone.
    pub fn block(&self, blocked: bool) -> bool {
        self.with(move |broker| broker.set_blocked(blocked))
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.orders.send(Order::End);
        // Nothing is ever sent: it returns once the other end is dropped.
        let _ = self.ended.recv();
    }
}
