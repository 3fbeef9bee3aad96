//! Topics and their partitions.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::rc::{Rc, Weak};

use kafka_protocol::error::ResponseError;
use kafka_protocol::protocol::StrBytes;
use tokio::sync::Notify;
use uuid::Uuid;

use super::cluster::Cluster;
use super::config::{Configs, TopicConfig};
use super::log::Log;
use super::log::memory::Memory;
use super::time::Now;

/// One topic.
#[derive(Debug)]
pub(crate) struct Topic {
    pub name: StrBytes,
    pub id: Uuid,
    pub partitions: Vec<Partition>,
    /// What was set for it, and differs from the default.
    pub config: BTreeMap<String, String>,
    /// What follows from that for its logs. [`Topics::set_config`] keeps both together.
    pub settings: Rc<TopicConfig>,
}

/// One partition: where it is, and what is in it.
#[derive(Debug)]
pub(crate) struct Partition {
    /// Their first is the preferred leader.
    pub replicas: Vec<i32>,
    /// Those in sync. As all brokers share their memory: those that are there, or the last one that was.
    pub isr: Vec<i32>,
    /// -1 when no replica is there.
    pub leader: i32,
    pub leader_epoch: i32,
    pub log: Log,
    /// Fetches that wait for something to happen here.
    waiting: RefCell<Vec<Weak<Notify>>>,
}

impl Partition {
    /// Whoever waits is woken when the next records come, the leader changes, or the partition goes.
    pub(crate) fn wait(&self, notify: &Rc<Notify>) {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.len() == waiting.capacity() {
            // Who waits for several partitions comes again after each that was woken.
            waiting.retain(|other| other.strong_count() > 0);
            waiting.sort_unstable_by_key(Weak::as_ptr);
            waiting.dedup_by(|a, b| Weak::ptr_eq(a, b));
        }
        waiting.push(Rc::downgrade(notify));
    }

    /// Something has happened that a fetch may wait for.
    pub(crate) fn wake(&self) {
        for waiting in self.waiting.take() {
            if let Some(notify) = waiting.upgrade() {
                notify.notify_one();
            }
        }
    }

    /// Whether the client knows the current leader by its epoch; -1 is who does not say.
    ///
    /// # Errors
    /// FENCED_LEADER_EPOCH for one that is past, UNKNOWN_LEADER_EPOCH for one to come.
    pub(crate) fn check_epoch(&self, epoch: i32) -> Result<(), ResponseError> {
        match epoch.cmp(&self.leader_epoch) {
            _ if epoch == -1 => Ok(()),
            Ordering::Less => Err(ResponseError::FencedLeaderEpoch),
            Ordering::Equal => Ok(()),
            Ordering::Greater => Err(ResponseError::UnknownLeaderEpoch),
        }
    }

    /// The replicas that are not there.
    pub(crate) fn offline(&self, cluster: &Cluster) -> Vec<i32> {
        self.replicas.iter().copied().filter(|id| !cluster.is_alive(*id)).collect()
    }

    /// Leader and replicas in sync follow from who is there.
    fn elect(&mut self, cluster: &Cluster) {
        let alive: Vec<i32> = self.replicas.iter().copied().filter(|id| cluster.is_alive(*id)).collect();
        if let Some(first) = alive.first() {
            if !alive.contains(&self.leader) {
                self.leader = *first;
                self.leader_epoch += 1;
                self.log.begin_epoch(self.leader_epoch);
            }
            self.isr = alive;
        } else if self.leader != -1 {
            self.isr = vec![self.leader];
            self.leader = -1;
            self.leader_epoch += 1;
        }
        self.wake();
    }
}

impl Drop for Partition {
    fn drop(&mut self) {
        self.wake();
    }
}

/// All topics.
#[derive(Debug, Default)]
pub(crate) struct Topics {
    /// It is changed by the functions below only.
    pub by_name: BTreeMap<String, Topic>,
    names: HashMap<Uuid, StrBytes>,
    /// The names as metrics have them, where `.` is `_`: no two topics may look the same there.
    metrics: HashMap<String, String>,
    /// Grows with each topic that is created, deleted or given partitions, so that groups see that something has changed.
    pub changes: u64,
    partitions: usize,
    /// What all logs take.
    memory: Rc<Memory>,
    /// The broker whose turn it is to lead the next first partition.
    turn: usize,
    /// What a topic comes to for which nothing was set; most are such.
    plain: Option<Rc<TopicConfig>>,
}

impl Topics {
    /// None yet; their records may take so many bytes.
    pub(crate) fn new(memory: usize) -> Topics {
        Topics { memory: Rc::new(Memory::new(memory)), ..Topics::default() }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Topic> {
        self.by_name.get(name)
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Topic> {
        self.by_name.get_mut(name)
    }

    /// The topic with an id.
    pub(crate) fn by_id(&self, id: Uuid) -> Option<&Topic> {
        self.by_name.get(self.names.get(&id)?.as_str())
    }

    /// The name of the topic with an id.
    pub(crate) fn name_of(&self, id: Uuid) -> Option<&StrBytes> {
        self.names.get(&id)
    }

    pub(crate) fn partition(&self, name: &str, index: i32) -> Option<&Partition> {
        self.get(name)?.partitions.get(usize::try_from(index).ok()?)
    }

    pub(crate) fn partition_mut(&mut self, name: &str, index: i32) -> Option<&mut Partition> {
        self.get_mut(name)?.partitions.get_mut(usize::try_from(index).ok()?)
    }

    /// All of them, by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Topic> {
        self.by_name.values()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Topic> {
        self.by_name.values_mut()
    }

    /// How many partitions there are in all.
    pub(crate) fn partitions(&self) -> usize {
        self.partitions
    }

    /// The topic that a name would be taken for in metrics.
    pub(crate) fn colliding(&self, name: &str) -> Option<&str> {
        let is_plain = !name.contains(['.', '_']);
        if is_plain { None } else { self.metrics.get(&name.replace('.', "_")).map(String::as_str) }
    }

    pub(crate) fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Makes a topic, with the replicas of each partition. Whether that may be is asked before. Its id.
    pub(crate) fn create(
        &mut self,
        name: StrBytes,
        replicas: Vec<Vec<i32>>,
        config: BTreeMap<String, String>,
        (cluster, configs): (&Cluster, &Configs),
        now: Now,
    ) -> Uuid {
        // In base64 none begins with `-`, which tools would take for a flag (Kafka's `Uuid.randomUuid`).
        let is_fine = |id: &Uuid| id.as_bytes().first().is_some_and(|first| first >> 2 != 62);
        let id = std::iter::repeat_with(Uuid::new_v4).find(is_fine).unwrap_or_default();
        let settings = self.settings(&config, configs);
        let mut topic = Topic { name: name.clone(), id, partitions: Vec::new(), config, settings };
        self.partitions += replicas.len();
        topic.partitions.extend(replicas.into_iter().map(|replicas| self.new_partition(replicas, cluster, now)));
        self.by_name.insert(name.to_string(), topic);
        if name.contains(['.', '_']) {
            self.metrics.insert(name.replace('.', "_"), name.to_string());
        }
        self.names.insert(id, name);
        self.changes += 1;
        id
    }

    fn new_partition(&self, replicas: Vec<i32>, cluster: &Cluster, now: Now) -> Partition {
        let isr: Vec<i32> = replicas.iter().copied().filter(|id| cluster.is_alive(*id)).collect();
        let leader = isr.first().copied().unwrap_or(-1);
        let log = Log::new(self.memory.clone(), now);
        Partition { replicas, isr, leader, leader_epoch: 0, log, waiting: RefCell::default() }
    }

    /// Makes more partitions of a topic.
    pub(crate) fn extend(&mut self, name: &str, replicas: Vec<Vec<i32>>, cluster: &Cluster, now: Now) {
        let more: Vec<Partition> = replicas.into_iter().map(|r| self.new_partition(r, cluster, now)).collect();
        let count = more.len();
        if let Some(topic) = self.get_mut(name) {
            topic.partitions.extend(more);
            self.partitions += count;
            self.changes += 1;
        }
    }

    /// Takes a topic away with all that is in it. Who waits for it is woken.
    pub(crate) fn delete(&mut self, name: &str) -> Option<Topic> {
        let topic = self.by_name.remove(name)?;
        self.names.remove(&topic.id);
        if name.contains(['.', '_']) {
            self.metrics.remove(&name.replace('.', "_"));
        }
        self.partitions = self.partitions.saturating_sub(topic.partitions.len());
        self.changes += 1;
        Some(topic)
    }

    /// Gives a topic other settings; they count from now on.
    pub(crate) fn set_config(&mut self, name: &str, config: BTreeMap<String, String>, configs: &Configs) {
        let settings = self.settings(&config, configs);
        if let Some(topic) = self.get_mut(name) {
            topic.settings = settings;
            topic.config = config;
        }
    }

    /// The settings of the brokers have changed, and with them what topics come to.
    pub(crate) fn reconfigure(&mut self, configs: &Configs) {
        self.plain = None;
        let plain = self.settings(&BTreeMap::new(), configs);
        for topic in self.by_name.values_mut() {
            let is_plain = topic.config.is_empty();
            topic.settings = if is_plain { plain.clone() } else { Rc::new(TopicConfig::of(&topic.config, configs)) };
        }
    }

    fn settings(&mut self, config: &BTreeMap<String, String>, configs: &Configs) -> Rc<TopicConfig> {
        if !config.is_empty() {
            return Rc::new(TopicConfig::of(config, configs));
        }
        self.plain.get_or_insert_with(|| Rc::new(TopicConfig::of(config, configs))).clone()
    }

    /// Replicas for partitions, `factor` of each: spread over the brokers, one after the other.
    pub(crate) fn spread(
        &mut self,
        partitions: usize,
        first: Option<usize>,
        factor: usize,
        cluster: &Cluster,
    ) -> Vec<Vec<i32>> {
        let alive: Vec<i32> = cluster.alive().map(|node| node.id).collect();
        let begin = first.unwrap_or(self.turn);
        if first.is_none() {
            self.turn = self.turn.wrapping_add(1);
        }
        let of = |partition: usize| {
            let from = begin.wrapping_add(partition) % alive.len().max(1);
            alive.iter().cycle().skip(from).take(factor.min(alive.len())).copied().collect()
        };
        (0..partitions).map(of).collect()
    }

    /// A broker has come or gone.
    pub(crate) fn elect(&mut self, cluster: &Cluster) {
        self.iter_mut().flat_map(|topic| &mut topic.partitions).for_each(|partition| partition.elect(cluster));
    }
}

impl super::group::Catalogue for Topics {
    fn changes(&self) -> u64 {
        self.changes
    }

    fn find(&self, name: &str) -> Option<(Uuid, i32)> {
        self.by_name.get(name).map(|topic| (topic.id, i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX)))
    }

    fn each(&self, see: &mut dyn FnMut(&str, Uuid, i32)) {
        for (name, topic) in &self.by_name {
            see(name, topic.id, i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::cluster::Node;
    use super::*;

    #[test]
    fn leaders_are_spread_and_move_when_a_broker_goes() {
        let node = |id| Node { id, host: StrBytes::from_static_str("h"), port: 1, alive: true };
        let mut cluster = Cluster { id: StrBytes::default(), nodes: (1..=3).map(node).collect() };
        let (mut topics, configs, now) = (Topics::new(1 << 20), Configs::default(), Now::get());
        let replicas = topics.spread(4, None, 2, &cluster);
        assert_eq!(replicas, [[1, 2], [2, 3], [3, 1], [1, 2]]);
        assert_eq!(topics.spread(1, None, 3, &cluster), [[2, 3, 1]], "the next topic begins elsewhere");
        topics.create(StrBytes::from_static_str("a.b"), replicas, BTreeMap::new(), (&cluster, &configs), now);
        assert_eq!((topics.partitions(), topics.colliding("a_b"), topics.colliding("ab")), (4, Some("a.b"), None));
        let mut go = |topics: &mut Topics, id, alive| {
            assert!(cluster.set_alive(id, alive) && !cluster.set_alive(id, alive));
            topics.elect(&cluster);
            let first = topics.partition("a.b", 0).unwrap();
            (first.leader, first.leader_epoch, first.isr.clone())
        };
        assert_eq!(go(&mut topics, 1, false), (2, 1, vec![2]));
        assert_eq!(go(&mut topics, 2, false), (-1, 2, vec![2]));
        assert_eq!(go(&mut topics, 2, true), (2, 3, vec![2]));
        assert_eq!(go(&mut topics, 1, true), (2, 3, vec![1, 2]));
        let changes = topics.changes;
        assert!(topics.delete("a.b").is_some() && topics.delete("a.b").is_none() && topics.changes > changes);
        assert_eq!((topics.partitions(), topics.colliding("a_b")), (0, None));
    }

    #[test]
    fn who_waits_for_several_partitions_is_not_kept_more_than_once() {
        let memory = Rc::new(Memory::default());
        let log = Log::new(memory, Now::get());
        let waiting = RefCell::default();
        let partition = Partition { replicas: vec![], isr: vec![], leader: 1, leader_epoch: 0, log, waiting };
        let (a, b) = (Rc::new(Notify::new()), Rc::new(Notify::new()));
        for _ in 0..1000 {
            partition.wait(&a);
            partition.wait(&b);
        }
        assert!(partition.waiting.borrow().len() < 20);
        partition.wake();
        assert!(partition.waiting.borrow().is_empty());
    }
}
