//! Judges whole payloads.

use super::frame::{BODY, DEPTH, FrameRefusal, METHOD};
use crate::cursor::Cursor;

/// `connection.start`, the only method with a table that a server sends.
const START: [u8; 4] = [0, 10, 0, 10];

/// `connection.tune`.
const TUNE: [u8; 4] = [0, 10, 0, 30];

/// Methods with a table that only clients send: start-ok, exchange declare, bind and unbind, queue declare, bind and
/// unbind, consume.
const FROM_CLIENTS: [[u8; 4]; 8] = [
    [0, 10, 0, 11],
    [0, 40, 0, 10],
    [0, 40, 0, 30],
    [0, 40, 0, 40],
    [0, 50, 0, 10],
    [0, 50, 0, 20],
    [0, 50, 0, 50],
    [0, 60, 0, 20],
];

/// Judges a payload with the byte that ends it.
///
/// # Errors
/// Why lapin may not see it.
pub(crate) fn judge(kind: u8, payload: &[u8]) -> Result<(), FrameRefusal> {
    let mut cursor = Cursor(payload);
    let table = match kind {
        METHOD => method(&mut cursor)?,
        _ => header(&mut cursor)?,
    };
    match table.is_none_or(|table| !is_deep(table)) {
        true => Ok(()),
        false => Err(FrameRefusal::Nested),
    }
}

/// The table of a method.
fn method<'a>(cursor: &mut Cursor<'a>) -> Result<Option<&'a [u8]>, FrameRefusal> {
    match cursor.array::<4>() {
        // Two bytes of version stand before the table.
        Some(START) => Ok(cursor.array::<2>().and_then(|_| cursor.long())),
        Some(id) if FROM_CLIENTS.contains(&id) => Err(FrameRefusal::Foreign),
        _ => Ok(None),
    }
}

/// The headers of a message.
fn header<'a>(cursor: &mut Cursor<'a>) -> Result<Option<&'a [u8]>, FrameRefusal> {
    const CONTENT_TYPE: u16 = 1 << 15;
    const CONTENT_ENCODING: u16 = 1 << 14;
    const HEADERS: u16 = 1 << 13;
    // Class and weight.
    let (_, size, flags) = (cursor.array::<4>(), cursor.u64(), cursor.u16());
    if size.is_some_and(|size| size > BODY) {
        return Err(FrameRefusal::Huge);
    }
    let flags = flags.unwrap_or_default();
    for text in [CONTENT_TYPE, CONTENT_ENCODING] {
        if flags & text != 0 && cursor.short().is_none() {
            return Ok(None);
        }
    }
    Ok(if flags & HEADERS != 0 { cursor.long() } else { None })
}

/// Whether a table is nested deeper than [`DEPTH`]; without recursion, which is what it is about.
fn is_deep(table: &[u8]) -> bool {
    // What is left of each table or array that encloses the place, and whether it is a table.
    let mut open = vec![(Cursor(table), true)];
    while let Some((cursor, is_table)) = open.last_mut() {
        if cursor.0.is_empty() {
            open.pop();
            continue;
        }
        if *is_table && cursor.short().is_none() {
            return false;
        }
        let Some(kind) = cursor.u8() else { return false };
        // A letter that lapin knows besides RabbitMQ's.
        let Some(inner) = cursor.value(if kind == b'U' { b's' } else { kind }) else { return false };
        if matches!(kind, b'A' | b'F') {
            if open.len() == DEPTH {
                return true;
            }
            open.push((Cursor(inner), kind == b'F'));
        }
    }
    false
}

/// The broker's maximum of a frame, when it is that which a payload says.
pub(crate) fn tuned(payload: &[u8]) -> Option<usize> {
    let mut cursor = Cursor(payload);
    // The limit of channels stands before it.
    let is_tune = cursor.array::<4>() == Some(TUNE) && cursor.array::<2>().is_some();
    let frame_max = cursor.u32().filter(|_| is_tune)?;
    usize::try_from(frame_max).ok()
}
