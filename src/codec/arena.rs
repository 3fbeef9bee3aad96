//! Where what was decoded lies until the sink has taken it.

use std::cell::Cell;

use bumpalo::Bump;

/// So much is kept between two batches,
const KEPT: usize = 8 << 20;

/// and with so much in it nothing more is decoded before the sink has taken what is there.
const FULL: usize = 4 << 20;

/// Memory that is used again: what lies in it is good until it [begins](Arena::begin) again.
#[derive(Default)]
pub(super) struct Arena {
    bump: Bump,
    used: Cell<usize>,
}

impl Arena {
    /// Nobody has anything of it any more.
    pub(super) fn begin(&mut self) {
        self.used.set(0);
        match self.bump.allocated_bytes() {
            0..=KEPT => self.bump.reset(),
            // One large message must not hold its memory for ever.
            _ => self.bump = Bump::new(),
        }
    }

    /// True when it is to begin again before more comes.
    pub(super) fn is_full(&self) -> bool {
        self.used.get() >= FULL
    }

    /// A copy.
    pub(super) fn keep(&self, bytes: &[u8]) -> &[u8] {
        self.used.set(self.used.get().saturating_add(bytes.len()));
        self.bump.alloc_slice_copy(bytes)
    }
}
