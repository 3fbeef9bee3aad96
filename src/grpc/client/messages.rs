//! The messages in the body of a response: cut apart, unpacked, and within their limit.
//!
//! tonic's decoder reads the first member of a gzip alone, takes no notice of what follows a compressed stream, and lets one
//! that is cut short pass for whole.

use std::io::Read;
use std::pin::Pin;

use bytes::{Buf, Bytes, BytesMut};
use flate2::{Decompress, FlushDecompress, Status as Flate};
use http::HeaderMap;
use http_body::Body as _;
use hyper::body::Incoming;

use super::trace::{MessageSize, Observer, WireEvent};
use crate::grpc::settings::Compression;

/// A flag, and the length in four bytes (gRPC over HTTP2, "Length-Prefixed-Message").
const PREFIX: usize = 5;

/// How a response says that its messages are compressed.
#[derive(Debug, Clone)]
pub(crate) enum Encoding {
    /// Not at all.
    Identity,
    /// So.
    Known(Compression),
    /// In a way that it was not told to. It does no harm while no message makes use of it.
    Unknown(String),
}

impl Encoding {
    /// What the head of a response says.
    pub(crate) fn of(headers: &HeaderMap) -> Encoding {
        let name = headers.get("grpc-encoding").map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned());
        let Some(name) = name.filter(|name| !name.is_empty() && name != "identity") else { return Encoding::Identity };
        match Compression::ALL.into_iter().find(|c| c.name() == name) {
            Some(compression) => Encoding::Known(compression),
            None => Encoding::Unknown(name),
        }
    }
}

/// What is wrong with a message.
#[derive(Debug)]
pub(crate) enum BadMessage {
    /// It is over the limit.
    Large,
    /// It is compressed in a way that is not known.
    Encoding(String),
    /// Anything else, as a sentence.
    Broken(String),
}

/// What comes next in a body.
#[derive(Debug)]
pub(crate) enum NextMessage {
    /// A message.
    Message(Bytes),
    /// The end, with the trailers, and what was wrong with the last message, if it was cut off.
    End(Option<HeaderMap>, Option<BadMessage>),
    /// A message that cannot be read. Nothing behind it can be.
    Bad(BadMessage),
    /// The stream or the connection broke.
    Lost(hyper::Error),
}

/// The messages of a response.
pub(crate) struct Messages {
    body: Incoming,
    encoding: Encoding,
    /// In bytes, compressed or not.
    limit: usize,
    /// What came and was not cut yet: a message that is all in it needs no copy.
    chunk: Bytes,
    /// The beginning of a message that came in several chunks.
    begun: BytesMut,
    count: u64,
    observer: Option<Observer>,
}

impl Messages {
    /// Nothing is read yet.
    pub(crate) fn new(body: Incoming, encoding: Encoding, limit: usize, observer: Option<Observer>) -> Messages {
        Messages { body, encoding, limit, chunk: Bytes::new(), begun: BytesMut::new(), count: 0, observer }
    }

    /// The next message, or the end. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> NextMessage {
        loop {
            match self.cut() {
                Err(bad) => return NextMessage::Bad(bad),
                Ok(Some((is_packed, bytes))) => {
                    return match self.unpacked(is_packed, bytes) {
                        Ok(message) => NextMessage::Message(message),
                        Err(bad) => NextMessage::Bad(bad),
                    };
                }
                Ok(None) => {}
            }
            let frame = std::future::poll_fn(|cx| Pin::new(&mut self.body).poll_frame(cx)).await;
            match frame.map(|frame| frame.map(http_body::Frame::into_data)) {
                Some(Ok(Ok(data))) => self.chunk = data,
                Some(Ok(Err(frame))) => return NextMessage::End(frame.into_trailers().ok(), self.rest()),
                Some(Err(cause)) => return NextMessage::Lost(cause),
                None => return NextMessage::End(None, self.rest()),
            }
        }
    }

    /// The next message as it is on the wire, and whether it is compressed, once all of it is here. What is here of it is
    /// kept otherwise.
    fn cut(&mut self) -> Result<Option<(bool, Bytes)>, BadMessage> {
        if self.begun.is_empty() {
            let Some((is_packed, length)) = self.prefix(&self.chunk)? else { return Ok(self.keep()) };
            if self.chunk.len() - PREFIX < length {
                return Ok(self.keep());
            }
            self.chunk.advance(PREFIX);
            return Ok(Some((is_packed, self.chunk.split_to(length))));
        }
        self.fill(PREFIX);
        let Some((is_packed, length)) = self.prefix(&self.begun)? else { return Ok(None) };
        self.fill(PREFIX + length);
        if self.begun.len() - PREFIX < length {
            return Ok(None);
        }
        let message = std::mem::take(&mut self.begun).freeze();
        Ok(Some((is_packed, message.slice(PREFIX..))))
    }

    fn prefix(&self, bytes: &[u8]) -> Result<Option<(bool, usize)>, BadMessage> {
        let [flag, a, b, c, d, ..] = *bytes else { return Ok(None) };
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        match flag {
            0 | 1 if length > self.limit => Err(BadMessage::Large),
            0 | 1 => Ok(Some((flag == 1, length))),
            _ => Err(BadMessage::Broken(format!("it begins with the flag {flag}, and there are 0 and 1"))),
        }
    }

    /// Puts what is left of the chunk aside.
    fn keep(&mut self) -> Option<(bool, Bytes)> {
        self.begun = BytesMut::from(&std::mem::take(&mut self.chunk)[..]);
        None
    }

    /// Goes on with a message up to this length, as far as the chunk has it.
    fn fill(&mut self, length: usize) {
        let missing = length.saturating_sub(self.begun.len()).min(self.chunk.len());
        // Not ahead of what came: a length is easily said.
        self.begun.extend_from_slice(&self.chunk.split_to(missing));
    }

    /// What is wrong when the body ends here.
    fn rest(&self) -> Option<BadMessage> {
        (!self.begun.is_empty()).then(|| BadMessage::Broken("it is cut off".to_owned()))
    }

    fn unpacked(&mut self, is_packed: bool, bytes: Bytes) -> Result<Bytes, BadMessage> {
        let size = bytes.len();
        let message = match (is_packed, &self.encoding) {
            (false, _) => bytes,
            (true, Encoding::Known(compression)) => unpack(&bytes, *compression, self.limit)?.into(),
            (true, Encoding::Unknown(name)) => return Err(BadMessage::Encoding(name.clone())),
            (true, Encoding::Identity) => {
                let text = "it is compressed, and the head of the response does not say how";
                return Err(BadMessage::Broken(text.to_owned()));
            }
        };
        self.count += 1;
        if let Some(observer) = &self.observer {
            let size = MessageSize { number: self.count, plain: message.len(), compressed: is_packed.then_some(size) };
            observer(WireEvent::Received(size));
        }
        Ok(message)
    }
}

/// All that is packed in a message: every member of a gzip (RFC 1952, section 2.2) and every frame of a zstd (RFC 8878,
/// section 3), and nothing behind them, as grpc-go has it.
fn unpack(packed: &[u8], compression: Compression, limit: usize) -> Result<Vec<u8>, BadMessage> {
    let broken = |e: std::io::Error| BadMessage::Broken(format!("it is no {}: {e}", compression.name()));
    // One more than the limit tells.
    let all = |reader: &mut dyn Read| {
        let mut out = Vec::with_capacity(packed.len().saturating_mul(2).min(limit));
        match reader.take(limit as u64 + 1).read_to_end(&mut out).map_err(broken)? {
            length if length > limit => Err(BadMessage::Large),
            _ => Ok(out),
        }
    };
    match compression {
        Compression::Gzip => all(&mut flate2::bufread::MultiGzDecoder::new(packed)),
        Compression::Zstd => all(&mut zstd::stream::read::Decoder::with_buffer(packed).map_err(broken)?),
        Compression::Deflate => inflate(packed, limit),
    }
}

/// A zlib stream. flate2's reader takes one that is cut short for a whole one, so it is asked step by step.
fn inflate(packed: &[u8], limit: usize) -> Result<Vec<u8>, BadMessage> {
    let broken = |what: &str| BadMessage::Broken(format!("it is no {}: {what}", Compression::Deflate.name()));
    let mut inflater = Decompress::new(true);
    let mut out = Vec::with_capacity(packed.len().saturating_mul(2).clamp(64, limit.saturating_add(1).max(64)));
    loop {
        let (read, written) = (inflater.total_in(), out.len());
        let rest = packed.get(read as usize..).unwrap_or_default();
        let done =
            inflater.decompress_vec(rest, &mut out, FlushDecompress::None).map_err(|e| broken(&e.to_string()))?;
        if out.len() > limit {
            return Err(BadMessage::Large);
        }
        match done {
            Flate::StreamEnd if inflater.total_in() == packed.len() as u64 => return Ok(out),
            Flate::StreamEnd => return Err(broken("something follows it")),
            Flate::Ok | Flate::BufError if out.len() == out.capacity() => {
                // As much again, and at most one byte over the limit.
                out.reserve_exact(out.len().min(limit.saturating_sub(out.len()).saturating_add(1)));
            }
            Flate::Ok | Flate::BufError if inflater.total_in() == read && out.len() == written => {
                return Err(broken("it is cut off"));
            }
            Flate::Ok | Flate::BufError => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression as Level;
    use flate2::write::{GzEncoder, ZlibEncoder};

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Level::default());
        encoder.write_all(text).expect("packs");
        encoder.finish().expect("packs")
    }

    fn zlib(text: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Level::default());
        encoder.write_all(text).expect("packs");
        encoder.finish().expect("packs")
    }

    fn zstd(text: &[u8]) -> Vec<u8> {
        zstd::encode_all(text, 0).expect("packs")
    }

    #[test]
    fn all_of_it_and_nothing_more() {
        let text = "all of it ".repeat(1000).into_bytes();
        let twice = [&text[..], &text].concat();
        for (compression, pack) in
            [(Compression::Gzip, gzip as fn(&[u8]) -> Vec<u8>), (Compression::Deflate, zlib), (Compression::Zstd, zstd)]
        {
            let packed = pack(&text);
            assert_eq!(unpack(&packed, compression, text.len()).expect("unpacks"), text, "{compression:?}");
            assert_eq!(unpack(&pack(b""), compression, 0).expect("unpacks"), b"", "{compression:?}");
            assert!(matches!(unpack(&packed, compression, text.len() - 1), Err(BadMessage::Large)), "{compression:?}");
            for cut in [0, 1, packed.len() / 2, packed.len() - 1] {
                assert!(matches!(unpack(&packed[..cut], compression, 1 << 20), Err(BadMessage::Broken(_))), "{cut}");
            }
            for behind in [&b"\0"[..], b"behind it", b"\x1f\x8b"] {
                let packed = [&packed, behind].concat();
                assert!(matches!(unpack(&packed, compression, 1 << 20), Err(BadMessage::Broken(_))), "{compression:?}");
            }
            let several = unpack(&[&packed[..], &packed].concat(), compression, 1 << 20);
            match compression {
                Compression::Deflate => assert!(matches!(several, Err(BadMessage::Broken(_)))),
                _ => assert_eq!(several.expect("unpacks"), twice, "{compression:?}"),
            }
        }
    }
}
