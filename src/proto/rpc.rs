//! The `google.rpc` types that status details are made of, built in: servers rarely have them in their reflection.

use std::sync::LazyLock;

use bytes::Bytes;
use prost::Message;
use prost_reflect::DescriptorPool;
use protox::file::{ChainFileResolver, GoogleFileResolver};

use super::any::Resolver;
use super::dynamic::{DynamicMessage, Value};
use super::google::{self, Embedded};
use super::schema::{MessageType, Schema};
use super::{Layout, write_json};
use crate::message::json::base64;

/// Google's own files and `google.rpc`. Compiled when it is first looked at: only failed calls need it.
pub(crate) static SCHEMA: LazyLock<Schema> =
    LazyLock::new(|| Schema::new(&compile(google::RPC).unwrap_or_default(), |_| None));

/// The types of [`SCHEMA`], which is not made before one of them is asked for: most calls need none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Common;

impl Resolver for Common {
    fn message(&self, name: &str) -> Option<MessageType> {
        // Nothing else is in it.
        name.starts_with("google.").then(|| SCHEMA.message(name)).flatten()
    }
}

/// Compiles sources by name, which may import each other and Google's own files.
///
/// # Errors
/// protox's, with the place.
pub(crate) fn compile(sources: &'static [(&'static str, &'static str)]) -> Result<DescriptorPool, protox::Error> {
    let mut resolver = ChainFileResolver::new();
    resolver.add(GoogleFileResolver::new());
    resolver.add(Embedded(sources));
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    compiler.include_imports(true);
    for (name, _) in sources {
        compiler.open_file(name)?;
    }
    Ok(compiler.descriptor_pool())
}

/// The details in an encoded `google.rpc.Status`, each as JSON. What does not decode is one detail, in base64.
pub(crate) fn details(status_bytes: &[u8], layout: Layout, resolver: &dyn Resolver) -> Vec<Vec<u8>> {
    let Some(read) = &decode_status(status_bytes) else {
        let mut json = b"{\"@value\": \"".to_vec();
        base64(&mut json, status_bytes);
        json.extend_from_slice(b"\"}");
        return vec![json];
    };
    let Some(details) = read.get(3) else { return Vec::new() };
    let known = (Common, resolver);
    details
        .as_list()
        .iter()
        .filter_map(Value::as_message)
        .map(|detail| {
            let mut json = Vec::new();
            write_json(&mut json, detail, layout, &known);
            json
        })
        .collect()
}

/// The full names of types in these details that neither the resolver nor [`Common`] knows.
pub(crate) fn unresolved(status_bytes: &[u8], resolver: &dyn Resolver) -> Vec<String> {
    let read = if status_bytes.is_empty() { None } else { decode_status(status_bytes) };
    read.map(|status| super::unresolved(&status, &(Common, resolver))).unwrap_or_default()
}

fn decode_status(bytes: &[u8]) -> Option<DynamicMessage> {
    SCHEMA.message("google.rpc.Status").and_then(|of| DynamicMessage::decode(of, Bytes::copy_from_slice(bytes)).ok())
}

/// Whether these are an encoded `google.rpc.Status`.
pub(crate) fn is_status(bytes: &[u8]) -> bool {
    bytes.is_empty() || decode_status(bytes).is_some()
}

/// An encoded `google.rpc.Status`.
pub fn encode_status(code: i32, message: &str, details: Vec<prost_types::Any>) -> Vec<u8> {
    Status { code, message: message.to_owned(), details }.encode_to_vec()
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<prost_types::Any>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_types_are_all_there() {
        for name in [
            "Status",
            "ErrorInfo",
            "RetryInfo",
            "DebugInfo",
            "QuotaFailure",
            "PreconditionFailure",
            "BadRequest",
            "RequestInfo",
            "ResourceInfo",
            "Help",
            "LocalizedMessage",
        ] {
            assert!(SCHEMA.message(&format!("google.rpc.{name}")).is_some(), "{name}");
        }
    }

    #[test]
    fn details_that_do_not_decode_are_shown_all_the_same() {
        assert_eq!(details(b"\xff\xff", Layout::Compact, &*SCHEMA), [br#"{"@value": "//8="}"#.to_vec()]);
        assert!(is_status(b"") && !is_status(b"\xff\xff"));
        assert!(details(b"", Layout::Compact, &*SCHEMA).is_empty());
    }
}
