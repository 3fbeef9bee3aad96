//! CloudEvents 1.0 in records of Kafka: in binary mode attributes are headers and the data is the value, in structured mode the
//! value is all of the event in JSON.
//!
//! Every event becomes one in binary mode first ([`ToBinary`]), so that its data is the value of the message where that is
//! decoded or encoded, and then one in structured mode where that is asked for ([`ToStructured`]).

mod attributes;
mod binary;
mod headers;
mod json;
mod structured;

use std::sync::Arc;

pub(super) use self::attributes::{SPEC_VERSION, check_name, check_value};
pub(super) use self::binary::{Given, ToBinary, unfit};
pub(super) use self::headers::is_of_event;
pub(super) use self::structured::ToStructured;
use crate::message::SchemaName;

/// How an event is in a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum EventMode {
    /// Attributes in headers, and the data as the value
    Binary,
    /// All of the event as JSON in the value
    Structured,
}

/// What the value of an event in structured mode is, where it is shown.
fn named() -> Arc<SchemaName> {
    Arc::new(SchemaName { kind: "cloudevents".to_owned(), ..SchemaName::default() })
}
