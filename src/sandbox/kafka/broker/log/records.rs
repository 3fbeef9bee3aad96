//! The records inside a batch.

use std::borrow::Cow;

use super::batch::{HEADER, Header};
use super::codec;

/// One record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    pub offset_delta: i32,
    pub timestamp_delta: i64,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    /// All of it, its length at its beginning.
    pub raw: &'a [u8],
}

/// The bytes of the records of a batch, decompressed. None when they cannot be.
pub(crate) fn body<'a>(header: &Header, batch: &'a [u8]) -> Option<Cow<'a, [u8]>> {
    let bytes = batch.get(HEADER..)?;
    if header.codec() == 0 {
        Some(Cow::Borrowed(bytes))
    } else {
        codec::decompress(header.codec(), bytes).map(Cow::Owned)
    }
}

/// The records of such bytes, one after the other. One that is broken is none, and the last.
pub(crate) fn records(body: &[u8]) -> impl Iterator<Item = Option<Record<'_>>> {
    let mut rest = Some(body);
    std::iter::from_fn(move || {
        let bytes = rest.take().filter(|bytes| !bytes.is_empty())?;
        let read = next(bytes);
        rest = read.map(|(_, rest)| rest);
        Some(read.map(|(record, _)| record))
    })
}

/// True when there are so many records, one after the other, and nothing else. Only what that takes is read.
pub(super) fn are_so_many(body: &[u8], count: i32) -> bool {
    let mut rest = body;
    for _ in 0..count {
        let Some((length, after)) = varint(rest) else { return false };
        let Some(after) = usize::try_from(length).ok().and_then(|length| after.get(length..)) else { return false };
        rest = after;
    }
    rest.is_empty()
}

fn next(bytes: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let (length, rest) = varint(bytes)?;
    let (record, after) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    let raw = bytes.get(..bytes.len().checked_sub(after.len())?)?;
    let (timestamp_delta, fields) = varint(record.get(1..)?)?;
    let (offset_delta, fields) = varint(fields)?;
    let offset_delta = i32::try_from(offset_delta).ok()?;
    let (key, fields) = bytes_of(fields)?;
    let (value, _) = bytes_of(fields)?;
    Some((Record { offset_delta, timestamp_delta, key, value, raw }, after))
}

fn bytes_of(bytes: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    let (length, rest) = varint(bytes)?;
    if length < 0 {
        return Some((None, rest));
    }
    let (value, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    Some((Some(value), rest))
}

/// A number in zigzag, seven bits a byte.
fn varint(bytes: &[u8]) -> Option<(i64, &[u8])> {
    // Most are one byte.
    let (&first, rest) = bytes.split_first()?;
    if first < 0x80 {
        return Some((unzigzag(first.into()), rest));
    }
    let mut value = 0_u64;
    for (at, byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f).checked_shl(u32::try_from(at).ok()? * 7)?;
        if byte & 0x80 == 0 {
            return Some((unzigzag(value), bytes.get(at + 1..)?));
        }
    }
    None
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

/// Writes a number as [`varint`] reads it.
pub(crate) fn put_varint(out: &mut Vec<u8>, value: i64) {
    let mut rest = (value << 1).cast_unsigned() ^ (value >> 63).cast_unsigned();
    while rest >= 0x80 {
        out.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// Appends a record without headers. A length fits: nothing here is as large as 2^31.
pub(crate) fn put_record(
    out: &mut Vec<u8>,
    offset_delta: i32,
    timestamp_delta: i64,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
) {
    let mut record = vec![0];
    put_varint(&mut record, timestamp_delta);
    put_varint(&mut record, offset_delta.into());
    for field in [key, value] {
        put_varint(&mut record, field.map_or(-1, |field| i64::try_from(field.len()).unwrap_or(-1)));
        record.extend_from_slice(field.unwrap_or_default());
    }
    put_varint(&mut record, 0);
    put_varint(out, i64::try_from(record.len()).unwrap_or(-1));
    out.extend_from_slice(&record);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_as_they_were_written() {
        let mut body = Vec::new();
        put_record(&mut body, 0, 0, Some(b"k"), Some(&[7; 200]));
        put_record(&mut body, 1, -5, None, None);
        put_record(&mut body, 2, 1 << 40, Some(b""), Some(b"v"));
        let read: Vec<_> = records(&body).map(Option::unwrap).collect();
        assert_eq!(read.len(), 3);
        assert_eq!((read[0].key, read[0].value.unwrap().len()), (Some(b"k".as_slice()), 200));
        assert_eq!((read[1].timestamp_delta, read[1].key, read[1].value), (-5, None, None));
        assert_eq!((read[2].timestamp_delta, read[2].key), (1 << 40, Some(b"".as_slice())));
        assert_eq!(read.iter().map(|record| record.raw.len()).sum::<usize>(), body.len());
        assert!(are_so_many(&body, 3) && !are_so_many(&body, 2) && !are_so_many(&body, 4));
        body.pop();
        assert!(!are_so_many(&body, 3));
        assert_eq!(records(&body).filter(Option::is_none).count(), 1);
        assert!(records(&[0xff; 20]).next().unwrap().is_none());
    }

    #[test]
    fn numbers_of_all_sizes() {
        for value in [0, 1, -1, 63, 64, -64, -65, i64::from(i32::MAX), i64::MAX, i64::MIN] {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, value);
            assert_eq!(varint(&bytes), Some((value, [].as_slice())));
        }
    }
}
