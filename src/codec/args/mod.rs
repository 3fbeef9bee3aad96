//! `--decode`, `--encode`, and what belongs to them.

mod decode;
mod encode;
mod form;

pub(crate) use decode::{DecodeArgs, DecodeKeyArgs, one_target};
pub(crate) use encode::{EncodeArgs, EncodeKeyArgs, Encoding, SchemaArgs};
pub(super) use form::no_registry;
pub(crate) use form::{AsksRegistry, FormArgs};
