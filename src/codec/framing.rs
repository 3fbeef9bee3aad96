//! Confluent's wire format: which schema a message was written with.
//!
//! A magic byte and the schema's id stand before the value, or in a header: 0 and a number of 4 bytes, or 1 and a GUID of 16.
//! With Protobuf the place of the message's type in its file follows: how many numbers, and these, each in zigzag; a single 0
//! is the first message of the file.

use super::fault::Fault;
use super::schemas::{SchemaId, SchemaKind};

/// The header with the id of a value's schema, and that of a key's.
pub(super) const HEADERS: [&str; 2] = ["__value_schema_id", "__key_schema_id"];

/// The id in front, and what stands behind it; `None` for what begins otherwise.
pub(super) fn split(bytes: &[u8]) -> Option<(SchemaId, &[u8])> {
    match bytes.split_first()? {
        (0, rest) => {
            let (id, rest) = rest.split_first_chunk::<4>()?;
            Some((SchemaId::Number(u32::from_be_bytes(*id)), rest))
        }
        (1, rest) => {
            let (id, rest) = rest.split_first_chunk::<16>()?;
            Some((SchemaId::Guid(*id), rest))
        }
        _ => None,
    }
}

/// How deep a message may stand in others.
const DEEPEST: u64 = 32;

/// Where a message's type stands in its file, and what stands behind that.
///
/// # Errors
/// It is none.
pub(super) fn indexes(bytes: &[u8]) -> Result<(Vec<u32>, &[u8]), Fault> {
    let mut rest = bytes;
    let count = zigzag(&mut rest)?;
    if count == 0 {
        return Ok((vec![0], rest));
    }
    let count = u64::try_from(count).ok().filter(|count| *count <= DEEPEST);
    let count = count.ok_or_else(|| Fault::new("the place of its message in the schema is none"))?;
    let mut indexes = Vec::new();
    for _ in 0..count {
        let index = u32::try_from(zigzag(&mut rest)?);
        indexes.push(index.map_err(|_| Fault::new("the place of its message in the schema is none"))?);
    }
    Ok((indexes, rest))
}

fn zigzag(rest: &mut &[u8]) -> Result<i64, Fault> {
    let mut value = 0u64;
    for shift in (0..35).step_by(7) {
        let (&byte, behind) = rest.split_first().ok_or_else(Fault::cut_off)?;
        *rest = behind;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok((value >> 1).cast_signed() ^ -((value & 1).cast_signed()));
        }
    }
    Err(Fault::new("the place of its message in the schema is none"))
}

/// Appends the id, and the place of a message in its file.
pub(super) fn write(out: &mut Vec<u8>, id: u32, kind: SchemaKind, place: &[u32]) {
    out.push(0);
    out.extend_from_slice(&id.to_be_bytes());
    if kind != SchemaKind::Protobuf {
        return;
    }
    if place == [0] {
        return out.push(0);
    }
    put(out, place.len() as u64);
    place.iter().for_each(|index| put(out, u64::from(*index)));
}

fn put(out: &mut Vec<u8>, number: u64) {
    let mut rest = number << 1;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_places() {
        assert_eq!(split(b"\x00\x00\x00\x01\x02x"), Some((SchemaId::Number(258), b"x".as_slice())));
        assert_eq!(split(&[1; 18]), Some((SchemaId::Guid([1; 16]), [1].as_slice())));
        for other in [b"".as_slice(), b"{}", b"\x00\x00\x00\x01", &[1; 16], b"\x02\x00\x00\x00\x00\x00"] {
            assert_eq!(split(other), None, "{other:x?}");
        }
        for (raw, place) in
            [(b"\x00x".as_slice(), vec![0]), (b"\x02\x00x", vec![0]), (b"\x04\x02\x80\x02x", vec![1, 128])]
        {
            assert_eq!(indexes(raw), Ok((place, b"x".as_slice())), "{raw:x?}");
        }
        for bad in [b"".as_slice(), b"\x02", b"\x01\x00", b"\x02\x01", b"\xff\xff\xff\xff\xff\xff", b"\x7e"] {
            assert!(indexes(bad).is_err(), "{bad:x?}");
        }
        let mut out = Vec::new();
        write(&mut out, 7, SchemaKind::Protobuf, &[1, 128]);
        assert_eq!(out, b"\x00\x00\x00\x00\x07\x04\x02\x80\x02");
        out.clear();
        write(&mut out, 7, SchemaKind::Protobuf, &[0]);
        write(&mut out, 8, SchemaKind::Avro, &[]);
        assert_eq!(out, b"\x00\x00\x00\x00\x07\x00\x00\x00\x00\x00\x08");
    }
}
