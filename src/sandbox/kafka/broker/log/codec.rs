//! Records compressed, and as they were before. What comes out of that is bounded.

use std::io::{Read, Write};

/// Most bytes that a batch may come to.
const MOST: u64 = 64 << 20;

/// Decompresses. None for an unknown codec, broken data, or more than 64 MiB.
pub(super) fn decompress(codec: i16, bytes: &[u8]) -> Option<Vec<u8>> {
    match codec {
        1 => bounded(flate2::read::MultiGzDecoder::new(bytes)),
        2 => snappy(bytes),
        3 => bounded(lz4_flex::frame::FrameDecoder::new(bytes)),
        4 => bounded(zstd::stream::read::Decoder::new(bytes).ok()?),
        _ => None,
    }
}

/// Compresses; none for an unknown codec. Snappy is raw, which all clients read.
pub(super) fn compress(codec: i16, bytes: &[u8]) -> Option<Vec<u8>> {
    match codec {
        0 => Some(bytes.to_vec()),
        1 => {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            gzip.write_all(bytes).ok()?;
            gzip.finish().ok()
        }
        2 => snap::raw::Encoder::new().compress_vec(bytes).ok(),
        3 => {
            let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
            lz4.write_all(bytes).ok()?;
            lz4.finish().ok()
        }
        4 => zstd::stream::encode_all(bytes, 0).ok(),
        _ => None,
    }
}

fn bounded(from: impl Read) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    from.take(MOST + 1).read_to_end(&mut out).ok()?;
    (out.len() as u64 <= MOST).then_some(out)
}

/// Raw snappy, or the blocks of xerial's library, which Java's clients use: a magic number and two versions, then each block
/// behind its length.
fn snappy(bytes: &[u8]) -> Option<Vec<u8>> {
    let Some(mut rest) = bytes.strip_prefix(b"\x82SNAPPY\0").and_then(|rest| rest.get(8..)) else {
        return snappy_block(bytes, 0);
    };
    let mut out = Vec::new();
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk()?;
        let length = usize::try_from(i32::from_be_bytes(*length)).ok()?;
        out.extend(snappy_block(after.get(..length)?, out.len())?);
        rest = after.get(length..)?;
    }
    Some(out)
}

fn snappy_block(block: &[u8], before: usize) -> Option<Vec<u8>> {
    let length = snap::raw::decompress_len(block).ok()?;
    // No byte of snappy gives more than 64, so a length that is larger is a lie: no room is made for it.
    let is_possible = length / 64 <= block.len() && length.saturating_add(before) as u64 <= MOST;
    is_possible.then(|| snap::raw::Decoder::new().decompress_vec(block).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn all_codecs_are_read_and_bombs_are_not() {
        let plain = b"the same the same the same the same".repeat(50);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&plain).unwrap();
        assert_eq!(decompress(1, &gzip.finish().unwrap()).unwrap(), plain);
        let block = snap::raw::Encoder::new().compress_vec(&plain).unwrap();
        assert_eq!(decompress(2, &block).unwrap(), plain);
        let mut xerial = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec();
        for _ in 0..2 {
            xerial.extend((block.len() as u32).to_be_bytes());
            xerial.extend(&block);
        }
        assert_eq!(decompress(2, &xerial).unwrap(), plain.repeat(2));
        let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
        lz4.write_all(&plain).unwrap();
        assert_eq!(decompress(3, &lz4.finish().unwrap()).unwrap(), plain);
        let zstd = zstd::stream::encode_all(plain.as_slice(), 1).unwrap();
        assert_eq!(decompress(4, &zstd).unwrap(), plain);
        for codec in 1..=4 {
            assert_eq!(decompress(codec, &compress(codec, &plain).unwrap()).unwrap(), plain);
        }
        let bomb = zstd::stream::encode_all(std::io::repeat(0).take(MOST + 1), 1).unwrap();
        assert!(decompress(4, &bomb).is_none());
        for codec in 0..8 {
            assert!(decompress(codec, b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01\x7f\xff\xff\xff").is_none());
            assert!(decompress(codec, b"\xff\xff\xff\xff\x0f").is_none());
        }
    }
}
