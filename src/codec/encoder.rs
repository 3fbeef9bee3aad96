//! JSON to bytes of one form.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use super::avro::{Avro, AvroJson};
use super::chain::{Chain, Form};
use super::compression::Compression;
use super::decoder::{With, avro_in, write_json};
use super::json_schema::JsonSchema;
use super::protobuf::{self, Protobuf};
use super::schemas::{Schema, SchemaKind, Schemas};
use super::{cbor, framing, msgpack};
use crate::error::{Error, Kind, Result};
use crate::message::SchemaName;
use crate::proto::schema::MessageType;

/// Why a value is not encoded.
pub(super) enum Trouble {
    /// It is not what it has to be.
    Bad(String),
    /// Whatever it is: the registry gives no answer, or has no such schema.
    Over(Error),
}

impl From<String> for Trouble {
    fn from(why: String) -> Trouble {
        Trouble::Bad(why)
    }
}

/// What lies below the compression.
enum Ready {
    Registry(Registry),
    Avro(Box<Avro>),
    Proto(MessageType),
    MsgPack,
    Cbor,
    Json,
    Bytes,
}

/// Schemas of a registry.
struct Registry {
    kind: SchemaKind,
    /// The message of a file of Protobuf.
    message: Option<String>,
    schemas: Arc<dyn Schemas>,
    which: Which,
    /// The one that all have.
    one: RefCell<Option<Rc<Target>>>,
    /// Those that messages name.
    named: RefCell<HashMap<u32, Rc<Target>>>,
}

/// Which schema a value is written with.
#[derive(Debug, Clone)]
pub(super) enum Which {
    /// The one with this id.
    Id(u32),
    /// The latest of this subject.
    Subject(String),
    /// The one with this text, in this subject or in one that its name makes; registered there if that was asked for.
    Text {
        /// Where the text is from.
        shown: String,
        /// The text.
        text: String,
        /// The subject.
        subject: Place,
        /// It may be registered.
        register: bool,
    },
    /// The one that its message names, else the latest of this subject.
    OfMessage(String),
}

/// In which subject a schema stands.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// This one.
    Named(String),
    /// One of the schema's own name, behind this.
    OfName(String),
}

/// A schema that values are written with.
struct Target {
    id: u32,
    of: Codec,
}

enum Codec {
    Avro(Avro),
    Protobuf(MessageType, Vec<u32>),
    Json(JsonSchema),
}

/// Encodes to one form.
pub(super) struct Encoder {
    packed: Vec<Compression>,
    ready: Ready,
    form: AvroJson,
    out: RefCell<[Vec<u8>; 2]>,
}

impl Encoder {
    /// To this form; `which` says by which schema of a registry.
    ///
    /// # Errors
    /// `Kind::Usage`: a schema is none, or what is asked for is no form to write. `Kind::Io`: a file cannot be read.
    pub(super) fn new(chain: &Chain, with: With<'_>, which: Which) -> Result<Encoder> {
        let ready = match &chain.form {
            Form::Auto => {
                return Err(Error::usage("auto says nothing about how bodies are written")
                    .hint("name the form, as --encode avro or --encode msgpack"));
            }
            Form::Registry(kind, message) => Ready::Registry(Registry {
                kind: *kind,
                message: message.clone(),
                schemas: with.schemas.cloned().ok_or_else(|| super::missing::no_registry("--encode"))?,
                which,
                one: RefCell::default(),
                named: RefCell::default(),
            }),
            Form::Avro(path) => Ready::Avro(Box::new(avro_in(path)?)),
            Form::Proto(name) => Ready::Proto(with.files.message(name)?),
            Form::MsgPack => Ready::MsgPack,
            Form::Cbor => Ready::Cbor,
            Form::Json => Ready::Json,
            Form::Bytes => Ready::Bytes,
        };
        Ok(Encoder { packed: chain.packed.clone(), ready, form: with.form, out: RefCell::default() })
    }

    /// Looks the schema up that all have; blocks.
    ///
    /// # Errors
    /// The registry's; `Kind::Refused`: it is not there. `Kind::Usage`: it is none.
    pub(super) fn look_up(&self) -> Result<()> {
        match &self.ready {
            Ready::Registry(registry) if !matches!(registry.which, Which::OfMessage(_)) => registry.one().map(drop),
            _ => Ok(()),
        }
    }

    /// Whether a body is JSON to it, and not bytes.
    pub(super) fn reads_json(&self) -> bool {
        !matches!(self.ready, Ready::Bytes)
    }

    /// Gives the bytes of a value to `keep`.
    ///
    /// # Errors
    /// See [`Trouble`].
    pub(super) fn encode<T>(
        &self,
        value: &[u8],
        schema: Option<&SchemaName>,
        keep: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, Trouble> {
        let mut buffers = self.out.borrow_mut();
        let [out, spare] = &mut *buffers;
        out.clear();
        let in_text = |bad: crate::proto::Bad| bad.in_text(value).message;
        match &self.ready {
            Ready::Registry(registry) => registry.encode(value, schema, self.form, out)?,
            Ready::Avro(avro) => avro.encode(value, self.form, out).map_err(in_text)?,
            Ready::Proto(of) => protobuf::encode(of, value, out)?,
            Ready::MsgPack => msgpack::encode(value, out).map_err(in_text)?,
            Ready::Cbor => cbor::encode(value, out).map_err(in_text)?,
            Ready::Json => write_json(value, out).map_err(|fault| fault.to_string())?,
            Ready::Bytes => out.extend_from_slice(value),
        }
        for layer in self.packed.iter().rev() {
            layer.pack(out, spare)?;
            std::mem::swap(out, spare);
        }
        Ok(keep(out))
    }
}

impl Registry {
    fn encode(
        &self,
        value: &[u8],
        schema: Option<&SchemaName>,
        form: AvroJson,
        out: &mut Vec<u8>,
    ) -> Result<(), Trouble> {
        let target = match (&self.which, schema) {
            (Which::OfMessage(_), Some(SchemaName { kind, id: Some(id), subject, message, .. }))
                if kind == self.kind.name() =>
            {
                self.named(*id, subject.as_deref(), message.as_deref()).map_err(Trouble::Over)?
            }
            _ => self.one().map_err(Trouble::Over)?,
        };
        let in_text = |bad: crate::proto::Bad| bad.in_text(value).message;
        match &target.of {
            Codec::Avro(avro) => {
                framing::write(out, target.id, SchemaKind::Avro, &[]);
                avro.encode(value, form, out).map_err(in_text)?;
            }
            Codec::Protobuf(of, place) => {
                framing::write(out, target.id, SchemaKind::Protobuf, place);
                protobuf::encode(of, value, out)?;
            }
            Codec::Json(schema) => {
                framing::write(out, target.id, SchemaKind::Json, &[]);
                schema.check(value)?;
                write_json(value, out).map_err(|fault| fault.to_string())?;
            }
        }
        Ok(())
    }

    fn one(&self) -> Result<Rc<Target>> {
        if let Some(one) = self.one.borrow().as_ref() {
            return Ok(one.clone());
        }
        let schema = match &self.which {
            Which::Id(id) => self.schemas.by_id(super::schemas::SchemaId::Number(*id))?,
            Which::Subject(subject) => self.schemas.version(subject, None)?,
            Which::OfMessage(subject) => self.schemas.version(subject, None).map_err(|error| match error.kind() {
                Kind::Refused => error.hint(
                    "name the schema with --subject, --schema-id or --schema FILE (with --register it is registered)",
                ),
                _ => error,
            })?,
            Which::Text { shown, text, subject, register } => self.registered(shown, text, subject, *register)?,
        };
        let one = Rc::new(self.target(&schema, self.message.as_deref())?);
        *self.one.borrow_mut() = Some(one.clone());
        Ok(one)
    }

    /// The schema that a message names, which has to be the one of that subject here, too.
    fn named(&self, id: u32, subject: Option<&str>, message: Option<&str>) -> Result<Rc<Target>> {
        if let Some(named) = self.named.borrow().get(&id) {
            return Ok(named.clone());
        }
        let schema = self.schemas.by_id(super::schemas::SchemaId::Number(id))?;
        if let (Some(theirs), Some(ours)) = (subject, &schema.subject)
            && theirs != ours
        {
            return Err(Error::usage(format!(
                "the message was decoded by schema {id} of `{theirs}`, and in this registry that is one of `{ours}`"
            ))
            .hint("it comes from another registry: name the schema with --subject, --schema-id or --schema FILE"));
        }
        let named = Rc::new(self.target(&schema, self.message.as_deref().or(message))?);
        self.named.borrow_mut().insert(id, named.clone());
        Ok(named)
    }

    fn registered(&self, shown: &str, text: &str, subject: &Place, register: bool) -> Result<Arc<Schema>> {
        let schema = Schema {
            id: None,
            subject: None,
            version: None,
            kind: self.kind,
            text: text.to_owned(),
            references: Vec::new(),
        };
        let subject = match subject {
            Place::Named(subject) => subject.clone(),
            Place::OfName(before) => {
                let name = self.name_of(&schema).map_err(|why| Error::usage(format!("{shown}: {why}")))?;
                format!("{before}{name}")
            }
        };
        // What is no schema is not sent to anybody.
        self.codec(&schema, self.message.as_deref()).map_err(|why| Error::usage(format!("{shown}: {why}")))?;
        if let Some(found) = self.schemas.find(&subject, &schema)? {
            return Ok(found);
        }
        if register {
            return self.schemas.register(&subject, &schema);
        }
        Err(Error::refused(format!("the schema in {shown} is not registered in the subject `{subject}`"))
            .hint("add --register to register it, or choose a registered one with --subject or --schema-id"))
    }

    /// The name of what a schema describes.
    fn name_of(&self, schema: &Schema) -> Result<String, String> {
        let none =
            || "what it describes has no name, of which the subject is made; name that with --subject".to_owned();
        match self.kind {
            SchemaKind::Avro => Avro::of(schema)?.name().map(str::to_owned).ok_or_else(none),
            SchemaKind::Protobuf => {
                let (of, _) = Protobuf::of(schema)?.named(self.message.as_deref())?;
                Ok(of.full_name().to_owned())
            }
            SchemaKind::Json => JsonSchema::of(schema)?.title.ok_or_else(none),
        }
    }

    fn target(&self, schema: &Schema, message: Option<&str>) -> Result<Target> {
        let shown = || match (&schema.subject, schema.id) {
            (Some(subject), _) => format!("the schema of `{subject}`"),
            (None, Some(id)) => format!("schema {id}"),
            (None, None) => "the schema".to_owned(),
        };
        if schema.kind != self.kind {
            return Err(Error::usage(format!("{} is {}, and not {}", shown(), schema.kind.name(), self.kind.name()))
                .hint(format!("write --encode {}, or choose another schema", schema.kind.name())));
        }
        let id = schema.id.ok_or_else(|| Error::refused(format!("the registry gives {} no id", shown())))?;
        let of = self.codec(schema, message);
        let of = of.map_err(|why| Error::usage(format!("{} cannot be used: {why}", shown())))?;
        Ok(Target { id, of })
    }

    fn codec(&self, schema: &Schema, message: Option<&str>) -> Result<Codec, String> {
        Ok(match self.kind {
            SchemaKind::Avro => Codec::Avro(Avro::of(schema)?),
            SchemaKind::Protobuf => {
                let (of, place) = Protobuf::of(schema)?.named(message)?;
                Codec::Protobuf(of, place)
            }
            SchemaKind::Json => Codec::Json(JsonSchema::of(schema)?),
        })
    }
}
