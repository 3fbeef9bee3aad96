//! `--filter` and `--map`: programs in jq's language over the envelope of each message. Two stages.

mod args;
mod back;
mod fault;
mod guarded;
mod members;
mod program;
mod quick;
mod stage;
mod values;
mod view;

pub(crate) use args::{JqArgs, LeavesOut, MapArgs};
pub(crate) use values::{Envelope, Given, Values};
