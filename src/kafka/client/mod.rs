//! The wire: librdkafka's clients, set up from the settings, connected under a deadline, with errors in our terms.

mod admin;
mod bounds;
mod config;
mod connect;
mod connected;
mod diagnose;
mod events;
mod fault;
mod first;
mod intake;
mod link;
mod mock;
mod offsets;
mod probe;
mod producer;
mod reader;
mod spoken;
mod token;
mod transaction;

pub(crate) use admin::administer;
pub(crate) use bounds::{OffsetSpec, find};
pub(crate) use config::{Setup, is_property};
pub(crate) use connect::{CLOSE, connect, drop_within, likely, settled_topic};
pub(crate) use connected::Connected;
pub(crate) use events::{ConnectionEvents, Tells};
pub(crate) use fault::{error_of, fault_of_topic, said_error, topic_error, topic_refused};
pub(crate) use first::{FIRST, first_times};
pub(crate) use intake::Intake;
pub(crate) use link::Link;
pub(crate) use mock::{Lack, is_mock, refuse_mock, refuse_sandbox};
pub(crate) use offsets::{Marks, Partition, at_time, marks, partitions_of};
pub(crate) use probe::probe;
pub(crate) use producer::{Producer, ProducerOptions};
pub(crate) use reader::{Member, PartitionReader, ReaderOptions, Start, Until, Wanted};
pub(crate) use transaction::{Every, Handover, TransactionOptions, Transactions, begin_work, longest};
