//! Protobuf without a network: descriptors from untrusted bytes, JSON in and out, and schemas as source.

mod any;
pub(crate) mod disk;
pub(crate) mod dynamic;
mod edition;
mod example;
mod fault;
mod files;
mod google;
mod json;
mod names;
pub(crate) mod rpc;
#[cfg(test)]
mod samples;
pub(crate) mod schema;
mod source;
pub(crate) mod template;
mod text;

#[cfg(feature = "sandbox")]
pub(crate) use any::type_name;
pub(crate) use any::{Resolver, unresolved};
pub(crate) use example::example;
pub(crate) use fault::Bad;
pub use fault::Fault;
pub use files::Files;
pub(crate) use files::{Linked, is_same_file};
pub(crate) use json::{JsonStyle, Lexer, Token, check_json, whole};
pub use json::{Layout, ReadOptions, read_json, write_json};
pub(crate) use source::{Element, file_source, find};
pub use text::read_text;
pub(crate) use text::write_text;
