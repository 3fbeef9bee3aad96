//! What `-v` wants to know of a call: its headers, and the size of each message before and after compression.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderMap, StatusCode};

/// Something that went over the wire.
#[derive(Debug)]
pub(crate) enum WireEvent<'a> {
    /// The head of the request: its path, `:authority`, and headers.
    Request(&'a str, &'a str, &'a HeaderMap),
    /// A request message.
    Sent(MessageSize),
    /// The head of the response.
    Response(StatusCode, &'a HeaderMap),
    /// A response message.
    Received(MessageSize),
}

/// The size of a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MessageSize {
    /// Counted from 1.
    pub number: u64,
    /// In bytes.
    pub plain: usize,
    /// In bytes on the wire, when it is compressed there.
    pub compressed: Option<usize>,
}

/// Who is told.
pub(crate) type Observer = Arc<dyn Fn(WireEvent<'_>) + Send + Sync>;

/// Pairs the plain sizes of messages with those on the wire, whichever comes first.
#[derive(Debug, Default)]
pub(crate) struct Sizes(Mutex<Pairs>);

#[derive(Debug, Default)]
struct Pairs {
    plain: VecDeque<usize>,
    wire: VecDeque<(bool, usize)>,
    scanner: Scanner,
    count: u64,
}

impl Sizes {
    /// A message as the codec has it.
    pub(crate) fn plain(&self, bytes: usize) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).plain.push_back(bytes);
    }

    /// Bytes of the body as they are on the wire.
    pub(crate) fn wire(&self, bytes: &[u8]) {
        let mut pairs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Pairs { scanner, wire, .. } = &mut *pairs;
        scanner.scan(bytes, |message| wire.push_back(message));
    }

    /// The next message whose sizes are known.
    pub(crate) fn next(&self) -> Option<MessageSize> {
        let mut pairs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if pairs.plain.is_empty() || pairs.wire.is_empty() {
            return None;
        }
        let (plain, (is_compressed, size)) = (pairs.plain.pop_front()?, pairs.wire.pop_front()?);
        pairs.count += 1;
        Some(MessageSize { number: pairs.count, plain, compressed: is_compressed.then_some(size) })
    }
}

/// Finds the prefixes of messages: a flag and a length in four bytes (gRPC over HTTP2, "Length-Prefixed-Message").
#[derive(Debug, Default)]
struct Scanner {
    prefix: Vec<u8>,
    /// How much of the message is to come.
    left: usize,
}

impl Scanner {
    fn scan(&mut self, mut bytes: &[u8], mut found: impl FnMut((bool, usize))) {
        while !bytes.is_empty() {
            let skipped = self.left.min(bytes.len());
            self.left -= skipped;
            bytes = &bytes[skipped..];
            let missing = (5 - self.prefix.len()).min(bytes.len());
            self.prefix.extend_from_slice(&bytes[..missing]);
            bytes = &bytes[missing..];
            if let [flag, a, b, c, d] = self.prefix[..] {
                self.left = u32::from_be_bytes([a, b, c, d]) as usize;
                self.prefix.clear();
                found((flag != 0, self.left));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_found_wherever_they_are_cut() {
        let body = b"\0\0\0\0\x03abc\x01\0\0\0\0\0\0\0\0\x01x";
        for step in 1..=body.len() {
            let (mut scanner, mut found) = (Scanner::default(), Vec::new());
            body.chunks(step).for_each(|chunk| scanner.scan(chunk, |message| found.push(message)));
            assert_eq!(found, [(false, 3), (true, 0), (false, 1)], "{step}");
        }
    }
}
