//! What several verbs use: arguments of declarations, short connections, and what kind of queue it is.

pub(crate) mod arguments;
pub(crate) mod connection;
pub(crate) mod kind;
pub(crate) mod several;
