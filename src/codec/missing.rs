//! What is told of a schema that nobody has.

use crate::error::Error;

/// A schema has to come from a registry, and there is none.
pub(super) fn no_registry(flag: &str) -> Error {
    Error::usage(format!("{flag} asks for schemas of a registry, and here is none"))
        .hint("Kafka's topics have one; name the schema as avro:FILE or proto:TYPE")
}
