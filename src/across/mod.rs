//! Verbs that join protocols: they know the protocols' readers and writers, and nothing of their wires.

pub(crate) mod bridge;
pub(crate) mod check;
pub(crate) mod respond;
pub(crate) mod setup;
mod side;
