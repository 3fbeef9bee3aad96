//! A record batch of format 2, as it stands in a request and in a log: 61 bytes of header, and the records behind them
//! (<https://kafka.apache.org/documentation/#recordbatch>).

use bytes::Bytes;

/// Where the fields of a header are.
mod at {
    pub(super) const BASE_OFFSET: usize = 0;
    pub(super) const LENGTH: usize = 8;
    pub(super) const LEADER_EPOCH: usize = 12;
    pub(super) const MAGIC: usize = 16;
    pub(super) const CRC: usize = 17;
    pub(super) const ATTRIBUTES: usize = 21;
    pub(super) const LAST_DELTA: usize = 23;
    pub(super) const BASE_TIMESTAMP: usize = 27;
    pub(super) const MAX_TIMESTAMP: usize = 35;
    pub(super) const PRODUCER_ID: usize = 43;
    pub(super) const PRODUCER_EPOCH: usize = 51;
    pub(super) const BASE_SEQUENCE: usize = 53;
    pub(super) const COUNT: usize = 57;
}

/// Length of a header, and so of the smallest batch.
pub(crate) const HEADER: usize = 61;

/// What stands before what the length counts.
pub(crate) const OVERHEAD: usize = 12;

/// The header of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub base_offset: i64,
    pub leader_epoch: i32,
    pub attributes: i16,
    pub last_delta: i32,
    pub base_timestamp: i64,
    pub max_timestamp: i64,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub base_sequence: i32,
    pub count: i32,
}

fn read<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn write<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) {
    if let Some(place) = bytes.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
        *place = value;
    }
}

/// How long the batch at the beginning is, by what it says. None when that is not there, or cannot be.
pub(crate) fn length(bytes: &[u8]) -> Option<usize> {
    usize::try_from(i32::from_be_bytes(read(bytes, at::LENGTH)?)).ok()?.checked_add(OVERHEAD)
}

/// Which format the batch at the beginning has; the place is the same in all of them.
pub(crate) fn magic(bytes: &[u8]) -> Option<i8> {
    read(bytes, at::MAGIC).map(i8::from_be_bytes)
}

/// True when the checksum is that of what it is for.
pub(crate) fn is_whole(bytes: &[u8]) -> bool {
    let stored = read(bytes, at::CRC).map(u32::from_be_bytes);
    bytes.get(at::ATTRIBUTES..).is_some_and(|rest| stored == Some(crc32c::crc32c(rest)))
}

impl Header {
    /// Reads it; none when there is less than a header.
    pub(crate) fn read(bytes: &[u8]) -> Option<Header> {
        Some(Header {
            base_offset: i64::from_be_bytes(read(bytes, at::BASE_OFFSET)?),
            leader_epoch: i32::from_be_bytes(read(bytes, at::LEADER_EPOCH)?),
            attributes: i16::from_be_bytes(read(bytes, at::ATTRIBUTES)?),
            last_delta: i32::from_be_bytes(read(bytes, at::LAST_DELTA)?),
            base_timestamp: i64::from_be_bytes(read(bytes, at::BASE_TIMESTAMP)?),
            max_timestamp: i64::from_be_bytes(read(bytes, at::MAX_TIMESTAMP)?),
            producer_id: i64::from_be_bytes(read(bytes, at::PRODUCER_ID)?),
            producer_epoch: i16::from_be_bytes(read(bytes, at::PRODUCER_EPOCH)?),
            base_sequence: i32::from_be_bytes(read(bytes, at::BASE_SEQUENCE)?),
            count: i32::from_be_bytes(read(bytes, at::COUNT)?),
        })
    }

    /// The offset of its last record, by what it says.
    pub(crate) fn last_offset(&self) -> i64 {
        self.base_offset.saturating_add(self.last_delta.into())
    }

    /// The number of the last record in its producer's sequence, which goes on from 0 after the largest.
    pub(crate) fn last_sequence(&self) -> i32 {
        let last = i64::from(self.base_sequence) + i64::from(self.last_delta);
        i32::try_from(if last > i64::from(i32::MAX) { last - i64::from(i32::MAX) - 1 } else { last }).unwrap_or(-1)
    }

    /// Its codec: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.
    pub(crate) fn codec(&self) -> i16 {
        self.attributes & 7
    }

    pub(crate) fn is_append_time(&self) -> bool {
        self.attributes & 8 != 0
    }

    pub(crate) fn is_transactional(&self) -> bool {
        self.attributes & 16 != 0
    }

    /// True when it holds markers of transactions, and nothing of a client.
    pub(crate) fn is_control(&self) -> bool {
        self.attributes & 32 != 0
    }

    /// A whole batch, with its length and checksum.
    pub(crate) fn with_records(&self, records: &[u8]) -> Bytes {
        let mut bytes = vec![0; HEADER];
        bytes.extend_from_slice(records);
        let length = i32::try_from(bytes.len().saturating_sub(OVERHEAD)).unwrap_or(i32::MAX);
        write(&mut bytes, at::BASE_OFFSET, self.base_offset.to_be_bytes());
        write(&mut bytes, at::LENGTH, length.to_be_bytes());
        write(&mut bytes, at::LEADER_EPOCH, self.leader_epoch.to_be_bytes());
        write(&mut bytes, at::MAGIC, [2]);
        write(&mut bytes, at::ATTRIBUTES, self.attributes.to_be_bytes());
        write(&mut bytes, at::LAST_DELTA, self.last_delta.to_be_bytes());
        write(&mut bytes, at::BASE_TIMESTAMP, self.base_timestamp.to_be_bytes());
        write(&mut bytes, at::MAX_TIMESTAMP, self.max_timestamp.to_be_bytes());
        write(&mut bytes, at::PRODUCER_ID, self.producer_id.to_be_bytes());
        write(&mut bytes, at::PRODUCER_EPOCH, self.producer_epoch.to_be_bytes());
        write(&mut bytes, at::BASE_SEQUENCE, self.base_sequence.to_be_bytes());
        write(&mut bytes, at::COUNT, self.count.to_be_bytes());
        seal(&mut bytes);
        bytes.into()
    }
}

/// Writes the checksum of a batch.
fn seal(bytes: &mut [u8]) {
    let crc = bytes.get(at::ATTRIBUTES..).map(crc32c::crc32c).unwrap_or_default();
    write(bytes, at::CRC, crc.to_be_bytes());
}

/// A copy of a batch of a client as it is stored: with its place, which the checksum does not count. With a time of the broker
/// (`message.timestamp.type=LogAppendTime`) the checksum is another one.
pub(crate) fn stored(bytes: &[u8], base_offset: i64, leader_epoch: i32, append_time: Option<i64>) -> Bytes {
    let mut bytes = bytes.to_vec();
    write(&mut bytes, at::BASE_OFFSET, base_offset.to_be_bytes());
    write(&mut bytes, at::LEADER_EPOCH, leader_epoch.to_be_bytes());
    let attributes = read(&bytes, at::ATTRIBUTES).map(i16::from_be_bytes).unwrap_or_default();
    if let Some(time) = append_time {
        write(&mut bytes, at::ATTRIBUTES, (attributes | 8).to_be_bytes());
        write(&mut bytes, at::MAX_TIMESTAMP, time.to_be_bytes());
        seal(&mut bytes);
    } else if attributes & 8 != 0 {
        // Kafka takes the bit of a client away: the topic says whose time it is.
        write(&mut bytes, at::ATTRIBUTES, (attributes & !8).to_be_bytes());
        seal(&mut bytes);
    }
    bytes.into()
}
