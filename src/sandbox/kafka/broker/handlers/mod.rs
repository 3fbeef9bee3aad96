//! The answers, one file for what belongs together.

pub(crate) mod configs;
pub(crate) mod configs_alter;
pub(crate) mod metadata;
pub(crate) mod versions;
