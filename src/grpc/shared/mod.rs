//! What several verbs use: settings to a connection, and what is known of the services behind it.

pub mod cache;
pub mod catalog;
pub mod elements;
pub mod lookup;
pub mod methods;
pub mod session;
