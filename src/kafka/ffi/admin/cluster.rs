//! The cluster and its brokers.

use rdkafka::bindings as rd;

use super::acls::Operation;
use super::{Admin, Asking, Said, each};
use crate::kafka::ffi::text;

const REQUEST: rd::rd_kafka_admin_op_t = rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECLUSTER;

/// A cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cluster {
    /// The broker that takes admin requests; none while one is elected.
    pub controller: Option<i32>,
    /// The brokers that are there.
    pub brokers: Vec<Node>,
    /// What the user may do with the cluster, where that was asked for and is told.
    pub rights: Option<Vec<Operation>>,
}

/// One broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    /// Its id.
    pub id: i32,
    /// Name or address that clients are to use.
    pub host: String,
    /// Port that clients are to use.
    pub port: u16,
    /// The rack that it says it stands in.
    pub rack: Option<String>,
}

impl Admin<'_> {
    /// Asks for nothing, but has a broker connected as soon as the first metadata name one. librdkafka (2.11 and later) closes
    /// the connection to the bootstrap server then, whatever is under way on it, and whoever waits for any broker at all does
    /// so for 11 ms more (`rd_kafka_connect_any`), while a request to the controller connects to it.
    ///
    /// # Errors
    /// librdkafka has no memory.
    pub(crate) fn approach(&self) -> Result<(), Said> {
        let options = self.options(REQUEST)?;
        // SAFETY: everything lives until the call is over. The request holds the queue, whose answers nobody takes.
        unsafe { rd::rd_kafka_DescribeCluster(self.client, options.first(), self.answers.as_ptr()) }
        Ok(())
    }

    /// Asks for the brokers, and for the user's rights if they are wanted.
    ///
    /// # Errors
    /// The request.
    pub(crate) fn cluster(&self, with_rights: bool) -> Result<Cluster, Said> {
        let asking = if with_rights { Asking::Rights } else { Asking::Plainly };
        let answer = self.ask_for(REQUEST, asking, |client, options, queue| {
            // SAFETY: everything lives until the call is over.
            unsafe { rd::rd_kafka_DescribeCluster(client, options, queue) }
        })?;
        // SAFETY: the answer is one to this request, and what it has lives as long as it.
        Ok(unsafe {
            let result = rd::rd_kafka_event_DescribeCluster_result(answer.pointer());
            let controller = rd::rd_kafka_DescribeCluster_result_controller(result);
            let brokers = each(|count| rd::rd_kafka_DescribeCluster_result_nodes(result, count), node);
            let id = (!controller.is_null()).then(|| rd::rd_kafka_Node_id(controller));
            let mut count = 0;
            let rights = rd::rd_kafka_DescribeCluster_result_authorized_operations(result, &mut count);
            let rights = (!rights.is_null()).then(|| (0..count).map(|at| Operation::of(*rights.add(at))).collect());
            Cluster { controller: id.filter(|id| *id >= 0), brokers, rights }
        })
    }
}

fn node(of: *const rd::rd_kafka_Node_t) -> Node {
    // SAFETY: called by `each` for what lives; texts end in a zero byte or are null.
    unsafe {
        let rack = rd::rd_kafka_Node_rack(of);
        Node {
            id: rd::rd_kafka_Node_id(of),
            host: text(rd::rd_kafka_Node_host(of)),
            port: rd::rd_kafka_Node_port(of),
            rack: (!rack.is_null()).then(|| text(rack)),
        }
    }
}
