//! librdkafka's mock cluster, which is the sandbox's: what it cannot do is said, where a request would only time out or get
//! a wrong answer.

use std::time::Duration;

use super::config::Setup;
use super::connected::Connected;
use crate::error::{Error, Result};

/// What it cannot do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lack {
    /// Creating, changing and deleting anything, and settings.
    Admin,
    /// Listing and describing groups, and what is done to them.
    Groups,
    /// Finding offsets by time: it answers with the end.
    Times,
}

impl Lack {
    fn error(self) -> Error {
        match self {
            Lack::Admin => Error::refused("the sandbox's Kafka cluster has no admin calls")
                .hint("topics are made there when they are first used, or by `mscomm sandbox --topic NAME:PARTITIONS`"),
            Lack::Groups => Error::refused("the sandbox's Kafka cluster cannot list or describe groups").hint(
                "a group works there, as with `mscomm kafka tail orders --group billing`; this needs a real cluster",
            ),
            Lack::Times => Error::refused("the sandbox's Kafka cluster cannot find offsets by time")
                .hint("begin at an offset, at begin, or -N from the end"),
        }
    }
}

/// Fails before anything is sent when the settings lead to a sandbox.
///
/// # Errors
/// `Kind::Refused`.
pub(crate) fn refuse_sandbox(setup: &Setup, lack: Lack) -> Result<()> {
    if setup.in_sandbox() { Err(lack.error()) } else { Ok(()) }
}

/// Fails when the cluster that answered is a mock, by whatever address it was reached.
///
/// # Errors
/// `Kind::Refused`.
pub(crate) fn refuse_mock<W: Connected>(wire: &W, lack: Lack) -> Result<()> {
    if is_mock(wire) { Err(lack.error()) } else { Ok(()) }
}

/// True when the cluster that answered is a mock.
pub(crate) fn is_mock<W: Connected>(wire: &W) -> bool {
    // Known from the metadata already: nothing is waited for.
    wire.client().fetch_cluster_id(Duration::ZERO).is_some_and(|id| id.starts_with("mockCluster"))
}
