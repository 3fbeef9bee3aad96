//! The body of a request, and messages as bytes.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{BufMut, Bytes};
use http_body::Frame;
use tonic::Status as TonicStatus;
use tonic::codec::{EncodeBuf, Encoder};

use super::trace::{Observer, Sizes, WireEvent};

/// The body of a request, which tells what goes out.
pub(crate) struct SentBody<B> {
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
                (self.observer)(WireEvent::Sent(size));
            }
        }
        Poll::Ready(frame)
    }
}

/// Messages as bytes: what is in them is not the wire's matter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Raw;

impl Encoder for Raw {
    type Item = Bytes;
    type Error = TonicStatus;

    fn encode(&mut self, message: Bytes, into: &mut EncodeBuf<'_>) -> Result<(), TonicStatus> {
        into.put(message);
        Ok(())
    }
}
