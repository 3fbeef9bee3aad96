//! The pieces of the wire format: tags, varints, fields that are skipped.
//!
//! <https://protobuf.dev/programming-guides/encoding/>

use bytes::{Buf, Bytes};

use super::decode_error::DecodeError;

/// How a value stands on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WireType {
    Varint = 0,
    Fixed64 = 1,
    Length = 2,
    StartGroup = 3,
    EndGroup = 4,
    Fixed32 = 5,
}

/// Appends a varint.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a tag.
pub(crate) fn put_tag(out: &mut Vec<u8>, number: u32, wire: WireType) {
    put_varint(out, u64::from(number) << 3 | wire as u64);
}

/// Takes a varint.
///
/// # Errors
/// It is cut off, or longer than ten bytes.
pub(crate) fn varint(from: &mut Bytes) -> Result<u64, DecodeError> {
    let mut value = 0u64;
    for (at, &byte) in from.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte < 0x80 {
            // The tenth byte has room for one bit; what is above it is dropped, as everywhere.
            from.advance(at + 1);
            return Ok(value);
        }
    }
    Err(DecodeError::new(if from.len() < 10 { "it ends in the middle of a number" } else { "a number is too long" }))
}

/// Takes a tag.
///
/// # Errors
/// As [`varint`]; a field number or a wire type that does not exist.
pub(crate) fn tag(from: &mut Bytes) -> Result<(u32, WireType), DecodeError> {
    let tag = u32::try_from(varint(from)?).map_err(|_| DecodeError::new("a field number is too large"))?;
    let wire = match tag & 7 {
        0 => WireType::Varint,
        1 => WireType::Fixed64,
        2 => WireType::Length,
        3 => WireType::StartGroup,
        4 => WireType::EndGroup,
        5 => WireType::Fixed32,
        other => return Err(DecodeError::new(format!("there is no wire type {other}"))),
    };
    match tag >> 3 {
        0 => Err(DecodeError::new("there is no field number 0")),
        number => Ok((number, wire)),
    }
}

/// Takes so many bytes.
///
/// # Errors
/// There are not so many.
pub(crate) fn take(from: &mut Bytes, count: u64) -> Result<Bytes, DecodeError> {
    match usize::try_from(count) {
        Ok(count) if count <= from.len() => Ok(from.split_to(count)),
        _ => Err(DecodeError::new(format!("{count} bytes are announced, {} are left", from.len()))),
    }
}

/// Takes a length and so many bytes.
///
/// # Errors
/// As [`varint`] and [`take`].
pub(crate) fn delimited(from: &mut Bytes) -> Result<Bytes, DecodeError> {
    let count = varint(from)?;
    take(from, count)
}

/// Takes 4 bytes as a little-endian number.
///
/// # Errors
/// As [`take`].
pub(crate) fn fixed32(from: &mut Bytes) -> Result<u32, DecodeError> {
    Ok(take(from, 4)?.get_u32_le())
}

/// Takes 8 bytes as a little-endian number.
///
/// # Errors
/// As [`take`].
pub(crate) fn fixed64(from: &mut Bytes) -> Result<u64, DecodeError> {
    Ok(take(from, 8)?.get_u64_le())
}

/// Takes a value that nobody needs.
///
/// # Errors
/// It is cut off, nested too deep, or a group that does not end as it began.
pub(crate) fn skip(from: &mut Bytes, number: u32, wire: WireType, depth: usize) -> Result<(), DecodeError> {
    match wire {
        WireType::Varint => drop(varint(from)?),
        WireType::Fixed64 => drop(take(from, 8)?),
        WireType::Fixed32 => drop(take(from, 4)?),
        WireType::Length => drop(delimited(from)?),
        WireType::StartGroup => {
            let depth = depth.checked_sub(1).ok_or_else(DecodeError::too_deep)?;
            loop {
                let (inner, wire) = tag(from)?;
                match wire {
                    WireType::EndGroup if inner == number => return Ok(()),
                    WireType::EndGroup => return Err(DecodeError::new("a group ends that did not begin")),
                    _ => skip(from, inner, wire, depth)?,
                }
            }
        }
        WireType::EndGroup => return Err(DecodeError::new("a group ends that did not begin")),
    }
    Ok(())
}
