//! What rdkafka's mock cluster has no safe call for: how long a new group waits for more members.

use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::bindings as rd;
use rdkafka::client::Client;

/// Sets the delay of the mock cluster that a client has, if it has one. As `group.initial.rebalance.delay.ms` of a broker.
pub(crate) fn set_initial_delay<C: ClientContext>(client: &Client<C>, delay: Duration) {
    let millis = i32::try_from(delay.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: the client is alive, and its cluster as long as it; the call locks the cluster.
    unsafe {
        let cluster = rd::rd_kafka_handle_mock_cluster(client.native_ptr());
        if !cluster.is_null() {
            rd::rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, millis);
        }
    }
}
