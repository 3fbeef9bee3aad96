//! Reading and writing frames. Reading is our own ([`Cursor`]): amq-protocol follows nested tables by recursion, which a
//! hostile client makes overflow the stack, and has no room for routing keys and headers that are not UTF-8.

use amq_protocol::frame::{AMQPFrame, WriteContext, gen_frame};
use amq_protocol::protocol::AMQPClass;
use amq_protocol::protocol::constants::{FRAME_BODY, FRAME_END, FRAME_HEADER, FRAME_METHOD};

use super::fault::{Code, Fault};
use crate::cursor::Cursor;

/// Bytes of a frame around its payload: type, channel, size, and the byte at its end.
pub(crate) const AROUND: usize = 8;

/// A frame that came, without what is around its payload.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame<'a> {
    /// The type.
    pub kind: u8,
    /// The channel.
    pub channel: u16,
    /// The payload.
    pub payload: &'a [u8],
}

/// Takes the next frame, whose payload may be so long; `None` while it is not complete. The second is how long it was.
///
/// # Errors
/// What RabbitMQ says to a frame that is too large or does not end as it must.
pub(crate) fn next_frame(bytes: &[u8], limit: usize) -> Result<Option<(Frame<'_>, usize)>, Fault> {
    let mut cursor = Cursor(bytes);
    let (Some(kind), Some(channel), Some(size)) = (cursor.u8(), cursor.u16(), cursor.u32()) else { return Ok(None) };
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    if size > limit {
        return Err(frame_fault(kind, &[], &format!("{{frame_too_large,{size},{limit}}}")));
    }
    let Some(payload) = cursor.take(size) else { return Ok(None) };
    match cursor.u8() {
        None => Ok(None),
        Some(FRAME_END) => Ok(Some((Frame { kind, channel, payload }, size + AROUND))),
        Some(end) => Err(frame_fault(kind, payload, &format!("{{invalid_frame_end_marker,{end}}}"))),
    }
}

fn frame_fault(kind: u8, payload: &[u8], what: &str) -> Fault {
    Fault::of_frame(Code::FrameError, format!("{}: {what}", snippet(kind, payload)))
}

/// A frame that is none of those that clients send, or is cut short.
pub(crate) fn unknown_frame(frame: Frame<'_>) -> Fault {
    frame_fault(frame.kind, frame.payload, "unknown_frame")
}

/// A frame that does not belong where it comes.
pub(crate) fn unexpected_frame(frame: Frame<'_>) -> Fault {
    Fault::of_frame(Code::UnexpectedFrame, snippet(frame.kind, frame.payload))
}

/// How RabbitMQ shows the beginning of a frame.
fn snippet(kind: u8, payload: &[u8]) -> String {
    let (words, shown) = match payload.get(..16) {
        Some(first) if payload.len() > 16 => ("first 16", first),
        _ => ("all", payload),
    };
    format!("type {kind}, {words} octets = {}", super::fault::erlang_binary(shown))
}

/// Writes a method's frame.
pub(crate) fn method(out: &mut Vec<u8>, channel: u16, method: AMQPClass) {
    let frame = AMQPFrame::Method(channel, method);
    // Writing to a Vec cannot fail; names that are longer than a short string are cut before they come here.
    if let Ok(written) = gen_frame(&frame)(WriteContext::from(Vec::new())) {
        out.extend_from_slice(&written.write);
    }
}

/// Writes what has its length in one byte before it.
pub(crate) fn put_short(out: &mut Vec<u8>, text: &[u8]) {
    let text = text.get(..usize::from(u8::MAX)).unwrap_or(text);
    out.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(text);
}

/// Writes what has its length in four bytes before it.
pub(crate) fn put_long(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(bytes);
}

/// Writes a frame around a payload that `write` makes.
pub(crate) fn put_frame(out: &mut Vec<u8>, kind: u8, channel: u16, write: impl FnOnce(&mut Vec<u8>)) {
    out.push(kind);
    out.extend_from_slice(&channel.to_be_bytes());
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out);
    let size = u32::try_from(out.len() - at - 4).unwrap_or(u32::MAX);
    if let Some(place) = out.get_mut(at..at + 4) {
        place.copy_from_slice(&size.to_be_bytes());
    }
    out.push(FRAME_END);
}

/// Writes a method that has content, and the content, in frames of at most `frame_max` bytes.
pub(crate) fn put_content(
    out: &mut Vec<u8>,
    channel: u16,
    frame_max: usize,
    properties: &[u8],
    body: &[u8],
    method: impl FnOnce(&mut Vec<u8>),
) {
    put_frame(out, FRAME_METHOD, channel, method);
    put_frame(out, FRAME_HEADER, channel, |out| {
        out.extend_from_slice(&[0, 60, 0, 0]);
        out.extend_from_slice(&(body.len() as u64).to_be_bytes());
        out.extend_from_slice(properties);
    });
    for part in body.chunks(frame_max.saturating_sub(AROUND).max(1)) {
        put_frame(out, FRAME_BODY, channel, |out| out.extend_from_slice(part));
    }
}
