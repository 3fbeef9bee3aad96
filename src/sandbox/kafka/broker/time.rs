//! The two clocks: one that only goes on, for what waits, and one that tells the time, for what is stored.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// A moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    /// For deadlines.
    pub mono: Instant,
    /// Milliseconds since 1970, for timestamps.
    pub wall: i64,
}

impl Now {
    /// This moment: by Tokio's clock, which waits go by, so that both can be moved on together.
    pub(crate) fn get() -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        Now { mono: tokio::time::Instant::now().into_std(), wall: i64::try_from(wall).unwrap_or(i64::MAX) }
    }
}
