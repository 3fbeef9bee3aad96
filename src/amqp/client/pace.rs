//! Waiting that keeps up a steady stream without a wake-up for each message of it: lapin's thread hands over deliveries one
//! by one, and whoever waits for the next one is put to sleep and woken for each.

use std::time::{Duration, Instant};

/// What comes within this time of a stream is taken up together. A prefetch of a thousand messages is not used up by then.
const PAUSE: Duration = Duration::from_millis(1);

/// Running dry again within this time of the last time is a stream,
const CLOSE: Duration = Duration::from_millis(4);

/// once that happened so often in a row: a single message never has to wait.
const MANY: u32 = 16;

/// Knows how often a stream ran dry lately.
#[derive(Debug)]
pub struct Pace {
    last: Instant,
    in_a_row: u32,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace { last: Instant::now(), in_a_row: 0 }
    }
}

impl Pace {
    /// Nothing is there now: in a stream, waits until there is more than one message. Losing the future loses nothing.
    pub async fn dry(&mut self) {
        let close = self.last.elapsed() < CLOSE;
        self.in_a_row = if close { self.in_a_row.saturating_add(1) } else { 0 };
        self.last = Instant::now();
        if self.in_a_row >= MANY {
            tokio::time::sleep(PAUSE).await;
            self.last = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_a_stream_waits() {
        let mut pace = Pace::default();
        let started = tokio::time::Instant::now();
        for _ in 1..MANY {
            pace.last = Instant::now();
            pace.dry().await;
        }
        assert_eq!(started.elapsed(), Duration::ZERO);
        pace.last = Instant::now();
        pace.dry().await;
        assert!(started.elapsed() >= PAUSE);
        // A long time without anything.
        pace.last = Instant::now().checked_sub(CLOSE).expect("a time before");
        let resumed = tokio::time::Instant::now();
        pace.dry().await;
        assert_eq!(resumed.elapsed(), Duration::ZERO);
    }
}
