//! The leaves of `message` that `proto` needs, by themselves.

#[path = "../../src/message/json.rs"]
pub mod json;
#[path = "../../src/message/time.rs"]
pub mod time;
