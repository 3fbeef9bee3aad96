//! Requests that come while another of the same connection is waiting for something.

use std::cell::Cell;

use bytes::Bytes;
use kafka_protocol::messages::{ApiKey, FetchRequest};
use tokio::sync::Notify;

use super::wire::Frame;

/// The closing Fetch of a session is not longer than that, or need not be seen.
const SMALL: usize = 4 << 10;

/// Whether a connection's next request is there, and wants the one before it to be answered now. Answers come in the order of
/// the requests: with Kafka, whatever comes behind a Fetch that waits for records waits as long as that does, 500 ms as a
/// rule, and so does each of its consumers that is closed, for it takes leave of its session.
#[derive(Debug, Default)]
pub(crate) struct Behind {
    is_there: Cell<bool>,
    told: Notify,
}

impl Behind {
    /// Sees what has come behind the request that is being answered.
    pub(crate) fn see(&self, pending: &[u8]) {
        self.is_there.set(is_urgent(pending));
        if self.is_there.get() {
            self.told.notify_one();
        }
    }

    pub(crate) fn is_there(&self) -> bool {
        self.is_there.get()
    }

    /// Returns when it is.
    pub(crate) async fn comes(&self) {
        while !self.is_there() {
            self.told.notified().await;
        }
    }
}

/// All but another Fetch: whoever sends those ahead would get empty answers without a pause.
fn is_urgent(pending: &[u8]) -> bool {
    let Some((size, rest)) = pending.split_first_chunk() else { return false };
    let Some(key) = rest.first_chunk() else { return false };
    if i16::from_be_bytes(*key) != ApiKey::Fetch as i16 {
        return true;
    }
    let size = usize::try_from(i32::from_be_bytes(*size)).ok().filter(|size| *size <= SMALL);
    size.and_then(|size| rest.get(..size)).is_some_and(|frame| is_farewell(&Bytes::copy_from_slice(frame)))
}

/// Whether a Fetch ends its session (epoch -1).
fn is_farewell(frame: &Bytes) -> bool {
    let Ok(frame) = Frame::read(frame) else { return false };
    let request = (7..=18).contains(&frame.version).then(|| frame.request::<FetchRequest>());
    matches!(request, Some(Ok(request)) if request.session_id != 0 && request.session_epoch == -1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Fetch of version 7 without topics.
    fn fetch(session: i32, epoch: i32) -> Vec<u8> {
        let mut frame = vec![0, 1, 0, 7, 0, 0, 0, 9, 0xff, 0xff];
        let numbers = |numbers: &[i32]| numbers.iter().flat_map(|number| number.to_be_bytes()).collect::<Vec<u8>>();
        frame.extend(numbers(&[-1, 500, 1, 1 << 20]));
        frame.push(0);
        frame.extend(numbers(&[session, epoch, 0, 0]));
        [&numbers(&[i32::try_from(frame.len()).unwrap()])[..], &frame].concat()
    }

    #[test]
    fn another_fetch_may_wait_and_all_else_may_not() {
        assert!(!is_urgent(&fetch(7, 2)));
        let last = fetch(7, -1);
        assert!(is_urgent(&last) && !is_urgent(&last[..last.len() - 1]));
        // Without a session there is none to take leave of.
        assert!(!is_urgent(&fetch(0, -1)));
        let metadata = [0, 0, 0, 99, 0, 3];
        assert!(is_urgent(&metadata) && !is_urgent(&metadata[..5]) && !is_urgent(&[]));
    }
}
