//! The settings of groups (`GroupConfig`) and of subscriptions to clients' metrics (KIP-714).

use super::table::{Check, Kind, Setting};

const fn setting(name: &'static str, kind: Kind, default: &'static str, check: Check, doc: &'static str) -> Setting {
    Setting { name, kind, default: Some(default), check, synonyms: &[], doc, dynamic: true }
}

/// Those of groups, by name.
pub(crate) const GROUP: &[Setting] = &[
    setting("consumer.heartbeat.interval.ms", Kind::Int, "5000", Check::AtLeast(1), "How often a member is heard of."),
    setting("consumer.session.timeout.ms", Kind::Int, "45000", Check::AtLeast(1), "When a silent member is gone."),
    setting("share.auto.offset.reset", Kind::String, "latest", Check::Any, "Where a share group begins."),
    setting("share.heartbeat.interval.ms", Kind::Int, "5000", Check::AtLeast(1), "How often a member is heard of."),
    setting("share.isolation.level", Kind::String, "read_uncommitted", LEVELS, "What a share group may read."),
    setting("share.record.lock.duration.ms", Kind::Int, "30000", Check::AtLeast(1000), "How long records are locked."),
    setting("share.session.timeout.ms", Kind::Int, "45000", Check::AtLeast(1), "When a silent member is gone."),
    setting("streams.heartbeat.interval.ms", Kind::Int, "5000", Check::AtLeast(1), "How often a member is heard of."),
    setting("streams.num.standby.replicas", Kind::Int, "0", Check::AtLeast(0), "How many standby replicas a task has."),
    setting("streams.session.timeout.ms", Kind::Int, "45000", Check::AtLeast(1), "When a silent member is gone."),
];

const LEVELS: Check = Check::OneOf(&["read_committed", "read_uncommitted"]);

/// Those of metrics, by name.
pub(crate) const METRICS: &[Setting] = &[
    setting("interval.ms", Kind::Int, "300000", Check::Any, "How often metrics are pushed."),
    setting("match", Kind::List, "", Check::Any, "Which clients push metrics."),
    setting("metrics", Kind::List, "", Check::Any, "Which metrics are pushed."),
];
