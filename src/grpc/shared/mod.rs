//! What several verbs use: settings to a connection, and what is known of the services behind it.

pub(crate) mod cache;
pub(crate) mod catalog;
pub(crate) mod elements;
pub(crate) mod lookup;
pub(crate) mod methods;
pub(crate) mod session;
