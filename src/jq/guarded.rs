//! A program, and what is done about its faults.

use std::cell::Cell;

use super::program::Program;
use crate::error::counted;

/// What happens to a message that a program fails on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum OnFault {
    /// Nothing behind it is read, and it goes back
    #[default]
    Stop,
    /// It is left out
    Skip,
}

/// A program, and what is done about its faults.
pub(super) struct Guarded {
    /// The program.
    pub program: Program,
    on_fault: OnFault,
    skipped: Cell<u64>,
}

impl Guarded {
    /// A program that has not failed yet.
    pub(super) fn new(program: Program, on_fault: OnFault) -> Guarded {
        Guarded { program, on_fault, skipped: Cell::new(0) }
    }

    /// It failed on a message, which is left out.
    ///
    /// # Errors
    /// That is the end: what it failed for.
    pub(super) fn failed(&self, why: String) -> Result<(), String> {
        match self.on_fault {
            OnFault::Stop => Err(why),
            OnFault::Skip => {
                self.skipped.set(self.skipped.get() + 1);
                Ok(())
            }
        }
    }

    /// What was skipped, in words.
    pub(super) fn account(&self) -> Option<String> {
        let skipped = self.skipped.get();
        (skipped > 0).then(|| self.program.fault(&format!("failed on {}, left out", counted(skipped, "message"))))
    }
}
