//! Avro: bytes to JSON and back, by the schema that they were written with.
//!
//! Both walk a table of types, from bytes to text and from text to bytes, with no value between them. No crate is under this:
//! those that read Avro give values (a tree, or what serde knows), in which a decimal is no exact text any more, and a union
//! has lost its branch.

mod decode;
mod encode;
mod schema;
#[cfg(test)]
mod tests;

pub(crate) use schema::Avro;

/// How Avro is written as JSON.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum AvroJson {
    /// Without the names of branches; decimals as exact text, dates and times in ISO 8601
    #[default]
    Plain,
    /// As the specification has it, and Kafka's Avro console tools
    Canonical,
}
