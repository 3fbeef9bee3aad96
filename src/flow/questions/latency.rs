//! How long answers took: counted in buckets, whose width is a sixteenth of where they begin.

use std::time::Duration;

use serde_json::{Value, json};

/// How many buckets there are to each doubling.
const SHARE: u64 = 16;

/// Durations, in microseconds.
#[derive(Debug, Default)]
pub(super) struct Latency {
    counts: Vec<u64>,
    total: u64,
    most: u64,
}

/// Which bucket a number is in.
fn bucket(micros: u64) -> usize {
    let doublings = u64::from(micros.checked_ilog2().unwrap_or(0).saturating_sub(SHARE.ilog2()));
    usize::try_from(doublings * SHARE + (micros >> doublings)).unwrap_or(usize::MAX)
}

/// The largest number of a bucket.
fn top(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let doublings = (bucket / SHARE).saturating_sub(1);
    ((bucket - doublings * SHARE + 1) << doublings) - 1
}

impl Latency {
    /// One more.
    pub(super) fn add(&mut self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX >> 1).min(u64::MAX >> 1);
        let at = bucket(micros);
        if self.counts.len() <= at {
            self.counts.resize(at + 1, 0);
        }
        if let Some(count) = self.counts.get_mut(at) {
            *count += 1;
        }
        self.total += 1;
        self.most = self.most.max(micros);
    }

    /// So many in a hundred took no longer.
    fn percentile(&self, percent: u64) -> u64 {
        let wanted = (self.total * percent).div_ceil(100);
        let mut so_far = 0;
        let at = self.counts.iter().position(|count| {
            so_far += count;
            so_far >= wanted
        });
        at.map_or(0, top).min(self.most)
    }

    /// In seconds; `None` where there are none.
    pub(super) fn json(&self) -> Option<Value> {
        let seconds = |micros: u64| Duration::from_micros(micros).as_secs_f64();
        (self.total > 0).then(|| {
            json!({
                "p50": seconds(self.percentile(50)),
                "p90": seconds(self.percentile(90)),
                "p99": seconds(self.percentile(99)),
                "max": seconds(self.most),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_in_one_bucket() {
        let mut last = 0;
        for micros in (0..5000).chain([1 << 40, (1 << 40) + 1, u64::MAX >> 1]) {
            let at = bucket(micros);
            assert!(top(at) >= micros && (at == 0 || top(at - 1) < micros), "{micros}: {at}");
            assert!(at >= last && top(at) - micros <= micros / SHARE, "{micros}: {at}");
            last = at;
        }
    }

    #[test]
    fn percentiles() {
        let mut latency = Latency::default();
        assert_eq!(latency.json(), None);
        (1..=1000).for_each(|millis| latency.add(Duration::from_millis(millis)));
        let json = latency.json().expect("some");
        let within = |name: &str, wanted: f64| {
            let got = json[name].as_f64().expect("a number");
            assert!((wanted..wanted * 1.07).contains(&got), "{name}: {got}");
        };
        within("p50", 0.5);
        within("p90", 0.9);
        within("p99", 0.99);
        assert_eq!(json["max"], 1.0);
    }
}
