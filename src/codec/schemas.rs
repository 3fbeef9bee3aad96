//! What the codecs ask of a schema registry.

use std::sync::Arc;

use crate::error::Result;

/// The language of a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SchemaKind {
    /// Apache Avro.
    Avro,
    /// Protocol Buffers.
    Protobuf,
    /// JSON Schema.
    Json,
}

/// What a message says of its schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum SchemaId {
    /// Confluent's number (magic byte 0).
    Number(u32),
    /// Confluent's globally unique id (magic byte 1).
    Guid([u8; 16]),
}

/// A schema as a registry keeps it, with all that it refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Schema {
    /// Its number, where it is known.
    pub id: Option<u32>,
    /// The subject that it was found by, where the registry tells.
    pub subject: Option<String>,
    /// The version in that subject.
    pub version: Option<u32>,
    /// Its language.
    pub kind: SchemaKind,
    /// Its text.
    pub text: String,
    /// What it refers to, in the registry's order.
    pub references: Vec<Reference>,
}

/// A schema by the name that another one refers to it with: a full name in Avro, a path in Protobuf, a URI in JSON Schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    /// The name.
    pub name: String,
    /// The schema.
    pub schema: Arc<Schema>,
}

/// Where schemas come from. All of it blocks, within the limits of who made it, and is to be called from where that is allowed;
/// what was found is kept, so that nothing is fetched twice.
pub(crate) trait Schemas: Send + Sync {
    /// The schema that a message names.
    ///
    /// # Errors
    /// The connection's; `Kind::Refused` for one that is not there.
    fn by_id(&self, id: SchemaId) -> Result<Arc<Schema>>;

    /// A version of a subject, the latest if none is given.
    ///
    /// # Errors
    /// As [`Schemas::by_id`].
    fn version(&self, subject: &str, version: Option<u32>) -> Result<Arc<Schema>>;

    /// The schema with this text in the subject, if it is registered there.
    ///
    /// # Errors
    /// As [`Schemas::by_id`].
    fn find(&self, subject: &str, schema: &Schema) -> Result<Option<Arc<Schema>>>;

    /// Registers a schema in a subject, and gives it back as the registry has it.
    ///
    /// # Errors
    /// As [`Schemas::by_id`]; it is not compatible with the versions before.
    fn register(&self, subject: &str, schema: &Schema) -> Result<Arc<Schema>>;
}
