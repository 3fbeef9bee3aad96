//! Compressed bodies.

use std::io::{Read, Write};

use super::fault::{Fault, MAX_SIZE};

/// How bytes are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    /// gzip, with any number of members.
    Gzip,
    /// Zstandard.
    Zstd,
    /// Snappy: a raw block; framed, and as Java's xerial frames it, only to read.
    Snappy,
    /// LZ4 in frames.
    Lz4,
}

/// What Java's Snappy begins with: a name, and two versions.
const XERIAL: &[u8] = b"\x82SNAPPY\0";

/// What Snappy in frames begins with.
const FRAMED: &[u8] = b"\xff\x06\x00\x00sNaPpY";

impl Compression {
    /// All of them.
    pub(crate) const ALL: [Compression; 4] =
        [Compression::Gzip, Compression::Zstd, Compression::Snappy, Compression::Lz4];

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Compression::Gzip => "gzip",
            Compression::Zstd => "zstd",
            Compression::Snappy => "snappy",
            Compression::Lz4 => "lz4",
        }
    }

    /// What was compressed, in place of what stands in `out`.
    ///
    /// # Errors
    /// It is none of this kind, or larger than [`MAX_SIZE`].
    pub(crate) fn unpack(self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        out.clear();
        let no = |error: &dyn std::fmt::Display| Fault::new(format!("it is no {}: {error}", self.name()));
        match self {
            Compression::Gzip => within(flate2::read::MultiGzDecoder::new(bytes), out).map_err(|e| no(&e))?,
            Compression::Zstd => {
                let reader = zstd::stream::read::Decoder::with_buffer(bytes).map_err(|e| no(&e))?;
                within(reader, out).map_err(|e| no(&e))?;
            }
            Compression::Snappy if bytes.starts_with(XERIAL) => xerial(bytes, out)?,
            Compression::Snappy if bytes.starts_with(FRAMED) => {
                within(snap::read::FrameDecoder::new(bytes), out).map_err(|e| no(&e))?;
            }
            Compression::Snappy => block(bytes, out)?,
            // Its reader takes an end for one, wherever it comes.
            Compression::Lz4 if !has_end_mark(bytes) => return Err(Fault::new("it is no lz4: it has no end")),
            Compression::Lz4 => within(lz4_flex::frame::FrameDecoder::new(bytes), out).map_err(|e| no(&e))?,
        }
        // An empty input of lz4 and gzip is one to its reader.
        match (bytes.is_empty(), out.len() > MAX_SIZE) {
            (true, _) => Err(no(&"it is empty")),
            (_, true) => Err(Fault::new(format!("what {} holds is larger than 64 MiB", self.name()))),
            _ => Ok(()),
        }
    }

    /// Compresses, in place of what stands in `out`.
    ///
    /// # Errors
    /// A sentence.
    pub(crate) fn pack(self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        out.clear();
        let failed = |error: &dyn std::fmt::Display| format!("{} failed: {error}", self.name());
        match self {
            Compression::Gzip => {
                let mut writer = flate2::write::GzEncoder::new(&mut *out, flate2::Compression::default());
                writer.write_all(bytes).and_then(|()| writer.finish().map(drop)).map_err(|e| failed(&e))
            }
            Compression::Zstd => zstd::stream::copy_encode(bytes, &mut *out, 0).map_err(|e| failed(&e)),
            Compression::Snappy => {
                *out = snap::raw::Encoder::new().compress_vec(bytes).map_err(|e| failed(&e))?;
                Ok(())
            }
            Compression::Lz4 => {
                let mut writer = lz4_flex::frame::FrameEncoder::new(&mut *out);
                writer.write_all(bytes).map_err(|e| failed(&e))?;
                writer.finish().map(drop).map_err(|e| failed(&e))
            }
        }
    }
}

/// Whether a frame of LZ4 stands there to its end: a block without length, and a checksum if the frame says so.
fn has_end_mark(bytes: &[u8]) -> bool {
    let has_checksum = bytes.get(4).is_some_and(|flags| flags & 4 != 0);
    let end = bytes.len().saturating_sub(if has_checksum { 4 } else { 0 });
    end >= 11 && bytes.get(end - 4..end) == Some(&[0; 4])
}

/// Reads on, to just above the most that is taken.
fn within(reader: impl Read, out: &mut Vec<u8>) -> std::io::Result<()> {
    reader.take(MAX_SIZE as u64 + 1).read_to_end(out).map(drop)
}

/// Appends what a raw block holds.
fn block(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    let no = |error: snap::Error| Fault::new(format!("it is no snappy: {error}"));
    let size = snap::raw::decompress_len(bytes).map_err(no)?;
    let from = out.len();
    if size > MAX_SIZE - from.min(MAX_SIZE) {
        return Err(Fault::new("what snappy holds is larger than 64 MiB"));
    }
    // No block can be larger than some 64 times its bytes: what is announced is not believed before.
    if size / 64 > bytes.len() {
        return Err(Fault::new("it is no snappy: its length is none"));
    }
    out.resize(from + size, 0);
    let written = snap::raw::Decoder::new().decompress(bytes, out.get_mut(from..).unwrap_or_default()).map_err(no)?;
    out.truncate(from + written);
    Ok(())
}

/// Blocks, each behind its length in 4 bytes, behind a head of 16.
fn xerial(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    let mut rest = bytes.get(16..).ok_or_else(Fault::cut_off)?;
    while let Some((length, behind)) = rest.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| Fault::cut_off())?;
        let (one, behind) = behind.split_at_checked(length).ok_or_else(Fault::cut_off)?;
        block(one, out)?;
        rest = behind;
    }
    if rest.is_empty() { Ok(()) } else { Err(Fault::cut_off()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpacked(of: Compression, bytes: &[u8]) -> Result<Vec<u8>, String> {
        let mut out = b"old".to_vec();
        of.unpack(bytes, &mut out).map_err(|fault| fault.to_string())?;
        Ok(out)
    }

    #[test]
    fn there_and_back_and_cut_off() {
        for of in Compression::ALL {
            for text in [b"".as_slice(), b"a", &[7; 100_000]] {
                let mut packed = b"old".to_vec();
                of.pack(text, &mut packed).expect("packs");
                assert_eq!(unpacked(of, &packed).as_deref(), Ok(text), "{of:?}");
                assert!(unpacked(of, &packed[..packed.len() / 2]).is_err(), "{of:?}");
            }
            for odd in [b"".as_slice(), b"{\"a\":1}", &[0xff; 64], XERIAL, FRAMED] {
                assert!(unpacked(of, odd).is_err() || of == Compression::Snappy, "{of:?} {odd:x?}");
            }
        }
    }

    #[test]
    fn the_frames_of_snappy() {
        let block = |text: &[u8]| snap::raw::Encoder::new().compress_vec(text).expect("packs");
        let mut framed = [XERIAL, &[0, 0, 0, 1, 0, 0, 0, 1]].concat();
        for part in [b"one".as_slice(), b"two"] {
            let part = block(part);
            framed.extend((part.len() as u32).to_be_bytes());
            framed.extend(part);
        }
        assert_eq!(unpacked(Compression::Snappy, &framed).as_deref(), Ok(b"onetwo".as_slice()));
        assert!(unpacked(Compression::Snappy, &framed[..framed.len() - 1]).is_err());
        let mut writer = snap::write::FrameEncoder::new(Vec::new());
        writer.write_all(b"text").expect("writes");
        let framed = writer.into_inner().expect("ends");
        assert_eq!(unpacked(Compression::Snappy, &framed).as_deref(), Ok(b"text".as_slice()));
    }

    #[test]
    fn a_bomb_ends_at_its_bound() {
        let large = vec![0; MAX_SIZE + 1];
        for of in Compression::ALL {
            let mut packed = Vec::new();
            of.pack(&large, &mut packed).expect("packs");
            assert!(unpacked(of, &packed).is_err_and(|why| why.contains("larger than 64 MiB")), "{of:?}");
        }
        // A block of snappy that says it is much larger than it can be.
        assert!(unpacked(Compression::Snappy, b"\xff\xff\xff\x1f\x00a").is_err());
    }
}
