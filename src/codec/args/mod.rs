//! `--decode`, `--encode`, and what belongs to them.

mod both;
mod decode;
mod encode;
mod events;
mod form;

pub(crate) use decode::{DecodeArgs, DecodeKeyArgs, one_target};
pub(crate) use encode::{EncodeArgs, EncodeKeyArgs, Encoding, SchemaArgs};
pub(crate) use events::{MakesEvents, ReadEventsArgs, WriteEventsArgs};
pub(crate) use form::{AsksRegistry, FormArgs};
