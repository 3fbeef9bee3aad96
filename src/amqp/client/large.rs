//! Header frames that are larger than lapin takes: RabbitMQ sends them whole, whatever frame_max was agreed on. lapin gets a
//! small one in the place of each, and the real one is put back where the message is taken up.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use amq_protocol::frame::{AMQPContentHeader, AMQPFrame, parse_frame};
use lapin::BasicProperties;

use super::message::encode;
use super::scan::{FrameRefusal, HEAD, HEADER, judge};

/// The frames that wait for their message, by the message id that stands in their place.
#[derive(Debug)]
pub(crate) struct Large {
    /// Nobody who publishes can know it.
    secret: u128,
    count: AtomicUsize,
    frames: Mutex<HashMap<String, Vec<u8>>>,
}

impl Default for Large {
    fn default() -> Large {
        Large { secret: fastrand::u128(..), count: AtomicUsize::new(0), frames: Mutex::default() }
    }
}

impl Large {
    fn frames(&self) -> MutexGuard<'_, HashMap<String, Vec<u8>>> {
        self.frames.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a header frame, and gives the one that takes its place.
    ///
    /// # Errors
    /// Why nobody may see it.
    pub(crate) fn keep(&self, frame: Vec<u8>) -> Result<Vec<u8>, FrameRefusal> {
        judge(HEADER, frame.get(HEAD..).unwrap_or_default())?;
        let (channel, header) = read(&frame).ok_or(FrameRefusal::Unreadable)?;
        let id = format!("{:032x}-{}", self.secret, self.count.fetch_add(1, Ordering::SeqCst));
        let properties = BasicProperties::default().with_message_id(id.as_str().into());
        self.frames().insert(id, frame);
        Ok(encode(&AMQPFrame::Header(channel, AMQPContentHeader { properties, ..header })))
    }

    /// Puts the real properties into a message, and says how many bytes they took if they had been kept.
    pub(crate) fn restore(&self, properties: &mut BasicProperties) -> usize {
        if self.count.load(Ordering::SeqCst) == 0 {
            return 0;
        }
        let Some(frame) = properties.message_id().as_ref().and_then(|id| self.frames().remove(id.as_str())) else {
            return 0;
        };
        // It was read before.
        if let Some((_, header)) = read(&frame) {
            *properties = header.properties;
        }
        frame.len()
    }
}

fn read(frame: &[u8]) -> Option<(u16, AMQPContentHeader)> {
    match parse_frame(frame) {
        Ok((_, AMQPFrame::Header(channel, header))) => Some((channel, header)),
        _ => None,
    }
}
