//! What is in a cluster, for a person or a script to look at.

use serde_json::{Map, Value, json};

use super::broker::Broker;
use super::broker::creation::is_internal;
use super::broker::group::Members;
use super::broker::handlers::groups_admin::state_of;
use super::broker::topic::{Partition, Topic};

fn partition((number, partition): (usize, &Partition)) -> Value {
    json!({
        "partition": number,
        "leader": partition.leader,
        "replicas": partition.replicas,
        "isr": partition.isr,
        "begin": partition.log.start_offset(),
        "end": partition.log.high_watermark(),
    })
}

fn topic(topic: &Topic) -> Value {
    json!({
        "name": topic.name.as_str(),
        "settings": topic.config,
        "partitions": topic.partitions.iter().enumerate().map(partition).collect::<Vec<_>>(),
    })
}

/// Brokers, topics that clients made, and groups.
pub(super) fn shown(broker: &mut Broker) -> Map<String, Value> {
    let brokers = broker.cluster.nodes.iter();
    let brokers: Vec<Value> =
        brokers.map(|node| json!({"id": node.id, "port": node.port, "alive": node.alive})).collect();
    let topics = broker.topics.iter().filter(|topic| !is_internal(&topic.name)).map(topic);
    let topics: Vec<Value> = topics.collect();
    let groups = broker.groups.iter().map(|(id, group)| {
        let (state, kind) = state_of(group);
        let members = match &group.members {
            Members::Classic(classic) => classic.members.len(),
            Members::Consumer(consumer) => consumer.members.len(),
        };
        json!({"group": id, "type": kind, "state": state, "members": members})
    });
    let groups: Vec<Value> = groups.collect();
    Map::from_iter([
        ("brokers".to_owned(), brokers.into()),
        ("topics".to_owned(), topics.into()),
        ("groups".to_owned(), groups.into()),
    ])
}
