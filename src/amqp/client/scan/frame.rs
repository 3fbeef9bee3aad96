//! Frames: their sizes and types, and why one is not let through.

use std::fmt;

/// How deep tables and arrays may be nested. JSON that is read may be nested 128 deep, with the envelope around it.
pub(crate) const DEPTH: usize = 64;

/// RabbitMQ takes no message above this, whatever its `max_message_size` says (rabbit.app, `?MAX_MSG_SIZE`).
pub(crate) const BODY: u64 = 512 * 1024 * 1024;

/// The largest payload of a header frame that is taken. RabbitMQ does not cut it by frame_max when it delivers, and headers
/// grow on the way (`x-death`).
pub(crate) const LARGEST_HEADER: usize = 1024 * 1024;

/// Frame types (AMQP 0-9-1, section 4.2.3).
pub(crate) const METHOD: u8 = 1;
pub(crate) const HEADER: u8 = 2;
pub(crate) const BODY_PART: u8 = 3;
pub(crate) const HEARTBEAT: u8 = 8;

/// The first byte of `AMQP` and a version: the answer of a server that speaks another one.
pub(crate) const VERSION: u8 = b'A';

/// The type, the channel, and the size of the payload.
pub(crate) const HEAD: usize = 7;

/// What stands around a payload: the head, and one byte behind it.
pub(crate) const AROUND: usize = HEAD + 1;

/// AMQP allows no smaller maximum (section 4.2.3, `frame-min-size`).
pub(crate) const FRAME_MIN: usize = 4096;

/// Why a frame is not let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameRefusal {
    /// Tables are nested deeper than [`DEPTH`].
    Nested,
    /// A body is said to be larger than RabbitMQ takes.
    Huge,
    /// The server speaks as a client.
    Foreign,
    /// The headers of a message take more than [`LARGEST_HEADER`].
    Headers(usize),
    /// A frame of so many bytes is larger than both sides agreed on.
    Frame(usize),
    /// A frame is not what AMQP says.
    Unreadable,
}

impl fmt::Display for FrameRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FrameRefusal::Nested => write!(f, "the headers of the message are nested deeper than {DEPTH} tables"),
            FrameRefusal::Huge => write!(f, "the broker announced a body of more than {BODY} bytes"),
            FrameRefusal::Foreign => f.write_str("the broker sent a method that only clients send"),
            FrameRefusal::Headers(bytes) => write!(
                f,
                "the properties and headers of the message take {bytes} bytes, more than the {LARGEST_HEADER} that mscomm takes"
            ),
            FrameRefusal::Frame(bytes) => {
                write!(f, "the broker sent a frame of {bytes} bytes, more than the frame_max that was agreed on")
            }
            FrameRefusal::Unreadable => f.write_str("the broker sent a frame that cannot be read"),
        }
    }
}

impl std::error::Error for FrameRefusal {}
