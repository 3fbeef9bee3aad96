//! What is run, and what follows from how it ends.

use super::process::Program;
use crate::flow::OnRefusal;

/// What a command reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ExecInput {
    /// The body alone
    #[default]
    Body,
    /// The envelope, as a line
    Json,
}

/// What becomes of what commands print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gives {
    /// It is shown: nothing is no record.
    Output,
    /// It goes on, also where it is nothing.
    Messages,
    /// It goes back to who asked; only requests of one key have an order.
    Answers,
}

/// What follows from how a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// It is as good as 0.
    Ack,
    /// It failed.
    Refuse(OnRefusal),
}

/// What is run, and what follows from how it ends.
#[derive(Debug)]
pub(super) struct How {
    /// The command.
    pub program: Program,
    /// What it reads.
    pub input: ExecInput,
    /// What happens to a message when it fails,
    pub on_failure: OnRefusal,
    /// unless it exits with one of these.
    pub on_exit: Vec<(u8, Then)>,
}
