//! Requests from bytes, and answers to bytes. A frame is an int32 of its size, a header and the request
//! (<https://kafka.apache.org/protocol#protocol_messages>); the size is read and written by whoever has the socket.

pub(crate) mod guard;
pub(crate) mod input;
pub(crate) mod reply;

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey, RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};

use self::guard::Malformed;
use self::reply::{Builder, Reply};

/// A request whose header has been read.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub key: ApiKey,
    pub version: i16,
    pub correlation: i32,
    pub client_id: Option<StrBytes>,
    /// What is behind the header.
    pub body: Bytes,
}

/// The frame of the answer; none for a producer that wants none.
pub(crate) type Answer = Result<Option<Reply>, Malformed>;

impl Frame {
    /// Reads the header of a frame, without its size.
    ///
    /// # Errors
    /// When there is no header that Kafka 4 could have, or no such request.
    pub(crate) fn read(bytes: &Bytes) -> Result<Frame, Malformed> {
        let mut start = bytes.clone();
        let key = start.try_get_i16().ok().and_then(|key| ApiKey::try_from(key).ok()).ok_or(Malformed)?;
        let version = start.try_get_i16().map_err(|_| Malformed)?;
        let mut rest = bytes.clone();
        let header = RequestHeader::decode(&mut rest, header_version(key, version)).map_err(|_| Malformed)?;
        Ok(Frame { key, version, correlation: header.correlation_id, client_id: header.client_id, body: rest })
    }

    /// The request itself.
    ///
    /// # Errors
    /// When it is not what its version says.
    pub(crate) fn request<T: Decodable>(&self) -> Result<T, Malformed> {
        guard::decode(&self.body, self.version, header_version(self.key, self.version) >= 2)
    }

    /// The frame of an answer, its size at its beginning.
    ///
    /// # Errors
    /// When the answer has a field that its version cannot tell, which is a fault of the broker.
    pub(crate) fn answer<T: Encodable>(&self, answer: &T) -> Result<Reply, Malformed> {
        self.answer_as(answer, self.version)
    }

    /// As [`Frame::answer`], in another version than was asked for.
    ///
    /// # Errors
    /// As [`Frame::answer`].
    pub(crate) fn answer_as<T: Encodable>(&self, answer: &T, version: i16) -> Result<Reply, Malformed> {
        let header = ResponseHeader::default().with_correlation_id(self.correlation);
        let mut out = BytesMut::with_capacity(256);
        out.extend_from_slice(&[0; 4]);
        header.encode(&mut out, self.key.response_header_version(version)).map_err(|_| Malformed)?;
        answer.encode(&mut out, version).map_err(|_| Malformed)?;
        let size = i32::try_from(out.len() - 4).map_err(|_| Malformed)?;
        if let Some(start) = out.first_chunk_mut() {
            *start = size.to_be_bytes();
        }
        Ok(out.into())
    }

    /// The beginning of an answer that is made in pieces.
    ///
    /// # Errors
    /// As [`Frame::answer`].
    pub(crate) fn begin(&self) -> Result<Builder, Malformed> {
        let header = ResponseHeader::default().with_correlation_id(self.correlation);
        let mut builder = Builder::default();
        header.encode(&mut builder.tail, self.key.response_header_version(self.version)).map_err(|_| Malformed)?;
        Ok(builder)
    }
}

/// The header's version of a request; ApiVersions has one that every broker can read, whatever its own is.
fn header_version(key: ApiKey, version: i16) -> i16 {
    match key {
        ApiKey::ApiVersions if !(0..=4).contains(&version) => 1,
        _ => key.request_header_version(version),
    }
}
