//! What is in the broker, for its owner to look at.

use super::Broker;
use super::fault::{Code, Fault};

/// A queue, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QueueShown {
    pub vhost: String,
    pub name: String,
    pub quorum: bool,
    /// Messages that are ready, and those that consumers have not settled.
    pub ready: usize,
    pub unacked: usize,
    pub consumers: usize,
}

/// Everything, as it is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Overview {
    pub connections: usize,
    /// By virtual host and name.
    pub queues: Vec<QueueShown>,
    /// Virtual host, name and type of those that clients have declared, by virtual host and name.
    pub exchanges: Vec<(String, String, &'static str)>,
    /// Publishers are blocked because somebody asked for it.
    pub blocked: bool,
}

impl Broker {
    /// What is there.
    pub(crate) fn overview(&self) -> Overview {
        let held = |id| {
            let channels = self.connections.values().flat_map(|connection| connection.channels.values());
            channels.flat_map(|channel| channel.held.values()).filter(|held| held.queue == id).count()
        };
        let mut queues: Vec<QueueShown> = self
            .queues
            .values()
            .map(|queue| QueueShown {
                vhost: queue.vhost.to_string(),
                name: queue.name.to_string(),
                quorum: queue.settings.quorum,
                ready: queue.len(),
                unacked: held(queue.id),
                consumers: queue.consumers.len(),
            })
            .collect();
        queues.sort_by(|a, b| (&a.vhost, &a.name).cmp(&(&b.vhost, &b.name)));
        let exchanges = self.vhosts.values().flat_map(|vhost| {
            let own = vhost.exchanges.iter().filter(|(name, _)| !name.starts_with("amq."));
            own.map(|(name, exchange)| (vhost.name.to_string(), name.to_string(), exchange.kind.name()))
        });
        let mut exchanges: Vec<_> = exchanges.collect();
        exchanges.sort();
        Overview { connections: self.connections.len(), queues, exchanges, blocked: self.blocked }
    }

    /// Closes all connections, as `rabbitmqctl close_all_connections` does it.
    pub(crate) fn disconnect_all(&mut self) {
        let fault = Fault::of_frame(Code::ConnectionForced, "closed by `mscomm sandbox ctl disconnect`");
        let ids: Vec<_> = self.connections.keys().copied().collect();
        for id in ids {
            self.fail(id, &fault, (0, 0));
            self.touched.push(id);
        }
        self.after();
    }
}
