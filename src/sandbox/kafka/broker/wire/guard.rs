//! What a request is read through: no number in it may make the decoder take more memory than the request has bytes for.
//!
//! kafka-protocol reserves room for as many elements as an array says to have, before it has seen one of them: four bytes
//! would ask for hundreds of gigabytes, and a process that gets none is ended. So a request is read through [`Guard`]:
//! - The length of a compact array is a varint. One that is larger than what is left of the request fails at once; strings,
//!   bytes and tagged fields that say so could not be read either.
//! - The length of an older array is an int32 like many other fields. Requests that have those are read twice. The first time
//!   an int32 that is larger than what is left is read as [`NO_LENGTH`], which no array may have: whoever meant it as a
//!   length fails, and no other field decides about how the rest is read. The second time all numbers are as they are.
//! - A request may be made of so many pieces only: an element takes more memory than it has bytes.

use bytes::{Buf, Bytes, TryGetError};
use kafka_protocol::protocol::Decodable;
use kafka_protocol::protocol::buf::{ByteBuf, NotEnoughBytesError};

/// What an int32 is read as that cannot be a length. No array is -2 long, where -1 is a null one.
const NO_LENGTH: i32 = -2;

/// Most numbers and texts of a request. A million topics are three million.
const MOST_PIECES: usize = 8 << 20;

/// Why a request cannot be read.
#[derive(Debug)]
pub(crate) struct Malformed;

/// Reads a request. What is behind it does not matter, as to Kafka: librdkafka 2.12 puts three bytes behind a Metadata request
/// for all topics.
///
/// # Errors
/// When it is not what its version says.
pub(crate) fn decode<T: Decodable>(body: &Bytes, version: i16, flexible: bool) -> Result<T, Malformed> {
    if !flexible {
        let mut dry = Guard { bytes: body.clone(), dry: true, varint: None, pieces: 0 };
        T::decode(&mut dry, version).map_err(|_| Malformed)?;
    }
    let mut guard = Guard { bytes: body.clone(), dry: false, varint: None, pieces: 0 };
    T::decode(&mut guard, version).map_err(|_| Malformed)
}

struct Guard {
    bytes: Bytes,
    /// Lengths are looked for, values are not wanted.
    dry: bool,
    /// The bits of a varint that has begun, and how many.
    varint: Option<(u64, u32)>,
    pieces: usize,
}

impl Guard {
    fn piece(&mut self) -> Result<(), TryGetError> {
        self.varint = None;
        self.pieces += 1;
        if self.pieces > MOST_PIECES { Err(too_much()) } else { Ok(()) }
    }
}

fn too_much() -> TryGetError {
    TryGetError { requested: usize::MAX, available: 0 }
}

impl Buf for Guard {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }

    fn try_get_u8(&mut self) -> Result<u8, TryGetError> {
        let byte = self.bytes.try_get_u8()?;
        let (bits, shift) = self.varint.take().unwrap_or_default();
        let bits = bits | u64::from(byte & 0x7f).checked_shl(shift).unwrap_or_default();
        // The fifth byte is the last, whatever it says.
        if byte & 0x80 != 0 && shift < 28 {
            self.varint = Some((bits, shift + 7));
        } else {
            self.piece()?;
            // A compact length is one more than it says; zero is null.
            if shift > 0 && bits > self.bytes.remaining() as u64 + 1 {
                return Err(too_much());
            }
        }
        Ok(byte)
    }

    fn try_get_i8(&mut self) -> Result<i8, TryGetError> {
        self.piece()?;
        self.bytes.try_get_i8()
    }

    fn try_get_i16(&mut self) -> Result<i16, TryGetError> {
        self.piece()?;
        self.bytes.try_get_i16()
    }

    fn try_get_i32(&mut self) -> Result<i32, TryGetError> {
        self.piece()?;
        let value = self.bytes.try_get_i32()?;
        let long = usize::try_from(value).is_ok_and(|value| value > self.bytes.remaining());
        Ok(if self.dry && long { NO_LENGTH } else { value })
    }
}

impl ByteBuf for Guard {
    fn peek_bytes(&mut self, range: std::ops::Range<usize>) -> Bytes {
        self.bytes.peek_bytes(range)
    }

    fn get_bytes(&mut self, size: usize) -> Bytes {
        self.bytes.get_bytes(size)
    }

    fn try_get_bytes(&mut self, size: usize) -> Result<Bytes, NotEnoughBytesError> {
        self.varint = None;
        self.bytes.try_get_bytes(size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::messages::{MetadataRequest, OffsetFetchRequest};

    #[test]
    fn a_length_that_is_not_there_is_refused_before_room_is_made() {
        // Metadata, version 1: an array of 2^31 - 1 topics.
        assert!(decode::<MetadataRequest>(&Bytes::from_static(b"\x7f\xff\xff\xff"), 1, false).is_err());
        // Version 9: a compact one of 2^32 - 2.
        let compact = Bytes::from_static(b"\xff\xff\xff\xff\x0f\0\0\0\0");
        assert!(decode::<MetadataRequest>(&compact, 9, true).is_err());
        // One whose fifth byte says that there is a sixth.
        let compact = Bytes::from_static(b"\xff\xff\xff\xff\xff\0\0\0\0");
        assert!(decode::<MetadataRequest>(&compact, 9, true).is_err());
        // One that is in order: a topic `a`, to be made.
        let topics = decode::<MetadataRequest>(&Bytes::from_static(b"\0\0\0\x01\0\x01a\x01"), 4, false).unwrap().topics;
        assert_eq!(topics.unwrap()[0].name.as_ref().unwrap().as_str(), "a");
        // Something behind it.
        assert!(decode::<MetadataRequest>(&Bytes::from_static(b"\0\0\0\0\x01x"), 4, false).is_ok());
        // An int32 that is no length may be large: a partition of OffsetFetch.
        let large = Bytes::from_static(b"\0\x01g\0\0\0\x01\0\x01t\0\0\0\x01\x7f\xff\xff\xff");
        let request = decode::<OffsetFetchRequest>(&large, 1, false).unwrap();
        assert_eq!(request.topics.unwrap()[0].partition_indexes, [i32::MAX]);
    }
}
