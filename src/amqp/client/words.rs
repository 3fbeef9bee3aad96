//! What the broker said that lapin passes on too late or to nobody: why it closed a channel or the connection, which only
//! those hear who wait for an answer at that moment; and that a message came back.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use lapin::protocol::AMQPError;

use crate::cursor::Cursor;

/// `connection.close` and `channel.close` (AMQP 0-9-1, section 1).
const CLOSE: [[u8; 4]; 2] = [[0, 10, 0, 50], [0, 20, 0, 40]];

/// `connection.start`.
const START: [u8; 4] = [0, 10, 0, 10];

/// `basic.return`.
const RETURN: [u8; 4] = [0, 60, 0, 50];

/// What the broker said.
#[derive(Debug, Default)]
pub(crate) struct Words {
    /// Why it closed something at first: the channel, or 0 for the connection, the code and the text. What comes behind a
    /// channel that was closed may well be about frames that were still sent on it.
    closed: Mutex<Option<(u16, u16, String)>>,
    returns: AtomicU64,
    /// The mechanisms by which one may log in; unset until the broker has said anything.
    offered: OnceLock<String>,
}

impl Words {
    fn said(&self) -> MutexGuard<'_, Option<(u16, u16, String)>> {
        self.closed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many messages have come back. The confirm of a message comes behind its return.
    pub(crate) fn returns(&self) -> u64 {
        self.returns.load(Ordering::SeqCst)
    }

    /// Takes note of a method, before lapin works it off.
    pub(crate) fn note(&self, channel: u16, payload: &[u8]) {
        let mut cursor = Cursor(payload);
        match cursor.array::<4>() {
            Some(RETURN) => {
                self.returns.fetch_add(1, Ordering::SeqCst);
                return;
            }
            Some(START) => {
                // Two bytes of version, and the server's properties.
                let properties = cursor.array::<2>().and_then(|_| cursor.long());
                if let Some(offered) = properties.and_then(|_| cursor.long()) {
                    self.offered.get_or_init(|| String::from_utf8_lossy(offered).into_owned());
                }
                return;
            }
            Some(id) if CLOSE.contains(&id) => {}
            _ => return,
        }
        if let (Some(code), Some(text)) = (cursor.u16(), cursor.short()) {
            self.said().get_or_insert_with(|| (channel, code, String::from_utf8_lossy(text).into_owned()));
        }
    }

    /// The mechanisms that the broker offers, separated by spaces.
    pub(crate) fn offered(&self) -> Option<&str> {
        self.offered.get().map(String::as_str)
    }

    /// Why the connection or a channel was closed.
    pub(crate) fn reason(&self) -> Option<lapin::Error> {
        let said = self.said();
        let (_, code, text) = said.as_ref()?;
        let error = AMQPError::from_id(*code, text.as_str().into())?;
        Some(lapin::ErrorKind::ProtocolError(error).into())
    }

    /// Forgets what was said on channels: the work goes on on another one.
    pub(crate) fn forget_channels(&self) {
        self.said().take_if(|(channel, ..)| *channel != 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reason_is_the_reason() {
        let words = Words::default();
        let reason = |words: &Words| words.reason().map(|e| e.to_string()).unwrap_or_default();
        // No close, a channel's, the connection's.
        words.note(2, b"\0\x3c\0\x28\x01\x96\x03two");
        assert_eq!(reason(&words), "");
        words.note(1, b"\0\x14\0\x28\x01\x96\x03one\0\x3c\0\x28");
        words.note(0, b"\0\x0a\0\x32\x01\xf8\x04gone\0\0\0\0");
        assert!(reason(&words).contains("one"), "{}", reason(&words));
        words.forget_channels();
        words.note(0, b"\0\x0a\0\x32\x01\x40\x04gone\0\0\0\0");
        words.forget_channels();
        assert!(reason(&words).contains("gone"), "{}", reason(&words));
        assert_eq!(words.returns(), 0);
        words.note(1, b"\0\x3c\0\x32\x01\x38\x08NO_ROUTE\0\x01k");
        assert_eq!(words.returns(), 1);
    }
}
