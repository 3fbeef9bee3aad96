//! The newest N records over all partitions together.
//!
//! No broker knows them: each partition's last N are read, and of all those the newest are taken. Offsets have gaps
//! (compaction, the markers of transactions), so the window grows until it holds enough.

use std::collections::VecDeque;
use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::error::RDKafkaErrorCode as Code;

use super::events::Events;
use super::offsets::Partition;
use super::reader::message_of;
use crate::error::Result;
use crate::kafka::ffi::{Feed, Fetched, Place, What};
use crate::message::Message;
use crate::shutdown::Shutdown;

/// Up to this many bytes the records themselves are kept, so that they are read once and come out in the order of time.
const KEEP: usize = 16 << 20;

const POLL: Duration = Duration::from_millis(50);

/// How many records are taken at once.
const BATCH: usize = 64;

/// What was found.
pub enum Newest {
    /// The records, oldest first.
    Messages(Vec<Message<'static>>),
    /// There are too many to keep: the offset in each partition that they begin at.
    From(Vec<i64>),
}

struct Window {
    low: i64,
    /// Everything from here on was looked at.
    from: i64,
    /// What is to be read in this round ends here.
    to: i64,
    reading: bool,
    found: VecDeque<Found>,
    round: Vec<Found>,
}

struct Found {
    offset: i64,
    time: i64,
    message: Option<Message<'static>>,
}

/// Finds the newest `count` records below `ends`.
///
/// # Errors
/// librdkafka's; the shutdown token's.
pub fn newest(
    feed: &mut Feed<Events>,
    of: &[Partition],
    bounds: &[(i64, i64)],
    count: usize,
    shutdown: &Shutdown,
    mut fault: impl FnMut(Code, String, Option<Place>, bool) -> Result<()>,
) -> Result<Newest> {
    let mut windows: Vec<Window> = bounds
        .iter()
        .map(|&(low, end)| Window {
            low,
            from: end,
            to: end,
            reading: false,
            found: VecDeque::new(),
            round: Vec::new(),
        })
        .collect();
    let (mut step, mut kept) = (i64::try_from(count).unwrap_or(i64::MAX), 0usize);
    loop {
        let mut reading = 0;
        for (window, partition) in windows.iter_mut().zip(of) {
            window.reading = window.found.len() < count && window.from > window.low;
            if window.reading {
                window.to = window.from;
                window.from = window.low.max(window.to.saturating_sub(step));
                reading += 1;
                feed.start(&partition.topic, partition.number, window.from)
                    .map_err(|code| super::topic_error(&partition.topic, code))?;
            }
        }
        if reading == 0 {
            break;
        }
        while reading > 0 {
            shutdown.check()?;
            while let Some(what) = feed.event(Duration::ZERO) {
                match what {
                    What::Fault { code, text, place, fatal } => fault(code, text, place, fatal)?,
                    What::Log(line) => feed.consumer().client().context().log_line(&line),
                    _ => {}
                }
            }
            let at = |topic: &str, number: i32| of.iter().position(|p| p.number == number && p.topic == topic);
            let mut ended = Vec::new();
            for fetched in feed.fetch(BATCH, POLL).iter() {
                let (index, done) = match fetched {
                    Fetched::Record(record) => {
                        let Some(index) = at(record.topic(), record.partition()) else { continue };
                        let Some(window) = windows.get_mut(index).filter(|w| w.reading) else { continue };
                        if record.offset() < window.to {
                            kept += record.value().map_or(0, <[u8]>::len) + record.key().map_or(0, <[u8]>::len) + 200;
                            let message = (kept <= KEEP).then(|| message_of(&record, record.topic()).into_owned());
                            let time = record.timestamp().unwrap_or(-1);
                            window.round.push(Found { offset: record.offset(), time, message });
                        }
                        (index, record.offset() + 1 >= window.to)
                    }
                    Fetched::End(place) => match at(&place.topic, place.partition) {
                        Some(index) => (index, true),
                        None => continue,
                    },
                    Fetched::Fault(code, text, place) => {
                        fault(code, text, Some(place), false)?;
                        continue;
                    }
                };
                let Some(window) = windows.get_mut(index).filter(|w| w.reading && done) else { continue };
                window.reading = false;
                reading -= 1;
                for found in window.round.drain(..).rev() {
                    if window.found.len() < count {
                        window.found.push_front(found);
                    }
                }
                ended.extend(of.get(index));
            }
            for partition in ended {
                // The next round, and the reading itself, start it anew.
                let _ = feed.stop(&partition.topic, partition.number);
            }
        }
        step = step.saturating_mul(4);
    }
    Ok(take(windows, bounds, count, kept <= KEEP))
}

/// Takes from the partitions' ends, always the newest, so that the order inside each partition stays.
fn take(mut windows: Vec<Window>, bounds: &[(i64, i64)], count: usize, kept: bool) -> Newest {
    let mut from: Vec<i64> = bounds.iter().map(|(_, end)| *end).collect();
    let mut messages = Vec::new();
    for _ in 0..count {
        let last = windows.iter_mut().enumerate().filter(|(_, w)| !w.found.is_empty());
        let Some((index, window)) = last.max_by_key(|(i, w)| (w.found.back().map(|f| f.time), std::cmp::Reverse(*i)))
        else {
            break;
        };
        if let Some(found) = window.found.pop_back() {
            if let Some(from) = from.get_mut(index) {
                *from = found.offset;
            }
            messages.extend(found.message);
        }
    }
    messages.reverse();
    if kept { Newest::Messages(messages) } else { Newest::From(from) }
}
