//! The wire: librdkafka's clients, set up from the settings, connected under a deadline, with errors in our terms.

mod admin;
mod config;
mod connect;
mod diagnose;
mod events;
mod fault;
mod intake;
mod link;
mod mock;
mod offsets;
mod producer;
mod reader;
mod spoken;

pub use admin::administer;
pub use config::Setup;
pub use connect::{CLOSE, connect, drop_within, settled_topic};
pub use events::{ConnectionEvents, TraceFn};
pub use fault::{error_of, fault_of_topic, said_error, topic_error, topic_refused};
pub use intake::Intake;
pub use link::Link;
pub use mock::{Lack, is_mock, refuse_mock, refuse_sandbox};
pub use offsets::{Partition, begins, ends, partitions_of};
pub use producer::{Producer, ProducerOptions};
pub use reader::{Member, PartitionReader, ReaderOptions, Start};
