//! `--encode`, and by which schema.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::form::{AsksRegistry, FormArgs, HEADING, chain};
use crate::codec::chain::{Chain, FORMS, Form};
use crate::codec::decoder::With;
use crate::codec::encoder::{Encoder, Place, Which};
use crate::codec::schemas::Schemas;
use crate::codec::stage::Encode;
use crate::error::{Error, Result};
use crate::flow::{Stage, Unfit};
use crate::message::Message;
use crate::values::Offering;

/// What can be written: auto is for readers.
const WRITTEN: &[(&str, &str)] = match FORMS {
    [_, written @ ..] => written,
    [] => &[],
};

/// What JSON bodies are made into.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct EncodeArgs {
    /// Make JSON bodies into avro, protobuf, msgpack, gzip+json, …
    ///
    /// FORMAT is avro, protobuf, json-schema, avro:FILE, proto:TYPE, msgpack, cbor or json; gzip, zstd, snappy or lz4 stand alone or before
    /// one of them, as gzip+json.
    ///
    /// Every body is checked before it is sent; what it lacks is named. avro, protobuf (protobuf:TYPE for another message than its
    /// first) and json-schema write Confluent's wire format by a schema of the registry, avro:FILE and proto:TYPE bare bytes.
    /// It reads what --decode has written. What is null stays null. `mscomm help schemas` tells more.
    #[arg(long, value_name = "FORMAT", hide_possible_values = true, value_parser = Offering(chain, WRITTEN))]
    encode: Option<Chain>,
}

/// What keys are made into, where messages have them.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct EncodeKeyArgs {
    /// Encode keys, which are JSON then, as --encode does bodies
    #[arg(long, help_heading = HEADING, value_name = "FORMAT", hide_possible_values = true, value_parser = Offering(chain, WRITTEN), hide_short_help = true)]
    encode_key: Option<Chain>,
}

/// By which schemas of a registry.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct SchemaArgs {
    /// Subject of the schema for --encode avro, protobuf or json-schema, whose latest version is used; TOPIC-value if not given,
    /// and of what -o json wrote by --decode, the schema that it names
    #[arg(long, help_heading = HEADING, value_name = "SUBJECT", hide_short_help = true)]
    subject: Option<String>,
    /// Id of the schema instead
    #[arg(long, help_heading = HEADING, value_name = "ID", conflicts_with_all = ["subject", "schema"], hide_short_help = true)]
    schema_id: Option<u32>,
    /// Schema in this file instead, which has to be registered in the subject, or is with --register
    #[arg(long, help_heading = HEADING, value_name = "FILE", hide_short_help = true)]
    schema: Option<PathBuf>,
    /// The same as --subject, for keys; TOPIC-key if not given
    #[arg(long, help_heading = HEADING, value_name = "SUBJECT", hide_short_help = true)]
    key_subject: Option<String>,
    /// The same as --schema-id, for keys
    #[arg(long, help_heading = HEADING, value_name = "ID", conflicts_with_all = ["key_subject", "key_schema"], hide_short_help = true)]
    key_schema_id: Option<u32>,
    /// The same as --schema, for keys
    #[arg(long, help_heading = HEADING, value_name = "FILE", hide_short_help = true)]
    key_schema: Option<PathBuf>,
    /// How the subject of --schema is made: topic (TOPIC-value), record (the schema's own name), or topic-record (both)
    #[arg(long, help_heading = HEADING, value_name = "STRATEGY", value_enum, default_value_t, hide_short_help = true)]
    subject_strategy: Strategy,
    /// Register the schema of --schema in the subject if it is not there
    #[arg(long, help_heading = HEADING, hide_short_help = true)]
    register: bool,
}

/// How a subject is made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum Strategy {
    /// TOPIC-value, TOPIC-key
    #[default]
    Topic,
    /// The name of the record, message or title
    Record,
    /// TOPIC-NAME
    TopicRecord,
}

impl SchemaArgs {
    /// Which schema values are written with, or keys.
    fn which(&self, topic: &str, is_key: bool) -> Result<Which> {
        let (subject, id, file) = match is_key {
            true => (&self.key_subject, self.key_schema_id, &self.key_schema),
            false => (&self.subject, self.schema_id, &self.schema),
        };
        let of_topic = || format!("{topic}-{}", if is_key { "key" } else { "value" });
        Ok(match (id, file, subject) {
            (Some(id), ..) => Which::Id(id),
            (None, Some(path), subject) => {
                let place = match (subject, self.subject_strategy) {
                    (Some(subject), _) => Place::Named(subject.clone()),
                    (None, Strategy::Topic) => Place::Named(of_topic()),
                    (None, Strategy::Record) => Place::OfName(String::new()),
                    (None, Strategy::TopicRecord) => Place::OfName(format!("{topic}-")),
                };
                Which::Text {
                    shown: path.display().to_string(),
                    text: text(path)?,
                    subject: place,
                    register: self.register,
                }
            }
            (None, None, Some(subject)) => Which::Subject(subject.clone()),
            (None, None, None) => Which::OfMessage(of_topic()),
        })
    }

    /// What was typed for nobody.
    fn check(&self, value: Option<&Chain>, key: Option<&Chain>) -> Result<()> {
        let is_asked = |chain: Option<&Chain>| chain.is_some_and(Chain::needs_registry);
        let of_value = [
            ("--subject", self.subject.is_some()),
            ("--schema-id", self.schema_id.is_some()),
            ("--schema", self.schema.is_some()),
        ];
        let of_key = [
            ("--key-subject", self.key_subject.is_some()),
            ("--key-schema-id", self.key_schema_id.is_some()),
            ("--key-schema", self.key_schema.is_some()),
        ];
        for (flags, is_asked, flag) in
            [(of_value, is_asked(value), "--encode"), (of_key, is_asked(key), "--encode-key")]
        {
            if let Some((name, _)) = flags.iter().find(|(_, is_given)| *is_given && !is_asked) {
                return Err(Error::usage(format!(
                    "{name} names a schema of a registry, and nothing is written with one"
                ))
                .hint(format!("add {flag} avro, protobuf or json-schema, or leave it out")));
            }
        }
        let has_file = self.schema.is_some() || self.key_schema.is_some();
        if self.register && !has_file {
            return Err(Error::usage("--register without a schema").hint("add --schema FILE, or leave it out"));
        }
        if self.subject_strategy != Strategy::Topic && !has_file {
            return Err(Error::usage("--subject-strategy is about the schema in a file").hint("add --schema FILE"));
        }
        Ok(())
    }
}

fn text(path: &Path) -> Result<String> {
    let shown = path.display();
    let bytes = std::fs::read(path).map_err(|e| Error::io(format!("cannot read {shown}"), e))?;
    crate::values::text(bytes).map_err(|why| Error::usage(format!("{shown}: {why}")))
}

impl EncodeArgs {
    /// What bodies become.
    pub(super) fn chain(&self) -> Option<&Chain> {
        self.encode.as_ref()
    }

    /// Whether bodies are JSON still.
    pub(super) fn makes_json(&self) -> bool {
        self.encode.as_ref().is_none_or(|chain| chain.packed.is_empty() && chain.form == Form::Json)
    }

    /// Whether a registry is asked.
    pub(crate) fn asks_registry(&self, key: &EncodeKeyArgs) -> AsksRegistry {
        AsksRegistry::of(self.encode.iter().chain(&key.encode_key))
    }

    /// What encodes, for a topic or an exchange; `None` where nothing is. `others` are forms that are read, whose types may be
    /// described, too.
    ///
    /// # Errors
    /// `Kind::Usage`: a schema is none, there is no registry that is needed, or it says what does not go together. `Kind::Io`: a
    /// file cannot be read.
    pub(crate) fn prepare(
        &self,
        key: &EncodeKeyArgs,
        schema: &SchemaArgs,
        form: &FormArgs,
        topic: &str,
        schemas: Option<&Arc<dyn Schemas>>,
    ) -> Result<Option<Encoding>> {
        form.check(self.encode.iter().chain(&key.encode_key))?;
        schema.check(self.encode.as_ref(), key.encode_key.as_ref())?;
        let files = form.files();
        let with = With { form: form.avro_json(), files: &files, schemas };
        let of = |chain: &Option<Chain>, is_key| -> Result<Option<Encoder>> {
            let Some(chain) = chain else { return Ok(None) };
            Encoder::new(chain, with, schema.which(topic, is_key)?).map(Some)
        };
        let (value, key) = (of(&self.encode, false)?, of(&key.encode_key, true)?);
        Ok((value.is_some() || key.is_some()).then(|| Encoding { stage: Encode::new(value, key) }))
    }
}

/// What encodes, and was checked.
pub(crate) struct Encoding {
    stage: Encode,
}

impl Encoding {
    /// Asks the registry for what all messages need; blocks.
    ///
    /// # Errors
    /// The registry's; `Kind::Refused`: a schema is not there.
    pub(crate) fn look_up(&self) -> Result<()> {
        self.stage.look_up()
    }

    /// Looks whether a message can be encoded.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn check(&self, message: &Message<'_>) -> Result<(), Unfit> {
        self.stage.check(message)
    }

    /// The stage.
    pub(crate) fn stage(self) -> Box<dyn Stage> {
        Box::new(self.stage)
    }
}
