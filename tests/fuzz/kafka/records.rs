//! Batches of records as clients make them, each record with a number of its own in its value.

use std::io::Write;

use arbitrary::Arbitrary;
use bytes::{BufMut, Bytes, BytesMut};

use crate::broker::log::batch::Header;
use crate::broker::log::records::{body, put_record, records};

/// A batch to be made.
#[derive(Debug, Arbitrary)]
pub(crate) struct Batch {
    pub kind: Kind,
    gzip: bool,
    /// Key (some have none), whether there is a value, and how much is behind its number.
    records: Vec<(Option<bool>, bool, u8)>,
    /// Milliseconds before or after the time.
    age: i32,
    /// A sequence that is not the next.
    jump: Option<i8>,
    /// A field of the header that is something else.
    odd: Option<(u8, u8)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary)]
pub(crate) enum Kind {
    Plain,
    Idempotent,
    Transactional,
}

/// Who writes, and with which sequence.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Writer {
    pub id: i64,
    pub epoch: i16,
    pub sequence: i32,
}

impl Batch {
    /// How many records it has.
    pub(crate) fn count(&self) -> usize {
        self.records.len().clamp(1, 6)
    }

    /// The batch; its records are numbered from `serial` on. Whether it is in order.
    pub(crate) fn make(&self, writer: Writer, now: i64, serial: u32) -> (Bytes, bool) {
        let mut inner = Vec::new();
        let none = [(None, true, 0)];
        let records = if self.records.is_empty() { none.as_slice() } else { &self.records };
        for (index, (key, has_value, more)) in (0_u32..).zip(&records[..self.count()]) {
            let key = key.map(|key| if key { b"k".as_slice() } else { b"l" });
            let value = [&(serial + index).to_be_bytes()[..], &vec![b'v'; usize::from(*more)]].concat();
            put_record(&mut inner, index.cast_signed(), 0, key, has_value.then_some(&value));
        }
        if self.gzip {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            gzip.write_all(&inner).expect("writes");
            inner = gzip.finish().expect("writes");
        }
        let is_plain = self.kind == Kind::Plain;
        let sequence = writer.sequence.wrapping_add(self.jump.unwrap_or(0).into());
        let attributes = i16::from(self.gzip) | if self.kind == Kind::Transactional { 16 } else { 0 };
        let last = i32::try_from(self.count()).expect("few") - 1;
        let time = now + i64::from(self.age);
        let mut rest = BytesMut::new();
        rest.put_i16(attributes);
        rest.put_i32(last);
        rest.put_i64(time);
        rest.put_i64(time);
        rest.put_i64(if is_plain { -1 } else { writer.id });
        rest.put_i16(if is_plain { -1 } else { writer.epoch });
        rest.put_i32(if is_plain { -1 } else { sequence });
        rest.put_i32(last + 1);
        rest.put_slice(&inner);
        if let Some((at, byte)) = self.odd {
            rest[usize::from(at) % 40] ^= byte;
        }
        let mut out = BytesMut::new();
        out.put_i64(0);
        out.put_i32(i32::try_from(rest.len() + 9).expect("small"));
        out.put_i32(-1);
        out.put_i8(2);
        out.put_u32(crc32c::crc32c(&rest));
        out.put_slice(&rest);
        (out.freeze(), self.odd.is_none())
    }
}

/// The records of batches as they are fetched, the last of which may be cut: their offsets, and their numbers if they have some.
/// Control batches have none.
pub(crate) fn read(mut bytes: &[u8]) -> Vec<(i64, Option<u32>)> {
    let mut all = Vec::new();
    while let Some(length) = bytes.get(8..12) {
        let length = 12 + usize::try_from(i32::from_be_bytes(length.try_into().expect("four"))).expect("a length");
        let Some((batch, rest)) = bytes.split_at_checked(length) else { break };
        bytes = rest;
        let header = Header::read(batch).expect("a header");
        assert_eq!(crc32c::crc32c(&batch[21..]).to_be_bytes(), batch[17..21], "the checksum of {header:?}");
        if header.is_control() {
            continue;
        }
        let body = body(&header, batch).expect("records");
        let mut count = 0;
        for record in records(&body) {
            let record = record.expect("a record");
            let number = record.value.and_then(|value| value.first_chunk()).map(|number| u32::from_be_bytes(*number));
            all.push((header.base_offset + i64::from(record.offset_delta), number));
            count += 1;
        }
        assert_eq!(count, header.count, "{header:?}");
    }
    assert!(all.is_sorted_by(|a, b| a.0 < b.0), "offsets in order: {all:?}");
    all
}
