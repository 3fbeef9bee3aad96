//! Looks at what comes in before lapin does: it reads nested tables by recursion, which deep ones make overflow its stack,
//! holds a body as large as its header says, and refuses every frame above the negotiated maximum.

mod content;
mod frame;
mod judge;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub(crate) use content::Content;
pub(crate) use frame::{AROUND, FrameRefusal, HEAD, HEADER, LARGEST_HEADER};
use frame::{BODY_PART, FRAME_MIN, HEARTBEAT, METHOD, VERSION};
pub(crate) use judge::judge;

use super::words::Words;

/// Follows the frames of one direction, however they are cut into reads. What is malformed is let through: lapin refuses
/// it where it finds it.
#[derive(Debug, Default)]
pub(crate) struct Scanner {
    /// The beginning of a frame, as far as it is here.
    head: [u8; HEAD],
    filled: usize,
    /// What is missing of the frame: its payload and the byte that ends it.
    left: usize,
    /// The payload of a frame that has to be looked at, as far as earlier reads brought it.
    held: Vec<u8>,
    /// It is no AMQP: there is nothing to follow.
    lost: bool,
    /// The largest frame in bytes; 0 is no limit.
    frame_max: usize,
    words: Arc<Words>,
    content: Content,
}

impl Scanner {
    /// For what the broker sends; `frame_max` is what it will be asked for.
    pub(crate) fn new(frame_max: u32, words: Arc<Words>) -> Scanner {
        let frame_max = usize::try_from(frame_max).unwrap_or(usize::MAX);
        Scanner { frame_max, words, ..Scanner::default() }
    }

    /// Looks at what was read, and says how much of it lapin may see. With what stands behind that a header frame begins
    /// which is too large for lapin, or one whose size is not here yet: it has to be put together first, from its first byte
    /// on, and is none of the scanner's, unless [`Scanner::enter`] gives it back.
    ///
    /// # Errors
    /// The reason, and how many of the bytes stand before the frame it is about.
    pub(crate) fn look(&mut self, bytes: &[u8]) -> Result<usize, (FrameRefusal, usize)> {
        let (mut at, mut begun) = (0, 0);
        while at < bytes.len() && !self.lost {
            let rest = bytes.get(at..).unwrap_or_default();
            if self.left == 0 {
                if self.filled == 0 {
                    begun = at;
                }
                at += self.begin(rest);
                if self.head[0] == HEADER && (self.filled > 0 || self.is_too_large()) {
                    (self.filled, self.left) = (0, 0);
                    return Ok(begun);
                }
                if self.is_too_large() {
                    return Err((FrameRefusal::Frame(self.left + HEAD), begun));
                }
                continue;
            }
            let part = rest.get(..self.left).unwrap_or(rest);
            self.payload(part).map_err(|refusal| (refusal, begun))?;
            self.left -= part.len();
            at += part.len();
        }
        Ok(bytes.len())
    }

    /// How far the messages have come.
    pub(crate) fn content(&self) -> Content {
        self.content
    }

    /// The payload of a header frame that was put together elsewhere.
    pub(crate) fn header(&mut self, payload: &[u8]) {
        self.content.header(payload);
    }

    /// The whole size of the frame with this head, when it is a header that has to be put together.
    pub(crate) fn oversize(&self, head: &[u8; HEAD]) -> Option<usize> {
        let [kind, _, _, size @ ..] = head;
        let whole = usize::try_from(u32::from_be_bytes(*size)).unwrap_or(usize::MAX).saturating_add(AROUND);
        (*kind == HEADER && self.exceeds(whole)).then_some(whole)
    }

    /// Goes on behind a head that is like any other.
    pub(crate) fn enter(&mut self, head: &[u8; HEAD]) {
        self.begin(head);
    }

    fn exceeds(&self, whole: usize) -> bool {
        self.frame_max > 0 && whole > self.frame_max
    }

    /// True behind the head of a frame that is too large.
    fn is_too_large(&self) -> bool {
        self.left > 0 && self.head[0] != VERSION && self.exceeds(self.left.saturating_add(HEAD))
    }

    /// Only follows the frames, for who wrote them.
    pub(crate) fn follow(&mut self, bytes: &[u8]) {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            at += match self.left {
                0 => self.begin(rest),
                left => {
                    let used = left.min(rest.len());
                    self.left -= used;
                    used
                }
            };
        }
    }

    /// How many bytes surely belong to the frame that was begun; 0 between two frames.
    pub(crate) fn open(&self) -> usize {
        match (self.left, self.filled) {
            (0, 0) => 0,
            (0, filled) => HEAD - filled,
            (left, _) => left,
        }
    }

    /// Takes what there is of a frame's head, and says how much that was.
    fn begin(&mut self, bytes: &[u8]) -> usize {
        let mut used = 0;
        for (slot, byte) in self.head.iter_mut().skip(self.filled).zip(bytes) {
            *slot = *byte;
            used += 1;
        }
        self.filled += used;
        if self.filled == HEAD {
            let [kind, _, _, size @ ..] = self.head;
            let size = usize::try_from(u32::from_be_bytes(size)).unwrap_or(usize::MAX);
            self.filled = 0;
            self.left = if kind == VERSION { 1 } else { size.saturating_add(1) };
            self.lost = !matches!(kind, METHOD | HEADER | BODY_PART | HEARTBEAT | VERSION);
        }
        used
    }

    /// Takes a part of a payload with the byte that ends it, and judges it once it is whole.
    fn payload(&mut self, part: &[u8]) -> Result<(), FrameRefusal> {
        let kind = self.head[0];
        if kind == BODY_PART {
            // The byte that ends the frame is none of the body.
            self.content.body(part.len() - usize::from(part.len() == self.left));
        }
        if !matches!(kind, METHOD | HEADER) {
            return Ok(());
        }
        if part.len() < self.left {
            self.held.extend_from_slice(part);
            return Ok(());
        }
        if self.held.is_empty() {
            return self.judge(kind, part);
        }
        self.held.extend_from_slice(part);
        let held = std::mem::take(&mut self.held);
        let judged = self.judge(kind, &held);
        self.held = held;
        self.held.clear();
        judged
    }

    fn judge(&mut self, kind: u8, payload: &[u8]) -> Result<(), FrameRefusal> {
        if kind == METHOD {
            let [_, channel @ .., _, _, _, _] = self.head;
            self.words.note(u16::from_be_bytes(channel), payload);
            if let Some(theirs) = judge::tuned(payload).filter(|theirs| *theirs > 0) {
                let ours = if self.frame_max == 0 { usize::MAX } else { self.frame_max };
                self.frame_max = ours.min(theirs).max(FRAME_MIN);
            }
            self.content.method(payload);
        } else {
            self.content.header(payload);
        }
        judge(kind, payload)
    }
}
