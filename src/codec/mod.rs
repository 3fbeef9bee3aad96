//! Bodies that are something else than JSON: decoded to JSON on their way in, and encoded again on their way out.
//!
//! What a body is, is typed as a chain of layers ([`chain`]). Each form goes from bytes to the text of JSON and back, with
//! nothing between: Avro by a table that is made of its schema once ([`avro`]), MessagePack and CBOR byte by byte, Protobuf by
//! the types of [`proto`](crate::proto). Schemas come from files, or from whoever implements [`Schemas`].

mod arena;
mod args;
mod avro;
mod cbor;
mod chain;
mod compression;
mod decoder;
mod encoder;
mod events;
mod failing;
mod fault;
mod framing;
mod json_schema;
mod logical;
mod missing;
mod msgpack;
mod protobuf;
pub(crate) mod schemas;
mod stage;
mod tagged;
mod text;

pub(crate) use args::{
    AsksRegistry, DecodeArgs, DecodeKeyArgs, EncodeArgs, EncodeKeyArgs, Encoding, FormArgs, MakesEvents,
    ReadEventsArgs, SchemaArgs, WriteEventsArgs, one_target,
};
pub(crate) use schemas::Schemas;
