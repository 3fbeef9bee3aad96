//! What several verbs use: arguments of declarations, short connections, and what kind of queue it is.

pub mod arguments;
pub mod connection;
pub mod kind;
