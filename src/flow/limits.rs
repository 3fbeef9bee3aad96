//! When a flow ends by itself, and what it does about what was refused.

use std::time::Duration;

/// When a flow ends by itself, beside the end of its source.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Limits {
    /// After so many messages; fewer are [`Kind::Unmet`](crate::error::Kind::Unmet).
    pub count: Option<u64>,
    /// When nothing came for so long.
    pub idle: Option<Duration>,
}

/// What happens to a message that was refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum OnRefusal {
    /// The others go on; it stays unsettled.
    #[default]
    Continue,
    /// Nothing behind it is read.
    Stop,
    /// The others go on, and it counts as done.
    Skip,
    /// The others go on, and its source is told that it was refused.
    Reject,
    /// The others go on, and its source takes it back at once.
    Requeue,
    /// The others go on, and it goes where such messages go ([`Dead`](super::Dead)); it stays unsettled where there is no such
    /// place.
    Bury,
}
