//! Bytes of one form to JSON.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use serde::de::IgnoredAny;

use super::arena::Arena;
use super::avro::{Avro, AvroJson};
use super::chain::{Chain, Form};
use super::compression::Compression;
use super::fault::Fault;
use super::framing::{self, HEADERS};
use super::protobuf::{self, ProtoFiles, Protobuf};
use super::schemas::{Schema, SchemaId, SchemaKind, Schemas};
use super::{cbor, msgpack};
use crate::error::{Error, Kind, Result};
use crate::message::{Headers, SchemaName, json};
use crate::proto::schema::MessageType;

/// What was made of bytes.
pub(super) enum Decoded<'a> {
    /// They are nothing else.
    Same,
    /// Other bytes.
    Bytes(&'a [u8]),
    /// JSON.
    Json(&'a [u8], Arc<SchemaName>),
}

/// Why nothing was made of bytes.
pub(super) enum Trouble {
    /// They are not what they are said to be.
    Bad(String),
    /// Whatever they are: the registry gives no answer.
    Over(Error),
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Trouble {
        Trouble::Bad(fault.to_string())
    }
}

/// What lies below the compression.
enum Ready {
    /// In the wire format where there is a registry, and it is, else JSON where it is that.
    Auto,
    Registry(SchemaKind),
    Avro(Box<Avro>, Arc<SchemaName>),
    Proto(MessageType, Arc<SchemaName>),
    MsgPack(Arc<SchemaName>),
    Cbor(Arc<SchemaName>),
    Json,
    Bytes,
}

/// A schema of the registry.
struct Known {
    of: Codec,
    name: Arc<SchemaName>,
}

enum Codec {
    Avro(Avro),
    Protobuf(Protobuf),
    Json,
}

/// Decodes what is of one form.
pub(super) struct Decoder {
    packed: Vec<Compression>,
    ready: Ready,
    form: AvroJson,
    is_key: bool,
    schemas: Option<Arc<dyn Schemas>>,
    /// Those that were asked for; why not, where there is none.
    known: RefCell<HashMap<SchemaId, Result<Rc<Known>, String>>>,
    /// That of the message before.
    last: RefCell<Option<(SchemaId, Rc<Known>)>>,
    json: Arc<SchemaName>,
    unpacked: RefCell<[Vec<u8>; 2]>,
    out: RefCell<Vec<u8>>,
}

/// What a decoder is made with, beside its form.
#[derive(Clone, Copy)]
pub(super) struct With<'w> {
    /// How Avro is written.
    pub form: AvroJson,
    /// Where types of Protobuf come from.
    pub files: &'w ProtoFiles,
    /// Where schemas come from.
    pub schemas: Option<&'w Arc<dyn Schemas>>,
}

/// What is written with a schema that has no other name.
pub(super) fn of_kind(kind: &str) -> Arc<SchemaName> {
    Arc::new(SchemaName { kind: kind.to_owned(), ..SchemaName::default() })
}

/// The schema in a file.
///
/// # Errors
/// `Kind::Io`: it cannot be read. `Kind::Usage`: it is none.
pub(super) fn avro_in(path: &std::path::Path) -> Result<Avro> {
    let shown = path.display();
    let bytes = std::fs::read(path).map_err(|e| Error::io(format!("cannot read {shown}"), e))?;
    let text = crate::values::text(bytes).map_err(|why| Error::usage(format!("{shown}: {why}")))?;
    let schema =
        Schema { id: None, subject: None, version: None, kind: SchemaKind::Avro, text, references: Vec::new() };
    Avro::of(&schema).map_err(|why| Error::usage(format!("{shown} is no Avro schema: {why}")))
}

/// How much memory is kept for the next message.
const KEPT: usize = 1 << 20;

impl Decoder {
    /// Of this form, for keys or for values.
    ///
    /// # Errors
    /// `Kind::Usage`: a schema is none. `Kind::Io`: a file cannot be read.
    pub(super) fn new(chain: &Chain, is_key: bool, with: With<'_>) -> Result<Decoder> {
        let ready = match &chain.form {
            Form::Auto => Ready::Auto,
            Form::Registry(_, Some(name)) => {
                return Err(Error::usage(format!("protobuf:{name} names a message to be written")).hint(
                    "write --decode protobuf: each message says which one it is; or proto:TYPE without a registry",
                ));
            }
            Form::Registry(kind, None) => Ready::Registry(*kind),
            Form::Avro(path) => {
                let avro = avro_in(path)?;
                let name = SchemaName { message: avro.name().map(str::to_owned), ..named(SchemaKind::Avro.name()) };
                Ready::Avro(Box::new(avro), Arc::new(name))
            }
            Form::Proto(name) => {
                let of = with.files.message(name)?;
                let name = SchemaName { message: Some(of.full_name().to_owned()), ..named("protobuf") };
                Ready::Proto(of, Arc::new(name))
            }
            Form::MsgPack => Ready::MsgPack(of_kind("msgpack")),
            Form::Cbor => Ready::Cbor(of_kind("cbor")),
            Form::Json => Ready::Json,
            Form::Bytes => Ready::Bytes,
        };
        Ok(Decoder {
            packed: chain.packed.clone(),
            ready,
            form: with.form,
            is_key,
            schemas: with.schemas.cloned(),
            known: RefCell::default(),
            last: RefCell::default(),
            json: of_kind("json"),
            unpacked: RefCell::default(),
            out: RefCell::default(),
        })
    }

    /// Whether a header may say what a message is.
    pub(super) fn reads_headers(&self) -> bool {
        self.schemas.is_some() && matches!(self.ready, Ready::Auto | Ready::Registry(_))
    }

    /// What these bytes are; it lies in the arena.
    ///
    /// # Errors
    /// See [`Trouble`].
    pub(super) fn decode<'a>(
        &self,
        bytes: &[u8],
        headers: &Headers<'_>,
        arena: &'a Arena,
    ) -> Result<Decoded<'a>, Trouble> {
        let (mut unpacked, mut out) = (self.unpacked.borrow_mut(), self.out.borrow_mut());
        let [here, spare] = &mut *unpacked;
        let mut is_packed = false;
        for layer in &self.packed {
            layer.unpack(if is_packed { here } else { bytes }, spare)?;
            std::mem::swap(here, spare);
            is_packed = true;
        }
        let input: &[u8] = if is_packed { here } else { bytes };
        out.clear();
        let name = self.below(input, headers, &mut out)?;
        let decoded = match name {
            Some(name) => Decoded::Json(arena.keep(&out), name),
            None if is_packed => Decoded::Bytes(arena.keep(input)),
            None => Decoded::Same,
        };
        for buffer in [here, spare, &mut *out] {
            if buffer.capacity() > KEPT {
                *buffer = Vec::new();
            }
        }
        Ok(decoded)
    }

    /// What lies below the compression as JSON; `None` where it is left as it is.
    fn below(
        &self,
        input: &[u8],
        headers: &Headers<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Option<Arc<SchemaName>>, Trouble> {
        let name = match &self.ready {
            Ready::Bytes => return Ok(None),
            Ready::Avro(avro, name) => {
                avro.decode(input, self.form, out).map_err(|fault| framed_by_others(fault, input))?;
                name
            }
            Ready::Proto(of, name) => {
                protobuf::decode(of, input, out)?;
                name
            }
            Ready::MsgPack(name) => {
                msgpack::decode(input, out)?;
                name
            }
            Ready::Cbor(name) => {
                cbor::decode(input, out)?;
                name
            }
            Ready::Json => {
                write_json(input, out)?;
                &self.json
            }
            Ready::Registry(kind) => {
                let (id, rest) = self.split(input, headers).ok_or_else(|| {
                    Fault::new("it does not begin as Confluent's wire format does (the byte 0 and an id), nor has it a header with the id")
                })?;
                return self.by_registry(id, rest, Some(*kind), out).map(Some);
            }
            Ready::Auto => {
                if let Some((id, rest)) = self.schemas.as_ref().and_then(|_| self.split(input, headers)) {
                    return self.by_registry(id, rest, None, out).map(Some);
                }
                // Numbers and words are text as well as JSON.
                let first = input.iter().find(|byte| !byte.is_ascii_whitespace());
                if !matches!(first, Some(b'{' | b'[')) || write_json(input, out).is_err() {
                    return Ok(None);
                }
                &self.json
            }
        };
        Ok(Some(name.clone()))
    }

    /// The id of the schema, and the bytes that it is of: behind the id, and behind that in its header.
    fn split<'i>(&self, input: &'i [u8], headers: &'i Headers<'_>) -> Option<(SchemaId, Parts<'i>)> {
        let header = HEADERS.get(usize::from(self.is_key)).and_then(|name| headers.text(name));
        if let Some((id, place)) = header.and_then(|text| framing::split(text)) {
            return Some((id, Parts { place: Some(place), body: input }));
        }
        framing::split(input).map(|(id, body)| (id, Parts { place: None, body }))
    }

    fn by_registry(
        &self,
        id: SchemaId,
        parts: Parts<'_>,
        kind: Option<SchemaKind>,
        out: &mut Vec<u8>,
    ) -> Result<Arc<SchemaName>, Trouble> {
        let known = self.known(id)?;
        let found = match &known.of {
            Codec::Avro(_) => SchemaKind::Avro,
            Codec::Protobuf(_) => SchemaKind::Protobuf,
            Codec::Json => SchemaKind::Json,
        };
        if kind.is_some_and(|kind| kind != found) {
            return Err(Trouble::Bad(format!("its schema is {}: {}", found.name(), known.name)));
        }
        match &known.of {
            Codec::Avro(avro) => avro.decode(parts.body, self.form, out)?,
            Codec::Json => write_json(parts.body, out)?,
            Codec::Protobuf(schema) => {
                let (place, body) = match parts.place {
                    Some(header) => (framing::indexes(header)?.0, parts.body),
                    None => framing::indexes(parts.body)?,
                };
                let of = schema.at(&place)?;
                protobuf::decode(&of, body, out)?;
                if place != [0] {
                    let message = Some(of.full_name().to_owned());
                    return Ok(Arc::new(SchemaName { message, ..SchemaName::clone(&known.name) }));
                }
            }
        }
        Ok(known.name.clone())
    }

    /// A schema of the registry, which is asked once for each.
    fn known(&self, id: SchemaId) -> Result<Rc<Known>, Trouble> {
        if let Some((_, known)) = self.last.borrow().as_ref().filter(|(last, _)| *last == id) {
            return Ok(known.clone());
        }
        let known = self.known.borrow().get(&id).cloned();
        let known = match known {
            Some(known) => known,
            None => {
                let fetched = self.fetch(id)?;
                self.known.borrow_mut().insert(id, fetched.clone());
                fetched
            }
        };
        let known = known.map_err(Trouble::Bad)?;
        *self.last.borrow_mut() = Some((id, known.clone()));
        Ok(known)
    }

    fn fetch(&self, id: SchemaId) -> Result<Result<Rc<Known>, String>, Trouble> {
        let Some(schemas) = &self.schemas else { return Ok(Err("there is no registry".to_owned())) };
        let schema = match schemas.by_id(id) {
            Ok(schema) => schema,
            Err(error) if error.kind() == Kind::Refused => return Ok(Err(error.chain())),
            Err(error) => return Err(Trouble::Over(error)),
        };
        let of = match schema.kind {
            SchemaKind::Avro => Avro::of(&schema).map(Codec::Avro),
            SchemaKind::Protobuf => Protobuf::of(&schema).map(Codec::Protobuf),
            SchemaKind::Json => Ok(Codec::Json),
        };
        let name = Arc::new(SchemaName {
            kind: schema.kind.name().to_owned(),
            id: schema.id,
            subject: schema.subject.clone(),
            version: schema.version,
            message: None,
        });
        Ok(match of {
            Ok(of) => Ok(Rc::new(Known { of, name })),
            Err(why) => Err(format!("its schema ({name}) cannot be used: {why}")),
        })
    }
}

/// The parts of what is in the wire format.
struct Parts<'i> {
    /// Where the message's type stands, where a header says it.
    place: Option<&'i [u8]>,
    body: &'i [u8],
}

fn named(kind: &str) -> SchemaName {
    SchemaName { kind: kind.to_owned(), ..SchemaName::default() }
}

/// Appends JSON without the blanks between its tokens.
///
/// # Errors
/// It is none.
pub(super) fn write_json(text: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    let is_text = std::str::from_utf8(text).map(drop).map_err(|_| Fault::new("it is no JSON: it is not UTF-8"));
    is_text.and_then(|()| {
        serde_json::from_slice::<IgnoredAny>(text).map_err(|error| Fault::new(format!("it is no JSON: {error}")))
    })?;
    json::compact(out, text);
    Ok(())
}

/// Avro that begins as what a registry's writers make.
fn framed_by_others(fault: Fault, input: &[u8]) -> Trouble {
    Trouble::Bad(match framing::split(input) {
        Some((SchemaId::Number(id), _)) => {
            format!("{fault}; it may begin with the id of a registry's schema, {id}, which --decode avro reads")
        }
        _ => fault.to_string(),
    })
}
