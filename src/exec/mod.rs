//! A command for each message: the relay of `--exec`.

mod args;
mod environment;
mod how;
mod process;
mod relay;

pub(crate) use args::{ExecArgs, OfQueue};
pub(crate) use how::Gives;
