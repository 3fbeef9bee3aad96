//! How much memory the records of all logs take together.

use std::cell::Cell;

/// The account that all logs share.
#[derive(Debug)]
pub(crate) struct Memory {
    used: Cell<usize>,
    most: usize,
}

impl Default for Memory {
    fn default() -> Memory {
        Memory::new(256 << 20)
    }
}

impl Memory {
    /// An account of so many bytes.
    pub(crate) fn new(most: usize) -> Memory {
        Memory { used: Cell::new(0), most }
    }

    pub(crate) fn most(&self) -> usize {
        self.most
    }

    pub(crate) fn used(&self) -> usize {
        self.used.get()
    }

    /// How much is too much, when so much more comes.
    pub(crate) fn missing(&self, more: usize) -> usize {
        self.used().saturating_add(more).saturating_sub(self.most)
    }

    pub(super) fn take(&self, bytes: usize) {
        self.used.set(self.used().saturating_add(bytes));
    }

    pub(super) fn give_back(&self, bytes: usize) {
        self.used.set(self.used().saturating_sub(bytes));
    }
}
