//! The two clocks: one that only goes on, for what waits, and one that tells the time, for what is stored.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long one works before others have their turn.
const TURN: Duration = Duration::from_millis(5);

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

/// The time that one has worked, on a thread that all share.
#[derive(Debug)]
pub(crate) struct Turn(Instant);

impl Turn {
    /// It begins.
    pub(crate) fn begin() -> Turn {
        Turn(Instant::now())
    }

    /// Lets others go on, if it has been long enough.
    pub(crate) async fn pass(&mut self) {
        if self.0.elapsed() >= TURN {
            tokio::task::yield_now().await;
            *self = Turn::begin();
        }
    }
}
