//! The bodies of a call, and messages as bytes.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::{Buf, BufMut, Bytes};
use http::HeaderMap;
use http_body::Frame;
use hyper::body::Incoming;
use tonic::Status as TonicStatus;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

use super::trace::{Event, Observer, Sizes};

/// What a body ended with.
#[derive(Debug, Default)]
pub struct Watched(Mutex<(Option<HeaderMap>, Option<hyper::Error>)>);

impl Watched {
    /// The trailers, or the error.
    pub fn end(&self) -> (Option<HeaderMap>, Option<hyper::Error>) {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Keeps trailers and errors for us; the decoder sees only data.
pub struct WatchedBody {
    pub body: Incoming,
    pub watched: Arc<Watched>,
    pub sizes: Option<Arc<Sizes>>,
}

impl http_body::Body for WatchedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(cx));
        let keep = |trailers, error| {
            *self.watched.0.lock().unwrap_or_else(PoisonError::into_inner) = (trailers, error);
            Poll::Ready(None)
        };
        match frame {
            None => Poll::Ready(None),
            Some(Err(error)) => keep(None, Some(error)),
            Some(Ok(frame)) => match frame.into_trailers() {
                Ok(trailers) => keep(Some(trailers), None),
                Err(frame) => {
                    if let (Some(sizes), Some(data)) = (&self.sizes, frame.data_ref()) {
                        sizes.wire(data);
                    }
                    Poll::Ready(Some(Ok(frame)))
                }
            },
        }
    }
}

/// The body of a request, which tells what goes out.
pub struct SentBody<B> {
    pub body: B,
    pub sizes: Arc<Sizes>,
    pub observer: Observer,
}

impl<B: http_body::Body<Data = Bytes, Error = TonicStatus> + Unpin> http_body::Body for SentBody<B> {
    type Data = Bytes;
    type Error = TonicStatus;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, TonicStatus>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(data) = frame.as_ref().and_then(|f| f.as_ref().ok()).and_then(Frame::data_ref) {
            self.sizes.wire(data);
            while let Some(size) = self.sizes.next() {
                (self.observer)(Event::Sent(size));
            }
        }
        Poll::Ready(frame)
    }
}

/// Messages as bytes: what is in them is not the wire's matter.
#[derive(Debug, Clone, Copy)]
pub struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Raw;
    type Decoder = Raw;

    fn encoder(&mut self) -> Raw {
        Raw
    }

    fn decoder(&mut self) -> Raw {
        Raw
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = TonicStatus;

    fn encode(&mut self, message: Bytes, into: &mut EncodeBuf<'_>) -> Result<(), TonicStatus> {
        into.put(message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = TonicStatus;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, TonicStatus> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}
