//! The answers, one file for what belongs together.

pub(crate) mod configs;
pub(crate) mod configs_alter;
pub(crate) mod cluster;
pub(crate) mod metadata;
pub(crate) mod topics;
pub(crate) mod versions;
