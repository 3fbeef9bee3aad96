//! Metadata: the brokers and the topics.

use kafka_protocol::messages::metadata_response::MetadataResponseBroker;
use kafka_protocol::messages::{BrokerId, MetadataRequest, MetadataResponse};

use super::super::time::Now;
use super::super::{Broker, Caller};

pub(crate) fn answer(
    broker: &mut Broker,
    _caller: &Caller,
    _request: MetadataRequest,
    _version: i16,
    _now: Now,
) -> MetadataResponse {
    let brokers = broker.cluster.alive().map(|node| {
        MetadataResponseBroker::default()
            .with_node_id(BrokerId(node.id))
            .with_host(node.host.clone())
            .with_port(node.port.into())
    });
    MetadataResponse::default()
        .with_brokers(brokers.collect())
        .with_cluster_id(Some(broker.cluster.id.clone()))
        .with_controller_id(BrokerId(broker.cluster.controller()))
}
