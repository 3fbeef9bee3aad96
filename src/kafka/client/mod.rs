//! The wire: librdkafka's clients, set up from the settings, connected under a deadline, with errors in our terms.

mod admin;
mod config;
mod connect;
mod diagnose;
mod events;
mod fault;
mod intake;
mod mock;
mod newest;
mod offsets;
mod producer;
mod reader;
mod spoken;

pub use admin::administer;
pub use config::{Setup, TraceFn};
pub use connect::{connect, connect_serving, drop_within, settled_topic};
pub use events::Events;
pub use fault::{error_of, fault_of_topic, kind_of, said_error, topic_error, topic_refused};
pub use intake::Intake;
pub use mock::{Lack, is_mock, refuse_mock, refuse_sandbox};
pub use offsets::{Partition, begins, ends, partitions_of};
pub use producer::{Account, Producer};
pub use reader::{Member, Plan, Reader, Start, Step};
