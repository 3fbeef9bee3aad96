//! Topics and their partitions.

use std::collections::BTreeMap;

use uuid::Uuid;

/// One topic.
#[derive(Debug)]
pub(crate) struct Topic {
    pub id: Uuid,
    pub partitions: Vec<Partition>,
    /// What was set for it, and differs from the default.
    pub config: BTreeMap<String, String>,
}

/// One partition: where it is, and what is in it.
#[derive(Debug)]
pub(crate) struct Partition {
    pub replicas: Vec<i32>,
    pub leader: i32,
    pub leader_epoch: i32,
}

/// All topics, by name.
#[derive(Debug, Default)]
pub(crate) struct Topics {
    pub by_name: BTreeMap<String, Topic>,
    /// Grows with each topic that is created, deleted or given partitions, so that groups see that something has changed.
    pub changes: u64,
}
