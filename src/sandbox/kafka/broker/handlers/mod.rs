//! The answers, one file for what belongs together.

pub(crate) mod metadata;
pub(crate) mod versions;
