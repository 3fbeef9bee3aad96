//! The command tree, as something to be looked at.

use clap::CommandFactory;

use super::Cli;

/// The command tree, ready to be walked.
pub fn tree() -> clap::Command {
    let mut command = Cli::command();
    command.build();
    command
}

/// The commands below one that are not hidden.
pub(super) fn visible(command: &clap::Command) -> impl Iterator<Item = &clap::Command> {
    command.get_subcommands().filter(|c| !c.is_hide_set())
}
