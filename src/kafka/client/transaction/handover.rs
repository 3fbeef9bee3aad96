//! Where a group stands, on its way from the reader to the transaction that it becomes part of.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};

use super::super::events::ConnectionEvents;
use super::super::offsets::Partition;
use super::calls::Stands;
use crate::error::{Error, Result};

/// Shared by the reader and the writer of one flow.
#[derive(Default)]
pub(crate) struct Handover(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    /// The member of the group, as long as it is one.
    member: Weak<BaseConsumer<ConnectionEvents>>,
    offsets: BTreeMap<Partition, i64>,
    /// The cluster of the writer.
    cluster: Option<String>,
}

impl Handover {
    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        // Nothing in it can be half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The writer is on this cluster.
    pub(crate) fn of_cluster(&self, id: Option<String>) {
        self.inner().cluster = id;
    }

    /// The reader is this member of its group; blocks.
    ///
    /// # Errors
    /// `Kind::Usage`: it is on another cluster than the writer.
    pub(crate) fn of_member(&self, member: &Arc<BaseConsumer<ConnectionEvents>>, limit: Duration) -> Result<()> {
        let cluster = member.client().fetch_cluster_id(limit);
        let mut inner = self.inner();
        if cluster.is_some() && inner.cluster.is_some() && cluster != inner.cluster {
            return Err(Error::usage("--exactly-once is for one cluster: a transaction does not reach over two")
                .hint("without it each record comes at least once; --group commits what the writer has confirmed"));
        }
        inner.member = Arc::downgrade(member);
        Ok(())
    }

    /// The group stands there, once what is being sealed is committed.
    pub(crate) fn seal(&self, partition: Partition, next: i64) {
        self.inner().offsets.insert(partition, next);
    }

    /// What was sealed since the last time.
    ///
    /// # Errors
    /// Nothing was, or by nobody: then nothing may be committed.
    pub(super) fn take(&self) -> Result<Stands> {
        let mut inner = self.inner();
        let offsets = std::mem::take(&mut inner.offsets);
        let mut list = TopicPartitionList::with_capacity(offsets.len());
        for (Partition { topic, number }, next) in offsets {
            let added = list.add_partition_offset(&topic, number, Offset::Offset(next));
            added.map_err(|error| Error::refused("cannot tell where the group stands").because(error))?;
        }
        let group = inner.member.upgrade().and_then(|member| member.group_metadata());
        match group.filter(|_| list.count() > 0) {
            Some(group) => Ok((list, group)),
            None => Err(Error::refused("it is not known where the group stands, so the transaction was aborted")),
        }
    }
}
