//! The Kafka broker itself, without sockets: N brokers of one cluster that share their memory. Times come from outside.
//!
//! A request is answered in `handlers/`, one file for what belongs together, out of the state that stands beside it:
//! [`cluster`], [`topic`] with its [`log`], ... Who has to wait (a fetch, a member of a group) gets a future.

pub(crate) mod announced;
pub(crate) mod api;
pub(crate) mod auth;
pub(crate) mod behind;
pub(crate) mod cluster;
pub(crate) mod config;
pub(crate) mod creation;
pub(crate) mod fault;
pub(crate) mod group;
pub(crate) mod handlers;
pub(crate) mod log;
pub(crate) mod memory;
pub(crate) mod note;
pub(crate) mod quota;
pub(crate) mod sessions;
pub(crate) mod time;
pub(crate) mod tls;
pub(crate) mod topic;
pub(crate) mod txn;
pub(crate) mod wire;

use std::cell::RefCell;
use std::rc::Rc;

use kafka_protocol::protocol::StrBytes;
use tokio::sync::Notify;

use self::auth::Security;
use self::behind::Behind;
use self::cluster::Cluster;
use self::config::Configs;
use self::fault::{Active, Faults};
use self::group::Groups;
use self::note::Notes;
use self::quota::Quotas;
use self::sessions::Sessions;
use self::time::Now;
use self::topic::Topics;
use self::txn::Transactions;
use self::wire::reply::Unsent;

/// All that the brokers of a cluster know. It is only borrowed between two waits.
pub(crate) struct Broker {
    pub cluster: Cluster,
    pub topics: Topics,
    /// Told when something is due earlier than the clock knew: whoever makes [`Broker::next_wake`] earlier tells it.
    pub earlier: Rc<Notify>,
    pub configs: Configs,
    pub security: Security,
    pub groups: Groups,
    pub transactions: Transactions,
    pub quotas: Quotas,
    faults: Faults,
    /// Told what the owner may want to tell.
    pub notes: Notes,
    pub fetches: Sessions,
    pub unsent: Rc<Unsent>,
    pub options: Options,
    /// What of the memory for records has been told already.
    told: memory::Told,
    /// When old records are looked for next.
    cleaning: Option<std::time::Instant>,
    /// When they were looked for in all topics.
    cleaned: Option<std::time::Instant>,
}

/// What the broker is started with.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// Most bytes of records.
    pub memory: usize,
    /// Names and passwords. When there is one, clients have to log in.
    pub users: Vec<(String, String)>,
    /// Access control lists count. The first user may do everything; without users, everybody may who has not logged in.
    pub acl: bool,
    /// How the listeners speak TLS; none for those that do not.
    pub tls: Option<tls::Tls>,
}

impl Default for Options {
    fn default() -> Options {
        Options { memory: 256 << 20, users: Vec::new(), acl: false, tls: None }
    }
}

/// The broker, as the tasks of all connections share it; all of them are on one thread.
pub(crate) type Shared = Rc<RefCell<Broker>>;

/// Who asks.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// The broker that it is connected to.
    pub node: i32,
    /// What it calls itself, in this request.
    pub client_id: StrBytes,
    /// The address it comes from, as Kafka writes it: `/127.0.0.1`.
    pub host: StrBytes,
    /// Who it has logged in as, as `User:ANONYMOUS`.
    pub principal: StrBytes,
    /// The faults that the owner may want for this request.
    pub faults: Option<Rc<Active>>,
    /// Whether its next request waits behind this one.
    pub behind: Rc<Behind>,
}

impl Broker {
    /// A cluster without topics.
    pub(crate) fn with(cluster: Cluster, options: Options) -> Broker {
        let mut configs = Configs::at_start();
        Security::fix(&options, &mut configs);
        configs.fix("default.replication.factor", cluster.nodes.len().min(3).to_string());
        Broker {
            cluster,
            topics: Topics::new(options.memory),
            earlier: Rc::new(Notify::new()),
            configs,
            security: Security::new(&options),
            groups: Groups::default(),
            transactions: Transactions::default(),
            quotas: Quotas::default(),
            faults: Faults::default(),
            notes: Notes::default(),
            fetches: Sessions::default(),
            unsent: Rc::default(),
            options,
            told: memory::Told::default(),
            cleaning: None,
            cleaned: None,
        }
    }

    /// Takes a broker away, or brings it back: leaders move. False when that changes nothing.
    pub(crate) fn set_alive(&mut self, id: i32, alive: bool) -> bool {
        let changed = self.cluster.set_alive(id, alive);
        if changed {
            self.topics.elect(&self.cluster);
        }
        changed
    }

    /// When something is due that nobody asks for.
    pub(crate) fn next_wake(&self) -> Option<std::time::Instant> {
        let due = [self.cleaning, self.groups.next_wake(), self.transactions.next_wake()];
        due.into_iter().flatten().min()
    }

    /// Does what is due.
    pub(crate) fn tick(&mut self, now: Now) {
        if self.cleaning.is_some_and(|at| at <= now.mono) {
            self.clean(now);
        }
        self.end_overdue(now);
        self.groups.tick(&self.topics, now);
    }

    /// Tells the clock when a group has become due earlier than it knew.
    pub(crate) fn hurry(&mut self) {
        if self.groups.take_earlier() {
            self.earlier.notify_one();
        }
    }
}
