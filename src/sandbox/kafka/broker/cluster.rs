//! The brokers of the cluster, and which of them are there.

use kafka_protocol::protocol::StrBytes;

/// One broker.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// Its id, from 1.
    pub id: i32,
    pub host: StrBytes,
    pub port: u16,
    /// False while it is taken away.
    pub alive: bool,
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// 22 characters, as Kafka's.
    pub id: StrBytes,
    pub nodes: Vec<Node>,
}

impl Cluster {
    pub(crate) fn node(&self, id: i32) -> Option<&Node> {
        self.nodes.iter().find(|node| node.id == id)
    }

    pub(crate) fn is_alive(&self, id: i32) -> bool {
        self.node(id).is_some_and(|node| node.alive)
    }

    /// Those that are there.
    pub(crate) fn alive(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(|node| node.alive)
    }

    /// The active controller: the first that is there.
    pub(crate) fn controller(&self) -> i32 {
        self.alive().next().map_or(-1, |node| node.id)
    }

    /// Takes a broker away, or brings it back. False when that changes nothing. `Broker::set_alive` moves leaders with it.
    pub(crate) fn set_alive(&mut self, id: i32, alive: bool) -> bool {
        let node = self.nodes.iter_mut().find(|node| node.id == id && node.alive != alive);
        node.map(|node| node.alive = alive).is_some()
    }

    /// The broker that looks after a group or a transaction, by its key: as Kafka does it, by the partition of
    /// `__consumer_offsets` or `__transaction_state` (50 each) that the key would have.
    pub(crate) fn coordinator(&self, key: &str) -> Option<&Node> {
        let hash = key.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
        let partition = hash.checked_abs().unwrap_or(0) % 50;
        let alive: Vec<&Node> = self.alive().collect();
        let index = usize::try_from(partition).unwrap_or(0).checked_rem(alive.len())?;
        alive.get(index).copied()
    }

    /// Whether a broker is that one.
    pub(crate) fn coordinates(&self, node: i32, key: &str) -> bool {
        self.coordinator(key).is_some_and(|coordinator| coordinator.id == node)
    }
}
