//! The answers, one file for what belongs together.

pub(crate) mod acls;
pub(crate) mod cluster;
pub(crate) mod configs;
pub(crate) mod configs_alter;
pub(crate) mod coordinator;
pub(crate) mod fetch;
pub(crate) mod fetch_answer;
pub(crate) mod groups;
pub(crate) mod groups_admin;
pub(crate) mod groups_consumer;
pub(crate) mod metadata;
pub(crate) mod offset_commit;
pub(crate) mod offset_fetch;
pub(crate) mod offsets;
pub(crate) mod produce;
pub(crate) mod quotas;
pub(crate) mod refused;
pub(crate) mod replicas;
pub(crate) mod scram;
pub(crate) mod topics;
pub(crate) mod txn;
pub(crate) mod txn_describe;
pub(crate) mod versions;
