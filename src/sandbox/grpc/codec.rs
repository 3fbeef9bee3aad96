//! Dynamic messages for tonic.

use bytes::{Buf, BufMut};
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

use crate::proto::dynamic::DynamicMessage;
use crate::proto::schema::MessageType;

/// The messages of one method, on the server's side.
#[derive(Clone)]
pub(crate) struct Dynamic {
    /// What the requests are.
    pub input: MessageType,
}

impl Codec for Dynamic {
    type Encode = DynamicMessage;
    type Decode = DynamicMessage;
    type Encoder = Dynamic;
    type Decoder = Dynamic;

    fn encoder(&mut self) -> Dynamic {
        self.clone()
    }

    fn decoder(&mut self) -> Dynamic {
        self.clone()
    }
}

impl Encoder for Dynamic {
    type Item = DynamicMessage;
    type Error = Status;

    fn encode(&mut self, message: DynamicMessage, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put_slice(&message.encode_to_vec());
        Ok(())
    }
}

impl Decoder for Dynamic {
    type Item = DynamicMessage;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<DynamicMessage>, Status> {
        let message = DynamicMessage::decode(self.input.clone(), from.copy_to_bytes(from.remaining()));
        message.map(Some).map_err(|e| Status::invalid_argument(e.to_string()))
    }
}
