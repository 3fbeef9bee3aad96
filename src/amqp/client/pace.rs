//! Waiting that keeps up a steady stream without a wake-up for each message of it: lapin's thread hands over deliveries one
//! by one, and whoever waits for the next one is put to sleep and woken for each.

use std::pin::Pin;
use std::time::{Duration, Instant};

use tokio::time::Sleep;

/// What comes within this time of a stream is taken up together. A prefetch of a thousand messages is not used up by then.
const PAUSE: Duration = Duration::from_millis(1);

/// Running dry again within this time of the last time is a stream,
const CLOSE: Duration = Duration::from_millis(4);

/// once that happened so often in a row: a single message never has to wait.
const MANY: u32 = 16;

/// Knows how often a stream ran dry lately.
#[derive(Debug)]
pub(crate) struct Pace {
    last: Instant,
    in_a_row: u32,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace { last: Instant::now(), in_a_row: 0 }
    }
}

impl Pace {
    /// Nothing is there now: in a stream, what to wait for so that there is more than one message; then call
    /// [`Pace::rested`].
    pub(crate) fn dry(&mut self) -> Option<Pin<Box<Sleep>>> {
        let close = self.last.elapsed() < CLOSE;
        self.in_a_row = if close { self.in_a_row.saturating_add(1) } else { 0 };
        self.last = Instant::now();
        (self.in_a_row >= MANY).then(|| Box::pin(tokio::time::sleep(PAUSE)))
    }

    /// It was waited.
    pub(crate) fn rested(&mut self) {
        self.last = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_a_stream_waits() {
        let mut pace = Pace::default();
        for _ in 1..MANY {
            pace.last = Instant::now();
            assert!(pace.dry().is_none());
        }
        pace.last = Instant::now();
        let started = tokio::time::Instant::now();
        pace.dry().expect("a stream").await;
        pace.rested();
        assert!(started.elapsed() >= PAUSE);
        // A long time without anything.
        pace.last = Instant::now().checked_sub(CLOSE).expect("a time before");
        assert!(pace.dry().is_none());
    }
}
