//! Protobuf without a network: descriptors from untrusted bytes, JSON in and out, and schemas as source.

mod any;
pub mod disk;
pub mod dynamic;
mod edition;
mod example;
mod fault;
mod files;
mod google;
mod json;
mod names;
pub mod rpc;
#[cfg(test)]
mod samples;
pub mod schema;
mod source;
pub mod template;
mod text;

#[cfg(feature = "sandbox")]
pub use any::type_name;
pub use any::{Resolver, unresolved};
pub use example::example;
pub use fault::Fault;
pub use files::{Files, Linked, is_same_file};
pub use json::{JsonStyle, Layout, ReadOptions, check_json, read_json, write_json};
pub use source::{Element, file_source, find};
pub use text::{read_text, write_text};
