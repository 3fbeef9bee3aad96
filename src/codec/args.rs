//! `--decode`, and what belongs to it.

use std::path::PathBuf;
use std::sync::Arc;

use super::avro::AvroJson;
use super::chain::{Chain, FORMS};
use super::decoder::{Decoder, With};
use super::protobuf::ProtoFiles;
use super::schemas::Schemas;
use super::stage::{Decode, OnError};
use crate::error::{Error, Result};
use crate::flow::Stage;
use crate::values::Offering;

const HEADING: &str = "Decoding";

fn chain(text: &str) -> Result<Chain, String> {
    text.parse()
}

const ERROR_WORDS: &[(&str, &str)] = &[
    ("raw", "it goes on as it came, with a warning"),
    ("stop", "it goes back, and nothing behind it is read"),
    ("skip", "it is left out"),
    ("dead:", "it goes to this queue or topic"),
];

fn on_error(text: &str) -> Result<OnError, String> {
    Ok(match text {
        "raw" => OnError::Raw,
        "stop" => OnError::Stop,
        "skip" => OnError::Skip,
        _ => match text.strip_prefix("dead:") {
            Some(target) if !target.is_empty() => OnError::Dead(target.to_owned()),
            _ => return Err("write raw, stop, skip or dead:TARGET".to_owned()),
        },
    })
}

/// What bodies and keys are.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct DecodeArgs {
    /// Decode bodies to JSON: auto, avro, protobuf, json-schema, avro:FILE, proto:TYPE, msgpack, cbor, json; gzip, zstd, snappy,
    /// lz4 before one, as gzip+json
    ///
    /// auto takes Confluent's wire format by the registry, else JSON, else leaves a body as it is; avro, protobuf and json-schema
    /// insist on the registry. avro:FILE reads bare Avro by a schema in a file, proto:TYPE a message whose type --proto or
    /// --descriptor-set describes. --filter sees what was decoded, -o json has it as a value with its schema beside it. What is
    /// unpacked, or said by a body, is at most 64 MiB. `mscomm help schemas` tells more.
    #[arg(long, help_heading = HEADING, value_name = "FORMAT", hide_possible_values = true, value_parser = Offering(chain, FORMS))]
    decode: Option<Chain>,
    /// The same for keys
    #[arg(long, help_heading = HEADING, value_name = "FORMAT", hide_possible_values = true, value_parser = Offering(chain, FORMS), hide_short_help = true)]
    decode_key: Option<Chain>,
    /// What happens to a message that cannot be decoded: raw (it goes on as it came, with a warning), stop (it goes back, and
    /// nothing behind it is read), skip (it is left out), or dead:TARGET (it goes to that queue or topic of the same broker, and
    /// counts as done once it is there)
    #[arg(long, help_heading = HEADING, value_name = "WHAT", default_value = "raw", hide_possible_values = true,
          value_parser = Offering(on_error, ERROR_WORDS), hide_short_help = true)]
    decode_error: OnError,
}

/// What both ways share.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct FormArgs {
    /// How Avro is written as JSON: plain (no names of branches, decimals as exact text, dates and times in ISO 8601) or canonical
    /// (the specification's, as kafka-avro-console-consumer prints it); both are read
    #[arg(long, help_heading = HEADING, value_name = "FORM", value_enum, default_value_t, hide_short_help = true)]
    avro_json: AvroJson,
    /// .proto file that describes the types of proto:TYPE; may be repeated
    #[arg(long, help_heading = HEADING, value_name = "FILE", hide_short_help = true)]
    proto: Vec<PathBuf>,
    /// Folder that the imports of --proto start from, looked for when not given; may be repeated
    #[arg(short = 'I', long, help_heading = HEADING, value_name = "FOLDER", hide_short_help = true)]
    import_path: Vec<PathBuf>,
    /// Descriptor set of protoc or buf that describes the types of proto:TYPE; may be repeated
    #[arg(long, visible_alias = "protoset", help_heading = HEADING, value_name = "FILE", hide_short_help = true)]
    descriptor_set: Vec<PathBuf>,
}

impl FormArgs {
    pub(super) fn files(&self) -> ProtoFiles {
        ProtoFiles {
            sources: self.proto.clone(),
            import_paths: self.import_path.clone(),
            sets: self.descriptor_set.clone(),
        }
    }

    pub(super) fn avro_json(&self) -> AvroJson {
        self.avro_json
    }

    /// What was given for types that nobody asks for.
    ///
    /// # Errors
    /// `Kind::Usage`.
    pub(super) fn check<'c>(&self, chains: impl IntoIterator<Item = &'c Chain>) -> Result<()> {
        let mut chains = chains.into_iter();
        let is_given = !(self.proto.is_empty() && self.descriptor_set.is_empty() && self.import_path.is_empty());
        let is_wanted = chains.any(|chain| matches!(chain.form, super::chain::Form::Proto(_)));
        match is_given && !is_wanted {
            true => Err(Error::usage(
                "--proto, --import-path and --descriptor-set are about proto:TYPE, and nothing is of one",
            )
            .hint("add --decode proto:pkg.Type (or --encode), or leave them out")),
            false => Ok(()),
        }
    }
}

impl Default for DecodeArgs {
    fn default() -> DecodeArgs {
        DecodeArgs { decode: None, decode_key: None, decode_error: OnError::Raw }
    }
}

impl DecodeArgs {
    /// What is decoded.
    pub(super) fn chains(&self) -> impl Iterator<Item = &Chain> {
        self.decode.iter().chain(&self.decode_key)
    }

    /// Whether anything is decoded.
    pub(crate) fn is_used(&self) -> bool {
        self.chains().next().is_some()
    }

    /// Whether there has to be a registry.
    pub(crate) fn needs_registry(&self) -> bool {
        self.chains().any(Chain::needs_registry)
    }

    /// Where messages go that cannot be decoded, if anywhere.
    pub(crate) fn target(&self) -> Option<&str> {
        match &self.decode_error {
            OnError::Dead(target) => Some(target),
            _ => None,
        }
    }

    /// Whether what cannot be decoded is left out.
    pub(crate) fn leaves_out(&self) -> bool {
        self.is_used() && self.decode_error == OnError::Skip
    }

    /// The stage; none where nothing is decoded.
    ///
    /// # Errors
    /// `Kind::Usage`: a schema is none, there is no registry that is needed, or nothing is decoded. `Kind::Io`: a file cannot be
    /// read.
    pub(crate) fn stages(&self, form: &FormArgs, schemas: Option<&Arc<dyn Schemas>>) -> Result<Vec<Box<dyn Stage>>> {
        if !self.is_used() && self.decode_error != OnError::Raw {
            return Err(
                Error::usage("--decode-error without --decode").hint("add --decode or --decode-key, or leave it out")
            );
        }
        if schemas.is_none() && self.needs_registry() {
            return Err(no_registry("--decode"));
        }
        if !self.is_used() {
            return Ok(Vec::new());
        }
        let files = form.files();
        let with = With { form: form.avro_json, files: &files, schemas };
        let of =
            |chain: &Option<Chain>, is_key| chain.as_ref().map(|chain| Decoder::new(chain, is_key, with)).transpose();
        let (value, key) = (of(&self.decode, false)?, of(&self.decode_key, true)?);
        Ok(vec![Box::new(Decode::new(value, key, self.decode_error.clone()))])
    }
}

/// A schema has to come from a registry, and there is none.
pub(super) fn no_registry(flag: &str) -> Error {
    Error::usage(format!("{flag} asks for schemas of a registry, and none is named"))
        .hint("name it with --registry URL or in the profile, or the schema as avro:FILE or proto:TYPE")
}

/// The one place of two that messages go to, if any does.
///
/// # Errors
/// `Kind::Usage`: there are two.
pub(crate) fn one_target(one: Option<&str>, other: Option<&str>) -> Result<Option<String>> {
    match (one, other) {
        (Some(one), Some(other)) if one != other => {
            Err(Error::usage(format!("dead:{one} and dead:{other} are two targets"))
                .hint("send all that failed to one of them"))
        }
        _ => Ok(one.or(other).map(str::to_owned)),
    }
}
